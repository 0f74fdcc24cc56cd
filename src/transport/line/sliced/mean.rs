//! The mean over the directions.

use ndarray::{Array1, Array2, ArrayRef2, Ix2};

use super::config::SlicedWasserstein;
use super::slices::Slices;
use crate::transport::Measure;
use crate::transport::line::wasserstein_1d::fitting;
use crate::{Error, Real, Result, check, reduction};

impl SlicedWasserstein {
    /// The mean over the directions.
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn value<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<T> {
        T::sliced_value(*self, x, y, directions)
    }

    /// `W_p^p` along each direction, `[k]`.
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn each<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Array1<T>> {
        T::sliced_each(*self, x, y, directions)
    }

    /// The mean over the directions, and its gradient in the points of x, `[n, d]`, and of y, `[m, d]`.
    ///
    /// ```math
    /// \frac{\partial\, \mathrm{SW}_p^p}{\partial x_i} = \frac1k \sum_l \theta_l \sum_j \gamma^l_{ij}\, p\, |d|^{p-1} \operatorname{sign}(d),
    /// \qquad d = \langle \theta_l, x_i - y_j \rangle
    /// ```
    ///
    /// `γˡ` is the optimal plan along a direction. Where projections fall together, and at `p = 1` where points stay, this is
    /// one of the generalized gradients, as in [`wasserstein_1d_grad`](crate::transport::wasserstein_1d_grad).
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn grad<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<(T, Array2<T>, Array2<T>)> {
        T::sliced_grad(*self, x, y, directions)
    }

    /// [`SlicedWasserstein::grad`] into the caller's arrays.
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`]; also [`Error::Shape`] where an output does not have the shape of its points.
    pub fn grad_into<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
        out_x: &mut ArrayRef2<T>,
        out_y: &mut ArrayRef2<T>,
    ) -> Result<T> {
        T::sliced_grad_into(*self, x, y, directions, out_x, out_y)
    }
}

pub(in crate::transport) fn value<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<T> {
    mean(&Slices::new(sliced, x, y, directions)?.costs()?)
}

pub(in crate::transport) fn each<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<Array1<T>> {
    Slices::new(sliced, x, y, directions)?.costs()?.into_iter().map(fitting).collect()
}

pub(in crate::transport) fn gradient<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<(T, Array2<T>, Array2<T>)> {
    let (mut out_x, mut out_y) = (Array2::zeros(x.points.raw_dim()), Array2::zeros(y.points.raw_dim()));
    let value = gradient_into(sliced, x, y, directions, &mut out_x, &mut out_y)?;
    Ok((value, out_x, out_y))
}

pub(in crate::transport) fn gradient_into<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
    out_x: &mut ArrayRef2<T>,
    out_y: &mut ArrayRef2<T>,
) -> Result<T> {
    check::shape("out_x", out_x.shape(), x.points.shape())?;
    check::shape("out_y", out_y.shape(), y.points.shape())?;
    let slices = Slices::new(sliced, x, y, directions)?;
    let (costs, [for_x, for_y]) = slices.gradient(None)?;
    let value = mean(&costs)?;
    slices.x.lay_out(&for_x, out_x, "x.points")?;
    slices.y.lay_out(&for_y, out_y, "y.points")?;
    Ok(value)
}

fn mean<T: Real>(costs: &[f64]) -> Result<T> {
    match costs.len() {
        0 => Err(Error::Empty { argument: "directions" }),
        k => fitting(reduction::sum(costs) / k as f64),
    }
}
