//! Chi-squared preference optimization (χPO).

use crate::math::mul_or_zero;
use crate::preference::logistic::clipped;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Chi-squared preference optimization (χPO): the logistic loss of the clipped difference of `λ + e^λ`, the link of a
/// mixture of χ² and KL.
///
/// ```math
/// L_i = \operatorname{softplus}(-z_i), \qquad
/// z_i = \operatorname{clip}\big(\beta\,[\varphi(\lambda_i^w) - \varphi(\lambda_i^l)],\ -c,\ c\big), \quad
/// \varphi(\lambda) = \lambda + e^\lambda
/// ```
///
/// `λ = log π - log ρ` of whole responses, in nats. The χ² part punishes a policy that leaves the reference far behind more
/// than KL does. Inside the clip, whose bounds count as inside, the gradient is `∓β σ(-z) (1 + e^λ)`; outside it is 0.
///
/// The difference is formed from the gap of the two log-ratios and the larger power, so that powers beyond the type are
/// clipped, and no ∞ - ∞ is formed. One side of log-probability -inf, in policy or reference, is the exact limit.
///
/// # Errors
///
/// `beta` or `clip` out of range; a batch without reference; a gradient that overflows inside the clip; both sides of a
/// pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::ChiPo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = ChiPo { beta: 0.1, clip: 2.0 }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.579_170_460).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Huang et al., ICLR 2025, [arXiv:2407.13399](https://arxiv.org/abs/2407.13399).
#[doc(alias = "χPO")]
#[doc(alias = "chi-PO")]
#[doc(alias = "chi-squared preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ChiPo {
    /// Strength of the pull towards the reference, `> 0`. The paper leaves it to the user.
    pub beta: f64,
    /// Largest difference, `> 0`: twice the paper's bound of the rewards.
    pub clip: f64,
}

impl PairLoss for ChiPo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::positive("clip", self.clip)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, clip) = (T::from_f64(self.beta), T::from_f64(self.clip));
        let Pairs { chosen: w, rejected: l } = row.log_ratios();
        let (gap, larger) = (w - l, if l > w { l } else { w });
        // e^w - e^l = ±e^larger (1 - e^-|gap|)
        let fall = math::exp_m1::<T, FMA>(-gap.abs());
        let fall = if gap < T::zero() { fall } else { -fall };
        let z = beta * (gap + mul_or_zero(fall, math::exp::<T, FMA>(larger)));
        let outside = z.abs() > clip;
        let z = clipped(z, -clip, clip);
        let slope = -beta * math::sigmoid::<T, FMA>(-z);
        let side = |ratio| if outside { T::zero() } else { slope + slope * math::exp::<T, FMA>(ratio) };
        (math::softplus::<T, FMA>(-z), Pairs { chosen: side(w), rejected: -side(l) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{
        agrees_with_differences, at, is_exact, ratios, refusal, slopes_agree_with_differences, three,
    };

    const CHI: ChiPo = ChiPo { beta: 0.1, clip: 2.0 };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &CHI,
            &three([
                [0.579_170_460_107_635, -0.116_447_582_748_338_26, 0.064_730_678_868_628_21],
                [1.018_466_695_781_550_2, -0.082_188_582_025_284_67, 0.286_866_338_455_727_23],
                [0.314_248_047_182_567_3, -0.147_820_407_434_847_12, 0.027_460_118_716_387_91],
            ]),
        );
        is_exact(
            &ChiPo { beta: 0.5, clip: 16.0 },
            &[
                (ratios(1.5, 1.25), [0.430_211_372_882_662_53, -0.958_277_064_067_805_1, 0.784_975_691_017_934]),
                (ratios(1.25, 1.5), [1.050_884_429_320_774_2, -1.460_195_787_712_986_7, 1.782_567_471_101_227_4]),
                (ratios(3.0, -50.0), [1.125_351_683_871_768_2e-7, 0.0, 0.0]),
                (ratios(-50.0, 3.0), [16.000_000_112_535_17, 0.0, 0.0]),
                (ratios(-40.0, -41.0), [0.474_076_984_180_106_7, -0.188_770_334_399_072_73, 0.188_770_334_399_072_73]),
                (ratios(0.0, 1.0e-8), [0.693_147_185_559_945_4, -0.500_000_002_5, 0.500_000_005_000_000_1]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        slopes_agree_with_differences(
            &CHI,
            &[ratios(0.5, -2.0), ratios(-2.0, 1.0), ratios(1.5, 1.25), ratios(9.0, 1.0)],
        );
        agrees_with_differences(&ChiPo { beta: 0.01, clip: 0.2 });
    }

    #[test]
    fn beyond_the_clip_all_is_flat() {
        let [loss, chosen, rejected] = at::<f64>(&CHI, ratios(5.0, 0.0)).unwrap();
        assert_eq!((loss, chosen, rejected), ((-2.0_f64).exp().ln_1p(), 0.0, 0.0));
        for (w, l) in [(1e3, 0.0), (1e3, 999.0), (1e4, -1e4)] {
            assert_eq!(at::<f64>(&CHI, ratios(w, l)), Ok([loss, 0.0, 0.0]));
            let [opposite, chosen, rejected] = at::<f64>(&CHI, ratios(l, w)).unwrap();
            assert!((opposite - loss - 2.0).abs() < 1e-15 && chosen == 0.0 && rejected == 0.0);
            assert!(at::<f32>(&CHI, ratios(w, l)).is_ok());
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit_and_equal_giants_are_refused() {
        let [loss, chosen, rejected] = at::<f64>(&CHI, ratios(f64::NEG_INFINITY, -1.0)).unwrap();
        assert!((loss - 2.0_f64.exp().ln_1p()).abs() < 1e-15 && chosen == 0.0 && rejected == 0.0);
        assert!(at::<f64>(&CHI, ratios(f64::NEG_INFINITY, f64::NEG_INFINITY)).is_err());
        assert_eq!(refusal(&CHI, ratios(1e3, 1e3)), "the result at `policy.rejected`[0] overflows f64");
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        assert_eq!(refusal(&ChiPo { beta: 0.0, ..CHI }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(refusal(&ChiPo { clip: -2.0, ..CHI }, ratios(0.0, 0.0)), "`clip` is -2, allowed is finite and > 0");
    }
}
