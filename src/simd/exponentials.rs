//! Exponentials of a block of logits, summed or put in their place.

use super::dispatch::{Level, run_at};
use super::lanes::{LANES, join};
use super::prefetch::fetch_ahead;
use super::scan::{Above, Place, ScaleExp, SumMoment, Top};
use super::{Kernel, dispatch};
use crate::Real;
use crate::math::mul_add;

/// What the element types do to a block of logits, each in the way that is fastest at a level.
#[doc(hidden)]
pub trait Exponentials: Sized {
    /// The largest element of a block, NaN passed over, and whether there was none.
    fn top(block: &[Self]) -> (Self, bool);

    /// Collects the elements that are not at most `bound`, NaN among them, in order and as far as there is room; returns
    /// how many there are.
    fn above(block: &[Self], bound: Self, found: &mut [Self]) -> usize;

    /// Where the first element that equals `x` stands; the length of the block where none does.
    fn place(block: &[Self], x: Self) -> usize;

    /// `Σ e^(x - shift)` over the elements that are not above the shift, fetching ahead what the next blocks will read;
    /// and whether those are all. NaN is above.
    fn sum_below(block: &[Self], shift: Self) -> (Self, bool);

    /// Replaces elements `x` by `e^(x - shift)` up to the first that is above the shift, which NaN is, or to a place not far
    /// before it; returns the sum of those that it has replaced and how many they are.
    fn exp_below(block: &mut [Self], shift: Self) -> (Self, usize);

    /// The same with the results in another place of at least that length, which beyond them holds anything.
    fn exp_below_into(block: &[Self], shift: Self, to: &mut [Self]) -> (Self, usize);

    /// `Σ e^(x - shift)` and `Σ (x - shift) e^(x - shift)`, where no `x` is above `shift` and -inf counts as zero in both.
    /// NaN and +inf reach both.
    fn sum_moment(block: &[Self], shift: Self) -> (Self, Self);

    /// See [`scale_exp`].
    fn scale_exp(block: &mut [Self], shift: Self, scale: Self);
}

/// Runs a function of the tables at the levels of x86, a kernel at any other.
macro_rules! at {
    ($level:ident, $table:ident::$function:ident($($argument:ident),*), $kernel:expr) => {
        match $level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: every feature that the function enables has just been found.
            Level::Avx512 if $level.is_available() => unsafe {
                crate::simd::table::avx512::$table::$function($($argument),*)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx2 if $level.is_available() => unsafe {
                crate::simd::table::avx2::$table::$function($($argument),*)
            },
            _ => run_at($level, $kernel),
        }
    };
}

macro_rules! exponentials {
    ($($type:ident: $table:ident),*) => {$(
        impl Exponentials for $type {
            #[inline]
            fn top(block: &[Self]) -> (Self, bool) {
                $table::top(Level::best(), block)
            }

            #[inline]
            fn above(block: &[Self], bound: Self, found: &mut [Self]) -> usize {
                $table::above(Level::best(), block, bound, found)
            }

            #[inline]
            fn place(block: &[Self], x: Self) -> usize {
                $table::place(Level::best(), block, x)
            }

            #[inline]
            fn sum_below(block: &[Self], shift: Self) -> (Self, bool) {
                $table::sum_below(Level::best(), block, shift)
            }

            #[inline]
            fn exp_below(block: &mut [Self], shift: Self) -> (Self, usize) {
                $table::exp_below(Level::best(), block, shift)
            }

            #[inline]
            fn exp_below_into(block: &[Self], shift: Self, to: &mut [Self]) -> (Self, usize) {
                $table::exp_below_into(Level::best(), block, shift, to)
            }

            #[inline]
            fn sum_moment(block: &[Self], shift: Self) -> (Self, Self) {
                $table::sum_moment(Level::best(), block, shift)
            }

            #[inline]
            fn scale_exp(block: &mut [Self], shift: Self, scale: Self) {
                $table::scale_exp(Level::best(), block, shift, scale)
            }
        }

        mod $table {
            use super::*;

            pub(super) fn top(level: Level, block: &[$type]) -> ($type, bool) {
                at!(level, $table::top(block), Top(block))
            }

            pub(super) fn above(level: Level, block: &[$type], bound: $type, found: &mut [$type]) -> usize {
                at!(level, $table::above(block, bound, found), Above { block, bound, found })
            }

            pub(super) fn place(level: Level, block: &[$type], x: $type) -> usize {
                at!(level, $table::place(block, x), Place { block, x })
            }

            pub(super) fn sum_below(level: Level, block: &[$type], shift: $type) -> ($type, bool) {
                at!(level, $table::sum_below(block, shift), SumBelow { block, shift })
            }

            pub(super) fn exp_below(level: Level, block: &mut [$type], shift: $type) -> ($type, usize) {
                at!(level, $table::exp_below(block, shift), ExpBelow { block, shift })
            }

            pub(super) fn exp_below_into(level: Level, block: &[$type], shift: $type, to: &mut [$type]) -> ($type, usize) {
                at!(level, $table::exp_below_into(block, shift, to), ExpBelow { block: copied(block, to), shift })
            }

            pub(super) fn sum_moment(level: Level, block: &[$type], shift: $type) -> ($type, $type) {
                at!(level, $table::sum_moment(block, shift), SumMoment { block, shift })
            }

            pub(super) fn scale_exp(level: Level, block: &mut [$type], shift: $type, scale: $type) {
                at!(level, $table::scale_exp(block, shift, scale), ScaleExp { block, shift, scale })
            }
        }
    )*};
}
exponentials!(f32: single, f64: double);

/// The beginning of `to` after `block` has been copied there.
fn copied<'t, T: Copy>(block: &[T], to: &'t mut [T]) -> &'t mut [T] {
    let to = &mut to[..block.len()];
    to.copy_from_slice(block);
    to
}

/// [`Exponentials::sum_below`] at any level.
struct SumBelow<'a, T> {
    block: &'a [T],
    shift: T,
}

impl<T: Real> SumBelow<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(chunk: &[T; LANES], shift: T, sums: &mut [T; LANES], above: &mut [T; LANES]) {
        for i in 0..LANES {
            let is_below = chunk[i] <= shift;
            above[i] = if is_below { above[i] } else { T::one() };
            let d = if is_below { chunk[i] - shift } else { T::neg_infinity() };
            let (mantissa, power) = d.exp_parts_lane::<FMA>();
            sums[i] = mul_add::<T, FMA>(mantissa, power, sums[i]);
        }
    }
}

impl<T: Real> Kernel for SumBelow<'_, T> {
    type Output = (T, bool);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, bool) {
        let (mut sums, mut above) = ([T::zero(); LANES], [T::zero(); LANES]);
        let (chunks, rest) = self.block.as_chunks::<LANES>();
        let mut last = [T::neg_infinity(); LANES];
        last[..rest.len()].copy_from_slice(rest);
        Self::step::<FMA>(&last, self.shift, &mut sums, &mut above);
        for chunk in chunks {
            fetch_ahead(chunk);
            Self::step::<FMA>(chunk, self.shift, &mut sums, &mut above);
        }
        (T::SCALE * join(sums, |a, b| a + b), above == [T::zero(); LANES])
    }
}

/// [`Exponentials::exp_below`] at any level.
struct ExpBelow<'a, T> {
    block: &'a mut [T],
    shift: T,
}

impl<T: Real> ExpBelow<'_, T> {
    /// Replaces a chunk unless something in it is above the shift.
    #[inline(always)]
    fn step<const FMA: bool>(chunk: &mut [T; LANES], shift: T, sums: &mut [T; LANES]) -> bool {
        let mut is_below = true;
        for x in &*chunk {
            is_below &= *x - shift <= T::zero(); // false for -inf below a shift of -inf, which have no difference
        }
        if is_below {
            for i in 0..LANES {
                let (mantissa, power) = (chunk[i] - shift).exp_parts_lane::<FMA>();
                let scaled = mantissa * power;
                sums[i] += scaled;
                chunk[i] = T::SCALE * scaled;
            }
        }
        is_below
    }
}

impl<T: Real> Kernel for ExpBelow<'_, T> {
    type Output = (T, usize);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, usize) {
        let (mut sums, mut done) = ([T::zero(); LANES], 0);
        let (chunks, rest) = self.block.as_chunks_mut::<LANES>();
        for chunk in &mut *chunks {
            fetch_ahead(chunk);
            if !Self::step::<FMA>(chunk, self.shift, &mut sums) {
                break;
            }
            done += LANES;
        }
        if done == chunks.len() * LANES {
            let mut last = [T::neg_infinity(); LANES];
            last[..rest.len()].copy_from_slice(rest);
            if Self::step::<FMA>(&mut last, self.shift, &mut sums) {
                rest.copy_from_slice(&last[..rest.len()]);
                done += rest.len();
            }
        }
        (T::SCALE * join(sums, |a, b| a + b), done)
    }
}

/// [`scale`].
struct Scale<'a, T> {
    block: &'a mut [T],
    factor: T,
}

impl<T: Real> Kernel for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.block {
            *x *= self.factor;
        }
    }
}

/// Multiplies each element by the factor.
pub(crate) fn scale<T: Real>(block: &mut [T], factor: T) {
    dispatch(Scale { block, factor });
}

/// Replaces each element `x` by `scale · e^(x - shift)`, where no `x` is above `shift`.
pub(crate) fn scale_exp<T: Real>(block: &mut [T], shift: T, scale: T) {
    T::scale_exp(block, shift, scale);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::available;

    const LENGTHS: [usize; 9] = [0, 1, 31, 32, 33, 64, 65, 2048, 2049];

    macro_rules! check {
        ($type:ident, $table:ident) => {
            /// Numbers between -20 and 0, every seventh -inf, in no order.
            fn scattered(n: usize) -> Vec<$type> {
                let number = |i: usize| ((i * 2_654_435_761) % 8191) as $type / -409.6;
                (0..n).map(|i| if i % 7 == 3 { $type::NEG_INFINITY } else { number(i) }).collect()
            }

            #[test]
            fn sums_and_elements_agree_with_a_plain_loop_at_every_level_and_length() {
                for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
                    let block = scattered(n);
                    let exact: Vec<f64> = block.iter().map(|&x| f64::from(x - 0.25).exp()).collect();
                    let total: f64 = exact.iter().sum();
                    let (sum, is_all) = $table::sum_below(level, &block, 0.25);
                    assert!(is_all, "{level:?}, {n}");
                    let near = |got: $type, exact: f64, ulps: f64| {
                        (f64::from(got) - exact).abs() <= ulps * f64::from($type::EPSILON) * exact
                    };
                    assert!(near(sum, total, 4.0), "{level:?}, {n}: {sum} against {total}");
                    let mut elements = block.clone();
                    let (sum, done) = $table::exp_below(level, &mut elements, 0.25);
                    assert!(done == n && near(sum, total, 4.0), "{level:?}, {n}: {sum} against {total}");
                    for (i, (&got, &exact)) in elements.iter().zip(&exact).enumerate() {
                        assert!(near(got, exact, 1.25), "{level:?}, {i} of {n}: {got} against {exact}");
                    }
                }
            }

            #[test]
            fn moments_and_scaled_elements_agree_with_a_plain_loop_at_every_level_and_length() {
                for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
                    let block = scattered(n);
                    let near = |got: $type, exact: f64, ulps: f64| {
                        (f64::from(got) - exact).abs() <= ulps * f64::from($type::EPSILON) * exact.abs()
                    };
                    let gaps = || block.iter().map(|&x| f64::from(x - 0.25));
                    let (sum, moment) = $table::sum_moment(level, &block, 0.25);
                    let total: f64 = gaps().map(f64::exp).sum();
                    assert!(near(sum, total, 4.0), "{level:?}, {n}: {sum} against {total}");
                    let total: f64 = gaps().map(|d| if d == f64::NEG_INFINITY { 0.0 } else { d * d.exp() }).sum();
                    assert!(near(moment, total, 16.0), "{level:?}, {n}: {moment} against {total}");
                    let mut scaled = block.clone();
                    $table::scale_exp(level, &mut scaled, 0.25, -0.125);
                    for (i, (&got, d)) in scaled.iter().zip(gaps()).enumerate() {
                        assert!(near(got, -0.125 * d.exp(), 1.25), "{level:?}, {i} of {n}: {got} at {d}");
                    }
                }
            }

            #[test]
            fn nan_and_infinity_reach_the_moments_at_every_level_and_place() {
                for (level, place) in available().into_iter().flat_map(|level| [0, 31, 63, 70].map(|p| (level, p))) {
                    for bad in [$type::NAN, -$type::NAN, $type::INFINITY] {
                        let mut block = [-1.0; 71];
                        block[place] = bad;
                        let (sum, moment) = $table::sum_moment(level, &block, 0.0);
                        assert!(!sum.is_finite() && !moment.is_finite(), "{level:?}: {bad} at {place}");
                    }
                }
            }

            #[test]
            fn the_first_that_equals_is_found_at_every_level_or_the_length_told() {
                for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
                    let mut block = scattered(n);
                    assert_eq!($table::place(level, &block, 1.0), n, "{level:?}");
                    for at in [n.wrapping_sub(1), n / 2, n / 3, 0].into_iter().filter(|&at| at < n) {
                        block[at] = 1.0; // before those of earlier rounds
                        assert_eq!($table::place(level, &block, 1.0), at, "{level:?}, {n}");
                    }
                }
            }

            #[test]
            fn another_place_gets_the_bits_that_the_own_one_would() {
                for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
                    let mut block = scattered(n);
                    let mut other = vec![7.0; n + 3];
                    for above in [None, Some(n / 2)] {
                        above.filter(|_| n > 0).into_iter().for_each(|at| block[at] = 1.0);
                        let mut own = block.clone();
                        let result = $table::exp_below_into(level, &block, 0.25, &mut other);
                        assert_eq!(result, $table::exp_below(level, &mut own, 0.25), "{level:?}, {n}");
                        assert_eq!(own[..result.1], other[..result.1], "{level:?}, {n}");
                    }
                }
            }

            #[test]
            fn what_is_above_is_left_out_and_told() {
                for (level, place) in available().into_iter().flat_map(|level| [0, 63, 64, 70].map(|p| (level, p))) {
                    let mut block = vec![-1.0; 71];
                    let (sum, _) = $table::sum_below(level, &block[1..], 0.0);
                    for above in [1e-30, 3.0, 1e30, $type::INFINITY, $type::NAN, -$type::NAN] {
                        block[place] = above;
                        let (rest, is_all) = $table::sum_below(level, &block, 0.0);
                        assert!(!is_all && (rest / sum - 1.0).abs() < 1e-6, "{level:?}: {above} at {place}, {rest}");
                        let mut replaced = block.clone();
                        let (sum, done) = $table::exp_below(level, &mut replaced, 0.0);
                        assert!(done <= place && place - done < 64, "{level:?}: {done} before {place}");
                        assert!(replaced[done..].iter().zip(&block[done..]).all(|(a, b)| a.to_bits() == b.to_bits()));
                        assert!((sum - (-1.0 as $type).exp() * done as $type).abs() < 1e-4, "{level:?}: {sum}, {done}");
                    }
                }
            }

            #[test]
            fn nothing_is_replaced_under_a_shift_of_minus_infinity() {
                for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
                    let mut block = vec![$type::NEG_INFINITY; n];
                    let (sum, done) = $table::exp_below(level, &mut block, $type::NEG_INFINITY);
                    assert_eq!((sum, done), (0.0, 0), "{n} at {level:?}");
                    assert!(block.iter().all(|x| *x == $type::NEG_INFINITY), "{n} at {level:?}");
                }
            }

            #[test]
            fn far_below_the_shift_terms_fade_and_vanish() {
                let tiny = $type::MIN_POSITIVE.ln();
                for level in available() {
                    let element = |x: $type| {
                        let mut block = [x];
                        assert_eq!($table::sum_below(level, &block, 0.0).1, true);
                        $table::exp_below(level, &mut block, 0.0);
                        assert!((block[0] - $table::sum_below(level, &[x], 0.0).0).abs() <= block[0] * 1e-6);
                        block[0]
                    };
                    assert_eq!(element(0.0), 1.0, "{level:?}");
                    assert!((element(tiny - 5.0) / (tiny - 5.0).exp() - 1.0).abs() < 1e-3, "a subnormal, {level:?}");
                    for x in [1.2 * tiny - 1.0, 3.0 * tiny, $type::MIN, $type::NEG_INFINITY] {
                        assert_eq!(element(x), 0.0, "{x} at {level:?}");
                    }
                }
            }
        };
    }

    mod of_f32 {
        use super::*;
        check!(f32, single);
    }

    mod of_f64 {
        use super::*;
        check!(f64, double);
    }
}
