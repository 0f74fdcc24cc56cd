//! The loops over a row of a tile that are not shared with other rooms.

use num_traits::Zero;

use crate::Real;
use crate::simd::{Kernel, LANES, dispatch};

struct AllFinite<'a, T>(&'a [T]);

impl<T: Real> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        // Zero times a number is zero; what is none leaves NaN.
        let mut sums = [T::zero(); LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += T::zero() * x;
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum += T::zero() * x;
        }
        sums.iter().all(Zero::is_zero)
    }
}

/// Whether no element is NaN or infinite.
pub(super) fn all_finite<T: Real>(row: &[T]) -> bool {
    dispatch(AllFinite(row))
}

struct Add<'a, T> {
    row: &'a mut [T],
    terms: &'a [T],
}

impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (x, &term) in self.row.iter_mut().zip(self.terms) {
            *x += term;
        }
    }
}

/// Adds a term to each element.
pub(super) fn add<T: Real>(row: &mut [T], terms: &[T]) {
    dispatch(Add { row, terms });
}

struct AddTo<'a, T> {
    sums: &'a mut [f64],
    row: &'a [T],
}

impl<T: Real> Kernel for AddTo<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, x) in self.sums.iter_mut().zip(self.row) {
            *sum += x.as_f64();
        }
    }
}

/// Adds each element to a sum of its own.
pub(super) fn add_to<T: Real>(sums: &mut [f64], row: &[T]) {
    dispatch(AddTo { sums, row });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    #[test]
    fn one_element_that_is_no_number_is_found_anywhere_at_every_level() {
        for (level, n) in available().into_iter().flat_map(|level| [1, 31, 32, 33, 70].map(|n| (level, n))) {
            let row = vec![f32::MAX; n];
            assert!(run_at(level, AllFinite(&row)), "{n} at {level:?}");
            for (at, bad) in (0..n).flat_map(|at| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|bad| (at, bad))) {
                let mut row = row.clone();
                row[at] = bad;
                assert!(!run_at(level, AllFinite(&row)), "{bad} at {at} of {n} at {level:?}");
            }
        }
        assert!(all_finite::<f64>(&[]));
    }

    #[test]
    fn sums_are_those_of_the_columns_at_every_level() {
        for level in available() {
            let mut sums = vec![1.0; 35];
            let mut row: Vec<f32> = (0..35).map(|i| i as f32).collect();
            run_at(level, AddTo { sums: &mut sums, row: &row });
            run_at(level, Add { row: &mut row, terms: &[0.5; 35] });
            for i in 0..35 {
                assert_eq!((sums[i], row[i]), (1.0 + i as f64, i as f32 + 0.5), "{i} at {level:?}");
            }
        }
    }
}
