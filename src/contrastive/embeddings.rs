//! Rows of embeddings, and how alike two of them are.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2, s};

use crate::rowwise::RowLength;
use crate::{Error, Real, Result, check, parallel};

/// How alike two embeddings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Similarity {
    /// `⟨a, b⟩ / (|a| |b|)`, in `[-1, 1]`. An embedding of zeros has no direction and is an error.
    #[default]
    Cosine,
    /// `⟨a, b⟩`: for embeddings that have been normalized before, or are not to be.
    Dot,
}

/// Rows that one thread works on at a time.
const ROWS: usize = 64;

/// Checked rows of embeddings. Nothing of them is copied: a cosine is the product of a normalized row and a plain one, times
/// the inverse norm of that one.
pub(super) struct Embeddings<'a, T> {
    pub(super) rows: ArrayView2<'a, T>,
    /// `1 / |row|`, where similarities are cosines.
    pub(super) inverse: Option<Vec<T>>,
}

impl<'a, T: Real> Embeddings<'a, T> {
    pub(super) fn new(argument: &'static str, rows: ArrayView2<'a, T>, similarity: Similarity) -> Result<Self> {
        let mut inverse = vec![T::one(); rows.nrows()];
        let jobs = rows.axis_chunks_iter(Axis(0), ROWS).zip(inverse.chunks_mut(ROWS)).enumerate().collect();
        parallel::try_for_each(jobs, size_of::<T>() * rows.len(), |(job, (rows, inverse))| {
            for (i, (row, inverse)) in rows.outer_iter().zip(inverse).enumerate() {
                let at = job * ROWS + i;
                match similarity {
                    Similarity::Dot => check::finite_row(argument, &[at], row)?,
                    Similarity::Cosine => {
                        *inverse = T::from_f64(RowLength::checked(argument, &[at], row)?.divide(1.0));
                        if !inverse.is_normal() {
                            return Err(Error::overflow::<T>(argument, at));
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(Self { rows, inverse: (similarity == Similarity::Cosine).then_some(inverse) })
    }

    /// These rows, divided by their norms where similarities are cosines.
    pub(super) fn normalized(&self, range: Range<usize>) -> CowArray<'_, T, Ix2> {
        let rows = self.rows.slice(s![range.clone(), ..]);
        let Some(inverse) = &self.inverse else { return rows.into() };
        let mut rows: Array2<T> = rows.to_owned();
        for (mut row, &inverse) in rows.outer_iter_mut().zip(&inverse[range]) {
            row.mapv_inplace(|x| x * inverse);
        }
        rows.into()
    }

    /// Adds slopes in the normalized form of these rows, times the inverse norms, to the slopes of all.
    pub(super) fn add_scaled(&self, range: Range<usize>, slopes: &Array2<T>, mut out: ArrayViewMut2<'_, T>) {
        for (row, slopes) in range.zip(slopes.outer_iter()) {
            let factor = self.inverse.as_ref().map_or(T::one(), |inverse| inverse[row]);
            out.row_mut(row).scaled_add(factor, &slopes);
        }
    }

    /// Turns what [`Walk`](super::walk::Walk) has added up, slopes in the normalized rows times the inverse norms, into
    /// slopes in the rows: what points along a row does not change its cosines. Returns `Σ ⟨row, slope⟩` of what came.
    pub(super) fn finish(&self, slopes: ArrayViewMut2<'_, T>) -> f64 {
        let mut sums = vec![0.0; slopes.nrows().div_ceil(ROWS)];
        let bytes = 2 * size_of::<T>() * slopes.len();
        let mut slopes = slopes;
        let jobs = self.rows.axis_chunks_iter(Axis(0), ROWS).zip(slopes.axis_chunks_iter_mut(Axis(0), ROWS));
        let jobs = jobs.zip(&mut sums).enumerate().collect();
        parallel::for_each(jobs, bytes, |(job, ((rows, mut slopes), sum))| {
            for (i, (row, mut slopes)) in rows.outer_iter().zip(slopes.outer_iter_mut()).enumerate() {
                let dot: f64 = row.iter().zip(&slopes).map(|(&x, &slope)| x.as_f64() * slope.as_f64()).sum();
                *sum += dot;
                if let Some(inverse) = &self.inverse {
                    let inverse = inverse[job * ROWS + i];
                    // The square of an inverse norm need not fit the type.
                    let along = T::from_f64(dot * inverse.as_f64());
                    slopes.zip_mut_with(&row, |slope, &x| *slope -= along * (inverse * x));
                }
            }
        });
        crate::reduction::pairwise(&sums)
    }
}
