//! DPO with a length penalty (R-DPO).

use crate::preference::logistic::{scaled, smoothed};
use crate::preference::{LabeledLoss, Needs, Row};
use crate::{Real, Result, check};

/// Regularized direct preference optimization (R-DPO), with a penalty on length: the logistic loss of the margin and of
/// the difference in length, so that a longer chosen response may win by less.
///
/// ```math
/// L_i = \operatorname{softplus}\big(-\beta\, m_i - \alpha\,(n_i^w - n_i^l)\big)
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums, and `n` the number of scored tokens: a chosen
/// response that is longer has a part of its preference explained by that. `α = 0` is DPO. With `label_smoothing` ε the loss
/// is `(1-ε) softplus(-z) + ε softplus(z)`.
///
/// The sign is the paper's and oat's (whose `LR_DPO` averages log-probabilities); the code of α-DPO has the opposite one.
/// Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo).
///
/// # Errors
///
/// `beta`, `alpha` or `label_smoothing` out of range; a batch without reference or lengths; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::RDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[12.0]), rejected: aview1(&[10.0]) });
/// let loss = RDpo { beta: 0.1, alpha: 0.05, label_smoothing: 0.0 }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.586_962_002).abs() < 1e-9); // softplus(-0.125 - 0.1)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Park et al., Findings of ACL 2024, eq. 9, [arXiv:2403.19159](https://arxiv.org/abs/2403.19159).
#[doc(alias = "R-DPO")]
#[doc(alias = "LR_DPO")]
#[doc(alias = "length penalty")]
#[doc(alias = "length-regularized DPO")]
#[doc(alias = "regularized direct preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RDpo {
    /// Strength of the pull towards the reference, `> 0`. The paper takes 0.1.
    pub beta: f64,
    /// What a token more is worth, finite. No default: it depends on the lengths.
    pub alpha: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Where a file leaves it out 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub label_smoothing: f64,
}

impl LabeledLoss for RDpo {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::finite("alpha", self.alpha)?;
        check::label_smoothing(self.label_smoothing)?;
        Ok(Needs { reference: true, lengths: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let beta = T::from_f64(self.beta);
        let longer = T::from_f64(self.alpha) * (pair.lengths.chosen - pair.lengths.rejected);
        scaled(beta, smoothed::<T, FMA>(beta * margin + longer, self.label_smoothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    const R_DPO: RDpo = RDpo { beta: 0.1, alpha: 0.05, label_smoothing: 0.0 };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &R_DPO,
            &three([
                [0.680_725_303_525_524_8, -0.049_375_032_550_048_96, 0.049_375_032_550_048_96],
                [0.718_459_648_013_286_3, -0.051_249_739_648_421_035, 0.051_249_739_648_421_035],
                [0.668_459_648_013_286_3, -0.048_750_260_351_578_97, 0.048_750_260_351_578_97],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&R_DPO);
        agrees_with_differences(&RDpo { alpha: -0.1, label_smoothing: 0.2, ..R_DPO });
    }

    #[test]
    fn a_longer_chosen_response_needs_less_margin() {
        let loss = |chosen: f64, rejected: f64| {
            let mut row = ratios(-1.0, -2.0);
            (row.lengths.chosen, row.lengths.rejected) = (chosen, rejected);
            at::<f64>(&R_DPO, row).unwrap()[0]
        };
        assert!(loss(30.0, 10.0) < loss(10.0, 10.0) && loss(10.0, 10.0) < loss(10.0, 30.0));
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |r_dpo: RDpo| refusal(&r_dpo, ratios(0.0, 0.0));
        assert_eq!(message(RDpo { beta: 0.0, ..R_DPO }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(RDpo { alpha: f64::INFINITY, ..R_DPO }), "`alpha` is inf, allowed is finite");
        assert_eq!(message(RDpo { label_smoothing: 1.0, ..R_DPO }), "`label_smoothing` is 1, allowed is [0, 0.5)");
    }
}
