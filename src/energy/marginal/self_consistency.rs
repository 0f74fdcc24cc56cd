//! How far log-marginals and conditionals of one model are from belonging together.

use crate::likelihood::{Density, Domain};
use crate::{Real, Result, check};

/// One thing for each argument of [`SelfConsistency`]: log-probabilities of one step of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfConsistencyArguments<A> {
    /// For the log-marginal of the variables before the step.
    pub previous: A,
    /// For the log-probability of the next variable given those.
    pub conditional: A,
    /// For the log-marginal of both together.
    pub current: A,
}
crate::bundle!(SelfConsistencyArguments { previous, conditional, current });

/// Marginalization self-consistency: the squared residual of the product rule at one step of an order of the variables.
///
/// ```math
/// L_i = D\, r_i^2, \qquad r = \log p(x_{\pi(<d)}) + \log p(x_{\pi(d)} \mid x_{\pi(<d)}) - \log p(x_{\pi(\le d)})
/// ```
///
/// ```math
/// \frac{\partial L}{\partial \log p(x_{\pi(<d)})} = \frac{\partial L}{\partial \log p(x_{\pi(d)} \mid x_{\pi(<d)})}
/// = -\frac{\partial L}{\partial \log p(x_{\pi(\le d)})} = 2 D r
/// ```
///
/// A model that gives both log-marginals of any subset and conditionals is consistent where every residual is 0: then
/// `log p(x)` is the log-marginal of nothing plus the conditionals along any order. Step and order are random, and `scale`,
/// the number `D` of steps of an order, makes the expectation one over all of them together. A constant that is added
/// to every log-marginal changes nothing: [`begin_consistency`](crate::energy::begin_consistency) pins it. To train the
/// marginals alone, drop the slope of the conditional.
///
/// The three arrays have one shape, of any number of axes.
///
/// # Errors
///
/// [`Error::Parameter`](crate::Error::Parameter); [`Error::Shape`](crate::Error::Shape);
/// [`Error::Value`](crate::Error::Value) where an argument is not finite (of -inf on both sides there is no residual);
/// [`Error::Overflow`](crate::Error::Overflow); [`Error::NothingToAverage`](crate::Error::NothingToAverage).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{SelfConsistency, SelfConsistencyArguments};
/// let (previous, conditional, current) = (array![-1.0_f64], array![-0.5], array![-2.0]);
/// let arguments =
///     SelfConsistencyArguments { previous: &*previous, conditional: &*conditional, current: &*current };
/// let (loss, gradient) = SelfConsistency { scale: 9.0 }.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient.previous, gradient.current), (2.25, array![9.0], array![-9.0])); // r = ½
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu, Ramadge and Adams, Generative marginalization models, ICML 2024,
/// [arXiv:2310.12920](https://arxiv.org/abs/2310.12920).
#[doc(alias = "MaM")]
#[doc(alias = "marginalization models")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SelfConsistency {
    /// What each squared residual counts, finite and `> 0`: the number `D` of variables. Default 1.
    pub scale: f64,
}

impl Default for SelfConsistency {
    /// The mean squared residual; the paper's objective has the number of variables.
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl Density<3, 3> for SelfConsistency {
    type Arguments<A> = SelfConsistencyArguments<A>;
    type Gradient<A> = SelfConsistencyArguments<A>;
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("previous", Domain::Finite), ("conditional", Domain::Finite), ("current", Domain::Finite)];
    crate::compile_loops!(Density);

    fn check(&self) -> Result<()> {
        check::positive("scale", self.scale)
    }

    /// The two log-marginals, which may be large and near each other, meet first.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [previous, conditional, current]: [T; 3]) -> (T, [T; 3]) {
        let residual = (previous - current) + conditional;
        let pull = T::from_f64(self.scale) * residual;
        let slope = pull + pull + T::zero();
        (pull * residual, [slope, slope, T::zero() - slope])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_of_far_log_marginals_keep_their_digits() {
        let loss = SelfConsistency { scale: 10.0 };
        let (value, slopes) = loss.at::<f64, false>([-1e16, -2.0, -1e16 - 4.0]);
        assert_eq!((value, slopes), (40.0, [40.0, 40.0, -40.0]));
        let (value, slopes) = loss.at::<f64, false>([-3.0, -0.5, -3.5]);
        assert_eq!((value, slopes.map(f64::to_bits)), (0.0, [0; 3]));
    }

    #[test]
    fn a_scale_that_is_none_is_refused() {
        let error = SelfConsistency { scale: 0.0 }.check().unwrap_err().to_string();
        assert_eq!(error, "`scale` is 0, allowed is finite and > 0");
    }
}
