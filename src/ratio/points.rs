//! Points `[n, d]` in `f64`, axis by axis, in a unit in which no square overflows.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::{Real, Result, check};

/// Coordinates divided by a power of two, so that no digit is lost and none is above 2.
pub(super) struct Points {
    /// `[d, n]`.
    axes: Vec<f64>,
    len: usize,
}

/// Sets of points in one unit.
pub(super) struct Clouds<const N: usize> {
    pub(super) points: [Points; N],
    /// What coordinates and distances are multiples of.
    pub(super) unit: f64,
}

impl<const N: usize> Clouds<N> {
    /// Checks that coordinates are finite and that all points have as many axes as the first.
    pub(super) fn new<T: Real>(names: [&'static str; N], points: [ArrayView2<'_, T>; N]) -> Result<Self> {
        let mut largest = 0.0_f64;
        for (name, points_of) in names.iter().zip(&points) {
            let (n, d) = points_of.dim();
            check::shape(name, &[n, d], &[n, points[0].ncols()])?;
            check::all_finite(name, points_of.view())?;
            largest = points_of.iter().fold(largest, |largest, x| largest.max(x.as_f64().abs()));
        }
        let unit = power_of_two_below(largest);
        Ok(Self { points: points.map(|points| Points::new(points, unit)), unit })
    }
}

/// The largest one that is not above `x`, and at least the smallest normal number; 1 for 0.
fn power_of_two_below(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { f64::from_bits(x.to_bits() & f64::INFINITY.to_bits()).max(f64::MIN_POSITIVE) }
}

impl Points {
    fn new<T: Real>(points: ArrayView2<'_, T>, unit: f64) -> Self {
        let axes = points.columns().into_iter().flat_map(|axis| axis.into_iter().map(|x| x.as_f64() / unit));
        Self { axes: axes.collect(), len: points.nrows() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of axes.
    pub(super) fn dimension(&self) -> usize {
        self.axes.len().checked_div(self.len).unwrap_or(0)
    }

    /// The coordinates of some points along one axis.
    #[inline(always)]
    pub(super) fn axis(&self, axis: usize, points: Range<usize>) -> &[f64] {
        &self.axes[axis * self.len..][points]
    }

    /// The coordinates of one point.
    pub(super) fn at(&self, point: usize) -> Vec<f64> {
        self.axes.iter().skip(point).step_by(self.len).copied().collect()
    }

    /// The squared distances from a place to some of the points.
    #[inline(always)]
    pub(super) fn squared_distances(&self, from: &[f64], points: Range<usize>, out: &mut [f64]) {
        out.fill(0.0);
        for (k, &x) in from.iter().enumerate() {
            out.iter_mut().zip(self.axis(k, points.clone())).for_each(|(out, y)| *out += (x - y) * (x - y));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn a_unit_is_a_power_of_two_that_is_not_above_the_largest_coordinate() {
        for (x, unit) in
            [(0.0, 1.0), (1.0, 1.0), (1.999, 1.0), (0.3, 0.25), (6e300, 2.0_f64.powi(999)), (5e-324, f64::MIN_POSITIVE)]
        {
            assert_eq!(power_of_two_below(x), unit, "{x}");
        }
    }

    #[test]
    fn distances_are_exact_where_their_squares_do_not_fit() {
        let (x, y) = (array![[0.0, 0.0]], array![[3e200_f64, 4e200]]);
        let Clouds { points: [x, y], unit } = Clouds::new(["x", "y"], [x.view(), y.view()]).unwrap();
        let mut out = [0.0];
        y.squared_distances(&x.at(0), 0..1, &mut out);
        assert!((out[0].sqrt() * unit / 5e200 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |x: &Array2<f64>, y: &Array2<f64>| {
            Clouds::new(["x", "y"], [x.view(), y.view()]).err().map(|error| error.to_string())
        };
        let good = array![[0.0, 1.0]];
        assert_eq!(of(&good, &array![[0.0]]).unwrap(), "`y` has shape [1, 1], expected [1, 2]");
        assert_eq!(of(&good, &array![[0.0, f64::NAN]]).unwrap(), "`y`[0, 1] is NaN, allowed is finite");
        assert_eq!(of(&good, &Array2::zeros((0, 2))), None);
    }
}
