//! Triplets that the caller has made.

use ndarray::{Array1, Array2, ArrayRef2};

use super::frame::Frame;
use super::paired::Paired;
use super::row_weights::{RowLoss, RowWeights};
use super::{Distance, TripletShape};
use crate::{Real, Reduction, Result, check};

/// The three embeddings of each triplet, or what belongs to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Triplets<A> {
    /// What both others are compared with.
    pub anchors: A,
    /// What should lie near.
    pub positives: A,
    /// What should lie farther away.
    pub negatives: A,
}

/// Triplet loss: an anchor should lie nearer to its positive than to its negative, by a margin.
///
/// ```math
/// L_i = \ell\bigl(d(a_i, p_i) - d(a_i, n_i) + m\bigr)
/// ```
///
/// `ℓ` is the [`TripletShape`], `m` the margin; anchors, positives and negatives are `[B, d]`. With
/// [`TripletSwap::Nearer`] the negative is measured from the anchor or from the positive, whichever is nearer to it (of
/// equal distances, from the anchor). `L >= 0`. Slopes: those of the distances; 0 where two embeddings are equal, and where
/// the hinge is at or below 0.
///
/// torch's `triplet_margin_loss` adds `eps = 1e-6` to each coordinate of a difference before it takes the length; with
/// `eps = 0` it is this. sentence-transformers (`TripletLoss`) has the margin 5.
///
/// # Errors
///
/// [`Parameter`](crate::Error::Parameter) for a margin that is not finite; [`Shape`](crate::Error::Shape) for arrays or
/// weights of other shapes; [`Empty`](crate::Error::Empty) without dimensions; [`Value`](crate::Error::Value) for what is not
/// finite, and for a zero embedding where cosines are taken; [`NothingToAverage`](crate::Error::NothingToAverage);
/// [`Overflow`](crate::Error::Overflow) for a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{Triplet, Triplets};
/// let (a, p, n) = (array![[0.0_f64, 0.0]], array![[3.0, 4.0]], array![[0.0, 2.0]]);
/// let triplets = Triplets { anchors: &*a, positives: &*p, negatives: &*n };
/// let (loss, gradient) = Triplet::default().grad(triplets, Reduction::Mean)?;
/// assert_eq!(loss, 4.0); // 5 - 2 + 1
/// assert_eq!(gradient.positives, array![[0.6, 0.8]]);
/// assert_eq!(gradient.negatives, array![[0.0, -1.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Schroff et al. (FaceNet), CVPR 2015, [arXiv:1503.03832](https://arxiv.org/abs/1503.03832). Swap: Balntas et al.,
/// BMVC 2016.
#[doc(alias = "TripletLoss")]
#[doc(alias = "triplet_margin_loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Triplet {
    /// By how much the negative should be farther, finite. Default 1 (torch).
    pub margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
    /// Default [`TripletShape::Hinge`].
    pub shape: TripletShape,
    /// Default [`TripletSwap::Anchor`].
    pub swap: TripletSwap,
}

/// What the negative of a [`Triplet`] is measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TripletSwap {
    /// The anchor.
    #[default]
    Anchor,
    /// The anchor or the positive, whichever is nearer to it: `swap=True` of torch.
    Nearer,
}

impl Default for Triplet {
    fn default() -> Self {
        let (distance, shape) = (Distance::Euclidean, TripletShape::Hinge);
        Self { margin: 1.0, distance, shape, swap: TripletSwap::Anchor }
    }
}

impl Triplet {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real>(&self, triplets: Triplets<&ArrayRef2<T>>, reduction: Reduction<'_, T>) -> Result<T> {
        let weights = T::metric_weights(reduction, triplets.anchors.nrows())?;
        let pairs = Measured::new(self, read(triplets, &weights)?)?;
        T::metric_round(weights.reduce(&pairs.losses(self), "anchors")?.0, "anchors")
    }

    /// The loss of each triplet, `[B]`.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn each<T: Real>(&self, triplets: Triplets<&ArrayRef2<T>>) -> Result<Array1<T>> {
        let pairs = Measured::new(self, read(triplets, &RowWeights::SUM)?)?;
        let losses: Vec<f64> = pairs.losses(self).iter().map(|loss| loss.sum).collect();
        T::metric_write_numbers("anchors", &losses)
    }

    /// The reduced loss and its gradients in all three embeddings.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real>(
        &self,
        triplets: Triplets<&ArrayRef2<T>>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, Triplets<Array2<T>>)> {
        let weights = T::metric_weights(reduction, triplets.anchors.nrows())?;
        let pairs = Measured::new(self, read(triplets, &weights)?)?;
        let (value, factor) = weights.reduce(&pairs.losses(self), "anchors")?;
        let gradient = pairs.gradient(self, &weights, factor);
        let gradient = Triplets {
            anchors: T::metric_write("anchors", &gradient.anchors)?,
            positives: T::metric_write("positives", &gradient.positives)?,
            negatives: T::metric_write("negatives", &gradient.negatives)?,
        };
        Ok((T::metric_round(value, "anchors")?, gradient))
    }
}

fn read<T: Real>(triplets: Triplets<&ArrayRef2<T>>, weights: &RowWeights) -> Result<Triplets<Array2<f64>>> {
    Ok(Triplets {
        anchors: T::metric_read("anchors", triplets.anchors.view(), weights)?,
        positives: T::metric_read("positives", triplets.positives.view(), weights)?,
        negatives: T::metric_read("negatives", triplets.negatives.view(), weights)?,
    })
}

/// The distances within triplets.
struct Measured {
    positive: Paired,
    negative: Paired,
    /// From the positive to the negative, where that counts.
    swapped: Option<Paired>,
}

impl Measured {
    fn new(loss: &Triplet, triplets: Triplets<Array2<f64>>) -> Result<Self> {
        check::finite("margin", loss.margin)?;
        check::shape("positives", triplets.positives.shape(), triplets.anchors.shape())?;
        check::shape("negatives", triplets.negatives.shape(), triplets.anchors.shape())?;
        let score = loss.distance.score();
        let anchors = Frame::new("anchors", triplets.anchors, score)?;
        let positives = Frame::new("positives", triplets.positives, score)?;
        let negatives = Frame::new("negatives", triplets.negatives, score)?;
        let swapped = match loss.swap {
            TripletSwap::Anchor => None,
            TripletSwap::Nearer => Some(Paired::of_frames(score, [positives.clone(), negatives.clone()])),
        };
        let positive = Paired::of_frames(score, [anchors.clone(), positives]);
        Ok(Self { positive, negative: Paired::of_frames(score, [anchors, negatives]), swapped })
    }

    /// The distance from the positive to the negative of a triplet, where it takes the place of the anchor's.
    fn swap(&self, row: usize) -> Option<f64> {
        let distance = self.swapped.as_ref()?.scores[row];
        (distance < self.negative.scores[row]).then_some(distance)
    }

    /// Loss and slope of a triplet.
    fn at(&self, loss: &Triplet, row: usize) -> (f64, f64) {
        let negative = self.swap(row).unwrap_or(self.negative.scores[row]);
        loss.shape.at(self.positive.scores[row] - negative + loss.margin)
    }

    fn losses(&self, loss: &Triplet) -> Vec<RowLoss> {
        (0..self.positive.scores.len()).map(|row| RowLoss::one(self.at(loss, row).0)).collect()
    }

    fn gradient(&self, loss: &Triplet, weights: &RowWeights, factor: f64) -> Triplets<Array2<f64>> {
        let slopes: Vec<f64> = (0..self.positive.scores.len())
            .map(|row| if weights.of(row) == 0.0 { 0.0 } else { weights.of(row) * factor * self.at(loss, row).1 })
            .collect();
        let pushes = |is_swapped| {
            let push = |(row, slope): (usize, &f64)| if self.swap(row).is_some() == is_swapped { -slope } else { 0.0 };
            slopes.iter().enumerate().map(push).collect::<Vec<_>>()
        };
        let [mut anchors, mut positives] = self.positive.pull(&slopes);
        let [by_anchors, mut negatives] = self.negative.pull(&pushes(false));
        anchors += &by_anchors;
        if let Some(swapped) = &self.swapped {
            let [by_positives, by_negatives] = swapped.pull(&pushes(true));
            positives += &by_positives;
            negatives += &by_negatives;
        }
        Triplets { anchors, positives, negatives }
    }
}
