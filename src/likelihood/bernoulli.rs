//! The Bernoulli probability of a label, by logit.

use super::{Density, Domain};
use crate::{Real, math};

/// Bernoulli negative log-likelihood of labels, given by logits: binary cross-entropy with logits.
///
/// ```math
/// L_i = -x_i \ln\sigma(l_i) - (1 - x_i) \ln\sigma(-l_i), \qquad
/// \frac{\partial L_i}{\partial l_i} = \sigma(l_i) - x_i
/// ```
///
/// In nats. The label `x` is 0 or 1, or anything between: a soft label, the probability of a 1. It is data and gets
/// no gradient. The arrays have one shape, nothing is broadcast.
///
/// The loss is a sum of positive terms and good to 2 machine epsilons. The gradient is `(1 - x) σ(l) - x σ(-l)`, good
/// to 2 of the larger term: nothing is lost where a label is almost certain. No finite input overflows. A logit of
/// ±inf is a certain outcome: the loss is 0 where the label agrees and +inf where it does not, the gradient finite in
/// both cases.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where a logit is NaN or a label lies
/// outside `[0, 1]`; [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::likelihood::{Bernoulli, BernoulliArguments};
/// let (logits, x) = (array![0.0_f64, 2.0], array![1.0, 0.5]);
/// let (loss, gradient) = Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum)?;
/// assert!((loss - 1.820_075_192).abs() < 1e-9); // ln 2 and ln(1 + e²) - 1
/// assert!((gradient[1] - 0.380_797_078).abs() < 1e-9); // σ(2) - ½
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Cox, "The regression analysis of binary sequences", Journal of the Royal Statistical Society B 20, 1958.
#[doc(alias = "BCE")]
#[doc(alias = "binary cross-entropy")]
#[doc(alias = "BCEWithLogitsLoss")]
#[doc(alias = "NLL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bernoulli;

/// One thing for each argument of [`Bernoulli`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BernoulliArguments<A> {
    /// The logits.
    pub logits: A,
    /// The labels, in `[0, 1]`.
    pub x: A,
}
crate::bundle!(BernoulliArguments { logits, x });

impl Density<2, 1> for Bernoulli {
    type Arguments<A> = BernoulliArguments<A>;
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 2] = [("logits", Domain::Extended), ("x", Domain::Unit)];
    crate::compile_loops!(Density);

    /// `ln(1 + e^-|l|)` for the outcome that the logit favors, and `|l|` for the share of the label that disagrees.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [logit, x]: [T; 2]) -> (T, [T; 1]) {
        let (distance, opposite) = (logit.abs(), T::one() - x);
        let against = if logit < T::zero() { x } else { opposite };
        let penalty = if against == T::zero() { T::zero() } else { against * distance };
        let loss = penalty + math::softplus::<T, FMA>(-distance);
        (loss, [opposite * math::sigmoid::<T, FMA>(logit) - x * math::sigmoid::<T, FMA>(-logit)])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array0, ArrayD, array};
    use proptest::prelude::*;

    use super::super::testing::{close, derivatives_match};
    use super::*;
    use crate::Reduction;

    fn point(logit: f64, x: f64) -> (f64, f64) {
        let (loss, [slope]) = Bernoulli.at::<f64, false>([logit, x]);
        (loss, slope)
    }

    #[test]
    fn loss_and_gradient_equal_mpmath() {
        let cases = [
            ([0.75, 1.0], 0.386_871_006_114_899_94, -0.320_821_300_824_607),
            ([0.75, 0.0], 1.136_871_006_114_9, 0.679_178_699_175_393),
            ([-2.5, 0.25], 0.703_889_734_292_549_6, -0.174_141_819_978_756_45),
            ([3.0, 0.875], 0.423_587_351_573_742_06, 0.077_574_126_822_433_22),
            ([40.0, 1.0], 4.248_354_255_291_589e-18, -4.248_354_255_291_589e-18),
            ([-40.0, 1.0], 40.0, -1.0),
            ([1e4, 0.0], 1e4, 1.0),
            ([-1e4, 0.5], 5000.0, -0.5),
        ];
        for (arguments, loss, slope) in cases {
            let (found, [gradient]) = Bernoulli.at::<f64, false>(arguments);
            assert!(close(found, loss, 2.0 * f64::EPSILON), "{arguments:?}: {found} is not {loss}");
            assert!(close(gradient, slope, 4.0 * f64::EPSILON), "{arguments:?}: {gradient} is not {slope}");
            let (found, [gradient]) = Bernoulli.at::<f32, false>(arguments.map(|x| x as f32));
            assert!(
                close(found.as_f64(), loss, 2.0 * f32::EPSILON.as_f64()),
                "{arguments:?} in f32: {found} is not {loss}"
            );
            assert!(
                close(gradient.as_f64(), slope, 8.0 * f32::EPSILON.as_f64()),
                "{arguments:?} in f32: {gradient} is not {slope}"
            );
        }
        let (loss, slope) = point(-300.0, 0.0);
        assert!(close(loss, 5.148_200_222_412_014e-131, 1e-15) && close(slope, loss, 1e-15));
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for logit in [-4.0, -0.5, 0.25, 6.0] {
            for x in [0.0, 0.3, 1.0] {
                derivatives_match(&Bernoulli, [logit, x], 1e-7);
            }
        }
    }

    #[test]
    fn an_infinite_logit_is_a_certain_outcome() {
        let inf = f64::INFINITY;
        assert_eq!(point(inf, 1.0), (0.0, 0.0));
        assert_eq!(point(-inf, 0.0), (0.0, 0.0));
        assert_eq!(point(inf, 0.0), (inf, 1.0));
        assert_eq!(point(-inf, 0.25), (inf, -0.25));
        let (value, gradient) = Bernoulli
            .grad(BernoulliArguments { logits: &array![0.0, inf], x: &array![1.0, 0.0] }, Reduction::Mean)
            .unwrap();
        assert_eq!((value, gradient), (inf, array![-0.25, 0.5]));
        let largest = Bernoulli.at::<f32, false>([f32::MAX, 0.0]);
        assert_eq!(largest, (f32::MAX, [1.0]));
    }

    #[test]
    fn labels_and_logits_outside_their_domain_are_named() {
        let logits = array![[0.0, 1.0], [2.0, f64::NAN]];
        let x = array![[0.0, 1.0], [0.5, 1.0]];
        let error = Bernoulli.value(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1, 1] is NaN, allowed is any number but NaN");
        let logits = array![[0.0, 1.0], [2.0, 3.0]];
        let error = Bernoulli
            .value(BernoulliArguments { logits: &logits, x: &array![[0.0, 1.0], [-0.5, 7.0]] }, Reduction::Sum)
            .unwrap_err();
        assert_eq!(error.to_string(), "`x`[1, 0] is -0.5, allowed is [0, 1]");
        let error = Bernoulli
            .value(
                BernoulliArguments { logits: &Array0::from_elem((), 0.0), x: &Array0::from_elem((), 2.0) },
                Reduction::Sum,
            )
            .unwrap_err();
        assert_eq!(error.to_string(), "`x` is 2, allowed is [0, 1]");
        let error = Bernoulli.value(
            BernoulliArguments { logits: &ArrayD::zeros(vec![2, 3]), x: &ArrayD::<f32>::zeros(vec![3, 2]) },
            Reduction::Sum,
        );
        assert_eq!(error.unwrap_err().to_string(), "`x` has shape [3, 2], expected [2, 3]");
    }

    proptest! {
        #[test]
        fn both_outcomes_together_are_certain(logit in -30.0..30.0_f64) {
            let mass = (-point(logit, 0.0).0).exp() + (-point(logit, 1.0).0).exp();
            prop_assert!((mass - 1.0).abs() < 4e-15);
        }

        #[test]
        fn a_soft_label_is_the_mean_of_hard_ones_and_the_sign_swaps_them(logit in -900.0..900.0_f64, x in 0.0..=1.0_f64) {
            let (loss, slope) = point(logit, x);
            let (zero, one) = (point(logit, 0.0), point(logit, 1.0));
            prop_assert!(close(loss, x * one.0 + (1.0 - x) * zero.0, 1e-14));
            prop_assert!((slope - (x * one.1 + (1.0 - x) * zero.1)).abs() < 1e-15);
            prop_assert_eq!(point(-logit, 0.0), (one.0, -one.1));
        }
    }
}
