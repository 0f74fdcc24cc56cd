//! Copies of a part of a matrix in the order in which tiles read it.

use ndarray::{ArrayView2, Axis};

use super::has_whole_rows;
use crate::Real;
use crate::simd::{PanelRow, TILE_ROWS, prefetch};

/// How many rows ahead memory is asked for: each lies on a page of its own, where the machine does not look ahead.
const AHEAD: usize = 16;

/// Cuts a matrix into panels of `N` columns, one after the other. Columns that the last one lacks keep what was there.
pub(super) fn rows<T: Real, const N: usize>(matrix: &ArrayView2<'_, T>, panels: &mut [PanelRow<T, N>]) {
    let inner = matrix.nrows();
    if !has_whole_rows(matrix) {
        let parts = matrix.axis_chunks_iter(Axis(1), N).zip(panels.chunks_mut(inner));
        return parts.for_each(|(part, panel)| turn(&part, panel));
    }
    for (p, row) in matrix.rows().into_iter().enumerate() {
        if p + AHEAD < inner {
            prefetch(matrix.row(p + AHEAD).to_slice().unwrap_or_default());
        }
        let (whole, rest) = row.to_slice().unwrap_or_default().as_chunks::<N>();
        let mut panel_rows = panels[p..].iter_mut().step_by(inner);
        for (from, to) in whole.iter().zip(&mut panel_rows) {
            to.0 = *from;
        }
        if let Some(to) = panel_rows.next() {
            to.0[..rest.len()].copy_from_slice(rest);
        }
    }
}

/// Elements of a column that are copied before the next one: a cache line of them.
const STEP: usize = 16;

/// Copies a panel column by column.
fn turn<T: Real, const N: usize>(part: &ArrayView2<'_, T>, panel: &mut [PanelRow<T, N>]) {
    for (part, panel) in part.axis_chunks_iter(Axis(0), STEP).zip(panel.chunks_mut(STEP)) {
        for (j, column) in part.columns().into_iter().enumerate() {
            let whole = column.to_slice().and_then(|column| column.as_chunks::<STEP>().0.first());
            match (whole, panel.as_chunks_mut::<STEP>().0.first_mut()) {
                (Some(column), Some(panel)) => (0..STEP).for_each(|i| panel[i].0[j] = column[i]),
                _ => panel.iter_mut().zip(column).for_each(|(to, &from)| to.0[j] = from),
            }
        }
    }
}

/// From one strip to the next: a little more than its length, so that the strips do not compete for the same lines of
/// the cache.
pub(super) fn stride(inner: usize) -> usize {
    inner + 11
}

/// Cuts a matrix into strips of [`TILE_ROWS`] rows, each column by column. Rows that the last one lacks keep what was
/// there.
pub(super) fn columns<T: Real>(matrix: &ArrayView2<'_, T>, strips: &mut Vec<[T; TILE_ROWS]>) {
    let stride = stride(matrix.ncols());
    strips.resize(stride * matrix.nrows().div_ceil(TILE_ROWS), [T::zero(); TILE_ROWS]);
    for (p, column) in matrix.columns().into_iter().enumerate() {
        let Some(column) = column.to_slice() else {
            column.iter().enumerate().for_each(|(i, &x)| strips[i / TILE_ROWS * stride + p][i % TILE_ROWS] = x);
            continue;
        };
        if p + AHEAD < matrix.ncols() {
            prefetch(matrix.column(p + AHEAD).to_slice().unwrap_or_default());
        }
        let (whole, rest) = column.as_chunks::<TILE_ROWS>();
        for (part, to) in whole.iter().zip(strips[p..].iter_mut().step_by(stride)) {
            *to = *part;
        }
        if !rest.is_empty() {
            strips[whole.len() * stride + p][..rest.len()].copy_from_slice(rest);
        }
    }
}
