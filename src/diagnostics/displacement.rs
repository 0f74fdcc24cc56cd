//! How many chosen responses have become less likely.

use ndarray::{ArrayRef1, ArrayView1};

use crate::error::Position;
use crate::reduction::{joint_mean, pairwise};
use crate::{Error, Real, Result, check};

/// How the likelihood of the chosen responses has changed, in `f64` for every element type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Displacement {
    /// Share of the responses that are less likely than before.
    pub rate: f64,
    /// Mean change of their log-probabilities, in nats.
    pub mean_change: f64,
    /// Number of responses.
    pub count: f64,
}

impl Displacement {
    /// That of both sets of responses together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let mean = joint_mean(self.count, other.count);
        Self { rate: mean(self.rate, other.rate), mean_change: mean(self.mean_change, other.mean_change), count }
    }
}

/// Likelihood displacement between two models: `before` and `after` are log-probabilities of the same chosen responses,
/// `[B]`, in nats.
///
/// The reference's are those before training. Objectives of the margin alone may lower both responses of a pair and improve
/// all the same; a rate that rises while the margin does is the sign of it. Equal log-probabilities are not displaced.
///
/// # Errors
///
/// Arrays of different lengths, or without elements; a log-probability that is not finite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::diagnostics::displacement;
/// let before = aview1(&[-10.0_f64, -8.0, -12.0, -6.0]);
/// let after = aview1(&[-11.0_f64, -8.0, -15.0, -4.0]);
/// let found = displacement(&before, &after)?;
/// assert_eq!((found.rate, found.mean_change), (0.5, -0.5));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Razin et al., ICLR 2025, [arXiv:2410.08847](https://arxiv.org/abs/2410.08847).
pub fn displacement<T: Real>(before: &ArrayRef1<T>, after: &ArrayRef1<T>) -> Result<Displacement> {
    T::displacement(before.view(), after.view())
}

pub(super) fn between<T: Real>(before: ArrayView1<'_, T>, after: ArrayView1<'_, T>) -> Result<Displacement> {
    check::shape("after", after.shape(), before.shape())?;
    if before.is_empty() {
        return Err(Error::NothingToAverage { argument: "before" });
    }
    for (argument, side) in [("before", &before), ("after", &after)] {
        if let Some((index, x)) = side.indexed_iter().find(|(_, x)| !x.is_finite()) {
            return Err(Error::Value { argument, position: index.into(), value: x.as_f64(), allowed: "finite" });
        }
    }
    let changes: Vec<f64> = before.iter().zip(&after).map(|(before, after)| after.as_f64() - before.as_f64()).collect();
    let count = changes.len() as f64;
    let fallen = changes.iter().filter(|&&change| change < 0.0).count() as f64;
    let mean_change = pairwise(&changes.iter().map(|change| change / count).collect::<Vec<_>>());
    if !mean_change.is_finite() {
        return Err(Error::overflow::<f64>("after", Position::default()));
    }
    Ok(Displacement { rate: fallen / count, mean_change, count })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1, s};

    use super::*;

    #[test]
    fn parts_merge_to_the_whole() {
        let column = |seed: usize| Array1::from_shape_fn(90, |i| -(((i * 37 + seed * 11) % 23) as f64));
        let (before, after) = (column(1), column(3));
        let whole = displacement(&before, &after).unwrap();
        let part =
            |from: usize, to: usize| displacement(&before.slice(s![from..to]), &after.slice(s![from..to])).unwrap();
        let merged = part(0, 17).merge(part(17, 90));
        assert!((merged.rate - whole.rate).abs() < 1e-14 && (merged.mean_change - whole.mean_change).abs() < 1e-13);
        assert_eq!(merged.count, 90.0);
        assert_eq!(Displacement::default().merge(Displacement::default()), Displacement::default());
    }

    #[test]
    fn going_back_mirrors_the_change() {
        let (before, after) = (array![-1.0_f32, -2.0, -3.0], array![-2.0_f32, -1.0, -5.0]);
        let (there, back) = (displacement(&before, &after).unwrap(), displacement(&after, &before).unwrap());
        assert_eq!((there.rate + back.rate, there.mean_change), (1.0, -back.mean_change));
        assert_eq!(displacement(&before, &before).unwrap().rate, 0.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message =
            |before: &[f64], after: &[f64]| displacement(&aview1(before), &aview1(after)).unwrap_err().to_string();
        assert_eq!(message(&[-1.0], &[-1.0, -2.0]), "`after` has shape [2], expected [1]");
        assert_eq!(message(&[], &[]), "`before` holds nothing to average over");
        assert_eq!(message(&[-1.0], &[f64::NEG_INFINITY]), "`after`[0] is -inf, allowed is finite");
    }
}
