//! Gradients of entropic transport.

use ndarray::{Array1, Array2};

use super::converged_plan::ConvergedPlan;
use super::side::Side;
use crate::error::Position;
use crate::transport::gradient::{fit, narrowed};
use crate::transport::{Cost, CostGradient};
use crate::{Error, Real, Result};

/// The gradient in the costs.
pub(super) fn of_cost<'a, T: Real>(plan: &ConvergedPlan<'a, T>, cost: Cost<'a, T>) -> Result<CostGradient<T>> {
    let Cost::Points { x, y, ground } = cost else { return matrix(plan.dense()) };
    let left = plan.slopes(x, y, ground);
    let right = plan.transposed().slopes(y, x, ground);
    Ok(CostGradient::Points { x: narrowed("cost.x", &left)?, y: narrowed("cost.y", &right)? })
}

/// The plan as it is, if all of it fits the type.
fn matrix<T: Real>(plan: Array2<T>) -> Result<CostGradient<T>> {
    match plan.rows().into_iter().position(|row| row.iter().any(|mass| !mass.is_finite())) {
        None => Ok(CostGradient::Matrix(plan)),
        Some(place) => Err(Error::overflow::<T>("a", place)),
    }
}

/// A gradient in the weights of a side, less its mean over the places that are counted where only differences are known.
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
    let mut all = of_places(argument, &slopes, side, cost, Position::from)?;
    // What keeps its mass pays a price that is finite.
    for &i in &side.stuck {
        all[i] = fit(argument, slopes[i], i)?;
    }
    Ok(all)
}

/// Numbers in the type of the caller, which must hold those of places that are counted. For others there is +inf where all
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
