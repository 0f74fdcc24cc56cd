//! Anchored preference optimization (APO) that raises one response and lowers the other.

use crate::preference::logistic::density;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Anchored preference optimization, zero (APO-zero): raises the likelihood of the chosen response above the reference,
/// and lowers that of the rejected one below it.
///
/// ```math
/// L_i = 1 - \sigma(\beta a_i) + \sigma(\beta b_i),
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response; log-probabilities are sums. The
/// gradient is `-β σ'(βa)` and `β σ'(βb)`, with `σ'(x) = σ(x) σ(-x)`. For models that are worse than the chosen responses;
/// where they are better, [`ApoDown`](crate::preference::ApoDown).
///
/// `0 <= L <= 2`, and 1 where the two models agree. It is a loss of probabilities, not of their logarithms: a pair that is
/// ordered very badly has a small gradient, not a large one. Nothing cancels: `1 - σ(x)` is formed as `σ(-x)`. Peers agree.
///
/// Each log-probability of -inf is the exact limit, with gradient 0.
///
/// # Errors
///
/// `beta` out of range; a batch without reference.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// assert!((ApoZero::default().value(batch, Reduction::Mean)? - 0.968_761_388).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// D'Oosterlinck et al., TACL 2025, eq. 7, [arXiv:2408.06266](https://arxiv.org/abs/2408.06266).
#[doc(alias = "APO")]
#[doc(alias = "APO-zero")]
#[doc(alias = "apo_zero")]
#[doc(alias = "anchored preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ApoZero {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger).
    pub beta: f64,
}

impl Default for ApoZero {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for ApoZero {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let beta = T::from_f64(self.beta);
        let Pairs { chosen: u, rejected: v } = row.log_ratios().map(|ratio| beta * ratio);
        let slope = Pairs { chosen: -(beta * density::<T, FMA>(u)), rejected: beta * density::<T, FMA>(v) };
        (math::sigmoid::<T, FMA>(-u) + math::sigmoid::<T, FMA>(v), slope)
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
            &ApoZero::default(),
            &[
                (ratios(2.5, 1.75), [0.981_462_186_351_280_8, -0.024_613_408_273_759_838, 0.024_809_566_497_622_44]),
                (ratios(-3.0, 4.0), [1.173_130_176_924_111, -0.024_445_831_169_074_59, 0.024_026_074_574_152_918]),
                (
                    ratios(300.0, -300.0),
                    [1.871_524_593_767_856_7e-13, -9.357_622_968_838_408e-15, 9.357_622_968_838_408e-15],
                ),
                (ratios(-1000.0, 1000.0), [2.0, -3.720_075_976_020_816e-45, 3.720_075_976_020_816e-45]),
                (ratios(1e-8, -1e-8), [0.999_999_999_5, -0.025, 0.025]),
                (
                    ratios(30.0, -70.0),
                    [0.048_336_924_371_967_42, -0.004_517_665_973_091_213, 9.102_211_801_218_262e-05],
                ),
            ],
        );
        is_exact(
            &ApoZero::default(),
            &three([
                [0.968_761_387_637_254_4, -0.024_984_381_508_111_646, 0.024_964_876_682_739_414],
                [1.062_418_746_747_512_6, -0.024_902_597_501_361_746, 0.024_902_597_501_361_746],
                [0.863_882_494_543_798_4, -0.024_859_900_667_754_3, 0.024_026_074_574_152_914],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&ApoZero { beta: 0.3 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (apo, inf) = (ApoZero { beta: 0.5 }, f64::INFINITY);
        assert_eq!(at::<f64>(&apo, ratios(-inf, 0.0)), Ok([1.5, 0.0, 0.125]));
        assert_eq!(at::<f64>(&apo, ratios(0.0, -inf)), Ok([0.5, -0.125, 0.0]));
        assert_eq!(at::<f64>(&apo, ratios(-inf, -inf)), Ok([1.0, 0.0, 0.0]));
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(refusal(&ApoZero { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
    }
}
