//! DPO with a strength for each side (Flex-DPO; PSO offline).

use crate::math::mul_or_zero;
use crate::preference::logistic::logistic;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Flex-DPO, direct preference optimization with a separate `β` for each response: the logistic loss of the two scaled
/// log-ratios. It is also pairwise sample optimization (PSO), offline.
///
/// ```math
/// L_i = \operatorname{softplus}(-z_i), \qquad z_i = \beta_w\,(\log\pi_i^w - \log\rho_i^w) - \beta_l\,(\log\pi_i^l - \log\rho_i^l)
/// ```
///
/// Log-probabilities of whole responses, summed over their tokens, in nats. Its step is one of
/// [`Dpo`](crate::preference::Dpo) with `β_l` and one of likelihood on the chosen response with weight
/// `(β_w - β_l) σ(-z)`: a smaller `β_l` keeps the chosen likelihood from falling with the rejected one. `β_w = β_l` is DPO,
/// `β_l = 0` leaves the rejected response out.
///
/// Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo).
///
/// # Errors
///
/// `beta_chosen` or `beta_rejected` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::FlexDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = FlexDpo { beta_chosen: 0.1, beta_rejected: 0.02 }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.661_175_213).abs() < 1e-9); // softplus(-0.05 - 0.015)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Yan et al. (3D-properties of DPO), 2024, [arXiv:2406.07327](https://arxiv.org/abs/2406.07327); Miao et al. (PSO), ICLR
/// 2025, [arXiv:2410.03190](https://arxiv.org/abs/2410.03190).
#[doc(alias = "Flex-DPO")]
#[doc(alias = "PSO offline")]
#[doc(alias = "pairwise sample optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct FlexDpo {
    /// Strength on the chosen side, `> 0`. 0.1 is that of [`Dpo`](crate::preference::Dpo).
    pub beta_chosen: f64,
    /// Strength on the rejected side, `>= 0`.
    pub beta_rejected: f64,
}

impl FlexDpo {
    /// The offline form of PSO, with the rejected side weighed down by `gamma`. Log-probabilities are **minus** the weighted
    /// errors of the predicted clean samples; [`DiffusionDpo`](crate::preference::DiffusionDpo) takes errors themselves. The
    /// authors take `beta` 200 and `gamma` 0.1.
    #[must_use]
    pub fn pso_offline(beta: f64, gamma: f64) -> Self {
        Self { beta_chosen: beta, beta_rejected: beta * gamma }
    }
}

impl PairLoss for FlexDpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta_chosen", self.beta_chosen)?;
        check::non_negative("beta_rejected", self.beta_rejected)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let beta = Pairs { chosen: T::from_f64(self.beta_chosen), rejected: T::from_f64(self.beta_rejected) };
        let Pairs { chosen: w, rejected: l } = row.log_ratios();
        let (loss, slope) = logistic::<T, FMA>(beta.chosen * w - mul_or_zero(beta.rejected, l));
        (loss, Pairs { chosen: beta.chosen * slope, rejected: -(beta.rejected * slope) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    const FLEX: FlexDpo = FlexDpo { beta_chosen: 0.1, beta_rejected: 0.02 };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &FLEX,
            &three([
                [0.661_175_212_614_118_8, -0.048_375_571_893_792_754, 0.009_675_114_378_758_55],
                [0.770_957_047_789_532_1, -0.053_742_984_534_374_955, 0.010_748_596_906_874_991],
                [0.584_745_156_703_730_5, -0.044_275_214_540_144_44, 0.008_855_042_908_028_889],
            ]),
        );
        is_exact(
            &FlexDpo { beta_chosen: 0.5, beta_rejected: 0.125 },
            &[
                (ratios(1.25, 2.0), [0.523_123_264_139_84, -0.203_666_700_022_965_1, 0.050_916_675_005_741_28]),
                (ratios(-1000.0, 0.0), [500.0, -0.5, 0.125]),
                (ratios(0.0, 1000.0), [125.0, -0.5, 0.125]),
                (
                    ratios(1000.0, 0.0),
                    [7.124_576_406_741_286e-218, -3.562_288_203_370_643e-218, 8.905_720_508_426_607e-219],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&FLEX);
        agrees_with_differences(&FlexDpo { beta_chosen: 0.3, beta_rejected: 0.0 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&FLEX, ratios(-inf, -1.0)), Ok([inf, -0.1, 0.02]));
        assert_eq!(at::<f64>(&FLEX, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
        let chosen = FlexDpo { beta_chosen: 0.5, beta_rejected: 0.0 };
        assert_eq!(at::<f64>(&chosen, ratios(0.0, -inf)), Ok([std::f64::consts::LN_2, -0.25, 0.0]));
    }

    #[test]
    fn the_offline_form_weighs_the_rejected_side_down() {
        assert_eq!(FlexDpo::pso_offline(200.0, 0.125), FlexDpo { beta_chosen: 200.0, beta_rejected: 25.0 });
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |flex: FlexDpo| refusal(&flex, ratios(0.0, 0.0));
        assert_eq!(message(FlexDpo { beta_chosen: 0.0, ..FLEX }), "`beta_chosen` is 0, allowed is finite and > 0");
        assert_eq!(
            message(FlexDpo { beta_rejected: -1.0, ..FLEX }),
            "`beta_rejected` is -1, allowed is finite and >= 0"
        );
    }
}
