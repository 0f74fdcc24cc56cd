//! Regression of scores to given rewards.

use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result};

/// Mean squared error (MSE) of a reward model: the mean squared distance of the two scores from the rewards that a
/// judge gave.
///
/// ```math
/// L_i = \tfrac12 (r^w_i - s^w_i)^2 + \tfrac12 (r^l_i - s^l_i)^2
/// ```
///
/// `r` are the scores of the model, in the policy column of the batch, and `s` its rewards. The mean over pairs is the
/// mean squared error over all responses, and so the gradient of a sum is `r - s`. Scores of single responses, and of
/// several attributes, are [`Gaussian`](crate::likelihood::Gaussian) at a log-variance of 0 up to its constant, with
/// weights of 0 for attributes that were not rated (NeMo-Aligner marks them -100).
///
/// A score of -inf has no finite gradient and is an error.
///
/// # Errors
///
/// A batch without rewards.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::RewardRegression;
/// let scores = PairBatch::new(Pairs { chosen: aview1(&[3.0_f64]), rejected: aview1(&[0.0]) })
///     .rewards(Pairs { chosen: aview1(&[4.0]), rejected: aview1(&[-2.0]) });
/// let (loss, gradient) = RewardRegression {}.grad(scores, Reduction::Mean)?;
/// assert_eq!((loss, gradient.chosen[0], gradient.rejected[0]), (2.5, -1.0, 2.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wang et al. (HelpSteer), NAACL 2024, [arXiv:2311.09528](https://arxiv.org/abs/2311.09528).
#[doc(alias = "MSE")]
#[doc(alias = "mean squared error")]
#[doc(alias = "regression reward model")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[allow(clippy::empty_structs_with_brackets)] // as a map in a configuration, so that its fields can be refused
pub struct RewardRegression {}

impl PairLoss for RewardRegression {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        Ok(Needs { rewards: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let gap = row.policy.zip(row.rewards).map(|(score, reward)| score - reward);
        (T::from_f64(0.5) * (gap.chosen * gap.chosen + gap.rejected * gap.rejected), gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{at, ratios, refusal, slopes_agree_with_differences};

    fn rated(score: [f64; 2], reward: [f64; 2]) -> Row<f64> {
        Row { rewards: Pairs { chosen: reward[0], rejected: reward[1] }, ..ratios(score[0], score[1]) }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [rated([1.0, -2.0], [0.5, 3.0]), rated([0.0, 0.0], [0.0, 0.0]), rated([-8.0, 4.0], [8.0, 4.0])];
        slopes_agree_with_differences(&RewardRegression {}, &rows);
    }

    #[test]
    fn each_side_is_measured_by_itself_and_large_distances_are_exact() {
        assert_eq!(at::<f64>(&RewardRegression {}, rated([2.0, -1.0], [2.0, -1.0])), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&RewardRegression {}, rated([4.0, -1.0], [2.0, -1.0])), Ok([2.0, 2.0, 0.0]));
        assert_eq!(at::<f64>(&RewardRegression {}, rated([2.0, -1.0], [2.0, 3.0])), Ok([8.0, 0.0, -4.0]));
        assert_eq!(at::<f32>(&RewardRegression {}, rated([1e3, -1e3], [0.0, 0.0])), Ok([1e6, 1e3, -1e3]));
    }

    #[test]
    fn bad_input_is_named() {
        let message = "`rewards.rejected`[0] is NaN, allowed is finite";
        assert_eq!(refusal(&RewardRegression {}, rated([0.0, 0.0], [0.0, f64::NAN])), message);
        let message = "`policy.chosen`[0] is -inf, allowed is finite";
        assert_eq!(refusal(&RewardRegression {}, rated([f64::NEG_INFINITY, 0.0], [0.0, 0.0])), message);
    }
}
