//! The scores of one side that count, with their weights.

use ndarray::{Array1, ArrayView1};

use crate::error::Position;
use crate::math::exp;
use crate::reduction::{self, to_finite};
use crate::{Error, Real, Reduction, Result};

/// What is left of a side, in `f64`.
pub(super) struct Scores {
    argument: &'static str,
    /// Where each stands among all.
    places: Vec<usize>,
    scores: Vec<f64>,
    weights: Vec<f64>,
    len: usize,
}

impl Scores {
    /// Scores that are neither NaN nor +inf; those of weight 0 are never looked at.
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
        let places: Vec<usize> = (0..len).filter(|&place| weights[place] > 0.0).collect();
        let kept = |all: &[f64]| places.iter().map(|&place| all[place]).collect();
        let scores: Vec<f64> = kept(&all.iter().map(|score| score.as_f64()).collect::<Vec<_>>());
        match scores.iter().position(|score| score.is_nan() || *score == f64::INFINITY) {
            None => Ok(Self { argument, scores, weights: kept(&weights), places, len }),
            Some(at) => {
                let (position, value) = (places[at].into(), scores[at]);
                Err(Error::Value { argument, position, value, allowed: "finite or -inf" })
            }
        }
    }

    /// `Σ w t`, -inf where a score is.
    pub(super) fn expectation(&self) -> Result<f64> {
        let terms: Vec<f64> = self.scores.iter().zip(&self.weights).map(|(score, weight)| score * weight).collect();
        reduction::total_of(&self.scores, reduction::sum(&terms), self.argument)
    }

    /// `ln Σ w e^t`; an error where there is nothing to take the logarithm of.
    pub(super) fn log_expectation(&self) -> Result<f64> {
        let top = self.scores.iter().fold(f64::NEG_INFINITY, |top, &score| top.max(score));
        if self.scores.is_empty() {
            return Err(Error::Empty { argument: self.argument });
        }
        if top == f64::NEG_INFINITY {
            let allowed = "a row with at least one score above -inf";
            return Err(Error::Value { argument: self.argument, position: Position::default(), value: top, allowed });
        }
        Ok(top + reduction::sum(&self.shares(top)).ln())
    }

    /// `w e^(t - level)`.
    pub(super) fn shares(&self, level: f64) -> Vec<f64> {
        let terms = self.scores.iter().zip(&self.weights);
        terms.map(|(score, weight)| weight * exp::<f64, false>(score - level)).collect()
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One number for each score that counts, 0 for the others.
    pub(super) fn spread<T: Real>(&self, numbers: impl IntoIterator<Item = f64>) -> Result<Array1<T>> {
        let mut out = Array1::zeros(self.len);
        for (&place, number) in self.places.iter().zip(numbers) {
            out[place] = to_finite(number, self.argument, place)?;
        }
        Ok(out)
    }
}
