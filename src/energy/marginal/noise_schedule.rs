//! How fast tokens are masked as noise grows.

use crate::{Result, check};

/// Schedule of the total noise `σ̄(t)` of masked (absorbing) diffusion, for times `t` in `[0, 1]`.
///
/// ```math
/// \lambda(t) = 1 - e^{-\bar\sigma(t)}, \qquad
/// \kappa(t) = \frac{\dot\lambda}{\lambda} = \frac{\sigma(t)}{e^{\bar\sigma(t)} - 1}, \qquad \sigma = \dot{\bar\sigma}
/// ```
///
/// `λ` is the probability that a token is masked at time `t`, and `κ` what a masked token counts in the bound of the
/// likelihood. An integral of `κ` over time is one of `1/λ` over `λ`, whatever the schedule.
///
/// # Examples
///
/// ```
/// # use loglik::energy::NoiseSchedule;
/// let linear = NoiseSchedule::default();
/// assert!((linear.mask_probability(0.5)? - 0.4995).abs() < 1e-15);
/// assert_eq!(linear.masked_weight(0.25)?, 4.0); // 1/t
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lou, Meng and Ermon, ICML 2024, [arXiv:2310.16834](https://arxiv.org/abs/2310.16834); Ou et al., Your absorbing discrete
/// diffusion secretly models the conditional distributions of clean data, ICLR 2025,
/// [arXiv:2406.03736](https://arxiv.org/abs/2406.03736).
#[doc(alias = "RADD")]
#[doc(alias = "absorbing diffusion")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum NoiseSchedule {
    /// `σ̄ = -ln(1 - (1 - ε) t)`: tokens are masked at a constant rate, `λ = (1 - ε) t`, and `κ = 1/t`.
    LogLinear {
        /// Share of tokens that is left at `t = 1`, in `[0, 1)`.
        epsilon: f64,
    },
    /// `σ̄ = σ_min^(1-t) σ_max^t`.
    Geometric {
        /// Total noise at `t = 0`, finite and `> 0`.
        sigma_min: f64,
        /// Total noise at `t = 1`, finite and above `sigma_min`.
        sigma_max: f64,
    },
}

impl Default for NoiseSchedule {
    /// Log-linear with `ε` 1e-3, as both papers train; their geometric one goes from 1e-3 to 1.
    fn default() -> Self {
        Self::LogLinear { epsilon: 1e-3 }
    }
}

impl NoiseSchedule {
    /// The total noise `σ̄(t)`; +inf where every token is masked.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter or the time is out of its range.
    pub fn total(&self, time: f64) -> Result<f64> {
        self.checked(time)?;
        Ok(match *self {
            Self::LogLinear { epsilon } => 0.0 - (-(1.0 - epsilon) * time).ln_1p(),
            Self::Geometric { sigma_min, sigma_max } => sigma_min.powf(1.0 - time) * sigma_max.powf(time),
        })
    }

    /// The probability `λ(t)` that a token is masked.
    ///
    /// # Errors
    ///
    /// As [`NoiseSchedule::total`].
    pub fn mask_probability(&self, time: f64) -> Result<f64> {
        match *self {
            Self::LogLinear { epsilon } => self.checked(time).map(|()| (1.0 - epsilon) * time),
            Self::Geometric { .. } => Ok(-(-self.total(time)?).exp_m1()),
        }
    }

    /// What a masked token counts, `κ(t)`; +inf for the log-linear schedule at `t = 0`, where no token is masked.
    ///
    /// # Errors
    ///
    /// As [`NoiseSchedule::total`].
    pub fn masked_weight(&self, time: f64) -> Result<f64> {
        let total = self.total(time)?;
        Ok(match *self {
            Self::LogLinear { .. } => 1.0 / time,
            Self::Geometric { sigma_min, sigma_max } => rise(sigma_min, sigma_max) * (total / total.exp_m1()),
        })
    }

    fn checked(&self, time: f64) -> Result<()> {
        match *self {
            Self::LogLinear { epsilon } => {
                check::parameter("epsilon", epsilon, "[0, 1)", (0.0..1.0).contains(&epsilon))?;
            }
            Self::Geometric { sigma_min, sigma_max } => {
                check::positive("sigma_min", sigma_min)?;
                let is_above = sigma_max > sigma_min && sigma_max.is_finite();
                check::parameter("sigma_max", sigma_max, "finite and above `sigma_min`", is_above)?;
            }
        }
        check::parameter("time", time, "[0, 1]", (0.0..=1.0).contains(&time))
    }
}

/// `ln(max / min)`, also where the quotient is near 1 or does not fit.
fn rise(min: f64, max: f64) -> f64 {
    let above = (max - min) / min;
    if above.is_finite() { above.ln_1p() } else { max.ln() - min.ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::all_close;

    #[test]
    fn schedules_have_the_numbers_of_fifty_digits_and_their_ends() {
        let geometric = NoiseSchedule::Geometric { sigma_min: 1e-3, sigma_max: 1.0 };
        let of = |time| {
            [geometric.total(time), geometric.mask_probability(time), geometric.masked_weight(time)].map(Result::unwrap)
        };
        all_close(of(0.4), [0.015_848_931_924_611_135, 0.015_723_998_494_309_014, 6.853_159_602_598_875], 2e-15);
        all_close([of(0.0)[0], of(1.0)[0]], [1e-3, 1.0], 1e-15);
        let linear = NoiseSchedule::LogLinear { epsilon: 0.0 };
        assert_eq!((linear.total(1.0), linear.mask_probability(1.0)), (Ok(f64::INFINITY), Ok(1.0)));
        assert_eq!((linear.total(0.0).unwrap().to_bits(), linear.masked_weight(0.0)), (0, Ok(f64::INFINITY)));
    }

    #[test]
    fn weights_of_narrow_and_of_endless_ranges_are_numbers() {
        let weight =
            |sigma_min, sigma_max, time| NoiseSchedule::Geometric { sigma_min, sigma_max }.masked_weight(time).unwrap();
        // ln(1 + 2^-40) and ln 1e600.
        let narrow = 2.0_f64.powi(-40);
        all_close([weight(1e-300, 1e-300 * (1.0 + narrow), 0.5)], [narrow], 1e-3);
        all_close([weight(0.5, 0.5 * (1.0 + narrow), 1.0)], [narrow * 0.5 / 0.5_f64.exp_m1()], 1e-11);
        all_close([weight(1e-300, 1e300, 0.0)], [600.0 * 10.0_f64.ln()], 1e-15);
        assert_eq!(weight(1.0, 1e308, 1.0), 0.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |schedule: NoiseSchedule, time| schedule.total(time).unwrap_err().to_string();
        assert_eq!(message(NoiseSchedule::default(), 1.5), "`time` is 1.5, allowed is [0, 1]");
        assert_eq!(message(NoiseSchedule::LogLinear { epsilon: 1.0 }, 0.5), "`epsilon` is 1, allowed is [0, 1)");
        let equal = NoiseSchedule::Geometric { sigma_min: 1.0, sigma_max: 1.0 };
        assert_eq!(message(equal, 0.5), "`sigma_max` is 1, allowed is finite and above `sigma_min`");
    }
}
