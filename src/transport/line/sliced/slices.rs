//! Distances along directions, and their gradient in the points.

use ndarray::{Array1, Array2, ArrayRef2, Ix2};

use super::cloud::Cloud;
use super::config::SlicedWasserstein;
use super::directions;
use crate::transport::Measure;
use crate::transport::line::distance::root;
use crate::transport::line::longest::{longest, share_out, slack};
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::level;
use crate::transport::line::power::Power;
use crate::transport::line::root::{Order, gradient_of_way};
use crate::transport::line::slopes::slopes;
use crate::transport::line::wasserstein_1d::cost;
use crate::{Error, Real, Result, check, parallel};

/// Directions that make one job.
pub(super) const BLOCK: usize = 8;

/// Directions whose slopes are held at a time.
pub(super) const ROUND: usize = 8 * BLOCK;

/// What is measured along a direction.
#[derive(Clone, Copy)]
enum Measured {
    /// `W_p^p`.
    Cost(Power),
    /// `W_p`, and the spacing of the element type at 1.
    Distance(Order, f64),
}

/// The arguments of one call, checked.
pub(super) struct Slices {
    measured: Measured,
    pub(super) x: Cloud,
    pub(super) y: Cloud,
    /// Unit vectors, `[k, d]`.
    pub(super) directions: Array2<f64>,
}

/// What a job finds along its directions, and where it leaves the slopes of each point, if they are wanted.
struct Job<'a> {
    first: usize,
    costs: &'a mut [f64],
    slopes: Option<[ndarray::ArrayViewMut2<'a, f64>; 2]>,
}

impl Slices {
    pub(super) fn new<T: Real>(
        sliced: SlicedWasserstein,
        x: Measure<'_, T, Ix2>,
        y: Measure<'_, T, Ix2>,
        directions: &ArrayRef2<T>,
    ) -> Result<Self> {
        Self::checked(Measured::Cost(Power::new(sliced.p)?), x, y, directions)
    }

    /// The same, with a root taken.
    pub(super) fn distances<T: Real>(
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

    pub(super) fn costs(&self) -> Result<Vec<f64>> {
        let mut costs = vec![0.0; self.directions.nrows()];
        let jobs = costs.chunks_mut(BLOCK).enumerate();
        let jobs = jobs.map(|(block, costs)| Job { first: BLOCK * block, costs, slopes: None }).collect();
        parallel::for_each(jobs, self.bytes(self.directions.nrows()), |job| self.run(job));
        finite(costs)
    }

    /// The cost along each direction, and the gradient of their mean, or of their sum by these shares.
    pub(super) fn gradient(&self, shares: Option<&[f64]>) -> Result<(Vec<f64>, [Array2<f64>; 2])> {
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
    pub(super) fn cost(&self, mut sides: [Atoms; 2]) -> f64 {
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
    pub(super) fn cost_and_slopes(&self, mut sides: [Atoms; 2]) -> (f64, [Vec<f64>; 2]) {
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
