//! Divergences between distributions over classes.

use loglik::Reduction::Sum;
use loglik::divergence::{
    Categorical::Logits, CategoricalDivergence, FDivergence, KlDivergence, NeymanChiSquare, RenyiDivergence,
    ReverseKlDivergence, SparseDivergence, SparseTeacher, Tail,
};
use ndarray::array;

use super::{Exact, Row};

pub(crate) fn rows() -> Vec<Row> {
    let (indices, log_probs) = (array![[0, 1]], array![[0.0_f32, -17.5]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let bucket = SparseDivergence { divergence: ReverseKlDivergence, tail: Tail::Bucket, ..Default::default() };
    let (first_two, log_two) = (array![[0, 1]], array![[-1.0_f64, -2.0]]);
    let two = SparseTeacher { indices: first_two.view(), log_probs: log_two.view() };
    let forward = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() };
    let (lacking, whole) = (array![[0.0, f64::NEG_INFINITY, 1.0]], array![[0.0, 0.0, 1.0]]);
    let (near, far) = (array![[0.0, 0.0, 1.0]], array![[1e300, 0.0, 0.0]]);
    let entries = |(_, grad): (f64, ndarray::Array2<f64>)| grad.iter().copied().collect();
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
        Row {
            what: "forward KL from a teacher of two classes, the tail as one class, gradient",
            input: "log-probabilities -1, -2, logits 1e4, 0, 0",
            elsewhere: "",
            names: &["of the first class", "of the second", "of the third"],
            exact: Exact::Values(vec![0.632_120_558_828_557_7, -0.135_335_283_236_612_7, -0.496_785_275_591_945]),
            here: forward.grad(two, &array![[1e4, 0.0, 0.0]], Sum).map(entries),
        },
        Row {
            what: "reverse KL by its generator, gradient in the logits of the first side",
            input: "logits 0, -inf, 1 and 0, 0, 1",
            elsewhere: "",
            names: &["of the first class", "of the second", "of the third"],
            exact: Exact::Values(vec![0.056_999_863_752_909_68, -0.211_941_557_617_085_45, 0.154_941_693_864_175_77]),
            here: FDivergence { generator: ReverseKlDivergence }
                .grad_p(Logits(&lacking), Logits(&whole), Sum)
                .map(entries),
        },
        Row {
            what: "Neyman's χ² by its generator, gradient in the logits of the first side",
            input: "logits 0, -inf, 1 and 0, 0, 1",
            elsewhere: "",
            names: &["slope"],
            exact: Exact::Undefined,
            here: FDivergence { generator: NeymanChiSquare }.grad_p(Logits(&lacking), Logits(&whole), Sum).map(entries),
        },
        Row {
            what: "Rényi's divergence of order 2, gradient in the logits of the second side",
            input: "logits 0, 0, 1 and 1e300, 0, 0",
            elsewhere: "",
            names: &["of the first class", "of the second", "of the third"],
            exact: Exact::Values(vec![1.0, -0.119_202_922_022_117_56, -0.880_797_077_977_882_4]),
            here: RenyiDivergence { alpha: 2.0 }.grad_q(Logits(&near), Logits(&far), Sum).map(entries),
        },
    ]
}
