//! The search for an interval: which bounds are tried, in which order.

use ndarray::Array1;

use super::config::EmdBounds;
use super::interval::{EmdInterval, Interval, LowerBound, UpperBound};
use crate::transport::any_cost::AnyCost;
use crate::transport::certificates::{
    Held, ProjectedPoints, Spent, chosen, dual_value, leaving, product_cost, rounded_cost,
};
use crate::transport::emd::{Ended, Limits, Simplex, finish, finite_plan, from_zero};
use crate::transport::problem::Masses;
use crate::transport::reduced_costs::{Rounding, least_of_columns, least_of_rows};
use crate::transport::{Cost, Flow, Sinkhorn, SinkhornSolution, TransportProblem, mass};
use crate::{Error, Position, Real, Result, check};

/// Rounds of a stage at most, and the error of the marginals at which it stops before: rounding repairs what is left.
const ROUNDS: usize = 30;
const STAGE_TOLERANCE: f64 = 0.01;

/// The regularization is divided by this from one stage to the next. Another stage follows where the last has left at most
/// the share [`MIN_PROGRESS`] of the interval's width.
const STAGE_FACTOR: f64 = 3.0;
const MIN_PROGRESS: f64 = 0.8;

/// The range of the costs, divided by the first regularization.
const FIRST_RATIO: f64 = 16.0;

pub(in crate::transport) fn solve<T: Real>(
    bounds: EmdBounds,
    problem: TransportProblem<'_, T>,
) -> Result<EmdInterval<T>> {
    let EmdBounds { gap, budget } = bounds;
    check::non_negative("gap", gap)?;
    check::parameter("budget", budget as f64, ">= 1", budget >= 1)?;
    let masses = problem.held_masses()?.scaled();
    Search::new(&problem, masses, bounds).run()
}

/// One call: the problem, and the bounds that have been found so far.
pub(super) struct Search<'a, 'p, T> {
    problem: &'p TransportProblem<'a, T>,
    cost: AnyCost<'a>,
    masses: Masses,
    /// What masses have been divided by, a power of two.
    unit: f64,
    held: Held<'a>,
    settings: EmdBounds,
    interval: Interval,
    /// The largest dual value so far, and the potentials of the columns that have it.
    best_dual: f64,
    potentials: Vec<f64>,
    /// An upper bound on the number of roundings in any sum over the problem.
    roundings: f64,
    /// One rounding of the largest cost that all mass could have.
    size: f64,
    /// The least cost, and the largest finite cost less the least.
    least: f64,
    range: f64,
}

impl<'a, 'p, T: Real> Search<'a, 'p, T> {
    /// A search that has found nothing yet.
    pub(super) fn new(problem: &'p TransportProblem<'a, T>, masses: Masses, settings: EmdBounds) -> Self {
        let (cost, (unit, masses)) = (problem.any_cost(), in_units(masses));
        let dimension = match problem.cost {
            Cost::Matrix(_) => 0,
            Cost::Points { x, .. } => x.ncols(),
        };
        Self {
            problem,
            cost,
            unit,
            held: Held::new(cost, &masses),
            settings,
            interval: Interval::new(),
            best_dual: f64::NEG_INFINITY,
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
        self.interval.to_real(self.unit, self.roundings * f64::from_bits(1))
    }

    /// Some plan must have been found: where ways are forbidden, the product is not one. The gap cannot become smaller than
    /// what both ends are moved outwards for round-off.
    fn is_over(&self) -> bool {
        let gap = self.settings.gap.max(4.0 * self.roundings * f64::EPSILON);
        self.interval.upper < f64::INFINITY
            && (self.interval.are_near(gap) || self.interval.passes >= self.settings.budget)
    }

    /// How far off a sum may be, where `size` is one rounding of it; a sum of zeros is exact.
    fn margin(&self, size: f64) -> f64 {
        if size == 0.0 { 0.0 } else { self.roundings * (size + f64::from_bits(1)) }
    }

    /// The range of the costs, and the bound of all mass at the least of them. One pass; the product coupling takes
    /// another.
    fn measure(&mut self) -> Result<()> {
        let (mut least, mut most, mut scratch) = (f64::INFINITY, f64::NEG_INFINITY, Vec::new());
        for k in 0..self.held.rows.len() {
            for cost in self.held.row(k, &mut scratch).iter() {
                let is_open = cost < f64::INFINITY;
                (least, most) = (least.min(cost), if is_open { most.max(cost) } else { most });
            }
        }
        if most == f64::NEG_INFINITY {
            finite_plan(self.cost, &self.masses)?;
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
            // A sum of tiny terms may round to zero, which does not make it exact.
            let size = if self.size > 0.0 { (f64::EPSILON * size).max(f64::from_bits(1)) } else { 0.0 };
            self.interval.lower_upper(cost, self.margin(size), UpperBound::Product);
        }
        self.interval.passes += 2;
        Ok(())
    }

    /// Raises the lower end; where no cost is negative, never by a number below zero.
    fn raise(&mut self, lower: f64, size: f64, by: LowerBound) {
        let margin = self.margin(size);
        self.interval.raise_lower(lower, if self.least >= 0.0 { margin.min(lower.max(0.0)) } else { margin }, by);
    }

    /// Bounds from relaxed problems, which are solved without a plan.
    fn relaxed(&mut self) -> Result<()> {
        if let Some(points) = ProjectedPoints::of(&self.problem.cost, &self.masses) {
            self.raise(points.axes()?, self.size, LowerBound::Axes);
        }
        let [n, m] = self.cost.shape();
        let stays = |&i: &usize| self.masses.b[i] == 0.0 || self.cost.at(i, i) == 0.0;
        if n == m && self.held.rows.iter().all(stays) {
            self.interval.passes += 1;
            if let Ok(bound) = leaving(&self.held, &self.masses) {
                self.raise(bound, self.size, LowerBound::TotalVariation);
            }
        }
        Ok(())
    }

    /// Potentials from the c-transform of zero.
    fn transformed(&mut self) -> Result<()> {
        self.prove_from(&vec![0.0; self.held.a.len()], LowerBound::CTransform);
        Ok(())
    }

    /// Raises the lower end by the dual value of potentials that are feasible, and keeps those of the columns where they are
    /// better than any before. The dual value.
    fn prove(&mut self, u: &[f64], v: Vec<f64>, by: LowerBound) -> f64 {
        let lower = dual_value(&self.held, u, &v);
        let absolute = |potentials: &[f64]| potentials.iter().map(|p| p.abs()).collect::<Vec<_>>();
        self.raise(lower, f64::EPSILON * dual_value(&self.held, &absolute(u), &absolute(&v)), by);
        if lower > self.best_dual {
            (self.best_dual, self.potentials) = (lower, v);
        }
        lower
    }

    /// The same for the c-transform of potentials of the rows, and the c-transform of that. Two passes.
    fn prove_from(&mut self, u: &[f64], by: LowerBound) -> f64 {
        self.interval.passes += 2;
        let Held { costs, rows, .. } = &self.held;
        let v = from_zero(least_of_columns(costs, rows, u, Rounding::Nearest));
        let u = least_of_rows(costs, rows, &v);
        self.prove(&u, v, by)
    }

    /// The tree that the simplex would begin with.
    fn greedy(&mut self) -> Result<()> {
        let simplex = self.simplex()?;
        self.take(&simplex, LowerBound::Greedy, UpperBound::Greedy)
    }

    fn simplex(&self) -> Result<Simplex<'a>> {
        let mut all = vec![0.0; self.masses.b.len()];
        self.held.columns.iter().zip(&self.potentials).for_each(|(&j, &v)| all[j] = v);
        Simplex::new(self.cost, &self.masses, Some(&all))
    }

    /// Stages of Sinkhorn's iteration with falling regularization, each from the potential of the last, for as long as the
    /// interval of a stage is much narrower than that of the last.
    fn entropic(&mut self) -> Result<()> {
        let (mut regularization, mut width) = (self.range / FIRST_RATIO, f64::INFINITY);
        // The potential of the columns, in the type of the caller: any potential proves a bound, so that its rounding is
        // harmless.
        let mut g: Option<Array1<T>> = None;
        while !self.is_over() {
            let sinkhorn =
                Sinkhorn { regularization, max_iterations: ROUNDS, tolerance: STAGE_TOLERANCE, ..Sinkhorn::default() };
            let solution = match &g {
                None => sinkhorn.solve(*self.problem),
                Some(g) => sinkhorn.solve_from(*self.problem, g),
            };
            // The iteration fails where the range of the costs is tiny beside them; the simplex does not.
            let Ok(solution) = solution else { break };
            let proved = self.rounded(&solution, regularization);
            // A width below the round-off of the repaired plan cannot fall further.
            if !(proved <= MIN_PROGRESS * width && proved < f64::INFINITY) || proved <= 2.0 * self.margin(self.size) {
                break;
            }
            (g, width, regularization) = (Some(solution.g), proved, regularization / STAGE_FACTOR);
        }
        Ok(())
    }

    /// The width of the interval that a stage proves: from its plan, made feasible, and from its potential by c-transforms.
    /// Six passes beside the rounds: one to find the range of the costs, three for the plan, two for the potentials.
    fn rounded(&mut self, solution: &SinkhornSolution<'_, T>, regularization: f64) -> f64 {
        let unit = self.unit;
        let mut plan_row = |i: usize, out: &mut [f64]| {
            solution.plan_row_into(i, out);
            out.iter_mut().for_each(|mass| *mass /= unit);
        };
        let Spent { cost, astray, .. } = rounded_cost(&self.held, &self.masses, &mut plan_row);
        // Rounding spreads what is missing over all ways, forbidden ones too: then the plan bounds nothing.
        let upper = if astray.is_none() { cost } else { f64::INFINITY };
        let f: Vec<f64> = self.held.rows.iter().map(|&i| solution.f[i].as_f64()).collect();
        self.interval.passes += solution.iterations + 4;
        let lower = self.prove_from(&f, LowerBound::Sinkhorn { regularization });
        self.interval.lower_upper(upper, self.margin(self.size), UpperBound::Sinkhorn { regularization });
        upper - lower
    }

    /// The simplex, for as long as it may take.
    fn exact(&mut self) -> Result<()> {
        let n = self.held.rows.len() as u64;
        let rows = n * self.settings.budget.saturating_sub(self.interval.passes) as u64;
        let mut simplex = self.simplex()?;
        let optimal = simplex.run(Limits { exchanges: u64::MAX, rows }) == Ended::Optimal;
        self.interval.passes += simplex.rows_read.div_ceil(n) as usize;
        match optimal {
            true => self.take(&simplex, LowerBound::Exact, UpperBound::Exact),
            false => self.take(&simplex, LowerBound::Simplex, UpperBound::Simplex),
        }
    }

    /// The bounds of a tree: from its plan, and from its potentials, raised as far as costs allow. Two passes.
    fn take(&mut self, simplex: &Simplex<'a>, lower_by: LowerBound, upper_by: UpperBound) -> Result<()> {
        self.interval.passes += 2;
        let solved = finish(self.cost, &self.masses, simplex)?;
        // Mass that was moved by rounding pays at most the largest cost of the plan.
        let largest = |most: f64, flow: &Flow<f64>| most.max(self.cost.at(flow.from, flow.to).abs());
        let size = f64::EPSILON * mass::total(&self.held.a) * solved.plan.flows().iter().fold(0.0, largest);
        self.interval.lower_upper(solved.primal, self.margin(size), upper_by);
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
    masses.wanted.iter_mut().for_each(|mass| *mass = mass.times(half).times(half));
    ((1.0 / half) / half, masses)
}
