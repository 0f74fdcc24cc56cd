use ndarray::{Array1, array, aview1, s};

use crate::ratio::{Ddo, RatioObjective, Samples};
use crate::{Reduction, SumCount};

const NAN: f64 = f64::NAN;

fn many() -> Samples<Array1<f64>> {
    Samples {
        real: Array1::from_shape_fn(70_001, |i| 9.0 * (i as f64).sin()),
        fake: Array1::from_shape_fn(40_000, |i| 9.0 * (i as f64).cos()),
    }
}

#[test]
fn reductions_agree_with_each() {
    let many = many();
    let (ddo, ratios) = (Ddo { alpha: 6.0, beta: 0.1 }, Samples { real: many.real.view(), fake: many.fake.view() });
    let each = ddo.each(ratios).unwrap();
    let near = |got: f64, expected: f64| assert!((got / expected - 1.0).abs() < 1e-13, "{got}, {expected}");
    near(ddo.value(ratios, Samples::both(Reduction::Sum)).unwrap(), each.real.sum() + each.fake.sum());
    let mean = each.real.sum() / 70_001.0 + each.fake.sum() / 40_000.0;
    near(ddo.value(ratios, Samples::both(Reduction::Mean)).unwrap(), mean);
    let parts = ddo.sum_count(ratios).unwrap();
    near(parts.real.mean().unwrap() + parts.fake.mean().unwrap(), mean);
    let weights = each.real.mapv(|x| x.abs());
    let reductions = Samples { real: Reduction::Weighted(&weights), fake: Reduction::Sum };
    let (loss, gradient) = ddo.grad(ratios, reductions).unwrap();
    near(loss, each.real.dot(&weights) + each.fake.sum());
    assert_eq!(loss, ddo.value(ratios, reductions).unwrap());
    let (_, plain) = ddo.grad(ratios, Samples::both(Reduction::Sum)).unwrap();
    assert_eq!(gradient, Samples { real: plain.real * weights, fake: plain.fake });
}

#[test]
fn every_layout_gives_the_same_bits() {
    let many = many();
    let strided = Samples { real: many.real.slice(s![..;-3]), fake: many.fake.slice(s![..;2]) };
    let packed = strided.map(|side| side.to_owned());
    let packed = Samples { real: packed.real.view(), fake: packed.fake.view() };
    let (ddo, mean) = (Ddo::default(), Samples::both(Reduction::Mean));
    let (loss, gradient) = ddo.grad(packed, mean).unwrap();
    assert_eq!(ddo.value(packed, mean), Ok(loss));
    assert_eq!(ddo.grad(strided, mean), Ok((loss, gradient.clone())));
    let mut wide = Samples { real: Array1::from_elem(70_001, NAN), fake: Array1::from_elem(40_000, NAN) };
    let mut out = Samples { real: wide.real.slice_mut(s![..;3]), fake: wide.fake.slice_mut(s![..;-2]) };
    let view = Samples { real: out.real.view_mut(), fake: out.fake.view_mut() };
    assert_eq!(ddo.grad_into(strided, mean, view), Ok(loss));
    assert_eq!(out.map(|side| side.to_owned()), gradient);
}

#[cfg(feature = "rayon")]
#[test]
fn threads_leave_no_trace() {
    let many = many();
    let ratios = Samples { real: many.real.view(), fake: many.fake.view() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Ddo::default().grad(ratios, Samples::both(Reduction::Mean)).unwrap())
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn a_weight_of_zero_selects_away() {
    let (ratios, weights) = (Samples::both(aview1(&[NAN, 1.0])), array![0.0, 2.0]);
    let (loss, gradient) = Ddo::default().grad(ratios, Samples::both(Reduction::Weighted(&weights))).unwrap();
    let rest = Samples::both(aview1(&[1.0]));
    let (expected, slopes) = Ddo::default().grad(rest, Samples::both(Reduction::Sum)).unwrap();
    assert_eq!(loss, 2.0 * expected);
    assert_eq!(gradient, slopes.map(|side| array![0.0, 2.0 * side[0]]));
}

#[test]
fn nothing_adds_to_zero_and_has_no_mean() {
    let ratios = Samples { real: aview1(&[] as &[f64]), fake: aview1(&[0.0]) };
    let sums = Samples::both(Reduction::Sum);
    assert_eq!(Ddo::default().value(ratios, sums), Ok(std::f64::consts::LN_2));
    assert_eq!(Ddo::default().sum_count(ratios).unwrap().real, SumCount::default());
    let error = Ddo::default().value(ratios, Samples { real: Reduction::Mean, ..sums }).unwrap_err();
    assert_eq!(error.to_string(), "`real` holds nothing to average over");
}

#[test]
fn bad_input_is_named() {
    let fine = [0.0; 3000];
    let mut spoilt = fine;
    spoilt[2_345] = NAN;
    let sum = Samples::both(Reduction::Sum);
    let message = |real: &[f64], fake: &[f64], reductions| {
        let ratios = Samples { real: aview1(real), fake: aview1(fake) };
        let error = Ddo::default().value(ratios, reductions).unwrap_err();
        assert_eq!(Ddo::default().grad(ratios, reductions).unwrap_err().to_string(), error.to_string());
        error.to_string()
    };
    assert_eq!(message(&spoilt, &fine, sum), "`real`[2345] is NaN, allowed is not NaN");
    assert_eq!(message(&fine, &spoilt, sum), "`fake`[2345] is NaN, allowed is not NaN");
    let weights = array![1.0, -1.0];
    let weighted = Samples { real: Reduction::Weighted(&weights), ..sum };
    assert_eq!(message(&[0.0; 3], &fine, weighted), "`weights.real` has shape [2], expected [3]");
    assert_eq!(message(&[0.0; 2], &fine, weighted), "`weights.real`[1] is -1, allowed is finite and >= 0");
    let (mut short, mut right) = (Array1::zeros(2), Array1::zeros(3));
    let out = Samples { real: right.view_mut(), fake: short.view_mut() };
    let error = Ddo::default().grad_into(Samples::both(aview1(&[0.0; 3])), sum, out).unwrap_err();
    assert_eq!(error.to_string(), "`out.fake` has shape [2], expected [3]");
}

#[test]
fn what_does_not_fit_is_an_error() {
    let value = |ddo: Ddo, real: f32, reduction| {
        let ratios = Samples { real: aview1(std::slice::from_ref(&real)), fake: aview1(&[]) };
        ddo.grad(ratios, Samples { real: reduction, fake: Reduction::Sum }).unwrap_err().to_string()
    };
    let message = "the result at `real`[0] overflows f32";
    assert_eq!(value(Ddo { alpha: 1.0, beta: 10.0 }, -1e38, Reduction::Sum), message);
    assert_eq!(value(Ddo { alpha: 1.0, beta: 1e300 }, 0.0, Reduction::Sum), message);
    let weight = array![1e38_f32];
    assert_eq!(value(Ddo { alpha: 1.0, beta: 100.0 }, -1e-3, Reduction::Weighted(&weight)), message);
    let ratios = Samples { real: aview1(&[-3e38_f32, -3e38]), fake: aview1(&[]) };
    let error = Ddo::default().value(ratios, Samples::both(Reduction::Sum)).unwrap_err();
    assert_eq!(error.to_string(), "the result at `real` overflows f32");
    let mean = Ddo::default().value(ratios, Samples { real: Reduction::Mean, fake: Reduction::Sum });
    assert_eq!(mean, Ok(3e38));
}

#[test]
fn an_objective_can_be_a_trait_object() {
    let objective: Box<dyn RatioObjective<f32>> = Box::new(Ddo::default());
    let ratios = Samples::both(aview1(&[0.0_f32]));
    assert_eq!(objective.value(ratios, Samples::both(Reduction::Sum)), Ok(2.0 * std::f32::consts::LN_2));
}

#[test]
fn sums_of_finite_losses_beyond_f64_are_an_error_and_never_infinite() {
    let far = [-1.7e308, -1.7e308];
    let ratios = Samples { real: aview1(&far), fake: aview1(&[]) };
    let sums = Samples::both(Reduction::Sum);
    let message = "the result at `real`[1] overflows f64";
    assert_eq!(Ddo::default().value(ratios, sums).unwrap_err().to_string(), message);
    assert_eq!(Ddo::default().grad(ratios, sums).unwrap_err().to_string(), message);
    assert_eq!(Ddo::default().sum_count(ratios).unwrap_err().to_string(), message);
}

#[test]
fn large_slopes_leave_the_bits_of_the_value_alone() {
    let ratios: Vec<f32> = (0..1000).map(|i| 1e-38 * i as f32 / 1000.0).collect();
    let ratios = Samples { real: aview1(&ratios), fake: aview1(&[]) };
    let (ddo, sums) = (Ddo { alpha: 1.0, beta: 1e38 }, Samples::both(Reduction::Sum));
    assert_eq!(ddo.value(ratios, sums), ddo.grad(ratios, sums).map(|(loss, _)| loss));
}
