//! Potentials that have come to rest, and what follows from them: value, plan and slopes.

use ndarray::{Array2, ArrayView2, Axis};

use super::alternating::Alternating;
use super::gibbs::{self, Gibbs, Scratch};
use super::side::{Side, Softness};
use super::slope::Slope;
use super::symmetric::Symmetric;
use crate::reduction;
use crate::simd::dispatch;
use crate::transport::{Cost, GroundCost};
use crate::{Real, Result, parallel};

/// Both potentials, and the plan `P_ij = r a_i b_j e^((f_i + g_j - C_ij)/ε)` that they make.
pub(super) struct Settled<'a, T> {
    gibbs: Gibbs<'a, T>,
    pub(super) a: Side,
    pub(super) b: Side,
    softness: Softness,
    log_reference: f64,
    regularization: f64,
    /// `Σ P`.
    mass: f64,
}

impl<'a, T: Real> Settled<'a, T> {
    /// After a round, when the rows of the plan sum to what they should.
    pub(super) fn alternating(mut rounds: Alternating<'a, T>, regularization: f64) -> Self {
        rounds.complete();
        let Alternating { gibbs, a, b, softness, log_reference, .. } = rounds;
        let mass = a.weighted(|i| softness.kept(a.whole(i)));
        Self { gibbs, a, b, softness, log_reference, regularization, mass }
    }

    /// After a round, whose sums of rows tell the mass.
    pub(super) fn symmetric(mut rounds: Symmetric<'a, T>, regularization: f64) -> Self {
        let mass = rounds.side.weighted(|i| rounds.log_kept(i).exp());
        rounds.complete();
        let Symmetric { gibbs, side, softness, log_reference, .. } = rounds;
        Self { gibbs, b: side.clone(), a: side, softness, log_reference, regularization, mass }
    }

    /// The dual value: `Σ a ρ (1 - e^(-f/ρ)) + Σ b ρ (1 - e^(-g/ρ)) - ε (Σ P - r Σ a Σ b)`.
    pub(super) fn value(&self) -> f64 {
        let gain = |side: &Side| side.weighted(|i| self.softness.gain(side.whole(i)));
        let reference = self.a.total * self.reference(&self.b);
        self.regularization * (gain(&self.a) + gain(&self.b) - (self.mass - reference))
    }

    /// `r Σ w`.
    fn reference(&self, side: &Side) -> f64 {
        if self.softness.0 == 0.0 { 1.0 } else { side.total * self.log_reference.exp() }
    }

    /// A potential in the unit of the costs.
    pub(super) fn potential(&self, side: &Side) -> Vec<f64> {
        (0..side.weights.len()).map(|i| self.regularization * side.whole(i)).collect()
    }

    /// The gradient in the weights of one side. Balanced, a constant is left open.
    pub(super) fn weight_slopes(&self, side: &Side, other: &Side) -> Vec<f64> {
        if self.softness.0 == 0.0 {
            return side.potential.iter().map(|p| self.regularization * p).collect();
        }
        let slope = |p: f64| self.softness.gain(p) - self.softness.kept(p) + self.reference(other);
        (0..side.weights.len()).map(|i| self.regularization * slope(side.whole(i))).collect()
    }

    /// `⟨P, C⟩`.
    pub(super) fn transport_cost(&self) -> f64 {
        let mut parts = vec![[0.0; 2]; self.a.weights.len()];
        self.for_each_row(parts.iter_mut().collect(), |part, mut row| **part = [row.spent(), row.mass()]);
        let total = |k: usize| reduction::sum(&parts.iter().map(|part| part[k]).collect::<Vec<_>>());
        total(0) + self.gibbs.base * total(1)
    }

    /// The plan.
    pub(super) fn plan(&self) -> Array2<T> {
        let mut plan = Array2::zeros((self.a.weights.len(), self.b.weights.len()));
        self.for_each_row(plan.axis_iter_mut(Axis(0)).collect(), |out, row| row.write(|j, mass| out[j] = T::of(mass)));
        plan
    }

    /// One row of the plan.
    pub(super) fn plan_row_into(&self, i: usize, out: &mut [f64]) {
        let (exponents, mut scratch) = (self.b.exponents(self.log_reference), Scratch::new());
        match self.row(i, &exponents, &mut scratch) {
            None => out.fill(0.0),
            Some(row) => row.write(|j, mass| out[j] = mass),
        }
    }

    /// The gradient in the points of the first side: `Σ_j P_ij ∇C(x_i, y_j)`, as costs are between points.
    pub(super) fn slopes(&self, x: ArrayView2<'_, T>, y: ArrayView2<'_, T>, ground: GroundCost) -> Array2<f64> {
        let axes: Vec<Vec<f64>> = y.columns().into_iter().map(|axis| axis.iter().map(|y| y.wide()).collect()).collect();
        let mut slopes = Array2::zeros(x.dim());
        self.for_each_row(slopes.axis_iter_mut(Axis(0)).collect(), |out, mut row| {
            let weights = row.pulls(ground);
            for ((out, axis), from) in out.iter_mut().zip(&axes).zip(x.row(row.index)) {
                *out = dispatch(Slope {
                    weights: &weights,
                    axis,
                    from: from.wide(),
                    is_sign: ground == GroundCost::Manhattan,
                });
            }
        });
        slopes
    }

    /// The same from the other side.
    pub(super) fn transposed(&self, cost: Cost<'a, T>) -> Result<Self> {
        Ok(Self {
            gibbs: Gibbs::new(cost.transposed(), self.regularization)?,
            a: self.b.clone(),
            b: self.a.clone(),
            ..*self
        })
    }

    fn row<'s>(&'s self, i: usize, exponents: &[f64], scratch: &'s mut Scratch<T>) -> Option<Row<'s, 'a, T>> {
        let (weight, potential) = (self.a.weights[i], self.a.potential[i]);
        if weight == 0.0 {
            return None;
        }
        let sum = self.gibbs.row(i, potential, exponents, scratch);
        Some(Row { gibbs: &self.gibbs, index: i, factor: weight * sum.factor(potential), sum: sum.sum(), scratch })
    }

    /// Gives every row of the plan that is not empty to `f`, with its output.
    fn for_each_row<O: Send>(&self, mut outs: Vec<O>, f: impl Fn(&mut O, Row<'_, 'a, T>) + Sync + Send) {
        let (n, exponents) = (self.a.weights.len(), self.b.exponents(self.log_reference));
        let chunk = gibbs::rows_per_job(n);
        let jobs = outs.chunks_mut(chunk).enumerate().collect();
        parallel::for_each(jobs, n * exponents.len() * size_of::<f64>(), |(job, outs): (usize, &mut [O])| {
            let mut scratch = Scratch::new();
            for (k, out) in outs.iter_mut().enumerate() {
                if let Some(row) = self.row(job * chunk + k, &exponents, &mut scratch) {
                    f(out, row);
                }
            }
        });
    }
}

/// A row of the plan: a multiple of what is in scratch.
struct Row<'s, 'a, T> {
    gibbs: &'s Gibbs<'a, T>,
    index: usize,
    factor: f64,
    sum: f64,
    scratch: &'s mut Scratch<T>,
}

impl<T: Real> Row<'_, '_, T> {
    /// What leaves the place.
    fn mass(&self) -> f64 {
        self.factor * self.sum
    }

    /// What it pays, at costs less the least.
    fn spent(&mut self) -> f64 {
        self.gibbs.spent(self.index, self.factor, self.scratch)
    }

    fn write(&self, write: impl FnMut(usize, f64)) {
        self.scratch.write(self.factor, write);
    }

    /// By what each difference of coordinates, or its sign, is multiplied in the slope of the row's cost.
    fn pulls(&mut self, ground: GroundCost) -> Vec<f64> {
        let mut pulls = match ground {
            GroundCost::Euclidean => self.gibbs.costs(self.index, self.scratch),
            GroundCost::SquaredEuclidean => vec![0.5; self.gibbs.width()],
            GroundCost::Manhattan => vec![1.0; self.gibbs.width()],
        };
        self.write(|j, mass| pulls[j] = if pulls[j] == 0.0 { 0.0 } else { mass / pulls[j] });
        pulls
    }
}
