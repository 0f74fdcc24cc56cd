//! Half-precision storage: widened for the kernels, or summed as it is where the instruction set allows.

use half::{bf16, f16};

use super::dispatch::Level;
use super::{BLOCK, Kernel, dispatch};
use crate::Element;

struct Widen<'a, E> {
    from: &'a [E],
    to: &'a mut [f32],
}

impl<E: Element<Real = f32>> Kernel for Widen<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = from.real();
        }
    }
}

/// Copies each element of the first slice to the second, exactly.
pub(crate) fn widen<E: Element<Real = f32>>(from: &[E], to: &mut [f32]) {
    dispatch(Widen { from, to });
}

macro_rules! sum_below {
    ($($name:ident: $type:ident at $($level:ident in $table:ident),*;)*) => {$(
        /// [`Exponentials::sum_below`](super::Exponentials::sum_below) of at most [`BLOCK`] elements, in `f32`.
        pub(crate) fn $name(block: &[$type], shift: f32) -> (f32, bool) {
            $(
                #[cfg(target_arch = "x86_64")]
                if Level::best() == Level::$level {
                    // SAFETY: the best level is one whose features have been found.
                    return unsafe { super::table::$table::$name(block, shift) };
                }
            )*
            let mut scratch = [0.0; BLOCK];
            let scratch = &mut scratch[..block.len()];
            widen(block, scratch);
            f32::sum_below(scratch, shift)
        }
    )*};
}
sum_below! {
    sum_below_bf16: bf16 at Avx512 in avx512, Avx2 in avx2;
    sum_below_f16: f16 at Avx512 in avx512;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, with_level};

    #[test]
    fn sums_have_the_bits_of_those_over_widened_numbers() {
        for (level, n) in available().into_iter().flat_map(|level| [0, 1, 15, 64, 100, 2047, 2048].map(|n| (level, n)))
        {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin() * 9.0 - 9.0).collect();
            let (b, f): (Vec<bf16>, Vec<f16>) = x.iter().map(|&x| (bf16::from_f32(x), f16::from_f32(x))).unzip();
            let (wide_b, wide_f): (Vec<f32>, Vec<f32>) =
                b.iter().zip(&f).map(|(b, f)| (b.to_f32(), f.to_f32())).unzip();
            with_level(level, || {
                for shift in [0.0, -0.0, -4.0] {
                    assert_eq!(
                        sum_below_bf16(&b, shift),
                        <f32 as crate::simd::Exponentials>::sum_below(&wide_b, shift),
                        "{n} at {level:?}"
                    );
                    assert_eq!(
                        sum_below_f16(&f, shift),
                        <f32 as crate::simd::Exponentials>::sum_below(&wide_f, shift),
                        "{n} at {level:?}"
                    );
                }
            });
        }
    }
}
