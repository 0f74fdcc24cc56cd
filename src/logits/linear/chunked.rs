//! [`LinearPlan::Chunked`](super::LinearPlan): whole rows of logits of some tokens at a time, which become their gradient
//! in place.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use num_traits::{One, Zero};

use super::forward::{read, work};
use super::head::Head;
use super::objective::Objective;
use super::plan::CHUNK;
use super::sink::{HeadSink, check_weight, matrix};
use super::slope::Slope;
use super::state::State;
use super::tokens::Tokens;
use super::{BLOCK, fault, lanes};
use crate::gemm::product;
use crate::{Element, Result, parallel};

/// Writes all gradients; those of hidden states to the front of `rows`. `slopes` is given the sums over the logits of
/// neighboring tokens with the place of the first, chunk by chunk.
pub(super) fn gradient<E: Element>(
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    slopes: &mut dyn FnMut(usize, &[State<E::Real>]) -> Result<Vec<Slope<E::Real>>>,
    (rows, out): (&mut [E::Real], &mut HeadSink<'_, E::Real>),
) -> Result<()> {
    if tokens.len() == 0 {
        out.clear();
        return Ok(());
    }
    let mut logits = Array2::from_elem((CHUNK.min(tokens.len()), head.classes()), E::Real::zero());
    let mut sums = vec![0.0; if head.has_bias() { head.classes() } else { 0 }];
    out.weight(|mut weight| {
        let chunks = tokens.hidden.axis_chunks_iter(Axis(0), CHUNK).zip(tokens.targets.chunks(CHUNK));
        let rows = rows[..tokens.len() * head.width()].chunks_mut(CHUNK * head.width());
        for ((i, (hidden, targets)), rows) in chunks.enumerate().zip(rows) {
            let mut logits = logits.slice_mut(s![..targets.len(), ..]);
            let states = states((hidden, targets), head, objective, logits.view_mut());
            fault::check_from(i * CHUNK, tokens, head, &states)?;
            let slopes = slopes(i * CHUNK, &states)?;
            let keep = if i == 0 { E::Real::zero() } else { E::Real::one() };
            let weight = (keep, weight.view_mut());
            by_class((hidden, &slopes), head, objective, (logits.view_mut(), weight, &mut sums));
            by_token(logits.view(), head, matrix(rows, targets.len(), head.width())?);
        }
        check_weight(0, weight)
    })?;
    out.write_bias(0, sums)
}

/// Writes the logits and sums them.
fn states<E: Element>(
    (hidden, targets): (ArrayView2<'_, E::Real>, &[usize]),
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    mut logits: ArrayViewMut2<'_, E::Real>,
) -> Vec<State<E::Real>> {
    let mut parts = vec![vec![State::new(); targets.len()]; head.classes().div_ceil(BLOCK)];
    let tiles = logits.axis_chunks_iter_mut(Axis(1), BLOCK);
    let jobs = head.blocks(0..head.classes()).zip(tiles).zip(&mut parts);
    parallel::for_each(jobs.collect(), work(targets.len(), head), |((classes, tile), states)| {
        read(&head.block(classes), (hidden, targets), objective, tile, states);
    });
    let merge = |left: Vec<_>, right: Vec<_>| left.into_iter().zip(right).map(|(a, b)| State::merge(a, b)).collect();
    parts.into_iter().reduce(merge).unwrap_or_default()
}

/// Turns the logits into their gradient, block by block of classes, and that into the gradients of weight and bias.
fn by_class<E: Element>(
    (hidden, slopes): (ArrayView2<'_, E::Real>, &[Slope<E::Real>]),
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    (mut logits, (keep, mut weight), sums): Gradients<'_, E::Real>,
) {
    let (mut sums, map) = (sums.chunks_mut(BLOCK), objective.map());
    let outputs = logits.axis_chunks_iter_mut(Axis(1), BLOCK).zip(weight.axis_chunks_iter_mut(Axis(0), BLOCK));
    let jobs = outputs.zip(head.blocks(0..head.classes()));
    let jobs: Vec<_> = jobs.map(|job| (job, sums.next().unwrap_or_default())).collect();
    parallel::for_each(jobs, work(slopes.len(), head), |(((mut tile, weight), classes), sums)| {
        for (row, slope) in tile.axis_iter_mut(Axis(0)).zip(slopes) {
            let row = row.into_slice().unwrap_or_default();
            slope.replace(row, classes.start, objective.weights, map);
            lanes::add_to(sums, row);
        }
        product(E::Real::one(), tile.t(), hidden, keep, weight);
    });
}

/// Gradients in logits, in weight with the factor of what it holds so far, and in bias.
type Gradients<'c, T> = (ArrayViewMut2<'c, T>, (T, ArrayViewMut2<'c, T>), &'c mut [f64]);

/// The gradient of the hidden states from that of the logits.
fn by_token<E: Element>(gradient: ArrayView2<'_, E::Real>, head: &Head<'_, E>, mut rows: ArrayViewMut2<'_, E::Real>) {
    for (i, tile) in gradient.axis_chunks_iter(Axis(1), BLOCK).enumerate() {
        let block = head.block(i * BLOCK..i * BLOCK + tile.ncols());
        let keep = if i == 0 { E::Real::zero() } else { E::Real::one() };
        product(E::Real::one(), tile, block.weight.view(), keep, rows.view_mut());
    }
}
