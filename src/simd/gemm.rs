//! The innermost loop of a product of matrices: a tile of the result stays in registers while the inner axis goes by.
//!
//! For vectors of 512 bits it is written out: left to the compiler, one of its four forms was a hundred times slower.

use std::any::TypeId;

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

/// The left factor of a tile: its rows, each in one piece, or its columns, one after the other.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a, T> {
    Rows([&'a [T]; TILE_ROWS]),
    Columns(&'a [[T; TILE_ROWS]]),
}

/// Whether this machine has registers for a [`Tile`]; with fewer it would live in memory, at a fraction of the speed.
pub(crate) fn holds_tile() -> bool {
    match Level::best() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => true,
        _ => false,
    }
}

/// Writes `Σ a_ip b_pj` to the tile, added up over the inner axis `p` in order. Both factors are equally long.
pub(crate) fn multiply_tile<T: Real, const N: usize>(a: Left<'_, T>, b: &[PanelRow<T, N>], tile: &mut Tile<T, N>) {
    let a = match a {
        Left::Rows(rows) => Left::Rows(rows.map(|row| &row[..b.len()])),
        Left::Columns(columns) => Left::Columns(&columns[..b.len()]),
    };
    #[cfg(target_arch = "x86_64")]
    if holds_tile() {
        if TypeId::of::<T>() == TypeId::of::<f32>() && N == 64 {
            // SAFETY: `T` is `f32`, the machine has AVX-512 F, and `a` has been cut to the length of `b`.
            return unsafe { wide::f32(a, b.as_ptr().cast(), b.len(), tile.as_mut_ptr().cast()) };
        }
        if TypeId::of::<T>() == TypeId::of::<f64>() && N == 32 {
            // SAFETY: `T` is `f64`, the machine has AVX-512 F, and `a` has been cut to the length of `b`.
            return unsafe { wide::f64(a, b.as_ptr().cast(), b.len(), tile.as_mut_ptr().cast()) };
        }
    }
    dispatch(Multiply { a, b, tile });
}

/// The same for every machine.
struct Multiply<'a, T, const N: usize> {
    a: Left<'a, T>,
    b: &'a [PanelRow<T, N>],
    tile: &'a mut Tile<T, N>,
}

impl<T: Real, const N: usize> Kernel for Multiply<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        *self.tile = [[T::zero(); N]; TILE_ROWS];
        for (p, b) in self.b.iter().enumerate() {
            for i in 0..TILE_ROWS {
                let x = match self.a {
                    Left::Rows(rows) => rows[i][p],
                    Left::Columns(columns) => columns[p][i],
                };
                let sums = &mut self.tile[i];
                for j in 0..N {
                    sums[j] = mul_add::<T, FMA>(x, b.0[j], sums[j]);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{Left, TILE_ROWS};

    /// Vectors in a row of a tile.
    const VECTORS: usize = 4;

    macro_rules! multiply {
        ($name:ident, $type:ty, $lanes:literal, $zero:ident, $load:ident, $spread:ident, $fma:ident, $store:ident) => {
            /// The loop for one type.
            ///
            /// # Safety
            ///
            /// The type of `a`, which may be given as another, is that of `b`. `a` has `inner` columns, `b` as many rows
            /// of `VECTORS` vectors, and `tile` has room for `TILE_ROWS` of them.
            #[target_feature(enable = "avx512f")]
            pub(super) unsafe fn $name<T>(a: Left<'_, T>, b: *const $type, inner: usize, tile: *mut $type) {
                // SAFETY: element `p` of a row is `p` after its first, element `i` of column `p` is `6 p + i` after the
                // first of all; the caller vouches for the lengths.
                unsafe {
                    match a {
                        Left::Rows(rows) => run::<1>(rows.map(|row| row.as_ptr().cast()), b, inner, tile),
                        Left::Columns(columns) => {
                            let first: *const $type = columns.as_ptr().cast();
                            let starts = std::array::from_fn(|i| first.wrapping_add(i));
                            run::<TILE_ROWS>(starts, b, inner, tile);
                        }
                    }
                }

                /// # Safety
                ///
                /// As above; element `p` of row `i` is `STEP p` after `a[i]`.
                #[target_feature(enable = "avx512f")]
                unsafe fn run<const STEP: usize>(
                    a: [*const $type; TILE_ROWS],
                    b: *const $type,
                    inner: usize,
                    tile: *mut $type,
                ) {
                    let mut sums = [[$zero(); VECTORS]; TILE_ROWS];
                    for p in 0..inner {
                        let mut y = [$zero(); VECTORS];
                        for (v, y) in y.iter_mut().enumerate() {
                            // SAFETY: vector `v` of row `p < inner` of `b`.
                            *y = unsafe { $load(b.add((p * VECTORS + v) * $lanes)) };
                        }
                        for (sums, start) in sums.iter_mut().zip(a) {
                            // SAFETY: element `p < inner` of this row of `a`.
                            let x = $spread(unsafe { *start.add(STEP * p) });
                            for (sum, y) in sums.iter_mut().zip(y) {
                                *sum = $fma(x, y, *sum);
                            }
                        }
                    }
                    for (at, sum) in sums.as_flattened().iter().enumerate() {
                        // SAFETY: vector `at` of the tile, row by row.
                        unsafe { $store(tile.add(at * $lanes), *sum) };
                    }
                }
            }
        };
    }
    multiply!(f32, f32, 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps);
    multiply!(f64, f64, 8, _mm512_setzero_pd, _mm512_loadu_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_storeu_pd);
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

/// `c <- alpha tile + beta c`, for as many columns as the rows of `c` have; where `beta` is 0 the old `c` is not read.
pub(crate) fn store_tile<T: Real, const N: usize>(alpha: T, tile: &Tile<T, N>, beta: T, c: [&mut [T]; TILE_ROWS]) {
    dispatch(Store { alpha, tile, beta, c });
}

/// Asks for memory that will soon be used.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in slice.chunks(64 / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it is harmless at every address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slice;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    /// Whole numbers, so that every order of additions gives the same sum.
    fn every_form_gives_the_sum<T: Real, const N: usize>() {
        for inner in [0, 1, 7, 40] {
            let columns: Vec<[T; TILE_ROWS]> =
                (0..inner).map(|p| std::array::from_fn(|i| T::from_f64((3 * p + 5 * i) as f64 - 30.0))).collect();
            let rows: [Vec<T>; TILE_ROWS] = std::array::from_fn(|i| columns.iter().map(|column| column[i]).collect());
            let b: Vec<PanelRow<T, N>> =
                (0..inner).map(|p| PanelRow(std::array::from_fn(|j| T::from_f64((p + 2 * j) as f64 - 50.0)))).collect();
            let term = |i: usize, p: usize, j: usize| (3 * p + 5 * i) as f64 * (p + 2 * j) as f64;
            let shifted = |i, p, j| term(i, p, j) - 30.0 * (p + 2 * j) as f64 - 50.0 * (3 * p + 5 * i) as f64 + 1500.0;
            for a in [Left::Rows(rows.each_ref().map(Vec::as_slice)), Left::Columns(&columns)] {
                let mut tiles = vec![[[T::nan(); N]; TILE_ROWS]];
                multiply_tile(a, &b, &mut tiles[0]);
                for level in available() {
                    let mut tile = [[T::nan(); N]; TILE_ROWS];
                    run_at(level, Multiply { a, b: &b, tile: &mut tile });
                    tiles.push(tile);
                }
                for (i, j) in (0..TILE_ROWS).flat_map(|i| (0..N).map(move |j| (i, j))) {
                    let exact: f64 = (0..inner).map(|p| shifted(i, p, j)).sum();
                    assert!(tiles.iter().all(|tile| tile[i][j].as_f64() == exact), "{} {inner} {i} {j}", T::NAME);
                }
            }
        }
    }

    #[test]
    fn every_form_of_a_tile_gives_the_sum() {
        every_form_gives_the_sum::<f32, 64>();
        every_form_gives_the_sum::<f64, 32>();
    }
}
