//! What Sinkhorn's iteration has found.

use std::fmt;

use ndarray::{Array1, Array2};

use super::converged_plan::{ConvergedPlan, End};
use super::gradient;
use super::stages::Report;
use crate::error::Position;
use crate::transport::gradient::fit;
use crate::transport::{Cost, TransportGradient};
use crate::{Error, Real, Result};

/// Value, potentials and plan of an entropic problem, and how far they are from what they should be.
pub struct SinkhornSolution<'a, T> {
    /// The dual value: never above the minimum, and below it by no more than the square of the error.
    pub value: T,
    /// `⟨P, C⟩`.
    pub transport_cost: T,
    /// The potential of `a`, `[n]`: see [`Sinkhorn`](crate::transport::Sinkhorn) for places without weight or without a
    /// way.
    pub f: Array1<T>,
    /// The potential of `b`, `[m]`.
    pub g: Array1<T>,
    /// How far the plan's columns are from summing to `b` (unbalanced: to `b e^(-g/ρ)`), in L1 and relative to the total. Its
    /// rows sum to `a` (to `a e^(-f/ρ)`). +inf where that many times the total do not fit.
    pub marginal_error: f64,
    /// Rounds over all costs, those of all stages together.
    pub iterations: usize,
    /// Whether the error is within the tolerance.
    pub converged: bool,
    cost: Cost<'a, T>,
    plan: ConvergedPlan<'a, T>,
    /// The most that leaves a place.
    largest: f64,
}

impl<T: Real> fmt::Debug for SinkhornSolution<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkhornSolution")
            .field("value", &self.value)
            .field("transport_cost", &self.transport_cost)
            .field("f", &self.f)
            .field("g", &self.g)
            .field("marginal_error", &self.marginal_error)
            .field("iterations", &self.iterations)
            .field("converged", &self.converged)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Real> SinkhornSolution<'a, T> {
    pub(super) fn new(cost: Cost<'a, T>, plan: ConvergedPlan<'a, T>, report: Report, tolerance: f64) -> Result<Self> {
        let potential = |end: End| {
            gradient::of_places("cost", &plan.potentials(end), plan.side(end).0, &cost, |_| Position::default())
        };
        let (transport_cost, largest) = plan.transport_cost();
        Ok(Self {
            value: fit("cost", plan.value(), Position::default())?,
            transport_cost: fit("cost", transport_cost, Position::default())?,
            f: potential(End::A)?,
            g: potential(End::B)?,
            marginal_error: report.marginal_error,
            iterations: report.iterations,
            converged: report.marginal_error <= tolerance,
            cost,
            plan,
            largest,
        })
    }

    /// The same, once every entry of its plan fits the type: free marginals may hold far more than the weights.
    pub(super) fn with_plan(self) -> Result<Self> {
        // An entry is no larger than its row but for rounding.
        if self.largest <= 0.5 * T::max_value().as_f64() {
            return Ok(self);
        }
        match self.plan.overflown() {
            None => Ok(self),
            Some(place) => Err(Error::overflow::<T>("a", place)),
        }
    }

    /// The plan, `[n, m]`: formed when it is asked for. Every entry is finite.
    #[must_use]
    pub fn plan(&self) -> Array2<T> {
        T::sinkhorn_plan(self)
    }

    /// Writes a row of the plan, `[m]`.
    pub(in crate::transport) fn plan_row_into(&self, i: usize, out: &mut [f64]) {
        self.plan.plan_row_into(i, out);
    }

    /// The gradient of the value, by the envelope theorem: plan and potentials count as constants.
    ///
    /// In the costs it is the plan; in points, the plan times the slope of the ground cost, 0 where a Euclidean distance is.
    /// In the weights it is the potentials less their mean over the places with weight, as a gradient along weights of one
    /// total is only known up to a constant; unbalanced, it is `ρ - (ρ + ε) e^(-f/ρ) + ε Σ b`, without a free constant. Good
    /// to the first order of the marginal error.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`](crate::Error::Overflow): an element that does not fit the type.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// # use loglik::transport::{CostGradient, GroundCost};
    /// let (one, x, y) = (array![1.0_f64], array![[0.0, 0.0]], array![[3.0, 4.0]]);
    /// let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
    /// let gradient = Sinkhorn::default().solve(TransportProblem::new(one.view(), one.view(), cost))?.grad()?;
    /// assert!(matches!(gradient.cost, CostGradient::Points { x, .. } if (x[[0, 1]] + 0.8).abs() < 1e-12));
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn grad(&self) -> Result<TransportGradient<T>> {
        T::sinkhorn_gradient(self)
    }

    pub(super) fn converged_plan(&self) -> &ConvergedPlan<'a, T> {
        &self.plan
    }
}

pub(in crate::transport) fn plan<T: Real>(solution: &SinkhornSolution<'_, T>) -> Array2<T> {
    solution.plan.dense()
}

pub(in crate::transport) fn gradient<T: Real>(solution: &SinkhornSolution<'_, T>) -> Result<TransportGradient<T>> {
    let SinkhornSolution { plan, cost, .. } = solution;
    let weights = |argument, end: End| {
        gradient::of_weights(argument, plan.weight_slopes(end), plan.side(end).0, cost, plan.is_balanced())
    };
    Ok(TransportGradient { a: weights("a", End::A)?, b: weights("b", End::B)?, cost: gradient::of_cost(plan, *cost)? })
}
