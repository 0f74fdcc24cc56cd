//! The largest elements of a row that comes block by block.

use crate::Real;
use crate::rowwise::BLOCK;
use crate::simd::{Kernel, RowSum, dispatch};

/// Elements that are compared with the threshold at a time.
const CHUNK: usize = 32;

/// Holds the `k` largest elements so far, and a few more.
///
/// What does not exceed the threshold is passed over at the speed of a comparison. The rest is kept until there are
/// `2k`, and then cut to the best `k`, whose least is the new threshold: a constant cost for each element, whatever `k`.
pub(super) struct Largest<T> {
    k: usize,
    held: Vec<T>,
    threshold: T,
}

impl<T: Real> Largest<T> {
    /// For `k >= 1` elements.
    pub(super) fn new(k: usize) -> Self {
        Self { k, held: Vec::new(), threshold: T::neg_infinity() }
    }

    /// Takes in the next block. NaN and -inf are never held.
    pub(super) fn push(&mut self, block: &[T]) {
        let mut rest = block;
        loop {
            rest = &rest[dispatch(Below { values: rest, threshold: self.threshold })..];
            let (chunk, after) = rest.split_at(CHUNK.min(rest.len()));
            if chunk.is_empty() {
                return;
            }
            chunk.iter().for_each(|&x| self.offer(x));
            rest = after;
        }
    }

    /// The sum over the `k` largest, or over all where there are fewer, with its moment; then the row is forgotten.
    pub(super) fn sum(&mut self) -> RowSum<T> {
        let mut sum = RowSum::new();
        self.top().chunks(BLOCK).for_each(|block| sum.push_with_moment(block));
        self.forget();
        sum
    }

    /// The same elements, in no particular order.
    fn top(&mut self) -> &[T] {
        self.cut();
        &self.held
    }

    fn forget(&mut self) {
        self.held.clear();
        self.threshold = T::neg_infinity();
    }

    fn offer(&mut self, x: T) {
        if x > self.threshold {
            self.held.push(x);
            if self.held.len() >= 2 * self.k {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.held.len() >= self.k {
            let descending = |a: &T, b: &T| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal);
            let (_, &mut least, _) = self.held.select_nth_unstable_by(self.k - 1, descending);
            self.held.truncate(self.k);
            self.threshold = least;
        }
    }
}

/// Probability of the largest elements together, from the sums over the whole row and over them.
pub(super) fn mass<T>(all: &RowSum<T>, top: &RowSum<T>) -> f64 {
    ((1.0 + top.others) / (1.0 + all.others)).min(1.0) // rounding alone can lift it above
}

/// Length of the leading chunks in which nothing exceeds the threshold.
struct Below<'a, T> {
    values: &'a [T],
    threshold: T,
}

impl<T: Real> Kernel for Below<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        let (chunks, rest) = self.values.as_chunks::<CHUNK>();
        let exceeds = |chunk: &[T]| chunk.iter().fold(false, |any, &x| any | (x > self.threshold));
        match chunks.iter().position(|chunk| exceeds(chunk)) {
            Some(i) => i * CHUNK,
            None if exceeds(rest) => chunks.len() * CHUNK,
            None => self.values.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    proptest! {
        #[test]
        fn the_k_largest_are_those_at_the_head_of_the_sorted_row(
            row in prop::collection::vec(-9..9_i32, 1..300),
            k in 1..40_usize,
            cut in 0..300_usize,
        ) {
            let row: Vec<f64> = row.into_iter().map(f64::from).collect();
            let mut largest = Largest::new(k);
            for _ in 0..2 { // the second row must not see the first
                let (left, right) = row.split_at(cut.min(row.len()));
                largest.push(left);
                largest.push(right);
                let expected = sorted(row.clone())[..k.min(row.len())].to_vec();
                prop_assert_eq!(sorted(largest.top().to_vec()), expected);
                largest.forget();
            }
        }
    }

    #[test]
    fn ascending_and_descending_rows_agree() {
        let ascending: Vec<f32> = (0..5000).map(|i| i as f32).collect();
        for reversed in [false, true] {
            let mut row = ascending.clone();
            if reversed {
                row.reverse();
            }
            let mut largest = Largest::new(3);
            largest.push(&row);
            let mut held = largest.top().to_vec();
            held.sort_by(f32::total_cmp);
            assert_eq!(held, [4997.0, 4998.0, 4999.0]);
        }
    }
}
