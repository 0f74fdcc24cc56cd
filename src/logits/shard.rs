//! A part of the vocabulary: its share of every softmax, and the gradient of its logits from the whole.

mod backward;
mod sum;

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension, s};

pub use sum::LogSumExp;

use super::labels::Labels;
use super::logit_rows::row_sum;
use crate::compiled::in_dimension;
use crate::rowwise::{self, RowReader, Rows};
use crate::target::Indices;
use crate::{Element, Error, Result, Target};
pub(super) use backward::{Upstream, backward};
pub(super) use sum::merged_rows;

/// Neighboring classes of a vocabulary that is spread over machines.
///
/// ```math
/// \log p_i = x_{i y_i} - \ln \sum_A \sum_{v \in A} e^{x_{iv}}, \qquad
/// \frac{\partial}{\partial x_{iv}} \sum_i c_i \log p_i = c_i \bigl([v = y_i] - p_{iv}\bigr)
/// ```
///
/// Each machine holds the logits `[.., V_A]` of its classes and the targets of all rows, in the numbering of the whole
/// vocabulary. [`VocabularyShard::log_sum_exp`] gives three numbers for each row; merged over the machines, they give
/// log-probabilities, and [`VocabularyShard::backward`] makes the gradient of the local logits from them. Nothing else
/// travels. The results are those of [`token_log_probs`](super::token_log_probs) of the whole row, to its precision.
///
/// A row of a shard may be all -inf, or a shard may have no classes at all: only the merged row must be a distribution.
/// A row whose target is `ignore_index` is never looked at, and its sum is empty. A target that the shard does not hold
/// belongs to another; one that no shard holds is found out by the merged sum, which has no log-probability. One that two
/// shards hold, as where the whole vocabulary is merged twice, is refused by the merge.
///
/// A vocabulary is often padded to a multiple of the number of machines. With `classes`, the number of real ones, the
/// logits of the padding are never looked at, have no share of any softmax and a zero gradient, and a target there is
/// refused by every shard.
///
/// Temperature and soft cap are up to the caller, who applies them to the logits of each part before, and multiplies the
/// gradient by their slope after; [`LogitTransform`](super::LogitTransform) has the formulas.
///
/// # Errors
///
/// Of every method: [`Value`](crate::Error::Value) for a logit that is NaN or +inf, by its local place, and for a
/// target that is neither `>= 0` nor ignored; [`Target`](crate::Error::Target) for one that is not below `classes`;
/// [`Shape`](crate::Error::Shape), also for 0-d logits.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::{LogSumExp, VocabularyShard}, ndarray::{array, s}};
/// let (logits, targets) = (array![[1.0_f64, 2.0, 3.0], [3.0, 1.0, 2.0]], array![2, 1]);
/// let (left, right) = (VocabularyShard::default(), VocabularyShard { first_class: 1, ..VocabularyShard::default() });
///
/// let of_left = left.log_sum_exp(&logits.slice(s![.., ..1]), &targets)?; // on one machine
/// let of_right = right.log_sum_exp(&logits.slice(s![.., 1..]), &targets)?; // on another
/// let whole = LogSumExp::merge_rows(&of_left, &of_right)?; // on each
/// assert!((whole[0].log_prob().unwrap() + 0.407_605_964_444_380_1).abs() < 1e-15);
/// assert!((whole[1].log_prob().unwrap() + 2.407_605_964_444_38).abs() < 1e-14);
///
/// let grad = right.backward(&logits.slice(s![.., 1..]), &targets, &whole, &array![1.0, 1.0])?;
/// assert!((grad[[0, 0]] + 0.244_728_471_054_797_6).abs() < 1e-15); // -p
/// assert!((grad[[0, 1]] - 0.334_759_044_225_178_1).abs() < 1e-15); // 1 - p
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Shoeybi et al. 2019, section 3, [arXiv:1909.08053](https://arxiv.org/abs/1909.08053).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct VocabularyShard {
    /// The class, in the whole vocabulary, of the first logit. Default 0.
    pub first_class: usize,
    /// Number of classes of the whole vocabulary, without padding. Default none: every logit is of a class.
    pub classes: Option<usize>,
    /// Target of the rows that take no part. Default -100 (torch); it wins even where it is a class.
    pub ignore_index: Option<i64>,
}

impl Default for VocabularyShard {
    fn default() -> Self {
        Self { first_class: 0, classes: None, ignore_index: Some(-100) }
    }
}

impl VocabularyShard {
    /// The sum of each row over the classes of the shard, with the logit of the target where the shard holds it.
    ///
    /// # Errors
    ///
    /// See [`VocabularyShard`].
    pub fn log_sum_exp<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<Array<LogSumExp<E::Real>, D::Smaller>> {
        Ok(in_dimension(E::shard_sums(self, logits.view().into_dyn(), I::erase(targets.view().into_dyn()))?))
    }

    /// Gradient, in the logits of the shard, of `Σ cotangent · log_prob` of the merged rows.
    ///
    /// `whole` are the sums over the whole vocabulary and `cotangent` has their shape. A row whose cotangent is 0, like
    /// one that is ignored, gets a zero gradient and is never looked at. The entry of the target is exact where its
    /// probability is almost 1.
    ///
    /// # Errors
    ///
    /// See [`VocabularyShard`]. [`Value`](crate::Error::Value) also for a cotangent that is not finite, a whole row of
    /// nothing but -inf, a target that no part holds, and a logit above the largest of the whole, which then is the
    /// whole of other logits.
    pub fn backward<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        whole: &ArrayRef<LogSumExp<E::Real>, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
    ) -> Result<Array<E::Real, D>> {
        let mut out = in_dimension(E::zeros_of(logits.shape()));
        self.backward_into(logits, targets, whole, cotangent, &mut out)?;
        Ok(out)
    }

    /// [`VocabularyShard::backward`] into a buffer of the shape of the logits.
    ///
    /// # Errors
    ///
    /// Those of [`VocabularyShard::backward`]. All but the logits is checked before anything is written; after an error
    /// in the logits the buffer is unspecified.
    pub fn backward_into<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        whole: &ArrayRef<LogSumExp<E::Real>, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
        out: &mut ArrayRef<E::Real, D>,
    ) -> Result<()> {
        let (whole, cotangent) = (whole.view().into_dyn(), cotangent.view().into_dyn());
        let upstream = Upstream { targets: I::erase(targets.view().into_dyn()), whole, cotangent };
        E::shard_backward(self, logits.view().into_dyn(), upstream, out.view_mut().into_dyn())
    }

    /// How many of so many logits are of classes; what follows them is padding.
    fn held(&self, width: usize) -> usize {
        self.classes.map_or(width, |classes| classes.saturating_sub(self.first_class).min(width))
    }

    /// The targets as classes of a vocabulary whose size may be unknown here.
    fn labels<'a>(
        &self,
        targets: Indices<'a>,
        leading: &[usize],
        skipped: &dyn Fn(usize) -> bool,
    ) -> Result<Labels<'a>> {
        let classes = self.classes.unwrap_or(isize::MAX as usize);
        let labels = Labels::erased(targets, leading, classes, self.ignore_index, skipped);
        labels.map_err(|error| match error {
            Error::Target { argument, position, value, .. } if self.classes.is_none() => {
                Error::Value { argument, position, value: value as f64, allowed: "a class, >= 0, or the ignored index" }
            }
            error => error,
        })
    }

    /// Where among the logits that the shard holds a class stands, if it is here.
    fn place(&self, class: usize, held: usize) -> Option<usize> {
        class.checked_sub(self.first_class).filter(|&at| at < held)
    }
}

/// The sum of each row over the classes of a shard.
pub(super) fn sums<E: Element>(
    shard: &VocabularyShard,
    logits: ArrayViewD<'_, E>,
    targets: Indices<'_>,
) -> Result<ArrayD<LogSumExp<E::Real>>> {
    let (width, leading) = extents(logits.shape())?;
    let labels = shard.labels(targets, leading, &|_| false)?;
    let mut sums = ArrayD::from_elem(leading, LogSumExp::empty());
    let held = shard.held(width);
    if held == 0 {
        return Ok(sums);
    }
    let rows = Rows::new("logits", &logits)?;
    rows.jobs(1).each_value(sums.as_slice_mut().unwrap_or_default(), |index, to| {
        let Some(target) = labels.get(index) else { return Ok(()) };
        let row = rows.row(index).slice_move(s![..held]);
        let sum = LogSumExp::from_row(&row_sum(row), shard.place(target, held).map(|at| row[at].real()));
        *to = sum.ok_or_else(|| rowwise::improper("logits", leading, index, row))?;
        Ok(())
    })?;
    Ok(sums)
}

/// Number of classes, and the shape without their axis.
fn extents(shape: &[usize]) -> Result<(usize, &[usize])> {
    match shape.split_last() {
        Some((&width, leading)) => Ok((width, leading)),
        None => Err(Error::no_axis("logits")),
    }
}

#[cfg(test)]
mod tests;
