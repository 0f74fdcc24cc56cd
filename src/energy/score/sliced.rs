//! Score matching along random directions.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`SlicedScore`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlicedScoreArguments<A, P> {
    /// For the model's score at the data.
    pub score: A,
    /// For the random directions `v`.
    pub direction: A,
    /// For `vᵀ J v`, of the score's Jacobian at the data.
    pub curvature: P,
}
columns!(SlicedScoreArguments<2, 1> { score, direction; curvature });

/// One thing for each gradient of [`SlicedScore`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlicedScoreGradient<A, P> {
    /// For the score.
    pub score: A,
    /// For `vᵀ J v`.
    pub curvature: P,
}
columns!(
    SlicedScoreGradient < 1,
    1 > {
        score;
        curvature
    }
);

/// Sliced score matching: the score and its Jacobian along a random direction.
///
/// ```math
/// L_i = v_i^\top J(x_i)\, v_i + \tfrac12 \left( v_i^\top s(x_i) \right)^2, \qquad
/// \frac{\partial L_i}{\partial s} = (v_i^\top s)\, v_i, \quad \frac{\partial L_i}{\partial (v^\top J v)} = 1
/// ```
///
/// One product of the Jacobian with a vector takes the place of its trace. Over directions of unit covariance (normal,
/// or signs) the expectation is that of [`ExplicitScore`](super::ExplicitScore), which with `vᵀ J v` for its trace is
/// the form of reduced variance. `score` and `direction` are `[B, ..]`, `curvature` `[B]`.
///
/// # Errors
///
/// Those of [`SampleLoss`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{SampleLoss, SlicedScore, SlicedScoreArguments};
/// let (score, direction, curvature) = (array![[1.0_f64, -2.0]], array![[1.0, -1.0]], array![-2.0]);
/// let arguments = SlicedScoreArguments { score: &*score, direction: &*direction, curvature: &*curvature };
/// let (loss, gradient) = SlicedScore.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient.score), (2.5, array![[3.0, -3.0]]));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Song et al., Sliced score matching: a scalable approach to density and score estimation, UAI 2019, eq. 7,
/// [arXiv:1905.07088](https://arxiv.org/abs/1905.07088).
#[doc(alias = "SSM")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlicedScore;

impl SampleLoss<2, 1, 1, 1> for SlicedScore {
    type Arguments<A, P> = SlicedScoreArguments<A, P>;
    type Gradient<A, P> = SlicedScoreGradient<A, P>;
    const SAMPLES: [&'static str; 2] = ["score", "direction"];
    const NUMBERS: [(&'static str, Domain); 1] = [("curvature", Domain::Finite)];

    fn form(&self, _: &[f64]) -> Result<Form, Fault> {
        Ok(Form::SquaredProduct)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    #[test]
    fn loss_and_slopes_are_those_of_fifty_digits() {
        let (score, direction, curvature) = (array![[0.3, -1.2, 2.5]], array![[1.1, -0.4, -3.75]], array![-1.25]);
        let arguments = SlicedScoreArguments { score: &*score, direction: &*direction, curvature: &*curvature };
        let (value, gradient) = SlicedScore.grad(arguments, Reduction::Mean).unwrap();
        all_close([value], [35.429_612_5], 1e-15);
        all_close(gradient.score, [-9.4215, 3.426, 32.118_75], 2e-15);
        assert_eq!(gradient.curvature, array![1.0]);
    }
}
