//! The Sinkhorn divergence: entropic transport less what the entropy alone costs.

use std::fmt;

use ndarray::Array2;

use super::config::Sinkhorn;
use super::converged_plan::{ConvergedPlan, End};
use super::flat;
use super::gibbs::Gibbs;
use super::gradient;
use super::side::Side;
use super::solution::SinkhornSolution;
use super::solve;
use super::stages::{self, Report};
use super::symmetric::Symmetric;
use crate::error::Position;
use crate::transport::gradient::{CostGradient, TransportGradient, fit, narrowed};
use crate::transport::{Cost, GroundCost, TransportProblem};
use crate::{Error, Real, Result};

/// Entropic transport between two weighted sets of points, less the mean of what each costs with itself.
///
/// ```math
/// S_\varepsilon(a, b) = \mathrm{OT}_\varepsilon(a, b) - \tfrac12 \mathrm{OT}_\varepsilon(a, a)
///   - \tfrac12 \mathrm{OT}_\varepsilon(b, b) + \tfrac{\varepsilon}{2} \Bigl(\sum a - \sum b\Bigr)^2
/// ```
///
/// `>= 0`, and 0 only between equal measures, to within the square of the marginal error: unlike `OT_ε`, whose minimizer is
/// shrunk. It tends to exact transport as ε falls and to a distance of kernel means as it grows (for the squared ground
/// cost, to the squared distance of the means). The last term is there for unbalanced problems, without which it is zero.
///
/// The problem's costs must be between points. The two problems of a measure with itself are solved by averaged rounds, which
/// take a few.
///
/// # Errors
///
/// - [`Error::Missing`]: the cost is a matrix.
/// - Those of [`Sinkhorn`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{Array1, array}};
/// # use loglik::transport::{GroundCost, SinkhornDivergence};
/// let (w, x, y) = (Array1::from_elem(2, 0.5_f64), array![[0.0], [1.0]], array![[3.0], [4.0]]);
/// let divergence = SinkhornDivergence::default();
/// let between = |x, y| TransportProblem::new(w.view(), w.view(), Cost::points(x, y, GroundCost::SquaredEuclidean));
/// assert!((divergence.value(between(x.view(), y.view()))? - 9.0).abs() < 1e-9); // moved by 3
/// assert!(divergence.value(between(x.view(), x.view()))?.abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Feydy et al., AISTATS 2019, eq. 3 and section 3, [arXiv:1810.08278](https://arxiv.org/abs/1810.08278); unbalanced:
/// Séjourné et al. 2019, eq. 16, [arXiv:1910.12958](https://arxiv.org/abs/1910.12958).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SinkhornDivergence {
    /// How each of the three problems is solved.
    pub sinkhorn: Sinkhorn,
}

/// A Sinkhorn divergence, and how far the plans of its three problems are from what they should be.
pub struct SinkhornDivergenceSolution<'a, T> {
    /// The divergence.
    pub value: T,
    /// The largest of the three errors: see [`SinkhornSolution`].
    pub marginal_error: f64,
    /// Rounds over the costs of the problem and of either measure with itself.
    pub iterations: [usize; 3],
    /// Whether all three errors are within the tolerance.
    pub converged: bool,
    both: SinkhornSolution<'a, T>,
    left: ConvergedPlan<'a, T>,
    right: ConvergedPlan<'a, T>,
    points: Points<'a, T>,
    /// `ε (Σ a - Σ b)`, where the totals may differ.
    surplus: f64,
}

/// Where the measures have their mass.
#[derive(Clone, Copy)]
struct Points<'a, T> {
    x: ndarray::ArrayView2<'a, T>,
    y: ndarray::ArrayView2<'a, T>,
    ground: GroundCost,
}

impl<T: Real> fmt::Debug for SinkhornDivergenceSolution<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkhornDivergenceSolution")
            .field("value", &self.value)
            .field("marginal_error", &self.marginal_error)
            .field("iterations", &self.iterations)
            .field("converged", &self.converged)
            .finish_non_exhaustive()
    }
}

impl SinkhornDivergence {
    /// The divergence.
    ///
    /// # Errors
    ///
    /// See [`SinkhornDivergence`].
    pub fn value<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<T> {
        T::divergence_value(*self, problem)
    }

    /// The divergence, and its gradient in weights and points: see [`SinkhornDivergenceSolution::grad`].
    ///
    /// # Errors
    ///
    /// See [`SinkhornDivergence`].
    pub fn grad<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<(T, TransportGradient<T>)> {
        T::divergence_grad(*self, problem)
    }

    /// The divergence, with how well the marginals agree.
    ///
    /// # Errors
    ///
    /// See [`SinkhornDivergence`].
    pub fn solve<'a, T: Real>(&self, problem: TransportProblem<'a, T>) -> Result<SinkhornDivergenceSolution<'a, T>> {
        T::divergence_solve(*self, problem)
    }
}

impl<T: Real> SinkhornDivergenceSolution<'_, T> {
    /// The gradient of the divergence, by the envelope theorem.
    ///
    /// In the points it is that of the problem less the pull of each measure on itself; in the weights, the difference of
    /// potentials, balanced less its mean. The cost's is [`CostGradient::Points`].
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`]: an element that does not fit the type.
    pub fn grad(&self) -> Result<TransportGradient<T>> {
        T::divergence_gradient(self)
    }
}

pub(in crate::transport) fn value<T: Real>(
    divergence: SinkhornDivergence,
    problem: TransportProblem<'_, T>,
) -> Result<T> {
    Ok(solve(divergence, problem)?.value)
}

pub(in crate::transport) fn value_and_gradient<T: Real>(
    divergence: SinkhornDivergence,
    problem: TransportProblem<'_, T>,
) -> Result<(T, TransportGradient<T>)> {
    let solution = solve(divergence, problem)?;
    Ok((solution.value, gradient(&solution)?))
}

pub(in crate::transport) fn solve<T: Real>(
    SinkhornDivergence { sinkhorn }: SinkhornDivergence,
    problem: TransportProblem<'_, T>,
) -> Result<SinkhornDivergenceSolution<'_, T>> {
    let Cost::Points { x, y, ground } = problem.cost else {
        return Err(Error::Missing { objective: "SinkhornDivergence", argument: "cost.x" });
    };
    let both = solve::solution(sinkhorn, problem, None)?;
    let ConvergedPlan { a, b, .. } = both.converged_plan();
    let (left, left_report) = sinkhorn.with_itself(Cost::points(x, x, ground), a)?;
    let (right, right_report) = sinkhorn.with_itself(Cost::points(y, y, ground), b)?;
    let surplus = if sinkhorn.marginal_penalty.is_none() { 0.0 } else { sinkhorn.regularization * (a.total - b.total) };
    let alone = 0.5 * (left.value() + right.value());
    let value = both.converged_plan().value() - alone + 0.5 * surplus * (a.total - b.total);
    let errors = [both.marginal_error, left_report.marginal_error, right_report.marginal_error];
    Ok(SinkhornDivergenceSolution {
        value: fit("cost", value, Position::default())?,
        marginal_error: errors.into_iter().fold(0.0, f64::max),
        iterations: [both.iterations, left_report.iterations, right_report.iterations],
        converged: errors.into_iter().all(|error| error <= sinkhorn.tolerance),
        both,
        left,
        right,
        points: Points { x, y, ground },
        surplus,
    })
}

pub(in crate::transport) fn gradient<T: Real>(
    solution: &SinkhornDivergenceSolution<'_, T>,
) -> Result<TransportGradient<T>> {
    let Points { x, y, ground } = solution.points;
    let both = solution.both.converged_plan();
    let back = both.transposed();
    let pull = |slopes: Array2<f64>, own: Array2<f64>, name| narrowed(name, &(slopes - own));
    let weights = |name, end: End, own: &ConvergedPlan<'_, T>, surplus: f64| {
        let (slopes, own) = (both.weight_slopes(end), own.weight_slopes(End::A));
        let slopes = slopes.into_iter().zip(own).map(|(slope, own)| slope - own + surplus).collect();
        gradient::of_weights(name, slopes, both.side(end).0, &Cost::points(x, y, ground), both.is_balanced())
    };
    Ok(TransportGradient {
        a: weights("a", End::A, &solution.left, solution.surplus)?,
        b: weights("b", End::B, &solution.right, -solution.surplus)?,
        cost: CostGradient::Points {
            x: pull(both.slopes(x, y, ground), solution.left.slopes(x, x, ground), "cost.x")?,
            y: pull(back.slopes(y, x, ground), solution.right.slopes(y, y, ground), "cost.y")?,
        },
    })
}

impl Sinkhorn {
    /// A measure with itself.
    fn with_itself<'a, T: Real>(&self, cost: Cost<'a, T>, side: &Side) -> Result<(ConvergedPlan<'a, T>, Report)> {
        let mut side = Side { offset: 0.0, potential: vec![0.0; side.weights.len()], ..side.clone() };
        let mut gibbs = Gibbs::new(cost, &side, &side, self.regularization)?;
        if flat::is_flat(&gibbs, self.regularization) {
            return Ok(self.flat(gibbs, side.clone(), side, None));
        }
        let stages = self.stages(gibbs.range);
        self.check_stage(stages[0])?;
        gibbs.set_regularization(stages[0]);
        let split = self.split(gibbs.base / stages[0], self.softness(self.regularization));
        side.offset = split.offset;
        let log_reference = self.log_reference(side.total) + split.rest;
        let mut rounds = Symmetric::new(gibbs, side, self.softness(stages[0]), log_reference);
        let report = stages::run(&mut rounds, &stages, self.tolerance, self.max_iterations);
        Ok((ConvergedPlan::symmetric(rounds, self.regularization), report))
    }
}
