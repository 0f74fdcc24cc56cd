//! What is tried, in which order, and what it adds to the ends.

use super::EmdBounds;
use super::interval::{Ends, LowerBound, UpperBound};
use crate::transport::certificates::{Seen, leaving, product_cost, to_columns, to_rows};
use crate::transport::cost_rows::CostRows;
use crate::transport::emd::{Ended, Limits, Simplex, Solved, dual, finish};
use crate::transport::problem::Masses;
use crate::transport::{Cost, TransportProblem, mass};
use crate::{Error, Position, Real, Result};

/// One call: the problem, what is known, and what may still be spent.
pub(super) struct Search<'a, 'p, T> {
    problem: &'p TransportProblem<'a, T>,
    masses: &'p Masses,
    ways: CostRows<'a, T>,
    settings: EmdBounds,
    ends: Ends,
    /// Potentials of the columns that are worth most so far.
    worth: Vec<f64>,
    /// By how much each end is moved outwards.
    slack: f64,
}

impl<'a, 'p, T: Real> Search<'a, 'p, T> {
    /// Nothing known.
    pub(super) fn new(problem: &'p TransportProblem<'a, T>, masses: &'p Masses, settings: EmdBounds) -> Self {
        let ways = CostRows::new(&problem.cost);
        Self { problem, masses, ways, settings, ends: Ends::new(), worth: Vec::new(), slack: 0.0 }
    }

    /// Tries one thing after another until the ends are near enough or nothing may be spent any more.
    pub(super) fn run(mut self) -> Result<Ends> {
        self.size()?;
        let steps: [fn(&mut Self) -> Result<()>; 4] = [Self::relaxed, Self::transformed, Self::greedy, Self::exact];
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
        let (mut least, mut largest, mut scratch) = (f64::INFINITY, 0.0_f64, Vec::new());
        for i in 0..self.masses.a.len() {
            for cost in self.ways.row(i, &mut scratch).iter() {
                (least, largest) = (least.min(cost), largest.max(cost.abs()));
            }
        }
        let dimension = match self.problem.cost {
            Cost::Matrix(_) => 0,
            Cost::Points { x, .. } => x.ncols(),
        };
        let (total, size) = (mass::total(&self.masses.a), self.masses.a.len() + self.masses.b.len() + dimension + 64);
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
        self.worth = to_columns(&self.ways, &u);
        self.ends.passes += 1;
        self.potentials(LowerBound::CTransform);
        Ok(())
    }

    /// Raises the lower end by the columns' potentials and what they leave room for. One pass.
    fn potentials(&mut self, by: LowerBound) {
        let u = to_rows(&self.ways, &self.worth, self.masses.a.len());
        self.ends.raise(dual(self.masses, &u, &self.worth) - self.slack, by);
        self.ends.passes += 1;
    }

    /// The tree that the simplex would begin with.
    fn greedy(&mut self) -> Result<()> {
        let simplex = Simplex::new(&self.problem.cost, self.masses, Some(&self.worth));
        let solved = self.solved(&simplex)?;
        self.take(&solved, LowerBound::Greedy, UpperBound::Greedy);
        Ok(())
    }

    /// The simplex, for as long as it may take.
    fn exact(&mut self) -> Result<()> {
        let n = self.masses.a.len() as u64;
        let rows = n * self.settings.budget.saturating_sub(self.ends.passes) as u64;
        let mut simplex = Simplex::new(&self.problem.cost, self.masses, Some(&self.worth));
        let optimal = simplex.run(Limits { exchanges: u64::MAX, rows }) == Ended::Optimal;
        self.ends.passes += simplex.rows_read.div_ceil(n) as usize;
        let solved = self.solved(&simplex)?;
        match optimal {
            true => self.take(&solved, LowerBound::Exact, UpperBound::Exact),
            false => self.take(&solved, LowerBound::Simplex, UpperBound::Simplex),
        }
        Ok(())
    }

    /// What a tree stands for. Two passes.
    fn solved(&mut self, simplex: &Simplex<'a, T>) -> Result<Solved> {
        self.ends.passes += 2;
        finish(self.problem, self.masses, simplex)
    }

    fn take(&mut self, solved: &Solved, lower_by: LowerBound, upper_by: UpperBound) {
        if solved.dual - self.slack > self.ends.lower {
            self.worth.clone_from(&solved.v);
        }
        self.ends.raise(solved.dual - self.slack, lower_by);
        self.ends.press(solved.primal + self.slack, upper_by);
    }
}
