//! Slope and intercept that make log-ratios those of the samples.

use ndarray::{Array, ArrayRef, ArrayView1, Dimension};

use crate::math::{sigmoid, softplus};
use crate::ratio::Samples;
use crate::{Error, Real, Result, check, reduction};

/// A line through log-ratios, `a r + b`, that calibrates them: logistic regression on them alone (Platt scaling).
///
/// ```math
/// \min_{a, b}\; \mathbb{E}_p \operatorname{softplus}(-(a r + b)) + \mathbb{E}_q \operatorname{softplus}(a r + b)
/// ```
///
/// Each side counts alike however many samples it has, so that what comes out is `ln p/q` and no log-odds of a sample.
/// A calibrated ratio has `a = 1`, `b = 0`; an overconfident one a slope below 1. Take samples that the ratio was not
/// fitted to.
///
/// The loss is convex in both; Newton's method, with steps that never raise it, ends with a full step from where the
/// gradient is below `1e-10` of its scale. The minimum exists where the sides overlap. The unit is that of the middle of
/// the log-ratios, so that a few huge ones cost no digits.
///
/// # Errors
///
/// [`Error::NothingToAverage`] for a side without samples; [`Error::Value`] for a log-ratio that is not finite, and where all
/// log-ratios of one side are at or above all of the other, so that no slope is steep enough (the first number of the
/// real side is named); [`Error::Unfinished`] where rounding leaves the gradient above its bound, as with log-ratios
/// beyond 1e100.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::density::RatioCalibration;
/// // At 2 the numerator has 3 of 4 and the denominator 1 of 4, at -2 the other way round: the truth is ±ln 3.
/// let (real, fake) = (array![2.0_f64, 2.0, 2.0, -2.0], array![2.0, -2.0, -2.0, -2.0]);
/// let line = RatioCalibration::fit(Samples { real: real.view(), fake: fake.view() })?;
/// assert!((line.slope - 3.0_f64.ln() / 2.0).abs() < 1e-9 && line.intercept.abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Platt, Probabilistic outputs for support vector machines, 1999. Of likelihood ratios: Cranmer, Pavez and Louppe, 2015,
/// [arXiv:1506.02169](https://arxiv.org/abs/1506.02169).
#[doc(alias = "Platt scaling")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RatioCalibration {
    /// `a`.
    pub slope: f64,
    /// `b`.
    pub intercept: f64,
}

impl RatioCalibration {
    /// The line of least loss.
    ///
    /// # Errors
    ///
    /// See [`RatioCalibration`].
    pub fn fit<T: Real>(log_ratios: Samples<ArrayView1<'_, T>>) -> Result<Self> {
        T::calibrate(log_ratios)
    }

    /// `a r + b` of each log-ratio.
    pub fn apply<T: Real, D: Dimension>(&self, log_ratios: &ArrayRef<T, D>) -> Array<T, D> {
        let (slope, intercept) = (T::from_f64(self.slope), T::from_f64(self.intercept));
        log_ratios.mapv(|ratio| slope * ratio + intercept)
    }
}

/// Many times what a convex loss of two numbers takes.
const MOST_STEPS: u64 = 200;

/// Halvings of a step, after which it is below rounding.
const HALVINGS: u32 = 60;

pub(super) fn check_finite<T: Real>(argument: &'static str, side: ArrayView1<'_, T>) -> Result<()> {
    if side.is_empty() {
        return Err(Error::NothingToAverage { argument });
    }
    check::all_finite(argument, side)
}

pub(in crate::ratio) fn fit<T: Real>(log_ratios: Samples<ArrayView1<'_, T>>) -> Result<RatioCalibration> {
    check_finite("real", log_ratios.real)?;
    check_finite("fake", log_ratios.fake)?;
    let sides = [log_ratios.real, log_ratios.fake].map(|side| side.iter().map(|x| x.as_f64()).collect::<Vec<_>>());
    check_overlap(&sides)?;
    let (middle, unit) = bulk(&sides);
    let sides = sides.map(|side| side.iter().map(|x| (x - middle) / unit).collect::<Vec<_>>());
    for (argument, side) in ["real", "fake"].into_iter().zip(&sides) {
        if let Some(at) = side.iter().position(|x| !x.is_finite()) {
            return Err(Error::overflow::<f64>(argument, at));
        }
    }
    let [slope, intercept] = minimum(&sides)?;
    let slope = slope / unit;
    let line = RatioCalibration { slope, intercept: intercept - slope * middle };
    match line.slope.is_finite() && line.intercept.is_finite() {
        true => Ok(line),
        false => Err(Error::overflow::<f64>("real", 0)),
    }
}

fn ends<'a>(numbers: impl Iterator<Item = &'a f64>) -> [f64; 2] {
    numbers.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| [low.min(x), high.max(x)])
}

/// The median of all log-ratios, and half of what the middle eight tenths of them span: a unit that a few huge ones, of which
/// the loss is as sure at any slope, do not change. Half of the range where eight tenths are equal.
fn bulk(sides: &[Vec<f64>; 2]) -> (f64, f64) {
    let mut all = sides.concat();
    all.sort_unstable_by(f64::total_cmp);
    let (last, tenth) = (all.len() - 1, all.len() / 10);
    let half = |cut: usize| 0.5 * all[last - cut] - 0.5 * all[cut];
    let unit = half(tenth);
    (all[all.len() / 2], if unit > 0.0 { unit } else { half(0) })
}

/// Somewhere each side must lie below the other.
fn check_overlap([real, fake]: &[Vec<f64>; 2]) -> Result<()> {
    let ([low, high], [other_low, other_high]) = (ends(real.iter()), ends(fake.iter()));
    if low < other_high && other_low < high {
        return Ok(());
    }
    let allowed = "log-ratios of which some on each side are below some on the other";
    Err(Error::Value { argument: "real", position: 0.into(), value: real[0], allowed })
}

/// Loss, gradient and second derivatives `[aa, ab, bb]` at a line.
fn at(sides: &[Vec<f64>; 2], [a, b]: [f64; 2]) -> (f64, [f64; 2], [f64; 3]) {
    let mut sums = [0.0; 6];
    for (side, sign) in sides.iter().zip([-1.0, 1.0]) {
        let term = |k: usize| {
            let terms = side.iter().map(|&x| {
                let logit = sign * (a * x + b);
                let (p, q) = (sigmoid::<f64, false>(logit), sigmoid::<f64, false>(-logit));
                [softplus::<f64, false>(logit), sign * p * x, sign * p, p * q * x * x, p * q * x, p * q][k]
            });
            reduction::sum(&terms.collect::<Vec<_>>()) / side.len() as f64
        };
        sums.iter_mut().enumerate().for_each(|(k, sum)| *sum += term(k));
    }
    (sums[0], [sums[1], sums[2]], [sums[3], sums[4], sums[5]])
}

/// Newton's method with halved steps.
fn minimum(sides: &[Vec<f64>; 2]) -> Result<[f64; 2]> {
    let mut line = [0.0, 0.0];
    for _ in 0..MOST_STEPS {
        let (loss, [ga, gb], [aa, ab, bb]) = at(sides, line);
        let is_last = ga.abs().max(gb.abs()) <= 1e-10 * (aa + bb).min(1.0);
        // A touch on the diagonal keeps a step finite where all slopes are flat.
        let (aa, bb) = (aa + 1e-14, bb + 1e-14);
        let determinant = aa * bb - ab * ab;
        let way = [(bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant];
        let moved = |length: f64| [line[0] - length * way[0], line[1] - length * way[1]];
        if is_last {
            return Ok(moved(1.0)); // which squares what is left of the error
        }
        let lengths = (0..HALVINGS).map(|k| 0.5_f64.powi(k as i32));
        match lengths.map(moved).find(|&line| at(sides, line).0 <= loss) {
            Some(better) => line = better,
            None => break,
        }
    }
    Err(Error::Unfinished { objective: "RatioCalibration", steps: MOST_STEPS })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1};

    use super::*;
    use crate::testing::{close, generator};

    /// Exact: the two equations of the minimum, at scores with any unit and middle.
    #[test]
    fn the_gradient_is_zero_at_the_line() {
        let mut next = generator(2);
        for (unit, shift) in [(1.0, 0.0), (1e-6, 3.0), (1e8, -1e9), (20.0, 1e3)] {
            let mut draw = |n: usize, by: f64| Array1::from_shape_simple_fn(n, || unit * (next() + by) + shift);
            let (real, fake) = (draw(40, 0.3), draw(25, 0.0));
            let line = RatioCalibration::fit(Samples { real: real.view(), fake: fake.view() }).unwrap();
            let slopes = |side: &Array1<f64>, sign: f64| {
                let p = side.mapv(|x| sign * sigmoid::<f64, false>(sign * (line.slope * x + line.intercept)));
                (p.mean().unwrap(), (p * side.mapv(|x| (x - shift) / unit)).mean().unwrap())
            };
            let ((a, b), (c, d)) = (slopes(&real, -1.0), slopes(&fake, 1.0));
            assert!((a + c).abs() < 1e-6 && (b + d).abs() < 1e-6, "{unit} {shift}: {} {}", a + c, b + d);
        }
    }

    #[test]
    fn log_ratios_of_gaussians_are_calibrated_and_others_are_mended() {
        // Quantiles of N(1, 1) and N(0, 1): the log-ratio is x - ½.
        let quantile = |i: usize| {
            let (mut low, mut high) = (-9.0_f64, 9.0);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                let below = 0.5 * libm::erfc(-middle * std::f64::consts::FRAC_1_SQRT_2);
                if below < (i as f64 + 0.5) / 2_000.0 { low = middle } else { high = middle }
            }
            low
        };
        let fake: Array1<f64> = (0..2_000).map(quantile).collect();
        let (real, ratio) = (&fake + 1.0, |x: &Array1<f64>| x - 0.5);
        let wrong = |x: &Array1<f64>| 3.0 * ratio(x) - 2.0;
        let (a, b) = (ratio(&real), ratio(&fake));
        let line = RatioCalibration::fit(Samples { real: a.view(), fake: b.view() }).unwrap();
        assert!((line.slope - 1.0).abs() < 1e-3 && line.intercept.abs() < 1e-3, "{line:?}");
        let (c, d) = (wrong(&real), wrong(&fake));
        let line = RatioCalibration::fit(Samples { real: c.view(), fake: d.view() }).unwrap();
        let mended = line.apply(&c);
        assert!(mended.iter().zip(&a).all(|(mended, ratio)| (mended - ratio).abs() < 0.01));
    }

    /// Log-ratios of which the loss is sure leave the line of the others: their slopes are 0 in double precision.
    #[test]
    fn a_few_huge_log_ratios_change_no_digit() {
        let (mut real, fake) = (array![1.5, 0.2, -0.4, 2.0, 1.1, 0.9, 1e3], array![-1.2, 0.6, 0.1, -2.0, -0.7, 1.2]);
        let mut fit = |huge: f64| {
            real[6] = huge;
            RatioCalibration::fit(Samples { real: real.view(), fake: fake.view() }).unwrap()
        };
        let near = fit(1e3);
        for huge in [1e4, 1e6, 3e7, 1e9, 1e30] {
            let line = fit(huge);
            close(line.slope, near.slope, 1e-12);
            close(line.intercept, near.intercept, 1e-12);
        }
        // Newton's method at 60 digits (mpmath).
        close(near.slope, 1.274_561_859_621_656_6, 1e-13);
        close(near.intercept, -0.578_742_906_983_488_5, 1e-13);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |real: &[f64], fake: &[f64]| {
            RatioCalibration::fit(Samples { real: aview1(real), fake: aview1(fake) }).unwrap_err().to_string()
        };
        assert_eq!(of(&[], &[1.0]), "`real` holds nothing to average over");
        assert_eq!(of(&[1.0], &[1.0, f64::INFINITY]), "`fake`[1] is inf, allowed is finite");
        let apart = "allowed is log-ratios of which some on each side are below some on the other";
        assert_eq!(of(&[2.0, 3.0], &[1.0, 2.0]), format!("`real`[0] is 2, {apart}"));
        assert_eq!(of(&[1.0, 1.0], &[1.0]), format!("`real`[0] is 1, {apart}"));
        let bulk = [0.1, 0.2, 0.3, 0.4, 0.5]; // in units of which the largest numbers do not fit
        let far = [0.0, 0.25, 0.35, 1.7e308, 0.45];
        assert_eq!(of(&bulk, &far), "the result at `fake`[3] overflows f64");
        assert_eq!(of(&far, &bulk), "the result at `real`[3] overflows f64");
    }

    #[test]
    fn one_pair_in_the_wrong_order_is_enough() {
        let (real, fake) = (array![5.0, 4.0, 3.0, 0.9], array![1.0, -2.0, -3.0]);
        let line = RatioCalibration::fit(Samples { real: real.view(), fake: fake.view() }).unwrap();
        assert!(line.slope > 0.0);
        close(
            line.slope,
            RatioCalibration::fit(Samples { real: (-&fake).view(), fake: (-&real).view() }).unwrap().slope,
            1e-6,
        );
    }
}
