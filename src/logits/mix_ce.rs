//! MixCE: cross-entropies in both directions, the reverse one with the model's own probability as its weight.

use super::detached::{Factor, detached_objective};
use crate::{Result, check};

/// Negative log-likelihood, mixed with itself weighed by the detached probability of the target.
///
/// ```math
/// L_i = \operatorname{sg}(w_i)\, (-\ln q_{i y_i}), \qquad w_i = \eta + (1 - \eta)\, q_{i y_i}, \qquad
/// \frac{\partial L_i}{\partial x_{iv}} = w_i\, (q_{iv} - [v = y_i])
/// ```
///
/// The first part is the forward cross-entropy. The second stands for the reverse one, of the data under the model's
/// samples, which cannot be computed: its gradient is that of `-q_y`, which reinforces targets that the model finds likely
/// already. `logits` x have any shape `[.., V]` with q their softmax; targets, row weights and per-row losses have the shape
/// without the last axis. `sg` stops the gradient: [`MixCe::terms`] returns the factor. The `Mean` divides by the number of
/// targets that are not ignored. Rows that are, and rows of weight 0, are never looked at; their loss, factor and gradient
/// are 0.
///
/// Its methods are [`terms`](Self::terms) and those of [`TokenObjective`](super::TokenObjective).
///
/// `η = 1` is maximum likelihood; `η = 0` is [`TaiLr`](super::TaiLr) with `γ = 1`, and dynamic fine-tuning (DFT), whose
/// factor is the probability of the target. Where the target's logit is -inf the loss is +inf, and its limit 0 with
/// `η = 0`.
///
/// # Errors
///
/// Those of [`CrossEntropy`](super::CrossEntropy); [`Parameter`](crate::Error::Parameter) where `eta` is not in `[0, 1]`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::logits::MixCe;
/// let logits = array![[0.5_f64, 0.3, 0.2]].ln();
/// let (loss, gradient) = MixCe { eta: 0.3, ignore_index: Some(-100) }.grad(&logits, &array![0], Reduction::Mean)?;
/// let weight = 0.3 + 0.7 * 0.5;
/// assert!((loss - weight * std::f64::consts::LN_2).abs() < 1e-15);
/// assert!((gradient[[0, 1]] - weight * 0.3).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhang et al., MixCE: training autoregressive language models by mixing forward and reverse cross-entropies, ACL 2023,
/// [arXiv:2305.16958](https://arxiv.org/abs/2305.16958). DFT: Wu et al. 2025,
/// [arXiv:2508.05629](https://arxiv.org/abs/2508.05629).
#[doc(alias = "Dft")]
#[doc(alias = "dynamic fine-tuning")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct MixCe {
    /// Share of the forward cross-entropy, in `[0, 1]`. No default: the authors choose among nine values by development
    /// set, and end at 0.1, 0.3 and 0.7 on three corpora.
    pub eta: f64,
    /// Target of the rows that take no part; -100 in PyTorch.
    pub ignore_index: Option<i64>,
}

impl Factor for MixCe {
    fn check(&self) -> Result<()> {
        check::parameter("eta", self.eta, "[0, 1]", (0.0..=1.0).contains(&self.eta))
    }

    fn of(&self, prob: f64) -> f64 {
        self.eta + (1.0 - self.eta) * prob
    }
}

detached_objective!(MixCe);

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::Reduction;
    use crate::logits::CrossEntropy;
    use crate::logits::TokenObjective;
    use crate::logits::testing::{assert_close, differences, sample, worked};

    const INF: f64 = f64::INFINITY;

    fn mix(eta: f64) -> MixCe {
        MixCe { eta, ignore_index: Some(-100) }
    }

    #[test]
    fn three_classes_have_their_worked_numbers() {
        let x = array![[0.5_f64, 0.3, 0.2], [0.5, 0.3, 0.2]].ln();
        let terms = mix(0.1).terms(&x, &array![0, 2]).unwrap();
        assert_close(&terms.weight, &[0.55, 0.28], 1e-15);
        assert_close(&terms.loss, &[0.55 * std::f64::consts::LN_2, 0.28 * 5.0_f64.ln()], 1e-15);
        let (_, grad) = mix(0.1).grad(&x, &array![0, 2], Reduction::Mean).unwrap();
        assert_close(&grad, &[-0.1375, 0.0825, 0.055, 0.07, 0.042, -0.112], 1e-15);
    }

    #[test]
    fn the_gradient_is_that_of_the_likelihood_and_of_the_probability_mixed() {
        for classes in [5, 70] {
            let (x, y) = (sample::<f64>(3, classes), array![4, 0, 1]);
            let nll = |x: &Array2<f64>| CrossEntropy::default().each(x, &y).unwrap();
            let mixed = |x: &Array2<f64>| 0.3 * nll(x).sum() - 0.7 * nll(x).mapv(|nll| (-nll).exp()).sum();
            let (_, grad) = mix(0.3).grad(&x, &y, Reduction::Sum).unwrap();
            assert_close(&grad, &differences(&x, mixed), 1e-10);
            let (value, grad) = CrossEntropy::default().grad(&x, &y, Reduction::Mean).unwrap();
            let (same, slope) = mix(1.0).grad(&x, &y, Reduction::Mean).unwrap();
            assert_close(&[same], &[value], 1e-15);
            assert_close(&slope, &grad, 1e-15);
        }
    }

    #[test]
    fn ends_of_the_range_have_their_limits() {
        let x = array![[-INF, 0.0, 0.0], [-1e4, 0.0, 0.0], [1e4, 0.0, 0.0]];
        let terms = mix(0.0).terms(&x, &array![0, 0, 0]).unwrap();
        assert_eq!(terms.loss, array![0.0, 0.0, 0.0]);
        assert_eq!(terms.nll, array![INF, 1e4 + 2.0_f64.ln(), 0.0]);
        assert_eq!(terms.weight, array![0.0, 0.0, 1.0]);
        assert_eq!(mix(0.1).each(&x, &array![0, -100, 0]).unwrap(), array![INF, 0.0, 0.0]);
    }

    #[test]
    fn errors_say_what_came_and_what_is_allowed() {
        let message = |eta| mix(eta).value(&worked(), &array![0, 1], Reduction::Sum).unwrap_err().to_string();
        assert_eq!(message(1.1), "`eta` is 1.1, allowed is [0, 1]");
        assert_eq!(message(f64::NAN), "`eta` is NaN, allowed is [0, 1]");
        let ignored = mix(0.5).value(&worked(), &array![-100, -100], Reduction::Mean).unwrap_err();
        assert_eq!(ignored.to_string(), "`targets` holds nothing to average over");
    }
}
