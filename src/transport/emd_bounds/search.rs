//! What is tried, in which order, and what it adds to the ends.

use ndarray::Array1;

use super::EmdBounds;
use super::interval::{Ends, LowerBound, UpperBound};
use crate::transport::certificates::{Seen, leaving, product_cost, rounded_cost, to_columns, to_rows};
use crate::transport::cost_rows::CostRows;
use crate::transport::emd::{Ended, Limits, Simplex, Solved, dual, finish, from_zero};
use crate::transport::problem::Masses;
use crate::transport::{Cost, Sinkhorn, SinkhornSolution, TransportProblem, mass};
use crate::{Error, Position, Real, Result};

/// Rounds of a stage at most, and the error of the marginals with which it is content: rounding repairs what is left.
const ROUNDS: usize = 30;
const AGREED: f64 = 0.01;

/// By what the regularisation falls from one stage to the next, and the share of the width that a stage may leave if another
/// is to follow.
const FALL: f64 = 3.0;
const ENOUGH: f64 = 0.8;

/// The range of the costs over the first regularisation.
const COARSE: f64 = 16.0;

/// One call: the problem, what is known, and what may still be spent.
pub(super) struct Search<'a, 'p, T> {
    problem: &'p TransportProblem<'a, T>,
    masses: &'p Masses,
    ways: CostRows<'a, T>,
    settings: EmdBounds,
    ends: Ends,
    /// The largest dual value so far, and the potentials of the columns that have it.
    worth: f64,
    potentials: Vec<f64>,
    /// By how much each end is moved outwards.
    slack: f64,
    /// How far the largest cost lies above the least.
    range: f64,
}

impl<'a, 'p, T: Real> Search<'a, 'p, T> {
    /// Nothing known.
    pub(super) fn new(problem: &'p TransportProblem<'a, T>, masses: &'p Masses, settings: EmdBounds) -> Self {
        let ways = CostRows::new(&problem.cost);
        Self {
            problem,
            masses,
            ways,
            settings,
            ends: Ends::new(),
            worth: f64::NEG_INFINITY,
            potentials: Vec::new(),
            slack: 0.0,
            range: 0.0,
        }
    }

    /// Tries one thing after another until the ends are near enough or nothing may be spent any more.
    pub(super) fn run(mut self) -> Result<Ends> {
        self.size()?;
        let steps: [fn(&mut Self) -> Result<()>; 5] =
            [Self::relaxed, Self::transformed, Self::greedy, Self::entropic, Self::exact];
        for step in steps {
            if self.is_over() {
                break;
            }
            step(&mut self)?;
        }
        Ok(self.ends)
    }

    fn is_over(&self) -> bool {
        let Ends { lower, upper, passes, .. } = self.ends;
        let near = self.settings.gap * lower.abs().max(upper.abs());
        upper - lower <= near.max(4.0 * self.slack) || passes >= self.settings.budget
    }

    /// What the costs are like, and all mass at the least of them. One pass; the product coupling takes another.
    fn size(&mut self) -> Result<()> {
        let (mut least, mut most, mut scratch) = (f64::INFINITY, f64::NEG_INFINITY, Vec::new());
        for i in 0..self.masses.a.len() {
            for cost in self.ways.row(i, &mut scratch).iter() {
                (least, most) = (least.min(cost), most.max(cost));
            }
        }
        let largest = least.abs().max(most.abs());
        self.range = most - least;
        let dimension = match self.problem.cost {
            Cost::Matrix(_) => 0,
            Cost::Points { x, .. } => x.ncols(),
        };
        let (total, size) = (mass::total(&self.masses.a), self.masses.a.len() + self.masses.b.len() + dimension + 128);
        self.slack = 2.0 * size as f64 * f64::EPSILON * total * largest;
        if !(self.slack + total * largest).is_finite() {
            return Err(Error::overflow::<f64>("cost", Position::default()));
        }
        // The least cost is no sum: at zero it is exact.
        self.ends.raise(total * least - if least == 0.0 { 0.0 } else { self.slack }, LowerBound::LeastCost);
        self.ends.press(product_cost(&self.ways, self.masses) + self.slack, UpperBound::Product);
        self.ends.passes += 2;
        Ok(())
    }

    /// Problems that are solved without a plan.
    fn relaxed(&mut self) -> Result<()> {
        if let Some(seen) = Seen::of(&self.problem.cost, self.masses) {
            self.ends.raise(seen.axes()? - self.slack, LowerBound::Axes);
        }
        let [n, m] = self.problem.cost.shape();
        if n == m && (0..n).all(|i| self.problem.cost.at(i, i) == 0.0) {
            self.ends.passes += 1;
            if let Ok(bound) = leaving(&self.ways, self.masses) {
                self.ends.raise(bound - self.slack, LowerBound::TotalVariation);
            }
        }
        Ok(())
    }

    /// Potentials from nothing.
    fn transformed(&mut self) -> Result<()> {
        let nothing = |mass: &f64| if *mass > 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let u: Vec<f64> = self.masses.a.iter().map(nothing).collect();
        let v = from_zero(to_columns(&self.ways, &u));
        let lower = self.worth_of(&v);
        self.ends.passes += 1;
        self.improve(lower, v, LowerBound::CTransform);
        Ok(())
    }

    /// The dual value of potentials of the columns and what they leave room for. One pass.
    fn worth_of(&mut self, v: &[f64]) -> f64 {
        self.ends.passes += 1;
        dual(self.masses, &to_rows(&self.ways, v, self.masses.a.len()), v)
    }

    /// Raises the lower end, and keeps the potentials of the columns where they are worth more than any before.
    fn improve(&mut self, lower: f64, v: Vec<f64>, by: LowerBound) {
        if lower > self.worth {
            (self.worth, self.potentials) = (lower, v);
        }
        self.ends.raise(lower - self.slack, by);
    }

    /// The tree that the simplex would begin with.
    fn greedy(&mut self) -> Result<()> {
        let simplex = Simplex::new(&self.problem.cost, self.masses, Some(&self.potentials))?;
        let solved = self.solved(&simplex)?;
        self.take(solved, LowerBound::Greedy, UpperBound::Greedy);
        Ok(())
    }

    /// Stages of Sinkhorn's iteration with falling regularisation, each from where the last has ended, for as long as what
    /// they prove by themselves becomes much narrower.
    fn entropic(&mut self) -> Result<()> {
        let (mut regularization, mut width) = (self.range / COARSE, f64::INFINITY);
        // The potential of the columns, in the type of the caller: where it comes from is no matter for what it proves.
        let mut g: Option<Array1<T>> = None;
        while !self.is_over() {
            let sinkhorn =
                Sinkhorn { regularization, max_iterations: ROUNDS, tolerance: AGREED, ..Sinkhorn::default() };
            let solution = match &g {
                None => sinkhorn.solve(*self.problem),
                Some(g) => sinkhorn.solve_from(*self.problem, g),
            };
            // Costs whose range is nothing beside them have no such iteration; the simplex needs none.
            let Ok(solution) = solution else { break };
            let proved = self.rounded(&solution, regularization);
            if proved > ENOUGH * width {
                break;
            }
            (g, width, regularization) = (Some(solution.g), proved, regularization / FALL);
        }
        Ok(())
    }

    /// What a stage proves: its plan made feasible, and its potential with all the room that it leaves. Six passes beside
    /// the rounds: one to find the range of the costs, three for the plan, two for the potentials. The width of both.
    fn rounded(&mut self, solution: &SinkhornSolution<'_, T>, regularization: f64) -> f64 {
        let upper = rounded_cost(&self.ways, self.masses, |i, out| solution.plan_row_into(i, out));
        let f: Vec<f64> = solution.f.iter().map(|f| f.wide()).collect();
        let v = from_zero(to_columns(&self.ways, &f));
        let lower = self.worth_of(&v);
        self.ends.passes += solution.iterations + 5;
        self.improve(lower, v, LowerBound::Sinkhorn { regularization });
        self.ends.press(upper + self.slack, UpperBound::Sinkhorn { regularization });
        upper - lower
    }

    /// The simplex, for as long as it may take.
    fn exact(&mut self) -> Result<()> {
        let n = self.masses.a.len() as u64;
        let rows = n * self.settings.budget.saturating_sub(self.ends.passes) as u64;
        let mut simplex = Simplex::new(&self.problem.cost, self.masses, Some(&self.potentials))?;
        let optimal = simplex.run(Limits { exchanges: u64::MAX, rows }) == Ended::Optimal;
        self.ends.passes += simplex.rows_read.div_ceil(n) as usize;
        let solved = self.solved(&simplex)?;
        match optimal {
            true => self.take(solved, LowerBound::Exact, UpperBound::Exact),
            false => self.take(solved, LowerBound::Simplex, UpperBound::Simplex),
        }
        Ok(())
    }

    /// What a tree stands for. Two passes.
    fn solved(&mut self, simplex: &Simplex<'a, T>) -> Result<Solved> {
        self.ends.passes += 2;
        finish(self.problem, self.masses, simplex)
    }

    fn take(&mut self, solved: Solved, lower_by: LowerBound, upper_by: UpperBound) {
        self.ends.press(solved.primal + self.slack, upper_by);
        self.improve(solved.dual, solved.v, lower_by);
    }
}
