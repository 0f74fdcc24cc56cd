//! Transport on lines and circles, and along directions.

use loglik::transport::{Measure, SlicedWasserstein, wasserstein_1d, wasserstein_1d_grad, wasserstein_circle};
use ndarray::{Array1, Array2, Axis, array};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Weights that sum to one, some of them zero.
fn weights(n: usize) -> impl Strategy<Value = Array1<f64>> {
    (numbers(n, 0.1, 1.0), vec(any::<bool>(), n)).prop_map(|(mut weights, kept)| {
        weights.iter_mut().zip(kept).skip(1).filter(|(_, kept)| !kept).for_each(|(weight, _)| *weight = 0.0);
        let total = weights.sum();
        weights / total
    })
}

fn measure<'a>(points: &'a Array1<f64>, weights: &'a Array1<f64>) -> Measure<'a, f64> {
    Measure::weighted(points.view(), weights.view())
}

/// A distance, with its root taken.
type Distance = fn(Measure<'_, f64>, Measure<'_, f64>, f64) -> f64;

const LINE: Distance = |x, y, p| wasserstein_1d(x, y, p).unwrap().powf(p.recip());
const CIRCLE: Distance = |x, y, p| wasserstein_circle(x, y, p, 2.0).unwrap().powf(p.recip());

/// The least mean cost over all ways to pair as many points.
fn least_assignment(n: usize, cost: &impl Fn(usize, usize) -> f64) -> f64 {
    fn rest(i: usize, free: &mut Vec<usize>, cost: &impl Fn(usize, usize) -> f64) -> f64 {
        let mut least = if free.is_empty() { 0.0 } else { f64::INFINITY };
        for at in 0..free.len() {
            let j = free.swap_remove(at);
            least = least.min(cost(i, j) + rest(i + 1, free, cost));
            free.push(j);
            let last = free.len() - 1;
            free.swap(at, last);
        }
        least
    }
    rest(0, &mut (0..n).collect(), cost) / n as f64
}

/// The shorter way round a circle of this length.
fn around(x: f64, y: f64, period: f64) -> f64 {
    let turn = (x - y).rem_euclid(period);
    turn.min(period - turn)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn roots_are_metrics(
        x in numbers(6, -3.0, 3.0), a in weights(6), y in numbers(4, -3.0, 3.0), b in weights(4),
        z in numbers(5, -3.0, 3.0), c in weights(5), p in prop_oneof![Just(1.0), Just(2.0), 1.0..4.0_f64],
    ) {
        let (x, y, z) = (measure(&x, &a), measure(&y, &b), measure(&z, &c));
        for distance in [LINE, CIRCLE] {
            assert_near(distance(x, y, p), distance(y, x, p), 1e-9);
            prop_assert!(distance(x, y, p) <= distance(x, z, p) + distance(z, y, p) + 1e-9);
            prop_assert_eq!(distance(x, x, p), 0.0);
            prop_assert!(distance(x, y, p) > 0.0);
        }
    }

    #[test]
    fn potentials_are_feasible_and_sum_to_the_value(
        x in numbers(6, -3.0, 3.0), a in weights(6), y in numbers(5, -3.0, 3.0), b in weights(5), p in 1.0..4.0_f64,
    ) {
        let (value, f, g) = wasserstein_1d_grad(measure(&x, &a), measure(&y, &b), p).unwrap();
        let constant = value - a.dot(&f.weights) - b.dot(&g.weights);
        for (i, j) in (0..6).flat_map(|i| (0..5).map(move |j| (i, j))).filter(|&(i, j)| a[i] > 0.0 && b[j] > 0.0) {
            let cost = (x[i] - y[j]).abs().powf(p);
            prop_assert!(f.weights[i] + g.weights[j] + constant <= cost + 1e-12 * (1.0 + cost + value));
        }
    }

    #[test]
    fn weights_bound_the_cost_of_other_weights(
        x in numbers(6, -3.0, 3.0), a in numbers(6, 0.1, 1.0), other in weights(6), y in numbers(5, -3.0, 3.0),
        b in weights(5), p in 1.0..4.0_f64,
    ) {
        // The value is convex in the weights. Points without mass have no potential, so all of `a` hold some.
        let a = &a / a.sum();
        let (value, f, _) = wasserstein_1d_grad(measure(&x, &a), measure(&y, &b), p).unwrap();
        let moved = wasserstein_1d(measure(&x, &other), measure(&y, &b), p).unwrap();
        prop_assert!(moved >= value + (&other - &a).dot(&f.weights) - 1e-11 * (1.0 + value));
    }

    #[test]
    fn slopes_bound_how_much_a_move_can_cost(
        x in numbers(6, -3.0, 3.0), step in numbers(6, -1.0, 1.0), a in weights(6),
        y in numbers(5, -3.0, 3.0), b in weights(5),
    ) {
        // With the plan kept, W_2² would grow by the slope and the square of the step; a better plan costs less.
        let (value, f, _) = wasserstein_1d_grad(measure(&x, &a), measure(&y, &b), 2.0).unwrap();
        let moved = wasserstein_1d(measure(&(&x + &step), &a), measure(&y, &b), 2.0).unwrap();
        let bound = value + step.dot(&f.points) + a.dot(&(&step * &step));
        prop_assert!(moved <= bound + 1e-12 * (1.0 + bound));
    }

    #[test]
    fn a_circle_has_no_place_to_count_from(
        x in numbers(6, -3.0, 3.0), a in weights(6), y in numbers(5, -3.0, 3.0), b in weights(5),
        turn in -9.0..9.0_f64, p in prop_oneof![Just(1.0), Just(2.0), 1.0..4.0_f64], period in 0.5..8.0_f64,
    ) {
        let value = wasserstein_circle(measure(&x, &a), measure(&y, &b), p, period).unwrap();
        let (turned_x, turned_y) = (&x + turn, &y + turn);
        let turned = wasserstein_circle(measure(&turned_x, &a), measure(&turned_y, &b), p, period).unwrap();
        assert_near(turned, value, 1e-11);
        let (mirrored_x, mirrored_y) = (-&x, &y * -1.0 + period);
        let mirrored = wasserstein_circle(measure(&mirrored_x, &a), measure(&mirrored_y, &b), p, period).unwrap();
        assert_near(mirrored, value, 1e-11);
        prop_assert!(value <= wasserstein_1d(measure(&x, &a), measure(&y, &b), p).unwrap() * (1.0 + 1e-12) + 1e-15);
        prop_assert!(value <= (0.5 * period).powf(p) * (1.0 + 1e-12));
    }

    #[test]
    fn the_first_power_is_that_of_the_best_cut(
        x in numbers(6, 0.0, 2.0), a in weights(6), y in numbers(5, 0.0, 2.0), b in weights(5),
    ) {
        let cuts = x.iter().chain(&y).map(|&cut| {
            let opened = |points: &Array1<f64>| points.mapv(|x| if x < cut { x + 2.0 } else { x });
            wasserstein_1d(measure(&opened(&x), &a), measure(&opened(&y), &b), 1.0).unwrap()
        });
        let least = cuts.fold(f64::INFINITY, f64::min);
        assert_near(wasserstein_circle(measure(&x, &a), measure(&y, &b), 1.0, 2.0).unwrap(), least, 1e-13);
    }

    #[test]
    fn on_a_circle_points_pair_up_as_cheaply_as_they_can(
        x in numbers(6, -3.0, 3.0), y in numbers(6, -3.0, 3.0), p in prop_oneof![Just(1.0), Just(2.0), 1.0..5.0_f64],
    ) {
        let expected = least_assignment(6, &|i, j| around(x[i], y[j], 2.0).powf(p));
        let got = wasserstein_circle(Measure::uniform(x.view()), Measure::uniform(y.view()), p, 2.0).unwrap();
        assert_near(got, expected, 1e-12);
    }

    #[test]
    fn masses_on_a_circle_are_so_many_points(
        x in numbers(3, -3.0, 3.0), y in numbers(4, -3.0, 3.0), p in prop_oneof![Just(1.0), Just(2.0), 1.0..5.0_f64],
    ) {
        // Sixths: 3, 1, 2 against 1, 2, 1, 2.
        let (x_units, y_units) = ([0, 0, 0, 1, 2, 2], [0, 1, 1, 2, 3, 3]);
        let expected = least_assignment(6, &|i, j| around(x[x_units[i]], y[y_units[j]], 2.0).powf(p));
        let (a, b) = (array![3.0, 1.0, 2.0] / 6.0, array![1.0, 2.0, 1.0, 2.0] / 6.0);
        assert_near(wasserstein_circle(measure(&x, &a), measure(&y, &b), p, 2.0).unwrap(), expected, 1e-12);
    }

    #[test]
    fn slices_are_below_the_distance_and_turn_with_the_points(
        x in matrix(5, 3, -2.0, 2.0), y in matrix(5, 3, -2.0, 2.0), directions in matrix(4, 3, -1.0, 1.0),
        angle in -3.0..3.0_f64, p in 1.0..4.0_f64,
    ) {
        prop_assume!(directions.rows().into_iter().all(|row| row.dot(&row) > 1e-4));
        let sliced = SlicedWasserstein { p };
        let both = |x: &Array2<f64>, y: &Array2<f64>, directions: &Array2<f64>| {
            sliced.each(Measure::uniform(x.view()), Measure::uniform(y.view()), directions).unwrap()
        };
        let each = both(&x, &y, &directions);
        let length = |i: usize, j: usize| (&x.row(i) - &y.row(j)).mapv(|d| d * d).sum().sqrt();
        let distance = least_assignment(5, &|i, j| length(i, j).powf(p));
        prop_assert!(each.iter().all(|&slice| slice <= distance * (1.0 + 1e-12)));
        let (sin, cos) = angle.sin_cos();
        let rotation = array![[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
        let turned = both(&x.dot(&rotation), &y.dot(&rotation), &directions.dot(&rotation));
        assert_all_near(&turned, &each, 1e-12);
        let lengthened = both(&x, &y, &(&directions * -3.0));
        assert_all_near(&lengthened, &each, 1e-13);
    }

    #[test]
    fn a_shift_is_seen_along_each_direction(
        x in matrix(6, 3, -2.0, 2.0), shift in numbers(3, -3.0, 3.0), directions in matrix(5, 3, -1.0, 1.0),
        p in 1.0..4.0_f64,
    ) {
        prop_assume!(directions.rows().into_iter().all(|row| row.dot(&row) > 1e-4));
        let moved = &x + &shift;
        let (from, to) = (Measure::uniform(x.view()), Measure::uniform(moved.view()));
        let each = SlicedWasserstein { p }.each(from, to, &directions).unwrap();
        let lengths = directions.map_axis(Axis(1), |row| row.dot(&row).sqrt());
        let expected = (directions.dot(&shift) / lengths).mapv(|along| along.abs().powf(p));
        assert_all_near(&each, &expected, 1e-12);
        let value = SlicedWasserstein { p }.value(from, to, &directions).unwrap();
        assert_near(value, expected.mean().unwrap(), 1e-12);
        let (index, largest) = SlicedWasserstein { p }.max(from, to, &directions).unwrap();
        assert_near(largest.value, expected[index], 1e-12);
        prop_assert!(expected.iter().all(|&slice| slice <= expected[index] * (1.0 + 1e-12)));
        // Uphill from there lies the shift itself.
        let top = SlicedWasserstein { p }.ascend(from, to, &directions.row(index), 200).unwrap();
        prop_assert!(top.value >= largest.value);
        prop_assert!(top.value <= shift.dot(&shift).sqrt().powf(p) * (1.0 + 1e-12));
    }
}
