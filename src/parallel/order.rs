//! The order of many numbers.

use crate::{Real, parallel};

/// The places of the values in ascending order; equal values, zeros of both signs among them, stay in the order of their
/// places. There must be no NaN.
///
/// Each value is sorted as one whole number with its place in the lower bits, so that no two are equal: whichever
/// algorithm sorts them, on any number of threads, the result is the same.
pub(crate) fn ascending<T: Real>(values: &[T]) -> Vec<usize> {
    if size_of::<T>() == size_of::<f32>() && u32::try_from(values.len()).is_ok() {
        let key = |(place, value): (usize, &T)| u64::from(key_of_f32(value.as_f64() as f32)) << 32 | place as u64;
        let mut keys: Vec<u64> = values.iter().enumerate().map(key).collect();
        parallel::sort_unstable(&mut keys);
        return keys.into_iter().map(|key| (key & u64::from(u32::MAX)) as usize).collect();
    }
    let key = |(place, value): (usize, &T)| u128::from(key_of_f64(value.as_f64())) << 64 | place as u128;
    let mut keys: Vec<u128> = values.iter().enumerate().map(key).collect();
    parallel::sort_unstable(&mut keys);
    keys.into_iter().map(|key| (key & u128::from(u64::MAX)) as usize).collect()
}

/// A whole number in the order of the values; one for both zeros.
fn key_of_f32(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn key_of_f64(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_their_values_and_ties_in_that_of_places() {
        let inf = f64::INFINITY;
        let values = [0.0, -1.0, inf, -0.0, 2.5, -1.0, -inf, 1e-30, 0.0, -1e-30];
        let expected = [6, 1, 5, 9, 0, 3, 8, 7, 4, 2];
        assert_eq!(ascending(&values), expected);
        assert_eq!(ascending(&values.map(|x| x as f32)), expected);
        assert_eq!(ascending::<f32>(&[]), [0; 0]);
    }

    #[test]
    fn a_large_batch_is_sorted_like_a_stable_one() {
        let values: Vec<f32> =
            (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) % 4099) as f32 - 2000.0).collect();
        let mut expected: Vec<usize> = (0..values.len()).collect();
        expected.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        assert_eq!(ascending(&values), expected);
        let wide: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        assert_eq!(ascending(&wide), expected);
    }
}
