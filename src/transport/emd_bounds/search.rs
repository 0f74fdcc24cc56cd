//! What is tried, in which order, and what it adds to the ends.

use ndarray::Array1;

use super::EmdBounds;
use super::interval::{EmdInterval, Ends, LowerBound, UpperBound};
use crate::transport::certificates::{Held, Seen, Spent, chosen, leaving, product_cost, rounded_cost, to_rows, worth};
use crate::transport::emd::{Ended, Limits, Simplex, finish, finite_plan, from_zero};
use crate::transport::problem::Masses;
use crate::transport::{Cost, Flow, Sinkhorn, SinkhornSolution, TransportProblem, mass};
use crate::{Error, Position, Real, Result};

/// Rounds of a stage at most, and the error of the marginals with which it is content: rounding repairs what is left.
const ROUNDS: usize = 30;
const AGREED: f64 = 0.01;

/// By what the regularization falls from one stage to the next, and the share of the width that a stage may leave if another
/// is to follow.
const FALL: f64 = 3.0;
const ENOUGH: f64 = 0.8;

/// The range of the costs over the first regularization.
const COARSE: f64 = 16.0;

/// One call: the problem, what is known, and what may still be spent.
pub(super) struct Search<'a, 'p, T> {
    problem: &'p TransportProblem<'a, T>,
    masses: Masses,
    /// What masses have been divided by, a power of two.
    unit: f64,
    held: Held<'a, T>,
    settings: EmdBounds,
    ends: Ends,
    /// The largest dual value so far, and the potentials of the columns that have it.
    worth: f64,
    potentials: Vec<f64>,
    /// Number of roundings that a sum over the problem makes, at most.
    roundings: f64,
    /// A rounding of all mass at the largest of the costs.
    size: f64,
    /// The least cost, and how far the largest that is finite lies above it.
    least: f64,
    range: f64,
}

impl<'a, 'p, T: Real> Search<'a, 'p, T> {
    /// Nothing known.
    pub(super) fn new(problem: &'p TransportProblem<'a, T>, masses: Masses, settings: EmdBounds) -> Self {
        let (unit, masses) = in_units(masses);
        let dimension = match problem.cost {
            Cost::Matrix(_) => 0,
            Cost::Points { x, .. } => x.ncols(),
        };
        Self {
            problem,
            unit,
            held: Held::new(&problem.cost, &masses),
            settings,
            ends: Ends::new(),
            worth: f64::NEG_INFINITY,
            potentials: Vec::new(),
            roundings: 2.0 * (masses.a.len() + masses.b.len() + dimension + 128) as f64,
            size: 0.0,
            least: 0.0,
            range: 0.0,
            masses,
        }
    }

    /// Tries one thing after another until the ends are near enough or nothing may be spent any more.
    pub(super) fn run(mut self) -> Result<EmdInterval<T>> {
        self.measure()?;
        let steps: [fn(&mut Self) -> Result<()>; 5] =
            [Self::relaxed, Self::transformed, Self::greedy, Self::entropic, Self::exact];
        for step in steps {
            if self.is_over() {
                break;
            }
            step(&mut self)?;
        }
        self.ends.to_real(self.unit, self.roundings * f64::from_bits(1))
    }

    /// Some plan must have been found: where ways are forbidden, the product is not one. The gap cannot become smaller than what
    /// both ends are moved outwards for round-off.
    fn is_over(&self) -> bool {
        let gap = self.settings.gap.max(4.0 * self.roundings * f64::EPSILON);
        self.ends.upper < f64::INFINITY && (self.ends.are_near(gap) || self.ends.passes >= self.settings.budget)
    }

    /// How far off a sum may be, where `size` is one rounding of it; a sum of zeros is exact.
    fn margin(&self, size: f64) -> f64 {
        if size == 0.0 { 0.0 } else { self.roundings * (size + f64::from_bits(1)) }
    }

    /// What the costs are like, and all mass at the least of them. One pass; the product coupling takes another.
    fn measure(&mut self) -> Result<()> {
        let (mut least, mut most, mut scratch) = (f64::INFINITY, f64::NEG_INFINITY, Vec::new());
        for k in 0..self.held.rows.len() {
            for cost in self.held.row(k, &mut scratch).iter() {
                let is_open = cost < f64::INFINITY;
                (least, most) = (least.min(cost), if is_open { most.max(cost) } else { most });
            }
        }
        if most == f64::NEG_INFINITY {
            finite_plan(self.problem, &self.masses)?;
        }
        let total = mass::total(&self.held.a);
        let rounding = f64::EPSILON * total;
        (self.least, self.range, self.size) = (least, most - least, rounding * least.abs().max(most.abs()));
        if !self.range.is_finite() {
            return Err(Error::overflow::<f64>("cost", Position::default()));
        }
        self.raise(total * least, rounding * least.abs(), LowerBound::LeastCost);
        let Spent { cost, size, astray } = product_cost(&self.held);
        if astray.is_none() {
            // Its parts may be too small to be seen.
            let size = if self.size > 0.0 { (f64::EPSILON * size).max(f64::from_bits(1)) } else { 0.0 };
            self.ends.press(cost, self.margin(size), UpperBound::Product);
        }
        self.ends.passes += 2;
        Ok(())
    }

    /// Raises the lower end: no plan costs less than nothing where no way does.
    fn raise(&mut self, lower: f64, size: f64, by: LowerBound) {
        let margin = self.margin(size);
        self.ends.raise(lower, if self.least >= 0.0 { margin.min(lower.max(0.0)) } else { margin }, by);
    }

    /// Problems that are solved without a plan.
    fn relaxed(&mut self) -> Result<()> {
        if let Some(seen) = Seen::of(&self.problem.cost, &self.masses) {
            self.raise(seen.axes()?, self.size, LowerBound::Axes);
        }
        let [n, m] = self.problem.cost.shape();
        let stays = |&i: &usize| self.masses.b[i] == 0.0 || self.problem.cost.at(i, i) == 0.0;
        if n == m && self.held.rows.iter().all(stays) {
            self.ends.passes += 1;
            if let Ok(bound) = leaving(&self.held, &self.masses) {
                self.raise(bound, self.size, LowerBound::TotalVariation);
            }
        }
        Ok(())
    }

    /// Potentials from nothing.
    fn transformed(&mut self) -> Result<()> {
        self.prove_from(&vec![0.0; self.held.a.len()], LowerBound::CTransform);
        Ok(())
    }

    /// Raises the lower end by the dual value of potentials that are feasible, and keeps those of the columns where they are
    /// worth more than any before. The dual value.
    fn prove(&mut self, u: &[f64], v: Vec<f64>, by: LowerBound) -> f64 {
        let lower = worth(&self.held, u, &v);
        let absolute = |potentials: &[f64]| potentials.iter().map(|p| p.abs()).collect::<Vec<_>>();
        self.raise(lower, f64::EPSILON * worth(&self.held, &absolute(u), &absolute(&v)), by);
        if lower > self.worth {
            (self.worth, self.potentials) = (lower, v);
        }
        lower
    }

    /// The same for what potentials of the rows leave room for, and what that leaves. Two passes.
    fn prove_from(&mut self, u: &[f64], by: LowerBound) -> f64 {
        self.ends.passes += 2;
        let mut all = vec![f64::NEG_INFINITY; self.masses.a.len()];
        self.held.rows.iter().zip(u).for_each(|(&i, &u)| all[i] = u);
        let v = from_zero(self.held.to_columns(&all));
        self.prove(&to_rows(&self.held, &v), v, by)
    }

    /// The tree that the simplex would begin with.
    fn greedy(&mut self) -> Result<()> {
        let simplex = self.simplex()?;
        self.take(&simplex, LowerBound::Greedy, UpperBound::Greedy)
    }

    fn simplex(&self) -> Result<Simplex<'a, T>> {
        let mut all = vec![0.0; self.masses.b.len()];
        self.held.columns.iter().zip(&self.potentials).for_each(|(&j, &v)| all[j] = v);
        Simplex::new(&self.problem.cost, &self.masses, Some(&all))
    }

    /// Stages of Sinkhorn's iteration with falling regularization, each from where the last has ended, for as long as what
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
            // Nor is there more to prove below the round-off of what is repaired.
            if !(proved <= ENOUGH * width && proved < f64::INFINITY) || proved <= 2.0 * self.margin(self.size) {
                break;
            }
            (g, width, regularization) = (Some(solution.g), proved, regularization / FALL);
        }
        Ok(())
    }

    /// What a stage proves: its plan made feasible, and its potential with all the room that it leaves. Six passes beside
    /// the rounds: one to find the range of the costs, three for the plan, two for the potentials. The width of both.
    fn rounded(&mut self, solution: &SinkhornSolution<'_, T>, regularization: f64) -> f64 {
        let unit = self.unit;
        let plan_row = |i: usize, out: &mut [f64]| {
            solution.plan_row_into(i, out);
            out.iter_mut().for_each(|mass| *mass /= unit);
        };
        let Spent { cost, astray, .. } = rounded_cost(&self.held, &self.masses, plan_row);
        // What rounding spreads goes everywhere, so that forbidden ways leave nothing of it.
        let upper = if astray.is_none() { cost } else { f64::INFINITY };
        let f: Vec<f64> = self.held.rows.iter().map(|&i| solution.f[i].as_f64()).collect();
        self.ends.passes += solution.iterations + 4;
        let lower = self.prove_from(&f, LowerBound::Sinkhorn { regularization });
        self.ends.press(upper, self.margin(self.size), UpperBound::Sinkhorn { regularization });
        upper - lower
    }

    /// The simplex, for as long as it may take.
    fn exact(&mut self) -> Result<()> {
        let n = self.held.rows.len() as u64;
        let rows = n * self.settings.budget.saturating_sub(self.ends.passes) as u64;
        let mut simplex = self.simplex()?;
        let optimal = simplex.run(Limits { exchanges: u64::MAX, rows }) == Ended::Optimal;
        self.ends.passes += simplex.rows_read.div_ceil(n) as usize;
        match optimal {
            true => self.take(&simplex, LowerBound::Exact, UpperBound::Exact),
            false => self.take(&simplex, LowerBound::Simplex, UpperBound::Simplex),
        }
    }

    /// What a tree stands for: its plan, and its potentials with all the room that they leave. Two passes.
    fn take(&mut self, simplex: &Simplex<'a, T>, lower_by: LowerBound, upper_by: UpperBound) -> Result<()> {
        self.ends.passes += 2;
        let solved = finish(self.problem, &self.masses, simplex)?;
        // What rounding of the masses has moved pays what the plan's ways cost, and no more.
        let largest = |most: f64, flow: &Flow<f64>| most.max(self.problem.cost.at(flow.from, flow.to).abs());
        let size = f64::EPSILON * mass::total(&self.held.a) * solved.plan.flows().iter().fold(0.0, largest);
        self.ends.press(solved.primal, self.margin(size), upper_by);
        let (u, v) = (chosen(&solved.u, &self.held.rows), chosen(&solved.v, &self.held.columns));
        self.prove(&u, v, lower_by);
        Ok(())
    }
}

/// Masses so far below 1 that products with them might be subnormal, in units of a power of two in which they are not.
fn in_units(mut masses: Masses) -> (f64, Masses) {
    const SMALL: f64 = 1e-150;
    let total = mass::total(&masses.a);
    if total >= SMALL {
        return (1.0, masses);
    }
    // Twice, since the inverse of a subnormal power may not fit.
    let half = (-0.5 * total.log2()).floor().exp2();
    masses.a.iter_mut().chain(&mut masses.b).for_each(|mass| *mass = *mass * half * half);
    ((1.0 / half) / half, masses)
}
