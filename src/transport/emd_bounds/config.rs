//! Certified bounds on the earth mover's distance: their hyper-parameters and entry point.

use super::interval::EmdInterval;
use crate::transport::TransportProblem;
use crate::{Real, Result};

/// Certified bounds on [`emd`](crate::transport::emd), as near to each other as asked for or as the budget allows.
///
/// ```math
/// \text{lower} \le \operatorname{EMD}(a, b; C) \le \text{upper}, \qquad
/// \text{upper} - \text{lower} \le \text{gap} \cdot \max(|\text{lower}|, |\text{upper}|)
/// ```
///
/// The cheapest come first and the search ends as soon as the gap is closed: the product coupling, the c-transform of
/// nothing, and for points the distances along axes; then a greedy plan; then stages of Sinkhorn's iteration with falling
/// regularization, each begun from the last, whose plan is rounded to a feasible one above and whose potential is
/// c-transformed below; then the network simplex, begun from those potentials, for as long as the budget lasts. Each of its
/// trees is feasible, so that it too gives bounds wherever it is stopped.
///
/// Both ends are true bounds of the problem whose costs are those that [`Cost`](crate::transport::Cost) computes in `f64`
/// and whose `b` is scaled to the total of `a`: each is moved outwards by `2 (n + m + d + 128) ε` of the size of what it is
/// the sum of, with ε of `f64` and `d` the dimension of points, which is above what all its roundings can add up to, and
/// then rounded outwards to the type. That size is `Σ |P C|` or `Σ |a u| + Σ |b v|`, for a tree's plan the mass times the
/// largest cost that it pays, and for what is repaired or seen along axes the mass times the largest `|C|`. A relative
/// distance below four times `2 (n + m + d + 128) ε` is not asked for. The lower end is never below zero where no cost is.
///
/// Places without mass are not read. Ways with a cost of +inf are [forbidden](crate::transport::Cost#forbidden-ways); then
/// the search does not end before it has found some plan.
///
/// Deterministic: the budget counts passes over the costs, not time. Memory is `O(n + m)` beyond the cost, and `O(md)` for
/// points.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): `gap` or `budget` out of range.
/// - Those of the problem, as for [`emd`](crate::transport::emd), with [`Error::NoFinitePlan`](crate::Error::NoFinitePlan); but a search
///   always ends.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{Array1, Array2}};
/// # use loglik::transport::{EmdBounds, GroundCost};
/// # let wave = |n: usize, by: f64| Array2::from_shape_fn((n, 2), |(i, k)| (by + (3 * i + k) as f64).sin());
/// let (x, y) = (wave(40, 0.0), wave(50, 0.5)); // points in the plane
/// let (a, b) = (Array1::from_elem(40, 1.0 / 40.0), Array1::from_elem(50, 1.0 / 50.0));
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// let interval = EmdBounds { gap: 0.05, ..EmdBounds::default() }.solve(problem)?;
/// let exact = emd(problem)?;
/// assert!(interval.lower <= exact && exact <= interval.upper);
/// assert!(interval.upper - interval.lower <= 0.05 * interval.upper);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Rounding and falling regularization: Altschuler, Weed and Rigollet, NeurIPS 2017,
/// [arXiv:1705.09634](https://arxiv.org/abs/1705.09634); Schmitzer, SIAM J. Sci. Comput. 41, 2019,
/// [arXiv:1610.06519](https://arxiv.org/abs/1610.06519).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct EmdBounds {
    /// Relative distance of the ends at which the search is over, finite and `>= 0`. Default 0.01; 0 asks for all that the
    /// budget gives.
    pub gap: f64,
    /// How many times all costs may be read, `>= 1`; what is begun may take a few more. Default 2000, within which problems
    /// of a thousand places on each side are solved exactly.
    pub budget: usize,
}

impl Default for EmdBounds {
    fn default() -> Self {
        Self { gap: 0.01, budget: 2000 }
    }
}

impl EmdBounds {
    /// Closes in on the distance.
    ///
    /// # Errors
    ///
    /// See [`EmdBounds`].
    pub fn solve<T: Real>(&self, problem: TransportProblem<'_, T>) -> Result<EmdInterval<T>> {
        T::emd_bounds(*self, problem)
    }
}
