//! The rows of both sides: fixed jobs, the divergence of each row, gradients where they are asked for.
//!
//! A row is read once for both normalizers, once for the divergence with the sums that center the gradients, and once for
//! the gradients, each time in blocks that stay in the first-level cache. Nothing as long as a row is held but outputs.

use ndarray::ArrayViewMutD;

use super::categorical::Source;
use super::gradient::Gradient;
use super::normalizers::RowNormalizers;
use super::row_divergence::{Blocks, Out, RowDivergence};
use super::side::Side;
use super::sides::Sides;
use crate::reduction::AnyReduction;
use crate::rowwise::{BLOCK, RowsMut};
use crate::{Error, Real, Reduction, Result, check};

/// The gradients that are asked for.
pub(super) type Outputs<'a, T> = Sides<Option<ArrayViewMutD<'a, T>>>;

/// The rows of two sides, checked.
pub(super) struct PairRows<'a, T> {
    p: Side<'a, T>,
    q: Side<'a, T>,
    shape: &'a [usize],
    weights: Option<Vec<T>>,
    scale: f64,
}

/// Memory that a thread uses again for each of its rows.
struct Scratch<T> {
    /// Blocks of both sides and of both gradients.
    blocks: [Vec<T>; 4],
    /// Logits as they came and the slopes of their transform, where it has any.
    chain: [Vec<T>; 2],
}

impl<T: Real> Scratch<T> {
    fn new(classes: usize) -> Self {
        Self { blocks: [(); 4].map(|()| vec![T::zero(); BLOCK.min(classes)]), chain: [Vec::new(), Vec::new()] }
    }
}

/// What is wanted of a class that one side alone has, by the side whose gradient it makes infinite.
const COMMON: [&str; 2] = [
    "a class of both sides, or the gradient of `p` is infinite",
    "a class of both sides, or the gradient of `q` is infinite",
];

impl<'a, T: Real> PairRows<'a, T> {
    /// Checks shapes, weights and that a mean has something to average.
    pub(super) fn new(sides: Sides<Source<'a, T>>, reduction: &AnyReduction<'_, T>) -> Result<Self> {
        let shape = sides.p.shape;
        check::shape("q", sides.q.shape, shape)?;
        let (p, q) = (Side::new("p", sides.p)?, Side::new("q", sides.q)?);
        let reduction = reduction.get();
        reduction.check(p.leading())?;
        let scale = match reduction {
            Reduction::Mean if p.len() == 0 => return Err(Error::NothingToAverage { argument: "p" }),
            Reduction::Mean => (p.len() as f64).recip(),
            Reduction::Sum | Reduction::Weighted(_) => 1.0,
        };
        Ok(Self { p, q, shape, weights: reduction.weights(), scale })
    }

    /// What the divergence of a row, and its gradients, are multiplied by.
    pub(super) fn scale(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(self.scale, |weights| weights[row].as_f64())
    }

    /// The divergence of each row, 0 where a weight of zero selects it away; gradients of the reduced value where they are
    /// asked for. Of the errors, the first by rows.
    pub(super) fn run(&self, divergence: &dyn RowDivergence<T>, out: Outputs<'_, T>) -> Result<Vec<f64>> {
        divergence.check_row()?;
        let Sides { p: mut to_p, q: mut to_q } = out;
        let to_p = to_p.as_mut().map(|out| RowsMut::new("out.p", out, self.shape)).transpose()?;
        let to_q = to_q.as_mut().map(|out| RowsMut::new("out.q", out, self.shape)).transpose()?;
        let mut values = vec![0.0; self.p.len()];
        let scratch = || Scratch::new(self.p.classes());
        let jobs = self.q.jobs(2).of_work(self.p.bytes() + self.q.bytes());
        jobs.each_row(&mut values, [to_p, to_q], scratch, |scratch, row, value, [p, q]| {
            *value = self.row(divergence, row, Sides { p, q }, scratch)?;
            Ok(())
        })?;
        Ok(values)
    }

    fn row(
        &self,
        divergence: &dyn RowDivergence<T>,
        row: usize,
        out: Sides<Option<&mut [T]>>,
        scratch: &mut Scratch<T>,
    ) -> Result<f64> {
        let scale = self.scale(row);
        if scale == 0.0 {
            [out.p, out.q].into_iter().flatten().for_each(|out| out.fill(T::zero()));
            return Ok(0.0);
        }
        let Scratch { blocks: [scratch_p, scratch_q, slopes_p, slopes_q], chain } = scratch;
        let (norm_p, norm_q) = (self.p.normalizer(row, scratch_p)?, self.q.normalizer(row, scratch_q)?);
        let norms = RowNormalizers::new(norm_p, norm_q);
        let mut blocks = |f: &mut dyn FnMut(&[T], &[T])| {
            for first in (0..self.p.classes()).step_by(BLOCK) {
                f(self.p.block(row, first, scratch_p), self.q.block(row, first, scratch_q));
            }
        };
        let has_output = out.p.is_some() || out.q.is_some();
        let (value, stats) = divergence.gather(&norms, has_output, &mut blocks);
        self.check_value(divergence, row, &norms, value, &mut blocks)?;
        if !has_output {
            return Ok(value);
        }
        let mut first = 0;
        let mut sides = [
            Gradient::new(out.p, slopes_p, norm_p.is_dominated()),
            Gradient::new(out.q, slopes_q, norm_q.is_dominated()),
        ];
        blocks(&mut |p, q| {
            let [to_p, to_q] = &mut sides;
            let places = Out { p: to_p.place(first, p.len()), q: to_q.place(first, q.len()) };
            let totals = divergence.gradients(&norms, stats, T::from_f64(scale), p, q, places);
            let [totals_p, totals_q] = [0, 1].map(|side| [totals.checks[side], totals.others[side]]);
            to_p.take(first, p, norms.top[0], totals_p, |entries| self.p.chain(row, first, entries, chain));
            to_q.take(first, q, norms.top[1], totals_q, |entries| self.q.chain(row, first, entries, chain));
            first += p.len();
        });
        let [to_p, to_q] = sides;
        let is_finite = [
            to_p.finish(|at, entry| self.p.chain(row, at, entry, chain)),
            to_q.finish(|at, entry| self.q.chain(row, at, entry, chain)),
        ];
        match is_finite.iter().position(|is_finite| !is_finite) {
            Some(side) => Err(self.unbounded(divergence, row, side, &norms, &mut blocks)),
            None => Ok(value),
        }
    }

    /// What makes the gradient of a side (0 for `p`, 1 for `q`) infinite: the first class that one side alone has and that
    /// does so by itself, or else numbers beyond the type.
    fn unbounded(
        &self,
        divergence: &dyn RowDivergence<T>,
        row: usize,
        side: usize,
        norms: &RowNormalizers<T>,
        blocks: Blocks<'_, T>,
    ) -> Error {
        let (mut first, mut found) = (0, None);
        blocks(&mut |p, q| {
            let mut pairs = p.iter().zip(q).enumerate().filter(|(_, (x, y))| x.is_infinite() != y.is_infinite());
            let at = pairs.find(|(_, (x, y))| {
                let term = divergence.one_sided(norms.class::<false>(**x, **y));
                ![term.p, term.q][side].is_finite()
            });
            found = found.or(at.map(|(at, (x, _))| (first + at, x.is_infinite())));
            first += p.len();
        });
        match found {
            Some((class, true)) => self.p.lacks(row, class, COMMON[side]),
            Some((class, false)) => self.q.lacks(row, class, COMMON[side]),
            None if side == 0 => self.p.overflow(row),
            None => self.q.overflow(row),
        }
    }

    /// A divergence may be infinite where a class makes it so that only one of the sides has, and not by finite logits.
    fn check_value(
        &self,
        divergence: &dyn RowDivergence<T>,
        row: usize,
        norms: &RowNormalizers<T>,
        value: f64,
        blocks: Blocks<'_, T>,
    ) -> Result<()> {
        if T::from_f64(value).is_finite() {
            return Ok(());
        }
        let mut is_exact = false;
        blocks(&mut |p, q| {
            let one_sided = p.iter().zip(q).filter(|(x, y)| x.is_infinite() != y.is_infinite());
            let is_infinite = |(x, y): (&_, &_)| divergence.one_sided(norms.class::<false>(*x, *y)).value.is_infinite();
            is_exact |= one_sided.into_iter().any(is_infinite);
        });
        if is_exact && value == f64::INFINITY { Ok(()) } else { Err(self.p.overflow(row)) }
    }
}
