//! Noise levels to sample at.

use ndarray::Array1;

use crate::error::Position;
use crate::{Error, Real, Result, check};

/// Grid of noise levels of EDM's sampler: equal steps in `σ^{1/ρ}`, so that small levels get more of them.
///
/// ```math
/// \sigma_i = \left( \sigma_{\max}^{1/\rho} + \tfrac{i}{n-1} \bigl( \sigma_{\min}^{1/\rho} - \sigma_{\max}^{1/\rho} \bigr) \right)^\rho,
/// \quad i = 0, \dots, n-1, \qquad \sigma_n = 0
/// ```
///
/// Levels descend from `σ_max` to `σ_min`, both exact, and end with the 0 at which samples are clean: `n + 1` numbers.
/// `ρ = 1` are equal steps; as `ρ` grows the ratios become equal. One level alone is `σ_max`.
///
/// # Examples
///
/// ```
/// # use loglik::energy::KarrasGrid;
/// let levels = KarrasGrid::default().levels::<f64>(3)?;
/// assert_eq!((levels[0], levels[2], levels[3]), (80.0, 0.002, 0.0));
/// assert!((levels[1] - 2.515_218_8).abs() < 1e-6);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Karras et al., NeurIPS 2022, eq. 5, [arXiv:2206.00364](https://arxiv.org/abs/2206.00364).
#[doc(alias = "sigmas")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct KarrasGrid {
    /// Least level above 0, finite and `> 0`. Default 0.002, the paper's.
    pub sigma_min: f64,
    /// Largest level, finite and at least `sigma_min`. Default 80, the paper's.
    pub sigma_max: f64,
    /// Exponent `ρ`, finite and `> 0`. Default 7, the paper's.
    pub rho: f64,
}

impl Default for KarrasGrid {
    /// 0.002 to 80 with `ρ = 7`, as in the paper.
    fn default() -> Self {
        Self { sigma_min: 0.002, sigma_max: 80.0, rho: 7.0 }
    }
}

impl KarrasGrid {
    /// The `count` levels above 0, and 0.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a hyper-parameter out of its range, [`Error::Empty`] for no levels, [`Error::Overflow`]
    /// where a level is not above 0 and finite in the type.
    pub fn levels<T: Real>(&self, count: usize) -> Result<Array1<T>> {
        T::karras_levels(self, count)
    }

    /// [`KarrasGrid::levels`], compiled here.
    pub(in crate::energy) fn compute<T: Real>(&self, count: usize) -> Result<Array1<T>> {
        check::positive("sigma_min", self.sigma_min)?;
        let is_above = self.sigma_max >= self.sigma_min && self.sigma_max.is_finite();
        check::parameter("sigma_max", self.sigma_max, "finite and at least `sigma_min`", is_above)?;
        check::positive("rho", self.rho)?;
        if count == 0 {
            return Err(Error::Empty { argument: "levels" });
        }
        let level = |i: usize| match i {
            0 => self.sigma_max,
            _ if i == count - 1 => self.sigma_min,
            _ => self.inner(i as f64 / (count - 1) as f64),
        };
        let levels: Vec<T> = (0..count).map(|i| T::from_f64(level(i))).chain([T::zero()]).collect();
        match levels[..count].iter().position(|level| !(*level > T::zero() && level.is_finite())) {
            Some(at) => Err(Error::overflow::<T>("levels", Position::from(at))),
            None => Ok(levels.into()),
        }
    }

    /// The level at this part of the way, relative to the largest, so that powers stay in range.
    fn inner(&self, part: f64) -> f64 {
        let depth = ((self.sigma_min / self.sigma_max).ln() / self.rho).exp_m1(); // (σ_min / σ_max)^(1/ρ) - 1
        self.sigma_max * (self.rho * (part * depth).ln_1p()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::all_close;

    #[test]
    fn levels_are_those_of_fifty_digits() {
        let levels = |rho| KarrasGrid { rho, ..KarrasGrid::default() }.levels::<f64>(5).unwrap();
        all_close(levels(1.0), [80.0, 60.0005, 40.001, 20.0015, 0.002, 0.0], 2e-15);
        let expected = [80.0, 17.527_831_964_644_11, 2.515_218_976_147_158_6, 0.169_752_756_268_764_03, 0.002, 0.0];
        all_close(levels(7.0), expected, 5e-15);
        // As ρ grows, ratios become equal.
        all_close(levels(1e9).into_iter().skip(1).take(1), [80.0 * (0.002_f64 / 80.0).powf(0.25)], 2e-8);
        assert_eq!(KarrasGrid::default().levels::<f32>(1), Ok(ndarray::array![80.0, 0.0]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |grid: KarrasGrid, count| grid.levels::<f32>(count).unwrap_err().to_string();
        let usual = KarrasGrid::default();
        assert_eq!(message(usual, 0), "`levels` is empty, needed is at least one element");
        assert_eq!(message(KarrasGrid { sigma_min: 0.0, ..usual }, 3), "`sigma_min` is 0, allowed is finite and > 0");
        assert_eq!(
            message(KarrasGrid { sigma_max: 1e-3, ..usual }, 3),
            "`sigma_max` is 0.001, allowed is finite and at least `sigma_min`"
        );
        assert_eq!(message(KarrasGrid { rho: -1.0, ..usual }, 3), "`rho` is -1, allowed is finite and > 0");
        assert_eq!(message(KarrasGrid { sigma_min: 1e-60, ..usual }, 3), "the result at `levels`[2] overflows f32");
    }
}
