//! Noise levels to train at.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::{Error, Real, Result, check};

/// Log-normal noise levels: what EDM trains at.
///
/// ```math
/// \sigma = e^{\mu + \varsigma\, \epsilon}, \qquad \epsilon \sim \mathcal{N}(0, 1)
/// ```
///
/// The normal numbers are arguments, so that any generator may make them.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::LogNormalSigma;
/// let sigma = LogNormalSigma::default().sigma(&array![0.0_f64, 1.0])?;
/// assert!((sigma[0] - 0.301_194_211_9).abs() < 1e-10 && sigma[1] == 1.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Karras et al., NeurIPS 2022, table 1, [arXiv:2206.00364](https://arxiv.org/abs/2206.00364).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LogNormalSigma {
    /// Mean `μ` of `ln σ`, finite. Default -1.2, the paper's.
    pub mean: f64,
    /// Standard deviation `ς` of `ln σ`, finite and `>= 0`. Default 1.2, the paper's.
    pub std: f64,
}

impl Default for LogNormalSigma {
    /// `ln σ ~ N(-1.2, 1.2²)`, as in the paper.
    fn default() -> Self {
        Self { mean: -1.2, std: 1.2 }
    }
}

impl LogNormalSigma {
    /// The noise level of each standard normal number.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`]; [`Error::Value`] for a number that is not finite; [`Error::Overflow`] for a level that is
    /// not above 0 and finite in the type.
    pub fn sigma<T: Real, D: Dimension>(&self, normal: &ArrayRef<T, D>) -> Result<Array<T, D>> {
        Ok(in_dimension(T::log_normal(self, normal.view().into_dyn())?))
    }

    /// [`LogNormalSigma::sigma`], compiled here.
    pub(in crate::energy) fn compute<T: Real>(&self, normal: ArrayViewD<'_, T>) -> Result<ArrayD<T>> {
        check::finite("mean", self.mean)?;
        check::non_negative("std", self.std)?;
        let sigma = normal.mapv(|x| T::from_f64((self.mean + self.std * x.as_f64()).exp()));
        let Some(at) = sigma.iter().position(|sigma| !(*sigma > T::zero() && sigma.is_finite())) else {
            return Ok(sigma.as_standard_layout().into_owned());
        };
        let (position, value) = (Position::unravel(at, normal.shape()), normal.iter().nth(at));
        match value.filter(|x| !x.is_finite()) {
            Some(x) => Err(Error::Value { argument: "normal", position, value: x.as_f64(), allowed: "finite" }),
            None => Err(Error::overflow::<T>("normal", position)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let message =
            |mean, std, normal: Array2<f32>| LogNormalSigma { mean, std }.sigma(&normal).unwrap_err().to_string();
        assert_eq!(message(f64::NAN, 1.0, array![[0.0]]), "`mean` is NaN, allowed is finite");
        assert_eq!(message(0.0, -1.0, array![[0.0]]), "`std` is -1, allowed is finite and >= 0");
        assert_eq!(message(0.0, 1.0, array![[0.0, f32::INFINITY]]), "`normal`[0, 1] is inf, allowed is finite");
        for far in [100.0, -120.0] {
            assert_eq!(message(0.0, 1.0, array![[0.0], [far]]), "the result at `normal`[1, 0] overflows f32");
        }
        assert_eq!(
            LogNormalSigma { mean: 0.0, std: 0.0 }
                .sigma(&array![5.0, f64::NAN])
                .map_err(|e| e.to_string())
                .unwrap_err(),
            "`normal`[1] is NaN, allowed is finite"
        );
    }
}
