//! From a discriminator's logits to log-ratios.

use ndarray::{Array, ArrayRef, Dimension};

use crate::ratio::Samples;
use crate::{Real, Result, check};

/// The log-ratio `ln p/q` that the logits of a classifier between samples of `p` (real) and of `q` (fake) stand for.
///
/// ```math
/// \ln \frac{p(x)}{q(x)} = \operatorname{logit}(x) + \ln \frac{n_q}{n_p}
/// ```
///
/// `counts` are what the classifier was trained on: the numbers of samples of both sides, or their total weights; with a loss
/// that averages each side, 1 and 1. By Bayes' rule the logit of the best classifier is the log-ratio plus the
/// logarithm of the prior odds. The derivative by each logit is 1.
///
/// # Errors
///
/// [`Error::Parameter`](crate::Error::Parameter) for a count that is not finite or not above 0. A logit of NaN or ±inf comes
/// through.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::density::log_ratio_from_logits;
/// let log_ratio = log_ratio_from_logits(&array![0.0_f64, 1.0], Samples { real: 100.0, fake: 300.0 })?;
/// assert!((log_ratio[0] - 3.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Qin, Inferences for case-control and semiparametric two-sample density ratio models, Biometrika 85, 1998. Sugiyama,
/// Suzuki and Kanamori, Density ratio estimation in machine learning, 2012, chapter 4.
pub fn log_ratio_from_logits<T: Real, D: Dimension>(
    logits: &ArrayRef<T, D>,
    counts: Samples<f64>,
) -> Result<Array<T, D>> {
    check::positive("counts.real", counts.real)?;
    check::positive("counts.fake", counts.fake)?;
    let shift = T::from_f64(counts.fake.ln() - counts.real.ln());
    Ok(logits.mapv(|logit| logit + shift))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn counts_of_any_size_shift_by_the_logarithm_of_their_odds() {
        let shifted = log_ratio_from_logits(&array![[1.0_f64, -2.0]], Samples { real: 1e-300, fake: 1e300 }).unwrap();
        assert!((shifted[[0, 1]] + 2.0 - 600.0 * std::f64::consts::LN_10).abs() < 1e-12);
    }

    #[test]
    fn a_side_without_samples_is_named() {
        let message = |real, fake| log_ratio_from_logits(&array![0.0], Samples { real, fake }).unwrap_err().to_string();
        assert_eq!(message(0.0, 1.0), "`counts.real` is 0, allowed is finite and > 0");
        assert_eq!(message(1.0, f64::INFINITY), "`counts.fake` is inf, allowed is finite and > 0");
    }
}
