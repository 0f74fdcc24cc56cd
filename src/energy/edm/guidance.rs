//! How strong a policy guides at each step of a sampler.

use std::f64::consts::PI;

use ndarray::Array1;

use crate::{Error, Real, Result, check};

/// Guidance schedule of policy-guided diffusion: the `λ` of each step.
///
/// ```math
/// \lambda_k = c \left[ 1 - \frac{k}{n} + a \sin\Bigl( \pi\, \frac{k + 1}{n} \Bigr) \right], \quad k = 0, \dots, n - 2,
/// \qquad \lambda_{n-1} = 0
/// ```
///
/// Guidance falls as samples become clean, with a bump in the middle, and the last step has none. `λ` is that of
/// [`guided_score`](crate::energy::guided_score).
///
/// # Examples
///
/// ```
/// # use loglik::energy::GuidanceSchedule;
/// let lambda = GuidanceSchedule { coefficient: 2.0, ..GuidanceSchedule::default() }.levels::<f64>(2)?;
/// assert_eq!((lambda[0], lambda[1]), (2.6, 0.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Jackson et al., Policy-guided diffusion, RLC 2024, [arXiv:2404.06356](https://arxiv.org/abs/2404.06356); the formula
/// is that of the authors' code.
#[doc(alias = "policy-guided diffusion")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GuidanceSchedule {
    /// Strength `c`, finite. Default 0, the authors': no guidance.
    pub coefficient: f64,
    /// Height `a` of the bump, finite. Default 0.3, the authors'.
    pub bump: f64,
}

impl Default for GuidanceSchedule {
    /// The authors' code: 0 and 0.3.
    fn default() -> Self {
        Self { coefficient: 0.0, bump: 0.3 }
    }
}

impl GuidanceSchedule {
    /// The `λ` of each of so many steps.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a hyper-parameter that is not finite, [`Error::Empty`] for no steps,
    /// [`Error::Overflow`] where a `λ` does not fit the type.
    pub fn levels<T: Real>(&self, steps: usize) -> Result<Array1<T>> {
        T::guidance_levels(self, steps)
    }

    /// [`GuidanceSchedule::levels`], compiled here.
    pub(in crate::energy) fn compute<T: Real>(&self, steps: usize) -> Result<Array1<T>> {
        check::finite("coefficient", self.coefficient)?;
        check::finite("bump", self.bump)?;
        if steps == 0 {
            return Err(Error::Empty { argument: "steps" });
        }
        let level = |k: usize| {
            let (k, n) = (k as f64, steps as f64);
            self.coefficient * (1.0 - k / n + self.bump * (PI * (k + 1.0) / n).sin())
        };
        let levels: Array1<T> = (0..steps - 1).map(|k| T::from_f64(level(k))).chain([T::zero()]).collect();
        match levels.iter().position(|level| !level.is_finite()) {
            Some(at) => Err(Error::overflow::<T>("coefficient", at)),
            None => Ok(levels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::all_close;

    #[test]
    fn levels_are_those_of_fifty_digits_and_the_last_is_none() {
        let schedule = GuidanceSchedule { coefficient: 1.5, ..GuidanceSchedule::default() };
        let expected =
            [1.764_503_363_531_613, 1.627_975_432_332_819, 1.327_975_432_332_819, 0.864_503_363_531_613, 0.0];
        all_close(schedule.levels::<f64>(5).unwrap(), expected, 1e-15);
        assert_eq!(schedule.levels::<f64>(1), Ok(ndarray::array![0.0]));
        assert!(GuidanceSchedule::default().levels::<f32>(9).unwrap().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |coefficient, bump, steps| {
            GuidanceSchedule { coefficient, bump }.levels::<f32>(steps).unwrap_err().to_string()
        };
        assert_eq!(message(f64::NAN, 0.3, 3), "`coefficient` is NaN, allowed is finite");
        assert_eq!(message(1.0, f64::INFINITY, 3), "`bump` is inf, allowed is finite");
        assert_eq!(message(1.0, 0.3, 0), "`steps` is empty, needed is at least one element");
        assert_eq!(message(1e39, 0.3, 3), "the result at `coefficient`[0] overflows f32");
    }
}
