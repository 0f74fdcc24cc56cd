//! Rounds where the regularization is far above the costs: all of the plan is near the product of the weights, and only its
//! deviations from that are looked at.

use super::gibbs::Gibbs;
use super::lanes::Deposit;
use super::side::{self, Side, Softness};
use super::stages::Report;
use crate::simd::dispatch;
use crate::transport::reduced_costs::{join, rows_per_job};
use crate::{Real, parallel};

/// The regularization over the range of the costs from which rounds are flat. Above it the potentials, which are no larger
/// than the costs, are so far below ε that beside it they would lose digits.
const FLAT: f64 = 16.0;

/// Beyond this multiple of all that a problem holds, the limit is reached to every digit, and ε may as well be this.
const FAR: f64 = 1.606_938_044_258_990_3e60; // 2^200

/// Rounds go on as long as each leaves at most this share of the error.
const MIN_PROGRESS: f64 = 0.5;

/// Potentials of two sides. `P_ij = r a_i b_j e^x` with `x` near zero, of which only `e^x - 1` is formed and summed: the
/// sums of the weights are known, and beside them its digits would be lost.
pub(super) struct Flat<'a, T> {
    pub(super) gibbs: Gibbs<'a, T>,
    pub(super) a: Side,
    pub(super) b: Side,
    pub(super) softness: Softness,
    pub(super) log_constant: f64,
    /// What `x` has in common, and for each column what its mean by the shares of `a` has beside it: `ln (1 + mean)`.
    common: f64,
    logs: Vec<f64>,
}

/// Rows that are updated one after the other.
struct Job<'t> {
    first: usize,
    potential: &'t mut [f64],
    part: &'t mut Part,
}

/// What a job collects: of each column, and of all.
struct Part {
    columns: Vec<f64>,
    all: f64,
}

/// Whether costs of this kind are all small beside it. A forbidden way never is.
pub(super) fn is_flat<T: Real>(gibbs: &Gibbs<'_, T>, regularization: f64) -> bool {
    !gibbs.forbids && regularization >= FLAT * gibbs.range
}

/// The regularization itself, or a smaller one whose problem has the same solution to every digit, at which no quotient is
/// subnormal.
pub(super) fn within_reach<T: Real>(gibbs: &Gibbs<'_, T>, regularization: f64, penalty: Option<f64>) -> f64 {
    let largest = gibbs.range.max(gibbs.base.abs()).max(penalty.unwrap_or(0.0));
    if largest > 0.0 { regularization.min(FAR * largest) } else { regularization }
}

impl<'a, T: Real> Flat<'a, T> {
    pub(super) fn new(gibbs: Gibbs<'a, T>, a: Side, b: Side, softness: Softness, log_constant: f64) -> Self {
        let logs = vec![0.0; b.weights.len()];
        Self { gibbs, a, b, softness, log_constant, common: 0.0, logs }
    }

    /// Rounds until the marginals agree to the tolerance, beside their deviations from the product: each takes what is wrong
    /// down by a factor of hundreds. Or until they agree to the tolerance itself and round-off leaves nothing to win.
    pub(super) fn run(&mut self, tolerance: f64, max_iterations: usize, regularization: f64) -> Report {
        if self.a.places.is_empty() {
            return Report { iterations: 0, marginal_error: 0.0 };
        }
        let aim = tolerance * (self.gibbs.range / regularization);
        let (mut iterations, mut before) = (1, f64::INFINITY);
        loop {
            let marginal_error = self.round();
            let is_stuck = marginal_error <= tolerance && marginal_error > MIN_PROGRESS * before;
            if marginal_error <= aim || is_stuck || iterations >= max_iterations {
                return Report { iterations, marginal_error };
            }
            before = marginal_error;
            self.advance();
            iterations += 1;
        }
    }

    /// `ln (r Σ w)`: balanced, exactly zero.
    fn log_mass(&self, side: &Side) -> f64 {
        if self.softness.0 == 0.0 { 0.0 } else { side.total.ln() }
    }

    /// What potentials leave of the least cost.
    fn rest(&self) -> f64 {
        if self.softness.0 == 0.0 { 0.0 } else { self.log_constant }
    }

    /// What the potentials of a side have in common.
    fn level(side: &Side) -> f64 {
        side.potential.first().copied().unwrap_or(0.0)
    }

    /// Updates the rows, and finds what the columns then hold. How far that is from what they should, in L1 and relative to
    /// the total.
    fn round(&mut self) -> f64 {
        let level = Self::level(&self.b);
        let rows_level = self.softness.damped(-(self.log_mass(&self.b) + self.rest() + level), self.a.offset);
        let means = self.rows(level, rows_level);
        self.common = level + rows_level + self.rest();
        self.logs.iter_mut().zip(&means).for_each(|(log, mean)| *log = mean.ln_1p());
        if self.softness.0 == 0.0 {
            self.b.weighted(|j| means[j].abs()) / self.b.total
        } else {
            self.b.error(self.softness, |j| self.log_ratio(j) + self.softness.0 * self.b.whole(j))
        }
    }

    /// `ln` of what a column holds over its weight.
    fn log_ratio(&self, j: usize) -> f64 {
        self.log_mass(&self.a) + self.common + self.logs[j]
    }

    /// Updates the rows; the mean of `e^(x - common) - 1` of each column then.
    fn rows(&mut self, level: f64, rows_level: f64) -> Vec<f64> {
        let Self { gibbs, a, b, softness, .. } = self;
        let (chunk, (exponents, shares)) = (rows_per_job(a.weights.len()), (b.beside(level), b.shares()));
        let part = || Part { columns: vec![0.0; b.weights.len()], all: 0.0 };
        let mut parts: Vec<Part> = (0..a.weights.len().div_ceil(chunk)).map(|_| part()).collect();
        let bytes = a.weights.len() * b.weights.len() * size_of::<f64>();
        let (places, rows_shares) = (&a.places, a.shares());
        let jobs = a.potential.chunks_mut(chunk).zip(&mut parts).enumerate();
        let jobs = jobs.map(|(job, (potential, part))| Job { first: job * chunk, potential, part }).collect();
        parallel::for_each(jobs, bytes, |Job { first, potential, part }| {
            let (mut costs, mut masses) = (Vec::new(), vec![0.0; exponents.len()]);
            for (i, p) in (first..).zip(potential) {
                let mean = gibbs.deviations(places[i], &exponents, &shares, &mut costs, &mut masses);
                // What the row has beside the level of all; `e^(d + y) - 1 = (e^d - 1) + e^d (e^y - 1)`.
                let beside = -mean.ln_1p() / (1.0 + softness.0);
                *p = rows_level + beside;
                let growth = beside.exp_m1();
                part.all += rows_shares[i] * growth;
                let factor = rows_shares[i] * (1.0 + growth);
                dispatch(Deposit { masses: &masses, factor, columns: &mut part.columns });
            }
        });
        let all: f64 = parts.iter().map(|part| part.all).sum();
        let columns = join(parts.into_iter().map(|part| part.columns).collect(), |a, b| a + b);
        columns.into_iter().map(|column| column + all).collect()
    }

    /// Gives the columns the potentials that are best beside the rows'.
    fn advance(&mut self) {
        let logs: Vec<f64> = (0..self.logs.len()).map(|j| self.log_ratio(j)).collect();
        for (p, log) in self.b.potential.iter_mut().zip(logs) {
            *p = self.softness.damped(*p - log, self.b.offset);
        }
        side::translate(&mut self.a, &mut self.b, self.softness);
    }

    /// `Σ P - r Σ a Σ b`, after a round: balanced, none.
    pub(super) fn excess(&self) -> f64 {
        if self.softness.0 == 0.0 {
            return 0.0;
        }
        self.a.total * self.b.weighted(|j| (self.common + self.logs[j]).exp_m1())
    }

    /// Potentials of all places, without offsets.
    pub(super) fn spread(&self) -> [Vec<f64>; 2] {
        let Self { gibbs, a, b, .. } = self;
        let spread = |gibbs: &Gibbs<'_, T>, side: &Side, other: &Side| {
            let transforms = self.beside_product(gibbs, &side.absent(), other);
            let mass = self.log_mass(other);
            side.spread(transforms.into_iter().map(|transform| self.softness.damped(transform - mass, side.offset)))
        };
        [spread(gibbs, a, b), spread(&gibbs.transposed(b), b, a)]
    }

    /// `ln` of what the plan sends from each place, and to each, over what the product would send: near zero, where it keeps
    /// its digits. From potentials of all places.
    pub(super) fn above(&self, all: &[Vec<f64>; 2]) -> [Vec<f64>; 2] {
        let Self { gibbs, a, b, .. } = self;
        let above = |gibbs: &Gibbs<'_, T>, potentials: &[f64], other: &Side| {
            let places: Vec<usize> = (0..potentials.len()).collect();
            let transforms = self.beside_product(gibbs, &places, other);
            // From where no way is open nothing is sent.
            let beside = |(&p, transform): (&f64, f64)| match p {
                f64::INFINITY => f64::NEG_INFINITY,
                p => p - transform,
            };
            potentials.iter().zip(transforms).map(beside).collect()
        };
        [above(gibbs, &all[0], b), above(&gibbs.transposed(b), &all[1], a)]
    }

    /// The soft c-transforms of these places, of which nothing has been checked, without the term of the other side's mass,
    /// beside which their digits would be lost.
    fn beside_product(&self, gibbs: &Gibbs<'_, T>, places: &[usize], other: &Side) -> Vec<f64> {
        let level = Self::level(other);
        let (exponents, shares) = (other.beside(level), other.shares());
        let (mut costs, mut masses) = (Vec::new(), vec![0.0; exponents.len()]);
        let transform = |&i: &usize| {
            let mean = gibbs.deviations(i, &exponents, &shares, &mut costs, &mut masses);
            if gibbs.are_costs(i) { -(self.rest() + level + mean.ln_1p()) } else { f64::NAN }
        };
        places.iter().map(transform).collect()
    }
}
