//! How much noise an interpolant has along its path.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::all_close;

    /// Times, and `γ`, `γ̇`, `γ γ̇` of the root of 2.5, the product and the sine: scripts/energy_reference.py.
    const CASES: [(f64, [[f64; 3]; 3]); 3] = [
        (
            0.001,
            [
                [0.049_974_993_746_873_05, 24.962_484_364_053_703, 1.2475],
                [0.000_999, 0.998, 0.000_997_002],
                [9.869_571_931_435_076e-6, 0.019_739_078_923_647_04, 1.948_162_592_972_085e-7],
            ],
        ),
        (
            0.3,
            [
                [0.724_568_837_309_471_9, 0.690_065_559_342_354_2, 0.5],
                [0.21, 0.4, 0.084],
                [0.654_508_497_187_473_7, 2.987_832_164_741_556, 1.955_561_539_993_392],
            ],
        ),
        (
            0.875,
            [
                [0.522_912_516_583_797_2, -1.792_842_914_001_590_5, -0.9375],
                [0.109_375, -0.75, -0.082_031_25],
                [0.146_446_609_406_726_24, -2.221_441_469_079_183, -0.325_322_571_142_143_26],
            ],
        ),
    ];

    #[test]
    fn families_have_the_numbers_of_fifty_digits() {
        for (t, families) in CASES {
            for (gamma, expected) in
                [Gamma::Root { a: 2.5 }, Gamma::Product, Gamma::SineSquared].into_iter().zip(families)
            {
                all_close([gamma.value(t), gamma.slope(t), gamma.value_slope(t)].map(Result::unwrap), expected, 4e-15);
            }
            assert_eq!(
                [Gamma::Zero.value(t), Gamma::Zero.slope(t), Gamma::Zero.value_slope(t)],
                [Ok(0.0), Ok(0.0), Ok(0.0)]
            );
        }
    }

    #[test]
    fn both_ends_are_exact_limits_or_errors() {
        let root = Gamma::Root { a: 2.5 };
        for t in [0.0, 1.0] {
            for gamma in [root, Gamma::Product, Gamma::SineSquared] {
                assert_eq!(gamma.value(t), Ok(0.0));
            }
            let sign = 1.0 - 2.0 * t;
            assert_eq!((Gamma::Product.slope(t), Gamma::SineSquared.slope(t).unwrap().abs()), (Ok(sign), 0.0));
            assert_eq!((root.value_slope(t), Gamma::Product.value_slope(t).unwrap().abs()), (Ok(1.25 * sign), 0.0));
            assert_eq!(root.slope(t).unwrap_err().to_string(), format!("`t` is {t}, allowed is (0, 1)"));
        }
        // Near the end as near the beginning.
        let small = f64::EPSILON;
        all_close([Gamma::SineSquared.value(1.0 - small).unwrap()], [Gamma::SineSquared.value(small).unwrap()], 1e-15);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |gamma: Gamma, t| gamma.value(t).unwrap_err().to_string();
        assert_eq!(message(Gamma::Product, 1.5), "`t` is 1.5, allowed is [0, 1]");
        assert_eq!(message(Gamma::Root { a: 0.0 }, 0.5), "`a` is 0, allowed is finite and > 0");
    }
}
