//! Anchored preference optimization (APO) that lowers both responses.

use crate::preference::logistic::density;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Anchored preference optimization, down (APO-down): lowers the likelihood of the chosen response below the reference,
/// and that of the rejected one more.
///
/// ```math
/// L_i = \sigma(\beta a_i) + 1 - \sigma\big(\beta (a_i - b_i)\big),
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response; log-probabilities are sums. The
/// gradient is `β (σ'(βa) - σ'(β(a - b)))` and `β σ'(β(a - b))`, with `σ'(x) = σ(x) σ(-x)`. For models that are better than
/// the chosen responses; where they are worse, [`ApoZero`](crate::preference::ApoZero).
///
/// `0 <= L <= 2`, and 1 where the two models agree. It is a loss of probabilities: its gradients vanish in both tails.
/// Peers agree, except under another divergence: TRL applied the score of the divergence to one of the terms only. This
/// objective takes no other divergence.
///
/// A log-probability of -inf is the exact limit, with gradient 0 on its own side.
///
/// # Errors
///
/// `beta` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::ApoDown;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// assert!((ApoDown::default().value(batch, Reduction::Mean)? - 0.981_288_023).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// D'Oosterlinck et al., TACL 2025, eq. 8, [arXiv:2408.06266](https://arxiv.org/abs/2408.06266).
#[doc(alias = "APO")]
#[doc(alias = "APO-down")]
#[doc(alias = "apo_down")]
#[doc(alias = "anchored preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ApoDown {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger).
    pub beta: f64,
}

impl Default for ApoDown {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for ApoDown {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let beta = T::from_f64(self.beta);
        let Pairs { chosen, rejected } = row.log_ratios();
        let (u, z) = (beta * chosen, beta * (chosen - rejected));
        let (by_chosen, by_margin) = (density::<T, FMA>(u), density::<T, FMA>(z));
        let slope = Pairs { chosen: beta * (by_chosen - by_margin), rejected: beta * by_margin };
        (math::sigmoid::<T, FMA>(u) + math::sigmoid::<T, FMA>(-z), slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &ApoDown::default(),
            &[
                (
                    ratios(2.5, 1.75),
                    [1.043_435_285_007_262_8, -0.000_351_468_408_979_579_17, 0.024_964_876_682_739_414],
                ),
                (ratios(-3.0, 4.0), [1.093_745_255_356_507, 0.002_274_543_839_763_682, 0.022_171_287_329_310_906]),
                (
                    ratios(300.0, -300.0),
                    [0.999_999_999_999_906_4, 9.357_622_968_837_532e-15, 8.756_510_762_696_492e-28],
                ),
                (ratios(-1000.0, 1000.0), [1.0, 3.720_075_976_020_816e-45, 1.383_896_526_736_722_3e-88]),
                (ratios(0.5, -4.0), [0.901_858_162_534_988_3, 0.001_208_485_516_998_712_5, 0.023_775_895_991_112_933]),
                (
                    ratios(30.0, -70.0),
                    [0.952_619_524_691_135_6, 0.004_513_126_392_317_618, 4.539_580_773_595_164_5e-06],
                ),
            ],
        );
        is_exact(
            &ApoDown::default(),
            &three([
                [0.981_288_023_110_454, 8.178_400_674_989_73e-05, 0.024_902_597_501_361_746],
                [1.030_967_127_512_041_8, 0.000_289_189_227_601_912_66, 0.024_613_408_273_759_834],
                [0.903_294_254_332_948_9, 0.001_659_136_345_335_978_2, 0.023_200_764_322_418_32],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&ApoDown { beta: 0.3 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (apo, inf) = (ApoDown { beta: 0.5 }, f64::INFINITY);
        assert_eq!(at::<f64>(&apo, ratios(-inf, 0.0)), Ok([1.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&apo, ratios(0.0, -inf)), Ok([0.5, 0.125, 0.0]));
        let message = "`policy.chosen`[0] is -inf, allowed is finite where another log-probability of its pair is -inf";
        assert_eq!(refusal(&apo, ratios(-inf, -inf)), message);
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(refusal(&ApoDown { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
    }
}
