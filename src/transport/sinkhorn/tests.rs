//! Entropic transport against peers, exact arithmetic, differences and its own limits.

use ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, array, s};

use super::{CostGradient, Sinkhorn, SinkhornDivergence, SinkhornGradient};
use crate::testing::{all_close, close, generator};
use crate::transport::{Cost, GroundCost, TransportProblem, emd};
use crate::{Error, Real, Result};

const GROUNDS: [GroundCost; 3] = [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan];

/// Weights of 4 and 3 points in the plane, and the points.
struct Small {
    a: Array1<f64>,
    b: Array1<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
}

impl Small {
    fn new() -> Self {
        Self {
            a: array![0.1, 0.4, 0.3, 0.2],
            b: array![0.5, 0.2, 0.3],
            x: array![[0.0, 0.0], [1.0, 0.5], [0.25, 2.0], [-1.0, 1.5]],
            y: array![[0.5, 0.5], [2.0, 1.0], [-0.5, 0.25]],
        }
    }

    /// Twice `a` and 0.7 times `b`.
    fn unequal() -> Self {
        let small = Self::new();
        Self { a: small.a * 2.0, b: small.b * 0.7, ..small }
    }

    fn points(&self, ground: GroundCost) -> TransportProblem<'_, f64> {
        TransportProblem::new(self.a.view(), self.b.view(), Cost::points(self.x.view(), self.y.view(), ground))
    }
}

fn sharp(regularization: f64) -> Sinkhorn {
    Sinkhorn { regularization, tolerance: 1e-14, ..Sinkhorn::default() }
}

fn problem<'a, T>(a: &'a Array1<T>, b: &'a Array1<T>, cost: &'a Array2<T>) -> TransportProblem<'a, T> {
    TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))
}

/// Random weights that sum to 1, and points in the unit cube.
fn cloud(n: usize, d: usize, seed: u64) -> (Array1<f64>, Array2<f64>) {
    let mut next = generator(seed);
    (0..99).for_each(|_| _ = next());
    let weights = Array1::from_shape_simple_fn(n, || 0.05 + next());
    (&weights / weights.sum(), Array2::from_shape_simple_fn((n, d), next))
}

/// `POT.sinkhorn(method="sinkhorn_log")` and values from 30 digits.
#[test]
fn balanced_problems_have_the_peers_plan_and_the_exact_value() {
    let small = Small::new();
    let solution = sharp(0.5).solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let plan = [
        0.028_767_769_536_165_354,
        1.854_553_536_278_111e-5,
        0.071_213_684_928_471_88,
        0.230_619_394_829_255_7,
        0.163_038_580_494_093_84,
        0.006_342_024_676_650_544_5,
        0.234_193_815_342_58,
        0.036_942_667_946_224_78,
        0.028_863_516_711_195_18,
        0.006_419_020_291_999_142,
        2.060_243_187_982_616_5e-7,
        0.193_580_773_683_682_12,
    ];
    all_close(solution.plan(), plan, 1e-11);
    close(solution.transport_cost, 1.480_861_803_939_668_6, 1e-13);
    let values = [1.700_127_630_502_904_3, 1.274_940_020_059_750_6, 1.571_213_094_947_939_4];
    for (ground, value) in GROUNDS.into_iter().zip(values) {
        close(sharp(0.5).value(small.points(ground)).unwrap(), value, 1e-14);
    }
}

/// `POT.sinkhorn_unbalanced(reg_type="kl")` and a value from 30 digits.
#[test]
fn unbalanced_problems_have_the_peers_plan_and_the_exact_value() {
    let small = Small::unequal();
    let sinkhorn = Sinkhorn { marginal_penalty: Some(2.5), ..sharp(0.3) };
    let solution = sinkhorn.solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let plan = [
        0.020_887_919_224_134_04,
        7.045_776_908_857_078e-8,
        0.106_833_767_825_417_9,
        0.341_530_671_932_576_36,
        0.134_348_362_278_061_43,
        0.000_966_127_545_021_051_4,
        0.155_936_392_309_103_67,
        0.005_035_167_723_893_107,
        0.005_373_885_871_943_482,
        0.000_443_384_153_567_031_9,
        1.007_723_686_069_852_6e-11,
        0.146_269_532_999_755_18,
    ];
    assert!(solution.converged);
    all_close(solution.plan(), plan, 1e-10);
    close(solution.value, 2.306_586_003_644_007, 1e-14);
    let equal = Sinkhorn { marginal_penalty: Some(1.0), ..sharp(0.5) };
    close(equal.value(Small::new().points(GroundCost::SquaredEuclidean)).unwrap(), 1.034_267_267_097_307_4, 1e-14);
}

#[test]
fn divergences_have_the_values_of_exact_arithmetic() {
    let (small, divergence) = (Small::new(), SinkhornDivergence { sinkhorn: sharp(0.5) });
    let values = [1.157_335_082_168_765_9, 0.755_662_888_372_582_5, 1.024_058_418_915_764_4];
    for (ground, value) in GROUNDS.into_iter().zip(values) {
        close(divergence.value(small.points(ground)).unwrap(), value, 1e-13);
    }
    let divergence = SinkhornDivergence { sinkhorn: Sinkhorn { marginal_penalty: Some(2.5), ..sharp(0.3) } };
    let unequal = Small::unequal();
    close(divergence.value(unequal.points(GroundCost::SquaredEuclidean)).unwrap(), 1.984_576_835_341_404_8, 1e-13);
}

/// `⟨P, C⟩ + ρ KL + ρ KL + ε KL` of the plan.
fn primal(plan: &Array2<f64>, cost: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>, sinkhorn: Sinkhorn) -> f64 {
    let kl = |p: f64, q: f64| if p == 0.0 { q } else { p * (p / q).ln() - p + q };
    let total = if sinkhorn.marginal_penalty.is_some() { 1.0 } else { a.sum() };
    let entropy: f64 = plan.indexed_iter().map(|((i, j), &p)| kl(p, a[i] * b[j] / total)).sum();
    let side = |sums: Array1<f64>, mass: &Array1<f64>| sums.iter().zip(mass).map(|(&p, &q)| kl(p, q)).sum::<f64>();
    let penalty = side(plan.sum_axis(Axis(1)), a) + side(plan.sum_axis(Axis(0)), b);
    (plan * cost).sum() + sinkhorn.regularization * entropy + sinkhorn.marginal_penalty.unwrap_or(0.0) * penalty
}

#[test]
fn the_dual_value_is_that_of_the_plan() {
    let ((a, x), (b, y)) = (cloud(30, 3, 1), cloud(40, 3, 2));
    for (ground, penalty) in GROUNDS.into_iter().flat_map(|ground| [None, Some(0.3), Some(50.0)].map(|p| (ground, p))) {
        let cost = Cost::points(x.view(), y.view(), ground);
        let mass = if penalty.is_some() { 0.6 } else { 3.0 };
        let (a, b) = (&a * 3.0, &b * mass);
        let sinkhorn = Sinkhorn { marginal_penalty: penalty, ..sharp(0.05) };
        let solution = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
        let (plan, costs) = (solution.plan(), cost.to_matrix().unwrap());
        close(solution.value, primal(&plan, &costs, &a, &b, sinkhorn), 1e-12);
        close(solution.transport_cost, (&plan * &costs).sum(), 1e-13);
        if penalty.is_none() {
            close(solution.value, solution.f.dot(&a) + solution.g.dot(&b), 1e-13);
            all_close(plan.sum_axis(Axis(1)), a, 1e-13);
            assert!((plan.sum_axis(Axis(0)) - b).mapv(f64::abs).sum() < 1e-13);
        }
    }
}

#[test]
fn an_unfinished_plan_is_told_and_its_value_is_no_larger() {
    let ((a, x), (b, y)) = (cloud(30, 2, 3), cloud(20, 2, 4));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let problem = TransportProblem::new(a.view(), b.view(), cost);
    let best = sharp(0.003).value(problem).unwrap();
    for max_iterations in [1, 2, 5, 12, 40] {
        let solution = Sinkhorn { max_iterations, ..sharp(0.003) }.solve(problem).unwrap();
        assert!(solution.iterations <= max_iterations && !solution.converged);
        assert!(solution.value <= best, "{} above {best}", solution.value);
        let plan = solution.plan();
        let error = (plan.sum_axis(Axis(0)) - &b).mapv(f64::abs).sum();
        assert!((error - solution.marginal_error).abs() < 1e-12);
        all_close(plan.sum_axis(Axis(1)), a.clone(), 1e-12);
    }
}

#[test]
fn extrapolation_takes_few_rounds() {
    let ((a, x), (b, y)) = (cloud(100, 2, 5), cloud(100, 2, 6));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let solution = sharp(0.01).solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
    assert!(solution.converged && solution.iterations < 150, "{}", solution.iterations); // plain: more than a thousand
}

/// The derivative of `value` by one entry.
fn difference(array: &Array2<f64>, at: (usize, usize), value: impl Fn(ArrayView2<'_, f64>) -> f64) -> f64 {
    const STEP: f64 = 1e-4;
    let moved = |by: f64| {
        let mut array = array.clone();
        array[at] += by;
        value(array.view())
    };
    (8.0 * (moved(STEP) - moved(-STEP)) - (moved(2.0 * STEP) - moved(-2.0 * STEP))) / (12.0 * STEP)
}

/// Both kinds of problem.
fn settings() -> [Sinkhorn; 2] {
    [sharp(0.3), Sinkhorn { marginal_penalty: Some(0.8), ..sharp(0.3) }]
}

/// Checks gradients in points and in weights, these along the directions that keep totals where that must be.
fn check_gradient(
    sinkhorn: Sinkhorn,
    ground: GroundCost,
    value: impl Fn(TransportProblem<'_, f64>) -> f64,
    gradient: impl Fn(TransportProblem<'_, f64>) -> SinkhornGradient<f64>,
) {
    let mut small = if sinkhorn.marginal_penalty.is_some() { Small::unequal() } else { Small::new() };
    small.y += &array![0.013, 0.017]; // no coordinate twice, where the slope of Manhattan's cost jumps
    let Small { a, b, x, y } = &small;
    let SinkhornGradient { a: in_a, b: in_b, cost } = gradient(small.points(ground));
    let CostGradient::Points { x: in_x, y: in_y } = cost else { panic!("costs are between points") };
    let of_points = |x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>| {
        value(TransportProblem::new(a.view(), b.view(), Cost::points(x, y, ground)))
    };
    for (at, &slope) in in_x.indexed_iter() {
        let expected = difference(x, at, |x| of_points(x, y.view()));
        assert!((slope - expected).abs() < 1e-8, "x{at:?}, {ground:?}: {slope} against {expected}");
    }
    for (at, &slope) in in_y.indexed_iter() {
        let expected = difference(y, at, |y| of_points(x.view(), y));
        assert!((slope - expected).abs() < 1e-8, "y{at:?}, {ground:?}: {slope} against {expected}");
    }
    let is_free = sinkhorn.marginal_penalty.is_some();
    // Entry 0 pays for what another gets, unless totals are free.
    let given = |weights: &Array1<f64>, i: usize, by: f64| {
        let mut weights = weights.clone();
        weights[i] += by;
        weights[0] -= if is_free { 0.0 } else { by };
        weights
    };
    let of_weights = |a: &Array1<f64>, b: &Array1<f64>| {
        value(TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground)))
    };
    let central = |value: &dyn Fn(f64) -> f64| {
        let h = 1e-4;
        (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h)
    };
    for i in 1 - usize::from(is_free)..a.len() {
        let slope = in_a[i] - if is_free { 0.0 } else { in_a[0] };
        let expected = central(&|by| of_weights(&given(a, i, by), b));
        assert!((slope - expected).abs() < 1e-8, "a[{i}], {ground:?}: {slope} against {expected}");
    }
    for j in 1 - usize::from(is_free)..b.len() {
        let slope = in_b[j] - if is_free { 0.0 } else { in_b[0] };
        let expected = central(&|by| of_weights(a, &given(b, j, by)));
        assert!((slope - expected).abs() < 1e-8, "b[{j}], {ground:?}: {slope} against {expected}");
    }
    assert!(is_free || (in_a.sum().abs() < 1e-14 && in_b.sum().abs() < 1e-14));
}

#[test]
fn gradients_are_differences_of_the_value() {
    for (sinkhorn, ground) in settings().into_iter().flat_map(|sinkhorn| GROUNDS.map(|ground| (sinkhorn, ground))) {
        check_gradient(sinkhorn, ground, |p| sinkhorn.value(p).unwrap(), |p| sinkhorn.grad(p).unwrap().1);
        let divergence = SinkhornDivergence { sinkhorn };
        check_gradient(sinkhorn, ground, |p| divergence.value(p).unwrap(), |p| divergence.grad(p).unwrap().1);
    }
}

#[test]
fn the_gradient_in_a_matrix_of_costs_is_the_plan() {
    let small = Small::unequal();
    let costs = small.points(GroundCost::Manhattan).cost.to_matrix().unwrap();
    for (sinkhorn, b) in settings().into_iter().zip([&small.b * (2.0 / 0.7), small.b.clone()]) {
        let (_, gradient) = sinkhorn.grad(problem(&small.a, &b, &costs)).unwrap();
        let CostGradient::Matrix(slopes) = gradient.cost else { panic!("costs are a matrix") };
        for (at, &slope) in slopes.indexed_iter() {
            let expected = difference(&costs, at, |costs| {
                sinkhorn.value(TransportProblem::new(small.a.view(), b.view(), Cost::matrix(costs))).unwrap()
            });
            assert!((slope - expected).abs() < 1e-9, "{at:?}: {slope} against {expected}");
        }
    }
}

#[test]
fn places_without_weight_take_no_part_and_have_the_potential_of_mass_that_arrives() {
    let small = Small::new();
    let (a, b) = (array![0.1, 0.0, 0.4, 0.3, 0.2], array![0.5, 0.2, 0.3, 0.0]);
    let (mut x, mut y) = (Array2::zeros((5, 2)), Array2::from_elem((4, 2), 1e3));
    x.row_mut(1).assign(&array![-0.5, 7.0]);
    [0, 2, 3, 4].into_iter().zip(small.x.rows()).for_each(|(i, row)| x.row_mut(i).assign(&row));
    y.slice_mut(s![..3, ..]).assign(&small.y);
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    for sinkhorn in settings() {
        let without = sinkhorn.solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
        let with = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
        close(with.value, without.value, 1e-13);
        let plan = with.plan();
        assert!(plan.row(1).iter().chain(plan.column(3)).all(|&mass| mass == 0.0));
        let gradient = with.grad().unwrap();
        assert!(gradient.a.iter().chain(&gradient.b).all(|slope| slope.is_finite()));
        if sinkhorn.marginal_penalty.is_none() {
            let arrives = |by: f64| {
                let mut a = a.clone();
                a[1] += by;
                a[0] -= by;
                let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
                sinkhorn.value(TransportProblem::new(a.view(), b.view(), cost)).unwrap()
            };
            let slope = (4.0 * arrives(1e-6) - 3.0 * arrives(0.0) - arrives(2e-6)) / 2e-6;
            assert!((gradient.a[1] - gradient.a[0] - slope).abs() < 1e-4, "{slope}");
        }
    }
}

#[test]
fn a_stiff_penalty_is_a_constraint() {
    let small = Small::new();
    let balanced = sharp(0.2).solve(small.points(GroundCost::Euclidean)).unwrap();
    for (penalty, tolerance) in [(1e3, 1e-2), (1e6, 1e-5), (1e9, 1e-8), (1e12, 1e-9)] {
        let sinkhorn = Sinkhorn { marginal_penalty: Some(penalty), ..sharp(0.2) };
        let free = sinkhorn.solve(small.points(GroundCost::Euclidean)).unwrap();
        assert!(free.converged && free.iterations < 100);
        close(free.value, balanced.value, tolerance);
        assert!((free.plan() - balanced.plan()).iter().all(|d| d.abs() < tolerance));
    }
}

#[test]
fn it_tends_to_exact_transport_from_above() {
    let ((a, x), (b, y)) = (cloud(12, 2, 7), cloud(15, 2, 8));
    for ground in GROUNDS {
        let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        let exact = emd(problem).unwrap();
        let mut before = f64::INFINITY;
        for regularization in [1.0, 0.1, 0.01, 1e-3, 1e-4] {
            let sinkhorn = Sinkhorn { regularization, tolerance: 1e-9, max_iterations: 100_000, ..Sinkhorn::default() };
            let solution = sinkhorn.solve(problem).unwrap();
            assert!(solution.converged, "{regularization}: {}", solution.marginal_error);
            assert!(solution.value >= exact - 1e-8 && solution.value < before);
            assert!(solution.transport_cost >= exact - 1e-8);
            before = solution.value;
        }
        assert!(before - exact < 6e-4, "{before} against {exact}");
    }
}

#[test]
fn costs_of_any_size_give_the_same_plan() {
    let ((a, x), (b, y)) = (cloud(20, 2, 9), cloud(25, 2, 10));
    let costs = Cost::points(x.view(), y.view(), GroundCost::Euclidean).to_matrix().unwrap();
    let plain = sharp(1e-2).solve(problem(&a, &b, &costs)).unwrap();
    for scale in [1e-300, 1e-12, 1e12, 1e300] {
        let scaled = &costs * scale;
        let solution = Sinkhorn { regularization: 1e-2 * scale, ..sharp(1.0) }.solve(problem(&a, &b, &scaled)).unwrap();
        close(solution.value / scale, plain.value, 1e-12);
        assert!((solution.plan() - plain.plan()).iter().all(|d| d.abs() < 1e-13));
    }
    for shift in [-1e6, 3.0, 1e9] {
        let shifted = &costs + shift;
        let exact = &shifted - shift; // what rounding leaves of the costs
        let expected = sharp(1e-2).solve(problem(&a, &b, &exact)).unwrap();
        let solution = sharp(1e-2).solve(problem(&a, &b, &shifted)).unwrap();
        close(solution.value - shift, expected.value, 1e-15 * shift.abs() / expected.value + 1e-12);
        assert!((solution.plan() - expected.plan()).iter().all(|d| d.abs() < 1e-13));
    }
    // A thousandth of the costs' scale, which underflows wherever exponentials are formed without their logarithm.
    let far = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 1e9 } else { 1e12 * (1 + i + 2 * j) as f64 });
    let third = Array1::from_elem(3, 1.0 / 3.0);
    let solution = sharp(1e6).solve(problem(&third, &third, &far)).unwrap();
    close(solution.transport_cost, 1e9, 1e-13);
    close(solution.value, 1e9 + 1e6 * 3.0_f64.ln(), 1e-13);
}

#[test]
fn a_large_regularisation_leaves_the_product() {
    let small = Small::new();
    let solution = sharp(1e9).solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let product = Array2::from_shape_fn((4, 3), |(i, j)| small.a[i] * small.b[j]);
    all_close(solution.plan(), product, 1e-8);
    // And the divergence, for squared costs, the squared distance of the means.
    let mean = small.a.dot(&small.x) - small.b.dot(&small.y);
    let divergence = SinkhornDivergence { sinkhorn: sharp(1e5) };
    let value = divergence.value(small.points(GroundCost::SquaredEuclidean)).unwrap();
    assert!((value - mean.dot(&mean)).abs() < 1e-4, "{value} against {mean}");
}

#[test]
fn a_divergence_is_zero_at_home_and_a_shift_costs_its_square() {
    let (a, x) = cloud(40, 3, 11);
    for (sinkhorn, ground) in settings().into_iter().flat_map(|sinkhorn| GROUNDS.map(|ground| (sinkhorn, ground))) {
        let divergence = SinkhornDivergence { sinkhorn };
        let home = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), x.view(), ground));
        let solution = divergence.solve(home).unwrap();
        assert!(solution.converged && solution.iterations[1] < 60 && solution.iterations[1] == solution.iterations[2]);
        assert!(solution.value.abs() < 1e-14, "{ground:?}: {}", solution.value);
        let gradient = solution.grad().unwrap();
        let CostGradient::Points { x: in_x, y: in_y } = gradient.cost else { panic!("costs are between points") };
        assert!(in_x.iter().chain(&in_y).chain(&gradient.a).chain(&gradient.b).all(|slope| slope.abs() < 1e-12));
    }
    let y = &x + &array![0.5, -1.0, 0.25];
    let moved =
        TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean));
    let (value, gradient) = SinkhornDivergence { sinkhorn: sharp(0.1) }.grad(moved).unwrap();
    close(value, 0.25 + 1.0 + 0.0625, 1e-12);
    let CostGradient::Points { y: in_y, .. } = gradient.cost else { panic!("costs are between points") };
    for (row, weight) in in_y.rows().into_iter().zip(&a) {
        assert!((row[0] - weight).abs() < 1e-10 && (row[1] + 2.0 * weight).abs() < 1e-10);
    }
}

#[test]
fn single_precision_is_near_double() {
    let ((a, x), (b, y)) = (cloud(60, 2, 12), cloud(70, 2, 13));
    let (a32, b32, x32, y32) = (a.mapv(|w| w as f32), b.mapv(|w| w as f32), x.mapv(|x| x as f32), y.mapv(|y| y as f32));
    for regularization in [0.1, 1e-3] {
        let sinkhorn = Sinkhorn { regularization, tolerance: 2e-6, ..Sinkhorn::default() };
        for penalty in [None, Some(0.7)] {
            let sinkhorn = Sinkhorn { marginal_penalty: penalty, ..sinkhorn };
            let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
            let wide = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
            let cost = Cost::points(x32.view(), y32.view(), GroundCost::Euclidean);
            let narrow = sinkhorn.solve(TransportProblem::new(a32.view(), b32.view(), cost)).unwrap();
            assert!(narrow.converged, "{regularization}, {penalty:?}: {}", narrow.marginal_error);
            close(narrow.value.into(), wide.value, 1e-5);
            let plan = narrow.plan().mapv(f64::from);
            assert!((plan - wide.plan()).mapv(f64::abs).sum() < 1e-3);
        }
    }
}

/// Everything that a call gives, as bits.
fn bits<T: Real>(problem: TransportProblem<'_, T>) -> Vec<u64> {
    let sinkhorn = Sinkhorn { regularization: 0.02, max_iterations: 30, ..Sinkhorn::default() };
    let solution = sinkhorn.solve(problem).unwrap();
    let gradient = solution.grad().unwrap();
    let mut numbers = vec![solution.value, solution.transport_cost];
    numbers.extend(solution.plan().iter().chain(&solution.f).chain(&solution.g).chain(&gradient.a).chain(&gradient.b));
    if let CostGradient::Points { x, y } = gradient.cost {
        numbers.extend(x.iter().chain(&y));
        let divergence = SinkhornDivergence { sinkhorn: Sinkhorn { max_iterations: 5, ..sinkhorn } };
        numbers.push(divergence.value(problem).unwrap());
    }
    numbers.into_iter().map(|x| x.wide().to_bits()).collect()
}

fn layouts_leave_no_trace<T: Real>() {
    let ((a, x), (b, y)) = (cloud(45, 2, 14), cloud(1_100, 2, 15));
    let (a, b) = (a.mapv(T::of), (b.mapv(T::of)));
    let (x, y) = (x.mapv(T::of), y.mapv(T::of));
    let columns = |array: &Array2<T>| {
        let mut other = Array2::zeros(array.raw_dim().f());
        other.assign(array);
        other
    };
    let (x_other, y_other) = (columns(&x), columns(&y));
    let costs = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
    let expected = bits(TransportProblem::new(a.view(), b.view(), costs));
    let other = Cost::points(x_other.view(), y_other.view(), GroundCost::Euclidean);
    assert_eq!(bits(TransportProblem::new(a.view(), b.view(), other)), expected);
    let costs = costs.to_matrix().unwrap();
    let (expected, other) = (bits(problem(&a, &b, &costs)), columns(&costs));
    assert_eq!(bits(problem(&a, &b, &other)), expected);
}

#[test]
fn every_layout_gives_the_same_bits() {
    layouts_leave_no_trace::<f64>();
    layouts_leave_no_trace::<f32>();
}

#[cfg(feature = "rayon")]
#[test]
fn threads_leave_no_trace() {
    let ((a, x), (b, y)) = (cloud(500, 2, 16), cloud(400, 2, 17));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(TransportProblem::new(a.view(), b.view(), cost)))
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn bad_input_is_named() {
    let small = Small::new();
    let message = |sinkhorn: Sinkhorn| {
        let problem = small.points(GroundCost::Euclidean);
        let error = sinkhorn.solve(problem).unwrap_err().to_string();
        assert_eq!(SinkhornDivergence { sinkhorn }.value(problem).unwrap_err().to_string(), error);
        error
    };
    let plain = Sinkhorn::default();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("is {bad}, allowed is finite and > 0");
        assert_eq!(message(Sinkhorn { regularization: bad, ..plain }), format!("`regularization` {expected}"));
        let penalty = Sinkhorn { marginal_penalty: Some(bad), ..plain };
        assert_eq!(message(penalty), format!("`marginal_penalty` {expected}"));
    }
    assert_eq!(message(Sinkhorn { tolerance: -1.0, ..plain }), "`tolerance` is -1, allowed is finite and >= 0");
    assert_eq!(message(Sinkhorn { max_iterations: 0, ..plain }), "`max_iterations` is 0, allowed is >= 1");
    assert_eq!(message(Sinkhorn { scaling: 1.5, ..plain }), "`scaling` is 1.5, allowed is (0, 1]");
    assert_eq!(message(Sinkhorn { scaling: 0.0, ..plain }), "`scaling` is 0, allowed is (0, 1]");
    assert_eq!(message(Sinkhorn { regularization: 1e-305, ..plain }), "the result at `cost` overflows f64");
    let costs = small.points(GroundCost::Euclidean).cost.to_matrix().unwrap();
    let error = |result: Result<f64>| result.unwrap_err().to_string();
    let divergence = SinkhornDivergence::default().value(problem(&small.a, &small.b, &costs));
    assert_eq!(error(divergence), "SinkhornDivergence needs `cost.x`");
    let unequal = plain.value(problem(&small.a, &(2.0 * &small.b), &costs));
    assert!(matches!(unequal, Err(Error::Unbalanced { .. })));
    let from = |g: Array1<f64>| plain.solve_from(problem(&small.a, &small.b, &costs), &g).unwrap_err().to_string();
    assert_eq!(from(array![0.0]), "`g` has shape [1], expected [3]");
    assert_eq!(from(array![0.0, f64::NAN, 0.0]), "`g`[1] is NaN, allowed is finite");
    let bad = array![[0.0, f64::NAN, 1.0], [0.0; 3], [0.0; 3], [0.0; 3]];
    assert_eq!(error(plain.value(problem(&small.a, &small.b, &bad))), "`cost`[0, 1] is NaN, allowed is finite");
    // A gain beyond all bounds.
    let (one, gift) = (array![1.0], array![[-1e9]]);
    let free = Sinkhorn { marginal_penalty: Some(1.0), ..plain };
    assert_eq!(error(free.value(problem(&one, &one, &gift))), "the result at `cost` overflows f64");
}
