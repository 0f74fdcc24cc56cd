//! Bad input of divergences: the call and the message.

use loglik::divergence::{
    AmariDivergence, Categorical, FDivergence, GeneralizedJsd, InterpolatedJsd, KlDivergence, PearsonChiSquare,
    RenyiDivergence, ReverseKlDivergence, Sides, SparseDivergence, SparseTeacher, Tail,
};
use loglik::prelude::*;
use ndarray::{Array2, array};

use super::{INF, NAN, says};

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
    says(
        kl(Probs(&counts), Logits(&x)),
        "`p`[1] is 4, allowed is probabilities that sum to 1 within 0.001, and 6e-8 for each class",
    );
    says(kl(Logits(&x), Logits(&array![[0.0, 1.0]])), "`q` has shape [1, 2], expected [2, 2]");
    let mut out = Array2::zeros((2, 3));
    let into =
        KlDivergence.grad_into(Logits(&x), Logits(&x), Reduction::Sum, Sides { p: None, q: Some(out.view_mut()) });
    says(into, "`out.q` has shape [2, 3], expected [2, 2]");

    says(
        GeneralizedJsd { beta: 1.5 }.value(Logits(&x), Logits(&x), Reduction::Sum),
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
    let (logits, divergence) = (
        Array2::<f64>::zeros((2, 4)),
        SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() },
    );
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
    check(Array2::zeros((2, 0)), Array2::zeros((2, 0)), "`indices` is empty, needed is at least one element");
    let (indices, log_probs) = (array![[0_i64]], array![[-1.0]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let conditional = SparseDivergence { divergence: KlDivergence, tail: Tail::Conditional, ..Default::default() };
    let message = "`logits`[0] is -inf, allowed is a row with a finite logit among the teacher's classes";
    says(conditional.value(teacher, &array![[-INF, 0.0]], Reduction::Sum), message);
    says(
        conditional.value(teacher, &array![[NAN, 0.0]], Reduction::Sum),
        "`logits`[0, 0] is NaN, allowed is finite or -inf",
    );
}

#[test]
fn a_class_of_one_side_is_named_where_it_makes_a_gradient_infinite() {
    use Categorical::{Logits, Probs};
    let (x, without) = (array![[0.0, 1.0], [0.0, 0.0]], array![[0.0, 1.0], [-INF, 0.0]]);
    let of_p = "`q`[1, 0] is -inf, allowed is a class of both sides, or the gradient of `p` is infinite";
    let of_q = "`q`[1, 0] is -inf, allowed is a class of both sides, or the gradient of `q` is infinite";
    says(KlDivergence.grad_p(Logits(&x), Logits(&without), Reduction::Sum), of_p);
    says(PearsonChiSquare.grad_q(Logits(&x), Logits(&without), Reduction::Sum), of_q);
    says(RenyiDivergence { alpha: 1.5 }.grad_q(Logits(&x), Logits(&without), Reduction::Sum), of_q);
    says(FDivergence { generator: KlDivergence }.grad_p(Logits(&x), Logits(&without), Reduction::Sum), of_p);
    says(AmariDivergence { alpha: 2.5 }.grad_p(Logits(&x), Logits(&without), Reduction::Sum), of_p);
    let of_p_lacking = "`p`[1, 0] is -inf, allowed is a class of both sides, or the gradient of `q` is infinite";
    says(ReverseKlDivergence.grad_q(Logits(&without), Logits(&x), Reduction::Sum), of_p_lacking);
    let probs = array![[0.5, 0.5], [0.0, 1.0]];
    let of_probs = "`q`[1, 0] is 0, allowed is a class of both sides, or the gradient of `p` is infinite";
    says(KlDivergence.grad_p(Logits(&x), Probs(&probs), Reduction::Sum), of_probs);
    // Where nothing is of one side alone, numbers are too large.
    let far = array![[0.0, 1.0], [-1e4, 0.0]];
    says(PearsonChiSquare.grad_q(Logits(&x), Logits(&far), Reduction::Sum), "the result at `p`[1] overflows f64");
}

#[test]
fn a_mask_has_the_shape_of_the_rows_and_a_temperature_is_above_zero() {
    use Categorical::{Logits, Transformed};
    let x = array![[0.0, 1.0], [0.0, 0.0]];
    says(KlDivergence.each_masked(Logits(&x), Logits(&x), &array![true]), "`mask` has shape [1], expected [2]");
    let cold = LogitTransform { temperature: 0.0, soft_cap: None };
    let message = "`temperature` is 0, allowed is finite and > 0";
    says(KlDivergence.value(Transformed(&x, cold), Logits(&x), Reduction::Sum), message);
    let tiny = LogitTransform { temperature: 1e-300, soft_cap: None };
    let large = array![[0.0, 1.0], [0.0, 1e200]];
    says(
        KlDivergence.value(Logits(&x), Transformed(&large, tiny), Reduction::Sum),
        "the result at `q`[1] overflows f64",
    );
    let nan = array![[0.0, 1.0], [NAN, 0.0]];
    says(
        KlDivergence.value(Logits(&x), Transformed(&nan, tiny), Reduction::Sum),
        "`q`[1, 0] is NaN, allowed is finite or -inf",
    );
}

#[test]
fn a_teacher_of_some_classes_that_lacks_mass_is_named_where_a_gradient_is_infinite() {
    let logits = array![[0.0, 0.5, 1.0, 2.0]];
    let reverse = |indices: Array2<i64>, log_probs: Array2<f64>, tail| {
        let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
        let divergence = SparseDivergence { divergence: ReverseKlDivergence, tail, ..Default::default() };
        divergence.grad(teacher, &logits, Reduction::Sum).unwrap_err().to_string()
    };
    let cut = reverse(array![[3, 0]], array![[-1.0, -2.0]], Tail::Cut);
    assert_eq!(
        cut,
        "`logits`[0, 1] is 0.5, allowed is -inf where the teacher has no mass, or the gradient is infinite"
    );
    let listed = reverse(array![[3, 0]], array![[-1.0, -INF]], Tail::Bucket);
    assert_eq!(listed, "`log_probs`[0, 1] is -inf, allowed is a class of both sides, or the gradient is infinite");
    let (indices, log_probs) = (array![[3, 0]], array![[-1.0, -2.0]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let pearson = SparseDivergence { divergence: PearsonChiSquare, tail: Tail::Bucket, ..Default::default() };
    says(
        pearson.grad(teacher, &array![[-INF, 0.5, 1.0, 2.0]], Reduction::Sum),
        "`logits`[0, 0] is -inf, allowed is a class of both sides, or the gradient is infinite",
    );
}
