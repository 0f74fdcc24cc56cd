//! One pass over the samples of a batch: a form for each, their sum, and slopes where they are asked for.

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2, ArrayViewMutD, CowArray, IxDyn};

use super::form::{Fault, Form};
use super::request::{Out, Request};
use crate::error::Position;
use crate::pointwise::Domain;
use crate::reduction::{self, BLOCK};
use crate::rowwise::{RowJobs, RowsMut};
use crate::simd::{self, Kernel, dispatch};
use crate::{Error, Real, Reduction, Result};

/// The most arrays of samples that a loss has.
const SAMPLES: usize = 5;

/// The most arrays that a loss has slopes in.
const SLOPES: usize = 2;

/// The reduced loss, and `out` filled.
pub(in crate::energy) fn run<T: Real>(request: &Request<'_, T>, mut out: Out<'_, '_, T>) -> Result<f64> {
    let count = request.checked(&out)?;
    let packed: Vec<_> = request.samples.1.iter().map(|array| array.as_standard_layout()).collect();
    let batch = Batch::new(request, &packed, count);
    let losses = match &mut out {
        Out::Grad(places) => batch.in_slices(places.samples, |slopes| batch.losses(slopes))?,
        _ => batch.losses([const { None }; SLOPES])?,
    };
    match out {
        Out::Nothing => {}
        Out::Each(mut each) => each.iter_mut().zip(&losses).for_each(|(to, &loss)| *to = T::from_f64(loss) + T::zero()),
        Out::Grad(places) => places.numbers.iter_mut().for_each(|to| batch.scales(to)),
    }
    batch.total(&losses)
}

/// The samples as rows that lie one after the other.
struct Batch<'r, 'a, T> {
    request: &'r Request<'a, T>,
    rows: Vec<&'r [T]>,
    count: usize,
    width: usize,
}

/// What a thread works in.
struct Scratch<T> {
    loss: Vec<T>,
    slopes: [Vec<T>; SLOPES],
}

impl<'r, 'a, T: Real> Batch<'r, 'a, T> {
    fn new(request: &'r Request<'a, T>, packed: &'r [CowArray<'_, T, IxDyn>], count: usize) -> Self {
        let rows: Vec<&[T]> = packed.iter().map(|array| array.as_slice().unwrap_or_default()).collect();
        let width = rows[0].len() / count.max(1);
        Self { request, rows, count, width }
    }

    /// What the loss of a sample counts in the reduced one.
    fn weight(&self, row: usize) -> T {
        match self.request.reduction {
            Reduction::Weighted(weights) => weights[row],
            _ => T::one(),
        }
    }

    /// The slope of the reduced loss in that of a sample.
    fn scale(&self, row: usize) -> f64 {
        let is_mean = matches!(self.request.reduction, Reduction::Mean);
        if is_mean { 1.0 / self.count as f64 } else { self.weight(row).as_f64() }
    }

    fn scales(&self, to: &mut ArrayViewMut1<'_, T>) {
        to.iter_mut().enumerate().for_each(|(row, to)| *to = T::from_f64(self.scale(row)));
    }

    /// The loss of each sample that counts, 0 for the others, and slopes of the reduced loss where they have a place.
    fn losses(&self, slopes: [Option<RowsMut<'_, T>>; SLOPES]) -> Result<Vec<f64>> {
        let is_steep = slopes.iter().any(Option::is_some);
        let mut losses = vec![0.0; self.count];
        let jobs = RowJobs::new(self.count, (self.rows.len() + SLOPES) * self.width * size_of::<T>());
        let block = || vec![T::zero(); BLOCK.min(self.width)];
        let scratch = || Scratch { loss: block(), slopes: [block(), block()] };
        jobs.each_row(&mut losses, slopes, scratch, |scratch, row, loss, mut slopes| {
            if self.weight(row) == T::zero() {
                slopes.iter_mut().flatten().for_each(|slope| slope.fill(T::zero()));
                return Ok(());
            }
            let numbers = self.numbers(row)?;
            let form = (self.request.form)(&numbers)
                .map_err(|Fault { number, allowed }| self.wrong_number(number, row, numbers[number], allowed))?;
            let sum = self.terms(row, &form, scratch, &mut slopes, is_steep)?;
            let (value, pull) = form.finish(sum);
            *loss = value + numbers[..self.request.added].iter().sum::<f64>();
            let is_finite = scaled(&mut slopes, T::from_f64(pull * self.scale(row)));
            if is_finite && T::from_f64(*loss).is_finite() { Ok(()) } else { Err(self.fault(row)) }
        })?;
        Ok(losses)
    }

    /// The numbers of a sample, each in its domain.
    fn numbers(&self, row: usize) -> Result<Vec<f64>> {
        let number = |(at, (column, (_, domain))): (usize, (&ArrayView1<'_, T>, &(&'static str, Domain)))| {
            let number = column[row];
            match domain.contains(number) {
                true => Ok(number.as_f64()),
                false => Err(self.wrong_number(at, row, number.as_f64(), domain.words())),
            }
        };
        self.request.numbers.1.iter().zip(self.request.numbers.0).enumerate().map(number).collect()
    }

    /// The sum of the terms of a sample; their slopes are written as they are.
    fn terms(
        &self,
        row: usize,
        form: &Form,
        scratch: &mut Scratch<T>,
        slopes: &mut [Option<&mut [T]>; SLOPES],
        is_steep: bool,
    ) -> Result<f64> {
        let start = row * self.width;
        reduction::pairwise_by(0..self.width.div_ceil(BLOCK), &mut |block| {
            let at = block * BLOCK..self.width.min((block + 1) * BLOCK);
            let mut columns: [&[T]; SAMPLES] = [&[]; SAMPLES];
            columns.iter_mut().zip(&self.rows).for_each(|(to, rows)| *to = &rows[start..][at.clone()]);
            let loss = &mut scratch.loss[..at.len()];
            let mut parts = scratch.slopes.each_mut().map(|slope| &mut slope[..at.len()]);
            form.terms(&columns[..self.rows.len()], loss, &mut parts, is_steep);
            let written = slopes.iter_mut().zip(&parts);
            written.for_each(|(to, part)| to.iter_mut().for_each(|to| to[at.clone()].copy_from_slice(part)));
            Ok(simd::sum(loss).as_f64())
        })
    }

    /// What is wrong with a sample whose loss or slopes are not finite.
    fn fault(&self, row: usize) -> Error {
        let (names, samples) = self.request.samples;
        for (name, rows) in names.iter().zip(&self.rows) {
            let start = row * self.width;
            if let Some(at) = rows[start..start + self.width].iter().position(|x| !x.is_finite()) {
                let position = Position::unravel(start + at, samples[0].shape());
                let value = rows[start + at].as_f64();
                return Error::Value { argument: name, position, value, allowed: Domain::Finite.words() };
            }
        }
        Error::overflow::<T>(names[0], row)
    }

    fn wrong_number(&self, number: usize, row: usize, value: f64, allowed: &'static str) -> Error {
        Error::Value { argument: self.request.numbers.0[number].0, position: row.into(), value, allowed }
    }

    /// The reduced loss.
    fn total(&self, losses: &[f64]) -> Result<f64> {
        let shares: Vec<f64> = match self.request.reduction {
            Reduction::Weighted(weights) => losses.iter().zip(weights).map(|(loss, w)| loss * w.as_f64()).collect(),
            _ => losses.to_vec(),
        };
        let sum = reduction::pairwise(&shares);
        let total = if matches!(self.request.reduction, Reduction::Mean) { sum / self.count as f64 } else { sum };
        reduction::finite_total(total, || true, self.request.samples.0[0])
    }

    /// Lets `write` write to rows of arrays of any layout, by way of a copy where they do not lie one after the other.
    fn in_slices<R>(
        &self,
        arrays: &mut [ArrayViewMutD<'_, T>],
        write: impl FnOnce([Option<RowsMut<'_, T>>; SLOPES]) -> Result<R>,
    ) -> Result<R> {
        let copy_for = |array: &ArrayViewMutD<'_, T>| match array.is_standard_layout() {
            true => vec![],
            false => vec![T::zero(); array.len()],
        };
        let mut copies: Vec<Vec<T>> = arrays.iter().map(copy_for).collect();
        let mut rows = [const { None }; SLOPES];
        let shape = [self.count, self.width];
        let mut views: Vec<ArrayViewMut2<'_, T>> = Vec::with_capacity(SLOPES);
        for (array, copy) in arrays.iter_mut().zip(&mut copies) {
            let slice = array.as_slice_mut().unwrap_or(copy);
            views.extend(ArrayViewMut2::from_shape(shape, slice));
        }
        for (to, view) in rows.iter_mut().zip(&mut views) {
            *to = Some(RowsMut::new("out", view, &shape)?);
        }
        let result = write(rows)?;
        for (array, copy) in arrays.iter_mut().zip(&copies) {
            array.iter_mut().zip(copy).for_each(|(to, &x)| *to = x);
        }
        Ok(result)
    }
}

/// Multiplies the slopes of a sample; says whether all are finite.
fn scaled<T: Real>(slopes: &mut [Option<&mut [T]>; SLOPES], factor: T) -> bool {
    slopes.iter_mut().flatten().all(|values| dispatch(Scaled { values, factor }))
}

struct Scaled<'a, T> {
    values: &'a mut [T],
    factor: T,
}

impl<T: Real> Kernel for Scaled<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let mut is_infinite = false;
        for x in self.values {
            *x = *x * self.factor + T::zero(); // never -0
            is_infinite |= !x.is_finite();
        }
        !is_infinite
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Array3, ShapeBuilder, array};

    use crate::energy::{Edm, EdmArguments, RecoveryArguments, RecoveryEnergy, RecoveryGradient, SampleLoss};
    use crate::testing::{close, generator};
    use crate::{Reduction, SumCount};

    #[test]
    fn samples_of_several_blocks_are_the_plain_sum() {
        let mut next = generator(5);
        let (width, mut random) = (3 * super::BLOCK + 77, |_| 2.0 * next() - 1.0);
        let (denoised, clean) =
            (Array2::from_shape_fn((3, width), &mut random), Array2::from_shape_fn((3, width), &mut random));
        let sigma = array![0.5, 1.0, 2.0];
        let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
        let edm = Edm { sigma_data: 1.0 };
        let each = edm.each(arguments).unwrap();
        for i in 0..3 {
            let weight = 1.0 + 1.0 / (sigma[i] * sigma[i]);
            close(each[i], weight * (&denoised.row(i) - &clean.row(i)).mapv(|d| d * d).sum(), 1e-14);
        }
        let (value, gradient) = edm.grad(arguments, Reduction::Mean).unwrap();
        close(value, each.sum() / 3.0, 1e-15);
        close(gradient[[2, width - 1]], 2.0 * 1.25 / 3.0 * (denoised[[2, width - 1]] - clean[[2, width - 1]]), 1e-14);
        let parts = edm.sum_count(arguments).unwrap();
        assert_eq!(parts.count, 3.0);
        close(parts.mean().unwrap(), value, 1e-15);
        assert_eq!(SumCount::default().merge(parts), parts);
    }

    #[test]
    fn gradients_reach_arrays_of_any_layout_and_other_shapes_are_refused() {
        let y = Array3::from_shape_fn((2, 3, 2), |(i, j, k)| (i + 2 * j + k) as f64);
        let (x, energy, sigma) = (Array3::zeros((2, 3, 2)), array![1.0, 2.0], array![1.0, 2.0]);
        let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
        let (value, expected) = RecoveryEnergy.grad(arguments, Reduction::Mean).unwrap();
        let mut out =
            RecoveryGradient { y: Array3::zeros((2, 3, 2).f()), x: Array3::zeros((2, 3, 2)), energy: Array1::zeros(2) };
        let places = RecoveryGradient { y: &mut *out.y, x: &mut *out.x, energy: &mut *out.energy };
        assert_eq!(RecoveryEnergy.grad_into(arguments, Reduction::Mean, places), Ok(value));
        assert_eq!(out, expected);
        assert_eq!(out.energy, array![0.5, 0.5]);
        let mut short = Array1::zeros(1);
        let places = RecoveryGradient { y: &mut *out.y, x: &mut *out.x, energy: &mut *short };
        let error = RecoveryEnergy.grad_into(arguments, Reduction::Mean, places).unwrap_err();
        assert_eq!(error.to_string(), "`out.energy` has shape [1], expected [2]");
        let mut small = Array3::zeros((2, 3, 1));
        let places = RecoveryGradient { y: &mut *out.y, x: &mut *small, energy: &mut *out.energy };
        let error = RecoveryEnergy.grad_into(arguments, Reduction::Mean, places).unwrap_err();
        assert_eq!(error.to_string(), "`out.x` has shape [2, 3, 1], expected [2, 3, 2]");
    }

    #[test]
    fn numbers_and_weights_are_as_many_as_samples() {
        let (y, two, three) = (Array2::<f64>::zeros((2, 3)), array![1.0, 1.0], array![1.0, 1.0, -1.0]);
        let message = |energy: &Array1<f64>, weights: &Array1<f64>| {
            let arguments = RecoveryArguments { y: &*y, x: &*y, energy: &**energy, sigma: &*two };
            RecoveryEnergy.value(arguments, Reduction::Weighted(weights)).unwrap_err().to_string()
        };
        assert_eq!(message(&three, &two), "`energy` has shape [3], expected [2]");
        assert_eq!(message(&two, &three), "`weights` has shape [3], expected [2]");
        assert_eq!(message(&two, &array![1.0, -1.0]), "`weights`[1] is -1, allowed is finite and >= 0");
    }

    #[test]
    fn a_loss_that_fits_and_a_slope_that_does_not_is_an_error_of_the_gradient_alone() {
        let (y, x, energy, sigma) = (array![[1e-22_f32]], array![[0.0]], array![0.0], array![1e-36]);
        let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
        assert!(RecoveryEnergy.value(arguments, Reduction::Sum).is_ok()); // half of 1e14, squared
        let error = RecoveryEnergy.grad(arguments, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `y`[0] overflows f32");
    }
}
