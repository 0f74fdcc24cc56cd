//! Rows of few classes, sixteen at a time: each is shorter than the work that a call of its own would cost.

use num_traits::{Float, Zero};

use super::kernel::{Ask, Asked, Block, Keep, RowKernel, Summed};
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

/// Neighboring rows, from `first` on.
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
    let mut asked = Asked { asks: [Ask::Nothing; ROW_TILE], logits: [E::Real::nan(); ROW_TILE] };
    let asks = &mut asked.asks;
    asks.iter_mut().enumerate().take(values.len()).for_each(|(r, ask)| *ask = pass.kernel.asks(first + r));
    load(pass, first, values.len(), out.as_deref(), tile);
    for (logit, (r, ask)) in asked.logits.iter_mut().zip(asks.iter().enumerate()) {
        if let Ask::Class(class) = *ask {
            *logit = tile[class][r];
        }
    }
    let exponentials = has_output && pass.kernel.keeps() == Keep::Exponentials;
    let mut tile = if exponentials { RowTile::sum_exp(tile) } else { RowTile::sum(tile) };
    if all_at_once(pass, first, values, out.as_deref_mut(), &mut asked, &mut tile) {
        return Ok(());
    }
    let Asked { asks, logits } = asked;
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

/// Writes the numbers of rows, and their outputs, unless one of them needs a closer look.
fn all_at_once<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    out: Option<&mut [E::Real]>,
    asked: &mut Asked<E::Real>,
    tile: &mut RowTile<'_, E::Real>,
) -> bool {
    let mut are_proper = true;
    for i in 0..ROW_TILE {
        if asked.asks[i] == Ask::Nothing {
            // Of no matter, but numbers.
            (tile.max[i], tile.others[i], tile.log[i], asked.logits[i]) = (E::Real::zero(), 0.0, 0.0, E::Real::zero());
        }
        are_proper &= tile.max[i].is_finite() & tile.others[i].is_finite();
    }
    let mut numbers = [0.0; ROW_TILE];
    let are_known = are_proper
        && match out {
            None => pass.kernel.numbers(first, tile, &asked.logits, &mut numbers),
            Some(out) => {
                let are_known = pass.kernel.finish_tile(first, tile, asked, &mut numbers);
                if are_known {
                    tile.write(out);
                }
                are_known
            }
        };
    if are_known {
        for ((value, number), ask) in values.iter_mut().zip(numbers).zip(asked.asks) {
            *value = if ask == Ask::Nothing { 0.0 } else { number };
        }
    }
    are_known
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
