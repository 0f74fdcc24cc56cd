//! The backward sweep of [`LinearPlan::Recompute`](super::LinearPlan): each tile again, its gradient in place, and that
//! into the gradients of hidden states, weight and bias.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use num_traits::{One, Zero};

use super::forward::work;
use super::head::{Block, Head};
use super::objective::Objective;
use super::sink::{HeadSink, check_weight, matrix};
use super::slope::Slope;
use super::tokens::Tokens;
use super::{BLOCK, lanes, panel};
use crate::gemm::product;
use crate::{Element, Real, Result, parallel, reduction};

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
                let count = group.tokens.len();
                let mut tile = matrix(&mut scratch[..count * classes.len()], count, classes.len())?;
                sums.extend(tile_gradient(group, head, &block, objective, tile.view_mut())?);
                let keep = if i == 0 { E::Real::zero() } else { E::Real::one() };
                product(E::Real::one(), tile.t(), group.tokens.hidden.view(), keep, weight.view_mut());
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

/// Writes the gradient in the logits of a block of classes to the tile, and adds what follows from it to the gradient of
/// the hidden states. Returns the sums over the tokens of each panel, which the bias needs.
fn tile_gradient<E: Element>(
    group: &mut Group<'_, '_, E::Real>,
    head: &Head<'_, E>,
    block: &Block<'_, E::Real>,
    objective: &Objective<'_>,
    mut tile: ArrayViewMut2<'_, E::Real>,
) -> Result<Vec<Vec<f64>>> {
    let (count, per_panel) = (group.tokens.len(), panel(group.tokens.len()));
    let mut rows = matrix(&mut group.rows[..count * head.width()], count, head.width())?;
    let length = if head.has_bias() { tile.ncols() } else { 0 };
    let mut sums = vec![vec![0.0; length]; count.div_ceil(per_panel)];
    let hidden = group.tokens.hidden.axis_chunks_iter(Axis(0), per_panel);
    let inputs = hidden.zip(group.slopes.chunks(per_panel));
    let outputs = tile.axis_chunks_iter_mut(Axis(0), per_panel).zip(rows.axis_chunks_iter_mut(Axis(0), per_panel));
    let jobs = inputs.zip(outputs).zip(&mut sums).collect();
    let bytes = work(count, head) / head.classes() * tile_width(block);
    parallel::for_each(jobs, bytes, |((input, (tile, rows)), sums)| {
        panel_gradient(block, input, objective, (tile, rows), sums);
    });
    Ok(sums)
}

fn tile_width<T>(block: &Block<'_, T>) -> usize {
    block.weight.nrows()
}

/// The same for one panel.
fn panel_gradient<T: Real>(
    block: &Block<'_, T>,
    (hidden, slopes): (ArrayView2<'_, T>, &[Slope<T>]),
    objective: &Objective<'_>,
    (mut tile, rows): (ArrayViewMut2<'_, T>, ArrayViewMut2<'_, T>),
    sums: &mut [f64],
) {
    block.logits(hidden, tile.view_mut(), |token, _, row| {
        slopes[token].replace(row, block.first, objective.weights);
        lanes::add_to(sums, row);
    });
    let keep = if block.first == 0 { T::zero() } else { T::one() };
    product(T::one(), tile.view(), block.weight.view(), keep, rows);
}
