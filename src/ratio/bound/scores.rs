//! The scores of one side that count, with their weights.

use ndarray::{Array1, ArrayView1};

use crate::error::Position;
use crate::math::exp;
use crate::reduction::{self, finite_total, write_finite};
use crate::simd::{Exponentials, Kernel, dispatch, mul_or_zero_all};
use crate::{Error, Real, Reduction, Result};

/// A side in `f64`. Scores of weight 0 are never looked at: -inf stands for them.
pub(super) struct Scores {
    argument: &'static str,
    scores: Vec<f64>,
    weights: Vec<f64>,
}

impl Scores {
    /// Scores that are neither NaN nor +inf, where they count.
    pub(super) fn new<T: Real>(
        argument: &'static str,
        weights_argument: &'static str,
        all: ArrayView1<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<Self> {
        reduction.check_as(weights_argument, all.shape())?;
        let len = all.len();
        let weights = match reduction {
            Reduction::Sum => vec![1.0; len],
            Reduction::Mean if len == 0 => return Err(Error::NothingToAverage { argument }),
            Reduction::Mean => vec![1.0 / len as f64; len],
            Reduction::Weighted(weights) => weights.iter().map(|weight| weight.as_f64()).collect(),
        };
        let counted = |(score, &weight): (&T, &f64)| if weight > 0.0 { score.as_f64() } else { f64::NEG_INFINITY };
        let scores: Vec<f64> = all.iter().zip(&weights).map(counted).collect();
        match scores.iter().position(|score| score.is_nan() || *score == f64::INFINITY) {
            None => Ok(Self { argument, scores, weights }),
            Some(at) => {
                let (position, value) = (at.into(), scores[at]);
                Err(Error::Value { argument, position, value, allowed: "finite or -inf" })
            }
        }
    }

    /// `Σ w t`, -inf where a score is.
    pub(super) fn expectation(&self) -> Result<f64> {
        let mut terms = self.scores.clone();
        mul_or_zero_all(&mut terms, &self.weights);
        let are_finite = || self.scores.iter().zip(&self.weights).all(|(score, &w)| w == 0.0 || score.is_finite());
        finite_total(reduction::sum(&terms), are_finite, self.argument)
    }

    /// `ln Σ w e^t`; an error where there is nothing to take the logarithm of.
    pub(super) fn log_expectation(&self) -> Result<f64> {
        let argument = self.argument;
        if self.weights.iter().all(|&weight| weight == 0.0) {
            return Err(Error::Empty { argument });
        }
        let (top, _) = f64::top(&self.scores);
        if top == f64::NEG_INFINITY {
            let allowed = "a row with at least one score above -inf";
            return Err(Error::Value { argument, position: Position::default(), value: top, allowed });
        }
        Ok(top + reduction::sum(&self.shares(top)).ln())
    }

    /// `w e^(t - level)`.
    pub(super) fn shares(&self, level: f64) -> Vec<f64> {
        let mut terms = self.scores.clone();
        dispatch(Shares { terms: &mut terms, weights: &self.weights, level });
        terms
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One number for each score in the type of the caller.
    pub(super) fn spread<T: Real>(&self, numbers: impl IntoIterator<Item = f64>) -> Result<Array1<T>> {
        let mut out = Array1::zeros(self.scores.len());
        write_finite(self.argument, numbers, out.view_mut())?;
        Ok(out)
    }
}

/// Replaces each score `t` by `w e^(t - level)`.
struct Shares<'a> {
    terms: &'a mut [f64],
    weights: &'a [f64],
    level: f64,
}

impl Kernel for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (term, weight) in self.terms.iter_mut().zip(self.weights) {
            *term = weight * exp::<f64, FMA>(*term - self.level);
        }
    }
}
