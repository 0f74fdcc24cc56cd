//! The two loops over a row of logits: sums of exponentials, and the exponentials themselves.

use super::lanes::{LANES, fold, join};
use super::{Kernel, dispatch};
use crate::Real;
use crate::math::mul_add;

/// Largest element of a block; NaN is passed over, since the sum that follows brings it out.
struct Max<'a, T>(&'a [T]);

impl<T: Real> Kernel for Max<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let larger = |a: T, b: T| if b > a { b } else { a };
        join(fold(self.0, T::neg_infinity(), T::neg_infinity(), larger), larger)
    }
}

/// `Σ e^(x - shift)` where no `x` is above `shift`, fetching ahead what the next blocks will read.
struct SumExp<'a, T> {
    block: &'a [T],
    shift: T,
}

impl<T: Real> Kernel for SumExp<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let (chunks, rest) = self.block.as_chunks::<LANES>();
        let add = |sum: T, x: T| {
            let (mantissa, power) = (x - self.shift).exp_parts_lane::<FMA>();
            mul_add::<T, FMA>(mantissa, power, sum)
        };
        let mut sums = fold(rest, T::neg_infinity(), T::zero(), add);
        for chunk in chunks {
            fetch_ahead(chunk);
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum = add(*sum, x);
            }
        }
        T::SCALE * join(sums, |a, b| a + b)
    }
}

/// The largest of at most [`LANES`] elements and the sum `Σ e^(x - max)` of the others, in one go: for rows so short that
/// every further call costs more than its work.
struct Short<'a, T>(&'a [T]);

impl<T: Real> Kernel for Short<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, T) {
        let mut lanes = [T::neg_infinity(); LANES];
        lanes.iter_mut().zip(self.0).for_each(|(lane, &x)| *lane = x);
        let max = join(lanes, |a, b| if b > a { b } else { a });
        if let Some(first) = self.0.iter().position(|&x| x == max) {
            lanes[first] = T::neg_infinity();
        }
        (max, SumExp { block: &lanes, shift: max }.run::<FMA>())
    }
}

/// `Σ e^(x - shift)` and `Σ (x - shift) e^(x - shift)`, where no `x` is above `shift` and -inf counts as zero in both.
struct SumMoment<'a, T> {
    block: &'a [T],
    shift: T,
}

impl<T: Real> Kernel for SumMoment<'_, T> {
    type Output = (T, T);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (T, T) {
        let floor = T::of(-1e4); // far below where exp is zero in every type, and finite
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
struct ScaleExp<'a, T> {
    block: &'a mut [T],
    shift: T,
    scale: T,
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

/// Replaces each element `x` by `scale · e^(x - shift)`, where no `x` is above `shift`.
pub(crate) fn scale_exp<T: Real>(block: &mut [T], shift: T, scale: T) {
    dispatch(ScaleExp { block, shift, scale });
}

/// How far ahead of its use a cache line is asked for, in bytes: one block of `f32`. Between 4 and 32 KiB it was the best.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 8 << 10;

/// Asks for the cache lines that lie [`AHEAD`] of this chunk.
#[inline(always)]
fn fetch_ahead<T>(chunk: &[T; LANES]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of_val(chunk)).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = chunk.as_ptr().cast::<i8>().wrapping_add(AHEAD + line);
        // SAFETY: a prefetch is a hint; it reads nothing and faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = chunk;
}

/// `Σ e^x` of a row whose elements come block by block, kept as `e^max · (1 + others)`.
///
/// The largest element is left out of the sum, so that `ln(1 + others)` keeps its relative precision where one class
/// has almost all the mass. Lanes of the element type add within a block, `f64` across blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSum<T> {
    /// Largest element, -inf before the first.
    pub(crate) max: T,
    /// `Σ e^(x - max)` over all elements but one that equals the maximum. NaN where the row holds NaN.
    pub(crate) others: f64,
    /// `Σ (x - max) e^(x - max)`, kept only by [`RowSum::push_with_moment`].
    pub(crate) moment: f64,
}

impl<T: Real> RowSum<T> {
    /// The sum over nothing.
    pub(crate) fn new() -> Self {
        Self { max: T::neg_infinity(), others: 0.0, moment: 0.0 }
    }

    /// Takes in the next block.
    pub(crate) fn push(&mut self, block: &[T]) {
        let is_new = self.max == T::neg_infinity() && self.others == 0.0;
        if is_new && block.len() <= LANES {
            let (max, others) = dispatch(Short(block));
            if max > T::neg_infinity() {
                (self.max, self.others) = (max, others.wide());
                return;
            }
        }
        self.advance(block, |block, shift| (dispatch(SumExp { block, shift }).wide(), 0.0));
    }

    /// Takes in the next block and keeps the first moment too, which the entropy needs.
    pub(crate) fn push_with_moment(&mut self, block: &[T]) {
        self.advance(block, |block, shift| {
            let (sum, moment) = dispatch(SumMoment { block, shift });
            (sum.wide(), moment.wide())
        });
    }

    fn advance(&mut self, block: &[T], terms: impl Fn(&[T], T) -> (f64, f64)) {
        let max = dispatch(Max(block));
        if max > self.max {
            let shrink = (self.max - max).wide();
            let factor = shrink.exp();
            // Where this is the first block there is no earlier maximum to count: the factor is zero.
            self.moment = if factor == 0.0 { 0.0 } else { factor * (self.moment + shrink * (1.0 + self.others)) };
            self.others = factor * (1.0 + self.others);
            self.max = max;
            let first = position(block, max);
            self.add(terms(&block[..first], max));
            self.add(terms(&block[first + 1..], max));
        } else if self.max > T::neg_infinity() {
            self.add(terms(block, self.max));
        } else if block.iter().any(|x| x.is_nan()) {
            self.others = f64::NAN; // nothing but -inf and NaN so far
        }
    }

    fn add(&mut self, (sum, moment): (f64, f64)) {
        self.others += sum;
        self.moment += moment;
    }

    /// `ln Σ e^x`.
    pub(crate) fn log_sum_exp(&self) -> f64 {
        self.max.wide() + self.others.ln_1p()
    }

    /// `ln Σ e^x - x`, without the cancellation of forming both.
    pub(crate) fn nll(&self, x: T) -> f64 {
        (self.max.wide() - x.wide()) + self.others.ln_1p()
    }

    /// The probability of one class, `e^x / Σ e^x`.
    pub(crate) fn prob(&self, x: T) -> f64 {
        (x.wide() - self.max.wide()).exp() / (1.0 + self.others)
    }

    /// `1 - prob(x)`, exact where the class has almost all the mass.
    pub(crate) fn complement(&self, x: T) -> f64 {
        let total = 1.0 + self.others;
        if x == self.max { self.others / total } else { (total - (x.wide() - self.max.wide()).exp()) / total }
    }

    /// `-Σ p ln p` in nats; needs [`RowSum::push_with_moment`].
    pub(crate) fn entropy(&self) -> f64 {
        self.others.ln_1p() - self.moment / (1.0 + self.others)
    }

    /// Whether the row is a distribution: some element is finite, none is NaN or +inf.
    pub(crate) fn is_proper(&self) -> bool {
        self.max.is_finite() && self.others.is_finite()
    }
}

/// Where the first element that equals `max` stands; there is one.
fn position<T: Real>(block: &[T], max: T) -> usize {
    // By chunks, which unlike single elements are compared side by side.
    let found = |chunk: &[T]| chunk.iter().fold(false, |found, &x| found | (x == max));
    let chunk = block.chunks(LANES).position(found).unwrap_or(0) * LANES;
    chunk + block[chunk..].iter().position(|&x| x == max).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch::{Level, available, run_at};

    /// Numbers between -8 and 0, every seventh -inf, in no order.
    fn scattered<T: Real>(n: usize) -> Vec<T> {
        let number =
            |i: usize| if i % 7 == 3 { f64::NEG_INFINITY } else { ((i * 2_654_435_761) % 8191) as f64 / -1024.0 };
        (0..n).map(|i| T::of(number(i))).collect()
    }

    const LENGTHS: [usize; 8] = [0, 1, 31, 32, 33, 2047, 2048, 2049];

    /// Runs every kernel at every level and length against a plain loop in `f64`.
    fn check_kernels<T: Real>() {
        let shift = T::of(0.25);
        let close = |got: T, exact: f64, what: &str, level: Level, n: usize| {
            let tolerance = 4.0 * T::epsilon().wide() * exact.abs();
            assert!((got.wide() - exact).abs() <= tolerance, "{what} of {n} at {level:?}: {got} against {exact}");
        };
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let block: Vec<T> = scattered(n);
            let gaps = || block.iter().map(|&x| (x - shift).wide());
            let max = block.iter().map(|x| x.wide()).fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(run_at(level, Max(&block)).wide(), max, "max of {n} at {level:?}");
            let sum: f64 = gaps().map(f64::exp).sum();
            close(run_at(level, SumExp { block: &block, shift }), sum, "sum", level, n);
            if (1..=LANES).contains(&n) {
                let (top, others) = run_at(level, Short(&block));
                let all: f64 = block.iter().map(|&x| (x - top).wide().exp()).sum();
                assert_eq!(top.wide(), max, "short maximum of {n} at {level:?}");
                close(others + T::one(), all, "short sum", level, n);
            }
            let moment = gaps().map(|d| if d == f64::NEG_INFINITY { 0.0 } else { d * d.exp() }).sum();
            let both = run_at(level, SumMoment { block: &block, shift });
            close(both.0, sum, "sum beside the moment", level, n);
            close(both.1, moment, "moment", level, n);
            let mut scaled = block.clone();
            run_at(level, ScaleExp { block: &mut scaled, shift, scale: T::of(0.125) });
            gaps().zip(scaled).for_each(|(d, got)| close(got, 0.125 * d.exp(), "element", level, n));
        }
    }

    #[test]
    fn every_level_and_length_agrees_with_a_plain_loop() {
        check_kernels::<f32>();
        check_kernels::<f64>();
    }

    #[test]
    fn far_below_the_maximum_terms_fade_and_vanish() {
        let mut tail = [0.0_f32, -95.0, -103.0, -110.0, -1e30, f32::NEG_INFINITY];
        for level in available() {
            let only = |x: f32| run_at(level, SumExp { block: &[x], shift: 0.0 });
            assert_eq!(tail.map(only)[3..], [0.0; 3], "{level:?}");
            assert!((f64::from(only(-95.0)) / 5.521_082e-42 - 1.0).abs() < 1e-3, "a subnormal at {level:?}");
        }
        scale_exp(&mut tail, 0.0, 2.0);
        assert_eq!((tail[0], tail[5]), (2.0, 0.0));
    }

    #[test]
    fn nan_and_infinity_reach_the_sum_at_every_level_and_place() {
        for (level, place) in available().into_iter().flat_map(|level| [0, 31, 32, 40].map(|place| (level, place))) {
            for bad in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
                let mut block = [0.0; 41];
                block[place] = bad;
                assert!(run_at(level, SumExp { block: &block, shift: 0.0 }).is_nan(), "{level:?}, place {place}");
                let both = run_at(level, SumMoment { block: &block, shift: 0.0 });
                assert!(both.0.is_nan() && both.1.is_nan(), "{level:?}, place {place}");
            }
        }
    }

    fn row_sum(blocks: &[&[f64]]) -> RowSum<f64> {
        let mut sum = RowSum::new();
        blocks.iter().for_each(|block| sum.push_with_moment(block));
        sum
    }

    #[test]
    fn blocks_may_be_cut_anywhere() {
        let row = [0.5, -1.0, 3.0, 2.0, f64::NEG_INFINITY, 3.0, -700.0];
        let whole = row_sum(&[&row]);
        for cut in 0..row.len() {
            let (left, right) = row.split_at(cut);
            let parts = row_sum(&[left, right]);
            assert!((parts.log_sum_exp() - whole.log_sum_exp()).abs() < 1e-15, "cut at {cut}");
            assert!((parts.entropy() - whole.entropy()).abs() < 1e-15, "cut at {cut}");
        }
    }

    #[test]
    fn a_row_with_nothing_finite_or_with_nan_is_improper() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        for row in [[-inf, -inf], [inf, 0.0], [nan, 0.0], [0.0, nan], [-inf, nan], [nan, -inf], [nan, nan]] {
            assert!(!row_sum(&[&row]).is_proper(), "{row:?}");
            assert!(!row_sum(&[&row[..1], &row[1..]]).is_proper(), "{row:?}, cut");
        }
        assert!(row_sum(&[&[-inf], &[0.0]]).is_proper());
    }

    #[test]
    fn a_certain_class_leaves_the_others_visible() {
        let row: Vec<f32> = std::iter::once(0.0).chain([-30.0; 10]).collect();
        let mut sum = RowSum::new();
        sum.push(&row);
        assert!((sum.nll(0.0) / 9.357_622_968_840_175e-13 - 1.0).abs() < 1e-6);
        assert!((sum.complement(0.0) / 9.357_622_968_836e-13 - 1.0).abs() < 1e-6);
    }
}
