//! One pass of a density over arrays: what is checked before, and what the pass over elements is told.
//!
//! Arrays of any dimension become columns in logical order; those that do not lie in memory so are copied.

use ndarray::{ArrayView1, ArrayViewD, ArrayViewMut1, ArrayViewMutD, CowArray, IxDyn};

use super::loops::Loops;
use crate::error::Position;
use crate::pointwise::{self, COLUMNS, Call, Column, Domain, Mode, Output, SLOPES, Words};
use crate::reduction::to_real;
use crate::rowwise::in_slices;
use crate::{Error, Real, Reduction, Result, check};

/// What is asked of a density, free of the caller's types.
#[derive(Debug)]
pub struct Request<'a, T> {
    /// Name and domain of each argument.
    pub(super) arguments: &'a [(&'static str, Domain)],
    /// The arguments.
    pub(super) arrays: &'a [ArrayViewD<'a, T>],
    /// How many of the arguments have derivatives.
    pub(super) slopes: usize,
    /// How the losses become one number.
    pub(super) reduction: Reduction<'a, T, IxDyn>,
}

/// Where a pass writes what it finds beside the value.
#[derive(Debug)]
pub enum Out<'o, 'a, T> {
    /// Nowhere.
    Nothing,
    /// One loss for each element, not weighted.
    Each(ArrayViewMutD<'a, T>),
    /// The derivatives of the reduced loss, and the names of their arrays.
    Grad(&'o [&'static str], &'o mut [ArrayViewMutD<'a, T>]),
}

/// The reduced loss, which fits the type of the data, and `out` filled.
pub(super) fn run<T: Real>(loops: Loops<'_, ()>, request: &Request<'_, T>, out: &mut Out<'_, '_, T>) -> Result<f64> {
    let value: T = to_real(sum(loops, request, out)?, request.arguments[0].0, Position::default())?;
    Ok(value.as_f64())
}

/// The reduced loss, whether it fits that type or not.
pub(super) fn sum_alone<T: Real>(loops: Loops<'_, ()>, request: &Request<'_, T>) -> Result<f64> {
    sum(loops, request, &mut Out::Nothing)
}

fn sum<T: Real>(loops: Loops<'_, ()>, request: &Request<'_, T>, out: &mut Out<'_, '_, T>) -> Result<f64> {
    let Request { arguments, arrays, slopes, reduction } = *request;
    let (shape, n, name) = (arrays[0].shape(), arrays[0].len(), arguments[0].0);
    for ((name, _), array) in arguments.iter().zip(arrays) {
        check::shape(name, array.shape(), shape)?;
    }
    reduction.check(shape)?;
    if let Out::Grad(names, out) = out {
        names.iter().zip(&**out).try_for_each(|(name, out)| check::shape(name, out.shape(), shape))?;
    }
    let is_mean = matches!(reduction, Reduction::Mean);
    if is_mean && n == 0 {
        return Err(Error::NothingToAverage { argument: name });
    }
    let packed: Vec<_> = arrays.iter().map(|array| array.as_standard_layout()).collect();
    let column = |(&(name, domain), array)| Column::array(name, domain, flat(array));
    let columns: Vec<_> = arguments.iter().zip(&packed).map(column).collect();
    let weights = if let Reduction::Weighted(weights) = reduction { Some(weights.as_standard_layout()) } else { None };
    let call = Call {
        block: loops.get::<T>(),
        columns: &columns,
        slopes,
        shape,
        weights: weights.as_ref().map(flat),
        factor: if is_mean { T::from_f64(n as f64).recip() } else { T::one() },
        words: Words {
            total: name,
            outputs: &[name; SLOPES],
            names_shares: true,
            undefined: "",
            steepest: |_| 0,
            explain: &|_: &[f64; COLUMNS], _| None,
        },
    };
    let total = match out {
        Out::Nothing => pointwise::run(&call, Output::Nothing)?,
        Out::Each(losses) => pointwise::run(&call, Output::Each(losses.as_slice_mut().unwrap_or_default().into()))?,
        Out::Grad(_, out) => in_slices(out, |out| {
            pointwise::run(&call, Output::Slopes(out.map(|slice| slice.map(ArrayViewMut1::from)), Mode::Set))
        })?,
    };
    let sum = total.scaled(1.0, name)?;
    Ok(if is_mean { sum / n as f64 } else { sum })
}

/// The elements of an array in standard layout.
fn flat<'s, T>(array: &'s CowArray<'_, T, IxDyn>) -> ArrayView1<'s, T> {
    array.as_slice().unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
