//! Kernels over logits.

use loglik::diagnostics::{TokenColumns, TokenStats};
use loglik::logits::{self, CrossEntropy, SoftCrossEntropy, TokenObjective};
use loglik::{Real, Reduction};
use ndarray::{Array, ArrayD, Axis, IxDyn};

use super::{Case, Failure};

pub fn log_sum_exp<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let x: ArrayD<T> = case.input("x")?;
    case.give("out", &logits::log_sum_exp(&x)?);
    case.give("out", &stats(&x)?.log_sum_exp);
    let (each, gradient) = logits::log_sum_exp_grad(&x)?;
    case.give("out", &each);
    case.give("grad.x", &gradient);
    Ok(())
}

/// The diagnostics of rows whose targets are the largest class.
fn stats<T: Real>(x: &ArrayD<T>) -> Result<TokenColumns<T, IxDyn>, Failure> {
    let targets = x.map_axis(Axis(x.ndim() - 1), |row| {
        row.iter().enumerate().fold(0, |top, (v, &x)| if x > row[top] { v } else { top })
    });
    let each = TokenStats { ignore_index: None, ..TokenStats::default() }.each(x, &targets)?;
    assert!(each.correct.iter().all(|&correct| correct));
    Ok(each)
}

pub fn log_softmax<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let mut x: ArrayD<T> = case.input("x")?;
    case.give("out", &logits::log_softmax(&x)?);
    logits::log_softmax_in_place(&mut x)?;
    case.give("out", &x);
    Ok(())
}

pub fn token_log_probs<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let x: ArrayD<T> = case.input("logits")?;
    let targets = case.classes("targets")?;
    case.give("out", &logits::token_log_probs(&x, &targets)?);
    let stats = TokenStats { ignore_index: None, ..TokenStats::default() };
    case.give("out", &stats.each(&x, &targets)?.log_prob);
    let ones = || Array::from_elem(IxDyn(targets.shape()), T::one());
    let cotangent = case.optional("cotangent")?.unwrap_or_else(ones);
    case.give("grad.logits", &logits::token_log_probs_backward(&x, &targets, &cotangent)?);
    Ok(())
}

pub fn entropy<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let x: ArrayD<T> = case.input("logits")?;
    case.give("out", &logits::entropy(&x)?);
    case.give("out", &stats(&x)?.entropy);
    let (each, gradient) = logits::entropy_grad(&x)?;
    case.give("out", &each);
    case.give("grad.logits", &gradient);
    Ok(())
}

/// Hard targets, or soft ones where they have the shape of the logits.
pub fn cross_entropy<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let x: ArrayD<T> = case.input("logits")?;
    let label_smoothing = case.number("label_smoothing")?.unwrap_or(0.0);
    let z_loss = case.number("z_loss")?.unwrap_or(0.0);
    let ignore_index = case.whole("ignore_index")?.or(Some(-100));
    let class_weights = case.wide("class_weights").map(|weights| weights.iter().copied().collect());
    let (reduction, each) = match case.word("reduction")?.unwrap_or("mean") {
        "mean" => (Reduction::Mean, false),
        "sum" => (Reduction::Sum, false),
        "none" => (Reduction::Sum, true),
        other => return Err(format!("unknown reduction {other:?}").into()),
    };
    // The two share their methods but no trait.
    macro_rules! give {
        ($loss:expr, $targets:expr) => {{
            let (loss, targets) = ($loss, $targets);
            let (value, gradient) = loss.grad(&x, &targets, reduction)?;
            case.give("grad.logits", &gradient);
            if each {
                case.give("loss", &loss.each(&x, &targets)?);
            } else {
                case.give_scalar("loss", value);
                case.give_scalar("loss", loss.value(&x, &targets, reduction)?);
            }
        }};
    }
    if case.wide("targets").is_some_and(|targets| targets.shape() == x.shape()) {
        let targets: ArrayD<T> = case.input("targets")?;
        give!(SoftCrossEntropy { label_smoothing, z_loss, class_weights, ..SoftCrossEntropy::default() }, targets);
    } else {
        let targets = case.classes("targets")?;
        give!(
            CrossEntropy { ignore_index, label_smoothing, z_loss, class_weights, ..CrossEntropy::default() },
            targets
        );
    }
    Ok(())
}
