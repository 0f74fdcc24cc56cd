//! The hinge loss of two scores after a softmax (PROP).

use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, math};

/// Hinge loss of the probabilities that a softmax gives two scores, as the code of PROP has it: twice the probability of the
/// wrong choice.
///
/// ```math
/// L_i = \max\bigl(0, 1 - (p^w_i - p^l_i)\bigr) = 2\, \sigma(-m_i), \qquad p^w_i = \sigma(m_i), \qquad m_i = s^w_i - s^l_i
/// ```
///
/// `s` are the scores of the model, in the policy column of the batch; the batch's offset, where it has one, is subtracted
/// from `m`. The hinge of the scores themselves, `max(0, 1 - m)`, as in the paper, is
/// [`CpoHinge`](crate::preference::CpoHinge) at `beta` 1.
///
/// `0 < L < 2`, 1 at a tie; exchanging the scores gives `2 - L`. The slope is `-2 σ(m) σ(-m)`, at most ½ in size, and vanishes
/// for pairs that are very wrong: unlike the logistic loss it leaves them alone. The hinge itself never switches off.
///
/// # Errors
///
/// Both scores at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SoftmaxHinge;
/// let scores = PairBatch::new(Pairs { chosen: aview1(&[1.2_f64]), rejected: aview1(&[0.5]) });
/// let (loss, gradient) = SoftmaxHinge {}.grad(scores, Reduction::Mean)?;
/// assert!((loss - 0.663_624_455_663_668).abs() < 1e-14);
/// assert!((gradient.rejected[0] - 0.443_425_746_586).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ma et al. (PROP), WSDM 2021, [arXiv:2010.10137](https://arxiv.org/abs/2010.10137).
#[doc(alias = "PROP")]
#[doc(alias = "representative words prediction")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[allow(clippy::empty_structs_with_brackets)] // as a map in a configuration, so that its fields can be refused
pub struct SoftmaxHinge {}

impl MarginLoss for SoftmaxHinge {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(Length::Sum)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let wrong = T::from_f64(2.0) * math::sigmoid::<T, FMA>(-margin);
        (wrong, -wrong * math::sigmoid::<T, FMA>(margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios};

    /// scripts/discriminator_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        let cases = [
            (1.2, 0.5, 0.663_624_455_663_667_8, -0.443_425_746_586_218_1),
            (-3.0, 4.0, 1.998_177_897_611_198_8, -0.001_820_442_360_243_653),
            (0.25, 0.25, 1.0, -0.5),
            (-40.0, 0.0, 2.0, -8.496_708_510_583_178e-18),
            (700.0, 0.0, 1.971_935_308_751_954e-304, -1.971_935_308_751_954e-304),
        ];
        is_exact(&SoftmaxHinge {}, &cases.map(|(w, l, loss, slope)| (ratios(w, l), [loss, slope, -slope])));
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SoftmaxHinge {});
    }

    #[test]
    fn the_ends_are_no_loss_and_twice_a_certain_mistake() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&SoftmaxHinge {}, ratios(0.0, -inf)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&SoftmaxHinge {}, ratios(-inf, 0.0)), Ok([2.0, 0.0, 0.0]));
        assert_eq!(at::<f32>(&SoftmaxHinge {}, ratios(-1e4, 0.0)), Ok([2.0, 0.0, 0.0]));
    }
}
