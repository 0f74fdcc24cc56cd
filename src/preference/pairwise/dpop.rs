//! DPO-Positive (DPOP, Smaug).

use crate::math::mul_or_zero;
use crate::preference::logistic::{hinge, logistic};
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// DPO-Positive (DPOP): direct preference optimization with a penalty where the chosen response is less likely than
/// under the reference.
///
/// ```math
/// \text{inside: } L_i = \operatorname{softplus}\big(-\beta (a_i - b_i - \lambda [-a_i]_+)\big), \qquad
/// \text{outside: } L_i = \operatorname{softplus}\big(-\beta (a_i - b_i)\big) + \lambda [-a_i]_+
/// ```
///
/// `a = log π^w - log ρ^w` and `b = log π^l - log ρ^l` of the policy `π` and the reference `ρ`, for the chosen response
/// `w` and the rejected one `l`; log-probabilities are sums. [`Placement::Inside`] is the paper's form (oat, SamPO),
/// [`Placement::Outside`] that of mlx-lm-lora. Inside, the gradient is `-β σ(-z) (1 + λ [a < 0])` and `β σ(-z)`: that
/// of the penalty vanishes together with the loss. Outside, the gradient of the penalty is `-λ [a < 0]` at any margin.
///
/// `L >= 0`, and `ln 2` where the two models agree; without a penalty (`λ = 0`, or `a >= 0`) it is
/// [`Dpo`](crate::preference::Dpo). The sub-gradient of the penalty at `a = 0` is 0.
///
/// A response of log-probability -inf is the exact limit: chosen, the loss is +inf and the gradient `-β (1 + λ)` or
/// `-β - λ`; rejected, what the penalty leaves.
///
/// # Errors
///
/// `beta` or `lambda` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::{Dpop, Placement};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-30.25_f64]), rejected: aview1(&[-28.5]) })
///     .reference(Pairs { chosen: aview1(&[-29.0]), rejected: aview1(&[-29.75]) });
/// let inside = Dpop { lambda: 5.0, ..Dpop::default() };
/// assert!((inside.value(batch, Reduction::Mean)? - 1.223_444_581).abs() < 1e-9); // softplus(0.875)
/// let outside = Dpop { placement: Placement::Outside, ..inside };
/// assert!((outside.value(batch, Reduction::Mean)? - 7.075_939_420).abs() < 1e-9); // softplus(0.25) + 5 · 1.25
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Pal et al., 2024, eq. 3, [arXiv:2402.13228](https://arxiv.org/abs/2402.13228).
#[doc(alias = "DPO-Positive")]
#[doc(alias = "Smaug")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Dpop {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (oat, mlx-lm-lora).
    pub beta: f64,
    /// Strength of the penalty, `>= 0`: in margins inside, in losses per nat outside. Default 50 (the paper,
    /// mlx-lm-lora; oat's is 0).
    pub lambda: f64,
    /// What the penalty is added to. Default [`Placement::Inside`] (the paper).
    pub placement: Placement,
}

/// What a penalty is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Placement {
    /// The margin, before the logistic loss.
    Inside,
    /// The loss.
    Outside,
}

impl Default for Dpop {
    fn default() -> Self {
        Self { beta: 0.1, lambda: 50.0, placement: Placement::Inside }
    }
}

impl PairLoss for Dpop {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::non_negative("lambda", self.lambda)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, lambda) = (T::from_f64(self.beta), T::from_f64(self.lambda));
        let Pairs { chosen, rejected } = row.log_ratios();
        let (short, by_short) = hinge(-chosen);
        let (penalty, by_penalty) = (mul_or_zero(lambda, short), lambda * by_short);
        match self.placement {
            Placement::Inside => {
                let (loss, slope) = logistic::<T, FMA>(beta * (chosen - rejected - penalty));
                let slope = beta * slope;
                (loss, Pairs { chosen: slope * (T::one() - by_penalty), rejected: -slope })
            }
            Placement::Outside => {
                let (loss, slope) = logistic::<T, FMA>(beta * (chosen - rejected));
                let slope = beta * slope;
                (loss + penalty, Pairs { chosen: slope + by_penalty, rejected: -slope })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal};
    use crate::preference::{Dpo, PairObjective};

    const INSIDE: Dpop = Dpop { beta: 0.1, lambda: 5.0, placement: Placement::Inside };
    const OUTSIDE: Dpop = Dpop { placement: Placement::Outside, ..INSIDE };

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &INSIDE,
            &[
                (ratios(2.5, 1.75), [0.656_350_140_826_795_2, -0.048_125_878_412_146_48, 0.048_125_878_412_146_48]),
                (ratios(-3.0, 4.0), [2.305_083_319_768_696, -0.540_149_706_528_188_9, 0.090_024_951_088_031_49]),
                (
                    ratios(300.0, -300.0),
                    [8.756_510_762_696_491e-27, -8.756_510_762_696_492e-28, 8.756_510_762_696_492e-28],
                ),
                (ratios(-1000.0, 1000.0), [700.0, -0.600_000_000_000_000_1, 0.1]),
                (ratios(1e-8, -1e-8), [0.693_147_179_559_945_3, -0.049_999_999_950_000_006, 0.049_999_999_950_000_006]),
                (
                    ratios(30.0, -70.0),
                    [4.539_889_921_686_462e-05, -4.539_786_870_243_437_4e-06, 4.539_786_870_243_437_4e-06],
                ),
            ],
        );
        is_exact(
            &OUTSIDE,
            &[
                (ratios(2.5, 1.75), [0.656_350_140_826_795_2, -0.048_125_878_412_146_48, 0.048_125_878_412_146_48]),
                (ratios(-3.0, 4.0), [16.103_186_048_885_46, -5.066_818_777_216_817, 0.066_818_777_216_816_62]),
                (
                    ratios(300.0, -300.0),
                    [8.756_510_762_696_491e-27, -8.756_510_762_696_492e-28, 8.756_510_762_696_492e-28],
                ),
                (ratios(-1000.0, 1000.0), [5200.0, -5.1, 0.1]),
                (ratios(1e-8, -1e-8), [0.693_147_179_559_945_3, -0.049_999_999_950_000_006, 0.049_999_999_950_000_006]),
                (
                    ratios(30.0, -70.0),
                    [4.539_889_921_686_462e-05, -4.539_786_870_243_437_4e-06, 4.539_786_870_243_437_4e-06],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&INSIDE);
        agrees_with_differences(&OUTSIDE);
    }

    #[test]
    fn the_kink_is_flat() {
        for dpop in [INSIDE, OUTSIDE] {
            assert_eq!(at::<f64>(&dpop, ratios(0.0, 0.0)), Ok([LN_2, -0.05, 0.05]));
        }
        let below = -1e-300;
        assert_eq!(at::<f64>(&INSIDE, ratios(below, 0.0)), Ok([LN_2, -0.05 * 6.0, 0.05]));
        assert_eq!(at::<f64>(&OUTSIDE, ratios(below, 0.0)), Ok([LN_2, -5.05, 0.05]));
    }

    #[test]
    fn without_a_penalty_it_is_dpo() {
        let (sample, inf) = (Sample::<f64>::of(50), f64::INFINITY);
        for placement in [Placement::Inside, Placement::Outside] {
            let dpop = Dpop { lambda: 0.0, placement, ..INSIDE };
            assert_eq!(dpop.each(sample.batch()), Dpo::default().each(sample.batch()));
            assert_eq!(at::<f64>(&dpop, ratios(-inf, 0.0)), Ok([inf, -0.1, 0.1]));
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&INSIDE, ratios(-inf, 0.0)), Ok([inf, -0.1 * 6.0, 0.1]));
        assert_eq!(at::<f64>(&OUTSIDE, ratios(-inf, 0.0)), Ok([inf, -5.1, 0.1]));
        assert_eq!(at::<f64>(&INSIDE, ratios(-2.0, -inf)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&OUTSIDE, ratios(-2.0, -inf)), Ok([10.0, -5.0, 0.0]));
        let message = "`policy.chosen`[0] is -inf, allowed is finite where another log-probability of its pair is -inf";
        assert_eq!(refusal(&INSIDE, ratios(-inf, -inf)), message);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |beta, lambda| refusal(&Dpop { beta, lambda, ..INSIDE }, ratios(0.0, 0.0));
        assert_eq!(message(0.0, 1.0), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(0.1, -1.0), "`lambda` is -1, allowed is finite and >= 0");
    }
}
