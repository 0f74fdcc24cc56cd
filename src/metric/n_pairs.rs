//! N-pairs loss.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, ArrayViewMut2};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights};
use super::softmax::cross_entropy;
use super::walk::{Found, RowKernel, Want, walk};
use crate::{Error, Real, Reduction, Result, check};

/// N-pairs loss: each anchor against its own positive and those of all other anchors.
///
/// ```math
/// L_i = -\ln \frac{e^{a_i \cdot p_i}}{\sum_j e^{a_i \cdot p_j}}
/// ```
///
/// Anchors and positives are `[B, d]`, in pairs by their place; each pair is of a class of its own. It is the cross-entropy
/// over dot products, which exist for 128 anchors at a time. A weight of zero leaves out an anchor; its positive
/// remains one of the others. Lengths count: the paper adds a penalty on them, which pytorch-metric-learning
/// (`NPairsLoss`) leaves to a regularizer; that one also takes labels, and one pair of each class.
///
/// # Errors
///
/// [`Shape`](crate::Error::Shape) for arrays or weights of other shapes; [`Empty`](crate::Error::Empty) without dimensions;
/// [`Value`](crate::Error::Value) for what is not finite; [`NothingToAverage`](crate::Error::NothingToAverage);
/// [`Overflow`](crate::Error::Overflow) for a product, a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::n_pairs;
/// let (anchors, positives) = (array![[1.0_f64, 0.0], [0.0, 1.0]], array![[2.0, 0.0], [0.0, 3.0]]);
/// let loss = n_pairs(&anchors, &positives, Reduction::Sum)?;
/// assert!((loss - (-2.0_f64).exp().ln_1p() - (-3.0_f64).exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Sohn, NeurIPS 2016, eq. 6: Improved deep metric learning with multi-class N-pair loss objective.
#[doc(alias = "NPairsLoss")]
pub fn n_pairs<T: Real>(anchors: &ArrayRef2<T>, positives: &ArrayRef2<T>, reduction: Reduction<'_, T>) -> Result<T> {
    let weights = T::metric_weights(reduction, anchors.nrows())?;
    let found = find(&read(anchors, positives, &weights)?, &weights, Want::Losses)?;
    T::metric_round(weights.reduce(&found.losses, "anchors")?.0, "anchors")
}

/// The loss of each anchor, `[B]`.
///
/// # Errors
///
/// As [`n_pairs`].
pub fn n_pairs_each<T: Real>(anchors: &ArrayRef2<T>, positives: &ArrayRef2<T>) -> Result<Array1<T>> {
    let found = find(&read(anchors, positives, &RowWeights::SUM)?, &RowWeights::SUM, Want::Losses)?;
    T::metric_write_numbers("anchors", &found.losses.iter().map(|loss| loss.sum).collect::<Vec<_>>())
}

/// [`n_pairs`], and its gradients in anchors and positives.
///
/// # Errors
///
/// As [`n_pairs`].
pub fn n_pairs_grad<T: Real>(
    anchors: &ArrayRef2<T>,
    positives: &ArrayRef2<T>,
    reduction: Reduction<'_, T>,
) -> Result<(T, (Array2<T>, Array2<T>))> {
    let weights = T::metric_weights(reduction, anchors.nrows())?;
    let frames = read(anchors, positives, &weights)?;
    let found = find(&frames, &weights, Want::Gradient)?;
    let (value, factor) = weights.reduce(&found.losses, "anchors")?;
    let by_anchors = T::metric_write("anchors", &(found.left * factor))?;
    let by_positives = T::metric_write("positives", &(found.right * factor))?;
    Ok((T::metric_round(value, "anchors")?, (by_anchors, by_positives)))
}

fn read<T: Real>(anchors: &ArrayRef2<T>, positives: &ArrayRef2<T>, weights: &RowWeights) -> Result<[Frame; 2]> {
    check::shape("positives", positives.shape(), anchors.shape())?;
    let anchors = T::metric_read("anchors", anchors.view(), weights)?;
    let positives = numbers::read_all("positives", positives)?;
    Ok([
        Frame::new("anchors", anchors, PairScore::DotProduct)?,
        Frame::new("positives", positives, PairScore::DotProduct)?,
    ])
}

fn find([anchors, positives]: &[Frame; 2], weights: &RowWeights, want: Want) -> Result<Found> {
    walk(PairScore::DotProduct, [anchors, positives], &Products, weights, want)
}

/// Rows of products, each with its own place for a target.
struct Products;

impl RowKernel for Products {
    fn block(
        &self,
        first: usize,
        scores: ArrayView2<'_, f64>,
        mut slopes: ArrayViewMut2<'_, f64>,
        losses: &mut [RowLoss],
    ) -> Result<()> {
        slopes.assign(&scores);
        let targets: Vec<i64> = (first as i64..).take(losses.len()).collect();
        let overflow = |_| Error::overflow::<f64>("anchors", first);
        cross_entropy(&mut slopes, &targets, losses).map_err(overflow)
    }
}
