//! A product by tiles that stay in registers.
//!
//! Each element of the result is the sum over its inner axis in order, in blocks of [`INNER`]. How the matrices are cut,
//! copied or exchanged is therefore free: it does not change a bit.

use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use super::scratch::Pool;
use super::{has_whole_rows, pack, work};
use crate::simd::{Left, PanelRow, TILE_ROWS, Tile, multiply_tile, prefetch, store_tile};
use crate::{Real, parallel};

/// Terms that are added up in registers before they go to memory.
const INNER: usize = 512;

/// Panels of the right factor, 128 KiB each, that are copied at a time: 2 MiB.
const PANELS: usize = 16;

/// Panels that make one job, of copying or of few rows.
const GROUP: usize = 4;

/// Rows of the left factor that make one job, at least and at most; between them, a sixteenth.
const LEAST: usize = 2 * TILE_ROWS;
const GREATEST: usize = 16 * TILE_ROWS;

/// `c <- alpha a b + beta c`.
pub(super) fn product<T: Real, const N: usize>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    c: ArrayViewMut2<'_, T>,
) {
    let (a, b, mut c) = match exchange(&a, &b) {
        true => (b.reversed_axes(), a.reversed_axes(), c.reversed_axes()),
        false => (a, b, c),
    };
    if a.ncols() == 0 {
        return c.mapv_inplace(|c| if beta == T::zero() { beta } else { beta * c });
    }
    let (mut panels, scratch) = (Vec::new(), Pool::default());
    for (b, mut c) in b.axis_chunks_iter(Axis(1), PANELS * N).zip(c.axis_chunks_iter_mut(Axis(1), PANELS * N)) {
        for (p, (a, b)) in a.axis_chunks_iter(Axis(1), INNER).zip(b.axis_chunks_iter(Axis(0), INNER)).enumerate() {
            copy::<T, N>(&b, &mut panels);
            let beta = if p == 0 { beta } else { T::one() };
            let work = work(a.nrows(), a.ncols(), b.ncols());
            let jobs = jobs(a, &panels, c.view_mut());
            parallel::for_each(jobs, work, |job| scratch.with(|strips| job.run(alpha, beta, strips)));
        }
    }
}

/// Whether `(bᵀ aᵀ)ᵀ` is the better way: the right factor is copied, row by row.
///
/// That is cheap where its rows lie in one piece. Where this holds for neither factor, the smaller one is copied.
fn exchange<T: Real>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>) -> bool {
    let cheap = [has_whole_rows(b), has_whole_rows(&a.t())];
    if cheap[0] || cheap[1] { !cheap[0] } else { a.nrows() < b.ncols() }
}

/// Copies the right factor to panels, one after the other.
fn copy<T: Real, const N: usize>(b: &ArrayView2<'_, T>, panels: &mut Vec<PanelRow<T, N>>) {
    let inner = b.nrows();
    panels.resize(inner * b.ncols().div_ceil(N), PanelRow([T::zero(); N]));
    let groups = b.axis_chunks_iter(Axis(1), GROUP * N).zip(panels.chunks_mut(GROUP * inner));
    parallel::for_each(groups.collect(), b.len() * size_of::<T>(), |(b, panels)| pack::rows(&b, panels));
}

/// A part of the result, and what it is made of.
struct Job<'a, T, const N: usize> {
    a: ArrayView2<'a, T>,
    panels: &'a [PanelRow<T, N>],
    c: ArrayViewMut2<'a, T>,
}

/// Cuts the result, by its shape alone.
fn jobs<'a, T: Real, const N: usize>(
    a: ArrayView2<'a, T>,
    panels: &'a [PanelRow<T, N>],
    mut c: ArrayViewMut2<'a, T>,
) -> Vec<Job<'a, T, N>> {
    let height = a.nrows().div_ceil(16).next_multiple_of(TILE_ROWS).clamp(LEAST, GREATEST);
    let width = if a.nrows() < 8 * LEAST { GROUP } else { PANELS };
    let mut jobs = Vec::new();
    for panels in panels.chunks(width * a.ncols()) {
        let columns = c.ncols().min(width * N);
        let (part, rest) = c.split_at(Axis(1), columns);
        c = rest;
        let mut below = part;
        for i in (0..a.nrows()).step_by(height) {
            let a = a.slice_move(s![i..a.nrows().min(i + height), ..]);
            let (c, rest) = below.split_at(Axis(0), a.nrows());
            below = rest;
            jobs.push(Job { a, panels, c });
        }
    }
    jobs
}

impl<T: Real, const N: usize> Job<'_, T, N> {
    fn run(mut self, alpha: T, beta: T, strips: &mut Vec<[T; TILE_ROWS]>) {
        let inner = self.a.ncols();
        let by_rows = has_whole_rows(&self.a);
        if !by_rows {
            pack::columns(&self.a, strips);
        }
        let mut tile = [[T::zero(); N]; TILE_ROWS];
        for (b, mut c) in self.panels.chunks(inner).zip(self.c.axis_chunks_iter_mut(Axis(1), N)) {
            let parts = self.a.axis_chunks_iter(Axis(0), TILE_ROWS).zip(c.axis_chunks_iter_mut(Axis(0), TILE_ROWS));
            for (i, (a, c)) in parts.enumerate() {
                if has_whole_rows(&c.view()) {
                    c.rows().into_iter().for_each(|row| prefetch(row.to_slice().unwrap_or_default()));
                }
                let a = match by_rows {
                    true => Left::Rows(slices(&a)),
                    false => Left::Columns(&strips[i * pack::stride(inner)..][..inner]),
                };
                multiply_tile(a, b, &mut tile);
                store(alpha, &tile, beta, c);
            }
        }
    }
}

/// The rows of a tile; those that it lacks are taken for its last one.
fn slices<'a, T>(a: &ArrayView2<'a, T>) -> [&'a [T]; TILE_ROWS] {
    let row = |i: usize| (*a).slice_move(s![i.min(a.nrows() - 1), ..]).to_slice().unwrap_or_default();
    std::array::from_fn(row)
}

/// `c <- alpha tile + beta c`, as much of the tile as `c` has room for.
fn store<T: Real, const N: usize>(alpha: T, tile: &Tile<T, N>, beta: T, mut c: ArrayViewMut2<'_, T>) {
    if has_whole_rows(&c.view()) {
        let mut rows = c.rows_mut().into_iter().map(|row| row.into_slice().unwrap_or_default());
        return store_tile(alpha, tile, beta, std::array::from_fn(|_| rows.next().unwrap_or_default()));
    }
    let blend = |c: &mut T, x: T| *c = if beta == T::zero() { alpha * x } else { alpha * x + beta * *c };
    for (j, mut column) in c.columns_mut().into_iter().enumerate() {
        match column.as_slice_mut().and_then(|column| column.as_chunks_mut::<TILE_ROWS>().0.first_mut()) {
            Some(column) => (0..TILE_ROWS).for_each(|i| blend(&mut column[i], tile[i][j])),
            None => column.iter_mut().zip(tile).for_each(|(c, row)| blend(c, row[j])),
        }
    }
}
