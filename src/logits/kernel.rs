//! What a kernel over rows of logits says of itself; [`super::walk`] does the rest.

use ndarray::ArrayView1;
use num_traits::Float;

use crate::error::Position;
use crate::rows::{self, BLOCK};
use crate::simd::{ROW_TILE, RowSum, RowTile};
use crate::{Element, Error, Real, Result};

/// A kernel: one number for each row, and what becomes of the row where it has an output.
pub(super) trait RowKernel<E: Element>: Sync {
    /// What [`RowKernel::value`] finds out of a row and [`RowKernel::finish`] needs.
    type Slope: Sync;

    /// Whether the row takes part, and which of its logits is of interest.
    fn asks(&self, _row: usize) -> Ask {
        Ask::Row
    }

    /// What a block of the output holds when it is finished.
    fn keeps(&self) -> Keep {
        Keep::Exponentials
    }

    /// Whether the output is a gradient in the logits, which a transform of them changes.
    fn is_gradient(&self) -> bool {
        true
    }

    /// Whether [`RowSum::moment`] is needed.
    fn needs_moment(&self) -> bool {
        false
    }

    /// Writes the numbers of sixteen rows without outputs, of which `first` is the first, if their sums and the logits that
    /// were asked for are enough to know them. A row that takes no part, or that does not exist, may hold anything.
    fn numbers(
        &self,
        _first: usize,
        _sums: &RowTile<'_, E::Real>,
        _logits: &[E::Real; ROW_TILE],
        _numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        false
    }

    /// Turns sixteen rows, of which `first` is the first, into what they are to be and writes their numbers, if sums and the
    /// logits that were asked for are enough to know them; else it leaves the tile alone. The tile holds what
    /// [`RowKernel::keeps`] says, and of rows that take no part anything.
    fn finish_tile(
        &self,
        _first: usize,
        _tile: &mut RowTile<'_, E::Real>,
        _asked: &Asked<E::Real>,
        _numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        false
    }

    /// The number of a row. Its logits can only be seen again where the kernel keeps [`Keep::Logits`].
    fn value(&self, row: &Row<'_, E>) -> Result<(f64, Self::Slope)>;

    /// Turns a block of the output into what it is to be.
    fn finish(&self, slope: &Self::Slope, row: &Summed<E::Real>, block: Block<'_, E::Real>);

    /// [`RowKernel::finish`] of these logits, whatever the block holds before.
    fn finish_from(&self, slope: &Self::Slope, row: &Summed<E::Real>, logits: &[E::Real], block: Block<'_, E::Real>) {
        block.data.copy_from_slice(logits);
        self.finish(slope, row, block);
    }
}

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing: it is never looked at, its number and its output are zero.
    Nothing,
    /// Its sum.
    Row,
    /// Its sum and the logit of this class.
    Class(usize),
}

/// What is asked of sixteen rows, and the logits that were asked for.
pub(super) struct Asked<T> {
    pub(super) asks: [Ask; ROW_TILE],
    pub(super) logits: [T; ROW_TILE],
}

/// What an output holds between the two passes over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// `e^(x - r)`, each block with a reference `r` of its own: no second exponential.
    Exponentials,
    /// The logits themselves.
    Logits,
}

/// Neighboring entries of an output.
pub(super) struct Block<'b, T> {
    /// The class of the first.
    pub(super) first: usize,
    /// What [`RowKernel::keeps`] says.
    pub(super) data: &'b mut [T],
    /// `e^(r - max)`, which brings exponentials to the maximum of the row.
    pub(super) factor: f64,
}

impl<T> Block<'_, T> {
    /// The entry of a class, if it is here.
    pub(super) fn entry(&mut self, class: usize) -> Option<&mut T> {
        class.checked_sub(self.first).and_then(|at| self.data.get_mut(at))
    }
}

/// A row after the first pass.
#[derive(Clone, Copy)]
pub(super) struct Summed<T> {
    /// Its place in row-major order.
    pub(super) index: usize,
    pub(super) sum: RowSum<T>,
    /// `ln(1 + others)`.
    pub(super) log: f64,
    /// The logit of the class that was asked for.
    pub(super) logit: T,
}

impl<T: Real> Summed<T> {
    /// `ln Σ e^x`.
    pub(super) fn log_sum_exp(&self) -> f64 {
        self.sum.max.as_f64() + self.log
    }

    /// `ln Σ e^x - x` for the class that was asked for, without the cancellation of forming both.
    pub(super) fn nll(&self) -> f64 {
        (self.sum.max.as_f64() - self.logit.as_f64()) + self.log
    }

    /// `1 + others`.
    pub(super) fn total(&self) -> f64 {
        1.0 + self.sum.others
    }
}

/// A row as [`RowKernel::value`] sees it.
pub(super) struct Row<'r, E: Element> {
    pub(super) summed: Summed<E::Real>,
    pub(super) shape: &'r [usize],
    pub(super) logits: Logits<'r, E>,
    /// Whether the row has an output.
    pub(super) has_output: bool,
}

/// Where the logits of a row are.
#[derive(Clone, Copy)]
pub(super) enum Logits<'r, E: Element> {
    /// In the caller's array.
    Stored(ArrayView1<'r, E>),
    /// In the output.
    Kept(&'r [E::Real]),
}

impl<E: Element> Row<'_, E> {
    /// Gives the logits, block by block, to `f`.
    pub(super) fn for_each_block(&self, f: impl FnMut(&[E::Real])) {
        match self.logits {
            Logits::Stored(logits) => rows::for_each_block(logits, f),
            Logits::Kept(logits) => logits.chunks(BLOCK).for_each(f),
        }
    }

    /// The logit of a class.
    pub(super) fn logit(&self, class: usize) -> E::Real {
        match self.logits {
            Logits::Stored(logits) => logits[class].real(),
            Logits::Kept(logits) => logits[class],
        }
    }

    /// The number, unless a finite logit leads out of the range of the type. It may be infinite where `is_exact` says that a
    /// logit of -inf makes it so.
    pub(super) fn to_real(&self, value: f64, is_exact: impl FnOnce() -> bool) -> Result<f64> {
        let lost = value.is_nan() || (E::Real::from_f64(value).is_infinite() && !is_exact());
        if lost { Err(self.overflow()) } else { Ok(value) }
    }

    /// The finite logits of this row lead out of the range of the type.
    pub(super) fn overflow(&self) -> Error {
        Error::overflow::<E::Real>("logits", self.position(None))
    }

    /// The place of the row, or of one of its classes, in the array.
    pub(super) fn position(&self, class: Option<usize>) -> Position {
        let mut position = Position::unravel(self.summed.index, &self.shape[..self.shape.len() - 1]);
        position.0.extend(class);
        position
    }
}

/// [`Summed::nll`] of sixteen rows; whether all of them are numbers of the type.
pub(super) fn nll<T: Real>(sums: &RowTile<'_, T>, logits: &[T; ROW_TILE], numbers: &mut [f64; ROW_TILE]) -> bool {
    let mut are_numbers = true;
    for i in 0..ROW_TILE {
        numbers[i] = (sums.max[i].as_f64() - logits[i].as_f64()) + sums.log[i];
        are_numbers &= numbers[i] < T::max_value().as_f64();
    }
    are_numbers
}

/// Turns the exponentials of sixteen rows into `w (p - [v = y])`, with the weight `w` of each row.
pub(super) fn subtract_targets<T: Real>(tile: &mut RowTile<'_, T>, asked: &Asked<T>, weight: impl Fn(usize) -> f64) {
    let (mut factors, mut entries) = ([T::zero(); ROW_TILE], [T::zero(); ROW_TILE]);
    for r in 0..ROW_TILE {
        if let Ask::Class(class) = asked.asks[r] {
            let (weight, total) = (weight(r), 1.0 + tile.others[r]);
            factors[r] = T::from_f64(weight / total);
            // `1 - p`, where nothing cancels: with another class on top the total is more than 1 larger.
            let is_top = asked.logits[r] == tile.max[r];
            let rest = if is_top { tile.others[r] } else { total - tile.classes[class][r].as_f64() };
            entries[r] = T::from_f64(-weight * (rest / total));
        }
    }
    tile.scale(&factors);
    for (r, (ask, entry)) in asked.asks.iter().zip(entries).enumerate() {
        match *ask {
            Ask::Class(class) => tile.classes[class][r] = entry,
            Ask::Row => {}
            Ask::Nothing => tile.classes.iter_mut().for_each(|class| class[r] = T::zero()),
        }
    }
}
