//! The forward sweep: the logits of all tokens a tile at a time, and of each tile no more than its sums.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use num_traits::Zero;

use super::head::{Block, Head};
use super::objective::Objective;
use super::state::State;
use super::tokens::Tokens;
use super::{BLOCK, fault, panel};
use crate::{Element, Real, Result, parallel};

/// Classes that make one job: few enough for many threads, and many for the little that merging costs.
const STRIPE: usize = 16 * BLOCK;

/// The sums over the logits of each token; an error names the first token whose logits have no softmax.
pub(super) fn states<E: Element>(
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    objective: &Objective<'_>,
) -> Result<Vec<State<E::Real>>> {
    let (per_panel, stripes) = (panel(tokens.len()), head.classes().div_ceil(STRIPE));
    let panels = tokens.hidden.axis_chunks_iter(Axis(0), per_panel).zip(tokens.targets.chunks(per_panel));
    let mut parts: Vec<Vec<State<E::Real>>> = vec![Vec::new(); stripes * tokens.len().div_ceil(per_panel)];
    let jobs = panels.zip(parts.chunks_mut(stripes)).flat_map(|((hidden, targets), parts)| {
        parts.iter_mut().enumerate().map(move |(stripe, part)| (hidden, targets, stripe, part))
    });
    parallel::for_each(jobs.collect(), work(tokens.len(), head), |(hidden, targets, stripe, part)| {
        let first = stripe * STRIPE;
        let classes = first..head.classes().min(first + STRIPE);
        *part = stripe_states((hidden, targets), head, objective, classes);
    });
    let merge = |left: Vec<_>, right: Vec<_>| left.into_iter().zip(right).map(|(a, b)| State::merge(a, b)).collect();
    let panels = parts.chunks_mut(stripes).map(|parts| parts.iter_mut().map(std::mem::take).reduce(merge));
    let states: Vec<_> = panels.flatten().flatten().collect();
    fault::check(tokens, head, &states)?;
    Ok(states)
}

/// Bytes that count as work: a logit costs one multiplication for each element of a hidden state.
pub(super) fn work<E: Element>(tokens: usize, head: &Head<'_, E>) -> usize {
    tokens.saturating_mul(head.weight.len())
}

/// The sums of some tokens over some classes, by way of a tile of [`BLOCK`] classes.
fn stripe_states<E: Element>(
    (hidden, targets): (ArrayView2<'_, E::Real>, &[usize]),
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    classes: Range<usize>,
) -> Vec<State<E::Real>> {
    let mut tile = Array2::from_elem((targets.len(), BLOCK.min(classes.len())), E::Real::zero());
    let mut states = vec![State::new(); targets.len()];
    for range in head.blocks(classes) {
        let tile = tile.slice_mut(s![.., ..range.len()]);
        read(&head.block(range), (hidden, targets), objective, tile, &mut states);
    }
    states
}

/// Writes the logits of a block of classes to the tile and adds them to the states.
pub(super) fn read<T: Real>(
    block: &Block<'_, T>,
    (hidden, targets): (ArrayView2<'_, T>, &[usize]),
    objective: &Objective<'_>,
    mut tile: ArrayViewMut2<'_, T>,
    states: &mut [State<T>],
) {
    let (map, mut images) = (objective.map::<T>(), Vec::new());
    block.multiply(hidden, tile.view_mut());
    block.for_each_row(tile, |token, finite, row| {
        let state = &mut states[token];
        state.finite &= finite;
        // The tile keeps the logits as they are: the slopes are those of the logits.
        let row = match map {
            None => row,
            Some(map) => {
                images.clear();
                images.extend_from_slice(row);
                state.finite &= map.apply(&mut images);
                &mut images
            }
        };
        state.push(row, block.first, targets[token], objective.spread_by());
    });
}
