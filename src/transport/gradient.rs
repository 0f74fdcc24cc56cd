//! Gradients of transport values.

use ndarray::{Array1, Array2, ArrayView2};

use crate::error::Position;
use crate::transport::{Cost, Flow, GroundCost};
use crate::{Error, Real, Result};

/// The gradient of a transport value in everything that a problem holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportGradient<T> {
    /// In the weights `a`, `[n]`. Where both sides must hold the same mass only differences count, and the mean over the
    /// places with mass is 0.
    pub a: Array1<T>,
    /// In the weights `b`, `[m]`, in the same way.
    pub b: Array1<T>,
    /// In the costs, as the problem states them.
    pub cost: CostGradient<T>,
}

/// The gradient in a cost: in each entry of a matrix, or in the points.
#[derive(Clone, Debug, PartialEq)]
pub enum CostGradient<T> {
    /// In the entries, `[n, m]`: the plan.
    Matrix(Array2<T>),
    /// In the points.
    Points {
        /// In the places that mass comes from, `[n, d]`.
        x: Array2<T>,
        /// In the places that it goes to, `[m, d]`.
        y: Array2<T>,
    },
}

/// The gradient of `Σ P C` in the points of both sides, of a plan that is given by its flows: `Σ_j P_ij ∇C(x_i, y_j)`.
pub(super) fn of_points<T: Real>(
    flows: &[Flow<f64>],
    x: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
    ground: GroundCost,
) -> Result<CostGradient<T>> {
    let cost = Cost::points(x, y, ground);
    let (mut in_x, mut in_y) = (Array2::zeros(x.dim()), Array2::zeros(y.dim()));
    for &Flow { from, to, mass } in flows {
        let distance = if ground == GroundCost::Euclidean { cost.at(from, to) } else { 1.0 };
        for k in 0..x.ncols() {
            let difference = x[[from, k]].as_f64() - y[[to, k]].as_f64();
            let slope = match ground {
                _ if difference == 0.0 => 0.0, // also where the distance is
                GroundCost::SquaredEuclidean => 2.0 * difference,
                GroundCost::Euclidean => difference / distance,
                GroundCost::Manhattan => difference.signum(),
            };
            in_x[[from, k]] += mass * slope;
            in_y[[to, k]] -= mass * slope;
        }
    }
    Ok(CostGradient::Points { x: narrowed("cost.x", &in_x)?, y: narrowed("cost.y", &in_y)? })
}

/// A number in the type of the caller, which must hold it.
pub(super) fn fit<T: Real>(argument: &'static str, wide: f64, position: impl Into<Position>) -> Result<T> {
    let value = T::from_f64(wide);
    if value.is_finite() { Ok(value) } else { Err(Error::overflow::<T>(argument, position)) }
}

/// In the type of the caller.
pub(super) fn narrowed<T: Real>(argument: &'static str, slopes: &Array2<f64>) -> Result<Array2<T>> {
    let mut out = Array2::zeros(slopes.raw_dim());
    for ((i, row), mut out) in slopes.rows().into_iter().enumerate().zip(out.rows_mut()) {
        for (to, &slope) in out.iter_mut().zip(row) {
            *to = fit(argument, slope, i)?;
        }
    }
    Ok(out)
}
