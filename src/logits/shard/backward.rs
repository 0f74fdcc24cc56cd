//! The gradient of a shard: its logits against the sums over the whole vocabulary.

use ndarray::{ArrayView1, ArrayViewD, ArrayViewMutD, s};

use super::{LogSumExp, VocabularyShard, extents};
use crate::error::Position;
use crate::logits::cotangent;
use crate::logits::labels::Labels;
use crate::rowwise::{self, BLOCK, RowReader, Rows, RowsMut};
use crate::simd::{self, RowSum};
use crate::target::Indices;
use crate::{Element, Error, Real, Result, check};

/// What comes beside the logits, one entry for each row.
#[derive(Debug)]
pub struct Upstream<'a, T> {
    pub(super) targets: Indices<'a>,
    pub(super) whole: ArrayViewD<'a, LogSumExp<T>>,
    pub(super) cotangent: ArrayViewD<'a, T>,
}

/// Writes the gradient in the logits of a shard.
pub(in crate::logits) fn backward<E: Element>(
    shard: &VocabularyShard,
    logits: ArrayViewD<'_, E>,
    upstream: Upstream<'_, E::Real>,
    out: ArrayViewMutD<'_, E::Real>,
) -> Result<()> {
    let (_, leading) = extents(logits.shape())?;
    Backward::new(shard, leading, upstream)?.run(&logits, out)
}

/// What each row needs next to its logits.
struct Backward<'a, 't, T> {
    shard: &'a VocabularyShard,
    leading: &'a [usize],
    labels: Labels<'t>,
    whole: Vec<LogSumExp<T>>,
    cotangent: Vec<f64>,
}

impl<'a, 't, T: Real> Backward<'a, 't, T> {
    fn new(shard: &'a VocabularyShard, leading: &'a [usize], upstream: Upstream<'t, T>) -> Result<Self> {
        let Upstream { targets, whole, cotangent } = upstream;
        check::shape("targets", targets.shape(), leading)?;
        check::shape("whole", whole.shape(), leading)?;
        let cotangent = cotangent::checked(&cotangent, leading)?;
        let labels = shard.labels(targets, leading, &|row| cotangent[row] == 0.0)?;
        Ok(Self { shard, leading, labels, whole: whole.iter().copied().collect(), cotangent })
    }

    /// Writes the gradient of all rows.
    fn run<E: Element<Real = T>>(&self, logits: &ArrayViewD<'_, E>, mut out: ArrayViewMutD<'_, T>) -> Result<()> {
        let (width, _) = extents(logits.shape())?;
        let out = RowsMut::new("out", &mut out, logits.shape())?;
        (0..self.whole.len()).try_for_each(|row| self.check_whole(row))?;
        if width == 0 {
            return Ok(());
        }
        let rows = Rows::new("logits", logits)?;
        let jobs = rows.jobs(1).of_work(rows.bytes() + rows.len() * width * size_of::<T>());
        jobs.each_output(out, |index, out| self.row(index, rows.row(index), out))
    }

    /// The class of a row that is counted.
    fn target(&self, row: usize) -> Option<usize> {
        self.labels.get(row).filter(|_| self.cotangent[row] != 0.0)
    }

    /// The merged row must be a distribution and know its target.
    fn check_whole(&self, row: usize) -> Result<()> {
        let Some(target) = self.target(row) else { return Ok(()) };
        let position = || Position::unravel(row, self.leading);
        if !self.whole[row].row().is_proper() {
            let (value, allowed) = (self.whole[row].max().as_f64(), "a sum with at least one finite logit");
            return Err(Error::Value { argument: "whole", position: position(), value, allowed });
        }
        if self.whole[row].target().is_none() {
            let (value, allowed) = (target as f64, "a class that some part of the vocabulary holds");
            return Err(Error::Value { argument: "targets", position: position(), value, allowed });
        }
        Ok(())
    }

    /// `c ([v = y] - e^(x - lse))`.
    fn row<E: Element<Real = T>>(&self, index: usize, logits: ArrayView1<'_, E>, out: &mut [T]) -> Result<()> {
        let Some(target) = self.target(index) else {
            out.fill(T::zero());
            return Ok(());
        };
        let (whole, cotangent) = (self.whole[index].row(), self.cotangent[index]);
        let scale = T::from_f64(-cotangent / (1.0 + whole.others));
        let (out, padding) = out.split_at_mut(self.shard.held(out.len()));
        padding.fill(T::zero());
        let logits = logits.slice_move(s![..out.len()]);
        for (i, block) in out.chunks_mut(BLOCK).enumerate() {
            rowwise::copy(logits.slice(s![i * BLOCK..i * BLOCK + block.len()]), block);
            let (max, is_number) = T::top(block);
            if !is_number || max > whole.max {
                return Err(self.fault(index, logits, &whole));
            }
            simd::scale_exp(block, whole.max, scale);
        }
        if let Some(at) = self.shard.place(target, out.len()) {
            out[at] = T::from_f64(cotangent * whole.complement(logits[at].real()));
        }
        Ok(())
    }

    /// What is wrong with a row of which something is.
    fn fault<E: Element<Real = T>>(&self, index: usize, logits: ArrayView1<'_, E>, whole: &RowSum<T>) -> Error {
        let mut wide = logits.iter().map(|x| x.real().as_f64());
        if wide.clone().any(|x| x.is_nan() || x == f64::INFINITY) {
            return rowwise::improper("logits", self.leading, index, logits);
        }
        let mut position = Position::unravel(index, self.leading);
        let above = wide.clone().position(|x| x > whole.max.as_f64());
        position.0.extend(above);
        let value = above.and_then(|at| wide.nth(at)).unwrap_or(f64::NAN);
        Error::Value { argument: "logits", position, value, allowed: "at most the largest logit of `whole`" }
    }
}
