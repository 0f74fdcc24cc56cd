//! One pass over the samples of a batch: a form for each, their sum, and slopes where they are asked for.

use ndarray::{ArrayViewMut1, CowArray, IxDyn};

use super::form::{Fault, Form};
use super::request::{Out, Request};
use super::scratch::{SLOPES, Scratch};
use crate::error::Position;
use crate::pointwise::Domain;
use crate::reduction::{self, BLOCK};
use crate::rowwise::{RowJobs, RowsMut, in_slices};
use crate::simd::{Kernel, dispatch};
use crate::{Error, Real, Reduction, Result};

/// The reduced loss, and `out` filled.
pub(in crate::energy) fn run<T: Real>(request: &Request<'_, T>, mut out: Out<'_, '_, T>) -> Result<f64> {
    let count = request.checked(&out)?;
    let packed: Vec<_> = request.samples.1.iter().map(|array| array.as_standard_layout()).collect();
    let batch = Batch::new(request, &packed, count);
    let losses = match &mut out {
        Out::Grad(places) => in_slices(places.samples, |slopes| batch.losses(slopes))?,
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
    fn losses(&self, slopes: [Option<&mut [T]>; SLOPES]) -> Result<Vec<f64>> {
        let mut losses = vec![0.0; self.count];
        let group = (BLOCK / self.width.max(1)).max(1);
        let width = (group * self.width).max(1);
        let jobs = RowJobs::new(self.count.div_ceil(group), (self.rows.len() + SLOPES) * width * size_of::<T>());
        let groups = losses.chunks_mut(jobs.per_job() * group);
        let slopes = slopes.map(|slopes| slopes.map(|data| RowsMut::Packed { data, width }));
        let scratch = || Scratch::new(BLOCK.min(width));
        jobs.run(groups, slopes, scratch, |scratch, first, losses, slopes| {
            let mut slopes = slopes.map(|rows| match rows {
                Some(RowsMut::Packed { data, .. }) => data.chunks_mut(width),
                _ => [].chunks_mut(width),
            });
            losses.chunks_mut(group).enumerate().try_for_each(|(i, losses)| {
                self.group((first + i) * group, losses, slopes.each_mut().map(Iterator::next), scratch)
            })
        })?;
        Ok(losses)
    }

    /// [`Batch::losses`] of neighboring samples that make up one block together, or of one that makes up several.
    fn group(
        &self,
        first: usize,
        losses: &mut [f64],
        mut slopes: [Option<&mut [T]>; SLOPES],
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let (form, count, wrong) = self.forms(first, losses, scratch);
        let (width, start) = (self.width, first * self.width);
        let whole =
            form.map_or(0.0, |form| scratch.terms(&form, &self.rows, start..start + count * width, &mut slopes));
        for (i, loss) in losses[..count].iter_mut().enumerate() {
            let (row, at) = (first + i, i * width..(i + 1) * width);
            let slopes = slopes.iter_mut().flatten().map(|slopes| &mut slopes[at.clone()]);
            let Some(form) = form.filter(|_| self.weight(row) != T::zero()) else {
                slopes.for_each(|slopes| slopes.fill(T::zero()));
                continue;
            };
            let sum = if width > BLOCK { whole } else { scratch.sum(at.clone()) };
            let (value, pull) = form.finish(sum);
            *loss += value;
            let (mut is_finite, factor) = (T::from_f64(*loss).is_finite(), T::from_f64(pull * self.scale(row)));
            slopes.for_each(|values| is_finite &= dispatch(Scaled { values, factor }));
            if !is_finite {
                return Err(self.fault(row));
            }
        }
        wrong
    }

    /// Writes the coefficients of neighboring samples to their columns, up to the first with a number that is wrong: the
    /// form of those that count, where there are any, how many samples there are, and what is wrong with the next.
    /// Numbers that are added to losses are put there.
    fn forms(&self, first: usize, losses: &mut [f64], scratch: &mut Scratch<T>) -> (Option<Form>, usize, Result<()>) {
        let (mut form, width) = (None, BLOCK.min(self.width));
        for (i, loss) in losses.iter_mut().enumerate() {
            if self.weight(first + i) == T::zero() {
                continue;
            }
            match self.form(first + i, &mut scratch.numbers) {
                Err(error) => return (form, i, Err(error)),
                Ok(found) => {
                    *loss = scratch.numbers[..self.request.added].iter().sum();
                    for (column, number) in scratch.coefficients.iter_mut().zip(found.coefficients()) {
                        column[i * width..][..width].fill(T::from_f64(number));
                    }
                    form = Some(found);
                }
            }
        }
        (form, losses.len(), Ok(()))
    }

    /// The form of a sample, whose numbers must be in their domains.
    fn form(&self, row: usize, numbers: &mut Vec<f64>) -> Result<Form> {
        numbers.clear();
        for (at, (column, (_, domain))) in self.request.numbers.1.iter().zip(self.request.numbers.0).enumerate() {
            let number = column[row];
            numbers.push(number.as_f64());
            if !domain.contains(number) {
                return Err(self.wrong_number(at, row, number.as_f64(), domain.words()));
            }
        }
        (self.request.form)(numbers)
            .map_err(|Fault { number, allowed }| self.wrong_number(number, row, numbers[number], allowed))
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
        let sum = match self.request.reduction {
            Reduction::Weighted(w) => reduction::pairwise_of(losses.iter().zip(w).map(|(loss, w)| loss * w.as_f64())),
            _ => reduction::pairwise(losses),
        };
        let total = if matches!(self.request.reduction, Reduction::Mean) { sum / self.count as f64 } else { sum };
        reduction::finite_total(total, || true, self.request.samples.0[0])
    }
}

/// Multiplies the slopes of a sample; says whether all are finite.
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
    use ndarray::{Array1, Array2, Array3, ArrayRef1, ArrayRef2, ShapeBuilder, array, s};

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

    /// So many samples of three numbers, in several blocks, and their noise levels.
    fn short_samples(count: usize) -> EdmArguments<Array2<f64>, Array1<f64>> {
        let mut next = generator(11);
        let mut random = |_| 2.0 * next() - 1.0;
        EdmArguments {
            denoised: Array2::from_shape_fn((count, 3), &mut random),
            clean: Array2::from_shape_fn((count, 3), &mut random),
            sigma: Array1::from_shape_fn(count, |i| 0.1 + (i % 7) as f64),
        }
    }

    fn views(of: &EdmArguments<Array2<f64>, Array1<f64>>) -> EdmArguments<&ArrayRef2<f64>, &ArrayRef1<f64>> {
        EdmArguments { denoised: &of.denoised, clean: &of.clean, sigma: &of.sigma }
    }

    #[test]
    fn short_samples_of_one_block_are_as_each_by_itself() {
        let mut all = short_samples(700);
        all.clean.row_mut(341).fill(f64::NAN);
        all.sigma[342] = -1.0;
        let weights = Array1::from_shape_fn(700, |i| if i == 341 || i == 342 { 0.0 } else { 1.0 + (i % 3) as f64 });
        let edm = Edm::default();
        let (value, gradient) = edm.grad(views(&all), Reduction::Weighted(&weights)).unwrap();
        let mut sum = 0.0;
        for i in 0..700 {
            let (row, number) = (s![i..i + 1, ..], s![i..i + 1]);
            let (denoised, clean) = (all.denoised.slice(row), all.clean.slice(row));
            let (sigma, weight) = (all.sigma.slice(number), weights.slice(number));
            let own = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
            let (value, slopes) = edm.grad(own, Reduction::Weighted(&weight)).unwrap();
            assert_eq!(gradient.row(i), slopes.row(0), "{i}");
            sum += value;
        }
        close(value, sum, 1e-14);
    }

    #[test]
    fn of_samples_in_one_block_the_first_that_is_wrong_is_named() {
        let message = |bad_clean: usize, bad_sigma: usize| {
            let mut all = short_samples(100);
            (all.clean[[bad_clean, 1]], all.sigma[bad_sigma]) = (f64::NAN, -1.0);
            Edm::default().value(views(&all), Reduction::Sum).unwrap_err().to_string()
        };
        assert_eq!(message(5, 9), "`clean`[5, 1] is NaN, allowed is finite");
        assert_eq!(message(9, 5), "`sigma`[5] is -1, allowed is finite and > 0");
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
