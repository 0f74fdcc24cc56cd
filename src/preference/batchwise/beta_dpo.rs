//! DPO whose temperature follows the margins of the batch (β-DPO).

use super::quantity::{Quantity, Which, first_infinite};
use crate::error::{Error, Position};
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::logistic::Smoothed;
use crate::preference::{Against, MarginLoss, Out, PairBatch, PairObjective};
use crate::{Real, Reduction, Result, SumCount, check};

/// β-DPO, direct preference optimization with a dynamic `β`: [`Dpo`](crate::preference::Dpo) with one `β` for the whole
/// batch, larger where the margins of the batch are above the usual.
///
/// ```math
/// L_i = \operatorname{softplus}(-\beta_B\, m_i), \qquad
/// \beta_B = \max\bigl(\beta\,[1 + \alpha\,(\bar m - m_0)],\ \text{floor}\bigr), \qquad
/// m_i = (\log\pi_i^w - \log\rho_i^w) - (\log\pi_i^l - \log\rho_i^l)
/// ```
///
/// `m̄` is the mean margin of the batch in nats, weighted where the reduction has weights (a pair of weight zero is not in
/// it), and `m_0` what it usually is:
/// [`MarginMoments::follow`](crate::preference::MarginMoments::follow) keeps a moving average. `β_B` is a constant in the
/// gradient; [`BetaDpo::beta_of`] returns it, and with it frozen the loss is exactly that of DPO. With `alpha` 0 it is DPO
/// for every batch.
///
/// The paper also draws which pairs of the batch count: [`MarginFilter`](crate::preference::MarginFilter) gives the weights
/// for [`Reduction::Weighted`].
///
/// **The whole batch.** `β_B` depends on all pairs, so micro-batches do not combine, and `parts` is
/// [`Error::NotSeparable`]. The reductions are those of DPO at `β_B`.
///
/// # Errors
///
/// A hyper-parameter out of range; a batch without reference; a mean margin of +inf, or of infinities of both signs. A mean
/// of -inf is the exact limit, `floor`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::BetaDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64, -30.25]), rejected: aview1(&[-14.25, -28.5]) })
///     .reference(Pairs { chosen: aview1(&[-13.0, -29.0]), rejected: aview1(&[-13.5, -29.75]) });
/// let objective = BetaDpo { alpha: 0.5, ..BetaDpo::default() };
/// let beta = objective.beta_of(batch, Reduction::Mean)?; // margins 1.25 and -2.5
/// assert!((beta - 0.068_75).abs() < 1e-15);
/// let frozen = Dpo { beta, ..Dpo::default() };
/// assert_eq!(objective.grad(batch, Reduction::Mean)?, frozen.grad(batch, Reduction::Mean)?);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wu et al., β-DPO: direct preference optimization with dynamic β, NeurIPS 2024,
/// [arXiv:2407.08639](https://arxiv.org/abs/2407.08639).
#[doc(alias = "β-DPO")]
#[doc(alias = "beta-DPO")]
#[doc(alias = "dynamic β")]
#[doc(alias = "direct preference optimization with dynamic β")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BetaDpo {
    /// The temperature at the usual margin, `> 0`. Default 0.1 (the authors' code).
    pub beta: f64,
    /// By how much it follows the margins, per nat, `>= 0`. Default 0.6 (the paper).
    pub alpha: f64,
    /// The usual mean margin `m_0`, in nats. Default 0: before anything has been seen.
    pub baseline: f64,
    /// The least temperature, `> 0`. Default 0.001 (the authors' code).
    pub floor: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    pub label_smoothing: f64,
}

impl Default for BetaDpo {
    fn default() -> Self {
        Self { beta: 0.1, alpha: 0.6, baseline: 0.0, floor: 1e-3, label_smoothing: 0.0 }
    }
}

impl BetaDpo {
    const MARGIN: Quantity = Quantity { of: "BetaDpo", which: Which::Margin };

    /// The temperature that the batch gets: the detached factor.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    pub fn beta_of<T: Real>(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<f64> {
        T::beta_of(self, batch, reduction)
    }

    /// [`BetaDpo::beta_of`], compiled here.
    pub(in crate::preference) fn compute_beta_of<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<f64> {
        PairObjective::<T>::validate(self, &batch)?;
        if self.alpha == 0.0 {
            return Ok(self.beta.max(self.floor));
        }
        let mean = Self::MARGIN.mean(&batch, reduction)?;
        let beta = (self.beta * (1.0 + self.alpha * (mean - self.baseline))).max(self.floor);
        if T::from_f64(beta).is_finite() {
            return Ok(beta);
        }
        let endless = if mean.is_infinite() { first_infinite(&batch, reduction) } else { None };
        Err(endless.unwrap_or_else(|| Error::overflow::<T>("beta", Position::default())))
    }

    fn at(&self, beta: f64) -> Smoothed {
        Smoothed { beta, label_smoothing: self.label_smoothing, against: Against::Reference }
    }
}

compile_objective!(BetaDpo);

impl<T: Real> BatchObjective<T> for BetaDpo {
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.at(self.beta).check()?;
        check::non_negative("alpha", self.alpha)?;
        check::finite("baseline", self.baseline)?;
        check::positive("floor", self.floor)?;
        Self::MARGIN.validate(batch)
    }

    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.validate_batch(batch)?;
        out.check_shapes(batch.len())?;
        if scale == T::zero() {
            return Ok(out.nothing());
        }
        let beta = self.beta_of(*batch, reduction)?;
        self.at(beta).run(batch, reduction, scale, out)
    }

    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.validate_batch(&batch)?;
        Err(Error::NotSeparable { objective: "BetaDpo", what: "parts" })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::preference::testing::{Sample, one};
    use crate::preference::{Dpo, Pairs};
    use crate::testing::close;

    #[test]
    fn the_temperature_is_that_of_the_mean_margin() {
        let sample = Sample::<f64>::of(1000);
        let margins =
            (&sample.policy.chosen - &sample.reference.chosen) - (&sample.policy.rejected - &sample.reference.rejected);
        let objective = BetaDpo { beta: 0.2, alpha: 0.03, baseline: 1.5, ..BetaDpo::default() };
        let beta = objective.beta_of(sample.batch(), Reduction::Mean).unwrap();
        close(beta, 0.2 * (1.0 + 0.03 * (margins.mean().unwrap() - 1.5)), 1e-12);
        assert_eq!(objective.beta_of(sample.batch(), Reduction::Sum), Ok(beta));
        let weights = ndarray::Array1::from_shape_fn(1000, |i| (i % 3) as f64);
        let weighted = (&margins * &weights).sum() / weights.sum();
        let beta = objective.beta_of(sample.batch(), Reduction::Weighted(&weights)).unwrap();
        close(beta, 0.2 * (1.0 + 0.03 * (weighted - 1.5)), 1e-12);
    }

    #[test]
    fn with_the_temperature_frozen_it_is_dpo() {
        let sample = Sample::<f64>::of(300);
        let weights = ndarray::Array1::from_shape_fn(300, |i| 0.5 * (i % 4) as f64);
        let objective = BetaDpo { alpha: 0.05, label_smoothing: 0.1, ..BetaDpo::default() };
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
            let beta = objective.beta_of(sample.full(), reduction).unwrap();
            let frozen = Dpo { beta, label_smoothing: 0.1 };
            assert_eq!(objective.grad(sample.full(), reduction), frozen.grad(sample.full(), reduction));
        }
        let plain = BetaDpo { alpha: 0.0, ..objective };
        let dpo = Dpo { beta: 0.1, label_smoothing: 0.1 };
        assert_eq!(plain.grad(sample.full(), Reduction::Mean), dpo.grad(sample.full(), Reduction::Mean));
        assert_eq!(plain.each(sample.full()), dpo.each(sample.full()));
    }

    #[test]
    fn very_wrong_batches_stop_at_the_floor() {
        let objective = BetaDpo::default();
        let far = one(&[-1e4, -1.0], &[-2.0], &[1.0]);
        assert_eq!(objective.beta_of::<f64>(far, Reduction::Mean), Ok(1e-3));
        let lost = one(&[f64::NEG_INFINITY, -1.0], &[-2.0], &[1.0]);
        assert_eq!(objective.beta_of(lost, Reduction::Mean), Ok(1e-3));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let inf = f64::INFINITY;
        let message =
            |objective: BetaDpo, batch| objective.value(batch, Reduction::<f64>::Mean).unwrap_err().to_string();
        let fine = one(&[-1.0, -2.0], &[-2.0], &[1.0]);
        let with = BetaDpo::default();
        let policy = [-1.0, -inf];
        assert!(message(with, one(&policy, &[-2.0], &[1.0])).starts_with("`policy.rejected`[0] is -inf"));
        assert_eq!(message(BetaDpo { alpha: -0.1, ..with }, fine), "`alpha` is -0.1, allowed is finite and >= 0");
        assert_eq!(message(BetaDpo { floor: 0.0, ..with }, fine), "`floor` is 0, allowed is finite and > 0");
        assert_eq!(message(BetaDpo { baseline: inf, ..with }, fine), "`baseline` is inf, allowed is finite");
        let (a, b) = (array![-inf, -1.0], array![-1.0, -inf]);
        let both = PairBatch::new(Pairs { chosen: a.view(), rejected: b.view() })
            .reference(Pairs { chosen: b.view(), rejected: b.view() });
        assert!(message(with, both).contains("is -inf"));
        let bare = PairBatch::new(Pairs { chosen: a.view(), rejected: b.view() });
        assert_eq!(message(with, bare), "BetaDpo needs `reference`");
        let error = PairObjective::<f64>::sum_count(&with, fine).unwrap_err().to_string();
        assert_eq!(error, "BetaDpo is a function of the whole batch: it has no parts");
    }

    #[test]
    fn a_pair_of_weight_zero_is_not_seen() {
        let (policy, reference) = (array![-1.0, f64::NAN], array![-2.0, -2.0]);
        let batch = PairBatch::new(Pairs { chosen: policy.view(), rejected: reference.view() })
            .reference(Pairs { chosen: reference.view(), rejected: reference.view() });
        let weights = array![1.0, 0.0];
        let beta = BetaDpo::default().beta_of(batch, Reduction::Weighted(&weights)).unwrap();
        close(beta, 0.1 * 1.6, 1e-15);
        assert!(BetaDpo::default().value(batch, Reduction::Weighted(&weights)).is_ok());
    }
}
