//! Rows divided by their lengths, and the way back: what every cosine and every direction stands on.

use ndarray::{ArrayView1, ArrayViewMut1};

use crate::error::Position;
use crate::math::{SAFE, length};
use crate::{Error, Real, Result, check};

/// The Euclidean length of a row as the product of two factors, so that neither a square nor the length itself overflows or
/// vanishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLength {
    scale: f64,
    rest: f64,
}

impl RowLength {
    /// Of finite elements; none where all of them are 0.
    pub(crate) fn of<T: Real>(row: ArrayView1<'_, T>) -> Option<Self> {
        let elements = || row.iter().map(|x| x.as_f64());
        let sum: f64 = elements().map(|x| x * x).sum();
        if SAFE.contains(&sum) {
            return Some(Self { scale: 1.0, rest: sum.sqrt() });
        }
        let scale = elements().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        (scale > 0.0).then(|| Self { scale, rest: length(elements().map(|x| x / scale)) })
    }

    /// [`RowLength::of`] a row of the caller's, which must be finite and not zero. `leading` is its place.
    pub(crate) fn checked<T: Real>(argument: &'static str, leading: &[usize], row: ArrayView1<'_, T>) -> Result<Self> {
        check::finite_row(argument, leading, row)?;
        Self::of(row).ok_or_else(|| {
            let position = Position(leading.to_vec());
            Error::Value { argument, position, value: 0.0, allowed: "a row that is not zero" }
        })
    }

    /// A number over the length.
    #[inline]
    pub(crate) fn divide(self, x: f64) -> f64 {
        x / self.scale / self.rest
    }

    /// Divides the row by its length.
    pub(crate) fn normalize<T: Real>(self, mut row: ArrayViewMut1<'_, T>) {
        row.mapv_inplace(|x| T::from_f64(self.divide(x.as_f64())));
    }

    /// From slopes in the normalized row to slopes in the row: what points along it drops out, the rest is over the length.
    pub(crate) fn pull<T: Real>(self, unit: ArrayView1<'_, T>, mut slopes: ArrayViewMut1<'_, T>) {
        let square = dot(unit, unit);
        let mut wide: Vec<f64> = slopes.iter().map(|slope| slope.as_f64()).collect();
        // Twice, since the first time leaves what its own rounding made.
        for _ in 0..2 {
            let along = wide.iter().zip(unit).map(|(slope, x)| slope * x.as_f64()).sum::<f64>() / square;
            wide.iter_mut().zip(unit).for_each(|(slope, x)| *slope -= along * x.as_f64());
        }
        slopes.iter_mut().zip(wide).for_each(|(slope, wide)| *slope = T::from_f64(self.divide(wide)));
    }
}

fn dot<T: Real>(x: ArrayView1<'_, T>, y: ArrayView1<'_, T>) -> f64 {
    x.iter().zip(y).map(|(x, y)| x.as_f64() * y.as_f64()).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::testing::{all_close, close};

    fn unit(row: &Array1<f64>) -> Array1<f64> {
        let mut unit = row.clone();
        RowLength::of(row.view()).unwrap().normalize(unit.view_mut());
        unit
    }

    #[test]
    fn the_size_of_a_row_changes_no_digit_of_its_direction() {
        let expected = [0.6, -0.8, 0.0];
        for scale in [5e-324, 2e-320, 1e-300, 1e-154, 1.0, 1e154, 1e300, 4e307] {
            all_close(unit(&array![3.0 * scale, -4.0 * scale, 0.0]), expected, 1e-15);
        }
        let half = 0.5_f64.sqrt();
        all_close(unit(&array![f64::MAX, f64::MAX]), [half, half], 1e-15); // no `f64` holds this length
        all_close(unit(&array![5e-324, -5e-324]), [half, -half], 1e-15); // nor this one
        let (mut narrow, length) = (array![f32::MAX, 0.0], RowLength::of(array![f32::MAX, 0.0].view()).unwrap());
        length.normalize(narrow.view_mut());
        assert_eq!(narrow, array![1.0, 0.0]);
    }

    #[test]
    fn slopes_come_back_across_the_row_and_over_its_length() {
        for scale in [1e-200, 1.0, 1e200] {
            let row = array![3.0 * scale, 4.0 * scale];
            let (length, mut slopes) = (RowLength::of(row.view()).unwrap(), array![1.0, 2.0]);
            length.pull(unit(&row).view(), slopes.view_mut());
            // (1, 2) - 2.2 (0.6, 0.8) = (-0.32, 0.24), over 5.
            all_close(slopes.mapv(|slope| slope * scale), [-0.064, 0.048], 1e-15);
            assert!(slopes.dot(&row).abs() < 1e-16);
        }
        let (row, mut along) = (array![1.0, 1e-9, -1.0], array![1e12, 1e3, -1e12]);
        RowLength::of(row.view()).unwrap().pull(unit(&row).view(), along.view_mut());
        assert!(along.iter().all(|slope| slope.abs() < 1e-3), "{along}");
    }

    #[test]
    fn slopes_are_the_central_difference_of_the_direction() {
        let (row, weights) = (array![0.3, -1.7, 2.2], array![1.5, 0.4, -0.9]);
        let mut slopes = weights.clone();
        RowLength::of(row.view()).unwrap().pull(unit(&row).view(), slopes.view_mut());
        for k in 0..3 {
            let at = |step: f64| {
                let mut row = row.clone();
                row[k] += step;
                unit(&row).dot(&weights)
            };
            close(slopes[k], (at(1e-5) - at(-1e-5)) / 2e-5, 1e-9);
        }
    }

    #[test]
    fn a_row_without_a_direction_is_named() {
        let message = |row: Array1<f32>| RowLength::checked("x", &[4, 2], row.view()).unwrap_err().to_string();
        assert_eq!(message(array![0.0, -0.0]), "`x`[4, 2] is 0, allowed is a row that is not zero");
        assert_eq!(message(array![0.0, f32::NAN]), "`x`[4, 2, 1] is NaN, allowed is finite");
        assert_eq!(message(array![f32::INFINITY, 0.0]), "`x`[4, 2, 0] is inf, allowed is finite");
    }
}
