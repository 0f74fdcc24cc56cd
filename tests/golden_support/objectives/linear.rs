//! Objectives of hidden states.

use loglik::logits::{CrossEntropy, LinearCrossEntropy, LinearHead, LinearPlan};
use loglik::{Real, Reduction};
use ndarray::{Array1, Array2, ArrayD};

use super::{Case, Failure};

/// Both plans must give the expected numbers.
pub fn cross_entropy<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (hidden, weight): (ArrayD<T>, Array2<T>) = (case.input("hidden")?, case.input("weight")?);
    let (bias, targets): (Option<Array1<T>>, _) = (case.optional("bias")?, case.classes("targets")?);
    let loss = CrossEntropy {
        ignore_index: case.whole("ignore_index")?.or(Some(-100)),
        label_smoothing: case.number("label_smoothing")?.unwrap_or(0.0),
        z_loss: case.number("z_loss")?.unwrap_or(0.0),
        class_weights: case.wide("class_weights").map(|weights| weights.iter().copied().collect()),
        ..CrossEntropy::default()
    };
    let (reduction, each) = match case.word("reduction")?.unwrap_or("mean") {
        "mean" => (Reduction::Mean, false),
        "sum" => (Reduction::Sum, false),
        "none" => (Reduction::Sum, true),
        other => return Err(format!("unknown reduction {other:?}").into()),
    };
    let head = LinearHead { weight: weight.view(), bias: bias.as_ref().map(|bias| bias.view()) };
    for plan in [LinearPlan::Chunked, LinearPlan::Recompute] {
        let loss = LinearCrossEntropy { loss: loss.clone(), plan };
        let (value, gradient) = loss.grad(&hidden, head, &targets, reduction)?;
        if each {
            case.give("loss", &loss.each(&hidden, head, &targets)?);
        } else {
            case.give_scalar("loss", value);
            case.give_scalar("loss", loss.value(&hidden, head, &targets, reduction)?);
        }
        case.give("grad.hidden", &gradient.hidden);
        case.give("grad.weight", &gradient.weight);
        if let Some(bias) = &gradient.bias {
            case.give("grad.bias", bias);
        }
    }
    Ok(())
}
