//! The rows of logits of one call, and a kernel's run over them: fixed jobs, a loss for each row, the first error in
//! logical order.

use ndarray::{ArrayD, ArrayRef, ArrayView1, ArrayViewD, ArrayViewMutD, Dimension, IxDyn};

use super::kernel::RowKernel;
use super::row_passes::{RowPass, Scratch};
use super::scales::Total;
use super::transform::{LogitTransform, Map};
use super::{tiles, transformed};
use crate::rowwise::{self, RowJobs, Rows, RowsMut};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result};

/// Outputs of so many bytes leave the last-level cache before they are read again: stores go past it.
const STREAM: usize = 32 << 20;

/// Fewer rows than this, if long, are split over their classes to give every thread something to do.
const FEW_ROWS: usize = 8;

/// The logits of a call and where a row for each of their rows goes, if anywhere.
#[derive(Debug)]
pub enum LogitArrays<'a, E: Element> {
    /// Rows are read.
    Read(ArrayViewD<'a, E>),
    /// Rows are read and others are written.
    Write(ArrayViewD<'a, E>, ArrayViewMutD<'a, E::Real>),
    /// Rows are replaced.
    Replace(ArrayViewMutD<'a, E::Real>),
}

impl<'a, E: Element> LogitArrays<'a, E> {
    /// Logits that are read.
    pub(super) fn read<D: Dimension>(logits: &'a ArrayRef<E, D>) -> Self {
        Self::Read(logits.view().into_dyn())
    }

    /// Logits that are read, and an array of their shape that is written.
    pub(super) fn write<D: Dimension>(logits: &'a ArrayRef<E, D>, out: &'a mut ArrayRef<E::Real, D>) -> Self {
        Self::Write(logits.view().into_dyn(), out.view_mut().into_dyn())
    }

    /// Logits that are replaced.
    pub(super) fn replace<D: Dimension>(logits: &'a mut ArrayRef<E::Real, D>) -> Self {
        Self::Replace(logits.view_mut().into_dyn())
    }
}

/// Logits, or where the result of each row goes, or both.
pub(super) struct LogitRows<'a, E: Element> {
    shape: Vec<usize>,
    logits: Option<Rows<'a, E>>,
    out: Option<RowsMut<'a, E::Real>>,
    map: Option<Map<E::Real>>,
}

impl<'a, E: Element> LogitRows<'a, E> {
    /// The rows of these arrays.
    pub(super) fn new(arrays: &'a mut LogitArrays<'_, E>) -> Result<Self> {
        match arrays {
            LogitArrays::Read(logits) => Self::over(logits),
            LogitArrays::Write(logits, out) => Self::over(logits)?.into(out),
            LogitArrays::Replace(logits) => Self::in_place(logits),
        }
    }

    /// Reads the rows.
    fn over(logits: &'a ArrayRef<E, IxDyn>) -> Result<Self> {
        Ok(Self { shape: logits.shape().to_vec(), logits: Some(Rows::new("logits", logits)?), out: None, map: None })
    }

    /// Writes a row of the same length for each.
    fn into(mut self, out: &'a mut ArrayRef<E::Real, IxDyn>) -> Result<Self> {
        self.out = Some(RowsMut::new("out", out, &self.shape)?);
        Ok(self)
    }

    /// Replaces the rows.
    fn in_place(logits: &'a mut ArrayRef<E::Real, IxDyn>) -> Result<Self> {
        let shape = logits.shape().to_vec();
        match shape.last() {
            None => Err(Error::no_axis("logits")),
            Some(0) => Err(Error::Empty { argument: "logits" }),
            Some(_) => Ok(Self { logits: None, out: Some(RowsMut::new("logits", logits, &shape)?), map: None, shape }),
        }
    }

    /// Takes the rows of transformed logits, and gradients back through the transform.
    pub(super) fn transformed(mut self, transform: LogitTransform) -> Result<Self> {
        transform.check()?;
        self.map = transform.map();
        Ok(self)
    }

    /// The shape of the logits without its last axis: one loss for each row.
    pub(super) fn leading(&self) -> &[usize] {
        &self.shape[..self.shape.len() - 1]
    }

    /// The shape of the logits.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Length of each row.
    pub(super) fn classes(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.leading().iter().product()
    }

    /// The loss of each row; of the errors, the first by rows.
    pub(super) fn losses(self, kernel: &dyn RowKernel<E::Real>) -> Result<Vec<f64>> {
        let mut losses = vec![0.0; self.rows()];
        let sinks = losses.chunks_mut(self.jobs().per_job()).map(Sink::Each).collect();
        self.run(kernel, sinks, &|_, _| Total::default())?;
        Ok(losses)
    }

    /// The loss of each row, rounded once, in the shape that the rows have without the last axis.
    pub(super) fn each(self, kernel: &dyn RowKernel<E::Real>) -> Result<ArrayD<E::Real>> {
        let leading = self.leading().to_vec();
        Ok(by_row(&self.losses(kernel)?, &leading))
    }

    /// What `total` makes of the losses of each job, given the place of the first; jobs are fixed. Nothing is allocated that
    /// grows with the rows but the totals.
    pub(super) fn totals(
        self,
        kernel: &dyn RowKernel<E::Real>,
        total: &(dyn Fn(usize, &mut [f64]) -> Total + Sync),
    ) -> Result<Vec<Total>> {
        let (rows, jobs) = (self.rows(), self.jobs());
        let mut totals = vec![Total::default(); jobs.len()];
        let firsts = (0..rows).step_by(jobs.per_job());
        let sink = |(first, total)| Sink::Totaled { rows: jobs.per_job().min(rows - first), total };
        let sinks = firsts.zip(&mut totals).map(sink).collect();
        self.run(kernel, sinks, total)?;
        Ok(totals)
    }

    /// Writes the output of each row, and nothing else.
    pub(super) fn write(self, kernel: &dyn RowKernel<E::Real>) -> Result<()> {
        self.totals(kernel, &|_, _| Total::default()).map(drop)
    }

    fn jobs(&self) -> RowJobs {
        RowJobs::new(self.rows(), self.classes() * size_of::<E>())
    }

    fn run(
        self,
        kernel: &dyn RowKernel<E::Real>,
        sinks: Vec<Sink<'_>>,
        total_of: &(dyn Fn(usize, &mut [f64]) -> Total + Sync),
    ) -> Result<()> {
        let output = self.out.as_ref().map_or(0, |_| self.rows() * self.classes() * size_of::<E::Real>());
        let bytes = self.logits.as_ref().map_or(0, Rows::bytes) + output;
        let is_split = self.rows() < FEW_ROWS;
        let streams = self.logits.is_some() && output >= STREAM;
        let (map, jobs) = (self.map, self.jobs());
        let pass = RowPass { is_split, streams, ..RowPass::new(&self.shape, self.logits.as_ref(), kernel) };
        let jobs = jobs.of_work(if is_split { 0 } else { bytes }); // if split, each row is run by all threads
        jobs.run(sinks.into_iter(), [self.out], Scratch::default, |scratch, first, sink, [out]| match sink {
            Sink::Each(losses) => job((&pass, map), first, losses, out, scratch),
            Sink::Totaled { rows, total } => {
                let mut losses = std::mem::take(&mut scratch.losses);
                losses.clear();
                losses.resize(rows, 0.0);
                let outcome = job((&pass, map), first, &mut losses, out, scratch);
                *total = total_of(first, &mut losses);
                scratch.losses = losses;
                outcome
            }
        })
    }
}

/// Where the losses of neighboring rows go.
enum Sink<'s> {
    Each(&'s mut [f64]),
    Totaled { rows: usize, total: &'s mut Total },
}

/// Neighboring rows, done one after the other, or by tiles where they are short and not transformed.
fn job<E: Element>(
    (pass, map): (&RowPass<'_, '_, E>, Option<Map<E::Real>>),
    first: usize,
    losses: &mut [f64],
    out: Option<RowsMut<'_, E::Real>>,
    scratch: &mut Scratch<E::Real>,
) -> Result<()> {
    if map.is_none() && tiles::fit(pass) {
        return tiles::job(pass, first, losses, out, scratch);
    }
    let (rows, mut result) = (losses.len(), Ok(()));
    let mut visit = |i: usize, out: Option<&mut [E::Real]>| {
        if result.is_ok() {
            let outcome = match map {
                None => pass.row(first + i, out, scratch),
                Some(map) => transformed::row((pass, map), first + i, out, scratch),
            };
            match outcome {
                Ok(loss) => losses[i] = loss,
                Err(error) => result = Err(error),
            }
        }
    };
    match out {
        Some(out) => out.for_each(|i, row| visit(i, Some(row))),
        None => (0..rows).for_each(|i| visit(i, None)),
    }
    result
}

/// Zeros of this shape.
pub(super) fn zeros<T: Real>(shape: &[usize]) -> ArrayD<T> {
    ArrayD::from_elem(shape, T::zero())
}

/// One number for each row in the shape that they have without the last axis, rounded once.
pub(super) fn by_row<T: Real>(values: &[f64], leading: &[usize]) -> ArrayD<T> {
    let mut result = zeros(leading);
    result.iter_mut().zip(values).for_each(|(to, &value)| *to = T::from_f64(value));
    result
}

/// The sum of exponentials of one row, in the type that is computed in.
pub(super) fn row_sum<E: Element>(row: ArrayView1<'_, E>) -> RowSum<E::Real> {
    let mut sum = RowSum::new();
    match row.to_slice() {
        Some(row) => sum.push(row),
        None => rowwise::for_each_block(row, |block| sum.push(block)),
    }
    sum
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Axis, s};

    use super::*;
    use crate::logits::testing::sample;
    use crate::logits::{
        CrossEntropy, TokenObjective, log_softmax, log_softmax_in_place, log_softmax_into, log_sum_exp,
        token_log_probs, token_log_probs_backward,
    };
    use crate::{Reduction, SumCount};

    #[test]
    fn what_is_streamed_has_the_bits_of_what_replaces_its_input() {
        let (rows, classes) = (STREAM / size_of::<f32>() / 20_000 + 1, 20_000);
        let x = sample::<f32>(rows, classes);
        let (mut streamed, mut replaced) = (Array2::zeros(x.dim()), x.clone());
        log_softmax_into(&x, &mut streamed).unwrap();
        log_softmax_in_place(&mut replaced).unwrap();
        assert_eq!(streamed, replaced);
        let targets = Array1::from_shape_fn(rows, |i| if i % 9 == 4 { -100 } else { (i * 97 % classes) as i64 });
        replaced.assign(&x);
        let loss = CrossEntropy::default();
        let value = loss.grad_into(&x, &targets, Reduction::Mean, &mut streamed).unwrap();
        assert_eq!(loss.grad_in_place(&mut replaced, &targets, Reduction::Mean).unwrap(), value);
        assert_eq!(streamed, replaced);
        let smooth = CrossEntropy { label_smoothing: 0.1, ..loss };
        replaced.assign(&x);
        smooth.grad_into(&x, &targets, Reduction::Sum, &mut streamed).unwrap();
        smooth.grad_in_place(&mut replaced, &targets, Reduction::Sum).unwrap();
        assert_eq!(streamed, replaced);
    }

    /// Two rows of so many segments and a bit, the largest logit of the second in the last.
    fn long_rows() -> Array2<f32> {
        let mut x = sample::<f32>(2, 200_001);
        x[[1, 199_990]] = 9.5;
        x
    }

    #[test]
    fn few_long_rows_give_the_same_bits_to_any_number_of_threads() {
        let (x, targets) = (long_rows(), ndarray::array![7_i64, 150_000]);
        let by = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| CrossEntropy::default().grad(&x, &targets, Reduction::Sum).unwrap())
        };
        let one = by(1);
        assert_eq!(by(2), one);
        assert_eq!(by(5), one);
        for (row, gradient) in one.1.axis_iter(Axis(0)).enumerate() {
            let wide = x.row(row).mapv(f64::from);
            let lse = wide.mapv(|x| (x - 9.5).exp()).sum().ln() + 9.5;
            let exact = wide.mapv(|x| (x - lse).exp());
            let others = gradient.iter().zip(&exact).enumerate().filter(|&(v, _)| v as i64 != targets[row]);
            for (v, (&got, &exact)) in others {
                assert!((f64::from(got) - exact).abs() <= 4e-7 * exact, "{row}, {v}: {got} against {exact}");
            }
            let mean = f64::from(log_sum_exp(&x).unwrap()[row]);
            assert!((mean - lse).abs() <= 1e-6 * lse.abs(), "{mean} against {lse}");
        }
    }

    #[test]
    fn a_fault_in_a_late_segment_is_found_where_it_stands() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = long_rows();
            x[[1, 140_000]] = bad;
            let place = format!("`logits`[1, 140000] is {}", if bad.is_nan() { "NaN" } else { "inf" });
            let targets = ndarray::array![0_i64, 1];
            for message in [
                log_sum_exp(&x).unwrap_err().to_string(),
                token_log_probs(&x, &targets).unwrap_err().to_string(),
                CrossEntropy::default().grad(&x, &targets, Reduction::Mean).unwrap_err().to_string(),
                CrossEntropy::default().grad_in_place(&mut x, &targets, Reduction::Mean).unwrap_err().to_string(),
            ] {
                assert!(message.starts_with(&place), "{message}");
            }
        }
    }

    #[test]
    fn short_rows_agree_with_long_ones_and_are_ignored_alike() {
        let inf = f64::INFINITY;
        for (rows, classes) in [(1, 1), (16, 2), (37, 10), (15, 63), (50, 64), (7, 65)] {
            let mut x = sample::<f64>(rows, classes);
            let mut targets = Array1::from_shape_fn(rows, |i| (i * 31 % classes) as i64);
            if rows > 4 {
                x.row_mut(3).fill(f64::NAN); // ignored
                targets[3] = -100;
                x[[4, targets[4] as usize]] = if classes > 1 { -inf } else { 0.0 };
            }
            // The same rows among classes of no mass, which go one by one.
            let mut wide = Array2::from_elem((rows, 100), -inf);
            wide.slice_mut(s![.., ..classes]).assign(&x);
            let loss = CrossEntropy::default();
            let (short, long) = (loss.each(&x, &targets).unwrap(), loss.each(&wide, &targets).unwrap());
            for (a, b) in short.iter().zip(&long) {
                assert!(a == b || (a - b).abs() <= 4e-16 * b.abs().max(1.0), "{rows}x{classes}: {a} against {b}");
            }
            let SumCount { sum, count } = loss.sum_count(&x, &targets).unwrap();
            assert_eq!(count, if rows > 4 { rows as f64 - 1.0 } else { rows as f64 });
            assert_eq!(loss.value(&x, &targets, Reduction::Sum).unwrap(), sum);
            let short = loss.grad(&x, &targets, Reduction::Sum).unwrap().1;
            let long = loss.grad(&wide, &targets, Reduction::Sum).unwrap().1;
            for (a, b) in short.iter().zip(long.slice(s![.., ..classes])) {
                assert!((a - b).abs() <= 4e-16, "{rows}x{classes}: {a} against {b}");
            }
        }
    }

    #[test]
    fn outputs_of_short_rows_agree_with_those_of_long_ones() {
        for (rows, classes) in [(1, 1), (16, 2), (37, 10), (15, 63)] {
            let mut x = sample::<f64>(rows, classes);
            x[[rows - 1, 0]] = if classes > 1 { -800.0 } else { 0.0 };
            let mut wide = Array2::from_elem((rows, 100), f64::NEG_INFINITY);
            wide.slice_mut(s![.., ..classes]).assign(&x);
            let targets = Array1::from_shape_fn(rows, |i| if i % 9 == 4 { 77 } else { i * 31 % classes });
            let weights = targets.mapv(|target| if target == 77 { 0.0 } else { target as f64 - 0.7 });
            let close = |what, short: &Array2<f64>, long: &Array2<f64>| {
                for (a, b) in short.iter().zip(long.slice(s![.., ..classes])) {
                    assert!((a - b).abs() <= 1e-15 * b.abs().max(1.0), "{what} {rows}x{classes}: {a} against {b}");
                }
            };
            close("log-softmax", &log_softmax(&x).unwrap(), &log_softmax(&wide).unwrap());
            let backward = |x| token_log_probs_backward(x, &targets, &weights).unwrap();
            close("backward", &backward(&x), &backward(&wide));
            let mut replaced = x.clone();
            log_softmax_in_place(&mut replaced).unwrap();
            assert_eq!(replaced, log_softmax(&x).unwrap());
        }
    }
}
