//! Rows of few classes, sixteen at a time: each is shorter than the work that a call of its own would cost.

use num_traits::{Float, Zero};

use super::kernel::{Ask, Block, Keep, RowKernel, Summed};
use super::piece::{Pass, Scratch, skip};
use crate::rows::{Rows, RowsMut, copy};
use crate::simd::{ROW_TILE, RowSum, RowTile};
use crate::{Element, Real, Result};

/// From so many classes on, rows go one by one.
const FEW_CLASSES: usize = 64;

/// Whether the rows are short enough.
pub(super) fn fit<E: Element, K: RowKernel<E>>(pass: &Pass<'_, '_, E, K>) -> bool {
    pass.classes() < FEW_CLASSES && !pass.kernel.needs_moment()
}

/// Neighbouring rows, from `first` on.
pub(super) fn job<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    out: Option<RowsMut<'_, E::Real>>,
    scratch: &mut Scratch<E::Real>,
) -> Result<()> {
    scratch.tile.resize(pass.classes(), [E::Real::zero(); ROW_TILE]);
    let tile = &mut scratch.tile;
    match out {
        None => tiles(pass, first, values, None, tile),
        Some(RowsMut::Packed { data, .. }) => tiles(pass, first, values, Some(data), tile),
        Some(RowsMut::Scattered { mut rows, width }) => {
            let mut packed = vec![E::Real::zero(); rows.len() * width];
            rows.iter().zip(packed.chunks_mut(width)).for_each(|(row, to)| copy(row.view(), to));
            let result = tiles(pass, first, values, Some(&mut packed), tile);
            for (row, from) in rows.iter_mut().zip(packed.chunks(width)) {
                row.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
            result
        }
    }
}

fn tiles<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    out: Option<&mut [E::Real]>,
    tile: &mut [[E::Real; ROW_TILE]],
) -> Result<()> {
    let mut outs = out.map(|out| out.chunks_mut(ROW_TILE * pass.classes()));
    for (i, values) in values.chunks_mut(ROW_TILE).enumerate() {
        one(pass, first + i * ROW_TILE, values, outs.as_mut().and_then(Iterator::next), tile)?;
    }
    Ok(())
}

/// Up to sixteen rows.
fn one<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    mut out: Option<&mut [E::Real]>,
    tile: &mut [[E::Real; ROW_TILE]],
) -> Result<()> {
    let (classes, has_output) = (pass.classes(), out.is_some());
    let mut asks = [Ask::Nothing; ROW_TILE];
    asks.iter_mut().enumerate().take(values.len()).for_each(|(r, ask)| *ask = pass.kernel.asks(first + r));
    load(pass, first, values.len(), out.as_deref(), tile);
    let mut logits = [E::Real::nan(); ROW_TILE];
    for (logit, (r, ask)) in logits.iter_mut().zip(asks.iter().enumerate()) {
        if let Ask::Class(class) = *ask {
            *logit = tile[class][r];
        }
    }
    let mut tile = RowTile::sum(tile);
    if has_output && pass.kernel.keeps() == Keep::Exponentials {
        tile.exp();
    }
    if !has_output && all_at_once(pass, first, values, &asks, &mut logits, &tile) {
        return Ok(());
    }
    for (r, value) in values.iter_mut().enumerate() {
        let work = out.as_deref_mut().map(|out| &mut out[r * classes..][..classes]);
        if asks[r] == Ask::Nothing {
            *value = skip(work);
            continue;
        }
        let sum = RowSum { max: tile.max[r], others: tile.others[r], moment: 0.0 };
        let summed = Summed { index: first + r, sum, log: tile.log[r], logit: logits[r] };
        let stored = || pass.logits.map(|logits| logits.row(first + r));
        if !sum.is_proper() {
            return Err(pass.fault(first + r, stored(), work.as_deref()));
        }
        let (number, slope) = pass.kernel.value(&pass.row_of(summed, stored(), work.as_deref(), has_output))?;
        *value = number;
        if let Some(data) = work {
            data.iter_mut().zip(&*tile.classes).for_each(|(to, class)| *to = class[r]);
            pass.kernel.finish(&slope, &summed, Block { first: 0, data, factor: 1.0 });
        }
    }
    Ok(())
}

/// Writes the numbers of rows without outputs, unless one of them needs a closer look.
fn all_at_once<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    asks: &[Ask; ROW_TILE],
    logits: &mut [E::Real; ROW_TILE],
    tile: &RowTile<'_, E::Real>,
) -> bool {
    let mut are_proper = true;
    for i in 0..ROW_TILE {
        are_proper &= tile.max[i].is_finite() & tile.others[i].is_finite();
        if asks[i] == Ask::Nothing {
            logits[i] = tile.max[i]; // of no matter, but a number
        }
    }
    let mut numbers = [0.0; ROW_TILE];
    if !are_proper || !pass.kernel.numbers(first, tile, logits, &mut numbers) {
        return false;
    }
    for ((value, number), ask) in values.iter_mut().zip(numbers).zip(asks) {
        *value = if *ask == Ask::Nothing { 0.0 } else { number };
    }
    true
}

/// Puts rows next to one another; lanes without a row hold what was there before.
fn load<E: Element, K>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    rows: usize,
    out: Option<&[E::Real]>,
    tile: &mut [[E::Real; ROW_TILE]],
) {
    let width = tile.len();
    let packed = match pass.logits {
        Some(Rows::Packed { data, .. }) => E::as_real(&data[first * width..][..rows * width]),
        Some(_) => None,
        None => out,
    };
    match packed {
        Some(data) => spread(data, tile),
        None => {
            let mut scratch = [E::Real::zero(); FEW_CLASSES];
            for (r, logits) in (0..rows).filter_map(|r| Some((r, pass.logits?.row(first + r)))) {
                copy(logits, &mut scratch[..width]);
                tile.iter_mut().zip(&scratch).for_each(|(class, &x)| class[r] = x);
            }
        }
    }
}

/// Transposes rows that follow one another.
fn spread<T: Real>(data: &[T], tile: &mut [[T; ROW_TILE]]) {
    for (r, row) in data.chunks_exact(tile.len()).enumerate().take(ROW_TILE) {
        for (class, &x) in tile.iter_mut().zip(row) {
            class[r] = x;
        }
    }
}
