//! Ratios that are sums of Gaussian kernels.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView1, ArrayView2};

use crate::math::exp;
use crate::ratio::Samples;
use crate::ratio::points::{Clouds, Points};
use crate::reduction::{self, to_finite};
use crate::simd::{Kernel, dispatch};
use crate::{Real, Result, check, parallel};

/// Gaussian kernels of one width around some centers, as features of points.
///
/// ```math
/// \varphi_l(x) = e^{-|x - c_l|^2 / (2 w^2)}
/// ```
///
/// The centers are usually some hundred points of the numerator, where a ratio is large. Each costs a row and a column of the
/// matrices that fits solve, whose time grows with the third power of their number.
///
/// # Examples
///
/// ```
/// # use loglik::ndarray::array;
/// # use loglik::ratio::density::GaussianKernels;
/// let kernels = GaussianKernels { centers: array![[0.0_f64, 0.0], [3.0, 4.0]], width: 5.0 };
/// let features = kernels.features(&array![[0.0, 0.0]])?;
/// assert_eq!(features[[0, 0]], 1.0);
/// assert!((features[[0, 1]] - (-0.5_f64).exp()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianKernels<T> {
    /// `[b, d]`, finite.
    pub centers: Array2<T>,
    /// `w`, finite and `> 0`.
    pub width: f64,
}

impl<T: Real> GaussianKernels<T> {
    /// The kernels at each of the points `[n, d]`: `[n, b]`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) for the width; [`Error::Shape`](crate::Error::Shape) for points of
    /// another dimension than the centers; [`Error::Value`](crate::Error::Value) for coordinates that are not finite.
    pub fn features(&self, points: &ArrayRef2<T>) -> Result<Array2<T>> {
        T::gaussian_features(self.centers.view(), self.width, points.view(), "points")
    }

    /// Those of both sides.
    pub(super) fn both(&self, points: Samples<ArrayView2<'_, T>>) -> Result<Samples<Array2<T>>> {
        Ok(Samples {
            real: T::gaussian_features(self.centers.view(), self.width, points.real, "real")?,
            fake: T::gaussian_features(self.centers.view(), self.width, points.fake, "fake")?,
        })
    }
}

/// A ratio that a fit has found: `Σ_l θ_l φ_l(x)`.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRatio<T> {
    /// The functions `φ`.
    pub kernels: GaussianKernels<T>,
    /// `θ`, `[b]`.
    pub coefficients: Array1<T>,
}

impl<T: Real> KernelRatio<T> {
    /// The ratio at each of the points `[n, d]`. A fit by least squares may be below 0 where the ratio is small.
    ///
    /// # Errors
    ///
    /// Those of [`GaussianKernels::features`]; [`Error::Shape`](crate::Error::Shape) for as many coefficients as there
    /// are no centers; [`Error::Value`](crate::Error::Value) for one that is not finite;
    /// [`Error::Overflow`](crate::Error::Overflow) for a ratio that does not fit the type.
    pub fn ratio(&self, points: &ArrayRef2<T>) -> Result<Array1<T>> {
        check::shape("coefficients", self.coefficients.shape(), &[self.kernels.centers.nrows()])?;
        T::linear_ratio(self.kernels.features(points)?.view(), self.coefficients.view())
    }
}

/// Points that make one job.
const ROWS: usize = 32;

pub(in crate::ratio) fn features<T: Real>(
    centers: ArrayView2<'_, T>,
    width: f64,
    points: ArrayView2<'_, T>,
    name: &'static str,
) -> Result<Array2<T>> {
    check::positive("width", width)?;
    let Clouds { points: [centers, points], unit } = Clouds::new(["centers", name], [centers, points])?;
    let mut out = Array2::zeros((points.len(), centers.len()));
    if centers.len() == 0 {
        return Ok(out);
    }
    let width = (width / unit).max(f64::MIN_POSITIVE); // below every distance that is not 0
    let bytes = (8 * points.len() * centers.len()).saturating_mul(centers.dimension() + 4);
    let rows = out.as_slice_mut().unwrap_or_default();
    let jobs = rows.chunks_mut(ROWS * centers.len()).enumerate().collect();
    parallel::for_each(jobs, bytes, |(job, rows): (usize, &mut [T])| {
        for (i, out) in rows.chunks_mut(centers.len()).enumerate() {
            dispatch(Row { from: &points.at(job * ROWS + i), centers: &centers, width, out });
        }
    });
    Ok(out)
}

/// All kernels at one point.
struct Row<'a, T> {
    from: &'a [f64],
    centers: &'a Points,
    width: f64,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Row<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut squares = vec![0.0; self.out.len()];
        self.centers.squared_distances(self.from, 0..self.out.len(), &mut squares);
        for (out, square) in self.out.iter_mut().zip(squares) {
            let z = square.sqrt() / self.width;
            *out = T::from_f64(exp::<f64, FMA>(-0.5 * z * z));
        }
    }
}

/// `Φ θ`.
pub(in crate::ratio) fn linear<T: Real>(
    features: ArrayView2<'_, T>,
    coefficients: ArrayView1<'_, T>,
) -> Result<Array1<T>> {
    check::all_finite("coefficients", coefficients)?;
    let ratio = |(i, row): (usize, ArrayView1<'_, T>)| {
        let terms = row.iter().zip(coefficients).map(|(feature, coefficient)| feature.as_f64() * coefficient.as_f64());
        to_finite(reduction::sum(&terms.collect::<Vec<_>>()), "points", i)
    };
    features.rows().into_iter().enumerate().map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn features_are_those_of_each_point_and_center() {
        let kernels = GaussianKernels { centers: array![[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]], width: 0.7 };
        let points = array![[0.0, 1.0], [1.0, 1.0]];
        let features = kernels.features(&points).unwrap();
        for ((i, l), &feature) in features.indexed_iter() {
            let way = &points.row(i) - &kernels.centers.row(l);
            assert!((feature - (-way.dot(&way) / (2.0 * 0.49_f64)).exp()).abs() < 1e-15);
        }
        let single = GaussianKernels { centers: kernels.centers.mapv(|x| x as f32), width: 0.7 };
        let narrow = single.features(&points.mapv(|x| x as f32)).unwrap();
        assert!(narrow.iter().zip(&features).all(|(narrow, wide)| (f64::from(*narrow) - wide).abs() < 1e-7));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |width, point: &[f64]| {
            let kernels = GaussianKernels { centers: array![[0.0, 1.0]], width };
            let points = ArrayView2::from_shape((1, point.len()), point).unwrap();
            kernels.features(&points).unwrap_err().to_string()
        };
        assert_eq!(of(0.0, &[1.0, 2.0]), "`width` is 0, allowed is finite and > 0");
        assert_eq!(of(1.0, &[1.0]), "`points` has shape [1, 1], expected [1, 2]");
        assert_eq!(of(1.0, &[1.0, f64::INFINITY]), "`points`[0, 1] is inf, allowed is finite");
        let kernels = GaussianKernels { centers: array![[0.0]], width: 1.0 };
        let ratio = |coefficients| KernelRatio { kernels: kernels.clone(), coefficients }.ratio(&array![[0.0]]);
        assert_eq!(ratio(array![1.0, 2.0]).unwrap_err().to_string(), "`coefficients` has shape [2], expected [1]");
        assert_eq!(ratio(array![f64::NAN]).unwrap_err().to_string(), "`coefficients`[0] is NaN, allowed is finite");
    }
}
