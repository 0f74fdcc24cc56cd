//! Score matching by the trace of the score's Jacobian.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`ExplicitScore`], and for each of its gradients: `A` of the shape of the samples, `P` one
/// number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitScoreArguments<A, P> {
    /// For the model's score at the data.
    pub score: A,
    /// For the trace of its Jacobian there.
    pub trace: P,
}
columns!(
    ExplicitScoreArguments < 1,
    1 > {
        score;
        trace
    }
);

/// Score matching, in Hyvärinen's form: the score at the data against the trace of its Jacobian.
///
/// ```math
/// L_i = \tfrac12 |s(x_i)|^2 + \operatorname{tr} J(x_i), \qquad J = \frac{\partial s}{\partial x}, \qquad
/// \frac{\partial L_i}{\partial s} = s, \quad \frac{\partial L_i}{\partial \operatorname{tr} J} = 1
/// ```
///
/// Its expectation is half the squared distance to the score of the data, `∇ ln p`, less a constant: it is least there, at
/// `-½ E |∇ ln p|²`, although that score is not known. The normalizer of a model has no part in it. `score` is
/// `[B, ..]`, `trace` `[B]`; of a Jacobian's diagonal take the sum over the numbers of a sample.
///
/// With `vᵀ J v` for the trace, `v` random of unit covariance, it is sliced score matching with reduced variance
/// (Hutchinson's estimate of the trace), whose expectation is the same. [`SlicedScore`](super::SlicedScore) is the
/// plain sliced form.
///
/// # Errors
///
/// Those of [`SampleLoss`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{ExplicitScore, ExplicitScoreArguments, SampleLoss};
/// let (score, trace) = (array![[1.0_f64, -2.0]], array![-2.0]);
/// let (loss, gradient) =
///     ExplicitScore.grad(ExplicitScoreArguments { score: &*score, trace: &*trace }, Reduction::Mean)?;
/// assert_eq!((loss, gradient.score, gradient.trace), (0.5, array![[1.0, -2.0]], array![1.0]));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hyvärinen, Estimation of non-normalized statistical models by score matching, JMLR 2005; Song et al., Sliced score
/// matching, UAI 2019, eq. 8, [arXiv:1905.07088](https://arxiv.org/abs/1905.07088).
#[doc(alias = "implicit score matching")]
#[doc(alias = "Hutchinson")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExplicitScore;

impl SampleLoss<1, 1, 1, 1> for ExplicitScore {
    type Arguments<A, P> = ExplicitScoreArguments<A, P>;
    type Gradient<A, P> = ExplicitScoreArguments<A, P>;
    const SAMPLES: [&'static str; 1] = ["score"];
    const NUMBERS: [(&'static str, Domain); 1] = [("trace", Domain::Finite)];

    fn form(&self, _: &[f64]) -> Result<Form, Fault> {
        Ok(Form::Norm)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::{Error, Reduction};

    #[test]
    fn weights_are_the_slopes_of_the_traces() {
        let (score, trace) = (array![[1.0, 2.0], [f64::NAN, 0.0], [3.0, 0.0]], array![1.0, f64::NAN, -2.0]);
        let weights = array![0.5, 0.0, 2.0];
        let arguments = ExplicitScoreArguments { score: &*score, trace: &*trace };
        let (value, gradient) = ExplicitScore.grad(arguments, Reduction::Weighted(&weights)).unwrap();
        assert_eq!((value, &gradient.trace), (0.5 * 3.5 + 2.0 * 2.5, &weights)); // what has no weight is never read
        assert_eq!(gradient.score, array![[0.5, 1.0], [0.0, 0.0], [6.0, 0.0]]);
        let error = ExplicitScore.value(arguments, Reduction::Mean).unwrap_err().to_string();
        assert_eq!(error, "`trace`[1] is NaN, allowed is finite");
    }

    #[test]
    fn of_no_samples_the_sum_is_0_and_a_mean_is_refused() {
        let (score, trace) = (Array2::<f32>::zeros((0, 3)), array![]);
        let arguments = ExplicitScoreArguments { score: &*score, trace: &*trace };
        let (value, gradient) = ExplicitScore.grad(arguments, Reduction::Sum).unwrap();
        assert_eq!((value, gradient.score.shape()), (0.0, &[0, 3][..]));
        let error = ExplicitScore.value(arguments, Reduction::Mean).unwrap_err();
        assert_eq!(error, Error::NothingToAverage { argument: "score" });
        let (score, trace) = (Array2::<f32>::zeros((2, 0)), array![1.0, 2.0]);
        let arguments = ExplicitScoreArguments { score: &*score, trace: &*trace };
        assert_eq!(ExplicitScore.grad(arguments, Reduction::Mean).map(|(value, _)| value), Ok(1.5));
    }
}
