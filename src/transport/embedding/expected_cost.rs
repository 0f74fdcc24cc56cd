//! The one pass behind [`super::demd()`], [`super::demd_soft()`] and [`super::Emo`]: each row's negative log-likelihood and
//! expected cost, and a gradient that is any combination of theirs.
//!
//! Rows go in blocks of [`ROWS`] and classes in blocks of [`CLASSES`], so that the cosines of a block come from one
//! matrix product. With a gradient they are left in its place and overwritten; without, they live in scratch.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewMut2, Axis, s};

use super::cosine_cost::CosineCost;
use super::lanes::{self, CostSlope, ExpectedCost};
use super::logits::Logits;
use super::row_targets::{CLASSES, RowError, RowTarget, RowTargets, TargetDirections};
use crate::error::Position;
use crate::rowwise::Rows;
use crate::simd::{RowSum, dispatch};
use crate::target::{self, Class, Indices};
use crate::{Error, Real, Result, check, parallel};

/// Rows of logits whose cosines are computed together, and that make one job: with [`CLASSES`] classes, 256 KiB of `f32`.
const ROWS: usize = 64;

/// What the pass finds of a row; all zero where the row is not counted.
#[derive(Clone, Copy)]
pub(super) struct RowStats<T> {
    /// `-ln q_y`, of the class that is the target or has most of its mass.
    pub(super) nll: f64,
    /// `q_y`.
    pub(super) prob: f64,
    /// `D = Σ q_i (C p)_i`.
    pub(super) cost: f64,
    /// The same without the class y and without the top.
    others: f64,
    /// The class that has more than half of the mass, where it is not y.
    top: Option<Top>,
    sum: RowSum<T>,
    error: Option<RowError>,
}

/// A class that holds nearly all the mass: its cost and `D` are nearly equal, so that their difference is formed from how
/// much the other classes differ from it.
#[derive(Clone, Copy)]
struct Top {
    class: usize,
    cost: f64,
}

impl<T: Real> RowStats<T> {
    /// Which of these logits is the largest of a row whose others are less than it together.
    fn top_of(&self, logits: &[T]) -> Option<usize> {
        if self.sum.others < 1.0 { logits.iter().position(|&x| x == self.sum.max) } else { None }
    }
}

/// The loss of a row as the gradient sees it: derivatives by its negative log-likelihood and by its expected cost.
pub(super) struct Slopes {
    pub(super) nll: f64,
    pub(super) cost: f64,
}

/// How the loss of a row depends on what was found of it, asked once for each row.
type SlopesOf<'f, T> = dyn Fn(usize, &RowStats<T>) -> Slopes + Sync + 'f;

/// The arguments of one call, checked.
pub(super) struct Pass<'a, T> {
    logits: Logits<'a, T>,
    targets: RowTargets<'a, T>,
    cost: &'a CosineCost<T>,
}

struct Job<'a, T> {
    first: usize,
    stats: &'a mut [RowStats<T>],
    out: Option<ArrayViewMut2<'a, T>>,
}

impl<'a, T: Real> Pass<'a, T> {
    /// Checks shapes and targets. Rows with the ignored target, or with a weight of zero, are never looked at.
    pub(super) fn new(
        logits: Logits<'a, T>,
        targets: Indices<'_>,
        cost: &'a CosineCost<T>,
        ignore_index: Option<i64>,
        weights: Option<&[T]>,
    ) -> Result<Self> {
        let (n, classes) = (logits.shape[0], cost.classes());
        check::shape("logits", &logits.shape, &[n, classes])?;
        check::shape("targets", targets.shape(), &[n])?;
        let targets = targets.all();
        let is_dropped = |row: usize| weights.is_some_and(|w| w[row] == T::zero());
        let class = |row: usize| match targets[row] {
            _ if is_dropped(row) => Ok(None),
            index => match target::class(index, ignore_index, classes) {
                Class::Is(class) => Ok(Some(class)),
                Class::Ignored => Ok(None),
                Class::Invalid => {
                    Err(Error::Target { argument: "targets", position: row.into(), value: index, classes })
                }
            },
        };
        let targets = RowTargets::Classes((0..n).map(class).collect::<Result<_>>()?);
        Ok(Self { logits, targets, cost })
    }

    /// The same with a distribution as the target of each row. Every row is counted.
    pub(super) fn soft(logits: Logits<'a, T>, targets: &'a ArrayRef2<T>, cost: &'a CosineCost<T>) -> Result<Self> {
        let shape = [logits.shape[0], cost.classes()];
        check::shape("logits", &logits.shape, &shape)?;
        check::shape("targets", targets.shape(), &shape)?;
        let targets = RowTargets::Distributions(Rows::new("targets", targets)?);
        Ok(Self { logits, targets, cost })
    }

    /// How many rows the loss counts.
    pub(super) fn count(&self) -> usize {
        (0..self.logits.shape[0]).filter(|&row| self.targets.keeps(row)).count()
    }

    /// The negative log-likelihood and the expected cost of each row.
    pub(super) fn values(&self) -> Result<Vec<RowStats<T>>> {
        self.run(None, &|_, _| Slopes { nll: 0.0, cost: 0.0 })
    }

    /// The same, and the gradient of the loss whose slopes at a row are `slopes(row, stats)`.
    pub(super) fn gradient(&self, out: &mut ArrayRef2<T>, slopes: &SlopesOf<'_, T>) -> Result<Vec<RowStats<T>>> {
        check::shape("out", out.shape(), &self.logits.shape)?;
        if out.rows().into_iter().next().is_some_and(|row| row.as_slice().is_none()) {
            let mut packed = Array2::zeros(self.logits.shape);
            let stats = self.gradient(&mut packed, slopes)?;
            out.assign(&packed);
            return Ok(stats);
        }
        self.run(Some(out.view_mut()), slopes)
    }

    fn run(&self, mut out: Option<ArrayViewMut2<'_, T>>, slopes: &SlopesOf<'_, T>) -> Result<Vec<RowStats<T>>> {
        let nothing =
            RowStats { nll: 0.0, prob: 0.0, cost: 0.0, others: 0.0, top: None, sum: RowSum::new(), error: None };
        let mut stats = vec![nothing; self.logits.shape[0]];
        let mut outs = out.as_mut().map(|out| out.axis_chunks_iter_mut(Axis(0), ROWS));
        let blocks = stats.chunks_mut(ROWS).enumerate();
        let job = |(block, stats)| Job { first: block * ROWS, stats, out: outs.as_mut().and_then(Iterator::next) };
        let jobs = blocks.map(job).collect();
        parallel::for_each(jobs, self.logits.rows.bytes() * self.cost.directions().ncols(), |job| {
            self.block(job, slopes)
        });
        match stats.iter().position(|stats| stats.error.is_some()) {
            Some(row) => Err(self.error(row, stats[row].error)),
            None => Ok(stats),
        }
    }

    /// All that is done for one block of rows.
    fn block(&self, mut job: Job<'_, T>, slopes: &SlopesOf<'_, T>) {
        if !(0..job.stats.len()).any(|r| self.targets.keeps(job.first + r)) {
            return job.out.into_iter().for_each(|mut out| out.fill(T::zero()));
        }
        let TargetDirections { targets, directions } = self.targets.directions(self.cost, job.first, job.stats.len());
        for (stats, target) in job.stats.iter_mut().zip(&targets) {
            stats.error = target.as_ref().err().copied();
        }
        let targets: Vec<Option<RowTarget>> = targets.into_iter().map(|target| target.ok().flatten()).collect();
        for (r, stats) in job.stats.iter_mut().enumerate().filter(|(r, _)| targets[*r].is_some()) {
            self.logits.rows.for_each_block(job.first + r, &mut |block| stats.sum.push(block));
        }
        self.expected_costs(&mut job, &targets, directions.view());
        for (r, (stats, target)) in job.stats.iter_mut().zip(&targets).enumerate() {
            if let Some(target) = target {
                let logit = self.logits.rows.at(job.first + r, target.class);
                (stats.nll, stats.prob) = (stats.sum.nll(logit), stats.sum.prob(logit));
                let total = 1.0 + stats.sum.others;
                stats.others /= total;
                stats.cost = stats.others + stats.prob * target.own + stats.top.map_or(0.0, |top| top.cost / total);
                stats.error = (!stats.sum.is_proper()).then_some(RowError::Improper);
            }
            if let Some(out) = &mut job.out {
                let mut row = out.row_mut(r);
                self.slope_row(job.first + r, *target, stats, row.as_slice_mut().unwrap_or_default(), slopes);
            }
        }
    }

    /// `Σ e^(x - max) (C p)` of each row but for the class y and the top, leaving the cosines in the output if there is one.
    fn expected_costs(&self, job: &mut Job<'_, T>, targets: &[Option<RowTarget>], directions: ArrayView2<'_, T>) {
        let classes = self.logits.shape[1];
        let mut scratch = match job.out {
            None => Array2::zeros((targets.len(), CLASSES.min(classes))),
            Some(_) => Array2::zeros((0, 0)),
        };
        let mut logits = vec![T::zero(); CLASSES.min(classes)];
        for start in (0..classes).step_by(CLASSES) {
            let range = start..classes.min(start + CLASSES);
            let mut cosines = match &mut job.out {
                None => scratch.slice_mut(s![.., ..range.len()]),
                Some(out) => out.slice_mut(s![.., range.clone()]),
            };
            self.cosines(directions, range.clone(), &mut cosines, targets);
            for (r, mut cosines) in cosines.rows_mut().into_iter().enumerate() {
                let Some(target) = targets[r] else { continue };
                let logits = self.logits.rows.part(job.first + r, range.clone(), &mut logits);
                let cosines = cosines.as_slice_mut().unwrap_or_default();
                let (max, mass) = (job.stats[r].sum.max, T::from_f64(target.mass));
                if let Some(k) = job.stats[r].top_of(logits).filter(|k| start + k != target.class) {
                    job.stats[r].top = Some(Top { class: start + k, cost: lanes::cost(cosines[k], mass).as_f64() });
                    cosines[k] = mass;
                }
                job.stats[r].others += dispatch(ExpectedCost { logits, cosines, max, mass }).as_f64();
            }
        }
    }

    /// What each row's target has in common with these classes, `Σ p_j cos_jk`; all of it with the class y, whose cost is
    /// counted apart.
    fn cosines(
        &self,
        directions: ArrayView2<'_, T>,
        classes: Range<usize>,
        out: &mut ArrayViewMut2<'_, T>,
        targets: &[Option<RowTarget>],
    ) {
        let (zero, one) = (T::zero(), T::one());
        let block = self.cost.directions();
        let block = block.slice(s![classes.clone(), ..]);
        general_mat_mul(one, &directions, &block.t(), zero, out);
        for (mut row, target) in out.rows_mut().into_iter().zip(targets) {
            if let Some(target) = target.filter(|target| classes.contains(&target.class)) {
                row[target.class - classes.start] = T::from_f64(target.mass);
            }
        }
    }

    /// Turns a row of cosines into the gradient.
    fn slope_row(
        &self,
        index: usize,
        target: Option<RowTarget>,
        stats: &mut RowStats<T>,
        row: &mut [T],
        slopes: &SlopesOf<'_, T>,
    ) {
        let (Some(target), None) = (target, stats.error) else {
            return row.fill(T::zero());
        };
        let Slopes { nll, cost } = slopes(index, stats);
        let total = 1.0 + stats.sum.others;
        let (base, per_cost) = (T::from_f64((nll - cost * stats.cost) / total), T::from_f64(cost / total));
        let (logits, mass) = (&self.logits.rows, T::from_f64(target.mass));
        let complement = stats.sum.complement(logits.at(index, target.class));
        // `C_y - D` is the difference of what is left without the class, where nothing cancels near certainty.
        let beside = stats.others + stats.top.map_or(0.0, |top| top.cost / total);
        let at_class = T::from_f64(-nll * complement + cost * stats.prob * (complement * target.own - beside));
        let largest = per_cost.abs() * mass;
        if !(base.abs() + largest + largest + at_class.abs()).is_finite() {
            stats.error = Some(RowError::Overflow);
        }
        let mut scratch = vec![T::zero(); CLASSES.min(row.len())];
        for (block, slopes) in row.chunks_mut(CLASSES).enumerate() {
            let logits = logits.part(index, block * CLASSES..block * CLASSES + slopes.len(), &mut scratch);
            dispatch(CostSlope { logits, slopes, max: stats.sum.max, mass, base, per_cost });
        }
        row[target.class] = at_class;
        if let Some(top) = stats.top {
            // And so is `C_t - D`.
            let above = stats.sum.others / total * top.cost - stats.others - stats.prob * target.own;
            row[top.class] = T::from_f64((nll + cost * above) / total);
        }
    }

    /// The error for a row that cannot be used.
    fn error(&self, row: usize, error: Option<RowError>) -> Error {
        match error {
            Some(RowError::Overflow) => Error::overflow::<T>("logits", row),
            Some(RowError::Mass) => Error::overflow::<T>("targets", row),
            Some(RowError::Target(class)) => {
                let value = self.targets.distribution(row).map_or(f64::NAN, |targets| targets[class].as_f64());
                let position = Position(vec![row, class]);
                Error::Value { argument: "targets", position, value, allowed: "finite and >= 0" }
            }
            _ => self.logits.improper("logits", row),
        }
    }
}
