//! Score matching by noise that is known.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`DenoisingScore`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenoisingScoreArguments<A, P> {
    /// For the model's score at `x + σz`.
    pub score: A,
    /// For the standard normal noise `z`.
    pub noise: A,
    /// For the standard deviation of the noise.
    pub sigma: P,
}
columns!(DenoisingScoreArguments<2, 1> { score, noise; sigma });

/// What each noise level counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ScoreWeighting {
    /// `σ²`: all levels count alike, since scores grow as `1/σ`.
    #[default]
    Variance,
    /// 1: small levels count most.
    Uniform,
}

/// Denoising score matching: the score of noisy data against the noise that was added.
///
/// ```math
/// L_i = \frac{\lambda(\sigma_i)}{2} \left| s(x_i + \sigma_i z_i) + \frac{z_i}{\sigma_i} \right|^2, \qquad
/// \frac{\partial L_i}{\partial s} = \lambda \left( s + \frac{z}{\sigma} \right), \qquad \lambda = \sigma^2 \text{ or } 1
/// ```
///
/// The minimum is the score of the data with noise of that size, `∇ ln p_σ`. With `λ = σ²` the loss is `½ |σs + z|²` and is
/// computed so: nothing is divided by `σ`, and it is `½` per number where the score is 0. `score` and `noise` are `[B, ..]`,
/// `sigma` `[B]`.
///
/// # Errors
///
/// Those of [`SampleLoss`]: `σ` finite and above 0.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{DenoisingScore, DenoisingScoreArguments, SampleLoss};
/// let (score, noise, sigma) = (array![[1.0_f64, -2.0]], array![[0.0, 3.0]], array![2.0]);
/// let arguments = DenoisingScoreArguments { score: &*score, noise: &*noise, sigma: &*sigma };
/// let (loss, gradient) = DenoisingScore::default().grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient), (2.5, array![[4.0, -2.0]])); // ½ (2² + 1²)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Vincent, A connection between score matching and denoising autoencoders, Neural Computation 2011; the weights: Song and
/// Ermon, NeurIPS 2019, eq. 5 and 6, [arXiv:1907.05600](https://arxiv.org/abs/1907.05600).
#[doc(alias = "DSM")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DenoisingScore {
    /// What each noise level counts. Default [`ScoreWeighting::Variance`], as Song and Ermon train.
    pub weighting: ScoreWeighting,
}

impl SampleLoss<2, 1, 1, 0> for DenoisingScore {
    type Arguments<A, P> = DenoisingScoreArguments<A, P>;
    type Gradient<A, P> = A;
    const SAMPLES: [&'static str; 2] = ["score", "noise"];
    const NUMBERS: [(&'static str, Domain); 1] = [("sigma", Domain::Positive)];

    fn form(&self, numbers: &[f64]) -> Result<Form, Fault> {
        let sigma = numbers[0];
        Ok(match self.weighting {
            ScoreWeighting::Variance => Form::Square { coefficients: [sigma, 1.0], rate: 1.0, gain: 1.0 },
            ScoreWeighting::Uniform => Form::Square { coefficients: [1.0, 1.0 / sigma], rate: 1.0, gain: 1.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    #[test]
    fn losses_and_slopes_are_those_of_fifty_digits() {
        let (score, noise) = (array![[0.3, -1.2, 2.5]], array![[1.1, -0.4, -3.75]]);
        let cases = [
            (0.01, 76_309.89, [110.3, -41.2, -372.5]),
            (
                1.7,
                1.521_747_404_844_290_7,
                [0.947_058_823_529_411_8, -1.435_294_117_647_058_8, 0.294_117_647_058_823_5],
            ),
        ];
        for (sigma, loss, slopes) in cases {
            let sigmas = array![sigma];
            let arguments = DenoisingScoreArguments { score: &*score, noise: &*noise, sigma: &*sigmas };
            let of = |weighting| DenoisingScore { weighting }.grad(arguments, Reduction::Mean).unwrap();
            let (value, gradient) = of(ScoreWeighting::Uniform);
            all_close([value], [loss], 2e-15);
            all_close(gradient, slopes, 5e-15);
            let (value, gradient) = of(ScoreWeighting::Variance);
            all_close([value], [sigma * sigma * loss], 2e-15);
            all_close(gradient, slopes.map(|slope| sigma * sigma * slope), 5e-15);
        }
    }

    #[test]
    fn weighted_by_the_variance_no_noise_is_too_small() {
        let (score, noise, sigma) = (array![[2.0]], array![[1.0]], array![1e-300]);
        let arguments = DenoisingScoreArguments { score: &*score, noise: &*noise, sigma: &*sigma };
        assert_eq!(DenoisingScore::default().value(arguments, Reduction::Sum), Ok(0.5));
        let uniform = DenoisingScore { weighting: ScoreWeighting::Uniform };
        let error = uniform.value(arguments, Reduction::Sum).unwrap_err().to_string();
        assert_eq!(error, "the result at `score`[0] overflows f64");
    }
}
