//! From a kernel for one log-ratio to a pass over one side: blocks, weights, sums, threads.
//!
//! A side is cut into jobs of a fixed number of blocks. The loss fills scratch for a block, which is then weighted,
//! summed and written out; block sums are added pairwise in order, so that neither threads nor layout change a bit.

use ndarray::{ArrayView1, ArrayViewMut1, Axis};

use crate::error::Position;
use crate::ratio::{RatioLoss, RatioOut};
use crate::reduction::{self, BLOCK};
use crate::simd::{self, Kernel, dispatch};
use crate::{Error, Real, Reduction, Result, check as require, parallel, rows};

/// Samples that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 32 * BLOCK;

/// Which samples the ratios are of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Real,
    Fake,
}

/// How the arguments of a side are called in errors.
struct Names {
    ratios: &'static str,
    weights: &'static str,
    out: &'static str,
}

impl Side {
    fn names(self) -> Names {
        match self {
            Self::Real => Names { ratios: "real", weights: "weights.real", out: "out.real" },
            Self::Fake => Names { ratios: "fake", weights: "weights.fake", out: "out.fake" },
        }
    }
}

/// A loss over one block of one side: what the driver, compiled once for each element type, sees of a [`RatioLoss`].
pub(super) trait Block<T>: Sync {
    fn losses(&self, side: Side, ratios: &[T], loss: &mut [T]);
    fn slopes(&self, side: Side, ratios: &[T], loss: &mut [T], slope: &mut [T]);
}

impl<T: Real, L: RatioLoss> Block<T> for L {
    fn losses(&self, side: Side, ratios: &[T], loss: &mut [T]) {
        dispatch(Losses { of: self, side, ratios, loss });
    }

    fn slopes(&self, side: Side, ratios: &[T], loss: &mut [T], slope: &mut [T]) {
        dispatch(Slopes { of: self, side, ratios, loss, slope });
    }
}

struct Losses<'a, T, L> {
    of: &'a L,
    side: Side,
    ratios: &'a [T],
    loss: &'a mut [T],
}

impl<T: Real, L: RatioLoss> Kernel for Losses<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Plain loops: the body of a closure would not take on the features of the instruction set.
        match self.side {
            Side::Real => {
                for (loss, &ratio) in self.loss.iter_mut().zip(self.ratios) {
                    *loss = self.of.real::<T, FMA>(ratio).0;
                }
            }
            Side::Fake => {
                for (loss, &ratio) in self.loss.iter_mut().zip(self.ratios) {
                    *loss = self.of.fake::<T, FMA>(ratio).0;
                }
            }
        }
    }
}

struct Slopes<'a, T, L> {
    of: &'a L,
    side: Side,
    ratios: &'a [T],
    loss: &'a mut [T],
    slope: &'a mut [T],
}

impl<T: Real, L: RatioLoss> Kernel for Slopes<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.loss.len();
        let (ratios, slope) = (&self.ratios[..n], &mut self.slope[..n]);
        match self.side {
            Side::Real => {
                for i in 0..n {
                    (self.loss[i], slope[i]) = self.of.real::<T, FMA>(ratios[i]);
                }
            }
            Side::Fake => {
                for i in 0..n {
                    (self.loss[i], slope[i]) = self.of.fake::<T, FMA>(ratios[i]);
                }
            }
        }
    }
}

/// Everything that can be wrong before a ratio is looked at.
pub(super) fn check<T: Real>(
    side: Side,
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: &RatioOut<'_, T>,
) -> Result<()> {
    let names = side.names();
    reduction.check_as(names.weights, ratios.shape())?;
    if let RatioOut::Each(out) | RatioOut::Grad(out) = out {
        require::shape(names.out, out.shape(), ratios.shape())?;
    }
    match reduction {
        Reduction::Mean if ratios.is_empty() => Err(Error::Empty { argument: names.ratios }),
        _ => Ok(()),
    }
}

/// The reduced loss of one side whose arguments have been checked.
pub(super) fn run<T: Real>(
    block: &dyn Block<T>,
    side: Side,
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: RatioOut<'_, T>,
) -> Result<f64> {
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, 1.0),
        Reduction::Mean => (None, (ratios.len() as f64).recip()),
        Reduction::Weighted(weights) => (Some(weights.view()), 1.0),
    };
    let pass = Pass { block, side, ratios, weights, factor: T::of(factor) };
    let mut sums = vec![0.0; ratios.len().div_ceil(BLOCK)];
    let mut faults = vec![None; ratios.len().div_ceil(JOB)];
    let places = sums.chunks_mut(JOB / BLOCK).zip(&mut faults).enumerate();
    let jobs = places.zip(split(out, JOB)).map(|((index, (sums, fault)), out)| (index * JOB, sums, fault, out));
    let bytes = 2 * ratios.len() * size_of::<T>();
    parallel::for_each(jobs.collect(), bytes, |(start, sums, fault, out)| *fault = pass.job(start, sums, out).err());
    if let Some(error) = faults.into_iter().flatten().next() {
        return Err(error);
    }
    let total = reduction::pairwise(&sums);
    if total.is_infinite() && sums.iter().all(|sum| sum.is_finite()) {
        return Err(pass.overflow(Position::default()));
    }
    Ok(total * factor)
}

/// What all jobs of a side share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    side: Side,
    ratios: ArrayView1<'a, T>,
    weights: Option<ArrayView1<'a, T>>,
    factor: T,
}

impl<T: Real> Pass<'_, T> {
    /// The blocks from `start` on, one for each place in `sums`.
    fn job(&self, start: usize, sums: &mut [f64], out: RatioOut<'_, T>) -> Result<()> {
        let size = BLOCK.min(self.ratios.len() - start);
        let [mut ratios, mut weights, mut loss, mut slope] = std::array::from_fn(|_| vec![T::zero(); size]);
        let starts = (start..self.ratios.len()).step_by(BLOCK);
        for ((from, sum), mut out) in starts.zip(sums).zip(split(out, BLOCK)) {
            let n = BLOCK.min(self.ratios.len() - from);
            let ratios = slice(self.ratios, from, &mut ratios[..n]);
            let weights = self.weights.map(|all| slice(all, from, &mut weights[..n]));
            let (loss, slope) = (&mut loss[..n], &mut slope[..n]);
            match &mut out {
                RatioOut::Nothing => self.block.losses(self.side, ratios, loss),
                RatioOut::Each(out) => {
                    self.block.losses(self.side, ratios, loss);
                    write(loss, out);
                }
                RatioOut::Grad(out) => {
                    self.block.slopes(self.side, ratios, loss, slope);
                    self.scale(slope, weights);
                    write(slope, out);
                }
            }
            if let Some(weights) = weights {
                weigh(loss, weights);
            }
            *sum = simd::sum(loss).wide();
            if !(sum.is_finite() && simd::sum(slope).is_finite()) {
                *sum = self.inspect(from, ratios, loss, slope)?;
            }
        }
        Ok(())
    }

    /// From the slope of a sample to that of the reduced loss.
    fn scale(&self, slope: &mut [T], weights: Option<&[T]>) {
        match weights {
            Some(weights) => weigh(slope, weights),
            None => slope.iter_mut().for_each(|slope| *slope *= self.factor),
        }
    }

    /// The sum of a block that holds something that is not finite, or what is wrong with it. Where a weight has selected
    /// a sample away, its loss and slope are zero by now.
    fn inspect(&self, from: usize, ratios: &[T], loss: &[T], slope: &[T]) -> Result<f64> {
        for (i, ((ratio, loss), slope)) in ratios.iter().zip(loss).zip(slope).enumerate() {
            let limit = *loss == T::infinity() && ratio.is_infinite();
            if (loss.is_finite() || limit) && slope.is_finite() {
                continue;
            }
            let position = Position::from(from + i);
            if !ratio.is_nan() {
                return Err(self.overflow(position));
            }
            return Err(Error::Value {
                argument: self.side.names().ratios,
                position,
                value: f64::NAN,
                allowed: "not NaN",
            });
        }
        Ok(loss.iter().map(|loss| loss.wide()).sum())
    }

    fn overflow(&self, position: Position) -> Error {
        Error::Overflow { argument: self.side.names().ratios, position, type_name: T::NAME }
    }
}

/// Multiplies by the weights; one of zero selects away, whatever stood there.
fn weigh<T: Real>(values: &mut [T], weights: &[T]) {
    for (value, &weight) in values.iter_mut().zip(weights) {
        *value = if weight == T::zero() { T::zero() } else { weight * *value };
    }
}

/// A block of an array, contiguous: itself where it is, else copied to scratch of its length.
fn slice<'s, T: Real>(array: ArrayView1<'s, T>, from: usize, scratch: &'s mut [T]) -> &'s [T] {
    let range = from..from + scratch.len();
    match array.to_slice() {
        Some(slice) => &slice[range],
        None => {
            rows::copy(array.slice_move(ndarray::s![range]), scratch);
            scratch
        }
    }
}

fn write<T: Real>(values: &[T], out: &mut ArrayViewMut1<'_, T>) {
    match out.as_slice_mut() {
        Some(out) => out.copy_from_slice(values),
        None => out.iter_mut().zip(values).for_each(|(to, from)| *to = *from),
    }
}

/// Cuts an output into pieces of `size` samples; one without an array never ends.
fn split<T>(out: RatioOut<'_, T>, size: usize) -> Box<dyn Iterator<Item = RatioOut<'_, T>> + '_> {
    match out {
        RatioOut::Nothing => Box::new(std::iter::repeat_with(|| RatioOut::Nothing)),
        RatioOut::Each(out) => Box::new(pieces(out, size).map(RatioOut::Each)),
        RatioOut::Grad(out) => Box::new(pieces(out, size).map(RatioOut::Grad)),
    }
}

fn pieces<T>(out: ArrayViewMut1<'_, T>, size: usize) -> impl Iterator<Item = ArrayViewMut1<'_, T>> {
    let mut rest = Some(out);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        if all.len() <= size {
            return Some(all);
        }
        let (piece, others) = all.split_at(Axis(0), size);
        rest = Some(others);
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1, s};

    use crate::ratio::{Ddo, RatioObjective, Samples};
    use crate::{Parts, Reduction};

    const NAN: f64 = f64::NAN;

    fn many() -> Samples<Array1<f64>> {
        Samples {
            real: Array1::from_shape_fn(70_001, |i| 9.0 * (i as f64).sin()),
            fake: Array1::from_shape_fn(40_000, |i| 9.0 * (i as f64).cos()),
        }
    }

    #[test]
    fn reductions_agree_with_each() {
        let many = many();
        let (ddo, ratios) = (Ddo { alpha: 6.0, beta: 0.1 }, Samples { real: many.real.view(), fake: many.fake.view() });
        let each = ddo.each(ratios).unwrap();
        let near = |got: f64, expected: f64| assert!((got / expected - 1.0).abs() < 1e-13, "{got}, {expected}");
        near(ddo.value(ratios, Samples::both(Reduction::Sum)).unwrap(), each.real.sum() + each.fake.sum());
        let mean = each.real.sum() / 70_001.0 + each.fake.sum() / 40_000.0;
        near(ddo.value(ratios, Samples::both(Reduction::Mean)).unwrap(), mean);
        let parts = ddo.parts(ratios).unwrap();
        near(parts.real.mean().unwrap() + parts.fake.mean().unwrap(), mean);
        let weights = each.real.mapv(|x| x.abs());
        let reductions = Samples { real: Reduction::Weighted(&weights), fake: Reduction::Sum };
        let (loss, gradient) = ddo.grad(ratios, reductions).unwrap();
        near(loss, each.real.dot(&weights) + each.fake.sum());
        assert_eq!(loss, ddo.value(ratios, reductions).unwrap());
        let (_, plain) = ddo.grad(ratios, Samples::both(Reduction::Sum)).unwrap();
        assert_eq!(gradient, Samples { real: plain.real * weights, fake: plain.fake });
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let many = many();
        let strided = Samples { real: many.real.slice(s![..;-3]), fake: many.fake.slice(s![..;2]) };
        let packed = strided.map(|side| side.to_owned());
        let packed = Samples { real: packed.real.view(), fake: packed.fake.view() };
        let (ddo, mean) = (Ddo::default(), Samples::both(Reduction::Mean));
        let (loss, gradient) = ddo.grad(packed, mean).unwrap();
        assert_eq!(ddo.value(packed, mean), Ok(loss));
        assert_eq!(ddo.grad(strided, mean), Ok((loss, gradient.clone())));
        let mut wide = Samples { real: Array1::from_elem(70_001, NAN), fake: Array1::from_elem(40_000, NAN) };
        let mut out = Samples { real: wide.real.slice_mut(s![..;3]), fake: wide.fake.slice_mut(s![..;-2]) };
        let view = Samples { real: out.real.view_mut(), fake: out.fake.view_mut() };
        assert_eq!(ddo.grad_into(strided, mean, view), Ok(loss));
        assert_eq!(out.map(|side| side.to_owned()), gradient);
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_leave_no_trace() {
        let many = many();
        let ratios = Samples { real: many.real.view(), fake: many.fake.view() };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Ddo::default().grad(ratios, Samples::both(Reduction::Mean)).unwrap())
        };
        assert_eq!(run(1), run(2));
    }

    #[test]
    fn a_weight_of_zero_selects_away() {
        let (ratios, weights) = (Samples::both(aview1(&[NAN, 1.0])), array![0.0, 2.0]);
        let (loss, gradient) = Ddo::default().grad(ratios, Samples::both(Reduction::Weighted(&weights))).unwrap();
        let rest = Samples::both(aview1(&[1.0]));
        let (expected, slopes) = Ddo::default().grad(rest, Samples::both(Reduction::Sum)).unwrap();
        assert_eq!(loss, 2.0 * expected);
        assert_eq!(gradient, slopes.map(|side| array![0.0, 2.0 * side[0]]));
    }

    #[test]
    fn nothing_adds_to_zero_and_has_no_mean() {
        let ratios = Samples { real: aview1(&[] as &[f64]), fake: aview1(&[0.0]) };
        let sums = Samples::both(Reduction::Sum);
        assert_eq!(Ddo::default().value(ratios, sums), Ok(std::f64::consts::LN_2));
        assert_eq!(Ddo::default().parts(ratios).unwrap().real, Parts::default());
        let error = Ddo::default().value(ratios, Samples { real: Reduction::Mean, ..sums }).unwrap_err();
        assert_eq!(error.to_string(), "`real` holds nothing to average over");
    }

    #[test]
    fn bad_input_is_named() {
        let fine = [0.0; 3000];
        let mut spoilt = fine;
        spoilt[2_345] = NAN;
        let sum = Samples::both(Reduction::Sum);
        let message = |real: &[f64], fake: &[f64], reductions| {
            let ratios = Samples { real: aview1(real), fake: aview1(fake) };
            let error = Ddo::default().value(ratios, reductions).unwrap_err();
            assert_eq!(Ddo::default().grad(ratios, reductions).unwrap_err().to_string(), error.to_string());
            error.to_string()
        };
        assert_eq!(message(&spoilt, &fine, sum), "`real`[2345] is NaN, allowed is not NaN");
        assert_eq!(message(&fine, &spoilt, sum), "`fake`[2345] is NaN, allowed is not NaN");
        let weights = array![1.0, -1.0];
        let weighted = Samples { real: Reduction::Weighted(&weights), ..sum };
        assert_eq!(message(&[0.0; 3], &fine, weighted), "`weights.real` has shape [2], expected [3]");
        assert_eq!(message(&[0.0; 2], &fine, weighted), "`weights.real`[1] is -1, allowed is finite and >= 0");
        let (mut short, mut right) = (Array1::zeros(2), Array1::zeros(3));
        let out = Samples { real: right.view_mut(), fake: short.view_mut() };
        let error = Ddo::default().grad_into(Samples::both(aview1(&[0.0; 3])), sum, out).unwrap_err();
        assert_eq!(error.to_string(), "`out.fake` has shape [2], expected [3]");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let value = |ddo: Ddo, real: f32, reduction| {
            let ratios = Samples { real: aview1(std::slice::from_ref(&real)), fake: aview1(&[]) };
            ddo.grad(ratios, Samples { real: reduction, fake: Reduction::Sum }).unwrap_err().to_string()
        };
        let message = "the result at `real`[0] overflows f32";
        assert_eq!(value(Ddo { alpha: 1.0, beta: 10.0 }, -1e38, Reduction::Sum), message);
        assert_eq!(value(Ddo { alpha: 1.0, beta: 1e300 }, 0.0, Reduction::Sum), message);
        let weight = array![1e38_f32];
        assert_eq!(value(Ddo { alpha: 1.0, beta: 100.0 }, -1e-3, Reduction::Weighted(&weight)), message);
        let ratios = Samples { real: aview1(&[-3e38_f32, -3e38]), fake: aview1(&[]) };
        let error = Ddo::default().value(ratios, Samples::both(Reduction::Sum)).unwrap_err();
        assert_eq!(error.to_string(), "the result at `real` overflows f32");
        let mean = Ddo::default().value(ratios, Samples { real: Reduction::Mean, fake: Reduction::Sum });
        assert_eq!(mean, Ok(3e38));
    }

    #[test]
    fn an_objective_can_be_a_trait_object() {
        let objective: Box<dyn RatioObjective<f32>> = Box::new(Ddo::default());
        let ratios = Samples::both(aview1(&[0.0_f32]));
        assert_eq!(objective.value(ratios, Samples::both(Reduction::Sum)), Ok(2.0 * std::f32::consts::LN_2));
    }
}
