//! Sliced Wasserstein distances: those of projections on lines, which are exact and cheap in any dimension.

mod cloud;
pub(in crate::transport) mod directions;
pub(in crate::transport) mod distance;
pub(in crate::transport) mod max;

use ndarray::{Array1, Array2, ArrayRef2, Ix2};

use self::cloud::Cloud;
use crate::transport::Measure;
use crate::{Error, Real, Result, check, parallel, reduction};

use super::distance::root;
use super::longest::{longest, share_out, slack};
use super::measure::Atoms;
use super::merge::level;
use super::power::Power;
use super::root::{Order, gradient_of_way};
use super::slopes::slopes;
use super::wasserstein_1d::{cost, fitting};

pub use directions::directions;
pub use max::MaxSlice;

/// Directions that make one job.
const BLOCK: usize = 8;

/// Directions whose slopes are held at a time.
const ROUND: usize = 8 * BLOCK;

/// Sliced Wasserstein distance: the mean over directions `θ` of the distance of the projections, `W_p^p`.
///
/// ```math
/// \mathrm{SW}_p^p(x, y) = \frac1k \sum_{l=1}^{k} W_p^p\bigl(\langle \theta_l, x \rangle, \langle \theta_l, y \rangle\bigr), \qquad
/// \operatorname{max-SW}_p^p(x, y) = \max_l W_p^p\bigl(\langle \theta_l, x \rangle, \langle \theta_l, y \rangle\bigr)
/// ```
///
/// The points of x are `[n, d]`, those of y `[m, d]`, `directions` are `[k, d]`. Only their direction counts: each is
/// divided by its Euclidean length, so unit vectors may be given as they are. [`directions`] draws some. Masses are as in
/// [`Measure`]: nothing is normalized, and a point of weight zero is never looked at. No root is taken but by
/// [`distance`](Self::distance), [`distances`](Self::distances) and [`distance_grad`](Self::distance_grad).
///
/// Every slice is exact, as [`wasserstein_1d`](super::wasserstein_1d()), from one sort: `O(k (n + m) (d + log(n + m)))` time,
/// in `f64` for both types. The value needs eight projections of all points for each thread, the gradient 64 of them.
/// Directions go to threads; sums are in one order, whatever their number.
///
/// A slice is at most the distance itself, and in one dimension it is that distance. In expectation over uniform
/// directions `SW_2^2 <= W_2^2 / d`.
///
/// # Errors
///
/// - [`Error::Parameter`]: `p` is below 1 or, where no root is taken, not finite.
/// - [`Error::Shape`]: points and directions of different dimensions, weights of another length than their points.
/// - [`Error::Value`]: a coordinate of a point that holds mass, or of a direction, is not finite; a weight is not finite or
///   below zero; a direction of zeros.
/// - [`Error::Empty`]: no points or no directions. [`Error::NoMass`]: weights that are all zero.
/// - [`Error::Unbalanced`]: as [`wasserstein_1d`](super::wasserstein_1d()).
/// - [`Error::Overflow`]: a result or a total does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (x, y) = (array![[0.0_f64, 0.0], [1.0, 0.0]], array![[0.0, 3.0], [1.0, 3.0]]);
/// let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
/// let axes = array![[1.0, 0.0], [0.0, 1.0]];
/// assert_eq!(SlicedWasserstein { p: 2.0 }.each(x, y, &axes)?, array![0.0, 9.0]);
/// let (value, gradient, _) = SlicedWasserstein { p: 2.0 }.grad(x, y, &axes)?;
/// assert_eq!(value, 4.5);
/// assert_eq!(gradient, array![[0.0, -1.5], [0.0, -1.5]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Bonneel, Rabin, Peyré and Pfister, *Sliced and Radon Wasserstein barycenters of measures*, J. Math. Imaging Vis. 2015.
/// Largest slice: Deshpande et al., CVPR 2019, [arXiv:1904.05877](https://arxiv.org/abs/1904.05877).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SlicedWasserstein {
    /// Power of the distance, `>= 1`; +inf where a root is taken. Default 2 (POT).
    pub p: f64,
}

impl Default for SlicedWasserstein {
    fn default() -> Self {
        Self { p: 2.0 }
    }
}

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
    /// one of the generalized gradients, as in [`wasserstein_1d_grad`](super::wasserstein_1d_grad).
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

/// What is measured along a direction.
#[derive(Clone, Copy)]
enum Measured {
    /// `W_p^p`.
    Cost(Power),
    /// `W_p`, and the spacing of the element type at 1.
    Distance(Order, f64),
}

/// The arguments of one call, checked.
struct Slices {
    measured: Measured,
    x: Cloud,
    y: Cloud,
    /// Unit vectors, `[k, d]`.
    directions: Array2<f64>,
}

/// What a job finds along its directions, and where it leaves the slopes of each point, if they are wanted.
struct Job<'a> {
    first: usize,
    costs: &'a mut [f64],
    slopes: Option<[ndarray::ArrayViewMut2<'a, f64>; 2]>,
}

impl Slices {
    fn new<T: Real>(
        sliced: SlicedWasserstein,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Self> {
        Self::checked(Measured::Cost(Power::new(sliced.p)?), x, y, directions)
    }

    /// The same, with a root taken.
    fn distances<T: Real>(
        order: Order,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Self> {
        Self::checked(Measured::Distance(order, T::epsilon().as_f64()), x, y, directions)
    }

    fn checked<T: Real>(
        measured: Measured,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Self> {
        let dimension = x.points.ncols();
        check::shape("y.points", y.points.shape(), &[y.points.nrows(), dimension])?;
        check::shape("directions", directions.shape(), &[directions.nrows(), dimension])?;
        let [x, y] = Cloud::both(x, y)?;
        Ok(Self { measured, x, y, directions: directions::units("directions", directions)? })
    }

    /// Work in the unit of [`parallel`]: projections and sorts.
    fn bytes(&self, directions: usize) -> usize {
        let points = self.x.len() + self.y.len();
        points.saturating_mul(directions).saturating_mul(16 + self.directions.ncols() / 8)
    }

    fn costs(&self) -> Result<Vec<f64>> {
        let mut costs = vec![0.0; self.directions.nrows()];
        let jobs = costs.chunks_mut(BLOCK).enumerate();
        let jobs = jobs.map(|(block, costs)| Job { first: BLOCK * block, costs, slopes: None }).collect();
        parallel::for_each(jobs, self.bytes(self.directions.nrows()), |job| self.run(job));
        finite(costs)
    }

    /// The cost along each direction, and the gradient of their mean, or of their sum by these shares.
    fn gradient(&self, shares: Option<&[f64]>) -> Result<(Vec<f64>, [Array2<f64>; 2])> {
        let (k, d) = self.directions.dim();
        let mut costs = vec![0.0; k];
        let mut gradients = [&self.x, &self.y].map(|cloud| Array2::zeros((cloud.len(), d)));
        let mut slopes = [&self.x, &self.y].map(|cloud| Array2::zeros((ROUND.min(k), cloud.len())));
        for (round, costs) in costs.chunks_mut(ROUND).enumerate() {
            let (first, count) = (ROUND * round, costs.len());
            let [in_x, in_y] = slopes.each_mut().map(|all| all.axis_chunks_iter_mut(ndarray::Axis(0), BLOCK));
            let jobs = costs.chunks_mut(BLOCK).zip(in_x.zip(in_y)).enumerate().map(|(block, (costs, (x, y)))| Job {
                first: first + BLOCK * block,
                costs,
                slopes: Some([x, y]),
            });
            parallel::for_each(jobs.collect(), self.bytes(count), |job| self.run(job));
            let directions = self.directions.slice(ndarray::s![first..first + count, ..]);
            for (gradient, slopes) in gradients.iter_mut().zip(&mut slopes) {
                let mut slopes = slopes.slice_mut(ndarray::s![..count, ..]);
                if let Some(shares) = shares {
                    let rows = slopes.rows_mut().into_iter().zip(&shares[first..]);
                    rows.for_each(|(mut slopes, &share)| slopes.mapv_inplace(|slope| share * slope));
                }
                let factor = if shares.is_some() { 1.0 } else { 1.0 / k as f64 };
                crate::gemm::product(factor, slopes.t(), directions, 1.0, gradient.view_mut());
            }
        }
        Ok((finite(costs)?, gradients))
    }

    fn run(&self, job: Job<'_>) {
        let directions = self.directions.slice(ndarray::s![job.first..job.first + job.costs.len(), ..]);
        let (x, y) = (self.x.projections(directions), self.y.projections(directions));
        let mut slopes = job.slopes;
        for (l, cost) in job.costs.iter_mut().enumerate() {
            let sides = [self.x.atoms(x.row(l)), self.y.atoms(y.row(l))];
            *cost = match &mut slopes {
                None => self.cost(sides),
                Some(slopes) => {
                    let (cost, found) = self.cost_and_slopes(sides);
                    slopes.iter_mut().zip(found).for_each(|(to, found)| to.row_mut(l).assign(&Array1::from_vec(found)));
                    cost
                }
            };
        }
    }

    /// What the projections are apart.
    fn cost(&self, mut sides: [Atoms; 2]) -> f64 {
        sides.iter_mut().for_each(Atoms::sort);
        match self.measured {
            Measured::Cost(power) => cost(&sides[0], &sides[1], power),
            Measured::Distance(Order::First, _) => cost(&sides[0], &sides[1], Power::First),
            Measured::Distance(Order::Finite(p), _) => root(&sides[0], &sides[1], p).value(),
            Measured::Distance(Order::Infinite, epsilon) => {
                share_out(&mut sides);
                let (x, y, _) = level(&sides[0], &sides[1]);
                longest(&x, &y, slack(&sides[0], &sides[1], epsilon)).distance.abs()
            }
        }
    }

    /// The same, and its slopes in the projections, in their order.
    fn cost_and_slopes(&self, mut sides: [Atoms; 2]) -> (f64, [Vec<f64>; 2]) {
        let places = sides.each_mut().map(Atoms::sort_with_places);
        let (cost, sorted) = self.sorted_slopes(&mut sides);
        let mut laid = [Vec::new(), Vec::new()];
        for (laid, (sorted, places)) in laid.iter_mut().zip(sorted.into_iter().zip(places)) {
            *laid = vec![0.0; sorted.len()];
            places.into_iter().zip(sorted).for_each(|(place, slope)| laid[place] = slope);
        }
        (cost, laid)
    }

    /// The same of sides in order.
    fn sorted_slopes(&self, sides: &mut [Atoms; 2]) -> (f64, [Vec<f64>; 2]) {
        if let Measured::Distance(Order::Infinite, _) = self.measured {
            share_out(sides);
        }
        let (x, y, unit) = level(&sides[0], &sides[1]);
        let plain = |power| (cost(&sides[0], &sides[1], power), slopes(&x, &y, unit, power));
        match self.measured {
            Measured::Cost(power) => plain(power),
            Measured::Distance(Order::First, _) => plain(Power::First),
            Measured::Distance(Order::Finite(p), _) => {
                let root = root(&sides[0], &sides[1], p);
                (root.value(), root.slopes(&x, &y, unit))
            }
            Measured::Distance(Order::Infinite, epsilon) => {
                let way = longest(&x, &y, slack(&sides[0], &sides[1], epsilon));
                (way.distance.abs(), gradient_of_way(way, &x, &y)[0].clone())
            }
        }
    }
}

/// Costs that fit `f64`.
fn finite(costs: Vec<f64>) -> Result<Vec<f64>> {
    match costs.iter().all(|cost| cost.is_finite()) {
        true => Ok(costs),
        false => Err(Error::overflow::<f64>("x.points", crate::error::Position::default())),
    }
}

#[cfg(test)]
mod tests;
