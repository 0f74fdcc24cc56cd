//! Binary classifier optimization of a pair (BCO).

use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Binary classifier optimization (BCO) of a pair: the logistic loss of a classifier of single responses, chosen
/// against rejected, whose threshold is the baseline `δ`.
///
/// ```math
/// L_i = \operatorname{softplus}\big(-(\beta a_i - \delta)\big) + \operatorname{softplus}(\beta b_i - \delta),
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response; log-probabilities are sums. The
/// gradient is `-β σ(δ - βa)` and `β σ(βb - δ)`; `δ` is a constant in it.
///
/// `δ` is an input. The paper, LLaMA-Factory and ms-swift take the running mean of all rewards `βa` and `βb`, updated
/// before the loss: keep it in a [`RunningMean`](crate::preference::RunningMean). TRL's DPO trainer and Liger take 0.
///
/// `L >= 0`, and `2 ln 2` where policy and reference agree and `δ` is 0. At any `δ` it is above the loss of the same pair
/// under [`Dpo`](crate::preference::Dpo): the error of the classifier bounds that of the ranking.
///
/// Each log-probability of -inf is the exact limit: of the chosen response +inf with gradient `-β`, of the rejected one a
/// finite loss with gradient 0.
///
/// # Errors
///
/// `beta` or `delta` out of range; a batch without reference.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// assert!((BcoPair::default().value(batch, Reduction::Mean)? - 1.324_809_789).abs() < 1e-9);
/// let shifted = BcoPair { delta: 0.05, ..BcoPair::default() };
/// assert!((shifted.value(batch, Reduction::Mean)? - 1.325_746_216).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Jung et al., ACL 2025, [arXiv:2404.04656](https://arxiv.org/abs/2404.04656).
#[doc(alias = "BCO")]
#[doc(alias = "bco_pair")]
#[doc(alias = "binary classifier optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BcoPair {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger).
    pub beta: f64,
    /// The baseline, on the scale of the rewards (`β` times a log-ratio). Default 0 (TRL, Liger).
    pub delta: f64,
}

impl Default for BcoPair {
    fn default() -> Self {
        Self { beta: 0.1, delta: 0.0 }
    }
}

impl PairLoss for BcoPair {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::finite("delta", self.delta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, delta) = (T::from_f64(self.beta), T::from_f64(self.delta));
        let Pairs { chosen: u, rejected: v } = row.log_ratios().map(|ratio| beta * ratio - delta);
        let slope =
            Pairs { chosen: -(beta * math::sigmoid::<T, FMA>(-u)), rejected: beta * math::sigmoid::<T, FMA>(v) };
        (math::softplus::<T, FMA>(-u) + math::softplus::<T, FMA>(v), slope)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &BcoPair { beta: 0.1, delta: 0.25 },
            &[
                (ratios(2.5, 1.75), [1.349_497_321_386_740_5, -0.05, 0.048_125_878_412_146_48]),
                (ratios(-3.0, 4.0), [1.776_449_529_252_869_7, -0.063_413_559_101_080_07, 0.053_742_984_534_374_96]),
                (
                    ratios(300.0, -300.0),
                    [1.930_314_982_759_045_8e-13, -1.201_542_573_177_032_3e-14, 7.287_724_095_819_15e-15],
                ),
                (ratios(-1000.0, 1000.0), [200.0, -0.1, 0.1]),
                (ratios(1e-8, -1e-8), [1.401_878_838_757_687, -0.056_217_650_063_966_4, 0.043_782_349_886_806_786]),
                (
                    ratios(30.0, -70.0),
                    [0.062_677_511_337_537_92, -0.006_008_665_017_400_761, 7.096_703_991_005_879e-05],
                ),
            ],
        );
        is_exact(
            &BcoPair::default(),
            &three([
                [1.324_809_788_840_081_6, -0.048_750_260_351_578_964, 0.048_125_878_412_146_474],
                [1.515_198_070_634_338_2, -0.053_120_937_337_375_63, 0.053_120_937_337_375_63],
                [1.133_972_300_189_484_8, -0.046_257_015_465_625_044, 0.040_131_233_988_754_8],
            ]),
        );
        is_exact(
            &BcoPair { beta: 0.1, delta: 0.05 },
            &three([
                [1.325_746_215_877_114_5, -0.05, 0.046_879_062_662_624_37],
                [1.515_820_571_489_842, -0.054_363_868_723_707_89, 0.051_874_121_587_853_525],
                [1.137_645_606_071_025_8, -0.047_502_081_252_106_004, 0.038_936_076_605_077_8],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&BcoPair { beta: 0.3, delta: -1.5 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (bco, inf) = (BcoPair { beta: 0.5, delta: 0.0 }, f64::INFINITY);
        assert_eq!(at::<f64>(&bco, ratios(-inf, 0.0)), Ok([inf, -0.5, 0.25]));
        assert_eq!(at::<f64>(&bco, ratios(0.0, -inf)), Ok([LN_2, -0.25, 0.0]));
    }

    #[test]
    fn bad_input_is_named() {
        let message = |beta, delta| refusal(&BcoPair { beta, delta }, ratios(0.0, 0.0));
        assert_eq!(message(-1.0, 0.0), "`beta` is -1, allowed is finite and > 0");
        assert_eq!(message(0.1, f64::INFINITY), "`delta` is inf, allowed is finite");
    }
}
