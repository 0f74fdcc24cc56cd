//! An interval, and where each of its ends comes from.

use crate::error::Position;
use crate::transport::outwards::below;
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
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
    lower_by: LowerBound,
    upper_by: UpperBound,
    pub(super) passes: usize,
}

impl Interval {
    /// All numbers.
    pub(super) fn new() -> Self {
        let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { lower, upper, lower_by: LowerBound::LeastCost, upper_by: UpperBound::Product, passes: 0 }
    }

    /// Raises the lower end to this number less its margin, if that is higher. A tie goes to the exact solution.
    pub(super) fn raise_lower(&mut self, lower: f64, margin: f64, by: LowerBound) {
        let moved = lower - margin;
        if moved > self.lower || (by == LowerBound::Exact && moved >= self.lower) {
            (self.lower, self.lower_by) = (moved, by);
        }
    }

    /// Lowers the upper end to this number plus its margin, if that is lower. A tie goes to the exact solution.
    pub(super) fn lower_upper(&mut self, upper: f64, margin: f64, by: UpperBound) {
        let moved = upper + margin;
        if moved < self.upper || (by == UpperBound::Exact && moved <= self.upper) {
            (self.upper, self.upper_by) = (moved, by);
        }
    }

    /// Whether the distance of the ends, relative to the larger of them, is at most `gap`.
    pub(super) fn are_near(&self, gap: f64) -> bool {
        self.upper - self.lower <= gap * self.lower.abs().max(self.upper.abs())
    }

    /// In the type of the caller and its own units, rounded outwards; `tiny` is what numbers below the normal ones may have
    /// lost in all. A lower end of zero that is exact stays.
    pub(super) fn to_real<T: Real>(self, unit: f64, tiny: f64) -> Result<EmdInterval<T>> {
        let Self { lower_by, upper_by, passes, .. } = self;
        let outwards = |end: f64| if end == 0.0 { T::zero() } else { below::<T>(scaled_below(end, unit, tiny)) };
        let (lower, upper) = (outwards(self.lower), T::zero() - outwards(-self.upper));
        if lower.is_finite() && upper.is_finite() {
            Ok(EmdInterval { lower, upper, lower_by, upper_by, passes })
        } else {
            Err(Error::overflow::<T>("cost", Position::default()))
        }
    }
}

/// A number times a power of two, rounded downwards; lower by `tiny` where digits may be lost since the product is
/// subnormal or nearly so. A number that is not negative stays so.
fn scaled_below(end: f64, unit: f64, tiny: f64) -> f64 {
    let scaled = end * unit;
    if scaled.abs() > f64::MIN_POSITIVE / f64::EPSILON {
        return scaled;
    }
    let lowered = scaled - tiny;
    if end >= 0.0 { lowered.max(0.0) } else { lowered }
}
