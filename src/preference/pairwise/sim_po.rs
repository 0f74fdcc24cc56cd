//! Simple preference optimization (SimPO).

use crate::preference::logistic::{scaled, smoothed};
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Simple preference optimization (SimPO): the logistic loss of the margin per token above a target margin, without a
/// reference.
///
/// ```math
/// L_i = \operatorname{softplus}(\gamma - \beta\, m_i), \qquad
/// m_i = \frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}
/// ```
///
/// `n` is the number of scored tokens: the batch must hold lengths (of 1, where the log-probabilities are means already).
/// Gradients are with respect to the sums. The batch's offset, where it has one, is subtracted from `m`. With
/// `label_smoothing` ε the loss is `(1-ε) softplus(-z) + ε softplus(z)`, `z = βm - γ`. At `γ = 0` it is
/// [`Cpo`](crate::preference::Cpo) of means; CPO-SimPO adds the likelihood of the chosen response by a
/// [`WeightedSum`](crate::preference::WeightedSum) with [`Nll`](crate::preference::Nll).
///
/// Peers disagree on what `γ` is: here, in TRL, Liger, LLaMA-Factory and ms-swift it is the margin after `β`; the authors,
/// HALOs, oat and open-instruct take the ratio `γ/β`, for which there is [`SimPo::from_ratio`]. Liger adds the likelihood
/// by default.
///
/// Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo), with gradients over `n`.
///
/// # Errors
///
/// `beta`, `gamma` or `label_smoothing` out of range; a batch without lengths; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let loss = SimPo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 1.053_700_678).abs() < 1e-9);
/// assert_eq!(SimPo::from_ratio(2.0, 0.25), SimPo::default());
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Meng, Xia and Chen, NeurIPS 2024, eq. 6, [arXiv:2405.14734](https://arxiv.org/abs/2405.14734).
#[doc(alias = "simple preference optimization")]
#[doc(alias = "CPO-SimPO")]
#[doc(alias = "gamma_beta_ratio")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SimPo {
    /// Scale of the margin, for each nat per token, `> 0`. Default 2 (the authors' code); TRL and Liger have 0.1.
    pub beta: f64,
    /// Target margin, after `beta`, `>= 0`. Default 0.5 (TRL, Liger; at `beta` 2 the authors' ratio of 0.25).
    pub gamma: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    pub label_smoothing: f64,
}

impl Default for SimPo {
    fn default() -> Self {
        Self { beta: 2.0, gamma: 0.5, label_smoothing: 0.0 }
    }
}

impl SimPo {
    /// The objective whose target margin is given before `beta`, as the ratio `γ/β` (`gamma_beta_ratio`).
    #[must_use]
    pub fn from_ratio(beta: f64, gamma_beta_ratio: f64) -> Self {
        Self { beta, gamma: beta * gamma_beta_ratio, label_smoothing: 0.0 }
    }
}

impl MarginLoss for SimPo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::non_negative("gamma", self.gamma)?;
        check::label_smoothing(self.label_smoothing)
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(Length::Mean)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, smoothed::<T, FMA>(beta * margin - T::from_f64(self.gamma), self.label_smoothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal, three};
    use crate::preference::{PairBatch, PairObjective};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &SimPo::default(),
            &three([
                [1.053_700_678_276_518_6, -0.130_270_972_933_210_85, 1.302_709_729_332_108_6 / 12.0],
                [0.782_207_423_333_963_2, -1.085_209_537_600_656_3 / 24.0, 0.054_260_476_880_032_82],
                [1.081_036_753_518_738_6, -1.321_512_737_531_634_2 / 6.0, 1.321_512_737_531_634_2 / 16.0],
            ]),
        );
        is_exact(
            &SimPo { beta: 2.5, gamma: 1.5, label_smoothing: 0.1 },
            &three([
                [1.665_295_142_458_541_8, -0.184_933_491_918_059_83, 0.154_111_243_265_049_85],
                [1.269_896_751_784_207_7, -0.067_511_146_715_906_16, 0.081_013_376_059_087_39],
                [1.704_003_345_065_962_6, -0.311_091_660_387_920_1, 0.116_659_372_645_470_02],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SimPo::default());
        agrees_with_differences(&SimPo { beta: 2.5, gamma: 1.5, label_smoothing: 0.1 });
    }

    #[test]
    fn the_ratio_is_that_of_the_authors() {
        assert_eq!(SimPo::from_ratio(10.0, 0.3), SimPo { beta: 10.0, gamma: 3.0, label_smoothing: 0.0 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&SimPo::default(), ratios(-inf, -1.0)), Ok([inf, -2.0, 2.0]));
        assert_eq!(at::<f64>(&SimPo::default(), ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn what_is_missing_or_out_of_range_is_named() {
        let message = |simpo: SimPo| refusal(&simpo, ratios(0.0, 0.0));
        assert_eq!(message(SimPo::from_ratio(0.0, 0.25)), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(SimPo::from_ratio(2.0, -0.25)), "`gamma` is -0.5, allowed is finite and >= 0");
        let smooth = SimPo { label_smoothing: 0.7, ..SimPo::default() };
        assert_eq!(message(smooth), "`label_smoothing` is 0.7, allowed is [0, 0.5)");
        let sample = Sample::<f64>::of(2);
        let error = SimPo::default().value(PairBatch::new(sample.policy.view()), Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "SimPo needs `lengths`");
    }
}
