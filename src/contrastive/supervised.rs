//! Supervised contrastive learning: every sample of the class is a positive.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::embeddings::{Embeddings, Similarity};
use super::reduce::{Weights, finish};
use super::walk::{Anchor, Found, Source, Walk};
use crate::simd::{self, RowSum};
use crate::target::Indices;
use crate::{Error, Real, Reduction, Result, Target, check};

/// Supervised contrastive loss: mean negative log-probability, in a softmax over all other samples, of those of the anchor's
/// class.
///
/// ```math
/// L_i = -\frac{1}{|P_i|} \sum_{p \in P_i} \ln \frac{e^{x_{ip}}}{\sum_{j \ne i} e^{x_{ij}}}, \qquad
/// x_{ij} = \frac{s(z_i, z_j)}{\tau}, \qquad \frac{\partial L_i}{\partial x_{ij}} = p_{ij} - \frac{[j \in P_i]}{|P_i|}
/// ```
///
/// `z` `[N, d]` are embeddings, one label belongs to each, and `P_i` are the other samples with the label of `i`. With two
/// views of each sample and the number of the sample as its label it is NT-Xent (SimCLR). A sample whose class has no other
/// takes no part as an anchor: its loss is 0 and a mean does not count it, as in pytorch-metric-learning; it is a candidate
/// all the same. Labels may be any whole numbers.
///
/// The matrix of similarities never exists: memory is linear in `N`. The bits depend neither on the number of threads nor on
/// the layout.
///
/// # Errors
///
/// Of every method: [`Error::Parameter`]; [`Error::Shape`]; [`Error::Value`] where an embedding is not finite, or all zeros
/// and asked for a cosine; [`Error::Overflow`]; [`Error::NothingToAverage`] where no sample has another of its class.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array, contrastive::SupervisedContrastive};
/// let embeddings = array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]];
/// let loss = SupervisedContrastive { temperature: 0.5, ..SupervisedContrastive::default() };
/// let each = loss.each(&embeddings, &array![0, 0, 1, 2])?;
/// assert!((each[0] - 0.206_380_0).abs() < 1e-6);
/// assert_eq!(each[2], 0.0); // alone in its class
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Khosla et al., NeurIPS 2020, eq. 2 (the sum outside of the logarithm),
/// [arXiv:2004.11362](https://arxiv.org/abs/2004.11362).
#[doc(alias = "SupCon")]
#[doc(alias = "NT-Xent")]
#[doc(alias = "SimCLR")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SupervisedContrastive {
    /// `τ > 0`. Default 0.1 (the paper and pytorch-metric-learning).
    pub temperature: f64,
    /// Default cosine.
    pub similarity: Similarity,
}

impl Default for SupervisedContrastive {
    fn default() -> Self {
        Self { temperature: 0.1, similarity: Similarity::Cosine }
    }
}

/// Value, slopes in the embeddings, slope in the temperature.
type Gradient<T> = (T, Array2<T>, T);

impl SupervisedContrastive {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`SupervisedContrastive`].
    pub fn value<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        let labels = I::erase(labels.view().into_dyn());
        T::supervised_contrastive(self, embeddings.view(), labels, reduction, None, None).map(|(value, _)| value)
    }

    /// The loss of each anchor.
    ///
    /// # Errors
    ///
    /// See [`SupervisedContrastive`].
    pub fn each<T: Real, I: Target>(&self, embeddings: &ArrayRef2<T>, labels: &ArrayRef1<I>) -> Result<Array1<T>> {
        let mut each = Array1::zeros(embeddings.nrows());
        let (labels, out) = (I::erase(labels.view().into_dyn()), Some(each.view_mut()));
        T::supervised_contrastive(self, embeddings.view(), labels, Reduction::Sum, out, None)?;
        Ok(each)
    }

    /// The reduced loss, its slopes in the embeddings, and that in the temperature.
    ///
    /// # Errors
    ///
    /// See [`SupervisedContrastive`].
    pub fn grad<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<Gradient<T>> {
        let mut out = Array2::zeros(embeddings.dim());
        let labels = I::erase(labels.view().into_dyn());
        let (value, temperature) =
            T::supervised_contrastive(self, embeddings.view(), labels, reduction, None, Some(out.view_mut()))?;
        Ok((value, out, temperature))
    }
}

/// One pass.
pub(super) fn run<T: Real>(
    loss: &SupervisedContrastive,
    embeddings: ArrayView2<'_, T>,
    labels: Indices<'_>,
    reduction: Reduction<'_, T>,
    each: Option<ArrayViewMut1<'_, T>>,
    out: Option<ArrayViewMut2<'_, T>>,
) -> Result<(T, T)> {
    check::temperature(loss.temperature)?;
    check::shape("labels", labels.shape(), &[embeddings.nrows()])?;
    reduction.check(&[embeddings.nrows()])?;
    let labels = labels.all();
    let others = others(&labels);
    let weights = Weights::counting(reduction, others.iter().map(|&others| others > 0).collect(), "labels")?;
    let sides = [Embeddings::new("embeddings", embeddings, loss.similarity)?];
    let anchor = OfClass { labels: &labels, others: &others, temperature: loss.temperature };
    let sources = [Source::Product { anchors: 0, candidates: 0 }];
    let walk = Walk { sides: &sides, sources: &sources, anchors: 0..labels.len(), anchor: &anchor };
    let mut out = out.map(|out| vec![out]);
    let found = weights.walk(&walk, out.as_mut())?;
    let mut slope = 0.0;
    if let Some(out) = &mut out {
        slope = -0.5 * finish(&sides, out, &["embeddings"])? / loss.temperature;
    }
    weights.total_and_temperature(&found, each, slope)
}

/// How many others have the label of each.
fn others(labels: &[i64]) -> Vec<usize> {
    let mut counts = std::collections::HashMap::new();
    labels.iter().for_each(|label| *counts.entry(label).or_insert(0) += 1);
    labels.iter().map(|label| counts[label] - 1).collect()
}

/// The loss at one anchor.
struct OfClass<'a> {
    labels: &'a [i64],
    others: &'a [usize],
    temperature: f64,
}

impl OfClass<'_> {
    /// The places of the other samples with the label of the anchor.
    fn places(&self, index: usize) -> impl Iterator<Item = usize> {
        let own = self.labels[index];
        let labels = self.labels.iter().enumerate();
        labels.filter(move |(j, label)| **label == own && *j != index).map(|(j, _)| j)
    }

    /// The logits of the positives, which leave the row.
    fn take_positives<T: Real>(&self, index: usize, row: &mut [T]) -> Vec<T> {
        self.places(index).map(|j| std::mem::replace(&mut row[j], T::neg_infinity())).collect()
    }

    /// Writes the slopes of the positives, `p_j - 1/|P|`, as by how much `e^x_j` is above the mean of the positives, less what
    /// all negatives have of the sum: where these have little, nothing cancels.
    fn put_slopes<T: Real>(
        &self,
        index: usize,
        positives: &[T],
        (sum, of_others): (&RowSum<T>, &RowSum<T>),
        unit: f64,
        row: &mut [T],
    ) {
        let (count, top) = (positives.len() as f64, sum.max.as_f64());
        let highest = positives.iter().fold(f64::NEG_INFINITY, |highest, x| highest.max(x.as_f64()));
        let below: Vec<f64> = positives.iter().map(|x| (x.as_f64() - highest).exp_m1()).collect();
        let mean = below.iter().sum::<f64>() / count;
        let of_others = (1.0 + of_others.others) * (of_others.max.as_f64() - top).exp();
        let (level, unit) = ((highest - top).exp(), unit / (1.0 + sum.others));
        for (place, below) in self.places(index).zip(below) {
            row[place] = T::from_f64(unit * (level * (below - mean) - of_others / count));
        }
    }
}

impl<T: Real> Anchor<T> for OfClass<'_> {
    fn run(&self, index: usize, rows: &mut [&mut [T]], scale: Option<T>) -> Result<Found> {
        let row = &mut *rows[0];
        simd::scale(row, T::from_f64(self.temperature.recip()));
        row[index] = T::neg_infinity();
        let positives = self.take_positives(index, row);
        let (mut of_others, mut sum) = (RowSum::new(), RowSum::new());
        of_others.push(row);
        sum.push(&positives);
        sum = sum.merge(of_others);
        // Each is at most the maximum: the gaps do not cancel.
        let gaps: f64 = positives.iter().map(|x| sum.max.as_f64() - x.as_f64()).sum();
        let loss = sum.others.ln_1p() + gaps / self.others[index] as f64;
        if !sum.is_proper() || !loss.is_finite() {
            return Err(Error::overflow::<T>("embeddings", index));
        }
        if let Some(scale) = scale {
            let unit = scale.as_f64() / self.temperature;
            T::scale_exp(row, sum.max, T::from_f64(unit / (1.0 + sum.others)));
            self.put_slopes(index, &positives, (&sum, &of_others), unit, row);
        }
        Ok(Found { loss, own: 0.0 })
    }
}
