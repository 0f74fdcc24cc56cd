//! Identity preference optimization (IPO).

use crate::preference::logistic::square;
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Identity preference optimization (IPO): the squared distance of the margin from `1/(2β)`. Unlike a logistic loss, it
/// stops increasing the margin once this target is reached.
///
/// ```math
/// L_i = \Big(h_i - \frac{1}{2\beta}\Big)^2, \qquad
/// h_i = \frac{\log\pi_i^w - \log\rho_i^w}{n_i^w} - \frac{\log\pi_i^l - \log\rho_i^l}{n_i^l}
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response, `n` the number of scored tokens
/// ([`Length::Mean`]) or 1 ([`Length::Sum`]). Log-probabilities are summed over tokens in both cases, and so is what the
/// gradient is taken with respect to. The batch's offset, where it has one, is subtracted from `h`.
///
/// There is no default, since peers disagree and the two differ by orders of magnitude: with `β = 0.1` the target is 5
/// nats for the whole response (the authors' first code, OpenRLHF) or 5 nats **per token** (TRL, ms-swift,
/// LLaMA-Factory; confirmed by the authors).
///
/// `L >= 0`, with equality at `h = 1/(2β)`; beyond it the gradient changes sign. A log-probability of -inf has no finite
/// gradient and is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without reference or, for [`Length::Mean`], without lengths.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let (loss, gradient) = Ipo { beta: 0.1, length: Length::Mean }.grad(batch, Reduction::Mean)?;
/// assert!((loss - 23.887_656_25).abs() < 1e-12);
/// assert!((gradient.chosen[0] + 0.9775).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Azar et al., AISTATS 2024, eq. 17, [arXiv:2310.12036](https://arxiv.org/abs/2310.12036), where `β` is `τ`.
#[doc(alias = "identity preference optimization")]
#[doc(alias = "ΨPO")]
#[doc(alias = "Psi-PO")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Ipo {
    /// Half the inverse of the margin that is aimed at, `> 0`. TRL uses 0.1.
    pub beta: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for Ipo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)
    }

    fn margin(&self) -> Margin {
        Margin { length: self.length, ..Margin::default() }
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        square(margin, T::from_f64(0.5 / self.beta))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, one, pair};
    use crate::preference::{PairBatch, PairObjective, Pairs};
    use crate::testing::close;

    const SUM: Ipo = Ipo { beta: 0.1, length: Length::Sum };
    const MEAN: Ipo = Ipo { beta: 0.1, length: Length::Mean };

    #[test]
    fn values_are_those_of_forty_digit_arithmetic() {
        let batch =
            PairBatch::new(Pairs { chosen: aview1(&[-12.5, -30.25, -8.0]), rejected: aview1(&[-14.25, -28.5, -20.0]) })
                .reference(Pairs { chosen: aview1(&[-13.0, -29.0, -9.5]), rejected: aview1(&[-13.5, -29.75, -16.0]) })
                .lengths(Pairs { chosen: aview1(&[10.0, 24.0, 6.0]), rejected: aview1(&[12.0, 20.0, 16.0]) });
        let sums = [(14.0625, -7.5, 7.5), (56.25, -15.0, 15.0), (0.25, 1.0, -1.0)];
        let means = [
            (23.887_656_25, -0.9775, 0.814_583_333_333_333_3),
            (26.158_962_673_611_11, -0.426_215_277_777_777_8, 0.511_458_333_333_333_3),
            (20.25, -1.5, 0.5625),
        ];
        for (ipo, expected) in [(SUM, sums), (MEAN, means)] {
            let losses = ipo.each(batch).unwrap();
            let (_, grad) = ipo.grad(batch, Reduction::Sum).unwrap();
            for (i, (loss, chosen, rejected)) in expected.into_iter().enumerate() {
                close(losses[i], loss, 1e-14);
                close(grad.chosen[i], chosen, 1e-14);
                close(grad.rejected[i], rejected, 1e-14);
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SUM);
        agrees_with_differences(&MEAN);
    }

    #[test]
    fn the_least_loss_is_zero_at_half_the_inverse_of_beta() {
        let ipo = Ipo { beta: 0.25, length: Length::Sum };
        assert_eq!(pair(&ipo, one(&[-1.0_f64, -3.0], &[-2.0], &[1.0])), (0.0, 0.0, 0.0));
        let beyond = pair(&ipo, one(&[-0.5_f64, -3.0], &[-2.0], &[1.0]));
        assert_eq!(beyond, (0.25, 1.0, -1.0));
    }

    #[test]
    fn lengths_of_one_make_both_forms_equal() {
        let mut sample = Sample::<f64>::of(50);
        sample.lengths = sample.lengths.map(|side| side.mapv(|_| 1.0));
        assert_eq!(SUM.grad(sample.full(), Reduction::Mean), MEAN.grad(sample.full(), Reduction::Mean));
    }

    #[test]
    fn what_has_no_finite_gradient_is_named() {
        let inf = f64::INFINITY;
        let error = SUM.value(one(&[-inf, -1.0], &[-2.0], &[1.0]), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`policy.chosen`[0] is -inf, allowed is finite");
        let error = SUM.value(one(&[-1e30_f32, -1.0], &[-2.0], &[1.0]), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `policy.chosen`[0] overflows f32");
    }

    #[test]
    fn the_mean_form_asks_for_lengths() {
        let sample = Sample::<f64>::of(2);
        let batch = PairBatch::new(sample.policy.view()).reference(sample.reference.view());
        assert!(SUM.value(batch, Reduction::Mean).is_ok());
        assert_eq!(MEAN.value(batch, Reduction::Mean).unwrap_err().to_string(), "Ipo needs `lengths`");
        assert!(Ipo { beta: -1.0, ..SUM }.validate(&batch).is_err());
    }
}
