//! The loss that raises the energy of data and lowers that of samples.

use crate::Real;
use crate::likelihood::{Density, Domain};

/// One thing for each argument of [`RecoveryContrast`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryContrastArguments<A> {
    /// For `f(y⁺)` of the data.
    pub positive: A,
    /// For `f(y⁻)` of the samples of the model.
    pub negative: A,
    /// For the weight of the noise level.
    pub weight: A,
}
crate::bundle!(RecoveryContrastArguments { positive, negative, weight });

/// One thing for each gradient of [`RecoveryContrast`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryContrastGradient<A> {
    /// For `f(y⁺)`.
    pub positive: A,
    /// For `f(y⁻)`.
    pub negative: A,
}
crate::bundle!(RecoveryContrastGradient { positive, negative });

/// Contrastive loss of an energy-based model: the energy of samples against that of data.
///
/// ```math
/// L_i = -w_i \left[ f(y_i^+) - f(y_i^-) \right], \qquad
/// \frac{\partial L_i}{\partial f(y_i^+)} = -w_i, \qquad \frac{\partial L_i}{\partial f(y_i^-)} = w_i
/// ```
///
/// `f` is the logarithm of an unnormalized density, `y⁻` a sample of the model that is held constant; for recovery likelihood
/// both belong to one noisier observation, and `y⁻` is drawn by [`Langevin`](crate::energy::Langevin). The **gradient** is
/// that of the negative log-likelihood, in expectation over `y⁻`; the **value** is no likelihood, has no lower bound, and
/// is 0 where both have one energy. `w` is the weight of the sample's noise level; 1 leaves the levels as they are.
///
/// The three arrays have one shape, of any number of axes.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where an energy is not finite or a weight is
/// not finite or below 0; [`Error::Overflow`](crate::Error::Overflow);
/// [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{RecoveryContrast, RecoveryContrastArguments};
/// let (positive, negative, weight) = (array![1.0_f64, 2.0], array![0.5, 3.0], array![1.0, 4.0]);
/// let arguments = RecoveryContrastArguments { positive: &*positive, negative: &*negative, weight: &*weight };
/// let (loss, gradient) = RecoveryContrast.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient.positive), (1.75, array![-0.5, -2.0])); // -1/2 and 4
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gao et al., ICLR 2021, [arXiv:2012.08125](https://arxiv.org/abs/2012.08125); Zhu et al., ICLR 2024,
/// [arXiv:2309.05153](https://arxiv.org/abs/2309.05153).
#[doc(alias = "contrastive divergence")]
#[doc(alias = "recovery likelihood")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecoveryContrast;

impl Density<3, 2> for RecoveryContrast {
    type Arguments<A> = RecoveryContrastArguments<A>;
    type Gradient<A> = RecoveryContrastGradient<A>;
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("positive", Domain::Finite), ("negative", Domain::Finite), ("weight", Domain::NonNegative)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [positive, negative, weight]: [T; 3]) -> (T, [T; 2]) {
        (weight * (negative - positive) + T::zero(), [T::zero() - weight, weight])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;

    #[test]
    fn a_level_of_no_weight_counts_nothing_and_slopes_have_no_negative_zero() {
        let (positive, negative, weight) = (array![1.0_f64, 2.0], array![4.0, -1.0], array![0.0, 0.5]);
        let arguments = RecoveryContrastArguments { positive: &*positive, negative: &*negative, weight: &*weight };
        let (value, gradient) = RecoveryContrast.grad(arguments, Reduction::Sum).unwrap();
        assert_eq!((value, gradient.negative), (-1.5, array![0.0, 0.5]));
        assert_eq!(gradient.positive.map(|x| x.to_bits()), array![0.0_f64, -0.5].map(|x| x.to_bits()));
        let weight = array![1.0, -1.0];
        let arguments = RecoveryContrastArguments { positive: &*positive, negative: &*negative, weight: &*weight };
        let error = RecoveryContrast.value(arguments, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`weight`[1] is -1, allowed is finite and >= 0");
    }
}
