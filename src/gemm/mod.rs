//! Products of matrices: the one place that knows who computes them.

mod library;
mod pack;
mod scratch;
mod tiles;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Real, simd};

/// Who computes a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The loops of this crate, for vectors of 512 bits.
    Tiles,
    /// The crate `gemm` with the feature of this name, else `matrixmultiply` (through `ndarray`).
    Library,
}

impl Backend {
    /// The faster one on this machine.
    pub fn best() -> Self {
        if simd::holds_tile() { Self::Tiles } else { Self::Library }
    }
}

/// `c <- alpha a b + beta c`, in any layout. The shapes must fit; where `beta` is 0 the old `c` is not read.
///
/// The bits depend neither on the number of threads nor on where the elements lie in memory. No product is left out:
/// NaN and infinities come through, even times zero.
pub(crate) fn product<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: ArrayViewMut2<'_, T>) {
    product_by(Backend::best(), alpha, a, b, beta, c);
}

/// `c <- alpha a b + beta c` by this backend, in any layout and with the promises of `product`.
pub fn product_by<T: Real>(
    backend: Backend,
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) {
    match backend {
        // A tile is 256 bytes wide.
        Backend::Tiles if size_of::<T>() == 4 => tiles::product::<T, 64>(alpha, a, b, beta, c),
        Backend::Tiles => tiles::product::<T, 32>(alpha, a, b, beta, c),
        Backend::Library => library::product(alpha, a, b, beta, c),
    }
}

/// Work of a product in the unit of [`crate::parallel`]: the bytes that could be read in its time.
fn work(rows: usize, inner: usize, columns: usize) -> usize {
    rows.saturating_mul(inner).saturating_mul(columns) / 8
}

/// Whether each row lies in one piece.
fn has_whole_rows<T>(matrix: &ArrayView2<'_, T>) -> bool {
    matrix.ncols() <= 1 || matrix.strides()[1] == 1
}

#[cfg(test)]
mod tests;
