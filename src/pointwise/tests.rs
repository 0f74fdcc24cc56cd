//! The pass over losses of shapes that no room has yet: unpaired responses, tokens with advantages, a density with a
//! hyper-parameter. They must fit without a change here.

use ndarray::{Array1, ArrayView1, array, aview1, s};

use super::*;
use crate::{Error, Real, Result, math, simd};

struct Of<'f, F, const N: usize, const G: usize>(&'f F);

impl<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize> Block<T> for Of<'_, F, N, G> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        apply::<T, F, N, G>(self.0, columns, loss, slopes, is_steep);
    }
}

/// One call with slopes: the weighted sum, and the slopes.
fn slopes_of<'a, T: Real, F: Pointwise<N, G>, const N: usize, const G: usize>(
    function: &F,
    columns: [Column<'a, T>; N],
    weights: Option<ArrayView1<'a, T>>,
    factor: T,
) -> Result<(f64, [Array1<T>; G])> {
    let n = columns.iter().find_map(Column::given).map_or(0, |array| array.len());
    let mut slopes: [Array1<T>; G] = std::array::from_fn(|_| Array1::from_elem(n, T::nan()));
    let words = Words {
        total: "loss",
        outputs: &["out.0", "out.1", "out.2", "out.3"],
        names_shares: false,
        undefined: "",
        steepest: |_| 0,
        explain: &|_, _| None,
    };
    let block = Of::<F, N, G>(function);
    let call = Call { block: &block, columns: &columns, slopes: G, shape: &[n], weights, factor, words };
    let output = Output::slopes(slopes.each_mut().map(|slope| slope.view_mut()), Mode::Set);
    let total = run(&call, output)?;
    assert_eq!(run(&call, Output::Nothing)?, total, "the sum with and without slopes");
    Ok((total.sum, slopes))
}

fn column<'a, T: Real>(name: &'static str, domain: Domain, data: ArrayView1<'a, T>) -> Column<'a, T> {
    Column::array(name, domain, data)
}

/// KTO: policy, reference, and whether the response is a desirable one.
struct Unpaired {
    beta: f64,
    baseline: f64,
}

impl Pointwise<3, 1> for Unpaired {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [policy, reference, is_desirable]: [T; 3]) -> (T, [T; 1]) {
        let sign = is_desirable + is_desirable - T::one();
        let z = sign * T::from_f64(self.beta) * (policy - reference - T::from_f64(self.baseline));
        let loss = math::sigmoid::<T, FMA>(-z);
        (loss, [-sign * T::from_f64(self.beta) * loss * math::sigmoid::<T, FMA>(z)])
    }
}

/// PPO: new and old log-probability and advantage of a token. And how often it clips, as a loss of its own.
struct Clipped {
    width: f64,
}

impl Pointwise<3, 1> for Clipped {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [new, old, advantage]: [T; 3]) -> (T, [T; 1]) {
        let (ratio, width) = (math::exp::<T, FMA>(new - old), T::from_f64(self.width));
        let (low, high) = (T::one() - width, T::one() + width);
        let clipped = if ratio < low {
            low
        } else if ratio > high {
            high
        } else {
            ratio
        };
        let (free, held) = (ratio * advantage, clipped * advantage);
        if free <= held { (-free, [-free]) } else { (-held, [T::zero()]) }
    }
}

/// Student's t with its degrees of freedom, by mean and value.
struct StudentT {
    dof: f64,
}

impl Pointwise<2, 2> for StudentT {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [mean, x]: [T; 2]) -> (T, [T; 2]) {
        let (dof, residual) = (T::from_f64(self.dof), x - mean);
        let half = T::from_f64(0.5) * (dof + T::one());
        let square = residual * residual / dof;
        let slope = half * (residual + residual) / (dof + residual * residual);
        (half * square.ln_1p(), [-slope, slope])
    }
}

fn wave<T: Real>(n: usize, step: f64) -> Array1<T> {
    Array1::from_shape_fn(n, |i| T::from_f64(3.0 * (step * i as f64).sin() - 2.0))
}

#[test]
fn shapes_to_come_fit_in_both_types_and_every_layout() {
    fn check<T: Real>() {
        for n in [0, 1, 31, 32, 33, 64, 65, 1023, 1024, 1025, 150_001] {
            let (p, r) = (wave::<T>(n, 0.7), wave::<T>(n, 1.3));
            let label = Array1::from_shape_fn(n, |i| if i % 3 == 0 { T::one() } else { T::zero() });
            let weights = label.mapv(|x| x + T::from_f64(0.5));
            let columns = |p, r, label| {
                [
                    column("policy", Domain::Log, p),
                    column("reference", Domain::Log, r),
                    column("desirable", Domain::Unit, label),
                ]
            };
            let loss = Unpaired { beta: 0.3, baseline: 0.1 };
            let packed =
                slopes_of(&loss, columns(p.view(), r.view(), label.view()), Some(weights.view()), T::one()).unwrap();
            let flipped = [&p, &r, &label, &weights].map(|x| Array1::from_iter(x.iter().rev().copied()));
            let [p, r, label, weights] = flipped.each_ref().map(|x| x.slice(s![..;-1]));
            assert_eq!(slopes_of(&loss, columns(p, r, label), Some(weights), T::one()).unwrap(), packed, "{n}");
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn tokens_with_advantages_and_a_density_with_a_parameter_fit() {
    let (new, old, advantage) = (wave::<f64>(70, 0.3), wave::<f64>(70, 0.31), wave::<f64>(70, 1.9));
    let columns = [
        column("new", Domain::Log, new.view()),
        column("old", Domain::Log, old.view()),
        column("advantage", Domain::Finite, advantage.view()),
    ];
    let (sum, [slope]) = slopes_of(&Clipped { width: 0.2 }, columns, None, 1.0).unwrap();
    let by_hand = |i: usize| {
        let ratio = f64::exp(new[i] - old[i]);
        -(ratio * advantage[i]).min(ratio.clamp(0.8, 1.2) * advantage[i])
    };
    assert!((sum - (0..70).map(by_hand).sum::<f64>()).abs() < 1e-12);
    assert!(slope.iter().any(|x| *x == 0.0) && slope.iter().any(|x| *x != 0.0));
    let (mean, x) = (array![0.0_f32, 1.0], array![1.0_f32, f32::NAN]);
    let columns = [column("mean", Domain::Finite, mean.view()), column("x", Domain::Finite, x.view())];
    let error = slopes_of(&StudentT { dof: 3.0 }, columns, None, 1.0).unwrap_err();
    assert_eq!(error.to_string(), "`x`[1] is NaN, allowed is finite");
    let (sum, [by_mean, by_x]) = slopes_of(&StudentT { dof: 3.0 }, columns, Some(aview1(&[2.0, 0.0])), 1.0).unwrap();
    assert!((sum - 4.0 * (4.0_f64 / 3.0).ln()).abs() < 1e-6);
    assert_eq!((by_mean, by_x), (array![-2.0, 0.0], array![2.0, 0.0]));
}

#[test]
fn a_slope_beyond_the_type_is_named_where_it_counts() {
    let (new, old) = (array![0.0_f64, 1e3], array![0.0, 0.0]);
    let columns = |advantage| {
        [
            column("new", Domain::Log, new.view()),
            column("old", Domain::Log, old.view()),
            column("advantage", Domain::Finite, advantage),
        ]
    };
    let loss = Clipped { width: 0.2 };
    let error = slopes_of(&loss, columns(aview1(&[1.0, -1.0])), None, 1.0).unwrap_err();
    assert_eq!(error, Error::overflow::<f64>("new", 1));
    assert!(slopes_of(&loss, columns(aview1(&[1.0, -1.0])), Some(aview1(&[1.0, 0.0])), 1.0).is_ok());
}

#[test]
fn every_level_agrees_with_one_element() {
    let (p, r, label) = (wave::<f64>(96, 0.7), wave::<f64>(96, 1.3), Array1::from_elem(96, 1.0));
    let columns = [p.as_slice().unwrap(), r.as_slice().unwrap(), label.as_slice().unwrap()];
    let function = Unpaired { beta: 0.3, baseline: 0.1 };
    for level in simd::available() {
        simd::with_level(level, || {
            let (mut alone, mut loss, mut slope) = ([0.0; 96], [0.0; 96], [0.0; 96]);
            apply(&function, &columns, &mut alone, &mut [&mut slope[..]], false);
            assert_eq!(slope, [0.0; 96], "memory to work in is not needed here");
            apply(&function, &columns, &mut loss, &mut [&mut slope[..]], true);
            assert_eq!(alone, loss, "{level:?}");
            for i in 0..96 {
                let (value, [derivative]) = function.at::<f64, false>([p[i], r[i], 1.0]);
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-14 * b.abs();
                assert!(close(loss[i], value) && close(slope[i], derivative), "{i} at {level:?}");
            }
        });
    }
}
