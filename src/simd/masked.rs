//! Sums over the places that a mask keeps.

use super::lanes::{LANES, join};
use super::{Kernel, dispatch};
use crate::Real;

struct MaskedSum<'a, T> {
    values: &'a [T],
    mask: &'a [bool],
}

impl<T: Real> Kernel for MaskedSum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let mut sums = [T::zero(); LANES];
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        let (mask_chunks, mask_rest) = self.mask.as_chunks::<LANES>();
        for (chunk, kept) in chunks.iter().zip(mask_chunks) {
            add_kept(&mut sums, chunk, kept);
        }
        let (mut chunk, mut kept) = ([T::zero(); LANES], [false; LANES]);
        chunk[..rest.len()].copy_from_slice(rest);
        kept[..mask_rest.len()].copy_from_slice(mask_rest);
        add_kept(&mut sums, &chunk, &kept);
        join(sums, |a, b| a + b)
    }
}

/// Adds what the mask keeps. A choice between two values, never a product: what is masked may be NaN.
#[inline(always)]
fn add_kept<T: Real>(sums: &mut [T; LANES], chunk: &[T; LANES], kept: &[bool; LANES]) {
    for i in 0..LANES {
        sums[i] += if kept[i] { chunk[i] } else { T::zero() };
    }
}

/// The sum of the values that the mask keeps, in lanes of their own type. Both slices are short and of one length.
pub(crate) fn masked_sum<T: Real>(values: &[T], mask: &[bool]) -> T {
    dispatch(MaskedSum { values, mask })
}

struct Count<'a>(&'a [bool]);

impl Kernel for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        let mut total = 0;
        // A byte counts to 255: that is how many chunks its lanes may see before they are added up.
        for block in self.0.chunks(u8::MAX as usize * LANES) {
            let mut counts = [0_u8; LANES];
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    counts[i] += u8::from(chunk[i]);
                }
            }
            total += counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            total += rest.iter().filter(|&&keep| keep).count();
        }
        total
    }
}

/// How many places the mask keeps.
pub(crate) fn count(mask: &[bool]) -> usize {
    dispatch(Count(mask))
}

struct Spread<'a, T> {
    value: T,
    mask: &'a [bool],
    out: &'a mut [T],
}

impl<T: Real> Kernel for Spread<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, &keep) in self.out.iter_mut().zip(self.mask) {
            *out = if keep { self.value } else { T::zero() };
        }
    }
}

/// Writes the value where the mask keeps and zero elsewhere.
pub(crate) fn spread<T: Real>(value: T, mask: &[bool], out: &mut [T]) {
    dispatch(Spread { value, mask, out });
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::{available, run_at};
    use super::*;

    #[test]
    fn what_is_masked_is_not_seen_at_any_level() {
        for n in [0, 1, 31, 32, 33, 100, 1024, 9000] {
            let mask: Vec<bool> = (0..n).map(|i| i % 3 != 1).collect();
            let values: Vec<f32> = (0..n).map(|i| if i % 3 == 1 { f32::NAN } else { (i % 64) as f32 }).collect();
            let exact: f32 = (0..n).filter(|i| i % 3 != 1).map(|i| (i % 64) as f32).sum();
            let kept = (0..n).filter(|i| i % 3 != 1).count();
            for level in available() {
                assert_eq!(run_at(level, MaskedSum { values: &values, mask: &mask }), exact, "{level:?}, n = {n}");
                assert_eq!(run_at(level, Count(&mask)), kept, "{level:?}, n = {n}");
                let mut out = vec![f32::NAN; n];
                run_at(level, Spread { value: 2.5, mask: &mask, out: &mut out });
                assert!(out.iter().zip(&mask).all(|(&x, &keep)| x == if keep { 2.5 } else { 0.0 }), "{level:?}");
            }
        }
    }

    #[test]
    fn an_infinity_that_is_kept_reaches_the_sum() {
        let values = [-1.0, f64::NEG_INFINITY, -2.0];
        assert_eq!(masked_sum(&values, &[true, true, false]), f64::NEG_INFINITY);
        assert_eq!(masked_sum(&values, &[true, false, true]), -3.0);
    }

    #[test]
    fn a_byte_per_lane_never_overflows() {
        let n = 3 * 255 * LANES + 17;
        assert_eq!(count(&vec![true; n]), n);
    }
}
