//! Where gradients go: the caller's arrays themselves where they lie row after row, else scratch and a copy.

use ndarray::{Array2, ArrayViewMut1, ArrayViewMut2, ArrayViewMutD, Axis, s};
use std::ops::Range;

use super::gradient::LinearGradientMut;
use super::lanes;
use super::tokens::Tokens;
use crate::{Error, Real, Result, check, parallel};

/// The gradient of hidden states: the rows of the counted tokens stand at the front until it is finished.
pub(super) enum HiddenSink<'a, T> {
    Packed(&'a mut [T]),
    Scattered { rows: Vec<T>, out: ArrayViewMutD<'a, T> },
}

impl<'a, T: Real> HiddenSink<'a, T> {
    pub(super) fn new(out: ArrayViewMutD<'a, T>) -> Self {
        match out.is_standard_layout() {
            true => Self::Packed(out.into_slice().unwrap_or_default()),
            false => Self::Scattered { rows: vec![T::zero(); out.len()], out },
        }
    }

    /// The rows, one after the other.
    pub(super) fn rows(&mut self) -> &mut [T] {
        match self {
            Self::Packed(rows) => rows,
            Self::Scattered { rows, .. } => rows,
        }
    }

    /// Brings all rows to their places. An entry that is no number is an overflow.
    pub(super) fn finish(mut self, tokens: &Tokens<'_, T>, width: usize) -> Result<()> {
        let rows = &mut self.rows()[..tokens.len() * width];
        if let Some(token) = rows.chunks(width).position(|row| !lanes::all_finite(row)) {
            return Err(tokens.overflow(token));
        }
        tokens.spread(self.rows(), width);
        if let Self::Scattered { rows, mut out } = self {
            out.iter_mut().zip(rows).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// The gradients of weight and bias, by blocks of classes.
pub(super) struct HeadSink<'a, T> {
    weight: ArrayViewMut2<'a, T>,
    pub(super) bias: Option<ArrayViewMut1<'a, T>>,
}

impl<'a, T: Real> HeadSink<'a, T> {
    pub(super) fn new(weight: ArrayViewMut2<'a, T>, bias: Option<ArrayViewMut1<'a, T>>) -> Self {
        Self { weight, bias }
    }

    /// Gives the weight's gradient, or scratch for it, to `f`.
    pub(super) fn weight<R>(&mut self, f: impl FnOnce(ArrayViewMut2<'_, T>) -> Result<R>) -> Result<R> {
        rows_of(self.weight.view_mut(), f)
    }

    /// The same for neighboring classes.
    pub(super) fn block<R>(
        &mut self,
        classes: Range<usize>,
        f: impl FnOnce(ArrayViewMut2<'_, T>) -> Result<R>,
    ) -> Result<R> {
        rows_of(self.weight.slice_mut(s![classes, ..]), f)
    }

    /// The bias's gradient of neighboring classes.
    pub(super) fn write_bias(&mut self, first: usize, sums: impl IntoIterator<Item = f64>) -> Result<()> {
        let Some(bias) = &mut self.bias else { return Ok(()) };
        for (class, sum) in (first..).zip(sums) {
            bias[class] = crate::reduction::to_real(sum, "bias", class)?;
        }
        Ok(())
    }

    /// Zeros everywhere: no token is counted.
    pub(super) fn clear(&mut self) {
        self.weight.fill(T::zero());
        if let Some(bias) = &mut self.bias {
            bias.fill(T::zero());
        }
    }
}

/// Gives an array to `f` that holds what `f` writes to it row after row.
fn rows_of<T: Real, R>(mut out: ArrayViewMut2<'_, T>, f: impl FnOnce(ArrayViewMut2<'_, T>) -> Result<R>) -> Result<R> {
    if out.is_standard_layout() {
        return f(out);
    }
    let mut rows = Array2::from_elem(out.raw_dim(), T::zero());
    let result = f(rows.view_mut())?;
    out.assign(&rows);
    Ok(result)
}

/// Rows of a slice, so many and so wide.
pub(super) fn matrix<T>(rows: &mut [T], count: usize, width: usize) -> Result<ArrayViewMut2<'_, T>> {
    let got = vec![rows.len()];
    let matrix = ArrayViewMut2::from_shape((count, width), rows);
    matrix.map_err(|_| Error::Shape { argument: "out", got, expected: vec![count, width] })
}

/// A gradient of the weight of neighboring classes that is no number is an overflow.
pub(super) fn check_weight<T: Real>(first: usize, rows: ArrayViewMut2<'_, T>) -> Result<()> {
    const ROWS: usize = 64;
    let bytes = rows.len() * size_of::<T>();
    let jobs = rows.axis_chunks_iter(Axis(0), ROWS).enumerate().collect();
    parallel::try_for_each(jobs, bytes, |(job, rows)| {
        let wrong = |row: ndarray::ArrayView1<'_, T>| !lanes::all_finite(row.to_slice().unwrap_or_default());
        match rows.rows().into_iter().position(wrong) {
            None => Ok(()),
            Some(row) => Err(Error::overflow::<T>("weight", first + job * ROWS + row)),
        }
    })
}

/// Checks the shapes of the buffers; a bias has one exactly where the head has one.
pub(crate) fn check_out<T, X>(
    objective: &'static str,
    out: &LinearGradientMut<'_, T, X>,
    (classes, width): (usize, usize),
    has_bias: bool,
) -> Result<()> {
    check::shape("out.weight", out.weight.shape(), &[classes, width])?;
    match (&out.bias, has_bias) {
        (Some(bias), true) => check::shape("out.bias", bias.shape(), &[classes]),
        (None, false) => Ok(()),
        (Some(_), false) => Err(Error::Missing { objective, argument: "bias" }),
        (None, true) => Err(Error::Missing { objective, argument: "out.bias" }),
    }
}
