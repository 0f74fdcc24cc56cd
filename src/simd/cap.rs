//! Temperature and soft cap of logits, and the way back through them.
//!
//! What is no number stays as it is: -inf rules a class out, and NaN or +inf is found by whoever sums the block. A number
//! that the map leads out of the type becomes zero, so that it passes for neither; the result tells that there was one.

use super::{Kernel, dispatch};
use crate::Real;
use crate::math;

/// Applies `map` to each number; whether all results are numbers.
#[inline(always)]
fn numbers<T: Real>(block: &mut [T], mut map: impl FnMut(usize, T) -> T) -> bool {
    let mut fits = true;
    for (i, x) in block.iter_mut().enumerate() {
        let (is_number, y) = (x.abs() < T::infinity(), map(i, *x));
        let is_kept = y.abs() < T::infinity();
        fits &= is_kept | !is_number;
        let kept = if is_kept { y } else { T::zero() };
        *x = if is_number { kept } else { *x };
    }
    fits
}

/// `x <- x / by`.
struct Divide<'a, T> {
    block: &'a mut [T],
    by: T,
}

impl<T: Real> Kernel for Divide<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        numbers(self.block, |_, x| x / self.by)
    }
}

/// Divides each number by the same; whether all quotients are numbers.
pub(crate) fn divide<T: Real>(block: &mut [T], by: T) -> bool {
    dispatch(Divide { block, by })
}

/// `x <- gain tanh(x / cap)`.
struct Cap<'a, T> {
    block: &'a mut [T],
    cap: T,
    gain: T,
}

impl<T: Real> Kernel for Cap<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        numbers(self.block, |_, x| self.gain * math::tanh::<T, FMA>(x / self.cap))
    }
}

/// Replaces each number `x` by `gain tanh(x / cap)`; whether all are numbers.
pub(crate) fn cap<T: Real>(block: &mut [T], cap: T, gain: T) -> bool {
    dispatch(Cap { block, cap, gain })
}

/// The same, and `slope <- rate sech²(x / cap)`.
struct CapWithSlope<'a, T> {
    cap: Cap<'a, T>,
    rate: T,
    slopes: &'a mut [T],
}

impl<T: Real> Kernel for CapWithSlope<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let Cap { block, cap, gain } = self.cap;
        let slopes = &mut self.slopes[..block.len()];
        numbers(block, |i, x| {
            let (tanh, slope) = math::tanh_with_slope::<T, FMA>(x / cap);
            slopes[i] = self.rate * slope;
            gain * tanh
        })
    }
}

/// [`cap`], and of each element the slope `rate (1 - tanh²(x / cap))`, which is zero at the infinities.
pub(crate) fn cap_with_slope<T: Real>(block: &mut [T], slopes: &mut [T], (cap, gain, rate): (T, T, T)) -> bool {
    dispatch(CapWithSlope { cap: Cap { block, cap, gain }, rate, slopes })
}

/// `x <- slope x`.
struct Chain<'a, T> {
    block: &'a mut [T],
    slopes: &'a [T],
}

impl<T: Real> Kernel for Chain<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let slopes = &self.slopes[..self.block.len()];
        numbers(self.block, |i, x| slopes[i] * x)
    }
}

/// Multiplies each number by its slope; whether all products are numbers.
pub(crate) fn chain<T: Real>(block: &mut [T], slopes: &[T]) -> bool {
    dispatch(Chain { block, slopes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    const LENGTHS: [usize; 6] = [0, 1, 31, 33, 100, 2049];

    fn check<T: Real>() {
        let close = |got: T, exact: f64| (got.wide() - exact).abs() <= 8.0 * T::epsilon().wide() * exact.abs();
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let x: Vec<T> = (0..n).map(|i| T::of((i as f64 - 40.0) * 0.75)).collect();
            let (mut divided, mut capped, mut both, mut slopes) = (x.clone(), x.clone(), x.clone(), vec![T::nan(); n]);
            assert!(run_at(level, Divide { block: &mut divided, by: T::of(0.7) }));
            let (cap, gain, rate) = (T::of(30.0), T::of(20.0), T::of(2.0 / 3.0));
            assert!(run_at(level, Cap { block: &mut capped, cap, gain }));
            let kernel = CapWithSlope { cap: Cap { block: &mut both, cap, gain }, rate, slopes: &mut slopes };
            assert!(run_at(level, kernel));
            assert_eq!(both, capped, "{n} at {level:?}");
            let mut chained = x.clone();
            assert!(run_at(level, Chain { block: &mut chained, slopes: &slopes }));
            for i in 0..n {
                let u = x[i].wide() / 30.0;
                let slope = rate.wide() / u.cosh().powi(2);
                assert_eq!(divided[i], x[i] / T::of(0.7), "{i} of {n} at {level:?}");
                assert!(close(capped[i], 20.0 * u.tanh()), "{i} of {n} at {level:?}: {}", capped[i]);
                let tolerance = 1e-5 * slope + T::min_positive_value().wide();
                assert!((slopes[i].wide() - slope).abs() <= tolerance, "{i} of {n} at {level:?}: {}", slopes[i]);
                assert_eq!(chained[i], slopes[i] * x[i], "{i} of {n} at {level:?}");
            }
        }
    }

    #[test]
    fn every_level_and_length_agrees_with_a_plain_loop() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn what_is_no_number_stays_and_what_leaves_the_type_is_told() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for (level, place) in available().into_iter().flat_map(|level| [0, 17, 32, 40].map(|place| (level, place))) {
            for bad in [inf, -inf, nan] {
                let mut block = [1.0; 41];
                block[place] = bad;
                let (mut capped, mut slopes) = (block, [nan; 41]);
                assert!(run_at(level, Divide { block: &mut block, by: 1e-30 }));
                let cap = Cap { block: &mut capped, cap: 1.0, gain: 2.0 };
                assert!(run_at(level, CapWithSlope { cap, rate: 1.0, slopes: &mut slopes }));
                for found in [block[place], capped[place]] {
                    assert!(found == bad || (found.is_nan() && bad.is_nan()), "{bad} became {found} at {level:?}");
                }
                assert!(bad.is_nan() || slopes[place] == 0.0, "{bad} at {level:?}");
            }
            let far = |x: f32| std::array::from_fn::<f32, 41, _>(|i| if i == place { x } else { 0.0 });
            for x in [1e20, -1e20] {
                let mut block = far(x);
                assert!(!run_at(level, Divide { block: &mut block, by: 1e-30 }), "{x} at {place}, {level:?}");
                assert_eq!(block, [0.0; 41]);
                let mut block = far(x);
                assert!(!run_at(level, Cap { block: &mut block, cap: 1.0, gain: inf }), "{x} at {place}, {level:?}");
                assert_eq!(block, [0.0; 41]);
                let mut block = far(x);
                assert!(!run_at(level, Chain { block: &mut block, slopes: &[1e30; 41] }), "{x} at {place}, {level:?}");
            }
        }
    }
}
