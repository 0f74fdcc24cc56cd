//! Entropic transport: its hyper-parameters and entry points.

use ndarray::ArrayRef1;

use super::alternating::Alternating;
use super::flat::{self, Flat};
use super::gibbs::Gibbs;
use super::settled::Settled;
use super::side::{Side, Softness};
use super::stages::Report;
use super::{SinkhornGradient, SinkhornSolution};
use crate::transport::TransportProblem;
use crate::transport::emd::finite_plan;
use crate::transport::problem::Masses;
use crate::{Error, Real, Result, check};

/// Optimal transport with an entropic term, which makes the plan unique and the value smooth; balanced or unbalanced.
///
/// ```math
/// \mathrm{OT}_\varepsilon(a, b) = \min_{P \ge 0}\; \langle P, C \rangle
///   + \varepsilon\, \mathrm{KL}\bigl(P \,\big|\, \tfrac{1}{m} a \otimes b\bigr), \qquad P 1 = a,\; P^\top 1 = b,
/// \qquad P_{ij} = \tfrac{1}{m} a_i b_j\, e^{(f_i + g_j - C_{ij}) / \varepsilon}
/// ```
///
/// `m` is the total of both sides, 1 for distributions, and `KL(P | Q) = Σ P ln(P/Q) - P + Q`. The value is that of the dual,
/// `⟨f, a⟩ + ⟨g, b⟩` where it is largest: it lies between the cost of exact transport and that of the product `a ⊗ b / m`,
/// grows with ε, and is never above the minimum, converged or not. `m` times the weights give `m` times the value. With a
/// `marginal_penalty` ρ the marginals are free at a price, and the totals may differ:
///
/// ```math
/// \min_{P \ge 0}\; \langle P, C \rangle + \rho\, \mathrm{KL}(P 1 \,|\, a) + \rho\, \mathrm{KL}(P^\top 1 \,|\, b)
///   + \varepsilon\, \mathrm{KL}(P \,|\, a \otimes b)
/// ```
///
/// which for totals of 1 tends to the balanced problem as ρ grows. (For other totals `a ⊗ b` keeps to the literature, and the
/// limit is larger by `ε m (m - 1 - ln m)`.)
///
/// Potentials are updated in the log domain, so that nothing overflows at any regularization: each round takes one exponential
/// for each cost, of an exponent formed in `f64`, and looks at each cost once. Costs between points are formed where
/// they are needed: nothing of `[n, m]` exists. Rows of costs go to threads; the bits do not depend on how many.
/// Rounds start at a regularization of the range of the costs, which falls by `scaling` from stage to stage; for unbalanced
/// problems each round also moves the best constant from one potential to the other. From 16 rounds before, each is
/// extrapolated, which at a small ε takes a tenth of the rounds. Iteration stops once
/// the marginals agree to `tolerance`; not reaching it is no error, but told (`converged`). In `f32` agreement is limited to
/// about 1e-6.
///
/// As ε grows the plan tends to the product of the weights, and the value to the cost of that product. Where ε is at least
/// 16 times the range of the costs, only deviations from the product are formed, by `e^x - 1` in `f64`: value and
/// potentials keep all their digits at any ε. The tolerance is then that of the deviations, `ε / range` times finer than
/// that of the marginals.
///
/// Places with a weight of zero take no part: nothing of them is read, their rows of the plan are zero, and so is the
/// gradient in their points. Their potentials are those that a little mass would have there; 0 where that is not known,
/// since a cost is not a number or out of range.
///
/// A cost of +inf [forbids](crate::transport::Cost#forbidden-ways) its way: no mass goes there. Without a
/// `marginal_penalty`, a problem that has no plan of finite cost is an error. With one, every problem has a plan: a place
/// all of whose ways are forbidden keeps its mass, pays ρ for each unit of it, and has the potential +inf. In both kinds of
/// problem a place without weight all of whose ways are forbidden has the potential +inf, too.
///
/// # Errors
///
/// - [`Error::Parameter`]: a hyper-parameter out of its range.
/// - Those of the problem: [`Error::Shape`], [`Error::Value`], [`Error::Empty`], [`Error::NoMass`], and without a
///   `marginal_penalty` [`Error::Unbalanced`] and [`Error::NoFinitePlan`].
/// - [`Error::Overflow`]: costs over ε, or results, that do not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.5, 0.5], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// let solution = Sinkhorn { regularization: 0.5, ..Sinkhorn::default() }.solve(problem)?;
/// assert!(solution.converged);
/// let stays = 1.0 / (1.0 + (-2.0_f64).exp()); // P_00 / P_01 = e^(1/ε)
/// assert!((solution.plan()[[0, 0]] - 0.5 * stays).abs() < 1e-12);
/// assert!((solution.transport_cost - (1.0 - stays)).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Cuturi, NeurIPS 2013, [arXiv:1306.0895](https://arxiv.org/abs/1306.0895); in the log domain, with penalties: Chizat et al.
/// 2018, [arXiv:1607.05816](https://arxiv.org/abs/1607.05816), and Séjourné et al. 2019,
/// [arXiv:1910.12958](https://arxiv.org/abs/1910.12958); the constant between potentials: Séjourné, Vialard and Peyré,
/// AISTATS 2022, [arXiv:2201.00730](https://arxiv.org/abs/2201.00730); stages: Kosowsky and Yuille 1994; extrapolation: Anderson
/// 1965, J. ACM 12.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Sinkhorn {
    /// ε, in the unit of the costs, `> 0`. Default 0.05 (OTT, for costs of about 1).
    pub regularization: f64,
    /// Distance of the plan's marginals from what they should be, in L1 and relative to their total, at which to stop,
    /// `>= 0`. Default 1e-6.
    pub tolerance: f64,
    /// Rounds over all costs at most, `>= 1`. Default 10,000.
    pub max_iterations: usize,
    /// ρ, by which marginals are bound to the weights, `> 0`; exactly where there is none. Default none.
    pub marginal_penalty: Option<f64>,
    /// By what the regularization falls from stage to stage, `(0, 1]`; 1 leaves all stages out but the last. Default 0.25,
    /// which takes the fewest rounds on points in the plane.
    pub scaling: f64,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self { regularization: 0.05, tolerance: 1e-6, max_iterations: 10_000, marginal_penalty: None, scaling: 0.25 }
    }
}

impl Sinkhorn {
    /// The value.
    ///
    /// # Errors
    ///
    /// See [`Sinkhorn`].
    pub fn value<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<T> {
        T::sinkhorn_value(*self, problem)
    }

    /// The value, and its gradient in weights and costs: see [`SinkhornSolution::grad`].
    ///
    /// # Errors
    ///
    /// See [`Sinkhorn`].
    pub fn grad<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<(T, SinkhornGradient<T>)> {
        T::sinkhorn_grad(*self, problem)
    }

    /// The value with everything else that is known then: potentials, plan, gradient, and how well the marginals agree.
    ///
    /// # Errors
    ///
    /// See [`Sinkhorn`].
    pub fn solve<'a, T: Real>(&self, problem: TransportProblem<'a, T>) -> Result<SinkhornSolution<'a, T>> {
        T::sinkhorn_solve(*self, problem, None)
    }

    /// [`Sinkhorn::solve`] from a potential `g`, `[m]`, of a problem that is near, without stages. The other potential follows
    /// from it.
    ///
    /// # Errors
    ///
    /// See [`Sinkhorn`]; [`Error::Shape`] and [`Error::Value`] where `g` is not `[m]` or not finite.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// let (a, b, cost) = (array![0.3_f64, 0.7], array![0.6, 0.4], array![[0.0, 1.0], [2.0, 0.0]]);
    /// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
    /// let sinkhorn = Sinkhorn { regularization: 0.1, ..Sinkhorn::default() };
    /// let cold = sinkhorn.solve(problem)?;
    /// let warm = sinkhorn.solve_from(problem, &cold.g)?;
    /// assert_eq!(warm.iterations, 1);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn solve_from<'a, T: Real>(
        &self,
        problem: TransportProblem<'a, T>,
        g: &ArrayRef1<T>,
    ) -> Result<SinkhornSolution<'a, T>> {
        T::sinkhorn_solve(*self, problem, Some(g))
    }

    /// The potentials that solve a problem, from nothing or from one of them.
    fn settled<'a, T: Real>(
        &self,
        problem: &TransportProblem<'a, T>,
        from: Option<&ArrayRef1<T>>,
    ) -> Result<(Settled<'a, T>, Report)> {
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
        gibbs.set_regularization(stages[0]);
        let mut rounds = self.alternating(gibbs, a, b, stages[0]);
        if let Some(from) = from {
            rounds.b.start(&from, self.regularization);
        }
        let report = self.run(&mut rounds, &stages);
        Ok((Settled::alternating(rounds, self.regularization), report))
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
                problem.unbalanced_held_masses()
            }
        }
    }

    /// What takes part of a problem whose masses have been checked.
    fn kernel<'a, T: Real>(&self, problem: &TransportProblem<'a, T>, masses: &Masses) -> Result<Kernel<'a, T>> {
        let (a, b) = (Side::new(&masses.a, |_| true), Side::new(&masses.b, |_| true));
        let gibbs = Gibbs::new(problem.cost, &a, &b, self.regularization)?;
        if !gibbs.forbids {
            return Ok(Kernel { gibbs, a, b });
        }
        if self.marginal_penalty.is_none() {
            finite_plan(problem, masses)?;
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
    ) -> (Settled<'a, T>, Report) {
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
        (Settled::flat(rounds, regularization), report)
    }

    pub(super) fn softness(&self, regularization: f64) -> Softness {
        Softness(self.marginal_penalty.map_or(0.0, |penalty| regularization / penalty))
    }

    /// How potentials begin, for a least cost in units of ε. A half of it on each side, but no more than penalties let them have in
    /// the end: what is small beside them would lose its digits.
    pub(super) fn split(&self, least: f64, softness: Softness) -> Split {
        Split { offset: 0.5 * least / (1.0 + softness.0), rest: -least * (softness.0 / (1.0 + softness.0)) }
    }

    /// Logarithm of the constant beside `a ⊗ b`, for this total of either side.
    pub(super) fn log_reference(&self, total: f64) -> f64 {
        if self.marginal_penalty.is_some() { 0.0 } else { -total.ln() }
    }
}

pub(in crate::transport) fn value<T: Real>(sinkhorn: Sinkhorn, problem: TransportProblem<'_, T>) -> Result<T> {
    Ok(solve(sinkhorn, problem, None)?.value)
}

pub(in crate::transport) fn gradient<T: Real>(
    sinkhorn: Sinkhorn,
    problem: TransportProblem<'_, T>,
) -> Result<(T, SinkhornGradient<T>)> {
    let solution = solve(sinkhorn, problem, None)?;
    Ok((solution.value, solution.grad()?))
}

pub(in crate::transport) fn solve<'a, T: Real>(
    sinkhorn: Sinkhorn,
    problem: TransportProblem<'a, T>,
    from: Option<&ArrayRef1<T>>,
) -> Result<SinkhornSolution<'a, T>> {
    SinkhornSolution::new(&sinkhorn, problem.cost, sinkhorn.settled(&problem, from)?)
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
