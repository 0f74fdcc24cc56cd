//! Divergences between distributions over classes.

use loglik::Reduction::Sum;
use loglik::divergence::{
    Categorical::Logits, CategoricalDivergence, KlDivergence, ReverseKlDivergence, SparseDivergence, SparseTeacher,
    Tail,
};
use ndarray::array;

use super::{Exact, Row};

pub(crate) fn rows() -> Vec<Row> {
    let (indices, log_probs) = (array![[0, 1]], array![[0.0_f32, -17.5]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let bucket = SparseDivergence { divergence: ReverseKlDivergence, tail: Tail::Bucket, ..Default::default() };
    let (both, one) = (array![[0.0, 0.0]], array![[0.0, f64::NEG_INFINITY]]);
    vec![
        Row {
            what: "reverse KL from a teacher of two classes in `f32`, the tail as one class",
            input: "log-probabilities 0, -17.5, logits 9, 1, 0",
            elsewhere: "1 less their sum: inf",
            names: &["divergence"],
            exact: Exact::Values(vec![0.003_668_618_131_929_557]),
            here: bucket.value(teacher, &array![[9.0, 1.0, 0.0]], Sum).map(|value| vec![value]),
        },
        Row {
            what: "KL, gradient in the logits of the first side",
            input: "logits 0, 0 and 0, -inf",
            elsewhere: "",
            names: &["slope"],
            exact: Exact::Undefined,
            here: KlDivergence.grad_p(Logits(&both), Logits(&one), Sum).map(|(_, grad)| grad.iter().copied().collect()),
        },
        Row {
            what: "KL, gradient in the logits of the second side",
            input: "logits 0, 0 and 0, -inf",
            elsewhere: "",
            names: &["of the first class", "of the second"],
            exact: Exact::Values(vec![0.5, -0.5]),
            here: KlDivergence.grad_q(Logits(&both), Logits(&one), Sum).map(|(_, grad)| grad.iter().copied().collect()),
        },
    ]
}
