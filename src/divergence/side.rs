//! The rows of one side, whichever way it says its distributions, as logits.

use super::categorical::{Form, Source};
use super::lanes::{Logarithms, Mass};
use super::normalizers::Normalizer;
use crate::error::Position;
use crate::logits::Map;
use crate::rowwise::{BLOCK, RowJobs};
use crate::rowwise::{RowReader, improper_row};
use crate::simd::{RowSum, dispatch};
use crate::{Error, Real, Result, check};

/// The rows of one side.
pub(super) struct Side<'a, T> {
    argument: &'static str,
    rows: Box<dyn RowReader<T> + 'a>,
    leading: &'a [usize],
    is_probs: bool,
    map: Option<Map<T>>,
}

impl<'a, T: Real> Side<'a, T> {
    pub(super) fn new(argument: &'static str, source: Source<'a, T>) -> Result<Self> {
        let map = match source.form {
            Form::Transformed(transform) => {
                transform.check()?;
                transform.map()
            }
            Form::Logits | Form::Probs => None,
        };
        let (rows, leading) = (source.rows?, &source.shape[..source.shape.len() - 1]);
        Ok(Self { argument, rows, leading, is_probs: matches!(source.form, Form::Probs), map })
    }

    /// The shape without the last axis.
    pub(super) fn leading(&self) -> &'a [usize] {
        self.leading
    }

    /// Length of each row.
    pub(super) fn classes(&self) -> usize {
        self.rows.width()
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Memory that all rows together take.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// All rows in jobs, of so many times the memory that each takes.
    pub(super) fn jobs(&self, times: usize) -> RowJobs {
        self.rows.jobs(times)
    }

    /// The first pass over a row.
    pub(super) fn normalizer(&self, row: usize, scratch: &mut [T]) -> Result<Normalizer<T>> {
        if self.is_probs {
            return self.mass(row);
        }
        let (sum, fits) = match self.map {
            Some(map) => self.transformed_sum(row, map, scratch),
            None => (self.rows.sum(row), true),
        };
        let is_wrong = |x: T| x.is_nan() || x == T::infinity();
        if !fits && !(0..self.classes()).any(|class| is_wrong(self.rows.at(row, class))) {
            return Err(self.overflow(row));
        }
        if !sum.is_proper() {
            return Err(improper_row(self.argument, self.leading, row, &*self.rows));
        }
        Ok(Normalizer { max: sum.max, log: sum.others.ln_1p(), top: sum.max })
    }

    /// The sum over transformed logits; whether all fit.
    fn transformed_sum(&self, row: usize, map: Map<T>, scratch: &mut [T]) -> (RowSum<T>, bool) {
        let (mut sum, mut fits) = (RowSum::new(), true);
        for first in (0..self.classes()).step_by(BLOCK) {
            let block = self.copied(row, first, scratch);
            fits &= map.apply(block);
            sum.push::<T>(block);
        }
        (sum, fits)
    }

    fn mass(&self, row: usize) -> Result<Normalizer<T>> {
        let (mut total, mut top) = (0.0, [T::zero()]);
        self.rows.for_each_block(row, &mut |block| {
            total += dispatch(Mass(block)).as_f64();
            top[0] = top[0].max(T::top(block).0);
        });
        let allowed = match self.rows.element_size() {
            2 => "probabilities that sum to 1 within 0.01, and 6e-8 for each class",
            _ => "probabilities that sum to 1 within 0.001, and 6e-8 for each class",
        };
        if (total - 1.0).abs() <= check::share_tolerance(self.rows.element_size(), self.classes()) {
            dispatch(Logarithms(&mut top));
            return Ok(Normalizer { max: T::zero(), log: total.ln(), top: top[0] });
        }
        let mut position = Position::unravel(row, self.leading);
        let elements = (0..self.classes()).map(|class| self.rows.at(row, class).as_f64());
        let wrong = elements.enumerate().find(|(_, x)| !(*x >= 0.0 && x.is_finite()));
        let (value, allowed) = match wrong {
            Some((class, value)) => {
                position.0.push(class);
                (value, "finite and >= 0")
            }
            None => (total, allowed),
        };
        Err(Error::Value { argument: self.argument, position, value, allowed })
    }

    /// Logits of a block of a row, [`BLOCK`] classes from `first` on.
    pub(super) fn block<'s>(&'s self, row: usize, first: usize, scratch: &'s mut [T]) -> &'s [T] {
        if !self.is_probs && self.map.is_none() {
            return self.rows.part(row, first..self.classes().min(first + BLOCK), scratch);
        }
        let block = self.copied(row, first, scratch);
        match self.map {
            Some(map) => _ = map.apply(block), // the first pass has checked that all fit
            None => dispatch(Logarithms(block)),
        }
        block
    }

    /// A copy of [`BLOCK`] classes from `first` on.
    fn copied<'s>(&self, row: usize, first: usize, scratch: &'s mut [T]) -> &'s mut [T] {
        let at = first..self.classes().min(first + BLOCK);
        let block = &mut scratch[..at.len()];
        self.rows.copy(row, at, block);
        block
    }

    /// Turns entries of a gradient, at the classes from `first` on, into those in the logits as they came; whether all fit.
    pub(super) fn chain(
        &self,
        row: usize,
        first: usize,
        entries: &mut [T],
        [logits, slopes]: &mut [Vec<T>; 2],
    ) -> bool {
        let Some(map) = self.map else { return true };
        if map.has_slopes() {
            for scratch in [&mut *logits, &mut *slopes] {
                scratch.resize(BLOCK.min(self.classes()), T::zero());
            }
            map.apply_with_slopes(self.copied(row, first, logits), slopes);
        }
        map.chain(entries, slopes)
    }

    /// An error about a class without which a gradient is infinite.
    pub(super) fn lacks(&self, row: usize, class: usize, allowed: &'static str) -> Error {
        let mut position = Position::unravel(row, self.leading);
        position.0.push(class);
        let value = self.rows.at(row, class).as_f64();
        Error::Value { argument: self.argument, position, value, allowed }
    }

    /// An error about a row as a whole.
    pub(super) fn overflow(&self, row: usize) -> Error {
        Error::overflow::<T>(self.argument, Position::unravel(row, self.leading))
    }
}
