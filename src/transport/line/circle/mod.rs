//! The Wasserstein distance on a circle: the line's, from the best place to cut it open.

mod median;
mod search;

use super::measure::Atoms;
use super::merge::{Side, Sorted, Sum, level, walk};
use super::power::Power;
use super::wasserstein_1d::fitting;
use crate::error::Position;
use crate::transport::Measure;
use crate::{Error, Real, Result, check, parallel};

/// `W_p^p` on a circle: the least cost of moving one measure onto another, at `|distance|^p` for each unit of mass, the
/// shorter way round.
///
/// ```math
/// W_p^p(x, y) = \min_{\gamma \in \Pi(x, y)} \int \min_{k \in \mathbb{Z}} |s - t + k c|^p \, d\gamma(s, t)
/// = \min_{\theta} \int_0^m |F_x^{-1}(u) - F_y^{-1}(u + \theta)|^p \, du
/// ```
///
/// `c` is the `period`: positions are taken modulo it, so 1 is for shares of a turn and `2π` for radians; distances are
/// along the circle, at most `c/2`. The quantile functions go on as `F⁻¹(u + m) = F⁻¹(u) + c`, where `m` is the common
/// total, and no root is taken, as in [`wasserstein_1d`](super::wasserstein_1d()), which is never below.
///
/// Exact up to rounding. With `p = 1` the best shift is the median, weighted by lengths, of the difference of the
/// distribution functions: `O(n)` beyond the sorts. Otherwise the cost is a convex function of the shift, piecewise linear,
/// whose least value is found between tangents that close in on it, each for one pass. The result is then formed anew
/// from the atoms that start together, so that no mass is split by the shift.
///
/// # Errors
///
/// - [`Error::Parameter`]: `p` is not finite or below 1, `period` is not finite or not above zero.
/// - [`Error::Value`]: a point that holds mass is not finite, or a weight is not finite or below zero.
/// - [`Error::Shape`], [`Error::Empty`], [`Error::Unbalanced`]: as [`wasserstein_1d`](super::wasserstein_1d()).
/// - [`Error::Overflow`]: the result, a total or `(4c)^p` does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let (evening, morning) = (Measure::uniform(aview1(&[23.0_f64, 1.0])), Measure::uniform(aview1(&[0.0, 2.0])));
/// assert_eq!(wasserstein_circle(evening, morning, 1.0, 24.0)?, 1.0); // hours
/// assert_eq!(wasserstein_1d(evening, morning, 1.0)?, 11.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Delon, Salomon and Sobolevski, *Fast transport optimization for Monge costs on the circle*, SIAM J. Appl. Math. 2010,
/// [arXiv:0902.3527](https://arxiv.org/abs/0902.3527). Rabin, Delon and Gousseau, *Transportation distances on the circle*,
/// J. Math. Imaging Vis. 2011, [arXiv:0906.5499](https://arxiv.org/abs/0906.5499).
pub fn wasserstein_circle<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64, period: f64) -> Result<T> {
    let power = Power::new(p)?;
    check::positive("period", period)?;
    let mut sides = Atoms::both(x, y)?;
    let bytes = 16 * (sides[0].len() + sides[1].len());
    parallel::for_each(sides.iter_mut().collect(), bytes, |atoms| {
        atoms.move_points(|point| wrapped(point, period));
        atoms.sort();
    });
    if !(power.of(4.0 * period) * sides[0].total()).is_finite() {
        return Err(Error::overflow::<f64>("x.points", Position::default()));
    }
    let (x, y, unit) = level(&sides[0], &sides[1]);
    let [from_x, from_y] = match power {
        Power::First => median::start(&x, &y, period),
        _ => search::start(&x, &y, power, period),
    };
    fitting(unit * cost(&Turned::whole(x, from_x, period), &Turned::whole(y, from_y, period), power))
}

/// The point modulo the period, between `-period/2` and `period/2`, where the remainder is exact.
fn wrapped(point: f64, period: f64) -> f64 {
    let rest = point % period;
    match rest {
        _ if rest >= 0.5 * period => rest - period,
        _ if rest < -0.5 * period => rest + period,
        _ => rest + 0.0, // one zero for both
    }
}

fn cost(x: &Turned<'_>, y: &Turned<'_>, power: Power) -> f64 {
    let mut sum = Sum::default();
    walk(x, y, |step| sum.add(step.mass * power.of(step.distance)));
    sum.total()
}

/// From which atom on a side is read, and how far around that one lies.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    atom: usize,
    lift: f64,
}

impl Start {
    /// The atom that is so many places behind the first one; `n` atoms make a turn.
    fn new(place: usize, n: usize, lift: f64, period: f64) -> Self {
        Self { atom: place % n, lift: lift + (place / n) as f64 * period }
    }
}

/// A sorted side, read around the circle once. The atom that is read first may be split: the rest of it comes last.
struct Turned<'a> {
    side: Sorted<'a>,
    start: Start,
    begin: f64,
    end: Option<f64>,
    period: f64,
}

impl<'a> Turned<'a> {
    /// No atom is split.
    fn whole(side: Sorted<'a>, start: Start, period: f64) -> Self {
        Self { side, start, begin: side.mass(start.atom), end: None, period }
    }

    fn atoms(&self) -> usize {
        self.side.last() + 1
    }
}

impl Side for Turned<'_> {
    #[inline]
    fn last(&self) -> usize {
        self.side.last() + usize::from(self.end.is_some())
    }

    #[inline]
    fn point(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        self.side.point(if place < self.atoms() { place } else { place - self.atoms() })
    }

    #[inline]
    fn mass(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        match index {
            0 => self.begin,
            _ if index == self.atoms() => self.end.unwrap_or(0.0),
            _ => self.side.mass(if place < self.atoms() { place } else { place - self.atoms() }),
        }
    }

    #[inline]
    fn lift(&self, index: usize) -> f64 {
        let turned = self.start.atom + index >= self.atoms();
        self.start.lift + if turned { self.period } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::wasserstein_1d;

    const POWERS: [f64; 4] = [1.0, 1.5, 2.0, 3.7];

    type Points = (Array1<f64>, Array1<f64>);

    fn measure((points, weights): &Points) -> Measure<'_, f64> {
        Measure::weighted(points.view(), weights.view())
    }

    /// Points around several turns; weights of one total, on a grid if so wanted.
    fn sample(random: &mut impl FnMut() -> f64, n: usize, grid: bool) -> Points {
        let mut weights = Array1::from_elem(n, 0.0);
        match grid {
            false => weights.mapv_inplace(|_| 0.1 + random()),
            true => (0..16).for_each(|_| weights[(random() * n as f64) as usize] += 1.0),
        }
        let points = Array1::from_shape_simple_fn(n, || match grid {
            false => 10.0 * random() - 5.0,
            true => (12.0 * random()).floor() * 0.25,
        });
        let total: f64 = weights.sum();
        (points, weights / total)
    }

    /// The least cost over all pairs of atoms that may start together, on the universal cover: every vertex of the
    /// function that the search minimises.
    fn least_of_all_starts(x: &Points, y: &Points, p: f64, period: f64) -> f64 {
        let sorted = |points: &Points| {
            let mut atoms: Vec<_> =
                points.0.iter().map(|x| x.rem_euclid(period)).zip(points.1.iter().copied()).collect();
            atoms.retain(|atom| atom.1 > 0.0);
            atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
            atoms
        };
        let (x, y) = (sorted(x), sorted(y));
        let from = |atoms: &[(f64, f64)], start: usize, lift: f64| {
            let (before, behind) = atoms.split_at(start);
            let turned = before.iter().map(|atom| (atom.0 + period, atom.1));
            let both: (Vec<_>, Vec<_>) = behind.iter().copied().chain(turned).map(|a| (a.0 + lift, a.1)).unzip();
            (Array1::from(both.0), Array1::from(both.1))
        };
        let mut least = f64::INFINITY;
        for (i, j, lift) in
            (0..x.len()).flat_map(|i| (0..y.len()).flat_map(move |j| [-1.0, 0.0, 1.0].map(|l| (i, j, l))))
        {
            let (x, y) = (from(&x, i, 0.0), from(&y, j, lift * period));
            // In the order of the lists, not of the points: first to first.
            let (mut i, mut j, mut cost) = (0, 0, 0.0);
            let (mut left, mut right) = (x.1[0], y.1[0]);
            loop {
                let mass = left.min(right);
                cost += mass * (x.0[i] - y.0[j]).abs().powf(p);
                (left, right) = (left - mass, right - mass);
                if left <= 1e-12 {
                    i += 1;
                    if i == x.0.len() {
                        break;
                    }
                    left = x.1[i];
                }
                if right <= 1e-12 {
                    j += 1;
                    if j == y.0.len() {
                        break;
                    }
                    right = y.1[j];
                }
            }
            least = least.min(cost);
        }
        least
    }

    #[test]
    fn values_are_those_of_pot_and_of_the_linear_programme() {
        let x = (Array1::from(vec![0.7, -1.2, 3.5, 0.7, 2.25]), Array1::from(vec![0.1, 0.3, 0.05, 0.35, 0.2]));
        let y = (Array1::from(vec![1.5, -0.25, 0.7, -2.0]), Array1::from(vec![0.25, 0.15, 0.4, 0.2]));
        let expected = [
            (1.0, 0.0975, 0.0825),
            (1.5, 0.044_565_594_803_123_15, 0.036_739_356_881_873_9),
            (2.0, 0.020_875, 0.017_125),
            (3.7, 0.001_705_066_606_076_898, 0.001_447_296_835_638_702),
        ];
        for (p, with_weights, without) in expected {
            close(wasserstein_circle(measure(&x), measure(&y), p, 1.0).unwrap(), with_weights, 4e-15);
            let (x, y) = (Measure::uniform(x.0.view()), Measure::uniform(y.0.view()));
            close(wasserstein_circle(x, y, p, 1.0).unwrap(), without, 4e-15);
        }
    }

    #[test]
    fn it_is_the_least_over_all_starts() {
        let mut random = generator(11);
        for (turn, p) in (0..60).flat_map(|turn| POWERS.map(|p| (turn, p))) {
            let grid = turn % 2 == 0;
            let (n, m) = (1 + turn % 7, 1 + turn % 5);
            let (x, y) = (sample(&mut random, n, grid), sample(&mut random, m, grid));
            for period in [1.0, 3.0] {
                let expected = least_of_all_starts(&x, &y, p, period);
                let got = wasserstein_circle(measure(&x), measure(&y), p, period).unwrap();
                assert!((got - expected).abs() <= 1e-12 * (1.0 + expected), "{turn}, p = {p}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn measures_without_weights_are_those_with_equal_ones() {
        let mut random = generator(5);
        for (n, m) in [(1, 1), (1, 6), (6, 6), (9, 6), (40, 33), (33, 70)] {
            let (x, y) = (sample(&mut random, n, false).0, sample(&mut random, m, false).0);
            let (a, b) = (Array1::from_elem(n, 1.0 / n as f64), Array1::from_elem(m, 1.0 / m as f64));
            for p in POWERS {
                let uniform =
                    wasserstein_circle(Measure::uniform(x.view()), Measure::uniform(y.view()), p, 2.0).unwrap();
                let weighted =
                    wasserstein_circle(measure(&(x.clone(), a.clone())), measure(&(y.clone(), b.clone())), p, 2.0);
                close(weighted.unwrap(), uniform, 1e-12);
            }
        }
    }

    #[test]
    fn the_search_finds_what_the_median_does() {
        let mut random = generator(8);
        for turn in 0..40 {
            let (mut x, mut y) = (sample(&mut random, 9, turn % 2 == 0), sample(&mut random, 7, turn % 2 == 0));
            [&mut x, &mut y].into_iter().for_each(|side| side.0.mapv_inplace(|point| wrapped(point, 3.0)));
            let mut sides = Atoms::both(measure(&x), measure(&y)).unwrap();
            sides.iter_mut().for_each(Atoms::sort);
            let (x, y, unit) = level(&sides[0], &sides[1]);
            let by = |[from_x, from_y]: [Start; 2]| {
                unit * cost(&Turned::whole(x, from_x, 3.0), &Turned::whole(y, from_y, 3.0), Power::First)
            };
            let (median, search) = (by(median::start(&x, &y, 3.0)), by(search::start(&x, &y, Power::First, 3.0)));
            assert!((median - search).abs() < 1e-14, "{turn}: {median} and {search}");
        }
    }

    #[test]
    fn neighbours_across_the_cut_are_as_near_as_they_are() {
        let near = 2_f64.powi(-40);
        for p in POWERS {
            for (left, right) in
                [(0.5 - near, near - 0.5), (1.0 - near, 1.0 + near), (-near, near), (3.0, 7.0 + 2.0 * near)]
            {
                let value =
                    wasserstein_circle(Measure::uniform(aview1(&[left])), Measure::uniform(aview1(&[right])), p, 1.0);
                close(value.unwrap(), (2.0 * near).powf(p), 1e-14);
            }
        }
    }

    #[test]
    fn a_measure_is_at_no_distance_from_itself_turns_away() {
        let mut random = generator(2);
        let (points, weights) = sample(&mut random, 50, true);
        let turned = points.mapv(|x| x + 3.0 * (x * 8.0).floor());
        let backwards: Vec<usize> = (0..50).rev().collect();
        let mirrored = (turned.select(ndarray::Axis(0), &backwards), weights.select(ndarray::Axis(0), &backwards));
        for p in POWERS {
            assert_eq!(
                wasserstein_circle(measure(&(points.clone(), weights.clone())), measure(&mirrored), p, 3.0),
                Ok(0.0)
            );
        }
    }

    #[test]
    fn nearly_equal_measures_keep_their_digits() {
        // All mass moves by 2^-30, some of it across the place where the circle is counted from.
        let step = 2_f64.powi(-30);
        let points = Array1::from_shape_fn(8, |i| 0.125 * i as f64 - 0.5);
        let weights = Array1::from_shape_fn(8, |i| (1.0 + (i * 5 % 8) as f64) / 36.0);
        let moved = points.mapv(|x| x - step);
        for p in POWERS {
            let value = wasserstein_circle(
                measure(&(points.clone(), weights.clone())),
                measure(&(moved.clone(), weights.clone())),
                p,
                1.0,
            );
            close(value.unwrap(), step.powf(p), 1e-13);
        }
    }

    #[test]
    fn within_half_a_turn_it_is_the_line() {
        let mut random = generator(21);
        let (x, y) = (sample(&mut random, 12, false), sample(&mut random, 9, false));
        for p in POWERS {
            let line = wasserstein_1d(measure(&x), measure(&y), p).unwrap();
            close(wasserstein_circle(measure(&x), measure(&y), p, 20.0).unwrap(), line, 1e-12);
            assert!(wasserstein_circle(measure(&x), measure(&y), p, 5.0).unwrap() <= line * (1.0 + 1e-14));
        }
    }

    #[test]
    fn bad_input_is_named() {
        let one = Measure::uniform(aview1(&[1.0]));
        let message = |x, y, p, period| wasserstein_circle::<f64>(x, y, p, period).unwrap_err().to_string();
        assert_eq!(message(one, one, 0.5, 1.0), "`p` is 0.5, allowed is finite and >= 1");
        for (period, shown) in [(0.0, "0"), (-1.0, "-1"), (f64::INFINITY, "inf"), (f64::NAN, "NaN")] {
            assert_eq!(message(one, one, 1.0, period), format!("`period` is {shown}, allowed is finite and > 0"));
        }
        let nan = Measure::uniform(aview1(&[0.0, f64::NAN]));
        assert_eq!(message(one, nan, 2.0, 1.0), "`y.points`[1] is NaN, allowed is finite");
        assert_eq!(message(one, one, 2.0, 1e200), "the result at `x.points` overflows f64");
    }
}
