//! The forms in which a distribution over classes is given.

use ndarray::{ArrayRef, ArrayView1, Dimension, s};
use num_traits::{Float, Zero};

use super::lanes::{Logarithms, Mass};
use super::line::Normalizer;
use crate::error::Position;
use crate::logits::{LogitTransform, Map};
use crate::rows::{self, BLOCK, Rows};
use crate::simd::{Exponentials, RowSum, dispatch};
use crate::{Element, Error, Real, Result, check};

/// Distributions over classes, one for each row of an array of any shape `[.., V]`.
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (logits, probs) = (array![[0.0_f64, 3.0_f64.ln()]], array![[0.25_f64, 0.75]]);
/// let kl = KlDivergence.value(Categorical::Logits(&logits), Categorical::Probs(&probs), Reduction::Sum)?;
/// assert!(kl < 1e-30);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Debug)]
pub enum Categorical<'a, E, D: Dimension> {
    /// Logits, whose softmax is the distribution: finite, or -inf for a class of probability 0. At least one of a row is
    /// finite. A shift of a row changes nothing.
    Logits(&'a ArrayRef<E, D>),
    /// Logits behind a soft cap, if there is one, and then a temperature `τ`. The distribution is the softmax of the
    /// transformed logits; the gradient is in the logits before. The temperature makes it `1/τ` of the gradient in the
    /// quotients, so that with `τ` on both sides it falls about as `1/τ²`: Hinton's factor `τ²` belongs into a weight of the
    /// caller. Transformed logits are rounded to the type, and smaller differences between them are lost.
    Transformed(&'a ArrayRef<E, D>, LogitTransform),
    /// Probabilities, `>= 0`. The sum of a row may differ from 1 by 0.001 (by 0.01 in half precision), and by 6e-8 for each
    /// class, as far as sums in `f32` are rounded; it is divided out.
    /// The gradient of this side is the one by the logarithms of the probabilities, taken as logits.
    Probs(&'a ArrayRef<E, D>),
}

impl<E, D: Dimension> Clone for Categorical<'_, E, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, D: Dimension> Copy for Categorical<'_, E, D> {}

impl<'a, E, D: Dimension> Categorical<'a, E, D> {
    pub(super) fn array(&self) -> &'a ArrayRef<E, D> {
        match *self {
            Self::Logits(array) | Self::Transformed(array, _) | Self::Probs(array) => array,
        }
    }

    /// The shape without the last axis.
    pub(super) fn leading(&self) -> &'a [usize] {
        let shape = self.array().shape();
        &shape[..shape.len().saturating_sub(1)]
    }
}

/// The rows of one side.
pub(super) struct Side<'a, E: Element> {
    argument: &'static str,
    rows: Rows<'a, E>,
    leading: &'a [usize],
    is_probs: bool,
    map: Option<Map<E::Real>>,
}

impl<'a, E: Element> Side<'a, E> {
    pub(super) fn new<D: Dimension>(argument: &'static str, side: Categorical<'a, E, D>) -> Result<Self> {
        let map = match side {
            Categorical::Transformed(_, transform) => {
                transform.check()?;
                transform.map()
            }
            Categorical::Logits(_) | Categorical::Probs(_) => None,
        };
        let (rows, leading) = (Rows::new(argument, side.array())?, side.leading());
        Ok(Self { argument, rows, leading, is_probs: matches!(side, Categorical::Probs(_)), map })
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

    /// The first pass over a row.
    pub(super) fn normalizer(&self, row: usize, scratch: &mut [E::Real]) -> Result<Normalizer<E::Real>> {
        let elements = self.rows.row(row);
        if self.is_probs {
            return self.mass(row, elements);
        }
        let (mut sum, mut fits) = (RowSum::new(), true);
        match (self.map, elements.to_slice()) {
            (Some(map), _) => {
                for first in (0..elements.len()).step_by(BLOCK) {
                    let block = self.copied(row, first, scratch);
                    fits &= map.apply(block);
                    sum.push::<E::Real>(block);
                }
            }
            (None, Some(slice)) => sum.push(slice),
            (None, None) => rows::for_each_block(elements, |block| sum.push(block)),
        }
        let is_wrong = |x: &E| x.real().is_nan() || x.real() == E::Real::infinity();
        if !fits && !elements.iter().any(is_wrong) {
            return Err(self.overflow(row));
        }
        if !sum.is_proper() {
            return Err(rows::improper(self.argument, self.leading, row, elements));
        }
        Ok(Normalizer { max: sum.max, log: sum.others.ln_1p(), top: sum.max })
    }

    fn mass(&self, row: usize, elements: ArrayView1<'_, E>) -> Result<Normalizer<E::Real>> {
        let (mut total, mut top) = (0.0, [E::Real::zero()]);
        rows::for_each_block(elements, |block| {
            total += dispatch(Mass(block)).as_f64();
            top[0] = top[0].max(E::Real::top(block).0);
        });
        let allowed = match size_of::<E>() {
            2 => "probabilities that sum to 1 within 0.01, and 6e-8 for each class",
            _ => "probabilities that sum to 1 within 0.001, and 6e-8 for each class",
        };
        if (total - 1.0).abs() <= check::share_tolerance::<E>(elements.len()) {
            dispatch(Logarithms(&mut top));
            return Ok(Normalizer { max: E::Real::zero(), log: total.ln(), top: top[0] });
        }
        let mut position = Position::unravel(row, self.leading);
        let wrong = elements.iter().map(|x| x.real().as_f64()).enumerate().find(|(_, x)| !(*x >= 0.0 && x.is_finite()));
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
    pub(super) fn block<'s>(&'s self, row: usize, first: usize, scratch: &'s mut [E::Real]) -> &'s [E::Real] {
        if !self.is_probs && self.map.is_none() {
            return rows::part(self.rows.row(row), first..self.classes().min(first + BLOCK), scratch);
        }
        let block = self.copied(row, first, scratch);
        match self.map {
            Some(map) => _ = map.apply(block), // the first pass has checked that all fit
            None => dispatch(Logarithms(block)),
        }
        block
    }

    /// A copy of [`BLOCK`] classes from `first` on.
    fn copied<'s>(&self, row: usize, first: usize, scratch: &'s mut [E::Real]) -> &'s mut [E::Real] {
        let at = first..self.classes().min(first + BLOCK);
        let block = &mut scratch[..at.len()];
        rows::copy(self.rows.row(row).slice_move(s![at]), block);
        block
    }

    /// Turns entries of a gradient, at the classes from `first` on, into those in the logits as they came; whether all fit.
    pub(super) fn chain(
        &self,
        row: usize,
        first: usize,
        entries: &mut [E::Real],
        [logits, slopes]: &mut [Vec<E::Real>; 2],
    ) -> bool {
        let Some(map) = self.map else { return true };
        if map.has_slopes() {
            for scratch in [&mut *logits, &mut *slopes] {
                scratch.resize(BLOCK.min(self.classes()), E::Real::zero());
            }
            map.apply_with_slopes(self.copied(row, first, logits), slopes);
        }
        map.chain(entries, slopes)
    }

    /// An error about a class without which a gradient is infinite.
    pub(super) fn lacks(&self, row: usize, class: usize, allowed: &'static str) -> Error {
        let mut position = Position::unravel(row, self.leading);
        position.0.push(class);
        let value = self.rows.row(row)[class].real().as_f64();
        Error::Value { argument: self.argument, position, value, allowed }
    }

    /// An error about a row as a whole.
    pub(super) fn overflow(&self, row: usize) -> Error {
        Error::overflow::<E::Real>(self.argument, Position::unravel(row, self.leading))
    }
}
