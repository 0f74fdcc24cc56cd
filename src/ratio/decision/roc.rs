//! The receiver operating characteristic (ROC).

use ndarray::{Array1, ArrayView1};

use super::ranks::scores;
use crate::ratio::Samples;
use crate::reduction::Total;
use crate::{Error, Real, Reduction, Result, parallel};

/// Rates of true and of false positives at every threshold; made by [`roc_curve`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RocCurve<T> {
    /// Descending: +inf, at which nothing is positive, then each different score once.
    pub thresholds: Array1<T>,
    /// The share of negatives, by weight, with scores at or above each threshold: from 0 to 1.
    pub false_positive_rate: Array1<T>,
    /// The share of positives, by weight, with scores at or above each threshold: from 0 to 1.
    pub true_positive_rate: Array1<T>,
}

/// The curve of true-positive against false-positive rates (ROC) of a score, with equal scores in one step.
///
/// `real` are scores of positives, `fake` those of negatives. The reductions say how samples count: `Weighted` by
/// weights, which are divided by their sum, else each alike. The points are those of scikit-learn's `roc_curve` with
/// `drop_intermediate=False`. A score of +inf shares the first threshold's number and has a point of its own.
///
/// # Errors
///
/// [`Error::Empty`] for a side without samples; [`Error::Value`] for a score that is NaN or a weight that is not finite
/// or below 0; [`Error::Shape`]; [`Error::NoMass`] where all weights of a side are 0. A sample of weight 0 is never
/// looked at.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::decision::roc_curve;
/// let (real, fake) = (array![3.0_f64, 2.0], array![2.0, 1.0]);
/// let curve = roc_curve(Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean))?;
/// assert_eq!(curve.thresholds, array![f64::INFINITY, 3.0, 2.0, 1.0]);
/// assert_eq!(curve.false_positive_rate, array![0.0, 0.0, 0.5, 1.0]);
/// assert_eq!(curve.true_positive_rate, array![0.0, 0.5, 1.0, 1.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27, 2006.
#[doc(alias = "receiver operating characteristic")]
pub fn roc_curve<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<RocCurve<T>> {
    T::roc_curve(scores, reductions)
}

/// A different score, with the weights of both sides at it.
pub(super) struct Step {
    pub(super) score: f64,
    pub(super) weights: Samples<f64>,
}

/// Every different score of both sides, descending, and the total weights.
pub(super) fn steps<T: Real>(
    all: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<(Vec<Step>, Samples<f64>)> {
    let real = side("real", "weights.real", all.real, reductions.real)?;
    let fake = side("fake", "weights.fake", all.fake, reductions.fake)?;
    let scores: Vec<f64> = real.0.iter().chain(&fake.0).copied().collect();
    let order = parallel::ascending(&scores);
    let runs = order.chunk_by(|&a, &b| scores[a] == scores[b]).rev();
    let step = |run: &[usize]| {
        let mut weights = Samples { real: 0.0, fake: 0.0 };
        for &place in run {
            match place.checked_sub(real.0.len()) {
                None => weights.real += real.1[place],
                Some(place) => weights.fake += fake.1[place],
            }
        }
        Step { score: scores[run[0]], weights }
    };
    let steps: Vec<Step> = runs.map(step).collect();
    let total = |of: fn(&Step) -> f64| {
        let mut total = Total::default();
        steps.iter().for_each(|step| total.add(of(step)));
        total.value()
    };
    let totals = Samples { real: total(|step| step.weights.real), fake: total(|step| step.weights.fake) };
    Ok((steps, totals))
}

/// Scores that count, with weights of which the largest is 1.
fn side<T: Real>(
    argument: &'static str,
    weights_argument: &'static str,
    side: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    reduction.check_as(weights_argument, side.shape())?;
    let Reduction::Weighted(weights) = reduction else {
        let scores = scores(argument, side)?;
        let ones = vec![1.0; scores.len()];
        return Ok((scores, ones));
    };
    if side.is_empty() {
        return Err(Error::Empty { argument });
    }
    let top = weights.iter().fold(0.0_f64, |top, weight| top.max(weight.as_f64()));
    let kept = side.iter().zip(weights).enumerate().filter(|(_, (_, weight))| **weight > T::zero());
    let (mut kept_scores, mut kept_weights) = (Vec::new(), Vec::new());
    for (place, (score, weight)) in kept {
        if score.is_nan() {
            return Err(Error::Value { argument, position: place.into(), value: f64::NAN, allowed: "not NaN" });
        }
        kept_scores.push(score.as_f64());
        kept_weights.push(weight.as_f64() / top);
    }
    if kept_scores.is_empty() {
        Err(Error::NoMass { argument: weights_argument })
    } else {
        Ok((kept_scores, kept_weights))
    }
}

pub(in crate::ratio) fn curve<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<RocCurve<T>> {
    let (steps, totals) = steps(scores, reductions)?;
    let thresholds = std::iter::once(f64::INFINITY).chain(steps.iter().map(|step| step.score));
    let rates = |total: f64, of: fn(&Step) -> f64| {
        let mut passed = Total::default();
        let mut rates = vec![T::zero()];
        for step in &steps {
            passed.add(of(step));
            rates.push(T::from_f64((passed.value() / total).min(1.0))); // the last one is 1
        }
        Array1::from(rates)
    };
    Ok(RocCurve {
        thresholds: thresholds.map(T::from_f64).collect(),
        false_positive_rate: rates(totals.fake, |step| step.weights.fake),
        true_positive_rate: rates(totals.real, |step| step.weights.real),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::ratio::decision::auc;

    const INF: f64 = f64::INFINITY;

    /// The area under the curve by trapezes is the other way to count pairs.
    #[test]
    fn the_area_under_the_curve_is_the_share_of_pairs() {
        let (real, fake) = (array![0.3, 0.5, 0.5, INF, -2.0], array![0.5, 0.1, -2.0, -INF, INF, 0.4]);
        let (u, v) = (array![1.0, 0.5, 2.0, 0.25, 1.0], array![0.3, 0.0, 1.0, 1.0, 0.1, 2.0]);
        let scores = Samples { real: real.view(), fake: fake.view() };
        let weighted = Samples { real: Reduction::Weighted(&*u), fake: Reduction::Weighted(&*v) };
        for reductions in [Samples::both(Reduction::Mean), weighted] {
            let curve = roc_curve(scores, reductions).unwrap();
            let (x, y) = (&curve.false_positive_rate, &curve.true_positive_rate);
            let trapezes = (1..x.len()).map(|i| (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2.0);
            let area = auc(scores, reductions).unwrap();
            assert!((area - trapezes.sum::<f64>()).abs() < 1e-15);
            assert_eq!((x[x.len() - 1], y[y.len() - 1]), (1.0, 1.0));
        }
        let mut won = 0.0;
        for (s, u) in real.iter().zip(&u) {
            for (t, v) in fake.iter().zip(&v) {
                won += u
                    * v
                    * if s > t {
                        1.0
                    } else if s == t {
                        0.5
                    } else {
                        0.0
                    };
            }
        }
        assert!((auc(scores, weighted).unwrap() - won / u.sum() / v.sum()).abs() < 1e-15);
    }

    #[test]
    fn a_sample_of_weight_zero_is_never_looked_at() {
        let (real, fake, weights) = (array![0.3_f32, f32::NAN], array![0.1], array![2.0, 0.0]);
        let scores = Samples { real: real.view(), fake: fake.view() };
        let reductions = Samples { real: Reduction::Weighted(&*weights), fake: Reduction::Mean };
        assert_eq!(auc(scores, reductions), Ok(1.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |real: &[f64], fake: &[f64], by: Reduction<'_, f64>| {
            let scores = Samples { real: aview1(real), fake: aview1(fake) };
            let reductions = Samples { real: Reduction::Sum, fake: by };
            let message = auc(scores, reductions).unwrap_err().to_string();
            assert_eq!(roc_curve(scores, reductions).unwrap_err().to_string(), message);
            message
        };
        assert_eq!(of(&[], &[1.0], Reduction::Sum), "`real` is empty, needed is at least one element");
        assert_eq!(of(&[1.0], &[], Reduction::Weighted(&array![])), "`fake` is empty, needed is at least one element");
        assert_eq!(of(&[1.0], &[1.0, f64::NAN], Reduction::Mean), "`fake`[1] is NaN, allowed is not NaN");
        let none = of(&[1.0], &[1.0], Reduction::Weighted(&array![0.0]));
        assert_eq!(none, "`weights.fake` holds no mass: every weight is 0, needed is at least one above 0");
        let shape = of(&[1.0], &[1.0], Reduction::Weighted(&array![1.0, 1.0]));
        assert_eq!(shape, "`weights.fake` has shape [2], expected [1]");
    }
}
