//! What a triplet costs.

use crate::math::{sigmoid, softplus};

/// What a triplet costs by its violation `z = d(a, p) - d(a, n) + margin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TripletShape {
    /// `max(0, z)`; the slope at 0 is 0.
    #[default]
    Hinge,
    /// `ln(1 + e^z)`, which goes on pulling beyond the margin; usually with a margin of 0.
    Soft,
}

impl TripletShape {
    /// Cost and slope.
    pub(super) fn at(self, violation: f64) -> (f64, f64) {
        match self {
            Self::Hinge if violation > 0.0 => (violation, 1.0),
            Self::Hinge => (0.0, 0.0),
            Self::Soft => (softplus::<f64, false>(violation), sigmoid::<f64, false>(violation)),
        }
    }
}
