//! Lower bounds between points: the problem of their projections onto lines, which has an exact solution.

use ndarray::{ArrayRef2, ArrayView1, ArrayView2, Axis};

use crate::error::Position;
use crate::transport::outwards::lower;
use crate::transport::problem::Masses;
use crate::transport::twofold::{Twofold, root_above, root_below};
use crate::transport::{Cost, GroundCost, TransportProblem, mass};
use crate::{Error, Real, Result, check};

/// The cost of moving all mass from one centroid to the other.
///
/// ```math
/// \operatorname{EMD} \ge m\, \lVert \bar x - \bar y \rVert^p, \qquad
/// \bar x = \tfrac1m \textstyle\sum_i a_i x_i, \quad \bar y = \tfrac1m \sum_j b_j y_j, \quad m = \sum_i a_i
/// ```
///
/// The norm is that of the ground cost, and `p` is 2 for the squared Euclidean one and else 1: `‖·‖^p` is convex, and
/// `x̄ - ȳ` is the mean of `x - y` under any plan (Jensen). Attained by a translation. Rounded downwards by all that
/// its sums and the costs in `f64` may have lost. No pass over the costs.
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
/// # use loglik::transport::{GroundCost, centroid_bound};
/// let (a, x) = (array![0.25_f64, 0.75], array![[0.0, 1.0], [2.0, 5.0]]);
/// let y = &x + &array![3.0, 4.0];
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// let bound = centroid_bound(problem)?;
/// assert!(bound <= 5.0 && bound > 4.999_999_999);
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
/// `directions` θ are `[k, d]`, of any length but zero. By Hölder's inequality `|⟨θ, x - y⟩| <= ‖θ‖_* ‖x - y‖`, so that a
/// plan pays on the line no more than `‖θ‖_*^p` times what it pays in space, and the best plan on the line no more than
/// that:
///
/// - `Manhattan`: `p = 1`, and the dual norm is `max_i |θ_i|`;
/// - `Euclidean`: `p = 1`, and it is the Euclidean length;
/// - `SquaredEuclidean`: `p = 2`, and it is the same length, squared: `|⟨θ, x - y⟩|² <= ‖θ‖² ‖x - y‖²`.
///
/// Rounded downwards, as [`centroid_bound`]; never below it where a direction is along the centroids' difference (for
/// `Manhattan`, its signs). No pass over the costs: a sort for each direction.
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
/// # use loglik::transport::{GroundCost, projection_bound};
/// let (a, x, y) = (array![0.5_f64, 0.5], array![[0.0, 0.0], [0.0, 1.0]], array![[3.0, 1.0], [3.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// let bound = projection_bound(problem, &array![[0.0, 1.0], [2.0, 0.0]])?;
/// assert!(bound <= 3.0 && bound > 2.999_999_999);
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
        // What rounding makes of it is a direction, too, whose own length is divided by.
        best = best.max(points.along(&direction.iter().map(|x| x / largest).collect::<Vec<_>>())?);
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
/// coordinate of the right side is at least `W_k`. Rounded downwards, as [`centroid_bound`], and but for that never below
/// it, since `W_k` is at least the distance of means, to the power p. No pass over the costs: a sort for each axis.
///
/// # Errors
///
/// As for [`centroid_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{GroundCost, axis_bound, centroid_bound};
/// let (a, x, y) = (array![0.5_f64, 0.5], array![[0.0, 0.0], [6.0, 0.0]], array![[3.0, 4.0], [3.0, 4.0]]);
/// let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
/// let (centroids, axes, exact) = (centroid_bound(problem)?, axis_bound(problem)?, emd(problem)?);
/// assert!(centroids <= 4.0 && centroids > 3.999_999_999 && axes <= exact && axes > 4.999_999_999);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn axis_bound<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::axis_bound(problem)
}

pub(in crate::transport) fn along_axes<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let points = ProjectedPoints::new(&problem, "axis_bound")?;
    lower(points.axes()?, "cost")
}

/// The points of a problem that hold something, and their masses in units of a power of two.
pub(in crate::transport) struct ProjectedPoints<'a, T> {
    x: Cloud<'a, T>,
    y: Cloud<'a, T>,
    ground: GroundCost,
    /// What a unit of mass is.
    unit: f64,
    /// By how much of itself a cost in `f64` may be below the exact one.
    rounding: f64,
}

/// The points of one side.
struct Cloud<'a, T> {
    points: ArrayView2<'a, T>,
    places: Vec<usize>,
    masses: Vec<Twofold>,
}

/// A mass on a line.
#[derive(Clone, Copy)]
struct Dot {
    at: Twofold,
    mass: Twofold,
}

impl<'a, T: Real> Cloud<'a, T> {
    fn new(points: ArrayView2<'a, T>, masses: impl Iterator<Item = Twofold>) -> Self {
        let (places, masses) = masses.enumerate().filter(|(_, mass)| mass.is_positive()).unzip();
        Self { points, masses, places }
    }

    fn each(&self, at: impl Fn(ArrayView1<'a, T>) -> Twofold) -> Vec<Dot> {
        let points = self.places.iter().map(|&i| self.points.index_axis_move(Axis(0), i));
        points.zip(&self.masses).map(|(point, &mass)| Dot { at: at(point), mass }).collect()
    }

    fn coordinates(&self) -> impl Iterator<Item = f64> + Clone {
        self.places.iter().flat_map(move |&i| (0..self.points.ncols()).map(move |k| self.points[[i, k]].as_f64()))
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
        let unit = mass::total(&masses.a).log2().floor().clamp(-1022.0, 1022.0).exp2();
        let (x, y) = (
            Cloud::new(x, masses.a.iter().map(|&mass| Twofold::of(mass).times(1.0 / unit))),
            Cloud::new(y, masses.wanted.iter().map(|mass| mass.times(1.0 / unit))),
        );
        let rounding = rounding(ground, x.points.ncols(), x.coordinates().chain(y.coordinates()));
        Some(Self { x, y, ground, unit, rounding })
    }

    /// What a mass whose mean way has these coordinates pays at least, in the unit of the masses of the caller.
    fn combine(&self, along_axes: &[Twofold]) -> f64 {
        let sum = |terms: &mut dyn Iterator<Item = Twofold>| {
            let mut sum = Twofold::default();
            terms.for_each(|term| sum.add_all(term));
            sum
        };
        let all = match self.ground {
            GroundCost::Euclidean => {
                let largest = along_axes.iter().fold(0.0, |most: f64, w| most.max(w.nearest()));
                let scale = largest.log2().floor().clamp(-1021.0, 1021.0).exp2();
                match largest {
                    0.0 => Twofold::default(),
                    _ => {
                        let squares = along_axes.iter().map(|w| w.times(1.0 / scale)).map(|w| w.times_all(w));
                        Twofold::of(root_below(sum(&mut squares.into_iter()))).times(scale)
                    }
                }
            }
            _ => sum(&mut along_axes.iter().copied()),
        };
        self.rounded(all)
    }

    /// In the unit of the caller, as far below as costs may be rounded; none is below zero.
    fn rounded(&self, bound: Twofold) -> f64 {
        let mut bound = bound.times(self.unit);
        if self.rounding > 0.0 {
            let least = 4.0 * self.dimension() as f64 * f64::from_bits(1); // of squares below the normal numbers
            bound.blur(self.rounding * bound.nearest() + least * self.unit);
        }
        if bound.is_finite() { bound.below().max(0.0) } else { f64::INFINITY }
    }

    fn dimension(&self) -> usize {
        self.x.points.ncols()
    }

    /// See [`centroid_bound`].
    pub(in crate::transport) fn centroids(&self) -> f64 {
        let total = || {
            let mut total = Twofold::default();
            self.x.masses.iter().for_each(|&mass| total.add_all(mass));
            total
        };
        let along = |k: usize| {
            // From one of the points: far from zero they would lose their digits.
            let origin = self.y.places.first().map_or(0.0, |&j| self.y.points[[j, k]].as_f64());
            let from_origin = |point: ArrayView1<'a, T>| Twofold::sum([point[k].as_f64(), -origin]);
            let mut way = Twofold::default();
            self.x.each(from_origin).into_iter().for_each(|Dot { at, mass }| way.add_all(mass.times_all(at)));
            self.y.each(from_origin).into_iter().for_each(|Dot { at, mass }| way.add_all(-mass.times_all(at)));
            let way = way.abs();
            if self.ground == GroundCost::SquaredEuclidean { way.times_all(way.over(total())) } else { way }
        };
        self.combine(&(0..self.dimension()).map(along).collect::<Vec<_>>())
    }

    /// See [`axis_bound`].
    pub(in crate::transport) fn axes(&self) -> Result<f64> {
        let along = |k: usize| self.on_a_line(|point| Twofold::of(point[k].as_f64()));
        fitting(self.combine(&(0..self.dimension()).map(along).collect::<Vec<_>>()))
    }

    /// The distance of the projections onto a direction, over its dual norm.
    fn along(&self, direction: &[f64]) -> Result<f64> {
        let distance = self.on_a_line(|point| {
            let mut at = Twofold::default();
            point.iter().zip(direction).for_each(|(x, &by)| at.add_product(x.as_f64(), by));
            at
        });
        let mut square = Twofold::default();
        direction.iter().for_each(|&x| square.add_product(x, x));
        let norm = match self.ground {
            GroundCost::Manhattan => Twofold::of(direction.iter().fold(0.0, |most: f64, x| most.max(x.abs()))),
            GroundCost::Euclidean => Twofold::of(root_above(square)),
            GroundCost::SquaredEuclidean => square,
        };
        fitting(self.rounded(distance.over(norm)))
    }

    /// What the best plan pays on a line: the one that keeps the order.
    fn on_a_line(&self, at: impl Fn(ArrayView1<'a, T>) -> Twofold) -> Twofold {
        let sorted = |side: &Cloud<'a, T>| {
            let mut dots = side.each(&at);
            dots.sort_by(|left, right| left.at.total_cmp(right.at));
            dots
        };
        let (x, y) = (sorted(&self.x), sorted(&self.y));
        let ends =
            |dots: &[Dot]| dots.first().zip(dots.last()).map(|(first, last)| (first.at.below(), last.at.above()));
        let ends = [ends(&x), ends(&y)].into_iter().flatten();
        let (low, high) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |ends, (low, high)| (ends.0.min(low), ends.1.max(high)));
        let blur = x.iter().chain(&y).fold(0.0, |most: f64, dot| most.max(dot.at.error()));
        let (mut left, mut right) = (x.into_iter().peekable(), y.into_iter().peekable());
        let (mut paid, mut unsure) = (Twofold::default(), 0.0);
        while let (Some(from), Some(to)) = (left.peek_mut(), right.peek_mut()) {
            let mut way = from.at;
            way.add_all(-to.at);
            let way = way.abs();
            let cost = if self.ground == GroundCost::SquaredEuclidean { way.times_all(way) } else { way };
            let mut rest = from.mass;
            rest.add_all(-to.mass);
            unsure += rest.error();
            if rest.nearest() < 0.0 {
                paid.add_all(cost.times_all(from.mass));
                to.mass = -rest;
                left.next();
            } else {
                paid.add_all(cost.times_all(to.mass));
                from.mass = rest;
                right.next();
            }
        }
        // What goes to the wrong neighbor where masses or places are not known to the last digit.
        let extent = high - low;
        let farthest =
            if self.ground == GroundCost::SquaredEuclidean { [extent * extent, 2.0 * extent] } else { [extent, 1.0] };
        if unsure > 0.0 || blur > 0.0 {
            paid.blur(2.0 * unsure * farthest[0] + 8.0 * blur * farthest[1]);
        }
        paid
    }
}

/// By how much of itself a cost may be off: nothing where all coordinates are whole multiples, below 2²⁰, of one power of
/// two, and no root is taken of their squares but along one axis.
fn rounding(ground: GroundCost, dimension: usize, coordinates: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = coordinates.clone().fold(0.0, |most: f64, x| most.max(x.abs()));
    let grid = (largest.log2().floor() - 19.0).clamp(-400.0, 400.0).exp2();
    let is_coarse =
        largest == 0.0 || (largest < grid * 2_f64.powi(20) && coordinates.into_iter().all(|x| x % grid == 0.0));
    match ground {
        GroundCost::Euclidean if dimension > 1 => f64::EPSILON * (dimension as f64 + 4.0),
        _ if is_coarse && dimension <= 1024 => 0.0,
        _ => f64::EPSILON * (dimension as f64 + 4.0),
    }
}

fn fitting(bound: f64) -> Result<f64> {
    if bound.is_finite() { Ok(bound) } else { Err(Error::overflow::<f64>("cost", Position::default())) }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

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
