//! Mixtures of Gaussians at several places, each seen from its own truth.

use ndarray::{ArrayView2, ArrayView3, ArrayView4};

use crate::error::Position;
use crate::factor::Factor;
use crate::{Error, Real, Result, check};

/// A mixture of `C` Gaussians in `d` dimensions at each of `P` places.
///
/// A component of weight 0 is never read, so that places may have fewer than `C`. Weights are finite and `>= 0`, some of each
/// place above 0; they are divided by their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixtures<'a, T> {
    /// `[P, C]`.
    pub weights: ArrayView2<'a, T>,
    /// `[P, C, d]`.
    pub means: ArrayView3<'a, T>,
    /// `[P, C, d, d]`, of which the lower triangles are read.
    pub covariances: ArrayView4<'a, T>,
}

/// One component of positive weight.
pub(super) struct Component {
    pub(super) index: usize,
    /// Its share of the mass.
    pub(super) weight: f64,
    pub(super) mean: Vec<f64>,
    /// Row by row, symmetric.
    pub(super) covariance: Vec<f64>,
}

impl<T: Real> Mixtures<'_, T> {
    /// Checks that the shapes belong together.
    pub(super) fn check(&self) -> Result<()> {
        let (places, components, size) = self.means.dim();
        check::shape("weights", self.weights.shape(), &[places, components])?;
        check::shape("covariances", self.covariances.shape(), &[places, components, size, size])?;
        if self.means.is_empty() { Err(Error::Empty { argument: "means" }) } else { Ok(()) }
    }

    /// Number of places.
    pub(super) fn places(&self) -> usize {
        self.weights.nrows()
    }

    /// Bytes of all of it.
    pub(super) fn bytes(&self) -> usize {
        self.covariances.len() * size_of::<T>()
    }

    /// The components of a place.
    pub(super) fn at(&self, place: usize) -> Result<Vec<Component>> {
        let weights = self.weights.row(place);
        if let Some(index) = weights.iter().position(|w| !(w.is_finite() && *w >= T::zero())) {
            let (position, value) = (Position(vec![place, index]), weights[index].as_f64());
            return Err(Error::Value { argument: "weights", position, value, allowed: "finite and >= 0" });
        }
        let total: f64 = weights.iter().map(|w| w.as_f64()).sum();
        let held = weights.iter().enumerate().filter(|(_, w)| **w > T::zero());
        let components = held.map(|(index, w)| self.component(place, index, w.as_f64() / total));
        match total {
            0.0 => Err(Error::Value {
                argument: "weights",
                position: place.into(),
                value: 0.0,
                allowed: "a row with at least one weight above 0",
            }),
            total if total.is_infinite() => Err(Error::overflow::<f64>("weights", place)),
            _ => components.collect(),
        }
    }

    fn component(&self, place: usize, index: usize, weight: f64) -> Result<Component> {
        let size = self.means.dim().2;
        let finite = |argument, value: T, position: Vec<usize>| match value.is_finite() {
            true => Ok(value.as_f64()),
            false => Err(super::points::not_finite(argument, Some(&value), Position(position))),
        };
        let mean = (0..size).map(|k| finite("means", self.means[[place, index, k]], vec![place, index, k]));
        let lower = |at: usize| {
            let (i, j) = (at / size, at % size);
            let (i, j) = (i.max(j), i.min(j));
            finite("covariances", self.covariances[[place, index, i, j]], vec![place, index, i, j])
        };
        let covariance = (0..size * size).map(lower).collect::<Result<_>>()?;
        Ok(Component { index, weight, mean: mean.collect::<Result<_>>()?, covariance })
    }
}

impl Component {
    /// The factor of its covariance, which must be positive definite.
    pub(super) fn factor(&self, place: usize) -> Result<Factor> {
        Factor::of(self.covariance.clone(), self.mean.len()).map_err(|pivot| Error::Value {
            argument: "covariances",
            position: Position(vec![place, self.index]),
            value: pivot,
            allowed: "positive definite, of which every pivot is above 0",
        })
    }
}

/// The mean of a mixture.
pub(super) fn center(components: &[Component]) -> Vec<f64> {
    let size = components.first().map_or(0, |component| component.mean.len());
    let coordinate = |k: usize| components.iter().map(|component| component.weight * component.mean[k]).sum();
    (0..size).map(coordinate).collect()
}
