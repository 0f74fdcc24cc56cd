//! Calibrated direct preference optimization (Cal-DPO).

use crate::preference::logistic::{logistic, square};
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Calibrated direct preference optimization (Cal-DPO): the logistic loss of the margin, plus squared distances that
/// hold the two log-ratios at `±1/(2β)`.
///
/// ```math
/// L_i = \operatorname{softplus}\big(-(a_i - b_i)\big) + \tfrac12 \Big(a_i - \frac1{2\beta}\Big)^2
///     + \tfrac12 \Big(b_i + \frac1{2\beta}\Big)^2,
/// \qquad a = \log\pi^w - \log\rho^w, \quad b = \log\pi^l - \log\rho^l
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response; log-probabilities are sums. `β`
/// is used in the targets only: the margin is in nats. The gradient is `-σ(b - a) + a - 1/(2β)` and
/// `σ(b - a) + b + 1/(2β)`.
///
/// It is [`Dpo`](crate::preference::Dpo) with `beta` 1 plus half of [`SppoHard`](crate::preference::SppoHard): the squares
/// keep the chosen likelihood from falling with the rejected one. This is the authors' code; elsewhere the squares are
/// found without the 1/2. No other peer has it.
///
/// `L > 0`. A log-probability of -inf has no finite gradient and is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without reference.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::CalDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let (loss, gradient) = CalDpo::default().grad(batch, Reduction::Mean)?;
/// assert!((loss - 19.408_179_081).abs() < 1e-9); // softplus(-1.25) + 38.3125 / 2
/// assert!((gradient.chosen[0] + 4.722_700_139).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Xiao et al., NeurIPS 2024, [arXiv:2412.14516](https://arxiv.org/abs/2412.14516).
#[doc(alias = "Cal-DPO")]
#[doc(alias = "calibrated direct preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CalDpo {
    /// Half the inverse of the log-ratio that is aimed at, `> 0`. Default 0.1, that of DPO: the paper tunes it for each
    /// task.
    pub beta: f64,
}

impl Default for CalDpo {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for CalDpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (aim, half) = (T::from_f64(0.5 / self.beta), T::from_f64(0.5));
        let ratios = row.log_ratios();
        let (loss, slope) = logistic::<T, FMA>(ratios.chosen - ratios.rejected);
        let (chosen, rejected) = (square(ratios.chosen, aim), square(ratios.rejected, -aim));
        let slope = Pairs { chosen: half * chosen.1 + slope, rejected: half * rejected.1 - slope };
        (loss + half * (chosen.0 + rejected.0), slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, is_exact, ratios, refusal};
    use crate::preference::{Dpo, PairConfig, PairObjective, SppoHard, Term, WeightedSum};

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &CalDpo::default(),
            &[
                (ratios(2.5, 1.75), [26.293_121_006_114_9, -2.820_821_300_824_607, 7.070_821_300_824_607_5]),
                (ratios(-3.0, 4.0), [79.500_911_466_453_77, -8.999_088_948_805_6, 9.999_088_948_805_6]),
                (ratios(300.0, -300.0), [87025.0, 295.0, -295.0]),
                (ratios(-1000.0, 1000.0), [1012025.0, -1006.0, 1006.0]),
                (ratios(1e-8, -1e-8), [25.693_147_070_559_945, -5.499_999_985, 5.499_999_985]),
                (ratios(30.0, -70.0), [2425.0, 25.0, -65.0]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&CalDpo { beta: 0.3 });
    }

    #[test]
    fn it_is_a_sum_of_two_others() {
        let sample = Sample::<f64>::of(50);
        let terms = vec![
            Term { weight: 1.0, objective: PairConfig::Sigmoid(Dpo { beta: 1.0, ..Dpo::default() }) },
            Term { weight: 0.5, objective: PairConfig::SppoHard(SppoHard { beta: 0.2 }) },
        ];
        let (loss, grad) = CalDpo { beta: 0.2 }.grad(sample.batch(), Reduction::Mean).unwrap();
        let (sum, by_terms) = WeightedSum { terms }.grad(sample.batch(), Reduction::Mean).unwrap();
        assert!((loss - sum).abs() < 1e-12 * sum);
        let near =
            |a: &ndarray::Array1<f64>, b: &ndarray::Array1<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13);
        assert!(near(&grad.chosen, &by_terms.chosen) && near(&grad.rejected, &by_terms.rejected));
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(refusal(&CalDpo { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
        let message = "`policy.chosen`[0] is -inf, allowed is finite";
        assert_eq!(refusal(&CalDpo::default(), ratios(f64::NEG_INFINITY, 0.0)), message);
    }
}
