//! Self-play preference optimization (SPPO) with probabilities to win.

use crate::error::Error;
use crate::preference::{Needs, PairLoss, Pairs, Row, probability};
use crate::{Real, Result, check};

/// Self-play preference optimization (SPPO) with probabilities to win: half the squared distances of both log-ratios
/// from the targets that these probabilities set.
///
/// ```math
/// L_i = \tfrac12 \Big(a_i - \frac{P^w_i - \frac12}{\beta}\Big)^2 + \tfrac12 \Big(b_i - \frac{P^l_i - \frac12}{\beta}\Big)^2,
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the previous iterate, whose samples both responses are; `P` is the probability that a response
/// beats a sample of `ρ`, in the batch's rewards. Log-probabilities are sums. The gradient is the distance of each side.
///
/// With `K` samples for each prompt, the `P` of a response is the mean of its row in the matrix of pairwise
/// probabilities, where its entry against itself is 1/2. The authors pair the best response with the worst one. Their
/// `sppo_single` has one probability `p` that the chosen response beats the rejected one: `P^w = p`, `P^l = 1 - p`.
/// [`SppoHard`](crate::preference::SppoHard) is twice this at `P^w = 1`, `P^l = 0`. No other peer has it.
///
/// `L >= 0`; at `P = 1/2` it pulls both responses to the reference. A log-probability of -inf has no finite gradient and
/// is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without reference or rewards; rewards outside `[0, 1]`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SppoSoft;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-9.75_f64]), rejected: aview1(&[-10.25]) })
///     .reference(Pairs { chosen: aview1(&[-10.0]), rejected: aview1(&[-10.0]) })
///     .rewards(Pairs { chosen: aview1(&[0.75]), rejected: aview1(&[0.375]) });
/// let (loss, gradient) = SppoSoft { beta: 0.125 }.grad(batch, Reduction::Mean)?;
/// assert_eq!((loss, gradient.chosen[0], gradient.rejected[0]), (1.8125, -1.75, 0.75));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wu et al., ICLR 2025, [arXiv:2405.00675](https://arxiv.org/abs/2405.00675), where `β` is `1/η`.
#[doc(alias = "SPPO")]
#[doc(alias = "sppo_single")]
#[doc(alias = "self-play preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SppoSoft {
    /// Inverse of the nats that lie between winning never and always, `> 0`. Default 0.001 (the authors' code).
    pub beta: f64,
}

impl Default for SppoSoft {
    fn default() -> Self {
        Self { beta: 0.001 }
    }
}

impl PairLoss for SppoSoft {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, rewards: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, half) = (T::from_f64(self.beta), T::from_f64(0.5));
        let gap =
            row.log_ratios().zip(row.rewards).map(|(ratio, win)| ratio - (probability::or_nan(win) - half) / beta);
        (half * (gap.chosen * gap.chosen + gap.rejected * gap.rejected), gap)
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        probability::explain_rewards(row, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::SppoHard;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    fn judged(chosen: f64, rejected: f64, win: f64, loss: f64) -> Row<f64> {
        Row { rewards: Pairs { chosen: win, rejected: loss }, ..ratios(chosen, rejected) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        let sppo = SppoSoft { beta: 0.1 };
        is_exact(&sppo, &[(judged(0.3, -0.2, 0.7, 0.4), [1.765, -1.7, 0.8])]);
        is_exact(&SppoSoft::default(), &[(judged(0.0, 0.0, 0.75, 0.25), [62_500.0, -250.0, 250.0])]);
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        slopes_agree_with_differences(
            &SppoSoft { beta: 0.3 },
            &[judged(1.0, -3.0, 0.9, 0.2), judged(-0.5, 2.0, 0.5, 0.5), judged(0.25, 0.5, 0.0, 1.0)],
        );
    }

    #[test]
    fn certain_labels_give_half_of_the_hard_form() {
        let (soft, hard) = (SppoSoft { beta: 0.25 }, SppoHard { beta: 0.25 });
        let row = judged(0.75, -3.0, 1.0, 0.0);
        assert_eq!(at::<f64>(&soft, row).unwrap().map(|x| 2.0 * x), at::<f64>(&hard, row).unwrap());
    }

    #[test]
    fn what_is_no_probability_is_named() {
        let message = |win, loss| refusal(&SppoSoft::default(), judged(0.0, 0.0, win, loss));
        assert_eq!(message(1.5, 0.5), "`rewards.chosen`[0] is 1.5, allowed is [0, 1]");
        assert_eq!(message(0.5, -0.25), "`rewards.rejected`[0] is -0.25, allowed is [0, 1]");
        assert_eq!(message(f64::NAN, 0.5), "`rewards.chosen`[0] is NaN, allowed is finite");
        let inf = refusal(&SppoSoft::default(), judged(f64::NEG_INFINITY, 0.0, 0.5, 0.5));
        assert_eq!(inf, "`policy.chosen`[0] is -inf, allowed is finite");
    }
}
