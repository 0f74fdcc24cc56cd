//! What a kernel over rows of logits says of itself; others run it.
//!
//! A kernel is seen as a `dyn` [`RowKernel`], and called once for each row, for sixteen short ones, or for a block of a long
//! one, so that what runs kernels is compiled once for each element type, not for each kernel.

use ndarray::ArrayView1;

use crate::error::Position;
use crate::rowwise;
use crate::simd::{ROW_TILE, RowSum, RowTile};
use crate::{Element, Error, Real, Result};

/// A kernel: the loss of each row (or another number), and the output of the row where it has one.
pub(super) trait RowKernel<T: Real>: Sync {
    /// Whether the row is counted, and which of its logits is needed.
    fn request(&self, _row: usize) -> RowRequest {
        RowRequest::Sum
    }

    /// [`RowKernel::request`] of neighboring rows from `first` on, by one call.
    fn requests(&self, first: usize, requests: &mut [RowRequest]) {
        for i in 0..requests.len() {
            requests[i] = self.request(first + i);
        }
    }

    /// What a block of the output holds when it is finished.
    fn output_state(&self) -> OutputState {
        OutputState::Exponentials
    }

    /// Whether the output is a gradient in the logits, which a transform of them changes.
    fn is_gradient(&self) -> bool {
        true
    }

    /// Whether [`RowSum::moment`] is needed.
    fn needs_moment(&self) -> bool {
        false
    }

    /// Writes the losses of sixteen rows without outputs, of which `first` is the first, if their sums and the logits that
    /// were requested are enough to know them. A row that is not counted, or does not exist, may hold anything.
    fn losses(
        &self,
        _first: usize,
        _sums: &RowTile<'_, T>,
        _logits: &[T; ROW_TILE],
        _losses: &mut [f64; ROW_TILE],
    ) -> bool {
        false
    }

    /// Turns sixteen rows, of which `first` is the first, into what they are to be and writes their losses, if sums and the
    /// logits that were requested are enough to know them; else it leaves the tile alone. The tile holds what
    /// [`RowKernel::output_state`] says, and of rows that take no part anything.
    fn finish_tile(
        &self,
        _first: usize,
        _tile: &mut RowTile<'_, T>,
        _requested: &Requested<T>,
        _losses: &mut [f64; ROW_TILE],
    ) -> bool {
        false
    }

    /// The loss of a row. Its logits can only be seen again where the kernel keeps [`OutputState::Logits`].
    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)>;

    /// Turns a block of the output into what it is to be.
    fn finish(&self, slope: &Slope, row: &Summed<T>, block: Block<'_, T>);

    /// [`RowKernel::finish`] of these logits, whatever the block holds before.
    fn finish_from(&self, slope: &Slope, row: &Summed<T>, logits: &[T], block: Block<'_, T>) {
        block.data.copy_from_slice(logits);
        self.finish(slope, row, block);
    }
}

/// What is requested of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowRequest {
    /// Nothing: it is never looked at, its loss and its output are zero.
    Nothing,
    /// Its sum.
    Sum,
    /// Its sum and the logit of this class.
    Class(usize),
}

/// What is requested of sixteen rows, and the logits that were.
pub(super) struct Requested<T> {
    pub(super) requests: [RowRequest; ROW_TILE],
    pub(super) logits: [T; ROW_TILE],
}

/// What an output holds between the two passes over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputState {
    /// `e^(x - r)`, each block with a reference `r` of its own: no second exponential.
    Exponentials,
    /// The logits themselves.
    Logits,
}

/// What [`RowKernel::loss`] finds out of a row and [`RowKernel::finish`] needs. A kernel sets what it uses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slope {
    /// What the gradient is multiplied by.
    pub(super) scale: f64,
    /// The pull of the z-loss: `2 ζ lse`, times the weight of the row.
    pub(super) z_pull: f64,
    /// The class whose entry is formed apart from those of the others.
    pub(super) class: usize,
    /// What is asked of this class.
    pub(super) of_class: f64,
    /// What is asked of all others together.
    pub(super) of_others: f64,
}

/// Neighboring entries of an output.
pub(super) struct Block<'b, T> {
    /// The class of the first.
    pub(super) first: usize,
    /// What [`RowKernel::output_state`] says.
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
    /// The logit of the class that was requested.
    pub(super) logit: T,
}

impl<T: Real> Summed<T> {
    /// `ln Σ e^x`.
    pub(super) fn log_sum_exp(&self) -> f64 {
        self.sum.max.as_f64() + self.log
    }

    /// `ln Σ e^x - x` for the class that was requested, without the cancellation of forming both.
    pub(super) fn nll(&self) -> f64 {
        (self.sum.max.as_f64() - self.logit.as_f64()) + self.log
    }

    /// `1 + others`.
    pub(super) fn total(&self) -> f64 {
        1.0 + self.sum.others
    }
}

/// A row as [`RowKernel::loss`] sees it.
pub(super) struct Row<'r, T> {
    pub(super) summed: Summed<T>,
    pub(super) shape: &'r [usize],
    pub(super) logits: &'r dyn RowLogits<T>,
    /// Whether the row has an output.
    pub(super) has_output: bool,
}

/// The logits of a row, however they are stored.
pub(super) trait RowLogits<T> {
    /// Gives the logits, block by block, to `f`.
    fn for_each_block(&self, f: &mut dyn FnMut(&[T]));

    /// The logit of a class.
    fn at(&self, class: usize) -> T;
}

impl<E: Element> RowLogits<E::Real> for ArrayView1<'_, E> {
    fn for_each_block(&self, f: &mut dyn FnMut(&[E::Real])) {
        rowwise::for_each_block(*self, f);
    }

    fn at(&self, class: usize) -> E::Real {
        self[class].real()
    }
}

impl<T: Real> Row<'_, T> {
    /// Gives the logits, block by block, to `f`.
    pub(super) fn for_each_block(&self, mut f: impl FnMut(&[T])) {
        self.logits.for_each_block(&mut f);
    }

    /// The loss, unless a finite logit leads out of the range of the type. It may be infinite where `is_exact` says that a
    /// logit of -inf makes it so.
    pub(super) fn to_real(&self, loss: f64, is_exact: impl FnOnce() -> bool) -> Result<f64> {
        let lost = loss.is_nan() || (T::from_f64(loss).is_infinite() && !is_exact());
        if lost { Err(self.overflow()) } else { Ok(loss) }
    }

    /// The finite logits of this row lead out of the range of the type.
    pub(super) fn overflow(&self) -> Error {
        Error::overflow::<T>("logits", self.position(None))
    }

    /// The place of the row, or of one of its classes, in the array.
    pub(super) fn position(&self, class: Option<usize>) -> Position {
        let mut position = Position::unravel(self.summed.index, &self.shape[..self.shape.len() - 1]);
        position.0.extend(class);
        position
    }
}

/// [`Summed::nll`] of sixteen rows; whether all of them are numbers of the type.
pub(super) fn nll<T: Real>(sums: &RowTile<'_, T>, logits: &[T; ROW_TILE], losses: &mut [f64; ROW_TILE]) -> bool {
    let mut are_numbers = true;
    for i in 0..ROW_TILE {
        losses[i] = (sums.max[i].as_f64() - logits[i].as_f64()) + sums.log[i];
        are_numbers &= losses[i] < T::max_value().as_f64();
    }
    are_numbers
}

/// Turns the exponentials of sixteen rows into `w (p - [v = y])`, with the weight `w` of each row.
pub(super) fn subtract_targets<T: Real>(
    tile: &mut RowTile<'_, T>,
    requested: &Requested<T>,
    weight: impl Fn(usize) -> f64,
) {
    let (mut factors, mut entries) = ([T::zero(); ROW_TILE], [T::zero(); ROW_TILE]);
    for r in 0..ROW_TILE {
        if let RowRequest::Class(class) = requested.requests[r] {
            let (weight, total) = (weight(r), 1.0 + tile.others[r]);
            factors[r] = T::from_f64(weight / total);
            // `1 - p`, where nothing cancels: with another class on top the total is more than 1 larger.
            let is_top = requested.logits[r] == tile.max[r];
            let rest = if is_top { tile.others[r] } else { total - tile.classes[class][r].as_f64() };
            entries[r] = T::from_f64(-weight * (rest / total));
        }
    }
    tile.scale(&factors);
    for (r, (request, entry)) in requested.requests.iter().zip(entries).enumerate() {
        match *request {
            RowRequest::Class(class) => tile.classes[class][r] = entry,
            RowRequest::Sum => {}
            RowRequest::Nothing => tile.classes.iter_mut().for_each(|class| class[r] = T::zero()),
        }
    }
}
