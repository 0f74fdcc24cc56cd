//! What is asked of a loss of whole samples, free of the dimensions of the caller's arrays, and where the answer goes.

use ndarray::{ArrayView1, ArrayViewD, ArrayViewMut1, ArrayViewMutD};

use super::form::{Fault, Form};
use crate::pointwise::Domain;
use crate::{Error, Real, Reduction, Result, check};

/// What is asked of a loss, free of the caller's types.
#[allow(missing_debug_implementations)] // a function
pub struct Request<'a, T> {
    /// Names and arrays `[B, ..]` of the samples.
    pub(super) samples: (&'a [&'static str], &'a [ArrayViewD<'a, T>]),
    /// Names, domains and arrays `[B]` of the numbers of each sample.
    pub(super) numbers: (&'a [(&'static str, Domain)], &'a [ArrayView1<'a, T>]),
    /// How many of the numbers are added to the loss as they are.
    pub(super) added: usize,
    /// How the losses become one number.
    pub(super) reduction: Reduction<'a, T>,
    /// The form of a sample with these numbers.
    pub(super) form: &'a (dyn Fn(&[f64]) -> Result<Form, Fault> + Sync),
}

/// Arrays for the gradients in samples and in numbers that are added.
#[derive(Debug)]
pub struct Places<'o, 'a, T> {
    pub(super) names: (&'o [&'static str], &'o [&'static str]),
    pub(super) samples: &'o mut [ArrayViewMutD<'a, T>],
    pub(super) numbers: &'o mut [ArrayViewMut1<'a, T>],
}

/// Where a pass writes what it finds beside the value.
#[derive(Debug)]
pub enum Out<'o, 'a, T> {
    /// Nowhere.
    Nothing,
    /// One loss for each sample, not weighted.
    Each(ArrayViewMut1<'a, T>),
    /// The gradients of the reduced loss.
    Grad(Places<'o, 'a, T>),
}

impl<T: Real> Request<'_, T> {
    /// The number of samples, once shapes and weights are checked.
    pub(super) fn checked(&self, out: &Out<'_, '_, T>) -> Result<usize> {
        let (names, samples) = self.samples;
        let shape = samples[0].shape();
        let Some(&count) = shape.first() else { return Err(Error::no_axis(names[0])) };
        for (name, array) in names.iter().zip(samples) {
            check::shape(name, array.shape(), shape)?;
        }
        for ((name, _), array) in self.numbers.0.iter().zip(self.numbers.1) {
            check::shape(name, array.shape(), &[count])?;
        }
        self.reduction.check(&[count])?;
        if let Out::Grad(Places { names, samples, numbers }) = out {
            names.0.iter().zip(&**samples).try_for_each(|(name, out)| check::shape(name, out.shape(), shape))?;
            names.1.iter().zip(&**numbers).try_for_each(|(name, out)| check::shape(name, out.shape(), &[count]))?;
        }
        if count == 0 && matches!(self.reduction, Reduction::Mean) {
            return Err(Error::NothingToAverage { argument: names[0] });
        }
        Ok(count)
    }
}
