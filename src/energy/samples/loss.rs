//! One loss for each sample: what its author writes, and what its caller can ask.

use ndarray::{Array, Array1, ArrayRef, ArrayRef1, Dimension};

use super::request::{Out, Places, Request};
use super::{Columns, Fault, Form};
use crate::error::Position;
use crate::likelihood::Domain;
use crate::reduction::to_real;
use crate::{Real, Reduction, Result, SumCount};

/// A loss that is one number for each sample of a batch: a quadratic form of `N` arrays `[B, ..]` with `M` numbers `[B]` for
/// each sample, and gradients by the first `G` of those arrays and the first `H` of those numbers.
///
/// The first axis of an array counts the samples; all others are those of one sample, whose terms are **summed**, whatever
/// their number. For a mean over them divide by it, by [`Reduction::Weighted`]. Arrays travel in a bundle with their
/// names and have one shape and any layout; nothing is broadcast. Callers use the verbs; the losses of this module
/// implement them.
///
/// A sample of weight 0 is never looked at.
///
/// # Errors
///
/// Of every verb:
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter is out of its range.
/// - [`Error::Shape`](crate::Error::Shape): an array of another shape than the first, or not as many numbers as samples.
/// - [`Error::Value`](crate::Error::Value): an element that is not finite, a number of a sample outside of its domain, or a
///   weight that is not finite or below zero.
/// - [`Error::Overflow`](crate::Error::Overflow): a sample whose loss, or gradient where it is asked for, does not fit
///   the type. It names the first argument.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean over no samples. A sum over none is 0.
pub trait SampleLoss<const N: usize, const M: usize, const G: usize, const H: usize>: Sync + Sized {
    /// The arguments, with one name for each: `A` for arrays of samples, `P` for arrays of numbers.
    type Arguments<A, P>: Columns<A, P, N, M>;

    /// Their gradients: such a struct, or `A` where there is one.
    type Gradient<A, P>: Columns<A, P, G, H>;

    #[doc(hidden)]
    const SAMPLES: [&'static str; N];

    #[doc(hidden)]
    const NUMBERS: [(&'static str, Domain); M];

    #[doc(hidden)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The form of the sample with these numbers, of which the first `H` are added to it as they are.
    #[doc(hidden)]
    fn form(&self, numbers: &[f64]) -> Result<Form, Fault>;

    /// The reduced loss.
    fn value<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>, &ArrayRef1<T>>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        let value = run(self, arguments.into_columns(), reduction, Out::Nothing)?;
        to_real(value, name::<Self, N, M, G, H>(), Position::default())
    }

    /// The loss of each sample, `[B]`.
    fn each<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>, &ArrayRef1<T>>,
    ) -> Result<Array1<T>> {
        let columns = arguments.into_columns();
        let mut losses = Array1::zeros(columns.0[0].shape().first().copied().unwrap_or(0));
        run(self, columns, Reduction::Sum, Out::Each(losses.view_mut()))?;
        Ok(losses)
    }

    /// Sum of the losses and number of the samples, by which micro-batches combine exactly; `(0, 0)` over nothing.
    fn sum_count<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>, &ArrayRef1<T>>,
    ) -> Result<SumCount> {
        let columns = arguments.into_columns();
        let count = columns.0[0].shape().first().copied().unwrap_or(0) as f64;
        Ok(SumCount { sum: run(self, columns, Reduction::Sum, Out::Nothing)?, count })
    }

    /// The reduced loss and its exact gradient, in one pass.
    #[allow(clippy::type_complexity)] // a value and its gradient
    fn grad<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>, &ArrayRef1<T>>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, Self::Gradient<Array<T, D>, Array1<T>>)> {
        let columns = arguments.into_columns();
        let shape = columns.0[0].raw_dim();
        let count = shape.slice().first().copied().unwrap_or(0);
        let mut samples = [(); G].map(|()| Array::zeros(shape.clone()));
        let mut numbers = [(); H].map(|()| Array1::zeros(count));
        let mut places = samples.each_mut().map(|array| array.view_mut().into_dyn());
        let mut tails = numbers.each_mut().map(|array| array.view_mut());
        let names = (&["out"; G][..], &["out"; H][..]);
        let out = Out::Grad(Places { names, samples: &mut places, numbers: &mut tails });
        let value = to_real(run(self, columns, reduction, out)?, name::<Self, N, M, G, H>(), Position::default())?;
        Ok((value, Columns::from_columns(samples, numbers)))
    }

    /// [`SampleLoss::grad`] with the gradient written to the caller's arrays, of any layout.
    ///
    /// Returns the value. After an error in the data what `out` holds is unspecified.
    fn grad_into<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>, &ArrayRef1<T>>,
        reduction: Reduction<'_, T>,
        out: Self::Gradient<&mut ArrayRef<T, D>, &mut ArrayRef1<T>>,
    ) -> Result<T> {
        let (samples, numbers) = out.into_columns();
        let mut samples = samples.map(|array| array.view_mut().into_dyn());
        let mut numbers = numbers.map(|array| array.view_mut());
        let names = <Self::Gradient<&mut ArrayRef<T, D>, &mut ArrayRef1<T>> as Columns<_, _, G, H>>::OUT;
        let names = (&names.0[..], &names.1[..]);
        let out = Out::Grad(Places { names, samples: &mut samples, numbers: &mut numbers });
        let value = run(self, arguments.into_columns(), reduction, out)?;
        to_real(value, name::<Self, N, M, G, H>(), Position::default())
    }
}

/// How the first argument is called.
fn name<L: SampleLoss<N, M, G, H>, const N: usize, const M: usize, const G: usize, const H: usize>() -> &'static str {
    L::SAMPLES[0]
}

/// The reduced loss, and `out` filled: the caller's dimension goes, and what is left is compiled already.
fn run<
    L: SampleLoss<N, M, G, H>,
    T: Real,
    D: Dimension,
    const N: usize,
    const M: usize,
    const G: usize,
    const H: usize,
>(
    loss: &L,
    (samples, numbers): ([&ArrayRef<T, D>; N], [&ArrayRef1<T>; M]),
    reduction: Reduction<'_, T>,
    out: Out<'_, '_, T>,
) -> Result<f64> {
    loss.check()?;
    let samples = samples.map(|array| array.view().into_dyn());
    let numbers = numbers.map(|array| array.view());
    let request = Request {
        samples: (&L::SAMPLES, &samples),
        numbers: (&L::NUMBERS, &numbers),
        added: H,
        reduction,
        form: &|numbers| loss.form(numbers),
    };
    T::run_samples(&request, out)
}
