//! Costs of either type in one: solvers read costs as `f64`, whatever type they are stored in, and are compiled once.

use super::{Cost, TransportProblem};
use crate::Real;

/// The cost of a problem, whatever its type.
#[derive(Clone, Copy)]
pub(super) enum AnyCost<'a> {
    F32(Cost<'a, f32>),
    F64(Cost<'a, f64>),
}

impl<'a> From<Cost<'a, f32>> for AnyCost<'a> {
    fn from(cost: Cost<'a, f32>) -> Self {
        Self::F32(cost)
    }
}

impl<'a> From<Cost<'a, f64>> for AnyCost<'a> {
    fn from(cost: Cost<'a, f64>) -> Self {
        Self::F64(cost)
    }
}

impl AnyCost<'_> {
    /// `[n, m]`.
    pub(super) fn shape(&self) -> [usize; 2] {
        match self {
            Self::F32(cost) => cost.shape(),
            Self::F64(cost) => cost.shape(),
        }
    }

    /// The cost from one place to another.
    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::F32(cost) => cost.at(i, j),
            Self::F64(cost) => cost.at(i, j),
        }
    }

    /// Whether it is a matrix, which alone can forbid ways.
    pub(super) fn is_matrix(&self) -> bool {
        matches!(self, Self::F32(Cost::Matrix(_)) | Self::F64(Cost::Matrix(_)))
    }

    /// Whether a number is finite in the type of the cost.
    pub(super) fn fits(&self, x: f64) -> bool {
        match self {
            Self::F32(_) => (x as f32).is_finite(),
            Self::F64(_) => x.is_finite(),
        }
    }
}

impl<'a, T: Real> TransportProblem<'a, T> {
    /// The cost without its type.
    pub(super) fn any_cost(&self) -> AnyCost<'a> {
        T::any_cost(self.cost)
    }
}
