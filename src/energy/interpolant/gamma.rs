//! How much noise an interpolant has along its way.

use std::f64::consts::PI;

use crate::{Error, Result, check};

/// The amplitude `γ(t)` of the noise of a stochastic interpolant, for `t` in `[0, 1]`; 0 at both ends.
///
/// | family | `γ` | `γ̇` | `γ γ̇` |
/// |---|---|---|---|
/// | [`Gamma::Zero`] | 0 | 0 | 0 |
/// | [`Gamma::Root`] | `√(a t (1-t))` | `a (1-2t) / 2γ` | `a (1-2t) / 2` |
/// | [`Gamma::Product`] | `t (1-t)` | `1 - 2t` | `t (1-t) (1-2t)` |
/// | [`Gamma::SineSquared`] | `sin² πt` | `π sin 2πt` | `π sin² πt sin 2πt` |
///
/// The slope of the root is infinite at the ends, which is an error there; the product `γ γ̇`, which velocities in terms of
/// scores need, has its limit. At the ends `γ` is exactly 0, and near `t = 1` it keeps its digits.
///
/// # Examples
///
/// ```
/// # use loglik::energy::Gamma;
/// let root = Gamma::Root { a: 2.0 };
/// assert_eq!((root.value(0.5)?, root.value_slope(0.0)?), (0.5_f64.sqrt(), 1.0));
/// assert_eq!(root.slope(0.0).unwrap_err().to_string(), "`t` is 0, allowed is (0, 1)");
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Albergo, Boffi and Vanden-Eijnden, Stochastic interpolants, 2023, table 4,
/// [arXiv:2303.08797](https://arxiv.org/abs/2303.08797).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Gamma {
    /// No noise: flow matching between pairs. There is no score then.
    Zero,
    /// `√(a t (1-t))`, a Brownian bridge for `a = 1`.
    Root {
        /// Variance of the bridge, finite and `> 0`.
        a: f64,
    },
    /// `t (1-t)`.
    #[default]
    Product,
    /// `sin² πt`.
    SineSquared,
}

/// Where slopes are infinite, and where nothing can be divided by `γ`.
pub(super) const INSIDE: &str = "(0, 1)";

impl Gamma {
    /// `γ(t)`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`]: `a` or `t` is out of its range.
    pub fn value(&self, t: f64) -> Result<f64> {
        self.checked(t)?;
        Ok(self.amplitude(t))
    }

    /// `γ̇(t)`.
    ///
    /// # Errors
    ///
    /// As [`Gamma::value`]; at the ends of a root also.
    pub fn slope(&self, t: f64) -> Result<f64> {
        self.checked(t)?;
        self.derivative(t).ok_or(Error::Parameter { argument: "t", value: t, allowed: INSIDE })
    }

    /// `γ(t) γ̇(t)`, finite everywhere.
    ///
    /// # Errors
    ///
    /// As [`Gamma::value`].
    pub fn value_slope(&self, t: f64) -> Result<f64> {
        self.checked(t)?;
        Ok(match *self {
            Self::Root { a } => 0.5 * a * (1.0 - 2.0 * t),
            _ => self.amplitude(t) * self.derivative(t).unwrap_or(0.0),
        })
    }

    fn checked(&self, t: f64) -> Result<()> {
        self.check()?;
        check::parameter("t", t, "[0, 1]", (0.0..=1.0).contains(&t))
    }

    /// Whether the hyper-parameter is in range.
    pub(super) fn check(&self) -> Result<()> {
        if let Self::Root { a } = self { check::positive("a", *a) } else { Ok(()) }
    }

    /// `γ` at a time in `[0, 1]`, in terms of the nearer end.
    pub(super) fn amplitude(&self, t: f64) -> f64 {
        let near = t.min(1.0 - t);
        match *self {
            Self::Zero => 0.0,
            Self::Root { a } => a.sqrt() * (t * (1.0 - t)).sqrt(),
            Self::Product => t * (1.0 - t),
            Self::SineSquared => (PI * near).sin().powi(2),
        }
    }

    /// `γ̇` at such a time, where it is finite.
    pub(super) fn derivative(&self, t: f64) -> Option<f64> {
        match *self {
            Self::Zero => Some(0.0),
            Self::Root { a } => {
                let root = (t * (1.0 - t)).sqrt();
                (root > 0.0).then(|| 0.5 * a.sqrt() * (1.0 - 2.0 * t) / root)
            }
            Self::Product => Some(1.0 - 2.0 * t),
            Self::SineSquared if t > 0.5 => Some(-PI * (2.0 * PI * (1.0 - t)).sin()),
            Self::SineSquared => Some(PI * (2.0 * PI * t).sin()),
        }
    }
}
