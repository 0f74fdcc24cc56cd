//! Sliced distances with their root, for any order up to infinity.

use ndarray::{Array1, Array2, ArrayRef2, Ix2};

use super::config::SlicedWasserstein;
use super::slices::Slices;
use crate::transport::Measure;
use crate::transport::line::root::{Order, Root};
use crate::transport::line::wasserstein_1d::fitting;
use crate::{Error, Real, Result, reduction};

impl SlicedWasserstein {
    /// The sliced distance itself, with its root; `p` may be infinite here.
    ///
    /// ```math
    /// \mathrm{SW}_p(x, y) = \Bigl(\frac1k \sum_{l=1}^{k} W_p^p(\theta_l)\Bigr)^{1/p}, \qquad \mathrm{SW}_\infty(x, y) = \max_l W_\infty(\theta_l)
    /// ```
    ///
    /// where `W_p(θ)` is [`wasserstein_1d_distance`](crate::transport::wasserstein_1d_distance) of the projections; what it
    /// says of large powers, and of masses that are round-off, holds here. Nothing overflows but a distance that does not
    /// fit.
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// # use loglik::transport::{Measure, SlicedWasserstein};
    /// let (x, y) = (array![[0.0_f64, 0.0], [1.0, 0.0]], array![[0.0, 3.0], [1.0, 5.0]]);
    /// let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    /// let axes = array![[1.0, 0.0], [0.0, 1.0]];
    /// assert!((SlicedWasserstein { p: 2.0 }.distance(x, y, &axes)? - 8.5_f64.sqrt()).abs() < 1e-15);
    /// assert_eq!(SlicedWasserstein { p: f64::INFINITY }.distance(x, y, &axes)?, 5.0);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn distance<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<T> {
        T::sliced_distance(*self, x, y, directions)
    }

    /// `W_p` along each direction, `[k]`; `p` may be infinite.
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn distances<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Array1<T>> {
        T::sliced_distances(*self, x, y, directions)
    }

    /// [`SlicedWasserstein::distance`], and its gradient in the points of x, `[n, d]`, and of y, `[m, d]`.
    ///
    /// Slices count by `(W_p(θ) / SW_p)^(p - 1) / k`; at `p = ∞` the largest alone, the first of several. Of each the
    /// gradient is that of [`wasserstein_1d_distance_grad`](crate::transport::wasserstein_1d_distance_grad). At the
    /// distance 0 it is 0. Each slice is sorted twice.
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn distance_grad<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<(T, Array2<T>, Array2<T>)> {
        T::sliced_distance_grad(*self, x, y, directions)
    }
}

pub(in crate::transport) fn value<T: Real>(
    SlicedWasserstein { p }: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<T> {
    let order = Order::new(p)?;
    fitting(mean(order, &Slices::distances(order, x, y, directions)?.costs()?)?.0)
}

pub(in crate::transport) fn each<T: Real>(
    SlicedWasserstein { p }: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<Array1<T>> {
    let order = Order::new(p)?;
    Slices::distances(order, x, y, directions)?.costs()?.into_iter().map(fitting).collect()
}

pub(in crate::transport) fn gradient<T: Real>(
    SlicedWasserstein { p }: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<(T, Array2<T>, Array2<T>)> {
    let order = Order::new(p)?;
    let slices = Slices::distances(order, x, y, directions)?;
    let (value, shares) = mean(order, &slices.costs()?)?;
    let (_, [for_x, for_y]) = slices.gradient(Some(&shares))?;
    let value = fitting(value)?;
    let (mut out_x, mut out_y) = (Array2::zeros(x.points.raw_dim()), Array2::zeros(y.points.raw_dim()));
    slices.x.lay_out(&for_x, &mut out_x, "x.points")?;
    slices.y.lay_out(&for_y, &mut out_y, "y.points")?;
    Ok((value, out_x, out_y))
}

/// The mean of this order, and its slope in each of the distances.
fn mean(order: Order, distances: &[f64]) -> Result<(f64, Vec<f64>)> {
    let count = distances.len() as f64;
    let longest = |best: usize, at: usize| if distances[at] > distances[best] { at } else { best };
    let index = (0..distances.len()).reduce(longest).ok_or(Error::Empty { argument: "directions" })?;
    let mut shares = vec![0.0; distances.len()];
    let value = match (order, distances[index]) {
        (_, 0.0) => 0.0,
        (Order::First, _) => {
            shares.fill(count.recip());
            reduction::sum(distances) / count
        }
        (Order::Finite(p), unit) => {
            let power = Root::power(p, unit);
            let powers: Vec<f64> = distances.iter().map(|&distance| power.of(distance) / count).collect();
            let root = Root { p, unit, sum: reduction::sum(&powers) };
            let slope = |&distance: &f64| root.slope(power.slope(distance) / count);
            shares.iter_mut().zip(distances).for_each(|(share, distance)| *share = slope(distance));
            root.value()
        }
        (Order::Infinite, largest) => {
            shares[index] = 1.0;
            largest
        }
    };
    Ok((value, shares))
}
