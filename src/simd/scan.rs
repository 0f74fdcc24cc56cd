//! What is asked of a block of logits beside its exponentials: the largest, what is above a bound, the first moment.

use std::cmp::Ordering;

use super::Kernel;
use super::lanes::{LANES, join};
use super::prefetch::fetch_ahead;
use crate::Real;
use crate::math::mul_add;

/// The largest element of a block, NaN passed over, and whether there was none.
pub(super) struct Top<'a, T>(pub(super) &'a [T]);

impl<T: Real> Top<'_, T> {
    #[inline(always)]
    fn step(chunk: &[T; LANES], max: &mut [T; LANES], nan: &mut [T; LANES]) {
        for i in 0..LANES {
            max[i] = if chunk[i] > max[i] { chunk[i] } else { max[i] };
            nan[i] = if chunk[i].is_nan() { chunk[i] } else { nan[i] };
        }
    }
}

impl<T: Real> Kernel for Top<'_, T> {
    type Output = (T, bool);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, bool) {
        let (mut max, mut nan) = ([T::neg_infinity(); LANES], [T::zero(); LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut last = [T::neg_infinity(); LANES];
        last[..rest.len()].copy_from_slice(rest);
        Self::step(&last, &mut max, &mut nan);
        for chunk in chunks {
            fetch_ahead(chunk);
            Self::step(chunk, &mut max, &mut nan);
        }
        (join(max, |a, b| if b > a { b } else { a }), nan == [T::zero(); LANES])
    }
}

/// Collects the elements that are not at most `bound`, NaN among them, in order and as far as there is room; returns how
/// many there are.
pub(super) struct Above<'a, T> {
    pub(super) block: &'a [T],
    pub(super) bound: T,
    pub(super) found: &'a mut [T],
}

impl<T: Real> Kernel for Above<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        let mut count = 0;
        let (chunks, rest) = self.block.as_chunks::<LANES>();
        for chunk in chunks {
            let mut is_all_below = true; // over the chunk first, which vectorizes
            for x in chunk {
                is_all_below &= *x <= self.bound;
            }
            if !is_all_below {
                count = collect(chunk, self.bound, self.found, count);
            }
        }
        collect(rest, self.bound, self.found, count)
    }
}

/// Puts what is not at most `bound` into the places from `count` on, and counts on.
fn collect<T: Real>(elements: &[T], bound: T, found: &mut [T], mut count: usize) -> usize {
    // Written so that NaN is found.
    for &x in elements.iter().filter(|x| !matches!(x.partial_cmp(&&bound), Some(Ordering::Less | Ordering::Equal))) {
        found.get_mut(count).into_iter().for_each(|place| *place = x);
        count += 1;
    }
    count
}

/// Where the first element that equals `x` stands; the length of the block where none does.
pub(super) struct Place<'a, T> {
    pub(super) block: &'a [T],
    pub(super) x: T,
}

impl<T: Real> Kernel for Place<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        let (chunks, _) = self.block.as_chunks::<LANES>();
        let mut start = 0;
        for chunk in chunks {
            let mut found = false; // over the chunk first, which vectorizes
            for x in chunk {
                found |= *x == self.x;
            }
            if found {
                break;
            }
            start += LANES;
        }
        let rest = &self.block[start..];
        start + rest.iter().position(|&x| x == self.x).unwrap_or(rest.len())
    }
}

/// `Σ e^(x - shift)` and `Σ (x - shift) e^(x - shift)`, where no `x` is above `shift` and -inf counts as zero in both.
pub(super) struct SumMoment<'a, T> {
    pub(super) block: &'a [T],
    pub(super) shift: T,
}

impl<T: Real> Kernel for SumMoment<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, T) {
        let floor = T::from_f64(-1e4); // far below where exp is zero in every type, and finite
        let (mut sums, mut moments) = ([T::zero(); LANES], [T::zero(); LANES]);
        let mut add = |chunk: &[T; LANES]| {
            for (i, &x) in chunk.iter().enumerate() {
                let d = x - self.shift;
                let finite = if d < floor { floor } else { d };
                let (mantissa, power) = d.exp_parts_lane::<FMA>();
                let term = mantissa * power;
                sums[i] += term;
                moments[i] = mul_add::<T, FMA>(finite, term, moments[i]);
            }
        };
        let (chunks, rest) = self.block.as_chunks::<LANES>();
        let mut last = [T::neg_infinity(); LANES];
        last[..rest.len()].copy_from_slice(rest);
        add(&last);
        for chunk in chunks {
            fetch_ahead(chunk);
            add(chunk);
        }
        let total = |lanes| T::SCALE * join(lanes, |a, b| a + b);
        (total(sums), total(moments))
    }
}

/// `x <- scale e^(x - shift)` where no `x` is above `shift`.
pub(super) struct ScaleExp<'a, T> {
    pub(super) block: &'a mut [T],
    pub(super) shift: T,
    pub(super) scale: T,
}

impl<T: Real> Kernel for ScaleExp<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.block {
            let (mantissa, power) = (*x - self.shift).exp_parts_lane::<FMA>();
            *x = self.scale * (T::SCALE * (mantissa * power));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch::{Level, available, run_at};

    /// Numbers between -8 and 0, every seventh -inf, in no order.
    fn scattered<T: Real>(n: usize) -> Vec<T> {
        let number =
            |i: usize| if i % 7 == 3 { f64::NEG_INFINITY } else { ((i * 2_654_435_761) % 8191) as f64 / -1024.0 };
        (0..n).map(|i| T::from_f64(number(i))).collect()
    }

    const LENGTHS: [usize; 8] = [0, 1, 31, 32, 33, 2047, 2048, 2049];

    /// Runs every kernel at every level and length against a plain loop in `f64`.
    fn check_kernels<T: Real>() {
        let shift = T::from_f64(0.25);
        let close = |got: T, exact: f64, what: &str, level: Level, n: usize| {
            let tolerance = 4.0 * T::epsilon().as_f64() * exact.abs();
            assert!((got.as_f64() - exact).abs() <= tolerance, "{what} of {n} at {level:?}: {got} against {exact}");
        };
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let block: Vec<T> = scattered(n);
            let gaps = || block.iter().map(|&x| (x - shift).as_f64());
            let max = block.iter().map(|x| x.as_f64()).fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(run_at(level, Top(&block)), (T::from_f64(max), true), "max of {n} at {level:?}");
            if n > 0 {
                let x = T::from_f64(max);
                let place = run_at(level, Place { block: &block, x });
                assert_eq!(Some(place), block.iter().position(|&y| y == x), "place in {n} at {level:?}");
            }
            let sum: f64 = gaps().map(f64::exp).sum();
            let bound = T::from_f64(-4.0);
            let above: Vec<T> = block.iter().copied().filter(|x| *x > bound).collect();
            let mut found = vec![T::zero(); above.len().min(40)];
            let count = run_at(level, Above { block: &block, bound, found: &mut found });
            assert_eq!((count, found.as_slice()), (above.len(), &above[..found.len()]), "{level:?}, {n}");
            let moment = gaps().map(|d| if d == f64::NEG_INFINITY { 0.0 } else { d * d.exp() }).sum();
            let both = run_at(level, SumMoment { block: &block, shift });
            close(both.0, sum, "sum beside the moment", level, n);
            close(both.1, moment, "moment", level, n);
            let mut scaled = block.clone();
            run_at(level, ScaleExp { block: &mut scaled, shift, scale: T::from_f64(0.125) });
            gaps().zip(scaled).for_each(|(d, got)| close(got, 0.125 * d.exp(), "element", level, n));
        }
    }

    #[test]
    fn every_level_and_length_agrees_with_a_plain_loop() {
        check_kernels::<f32>();
        check_kernels::<f64>();
    }

    #[test]
    fn nan_and_infinity_reach_the_sum_at_every_level_and_place() {
        for (level, place) in available().into_iter().flat_map(|level| [0, 31, 32, 40].map(|place| (level, place))) {
            for bad in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
                let mut block = [0.0; 41];
                block[place] = bad;
                let mut found = [0.0; 2];
                assert_eq!(run_at(level, Above { block: &block, bound: 0.0, found: &mut found }), 1);
                assert!(found[0].is_nan(), "{level:?}, place {place}");
                let both = run_at(level, SumMoment { block: &block, shift: 0.0 });
                assert!(both.0.is_nan() && both.1.is_nan(), "{level:?}, place {place}");
            }
        }
    }
}
