//! The line, the circle and slices against every plan there is, in whole numbers; distances with their root, and gradients.

use ndarray::{Array1, Array2, Ix1, array, aview1};

use super::*;
use crate::testing::{cases, close, generator};

const INF: f64 = f64::INFINITY;

/// A measure of equal units of mass at whole places.
struct Units {
    /// Where each unit lies, in order.
    places: Vec<i64>,
    points: Array1<f64>,
    weights: Array1<f64>,
}

/// Places on one of several scales, so that some are far beyond others, many are equal, and some points hold nothing.
fn units(random: &mut impl FnMut() -> f64, count: usize) -> Units {
    let n = 1 + (5.0 * random()) as usize;
    let mut below = |n: f64| (n * random()).floor();
    let mut places: Vec<(i64, usize)> = (0..n)
        .map(|_| {
            let scale = [1.0, 1.0, 1e3, 1e6, 1e12][below(5.0) as usize];
            ((scale * (below(7.0) - 3.0)) as i64, 0)
        })
        .collect();
    (0..count).for_each(|_| places[below(n as f64) as usize].1 += 1);
    let points = places.iter().map(|&(place, held)| if held == 0 { f64::NAN } else { place as f64 }).collect();
    let weights = places.iter().map(|&(_, held)| held as f64 / 16.0).collect();
    places.sort_unstable();
    let places = places.iter().flat_map(|&(place, held)| vec![place; held]).collect();
    Units { places, points, weights }
}

impl Units {
    fn measure(&self) -> Measure<'_, f64> {
        Measure::weighted(self.points.view(), self.weights.view())
    }
}

/// `Σ |d|^p` of whole distances, exact where p is 1 or 2, and the root by the longest.
fn root(distances: &[i64], p: f64) -> f64 {
    let longest = distances.iter().map(|d| d.abs()).max().unwrap() as f64;
    let mean = distances.iter().map(|&d| (d.abs() as f64 / longest).powf(p)).sum::<f64>() / 16.0;
    match p {
        _ if longest == 0.0 => 0.0,
        INF => longest,
        _ => longest * mean.powf(p.recip()),
    }
}

fn power(distances: &[i64], p: u32) -> f64 {
    distances.iter().map(|&d| i128::from(d.abs()).pow(p)).sum::<i128>() as f64 / 16.0
}

/// Distances under every way to go around a circle: unit to unit, shifted by so many.
fn around(x: &[i64], y: &[i64], period: i64) -> Vec<Vec<i64>> {
    let sorted = |side: &[i64]| {
        let mut side: Vec<i64> = side.iter().map(|place| place.rem_euclid(period)).collect();
        side.sort_unstable();
        side
    };
    let (x, y, n) = (sorted(x), sorted(y), x.len() as i64);
    let lifted = |unit: i64| y[unit.rem_euclid(n) as usize] + period * unit.div_euclid(n);
    (-n..=n).map(|shift| (0..n).map(|unit| x[unit as usize] - lifted(unit + shift)).collect()).collect()
}

/// So many random problems.
fn search(cases: usize, seed: u64) {
    let mut random = generator(seed);
    for case in 0..cases {
        let count = 1 + (12.0 * random()) as usize;
        let (x, y) = (units(&mut random, count), units(&mut random, count));
        let says = |what: &str, got: crate::Result<f64>, expected: f64| {
            let good = got.as_ref().is_ok_and(|got| (got - expected).abs() <= 1e-12 * expected);
            assert!(good, "{case}: {what} of {:?} and {:?}: {got:?}, not {expected}", x.places, y.places);
        };
        let line: Vec<i64> = x.places.iter().zip(&y.places).map(|(x, y)| x - y).collect();
        let (to, from) = (x.measure(), y.measure());
        says("W_1 on the line", wasserstein_1d(to, from, 1.0), power(&line, 1));
        says("W_2² on the line", wasserstein_1d(to, from, 2.0), power(&line, 2));
        let p = [1.5, 2.0, 7.0, 300.0, INF][case % 5];
        says("W_p on the line", wasserstein_1d_distance(to, from, p), root(&line, p));
        let period = [1, 7, 1_000, 2_500_000][case % 4];
        let circle = around(&x.places, &y.places, period);
        let least = |of: &dyn Fn(&[i64]) -> f64| circle.iter().map(|d| of(d)).fold(INF, f64::min);
        let ring = period as f64;
        says("W_1 on the circle", wasserstein_circle(to, from, 1.0, ring), least(&|d| power(d, 1)));
        says("W_2² on the circle", wasserstein_circle(to, from, 2.0, ring), least(&|d| power(d, 2)));
        if period <= 7 {
            let expected = least(&|d| power(d, 20));
            says("W_20²⁰ on the circle", wasserstein_circle(to, from, 20.0, ring), expected);
        }
        says("W_p on the circle", wasserstein_circle_distance(to, from, p, ring), least(&|d| root(d, p)));
    }
}

/// A hundred thousand problems, where optimized.
#[test]
fn no_plan_is_cheaper_on_the_line_or_the_circle() {
    search(cases(100_000), 41);
}

#[test]
fn any_period_has_its_value() {
    let (one, two) = ([0.25], [1.0]);
    let (one, two) = (Measure::uniform(aview1(&one)), Measure::uniform(aview1(&two)));
    for p in [1.0, 2.0, 3.5] {
        for period in [5e-324, 1e-323, 1.5e-323, 2.5e-323, 1e-310, 1e-200] {
            let (value, in_one, _) = wasserstein_circle_grad(one, two, p, period).unwrap();
            assert_eq!(wasserstein_circle(one, two, p, period), Ok(value));
            assert!(value <= (0.5 * period).powf(p) && in_one.points[0].is_finite());
        }
    }
    // Of 3 and 5 units of the smallest number, in whole units.
    let tiny = |units: &[u64]| units.iter().map(|&n| f64::from_bits(n)).collect::<Array1<f64>>();
    for (period, x, y, expected) in
        [(3, 1, 3, 1), (3, 1, 5, 1), (5, 1, 4, 2), (5, 0, 13, 2), (1, 1, 7, 0), (2, 0, 3, 1)]
    {
        let (x, y) = (tiny(&[x]), tiny(&[y]));
        let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        let expected = f64::from_bits(expected);
        assert_eq!(wasserstein_circle(x, y, 1.0, f64::from_bits(period)), Ok(expected));
        for p in [2.0, 40.0, INF] {
            assert_eq!(wasserstein_circle_distance(x, y, p, f64::from_bits(period)), Ok(expected));
        }
    }
    let far = Measure::uniform(aview1(&[1e300, 3.0]));
    assert!(wasserstein_circle(far, one, 2.0, 1e-3).unwrap() <= 0.25e-6);
    assert_eq!(wasserstein_circle(one, two, 1.0, 1e300), Ok(0.75));
    let error = wasserstein_circle(one, two, 2.0, 1e300).unwrap_err();
    assert_eq!(error.to_string(), "the result at `period` overflows f64");
    assert_eq!(wasserstein_circle_distance(one, two, 2.0, 1e300), Ok(0.75));
}

const LARGE_POWERS: [(f64, f64); 8] = [
    (1.5, 0.705_985_771_680_206_3),
    (2.0, 0.792_641_943_124_384_5),
    (10.0, 1.515_982_186_270_387),
    (181.0, 1.969_597_113_308_616),
    (182.0, 1.969_762_892_938_263_8),
    (300.0, 1.981_601_226_530_458_6),
    (1000.0, 1.994_462_502_704_139),
    (1e6, 1.999_994_454_830_242_9),
];

/// Exact values: mpmath, 60 digits.
#[test]
fn large_powers_have_the_values_of_sixty_digits() {
    let (x, a) = (array![0.7, -1.2, 3.5, 0.7, 2.25], array![0.125, 0.25, 0.0625, 0.375, 0.1875]);
    let (y, b) = (array![1.5, -0.25, 0.7, -2.0], array![0.25, 0.125, 0.375, 0.25]);
    let (x, y) = (Measure::weighted(x.view(), a.view()), Measure::weighted(y.view(), b.view()));
    for (p, expected) in LARGE_POWERS {
        close(wasserstein_1d_distance(x, y, p).unwrap(), expected, 4e-15);
    }
    let (here, there) = ([-1e200, 1e200], [0.0]);
    let (here, there) = (Measure::uniform(aview1(&here)), Measure::uniform(aview1(&there)));
    close(wasserstein_1d_distance(here, there, 182.0).unwrap(), 1e200, 1e-15);
    let (here, there) = ([-1e-200, 3e-200], [0.0]);
    let (here, there) = (Measure::uniform(aview1(&here)), Measure::uniform(aview1(&there)));
    close(wasserstein_1d_distance(here, there, 2.0).unwrap(), 5.0_f64.sqrt() * 1e-200, 1e-15);
}

#[test]
fn the_first_order_has_the_bits_of_the_cost() {
    let (x, y) = (array![0.3, -1.0, 2.0, 0.9], array![1.1, -0.4, 0.2]);
    let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    assert_eq!(wasserstein_1d_distance(x, y, 1.0), wasserstein_1d(x, y, 1.0));
    assert_eq!(wasserstein_1d_distance_grad(x, y, 1.0), wasserstein_1d_grad(x, y, 1.0));
    assert_eq!(wasserstein_circle_distance(x, y, 1.0, 2.0), wasserstein_circle(x, y, 1.0, 2.0));
    assert_eq!(wasserstein_circle_distance_grad(x, y, 1.0, 2.0), wasserstein_circle_grad(x, y, 1.0, 2.0));
}

#[test]
fn masses_of_rounding_do_not_lengthen_the_longest_way() {
    let (x, y) = ([0.0, 0.0, 100.0], [0.0, 100.0]);
    let (a, b) = ([0.1, 0.2, 0.7], [0.3, 0.7]);
    let of = |p| {
        let x = Measure::weighted(aview1(&x), aview1(&a));
        wasserstein_1d_distance(x, Measure::weighted(aview1(&y), aview1(&b)), p).unwrap()
    };
    assert_eq!(of(INF), 0.0);
    assert!(of(2.0) > 1e-7); // 100 times the root of 6e-17
    let (a, b) = ([0.1_f32, 0.2, 0.7], [0.3_f32, 0.7]);
    let (x, y) = (x.map(|x| x as f32), y.map(|y| y as f32));
    let (x, y) = (Measure::weighted(aview1(&x), aview1(&a)), Measure::weighted(aview1(&y), aview1(&b)));
    assert_eq!(wasserstein_1d_distance(x, y, INF), Ok(0.0_f32));
    // What really is far away counts, however light.
    let (a, b) = ([1.0, 1e-9], [1.0 + 1e-9]);
    let (x, y) = (Measure::weighted(aview1(&[0.0, 5.0]), aview1(&a)), Measure::weighted(aview1(&[0.0]), aview1(&b)));
    assert_eq!(wasserstein_1d_distance(x, y, INF), Ok(5.0));
}

/// Central differences of a distance in the points of both sides, and in mass that goes from one point to the next.
fn differences(
    value: &dyn Fn(&[Array1<f64>; 4]) -> f64,
    at: &[Array1<f64>; 4],
    (in_x, in_y): (&MeasureGradient<f64>, &MeasureGradient<f64>),
    what: &str,
) {
    let slope = |move_by: &dyn Fn(&mut [Array1<f64>; 4], f64)| {
        let h = 1e-6;
        let [up, down] = [h, -h].map(|h| {
            let mut moved = at.clone();
            move_by(&mut moved, h);
            value(&moved)
        });
        (up - down) / (2.0 * h)
    };
    for (side, gradient) in [(0, in_x), (1, in_y)] {
        for i in 0..at[side].len() {
            let expected = slope(&|moved, h| moved[side][i] += h);
            let got = gradient.points[i];
            assert!(
                (got - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                "{what}: {got}, not {expected}, at {side}, {i}"
            );
        }
        for i in 1..at[side].len() {
            let expected = slope(&|moved, h| {
                moved[2 + side][i] += h;
                moved[2 + side][i - 1] -= h;
            });
            let got = gradient.weights[i] - gradient.weights[i - 1];
            assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{what}: {got}, not {expected}, from {i}");
        }
    }
}

#[test]
fn gradients_are_the_differences_of_the_distances() {
    let mut random = generator(23);
    for turn in 0..60 {
        let (n, m) = (2 + turn % 4, 2 + turn % 3);
        let mut side = |n: usize| {
            let weights = Array1::from_shape_simple_fn(n, || 0.2 + random());
            (Array1::from_shape_simple_fn(n, || 4.0 * random()), &weights / weights.sum())
        };
        let ((x, a), (y, b)) = (side(n), side(m));
        let at = [x, y, a, b];
        let measures =
            |at: &[Array1<f64>; 4]| [(0, 2), (1, 3)].map(|(points, weights)| (at[points].clone(), at[weights].clone()));
        let of = |f: &dyn Fn(Measure<'_, f64>, Measure<'_, f64>) -> f64, at: &[Array1<f64>; 4]| {
            let [x, y] = measures(at);
            f(Measure::weighted(x.0.view(), x.1.view()), Measure::weighted(y.0.view(), y.1.view()))
        };
        let (x, y) = (Measure::weighted(at[0].view(), at[2].view()), Measure::weighted(at[1].view(), at[3].view()));
        for p in [1.5, 2.0, 6.0, INF] {
            let (value, in_x, in_y) = wasserstein_1d_distance_grad(x, y, p).unwrap();
            assert_eq!(wasserstein_1d_distance(x, y, p), Ok(value));
            let line = |at: &_| of(&|x, y| wasserstein_1d_distance(x, y, p).unwrap(), at);
            differences(&line, &at, (&in_x, &in_y), &format!("line {turn}, p = {p}"));
            let (value, in_x, in_y) = wasserstein_circle_distance_grad(x, y, p, 3.0).unwrap();
            assert_eq!(wasserstein_circle_distance(x, y, p, 3.0), Ok(value));
            let circle = |at: &_| of(&|x, y| wasserstein_circle_distance(x, y, p, 3.0).unwrap(), at);
            differences(&circle, &at, (&in_x, &in_y), &format!("circle {turn}, p = {p}"));
        }
        for p in [1.0, 2.0, 2.5] {
            let (value, in_x, in_y) = wasserstein_circle_grad(x, y, p, 3.0).unwrap();
            assert_eq!(wasserstein_circle(x, y, p, 3.0), Ok(value));
            let cost = |at: &_| of(&|x, y| wasserstein_circle(x, y, p, 3.0).unwrap(), at);
            differences(&cost, &at, (&in_x, &in_y), &format!("cost {turn}, p = {p}"));
        }
    }
}

#[test]
fn potentials_on_the_circle_are_feasible_and_sum_to_the_value() {
    let mut random = generator(4);
    for turn in 0..200 {
        let count = 2 + (10.0 * random()) as usize;
        let (x, y) = (units(&mut random, count), units(&mut random, count));
        let period = [7.0, 10.0][turn % 2];
        for p in [1.0, 1.5, 2.0] {
            let (value, f, g) = wasserstein_circle_grad(x.measure(), y.measure(), p, period).unwrap();
            let held = |side: &Units| side.weights.iter().map(|w| *w > 0.0).collect::<Vec<_>>();
            let (in_x, in_y) = (held(&x), held(&y));
            let missing = value - x.weights.dot(&f.weights) - y.weights.dot(&g.weights);
            let missing = missing / x.weights.sum();
            for (i, j) in (0..in_x.len()).flat_map(|i| (0..in_y.len()).map(move |j| (i, j))) {
                if in_x[i] && in_y[j] {
                    let way = (x.points[i] - y.points[j]).rem_euclid(period);
                    let rest = way.min(period - way).powf(p) - f.weights[i] - g.weights[j] - missing;
                    assert!(rest > -1e-11, "{turn}, p = {p}: {rest} at {i}, {j}");
                }
            }
        }
    }
}

#[test]
fn of_several_longest_ways_the_first_counts() {
    let (x, y) = (array![5.0, 0.0, 1.0], array![1.0, 3.0, 1.0]);
    let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    let (value, in_x, in_y) = wasserstein_1d_distance_grad(x, y, INF).unwrap();
    assert_eq!((value, in_x.points), (2.0, array![1.0, 0.0, 0.0]));
    assert_eq!((in_y.points, in_x.weights), (array![0.0, -1.0, 0.0], array![0.0, 0.0, 0.0]));
    let (x, y) = (array![0.0, 4.0], array![1.0, 5.0]);
    let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    let (_, in_x, _) = wasserstein_1d_distance_grad(x, y, INF).unwrap();
    assert_eq!(in_x.points, array![-1.0, 0.0]);
    let (value, in_x, in_y) = wasserstein_1d_distance_grad(x, x, 3.0).unwrap();
    assert_eq!((value, in_x.points, in_y.weights), (0.0, array![0.0, 0.0], array![0.0, 0.0]));
}

#[test]
fn points_of_weight_zero_leave_no_trace_of_any_function() {
    let (x, a) = (array![0.3, 1.7, 2.2], array![0.25, 0.5, 0.25]);
    let (padded, b) = (array![f64::NAN, 0.3, 1e308, 1.7, 2.2, -INF], array![0.0, 0.25, 0.0, 0.5, 0.25, -0.0]);
    let y = Measure::uniform(aview1(&[1.0, 4.0]));
    let (plain, padded) = (Measure::weighted(x.view(), a.view()), Measure::weighted(padded.view(), b.view()));
    let held = |side: &Array1<f64>| array![side[1], side[3], side[4]];
    type Gradient = crate::Result<(f64, MeasureGradient<f64>, MeasureGradient<f64>)>;
    let same = |(value, in_x, in_y): (f64, MeasureGradient<f64>, MeasureGradient<f64>), padded: Gradient| {
        let padded = padded.unwrap();
        assert_eq!((value, in_y), (padded.0, padded.2));
        assert_eq!((in_x.points, in_x.weights), (held(&padded.1.points), held(&padded.1.weights)));
        assert_eq!((padded.1.points[0], padded.1.weights[2], padded.1.points[5]), (0.0, 0.0, 0.0));
    };
    for p in [1.0, 2.0, 3.5] {
        same(wasserstein_1d_grad(plain, y, p).unwrap(), wasserstein_1d_grad(padded, y, p));
        same(wasserstein_circle_grad(plain, y, p, 3.0).unwrap(), wasserstein_circle_grad(padded, y, p, 3.0));
    }
    for p in [1.0, 2.0, 3.5, 200.0, INF] {
        same(wasserstein_1d_distance_grad(plain, y, p).unwrap(), wasserstein_1d_distance_grad(padded, y, p));
        let circle = |x| wasserstein_circle_distance_grad(x, y, p, 3.0);
        same(circle(plain).unwrap(), circle(padded));
    }
    let cloud = |x: Measure<'_, f64, Ix1>| x.points.to_owned().insert_axis(ndarray::Axis(1));
    let (flat, space) = (cloud(plain), cloud(padded));
    let (other, units) = (cloud(y), array![[1.0]]);
    let (flat, space) = (Measure::weighted(flat.view(), a.view()), Measure::weighted(space.view(), b.view()));
    let other = Measure::uniform(other.view());
    for p in [1.0, 2.0, 50.0] {
        let sliced = SlicedWasserstein { p };
        let (value, in_x, in_y) = sliced.grad(space, other, &units).unwrap();
        assert_eq!(sliced.grad(flat, other, &units).unwrap(), (value, in_x.select(ndarray::Axis(0), &[1, 3, 4]), in_y));
    }
}

#[test]
fn slices_are_distances_along_their_directions() {
    let mut random = generator(9);
    let mut cloud = |n: usize| Array2::from_shape_simple_fn((n, 3), || 3.0 * random() - 1.0);
    let (x, y, directions) = (cloud(5), cloud(4), cloud(80));
    let of = |x: &Array2<f64>, y: &Array2<f64>, p| {
        SlicedWasserstein { p }.distance(Measure::uniform(x.view()), Measure::uniform(y.view()), &directions).unwrap()
    };
    for p in [1.0, 2.0, 3.0, 150.0, INF] {
        let sliced = SlicedWasserstein { p };
        let (from, to) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        let each = sliced.distances(from, to, &directions).unwrap();
        for (direction, &distance) in directions.rows().into_iter().zip(&each) {
            let unit = &direction / direction.dot(&direction).sqrt();
            let (x, y) = (x.dot(&unit), y.dot(&unit));
            let line = wasserstein_1d_distance(Measure::uniform(x.view()), Measure::uniform(y.view()), p).unwrap();
            close(distance, line, 1e-12);
        }
        let (value, in_x, in_y) = sliced.distance_grad(from, to, &directions).unwrap();
        assert_eq!(of(&x, &y, p), value);
        let largest = each.fold(0.0_f64, |a, &b| a.max(b));
        let expected = match p {
            INF => largest,
            _ => largest * each.mapv(|d| (d / largest).powf(p)).mean().unwrap().powf(p.recip()),
        };
        close(value, expected, 1e-13);
        for (side, gradient) in [(0, in_x), (1, in_y)] {
            for ((i, k), &got) in gradient.indexed_iter() {
                let h = 1e-6;
                let [up, down] = [h, -h].map(|h| {
                    let mut moved = [x.clone(), y.clone()];
                    moved[side][[i, k]] += h;
                    of(&moved[0], &moved[1], p)
                });
                let expected = (up - down) / (2.0 * h);
                assert!((got - expected).abs() < 1e-6 * (1.0 + p.min(200.0)), "p = {p}: {got}, not {expected}");
            }
        }
    }
    let error = SlicedWasserstein { p: INF }.value(Measure::uniform(x.view()), Measure::uniform(y.view()), &directions);
    assert_eq!(error.unwrap_err().to_string(), "`p` is inf, allowed is finite and >= 1");
    let error =
        SlicedWasserstein { p: 0.5 }.distance(Measure::uniform(x.view()), Measure::uniform(y.view()), &directions);
    assert_eq!(error.unwrap_err().to_string(), "`p` is 0.5, allowed is >= 1");
}
