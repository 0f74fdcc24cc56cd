//! Earth mover distance optimization (EMO): likelihood and expected embedding distance, one scaled to match the other.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::cosine_cost::CosineCost;
use super::expected_cost::{Pass, RowStats, Slopes};
use super::logits::Logits;
use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::target::Indices;
use crate::transport::Compiled;
use crate::{Element, Error, Real, Reduction, Result, SumCount, Target};

/// Which of the two terms is scaled to the size of the other, by a factor that counts as a constant in the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum EmoMode {
    /// `½ [M + sg(M / (D + ε)) D]`, whose value is M: language modeling and adaptation to a domain ("EMO-1").
    #[default]
    ScaleDemd,
    /// `sg(D / (M + ε)) M + D`, whose value is 2 D: continued pre-training and instruction tuning ("EMO-2").
    ScaleMle,
}

/// What the factor measures the expected cost by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum EmoCost {
    /// `D`, as in the paper. Where the target is nearly certain both terms are small, and the factor stays of their order.
    #[default]
    Plain,
    /// `D + sg(q_y)`: every class costs the target's probability more, as in a later implementation. The gradient of the
    /// term itself is the same; the factor `M / (D + q_y)` goes to 0 where the target becomes certain, and `(D + q_y) / M`
    /// without bound.
    Shifted,
}

/// Negative log-likelihood M and expected cost D ([`demd`](super::demd())) of the next token, balanced by a detached factor.
///
/// ```math
/// \begin{aligned}
/// L_1 &= \tfrac12 \bigl[ M + \operatorname{sg}\bigl(\tfrac{M}{D + \varepsilon}\bigr) D \bigr], &
/// L_2 &= \operatorname{sg}\bigl(\tfrac{D}{M + \varepsilon}\bigr) M + D, \\
/// M &= -\ln q_y, & D &= \textstyle\sum_i q_i\, C_{iy}, \qquad \varepsilon = 10^{-10}
/// \end{aligned}
/// ```
///
/// `logits` are `[N, V]` with `q` their softmax, `targets` y `[N]`, and `C = 1 - cos` comes from a [`CosineCost`] of V
/// classes, held fixed. `sg` stops the gradient: with the factor `w` frozen it is `½ [(q - 1_y) + w ∇D]` or
/// `w (q - 1_y) + ∇D`, where `∇D_k = q_k (C_ky - D)`. [`Emo::terms`] returns the factor. Memory and time are those of
/// [`demd`](super::demd()); the gradient is the only array of `[N, V]`.
///
/// **Not a likelihood.** It is no proper scoring rule: trained on one position whose targets come from `(0.5, 0.3, 0.2)`,
/// with the costs of the example below, L₁ converges to `(0.4725, 0.4602, 0.0673)` and L₂ to
/// `(0.7960, 0.0986, 0.1054)`. It trades calibration for nearness in the embedding.
///
/// Limits: where `q_y` rounds to 1 (`M = D = 0`) loss, factor and gradient are 0. Where all embeddings point one way (`D =
/// 0 < M`) L₁ is `½ M` and L₂ is 0. Where the target's logit is -inf, L₂ is its limit `2 D` with the gradient `∇D`; in L₁
/// the factor itself is infinite, which is [`Error::Overflow`]. The relative error of the factor is a few units of the last
/// place of 1, divided by D: where costs are as small as rounding errors, it has no correct digits.
///
/// With [`EmoCost::Shifted`] `D + sg(q_y)` stands in the place of D throughout, so that L₁ is still M and L₂ is `2 (D +
/// q_y)`; `∇D` stays. Training converges to `(0.4636, 0.3780, 0.1584)` with L₁, nearer to the data, and with L₂ to the one
/// class 0.
///
/// Embeddings are the caller's: *frozen* ones, of the model before training or of a stronger one, are a [`CosineCost`] made
/// once; *adaptive* ones are a new [`CosineCost`] of the current output head before each step, still held fixed within it.
///
/// With [`Reduction::Mean`] the denominator is the number of targets that are not ignored. Rows that are, and rows with a
/// weight of zero, are never looked at; their terms and gradient are 0.
///
/// # Errors
///
/// - [`Error::Shape`]: not one target for each row, or not one logit for each class of the cost.
/// - [`Error::Target`]: a target that is neither a class nor ignored.
/// - [`Error::Value`]: a logit is NaN or +inf, or all of a row are -inf; a weight is not finite or below zero.
/// - [`Error::NothingToAverage`]: a mean over no targets.
/// - [`Error::Overflow`]: a factor or a gradient that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CosineCost, Emo};
/// let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]])?; // C_01 = 0.2, C_02 = 1
/// let logits = array![[0.5_f64, 0.3, 0.2]].ln();
/// let (loss, gradient) = Emo::default().grad(&logits, &array![0], &cost, Reduction::Mean)?;
/// assert!((loss - 0.693_147_18).abs() < 1e-8);
/// assert!((gradient[[0, 0]] + 0.423_286_8).abs() < 1e-8);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ren et al., ICLR 2024, [arXiv:2310.04691](https://arxiv.org/abs/2310.04691); ε and L₂ as in the authors' code. Other
/// detached weights of the likelihood: [`TaiLr`](crate::logits::TaiLr), [`MixCe`](crate::logits::MixCe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Emo {
    /// Which term is scaled. Default [`EmoMode::ScaleDemd`], the paper's.
    pub mode: EmoMode,
    /// What the factor is made of. Default [`EmoCost::Plain`], the paper's.
    pub cost: EmoCost,
    /// Target of the rows that are not counted. Default -100 (PyTorch).
    pub ignore_index: Option<i64>,
}

impl Default for Emo {
    fn default() -> Self {
        Self { mode: EmoMode::default(), cost: EmoCost::default(), ignore_index: Some(-100) }
    }
}

/// What an EMO loss is made of, one number for each row, `[N]`; 0 where a row is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct EmoTerms<T> {
    /// The loss.
    pub loss: Array1<T>,
    /// `M = -ln q_y`.
    pub mle: Array1<T>,
    /// `D = Σ q_i C_iy`.
    pub demd: Array1<T>,
    /// What the factor is made of: D, or `D + q_y` with [`EmoCost::Shifted`].
    pub cost: Array1<T>,
    /// The detached factor: `M / (cost + ε)` or `cost / (M + ε)`.
    pub weight: Array1<T>,
}

impl Emo {
    /// What the authors add to the denominator of the factor.
    pub const EPSILON: f64 = 1e-10;

    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`Emo`].
    pub fn value<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<E::Real> {
        E::Real::emo_value(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost, reduction)
    }

    /// The loss of each row.
    ///
    /// # Errors
    ///
    /// See [`Emo`].
    pub fn each<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
    ) -> Result<Array1<E::Real>> {
        E::Real::emo_each(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost)
    }

    /// The loss of each row, what it is made of, and the factor that its gradient takes for a constant.
    ///
    /// # Errors
    ///
    /// See [`Emo`].
    pub fn terms<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
    ) -> Result<EmoTerms<E::Real>> {
        E::Real::emo_terms(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost)
    }

    /// The reduced loss and its gradient in the logits, `[N, V]`.
    ///
    /// # Errors
    ///
    /// See [`Emo`].
    pub fn grad<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<(E::Real, Array2<E::Real>)> {
        E::Real::emo_grad(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost, reduction)
    }

    /// The reduced loss; its gradient is written to `out`, `[N, V]`, in which the cosines are formed. Rows that are not
    /// contiguous cost a copy of it.
    ///
    /// # Errors
    ///
    /// See [`Emo`]. Where a logit is at fault, `out` is left unspecified.
    pub fn grad_into<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
        reduction: Reduction<'_, E::Real>,
        out: &mut ArrayRef2<E::Real>,
    ) -> Result<E::Real> {
        E::Real::emo_grad_into(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost, reduction, out)
    }

    /// Sum of the losses and number of rows that are not ignored, by which micro-batches combine.
    ///
    /// # Errors
    ///
    /// See [`Emo`].
    pub fn sum_count<E: Element, I: Target>(
        &self,
        logits: &ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &CosineCost<E::Real>,
    ) -> Result<SumCount> {
        E::Real::emo_sum_count(*self, E::logits(logits), I::erase(targets.view().into_dyn()), cost)
    }
}

pub(in crate::transport) fn value<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
    reduction: Reduction<'_, T>,
) -> Result<T> {
    let (pass, weights) = emo.pass(logits, targets, cost, reduction)?;
    let scale = scale(&pass, reduction)?;
    emo.reduce(&pass.values()?, weights.as_deref(), scale)
}

pub(in crate::transport) fn each<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
) -> Result<Array1<T>> {
    Ok(terms(emo, logits, targets, cost)?.loss)
}

pub(in crate::transport) fn terms<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
) -> Result<EmoTerms<T>> {
    let (pass, _) = emo.pass(logits, targets, cost, Reduction::Sum)?;
    let terms = emo.all::<T>(&pass.values()?)?;
    let column = |of: fn(&Term) -> f64| -> Result<Array1<T>> {
        terms.iter().enumerate().map(|(row, term)| to_real(of(term), "logits", row)).collect()
    };
    Ok(EmoTerms {
        loss: column(|term| term.loss)?,
        mle: column(|term| term.mle)?,
        demd: column(|term| term.demd)?,
        cost: column(|term| term.cost)?,
        weight: column(|term| term.weight)?,
    })
}

pub(in crate::transport) fn gradient<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
    reduction: Reduction<'_, T>,
) -> Result<(T, Array2<T>)> {
    let mut gradient = Array2::zeros(logits.shape);
    let loss = gradient_into(emo, logits, targets, cost, reduction, &mut gradient)?;
    Ok((loss, gradient))
}

pub(in crate::transport) fn gradient_into<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
    reduction: Reduction<'_, T>,
    out: &mut ArrayRef2<T>,
) -> Result<T> {
    let (pass, weights) = emo.pass(logits, targets, cost, reduction)?;
    let scale = scale(&pass, reduction)?;
    let stats = pass.gradient(out, &|row, stats| {
        let (nll, cost) = emo.slopes(emo.term(stats).weight);
        let scale = weights.as_ref().map_or(scale, |weights| weights[row].as_f64());
        Slopes { nll: scale * nll, cost: scale * cost }
    })?;
    emo.reduce(&stats, weights.as_deref(), scale)
}

pub(in crate::transport) fn sum_count<T: Real>(
    emo: Emo,
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
) -> Result<SumCount> {
    let (pass, _) = emo.pass(logits, targets, cost, Reduction::Sum)?;
    let losses: Vec<f64> = emo.all::<T>(&pass.values()?)?.iter().map(|term| term.loss).collect();
    Ok(SumCount { sum: finite(reduction::sum(&losses))?, count: pass.count() as f64 })
}

/// One row.
struct Term {
    loss: f64,
    mle: f64,
    demd: f64,
    cost: f64,
    weight: f64,
}

type Checked<'a, T> = (Pass<'a, T>, Option<Vec<T>>);

impl Emo {
    fn pass<'a, T: Real>(
        &self,
        logits: Logits<'a, T>,
        targets: Indices<'_>,
        cost: &'a CosineCost<T>,
        reduction: Reduction<'_, T>,
    ) -> Result<Checked<'a, T>> {
        reduction.check(&logits.shape[..1])?;
        let weights = reduction.weights();
        Ok((Pass::new(logits, targets, cost, self.ignore_index, weights.as_deref())?, weights))
    }

    /// Forms the products in the order that has their limits: `M / (M + ε)` is 1 at infinity, where `D / (M + ε)` is 0.
    fn term<T>(&self, &RowStats { nll: mle, cost: demd, prob, .. }: &RowStats<T>) -> Term {
        let cost = match self.cost {
            EmoCost::Plain => demd,
            EmoCost::Shifted => demd + prob,
        };
        let (loss, weight) = match self.mode {
            EmoMode::ScaleDemd => {
                let epsilon_free = cost / (cost + Self::EPSILON);
                (0.5 * mle * (1.0 + epsilon_free), mle / (cost + Self::EPSILON))
            }
            EmoMode::ScaleMle => {
                let epsilon_free = if mle.is_infinite() { 1.0 } else { mle / (mle + Self::EPSILON) };
                (cost * (epsilon_free + 1.0), cost / (mle + Self::EPSILON))
            }
        };
        Term { loss, mle, demd, cost, weight }
    }

    /// Every row, unless the factor of one does not fit the type.
    fn all<T: Real>(&self, stats: &[RowStats<T>]) -> Result<Vec<Term>> {
        let terms: Vec<Term> = stats.iter().map(|stats| self.term(stats)).collect();
        match terms.iter().position(|term| !T::from_f64(term.weight).is_finite()) {
            Some(row) => Err(Error::overflow::<T>("logits", row)),
            None => Ok(terms),
        }
    }

    /// Derivatives of the loss by M and by D, the factor held.
    fn slopes(&self, weight: f64) -> (f64, f64) {
        match self.mode {
            EmoMode::ScaleDemd => (0.5, 0.5 * weight),
            EmoMode::ScaleMle => (weight, 1.0),
        }
    }

    fn reduce<T: Real>(&self, stats: &[RowStats<T>], weights: Option<&[T]>, scale: f64) -> Result<T> {
        let mut losses: Vec<f64> = self.all(stats)?.iter().map(|term| term.loss).collect();
        if let Some(weights) = weights {
            losses.iter_mut().zip(weights).for_each(|(loss, w)| *loss *= w.as_f64());
        }
        to_real(finite(scale * reduction::sum(&losses))?, "logits", Position::default())
    }
}

/// A total of losses, each of which is finite.
fn finite(total: f64) -> Result<f64> {
    reduction::total_of(&[], total, "logits")
}

/// What every row's loss is multiplied by, apart from weights.
fn scale<T: Real>(pass: &Pass<'_, T>, reduction: Reduction<'_, T>) -> Result<f64> {
    match (reduction, pass.count()) {
        (Reduction::Mean, 0) => Err(Error::NothingToAverage { argument: "targets" }),
        (Reduction::Mean, kept) => Ok((kept as f64).recip()),
        _ => Ok(1.0),
    }
}

#[cfg(test)]
mod tests;
