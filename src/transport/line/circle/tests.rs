//! The circle against peers, every cut, and its own laws.

use ndarray::{Array1, aview1};

use super::ring::wrapped;
use super::turned::{Start, Turned, cost};
use super::*;
use crate::testing::{close, generator};
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::level;
use crate::transport::line::power::Power;
use crate::transport::{Measure, wasserstein_1d};

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
/// function that the search minimizes.
fn least_of_all_starts(x: &Points, y: &Points, p: f64, period: f64) -> f64 {
    let sorted = |points: &Points| {
        let mut atoms: Vec<_> = points.0.iter().map(|x| x.rem_euclid(period)).zip(points.1.iter().copied()).collect();
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
    for (i, j, lift) in (0..x.len()).flat_map(|i| (0..y.len()).flat_map(move |j| [-1.0, 0.0, 1.0].map(|l| (i, j, l)))) {
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
            let uniform = wasserstein_circle(Measure::uniform(x.view()), Measure::uniform(y.view()), p, 2.0).unwrap();
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
fn neighbors_across_the_cut_are_as_near_as_they_are() {
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
    assert_eq!(message(one, one, 2.0, 1e200), "the result at `period` overflows f64");
}
