//! The backward sweep of [`LinearPlan::Recompute`](super::LinearPlan): each tile again, its gradient in place, and that
//! into the gradients of hidden states, weight and bias.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use num_traits::Zero;

use super::head::{Block, Head};
use super::objective::Objective;
use super::sink::{HeadSink, check_weight, matrix};
use super::slope::Slope;
use super::tokens::Tokens;
use super::{BLOCK, lanes};
use crate::gemm::product;
use crate::{Element, Real, Result, parallel, reduction};

/// Rows of a tile that make one job: 128 KiB of `f32`.
const ROWS: usize = 64;

/// Tokens with their slopes, and the rows that their gradient is added up in.
pub(super) struct Group<'g, 'a, T> {
    pub(super) tokens: &'g Tokens<'a, T>,
    pub(super) slopes: &'g [Slope<T>],
    pub(super) rows: &'g mut [T],
}

/// Writes the gradients of all groups together. Those of hidden states are left at the front of their rows.
pub(super) fn backward<E: Element>(
    mut groups: Vec<Group<'_, '_, E::Real>>,
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    out: &mut HeadSink<'_, E::Real>,
) -> Result<()> {
    groups.retain(|group| group.tokens.len() > 0);
    let Some(most) = groups.iter().map(|group| group.tokens.len()).max() else {
        out.clear();
        return Ok(());
    };
    let mut scratch = vec![E::Real::zero(); most * BLOCK.min(head.classes())];
    for classes in head.blocks(0..head.classes()) {
        let block = head.block(classes.clone());
        let mut sums = Vec::new();
        out.block(classes.clone(), |mut weight| {
            for (i, group) in groups.iter_mut().enumerate() {
                let (hidden, count) = (group.tokens.hidden.view(), group.tokens.len());
                let mut tile = matrix(&mut scratch[..count * classes.len()], count, classes.len())?;
                block.multiply(hidden, tile.view_mut());
                sums.extend(tile_gradient(&block, group.slopes, objective, tile.view_mut()));
                let rows = matrix(&mut group.rows[..count * head.width()], count, head.width())?;
                add_product(block.first > 0, tile.view(), block.weight.view(), rows);
                add_product(i > 0, tile.t(), hidden, weight.view_mut());
            }
            check_weight(classes.start, weight)
        })?;
        if head.has_bias() {
            let column = |class: usize| reduction::pairwise(&sums.iter().map(|sums| sums[class]).collect::<Vec<_>>());
            out.write_bias(classes.start, (0..classes.len()).map(column))?;
        }
    }
    Ok(())
}

/// Turns the products of a tile into the gradient in its logits. Returns the sums over the tokens of each job, which the
/// gradient of the bias needs.
fn tile_gradient<T: Real>(
    block: &Block<'_, T>,
    slopes: &[Slope<T>],
    objective: &Objective<'_>,
    mut tile: ArrayViewMut2<'_, T>,
) -> Vec<Vec<f64>> {
    let (bytes, length) = (tile.len() * size_of::<T>(), if block.bias.is_some() { tile.ncols() } else { 0 });
    let mut sums = vec![vec![0.0; length]; slopes.len().div_ceil(ROWS)];
    let map = objective.map();
    let jobs = tile.axis_chunks_iter_mut(Axis(0), ROWS).zip(slopes.chunks(ROWS)).zip(&mut sums);
    parallel::for_each(jobs.collect(), bytes, |((tile, slopes), sums)| {
        block.for_each_row(tile, |token, _, row| {
            slopes[token].replace(row, block.first, objective.weights, map);
            lanes::add_to(sums, row);
        });
    });
    sums
}

/// Writes a product, or adds it to what is there.
fn add_product<T: Real>(add: bool, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, out: ArrayViewMut2<'_, T>) {
    product(T::one(), a, b, if add { T::one() } else { T::zero() }, out);
}
