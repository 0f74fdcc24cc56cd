//! What a unit of mass pays for its way: a matrix, or a distance between points that is computed where it is needed.

use ndarray::{ArrayView1, ArrayView2};

use crate::error::Position;
use crate::{Error, Real, Result, check, rows};

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
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (x, y) = (array![[0.0_f64, 0.0], [3.0, 0.0]], array![[0.0, 4.0]]);
/// assert_eq!(Cost::points(x.view(), y.view(), GroundCost::Euclidean).to_matrix()?, array![[4.0], [5.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost<'a, T> {
    /// Any finite numbers, `[n, m]`; they may be negative.
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
    /// - [`Error::Value`]: a cost or a coordinate is not finite.
    /// - [`Error::Shape`]: points of another dimension.
    /// - [`Error::Overflow`]: points so far apart that their cost may not fit the type.
    pub fn to_matrix(&self) -> Result<ndarray::Array2<T>> {
        self.check()?;
        let mut costs = ndarray::Array2::zeros(self.shape());
        for (i, mut row) in costs.rows_mut().into_iter().enumerate() {
            self.row_into(i, row.as_slice_mut().unwrap_or_default());
        }
        Ok(costs)
    }

    /// Every cost must be finite and fit the type.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Matrix(cost) => all_finite("cost", *cost),
            Self::Points { x, y, ground } => {
                check::shape("cost.y", &[y.ncols()], &[x.ncols()])?;
                all_finite("cost.x", *x)?;
                all_finite("cost.y", *y)?;
                let bound = ground.of((0..x.ncols()).map(|axis| extent(x.column(axis), y.column(axis))));
                if T::of(bound).is_finite() { Ok(()) } else { Err(Error::overflow::<T>("cost.x", Position::default())) }
            }
        }
    }

    /// The cost from one place to another.
    #[inline]
    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::Matrix(cost) => cost[[i, j]].wide(),
            Self::Points { x, y, ground } => ground.between(x.row(i), y.row(j)),
        }
    }

    /// The costs from one place to all, in the type of the caller.
    pub(super) fn row_into(&self, i: usize, out: &mut [T]) {
        match self {
            Self::Matrix(cost) => rows::copy(cost.row(i), out),
            Self::Points { x, y, ground } => {
                let from = x.row(i);
                out.iter_mut().zip(y.rows()).for_each(|(out, to)| *out = T::of(ground.between(from, to)));
            }
        }
    }
}

impl GroundCost {
    /// The cost of a way with this difference on each axis.
    fn of(self, differences: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::SquaredEuclidean => differences.map(|d| d * d).sum(),
            Self::Euclidean => length(differences),
            Self::Manhattan => differences.map(f64::abs).sum(),
        }
    }

    fn between<T: Real>(self, from: ArrayView1<'_, T>, to: ArrayView1<'_, T>) -> f64 {
        match (from.to_slice(), to.to_slice()) {
            (Some(from), Some(to)) => self.of(from.iter().zip(to).map(|(x, y)| x.wide() - y.wide())),
            _ => self.of(from.iter().zip(to).map(|(x, y)| x.wide() - y.wide())),
        }
    }
}

/// Euclidean length, whose square neither overflows nor vanishes before the root is taken.
fn length(differences: impl Iterator<Item = f64>) -> f64 {
    let (scale, sum) = differences.map(f64::abs).fold((0.0, 0.0), |(scale, sum): (f64, f64), d| match d {
        0.0 => (scale, sum),
        d if d > scale => (d, 1.0 + sum * (scale / d).powi(2)),
        d => (scale, sum + (d / scale).powi(2)),
    });
    scale * sum.sqrt()
}

/// How far apart any two of these coordinates are.
fn extent<T: Real>(x: ArrayView1<'_, T>, y: ArrayView1<'_, T>) -> f64 {
    let ends = x
        .iter()
        .chain(y)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at.wide()), high.max(at.wide())));
    (ends.1 - ends.0).max(0.0)
}

fn all_finite<T: Real>(argument: &'static str, array: ArrayView2<'_, T>) -> Result<()> {
    match array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((i, j), value)) => {
            Err(Error::Value { argument, position: Position(vec![i, j]), value: value.wide(), allowed: "finite" })
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

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
    fn what_is_not_finite_is_named() {
        let message = |cost: Cost<'_, f64>| cost.to_matrix().unwrap_err().to_string();
        let bad = array![[0.0, 1.0], [f64::NAN, 1.0]];
        let good = array![[0.0, 1.0]];
        assert_eq!(message(Cost::matrix(bad.view())), "`cost`[1, 0] is NaN, allowed is finite");
        let ground = GroundCost::Euclidean;
        assert_eq!(message(Cost::points(good.view(), bad.view(), ground)), "`cost.y`[1, 0] is NaN, allowed is finite");
        let wide = array![[0.0, 1.0, 2.0]];
        assert_eq!(message(Cost::points(good.view(), wide.view(), ground)), "`cost.y` has shape [3], expected [2]");
    }
}
