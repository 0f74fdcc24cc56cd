//! Temperature and soft cap of logits, and the way back through them.
//!
//! What is no number stays as it is: -inf rules a class out, and NaN or +inf is found by whoever sums the block. A number
//! that the map leads out of the type becomes zero, so that it passes for neither; the result tells that there was one.

use super::{Kernel, LANES, dispatch};
use crate::Real;
use crate::math;

/// A map of numbers, some at a time.
trait Step<T> {
    /// Images of elements, of which `first` is the place of the first; past the end of the block they may be anything.
    fn step<const FMA: bool>(&mut self, first: usize, x: &[T; LANES]) -> [T; LANES];
}

/// Replaces each number of a block by its image; whether all images are numbers.
///
/// Elements go in and out through arrays of their own: where a loop over a slice keeps some of them as they are, it is
/// compiled to masked stores, which on Zen 2 cost ten times what the rest does.
struct Numbers<'a, T, S> {
    block: &'a mut [T],
    map: S,
}

impl<T: Real, S: Step<T>> Kernel for Numbers<'_, T, S> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> bool {
        let (blocks, rest) = self.block.as_chunks_mut();
        let (count, mut fits) = (blocks.len(), true);
        for (i, x) in blocks.iter_mut().enumerate() {
            fits &= replace::<T, S, FMA>(&mut self.map, i * LANES, x);
        }
        if !rest.is_empty() {
            let mut last = [T::zero(); LANES];
            last[..rest.len()].copy_from_slice(rest);
            fits &= replace::<T, S, FMA>(&mut self.map, count * LANES, &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
        fits
    }
}

#[inline(always)]
fn replace<T: Real, S: Step<T>, const FMA: bool>(map: &mut S, first: usize, x: &mut [T; LANES]) -> bool {
    let (y, mut kept, mut fits) = (map.step::<FMA>(first, x), [T::zero(); LANES], true);
    for i in 0..LANES {
        let (is_number, is_kept) = (x[i].abs() < T::infinity(), y[i].abs() < T::infinity());
        fits &= is_kept | !is_number;
        let image = if is_kept { y[i] } else { T::zero() };
        kept[i] = if is_number { image } else { x[i] };
    }
    *x = kept;
    fits
}

/// `x / by`.
struct Divide<T> {
    by: T,
}

impl<T: Real> Step<T> for Divide<T> {
    #[inline(always)]
    fn step<const FMA: bool>(&mut self, _: usize, x: &[T; LANES]) -> [T; LANES] {
        let mut y = [T::zero(); LANES];
        for i in 0..LANES {
            y[i] = x[i] / self.by;
        }
        y
    }
}

/// Divides each number by the same; whether all quotients are numbers.
pub(crate) fn divide<T: Real>(block: &mut [T], by: T) -> bool {
    dispatch(Numbers { block, map: Divide { by } })
}

/// `gain tanh(x / cap)`.
struct Cap<T> {
    cap: T,
    gain: T,
}

impl<T: Real> Step<T> for Cap<T> {
    #[inline(always)]
    fn step<const FMA: bool>(&mut self, _: usize, x: &[T; LANES]) -> [T; LANES] {
        let mut y = [T::zero(); LANES];
        for i in 0..LANES {
            y[i] = self.gain * math::tanh::<T, FMA>(x[i] / self.cap);
        }
        y
    }
}

/// Replaces each number `x` by `gain tanh(x / cap)`; whether all are numbers.
pub(crate) fn cap<T: Real>(block: &mut [T], cap: T, gain: T) -> bool {
    dispatch(Numbers { block, map: Cap { cap, gain } })
}

/// The same, and `rate sech²(x / cap)` into the slopes.
struct CapWithSlope<'a, T> {
    cap: T,
    gain: T,
    rate: T,
    slopes: &'a mut [T],
}

impl<T: Real> Step<T> for CapWithSlope<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(&mut self, first: usize, x: &[T; LANES]) -> [T; LANES] {
        let (mut y, mut slopes) = ([T::zero(); LANES], [T::zero(); LANES]);
        for i in 0..LANES {
            let (tanh, slope) = math::tanh_with_slope::<T, FMA>(x[i] / self.cap);
            (y[i], slopes[i]) = (self.gain * tanh, self.rate * slope);
        }
        let to = &mut self.slopes[first..];
        match to.first_chunk_mut() {
            Some(to) => *to = slopes,
            None => to.copy_from_slice(&slopes[..to.len()]),
        }
        y
    }
}

/// [`cap`], and of each element the slope `rate (1 - tanh²(x / cap))`, which is zero at the infinities.
pub(crate) fn cap_with_slope<T: Real>(block: &mut [T], slopes: &mut [T], (cap, gain, rate): (T, T, T)) -> bool {
    let slopes = &mut slopes[..block.len()];
    dispatch(Numbers { block, map: CapWithSlope { cap, gain, rate, slopes } })
}

/// `slope x`.
struct Chain<'a, T> {
    slopes: &'a [T],
}

impl<T: Real> Step<T> for Chain<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(&mut self, first: usize, x: &[T; LANES]) -> [T; LANES] {
        let from = &self.slopes[first..];
        let (mut slopes, mut y) = ([T::zero(); LANES], [T::zero(); LANES]);
        match from.first_chunk() {
            Some(from) => slopes = *from,
            None => slopes[..from.len()].copy_from_slice(from),
        }
        for i in 0..LANES {
            y[i] = slopes[i] * x[i];
        }
        y
    }
}

/// Multiplies each number by its slope; whether all products are numbers.
pub(crate) fn chain<T: Real>(block: &mut [T], slopes: &[T]) -> bool {
    let slopes = &slopes[..block.len()];
    dispatch(Numbers { block, map: Chain { slopes } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    const LENGTHS: [usize; 6] = [0, 1, 31, 33, 100, 2049];

    fn check<T: Real>() {
        let close = |got: T, exact: f64| (got.as_f64() - exact).abs() <= 8.0 * T::epsilon().as_f64() * exact.abs();
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let x: Vec<T> = (0..n).map(|i| T::from_f64((i as f64 - 40.0) * 0.75)).collect();
            let (mut divided, mut capped, mut both, mut slopes) = (x.clone(), x.clone(), x.clone(), vec![T::nan(); n]);
            assert!(run_at(level, Numbers { block: &mut divided, map: Divide { by: T::from_f64(0.7) } }));
            let (cap, gain, rate) = (T::from_f64(30.0), T::from_f64(20.0), T::from_f64(2.0 / 3.0));
            assert!(run_at(level, Numbers { block: &mut capped, map: Cap { cap, gain } }));
            let map = CapWithSlope { cap, gain, rate, slopes: &mut slopes };
            assert!(run_at(level, Numbers { block: &mut both, map }));
            assert_eq!(both, capped, "{n} at {level:?}");
            let mut chained = x.clone();
            assert!(run_at(level, Numbers { block: &mut chained, map: Chain { slopes: &slopes } }));
            for i in 0..n {
                let u = x[i].as_f64() / 30.0;
                let slope = rate.as_f64() / u.cosh().powi(2);
                assert_eq!(divided[i], x[i] / T::from_f64(0.7), "{i} of {n} at {level:?}");
                assert!(close(capped[i], 20.0 * u.tanh()), "{i} of {n} at {level:?}: {}", capped[i]);
                let tolerance = 1e-5 * slope + T::min_positive_value().as_f64();
                assert!((slopes[i].as_f64() - slope).abs() <= tolerance, "{i} of {n} at {level:?}: {}", slopes[i]);
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
                assert!(run_at(level, Numbers { block: &mut block, map: Divide { by: 1e-30 } }));
                let map = CapWithSlope { cap: 1.0, gain: 2.0, rate: 1.0, slopes: &mut slopes };
                assert!(run_at(level, Numbers { block: &mut capped, map }));
                for found in [block[place], capped[place]] {
                    assert!(found == bad || (found.is_nan() && bad.is_nan()), "{bad} became {found} at {level:?}");
                }
                assert!(bad.is_nan() || slopes[place] == 0.0, "{bad} at {level:?}");
            }
            let far = |x: f32| std::array::from_fn::<f32, 41, _>(|i| if i == place { x } else { 0.0 });
            for x in [1e20, -1e20] {
                let mut block = far(x);
                assert!(
                    !run_at(level, Numbers { block: &mut block, map: Divide { by: 1e-30 } }),
                    "{x} at {place}, {level:?}"
                );
                assert_eq!(block, [0.0; 41]);
                let mut block = far(x);
                assert!(
                    !run_at(level, Numbers { block: &mut block, map: Cap { cap: 1.0, gain: inf } }),
                    "{x} at {place}, {level:?}"
                );
                assert_eq!(block, [0.0; 41]);
                let mut block = far(x);
                assert!(
                    !run_at(level, Numbers { block: &mut block, map: Chain { slopes: &[1e30; 41] } }),
                    "{x} at {place}, {level:?}"
                );
            }
        }
    }
}
