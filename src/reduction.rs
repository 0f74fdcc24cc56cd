//! From one number per example to one number: [`Reduction`], and [`SumCount`], by which micro-batches combine.

mod sums;

use ndarray::{ArrayRef, ArrayViewD, ArrayViewMut, Dimension, Ix1, IxDyn};

use crate::error::Position;
use crate::{Error, Real, Result, check};

pub(crate) use sums::{BLOCK, Total, pairwise, pairwise_by, pairwise_of, sum};

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
    let mut write = |out: &mut T, wide| {
        *out = T::from_f64(wide) + T::zero();
        is_finite &= out.is_finite();
    };
    match out.as_slice_mut() {
        Some(out) => out.iter_mut().zip(wide).for_each(|(out, wide)| write(out, wide)),
        None => out.iter_mut().zip(wide).for_each(|(out, wide)| write(out, wide)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
