//! The transport problem: the weights of both sides, and the cost of each way between them.

use ndarray::ArrayView1;

use super::Cost;
use super::mass::{self, Names};
use super::twofold::Twofold;
use crate::{Real, Result, check};

/// Two weight vectors and the cost of each way between them.
///
/// ```math
/// \min_{P \ge 0} \sum_{ij} P_{ij} C_{ij} \quad \text{with} \quad \sum_j P_{ij} = a_i, \quad \sum_i P_{ij} = b_j
/// ```
///
/// `a` is `[n]`, `b` is `[m]`; weights are finite and `>= 0`, and both sum to the same total, which need not be 1: nothing
/// is normalized. A weight of zero selects its place away, and a cost of +inf forbids a way: see [`Cost`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// assert_eq!(problem.transposed().cost.shape(), [2, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportProblem<'a, T> {
    /// What lies at each of the places that mass comes from, `[n]`.
    pub a: ArrayView1<'a, T>,
    /// What is wanted at each of the places that it goes to, `[m]`.
    pub b: ArrayView1<'a, T>,
    /// What a unit of mass pays, `[n, m]`.
    pub cost: Cost<'a, T>,
}

impl<'a, T> TransportProblem<'a, T> {
    /// Weights and cost.
    #[must_use]
    pub fn new(a: ArrayView1<'a, T>, b: ArrayView1<'a, T>, cost: Cost<'a, T>) -> Self {
        Self { a, b, cost }
    }

    /// The way back: weights and cost change sides.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { a: self.b, b: self.a, cost: self.cost.transposed() }
    }
}

/// The weights of both sides in `f64`, checked.
pub(super) struct Masses {
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    /// What `b` is rounded from, once it has the total of `a`.
    pub(super) wanted: Vec<Twofold>,
}

impl Masses {
    pub(super) fn new(a: Vec<f64>, b: Vec<f64>) -> Self {
        Self { a, b, wanted: Vec::new() }
    }

    /// Gives `b` the total of `a`, from which it differs by no more than the tolerance.
    pub(super) fn scaled(mut self) -> Self {
        let total = |masses: &[f64]| Twofold::sum(masses.iter().copied());
        let (left, right) = (total(&self.a), total(&self.b));
        self.wanted = if (left.below(), left.above()) == (right.above(), right.below()) {
            self.b.iter().map(|&b| Twofold::of(b)).collect()
        } else {
            // As a deviation from 1, beside which the totals are near each other.
            let mut surplus = left;
            surplus.add_all(-right);
            let surplus = surplus.over(right);
            let scaled = |b: f64| {
                let mut scaled = surplus.times(b);
                scaled.add(b);
                scaled
            };
            self.b.iter().map(|&b| scaled(b)).collect()
        };
        self.b = self.wanted.iter().map(|wanted| wanted.nearest()).collect();
        self
    }
}

impl<T: Real> TransportProblem<'_, T> {
    /// Checks everything: shapes, weights, that both sides hold the same mass, and costs between places that hold some. What
    /// is left may forbid ways: who needs a plan asks [`finite_plan`](super::emd::finite_plan) for one, or is told by it.
    ///
    /// Costs from or to a place without mass are not checked and may be NaN: they are to be skipped, not multiplied by zero.
    pub(super) fn held_masses(&self) -> Result<Masses> {
        let masses = self.unbalanced_held_masses()?;
        self.balanced(masses)
    }

    /// The same, but that both sides need not hold the same mass.
    pub(super) fn unbalanced_held_masses(&self) -> Result<Masses> {
        let masses = self.weights()?;
        self.cost.check_between(|i| masses.a[i] > 0.0, |j| masses.b[j] > 0.0)?;
        Ok(masses)
    }

    fn weights(&self) -> Result<Masses> {
        check::shape("cost", &self.cost.shape(), &[self.a.len(), self.b.len()])?;
        Ok(Masses::new(mass::of("a", self.a)?, mass::of("b", self.b)?))
    }

    fn balanced(&self, masses: Masses) -> Result<Masses> {
        let weights = masses.a.len() + masses.b.len();
        mass::balanced(Names { left: "a", right: "b" }, mass::total(&masses.a), mass::total(&masses.b), weights)?;
        Ok(masses)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;

    fn error(a: Array1<f64>, b: Array1<f64>, cost: Array2<f64>) -> String {
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        problem.held_masses().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn bad_input_is_named() {
        let cost = || Array2::zeros((2, 2));
        assert_eq!(error(array![0.5, 0.5], array![1.0, 0.0], cost()), "");
        assert_eq!(error(array![1.0], array![1.0], cost()), "`cost` has shape [2, 2], expected [1, 1]");
        assert_eq!(error(array![1.5, -0.5], array![1.0, 0.0], cost()), "`a`[1] is -0.5, allowed is finite and >= 0");
        assert_eq!(
            error(array![1.0, 0.0], array![0.0, 0.0], cost()),
            "`b` holds no mass: every weight is 0, needed is at least one above 0"
        );
        assert_eq!(error(array![], array![], Array2::zeros((0, 0))), "`a` is empty, needed is at least one element");
        let expected = "`a` sums to 1 and `b` to 1.5, allowed is a relative difference of 1.2e-6; \
                        `transport::normalized` divides weights by their sum";
        assert_eq!(error(array![0.5, 0.5], array![1.0, 0.5], cost()), expected);
        assert_eq!(
            error(array![1.0], array![1.0], array![[f64::NAN]]),
            "`cost`[0, 0] is NaN, allowed is finite or +inf"
        );
    }

    #[test]
    fn a_transposed_problem_is_the_way_back() {
        let (a, b, cost) = (array![0.25, 0.75], array![1.0], array![[3.0], [4.0]]);
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        let back = problem.transposed();
        assert_eq!((back.a, back.cost.to_matrix().unwrap()), (b.view(), array![[3.0, 4.0]]));
        assert_eq!(back.transposed(), problem);
        let masses = back.held_masses().unwrap();
        assert_eq!((masses.a, masses.b), (vec![1.0], vec![0.25, 0.75]));
    }

    #[test]
    fn a_surplus_within_the_tolerance_is_scaled_away() {
        let scaled = Masses::new(vec![0.5, 0.5], vec![0.25, 0.75 + 8e-10]).scaled();
        assert!((mass::total(&scaled.b) - 1.0).abs() < 1e-15);
        assert!((scaled.b[1] / scaled.b[0] - (0.75 + 8e-10) / 0.25).abs() < 1e-14);
        assert_eq!(Masses::new(vec![1.0], vec![0.1, 0.9]).scaled().b, vec![0.1, 0.9]);
    }
}
