//! Rows in jobs: neighboring rows that one thread works on.

use crate::rowwise::RowsMut;
use crate::{Real, Result, parallel};

/// Bytes of rows that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB_BYTES: usize = 256 << 10;

/// The rows of one call, cut into jobs.
#[derive(Clone, Copy)]
pub(crate) struct RowJobs {
    rows: usize,
    per_job: usize,
    bytes: usize,
}

impl RowJobs {
    /// So many rows, for each of which so many bytes are read and written.
    pub(crate) fn new(rows: usize, row_bytes: usize) -> Self {
        Self { rows, per_job: (JOB_BYTES / row_bytes.max(1)).max(1), bytes: rows * row_bytes }
    }

    /// The same jobs where the work on all of them costs as much as this number of bytes: little stays on one thread.
    pub(crate) fn of_work(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Rows of each job, the last of which may have fewer.
    pub(crate) fn per_job(&self) -> usize {
        self.per_job
    }

    /// Number of jobs.
    pub(crate) fn len(&self) -> usize {
        self.rows.div_ceil(self.per_job)
    }

    /// Runs `f` on every job: given memory that its thread has used before, its first row, what `items` holds for it, and
    /// its part of each output that there is. Of the errors, that of the first job.
    pub(crate) fn run<J: Send, T: Real, S, const N: usize>(
        self,
        items: impl Iterator<Item = J>,
        outs: [Option<RowsMut<'_, T>>; N],
        scratch: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, usize, J, [Option<RowsMut<'_, T>>; N]) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        let mut parts = outs.map(|out| out.map(|rows| rows.split(self.per_job).into_iter()));
        let jobs = items.enumerate().map(|(job, item)| {
            let outs = parts.each_mut().map(|part| part.as_mut().and_then(Iterator::next));
            (job * self.per_job, item, outs)
        });
        parallel::try_for_each_with(jobs.collect(), self.bytes, scratch, |scratch, (first, item, outs)| {
            f(scratch, first, item, outs)
        })
    }

    /// Runs `f` on every row, in order within a job: given memory that its thread has used before, the row's number, its
    /// value, and its part of each output as a slice that holds its elements. After an error the job ends; of the errors,
    /// the first by rows.
    pub(crate) fn each_row<V: Send, T: Real, S, const N: usize>(
        self,
        values: &mut [V],
        outs: [Option<RowsMut<'_, T>>; N],
        scratch: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, usize, &mut V, [Option<&mut [T]>; N]) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        self.run(values.chunks_mut(self.per_job), outs, scratch, |scratch, first, values, mut outs| {
            let mut copies = [(); N].map(|()| Vec::new());
            for (i, value) in values.iter_mut().enumerate() {
                let mut copy = copies.iter_mut();
                let slices = outs.each_mut().map(|out| Some(out.as_mut()?.load(i, copy.next()?)));
                f(scratch, first + i, value, slices)?;
                outs.iter_mut().zip(&copies).for_each(|(out, copy)| out.iter_mut().for_each(|out| out.store(i, copy)));
            }
            Ok(())
        })
    }

    /// [`RowJobs::each_row`] of one output and nothing else.
    pub(crate) fn each_output<T: Real>(
        self,
        out: RowsMut<'_, T>,
        f: impl Fn(usize, &mut [T]) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        let rows = &mut vec![(); self.rows];
        self.each_row(rows, [Some(out)], || (), |(), row, (), [out]| out.map_or(Ok(()), |out| f(row, out)))
    }

    /// [`RowJobs::each_row`] of values alone.
    pub(crate) fn each_value<V: Send>(
        self,
        values: &mut [V],
        f: impl Fn(usize, &mut V) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        self.each_value_with(values, || (), |(), row, value| f(row, value))
    }

    /// [`RowJobs::each_value`] with memory that its thread has used before.
    pub(crate) fn each_value_with<V: Send, S>(
        self,
        values: &mut [V],
        scratch: impl Fn() -> S + Sync + Send,
        f: impl Fn(&mut S, usize, &mut V) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        self.run::<_, f64, _, 0>(values.chunks_mut(self.per_job), [], scratch, |scratch, first, values, []| {
            (first..).zip(values).try_for_each(|(row, value)| f(scratch, row, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

    use super::*;
    use crate::Error;

    const JOBS: RowJobs = RowJobs { rows: 5, per_job: 2, bytes: usize::MAX };

    /// Doubles both outputs of rows of two, and counts in each value.
    fn doubled(first: &mut Array2<f64>, second: Option<&mut Array2<f64>>) -> Vec<usize> {
        let mut values = vec![0; 5];
        let first = Some(RowsMut::new("first", first, &[5, 2]).unwrap());
        let second = second.map(|out| RowsMut::new("second", out, &[5, 2]).unwrap());
        let double = |(): &mut (), row, value: &mut usize, outs: [Option<&mut [f64]>; 2]| {
            *value = 10 * row + outs.iter().flatten().count();
            outs.into_iter().flatten().flatten().for_each(|x| *x *= 2.0);
            Ok(())
        };
        JOBS.each_row(&mut values, [first, second], || (), double).unwrap();
        values
    }

    #[test]
    fn every_row_meets_its_value_and_its_outputs_in_any_layout() {
        let numbers = Array2::from_shape_fn((5, 2), |(i, j)| (10 * i + j) as f64);
        let (mut packed, mut scattered) = (numbers.clone(), Array2::zeros((5, 2).f()));
        scattered.assign(&numbers);
        assert_eq!(doubled(&mut packed, Some(&mut scattered)), [2, 12, 22, 32, 42]);
        assert_eq!((&packed, &scattered), (&(2.0 * &numbers), &(2.0 * &numbers)));
        assert_eq!(doubled(&mut scattered, None), [1, 11, 21, 31, 41]);
        assert_eq!(scattered, 4.0 * numbers);
    }

    #[test]
    fn jobs_follow_the_bytes_of_a_row() {
        assert_eq!((RowJobs::new(10, JOB_BYTES / 4).per_job(), RowJobs::new(10, JOB_BYTES / 4).len()), (4, 3));
        assert_eq!((RowJobs::new(3, 2 * JOB_BYTES).per_job(), RowJobs::new(3, 2 * JOB_BYTES).len()), (1, 3));
        assert_eq!((RowJobs::new(0, 8).len(), RowJobs::new(7, 0).per_job()), (0, JOB_BYTES));
    }

    #[test]
    fn the_error_is_that_of_the_first_row_and_its_job_ends_there() {
        let mut seen = [false; 5];
        let result = JOBS.each_value(&mut seen, |row, seen| {
            *seen = true;
            if row == 0 || row == 3 { Err(Error::overflow::<f64>("x", row)) } else { Ok(()) }
        });
        assert_eq!(result, Err(Error::overflow::<f64>("x", 0)));
        assert_eq!(seen, [true, false, true, true, true]);
    }

    #[test]
    fn a_job_has_its_part_of_items_and_outputs() {
        let mut out = array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5.0, 5.0]];
        let rows = RowsMut::new("out", &mut out, &[5, 2]).unwrap();
        let add = |(): &mut (), first, item: char, [out]: [Option<RowsMut<'_, f64>>; 1]| {
            let shift = first as f64 + if item == 'c' { 0.5 } else { 0.0 };
            out.unwrap().for_each(|i, row| row.iter_mut().for_each(|x| *x = *x * 100.0 + shift + i as f64));
            Ok(())
        };
        JOBS.run("abc".chars(), [Some(rows)], || (), add).unwrap();
        assert_eq!(out.column(0), array![100.0, 201.0, 302.0, 403.0, 504.5]);
    }
}
