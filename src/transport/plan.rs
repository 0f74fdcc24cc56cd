//! A transport plan: how much mass goes from each place of one side to each of the other.

use ndarray::{Array1, Array2};

use crate::{Real, reduction};

/// Mass that goes from one place to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow<T> {
    /// Where it comes from, an index into `a`.
    pub from: usize,
    /// Where it goes to, an index into `b`.
    pub to: usize,
    /// How much, above zero.
    pub mass: T,
}

/// A transport plan `[n, m]` of which few entries are not zero: those alone are held, by rows and then by columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<T> {
    shape: [usize; 2],
    flows: Vec<Flow<T>>,
}

impl<T: Real> Plan<T> {
    /// Sorts the flows; each pair of places comes once.
    pub(super) fn new(shape: [usize; 2], mut flows: Vec<Flow<T>>) -> Self {
        flows.sort_unstable_by_key(|flow| (flow.from, flow.to));
        Self { shape, flows }
    }

    /// `[n, m]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The entries above zero.
    #[must_use]
    pub fn flows(&self) -> &[Flow<T>] {
        &self.flows
    }

    /// All entries, `[n, m]`.
    #[must_use]
    pub fn to_dense(&self) -> Array2<T> {
        T::plan_dense(self)
    }

    /// What leaves each place, `[n]`, and what arrives at each, `[m]`.
    #[must_use]
    pub fn marginals(&self) -> (Array1<T>, Array1<T>) {
        T::plan_marginals(self)
    }

    /// `Σ P C`, where `cost` gives the entries of C.
    pub(super) fn cost(&self, cost: impl Fn(usize, usize) -> f64) -> f64 {
        let terms = self.flows.iter().map(|flow| flow.mass.as_f64() * cost(flow.from, flow.to));
        reduction::sum(&terms.collect::<Vec<_>>())
    }
}

pub(super) fn dense<T: Real>(plan: &Plan<T>) -> Array2<T> {
    let mut dense = Array2::zeros(plan.shape);
    for flow in &plan.flows {
        dense[[flow.from, flow.to]] = flow.mass;
    }
    dense
}

pub(super) fn marginals<T: Real>(plan: &Plan<T>) -> (Array1<T>, Array1<T>) {
    let (mut left, mut right) = (vec![0.0; plan.shape[0]], vec![0.0; plan.shape[1]]);
    for flow in &plan.flows {
        left[flow.from] += flow.mass.as_f64();
        right[flow.to] += flow.mass.as_f64();
    }
    (left.into_iter().map(T::from_f64).collect(), right.into_iter().map(T::from_f64).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_plan_gives_its_entries_in_every_form() {
        let flows = [(1, 0, 0.5), (0, 2, 0.25), (1, 2, 0.125)];
        let plan = Plan::new([2, 3], flows.map(|(from, to, mass)| Flow { from, to, mass }).to_vec());
        assert_eq!(plan.to_dense(), array![[0.0, 0.0, 0.25], [0.5, 0.0, 0.125]]);
        assert_eq!(plan.marginals(), (array![0.25, 0.625], array![0.5, 0.0, 0.375]));
        assert_eq!(plan.flows()[0], Flow { from: 0, to: 2, mass: 0.25 });
        assert_eq!(plan.cost(|i, j| (10 * i + j) as f64), 0.5 + 5.0 + 1.5);
    }
}
