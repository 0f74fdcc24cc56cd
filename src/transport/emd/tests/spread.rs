//! Costs of every magnitude in one problem: the best plan, whatever lies beside it.

use super::*;
use crate::testing::cases;

/// Costs of which each sum of at most four in the sixteenth place of a level is below the next.
const LEVELS: [f64; 13] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1e6, 1e12, 1e18, 1e150];

/// What an assignment pays: how often each of the large costs, the largest first, and the sum of the others.
fn paid(cost: &Array2<f64>, assignment: impl Iterator<Item = (usize, usize)>) -> [u32; 5] {
    let mut paid = [0; 5];
    for (i, j) in assignment {
        match LEVELS[9..].iter().position(|&level| level == cost[[i, j]]) {
            Some(level) => paid[3 - level] += 1,
            None => paid[4] += cost[[i, j]] as u32,
        }
    }
    paid
}

/// The least of all assignments, in whole numbers.
fn least_paid(cost: &Array2<f64>, taken: &mut Vec<usize>) -> [u32; 5] {
    if taken.len() == cost.nrows() {
        return paid(cost, taken.iter().copied().enumerate());
    }
    let mut least = [u32::MAX; 5];
    for j in 0..cost.ncols() {
        if !taken.contains(&j) {
            taken.push(j);
            least = least.min(least_paid(cost, taken));
            taken.pop();
        }
    }
    least
}

fn search(trials: usize, seed: u64) {
    let mut next = generator(seed);
    for trial in 0..trials {
        let n = 3 + trial % 2;
        let cost = Array2::from_shape_simple_fn((n, n), || LEVELS[(13.0 * next()) as usize]);
        let (ones, expected) = (Array1::ones(n), least_paid(&cost, &mut Vec::new()));
        let solution = emd_plan(problem(&ones, &ones, &cost)).unwrap();
        let flows = solution.plan.flows();
        assert!(flows.len() == n && flows.iter().all(|flow| flow.mass == 1.0), "{cost}");
        assert_eq!(paid(&cost, flows.iter().map(|flow| (flow.from, flow.to))), expected, "{cost}");
        let value: f64 = expected.iter().zip([1e150, 1e18, 1e12, 1e6, 1.0]).map(|(&k, cost)| f64::from(k) * cost).sum();
        close(solution.cost, value, 1e-15);
        close(solution.dual, value, 1e-14);
        assert!((0.0..=1e-14 * value).contains(&solution.gap), "{} at {value}", solution.gap);
        assert!(cost.indexed_iter().all(|((i, j), c)| solution.u[i] <= c - solution.v[j]), "{cost}");
    }
}

#[test]
fn the_best_of_all_assignments_is_found_at_any_spread() {
    search(cases(100_000), 41);
}

#[test]
#[ignore = "half a minute: the search of above, ten times as long"]
fn the_best_of_a_million_is_found_at_any_spread() {
    search(1_000_000, 42);
}

#[test]
fn a_far_place_changes_nothing_among_the_near() {
    for far in [10.0, 1e6, 1e15, 2e15, 1e18, 1e150, 1e300, 1e307, f64::MAX, f64::INFINITY] {
        let cost = array![[3.0, 2.0, far], [5.0, 6.0, far], [far, far, 6.0]];
        let ones = Array1::ones(3);
        let solution = emd_plan(problem(&ones, &ones, &cost)).unwrap();
        assert_eq!((solution.cost, solution.dual, solution.gap), (13.0, 13.0, 0.0), "{far}");
        assert!(solution.u.iter().chain(&solution.v).all(|potential| potential.abs() < 100.0), "{far}");
    }
}

/// Points of a lattice, and one far pair whose own way costs 10.
fn near_and_far(n: usize, far: f64) -> (Array2<f64>, Array2<f64>) {
    let at = |i: usize, [a, b, c, d]: [usize; 4]| [((a * i + b) % 101) as f64, ((c * i + d) % 97) as f64];
    let mut x = Array2::from_shape_fn((n + 1, 2), |(i, k)| at(i, [37, 0, 53, 0])[k]);
    let mut y = Array2::from_shape_fn((n + 1, 2), |(i, k)| at(i.wrapping_sub(1).min(n), [61, 5, 29, 11])[k]);
    x.row_mut(n).assign(&array![far, far]);
    y.row_mut(0).assign(&array![far + 3.0, far - 1.0]);
    (x, y)
}

#[test]
fn near_points_with_a_far_pair_are_assigned_as_by_the_hungarian_method() {
    // scipy.optimize.linear_sum_assignment (SciPy 1.17.1) of squared distances, the same for each of the far pairs.
    for (n, expected) in [(8, 2_511.0), (20, 4_343.0), (40, 8_573.0)] {
        for far in [1e4, 4.1e4, 1e7, 1e12, 1e15] {
            let (x, y) = near_and_far(n, far);
            let ones = Array1::ones(n + 1);
            let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
            let solution = emd_plan(TransportProblem::new(ones.view(), ones.view(), cost)).unwrap();
            assert_eq!(solution.cost, expected, "{n}, {far}");
            close(solution.dual, expected, 1e-13);
            assert!((0.0..1e-10).contains(&solution.gap), "{} at {far}", solution.gap);
            let costs = cost.to_matrix().unwrap().mapv(|c| c as f32);
            let ones = Array1::<f32>::ones(n + 1);
            let narrow = emd(TransportProblem::new(ones.view(), ones.view(), Cost::matrix(costs.view())));
            assert_eq!(narrow, Ok(expected as f32), "{n}, {far}");
        }
    }
}

#[test]
fn a_far_way_that_must_be_paid_leaves_the_near_ones_optimal() {
    // Three rows in reach of two columns: one of them pays `far`, and which is a matter of the last digit.
    let ones = Array1::ones(3);
    for far in [1e3, 1e9, 1e18, 1e100, 1e308] {
        let cost = array![[1.0, 2.0, far], [3.0, 9.0, far], [2.0, 4.0, far]];
        let solution = emd_plan(problem(&ones, &ones, &cost)).unwrap();
        let mut flows: Vec<_> = solution.plan.flows().iter().map(|flow| (flow.from, flow.to)).collect();
        flows.retain(|&(_, to)| to < 2);
        assert_eq!(flows, [(0, 1), (2, 0)], "{far}"); // 2 + 2, beside 1 + 4 and 2 + 3
        close(solution.cost, far + 4.0, 1e-15);
        close(solution.dual, far + 4.0, 1e-15);
    }
    // A little mass far away, and most of it near.
    let (a, b) = (array![1.0, 1e-15], array![1.0, 1e-15]);
    for far in [-1e150_f64, -1e18, 1e18, 1e250] {
        let cost = array![[7.0, far.abs()], [far.abs(), far]];
        let solution = emd_plan(problem(&a, &b, &cost)).unwrap();
        close(solution.cost, 7.0 + 1e-15 * far, 1e-14);
        close(solution.dual, solution.cost, 1e-14);
    }
    // So little of it that only the near part shows, whose potentials must not be rounded to those of the far one.
    let (a, b) = (array![1e-300, 2.0], array![1.25, 0.75]);
    let solution = emd_plan(problem(&a, &b, &array![[1.0, -1e150], [0.5, 0.9375]])).unwrap();
    assert_eq!((solution.cost, solution.dual), (1.328125, 1.328125));
    assert!(solution.gap < 1e-100);
}

#[test]
fn costs_near_the_end_of_the_type_have_their_value_or_are_named() {
    let max = f64::MAX;
    let quarter = array![0.25, 0.25];
    let solve = |cost: &Array2<f64>| emd(problem(&quarter, &quarter, cost));
    assert_eq!(solve(&array![[max, -max], [-max, max]]), Ok(-0.5 * max));
    assert_eq!(solve(&array![[max, max], [max, max]]), Ok(0.5 * max));
    assert_eq!(solve(&array![[-max, 1.0], [2.0, max]]), Ok(0.0));
    assert_eq!(solve(&array![[max, 1.0], [2.0, max]]), Ok(0.75));
    let chain =
        Array2::from_shape_fn((6, 6), |(i, j)| if i == j { max } else { -max * (((i + 2 * j) % 5) as f64 / 5.0) });
    let sixth = Array1::from_elem(6, 0.125);
    let value = emd(problem(&sixth, &sixth, &chain)).unwrap();
    close(value, emd(problem(&sixth, &sixth, &(&chain * 2_f64.powi(-40)))).unwrap() * 2_f64.powi(40), 1e-15);
    // Potentials that do not fit are no answer.
    let error = emd_grad(problem(&quarter, &quarter, &array![[max, -max], [-max, max]])).unwrap_err();
    assert_eq!(error.to_string(), "the result at `cost` overflows f64");
}

#[test]
fn the_gap_is_never_below_zero() {
    let mut next = generator(43);
    for trial in 0..2_000 {
        let (n, m) = (1 + trial % 5, 1 + trial / 5 % 7);
        let mut coarse = |n: usize| {
            let weights = Array1::from_shape_simple_fn(n, || (3.0 * next()).floor() + 1e-3 * next().round());
            if weights.sum() == 0.0 { Array1::ones(n) } else { weights }
        };
        let (a, b) = (coarse(n), coarse(m));
        let b = &b * (a.sum() / b.sum());
        let cost = Array2::from_shape_simple_fn((n, m), || 100.0 * next() - 50.0);
        let solution = emd_plan(problem(&a, &b, &cost)).unwrap();
        assert!((0.0..1e-12).contains(&solution.gap), "{}", solution.gap);
        let (a, b) = (a.mapv(|a| a as f32), b.mapv(|b| b as f32));
        let cost = cost.mapv(|c| c as f32);
        let narrow = emd_plan(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))).unwrap();
        assert!((0.0..1e-12).contains(&narrow.gap), "{}", narrow.gap);
        let is_feasible =
            |((i, j), c): ((usize, usize), &f32)| f64::from(narrow.u[i]) + f64::from(narrow.v[j]) <= f64::from(*c);
        assert!(cost.indexed_iter().all(is_feasible));
    }
}

#[test]
fn parts_that_nothing_joins_do_not_add_up_their_potentials() {
    let mut next = generator(44);
    let n = 200;
    let cost = Array2::from_shape_fn((n, n), |(i, j)| if i / 4 == j / 4 { next() } else { f64::INFINITY });
    let ones = Array1::ones(n);
    let solution = emd_plan(problem(&ones, &ones, &cost)).unwrap();
    let parts =
        (0..n).step_by(4).map(|k| best_assignment(&cost.slice(ndarray::s![k..k + 4, k..k + 4]).to_owned(), 0, 0));
    close(solution.cost, parts.sum(), 1e-14);
    close(solution.dual, solution.cost, 1e-14);
    assert!((0.0..1e-13).contains(&solution.gap), "{}", solution.gap);
}
