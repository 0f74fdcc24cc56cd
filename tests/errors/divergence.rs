//! Bad input of divergences: the call and the message.

use loglik::prelude::*;
use ndarray::{Array2, array};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[track_caller]
fn says<R: std::fmt::Debug>(result: Result<R>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

#[test]
fn distributions_that_are_none_are_named() {
    use Categorical::{Logits, Probs};
    let (x, nan, infinite) =
        (array![[0.0, 1.0], [0.0, 1.0]], array![[0.0, 1.0], [NAN, 0.0]], array![[0.0, 1.0], [0.0, INF]]);
    let kl = |p, q| KlDivergence.value(p, q, Reduction::Sum);
    says(kl(Logits(&nan), Logits(&x)), "`p`[1, 0] is NaN, allowed is finite or -inf");
    says(kl(Logits(&x), Logits(&infinite)), "`q`[1, 1] is inf, allowed is finite or -inf");
    says(RenyiDivergence { alpha: 2.0 }.each(Logits(&x), Logits(&nan)), "`q`[1, 0] is NaN, allowed is finite or -inf");
    let nothing = array![[-INF, -INF], [0.0, 1.0]];
    says(kl(Logits(&x), Logits(&nothing)), "`q`[0] is -inf, allowed is a row with at least one finite logit");
    says(kl(Probs(&nan), Logits(&x)), "`p`[1, 0] is NaN, allowed is finite and >= 0");
    let negative = array![[1.5, -0.5], [0.5, 0.5]];
    says(kl(Logits(&x), Probs(&negative)), "`q`[0, 1] is -0.5, allowed is finite and >= 0");
    let counts = array![[0.5, 0.5], [3.0, 1.0]];
    says(kl(Probs(&counts), Logits(&x)), "`p`[1] is 4, allowed is probabilities that sum to 1 within 0.001");
    says(kl(Logits(&x), Logits(&array![[0.0, 1.0]])), "`q` has shape [1, 2], expected [2, 2]");
    let mut out = Array2::zeros((2, 3));
    let into =
        KlDivergence.grad_into(Logits(&x), Logits(&x), Reduction::Sum, Sides { p: None, q: Some(out.view_mut()) });
    says(into, "`out.q` has shape [2, 3], expected [2, 2]");

    says(
        GeneralisedJsd { beta: 1.5 }.value(Logits(&x), Logits(&x), Reduction::Sum),
        "`beta` is 1.5, allowed is [0, 1]",
    );
    says(
        InterpolatedJsd { beta: NAN }.value(Logits(&x), Logits(&x), Reduction::Sum),
        "`beta` is NaN, allowed is [0, 1]",
    );
    says(AmariDivergence { alpha: INF }.each(Logits(&x), Logits(&x)), "`alpha` is inf, allowed is finite");
    says(RenyiDivergence { alpha: 0.0 }.each(Logits(&x), Logits(&x)), "`alpha` is 0, allowed is finite and > 0");
}

#[test]
fn teachers_of_some_classes_are_checked() {
    let (logits, divergence) =
        (Array2::<f64>::zeros((2, 4)), SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket });
    let check = |indices: Array2<i64>, log_probs: Array2<f64>, message| {
        let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
        says(divergence.grad(teacher, &logits, Reduction::Mean), message);
    };
    let (indices, log_probs) = (array![[0, 1], [2, 3]], array![[-1.0, -2.0], [-1.0, -2.0]]);
    check(array![[0, 1]], log_probs.clone(), "`indices` has shape [1, 2], expected [2, 2]");
    check(indices.clone(), array![[-1.0], [-1.0]], "`log_probs` has shape [2, 1], expected [2, 2]");
    check(array![[0, 1], [2, 4]], log_probs.clone(), "`indices`[1, 1] is 4, allowed are the classes 0 to 3");
    check(array![[0, 1], [2, 2]], log_probs.clone(), "`indices`[1] is 2, allowed is each class once in a row");
    check(indices.clone(), array![[-1.0, 0.5], [-1.0, -2.0]], "`log_probs`[0, 1] is 0.5, allowed is at most 0");
    check(indices.clone(), array![[-1.0, NAN], [-1.0, -2.0]], "`log_probs`[0, 1] is NaN, allowed is at most 0");
    let nothing = "`log_probs`[1] is -inf, allowed is a row with at least one above -inf";
    check(indices.clone(), array![[-1.0, -2.0], [-INF, -INF]], nothing);
    let much = "`log_probs`[0] is 2, allowed is probabilities that sum to at most 1";
    check(indices, array![[0.0, 0.0], [-1.0, -2.0]], much);
    check(Array2::zeros((2, 0)), Array2::zeros((2, 0)), "`indices` holds nothing to average over");
    let (indices, log_probs) = (array![[0_i64]], array![[-1.0]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let conditional = SparseDivergence { divergence: KlDivergence, tail: Tail::Conditional };
    let message = "`logits`[0] is -inf, allowed is a row with a finite logit among the teacher's classes";
    says(conditional.value(teacher, &array![[-INF, 0.0]], Reduction::Sum), message);
    says(
        conditional.value(teacher, &array![[NAN, 0.0]], Reduction::Sum),
        "`logits`[0, 0] is NaN, allowed is finite or -inf",
    );
}
