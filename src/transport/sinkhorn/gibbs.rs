//! Rows of `e^((f_i + g_j - C_ij)/ε)`, formed anew whenever they are needed: no array of `[n, m]` exists.

use std::collections::BTreeSet;
use std::ops::Range;

use super::lanes::{AddBelow, Affine, Deposit, Deviations, Exponentials, Extremes, Largest, Raise, Spent};
use super::side::Side;
use crate::error::Position;
use crate::simd::dispatch;
use crate::transport::Cost;
use crate::transport::cost_rows::{CostRow, CostRows};
use crate::transport::reduced_costs::{join, rows_per_job};
use crate::{Error, Real, Result, parallel};

/// Elements whose exponentials add in their own type before `f64` takes over.
const BLOCK: usize = 1024;

/// Sums of a row, at the potential that it had before, which are not formed anew: no term was cut or has vanished that
/// would show.
const NEAR: Range<f64> = 1.0 / 2048.0..2048.0;

/// Beyond it, exponents are no numbers.
const LARGEST_EXPONENT: f64 = 1e300;

/// The costs between the places that are counted, and the regularization that makes exponents of them. Exponents are formed
/// in `f64` and are near zero where there is mass, so that in `f32` they lose nothing by being rounded before their
/// exponential is taken.
pub(super) struct Gibbs<'a, T> {
    cost: Cost<'a, T>,
    rows: CostRows<'a>,
    /// The places of the rows.
    places: Vec<usize>,
    /// The least cost, by which all are lowered first, and how far the largest that is finite lies above it.
    pub(super) base: f64,
    pub(super) range: f64,
    /// Whether some way is forbidden.
    pub(super) forbids: bool,
    inverse: f64,
}

/// What the exponentials of a row add up to: `e^-shift` times their sum.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    shift: f64,
    sum: f64,
}

impl Sum {
    /// The soft c-transform `-ln Σ_j e^(v_j - C_ij/ε)`.
    pub(super) fn potential(self) -> f64 {
        self.shift - self.sum.ln()
    }

    /// Sum of the row in scratch.
    pub(super) fn sum(self) -> f64 {
        self.sum
    }

    /// By what the row in scratch is multiplied to add up to `e^(potential - self.potential())`.
    pub(super) fn factor(self, potential: f64) -> f64 {
        if potential == self.potential() { 1.0 / self.sum } else { (potential - self.shift).exp() }
    }
}

/// Memory for a row, of each thread its own.
pub(super) struct Scratch<T> {
    costs: Vec<f64>,
    masses: Vec<T>,
}

impl<T: Real> Scratch<T> {
    pub(super) fn new() -> Self {
        Self { costs: Vec::new(), masses: Vec::new() }
    }

    /// Adds a multiple of the row to these columns.
    pub(super) fn deposit(&self, factor: f64, columns: &mut [f64]) {
        dispatch(Deposit { masses: &self.masses, factor: factor * T::SCALE.as_f64(), columns });
    }

    /// A multiple of the row, exactly zero where nothing is.
    pub(super) fn write(&self, factor: f64, mut write: impl FnMut(usize, f64)) {
        for (j, &mass) in self.masses.iter().enumerate() {
            write(j, factor * (mass * T::SCALE).as_f64());
        }
    }
}

impl<'a, T: Real> Gibbs<'a, T> {
    /// The costs between these sides, which have been checked.
    pub(super) fn new(cost: Cost<'a, T>, a: &Side, b: &Side, regularization: f64) -> Result<Self> {
        let rows = CostRows::of_columns(T::any_cost(cost), &b.places);
        let Span { low, high, forbids } = Span::of(&rows, &a.places);
        let (base, range) = if low <= high { (low, high - low) } else { (0.0, 0.0) };
        let gibbs = Self { cost, rows, places: a.places.clone(), base, range, forbids, inverse: 1.0 / regularization };
        let exponent = range.max(base.abs()) * gibbs.inverse;
        if exponent.is_finite() && exponent < LARGEST_EXPONENT {
            Ok(gibbs)
        } else {
            Err(Error::overflow::<f64>("cost", Position::default()))
        }
    }

    /// The same from the other side, whose places are `b`'s.
    pub(super) fn transposed(&self, b: &Side) -> Self {
        let cost = self.cost.transposed();
        Self { cost, rows: CostRows::of_columns(T::any_cost(cost), &self.places), places: b.places.clone(), ..*self }
    }

    /// Costs of another regularization.
    pub(super) fn set_regularization(&mut self, regularization: f64) {
        self.inverse = 1.0 / regularization;
    }

    /// The places from and to which some way is open.
    pub(super) fn open_ways(&self, b: &Side) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut from, mut to, mut scratch) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for &i in &self.places {
            let row = self.rows.row(i, &mut scratch);
            for (&j, _) in b.places.iter().zip(row.iter()).filter(|(_, cost)| *cost < f64::INFINITY) {
                from.insert(i);
                to.insert(j);
            }
        }
        (from, to)
    }

    /// Whether what the ways from this place cost are numbers, or infinite where they are forbidden.
    pub(super) fn are_costs(&self, place: usize) -> bool {
        self.rows.row(place, &mut Vec::new()).iter().all(|cost| cost > f64::NEG_INFINITY)
    }

    /// Puts multiples of `e^(v_j - C_ij/ε)` into scratch. Where the potential `guess` is near that which the row gets, as
    /// it is but in the first rounds, each exponential is taken once.
    pub(super) fn row(&self, i: usize, guess: f64, exponents: &[f64], scratch: &mut Scratch<T>) -> Sum {
        self.row_of(self.places[i], guess, exponents, scratch)
    }

    fn row_of(&self, place: usize, guess: f64, exponents: &[f64], scratch: &mut Scratch<T>) -> Sum {
        scratch.masses.resize(exponents.len(), T::zero());
        match self.rows.row(place, &mut scratch.costs) {
            CostRow::F32(costs) => self.sum(costs, guess, exponents, &mut scratch.masses),
            CostRow::F64(costs) => self.sum(costs, guess, exponents, &mut scratch.masses),
        }
    }

    fn sum<C: Real>(&self, costs: &[C], guess: f64, exponents: &[f64], masses: &mut [T]) -> Sum {
        let mut at = |shift: f64| Sum { shift, sum: self.exponentials(costs, exponents, shift, masses) };
        let near = at(guess);
        if NEAR.contains(&near.sum) {
            return near;
        }
        let affine = self.affine(0.0);
        match dispatch(Largest { costs, exponents, affine }) {
            // No way is open.
            f64::NEG_INFINITY => Sum { shift: f64::INFINITY, sum: 1.0 },
            largest => at(-largest),
        }
    }

    /// `ln Σ_j e^(v_j - C_ij/ε)` of the rows of these places, of which nothing has been checked: NaN where a cost is not a
    /// number.
    pub(super) fn row_logs(&self, places: &[usize], exponents: &[f64]) -> Vec<f64> {
        let mut scratch = Scratch::new();
        let mut log = |i: usize| -self.row_of(i, 0.0, exponents, &mut scratch).potential();
        places.iter().map(|&i| if self.are_costs(i) { log(i) } else { f64::NAN }).collect()
    }

    /// `e^(v_j - C_ij/ε) - 1` of the row of a place, exact near zero; returns their mean by the shares.
    pub(super) fn deviations(
        &self,
        place: usize,
        exponents: &[f64],
        shares: &[f64],
        costs: &mut Vec<f64>,
        out: &mut [f64],
    ) -> f64 {
        let affine = self.affine(0.0);
        match self.rows.row(place, costs) {
            CostRow::F32(costs) => dispatch(Deviations { costs, exponents, affine, shares, out }),
            CostRow::F64(costs) => dispatch(Deviations { costs, exponents, affine, shares, out }),
        }
    }

    fn exponentials<C: Real>(&self, costs: &[C], exponents: &[f64], shift: f64, masses: &mut [T]) -> f64 {
        let affine = self.affine(shift);
        let blocks = costs.chunks(BLOCK).zip(exponents.chunks(BLOCK)).zip(masses.chunks_mut(BLOCK));
        let sums = blocks.map(|((costs, exponents), out)| {
            dispatch(Exponentials { costs, exponents, affine, out }).as_f64() * T::SCALE.as_f64()
        });
        sums.sum()
    }

    /// `Σ_j P_j C_ij` of the row in scratch, times a factor.
    pub(super) fn spent(&self, i: usize, factor: f64, scratch: &mut Scratch<T>) -> f64 {
        let masses = &scratch.masses;
        let spent = match self.rows.row(self.places[i], &mut scratch.costs) {
            CostRow::F32(costs) => dispatch(Spent { masses, costs, base: self.base }),
            CostRow::F64(costs) => dispatch(Spent { masses, costs, base: self.base }),
        };
        factor * spent
    }

    /// The costs of a row.
    pub(super) fn costs(&self, i: usize, scratch: &mut Scratch<T>) -> Vec<f64> {
        self.rows.row(self.places[i], &mut scratch.costs).iter().collect()
    }

    /// Costs in a row.
    pub(super) fn width(&self) -> usize {
        self.rows.width()
    }

    fn affine(&self, shift: f64) -> Affine {
        Affine { base: self.base, inverse: self.inverse, shift }
    }

    /// `ln Σ_i e^(u_i - C_ij/ε)` of the columns of these places, exact wherever they lie: two passes over their costs.
    pub(super) fn column_logs(&self, columns: &[usize], exponents: &[f64]) -> Vec<f64> {
        if columns.is_empty() {
            return Vec::new();
        }
        let rows = CostRows::of_columns(T::any_cost(self.cost), columns);
        let count = exponents.len().div_ceil(rows_per_job(exponents.len()));
        let mut largest = vec![vec![f64::NEG_INFINITY; columns.len()]; count];
        self.for_each_row(&rows, exponents, &mut largest, |affine, costs, largest| match costs {
            CostRow::F32(costs) => dispatch(Raise { costs, affine, largest }),
            CostRow::F64(costs) => dispatch(Raise { costs, affine, largest }),
        });
        let largest = join(largest, f64::max);
        let mut sums = vec![vec![0.0; columns.len()]; count];
        self.for_each_row(&rows, exponents, &mut sums, |affine, costs, sums| match costs {
            CostRow::F32(costs) => dispatch(AddBelow { costs, affine, largest: &largest, sums }),
            CostRow::F64(costs) => dispatch(AddBelow { costs, affine, largest: &largest, sums }),
        });
        let sums = join(sums, |a, b| a + b);
        largest.into_iter().zip(sums).map(|(largest, sum)| largest + sum.ln()).collect()
    }

    /// Gives every row to `f`, with what its job collects.
    fn for_each_row(
        &self,
        rows: &CostRows<'_>,
        exponents: &[f64],
        parts: &mut [Vec<f64>],
        f: impl Fn(Affine, CostRow<'_>, &mut [f64]) + Sync + Send,
    ) {
        let chunk = rows_per_job(exponents.len());
        let jobs = exponents.chunks(chunk).zip(parts).enumerate().collect();
        let bytes = exponents.len() * rows.width() * size_of::<f64>();
        parallel::for_each(jobs, bytes, |(job, (exponents, part)): (usize, (&[f64], &mut Vec<f64>))| {
            let mut scratch = Vec::new();
            for (&place, &exponent) in self.places[job * chunk..].iter().zip(exponents) {
                f(self.affine(exponent), rows.row(place, &mut scratch), part);
            }
        });
    }
}

/// The least and the largest cost that is finite; the other way round where none is.
struct Span {
    low: f64,
    high: f64,
    forbids: bool,
}

impl Span {
    fn of(rows: &CostRows<'_>, places: &[usize]) -> Self {
        let (mut scratch, mut span) =
            (Vec::new(), Self { low: f64::INFINITY, high: f64::NEG_INFINITY, forbids: false });
        for &i in places {
            let row = rows.row(i, &mut scratch);
            let (low, high) = match row {
                CostRow::F32(costs) => dispatch(Extremes(costs)),
                CostRow::F64(costs) => dispatch(Extremes(costs)),
            };
            span.low = span.low.min(low);
            if high < f64::INFINITY {
                span.high = span.high.max(high);
            } else {
                span.forbids = true;
                span.high = row.iter().filter(|cost| cost.is_finite()).fold(span.high, f64::max);
            }
        }
        span
    }
}
