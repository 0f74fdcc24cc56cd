//! From a kernel for one pair to a pass over a batch: blocks, weights, sums, threads.
//!
//! The driver is compiled once for each element type; a loss comes to it as a [`Block`]. It cuts the batch into jobs of
//! a fixed number of blocks, lets the loss fill scratch for one block, and scales that into the caller's arrays. Block
//! sums are added pairwise in the order of the pairs, so that neither threads nor layout change a bit.

use std::ops::Range;

use ndarray::{ArrayViewMut1, Axis};

use crate::error::Error;
use crate::preference::columns::{BLOCK, Columns, LANES, Slots, Source, are_ordinary, sources};
use crate::preference::inspect::Inspection;
use crate::preference::scale::{Mode, Scale, weigh};
use crate::preference::{Needs, Out, PairBatch, PairLoss, Pairs, Row};
use crate::simd::{self, Kernel, dispatch};
use crate::{Real, Reduction, Result, parallel, reduction};

/// Pairs that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 64 * BLOCK;

/// A loss over one block of pairs: what the driver sees of a [`PairLoss`].
pub(crate) trait Block<T>: Sync {
    /// The loss of each pair.
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]);

    /// The loss of each pair and its derivatives.
    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>);

    /// See [`PairLoss::explain`].
    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error>;
}

impl<T: Real, L: PairLoss> Block<T> for L {
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]) {
        dispatch(Losses { of: self, columns, loss });
    }

    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>) {
        dispatch(Slopes { of: self, columns, loss, slope });
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        PairLoss::explain(self, row, position)
    }
}

/// Losses and both derivatives of some pairs.
///
/// They are arrays, not the slices that they end up in: only so does the compiler know that they overlap with no input,
/// and turns the loop over them into vectors.
type Lanes<T> = ([T; LANES], Pairs<[T; LANES]>);

/// The loss of [`LANES`] pairs.
#[inline(always)]
fn lanes<T: Real, L: PairLoss, const FMA: bool>(of: &L, columns: Row<&[T; LANES]>) -> Lanes<T> {
    let mut loss = [T::zero(); LANES];
    let mut slope = Pairs { chosen: loss, rejected: loss };
    for i in 0..LANES {
        let (value, both) = of.pair::<T, FMA>(columns.map(|column| column[i]));
        loss[i] = value;
        slope.chosen[i] = both.chosen;
        slope.rejected[i] = both.rejected;
    }
    (loss, slope)
}

/// Gives the losses of the pairs from `at` on to `f`, [`LANES`] at a time; the last group is filled up with zeros.
#[inline(always)]
fn for_each_group<T: Real, L: PairLoss, const FMA: bool>(
    of: &L,
    columns: Columns<'_, T>,
    n: usize,
    mut f: impl FnMut(Range<usize>, Lanes<T>),
) {
    let columns = columns.map(|column| column[..n].as_chunks::<LANES>());
    for group in 0..n / LANES {
        let at = group * LANES;
        f(at..at + LANES, lanes::<T, L, FMA>(of, columns.map(|(groups, _)| &groups[group])));
    }
    if !n.is_multiple_of(LANES) {
        let rest = columns.map(|(_, rest)| {
            let mut filled = [T::zero(); LANES];
            filled[..rest.len()].copy_from_slice(rest);
            filled
        });
        f(n - n % LANES..n, lanes::<T, L, FMA>(of, rest.as_ref()));
    }
}

struct Losses<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
}

impl<T: Real, L: PairLoss> Kernel for Losses<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, _)| {
            let n = at.len();
            self.loss[at].copy_from_slice(&loss[..n]);
        });
    }
}

struct Slopes<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
    slope: Pairs<&'a mut [T]>,
}

impl<T: Real, L: PairLoss> Kernel for Slopes<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, slope)| {
            let n = at.len();
            self.loss[at.clone()].copy_from_slice(&loss[..n]);
            self.slope.chosen[at.clone()].copy_from_slice(&slope.chosen[..n]);
            self.slope.rejected[at].copy_from_slice(&slope.rejected[..n]);
        });
    }
}

/// One pass over a batch that has been checked: the scaled and reduced loss, and `out` filled.
pub(crate) fn run<T: Real>(
    block: &dyn Block<T>,
    needs: Needs,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    out: Out<'_, T>,
) -> Result<f64> {
    let n = batch.len();
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, scale.wide()),
        Reduction::Mean => (None, scale.wide() / n as f64),
        Reduction::Weighted(weights) => (Some(Source::new(weights.view())), scale.wide()),
    };
    let pass = Pass { block, sources: sources(batch, needs), weights, factor: T::of(factor) };
    let mut sums = vec![0.0; n.div_ceil(BLOCK)];
    let mut failures = vec![None; n.div_ceil(JOB)];
    let places = sums.chunks_mut(JOB / BLOCK).zip(&mut failures).enumerate();
    let jobs = places.zip(split(out, JOB, n)).map(|((index, (sums, failure)), out)| Job { index, sums, failure, out });
    parallel::for_each(jobs.collect(), 6 * n * size_of::<T>(), |job| {
        let start = job.index * JOB;
        *job.failure = pass.job(start, n.min(start + JOB), job.sums, job.out).err();
    });
    match failures.into_iter().flatten().next() {
        Some(error) => Err(error),
        None if factor == 0.0 => Ok(0.0),
        None => Ok(reduction::pairwise(&sums) * factor),
    }
}

/// A run of blocks, and the places that belong to it alone.
struct Job<'a, 'o, T> {
    index: usize,
    sums: &'a mut [f64],
    failure: &'a mut Option<Error>,
    out: Out<'o, T>,
}

/// What all jobs share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    sources: Row<Source<'a, T>>,
    weights: Option<Source<'a, T>>,
    factor: T,
}

/// What a job works in.
struct Scratch<T> {
    slots: Slots<T>,
    weights: Vec<T>,
    loss: Vec<T>,
    slope: Pairs<Vec<T>>,
    spare: Vec<T>,
}

impl<T: Real> Pass<'_, T> {
    /// The blocks from `start` to `end`, one after the other.
    fn job(&self, start: usize, end: usize, sums: &mut [f64], out: Out<'_, T>) -> Result<()> {
        let fresh = || vec![T::zero(); BLOCK.min(end - start)];
        let mut scratch = Scratch {
            slots: Slots::new(self.sources, BLOCK.min(end - start)),
            weights: fresh(),
            loss: fresh(),
            slope: Pairs { chosen: fresh(), rejected: fresh() },
            spare: fresh(),
        };
        let starts = (start..end).step_by(BLOCK);
        for ((from, sum), out) in starts.zip(sums).zip(split(out, BLOCK, end - start)) {
            *sum = self.one(from..end.min(from + BLOCK), &mut scratch, out)?;
        }
        Ok(())
    }

    /// One block: its sum of weighted losses, and its part of `out` filled.
    fn one(&self, at: Range<usize>, scratch: &mut Scratch<T>, mut out: Out<'_, T>) -> Result<f64> {
        let n = at.len();
        let start = at.start;
        let weights = self.weights.as_ref().map(|source| source.block(at.clone(), &mut scratch.weights));
        let columns = scratch.slots.columns(self.sources, at);
        let loss = &mut scratch.loss[..n];
        let mut slope = scratch.slope.as_mut().map(|side| &mut side[..n]);
        match out {
            Out::Nothing | Out::Each(_) => self.block.losses(columns, loss),
            Out::Grad(_) | Out::AddGrad(_) => self.block.slopes(columns, loss, slope.as_mut().map(|side| &mut **side)),
        }
        let scale = Scale { weights, factor: self.factor };
        let written = match &mut out {
            Out::Nothing => true,
            Out::Each(out) => scale.write(loss, out.view_mut(), Mode::Set, &mut scratch.spare),
            Out::Grad(out) => {
                scale.write_both(slope.as_mut().map(|side| &**side), out.view_mut(), Mode::Set, &mut scratch.spare)
            }
            Out::AddGrad(out) => {
                scale.write_both(slope.as_mut().map(|side| &**side), out.view_mut(), Mode::Add, &mut scratch.spare)
            }
        };
        weights.into_iter().for_each(|weights| weigh(loss, weights));
        let sum = simd::sum(loss).wide();
        if written && sum.is_finite() && are_ordinary(self.sources, columns) {
            return Ok(sum);
        }
        Inspection { block: self.block, columns, scale, start }.run(loss, slope, &out)
    }
}

/// Cuts the arrays of `n` pairs into pieces of `size` pairs, the last one shorter.
fn split<T>(out: Out<'_, T>, size: usize, n: usize) -> Vec<Out<'_, T>> {
    match out {
        Out::Nothing => (0..n.div_ceil(size)).map(|_| Out::Nothing).collect(),
        Out::Each(out) => pieces(out, size).into_iter().map(Out::Each).collect(),
        Out::Grad(out) => pairs(out.map(|side| pieces(side, size))).map(Out::Grad).collect(),
        Out::AddGrad(out) => pairs(out.map(|side| pieces(side, size))).map(Out::AddGrad).collect(),
    }
}

fn pieces<T>(mut rest: ArrayViewMut1<'_, T>, size: usize) -> Vec<ArrayViewMut1<'_, T>> {
    let mut pieces = Vec::with_capacity(rest.len().div_ceil(size));
    while rest.len() > size {
        let (piece, others) = rest.split_at(Axis(0), size);
        pieces.push(piece);
        rest = others;
    }
    pieces.push(rest);
    pieces
}

fn pairs<A>(sides: Pairs<Vec<A>>) -> impl Iterator<Item = Pairs<A>> {
    sides.chosen.into_iter().zip(sides.rejected).map(|(chosen, rejected)| Pairs { chosen, rejected })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, aview1, s};

    use crate::preference::testing::{Sample, one};
    use crate::preference::{Dpo, Ipo, Length, Nll, Orpo, Out, PairBatch, PairObjective, Pairs};
    use crate::{Error, Parts, Real, Reduction};

    const IPO: Ipo = Ipo { beta: 0.1, length: Length::Mean };

    fn sizes() -> [usize; 7] {
        [1, 31, 32, 1023, 1024, 1025, 70_001]
    }

    /// Every column as every second row of a table, and every column backwards.
    fn layouts<T: Real>(sample: &Sample<T>, check: impl Fn(PairBatch<'_, T>)) {
        let spread = |x: &Array1<T>| {
            let mut table = Array2::from_elem((x.len(), 3), T::nan());
            table.column_mut(1).assign(x);
            table
        };
        let backwards = |x: &Array1<T>| x.slice(s![..;-1]).to_owned();
        let [p, r, n] = [&sample.policy, &sample.reference, &sample.lengths]
            .map(|pairs| (pairs.as_ref().map(spread), pairs.as_ref().map(backwards)));
        let tables = [&p.0, &r.0, &n.0];
        let target = spread(&sample.target);
        let view = |i: usize| Pairs { chosen: tables[i].chosen.column(1), rejected: tables[i].rejected.column(1) };
        check(PairBatch::new(view(0)).reference(view(1)).lengths(view(2)).target(target.column(1)));
        let reversed = [&p.1, &r.1, &n.1]
            .map(|side| Pairs { chosen: side.chosen.slice(s![..;-1]), rejected: side.rejected.slice(s![..;-1]) });
        let target = backwards(&sample.target);
        let [p, r, n] = reversed;
        check(PairBatch::new(p).reference(r).lengths(n).target(target.slice(s![..;-1])));
    }

    fn layouts_agree<T: Real>() {
        for n in sizes() {
            let sample = Sample::<T>::of(n);
            let expected = IPO.grad(sample.full(), Reduction::Mean).unwrap();
            let each = IPO.each(sample.full()).unwrap();
            layouts(&sample, |batch| {
                assert_eq!(IPO.grad(batch, Reduction::Mean).unwrap(), expected);
                assert_eq!(IPO.value(batch, Reduction::Mean).unwrap(), expected.0);
                assert_eq!(IPO.each(batch).unwrap(), each);
                let mut out = Array2::from_elem((n, 4), T::nan());
                let (mut left, mut right) = out.multi_slice_mut((s![.., 1], s![..;-1, 3]));
                let pairs = Pairs { chosen: left.view_mut(), rejected: right.view_mut() };
                assert_eq!(IPO.grad_into(batch, Reduction::Mean, pairs).unwrap(), expected.0);
                assert_eq!(
                    (left.to_owned(), right.to_owned()),
                    (expected.1.chosen.clone(), expected.1.rejected.clone())
                );
            });
        }
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        layouts_agree::<f32>();
        layouts_agree::<f64>();
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn every_number_of_threads_gives_the_same_bits() {
        let sample = Sample::<f32>::of(300_000);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Dpo::default().grad(sample.full(), Reduction::Mean).unwrap())
        };
        let expected = run(1);
        assert_eq!(run(2), expected);
        assert_eq!(run(5), expected);
    }

    #[test]
    fn a_mean_is_a_sum_over_n_and_weights_of_one_over_n() {
        for n in sizes() {
            let sample = Sample::<f64>::of(n);
            let weights = Array1::from_elem(n, 1.0 / n as f64);
            let (mean, grad) = Dpo::default().grad(sample.batch(), Reduction::Mean).unwrap();
            let (weighted, other) = Dpo::default().grad(sample.batch(), Reduction::Weighted(&weights)).unwrap();
            let sum = Dpo::default().value(sample.batch(), Reduction::Sum).unwrap();
            assert!((mean - weighted).abs() <= 1e-14 * mean && (mean - sum / n as f64).abs() <= 1e-14 * mean);
            assert_eq!(grad, other);
            let exact: f64 = Dpo::default().each(sample.batch()).unwrap().iter().sum();
            assert!((sum - exact).abs() <= 1e-12 * sum);
            assert_eq!(
                PairObjective::<f64>::parts(&Dpo::default(), &sample.batch()),
                Ok(Parts { sum, count: n as f64 })
            );
        }
    }

    #[test]
    fn a_weight_of_zero_selects_the_pair_away() {
        let mut sample = Sample::<f64>::of(1500);
        let mut weights = Array1::ones(1500);
        let clean = Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap();
        let lost = Dpo::default().each(sample.batch()).unwrap();
        for (i, bad) in [(3, f64::NAN), (1024, f64::INFINITY), (1499, f64::NEG_INFINITY)] {
            weights[i] = 0.0;
            sample.policy.chosen[i] = bad;
            sample.policy.rejected[i] = bad;
        }
        assert!(Dpo::default().value(sample.batch(), Reduction::Sum).is_err());
        let (loss, grad) = Dpo::default().grad(sample.batch(), Reduction::Weighted(&weights)).unwrap();
        let expected = clean.0 - lost[3] - lost[1024] - lost[1499];
        assert!((loss - expected).abs() < 1e-12 * loss);
        for i in 0..1500 {
            assert_eq!(grad.chosen[i], if weights[i] == 0.0 { 0.0 } else { clean.1.chosen[i] });
        }
        let mut each = Array1::zeros(1500);
        let out = Out::Each(each.view_mut());
        Dpo::default().run(&sample.batch(), Reduction::Weighted(&weights), 2.0, out).unwrap();
        assert_eq!((each[2], each[3]), (2.0 * lost[2], 0.0));
    }

    #[test]
    fn a_gradient_is_added_to_what_is_there() {
        let sample = Sample::<f64>::of(2000);
        let (loss, grad) = Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap();
        let mut out = Pairs { chosen: Array1::from_elem(2000, 4.0), rejected: Array1::from_elem(2000, -1.0) };
        let scaled = Dpo::default().run(&sample.batch(), Reduction::Sum, 0.5, Out::AddGrad(out.view_mut())).unwrap();
        assert_eq!(scaled, 0.5 * loss);
        assert_eq!(out.chosen, 4.0 + 0.5 * grad.chosen);
        assert_eq!(out.rejected, -1.0 + 0.5 * grad.rejected);
    }

    #[test]
    fn nothing_sums_to_zero_and_has_no_mean() {
        let nothing = Sample::<f64>::of(0);
        for objective in [&Dpo::default() as &dyn PairObjective<f64>, &IPO, &Orpo::default()] {
            assert_eq!(objective.value(nothing.batch(), Reduction::Sum), Ok(0.0));
            assert_eq!(objective.parts(&nothing.batch()), Ok(Parts { sum: 0.0, count: 0.0 }));
            assert!(objective.grad(nothing.batch(), Reduction::Sum).unwrap().1.chosen.is_empty());
            assert!(objective.each(nothing.batch()).unwrap().is_empty());
            assert_eq!(objective.value(nothing.batch(), Reduction::Mean), Err(Error::Empty { argument: "batch" }));
        }
    }

    #[test]
    fn the_first_bad_number_is_named_wherever_it_is() {
        let message = |change: &dyn Fn(&mut Sample<f64>)| {
            let mut sample = Sample::<f64>::of(70_000);
            change(&mut sample);
            IPO.grad(sample.full(), Reduction::Mean).unwrap_err().to_string()
        };
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let allowed = "allowed is finite or -inf";
        assert_eq!(message(&|s| s.policy.chosen[17] = nan), format!("`policy.chosen`[17] is NaN, {allowed}"));
        assert_eq!(
            message(&|s| s.policy.rejected[69_999] = inf),
            format!("`policy.rejected`[69999] is inf, {allowed}")
        );
        assert_eq!(message(&|s| s.reference.chosen[2000] = nan), format!("`reference.chosen`[2000] is NaN, {allowed}"));
        assert_eq!(message(&|s| s.reference.rejected[0] = inf), format!("`reference.rejected`[0] is inf, {allowed}"));
        assert_eq!(message(&|s| s.lengths.rejected[5] = 0.0), "`lengths.rejected`[5] is 0, allowed is finite and > 0");
        assert_eq!(message(&|s| s.target[9] = -inf), "`target`[9] is -inf, allowed is finite");
        let two = |s: &mut Sample<f64>| (s.policy.chosen[66_000], s.policy.rejected[400]) = (nan, nan);
        assert_eq!(message(&|s| two(s)), format!("`policy.rejected`[400] is NaN, {allowed}"));
    }

    #[test]
    fn two_infinities_that_have_no_difference_are_named() {
        let inf = f64::INFINITY;
        let error = Dpo::default().value(one(&[-inf, -inf], &[-1.0], &[1.0]), Reduction::Sum).unwrap_err();
        let allowed = "allowed is finite where another log-probability of its pair is -inf";
        assert_eq!(error.to_string(), format!("`policy.chosen`[0] is -inf, {allowed}"));
    }

    #[test]
    fn shapes_are_checked_before_anything_is_written() {
        let (two, three) = ([-1.0_f64, -2.0], [-1.0_f64, -2.0, -3.0]);
        let both = |chosen, rejected| Pairs { chosen: aview1(chosen), rejected: aview1(rejected) };
        let (even, odd) = (both(&three, &three), both(&three, &two));
        let message = |batch| Dpo::default().value(batch, Reduction::Sum).unwrap_err().to_string();
        let shown = |name: &str| format!("`{name}` has shape [2], expected [3]");
        assert_eq!(message(PairBatch::new(odd)), shown("policy.rejected"));
        assert_eq!(message(PairBatch::new(even).reference(odd)), shown("reference.rejected"));
        assert_eq!(message(PairBatch::new(even).reference(both(&two, &three))), shown("reference.chosen"));
        assert_eq!(message(PairBatch::new(even).lengths(odd)), shown("lengths.rejected"));
        assert_eq!(message(PairBatch::new(even).target(aview1(&two))), shown("target"));
        assert_eq!(message(PairBatch::new(even)), "Dpo needs `reference`");

        let batch = PairBatch::new(even).reference(even);
        let mut out = Pairs { chosen: Array1::from_elem(3, 7.0), rejected: Array1::from_elem(2, 7.0) };
        let error = Dpo::default().grad_into(batch, Reduction::Sum, out.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), shown("out.rejected"));
        assert_eq!(out.chosen, Array1::from_elem(3, 7.0));
        let weights = Array1::ones(2);
        let error = Dpo::default().value(batch, Reduction::Weighted(&weights)).unwrap_err();
        assert_eq!(error.to_string(), shown("weights"));
    }

    #[test]
    fn what_the_type_cannot_hold_is_an_error() {
        let nll = Nll { length: Length::Sum };
        let huge = [-3e38_f32, -3e38];
        let batch = PairBatch::new(Pairs { chosen: aview1(&huge), rejected: aview1(&huge) });
        assert_eq!(nll.value(batch, Reduction::Mean), Ok(3e38));
        assert_eq!(PairObjective::<f32>::parts(&nll, &batch).unwrap().sum, 2.0 * f64::from(3e38_f32));
        let error = nll.value(batch, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `loss` overflows f32");
        let mut each = Array1::zeros(2);
        let error = nll.run(&batch, Reduction::Mean, 4.0, Out::Each(each.view_mut())).unwrap_err();
        assert_eq!(error.to_string(), "the result at `out`[0] overflows f32");
        let mut grad = Pairs { chosen: Array1::from_elem(2, -3e38), rejected: Array1::zeros(2) };
        let error = nll.run(&batch, Reduction::Mean, 2e38, Out::AddGrad(grad.view_mut())).unwrap_err();
        assert_eq!(error.to_string(), "the result at `out.chosen`[0] overflows f32");
        assert!(nll.run(&batch, Reduction::Sum, f32::NAN, Out::Nothing).is_err());
    }
}
