//! Self-play preference optimization (SPPO) with certain labels.

use crate::preference::logistic::square;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Self-play preference optimization (SPPO) with certain labels: the squared distances of both log-ratios from
/// `±1/(2β)`, each response by itself.
///
/// ```math
/// L_i = \Big(a_i - \frac1{2\beta}\Big)^2 + \Big(b_i + \frac1{2\beta}\Big)^2,
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the reference (the previous iterate), `w` the chosen and `l` the rejected response;
/// log-probabilities are sums, and so both targets are in nats for the whole response. The gradient is `2 (a - 1/(2β))`
/// and `2 (b + 1/(2β))`.
///
/// `L >= 0`, `1/(2β²)` where the two models agree. With `P` the probability to win instead of a certain label it is
/// [`SppoSoft`](crate::preference::SppoSoft); this is twice that at `P_w = 1`, `P_l = 0`, since TRL, Liger and ms-swift
/// drop the factor 1/2 of the authors' code. A log-probability of -inf has no finite gradient and is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without reference.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SppoHard;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let (loss, gradient) = SppoHard::default().grad(batch, Reduction::Mean)?;
/// assert_eq!((loss, gradient.chosen[0], gradient.rejected[0]), (38.3125, -9.0, 8.5));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wu et al., ICLR 2025, [arXiv:2405.00675](https://arxiv.org/abs/2405.00675), where `β` is `1/η`.
#[doc(alias = "SPPO")]
#[doc(alias = "sppo_hard")]
#[doc(alias = "self-play preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SppoHard {
    /// Half the inverse of the log-ratio that is aimed at, `> 0`. Default 0.1 (TRL, Liger; the authors' code 0.001).
    pub beta: f64,
}

impl Default for SppoHard {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for SppoHard {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let aim = T::from_f64(0.5 / self.beta);
        let ratios = row.log_ratios();
        let (chosen, rejected) = (square(ratios.chosen, aim), square(ratios.rejected, -aim));
        (chosen.0 + rejected.0, Pairs { chosen: chosen.1, rejected: rejected.1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(&SppoHard::default(), &three([[38.3125, -9.0, 8.5], [78.125, -12.5, 12.5], [13.25, -7.0, 2.0]]));
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SppoHard { beta: 0.3 });
    }

    #[test]
    fn each_side_has_its_own_aim_and_large_ratios_are_exact() {
        let sppo = SppoHard { beta: 0.25 };
        assert_eq!(at::<f64>(&sppo, ratios(2.0, -2.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&sppo, ratios(3.0, -2.0)), Ok([1.0, 2.0, 0.0]));
        assert_eq!(at::<f64>(&sppo, ratios(2.0, -3.0)), Ok([1.0, 0.0, -2.0]));
        assert_eq!(at::<f32>(&sppo, ratios(-998.0, 998.0)), Ok([2e6, -2000.0, 2000.0]));
    }

    #[test]
    fn what_has_no_finite_gradient_is_named() {
        let message = "`policy.rejected`[0] is -inf, allowed is finite";
        assert_eq!(refusal(&SppoHard::default(), ratios(-1.0, f64::NEG_INFINITY)), message);
        let message = "the result at `policy.chosen`[0] overflows f64";
        assert_eq!(refusal(&SppoHard::default(), ratios(-1e200, 0.0)), message);
        assert_eq!(refusal(&SppoHard { beta: f64::NAN }, ratios(0.0, 0.0)), "`beta` is NaN, allowed is finite and > 0");
    }
}
