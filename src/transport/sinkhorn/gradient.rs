//! Gradients of entropic transport.

use ndarray::{Array1, Array2};

use super::settled::Settled;
use super::side::Side;
use crate::error::Position;
use crate::transport::Cost;
use crate::{Error, Real, Result};

/// The gradient of a transport value in everything that a problem holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkhornGradient<T> {
    /// In the weights `a`, `[n]`.
    pub a: Array1<T>,
    /// In the weights `b`, `[m]`.
    pub b: Array1<T>,
    /// In the costs, as the problem states them.
    pub cost: CostGradient<T>,
}

/// The gradient in a cost: in each entry of a matrix, or in the points.
#[derive(Clone, Debug, PartialEq)]
pub enum CostGradient<T> {
    /// In the entries, `[n, m]`.
    Matrix(Array2<T>),
    /// In the points.
    Points {
        /// In the places that mass comes from, `[n, d]`.
        x: Array2<T>,
        /// In the places that it goes to, `[m, d]`.
        y: Array2<T>,
    },
}

/// The gradient in the costs.
pub(super) fn of_cost<'a, T: Real>(settled: &Settled<'a, T>, cost: Cost<'a, T>) -> Result<CostGradient<T>> {
    let Cost::Points { x, y, ground } = cost else { return Ok(CostGradient::Matrix(settled.plan())) };
    let left = settled.slopes(x, y, ground);
    let right = settled.transposed().slopes(y, x, ground);
    Ok(CostGradient::Points { x: narrowed("cost.x", &left)?, y: narrowed("cost.y", &right)? })
}

/// A gradient in the weights of a side, less its mean over what takes part where only that much is known.
pub(super) fn of_weights<T: Real>(
    argument: &'static str,
    mut slopes: Vec<f64>,
    side: &Side,
    cost: &Cost<'_, T>,
    is_balanced: bool,
) -> Result<Array1<T>> {
    if is_balanced {
        let count = side.places.len() as f64;
        let mean = side.places.iter().map(|&i| slopes[i] / count).sum::<f64>();
        slopes.iter_mut().for_each(|slope| *slope -= mean);
    }
    of_places(argument, &slopes, side, cost, Position::from)
}

/// Numbers in the type of the caller, which must hold those of places that take part. Of others there is +inf where all
/// ways are forbidden, and 0 where nothing is known, since a cost is not a number or is out of range.
pub(super) fn of_places<T: Real>(
    argument: &'static str,
    wide: &[f64],
    side: &Side,
    cost: &Cost<'_, T>,
    position: impl Fn(usize) -> Position,
) -> Result<Array1<T>> {
    let other = |wide: f64| match T::from_f64(wide) {
        value if value.is_finite() || (wide == f64::INFINITY && matches!(cost, Cost::Matrix(_))) => value,
        _ => T::zero(),
    };
    let mut all: Array1<T> = wide.iter().map(|&wide| other(wide)).collect();
    for &i in &side.places {
        all[i] = fit(argument, wide[i], position(i))?;
    }
    Ok(all)
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
