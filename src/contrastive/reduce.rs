//! From the losses of anchors to one number, and from slopes of blocks to those of the caller.

use ndarray::ArrayViewMut1;

use super::embeddings::Embeddings;
use super::walk::{Found, Slopes, Walk};
use crate::error::Position;
use crate::reduction::{finite_total, pairwise, to_real};
use crate::{Error, Real, Reduction, Result};

/// What each anchor counts in the reduced loss.
pub(super) struct Weights<T> {
    each: Vec<T>,
    /// What a sum of losses without weights is divided by; none where each has a weight of its own.
    divisor: Option<f64>,
    argument: &'static str,
}

impl<T: Real> Weights<T> {
    /// Of a reduction over so many anchors.
    pub(super) fn of(reduction: Reduction<'_, T>, anchors: usize, argument: &'static str) -> Result<Self> {
        reduction.check(&[anchors])?;
        Self::counting(reduction, vec![true; anchors], argument)
    }

    /// The same, where some take no part.
    pub(super) fn counting(reduction: Reduction<'_, T>, counts: Vec<bool>, argument: &'static str) -> Result<Self> {
        let count = counts.iter().filter(|counts| **counts).count();
        let (weights, divisor) = match reduction {
            Reduction::Sum => (None, Some(1.0)),
            Reduction::Mean if count == 0 => return Err(Error::NothingToAverage { argument }),
            Reduction::Mean => (None, Some(count as f64)),
            Reduction::Weighted(_) => (reduction.weights(), None),
        };
        let weight = |i: usize| weights.as_ref().map_or(T::from_f64(divisor.unwrap_or(1.0).recip()), |w| w[i]);
        let each = (0..counts.len()).map(|i| if counts[i] { weight(i) } else { T::zero() }).collect();
        Ok(Self { each, divisor, argument })
    }

    /// What an anchor counts; zero leaves it out.
    pub(super) fn of_anchor(&self, anchor: usize) -> T {
        self.each[anchor]
    }

    /// Runs every anchor; slopes are written to `out`.
    pub(super) fn walk(&self, walk: &Walk<'_, '_, T>, mut out: Option<&mut Slopes<'_, T>>) -> Result<Vec<Found>> {
        if let Some(out) = &mut out {
            out.iter_mut().for_each(|out| out.fill(T::zero()));
        }
        let mut found = vec![Found::default(); self.each.len()];
        walk.run(&self.each, &mut found, out)?;
        Ok(found)
    }

    /// The reduced loss, with slopes in the parameters of the loss in the type of the caller.
    pub(super) fn total<const N: usize>(
        &self,
        found: &[Found],
        each: Option<ArrayViewMut1<'_, T>>,
        slopes: [(f64, &'static str); N],
    ) -> Result<(T, [T; N])> {
        if let Some(each) = each {
            for (i, (to, found)) in each.into_iter().zip(found).enumerate() {
                *to = to_real(found.loss, self.argument, i)?;
            }
        }
        let terms: Vec<f64> = match self.divisor {
            Some(_) => found.iter().map(|found| found.loss).collect(),
            None => found.iter().zip(&self.each).map(|(found, weight)| found.loss * weight.as_f64()).collect(),
        };
        let are_finite = || found.iter().all(|found| found.loss.is_finite());
        let total = finite_total(pairwise(&terms), are_finite, self.argument)? / self.divisor.unwrap_or(1.0);
        let mut narrow = [T::zero(); N];
        for (narrow, (slope, name)) in narrow.iter_mut().zip(slopes) {
            *narrow = to_real(slope, name, Position::default())?;
        }
        Ok((to_real(total, self.argument, Position::default())?, narrow))
    }

    /// The same of a loss whose one parameter is a temperature.
    pub(super) fn total_and_temperature(
        &self,
        found: &[Found],
        each: Option<ArrayViewMut1<'_, T>>,
        slope: f64,
    ) -> Result<(T, T)> {
        self.total(found, each, [(slope, "temperature")]).map(|(value, [temperature])| (value, temperature))
    }
}

/// Turns what a walk has added up into slopes in the embeddings. Returns `Σ ⟨embedding, slope⟩` over all of them.
pub(super) fn finish<T: Real>(
    sides: &[Embeddings<'_, T>],
    out: &mut Slopes<'_, T>,
    names: &[&'static str],
) -> Result<f64> {
    let mut sum = 0.0;
    for ((side, out), name) in sides.iter().zip(out).zip(names) {
        sum += side.finish(out.view_mut());
        if let Some(row) = out.outer_iter().position(|row| row.iter().any(|x| !x.is_finite())) {
            return Err(Error::overflow::<T>(name, row));
        }
    }
    Ok(sum)
}
