//! Proxy anchor loss.

use ndarray::{Array2, ArrayRef1, ArrayRef2};

use super::PairScore;
use super::class_margin::Batch;
use super::log_sum::log_one_plus_sum_shares;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights};
use super::walk::{ByRow, Found, Want, walk};
use crate::{Error, Real, Result, Target, check};

/// Proxy anchor loss: one proxy for each class pulls the embeddings of its class and pushes all others, each by how
/// hard it is.
///
/// ```math
/// L = \frac{1}{|C_+|} \sum_{k \in C_+} \ln\Bigl(1 + \sum_{y_i = k} e^{-\alpha (c_{ik} - \delta)}\Bigr)
///   + \frac1C \sum_k \ln\Bigl(1 + \sum_{y_i \ne k} e^{\alpha (c_{ik} + \delta)}\Bigr)
/// ```
///
/// `c` are the cosines of embeddings `[N, d]` with proxies `[C, d]`, `y` the labels, `[N]`, `C_+` the classes that the batch
/// holds, `δ` the margin. Both means are part of the loss: there is no other reduction. A batch of no embeddings is
/// [`NothingToAverage`](crate::Error::NothingToAverage).
///
/// # Errors
///
/// Those of [`ClassMargin`](super::ClassMargin), with `proxies` in the place of centers.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::ProxyAnchor;
/// let (x, proxies) = (array![[2.0_f64, 0.0]], array![[1.0, 0.0], [0.0, 1.0]]);
/// let loss = ProxyAnchor { alpha: 2.0, margin: 0.5 };
/// let (value, (by_x, by_proxies)) = loss.grad(&x, &proxies, &array![0])?;
/// // Its own proxy at cosine 1, and half of what the other one pushes from cosine 0.
/// assert!((value - ((-1.0_f64).exp().ln_1p() + 0.5 * 1.0_f64.exp().ln_1p())).abs() < 1e-15);
/// assert_eq!((by_x.dim(), by_proxies.dim()), ((1, 2), (2, 2)));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Kim et al., CVPR 2020, eq. 4, [arXiv:2003.13911](https://arxiv.org/abs/2003.13911).
#[doc(alias = "ProxyAnchorLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ProxyAnchor {
    /// What cosines are multiplied by, `> 0`. Default 32 (paper, pytorch-metric-learning).
    pub alpha: f64,
    /// Margin of both sides, finite. Default 0.1.
    pub margin: f64,
}

impl Default for ProxyAnchor {
    fn default() -> Self {
        Self { alpha: 32.0, margin: 0.1 }
    }
}

impl ProxyAnchor {
    /// The loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        proxies: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
    ) -> Result<T> {
        let found = self.walk(&self.read(embeddings, proxies, labels)?, Want::Losses)?;
        T::metric_round(RowWeights::SUM.reduce(&found.losses, "embeddings")?.0, "embeddings")
    }

    /// The loss and its gradients in embeddings and proxies.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        proxies: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
    ) -> Result<(T, (Array2<T>, Array2<T>))> {
        let batch = self.read(embeddings, proxies, labels)?;
        let found = self.walk(&batch, Want::Gradient)?;
        let (value, _) = RowWeights::SUM.reduce(&found.losses, "embeddings")?;
        let embeddings = T::metric_write("embeddings", &batch.embeddings.pull(found.right))?;
        let proxies = T::metric_write("proxies", &batch.centers.pull(found.left))?;
        Ok((T::metric_round(value, "embeddings")?, (embeddings, proxies)))
    }

    fn read<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        proxies: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
    ) -> Result<Batch> {
        check::positive("alpha", self.alpha)?;
        check::finite("margin", self.margin)?;
        check::shape("labels", labels.shape(), &[embeddings.nrows()])?;
        let embeddings = numbers::read_all("embeddings", embeddings)?;
        let proxies = ("proxies", numbers::read_all("proxies", proxies)?);
        Batch::new(embeddings, proxies, I::erase(labels.view().into_dyn()).all(), PairScore::CosineSimilarity)
    }

    fn walk(&self, batch: &Batch, want: Want) -> Result<Found> {
        if batch.labels.is_empty() {
            return Err(Error::NothingToAverage { argument: "embeddings" });
        }
        let mut held = batch.labels.clone();
        held.sort_unstable();
        held.dedup();
        let counts = [held.len() as f64, batch.centers.len() as f64];
        let kernel = Proxies { loss: self, labels: &batch.labels, counts };
        let sides = [&batch.centers, &batch.embeddings];
        walk(PairScore::CosineSimilarity, sides, &kernel, &RowWeights::SUM, want)
    }
}

/// A row for each proxy, over all embeddings.
struct Proxies<'a> {
    loss: &'a ProxyAnchor,
    labels: &'a [i64],
    /// The classes that the batch holds, and all.
    counts: [f64; 2],
}

impl ByRow for Proxies<'_> {
    fn row(&self, class: usize, scores: &[f64], slopes: &mut [f64]) -> RowLoss {
        let ProxyAnchor { alpha, margin } = *self.loss;
        let is_own = |i: usize| usize::try_from(self.labels[i]) == Ok(class);
        let pull = |i: usize| -alpha * (scores[i] - margin);
        let push = |i: usize| alpha * (scores[i] + margin);
        let ([held, all], n) = (self.counts, scores.len());
        let pulled = log_one_plus_sum_shares(n, is_own, pull, |i, share| slopes[i] = -alpha / held * share);
        let pushed = log_one_plus_sum_shares(n, |i| !is_own(i), push, |i, share| slopes[i] = alpha / all * share);
        RowLoss::one(pulled / held + pushed / all)
    }
}
