//! Simple alignment with the inverse perplexity (SimPER).

use crate::preference::{Length, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, math};

/// Simple alignment with perplexity optimization (SimPER): the inverse perplexity of the rejected response minus that
/// of the chosen one, with no reference and no hyper-parameters.
///
/// ```math
/// L_i = e^{\log\pi_i^l / n_i^l} - e^{\log\pi_i^w / n_i^w}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]), or 1 ([`Length::Sum`]: the log-probabilities are used as
/// given). The gradient is with respect to what was given, that is, to the sums: `-p_w / n_w` and `p_l / n_l`, with the
/// geometric mean `p` of the token probabilities.
///
/// `-1 <= L <= 1`. A response of small likelihood has a small gradient, the chosen one too. Log-probabilities of 0 and
/// -inf are exact. In no other peer than the authors' code.
///
/// # Errors
///
/// A batch without lengths, for [`Length::Mean`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SimPer;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let (loss, gradient) = SimPer::default().grad(batch, Reduction::Mean)?;
/// assert!((loss - 0.018_477_972).abs() < 1e-9); // e^-1.1875 - e^-1.25
/// assert!((gradient.chosen[0] + 0.028_650_480).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Xiao et al., ICLR 2025, [arXiv:2502.00883](https://arxiv.org/abs/2502.00883).
#[doc(alias = "simple alignment with perplexity optimization")]
#[doc(alias = "inverse perplexity")]
#[doc(alias = "perplexity")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SimPer {
    /// What the perplexities are of. Default [`Length::Mean`] (the paper).
    pub length: Length,
}

impl Default for SimPer {
    fn default() -> Self {
        Self { length: Length::Mean }
    }
}

impl PairLoss for SimPer {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        Ok(Needs { lengths: self.length == Length::Mean, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let Pairs { chosen, rejected } = row.policy;
        match self.length {
            Length::Sum => {
                let (w, l) = (math::exp::<T, FMA>(chosen), math::exp::<T, FMA>(rejected));
                (l - w, Pairs { chosen: -w, rejected: l })
            }
            Length::Mean => {
                let (n, k) = (row.lengths.chosen, row.lengths.rejected);
                let (w, l) = (math::exp::<T, FMA>(chosen / n), math::exp::<T, FMA>(rejected / k));
                (l - w, Pairs { chosen: -(w / n), rejected: l / k })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal};
    use crate::preference::{PairBatch, PairObjective};

    /// Log-probabilities and lengths of both sides.
    fn long(chosen: f64, n: f64, rejected: f64, k: f64) -> Row<f64> {
        Row { lengths: Pairs { chosen: n, rejected: k }, ..ratios(chosen, rejected) }
    }

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &SimPer::default(),
            &[
                (
                    long(-12.5, 10.0, -14.25, 12.0),
                    [0.018_477_971_850_869_19, -0.028_650_479_686_019_01, 0.025_415_230_725_921_608],
                ),
                (long(-1e-8, 1.0, -10000.0, 7.0), [-0.999_999_990_000_000_1, -0.999_999_990_000_000_1, 0.0]),
                (
                    long(-3.0, 64.0, -0.25, 2.0),
                    [-0.071_709_763_384_592_91, -0.014_909_479_155_768_568, 0.441_248_451_292_297_7],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SimPer::default());
        agrees_with_differences(&SimPer { length: Length::Sum });
    }

    #[test]
    fn certainty_and_impossibility_are_the_ends() {
        let (sum, inf) = (SimPer { length: Length::Sum }, f64::INFINITY);
        assert_eq!(at::<f64>(&sum, ratios(0.0, -inf)), Ok([-1.0, -1.0, 0.0]));
        assert_eq!(at::<f64>(&sum, ratios(-inf, 0.0)), Ok([1.0, 0.0, 1.0]));
        assert_eq!(at::<f64>(&sum, ratios(-inf, -inf)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f32>(&sum, ratios(-1e4, -1e4)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn bad_input_is_named() {
        let sample = Sample::<f64>::of(2);
        let error = SimPer::default().value(PairBatch::new(sample.policy.view()), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "SimPer needs `lengths`");
        let message = "the result at `policy.chosen`[0] overflows f64"; // a density
        assert_eq!(refusal(&SimPer::default(), ratios(1000.0, 0.0)), message);
    }
}
