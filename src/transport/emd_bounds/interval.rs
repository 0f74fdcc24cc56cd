//! Two ends and where each of them comes from.

use crate::error::Position;
use crate::transport::certificates::below;
use crate::{Error, Real, Result};

/// `lower <= EMD <= upper`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmdInterval<T> {
    /// No plan costs less.
    pub lower: T,
    /// Some plan costs no more.
    pub upper: T,
    /// What the lower end comes from.
    pub lower_by: LowerBound,
    /// What the upper end comes from.
    pub upper_by: UpperBound,
    /// How many times all costs were read, rounded up.
    pub passes: usize,
}

/// Where a lower bound comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LowerBound {
    /// All mass at the least of all costs.
    LeastCost,
    /// [`axis_bound`](crate::transport::axis_bound).
    Axes,
    /// [`total_variation_bound`](crate::transport::total_variation_bound).
    TotalVariation,
    /// [`c_transform`](crate::transport::c_transform) of the potential 0.
    CTransform,
    /// The same of the potential of a greedy plan.
    Greedy,
    /// The same of a potential of Sinkhorn's iteration.
    Sinkhorn {
        /// In units of the cost.
        regularization: f64,
    },
    /// The same of the potential of a tree at which the network simplex was stopped.
    Simplex,
    /// Potentials of the optimal tree.
    Exact,
}

/// Where an upper bound comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpperBound {
    /// [`product_coupling_cost`](crate::transport::product_coupling_cost).
    Product,
    /// The plan in which each place takes the cheapest that is left.
    Greedy,
    /// A plan of Sinkhorn's iteration, [rounded](crate::transport::round_plan).
    Sinkhorn {
        /// In units of the cost.
        regularization: f64,
    },
    /// The plan at which the network simplex was stopped.
    Simplex,
    /// An optimal plan.
    Exact,
}

/// An interval in `f64`, as it closes.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) lower: f64,
    pub(super) upper: f64,
    lower_by: LowerBound,
    upper_by: UpperBound,
    pub(super) passes: usize,
}

impl Ends {
    /// All numbers.
    pub(super) fn new() -> Self {
        let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { lower, upper, lower_by: LowerBound::LeastCost, upper_by: UpperBound::Product, passes: 0 }
    }

    /// Raises the lower end where this is above it. The optimum takes over also where it ties.
    pub(super) fn raise(&mut self, lower: f64, by: LowerBound) {
        if lower > self.lower || (by == LowerBound::Exact && lower >= self.lower) {
            (self.lower, self.lower_by) = (lower, by);
        }
    }

    /// Lowers the upper end where this is below it. The optimum takes over also where it ties.
    pub(super) fn press(&mut self, upper: f64, by: UpperBound) {
        if upper < self.upper || (by == UpperBound::Exact && upper <= self.upper) {
            (self.upper, self.upper_by) = (upper, by);
        }
    }

    /// In the type of the caller, rounded outwards.
    pub(super) fn narrow<T: Real>(self) -> Result<EmdInterval<T>> {
        let Self { lower_by, upper_by, passes, .. } = self;
        let (lower, upper) = (below::<T>(self.lower), -below::<T>(-self.upper));
        if lower.is_finite() && upper.is_finite() {
            Ok(EmdInterval { lower, upper, lower_by, upper_by, passes })
        } else {
            Err(Error::overflow::<T>("cost", Position::default()))
        }
    }
}
