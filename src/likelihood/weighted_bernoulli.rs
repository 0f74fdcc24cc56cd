//! The Bernoulli probability of a label, by logit, where a positive label counts by a weight of its own.

use super::{Density, Domain};
use crate::{Real, math};

/// Weighted Bernoulli negative log-likelihood: binary cross-entropy whose positive part has a weight, for classes that are
/// rare.
///
/// ```math
/// L_i = -w_i\, x_i \ln\sigma(l_i) - (1 - x_i) \ln\sigma(-l_i), \qquad
/// \frac{\partial L_i}{\partial l_i} = (1 - x_i)\, \sigma(l_i) - w_i\, x_i\, \sigma(-l_i)
/// ```
///
/// In nats. The label `x` is 0 or 1, or anything between. `positive_weight` w is finite and `>= 0`; w = 1 is
/// [`Bernoulli`](super::Bernoulli). Labels and weights are data and get no gradient. The three arrays have one
/// shape; one weight for all, or one for each class of the last axis, is made so by `weights.broadcast(shape)`. A `Mean`
/// divides by the number of elements, not by weights, as torch does.
///
/// The loss is a sum of positive terms and good to 4 machine epsilons, the gradient to 4 of the larger term. No finite
/// input overflows but by a weight. A logit of ±inf is a certain outcome: the loss is 0 where the label agrees, and
/// where it does not +inf with a finite gradient, unless its weight is 0.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where a logit is NaN, a label lies
/// outside `[0, 1]` or a weight is negative or not finite; [`Error::Overflow`](crate::Error::Overflow) where a loss leaves
/// the type; [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, arr0}};
/// # use loglik::likelihood::{WeightedBernoulli, WeightedBernoulliArguments};
/// let (logits, x, weight) = (array![0.0_f64, 2.0], array![1.0, 0.5], arr0(3.0));
/// let weights = weight.broadcast(2).expect("one number has any shape");
/// let (loss, gradient) = WeightedBernoulli.grad(
///     WeightedBernoulliArguments { logits: &logits, x: &x, positive_weight: &weights },
///     Reduction::Sum,
/// )?;
/// assert!((loss - 3.333_297_564).abs() < 1e-9); // 3 ln 2, and half of ln(1 + e²) and of 3 ln(1 + e⁻²)
/// assert!((gradient[1] - 0.261_594_156).abs() < 1e-9); // ½ σ(2) - 3/2 σ(-2)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// `pos_weight` of
/// [`torch.nn.BCEWithLogitsLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html).
#[doc(alias = "pos_weight")]
#[doc(alias = "weighted BCE")]
#[doc(alias = "NLL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WeightedBernoulli;

/// One thing for each argument of [`WeightedBernoulli`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightedBernoulliArguments<A> {
    /// The logits.
    pub logits: A,
    /// The labels, in `[0, 1]`.
    pub x: A,
    /// The weight of each positive label.
    pub positive_weight: A,
}
crate::bundle!(WeightedBernoulliArguments { logits, x, positive_weight });

impl Density<3, 1> for WeightedBernoulli {
    type Arguments<A> = WeightedBernoulliArguments<A>;
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("logits", Domain::Extended), ("x", Domain::Unit), ("positive_weight", Domain::NonNegative)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [logit, x, weight]: [T; 3]) -> (T, [T; 1]) {
        let (positive, negative) = (weight * x, T::one() - x);
        // A share of 0 hides even an infinite loss.
        let term = |share: T, loss: T| if share == T::zero() { T::zero() } else { share * loss };
        let loss = term(positive, math::softplus::<T, FMA>(-logit)) + term(negative, math::softplus::<T, FMA>(logit));
        (loss, [negative * math::sigmoid::<T, FMA>(logit) - positive * math::sigmoid::<T, FMA>(-logit)])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};
    use proptest::prelude::*;

    use super::super::testing::{close, derivatives_match};
    use super::super::{Bernoulli, BernoulliArguments};
    use super::*;
    use crate::Reduction;

    fn point(logit: f64, x: f64, weight: f64) -> (f64, f64) {
        let (loss, [slope]) = WeightedBernoulli.at::<f64, false>([logit, x, weight]);
        (loss, slope)
    }

    #[test]
    fn loss_and_gradient_equal_the_formula_of_torch() {
        // (1 - x) l + (1 + (w - 1) x) ln(1 + e^-l), by hand in 50 digits.
        let cases = [
            ([0.75, 1.0, 2.0], 0.773_742_012_229_799_9, -0.641_642_601_649_214),
            ([0.75, 0.0, 2.0], 1.136_871_006_114_9, 0.679_178_699_175_393),
            ([40.0, 1.0, 0.5], 2.124_177_127_645_794_4e-18, -2.124_177_127_645_794_4e-18),
            ([-1e4, 1.0, 3.0], 3e4, -3.0),
            ([1e4, 0.5, 3.0], 5000.0, 0.5),
        ];
        for (arguments, loss, slope) in cases {
            let (found, [gradient]) = WeightedBernoulli.at::<f64, false>(arguments);
            assert!(close(found, loss, 4.0 * f64::EPSILON), "{arguments:?}: {found} is not {loss}");
            assert!(close(gradient, slope, 4.0 * f64::EPSILON), "{arguments:?}: {gradient} is not {slope}");
            let (found, _) = WeightedBernoulli.at::<f32, false>(arguments.map(|x| x as f32));
            assert!(
                close(found.as_f64(), loss, 4.0 * f32::EPSILON.as_f64()),
                "{arguments:?} in f32: {found} is not {loss}"
            );
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for (logit, x, weight) in [(-4.0, 0.0, 2.0), (-0.5, 0.3, 0.25), (0.25, 1.0, 7.0), (6.0, 0.9, 0.0)] {
            derivatives_match(&WeightedBernoulli, [logit, x, weight], 1e-7);
        }
    }

    #[test]
    fn a_weight_of_zero_hides_an_infinite_loss() {
        let inf = f64::INFINITY;
        assert_eq!(point(-inf, 1.0, 0.0), (0.0, 0.0));
        assert_eq!(point(-inf, 1.0, 2.0), (inf, -2.0));
        assert_eq!(point(inf, 0.0, 2.0), (inf, 1.0));
        assert_eq!(point(inf, 1.0, 2.0), (0.0, 0.0));
    }

    #[test]
    fn bad_weights_are_named_and_overflow_is_told() {
        for bad in [-1.0, f64::INFINITY, f64::NAN] {
            let error = WeightedBernoulli.value(
                WeightedBernoulliArguments {
                    logits: &aview1(&[0.0, 0.0]),
                    x: &aview1(&[1.0, 0.0]),
                    positive_weight: &aview1(&[1.0, bad]),
                },
                Reduction::Sum,
            );
            let message = format!("`positive_weight`[1] is {bad}, allowed is finite and >= 0");
            assert_eq!(error.unwrap_err().to_string(), message);
        }
        let (logits, x, weight) = (array![-1e30_f32], array![1.0], array![1e30]);
        let error = WeightedBernoulli
            .value(WeightedBernoulliArguments { logits: &logits, x: &x, positive_weight: &weight }, Reduction::Sum)
            .unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    }

    proptest! {
        #[test]
        fn a_weight_of_one_changes_nothing_and_others_scale_the_positive_part(
            logit in -40.0..40.0_f64, x in 0.0..=1.0_f64, weight in 0.0..9.0_f64,
        ) {
            let (loss, slope) = Bernoulli.grad(BernoulliArguments { logits: &array![logit], x: &array![x] }, Reduction::Sum).unwrap();
            let plain = point(logit, x, 1.0);
            prop_assert!(close(plain.0, loss, 1e-14) && (plain.1 - slope[0]).abs() <= 1e-15);
            let without = point(logit, x, 0.0);
            prop_assert!(close(point(logit, x, weight).0, without.0 + weight * (plain.0 - without.0), 1e-9));
        }
    }
}
