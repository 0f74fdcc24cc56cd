//! The slow second look at a block that is not ordinary: which pair is at fault, if any is.
//!
//! Only pairs of weight zero may have caused that look. So nothing here may change what the first look has found for the
//! others: a finite sum stays as it is, and an error is one that the others alone would have given.

use crate::error::{Error, Position};
use crate::preference::columns::Columns;
use crate::preference::kernel::Block;
use crate::preference::scale::Scale;
use crate::preference::{Out, Pairs, Row};
use crate::{Real, Result};

/// A block in which something is infinite or NaN.
pub(crate) struct Inspection<'a, T> {
    pub(crate) block: &'a dyn Block<T>,
    pub(crate) columns: Columns<'a, T>,
    pub(crate) scale: Scale<'a, T>,
    /// Place in the batch of the block's first pair.
    pub(crate) start: usize,
    /// The sum of the weighted losses, in the arithmetic of the element type.
    pub(crate) sum: f64,
}

impl<T: Real> Inspection<'_, T> {
    /// The sum of the weighted losses where all is as it should be: exact limits, or a sum that only its type could not
    /// hold. Otherwise the error of the first pair that has one.
    pub(crate) fn run(&self, loss: &mut [T], mut slope: Pairs<&mut [T]>, out: &Out<'_, T>) -> Result<f64> {
        self.block.slopes(self.columns, loss, slope.as_mut().map(|side| &mut **side));
        let asks_for_slopes = matches!(out, Out::Grad(_) | Out::AddGrad(_));
        let mut sum = 0.0;
        for i in 0..loss.len() {
            let weight = self.scale.weights.map_or(1.0, |weights| weights[i].as_f64());
            if weight == 0.0 {
                continue;
            }
            let slope = Pairs { chosen: slope.chosen[i].as_f64(), rejected: slope.rejected[i].as_f64() };
            self.pair(i, loss[i].as_f64(), slope, asks_for_slopes && self.scale.at(i) != T::zero())?;
            let share = weight * loss[i].as_f64();
            if loss[i].is_finite() && f64::is_finite(sum) && !(sum + share).is_finite() {
                return Err(self.overflow("loss", i));
            }
            sum += share;
        }
        self.written(loss, out)?;
        Ok(if self.sum.is_finite() { self.sum } else { sum })
    }

    /// One pair that counts. A slope that overflows is an error where it is asked for.
    fn pair(&self, i: usize, loss: f64, slope: Pairs<f64>, asks_for_slopes: bool) -> Result<()> {
        let row = self.columns.map(|column| column[i].as_f64());
        self.entries(i, row)?;
        let steep = !(slope.chosen.is_finite() && slope.rejected.is_finite());
        let endless = row.into_array().into_iter().any(f64::is_infinite);
        if !(loss.is_nan() || (steep && (endless || asks_for_slopes)) || (loss.is_infinite() && !endless)) {
            return Ok(());
        }
        if let Some(error) = self.block.explain(row, self.start + i) {
            return Err(error);
        }
        let allowed = if loss.is_nan() { "finite where another log-probability of its pair is -inf" } else { "finite" };
        let named = row.zip(Row::NAMES).into_array();
        Err(match named.into_iter().find(|(x, _)| x.is_infinite()) {
            Some((value, argument)) => self.wrong(argument, i, value, allowed),
            None if slope.rejected.is_finite() => self.overflow(Row::NAMES.policy.chosen, i),
            None => self.overflow(Row::NAMES.policy.rejected, i),
        })
    }

    /// Each entry by itself: not NaN, not +inf, a length above zero.
    fn entries(&self, i: usize, row: Row<f64>) -> Result<()> {
        let log_prob = |x: f64| x < f64::INFINITY;
        let good = Row {
            policy: row.policy.map(log_prob),
            reference: row.reference.map(log_prob),
            lengths: row.lengths.map(|x| x > 0.0 && x.is_finite()),
            rewards: row.rewards.map(f64::is_finite),
            target: row.target.is_finite(),
            gold: log_prob(row.gold),
        };
        let told = row.zip(Row::NAMES).zip(Row::ALLOWED).zip(good).into_array();
        match told.into_iter().find(|(_, good)| !good) {
            None => Ok(()),
            Some((((value, argument), allowed), _)) => Err(self.wrong(argument, i, value, allowed)),
        }
    }

    /// What was written must be finite, but for losses that are infinite themselves.
    fn written(&self, loss: &[T], out: &Out<'_, T>) -> Result<()> {
        let overflow = |argument, i: Option<usize>| i.map_or(Ok(()), |i| Err(self.overflow(argument, i)));
        match out {
            Out::Nothing => Ok(()),
            Out::Each(out) => {
                overflow("out", out.iter().zip(loss).position(|(x, loss)| !x.is_finite() && loss.is_finite()))
            }
            Out::Grad(out) | Out::AddGrad(out) => {
                overflow("out.chosen", out.chosen.iter().position(|x| !x.is_finite()))?;
                overflow("out.rejected", out.rejected.iter().position(|x| !x.is_finite()))
            }
        }
    }

    fn wrong(&self, argument: &'static str, i: usize, value: f64, allowed: &'static str) -> Error {
        Error::Value { argument, position: Position::from(self.start + i), value, allowed }
    }

    fn overflow(&self, argument: &'static str, i: usize) -> Error {
        Error::overflow::<T>(argument, self.start + i)
    }
}
