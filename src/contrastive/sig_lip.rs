//! The pairwise sigmoid loss of SigLIP.

use ndarray::{Array1, Array2, ArrayViewMut1, ArrayViewMut2};

use super::batch::EmbeddingBatch;
use super::embeddings::{Embeddings, Similarity};
use super::reduce::{Weights, finish};
use super::walk::{Anchor, Found, Source, Walk};
use crate::simd::{Kernel, LANES, dispatch, join};
use crate::{Error, Real, Reduction, Result, check, math};

/// Sigmoid loss (SigLIP): each pair of a first and a second embedding is a yes-or-no question of its own.
///
/// ```math
/// L_i = \sum_j \operatorname{softplus}\big(-z_{ij}\, (t\, s_{ij} + b)\big), \qquad z_{ij} = \begin{cases} 1 & i = j \\ -1 & i \ne j \end{cases},
/// \qquad \frac{\partial L_i}{\partial s_{ij}} = -t\, z_{ij}\, \sigma\big(-z_{ij} (t\, s_{ij} + b)\big)
/// ```
///
/// `s` is the similarity of row `i` of the first and row `j` of the second embeddings, `t` the scale and `b` the bias,
/// both of which are learned. [`Reduction::Mean`] divides by the number of pairs `N`, as the paper does, not by `N²`.
/// There is no softmax, so that rows need no common denominator: the loss of rows and candidates that are spread over
/// machines is the sum of the losses of the blocks. Memory is linear in the number of embeddings. A guide of the batch
/// is ignored.
///
/// # Errors
///
/// Of every method: [`Error::Parameter`]; [`Error::Shape`]; [`Error::Value`] where an embedding is not finite, or all zeros
/// and asked for a cosine; [`Error::Overflow`]; [`Error::NothingToAverage`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array, contrastive::{EmbeddingBatch, SigLip}};
/// let (images, texts) = (array![[1.0_f64, 0.0], [0.0, 2.0]], array![[3.0, 0.0], [1.0, 1.0]]);
/// let batch = EmbeddingBatch::new(&images, &texts);
/// let (loss, gradient) = SigLip { scale: 2.0, bias: -1.0, ..SigLip::default() }.grad(batch, Reduction::Mean)?;
/// assert!((loss - 1.027_703_9).abs() < 1e-6);
/// assert!((gradient.bias - 0.102_097_8).abs() < 1e-6);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhai et al., ICCV 2023, [arXiv:2303.15343](https://arxiv.org/abs/2303.15343).
#[doc(alias = "sigmoid loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SigLip {
    /// `t > 0`. Default 10, where the paper starts; it learns `ln t`, in which the slope is `t` times that in `t`.
    pub scale: f64,
    /// `b`. Default -10, where the paper starts.
    pub bias: f64,
    /// Default cosine.
    pub similarity: Similarity,
}

impl Default for SigLip {
    fn default() -> Self {
        Self { scale: 10.0, bias: -10.0, similarity: Similarity::Cosine }
    }
}

/// Slopes of [`SigLip`].
#[derive(Clone, Debug, PartialEq)]
pub struct SigLipGradient<A, T> {
    /// `[N, d]`.
    pub first: A,
    /// `[M, d]`.
    pub second: A,
    /// In the scale `t`.
    pub scale: T,
    /// In the bias `b`.
    pub bias: T,
}

impl SigLip {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`SigLip`].
    pub fn value<T: Real>(&self, batch: EmbeddingBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<T> {
        T::sig_lip(self, batch, reduction, None, None).map(|(value, _)| value)
    }

    /// The loss of each row of the first embeddings.
    ///
    /// # Errors
    ///
    /// See [`SigLip`].
    pub fn each<T: Real>(&self, batch: EmbeddingBatch<'_, T>) -> Result<Array1<T>> {
        let mut losses = Array1::zeros(batch.check()?.len());
        T::sig_lip(self, batch, Reduction::Sum, Some(losses.view_mut()), None)?;
        Ok(losses)
    }

    /// The reduced loss and its slopes.
    ///
    /// # Errors
    ///
    /// See [`SigLip`].
    pub fn grad<T: Real>(
        &self,
        batch: EmbeddingBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, SigLipGradient<Array2<T>, T>)> {
        let (mut first, mut second) = (Array2::zeros(batch.first.dim()), Array2::zeros(batch.second.dim()));
        let out = Some([first.view_mut(), second.view_mut()]);
        let (value, [scale, bias]) = T::sig_lip(self, batch, reduction, None, out)?;
        Ok((value, SigLipGradient { first, second, scale, bias }))
    }
}

/// One pass: the value, and the slopes in scale and bias.
pub(super) fn run<T: Real>(
    loss: &SigLip,
    batch: EmbeddingBatch<'_, T>,
    reduction: Reduction<'_, T>,
    each: Option<ArrayViewMut1<'_, T>>,
    out: Option<[ArrayViewMut2<'_, T>; 2]>,
) -> Result<(T, [T; 2])> {
    check::positive("scale", loss.scale)?;
    check::finite("bias", loss.bias)?;
    let anchors = batch.check()?;
    let weights = Weights::of(reduction, anchors.len(), "first")?;
    let sides = [
        Embeddings::new("first", batch.first, loss.similarity)?,
        Embeddings::new("second", batch.second, loss.similarity)?,
    ];
    let sources = [Source::Product { anchors: 0, candidates: 1 }];
    let walk = Walk { sides: &sides, sources: &sources, anchors, anchor: loss };
    let mut out = out.map(Vec::from);
    let found = weights.walk(&walk, out.as_mut())?;
    let mut scale = 0.0;
    if let Some(out) = &mut out {
        // The sum counts each product twice, once in each of its factors.
        scale = 0.5 * finish(&sides, out, &["first", "second"])? / loss.scale;
    }
    let bias = found.iter().map(|found| found.own).sum();
    weights.total(&found, each, [(scale, "scale"), (bias, "bias")])
}

impl<T: Real> Anchor<T> for SigLip {
    fn run(&self, pair: usize, rows: &mut [&mut [T]], scale: Option<T>) -> Result<Found> {
        let row = &mut *rows[0];
        let [t, b] = [self.scale, self.bias].map(T::from_f64);
        let logit = t * row[pair] + b;
        row[pair] = T::neg_infinity(); // not a negative of its own row
        let others = dispatch(Questions { row: &mut *row, scale: t, bias: b });
        let loss = others + math::softplus::<f64, false>(-logit.as_f64());
        if !loss.is_finite() || !logit.is_finite() {
            return Err(Error::overflow::<T>("first", pair));
        }
        let Some(weight) = scale else { return Ok(Found { loss, own: 0.0 }) };
        let own = -math::sigmoid::<T, false>(-logit);
        row[pair] = own;
        let bias = weight.as_f64() * crate::reduction::sum(row);
        crate::simd::scale(row, weight * t);
        Ok(Found { loss, own: bias })
    }
}

/// Replaces similarities by `σ(t s + b)`; the sum of `softplus(t s + b)`. What is -inf counts as zero in both.
struct Questions<'a, T> {
    row: &'a mut [T],
    scale: T,
    bias: T,
}

impl<T: Real> Questions<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(chunk: &mut [T; LANES], scale: T, bias: T, sums: &mut [T; LANES]) {
        for i in 0..LANES {
            let logit = math::mul_add::<T, FMA>(scale, chunk[i], bias);
            sums[i] += math::softplus::<T, FMA>(logit);
            chunk[i] = math::sigmoid::<T, FMA>(logit);
        }
    }
}

impl<T: Real> Kernel for Questions<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut total = 0.0;
        for block in self.row.chunks_mut(crate::simd::BLOCK) {
            let mut sums = [T::zero(); LANES];
            let (chunks, rest) = block.as_chunks_mut::<LANES>();
            for chunk in chunks {
                Self::step::<FMA>(chunk, self.scale, self.bias, &mut sums);
            }
            let mut last = [T::neg_infinity(); LANES];
            last[..rest.len()].copy_from_slice(rest);
            Self::step::<FMA>(&mut last, self.scale, self.bias, &mut sums);
            rest.copy_from_slice(&last[..rest.len()]);
            total += join(sums, |a, b| a + b).as_f64();
        }
        total
    }
}
