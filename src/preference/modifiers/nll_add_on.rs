//! The likelihood terms that peers add to a preference loss, by their names and with their normalizations.

use crate::preference::{Length, Nll, PairConfig, Sft, Term, WeightedSum};

/// Negative log-likelihood (NLL) of the chosen response, as one of the peers adds a multiple of it to the loss of a
/// pair.
///
/// They differ in what they divide by, and so by orders of magnitude at the same weight:
///
/// | variant | term, for weight `c` | default of the peer |
/// |---|---|---|
/// | [`Rpo`](NllAddOn::Rpo) | `-ηβ log π` of the sum | η 0.005 at β 0.01 |
/// | [`Irpo`](NllAddOn::Irpo) | `-c log π / n` of each response | 1 |
/// | [`RpoAlpha`](NllAddOn::RpoAlpha), once of TRL | `-c Σ log π / Σ n` of the batch | off |
/// | [`Sft`](NllAddOn::Sft), TRL's `loss_type` (MPO) | the same | 1 |
/// | [`CpoAlpha`](NllAddOn::CpoAlpha), of TRL's CPO | the same | 1 |
/// | [`LigerAlpha`](NllAddOn::LigerAlpha) | the same | 1 where it is on: SimPO, ORPO and CPO |
/// | [`SimPoSft`](NllAddOn::SimPoSft), `sft_weight` of the authors' code | the same | 0 |
/// | [`PrefFtx`](NllAddOn::PrefFtx), of LLaMA-Factory | `-c log π / n` | 0 |
/// | [`NllLossCoef`](NllAddOn::NllLossCoef), of OpenRLHF | `-c log π / n` | 0 |
/// | [`OatSft`](NllAddOn::OatSft), `sft_weight` of oat | `-c log π / n` | 0 |
/// | [`SftLossWeight`](NllAddOn::SftLossWeight), of NeMo-RL | `-c log π`, or `/ n` by its flag | 0 |
/// | [`NllScale`](NllAddOn::NllScale), of fairseq2 | `-c log π`, or `/ n` by its flag | 0 (DPO), 1 (CPO) |
///
/// The gradient in `log π` is the same without `log π`; it is 0 for the rejected response.
///
/// # Examples
///
/// IRPO is DPO with one of them:
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::NllAddOn;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.0_f64]), rejected: aview1(&[-15.0]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-14.0]) })
///     .lengths(Pairs { chosen: aview1(&[8.0]), rejected: aview1(&[9.0]) });
/// let irpo = NllAddOn::Irpo { alpha: 1.0 }.added_to(PairConfig::Sigmoid(Dpo::default()));
/// assert!((irpo.value(batch, Reduction::Mean)? - (0.598_138_869 + 1.5)).abs() < 1e-9);
/// let rpo = NllAddOn::Rpo { eta: 0.005, beta: 0.1 }.added_to(PairConfig::Sigmoid(Dpo::default()));
/// assert!((rpo.value(batch, Reduction::Mean)? - 0.604_138_869).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al. (RPO), NeurIPS 2024, [arXiv:2405.16436](https://arxiv.org/abs/2405.16436); Pang et al. (IRPO), NeurIPS 2024,
/// [arXiv:2404.19733](https://arxiv.org/abs/2404.19733); Wang et al. (MPO), 2024,
/// [arXiv:2411.10442](https://arxiv.org/abs/2411.10442).
#[doc(alias = "negative log-likelihood")]
#[doc(alias = "SFT term")]
#[doc(alias = "sft_weight")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "add_on", rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum NllAddOn {
    /// RPO: `ηβ` of the sum, with the `beta` of the preference loss.
    Rpo {
        /// The paper's `η`.
        eta: f64,
        /// The `beta` of the loss that it is added to.
        beta: f64,
    },
    /// IRPO: the mean per response.
    Irpo {
        /// The paper's `α`.
        alpha: f64,
    },
    /// TRL's former `rpo_alpha`: the mean over the chosen tokens of the batch.
    RpoAlpha {
        /// Its weight.
        rpo_alpha: f64,
    },
    /// TRL's loss type `sft`: the mean over the chosen tokens of the batch.
    Sft {
        /// Its entry in `loss_weights`.
        weight: f64,
    },
    /// TRL's CPO: the mean over the chosen tokens of the batch.
    CpoAlpha {
        /// Its weight.
        cpo_alpha: f64,
    },
    /// Liger: the mean over the chosen tokens of the batch.
    LigerAlpha {
        /// Its weight.
        alpha: f64,
    },
    /// The code of SimPO: the mean over the chosen tokens of the batch.
    SimPoSft {
        /// Its weight.
        sft_weight: f64,
    },
    /// LLaMA-Factory: the mean per response.
    PrefFtx {
        /// Its weight.
        pref_ftx: f64,
    },
    /// OpenRLHF: the mean per response.
    NllLossCoef {
        /// Its weight.
        nll_loss_coef: f64,
    },
    /// oat: the mean per response.
    OatSft {
        /// Its weight.
        sft_weight: f64,
    },
    /// NeMo-RL: the sum, or the mean per response.
    SftLossWeight {
        /// Its weight.
        sft_loss_weight: f64,
        /// Its `sft_average_log_probs`, off by default there.
        length: Length,
    },
    /// fairseq2: the sum, or the mean per response.
    NllScale {
        /// Its weight.
        nll_scale: f64,
        /// Its length normalization.
        length: Length,
    },
}

impl NllAddOn {
    /// The term of a weighted sum that it is.
    #[must_use]
    pub fn term(self) -> Term<PairConfig> {
        let of_batch = PairConfig::Sft(Sft);
        let each = |length| PairConfig::Nll(Nll { length });
        let (weight, objective) = match self {
            Self::Rpo { eta, beta } => (eta * beta, each(Length::Sum)),
            Self::RpoAlpha { rpo_alpha: weight }
            | Self::Sft { weight }
            | Self::CpoAlpha { cpo_alpha: weight }
            | Self::LigerAlpha { alpha: weight }
            | Self::SimPoSft { sft_weight: weight } => (weight, of_batch),
            Self::Irpo { alpha: weight }
            | Self::PrefFtx { pref_ftx: weight }
            | Self::NllLossCoef { nll_loss_coef: weight }
            | Self::OatSft { sft_weight: weight } => (weight, each(Length::Mean)),
            Self::SftLossWeight { sft_loss_weight: weight, length } | Self::NllScale { nll_scale: weight, length } => {
                (weight, each(length))
            }
        };
        Term { weight, objective }
    }

    /// The objective with this term added.
    #[must_use]
    pub fn added_to(self, objective: PairConfig) -> WeightedSum<PairConfig> {
        WeightedSum { terms: vec![Term { weight: 1.0, objective }, self.term()] }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences};
    use crate::preference::{Dpo, PairBatch, PairObjective, Pairs};
    use crate::testing::close;

    /// Value and slope of the chosen response at the worked example of the paper's entry.
    #[test]
    fn rpo_has_its_worked_value() {
        let both = |chosen: &'static [f64; 1], rejected: &'static [f64; 1]| Pairs {
            chosen: aview1(chosen),
            rejected: aview1(rejected),
        };
        let batch = PairBatch::new(both(&[-12.0], &[-15.0])).reference(both(&[-13.0], &[-14.0]));
        let rpo = NllAddOn::Rpo { eta: 0.005, beta: 0.1 }.added_to(PairConfig::Sigmoid(Dpo::default()));
        let (loss, grad) = rpo.grad(batch, Reduction::Mean).unwrap();
        close(loss, 0.604_138_869_4, 1e-9);
        close(grad.chosen[0], -0.045_516_6, 1e-6);
    }

    #[test]
    fn each_term_has_its_weight_and_its_denominator() {
        let sample = Sample::<f64>::of(30);
        let (sums, n) = (&sample.policy.chosen, &sample.lengths.chosen);
        let per_response = -(sums / n).mean().unwrap();
        let per_token = -sums.sum() / n.sum();
        let sum = -sums.mean().unwrap();
        let expected = [
            (NllAddOn::Rpo { eta: 0.4, beta: 0.5 }, 0.2 * sum),
            (NllAddOn::Irpo { alpha: 0.3 }, 0.3 * per_response),
            (NllAddOn::RpoAlpha { rpo_alpha: 0.3 }, 0.3 * per_token),
            (NllAddOn::Sft { weight: 0.3 }, 0.3 * per_token),
            (NllAddOn::CpoAlpha { cpo_alpha: 0.3 }, 0.3 * per_token),
            (NllAddOn::LigerAlpha { alpha: 0.3 }, 0.3 * per_token),
            (NllAddOn::SimPoSft { sft_weight: 0.3 }, 0.3 * per_token),
            (NllAddOn::PrefFtx { pref_ftx: 0.3 }, 0.3 * per_response),
            (NllAddOn::NllLossCoef { nll_loss_coef: 0.3 }, 0.3 * per_response),
            (NllAddOn::OatSft { sft_weight: 0.3 }, 0.3 * per_response),
            (NllAddOn::SftLossWeight { sft_loss_weight: 0.3, length: Length::Sum }, 0.3 * sum),
            (NllAddOn::NllScale { nll_scale: 0.3, length: Length::Mean }, 0.3 * per_response),
        ];
        for (add_on, expected) in expected {
            let sum = WeightedSum { terms: vec![add_on.term()] };
            close(sum.value(sample.batch(), Reduction::Mean).unwrap(), expected, 1e-12);
            agrees_with_differences(&add_on.added_to(PairConfig::Sigmoid(Dpo::default())));
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_configuration_names_the_peer() {
        let read = |text| serde_json::from_str::<NllAddOn>(text);
        assert_eq!(
            read(r#"{"add_on": "cpo_alpha", "cpo_alpha": 1.0}"#).unwrap(),
            NllAddOn::CpoAlpha { cpo_alpha: 1.0 }
        );
        assert!(read(r#"{"add_on": "cpo_alpha", "alpha": 1.0}"#).is_err());
    }
}
