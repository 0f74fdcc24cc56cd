//! Features of both sides, in `f64`.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::ratio::Samples;
use crate::reduction::{self, to_finite};
use crate::{Error, Real, Result, check, gemm};

/// Features `[n, b]` of both sides, finite, of one width, and none of the three lengths 0.
pub(super) fn read<T: Real>(features: Samples<ArrayView2<'_, T>>) -> Result<Samples<Array2<f64>>> {
    let width = features.real.ncols();
    for (argument, side) in [("real", &features.real), ("fake", &features.fake)] {
        check::shape(argument, side.shape(), &[side.nrows(), width])?;
        if side.is_empty() {
            return Err(Error::Empty { argument });
        }
        check::all_finite(argument, side.view())?;
    }
    Ok(features.map(|side| side.mapv(|x| x.as_f64())))
}

/// The mean of each column, of numbers that are all finite.
pub(super) fn column_means(features: &Array2<f64>) -> Array1<f64> {
    let n = features.nrows() as f64;
    features.axis_iter(Axis(1)).map(|column| reduction::sum(&column.to_vec()) / n).collect()
}

/// `Φᵀ Φ / divisor`.
pub(super) fn gram(features: &Array2<f64>, divisor: f64) -> Array2<f64> {
    let width = features.ncols();
    let mut gram = Array2::zeros((width, width));
    gemm::product(1.0 / divisor, features.t(), features.view(), 0.0, gram.view_mut());
    gram
}

/// Coefficients in the caller's type, which must hold them.
pub(super) fn coefficients<T: Real>(wide: &[f64]) -> Result<Array1<T>> {
    wide.iter().enumerate().map(|(l, &x)| to_finite(x, "coefficients", l)).collect()
}
