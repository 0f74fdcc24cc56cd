//! Whether a log-ratio is one: what its two means say.

use ndarray::{ArrayRef1, ArrayView1};

use crate::ratio::Samples;
use crate::ratio::bound::donsker_varadhan;
use crate::{Real, Reduction, Result};

/// Two numbers that are 0 for the true ratio: the logarithms of `E_q p/q` and of `E_p q/p`.
///
/// ```math
/// \ln \frac1m \sum_{j} e^{r(x^q_j)}, \qquad \ln \frac1n \sum_i e^{-r(x^p_i)}
/// ```
///
/// `r` are estimated log-ratios `ln p/q` at samples that they were not fitted to. Above 0 on the fake side the ratio is
/// too large where `q` is, and as an importance weight too large in total; the second says the same of its inverse. A
/// constant error of `r` is in both, with opposite signs. Both may be 0 for a wrong ratio; a heavy tail may be missing
/// from the samples. In logarithms, so that no ratio overflows.
///
/// # Errors
///
/// [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a side without samples;
/// [`Error::Value`](crate::Error::Value) for a log-ratio that is not finite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::density::RatioCheck;
/// let (real, fake) = (array![0.5_f64], array![1.5_f64.ln(), 0.5_f64.ln()]);
/// let check = RatioCheck::of(Samples { real: real.view(), fake: fake.view() })?;
/// assert!(check.log_mean_ratio.abs() < 1e-15); // the mean of 1.5 and 0.5 is 1
/// assert_eq!(check.log_mean_inverse, -0.5);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RatioCheck<T> {
    /// `ln E_q e^r`, over the fake side.
    pub log_mean_ratio: T,
    /// `ln E_p e^-r`, over the real side.
    pub log_mean_inverse: T,
}

impl<T: Real> RatioCheck<T> {
    /// Of log-ratios at samples of both sides.
    ///
    /// # Errors
    ///
    /// See [`RatioCheck`].
    pub fn of(log_ratios: Samples<ArrayView1<'_, T>>) -> Result<Self> {
        T::ratio_check(log_ratios)
    }
}

pub(in crate::ratio) fn of<T: Real>(log_ratios: Samples<ArrayView1<'_, T>>) -> Result<RatioCheck<T>> {
    let Samples { real, fake } = log_ratios;
    super::calibration::check_finite("real", real)?;
    super::calibration::check_finite("fake", fake)?;
    let inverse = real.mapv(|ratio| -ratio);
    Ok(RatioCheck { log_mean_ratio: log_mean(&fake)?, log_mean_inverse: log_mean(&inverse)? })
}

/// `ln mean e^x` is minus Donsker and Varadhan's bound with nothing on its other side.
fn log_mean<T: Real>(x: &ArrayRef1<T>) -> Result<T> {
    let nothing = ndarray::Array1::zeros(0);
    let reductions = Samples { real: Reduction::Sum, fake: Reduction::Mean };
    Ok(T::zero() - donsker_varadhan(Samples { real: nothing.view(), fake: x.view() }, reductions)?)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;

    #[test]
    fn a_constant_error_is_in_both_with_opposite_signs() {
        let (p, q) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
        // Samples in these proportions.
        let log_ratio = (&p / &q).ln();
        let real = array![log_ratio[0], log_ratio[1]];
        let fake = array![log_ratio[0], log_ratio[1], log_ratio[1], log_ratio[1]];
        for error in [0.0, 0.3, -1e3] {
            let (real, fake) = (&real + error, &fake + error);
            let check = RatioCheck::of(Samples { real: real.view(), fake: fake.view() }).unwrap();
            assert!((check.log_mean_ratio - error).abs() <= 1e-15 * error.abs().max(1.0));
            assert!((check.log_mean_inverse + error).abs() <= 1e-15 * error.abs().max(1.0));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |real: &[f64], fake: &[f64]| {
            RatioCheck::of(Samples { real: aview1(real), fake: aview1(fake) }).unwrap_err().to_string()
        };
        assert_eq!(of(&[], &[1.0]), "`real` holds nothing to average over");
        assert_eq!(of(&[1.0], &[1.0, f64::NEG_INFINITY]), "`fake`[1] is -inf, allowed is finite");
    }
}
