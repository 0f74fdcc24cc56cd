//! The earth mover's distance between discrete measures: the exact solution of the transport problem.

mod exact;
mod expansion;
mod flows;
mod potentials;
mod reach;
mod simplex;
mod solve;
mod start;
#[cfg(test)]
mod tests;
mod tree;
mod units;

use ndarray::Array1;

pub(super) use potentials::from_zero;
pub(super) use reach::finite_plan;
pub(super) use simplex::{Ended, Limits, Simplex};
use solve::Solved;
pub(super) use solve::finish;

use super::gradient::{self, CostGradient, TransportGradient};
use super::outwards::below;
use super::problem::Masses;
use super::{Cost, Flow, Plan, TransportProblem, plan};
use crate::error::Position;
use crate::{Error, Real, Result, reduction};

/// The earth mover's distance: the least cost of moving one set of weights onto another.
///
/// ```math
/// \operatorname{EMD}(a, b; C) = \min_{P \ge 0} \sum_{ij} P_{ij} C_{ij}
/// \quad \text{with} \quad \sum_j P_{ij} = a_i, \quad \sum_i P_{ij} = b_j
/// ```
///
/// No root is taken, and nothing is divided by the total: with squared Euclidean costs it is `W_2²`. Costs are finite, of
/// any sign, or +inf where a way is [forbidden](super::Cost#forbidden-ways); weights keep their total. Where the totals
/// differ, within the tolerance of [`TransportProblem`], `b` is scaled to that of `a`. Places without mass are never read.
///
/// Exact, by a network simplex: flows are whole multiples of 2⁻⁶⁰ of the mass; an arc at first enters the tree only where
/// its saving is larger than round-off can explain; and in the end the potentials of the tree are formed without round-off
/// and decide every arc, so that a cost of 1 counts beside one of 1e300. Trees are strongly feasible, so that ties cannot
/// make it cycle. Flows and their cost are formed to thirty digits, scaled `b` included, and the cost is rounded once. What
/// is left is what the units hide: a plan may be off by 2⁻⁶⁰ of the mass at each place, so that beside masses of very
/// different size the result may be that far above or below the least cost. Time grows about as `n² m` in practice: a
/// thousand places on each side take some tenths of a second. Memory is `O(n + m)` beyond the cost, `O(md)` for points.
///
/// # Errors
///
/// - [`Error::Shape`](crate::Error::Shape): the cost is not `[n, m]`.
/// - [`Error::Value`](crate::Error::Value): a weight is not finite or below zero; between places with mass, a cost is NaN or
///   -inf, or a coordinate is not finite.
/// - [`Error::NoFinitePlan`](crate::Error::NoFinitePlan): forbidden ways leave some mass nowhere to go.
/// - [`Error::Empty`](crate::Error::Empty): a side without places; [`Error::NoMass`](crate::Error::NoMass): one whose weights
///   are all zero.
/// - [`Error::Unbalanced`](crate::Error::Unbalanced): totals that differ by more than 6e-8 (n + m + 16) of the larger,
///   as sums in `f32` may; [`normalized`](crate::transport::normalized) mends it.
/// - [`Error::Overflow`](crate::Error::Overflow): the result does not fit.
/// - [`Error::Unfinished`](crate::Error::Unfinished): a million and two thousand steps for each place were not enough; no
///   such problem is known to us.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, b) = (array![0.5_f64, 0.25, 0.25], array![0.5, 0.5]);
/// let cost = array![[0.0, 2.0], [1.0, 1.0], [3.0, 0.0]];
/// assert_eq!(emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?, 0.25);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Dantzig, *Application of the simplex method to a transportation problem*, 1951; strongly feasible trees: Cunningham,
/// Mathematical Programming 11, 1976; Ahuja, Magnanti and Orlin, *Network Flows*, 1993, chapter 11.
pub fn emd<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::emd(problem)
}

pub(super) fn least_cost<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let masses = problem.held_masses()?.scaled();
    let cost = problem.any_cost();
    let (_, primal) = solve::plan(cost, &masses, &solve::optimal(cost, &masses)?)?;
    reduction::to_real(primal, "cost", Position::default())
}

/// [`emd`] with a plan that attains it, and potentials that prove it.
///
/// # Errors
///
/// As for [`emd`], and [`Error::Overflow`](crate::Error::Overflow) where a potential does not fit, or its product with a
/// weight.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::emd_plan;
/// let (a, b) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let cost = array![[0.0, 1.0], [1.0, 0.0]];
/// let solution = emd_plan(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?;
/// assert_eq!(solution.plan.to_dense(), array![[0.25, 0.25], [0.0, 0.5]]);
/// assert_eq!((solution.cost, solution.dual, solution.gap), (0.25, 0.25, 0.0));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn emd_plan<T: Real>(problem: TransportProblem<'_, T>) -> Result<EmdSolution<T>> {
    T::emd_plan(problem)
}

pub(super) fn solution<T: Real>(problem: TransportProblem<'_, T>) -> Result<EmdSolution<T>> {
    let masses = problem.held_masses()?.scaled();
    EmdSolution::new(solved(&problem, &masses)?)
}

/// [`emd`] with its gradient.
///
/// By the envelope theorem the gradient in the costs is the plan, or of points the plan times the slope of the ground cost,
/// 0 where a Euclidean distance is; that in the weights is the potentials. Weights keep their total, so that only
/// differences of potentials count: they come with mean 0 over the places with mass. A place without mass has the slope at
/// which it would take some: +inf where only forbidden ways join it to mass, and 0 where a cost of its ways is not a
/// number, or the slope does not fit the type. Where several plans or pairs of potentials are optimal, EMD has kinks, and
/// the gradient is one of its generalized gradients.
///
/// # Errors
///
/// As for [`emd_plan`], and [`Error::Overflow`] where a slope does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CostGradient, emd_grad};
/// let (a, b) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let cost = array![[0.0, 1.0], [1.0, 0.0]];
/// let (value, gradient) = emd_grad(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?;
/// assert_eq!((value, gradient.a), (0.25, array![0.5, -0.5]));
/// assert_eq!(gradient.cost, CostGradient::Matrix(array![[0.25, 0.25], [0.0, 0.5]]));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn emd_grad<T: Real>(problem: TransportProblem<'_, T>) -> Result<(T, TransportGradient<T>)> {
    T::emd_grad(problem)
}

pub(super) fn value_and_gradient<T: Real>(problem: TransportProblem<'_, T>) -> Result<(T, TransportGradient<T>)> {
    let masses = problem.held_masses()?.scaled();
    let solved = solved(&problem, &masses)?;
    let (a, b) = (centered(&solved.u, &masses.a)?, centered(&solved.v, &masses.b)?);
    let cost = match problem.cost {
        Cost::Matrix(_) => None,
        Cost::Points { x, y, ground } => Some(gradient::of_points(solved.plan.flows(), x, y, ground)?),
    };
    let solution = EmdSolution::<T>::new(solved)?;
    let cost = cost.unwrap_or_else(|| CostGradient::Matrix(plan::dense(&solution.plan)));
    Ok((solution.cost, TransportGradient { a, b, cost }))
}

fn solved<T: Real>(problem: &TransportProblem<'_, T>, masses: &Masses) -> Result<Solved> {
    let cost = problem.any_cost();
    solve::finish(cost, masses, &solve::optimal(cost, masses)?)
}

/// An optimal plan, and potentials that prove that none is better.
#[derive(Clone, Debug, PartialEq)]
pub struct EmdSolution<T> {
    /// `Σ P C`, the least cost.
    pub cost: T,
    /// The plan: at most `n + m - 1` flows.
    pub plan: Plan<T>,
    /// Potentials of the places that mass comes from, `[n]`: `u_i + v_j <= C_ij` exactly, and with equality, up to round-off,
    /// where mass flows. For places without mass, see [`emd_grad`].
    pub u: Array1<T>,
    /// Potentials of the places that it goes to, `[m]`; that of the heaviest, the first of several, is 0.
    pub v: Array1<T>,
    /// `Σ a u + Σ b v` (`b` scaled to the total of `a`), which no plan is below but by the rounding of the sum.
    pub dual: T,
    /// `Σ P (C - u - v)`, by which `cost` is above `dual`, formed in `f64`: 0 up to round-off, and never below 0.
    pub gap: T,
}

impl<T: Real> EmdSolution<T> {
    fn new(solved: Solved) -> Result<Self> {
        let to_real = |x| reduction::to_real(x, "cost", Position::default());
        // Both rounded downwards, so that they are feasible in the type of the caller too.
        let all = |potentials: Vec<f64>| potentials.into_iter().map(fitting_below).collect::<Result<Array1<T>>>();
        let flows =
            solved.plan.flows().iter().map(|flow| Flow { from: flow.from, to: flow.to, mass: T::from_f64(flow.mass) });
        let flows = flows.filter(|flow| flow.mass > T::zero()).collect();
        Ok(Self {
            cost: to_real(solved.primal)?,
            plan: Plan::new(solved.plan.shape(), flows),
            u: all(solved.u)?,
            v: all(solved.v)?,
            dual: to_real(solved.dual)?,
            gap: to_real(solved.gap)?,
        })
    }
}

/// In the type of the caller, not above it; +inf is that of a place that nothing can reach, and NaN that of one of which
/// nothing is known.
fn fitting_below<T: Real>(potential: f64) -> Result<T> {
    fit(potential, below::<T>(potential))
}

/// Less their mean over the places with mass.
fn centered<T: Real>(potentials: &[f64], masses: &[f64]) -> Result<Array1<T>> {
    let held: Vec<f64> = potentials.iter().zip(masses).filter(|(_, mass)| **mass > 0.0).map(|(u, _)| *u).collect();
    let mean = reduction::sum(&held.iter().map(|u| u / held.len() as f64).collect::<Vec<_>>());
    potentials.iter().map(|&u| fit(u, T::from_f64(u - mean))).collect()
}

/// A potential in the type of the caller, `fitting`, which must be finite if the potential in `f64` is.
fn fit<T: Real>(potential: f64, fitting: T) -> Result<T> {
    match potential {
        unknown if unknown.is_nan() => Ok(T::zero()),
        f64::INFINITY => Ok(T::infinity()),
        _ if fitting.is_finite() => Ok(fitting),
        _ => Err(Error::overflow::<T>("cost", Position::default())),
    }
}
