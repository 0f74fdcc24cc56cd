//! The one pass behind [`super::demd()`], [`super::demd_soft()`] and [`super::Emo`]: each row's negative log-likelihood and
//! expected cost, and a gradient that is any combination of theirs.
//!
//! Rows go in blocks of [`ROWS`] and classes in blocks of [`CLASSES`], so that the cosines of a block come from one
//! matrix product. With a gradient they are left in its place and overwritten; without, they live in scratch.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayRef1, ArrayRef2, ArrayView2, ArrayViewMut2, Axis, s};
use num_traits::{Float, One, Zero};

use super::CosineCost;
use super::goal::{Aims, Goal, Goals};
use super::lanes::{self, CostSlope, ExpectedCost};
use crate::error::Position;
use crate::rows::Rows;
use crate::simd::{RowSum, dispatch};
use crate::target::{self, Class};
use crate::{Element, Error, Real, Result, Target, check, parallel, rows};

/// Rows of logits whose cosines are computed together, and that make one job.
const ROWS: usize = 64;

/// Classes whose cosines are computed together: with [`ROWS`] of them, 256 KiB of `f32`.
pub(super) const CLASSES: usize = 1024;

/// What the pass finds of a row; all zero where the row takes no part.
#[derive(Clone, Copy)]
pub(super) struct Found<T> {
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
    fault: Option<Fault>,
}

/// A class that holds nearly all the mass: its cost and `D` are nearly equal, so that their difference is formed from how much
/// the other classes differ from it.
#[derive(Clone, Copy)]
struct Top {
    class: usize,
    cost: f64,
}

#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// The logits are no distribution.
    Improper,
    /// The gradient does not fit the type.
    Overflow,
    /// The target weight of this class is negative or not finite.
    Target(usize),
    /// The target weights together do not fit the type.
    Mass,
}

impl<T: Real> Found<T> {
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

/// The arguments of one call, checked.
pub(super) struct Pass<'a, E: Element> {
    logits: Rows<'a, E>,
    shape: [usize; 2],
    goals: Goals<'a, E::Real>,
    cost: &'a CosineCost<E::Real>,
}

struct Job<'a, T> {
    first: usize,
    found: &'a mut [Found<T>],
    out: Option<ArrayViewMut2<'a, T>>,
}

impl<'a, E: Element> Pass<'a, E> {
    /// Checks shapes and targets. Rows with the ignored target, or with a weight of zero, are never looked at.
    pub(super) fn new<I: Target>(
        logits: &'a ArrayRef2<E>,
        targets: &ArrayRef1<I>,
        cost: &'a CosineCost<E::Real>,
        ignore_index: Option<i64>,
        weights: Option<&[E::Real]>,
    ) -> Result<Self> {
        let classes = cost.classes();
        check::shape("logits", logits.shape(), &[logits.nrows(), classes])?;
        check::shape("targets", targets.shape(), &[logits.nrows()])?;
        let dropped = |i: usize| weights.is_some_and(|w| w[i] == E::Real::zero());
        let class = |(i, &t): (usize, &I)| match target::class(t, ignore_index, classes) {
            _ if dropped(i) => Ok(None),
            Class::Is(class) => Ok(Some(class)),
            Class::Ignored => Ok(None),
            Class::Invalid => Err(Error::Target { argument: "targets", position: i.into(), value: t.index(), classes }),
        };
        let goals = Goals::Classes(targets.iter().enumerate().map(class).collect::<Result<_>>()?);
        Ok(Self { logits: Rows::new("logits", logits)?, shape: [logits.nrows(), classes], goals, cost })
    }

    /// The same with a distribution as the target of each row. Every row takes part.
    pub(super) fn soft(
        logits: &'a ArrayRef2<E>,
        targets: &'a ArrayRef2<E::Real>,
        cost: &'a CosineCost<E::Real>,
    ) -> Result<Self> {
        let shape = [logits.nrows(), cost.classes()];
        check::shape("logits", logits.shape(), &shape)?;
        check::shape("targets", targets.shape(), &shape)?;
        let goals = Goals::Distributions(Rows::new("targets", targets)?);
        Ok(Self { logits: Rows::new("logits", logits)?, shape, goals, cost })
    }

    /// Whether each row takes part.
    pub(super) fn kept(&self) -> impl Iterator<Item = bool> {
        (0..self.shape[0]).map(|row| self.goals.keeps(row))
    }

    /// Both numbers of each row.
    pub(super) fn values(&self) -> Result<Vec<Found<E::Real>>> {
        self.run(None, |_, _| Slopes { nll: 0.0, cost: 0.0 })
    }

    /// Both numbers of each row, and the gradient of the loss whose slopes at a row are `slopes(row, found)`.
    pub(super) fn gradient(
        &self,
        out: &mut ArrayRef2<E::Real>,
        slopes: impl Fn(usize, &Found<E::Real>) -> Slopes + Sync + Send,
    ) -> Result<Vec<Found<E::Real>>> {
        check::shape("out", out.shape(), &self.shape)?;
        if out.rows().into_iter().next().is_some_and(|row| row.as_slice().is_none()) {
            let mut packed = Array2::zeros(self.shape);
            let found = self.gradient(&mut packed, slopes)?;
            out.assign(&packed);
            return Ok(found);
        }
        self.run(Some(out.view_mut()), slopes)
    }

    fn run(
        &self,
        mut out: Option<ArrayViewMut2<'_, E::Real>>,
        slopes: impl Fn(usize, &Found<E::Real>) -> Slopes + Sync + Send,
    ) -> Result<Vec<Found<E::Real>>> {
        let nothing = Found { nll: 0.0, prob: 0.0, cost: 0.0, others: 0.0, top: None, sum: RowSum::new(), fault: None };
        let mut found = vec![nothing; self.shape[0]];
        let mut outs = out.as_mut().map(|out| out.axis_chunks_iter_mut(Axis(0), ROWS));
        let blocks = found.chunks_mut(ROWS).enumerate();
        let job = |(block, found)| Job { first: block * ROWS, found, out: outs.as_mut().and_then(Iterator::next) };
        let jobs = blocks.map(job).collect();
        parallel::for_each(jobs, self.logits.bytes() * self.cost.directions().ncols(), |job| self.block(job, &slopes));
        match found.iter().position(|found| found.fault.is_some()) {
            Some(row) => Err(self.fault(row, found[row].fault)),
            None => Ok(found),
        }
    }

    /// All that is done for one block of rows.
    fn block(&self, mut job: Job<'_, E::Real>, slopes: &impl Fn(usize, &Found<E::Real>) -> Slopes) {
        if !(0..job.found.len()).any(|r| self.goals.keeps(job.first + r)) {
            return job.out.into_iter().for_each(|mut out| out.fill(E::Real::zero()));
        }
        let Aims { goals, directions } = self.goals.aims(self.cost, job.first, job.found.len());
        for (found, goal) in job.found.iter_mut().zip(&goals) {
            found.fault = goal.as_ref().err().copied();
        }
        let goals: Vec<Option<Goal>> = goals.into_iter().map(|goal| goal.ok().flatten()).collect();
        for (r, found) in job.found.iter_mut().enumerate().filter(|(r, _)| goals[*r].is_some()) {
            rows::for_each_block(self.logits.row(job.first + r), |block| found.sum.push(block));
        }
        self.expected_costs(&mut job, &goals, directions.view());
        for (r, (found, goal)) in job.found.iter_mut().zip(&goals).enumerate() {
            if let Some(goal) = goal {
                let logit = self.logits.row(job.first + r)[goal.class].real();
                (found.nll, found.prob) = (found.sum.nll(logit), found.sum.prob(logit));
                let total = 1.0 + found.sum.others;
                found.others /= total;
                found.cost = found.others + found.prob * goal.own + found.top.map_or(0.0, |top| top.cost / total);
                found.fault = (!found.sum.is_proper()).then_some(Fault::Improper);
            }
            if let Some(out) = &mut job.out {
                let mut row = out.row_mut(r);
                self.slope_row(job.first + r, *goal, found, row.as_slice_mut().unwrap_or_default(), slopes);
            }
        }
    }

    /// `Σ e^(x - max) (C p)` of each row but for the class y and the top, leaving the cosines in the output if there is one.
    fn expected_costs(&self, job: &mut Job<'_, E::Real>, goals: &[Option<Goal>], directions: ArrayView2<'_, E::Real>) {
        let classes = self.shape[1];
        let mut scratch = match job.out {
            None => Array2::zeros((goals.len(), CLASSES.min(classes))),
            Some(_) => Array2::zeros((0, 0)),
        };
        let mut logits = vec![E::Real::zero(); CLASSES.min(classes)];
        for start in (0..classes).step_by(CLASSES) {
            let range = start..classes.min(start + CLASSES);
            let mut cosines = match &mut job.out {
                None => scratch.slice_mut(s![.., ..range.len()]),
                Some(out) => out.slice_mut(s![.., range.clone()]),
            };
            self.cosines(directions, range.clone(), &mut cosines, goals);
            for (r, mut cosines) in cosines.rows_mut().into_iter().enumerate() {
                let Some(goal) = goals[r] else { continue };
                let logits = rows::part(self.logits.row(job.first + r), range.clone(), &mut logits);
                let cosines = cosines.as_slice_mut().unwrap_or_default();
                let (max, mass) = (job.found[r].sum.max, E::Real::from_f64(goal.mass));
                if let Some(k) = job.found[r].top_of(logits).filter(|k| start + k != goal.class) {
                    job.found[r].top = Some(Top { class: start + k, cost: lanes::cost(cosines[k], mass).as_f64() });
                    cosines[k] = mass;
                }
                job.found[r].others += dispatch(ExpectedCost { logits, cosines, max, mass }).as_f64();
            }
        }
    }

    /// What each row's target has in common with these classes, `Σ p_j cos_jk`; all of it with the class y, whose cost is
    /// counted apart.
    fn cosines(
        &self,
        directions: ArrayView2<'_, E::Real>,
        classes: Range<usize>,
        out: &mut ArrayViewMut2<'_, E::Real>,
        goals: &[Option<Goal>],
    ) {
        let (zero, one) = (E::Real::zero(), E::Real::one());
        let block = self.cost.directions();
        let block = block.slice(s![classes.clone(), ..]);
        general_mat_mul(one, &directions, &block.t(), zero, out);
        for (mut row, goal) in out.rows_mut().into_iter().zip(goals) {
            if let Some(goal) = goal.filter(|goal| classes.contains(&goal.class)) {
                row[goal.class - classes.start] = E::Real::from_f64(goal.mass);
            }
        }
    }

    /// Turns a row of cosines into the gradient.
    fn slope_row(
        &self,
        index: usize,
        goal: Option<Goal>,
        found: &mut Found<E::Real>,
        row: &mut [E::Real],
        slopes: &impl Fn(usize, &Found<E::Real>) -> Slopes,
    ) {
        let (Some(goal), None) = (goal, found.fault) else {
            return row.fill(E::Real::zero());
        };
        let Slopes { nll, cost } = slopes(index, found);
        let total = 1.0 + found.sum.others;
        let (base, per_cost) = (E::Real::from_f64((nll - cost * found.cost) / total), E::Real::from_f64(cost / total));
        let (logits, mass) = (self.logits.row(index), E::Real::from_f64(goal.mass));
        let complement = found.sum.complement(logits[goal.class].real());
        // `C_y - D` is the difference of what is left without the class, where nothing cancels near certainty.
        let beside = found.others + found.top.map_or(0.0, |top| top.cost / total);
        let at_class = E::Real::from_f64(-nll * complement + cost * found.prob * (complement * goal.own - beside));
        let largest = per_cost.abs() * mass;
        if !(base.abs() + largest + largest + at_class.abs()).is_finite() {
            found.fault = Some(Fault::Overflow);
        }
        let mut scratch = vec![E::Real::zero(); CLASSES.min(row.len())];
        for (block, slopes) in row.chunks_mut(CLASSES).enumerate() {
            let logits = rows::part(logits, block * CLASSES..block * CLASSES + slopes.len(), &mut scratch);
            dispatch(CostSlope { logits, slopes, max: found.sum.max, mass, base, per_cost });
        }
        row[goal.class] = at_class;
        if let Some(top) = found.top {
            // And so is `C_t - D`.
            let above = found.sum.others / total * top.cost - found.others - found.prob * goal.own;
            row[top.class] = E::Real::from_f64((nll + cost * above) / total);
        }
    }

    /// The error for a row that cannot be used.
    fn fault(&self, row: usize, fault: Option<Fault>) -> Error {
        match fault {
            Some(Fault::Overflow) => Error::overflow::<E::Real>("logits", row),
            Some(Fault::Mass) => Error::overflow::<E::Real>("targets", row),
            Some(Fault::Target(class)) => {
                let value = self.goals.distribution(row).map_or(f64::NAN, |targets| targets[class].as_f64());
                let position = Position(vec![row, class]);
                Error::Value { argument: "targets", position, value, allowed: "finite and >= 0" }
            }
            _ => rows::improper("logits", &self.shape[..1], row, self.logits.row(row)),
        }
    }
}
