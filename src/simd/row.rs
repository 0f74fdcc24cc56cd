//! The sum of exponentials of a row whose elements come block by block.

use super::{Exponentials, scale};
use crate::{Element, Real};

/// Elements of a row that a kernel takes at a time: 8 KiB of `f32`, which stays in the first-level cache.
pub(crate) const BLOCK: usize = 2048;

/// So many elements above the maximum so far are added one by one; where there are more, the block is read again.
const FEW: usize = 32;

/// A sum of exponentials from which the largest, 1, can be taken without a loss of digits that a logarithm would show.
const PLENTY: f64 = 8.0;

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
    #[inline]
    pub(crate) fn new() -> Self {
        Self { max: T::neg_infinity(), others: 0.0, moment: 0.0 }
    }

    /// Takes in the next elements.
    pub(crate) fn push<E: Element<Real = T>>(&mut self, elements: &[E]) {
        for block in elements.chunks(BLOCK) {
            if self.max == T::neg_infinity() {
                widened(block, |block| self.start(block));
                continue;
            }
            match E::sum_below(block, self.max) {
                (sum, true) => self.others += sum.as_f64(),
                (sum, false) => widened(block, |block| self.rise(block, sum.as_f64())),
            }
        }
    }

    /// Takes in the next block and keeps the first moment too, which the entropy needs.
    pub(crate) fn push_with_moment(&mut self, block: &[T]) {
        self.advance(block, |block, shift| {
            let (sum, moment) = T::sum_moment(block, shift);
            (sum.as_f64(), moment.as_f64())
        });
    }

    /// Takes in the next block and replaces each of its elements `x` by `e^(x - r)`, where `r`, which is returned, is the
    /// maximum so far. At NaN or +inf it stops, that element as it is, and the sum is improper from then on.
    pub(crate) fn push_exp(&mut self, block: &mut [T]) -> T {
        let done = self.replace(block);
        self.rise_from(done, block)
    }

    /// The same with the results in another place of the same length.
    pub(crate) fn push_exp_into(&mut self, block: &[T], to: &mut [T]) -> T {
        let (sum, done) = T::exp_below_into(block, self.max, to);
        self.others += sum.as_f64();
        to[done..].copy_from_slice(&block[done..]);
        self.rise_from(done, to)
    }

    /// Goes on where an element may be above the maximum so far.
    fn rise_from(&mut self, done: usize, block: &mut [T]) -> T {
        if done == block.len() {
            return self.max;
        }
        let (replaced, rest) = block.split_at_mut(done);
        let (max, is_number) = T::top(rest);
        if !is_number || max == T::infinity() {
            self.others = f64::NAN;
        } else if max == T::neg_infinity() {
            rest.fill(T::zero()); // nothing but -inf so far
        } else {
            scale(replaced, T::from_f64((self.max.as_f64() - max.as_f64()).exp()));
            self.lift(max);
            let (before, after) = rest.split_at_mut(T::place(rest, max));
            self.replace(before);
            after[0] = T::one();
            self.replace(&mut after[1..]);
        }
        self.max
    }

    /// Replaces elements up to a place where one may be above the maximum so far; returns their number.
    fn replace(&mut self, block: &mut [T]) -> usize {
        let (sum, done) = T::exp_below(block, self.max);
        self.others += sum.as_f64();
        done
    }

    /// The sum over the elements of both.
    #[inline]
    pub(crate) fn merge(mut self, mut other: Self) -> Self {
        if other.max > self.max {
            std::mem::swap(&mut self, &mut other);
        }
        if other.max == T::neg_infinity() {
            self.others += 0.0 * other.others; // NaN stays
            return self;
        }
        let max = self.max;
        if other.max == max {
            self.others += 1.0 + other.others;
            self.moment += other.moment;
        } else {
            other.lift(max); // its own largest element is one among the others now
            self.others += other.others;
            self.moment += other.moment;
        }
        self
    }

    /// Takes in a block by two passes: its maximum first, then the terms around the place where that stands.
    fn advance(&mut self, block: &[T], terms: impl Fn(&[T], T) -> (f64, f64)) {
        let (max, is_number) = T::top(block);
        if max > self.max {
            self.lift(max);
            let first = T::place(block, max);
            self.add(terms(&block[..first], max));
            self.add(terms(&block[first + 1..], max));
        } else if self.max > T::neg_infinity() {
            self.add(terms(block, self.max));
        } else {
            self.others = if is_number { self.others } else { f64::NAN }; // nothing but -inf and NaN so far
        }
    }

    /// Takes in the first block. Where the others outweigh the largest element, it can be taken from a sum over all.
    fn start(&mut self, block: &[T]) {
        let (max, is_number) = T::top(block);
        let (sum, _) = <T as Exponentials>::sum_below(block, max);
        if is_number && max.is_finite() && sum.as_f64() >= PLENTY {
            (self.max, self.others) = (max, sum.as_f64() - 1.0);
        } else {
            self.advance(block, sum_of);
        }
    }

    /// Takes in a block of which some elements are above the maximum so far and the others sum to `below`.
    fn rise(&mut self, block: &[T], below: f64) {
        let mut found = [T::zero(); FEW];
        let count = T::above(block, self.max, &mut found);
        let Some(above) = found.get(..count) else { return self.advance(block, sum_of) };
        let max = above.iter().fold(self.max, |max, &x| if x > max { x } else { max });
        self.others += below;
        self.lift(max);
        let first = above.iter().position(|&x| x == max);
        let rest = above.iter().enumerate().filter(|&(i, _)| Some(i) != first);
        self.others += rest.map(|(_, &x)| (x.as_f64() - max.as_f64()).exp()).sum::<f64>();
    }

    /// Makes a larger maximum the reference; the one so far becomes one of the others.
    fn lift(&mut self, max: T) {
        let shrink = self.max.as_f64() - max.as_f64(); // in `f64`, where maxima of `f32` have an exact difference
        let factor = shrink.exp();
        // Where this is the first block there is no earlier maximum to count: the factor is zero.
        self.moment = if factor == 0.0 { 0.0 } else { factor * (self.moment + shrink * (1.0 + self.others)) };
        self.others = factor * (1.0 + self.others);
        self.max = max;
    }

    fn add(&mut self, (sum, moment): (f64, f64)) {
        self.others += sum;
        self.moment += moment;
    }

    /// `ln Σ e^x`.
    #[inline]
    pub(crate) fn log_sum_exp(&self) -> f64 {
        self.max.as_f64() + self.others.ln_1p()
    }

    /// `ln Σ e^x - x`, without the cancellation of forming both.
    #[inline]
    pub(crate) fn nll(&self, x: T) -> f64 {
        (self.max.as_f64() - x.as_f64()) + self.others.ln_1p()
    }

    /// The probability of one class, `e^x / Σ e^x`.
    #[inline]
    pub(crate) fn prob(&self, x: T) -> f64 {
        (x.as_f64() - self.max.as_f64()).exp() / (1.0 + self.others)
    }

    /// `1 - prob(x)`, exact where the class has almost all the mass.
    #[inline]
    pub(crate) fn complement(&self, x: T) -> f64 {
        let total = 1.0 + self.others;
        if x == self.max { self.others / total } else { (total - (x.as_f64() - self.max.as_f64()).exp()) / total }
    }

    /// `-Σ p ln p` in nats; needs [`RowSum::push_with_moment`].
    #[inline]
    pub(crate) fn entropy(&self) -> f64 {
        self.others.ln_1p() - self.moment / (1.0 + self.others)
    }

    /// Whether the row is a distribution: some element is finite, none is NaN or +inf.
    #[inline]
    pub(crate) fn is_proper(&self) -> bool {
        self.max.is_finite() && self.others.is_finite()
    }
}

/// `Σ e^(x - shift)` where no `x` is above the shift; NaN where some is NaN.
fn sum_of<T: Real>(block: &[T], shift: T) -> (f64, f64) {
    let (sum, is_all) = <T as Exponentials>::sum_below(block, shift);
    (if is_all { sum.as_f64() } else { f64::NAN }, 0.0)
}

/// Gives a block of at most [`BLOCK`] elements to `f` in the type that is computed in.
fn widened<E: Element>(block: &[E], f: impl FnOnce(&[E::Real])) {
    match E::as_real(block) {
        Some(block) => f(block),
        None => {
            let mut scratch = [E::Real::default(); BLOCK];
            let scratch = &mut scratch[..block.len()];
            E::widen(block, scratch);
            f(scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, with_level};

    fn row_sum(blocks: &[&[f64]]) -> RowSum<f64> {
        let mut sum = RowSum::new();
        blocks.iter().for_each(|block| sum.push_with_moment(block));
        sum
    }

    #[test]
    fn rising_rows_sum_like_sorted_ones_and_like_their_parts() {
        // Upwards every block rises in all its places, zigzag in a few; downwards the first block has the maximum.
        let up: Vec<f64> = (0..9000).map(|i| f64::from(i) * 0.01).collect();
        let down: Vec<f64> = up.iter().rev().copied().collect();
        let zigzag: Vec<f64> = (0..9000).map(|i| if i % 1900 == 1899 { f64::from(i) * 0.01 } else { -3.0 }).collect();
        for row in [&up, &down, &zigzag] {
            let exact = {
                let top = row.iter().fold(f64::NEG_INFINITY, |a, &x| a.max(x));
                top + row.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
            };
            let whole = RowSum::new().with(row);
            assert!((whole.log_sum_exp() - exact).abs() < 1e-12, "{} against {exact}", whole.log_sum_exp());
            let (left, right) = row.split_at(4000);
            let merged = RowSum::new().with(left).merge(RowSum::new().with(right));
            assert_eq!(merged.max, whole.max);
            assert!((merged.others / whole.others - 1.0).abs() < 1e-13, "{merged:?} against {whole:?}");
        }
    }

    impl RowSum<f64> {
        fn with(mut self, row: &[f64]) -> Self {
            self.push(row);
            self
        }
    }

    #[test]
    fn a_merge_keeps_moments_ties_emptiness_and_nan() {
        let (a, b) = (row_sum(&[&[0.5, 3.0, -1.0]]), row_sum(&[&[3.0, 2.0]]));
        let whole = row_sum(&[&[0.5, 3.0, -1.0, 3.0, 2.0]]);
        for merged in [a.merge(b), b.merge(a)] {
            assert!((merged.others - whole.others).abs() < 1e-15 && (merged.moment - whole.moment).abs() < 1e-15);
        }
        let low = row_sum(&[&[-7.0, -8.0]]);
        let (merged, whole) = (low.merge(a), row_sum(&[&[-7.0, -8.0, 0.5, 3.0, -1.0]]));
        assert!((merged.entropy() - whole.entropy()).abs() < 1e-15);
        assert_eq!(RowSum::new().merge(a).others, a.others);
        assert_eq!(a.merge(RowSum::new()).max, 3.0);
        assert!(!row_sum(&[&[f64::NAN]]).merge(a).is_proper() && !a.merge(row_sum(&[&[f64::NAN]])).is_proper());
        assert!(!RowSum::<f64>::new().merge(RowSum::new()).is_proper());
    }

    #[test]
    fn maxima_at_both_ends_of_a_type_meet_without_overflow() {
        fn check<T: Real>(low: T, high: T) {
            let with = |x: T| {
                let mut sum = RowSum::new();
                sum.push_with_moment(&[x, x]);
                sum
            };
            let mut streamed = with(low);
            streamed.push_with_moment(&[high, high]);
            let (mut stored, mut summed) = ([low, low, high, high], RowSum::new());
            summed.push(&stored);
            let mut replaced = RowSum::new();
            stored.chunks_mut(2).for_each(|block| {
                replaced.push_exp(block);
            });
            for sum in [streamed, with(low).merge(with(high)), with(high).merge(with(low)), summed, replaced] {
                assert_eq!((sum.max, sum.others, sum.moment), (high, 1.0, 0.0));
            }
        }
        check(-3e38_f32, 3e38);
        check(-1.7e308_f64, 1.7e308);
    }

    #[test]
    fn maxima_of_single_precision_have_an_exact_difference() {
        let with = |x: f32| {
            let mut sum = RowSum::new();
            sum.push_with_moment(&[x]);
            sum
        };
        let (low, high) = (-5.3_f32, 7.1); // their difference has more digits than the type
        let exact = (low.as_f64() - high.as_f64()).exp();
        let mut pushed = with(low);
        pushed.push_with_moment(&[high]);
        for sum in [pushed, with(low).merge(with(high)), with(high).merge(with(low))] {
            assert_eq!((sum.others, sum.moment), (exact, exact * (low.as_f64() - high.as_f64())));
        }
        assert!((low - high).as_f64() != low.as_f64() - high.as_f64());
    }

    #[test]
    fn stored_exponentials_belong_to_the_maximum_so_far() {
        let row = [0.5, -1.0, f64::NEG_INFINITY, 3.0, 2.0, 3.0, 1.0, 4.0];
        let (mut stored, mut sum) = (row, RowSum::new());
        let references: Vec<f64> = stored.chunks_mut(3).map(|block| sum.push_exp(block)).collect();
        assert_eq!(references, [0.5, 3.0, 4.0]);
        for (i, (&x, &e)) in row.iter().zip(&stored).enumerate() {
            assert!((e - (x - references[i / 3]).exp()).abs() <= 4e-16 * e, "{i}: {e}");
        }
        assert!((sum.log_sum_exp() - row_sum(&[&row]).log_sum_exp()).abs() < 1e-15);
        let mut nothing = [f64::NEG_INFINITY; 3];
        RowSum::new().push_exp(&mut nothing);
        assert_eq!(nothing, [0.0; 3]);
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

    /// A zero of either sign is the same logit, and the largest where the others are below.
    #[test]
    fn zeros_of_both_signs_are_one_maximum() {
        fn check<T: Real>() {
            for (level, n) in available().into_iter().flat_map(|level| [2, 70, 2049].map(|n| (level, n))) {
                let zeros: Vec<T> = (0..n).map(|i| if i % 3 == 1 { T::zero() } else { -T::zero() }).collect();
                let mut low = zeros.clone();
                low[n / 2] = T::neg_infinity();
                for row in [zeros.iter().rev().copied().collect(), low, zeros] {
                    let count = row.iter().filter(|x| x.is_finite()).count() as f64;
                    let (mut summed, mut stored, mut into, mut moved) = (RowSum::new(), row.clone(), row.clone(), 0.0);
                    let (mut replaced, mut written) = (RowSum::new(), RowSum::new());
                    with_level(level, || {
                        summed.push(&row);
                        stored.chunks_mut(BLOCK).for_each(|block| moved += replaced.push_exp(block).as_f64());
                        let blocks = row.chunks(BLOCK).zip(into.chunks_mut(BLOCK));
                        blocks.for_each(|(block, to)| moved += written.push_exp_into(block, to).as_f64());
                    });
                    let expected = (count - 1.0, 0.0);
                    for sum in [summed, replaced, written] {
                        assert_eq!((sum.others, sum.max.as_f64() + moved), expected, "{n} at {level:?}");
                    }
                    let exponentials: Vec<T> =
                        row.iter().map(|x| T::from_f64(f64::from(u8::from(x.is_finite())))).collect();
                    assert_eq!((&stored, &into), (&exponentials, &exponentials), "{n} at {level:?}");
                }
            }
        }
        check::<f32>();
        check::<f64>();
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
