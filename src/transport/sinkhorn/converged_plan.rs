//! The plan of converged potentials, and what follows from it: value, costs and slopes.

use ndarray::{Array2, ArrayView2, Axis};

use super::alternating::Alternating;
use super::flat::Flat;
use super::gibbs::{Gibbs, Scratch};
use super::side::{Side, Softness};
use super::slope::Slope;
use super::symmetric::Symmetric;
use crate::reduction;
use crate::simd::dispatch;
use crate::transport::GroundCost;
use crate::transport::reduced_costs::rows_per_job;
use crate::{Real, parallel};

/// Both potentials, and the plan `P_ij = r a_i b_j e^((f_i + g_j - C_ij)/ε)` that they make.
pub(super) struct ConvergedPlan<'a, T> {
    gibbs: Gibbs<'a, T>,
    pub(super) a: Side,
    pub(super) b: Side,
    /// The potentials of all places, without offsets.
    all: [Vec<f64>; 2],
    /// `ln` of the plan's marginals over the product's, where they are near each other and marginals are free.
    above: Option<[Vec<f64>; 2]>,
    softness: Softness,
    log_constant: f64,
    regularization: f64,
    /// `Σ P - r Σ a Σ b`, over the places that are counted.
    excess: f64,
}

/// One of the sides.
#[derive(Clone, Copy)]
pub(super) enum End {
    A,
    B,
}

impl<'a, T: Real> ConvergedPlan<'a, T> {
    /// After a round, when the rows of the plan sum to what they should.
    pub(super) fn alternating(rounds: Alternating<'a, T>, regularization: f64) -> Self {
        let all = rounds.spread();
        let Alternating { gibbs, a, b, softness, log_constant, .. } = rounds;
        let mass = a.weighted(|i| softness.kept(a.whole(i)));
        let excess = mass - a.total * reference(softness, b.total);
        Self { gibbs, a, b, all, above: None, softness, log_constant, regularization, excess }
    }

    /// The same where the plan is near the product.
    pub(super) fn flat(rounds: Flat<'a, T>, regularization: f64) -> Self {
        let (all, excess) = (rounds.spread(), rounds.excess());
        let above = (rounds.softness.0 > 0.0).then(|| rounds.above(&all));
        let Flat { gibbs, a, b, softness, log_constant, .. } = rounds;
        Self { gibbs, a, b, all, above, softness, log_constant, regularization, excess }
    }

    /// After a round, whose sums of rows tell the mass.
    pub(super) fn symmetric(rounds: Symmetric<'a, T>, regularization: f64) -> Self {
        let mass = rounds.side.weighted(|i| rounds.log_kept(i).exp());
        let all = rounds.spread();
        let Symmetric { gibbs, side, softness, log_constant, .. } = rounds;
        let excess = mass - side.total * reference(softness, side.total);
        Self {
            gibbs,
            b: side.clone(),
            a: side,
            all: [all.clone(), all],
            above: None,
            softness,
            log_constant,
            regularization,
            excess,
        }
    }

    /// Whether marginals are kept exactly.
    pub(super) fn is_balanced(&self) -> bool {
        self.softness.0 == 0.0
    }

    /// The dual value: `Σ a ρ (1 - e^(-f/ρ)) + Σ b ρ (1 - e^(-g/ρ)) - ε (Σ P - r Σ a Σ b)`.
    pub(super) fn value(&self) -> f64 {
        let Self { a, b, softness, regularization, excess, .. } = self;
        let gain = |side: &Side| side.weighted(|i| softness.gain(side.whole(i)));
        let open = regularization * (gain(a) + gain(b) - excess);
        if a.stuck.is_empty() && b.stuck.is_empty() {
            return open;
        }
        // What cannot go anywhere is paid for, and is missing from the plan.
        let stuck = a.stuck_total + b.stuck_total;
        let product = a.total * b.stuck_total + a.stuck_total * b.whole_total();
        open + regularization * (stuck / softness.0 + product)
    }

    pub(super) fn side(&self, end: End) -> (&Side, &Side, &[f64]) {
        match end {
            End::A => (&self.a, &self.b, &self.all[0]),
            End::B => (&self.b, &self.a, &self.all[1]),
        }
    }

    /// The potentials of all places in the unit of the costs: +inf where no way is open, NaN where the costs of a place
    /// without weight are no numbers.
    pub(super) fn potentials(&self, end: End) -> Vec<f64> {
        let (side, _, all) = self.side(end);
        all.iter().map(|p| self.in_costs(p + side.offset)).collect()
    }

    /// A potential in the unit of the costs. Only what was infinite before is: one that does not fit is no number.
    fn in_costs(&self, potential: f64) -> f64 {
        match self.regularization * potential {
            wide if wide.is_infinite() && potential.is_finite() => f64::NAN,
            wide => wide,
        }
    }

    /// The gradient in the weights of one side. Balanced, a constant is left open.
    pub(super) fn weight_slopes(&self, end: End) -> Vec<f64> {
        let (side, other, all) = self.side(end);
        if self.softness.0 == 0.0 {
            return all.iter().map(|&p| self.in_costs(p)).collect();
        }
        let reference = other.whole_total();
        let above = self.above.as_ref().map(|[a, b]| if matches!(end, End::A) { a } else { b });
        let sent = |i: usize, p: f64| match above {
            Some(above) => reference * above[i].exp_m1(),
            None => self.softness.kept(p) - reference,
        };
        let slope = |(i, p): (usize, &f64)| self.softness.gain(p + side.offset) - sent(i, p + side.offset);
        all.iter().enumerate().map(|at| self.regularization * slope(at)).collect()
    }

    /// `⟨P, C⟩`, and the most that leaves a place.
    pub(super) fn transport_cost(&self) -> (f64, f64) {
        let mut parts = vec![[0.0; 2]; self.a.weights.len()];
        self.for_each_row(parts.iter_mut().collect(), |part, mut row| **part = [row.spent(), row.mass()]);
        let total = |k: usize| reduction::sum(&parts.iter().map(|part| part[k]).collect::<Vec<_>>());
        let largest = parts.iter().fold(0.0, |largest, part| if part[1] <= largest { largest } else { part[1] });
        (total(0) + self.gibbs.base * total(1), largest)
    }

    /// The first place from which the plan sends what does not fit the type.
    pub(super) fn overflown(&self) -> Option<usize> {
        let mut fits = vec![true; self.a.weights.len()];
        let is_finite = |mass: f64| T::from_f64(mass).is_finite();
        self.for_each_row(fits.iter_mut().collect(), |fits, row| row.write(|_, mass| **fits &= is_finite(mass)));
        fits.iter().position(|fits| !fits).map(|i| self.a.places[i])
    }

    /// All entries of the plan.
    pub(super) fn dense(&self) -> Array2<T> {
        let mut plan = Array2::zeros((self.a.count, self.b.count));
        let rows = chosen(plan.axis_iter_mut(Axis(0)), &self.a.places);
        self.for_each_row(rows, |out, row| row.write(|j, mass| out[self.b.places[j]] = T::from_f64(mass)));
        plan
    }

    /// One row of the plan.
    pub(super) fn plan_row_into(&self, place: usize, out: &mut [f64]) {
        out.fill(0.0);
        if let Ok(i) = self.a.places.binary_search(&place) {
            let (exponents, mut scratch) = (self.b.exponents(self.log_constant), Scratch::new());
            self.row(i, &exponents, &mut scratch).write(|j, mass| out[self.b.places[j]] = mass);
        }
    }

    /// The gradient in the points of the first side: `Σ_j P_ij ∇C(x_i, y_j)`, as costs are between points.
    pub(super) fn slopes(&self, x: ArrayView2<'_, T>, y: ArrayView2<'_, T>, ground: GroundCost) -> Array2<f64> {
        let axis = |k: usize| self.b.places.iter().map(|&j| y[[j, k]].as_f64()).collect::<Vec<_>>();
        let axes: Vec<Vec<f64>> = (0..y.ncols()).map(axis).collect();
        let mut slopes = Array2::zeros(x.dim());
        self.for_each_row(chosen(slopes.axis_iter_mut(Axis(0)), &self.a.places), |out, mut row| {
            let weights = row.pulls(ground);
            for ((out, axis), from) in out.iter_mut().zip(&axes).zip(x.row(self.a.places[row.index])) {
                *out = dispatch(Slope {
                    weights: &weights,
                    axis,
                    from: from.as_f64(),
                    is_sign: ground == GroundCost::Manhattan,
                });
            }
        });
        slopes
    }

    /// The same from the other side.
    pub(super) fn transposed(&self) -> Self {
        let [a, b] = &self.all;
        Self {
            gibbs: self.gibbs.transposed(&self.b),
            a: self.b.clone(),
            b: self.a.clone(),
            all: [b.clone(), a.clone()],
            above: None,
            ..*self
        }
    }

    fn row<'s>(&'s self, i: usize, exponents: &[f64], scratch: &'s mut Scratch<T>) -> Row<'s, 'a, T> {
        let (weight, potential) = (self.a.weights[i], self.a.potential[i]);
        let sum = self.gibbs.row(i, potential, exponents, scratch);
        Row { gibbs: &self.gibbs, index: i, factor: weight * sum.factor(potential), sum: sum.sum(), scratch }
    }

    /// Gives the row of the plan of every place that is counted to `f`, with its output.
    fn for_each_row<O: Send>(&self, mut outs: Vec<O>, f: impl Fn(&mut O, Row<'_, 'a, T>) + Sync + Send) {
        let (n, exponents) = (self.a.weights.len(), self.b.exponents(self.log_constant));
        let chunk = rows_per_job(n);
        let jobs = outs.chunks_mut(chunk).enumerate().collect();
        parallel::for_each(jobs, n * exponents.len() * size_of::<f64>(), |(job, outs): (usize, &mut [O])| {
            let mut scratch = Scratch::new();
            for (k, out) in outs.iter_mut().enumerate() {
                f(out, self.row(job * chunk + k, &exponents, &mut scratch));
            }
        });
    }
}

/// `r Σ w`, balanced exactly 1.
fn reference(softness: Softness, total: f64) -> f64 {
    if softness.0 == 0.0 { 1.0 } else { total }
}

/// Those at these places, which are in order.
fn chosen<I: Iterator>(all: I, places: &[usize]) -> Vec<I::Item> {
    let mut places = places.iter().peekable();
    all.enumerate().filter(|(i, _)| places.next_if(|place| *place == i).is_some()).map(|(_, item)| item).collect()
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
