//! The gradient of the distance on a line: slopes in the points, and potentials, which are the slopes in the weights.

use ndarray::Array1;

use super::measure::{Atoms, Names};
use super::merge::{Side, Step, gap, level, walk};
use super::power::Power;
use super::wasserstein_1d::{cost, fitting};
use crate::reduction::Total;
use crate::transport::Measure;
use crate::{Error, Real, Result, reduction};

/// The gradient of a distance in one of its measures, in the order in which the points came.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureGradient<T> {
    /// In the points, `[n]`.
    pub points: Array1<T>,
    /// In the weights, `[n]`, with the mean 0 over the points that hold mass.
    pub weights: Array1<T>,
}

/// [`wasserstein_1d`](super::wasserstein_1d()) and its gradient in the points and in the weights of both measures.
///
/// ```math
/// \frac{\partial W_p^p}{\partial x_i} = \sum_j \gamma_{ij}\, p\, |x_i - y_j|^{p-1} \operatorname{sign}(x_i - y_j), \qquad
/// \frac{\partial W_p^p}{\partial a_i} = f_i, \quad f_i + g_j \le |x_i - y_j|^p, \quad
/// \sum_i a_i f_i + \sum_j b_j g_j = W_p^p
/// ```
///
/// `γ` is the optimal plan, `f` and `g` are the Kantorovich potentials, read off along the merged quantiles. Both totals
/// move together, so that each potential is determined up to a constant: each is given with the mean 0 over the points
/// that hold mass, and pushed through a softmax the constant drops out. Measures without weights have this gradient, too.
///
/// Where the distance is not differentiable this is one of its generalized gradients. Of points in one place the lighter
/// ones, then those that came first, are served first. With `p = 1` a point that stays where it is has the slope 0. Where
/// both quantile functions jump at once (everywhere, if both sides have as many points of equal weight) the potentials
/// are the mean of the slopes to both sides, that is what a central difference gives.
///
/// A point of weight zero has the gradient 0 and is never looked at. The value has the bits of
/// [`wasserstein_1d`](super::wasserstein_1d()). `O(n log n)` time, 40 bytes of scratch for each point.
///
/// # Errors
///
/// As [`wasserstein_1d`](super::wasserstein_1d()); [`Error::Overflow`] also where a slope or a potential does not fit the
/// type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// # use loglik::transport::{Measure, wasserstein_1d_grad};
/// let here = Measure::weighted(aview1(&[0.0_f64, 1.0]), aview1(&[0.5, 0.5]));
/// let there = Measure::weighted(aview1(&[3.0]), aview1(&[1.0]));
/// let (value, gradient, _) = wasserstein_1d_grad(here, there, 2.0)?;
/// assert_eq!(value, 6.5); // 0.5 · 9 + 0.5 · 4
/// assert_eq!(gradient.points, array![-3.0, -2.0]);
/// assert_eq!(gradient.weights, array![2.5, -2.5]); // 9 and 4, less their mean
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Peyré and Cuturi, *Computational Optimal Transport*, 2019, sections 2.6, 3.1 and 9.1,
/// [arXiv:1803.00567](https://arxiv.org/abs/1803.00567).
pub fn wasserstein_1d_grad<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    T::wasserstein_1d_grad(x, y, p)
}

pub(in crate::transport) fn gradient<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    let power = Power::new(p)?;
    let ([left, right], places) = Atoms::both_sorted(x, y, |point| point)?;
    let value = fitting(cost(&left, &right, power))?;
    let (x_sorted, y_sorted, unit) = level(&left, &right);
    let slopes = slopes(&x_sorted, &y_sorted, unit, power);
    let potentials = potentials(&x_sorted, &y_sorted, power, End::Open).map(centered);
    let [in_x, in_y] = laid((x, y), places, slopes, potentials)?;
    Ok((value, in_x, in_y))
}

/// The gradients of both measures, from slopes and potentials of their sorted atoms.
pub(super) fn laid<T: Real>(
    measures: (Measure<'_, T>, Measure<'_, T>),
    [x_places, y_places]: [Vec<usize>; 2],
    [x_slopes, y_slopes]: [Vec<f64>; 2],
    [x_potentials, y_potentials]: [Vec<f64>; 2],
) -> Result<[MeasureGradient<T>; 2]> {
    let one = |measure: Measure<'_, T>, places, slopes: Vec<f64>, potentials: Vec<f64>, names: &Names| {
        let places = original(&measure, places);
        Ok(MeasureGradient {
            points: scatter(measure.points.len(), &places, &slopes, names.points)?,
            weights: scatter(measure.points.len(), &places, &potentials, names.weights)?,
        })
    };
    let (x, y) = measures;
    Ok([one(x, x_places, x_slopes, x_potentials, &Names::X)?, one(y, y_places, y_slopes, y_potentials, &Names::Y)?])
}

/// The places of atoms among all points, from those among the points that hold mass.
fn original<T: Real>(measure: &Measure<'_, T>, places: Vec<usize>) -> Vec<usize> {
    match measure.places() {
        None => places,
        Some(held) => places.into_iter().map(|place| held[place]).collect(),
    }
}

/// The values of atoms at their places; 0 elsewhere.
fn scatter<T: Real>(n: usize, places: &[usize], values: &[f64], argument: &'static str) -> Result<Array1<T>> {
    let mut laid = Array1::zeros(n);
    for (&place, &value) in places.iter().zip(values) {
        laid[place] = T::from_f64(value) + T::zero(); // never -0
        if !laid[place].is_finite() {
            return Err(Error::overflow::<T>(argument, place));
        }
    }
    Ok(laid)
}

/// `Σ mass · slope` at each atom of both sides, in their order.
pub(super) fn slopes(x: &impl Side, y: &impl Side, unit: f64, power: Power) -> [Vec<f64>; 2] {
    let mut slopes = [vec![0.0; x.last() + 1], vec![0.0; y.last() + 1]];
    let (mut from, mut to) = (Total::default(), Total::default());
    walk(x, y, |step| {
        let slope = (step.mass * unit) * power.slope(step.distance);
        from.add(slope);
        to.add(-slope);
        // Written at each step, so that the last one needs no end.
        slopes[0][step.x] = from.value();
        slopes[1][step.y] = to.value();
        if step.x_ends {
            from = Total::default();
        }
        if step.y_ends {
            to = Total::default();
        }
    });
    slopes
}

/// What comes behind the last atoms of both sides.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    /// Nothing.
    Open,
    /// The first ones again, a turn further.
    Closed,
}

/// Kantorovich potentials of both sides, each from 0 at its first atom: with a constant added, tight along the plan, and no
/// sum of two above its cost anywhere, since costs that are convex in the distance are Monge.
///
/// Where both sides go on at once, the rise of a potential may be anything between two bounds. It is the mean of both, but on
/// a circle, where the rises of a whole turn must sum to zero: there the share of one bound is what makes them.
pub(super) fn potentials(x: &impl Side, y: &impl Side, power: Power, end: End) -> [Vec<f64>; 2] {
    let share = match end {
        End::Open => 0.5,
        End::Closed => {
            let [alone, beside] = [1.0, 0.0].map(|share| {
                let mut turn = Total::default();
                rises(x, y, power, end, share, |rise, _| turn.add(rise.unwrap_or(0.0)));
                turn.value()
            });
            if alone == beside { 0.5 } else { (beside / (beside - alone)).clamp(0.0, 1.0) }
        }
    };
    let mut potentials = [Vec::with_capacity(x.last() + 1), Vec::with_capacity(y.last() + 1)];
    let (mut f, mut g) = (Total::default(), Total::default());
    potentials.iter_mut().for_each(|side| side.push(0.0));
    rises(x, y, power, End::Open, share, |in_x, in_y| {
        for (side, (total, rise)) in potentials.iter_mut().zip([(&mut f, in_x), (&mut g, in_y)]) {
            if let Some(rise) = rise {
                total.add(rise);
                side.push(total.value());
            }
        }
    });
    potentials
}

/// By how much the potential of x and that of y rise after each step, where that side goes on. Where both do, `share` says
/// how much counts of the rise that one has alone, and the rest is that beside the other's.
fn rises(
    x: &impl Side,
    y: &impl Side,
    power: Power,
    end: End,
    share: f64,
    mut rise: impl FnMut(Option<f64>, Option<f64>),
) {
    walk(x, y, |Step { x: i, y: j, distance, x_ends, y_ends, .. }| {
        let closes = end == End::Closed && i == x.last() && j == y.last();
        let (x_ends, y_ends) = (x_ends || closes, y_ends || closes);
        let along_x = if x_ends { gap(x, i) } else { 0.0 };
        let along_y = if y_ends { -gap(y, j) } else { 0.0 };
        let by = |step: f64, aside: f64, share: f64| match aside {
            0.0 => power.rise(distance, step),
            _ => share * power.rise(distance, step) + (1.0 - share) * power.rise(distance + aside, step),
        };
        rise(x_ends.then(|| by(along_x, along_y, share)), y_ends.then(|| by(along_y, along_x, 1.0 - share)));
    });
}

/// Less their mean.
pub(super) fn centered(mut values: Vec<f64>) -> Vec<f64> {
    let mean = reduction::sum(&values) / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::wasserstein_1d;

    const POWERS: [f64; 4] = [1.0, 1.5, 2.0, 3.7];

    /// Two measures of one total: at random, or on a grid, where points and quantiles fall together.
    fn sample(seed: u64, grid: bool) -> [(Array1<f64>, Array1<f64>); 2] {
        let mut random = generator(seed);
        let mut side = |n: usize| match grid {
            false => {
                let weights = Array1::from_shape_simple_fn(n, || 0.1 + random());
                (Array1::from_shape_simple_fn(n, || 4.0 * random() - 2.0), &weights / weights.sum())
            }
            true => {
                // Sixteenths, as they fall.
                let mut weights = Array1::zeros(n);
                (0..16).for_each(|_| weights[(random() * n as f64) as usize] += 0.0625);
                (Array1::from_shape_simple_fn(n, || (4.0 * random()).floor()), weights)
            }
        };
        [side(7), side(5)]
    }

    fn measure(side: &(Array1<f64>, Array1<f64>)) -> Measure<'_, f64> {
        Measure::weighted(side.0.view(), side.1.view())
    }

    #[test]
    fn potentials_are_feasible_and_sum_to_the_value() {
        for (seed, p) in (0..40).flat_map(|seed| POWERS.map(|p| (seed, p))) {
            let [x, y] = sample(seed, seed % 2 == 0);
            let (value, f, g) = wasserstein_1d_grad(measure(&x), measure(&y), p).unwrap();
            let missing = value - x.1.dot(&f.weights) - y.1.dot(&g.weights);
            let scale = 1e-13 * (1.0 + value);
            for (i, &x_i) in x.0.iter().enumerate().filter(|(i, _)| x.1[*i] > 0.0) {
                for (j, &y_j) in y.0.iter().enumerate().filter(|(j, _)| y.1[*j] > 0.0) {
                    let rest = (x_i - y_j).abs().powf(p) - f.weights[i] - g.weights[j] - missing;
                    assert!(rest > -scale, "seed {seed}, p = {p}: {rest} at {i}, {j}");
                }
            }
            for (side, potential) in [(&x, &f), (&y, &g)] {
                let held: f64 = potential.weights.iter().zip(&side.1).filter(|(_, w)| **w > 0.0).map(|(f, _)| f).sum();
                assert!(held.abs() < 1e-13);
            }
        }
    }

    #[test]
    fn the_value_has_the_bits_of_the_value_alone() {
        for (seed, p) in (0..10).flat_map(|seed| POWERS.map(|p| (seed, p))) {
            let [x, y] = sample(seed, seed % 2 == 0);
            let (value, ..) = wasserstein_1d_grad(measure(&x), measure(&y), p).unwrap();
            assert_eq!(value, wasserstein_1d(measure(&x), measure(&y), p).unwrap());
        }
    }

    #[test]
    fn moving_mass_from_point_to_point_costs_the_difference_of_potentials() {
        // As many points of equal weight: both quantile functions jump together everywhere.
        let (x, y) = (array![0.3, -1.0, 2.0, 0.9], array![1.1, -0.4, 0.2, 3.0]);
        for p in POWERS {
            let (_, f, g) = wasserstein_1d_grad(Measure::uniform(x.view()), Measure::uniform(y.view()), p).unwrap();
            let moved = |from: usize, to: usize, step: f64| {
                let mut weights = Array1::from_elem(4, 0.25);
                weights[from] -= step;
                weights[to] += step;
                weights
            };
            let quarter = moved(0, 0, 0.0);
            for (from, to) in [(0, 1), (2, 3), (1, 2), (3, 0)] {
                let difference = |cost: &dyn Fn(&Array1<f64>) -> f64| {
                    (cost(&moved(from, to, 1e-3)) - cost(&moved(from, to, -1e-3))) / 2e-3
                };
                let of_x = difference(&|a| {
                    wasserstein_1d(
                        Measure::weighted(x.view(), a.view()),
                        Measure::weighted(y.view(), quarter.view()),
                        p,
                    )
                    .unwrap()
                });
                assert!((f.weights[to] - f.weights[from] - of_x).abs() < 1e-10, "p = {p}");
                let of_y = difference(&|b| {
                    wasserstein_1d(
                        Measure::weighted(x.view(), quarter.view()),
                        Measure::weighted(y.view(), b.view()),
                        p,
                    )
                    .unwrap()
                });
                assert!((g.weights[to] - g.weights[from] - of_y).abs() < 1e-10, "p = {p}");
            }
        }
    }

    #[test]
    fn slopes_scale_and_shift_as_the_power_does() {
        for (seed, p) in (0..20).flat_map(|seed| POWERS.map(|p| (seed, p))) {
            let [x, y] = sample(seed, seed % 2 == 0);
            let (value, f, g) = wasserstein_1d_grad(measure(&x), measure(&y), p).unwrap();
            close(x.0.dot(&f.points) + y.0.dot(&g.points) + 1.0, p * value + 1.0, 1e-13); // Euler
            assert!((f.points.sum() + g.points.sum()).abs() < 1e-13 * (1.0 + value));
        }
    }

    #[test]
    fn the_first_power_has_signs_and_rests_where_nothing_moves() {
        let (x, y) = (array![0.0, 5.0, 2.0], array![-1.0, 9.0, 2.0]);
        let (value, f, g) = wasserstein_1d_grad(Measure::uniform(x.view()), Measure::uniform(y.view()), 1.0).unwrap();
        close(value, 5.0 / 3.0, 1e-15);
        let third = 1.0 / 3.0;
        assert_eq!((f.points, g.points), (array![third, -third, 0.0], array![-third, third, 0.0]));
    }

    #[test]
    fn points_in_one_place_are_served_in_their_order() {
        let (x, y) = (array![1.0, 1.0], array![3.0, -1.0]);
        let (_, f, _) = wasserstein_1d_grad(Measure::uniform(x.view()), Measure::uniform(y.view()), 2.0).unwrap();
        assert_eq!(f.points, array![2.0, -2.0]);
    }

    #[test]
    fn points_without_mass_have_no_gradient() {
        let (points, masses) = (array![f64::NAN, 2.0, 0.0, 7.0], array![0.0, 0.5, 0.5, 0.0]);
        let y = Measure::weighted(aview1(&[1.0, f64::INFINITY]), aview1(&[1.0, 0.0]));
        let (value, f, g) = wasserstein_1d_grad(Measure::weighted(points.view(), masses.view()), y, 3.0).unwrap();
        assert_eq!((value, f.points), (1.0, array![0.0, 1.5, -1.5, 0.0]));
        assert_eq!((f.weights, g.points, g.weights), (Array1::zeros(4), array![0.0, 0.0], array![0.0, 0.0]));
    }

    #[test]
    fn potentials_keep_their_digits_far_from_each_other() {
        let x = array![1e-3, -2e-3, 5e-4];
        let far = 1e6;
        let there = [far];
        for (p, exact) in [
            (1.0, &(|a: f64, _: f64| a) as &dyn Fn(f64, f64) -> f64),
            (2.0, &|a, b| (a - b) * (a + b)),
            (3.0, &|a, b| (a - b) * (a * a + a * b + b * b)),
        ] {
            let y = Measure::uniform(aview1(&there));
            let (_, f, _) = wasserstein_1d_grad(Measure::uniform(x.view()), y, p).unwrap();
            for (i, j) in [(0, 1), (1, 2)] {
                // |x - far|^p less the same, with the difference of both formed exactly.
                let expected = match p {
                    1.0 => x[j] - x[i],
                    _ => exact(far - x[i], far - x[j]) * ((x[j] - x[i]) / ((far - x[i]) - (far - x[j]))),
                };
                close(f.weights[i] - f.weights[j], expected, 1e-11);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let far = Measure::uniform(aview1(&[1e150, 3e150]));
        let here = Measure::uniform(aview1(&[0.0, -1.0]));
        assert!(wasserstein_1d_grad(far, here, 2.0).is_ok());
        let far = Measure::uniform(aview1(&[1e30_f32, 2e30]));
        let error = wasserstein_1d_grad(far, Measure::uniform(aview1(&[0.0_f32])), 2.0).unwrap_err();
        assert_eq!(error.to_string(), "the result at `x.points` overflows f32");
        // The cost is zero, but that of the way between the points is not.
        let both = Measure::uniform(aview1(&[-1e200, 1e200]));
        assert_eq!(wasserstein_1d(both, both, 2.0), Ok(0.0));
        let error = wasserstein_1d_grad(both, both, 2.0).unwrap_err();
        assert_eq!(error.to_string(), "the result at `x.weights`[0] overflows f64");
    }
}
