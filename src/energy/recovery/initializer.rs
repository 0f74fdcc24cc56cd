//! The loss of the model that proposes where sampling begins.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`Initializer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InitializerArguments<A> {
    /// For the mean that the model proposes.
    pub proposal: A,
    /// For the sample that became of it, held constant.
    pub refined: A,
}
columns!(InitializerArguments<2> { proposal, refined });

/// Loss of an initializer: the squared distance of its proposal to what sampling has made of it.
///
/// ```math
/// L_i = |\tilde y_i - g_i|^2, \qquad \frac{\partial L_i}{\partial g_i} = 2 (g_i - \tilde y_i)
/// ```
///
/// `g` is the mean that the initializer proposes, `ỹ` the refined sample, which is a **constant** of the loss: the
/// gradient is in the proposal alone. Both are `[B, ..]`; squares are summed over the numbers of a sample. Up to
/// constants it is the negative log-likelihood of a normal density of variance ½.
///
/// # Errors
///
/// Those of [`SampleLoss`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{Initializer, InitializerArguments, SampleLoss};
/// let (proposal, refined) = (array![[1.0_f64, 2.0]], array![[0.0, 4.0]]);
/// let arguments = InitializerArguments { proposal: &*proposal, refined: &*refined };
/// let (loss, gradient) = Initializer.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient), (5.0, array![[2.0, -4.0]]));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhu et al., ICLR 2024, [arXiv:2309.05153](https://arxiv.org/abs/2309.05153).
#[doc(alias = "cooperative training")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Initializer;

impl SampleLoss<2, 0, 1, 0> for Initializer {
    type Arguments<A, P> = InitializerArguments<A>;
    type Gradient<A, P> = A;
    const SAMPLES: [&'static str; 2] = ["proposal", "refined"];
    const NUMBERS: [(&'static str, Domain); 0] = [];

    fn form(&self, _: &[f64]) -> Result<Form, Fault> {
        Ok(Form::Square { coefficients: [1.0, -1.0], rate: 1.0, gain: 2.0 })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, array};

    use super::*;
    use crate::Reduction;

    #[test]
    fn all_axes_of_a_sample_are_summed() {
        let proposal = Array4::from_shape_fn((2, 1, 2, 3), |(i, _, j, k)| (i + j * k) as f64);
        let refined = Array4::zeros((2, 1, 2, 3));
        let arguments = InitializerArguments { proposal: &*proposal, refined: &*refined };
        assert_eq!(Initializer.each(arguments).unwrap(), array![5.0, 17.0]);
        assert_eq!(Initializer.grad(arguments, Reduction::Mean).unwrap(), (11.0, proposal.clone()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (one, two) = (array![[1.0]], array![[1.0], [f64::NAN]]);
        let message = |proposal, refined| {
            Initializer.value(InitializerArguments { proposal, refined }, Reduction::Sum).unwrap_err().to_string()
        };
        assert_eq!(message(&*one, &*two), "`refined` has shape [2, 1], expected [1, 1]");
        assert_eq!(message(&*two, &*two), "`proposal`[1, 0] is NaN, allowed is finite");
        let huge = array![[1e200]];
        let zero = array![[0.0]];
        assert_eq!(message(&*huge, &*zero), "the result at `proposal`[0] overflows f64");
        let scalar = ndarray::arr0(1.0);
        let arguments = InitializerArguments { proposal: &*scalar, refined: &*scalar };
        let error = Initializer.value(arguments, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`proposal` has shape [], expected [1]");
    }
}
