//! Entropic transport: its hyper-parameters and entry points.

use ndarray::ArrayRef1;

use super::solution::SinkhornSolution;
use crate::transport::{TransportGradient, TransportProblem};
use crate::{Real, Result};

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
/// Potentials are updated in the log domain, so that nothing overflows at any regularization: each round takes one
/// exponential for each cost, of an exponent formed in `f64`, and looks at each cost once. Costs between points are
/// computed where they are needed: no array of `[n, m]` is made. Threads share the rows of costs, and the result has the
/// same bits for any number of threads. Rounds start at a regularization of the range of the costs, which falls by
/// `scaling` from stage to stage; for unbalanced problems each round also moves the best constant from one potential to the
/// other. From 16 rounds before, each is extrapolated, which at a small ε takes a tenth of the rounds. Iteration stops once
/// the marginals agree to `tolerance`; not reaching it is no error, but told (`converged`). In `f32` agreement is limited
/// to about 1e-6.
///
/// As ε grows the plan tends to the product of the weights, and the value to the cost of that product. Where ε is at least
/// 16 times the range of the costs, only deviations from the product are formed, by `e^x - 1` in `f64`: value and
/// potentials keep all their digits at any ε. The tolerance is then that of the deviations, `ε / range` times finer than
/// that of the marginals.
///
/// Places with a weight of zero are never read: their rows of the plan are zero, and so is the
/// gradient in their points. Their potentials are those that a small mass would have there; 0 where that is not known,
/// since a cost is not a number or out of range.
///
/// A cost of +inf [forbids](crate::transport::Cost#forbidden-ways) its way: no mass goes there. Without a
/// `marginal_penalty`, a problem that has no plan of finite cost is an error. With one, every problem has a plan: a place
/// all of whose ways are forbidden keeps its mass, pays ρ for each unit of it, and has the potential +inf. In both kinds of
/// problem a place without weight all of whose ways are forbidden has the potential +inf, too.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter out of its range.
/// - Those of the problem: [`Error::Shape`](crate::Error::Shape), [`Error::Value`](crate::Error::Value), [`Error::Empty`](crate::Error::Empty), [`Error::NoMass`](crate::Error::NoMass), and without a
///   `marginal_penalty` [`Error::Unbalanced`](crate::Error::Unbalanced) and [`Error::NoFinitePlan`](crate::Error::NoFinitePlan).
/// - [`Error::Overflow`](crate::Error::Overflow): costs over ε, ρ over ε, or results, that do not fit. Where an entry of
///   the plan does not, as free marginals may hold far more than the weights, the place in `a` is named that it leaves;
///   [`value`](Sinkhorn::value) does not look at the plan.
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
/// Cuturi, NeurIPS 2013, [arXiv:1306.0895](https://arxiv.org/abs/1306.0895); in the log domain, with penalties: Chizat et
/// al. 2018, [arXiv:1607.05816](https://arxiv.org/abs/1607.05816), and Séjourné et al. 2019,
/// [arXiv:1910.12958](https://arxiv.org/abs/1910.12958); the constant between potentials: Séjourné, Vialard and Peyré,
/// AISTATS 2022, [arXiv:2201.00730](https://arxiv.org/abs/2201.00730); stages: Kosowsky and Yuille 1994; extrapolation:
/// Anderson 1965, J. ACM 12.
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
    pub fn grad<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<(T, TransportGradient<T>)> {
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

    /// [`Sinkhorn::solve`] from a potential `g`, `[m]`, of a problem that is near, without stages. The other potential
    /// follows from it.
    ///
    /// # Errors
    ///
    /// See [`Sinkhorn`]; [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) where `g` is not
    /// `[m]` or not finite.
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
}
