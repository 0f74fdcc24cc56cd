//! The largest slice: over the given directions, and uphill from one.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, Ix2};

use super::cloud::Cloud;
use super::config::SlicedWasserstein;
use super::directions::normalize;
use super::slices::Slices;
use crate::transport::Measure;
use crate::transport::line::wasserstein_1d::fitting;
use crate::{Error, Real, Result};

/// The slice along one direction, and its gradient in the points.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxSlice<T> {
    /// `W_p^p` along the direction.
    pub value: T,
    /// The direction, `[d]`, of length one.
    pub direction: Array1<T>,
    /// Gradient in the points of x, `[n, d]`.
    pub x: Array2<T>,
    /// Gradient in the points of y, `[m, d]`.
    pub y: Array2<T>,
}

/// Halvings of a step after which the slice counts as largest.
const HALVINGS: usize = 30;

impl SlicedWasserstein {
    /// The largest slice over the directions, the first of them where several are equal, and its index.
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// # use loglik::transport::{Measure, SlicedWasserstein};
    /// let (x, y) = (array![[0.0_f64, 0.0]], array![[3.0, 4.0]]);
    /// let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    /// let (index, slice) = SlicedWasserstein { p: 2.0 }.max(x, y, &array![[1.0, 0.0], [0.0, 2.0]])?;
    /// assert_eq!((index, slice.value), (1, 16.0));
    /// assert_eq!(slice.x, array![[0.0, -8.0]]);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`].
    pub fn max<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<(usize, MaxSlice<T>)> {
        T::sliced_max(*self, x, y, directions)
    }

    /// The largest slice that is found uphill from a direction, in at most so many steps: max-sliced distance.
    ///
    /// A step goes towards the gradient in the direction, `Σ γ_ij p |d|^(p-1) sign(d) (x_i - y_j)`, all the way if that is
    /// uphill and else half as far, again and again; it ends where nothing is: at a largest slice near by, or on a ridge
    /// where the plan changes. The result is never less than at the start, which should be the direction of
    /// [`SlicedWasserstein::max`], or one of several.
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// # use loglik::transport::{Measure, SlicedWasserstein};
    /// let (x, y) = (array![[0.0_f64, 0.0]], array![[3.0, 4.0]]);
    /// let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    /// let slice = SlicedWasserstein { p: 2.0 }.ascend(x, y, &array![1.0, 0.0], 10)?;
    /// assert!((slice.value - 25.0).abs() < 1e-12); // the distance itself
    /// # Ok::<(), loglik::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SlicedWasserstein`]; they name the direction `directions`.
    pub fn ascend<T: Real>(
        &self,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        direction: &ArrayRef1<T>,
        steps: usize,
    ) -> Result<MaxSlice<T>> {
        T::sliced_ascend(*self, x, y, direction, steps)
    }
}

pub(in crate::transport) fn largest<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    directions: &ArrayRef2<T>,
) -> Result<(usize, MaxSlice<T>)> {
    let costs = Slices::new(sliced, x, y, directions)?.costs()?;
    let larger = |best: usize, at: usize| if costs[at] > costs[best] { at } else { best };
    let index = (0..costs.len()).reduce(larger).ok_or(Error::Empty { argument: "directions" })?;
    Ok((index, ascend(sliced, x, y, &directions.row(index), 0)?))
}

pub(in crate::transport) fn ascend<T: Real>(
    sliced: SlicedWasserstein,
    x: Measure<'_, T, Ix2>,
    y: Measure<'_, T, Ix2>,
    direction: &ArrayRef1<T>,
    steps: usize,
) -> Result<MaxSlice<T>> {
    let mut slices = Slices::new(sliced, x, y, &direction.view().insert_axis(Axis(0)))?;
    let (mut cost, mut slopes) = slices.only();
    for _ in 0..steps {
        let Some(next) = slices.uphill::<T>(cost, &slopes) else { break };
        slices.directions = next;
        (cost, slopes) = slices.only();
    }
    let unit = slices.directions.row(0);
    let laid = |cloud: &Cloud, slopes: &[f64], shape, argument| {
        let slopes = Array1::from_iter(slopes.iter().copied()).insert_axis(Axis(1));
        let mut laid = Array2::zeros(shape);
        cloud.lay_out(&(slopes * unit), &mut laid, argument)?;
        Ok(laid)
    };
    Ok(MaxSlice {
        value: fitting(cost)?,
        direction: unit.mapv(T::from_f64),
        x: laid(&slices.x, &slopes[0], x.points.raw_dim(), "x.points")?,
        y: laid(&slices.y, &slopes[1], y.points.raw_dim(), "y.points")?,
    })
}

impl Slices {
    /// Cost and slopes along the only direction.
    fn only(&self) -> (f64, [Vec<f64>; 2]) {
        let [x, y] = [&self.x, &self.y].map(|cloud| (cloud, cloud.projections(self.directions.view())));
        self.cost_and_slopes([x.0.atoms(x.1.row(0)), y.0.atoms(y.1.row(0))])
    }

    /// A direction along which the slice is larger, as the caller's type holds it.
    fn uphill<T: Real>(&self, cost: f64, slopes: &[Vec<f64>; 2]) -> Option<Array2<f64>> {
        let mut towards = self.x.weighted_sum(&slopes[0]) + self.y.weighted_sum(&slopes[1]);
        if !normalize(towards.row_mut(0)) {
            return None;
        }
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let mut next = (&self.directions * (1.0 - share) + &towards * share).mapv(|x| T::from_f64(x).as_f64());
            if normalize(next.row_mut(0)) {
                let [x, y] = [&self.x, &self.y].map(|cloud| (cloud, cloud.projections(next.view())));
                if self.cost([x.0.atoms(x.1.row(0)), y.0.atoms(y.1.row(0))]) > cost {
                    return Some(next);
                }
            }
            share *= 0.5;
        }
        None
    }
}
