//! The second look at a block that is not ordinary: which element is at fault, if any is.
//!
//! Only elements of weight zero may have caused that look. So nothing here may change what the first look has found for the
//! others: a finite sum stays as it is, and an error is one that the others alone would have given.

use super::driver::{Call, evaluate};
use super::{COLUMNS, Output, SLOPES, Scale};
use crate::error::{Error, Position};
use crate::{Real, Result};

/// A block in which something is infinite or NaN.
pub(super) struct Inspection<'a, 'c, T> {
    pub(super) call: &'a Call<'a, 'c, T>,
    pub(super) columns: &'a [&'a [T]],
    pub(super) scale: Scale<'a, T>,
    /// Place of the block's first element.
    pub(super) start: usize,
    /// The sum of the weighted losses, in the arithmetic of the element type.
    pub(super) sum: f64,
}

impl<T: Real> Inspection<'_, '_, T> {
    /// The sum of the weighted losses where all is as it should be: exact limits, or a sum that only its type could not
    /// hold. Otherwise the error of the first element that has one.
    pub(super) fn run(&self, loss: &mut [T], slopes: &mut [&mut [T]], output: &Output<'_, T>) -> Result<f64> {
        evaluate(self.call.block, self.columns, loss, slopes, true);
        let mut sum = 0.0;
        for i in 0..loss.len() {
            let weight = self.scale.weights.map_or(1.0, |weights| weights[i].as_f64());
            if weight == 0.0 {
                continue;
            }
            let mut at = [0.0; SLOPES];
            at.iter_mut().zip(&*slopes).for_each(|(to, slope)| *to = slope[i].as_f64());
            self.element(i, loss[i].as_f64(), &at[..slopes.len()], output.is_steep() && self.scale.at(i) != T::zero())?;
            let mut share = weight * loss[i].as_f64();
            if self.call.words.names_shares {
                share = self.share(i, loss[i], slopes, output)?;
            }
            if loss[i].is_finite() && f64::is_finite(sum) && !(sum + share).is_finite() {
                return Err(self.overflow(self.call.words.total, i));
            }
            sum += share;
        }
        self.written(loss, output)?;
        Ok(if self.sum.is_finite() { self.sum } else { sum })
    }

    /// The weighted loss of an element in the arithmetic of its type, which must hold it and what is written of the slopes.
    fn share(&self, i: usize, loss: T, slopes: &[&mut [T]], output: &Output<'_, T>) -> Result<f64> {
        let share = self.scale.weights.map_or(loss, |weights| weights[i] * loss);
        let fits = |slope: &&mut [T]| (slope[i] * self.scale.at(i)).is_finite();
        if (loss.is_finite() && !share.is_finite()) || (output.is_steep() && !slopes.iter().all(fits)) {
            return Err(self.overflow(self.call.words.total, i));
        }
        Ok(share.as_f64())
    }

    /// One element that counts. A slope that overflows is an error where it is asked for.
    fn element(&self, i: usize, loss: f64, slopes: &[f64], asks_for_slopes: bool) -> Result<()> {
        let mut x = [0.0; COLUMNS];
        x.iter_mut().zip(self.columns).for_each(|(x, column)| *x = column[i].as_f64());
        for (column, &x) in self.call.columns.iter().zip(&x) {
            if column.given().is_some() && !column.domain.contains(x) {
                return Err(self.wrong(column.name, i, x, column.domain.words()));
            }
        }
        let is_steep = !slopes.iter().all(|slope| slope.is_finite());
        let is_endless = x.iter().any(|x| x.is_infinite());
        if !(loss.is_nan() || (is_steep && (is_endless || asks_for_slopes)) || (loss.is_infinite() && !is_endless)) {
            return Ok(());
        }
        if let Some(error) = (self.call.words.explain)(&x, self.start + i) {
            return Err(error);
        }
        let allowed = if loss.is_nan() { self.call.words.undefined } else { "finite" };
        Err(match self.call.columns.iter().zip(x).find(|(_, x)| x.is_infinite()) {
            Some((column, x)) if !self.call.words.undefined.is_empty() => self.wrong(column.name, i, x, allowed),
            _ => self.overflow(self.call.columns[(self.call.words.steepest)(slopes)].name, i),
        })
    }

    /// What was written must be finite, but for losses that are infinite themselves.
    fn written(&self, loss: &[T], output: &Output<'_, T>) -> Result<()> {
        let bad = self.call.words.outputs.iter().zip(output.improper(loss)).find_map(|(name, i)| Some((name, i?)));
        bad.map_or(Ok(()), |(name, i)| Err(self.overflow(name, i)))
    }

    fn position(&self, i: usize) -> Position {
        Position::unravel(self.start + i, self.call.shape)
    }

    fn wrong(&self, argument: &'static str, i: usize, value: f64, allowed: &'static str) -> Error {
        Error::Value { argument, position: self.position(i), value, allowed }
    }

    fn overflow(&self, argument: &'static str, i: usize) -> Error {
        Error::overflow::<T>(argument, self.position(i))
    }
}
