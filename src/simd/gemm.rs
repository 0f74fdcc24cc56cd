//! The innermost loop of a product of matrices: a tile of the result stays in registers while the inner axis goes by.

use super::dispatch::{Kernel, Level, dispatch};
use crate::Real;
use crate::math::mul_add;

/// Rows of a tile. With 256 bytes of columns it is 24 vectors of 512 bits, of 32 that there are.
pub(crate) const TILE_ROWS: usize = 6;

/// A tile of the result. `N` columns take 256 bytes.
pub(crate) type Tile<T, const N: usize> = [[T; N]; TILE_ROWS];

/// A row of the right factor in a tile, on a boundary of cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct PanelRow<T, const N: usize>(pub(crate) [T; N]);

/// Whether this machine has registers for a [`Tile`]; with fewer it would live in memory, at a fraction of the speed.
pub(crate) fn holds_tile() -> bool {
    match Level::best() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => true,
        _ => false,
    }
}

struct OfRows<'a, T, const N: usize> {
    a: [&'a [T]; TILE_ROWS],
    b: &'a [PanelRow<T, N>],
    tile: &'a mut Tile<T, N>,
}

impl<T: Real, const N: usize> Kernel for OfRows<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut tile = [[T::zero(); N]; TILE_ROWS];
        let mut rows = self.a;
        for row in &mut rows {
            *row = &row[..self.b.len()];
        }
        for p in 0..self.b.len() {
            for i in 0..TILE_ROWS {
                let x = rows[i][p];
                for j in 0..N {
                    tile[i][j] = mul_add::<T, FMA>(x, self.b[p].0[j], tile[i][j]);
                }
            }
        }
        *self.tile = tile;
    }
}

/// `Σ a_ip b_pj` over the inner axis `p` in order, where each row of `a` lies in one piece, as long as `b`.
pub(crate) fn tile_of_rows<T: Real, const N: usize>(a: [&[T]; TILE_ROWS], b: &[PanelRow<T, N>], tile: &mut Tile<T, N>) {
    dispatch(OfRows { a, b, tile });
}

struct OfColumns<'a, T, const N: usize> {
    a: &'a [[T; TILE_ROWS]],
    b: &'a [PanelRow<T, N>],
    tile: &'a mut Tile<T, N>,
}

impl<T: Real, const N: usize> Kernel for OfColumns<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut tile = [[T::zero(); N]; TILE_ROWS];
        for (a, b) in self.a.iter().zip(self.b) {
            for i in 0..TILE_ROWS {
                for j in 0..N {
                    tile[i][j] = mul_add::<T, FMA>(a[i], b.0[j], tile[i][j]);
                }
            }
        }
        *self.tile = tile;
    }
}

/// The same sum, with the same bits, where `a` holds one column after the other.
pub(crate) fn tile_of_columns<T: Real, const N: usize>(
    a: &[[T; TILE_ROWS]],
    b: &[PanelRow<T, N>],
    tile: &mut Tile<T, N>,
) {
    dispatch(OfColumns { a, b, tile });
}

struct Store<'a, T, const N: usize> {
    alpha: T,
    tile: &'a Tile<T, N>,
    beta: T,
    c: [&'a mut [T]; TILE_ROWS],
}

impl<T: Real, const N: usize> Kernel for Store<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (row, tile) in self.c.into_iter().zip(self.tile) {
            if self.beta == T::zero() {
                for (c, &x) in row.iter_mut().zip(tile) {
                    *c = self.alpha * x;
                }
            } else {
                for (c, &x) in row.iter_mut().zip(tile) {
                    *c = self.alpha * x + self.beta * *c;
                }
            }
        }
    }
}

/// `c <- alpha tile + beta c`, for as many columns as the rows of `c` have; 0 times what is in `c` is 0.
pub(crate) fn store_tile<T: Real, const N: usize>(alpha: T, tile: &Tile<T, N>, beta: T, c: [&mut [T]; TILE_ROWS]) {
    dispatch(Store { alpha, tile, beta, c });
}

/// Asks for memory that will soon be written.
#[inline(always)]
pub(crate) fn fetch<T>(slice: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in slice.chunks(64 / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it is harmless at every address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slice;
}
