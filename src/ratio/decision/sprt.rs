//! Wald's sequential probability ratio test (SPRT).

use crate::error::Position;
use crate::reduction::to_finite;
use crate::{Result, check};

/// Wald's sequential probability ratio test (SPRT): observe until the log-likelihood ratio leaves an interval.
///
/// ```math
/// B = \ln \frac{\beta}{1 - \alpha} < \sum_{i \le n} \ln \frac{p(x_i)}{q(x_i)} < A = \ln \frac{1 - \beta}{\alpha} \quad \text{while it goes on}
/// ```
///
/// `q` is the null hypothesis, `p` the alternative. At `A` or above the null is rejected, at `B` or below it is
/// accepted. Of all tests with these rates of error none needs fewer observations in the mean, under either hypothesis
/// (Wald and Wolfowitz). The boundaries are Wald's, which take the sum to end exactly on one of them: it ends beyond,
/// and the true rates `α'`, `β'` satisfy `α' <= α / (1 - β)`, `β' <= β / (1 - α)` and `α' + β' <= α + β`.
///
/// # Examples
///
/// ```
/// # use loglik::ratio::decision::{Sprt, SprtDecision};
/// let sprt = Sprt { alpha: 0.05, beta: 0.2 };
/// let mut run = sprt.start()?;
/// assert!((run.boundaries().1 - 16.0_f64.ln()).abs() < 1e-15); // 0.8 / 0.05
/// assert_eq!(run.observe(2.0)?, SprtDecision::Continue);
/// assert_eq!(run.observe(1.0)?, SprtDecision::RejectNull); // 3 > 2.77
/// assert_eq!(run.observations(), 2);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wald, Sequential tests of statistical hypotheses, Annals of Mathematical Statistics 16, 1945. Wald and Wolfowitz, Optimum
/// character of the sequential probability ratio test, 1948.
#[doc(alias = "sequential probability ratio test")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Sprt {
    /// Wanted rate at which a true null hypothesis is rejected, in `(0, 1)`. Default 0.05.
    pub alpha: f64,
    /// Wanted rate at which a true alternative is missed, in `(0, 1)`, with `α + β < 1`. Default 0.05.
    pub beta: f64,
}

impl Default for Sprt {
    /// Five percent on both sides.
    fn default() -> Self {
        Self { alpha: 0.05, beta: 0.05 }
    }
}

/// What a test says after an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SprtDecision {
    /// Neither hypothesis is clear yet.
    Continue,
    /// The null hypothesis `q` is accepted.
    AcceptNull,
    /// The null hypothesis `q` is rejected, for `p`.
    RejectNull,
}

/// A test that is going on; [`Sprt::start`] makes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SprtRun {
    lower: f64,
    upper: f64,
    log_ratio: f64,
    observations: u64,
}

impl Sprt {
    /// A test without observations.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) for rates out of their range.
    pub fn start(&self) -> Result<SprtRun> {
        let (lower, upper) = self.boundaries()?;
        Ok(SprtRun { lower, upper, log_ratio: 0.0, observations: 0 })
    }

    /// `B < 0` and `A > 0`.
    ///
    /// # Errors
    ///
    /// As [`Sprt::start`].
    pub fn boundaries(&self) -> Result<(f64, f64)> {
        let Self { alpha, beta } = *self;
        check::parameter("alpha", alpha, "(0, 1)", alpha > 0.0 && alpha < 1.0)?;
        check::parameter("beta", beta, "(0, 1 - alpha)", beta > 0.0 && beta + alpha < 1.0)?;
        Ok((beta.ln() - (-alpha).ln_1p(), (-beta).ln_1p() - alpha.ln()))
    }

    /// Wald's approximation of the mean number of observations until the end, where each adds `drift` to the log-ratio
    /// in the mean:
    ///
    /// ```math
    /// \frac{\alpha A + (1 - \alpha) B}{d} \text{ under the null } (d < 0), \qquad \frac{(1 - \beta) A + \beta B}{d} \text{ under the alternative } (d > 0)
    /// ```
    ///
    /// Under the null the drift is `-KL(q ‖ p)`, under the alternative `KL(p ‖ q)`. It neglects by how much the sum
    /// passes its boundary, so that it is a little below the truth, the less the smaller the drift.
    ///
    /// # Errors
    ///
    /// As [`Sprt::start`]; [`Error::Parameter`](crate::Error::Parameter) for a drift that is 0 or not finite;
    /// [`Error::Overflow`](crate::Error::Overflow) for one so small that the number does not fit.
    pub fn expected_observations(&self, drift: f64) -> Result<f64> {
        let (lower, upper) = self.boundaries()?;
        check::parameter("drift", drift, "finite and not 0", drift.is_finite() && drift != 0.0)?;
        let rejected = if drift < 0.0 { self.alpha } else { 1.0 - self.beta };
        to_finite((rejected * upper + (1.0 - rejected) * lower) / drift, "drift", Position::default())
    }
}

impl SprtRun {
    /// Adds the log-ratio `ln p(x) / q(x)` of an observation, or of several together. What comes after the end changes
    /// nothing.
    ///
    /// ±inf decides at once: one hypothesis rules the observation out.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) for NaN.
    pub fn observe(&mut self, log_ratio: f64) -> Result<SprtDecision> {
        check::parameter("log_ratio", log_ratio, "not NaN", !log_ratio.is_nan())?;
        if self.decision() == SprtDecision::Continue {
            self.log_ratio += log_ratio;
            self.observations += 1;
        }
        Ok(self.decision())
    }

    /// What the observations say so far.
    #[must_use]
    pub fn decision(&self) -> SprtDecision {
        match self.log_ratio {
            sum if sum >= self.upper => SprtDecision::RejectNull,
            sum if sum <= self.lower => SprtDecision::AcceptNull,
            _ => SprtDecision::Continue,
        }
    }

    /// The sum of the log-ratios.
    #[must_use]
    pub fn log_ratio(&self) -> f64 {
        self.log_ratio
    }

    /// How many observations were added until the end.
    #[must_use]
    pub fn observations(&self) -> u64 {
        self.observations
    }

    /// `B` and `A`.
    #[must_use]
    pub fn boundaries(&self) -> (f64, f64) {
        (self.lower, self.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, generator};

    #[test]
    fn the_end_is_the_end() {
        let mut run = Sprt::default().start().unwrap();
        assert_eq!(run.observe(f64::NEG_INFINITY), Ok(SprtDecision::AcceptNull));
        assert_eq!(run.observe(f64::INFINITY), Ok(SprtDecision::AcceptNull));
        assert_eq!((run.observations(), run.log_ratio()), (1, f64::NEG_INFINITY));
    }

    /// Coins of ⅗ against ⅖: the rates hold, and the length is the formula's and a little more.
    #[test]
    fn rates_and_lengths_are_those_that_wald_promises() {
        let (sprt, step) = (Sprt { alpha: 0.1, beta: 0.05 }, 1.5_f64.ln());
        let mut next = generator(3);
        for (head, drift) in [(0.6, 0.2 * step), (0.4, -0.2 * step)] {
            let (runs, mut rejected, mut length) = (4_000, 0, 0);
            for _ in 0..runs {
                let mut run = sprt.start().unwrap();
                while run.observe(if next() < head { step } else { -step }).unwrap() == SprtDecision::Continue {}
                rejected += u32::from(run.decision() == SprtDecision::RejectNull);
                length += run.observations();
            }
            let rate = f64::from(rejected) / f64::from(runs);
            if drift > 0.0 {
                assert!(1.0 - rate <= 0.05 / 0.9 + 0.01, "{rate}")
            } else {
                assert!(rate <= 0.1 / 0.95 + 0.015, "{rate}")
            }
            let (length, expected) = (length as f64 / f64::from(runs), sprt.expected_observations(drift).unwrap());
            assert!(length > 0.97 * expected && length < 1.35 * expected, "{length} against {expected}");
        }
    }

    #[test]
    fn boundaries_keep_the_digits_of_small_rates() {
        let (lower, upper) = Sprt { alpha: 1e-300, beta: 1e-20 }.boundaries().unwrap();
        close(lower, -46.051_701_859_880_914, 1e-15); // ln 1e-20
        close(upper, 690.775_527_898_213_7, 1e-15); // ln 1e300
        let (lower, upper) = Sprt { alpha: 0.3, beta: 0.1 }.boundaries().unwrap();
        close(lower, -1.945_910_149_055_313_2, 1e-15); // ln 1/7
        close(upper, 1.098_612_288_668_109_8, 1e-15); // ln 3
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |alpha, beta| Sprt { alpha, beta }.start().unwrap_err().to_string();
        assert_eq!(message(0.0, 0.1), "`alpha` is 0, allowed is (0, 1)");
        assert_eq!(message(0.5, 0.5), "`beta` is 0.5, allowed is (0, 1 - alpha)");
        let error = Sprt::default().expected_observations(0.0).unwrap_err().to_string();
        assert_eq!(error, "`drift` is 0, allowed is finite and not 0");
        let error = Sprt::default().start().unwrap().observe(f64::NAN).unwrap_err().to_string();
        assert_eq!(error, "`log_ratio` is NaN, allowed is not NaN");
    }
}
