//! Cross-entropy of class indices.

use super::class_weights::ClassWeights;
use super::hard_target::HardTargets;
use super::labels::Labels;
use super::logit_rows::{LogitArrays, LogitRows};
use super::scales::Scales;
use super::token_objective::{ClassIndices, TokenObjective};
use super::transform::LogitTransform;
use crate::reduction::AnyReduction;
use crate::target::Indices;
use crate::{Element, Real, Result, check};

/// Negative log-likelihood of the target classes under the softmax of the logits, in nats.
///
/// ```math
/// L_i = (1 - \varepsilon)\, w_{y_i} (\operatorname{lse}_i - x_{i y_i})
///     + \frac{\varepsilon}{V} \sum_v w_v (\operatorname{lse}_i - x_{iv})
///     + \zeta\, w_{y_i} \operatorname{lse}_i^2
/// ```
///
/// ```math
/// \frac{\partial L_i}{\partial x_{iv}} = \bigl(W_i + 2 \zeta\, w_{y_i} \operatorname{lse}_i\bigr) p_{iv}
///     - (1 - \varepsilon)\, w_{y_i} [v = y_i] - \frac{\varepsilon}{V} w_v, \qquad
/// W_i = (1 - \varepsilon)\, w_{y_i} + \frac{\varepsilon}{V} \sum_v w_v
/// ```
///
/// `ε` is `label_smoothing`, `w` are the `class_weights` (1 without), `ζ` is `z_loss`. With `temperature` and `soft_cap`
/// all of this is of `cap(x) / τ` in place of `x`, and the gradient is multiplied by its slope: see [`LogitTransform`].
/// Logits have any shape `[.., V]`; targets, row weights and per-row losses have the shape without the last axis. The
/// `Mean` divides by `Σ w_y` over the rows that are kept, smoothed or not, as torch does;
/// [`sum_count`](TokenObjective::sum_count) counts the same.
///
/// Its methods are those of [`TokenObjective`].
///
/// `L >= 0`; it is 0 where the target has all the mass, `ln V` where all logits are equal (with `ε = ζ = 0`, `w = 1`),
/// and exactly +inf, with a finite gradient, where the logit of a class that is asked for is -inf. A loss of 1e-12 keeps
/// its digits: nothing is formed by the difference of two large numbers, and each loss is rounded once from `f64`.
///
/// A row is selected away where its target is `ignore_index`, where a [`Reduction::Weighted`](crate::Reduction::Weighted)
/// gives it 0, and where its class weights leave nothing of it. Its loss and gradient are 0 and its logits are never looked
/// at; the target of a row of weight 0 neither.
///
/// # Errors
///
/// Before anything is written: [`Parameter`](crate::Error::Parameter) and [`Shape`](crate::Error::Shape);
/// [`Target`](crate::Error::Target) for a target that is neither a class nor ignored; [`Empty`](crate::Error::Empty) for
/// logits without classes; [`NothingToAverage`](crate::Error::NothingToAverage) for a mean over rows whose class weights
/// sum to 0, or over none. Inside the pass, after which buffers are unspecified: [`Value`](crate::Error::Value) for NaN,
/// +inf, or a row of nothing but -inf;
/// [`Overflow`](crate::Error::Overflow) where finite logits lead to a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let logits = array![[1.0_f64, 2.0, 3.0], [3.0, 1.0, 2.0], [0.0, 0.0, 0.0]];
/// let targets = array![2, 1, -100];
/// let loss = CrossEntropy::default().value(&logits, &targets, Reduction::Mean)?;
/// assert!((loss - 1.407_605_964_444_38).abs() < 1e-14); // over the two rows that are not ignored
///
/// let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
/// let (loss, grad) = smooth.grad(&logits, &targets, Reduction::Sum)?;
/// assert!((loss - 2.815_211_928_888_761).abs() < 1e-14);
/// assert!((grad[[0, 2]] + 0.268_092_377_558_511_4).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Label smoothing: Szegedy et al., CVPR 2016, [arXiv:1512.00567](https://arxiv.org/abs/1512.00567). z-loss: Chowdhery et
/// al. 2022, section 5, [arXiv:2204.02311](https://arxiv.org/abs/2204.02311). Conventions:
/// [`torch.nn.functional.cross_entropy`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CrossEntropy {
    /// Target of the rows that take no part. Default -100 (torch); it wins even where it is a class.
    pub ignore_index: Option<i64>,
    /// Share of each target that is spread evenly over all classes, in `[0, 1]`. Default 0.
    pub label_smoothing: f64,
    /// Weight of the squared log-normalizer, `>= 0`. Default 0; PaLM took 1e-4. It is scaled by the class weight of the
    /// target like the rest of the row, so that the mean is a weighted mean of whole rows.
    pub z_loss: f64,
    /// One weight for each class, finite and `>= 0`. Default none: 1 for all.
    pub class_weights: Option<Vec<f64>>,
    /// What logits are divided by, after the cap; finite and `> 0`. Default 1.
    pub temperature: f64,
    /// Bound that logits approach and never pass, finite and `> 0`. Default none; Gemma 2 has 30.
    pub soft_cap: Option<f64>,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        let LogitTransform { temperature, soft_cap } = LogitTransform::default();
        let (ignore_index, class_weights) = (Some(-100), None);
        Self { ignore_index, label_smoothing: 0.0, z_loss: 0.0, class_weights, temperature, soft_cap }
    }
}

impl TokenObjective for CrossEntropy {
    type Targets = ClassIndices;

    fn reduced<E: Element>(
        &self,
        logits: LogitArrays<'_, E>,
        targets: Indices<'_>,
        reduction: AnyReduction<'_, E::Real>,
    ) -> Result<E::Real> {
        E::cross_entropy(self, logits, targets, reduction)
    }

    fn losses<E: Element>(&self, logits: LogitArrays<'_, E>, targets: Indices<'_>) -> Result<(Vec<f64>, f64)> {
        E::cross_entropies(self, logits, targets)
    }
}

/// The reduced loss, and the gradient where it has a place.
pub(super) fn reduced<E: Element>(
    loss: &CrossEntropy,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
    reduction: AnyReduction<'_, E::Real>,
) -> Result<E::Real> {
    let rows = LogitRows::new(&mut logits)?;
    let weights = loss.check(rows.classes())?;
    let rows = rows.transformed(loss.transform())?;
    let (leading, classes) = (rows.leading().to_vec(), rows.classes());
    let scales = Scales::new(&reduction, &leading)?;
    let labels = Labels::erased(targets, &leading, classes, loss.ignore_index, &|row| scales.skips(row))?;
    let scales = scales.over(&reduction, || weights.count(&labels))?;
    let totals =
        rows.totals(&loss.rows(classes, &labels, weights, &scales), &|row, losses| scales.total(row, losses))?;
    scales.reduce(&totals, &leading)
}

/// The loss of each row, and the class weights of the kept targets in total.
pub(super) fn losses<E: Element>(
    loss: &CrossEntropy,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
) -> Result<(Vec<f64>, f64)> {
    let rows = LogitRows::new(&mut logits)?.transformed(loss.transform())?;
    let classes = rows.classes();
    let weights = loss.check(classes)?;
    let labels = Labels::erased(targets, rows.leading(), classes, loss.ignore_index, &|_| false)?;
    let losses = rows.losses(&loss.rows(classes, &labels, weights, &Scales::<E::Real>::ones()))?;
    Ok((losses, weights.count(&labels)))
}

impl CrossEntropy {
    pub(super) fn check(&self, classes: usize) -> Result<ClassWeights<'_>> {
        let smoothing = self.label_smoothing;
        check::parameter("label_smoothing", smoothing, "[0, 1]", (0.0..=1.0).contains(&smoothing))?;
        check::non_negative("z_loss", self.z_loss)?;
        ClassWeights::new(self.class_weights.as_deref(), classes)
    }

    /// What becomes of logits first.
    pub(super) fn transform(&self) -> LogitTransform {
        LogitTransform { temperature: self.temperature, soft_cap: self.soft_cap }
    }

    fn rows<'a, T: Real>(
        &self,
        classes: usize,
        labels: &'a Labels<'a>,
        weights: ClassWeights<'a>,
        scales: &'a Scales<T>,
    ) -> HardTargets<'a, T> {
        let smoothing = self.label_smoothing;
        HardTargets { labels, weights, scales, smoothing, spread: smoothing / classes as f64, z_loss: self.z_loss }
    }
}

#[cfg(test)]
mod tests;
