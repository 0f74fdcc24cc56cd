//! From an entropic problem to the potentials that solve it.

use ndarray::ArrayRef1;

use super::alternating::Alternating;
use super::config::Sinkhorn;
use super::converged_plan::ConvergedPlan;
use super::flat::{self, Flat};
use super::gibbs::Gibbs;
use super::side::{Side, Softness};
use super::solution::{self, SinkhornSolution};
use super::stages::{self, Report};
use crate::transport::emd::finite_plan;
use crate::transport::problem::Masses;
use crate::transport::{TransportGradient, TransportProblem};
use crate::{Error, Position, Real, Result, check};

impl Sinkhorn {
    /// The potentials that solve a problem, from nothing or from one of them.
    fn converged<'a, T: Real>(
        &self,
        problem: &TransportProblem<'a, T>,
        from: Option<&ArrayRef1<T>>,
    ) -> Result<(ConvergedPlan<'a, T>, Report)> {
        let masses = self.masses(problem)?;
        if let Some(g) = from {
            check::shape("g", g.shape(), &[problem.b.len()])?;
        }
        let Kernel { mut gibbs, a, b } = self.kernel(problem, &masses)?;
        let from = from.map(|g| finite(g, &b.places)).transpose()?;
        if flat::is_flat(&gibbs, self.regularization) {
            return Ok(self.flat(gibbs, a, b, from.as_deref()));
        }
        let stages = match from {
            None => self.stages(gibbs.range),
            Some(_) => vec![self.regularization],
        };
        self.check_stage(stages[0])?;
        gibbs.set_regularization(stages[0]);
        let mut rounds = self.alternating(gibbs, a, b, stages[0]);
        if let Some(from) = from {
            rounds.b.start(&from, self.regularization);
        }
        let report = stages::run(&mut rounds, &stages, self.tolerance, self.max_iterations);
        Ok((ConvergedPlan::alternating(rounds, self.regularization), report))
    }

    /// Checks hyper-parameters and problem.
    pub(super) fn masses<T: Real>(&self, problem: &TransportProblem<'_, T>) -> Result<Masses> {
        check::positive("regularization", self.regularization)?;
        check::non_negative("tolerance", self.tolerance)?;
        check::parameter("max_iterations", self.max_iterations as f64, ">= 1", self.max_iterations >= 1)?;
        check::parameter("scaling", self.scaling, "(0, 1]", self.scaling > 0.0 && self.scaling <= 1.0)?;
        match self.marginal_penalty {
            None => Ok(problem.held_masses()?.scaled()),
            Some(penalty) => {
                check::positive("marginal_penalty", penalty)?;
                // What is not a normal number has lost its digits: potentials have the size of the penalty, and are in units of ε.
                let softness = self.softness(self.regularization).0;
                if softness.is_nan() || softness < f64::MIN_POSITIVE {
                    return Err(Error::overflow::<f64>("marginal_penalty", Position::default()));
                }
                problem.unbalanced_held_masses()
            }
        }
    }

    /// The first of the stages must be no further above the penalty than numbers reach.
    pub(super) fn check_stage(&self, first: f64) -> Result<()> {
        match self.softness(first).0.is_finite() {
            true => Ok(()),
            false => Err(Error::overflow::<f64>("regularization", Position::default())),
        }
    }

    /// The sides of a problem whose masses have been checked, and the costs between the places that are counted.
    fn kernel<'a, T: Real>(&self, problem: &TransportProblem<'a, T>, masses: &Masses) -> Result<Kernel<'a, T>> {
        let (a, b) = (Side::new(&masses.a, |_| true), Side::new(&masses.b, |_| true));
        let gibbs = Gibbs::new(problem.cost, &a, &b, self.regularization)?;
        if !gibbs.forbids {
            return Ok(Kernel { gibbs, a, b });
        }
        if self.marginal_penalty.is_none() {
            finite_plan(problem.any_cost(), masses)?;
            return Ok(Kernel { gibbs, a, b });
        }
        // A place all of whose ways are forbidden keeps what it holds, and pays the penalty for it.
        let (from, to) = gibbs.open_ways(&b);
        let (a, b) = (Side::new(&masses.a, |i| from.contains(&i)), Side::new(&masses.b, |j| to.contains(&j)));
        Ok(Kernel { gibbs: Gibbs::new(problem.cost, &a, &b, self.regularization)?, a, b })
    }

    /// Both sides before the first round.
    fn alternating<'a, T: Real>(
        &self,
        gibbs: Gibbs<'a, T>,
        mut a: Side,
        mut b: Side,
        first: f64,
    ) -> Alternating<'a, T> {
        let split = self.split(gibbs.base / first, self.softness(self.regularization));
        (a.offset, b.offset) = (split.offset, split.offset);
        let log_reference = self.log_reference(b.total) + split.rest;
        Alternating::new(gibbs, a, b, self.softness(first), log_reference)
    }

    /// Rounds at a regularization far above the costs, from this potential of `b`.
    pub(super) fn flat<'a, T: Real>(
        &self,
        mut gibbs: Gibbs<'a, T>,
        mut a: Side,
        mut b: Side,
        from: Option<&[f64]>,
    ) -> (ConvergedPlan<'a, T>, Report) {
        let regularization = flat::within_reach(&gibbs, self.regularization, self.marginal_penalty);
        gibbs.set_regularization(regularization);
        let split = self.split(gibbs.base / regularization, self.softness(regularization));
        (a.offset, b.offset) = (split.offset, split.offset);
        if let Some(from) = from {
            b.start(from, regularization);
        }
        let log_reference = self.log_reference(b.total) + split.rest;
        let mut rounds = Flat::new(gibbs, a, b, self.softness(regularization), log_reference);
        let report = rounds.run(self.tolerance, self.max_iterations, regularization);
        (ConvergedPlan::flat(rounds, regularization), report)
    }

    /// The regularizations of the stages, for costs of this range.
    pub(super) fn stages(&self, range: f64) -> Vec<f64> {
        stages::regularizations(range, self.regularization, self.scaling, self.max_iterations)
    }

    pub(super) fn softness(&self, regularization: f64) -> Softness {
        Softness(self.marginal_penalty.map_or(0.0, |penalty| regularization / penalty))
    }

    /// How potentials begin, for a least cost in units of ε. A half of it on each side, but no more than penalties let them
    /// have in the end: what is small beside them would lose its digits.
    pub(super) fn split(&self, least: f64, softness: Softness) -> Split {
        Split { offset: 0.5 * least / (1.0 + softness.0), rest: -least * (softness.0 / (1.0 + softness.0)) }
    }

    /// Logarithm of the constant beside `a ⊗ b`, for this total of either side.
    pub(super) fn log_reference(&self, total: f64) -> f64 {
        if self.marginal_penalty.is_some() { 0.0 } else { -total.ln() }
    }
}

pub(in crate::transport) fn value<T: Real>(sinkhorn: Sinkhorn, problem: TransportProblem<'_, T>) -> Result<T> {
    Ok(solution(sinkhorn, problem, None)?.value)
}

pub(in crate::transport) fn value_and_gradient<T: Real>(
    sinkhorn: Sinkhorn,
    problem: TransportProblem<'_, T>,
) -> Result<(T, TransportGradient<T>)> {
    let solution = solution(sinkhorn, problem, None)?;
    Ok((solution.value, solution::gradient(&solution)?))
}

pub(in crate::transport) fn solve<'a, T: Real>(
    sinkhorn: Sinkhorn,
    problem: TransportProblem<'a, T>,
    from: Option<&ArrayRef1<T>>,
) -> Result<SinkhornSolution<'a, T>> {
    solution(sinkhorn, problem, from)?.with_plan()
}

/// A solution of whose plan nothing is known but its sums.
pub(super) fn solution<'a, T: Real>(
    sinkhorn: Sinkhorn,
    problem: TransportProblem<'a, T>,
    from: Option<&ArrayRef1<T>>,
) -> Result<SinkhornSolution<'a, T>> {
    let (plan, report) = sinkhorn.converged(&problem, from)?;
    SinkhornSolution::new(problem.cost, plan, report, sinkhorn.tolerance)
}

/// A potential at these places, where it must be finite.
fn finite<T: Real>(g: &ArrayRef1<T>, places: &[usize]) -> Result<Vec<f64>> {
    match places.iter().find(|&&j| !g[j].is_finite()) {
        None => Ok(places.iter().map(|&j| g[j].as_f64()).collect()),
        Some(&at) => {
            let value = g[at].as_f64();
            Err(Error::Value { argument: "g", position: at.into(), value, allowed: "finite" })
        }
    }
}

/// A least cost in parts: of either side, and of neither.
pub(super) struct Split {
    pub(super) offset: f64,
    pub(super) rest: f64,
}

/// Both sides of a problem and what lies between them.
struct Kernel<'a, T> {
    gibbs: Gibbs<'a, T>,
    a: Side,
    b: Side,
}
