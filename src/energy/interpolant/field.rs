//! What a model of a stochastic interpolant predicts, and the target of its regression.

use super::Gamma;
use super::gamma::INSIDE;
use crate::energy::samples::Fault;

/// A field of a stochastic interpolant `x_t = (1-t) x_0 + t x_1 + γ z`, as the conditional expectation of its target at
/// `x_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Field {
    /// The velocity `b`, of target `x_1 - x_0 + γ̇ z`: what moves densities, `ẋ = b`.
    #[default]
    Velocity,
    /// The score `s = ∇ log ρ_t`, of target `-z / γ`.
    Score,
    /// The denoiser `η = -γ s`, of target `z`. The authors' code predicts its negative.
    Denoiser,
    /// The velocity of the path alone, `v`, of target `x_1 - x_0`; `b = v - γ γ̇ s`.
    PathVelocity,
}

/// A target `path · (x_1 - x_0) + noise · z`.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) path: f64,
    pub(super) noise: f64,
}

impl Field {
    /// The target at a time in `[0, 1]`.
    pub(super) fn target(self, gamma: Gamma, t: f64) -> Result<Target, Fault> {
        let inside = Fault { number: 0, allowed: INSIDE };
        let (path, noise) = match self {
            Self::Velocity => (1.0, gamma.derivative(t).ok_or(inside)?),
            Self::Score => match gamma.amplitude(t) {
                0.0 => return Err(Fault { allowed: "a time at which there is noise", ..inside }),
                amplitude => (0.0, -1.0 / amplitude),
            },
            Self::Denoiser => (0.0, 1.0),
            Self::PathVelocity => (1.0, 0.0),
        };
        Ok(Target { path, noise })
    }
}
