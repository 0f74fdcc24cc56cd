//! Lower bounds between points: the problem of their projections onto lines, which has an exact solution.

use ndarray::{Array1, ArrayRef2, ArrayView1, ArrayView2, Axis};

use super::held::chosen;
use crate::transport::outwards::lower;
use crate::transport::problem::Masses;
use crate::transport::{Cost, GroundCost, Measure, TransportProblem, mass, wasserstein_1d};
use crate::{Error, Real, Result, check, reduction};

/// The cost of moving all mass from one centroid to the other.
///
/// ```math
/// \operatorname{EMD} \ge m\, \lVert \bar x - \bar y \rVert^p, \qquad
/// \bar x = \tfrac1m \textstyle\sum_i a_i x_i, \quad \bar y = \tfrac1m \sum_j b_j y_j, \quad m = \sum_i a_i
/// ```
///
/// The norm is that of the ground cost, and `p` is 2 for the squared Euclidean one and else 1: `‖·‖^p` is convex, and
/// `x̄ - ȳ` is the mean of `x - y` under any plan (Jensen). Attained by a translation. No pass over the costs.
///
/// # Errors
///
/// - [`Error::Missing`]: the cost is a matrix, not of points.
/// - Those of the problem, as for [`emd`](crate::transport::emd).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, x) = (array![0.25_f64, 0.75], array![[0.0, 1.0], [2.0, 5.0]]);
/// let y = &x + &array![3.0, 4.0];
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// assert_eq!(centroid_bound(problem)?, 5.0);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn centroid_bound<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::centroid_bound(problem)
}

pub(in crate::transport) fn of_centroids<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let points = ProjectedPoints::new(&problem, "centroid_bound")?;
    lower(points.centroids(), "cost")
}

/// The largest of the distances between the projections of both sides onto given lines.
///
/// ```math
/// \operatorname{EMD} \ge \max_k \frac{W_p^p\bigl(\langle\theta_k, x\rangle, \langle\theta_k, y\rangle\bigr)}{\lVert\theta_k\rVert_*^p}
/// ```
///
/// `directions` θ are `[k, d]`, of any length but zero. By Hölder's inequality `|⟨θ, x - y⟩| <= ‖θ‖_* ‖x - y‖`, so that a plan
/// pays on the line no more than `‖θ‖_*^p` times what it pays in space, and the best plan on the line no more than that:
///
/// - `Manhattan`: `p = 1`, and the dual norm is `max_i |θ_i|`;
/// - `Euclidean`: `p = 1`, and it is the Euclidean length;
/// - `SquaredEuclidean`: `p = 2`, and it is the same length, squared: `|⟨θ, x - y⟩|² <= ‖θ‖² ‖x - y‖²`.
///
/// Never below [`centroid_bound`] where a direction is along the centroids' difference (for `Manhattan`, its signs). No pass
/// over the costs: a sort for each direction.
///
/// # Errors
///
/// - [`Error::Missing`]: the cost is a matrix, not of points.
/// - [`Error::Shape`], [`Error::Value`]: a direction of another dimension, not finite, or zero.
/// - Those of the problem, as for [`emd`](crate::transport::emd).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, x, y) = (array![0.5_f64, 0.5], array![[0.0, 0.0], [0.0, 1.0]], array![[3.0, 1.0], [3.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// assert_eq!(projection_bound(problem, &array![[0.0, 1.0], [2.0, 0.0]])?, 3.0);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn projection_bound<T: Real>(problem: TransportProblem<'_, T>, directions: &ArrayRef2<T>) -> Result<T> {
    T::projection_bound(problem, directions)
}

pub(in crate::transport) fn along_directions<T: Real>(
    problem: TransportProblem<'_, T>,
    directions: &ArrayRef2<T>,
) -> Result<T> {
    let points = ProjectedPoints::new(&problem, "projection_bound")?;
    check::shape("directions", &[directions.ncols()], &[points.dimension()])?;
    let mut best = f64::NEG_INFINITY;
    for (k, direction) in directions.rows().into_iter().enumerate() {
        let direction: Vec<f64> = direction.iter().map(|x| x.as_f64()).collect();
        let largest = direction.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        if largest == 0.0 || direction.iter().any(|x| !x.is_finite()) {
            let value = direction.iter().copied().find(|x| !x.is_finite()).unwrap_or(0.0);
            let allowed = "a direction that is finite and not zero";
            return Err(Error::Value { argument: "directions", position: k.into(), value, allowed });
        }
        let unit = |x: &f64| x / largest;
        let length = match points.ground {
            GroundCost::Manhattan => 1.0,
            _ => direction.iter().map(|x| unit(x) * unit(x)).sum::<f64>().sqrt(),
        };
        best = best.max(points.along(&direction.iter().map(|x| unit(x) / length).collect::<Vec<_>>())?);
    }
    if best == f64::NEG_INFINITY {
        return Err(Error::Empty { argument: "directions" });
    }
    lower(best, "cost")
}

/// The distances along the axes, taken together as the ground cost takes coordinates together.
///
/// With `W_k` for the distance of both sides' k-th coordinates, `W_1` or for squared Euclidean costs `W_2²`:
///
/// ```math
/// \operatorname{EMD} \ge
/// \begin{cases}
/// \sum_k W_k & \text{Manhattan and squared Euclidean} \\
/// \bigl(\sum_k W_k^2\bigr)^{1/2} & \text{Euclidean}
/// \end{cases}
/// ```
///
/// The first two are sums over axes, on each of which a plan of the whole is one plan among others. For the third, the
/// triangle inequality gives `Σ P ‖z‖ >= ‖Σ P |z|‖`, with `z = x - y` and its absolute values by coordinates, and each
/// coordinate of the right side is at least `W_k`. Never below [`centroid_bound`], since `W_k` is at least the distance of
/// means, to the power p. No pass over the costs: a sort for each axis.
///
/// # Errors
///
/// As for [`centroid_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (a, x, y) = (array![0.5_f64, 0.5], array![[0.0, 0.0], [6.0, 0.0]], array![[3.0, 4.0], [3.0, 4.0]]);
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// assert_eq!((centroid_bound(problem)?, axis_bound(problem)?, emd(problem)?), (4.0, 5.0, 5.0));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn axis_bound<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::axis_bound(problem)
}

pub(in crate::transport) fn along_axes<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let points = ProjectedPoints::new(&problem, "axis_bound")?;
    lower(points.axes()?, "cost")
}

/// The points of a problem that hold something, and their masses.
pub(in crate::transport) struct ProjectedPoints<'a, T> {
    x: Cloud<'a, T>,
    y: Cloud<'a, T>,
    ground: GroundCost,
}

/// The points of one side.
struct Cloud<'a, T> {
    points: ArrayView2<'a, T>,
    places: Vec<usize>,
    masses: Array1<f64>,
}

impl<'a, T: Real> Cloud<'a, T> {
    fn new(points: ArrayView2<'a, T>, masses: &[f64]) -> Self {
        let places = mass::held(masses);
        Self { points, masses: chosen(masses, &places).into(), places }
    }

    /// A number of each point.
    fn each(&self, of: impl Fn(ArrayView1<'a, T>) -> f64) -> Array1<f64> {
        self.places.iter().map(|&i| of(self.points.index_axis_move(Axis(0), i))).collect()
    }
}

impl<'a, T: Real> ProjectedPoints<'a, T> {
    fn new(problem: &TransportProblem<'a, T>, objective: &'static str) -> Result<Self> {
        let masses = problem.held_masses()?.scaled();
        Self::of(&problem.cost, &masses).ok_or(Error::Missing { objective, argument: "points" })
    }

    /// The same of a problem that has been checked; none where its cost is a matrix.
    pub(in crate::transport) fn of(cost: &Cost<'a, T>, masses: &Masses) -> Option<Self> {
        let Cost::Points { x, y, ground } = *cost else { return None };
        Some(Self { x: Cloud::new(x, &masses.a), y: Cloud::new(y, &masses.b), ground })
    }

    /// What a mass whose mean way has these coordinates pays at least.
    fn combine(&self, along_axes: &[f64]) -> f64 {
        match self.ground {
            GroundCost::Euclidean => {
                let largest = along_axes.iter().copied().fold(0.0, f64::max);
                match largest {
                    0.0 => 0.0,
                    _ => largest * along_axes.iter().map(|w| (w / largest).powi(2)).sum::<f64>().sqrt(),
                }
            }
            _ => along_axes.iter().sum(),
        }
    }

    fn dimension(&self) -> usize {
        self.x.points.ncols()
    }

    /// See [`centroid_bound`].
    pub(in crate::transport) fn centroids(&self) -> f64 {
        let total = mass::total(self.x.masses.as_slice().unwrap_or_default());
        let mean = |side: &Cloud<'a, T>, k: usize| {
            let terms = side.each(|point| point[k].as_f64()) * side.masses.mapv(|mass| mass / total);
            reduction::sum(terms.as_slice().unwrap_or_default())
        };
        let along = |k: usize| {
            let way = (mean(&self.x, k) - mean(&self.y, k)).abs();
            total * if self.ground == GroundCost::SquaredEuclidean { way * way } else { way }
        };
        self.combine(&(0..self.dimension()).map(along).collect::<Vec<_>>())
    }

    /// See [`axis_bound`].
    pub(in crate::transport) fn axes(&self) -> Result<f64> {
        let along = |k: usize| self.on_a_line(|point| point[k].as_f64());
        Ok(self.combine(&(0..self.dimension()).map(along).collect::<Result<Vec<_>>>()?))
    }

    /// The distance of the projections onto a direction.
    fn along(&self, direction: &[f64]) -> Result<f64> {
        self.on_a_line(|point| point.iter().zip(direction).map(|(x, by)| x.as_f64() * by).sum())
    }

    fn on_a_line(&self, at: impl Fn(ArrayView1<'a, T>) -> f64) -> Result<f64> {
        let power = if self.ground == GroundCost::SquaredEuclidean { 2.0 } else { 1.0 };
        let (x, y) = (self.x.each(&at), self.y.each(&at));
        let (x, y) =
            (Measure::weighted(x.view(), self.x.masses.view()), Measure::weighted(y.view(), self.y.masses.view()));
        wasserstein_1d(x, y, power).map_err(|error| error.rename(|_| "cost"))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::emd;

    const GROUNDS: [GroundCost; 3] = [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan];

    #[test]
    fn each_stays_below_and_axes_above_centroids() {
        let mut next = generator(41);
        for trial in 0..200 {
            let (n, m, d) = (1 + trial % 7, 1 + trial % 5, 1 + trial % 4);
            let x = Array2::from_shape_simple_fn((n, d), || 2.0 * next());
            let y = Array2::from_shape_simple_fn((m, d), || 0.3 + next());
            let directions = Array2::from_shape_simple_fn((6, d), || next() - 0.5);
            let (a, b) = (Array1::from_elem(n, m as f64), Array1::from_elem(m, n as f64));
            for ground in GROUNDS {
                let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
                let value = emd(problem).unwrap() * (1.0 + 1e-13);
                let (centroid, axes) = (centroid_bound(problem).unwrap(), axis_bound(problem).unwrap());
                assert!(centroid <= axes * (1.0 + 1e-13) && axes <= value, "{ground:?}: {centroid}, {axes}, {value}");
                let projected = projection_bound(problem, &directions).unwrap();
                assert!(projected <= value, "{ground:?}: {projected}, {value}");
                if d == 1 {
                    close(projected, value, 1e-12);
                    close(axes, value, 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_translation_attains_all_of_them() {
        let mut next = generator(42);
        let x = Array2::from_shape_simple_fn((9, 2), &mut next);
        let (a, way) = (Array1::from_elem(9, 0.5), array![3.0, -4.0]);
        let y = &x + &way;
        for (ground, expected) in GROUNDS.into_iter().zip([25.0, 5.0, 7.0]) {
            let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), ground));
            close(centroid_bound(problem).unwrap(), 4.5 * expected, 1e-14);
            close(axis_bound(problem).unwrap(), 4.5 * expected, 1e-14);
            // Along the way, and for the sum of absolute values along its signs.
            let best = if ground == GroundCost::Manhattan { array![[1.0, -1.0]] } else { array![[30.0, -40.0]] };
            close(projection_bound(problem, &best).unwrap(), 4.5 * expected, 1e-14);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let (a, cost, x) = (array![1.0], array![[1.0]], array![[0.0, 1.0]]);
        let matrix = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
        assert_eq!(centroid_bound(matrix).unwrap_err().to_string(), "centroid_bound needs `points`");
        assert_eq!(axis_bound(matrix).unwrap_err().to_string(), "axis_bound needs `points`");
        let points = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), x.view(), GroundCost::Euclidean));
        let message = |directions: Array2<f64>| projection_bound(points, &directions).unwrap_err().to_string();
        assert_eq!(message(array![[1.0]]), "`directions` has shape [1], expected [2]");
        assert_eq!(
            message(array![[1.0, 0.0], [0.0, 0.0]]),
            "`directions`[1] is 0, allowed is a direction that is finite and not zero"
        );
        assert!(message(array![[1.0, f64::INFINITY]]).starts_with("`directions`[0] is inf"));
        assert_eq!(message(Array2::zeros((0, 2))), "`directions` is empty, needed is at least one element");
    }
}
