//! Divergences between what a model and the data do, as concave functions of a reward.

use crate::{Result, check};

/// What is asked of the reward on the data: a concave function `φ(x) = -f*(-x)`, and with a mixture a penalty on the
/// model's own samples as well.
///
/// ```math
/// \sup_r \; \mathbb E_{\rho_D} \phi(r) - \mathbb E_{\rho_\theta} r = D_f(\rho_\theta \,\|\, \rho_D)
///     = \sum \rho_D\, f\bigl(\rho_\theta / \rho_D\bigr)
/// ```
///
/// where the supremum is over any function of state and action. Every `φ` here has `φ(0) = 0` and `φ'(0) = 1`, but that of
/// the reverse KL, which is `-1/e` and `1/e` there.
///
/// # Examples
///
/// ```
/// use loglik::divergence::Occupancy;
/// assert_eq!(Occupancy::ChiSquare { alpha: 1.0 }.phi(1.0), Some((0.75, 0.5))); // value and slope
/// assert_eq!(Occupancy::SquaredHellinger.phi(-1.0), None);
/// ```
///
/// # References
///
/// Garg et al., IQ-Learn, NeurIPS 2021, [arXiv:2106.12142](https://arxiv.org/abs/2106.12142); the mixture: Cundy and Ermon,
/// ICLR 2024, [arXiv:2306.05426](https://arxiv.org/abs/2306.05426), and Al-Hafez et al., LS-IQ, ICLR 2023,
/// [arXiv:2303.00599](https://arxiv.org/abs/2303.00599).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Occupancy {
    /// `4α` times the χ² divergence of the data from the even mixture of data and model. `φ = x - x²/(8α)` on the data and
    /// `-x²/(8α)` on the model's samples. It is at most `4α`, and so is the size of the best reward.
    ChiSquareMixture {
        /// Strength of the bound, `> 0`.
        alpha: f64,
    },
    /// `α` times Pearson's χ² of the model from the data: `φ = x - x²/(4α)`.
    ChiSquare {
        /// Strength of the bound, `> 0`; 1 is Pearson's, IQ-Learn's code takes ½.
        alpha: f64,
    },
    /// `KL(ρ_θ ‖ ρ_D)`: `φ = -e^(-x - 1)`.
    ReverseKl,
    /// `Σ (√ρ_θ - √ρ_D)²`: `φ = x / (1 + x)` for `x > -1`.
    SquaredHellinger,
    /// Twice the Jensen-Shannon divergence: `φ = ln(2 - e^-x)` for `x > -ln 2`.
    JensenShannon,
    /// `½ Σ |ρ_θ - ρ_D|`: `φ = min(x, ½)` for `x >= -½`.
    TotalVariation,
    /// `φ = x`, which bounds nothing: with all value terms on the data it is discounted maximum likelihood.
    Linear,
}

impl Occupancy {
    /// `φ` and its derivative at a reward; `None` where `φ` is -inf.
    #[must_use]
    pub fn phi(&self, reward: f64) -> Option<(f64, f64)> {
        let x = reward;
        match *self {
            Self::ChiSquareMixture { alpha } => Some(bent(x, 8.0 * alpha)),
            Self::ChiSquare { alpha } => Some(bent(x, 4.0 * alpha)),
            Self::ReverseKl => {
                let slope = (-x - 1.0).exp();
                Some((-slope, slope))
            }
            Self::SquaredHellinger if x > -1.0 => Some((x / (1.0 + x), (1.0 + x).powi(-2))),
            // `2 - e^-x` as `1 + (1 - e^-x)`, and `2 e^x - 1` as `1 + 2 (e^x - 1)`.
            Self::JensenShannon if x > -std::f64::consts::LN_2 => {
                Some(((-(-x).exp_m1()).ln_1p(), 1.0 / (1.0 + 2.0 * x.exp_m1())))
            }
            Self::TotalVariation if x >= -0.5 => Some(if x <= 0.5 { (x, 1.0) } else { (0.5, 0.0) }),
            Self::Linear => Some((x, 1.0)),
            Self::SquaredHellinger | Self::JensenShannon | Self::TotalVariation => None,
        }
    }

    /// What the rewards of the model's own samples are asked for, and its derivative: 0 but with a mixture.
    #[must_use]
    pub fn penalty(&self, reward: f64) -> (f64, f64) {
        match *self {
            Self::ChiSquareMixture { alpha } => (-reward * (reward / (8.0 * alpha)), -reward / (4.0 * alpha)),
            _ => (0.0, 0.0),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::ChiSquareMixture { alpha } | Self::ChiSquare { alpha } => check::positive("alpha", alpha),
            _ => Ok(()),
        }
    }

    /// The rewards that `φ` is finite at, in words.
    pub(super) fn domain(&self) -> &'static str {
        match self {
            Self::SquaredHellinger => "a reward above -1",
            Self::JensenShannon => "a reward above -ln 2",
            Self::TotalVariation => "a reward of at least -1/2",
            _ => "any reward",
        }
    }
}

/// `x - x²/d` and its slope.
fn bent(x: f64, d: f64) -> (f64, f64) {
    (x - x * (x / d), 1.0 - 2.0 * (x / d))
}
