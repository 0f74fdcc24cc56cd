//! Rows of few classes, sixteen at a time: a call for each would take longer than the row itself.

use num_traits::{Float, Zero};

use super::kernel::{Block, OutputState, Requested, RowRequest, Summed};
use super::row_passes::{RowPass, Scratch, skip};
use crate::rowwise::{Rows, RowsMut, copy};
use crate::simd::{ROW_TILE, RowSum, RowTile};
use crate::{Element, Real, Result};

/// From so many classes on, rows go one by one.
const FEW_CLASSES: usize = 64;

/// Whether the rows are short enough.
pub(super) fn fit<E: Element>(pass: &RowPass<'_, '_, E>) -> bool {
    pass.classes() < FEW_CLASSES && !pass.needs_moment
}

/// Neighboring rows, from `first` on.
pub(super) fn job<E: Element>(
    pass: &RowPass<'_, '_, E>,
    first: usize,
    losses: &mut [f64],
    out: Option<RowsMut<'_, E::Real>>,
    scratch: &mut Scratch<E::Real>,
) -> Result<()> {
    scratch.tile.resize(pass.classes(), [E::Real::zero(); ROW_TILE]);
    let tile = &mut scratch.tile;
    match out {
        None => tiles(pass, first, losses, None, tile),
        Some(RowsMut::Packed { data, .. }) => tiles(pass, first, losses, Some(data), tile),
        Some(RowsMut::Scattered { mut rows, width }) => {
            let mut packed = vec![E::Real::zero(); rows.len() * width];
            rows.iter().zip(packed.chunks_mut(width)).for_each(|(row, to)| copy(row.view(), to));
            let result = tiles(pass, first, losses, Some(&mut packed), tile);
            for (row, from) in rows.iter_mut().zip(packed.chunks(width)) {
                row.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
            result
        }
    }
}

fn tiles<E: Element>(
    pass: &RowPass<'_, '_, E>,
    first: usize,
    losses: &mut [f64],
    out: Option<&mut [E::Real]>,
    tile: &mut [[E::Real; ROW_TILE]],
) -> Result<()> {
    let mut outs = out.map(|out| out.chunks_mut(ROW_TILE * pass.classes()));
    for (i, losses) in losses.chunks_mut(ROW_TILE).enumerate() {
        one(pass, first + i * ROW_TILE, losses, outs.as_mut().and_then(Iterator::next), tile)?;
    }
    Ok(())
}

/// Up to sixteen rows.
fn one<E: Element>(
    pass: &RowPass<'_, '_, E>,
    first: usize,
    losses: &mut [f64],
    mut out: Option<&mut [E::Real]>,
    tile: &mut [[E::Real; ROW_TILE]],
) -> Result<()> {
    let (classes, has_output) = (pass.classes(), out.is_some());
    let mut requested = Requested { requests: [RowRequest::Nothing; ROW_TILE], logits: [E::Real::nan(); ROW_TILE] };
    let requests = &mut requested.requests;
    pass.kernel.requests(first, &mut requests[..losses.len()]);
    load(pass, first, losses.len(), out.as_deref(), tile);
    for r in 0..ROW_TILE {
        if let RowRequest::Class(class) = requests[r] {
            requested.logits[r] = tile[class][r];
        }
    }
    let exponentials = has_output && pass.output_state == OutputState::Exponentials;
    let mut tile = if exponentials { RowTile::sum_exp(tile) } else { RowTile::sum(tile) };
    if all_at_once(pass, first, losses, out.as_deref_mut(), &mut requested, &mut tile) {
        return Ok(());
    }
    let Requested { requests, logits } = requested;
    for (r, loss) in losses.iter_mut().enumerate() {
        let work = out.as_deref_mut().map(|out| &mut out[r * classes..][..classes]);
        if requests[r] == RowRequest::Nothing {
            *loss = skip(work);
            continue;
        }
        let sum = RowSum { max: tile.max[r], others: tile.others[r], moment: 0.0 };
        let summed = Summed { index: first + r, sum, log: tile.log[r], logit: logits[r] };
        let stored = || pass.logits.map(|logits| logits.row(first + r));
        if !sum.is_proper() {
            return Err(pass.fault(first + r, stored(), work.as_deref()));
        }
        let (found, slope) = pass.loss(summed, stored(), work.as_deref(), has_output)?;
        *loss = found;
        if let Some(data) = work {
            data.iter_mut().zip(&*tile.classes).for_each(|(to, class)| *to = class[r]);
            pass.kernel.finish(&slope, &summed, Block { first: 0, data, factor: 1.0 });
        }
    }
    Ok(())
}

/// Writes the losses of rows, and their outputs, unless one of them needs a closer look.
fn all_at_once<E: Element>(
    pass: &RowPass<'_, '_, E>,
    first: usize,
    losses: &mut [f64],
    out: Option<&mut [E::Real]>,
    requested: &mut Requested<E::Real>,
    tile: &mut RowTile<'_, E::Real>,
) -> bool {
    let mut are_proper = true;
    for i in 0..ROW_TILE {
        if requested.requests[i] == RowRequest::Nothing {
            // What stands here does not matter, but it must be finite.
            (tile.max[i], tile.others[i], tile.log[i]) = (E::Real::zero(), 0.0, 0.0);
            requested.logits[i] = E::Real::zero();
        }
        are_proper &= tile.max[i].is_finite() & tile.others[i].is_finite();
    }
    let mut found = [0.0; ROW_TILE];
    let are_known = are_proper
        && match out {
            None => pass.kernel.losses(first, tile, &requested.logits, &mut found),
            Some(out) => {
                let are_known = pass.kernel.finish_tile(first, tile, requested, &mut found);
                if are_known {
                    tile.write(out);
                }
                are_known
            }
        };
    if are_known {
        for r in 0..losses.len() {
            losses[r] = if requested.requests[r] == RowRequest::Nothing { 0.0 } else { found[r] };
        }
    }
    are_known
}

/// Puts rows next to one another; lanes without a row hold what was there before.
fn load<E: Element>(
    pass: &RowPass<'_, '_, E>,
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
    let classes = tile.len();
    for r in 0..ROW_TILE.min(data.len() / classes) {
        let row = &data[r * classes..][..classes];
        for v in 0..classes {
            tile[v][r] = row[v];
        }
    }
}
