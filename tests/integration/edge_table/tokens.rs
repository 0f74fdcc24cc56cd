//! Logits of tokens and labels.

use loglik::likelihood::{Bernoulli, BernoulliArguments, Density};
use loglik::logits::{CrossEntropy, TokenObjective, log_softmax, log_sum_exp_or_empty_grad, token_log_probs};
use loglik::{Reduction, Result};
use ndarray::{Array2, array, aview1};

use super::{Exact, Row};

const INF: f64 = f64::INFINITY;

pub(crate) fn rows() -> Vec<Row> {
    let mut certain = Array2::from_elem((1, 11), -30.0);
    certain[[0, 0]] = 0.0;
    let mean = |logits: &Array2<f64>, targets: &[i64]| -> Result<Vec<f64>> {
        Ok(vec![CrossEntropy::default().value(logits, &aview1(targets), Reduction::Mean)?])
    };
    let masked = array![[0.0, -INF, 1.0]];
    let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    let hot = CrossEntropy { temperature: 1e308, ..CrossEntropy::default() };
    let mut rows = vec![
        Row {
            what: "cross-entropy",
            input: "logits 0 and ten times -30, target 0",
            elsewhere: "torch, optax: 0",
            names: &["loss"],
            exact: Exact::Values(vec![9.357_622_968_840_175e-13]),
            here: mean(&certain, &[0]),
        },
        Row {
            what: "cross-entropy, mean",
            input: "every target ignored",
            elsewhere: "torch: NaN",
            names: &["loss"],
            exact: Exact::Undefined,
            here: mean(&certain, &[-100]),
        },
        Row {
            what: "cross-entropy",
            input: "a row of -inf",
            elsewhere: "torch: NaN",
            names: &["loss"],
            exact: Exact::Undefined,
            here: mean(&array![[-INF, -INF]], &[0]),
        },
        Row {
            what: "cross-entropy, gradient",
            input: "logits 0, -inf, 1, target 1",
            elsewhere: "",
            names: &["loss", "gradient at the target"],
            exact: Exact::Values(vec![INF, -1.0]),
            here: CrossEntropy::default()
                .grad(&masked, &array![1], Reduction::Sum)
                .map(|(loss, gradient)| vec![loss, gradient[[0, 1]]]),
        },
        Row {
            what: "cross-entropy, smoothing 0.1",
            input: "logits 0, -inf, 1, target 0",
            elsewhere: "",
            names: &["loss"],
            exact: Exact::Values(vec![INF]),
            here: smooth.value(&masked, &array![0], Reduction::Sum).map(|loss| vec![loss]),
        },
        Row {
            what: "log-probability of a token",
            input: "logits 1e4, 0, target 1",
            elsewhere: "",
            names: &["log-probability"],
            exact: Exact::Values(vec![-1e4]),
            here: token_log_probs(&array![[1e4, 0.0]], &array![1]).map(|x| x.to_vec()),
        },
        Row {
            what: "cross-entropy, temperature 1e308",
            input: "logits -1e-20, 1e-20, target 0",
            elsewhere: "",
            names: &["loss"],
            exact: Exact::Values(vec![std::f64::consts::LN_2]),
            here: hot.value(&array![[-1e-20, 1e-20]], &array![0], Reduction::Sum).map(|loss| vec![loss]),
        },
        Row {
            what: "log-sum-exp of any row",
            input: "-inf, -inf",
            elsewhere: "",
            names: &["value", "slope"],
            exact: Exact::Values(vec![-INF, 0.0]),
            here: log_sum_exp_or_empty_grad(&array![[-INF, -INF]]).map(|(value, slope)| vec![value[0], slope[[0, 0]]]),
        },
        Row {
            what: "log-softmax, `f32`",
            input: "3.4e38, -3.4e38",
            elsewhere: "",
            names: &["first", "second"],
            exact: Exact::Overflow,
            here: log_softmax(&array![[3.4e38_f32, -3.4e38]]).map(|x| x.iter().map(|&x| f64::from(x)).collect()),
        },
    ];
    let labels = [
        ("logit 20, label 0", "candle: inf", 20.0, 0.0, [20.000_000_002_061_153, 0.999_999_997_938_846_4]),
        ("logit 100, label 1", "candle: NaN", 100.0, 1.0, [3.720_075_976_020_836e-44, -3.720_075_976_020_836e-44]),
        ("logit -200, label 1", "candle: inf", -200.0, 1.0, [200.0, -1.0]),
    ];
    rows.extend(labels.map(|(input, elsewhere, logit, label, exact)| {
        Row {
            what: "binary cross-entropy with logits",
            input,
            elsewhere,
            names: &["loss", "slope"],
            exact: Exact::Values(exact.to_vec()),
            here: Bernoulli
                .grad(BernoulliArguments { logits: &aview1(&[logit]), x: &aview1(&[label]) }, Reduction::Sum)
                .map(|(loss, gradient)| vec![loss, gradient[0]]),
        }
    }));
    rows
}
