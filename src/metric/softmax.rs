//! Rows of logits that become the slopes of their cross-entropy.

use ndarray::{ArrayRef2, aview1};

use super::row_weights::RowLoss;
use crate::logits::{CrossEntropy, TokenObjective};
use crate::{Reduction, Result};

/// Writes the cross-entropy of each row with its target to `losses`, and its slopes in the place of the logits.
pub(super) fn cross_entropy(logits: &mut ArrayRef2<f64>, targets: &[i64], losses: &mut [RowLoss]) -> Result<()> {
    let (loss, targets) = (CrossEntropy { ignore_index: None, ..CrossEntropy::default() }, aview1(targets));
    let each = loss.each(&*logits, &targets)?;
    losses.iter_mut().zip(each).for_each(|(loss, value)| *loss = RowLoss::one(value));
    loss.grad_in_place(logits, &targets, Reduction::Sum)?;
    Ok(())
}
