//! Sums in an order that the number of terms alone decides.

use std::convert::Infallible;
use std::ops::Range;

use crate::{Real, simd};

/// Elements that are added in lanes of the element type before `f64` takes over.
pub(crate) const BLOCK: usize = 1024;

/// The sum of the values, by lanes within blocks of [`BLOCK`] and pairwise in `f64` across them.
///
/// The order of the additions depends on the length alone, never on threads.
pub(crate) fn sum<T: Real>(values: &[T]) -> f64 {
    pairwise(&values.chunks(BLOCK).map(|block| simd::sum(block).as_f64()).collect::<Vec<_>>())
}

/// So many numbers are added by lanes, each of which adds four: no more digits are lost than by halves.
const LEAF: usize = 128;

/// Sum by halves down to [`LEAF`] numbers: the rounding error grows with the logarithm of the length.
pub(crate) fn pairwise(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [one] => *one,
        few if few.len() <= LEAF => simd::sum(few),
        _ => {
            let (left, right) = values.split_at(values.len().div_ceil(2));
            pairwise(left) + pairwise(right)
        }
    }
}

/// [`pairwise`] of numbers that nothing holds in `f64`.
pub(crate) fn pairwise_of(mut values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let places = 0..values.len();
    let Ok(sum) = pairwise_by(places, &mut |_| Ok::<_, Infallible>(values.next().unwrap_or_default()));
    sum
}

/// A sum that keeps what its roundings lose (Neumaier 1974).
#[derive(Clone, Copy, Default)]
pub(crate) struct Total {
    sum: f64,
    lost: f64,
}

impl Total {
    #[inline(always)]
    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        let (large, small) = if self.sum.abs() < x.abs() { (x, self.sum) } else { (self.sum, x) };
        let lost = (large - sum) + small;
        self.lost += if lost.is_finite() { lost } else { 0.0 }; // an infinite sum has lost nothing
        self.sum = sum;
    }

    /// The sum, rounded once.
    #[inline(always)]
    pub(crate) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

/// [`pairwise`] of the values of `f` at these places, which it is asked for in order: nothing holds them all.
pub(crate) fn pairwise_by<E>(places: Range<usize>, f: &mut impl FnMut(usize) -> Result<f64, E>) -> Result<f64, E> {
    match places.len() {
        0 => Ok(0.0),
        1 => f(places.start),
        n if n <= LEAF => {
            let mut leaf = [0.0; LEAF];
            for (to, place) in leaf.iter_mut().zip(places) {
                *to = f(place)?;
            }
            Ok(simd::sum(&leaf[..n]))
        }
        n => {
            let middle = places.start + n.div_ceil(2);
            Ok(pairwise_by(places.start..middle, f)? + pairwise_by(middle..places.end, f)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_values_are_added_in_one_order() {
        for n in [0, 1, 2, 3, 7, 127, 128, 129, 1000] {
            let values: Vec<f64> = (0..n).map(|i| 1.0 / (i as f64 + 0.3)).collect();
            let mut next = 0;
            let sum = pairwise_by(0..n, &mut |i| {
                assert_eq!(i, next);
                next += 1;
                Ok(values[i])
            });
            assert_eq!(sum, Ok::<_, Infallible>(pairwise(&values)));
            assert_eq!(pairwise_of(values.iter().copied()), pairwise(&values));
        }
    }

    #[test]
    fn a_sum_of_f32_is_good_to_its_own_precision() {
        for n in [0, 1, 9, 1023, 1024, 1025, 100_000] {
            let values: Vec<f32> = (0..n).map(|i| 0.1 + (i % 7) as f32).collect();
            let exact: f64 = values.iter().map(|&x| f64::from(x)).sum();
            assert!((sum(&values) - exact).abs() <= 1e-6 * exact, "n = {n}: {} against {exact}", sum(&values));
        }
    }

    #[test]
    fn a_total_keeps_what_plain_sums_lose() {
        let total = |values: &[f64]| {
            let mut total = Total::default();
            values.iter().for_each(|&x| total.add(x));
            total.value()
        };
        assert_eq!(total(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(total(&[1.0, 1e16, 1.0, -1e16]), 2.0);
        assert_eq!(total(&[1.0, f64::INFINITY]), f64::INFINITY);
    }
}
