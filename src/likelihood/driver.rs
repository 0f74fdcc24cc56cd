//! What all elementwise densities share: from arrays of any layout to value and gradient.
//!
//! Elements go through a density in logical order, in blocks that stay in the first-level cache. A kernel marks what is
//! wrong (an argument outside its domain, a result that overflows) by a loss of NaN: the sum of the block then tells,
//! at no cost, and the error is worked out from the first NaN in the block.

use std::marker::PhantomData;

use ndarray::{Array, ArrayRef, ArrayViewMut, CowArray, Dimension};

use super::Density;
use super::kernel::{self, Losses, Slopes, Weigh};
use crate::error::Position;
use crate::reduction::{BLOCK, pairwise};
use crate::simd::dispatch;
use crate::{Error, Parts, Real, Reduction, Result, check, parallel};

/// Blocks that make one job.
const JOB: usize = 16;

/// The reduced loss.
pub(super) fn value<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
) -> Result<T> {
    Batch::<L, T, D, N, G>::new(arrays, reduction)?.value(Out::Nothing)
}

/// The sum and the number of the losses.
pub(super) fn parts<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
) -> Result<Parts> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, Reduction::Sum)?;
    Ok(Parts { sum: batch.run(Out::Nothing)?, count: batch.len() as f64 })
}

/// One loss for each element.
pub(super) fn each<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
) -> Result<Array<T, D>> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, Reduction::Sum)?;
    let mut losses = Array::zeros(batch.columns[0].raw_dim());
    batch.run(Out::Each(losses.as_slice_mut().unwrap_or_default()))?;
    Ok(losses)
}

/// The reduced loss and its gradient, in fresh arrays.
pub(super) fn grad<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
) -> Result<(T, [Array<T, D>; G])> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, reduction)?;
    let mut gradients: [_; G] = std::array::from_fn(|_| Array::zeros(batch.columns[0].raw_dim()));
    let value = batch.value(Out::Grad(gradients.each_mut().map(|array| array.as_slice_mut().unwrap_or_default())))?;
    Ok((value, gradients))
}

/// The reduced loss, its gradient written to these arrays, which have these names.
pub(super) fn grad_into<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
    names: [&'static str; G],
    mut out: [ArrayViewMut<T, D>; G],
) -> Result<T> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, reduction)?;
    for (name, out) in names.into_iter().zip(&out) {
        check::shape(name, out.shape(), batch.columns[0].shape())?;
    }
    if out.iter_mut().all(|out| out.as_slice_mut().is_some()) {
        return batch.value(Out::Grad(out.each_mut().map(|out| out.as_slice_mut().unwrap_or_default())));
    }
    let (value, gradients) = grad::<L, T, D, N, G>(arrays, reduction)?;
    out.iter_mut().zip(&gradients).for_each(|(out, gradient)| out.assign(gradient));
    Ok(value)
}

/// What a run writes besides the sum, as elements in logical order.
enum Out<'a, T, const G: usize> {
    Nothing,
    Each(&'a mut [T]),
    Grad([&'a mut [T]; G]),
}

impl<T, const G: usize> Out<'_, T, G> {
    /// Cuts off the part that belongs to the first `len` elements.
    fn take(&mut self, len: usize) -> Self {
        fn cut<'a, T>(slice: &mut &'a mut [T], len: usize) -> &'a mut [T] {
            slice.split_off_mut(..len).unwrap_or_default()
        }
        match self {
            Self::Nothing => Self::Nothing,
            Self::Each(losses) => Self::Each(cut(losses, len)),
            Self::Grad(slopes) => Self::Grad(slopes.each_mut().map(|column| cut(column, len))),
        }
    }
}

/// The arguments of a call, of one shape and contiguous: strided ones have been copied.
struct Batch<'a, L, T, D: Dimension, const N: usize, const G: usize> {
    columns: [CowArray<'a, T, D>; N],
    weights: Option<CowArray<'a, T, D>>,
    mean: bool,
    density: PhantomData<L>,
}

impl<'a, L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize> Batch<'a, L, T, D, N, G> {
    fn new(arrays: [&'a ArrayRef<T, D>; N], reduction: Reduction<'a, T, D>) -> Result<Self> {
        let shape = arrays[0].shape();
        for ((name, _), array) in L::ARGUMENTS.into_iter().zip(arrays) {
            check::shape(name, array.shape(), shape)?;
        }
        reduction.check(shape)?;
        let weights =
            if let Reduction::Weighted(weights) = reduction { Some(weights.as_standard_layout()) } else { None };
        let columns = arrays.map(|array| array.as_standard_layout());
        Ok(Self { columns, weights, mean: matches!(reduction, Reduction::Mean), density: PhantomData })
    }

    fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// The reduced loss, in the type of the data.
    fn value(&self, out: Out<'_, T, G>) -> Result<T> {
        if self.mean && self.len() == 0 {
            return Err(Error::Empty { argument: L::ARGUMENTS[0].0 });
        }
        let sum = self.run(out)?;
        let wide = if self.mean { sum / self.len() as f64 } else { sum };
        let value = T::of(wide);
        if value.is_infinite() && wide.is_finite() {
            return Err(overflow::<T>(L::ARGUMENTS[0].0, Position::default()));
        }
        Ok(value)
    }

    /// The sum of the weighted losses; gradients come out with the weights and the denominator in them.
    fn run(&self, out: Out<'_, T, G>) -> Result<f64> {
        let mut sums = vec![Ok(0.0); self.len().div_ceil(BLOCK)];
        let bytes = self.len() * (N + G) * size_of::<T>();
        parallel::for_each(self.jobs(out, &mut sums), bytes, |job| self.job(job));
        let sums: Result<Vec<f64>, usize> = sums.into_iter().collect();
        let sums = sums.map_err(|flat| self.explain(flat))?;
        if sums.contains(&f64::INFINITY) {
            return Ok(f64::INFINITY); // an element is: where finite ones overflow there is an error instead
        }
        let sum = pairwise(&sums);
        if sum.is_finite() { Ok(sum) } else { Err(overflow::<T>(L::ARGUMENTS[0].0, Position::default())) }
    }

    fn jobs<'o>(&self, mut out: Out<'o, T, G>, sums: &'o mut [Result<f64, usize>]) -> Vec<Job<'o, T, G>> {
        let cut = |(i, sums)| {
            let start = i * JOB * BLOCK;
            Job { start, out: out.take((JOB * BLOCK).min(self.len() - start)), sums }
        };
        sums.chunks_mut(JOB).enumerate().map(cut).collect()
    }

    fn job(&self, mut job: Job<'_, T, G>) {
        let mut scratch = [T::zero(); BLOCK];
        for (i, sum) in job.sums.iter_mut().enumerate() {
            let start = job.start + i * BLOCK;
            let len = BLOCK.min(self.len() - start);
            *sum = self.block(start, job.out.take(len), &mut scratch[..len]).map_err(|at| start + at);
        }
    }

    /// The sum of one block, or the place of what is wrong in it.
    fn block(&self, start: usize, out: Out<'_, T, G>, scratch: &mut [T]) -> Result<f64, usize> {
        let part = |column| &slice(column)[start..][..scratch.len()];
        let (density, points) = (self.density, self.columns.each_ref().map(part));
        let weights = self.weights.as_ref().map(part);
        let (losses, mut slopes) = match out {
            Out::Nothing => (scratch, None),
            Out::Each(losses) => (losses, None),
            Out::Grad(slopes) => (scratch, Some(slopes)),
        };
        match reborrow(&mut slopes) {
            None => dispatch(Losses { density, points, losses }),
            Some(slopes) => dispatch(Slopes { density, points, scale: self.scale(), losses, slopes }),
        }
        if let Some(weights) = weights {
            dispatch(Weigh { weights, losses, slopes: reborrow(&mut slopes) });
        }
        kernel::sum(losses)
    }

    /// What every derivative is multiplied by.
    fn scale(&self) -> T {
        if self.mean { T::of(self.len() as f64).recip() } else { T::one() }
    }

    /// The error at an element whose loss came out as NaN.
    fn explain(&self, flat: usize) -> Error {
        let position = Position::unravel(flat, self.columns[0].shape());
        for ((argument, domain), column) in L::ARGUMENTS.into_iter().zip(&self.columns) {
            let x = slice(column)[flat];
            if !domain.contains(x) {
                return Error::Value { argument, position, value: x.wide(), allowed: domain.words() };
            }
        }
        overflow::<T>(L::ARGUMENTS[0].0, position)
    }
}

/// The elements of a column in logical order.
fn slice<'s, T, D: Dimension>(column: &'s CowArray<'_, T, D>) -> &'s [T] {
    column.as_slice().unwrap_or_default()
}

fn reborrow<'s, T, const G: usize>(slopes: &'s mut Option<[&mut [T]; G]>) -> Option<[&'s mut [T]; G]> {
    slopes.as_mut().map(|slopes| slopes.each_mut().map(|column| &mut **column))
}

fn overflow<T: Real>(argument: &'static str, position: Position) -> Error {
    Error::Overflow { argument, position, type_name: T::NAME }
}

/// Consecutive blocks, with a place for the sum of each, or for the element at which it fails.
struct Job<'a, T, const G: usize> {
    start: usize,
    out: Out<'a, T, G>,
    sums: &'a mut [Result<f64, usize>],
}

/// Oracles that the tests of every density share.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Loss and derivatives at one point.
    pub(crate) fn at<L: Density<N, G>, T: Real, const N: usize, const G: usize>(point: [T; N]) -> (T, [T; G]) {
        L::at::<T, false>(point)
    }

    /// Whether the numbers agree to a relative error; two zeros do.
    pub(crate) fn close(found: f64, expected: f64, tolerance: f64) -> bool {
        (found - expected).abs() <= tolerance * expected.abs()
    }

    /// The derivatives at a point must be central differences of the loss.
    pub(crate) fn derivatives_match<L: Density<N, G>, const N: usize, const G: usize>(point: [f64; N], tolerance: f64) {
        let (_, slopes) = at::<L, f64, N, G>(point);
        for (i, slope) in slopes.into_iter().enumerate() {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut moved = point;
                moved[i] += by;
                at::<L, f64, N, G>(moved).0
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            let name = L::ARGUMENTS[i].0;
            let error = (slope - difference).abs();
            assert!(error <= tolerance * (1.0 + slope.abs()), "{name} at {point:?}: {slope} against {difference}");
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, ArrayD, ShapeBuilder, arr0, array, s};

    use crate::likelihood::*;
    use crate::{Error, Parts, Reduction};

    /// Numbers between -2 and 2.
    fn noise(shape: (usize, usize), seed: usize) -> Array2<f64> {
        Array2::from_shape_fn(shape, |(i, j)| ((i * 977 + j * 7919 + seed * 31_337) % 4001) as f64 / 1000.0 - 2.0)
    }

    /// The same array in Fortran order, reversed in memory, and as every other element of a larger one.
    fn layouts(a: &Array2<f64>) -> Vec<Array2<f64>> {
        let mut transposed = Array2::zeros(a.raw_dim().f());
        transposed.assign(a);
        let mut reversed = Array2::zeros(a.raw_dim());
        reversed.invert_axis(ndarray::Axis(0));
        reversed.invert_axis(ndarray::Axis(1));
        reversed.assign(a);
        let mut sparse = Array2::from_elem((2 * a.nrows(), 3 * a.ncols()), f64::NAN);
        sparse.slice_collapse(s![..;2, ..;3]);
        sparse.assign(a);
        vec![a.clone(), transposed, reversed, sparse]
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let shape = (37, 113);
        let [mean, log_variance, x] = [1, 2, 3].map(|seed| noise(shape, seed));
        let weights = noise(shape, 4).mapv(f64::abs);
        let expected = gaussian_nll_grad(&mean, &log_variance, &x, Reduction::Weighted(&weights)).unwrap();
        let each = gaussian_nll_each(&mean, &log_variance, &x).unwrap();
        let inputs = [mean, log_variance, x, weights].map(|a| layouts(&a));
        for i in 0..4 {
            let [mean, log_variance, x, weights] = [0, 1, 2, 3].map(|j| &inputs[j][(i + j) % 4]);
            let reduction = Reduction::Weighted(weights);
            assert_eq!(gaussian_nll_grad(mean, log_variance, x, reduction).unwrap(), expected);
            assert_eq!(gaussian_nll(mean, log_variance, x, reduction).unwrap(), expected.0);
            assert_eq!(gaussian_nll_each(mean, log_variance, x).unwrap(), each);

            let mut buffers = layouts(&Array2::from_elem(shape, f64::NAN));
            let [a, b, c, _] = &mut buffers[..] else { unreachable!("four layouts") };
            let out = Gaussian { mean: a.view_mut(), log_variance: b.view_mut(), x: c.view_mut() };
            assert_eq!(gaussian_nll_grad_into(mean, log_variance, x, reduction, out).unwrap(), expected.0);
            assert_eq!((&*a, &*b, &*c), (&expected.1.mean, &expected.1.log_variance, &expected.1.x));
        }
    }

    #[test]
    fn every_number_of_threads_gives_the_same_bits() {
        let (log_rate, x) = (noise((300, 701), 5), noise((300, 701), 6).mapv(|u| (4.0 * u + 8.0).floor()));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| poisson_nll_grad(&log_rate, &x, Reduction::Mean)).unwrap()
        };
        let one = with(1);
        assert_eq!(with(2), one);
        assert_eq!(with(3), one);
        assert_eq!(poisson_nll(&log_rate, &x, Reduction::Mean).unwrap(), one.0);
    }

    #[test]
    fn the_reductions_agree_with_one_value_for_each_element() {
        for n in [1, 1023, 1024, 1025, 40_000] {
            let (logits, x) = (noise((1, n), 7), noise((1, n), 8).mapv(|u| 0.25 * u + 0.5));
            let each = bernoulli_nll_each(&logits, &x).unwrap();
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs();
            let (sum, gradient) = bernoulli_nll_grad(&logits, &x, Reduction::Sum).unwrap();
            assert!(near(sum, each.sum()), "n = {n}");
            assert_eq!(bernoulli_nll_parts(&logits, &x), Ok(Parts { sum, count: n as f64 }));
            let (mean, mean_gradient) = bernoulli_nll_grad(&logits, &x, Reduction::Mean).unwrap();
            assert!(near(mean, sum / n as f64));
            let weights = noise((1, n), 9).mapv(f64::abs);
            let (weighted, weighted_gradient) = bernoulli_nll_grad(&logits, &x, Reduction::Weighted(&weights)).unwrap();
            assert!(near(weighted, (&each * &weights).sum()));
            assert_eq!(weighted_gradient, &gradient * &weights);
            assert!((mean_gradient * n as f64 - gradient).iter().all(|d| d.abs() < 1e-14));
        }
    }

    #[test]
    fn the_vectorised_loop_agrees_with_the_kernel_at_one_point() {
        let (log_rate, x) = (noise((3, 700), 10) * 4.0, noise((3, 700), 11).mapv(|u| (10.0 * u + 20.0).floor()));
        let each = poisson_nll_each(&log_rate, &x).unwrap();
        let (_, gradient) = poisson_nll_grad(&log_rate, &x, Reduction::Sum).unwrap();
        for (i, (&log_rate, &x)) in log_rate.iter().zip(&x).enumerate() {
            let (loss, [slope]) = super::testing::at::<poisson::PoissonNll, f64, 2, 1>([log_rate, x]);
            let at = [i / 700, i % 700];
            assert!((each[at] - loss).abs() <= 1e-14 * (loss + x + log_rate.exp()), "{at:?}");
            assert!((gradient[at] - slope).abs() <= 1e-15 * (x + log_rate.exp()), "{at:?}");
        }
    }

    #[test]
    fn a_weight_of_zero_hides_whatever_stands_there() {
        let (nan, weights) = (f64::NAN, array![1.0, 0.0, 2.0]);
        let (log_rate, x) = (array![0.0, nan, 0.0], array![0.0, -3.5, 1.0]);
        let (value, gradient) = poisson_nll_grad(&log_rate, &x, Reduction::Weighted(&weights)).unwrap();
        assert_eq!((value, gradient), (3.0, array![1.0, 0.0, 0.0]));
        let error = poisson_nll(&log_rate, &x, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`log_rate`[1] is NaN, allowed is finite or -inf");
        let none = array![0.0, 0.0, 0.0];
        assert_eq!(poisson_nll(&log_rate, &x, Reduction::Weighted(&none)), Ok(0.0));
        let error = poisson_nll(&log_rate, &x, Reduction::Weighted(&array![1.0, nan, 1.0])).unwrap_err();
        assert_eq!(error.to_string(), "`weights`[1] is NaN, allowed is finite and >= 0");
    }

    #[test]
    fn the_first_bad_element_is_named_wherever_it_lies() {
        let (rows, columns) = (64, 1000);
        for (row, column) in [(0, 0), (1, 24), (40, 999), (63, 999)] {
            let (mut logits, x) = (Array2::<f32>::zeros((rows, columns)), Array2::zeros((rows, columns)));
            logits[[row, column]] = f32::NAN;
            logits[[63, 999]] = f32::NAN;
            let message = format!("`logits`[{row}, {column}] is NaN, allowed is any number but NaN");
            assert_eq!(bernoulli_nll(&logits, &x, Reduction::Sum).unwrap_err().to_string(), message);
            assert_eq!(bernoulli_nll_grad(&logits, &x, Reduction::Mean).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn only_what_does_not_fit_overflows() {
        let (logits, x) = (Array1::from_elem(100, 1e38_f32), Array1::zeros(100));
        let mean = bernoulli_nll(&logits, &x, Reduction::Mean).unwrap(); // its sum exceeds f32, not the mean
        assert!((mean / 1e38 - 1.0).abs() < 1e-6);
        assert_eq!(bernoulli_nll_parts(&logits, &x).unwrap().count, 100.0);
        let error = bernoulli_nll(&logits, &x, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits` overflows f32");
        let (mut logits, x) = (Array1::zeros(5000), Array1::zeros(5000));
        logits[0] = 1e308;
        logits[4000] = 1e308;
        let error = bernoulli_nll(&logits, &x, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits` overflows f64");
        logits[17] = 1e308;
        let error = bernoulli_nll(&logits, &x, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[17] overflows f64");
        logits[4500] = f64::INFINITY;
        logits[17] = 0.0;
        assert_eq!(bernoulli_nll(&logits, &x, Reduction::Sum), Ok(f64::INFINITY));
        let weights = array![1.0_f32, 1e38];
        let error = bernoulli_nll(&array![0.0, 1e3], &array![0.0, 0.0], Reduction::Weighted(&weights)).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[1] overflows f32");
    }

    #[test]
    fn scalars_and_arrays_of_any_dimension_are_taken() {
        let value = bernoulli_nll(&arr0(0.0), &arr0(1.0), Reduction::Mean).unwrap();
        assert!((value - std::f64::consts::LN_2).abs() < 1e-16);
        let zeros = ArrayD::<f32>::zeros(vec![2, 1, 3]);
        let (sum, gradient) = bernoulli_nll_grad(&zeros, &zeros, Reduction::Sum).unwrap();
        assert!((sum - 6.0 * std::f32::consts::LN_2).abs() < 1e-6);
        assert_eq!(gradient, ArrayD::from_elem(vec![2, 1, 3], 0.5));
        let none = ArrayD::<f32>::zeros(vec![2, 0, 3]);
        assert_eq!(bernoulli_nll_grad(&none, &none, Reduction::Sum), Ok((0.0, none.clone())));
        assert_eq!(bernoulli_nll_each(&none, &none), Ok(none.clone()));
        let empty = Err(Error::Empty { argument: "logits" });
        assert_eq!(bernoulli_nll_grad(&none, &none, Reduction::Mean), empty);
    }
}
