//! From one number per example to one number: [`Reduction`], and [`SumCount`], by which micro-batches combine.

use ndarray::{ArrayRef, ArrayViewD, ArrayViewMut, Dimension, Ix1, IxDyn};

use std::convert::Infallible;
use std::ops::Range;

use crate::error::Position;
use crate::{Error, Real, Result, check, simd};

/// How the losses of a batch become one number, and by what the gradient is scaled accordingly.
///
/// There is no default: which denominator a loss has is the caller's to say.
#[derive(Debug)]
pub enum Reduction<'a, T, D: Dimension = Ix1> {
    /// `Σ L`.
    Sum,
    /// `Σ L / n`; with class weights `Σ w L / Σ w`. Over nothing it is [`Error::NothingToAverage`].
    Mean,
    /// `Σ w L`, divided by nothing: `w = 1/N` gives any denominator. Weights are finite and `>= 0`; a zero selects the
    /// example away, so that not even its NaN is seen.
    Weighted(&'a ArrayRef<T, D>),
}

impl<T, D: Dimension> Clone for Reduction<'_, T, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, D: Dimension> Copy for Reduction<'_, T, D> {}

impl<T: Real, D: Dimension> Reduction<'_, T, D> {
    /// Checks the weights, if there are any: shape, finite, not negative.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<()> {
        self.check_as("weights", shape)
    }

    /// [`Reduction::check`], for a call in which several arguments have weights.
    pub(crate) fn check_as(&self, argument: &'static str, shape: &[usize]) -> Result<()> {
        let Self::Weighted(weights) = self else { return Ok(()) };
        check::shape(argument, weights.shape(), shape)?;
        let is_weight = |w: &T| w.is_finite() && *w >= T::zero();
        let are_weights = |all: &[T]| all.iter().fold(true, |fine, w| fine & is_weight(w));
        if weights.as_slice_memory_order().is_some_and(are_weights) {
            return Ok(());
        }
        match weights.iter().position(|w| !is_weight(w)) {
            None => Ok(()),
            Some(flat) => Err(Error::Value {
                argument,
                position: Position::unravel(flat, shape),
                value: weights.iter().nth(flat).map_or(f64::NAN, |w| w.as_f64()),
                allowed: "finite and >= 0",
            }),
        }
    }

    /// The weights in row-major order, where the reduction has them.
    pub(crate) fn weights(&self) -> Option<Vec<T>> {
        match self {
            Self::Weighted(weights) => Some(weights.iter().copied().collect()),
            _ => None,
        }
    }
}

impl<'a, T: Real, D: Dimension> Reduction<'a, T, D> {
    /// The same whatever the dimension, as compiled functions take it.
    pub(crate) fn into_any(self) -> AnyReduction<'a, T> {
        match self {
            Self::Sum => AnyReduction::Sum,
            Self::Mean => AnyReduction::Mean,
            Self::Weighted(weights) => AnyReduction::Weighted(weights.view().into_dyn()),
        }
    }
}

/// A [`Reduction`] of any dimension: what a compiled function is given of it.
#[derive(Debug)]
#[allow(unreachable_pub)] // named in the hidden methods of public traits
pub enum AnyReduction<'a, T> {
    /// `Σ L`.
    Sum,
    /// `Σ L / n`.
    Mean,
    /// `Σ w L`.
    Weighted(ArrayViewD<'a, T>),
}

impl<T: Real> AnyReduction<'_, T> {
    /// The reduction itself.
    pub(crate) fn get(&self) -> Reduction<'_, T, IxDyn> {
        match self {
            Self::Sum => Reduction::Sum,
            Self::Mean => Reduction::Mean,
            Self::Weighted(weights) => Reduction::Weighted(weights),
        }
    }
}

/// A sum of losses and what a mean would divide it by, in `f64` for every element type.
///
/// A mean of micro-batch means is not the mean of the whole batch. Add the parts instead, then divide once. Gradients go
/// the same way: take each with [`Reduction::Sum`], add them, and divide by the merged `count`.
///
/// ```
/// # use loglik::SumCount;
/// let long = SumCount { sum: 12.0, count: 4.0 };
/// let short = SumCount { sum: 5.0, count: 1.0 };
/// assert_eq!(long.merge(short).mean()?, 3.4); // the mean of the means would be 4
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SumCount {
    /// Sum of the losses.
    pub sum: f64,
    /// Number of examples, or the total of their class weights.
    pub count: f64,
}

impl SumCount {
    /// The parts of both batches together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, count: self.count + other.count }
    }

    /// `sum / count`.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToAverage`] where the count is zero.
    pub fn mean(self) -> Result<f64> {
        if self.count == 0.0 {
            return Err(Error::NothingToAverage { argument: "batch" });
        }
        Ok(self.sum / self.count)
    }
}

/// How means over two batches of these sizes, not both of them 0, become one: each counts by its size.
pub(crate) fn joint_mean(own: f64, other: f64) -> impl Fn(f64, f64) -> f64 {
    let count = own + other;
    let (own, other) = (own / count, other / count);
    move |a, b| own * a + other * b
}

/// A value in the type of the caller. One that is finite in `f64` and does not fit, or is NaN, is an [`Error::Overflow`].
/// Its zero is 0, never -0.
pub(crate) fn to_real<T: Real>(wide: f64, argument: &'static str, position: impl Into<Position>) -> Result<T> {
    let value = T::from_f64(wide) + T::zero();
    if value.is_nan() || (value.is_infinite() && wide.is_finite()) {
        return Err(Error::overflow::<T>(argument, position));
    }
    Ok(value)
}

/// [`to_real`] of what must be finite in the end: an infinity that comes from finite numbers is an [`Error::Overflow`].
pub(crate) fn to_finite<T: Real>(wide: f64, argument: &'static str, position: impl Into<Position>) -> Result<T> {
    if wide.is_finite() { to_real(wide, argument, position) } else { Err(Error::overflow::<T>(argument, position)) }
}

/// Writes numbers to an array, in logical order, by [`to_finite`].
pub(crate) fn write_finite<T: Real, D: Dimension>(
    argument: &'static str,
    wide: impl IntoIterator<Item = f64>,
    mut out: ArrayViewMut<'_, T, D>,
) -> Result<()> {
    let mut is_finite = true;
    out.iter_mut().zip(wide).for_each(|(out, wide)| {
        *out = T::from_f64(wide) + T::zero();
        is_finite &= out.is_finite();
    });
    match if is_finite { None } else { out.iter().position(|x| !x.is_finite()) } {
        None => Ok(()),
        Some(flat) => Err(Error::overflow::<T>(argument, Position::unravel(flat, out.shape()))),
    }
}

/// A total of these parts. One that is infinite or NaN although every part is finite is an [`Error::Overflow`].
pub(crate) fn total_of(parts: &[f64], total: f64, argument: &'static str) -> Result<f64> {
    finite_total(total, || parts.iter().all(|part| part.is_finite()), argument)
}

/// A total of parts, of which the caller knows whether all are finite: then the total must be, too. Infinities of both
/// signs have no total.
pub(crate) fn finite_total(total: f64, parts_are: impl FnOnce() -> bool, argument: &'static str) -> Result<f64> {
    if total.is_nan() || (total.is_infinite() && parts_are()) {
        return Err(Error::overflow::<f64>(argument, Position::default()));
    }
    Ok(total)
}

/// Elements that are added in lanes of the element type before `f64` takes over.
pub(crate) const BLOCK: usize = 1024;

/// The sum of the values, by lanes within blocks of [`BLOCK`] and pairwise in `f64` across them.
///
/// The order of the additions depends on the length alone, never on threads.
pub(crate) fn sum<T: Real>(values: &[T]) -> f64 {
    pairwise(&values.chunks(BLOCK).map(|block| simd::sum(block).as_f64()).collect::<Vec<_>>())
}

/// So many numbers are added by lanes, each of which adds four: no more digits are lost than by halves.
const LEAF: usize = 128;

/// Sum by halves down to [`LEAF`] numbers: the rounding error grows with the logarithm of the length.
pub(crate) fn pairwise(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [one] => *one,
        few if few.len() <= LEAF => simd::sum(few),
        _ => {
            let (left, right) = values.split_at(values.len().div_ceil(2));
            pairwise(left) + pairwise(right)
        }
    }
}

/// [`pairwise`] of numbers that nothing holds in `f64`.
pub(crate) fn pairwise_of(mut values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let places = 0..values.len();
    let Ok(sum) = pairwise_by(places, &mut |_| Ok::<_, Infallible>(values.next().unwrap_or_default()));
    sum
}

/// A sum that keeps what its roundings lose (Neumaier 1974).
#[derive(Clone, Copy, Default)]
pub(crate) struct Total {
    sum: f64,
    lost: f64,
}

impl Total {
    #[inline(always)]
    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        let (large, small) = if self.sum.abs() < x.abs() { (x, self.sum) } else { (self.sum, x) };
        let lost = (large - sum) + small;
        self.lost += if lost.is_finite() { lost } else { 0.0 }; // an infinite sum has lost nothing
        self.sum = sum;
    }

    /// The sum, rounded once.
    #[inline(always)]
    pub(crate) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

/// [`pairwise`] of the values of `f` at these places, which it is asked for in order: nothing holds them all.
pub(crate) fn pairwise_by<E>(places: Range<usize>, f: &mut impl FnMut(usize) -> Result<f64, E>) -> Result<f64, E> {
    match places.len() {
        0 => Ok(0.0),
        1 => f(places.start),
        n if n <= LEAF => {
            let mut leaf = [0.0; LEAF];
            for (to, place) in leaf.iter_mut().zip(places) {
                *to = f(place)?;
            }
            Ok(simd::sum(&leaf[..n]))
        }
        n => {
            let middle = places.start + n.div_ceil(2);
            Ok(pairwise_by(places.start..middle, f)? + pairwise_by(middle..places.end, f)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_values_are_added_in_one_order() {
        for n in [0, 1, 2, 3, 7, 127, 128, 129, 1000] {
            let values: Vec<f64> = (0..n).map(|i| 1.0 / (i as f64 + 0.3)).collect();
            let mut next = 0;
            let sum = pairwise_by(0..n, &mut |i| {
                assert_eq!(i, next);
                next += 1;
                Ok(values[i])
            });
            assert_eq!(sum, Ok::<_, Infallible>(pairwise(&values)));
            assert_eq!(pairwise_of(values.iter().copied()), pairwise(&values));
        }
    }

    #[test]
    fn a_sum_of_f32_is_good_to_its_own_precision() {
        for n in [0, 1, 9, 1023, 1024, 1025, 100_000] {
            let values: Vec<f32> = (0..n).map(|i| 0.1 + (i % 7) as f32).collect();
            let exact: f64 = values.iter().map(|&x| f64::from(x)).sum();
            assert!((sum(&values) - exact).abs() <= 1e-6 * exact, "n = {n}: {} against {exact}", sum(&values));
        }
    }

    #[test]
    fn a_total_keeps_what_plain_sums_lose() {
        let total = |values: &[f64]| {
            let mut total = Total::default();
            values.iter().for_each(|&x| total.add(x));
            total.value()
        };
        assert_eq!(total(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(total(&[1.0, 1e16, 1.0, -1e16]), 2.0);
        assert_eq!(total(&[1.0, f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn a_mean_over_nothing_is_an_error() {
        assert_eq!(SumCount::default().mean(), Err(Error::NothingToAverage { argument: "batch" }));
    }

    #[test]
    fn only_an_infinity_that_was_one_before_passes() {
        assert_eq!(to_real::<f32>(0.5, "x", Position::default()), Ok(0.5));
        assert_eq!(to_real::<f32>(f64::INFINITY, "x", Position::default()), Ok(f32::INFINITY));
        assert_eq!(to_real::<f64>(1e300, "x", Position::default()), Ok(1e300));
        assert!(
            to_real::<f64>(-0.0, "x", 3).unwrap().is_sign_positive()
                && to_real::<f32>(-1e-60, "x", 3).unwrap().is_sign_positive()
        );
        let error = to_real::<f32>(1e300, "x", 3).unwrap_err();
        assert_eq!(error.to_string(), "the result at `x`[3] overflows f32");
        assert!(to_real::<f64>(f64::NAN, "x", 3).is_err());
        assert_eq!(to_finite::<f32>(0.5, "x", 3), Ok(0.5));
        assert!(to_finite::<f64>(f64::NEG_INFINITY, "x", 3).is_err() && to_finite::<f32>(1e300, "x", 3).is_err());
    }

    #[test]
    fn a_bad_weight_is_named() {
        let weights = ndarray::array![[1.0, 2.0], [-1.0, 0.0]];
        let error = Reduction::Weighted(&weights).check(&[2, 2]).unwrap_err();
        assert_eq!(error.to_string(), "`weights`[1, 0] is -1, allowed is finite and >= 0");
    }
}
