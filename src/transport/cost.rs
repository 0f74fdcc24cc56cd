//! The cost of moving a unit of mass: a matrix, or a distance between points that is computed where it is needed.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::Position;
use crate::math::length;
use crate::{Error, Real, Result, check, rowwise};

/// What moving a unit of mass costs between points, each axis of which counts alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum GroundCost {
    /// `Σ (x - y)²`, of `W_2²`.
    #[default]
    SquaredEuclidean,
    /// `√(Σ (x - y)²)`, of `W_1`.
    Euclidean,
    /// `Σ |x - y|`.
    Manhattan,
}

/// The cost of moving a unit of mass from each of n places to each of m.
///
/// # Forbidden ways
///
/// An entry of +inf in a matrix forbids the way: no mass goes there, whatever other ways cost, and `0 · ∞` is never formed. A
/// problem in which some mass has no way to go has no plan of finite cost, which is an
/// [`Error::NoFinitePlan`](crate::Error::NoFinitePlan) that names the places. Where forbidden ways divide a problem into
/// parts, the totals of both sides of a part may differ as much as those of a whole
/// [`TransportProblem`](super::TransportProblem) may. Points have no forbidden ways: coordinates are finite.
///
/// # Places without mass
///
/// Where a problem gives a place the weight zero, its row or column of the matrix, or its point, is never read: it may hold
/// NaN or anything else. A cloud of points can be padded so.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::GroundCost;
/// let (x, y) = (array![[0.0_f64, 0.0], [3.0, 0.0]], array![[0.0, 4.0]]);
/// assert_eq!(Cost::points(x.view(), y.view(), GroundCost::Euclidean).to_matrix()?, array![[4.0], [5.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost<'a, T> {
    /// Numbers, `[n, m]`: finite, of any sign, or +inf for a way that is forbidden.
    Matrix(ArrayView2<'a, T>),
    /// Between points, computed where it is needed: no matrix of `[n, m]` exists.
    Points {
        /// The places that mass comes from, `[n, d]`.
        x: ArrayView2<'a, T>,
        /// The places that it goes to, `[m, d]`.
        y: ArrayView2<'a, T>,
        /// What the way between two of them costs.
        ground: GroundCost,
    },
}

impl<'a, T> Cost<'a, T> {
    /// A matrix `[n, m]`.
    #[must_use]
    pub fn matrix(cost: ArrayView2<'a, T>) -> Self {
        Self::Matrix(cost)
    }

    /// Between points `[n, d]` and `[m, d]`.
    #[must_use]
    pub fn points(x: ArrayView2<'a, T>, y: ArrayView2<'a, T>, ground: GroundCost) -> Self {
        Self::Points { x, y, ground }
    }

    /// `[n, m]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        match self {
            Self::Matrix(cost) => [cost.nrows(), cost.ncols()],
            Self::Points { x, y, .. } => [x.nrows(), y.nrows()],
        }
    }

    /// The way back: `[m, n]`.
    #[must_use]
    pub fn transposed(self) -> Self {
        match self {
            Self::Matrix(cost) => Self::Matrix(cost.reversed_axes()),
            Self::Points { x, y, ground } => Self::Points { x: y, y: x, ground },
        }
    }
}

impl<T: Real> Cost<'_, T> {
    /// All costs, `[n, m]`.
    ///
    /// # Errors
    ///
    /// - [`Error::Value`]: a cost is NaN or -inf, or a coordinate is not finite.
    /// - [`Error::Shape`]: points of another dimension.
    /// - [`Error::Overflow`]: points so far apart that their cost may not fit the type.
    pub fn to_matrix(&self) -> Result<Array2<T>> {
        T::cost_matrix(*self)
    }

    /// Costs between places with mass must be finite or forbid their way; between points, they must fit the type.
    pub(super) fn check_between(&self, row: impl Fn(usize) -> bool, column: impl Fn(usize) -> bool) -> Result<()> {
        match self {
            Self::Matrix(costs) => no_nan_in(*costs, row, column),
            Self::Points { x, y, ground } => {
                check::shape("cost.y", &[y.ncols()], &[x.ncols()])?;
                all_finite("cost.x", *x, &row)?;
                all_finite("cost.y", *y, &column)?;
                let extent = |k| extent(chosen(x.column(k), &row), chosen(y.column(k), &column));
                let bound = ground.of((0..x.ncols()).map(extent).collect::<Vec<_>>().into_iter());
                if T::from_f64(bound).is_finite() {
                    Ok(())
                } else {
                    Err(Error::overflow::<T>("cost.x", Position::default()))
                }
            }
        }
    }

    /// The cost from one place to another.
    #[inline]
    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::Matrix(cost) => cost[[i, j]].as_f64(),
            Self::Points { x, y, ground } => ground.between(x.row(i), y.row(j)),
        }
    }

    /// The costs from one place to all, in the type of the caller.
    pub(super) fn row_into(&self, i: usize, out: &mut [T]) {
        match self {
            Self::Matrix(cost) => rowwise::copy(cost.row(i), out),
            Self::Points { x, y, ground } => {
                let from = x.row(i);
                out.iter_mut().zip(y.rows()).for_each(|(out, to)| *out = T::from_f64(ground.between(from, to)));
            }
        }
    }
}

/// All costs, checked.
pub(super) fn matrix<T: Real>(cost: Cost<'_, T>) -> Result<Array2<T>> {
    cost.check_between(|_| true, |_| true)?;
    let mut costs = Array2::zeros(cost.shape());
    for (i, mut row) in costs.rows_mut().into_iter().enumerate() {
        cost.row_into(i, row.as_slice_mut().unwrap_or_default());
    }
    Ok(costs)
}

impl GroundCost {
    /// The cost of a way with this difference on each axis.
    fn of(self, differences: impl Iterator<Item = f64> + Clone) -> f64 {
        match self {
            Self::SquaredEuclidean => differences.map(|d| d * d).sum(),
            Self::Euclidean => length(differences),
            Self::Manhattan => differences.map(f64::abs).sum(),
        }
    }

    fn between<T: Real>(self, from: ArrayView1<'_, T>, to: ArrayView1<'_, T>) -> f64 {
        match (from.to_slice(), to.to_slice()) {
            (Some(from), Some(to)) => self.of(from.iter().zip(to).map(|(x, y)| x.as_f64() - y.as_f64())),
            _ => self.of(from.iter().zip(to).map(|(x, y)| x.as_f64() - y.as_f64())),
        }
    }
}

/// The coordinates of the places that are asked for.
fn chosen<T: Real>(axis: ArrayView1<'_, T>, place: impl Fn(usize) -> bool) -> impl Iterator<Item = f64> {
    axis.into_iter().enumerate().filter(move |&(i, _)| place(i)).map(|(_, at)| at.as_f64())
}

/// How far apart any two of these coordinates are.
fn extent(x: impl Iterator<Item = f64>, y: impl Iterator<Item = f64>) -> f64 {
    let ends = x.chain(y).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    (ends.1 - ends.0).max(0.0)
}

/// The points that are asked for must be finite.
fn all_finite<T: Real>(argument: &'static str, points: ArrayView2<'_, T>, place: impl Fn(usize) -> bool) -> Result<()> {
    match points.indexed_iter().find(|((i, _), at)| !at.is_finite() && place(*i)) {
        None => Ok(()),
        Some(((i, k), at)) => {
            Err(Error::Value { argument, position: Position(vec![i, k]), value: at.as_f64(), allowed: "finite" })
        }
    }
}

/// The costs between the places that are asked for must be finite or +inf.
fn no_nan_in<T: Real>(
    costs: ArrayView2<'_, T>,
    row: impl Fn(usize) -> bool,
    column: impl Fn(usize) -> bool,
) -> Result<()> {
    let is_cost = |cost: &T| *cost > T::neg_infinity();
    for (i, costs) in costs.rows().into_iter().enumerate().filter(|(i, _)| row(*i)) {
        // Without a branch on each, since nearly all rows are good.
        if costs.iter().fold(true, |good, cost| good & is_cost(cost)) {
            continue;
        }
        if let Some((j, cost)) = costs.iter().enumerate().find(|(j, cost)| !is_cost(cost) && column(*j)) {
            let (position, value) = (Position(vec![i, j]), cost.as_f64());
            return Err(Error::Value { argument: "cost", position, value, allowed: "finite or +inf" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::{ShapeBuilder, array};

    use super::*;

    #[test]
    fn ways_between_points_cost_what_their_distance_says() {
        let (x, y) = (array![[0.0, 1.0], [-2.0, 3.0]], array![[1.0, 1.0], [3.0, 5.0], [0.0, 1.0]]);
        let by = |ground| Cost::points(x.view(), y.view(), ground).to_matrix().unwrap();
        assert_eq!(by(GroundCost::SquaredEuclidean), array![[1.0, 25.0, 0.0], [13.0, 29.0, 8.0]]);
        assert_eq!(by(GroundCost::Manhattan), array![[1.0, 7.0, 0.0], [5.0, 7.0, 4.0]]);
        let roots = by(GroundCost::SquaredEuclidean).mapv(f64::sqrt);
        assert!(by(GroundCost::Euclidean).iter().zip(&roots).all(|(got, root)| (got - root).abs() <= 1e-15 * root));
    }

    #[test]
    fn the_way_back_is_the_transpose_and_single_costs_are_those_of_the_rows() {
        let (x, y) = (Array2::from_shape_fn((4, 3), |(i, k)| (i * 3 + k) as f64), Array2::ones((2, 3).f()));
        let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
        let costs = cost.to_matrix().unwrap();
        assert_eq!(cost.transposed().to_matrix().unwrap(), costs.t());
        assert_eq!(Cost::matrix(costs.view()).transposed().to_matrix().unwrap(), costs.t());
        assert!(costs.indexed_iter().all(|((i, j), &c)| cost.at(i, j) == c));
    }

    #[test]
    fn a_length_is_taken_where_its_square_does_not_fit() {
        let (x, y) = (array![[0.0, 0.0]], array![[3e200_f64, 4e200], [3e-200, 4e-200]]);
        let costs = Cost::points(x.view(), y.view(), GroundCost::Euclidean).to_matrix().unwrap();
        assert!((costs[[0, 0]] / 5e200 - 1.0).abs() < 1e-15 && (costs[[0, 1]] / 5e-200 - 1.0).abs() < 1e-15);
        let squared = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean).to_matrix();
        assert_eq!(squared.unwrap_err().to_string(), "the result at `cost.x` overflows f64");
    }

    #[test]
    fn places_that_take_no_part_are_not_looked_at() {
        let nan = f64::NAN;
        let costs = array![[0.0, nan, f64::INFINITY], [nan, nan, f64::NEG_INFINITY], [1.0, 1e308, 2.0]];
        let cost = Cost::matrix(costs.view());
        assert!(cost.check_between(|_| true, |_| true).is_err());
        assert!(cost.check_between(|i| i != 1, |j| j != 1).is_ok());
        let message = cost.check_between(|i| i > 0, |j| j == 2).unwrap_err().to_string();
        assert_eq!(message, "`cost`[1, 2] is -inf, allowed is finite or +inf");
        let (x, y) = (array![[0.0, nan], [1e200, 0.0], [1.0, 0.0]], array![[2.0, 0.0], [f64::INFINITY, 0.0]]);
        let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
        assert!(cost.check_between(|i| i == 2, |j| j == 0).is_ok());
        let message = cost.check_between(|i| i > 0, |j| j == 0).unwrap_err().to_string();
        assert_eq!(message, "the result at `cost.x` overflows f64");
        let message = cost.check_between(|i| i == 2, |_| true).unwrap_err().to_string();
        assert_eq!(message, "`cost.y`[1, 0] is inf, allowed is finite");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let message = |cost: Cost<'_, f64>| cost.to_matrix().unwrap_err().to_string();
        let bad = array![[0.0, 1.0], [f64::NAN, 1.0]];
        let good = array![[0.0, 1.0]];
        assert_eq!(message(Cost::matrix(bad.view())), "`cost`[1, 0] is NaN, allowed is finite or +inf");
        let ground = GroundCost::Euclidean;
        assert_eq!(message(Cost::points(good.view(), bad.view(), ground)), "`cost.y`[1, 0] is NaN, allowed is finite");
        let wide = array![[0.0, 1.0, 2.0]];
        assert_eq!(message(Cost::points(good.view(), wide.view(), ground)), "`cost.y` has shape [3], expected [2]");
    }
}
