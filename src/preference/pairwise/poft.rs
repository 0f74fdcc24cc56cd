//! Preference-oriented supervised fine-tuning (PoFT).

use crate::preference::logistic::logistic;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Preference-oriented supervised fine-tuning (PoFT): the Bradley-Terry loss of the policy against aligned models on
/// the same response, which the policy should find likelier than they do.
///
/// ```math
/// L_i = \operatorname{softplus}\Big(-\gamma - \beta\,\frac{\log\pi_i^w - \log\rho_i^w}{n_i^w}\Big)
/// ```
///
/// One response for each pair, the chosen one; the rejected side is not looked at and has the gradient 0. The reference
/// holds the mean over the aligned models of their log-probabilities of that response, as sums over its `n` tokens (a
/// mean per token of a model with another tokenizer, times `n`). The gradient `-β σ(-z) / n` is that of the likelihood
/// with a weight for each response: near `β` where the aligned models find it much likelier, near 0 where they find it
/// unlikely.
///
/// A response of log-probability -inf gives +inf with gradient `-β/n`; under the aligned models, 0: the exact limits.
///
/// # Errors
///
/// `beta` or `gamma` out of range; a batch without reference or lengths; both models at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, Axis}};
/// # use loglik::preference::Poft;
/// let policy = array![-12.0_f64];
/// let lengths = array![10.0];
/// let aligned = array![[-10.0, -15.0, -9.0]].mean_axis(Axis(1)).unwrap(); // three models
/// let batch = PairBatch::new(Pairs { chosen: policy.view(), rejected: policy.view() })
///     .reference(Pairs { chosen: aligned.view(), rejected: aligned.view() })
///     .lengths(Pairs { chosen: lengths.view(), rejected: lengths.view() });
/// let loss = Poft::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.727_035_967).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Fan et al., AAAI 2025, [arXiv:2412.12865](https://arxiv.org/abs/2412.12865).
#[doc(alias = "preference-oriented supervised fine-tuning")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Poft {
    /// Scale of the difference, for each nat per token, `> 0`. Default 1 (the authors' code).
    pub beta: f64,
    /// Head start of the policy, after `beta`, finite. Default 0 (the authors' code).
    pub gamma: f64,
}

impl Default for Poft {
    fn default() -> Self {
        Self { beta: 1.0, gamma: 0.0 }
    }
}

impl PairLoss for Poft {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::finite("gamma", self.gamma)?;
        Ok(Needs { reference: true, lengths: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, length) = (T::from_f64(self.beta), row.lengths.chosen);
        let ratio = (row.policy.chosen - row.reference.chosen) / length;
        let (loss, slope) = logistic::<T, FMA>(beta * ratio + T::from_f64(self.gamma));
        (loss, Pairs { chosen: beta * slope / length, rejected: T::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &Poft { beta: 2.0, gamma: 0.25 },
            &three([
                [0.533_382_155_418_777, -0.082_676_484_216_534, 0.0],
                [0.622_886_581_634_255_3, -0.038_633_845_326_867_11, 0.0],
                [0.386_871_006_114_899_94, -0.106_940_433_608_202_34, 0.0],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Poft::default());
        agrees_with_differences(&Poft { beta: 2.0, gamma: -0.5 });
    }

    #[test]
    fn the_weight_of_a_response_runs_from_zero_to_beta() {
        let poft = Poft { beta: 0.5, gamma: 0.0 };
        let weight = |ratio| -at::<f64>(&poft, ratios(ratio, -1.0)).unwrap()[1];
        assert_eq!((weight(0.0), weight(-1e4)), (0.25, 0.5));
        assert!(weight(1e2) < 1e-21 && weight(1e4) == 0.0);
        assert_eq!(at::<f64>(&poft, ratios(f64::NEG_INFINITY, -1.0)), Ok([f64::INFINITY, -0.5, 0.0]));
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |beta, gamma| refusal(&Poft { beta, gamma }, ratios(0.0, 0.0));
        assert_eq!(message(0.0, 0.0), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(1.0, f64::NAN), "`gamma` is NaN, allowed is finite");
    }
}
