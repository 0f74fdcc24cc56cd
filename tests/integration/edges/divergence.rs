//! Divergences where they are tiny, infinite, or of nothing. The exact numbers are in `tests/golden/divergence.edges.json`.

use std::f64::consts::LN_2;

use loglik::divergence::{
    AmariDivergence, Categorical::Logits, Categorical::Probs, CategoricalDivergence, FDivergence, GeneralizedJsd,
    JensenShannonDivergence, KlDivergence, MixtureChiSquare, PearsonChiSquare, RenyiDivergence, ReverseKlDivergence,
    SparseDivergence, SparseTeacher, SquaredHellinger, Tail, TotalVariation,
};
use loglik::{Error, Real, Reduction, SumCount};
use ndarray::{Array1, Array2, Array3, ArrayD, Ix2, array};

use super::{INF, assert_exact, assert_narrow, assert_wide};

type Divergence<T> = dyn CategoricalDivergence<T, Ix2>;

fn all<T: Real>() -> [Box<Divergence<T>>; 9] {
    [
        Box::new(KlDivergence),
        Box::new(ReverseKlDivergence),
        Box::new(JensenShannonDivergence),
        Box::new(AmariDivergence { alpha: 0.7 }),
        Box::new(RenyiDivergence { alpha: 1.5 }),
        Box::new(PearsonChiSquare),
        Box::new(MixtureChiSquare),
        Box::new(SquaredHellinger),
        Box::new(TotalVariation),
    ]
}

/// From logits `(0, h)` and `(0, 0)`; `KL = h²/8 - h⁴/64 + ..`, of which the difference of two logarithms has no digit left.
#[test]
fn a_divergence_of_nearly_nothing_keeps_its_digits() {
    for h in [1e-5, 1e-9, 1e-12, 1e-100] {
        let (x, y) = (array![[0.0, h]], array![[0.0, 0.0]]);
        let second = h * h / 8.0;
        let expected =
            [second, second, second / 4.0, second, 1.5 * second, 2.0 * second, second / 2.0, second / 4.0, h / 4.0];
        for (divergence, expected) in all().iter().zip(expected) {
            let got = divergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
            // A logarithm of 2 is good to 1e-16, which a divergence of second order feels as a square.
            let rest = if h < 1e-11 { 1e-3 } else { 1e-6 };
            if h > 1e-13 {
                assert_exact("divergence", got, expected, 1.0, rest, 0.0);
            } else {
                assert!(got <= 1e-16, "{got}");
            }
        }
    }
    let (x, y) = (array![[0.0_f32, 1e-3]], array![[0.0_f32, 0.0]]);
    let kl = KlDivergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
    assert_exact("in f32", f64::from(kl), 1.249_999_8e-7, 1.0, 1e-5, 0.0);
}

fn one_class_of_one<T: Real>() {
    let (x, y) = (array![[T::from_f64(3.0)], [T::from_f64(-1e30)]], array![[T::from_f64(-2.0)], [T::from_f64(7.0)]]);
    for divergence in all::<T>() {
        let (value, gradients) = divergence.grad(Logits(&x), Logits(&y), Reduction::Mean).unwrap();
        assert_eq!((value, gradients.p, gradients.q), (T::zero(), Array2::zeros((2, 1)), Array2::zeros((2, 1))));
    }
}

#[test]
fn a_single_class_is_certain_on_both_sides() {
    one_class_of_one::<f64>();
    one_class_of_one::<f32>();
}

#[test]
fn bounded_ones_reach_their_bound_where_no_class_is_shared() {
    for far in [INF, 1e4] {
        let (x, y) = (array![[0.0, -far, -far]], array![[-far, 0.0, 0.0]]);
        let bounds: &[(&Divergence<f64>, f64)] = &[
            (&JensenShannonDivergence, LN_2),
            (&MixtureChiSquare, 1.0),
            (&SquaredHellinger, 1.0),
            (&TotalVariation, 1.0),
        ];
        for &(divergence, bound) in bounds {
            let (value, gradients) = divergence.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
            assert_wide("bound", value, bound);
            assert!(gradients.p.iter().chain(&gradients.q).all(|g| *g == 0.0), "{gradients:?}");
        }
    }
}

#[test]
fn an_infinite_divergence_has_the_gradient_that_is_finite() {
    let (x, y) = (array![[0.0, 0.0]], array![[0.0, -INF]]);
    let (value, grad) = KlDivergence.grad_q(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
    assert_eq!((value, grad), (INF, array![[0.5, -0.5]]));
    let error = KlDivergence.grad_p(Logits(&x), Logits(&y), Reduction::Sum).unwrap_err();
    let message = "`q`[0, 1] is -inf, allowed is a class of both sides, or the gradient of `p` is infinite";
    assert_eq!(error.to_string(), message);
    let (value, grad) = ReverseKlDivergence.grad_p(Logits(&y), Logits(&x), Reduction::Sum).unwrap();
    assert_eq!((value, grad), (INF, array![[0.5, -0.5]]));
    for divergence in [&PearsonChiSquare as &Divergence<f64>, &RenyiDivergence { alpha: 1.5 }] {
        assert_eq!(divergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap(), INF);
        assert!(divergence.grad_q(Logits(&x), Logits(&y), Reduction::Sum).is_err());
    }
    let fewer = RenyiDivergence { alpha: 0.5 }.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
    assert_wide("order ½", fewer.0, LN_2);
    assert_eq!(fewer.1.q, array![[0.0, 0.0]]);
    assert_wide("pull", fewer.1.p[[0, 0]], -0.5);
    // The other way round nothing is infinite.
    assert_wide("KL", KlDivergence.value(Logits(&y), Logits(&x), Reduction::Sum).unwrap(), LN_2);
}

#[test]
fn finite_logits_that_lead_out_of_the_type_are_an_overflow() {
    let (x, y) = (array![[0.0, 0.0]], array![[0.0, -1e4]]);
    let overflow = PearsonChiSquare.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap_err();
    assert_eq!(overflow, Error::Overflow { argument: "p", position: 0.into(), type_name: "f64" });
    assert_wide("KL", KlDivergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap(), 5e3 - LN_2);
    let order_two = RenyiDivergence { alpha: 2.0 }.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
    assert_wide("order 2", order_two, 1e4 - 2.0 * LN_2);
    let (x, y) = (x.mapv(|x| x as f32), array![[0.0_f32, -100.0]]);
    assert!(PearsonChiSquare.value(Logits(&x), Logits(&y), Reduction::Sum).is_err());
    assert_narrow("KL", KlDivergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap(), 50.0 - LN_2);
}

/// TRL: 0.840 at one end and 8.8e-7 next to it; the ends are another function.
#[test]
fn the_generalized_divergence_of_trl_jumps_at_its_ends() {
    let (student, teacher) = (array![[2.0, 0.0, 0.0]], array![[0.0, 1.0, 0.0]]);
    let at = |beta| GeneralizedJsd { beta }.value(Logits(&teacher), Logits(&student), Reduction::Sum).unwrap();
    assert_exact("at the end", at(0.0), 0.840_333_821_821_491_7, 1.0, 1e-14, 0.0);
    assert!((at(1e-6) / (1e-6 * at(0.0)) - 1.0).abs() < 1e-5);
}

#[test]
fn no_rows_give_nothing_and_their_mean_is_an_error() {
    let none = Array3::<f32>::zeros((2, 0, 5));
    let (p, q) = (Logits(&none), Logits(&none));
    assert_eq!(KlDivergence.each(p, q).unwrap().shape(), [2, 0]);
    assert_eq!(KlDivergence.sum_count(p, q).unwrap(), SumCount::default());
    assert_eq!(KlDivergence.grad_q(p, q, Reduction::Sum).unwrap(), (0.0, none.clone()));
    assert_eq!(KlDivergence.value(p, q, Reduction::Mean), Err(Error::NothingToAverage { argument: "p" }));
    let no_classes = ArrayD::<f64>::zeros(vec![3, 0]);
    let error = KlDivergence.value(Logits(&no_classes), Logits(&no_classes), Reduction::Sum).unwrap_err();
    assert_eq!(error, Error::Empty { argument: "p" });
}

#[test]
fn a_row_of_weight_zero_is_never_read() {
    let (x, y) = (array![[0.0, 0.0], [f64::NAN, INF]], array![[0.0, 1.0], [-INF, -INF]]);
    let weights = array![2.0, 0.0];
    let (value, g) = KlDivergence.grad(Logits(&x), Logits(&y), Reduction::Weighted(&weights)).unwrap();
    assert_wide(
        "twice",
        value,
        2.0 * KlDivergence.value(Logits(&array![[0.0, 0.0]]), Logits(&array![[0.0, 1.0]]), Reduction::Sum).unwrap(),
    );
    assert!(g.p.row(1).iter().chain(g.q.row(1)).all(|g| *g == 0.0));
}

#[test]
fn one_hot_probabilities_are_the_negative_log_likelihood() {
    let (hot, y) = (array![[0.0, 1.0, 0.0]], array![[0.5, -30.0, 0.0]]);
    let (kl, grad) = KlDivergence.grad_q(Probs(&hot), Logits(&y), Reduction::Sum).unwrap();
    assert_wide("NLL", kl, 30.0 + (0.5_f64.exp() + 1.0 + (-30.0_f64).exp()).ln());
    assert_exact("of the class", grad[[0, 1]], -1.0, 1.0, 1e-13, 0.0);
    // The softmax itself.
    assert_wide("of another", grad[[0, 0]], 0.622_459_331_201_832_5);
}

/// With a tail as 1 - Σ, torch's f32 would have none at all here.
#[test]
fn a_bucket_of_almost_nothing_keeps_its_digits() {
    let logits = Array2::from_shape_fn((1, 50), |(_, v)| if v == 7 { 40.0_f32 } else { 0.0 });
    let (indices, log_probs) = (array![[7]], array![[(-1e-12_f64).ln_1p() as f32]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let bucket = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() };
    let (value, grad) = bucket.grad(teacher, &logits, Reduction::Sum).unwrap();
    // π = 1e-12 against ς = 49 e^-40: π ln(π/ς) - π + ς.
    let (pi, sigma) = (-f64::from(log_probs[[0, 0]]).exp_m1(), 49.0 * (-40.0_f64).exp());
    assert_exact("value", f64::from(value), pi * (pi / sigma).ln() - pi + sigma, 1.0, 1e-6, 0.0);
    assert_exact("given", f64::from(grad[[0, 7]]), pi - sigma, 1.0, 1e-6, 0.0);
    assert_exact("outside", f64::from(grad[[0, 0]]), (sigma - pi) / 49.0, 1.0, 1e-6, 0.0);
}

#[test]
fn a_cut_teacher_is_infinitely_far_from_a_student_with_a_tail() {
    let (indices, log_probs) = (array![[0, 2]], array![[0.5_f64, 0.25]].ln());
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let logits = Array2::<f64>::zeros((1, 4));
    let reverse = SparseDivergence { divergence: ReverseKlDivergence, tail: Tail::Cut, ..Default::default() };
    assert_eq!(reverse.value(teacher, &logits, Reduction::Sum).unwrap(), INF);
    assert!(reverse.grad(teacher, &logits, Reduction::Sum).is_err());
    let without = array![[0.0, -INF, 0.0, -INF]];
    assert!(reverse.value(teacher, &without, Reduction::Sum).unwrap().is_finite());
    let (indices, log_probs) = (array![[1]], array![[-3.0]]);
    let single = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let conditional = SparseDivergence { divergence: KlDivergence, tail: Tail::Conditional, ..Default::default() };
    assert_eq!(conditional.grad(single, &logits, Reduction::Mean).unwrap(), (0.0, Array2::zeros((1, 4))));
    let _: Array1<f64> = conditional.each(single, &logits).unwrap();
}

/// The mass that an `f32` teacher gives is 1 here; what it leaves is what 2^-24 hides, or the student's own if that is less.
#[test]
fn a_teacher_that_gives_all_mass_leaves_a_bucket_of_its_rounding() {
    let (indices, log_probs) = (array![[0, 1]], array![[0.0_f32, -17.5]]);
    let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
    let reverse = SparseDivergence { divergence: ReverseKlDivergence, tail: Tail::Bucket, ..Default::default() };
    let logits = array![[9.0_f64, 1.0, 0.0]];
    let (value, grad) = reverse.grad(teacher, &logits, Reduction::Sum).unwrap();
    assert_exact("value", value, 0.003_668_618_131_929_557, 1.0, 1e-12, 0.0);
    let expected = [-0.004_125_407_563_721_055, 0.003_184_049_337_505_528, 0.000_941_358_226_215_528];
    grad.iter().zip(expected).for_each(|(g, e)| assert_exact("gradient", *g, e, 1.0, 1e-11, 0.0));
    let (narrow, _) = reverse.grad(teacher, &logits.mapv(|x| x as f32), Reduction::Sum).unwrap();
    assert_exact("in f32", f64::from(narrow), value, 1.0, 1e-5, 0.0);

    // A student that has nothing there is not held against what rounding hides, whichever way the divergence goes.
    for beyond in [-30.0, -INF] {
        let logits = array![[0.0_f64, -17.5, beyond]];
        let forward = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() };
        for value in [forward.value(teacher, &logits, Reduction::Sum), reverse.value(teacher, &logits, Reduction::Sum)]
        {
            assert!(value.clone().is_ok_and(|value| (0.0..1e-12).contains(&value)), "{value:?} at {beyond}");
        }
    }
}

/// Where both sides agree there is nothing, in every form and however extreme the numbers; elsewhere never less than that.
#[test]
fn equal_sides_are_at_nothing_and_no_divergence_is_negative() {
    let rows = [[0.0, -1.0, 3.5], [1e300, -1e300, 0.0], [0.0, -INF, 1e-300], [-745.0, 709.0, 709.5], [0.1, 0.1, -0.0]];
    for (x, y) in rows.iter().flat_map(|x| rows.iter().map(move |y| (x, y))) {
        let (x, y) = (array![*x], array![*y]);
        for divergence in all::<f64>() {
            match divergence.value(Logits(&x), Logits(&y), Reduction::Sum) {
                Ok(value) if x == y => assert!(value == 0.0 && value.is_sign_positive(), "{x} {value:?}"),
                Ok(value) => assert!(value >= 0.0 && value.is_sign_positive(), "{x} {y} {value:?}"),
                Err(error) => assert!(x != y && matches!(error, Error::Overflow { .. }), "{x} {y} {error}"),
            }
        }
    }
    for (x, y) in [([0.0, 1e-4], [0.0, 1.1e-4]), ([3.0, 0.5], [3.0, 0.5000001]), ([0.7, 0.1], [0.2, -0.4])] {
        let [x, y]: [Array2<f64>; 2] = [x, y].map(|row: [f64; 2]| array![row]);
        let general = FDivergence { generator: JensenShannonDivergence };
        let (here, named) = (
            general.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap(),
            JensenShannonDivergence.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap(),
        );
        assert_exact("of a generator", here, named, 1.0, 1e-10, 0.0);
        let [x, y] = [x, y].map(|row| row.mapv(|x| x as f32));
        assert!(general.value(Logits(&x), Logits(&y), Reduction::Sum).unwrap() >= 0.0);
    }
}

/// With `q` next to certain of one class and `p` of another nearly every class is `q`'s alone, where the slope of each is
/// `-ln(1 - β)` but for 1e-6 of it. Exact: by 70 digits.
#[test]
fn slopes_that_agree_but_for_a_millionth_leave_the_gradient_its_digits() {
    let (x, y) = (array![[0.0_f32, 15.0, -1.5]], array![[15.0_f32, 0.25, 1.0]]);
    let divergences: &[&Divergence<f32>] =
        &[&GeneralizedJsd { beta: 0.3 }, &MixtureChiSquare, &SquaredHellinger, &TotalVariation];
    let exact = [
        [-1.454316e-6, 1.523566e-6, -6.924980e-8, 3.842670e-6, -3.822548e-6, -2.012158e-8],
        [-6.118038e-7, 7.283902e-7, -1.165864e-7, 7.951402e-7, -7.855708e-7, -9.569345e-9],
        [-2.765418e-4, 2.766609e-4, -1.190781e-7, 3.134815e-4, -3.133629e-4, -1.186278e-7],
        [-3.059021e-7, 3.741581e-7, -6.825598e-8, 3.927854e-7, -3.927857e-7, 3.266123e-13],
    ];
    for (divergence, exact) in divergences.iter().zip(exact) {
        let (_, gradients) = divergence.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
        for (got, exact) in gradients.p.iter().chain(&gradients.q).zip(exact) {
            assert_exact("entry", f64::from(*got), exact, 1.0, 1e-5, 0.0);
        }
    }
}

/// Softmaxes whose sum was added in `f32`, from the first class to the last, and those rounded to half precision.
#[test]
fn probabilities_of_any_softmax_are_taken_as_they_are() {
    for n in [2, 3, 100, 2_049, 32_000, 100_000, 200_000] {
        for level in [-3.0_f32, -0.357, 0.7] {
            let mut shares: Vec<f32> = (0..n).map(|i| (level + ((i * 7_919) % 97) as f32 / 97.0).exp()).collect();
            let total: f32 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= total);
            let narrow = Array2::from_shape_vec((1, n), shares).unwrap();
            let wide = narrow.mapv(f64::from);
            let logits = Array2::<f64>::zeros((1, n));
            assert!(KlDivergence.value(Probs(&wide), Logits(&logits), Reduction::Sum).is_ok(), "{n}");
            assert!(KlDivergence.value(Probs(&narrow), Probs(&narrow), Reduction::Sum).unwrap().abs() < 1e-6, "{n}");
            let (bf16, f16) = (narrow.mapv(half::bf16::from_f32), narrow.mapv(half::f16::from_f32));
            assert!(KlDivergence.value(Probs(&bf16), Probs(&bf16), Reduction::Sum).is_ok(), "{n}");
            assert!(KlDivergence.value(Probs(&f16), Probs(&f16), Reduction::Sum).is_ok(), "{n}");
        }
    }
}
