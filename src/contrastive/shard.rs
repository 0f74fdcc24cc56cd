//! Candidates that are spread over machines.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2, ArrayViewMut2};

use super::batch::EmbeddingGradient;
use super::embeddings::{Embeddings, Similarity};
use super::reduce::finish;
use super::walk::{Anchor, Source, Walk};
use crate::logits::LogSumExp;
use crate::simd::{self, RowSum};
use crate::{Error, Real, Result, check};

/// A part of the candidates of InfoNCE: its share of every softmax, and gradients from the whole.
///
/// ```math
/// \log p_i = x_{i y_i} - \ln \sum_A \sum_{j \in A} e^{x_{ij}}, \qquad x_{ij} = \frac{s(a_i, b_j)}{\tau}, \qquad
/// \frac{\partial}{\partial x_{ij}} \sum_i c_i \log p_i = c_i \bigl([j = y_i] - p_{ij}\bigr)
/// ```
///
/// Each machine holds some candidates `b` `[M_A, d]`, all anchors `a` `[N, d]`, and for each anchor the number `y` of its
/// positive among all candidates. [`InfoNceShard::log_sum_exp`] gives three numbers for each anchor; merged over the machines
/// ([`LogSumExp::merge_rows`]) they give log-probabilities, and [`InfoNceShard::backward`] makes gradients from them. The
/// loss is `-Σ c log p` with `c = 1/N`: pass the cotangent `-1/N`. The slopes in the candidates are whole; those in the
/// anchors and in the temperature are this machine's share: **add** them over the machines. To average them, as wrappers of
/// models do, would divide them by the number of machines.
///
/// Use it where candidates are too many for one machine; where each can hold all,
/// [`EmbeddingBatch::anchors`](super::EmbeddingBatch::anchors) needs one exchange less.
///
/// # Errors
///
/// Of every method: [`Error::Parameter`]; [`Error::Shape`]; [`Error::Value`] where an embedding is not finite, or all zeros
/// and asked for a cosine, and for a whole that is not of these candidates; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::{logits::LogSumExp, ndarray::{array, s}, contrastive::InfoNceShard};
/// let (anchors, candidates) = (array![[1.0_f64, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [1.0, 1.0], [0.0, -2.0]]);
/// let positives = array![0, 1];
/// let left = InfoNceShard { temperature: 0.5, ..InfoNceShard::default() };
/// let right = InfoNceShard { first_candidate: 2, ..left };
/// let of_left = left.log_sum_exp(&anchors, &candidates.slice(s![..2, ..]), &positives)?; // on one machine
/// let of_right = right.log_sum_exp(&anchors, &candidates.slice(s![2.., ..]), &positives)?; // on another
/// let whole = LogSumExp::merge_rows(&of_left, &of_right)?; // on each
/// assert!((whole[0].log_prob().unwrap() + 0.525_913_1).abs() < 1e-6);
///
/// let cotangent = array![-0.5, -0.5]; // of the mean loss
/// let slopes = right.backward(&anchors, &candidates.slice(s![2.., ..]), &positives, &whole, &cotangent)?;
/// assert_eq!(slopes.second.dim(), (1, 2));
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct InfoNceShard {
    /// `τ > 0`. Default 0.05, that of [`InfoNce`](super::InfoNce).
    pub temperature: f64,
    /// Default cosine.
    pub similarity: Similarity,
    /// The number of the first candidate among those of all machines. Default 0.
    pub first_candidate: usize,
}

impl Default for InfoNceShard {
    fn default() -> Self {
        Self { temperature: 0.05, similarity: Similarity::Cosine, first_candidate: 0 }
    }
}

impl InfoNceShard {
    /// The sum over these candidates for each anchor, with the logit of the positive where it is among them.
    ///
    /// # Errors
    ///
    /// See [`InfoNceShard`].
    pub fn log_sum_exp<T: Real>(
        &self,
        anchors: &ArrayRef2<T>,
        candidates: &ArrayRef2<T>,
        positives: &ArrayRef1<usize>,
    ) -> Result<Array1<LogSumExp<T>>> {
        T::contrastive_sums(self, anchors.view(), candidates.view(), positives.view())
    }

    /// Slopes of `Σ cotangent · log p`: in the anchors and the temperature the share of these candidates, in these candidates
    /// the whole. `whole` are the merged sums.
    ///
    /// # Errors
    ///
    /// See [`InfoNceShard`].
    pub fn backward<T: Real>(
        &self,
        anchors: &ArrayRef2<T>,
        candidates: &ArrayRef2<T>,
        positives: &ArrayRef1<usize>,
        whole: &ArrayRef1<LogSumExp<T>>,
        cotangent: &ArrayRef1<T>,
    ) -> Result<EmbeddingGradient<Array2<T>, T>> {
        let (mut first, mut second) = (Array2::zeros(anchors.dim()), Array2::zeros(candidates.dim()));
        let upstream = [first.view_mut(), second.view_mut()];
        let (whole, cotangent) = (whole.view(), cotangent.view());
        let temperature = T::contrastive_backward(
            self,
            [anchors.view(), candidates.view()],
            positives.view(),
            whole,
            cotangent,
            upstream,
        )?;
        Ok(EmbeddingGradient { first, second, temperature })
    }

    /// The place of a positive among these candidates.
    fn place(&self, positive: usize, candidates: usize) -> Option<usize> {
        positive.checked_sub(self.first_candidate).filter(|&place| place < candidates)
    }

    fn sides<'a, T: Real>(
        &self,
        anchors: ArrayView2<'a, T>,
        candidates: ArrayView2<'a, T>,
        positives: ArrayView1<'_, usize>,
    ) -> Result<[Embeddings<'a, T>; 2]> {
        check::temperature(self.temperature)?;
        check::shape("candidates", &candidates.shape()[1..], &anchors.shape()[1..])?;
        check::shape("positives", positives.shape(), &[anchors.nrows()])?;
        Ok([
            Embeddings::new("anchors", anchors, self.similarity)?,
            Embeddings::new("candidates", candidates, self.similarity)?,
        ])
    }
}

/// [`InfoNceShard::log_sum_exp`].
pub(super) fn sums<T: Real>(
    shard: &InfoNceShard,
    anchors: ArrayView2<'_, T>,
    candidates: ArrayView2<'_, T>,
    positives: ArrayView1<'_, usize>,
) -> Result<Array1<LogSumExp<T>>> {
    let sides = shard.sides(anchors, candidates, positives)?;
    let mut found = vec![LogSumExp::empty(); anchors.nrows()];
    let anchor = Sums { shard, positives };
    let sources = [Source::Product { anchors: 0, candidates: 1 }];
    let walk = Walk { sides: &sides, sources: &sources, anchors: 0..found.len(), anchor: &anchor };
    walk.run(&vec![T::one(); found.len()], &mut found, None)?;
    Ok(found.into())
}

struct Sums<'a> {
    shard: &'a InfoNceShard,
    positives: ArrayView1<'a, usize>,
}

impl<T: Real> Anchor<T, LogSumExp<T>> for Sums<'_> {
    fn run(&self, index: usize, rows: &mut [&mut [T]], _: Option<T>) -> Result<LogSumExp<T>> {
        let row = &mut *rows[0];
        simd::scale(row, T::from_f64(self.shard.temperature.recip()));
        let mut sum = RowSum::new();
        sum.push(row);
        let target = self.shard.place(self.positives[index], row.len()).map(|place| row[place]);
        LogSumExp::from_row(&sum, target).ok_or_else(|| Error::overflow::<T>("anchors", index))
    }
}

/// [`InfoNceShard::backward`]: the slope in the temperature.
pub(super) fn backward<T: Real>(
    shard: &InfoNceShard,
    [anchors, candidates]: [ArrayView2<'_, T>; 2],
    positives: ArrayView1<'_, usize>,
    whole: ArrayView1<'_, LogSumExp<T>>,
    cotangent: ArrayView1<'_, T>,
    out: [ArrayViewMut2<'_, T>; 2],
) -> Result<T> {
    let sides = shard.sides(anchors, candidates, positives)?;
    check::shape("whole", whole.shape(), &[anchors.nrows()])?;
    check::shape("cotangent", cotangent.shape(), &[anchors.nrows()])?;
    check::all_finite("cotangent", cotangent)?;
    let anchor = Back { shard, positives, whole };
    let sources = [Source::Product { anchors: 0, candidates: 1 }];
    let walk = Walk { sides: &sides, sources: &sources, anchors: 0..anchors.nrows(), anchor: &anchor };
    let mut out = Vec::from(out);
    walk.run(&cotangent.to_vec(), &mut vec![(); anchors.nrows()], Some(&mut out))?;
    let through = 0.5 * finish(&sides, &mut out, &["anchors", "candidates"])?;
    crate::reduction::to_real(-through / shard.temperature, "temperature", crate::Position::default())
}

struct Back<'a, T> {
    shard: &'a InfoNceShard,
    positives: ArrayView1<'a, usize>,
    whole: ArrayView1<'a, LogSumExp<T>>,
}

impl<T: Real> Anchor<T, ()> for Back<'_, T> {
    fn run(&self, index: usize, rows: &mut [&mut [T]], scale: Option<T>) -> Result<()> {
        let (row, sum) = (&mut *rows[0], self.whole[index].row());
        let inverse = T::from_f64(self.shard.temperature.recip());
        simd::scale(row, inverse);
        let wrong = |allowed| {
            let value = sum.max.as_f64();
            Err(Error::Value { argument: "whole", position: index.into(), value, allowed })
        };
        let is_whole = row.iter().all(|x| *x <= sum.max);
        if !is_whole {
            return wrong("at least the largest logit of these candidates");
        }
        let unit = scale.map_or(0.0, T::as_f64) / self.shard.temperature;
        let place = self.shard.place(self.positives[index], row.len());
        let complement = place.map(|place| sum.complement(row[place]));
        T::scale_exp(row, sum.max, T::from_f64(-unit / (1.0 + sum.others)));
        if let (Some(place), Some(complement)) = (place, complement) {
            row[place] = T::from_f64(unit * complement); // 1 - p, where nothing cancels
        }
        Ok(())
    }
}
