//! Regularizations far above the costs, at which the plan tends to the product of the weights.

use ndarray::{Array2, array};

use super::{GROUNDS, Small, cloud, problem, sharp};
use crate::testing::close;
use crate::transport::sinkhorn::{Sinkhorn, SinkhornDivergence};
use crate::transport::{Cost, GroundCost, TransportProblem, product_coupling_cost};

/// Value and differences of both potentials, from 60 to 640 digits. From 32 on, which is 16 times the range of the costs,
/// rounds are flat.
const BALANCED: [(f64, [f64; 3]); 9] = [
    (16.0, [1.163_351_500_566_5, 1.085_461_478_669_484_5, -0.884_536_857_772_364_1]),
    (31.75, [1.167_564_338_723_950_3, 1.074_052_988_037_676, -0.879_711_337_414_849_5]),
    (32.0, [1.167_597_898_459_440_5, 1.073_962_585_896_766_7, -0.879_673_778_865_634_2]),
    (32.25, [1.167_630_939_748_782_3, 1.073_873_587_540_724_7, -0.879_636_814_086_473_6]),
    (1e4, [1.171_861_267_232_91, 1.062_536_621_284_481_1, -0.875_014_649_429_298_3]),
    (1e9, [1.171_874_999_862_671, 1.062_500_000_366_210_9, -0.875_000_000_146_484_4]),
    (1e13, [1.171_874_999_999_986_3, 1.062_500_000_000_036_6, -0.875_000_000_000_014_6]),
    (1e40, [1.171_875, 1.062_5, -0.875]),
    (1e300, [1.171_875, 1.062_5, -0.875]),
];

#[test]
fn values_and_potentials_are_those_of_many_digits_in_both_types() {
    let (a, b, cost) = (array![0.25, 0.75], array![0.625, 0.375], array![[0.0, 1.0], [2.0, 0.5]]);
    let (a32, b32, cost32) = (a.mapv(|w| w as f32), b.mapv(|w| w as f32), cost.mapv(|c| c as f32));
    for (regularization, [value, f, g]) in BALANCED {
        let solution = sharp(regularization).solve(problem(&a, &b, &cost)).unwrap();
        assert!(solution.converged && solution.iterations < 25, "{regularization}: {solution:?}");
        let digits = if regularization < 32.0 { 1e-12 } else { 4e-15 };
        close(solution.value, value, digits);
        close(solution.f[1] - solution.f[0], f, 10.0 * digits);
        close(solution.g[1] - solution.g[0], g, 10.0 * digits);
        let solution = Sinkhorn { regularization, ..Sinkhorn::default() }.solve(problem(&a32, &b32, &cost32)).unwrap();
        assert!(solution.converged);
        let digits = if regularization < 32.0 { 5e-6 } else { 1e-7 };
        close(solution.value.into(), value, digits);
        close((solution.f[1] - solution.f[0]).into(), f, 40.0 * digits);
        close((solution.g[1] - solution.g[0]).into(), g, 40.0 * digits);
    }
}

/// Value and potentials, from 60 digits, of ε and ρ.
const UNBALANCED: [([f64; 2], [f64; 5]); 7] = [
    (
        [16.0, 1.0],
        [
            2.036_902_064_106_066,
            0.325_470_850_198_414_9,
            0.393_678_573_475_271_9,
            -0.587_604_938_542_422_7,
            -0.637_874_239_326_968_4,
        ],
    ),
    (
        [32.0, 1.0],
        [
            2.099_073_851_057_52,
            0.308_528_248_763_168_8,
            0.343_762_487_395_125_1,
            -0.637_184_498_534_872,
            -0.663_378_807_510_440_3,
        ],
    ),
    (
        [32.0, 0.125],
        [
            1.805_433_423_963_082,
            0.037_422_067_099_809_4,
            0.041_944_761_814_768_49,
            -0.080_674_359_601_191_2,
            -0.084_036_060_842_259_19,
        ],
    ),
    (
        [1e9, 0.5],
        [
            1.991_598_829_073_470_2,
            0.143_841_036_493_923_4,
            0.143_841_037_077_256_74,
            -0.346_573_589_428_606_4,
            -0.346_573_589_866_106_4,
        ],
    ),
    (
        [1e9, 1e9],
        [
            318_887_910.270_019_7,
            422_837_108.453_113_5,
            422_837_109.036_446_8,
            -557_992_143.975_279_4,
            -557_992_144.412_779_4,
        ],
    ),
    (
        [1e20, 3.0],
        [
            2.887_092_986_486_74,
            0.863_046_217_355_342_8,
            0.863_046_217_355_342_8,
            -2.079_441_541_679_836,
            -2.079_441_541_679_836,
        ],
    ),
    (
        [64.0, 1e4],
        [
            3_008.301_138_125_144_5,
            4_897.407_300_002_244,
            4_898.571_895_649_328,
            -4_909.720_976_580_607,
            -4_910.593_409_752_543,
        ],
    ),
];

#[test]
fn unbalanced_values_and_potentials_are_those_of_many_digits() {
    let (a, b, cost) = (array![0.5, 1.5], array![0.5, 0.25], array![[0.0, 1.0], [2.0, 0.5]]);
    for ([regularization, penalty], [value, f0, f1, g0, g1]) in UNBALANCED {
        let sinkhorn = Sinkhorn { marginal_penalty: Some(penalty), tolerance: 1e-13, ..sharp(regularization) };
        let solution = sinkhorn.solve(problem(&a, &b, &cost)).unwrap();
        assert!(solution.converged, "{regularization}, {penalty}: {solution:?}");
        close(solution.value, value, 1e-14);
        for (got, expected) in solution.f.iter().chain(&solution.g).zip([f0, f1, g0, g1]) {
            close(*got, expected, 1e-13);
        }
    }
}

/// The slopes in both weights, `ρ - (ρ + ε) e^(-f/ρ) + ε Σ b`, from 90 digits: differences of numbers as large as ε.
const SLOPES: [([f64; 2], [f64; 4]); 3] = [
    ([32.0, 1.0], [0.760_602_320_103_320_2, 1.599_788_189_081_210_3, 2.592_088_137_798_811_3, 0.935_757_499_096_279_5]),
    ([1e9, 0.5], [0.527_049_414_820_316_1, 1.402_049_413_736_675, 2.905_465_103_047_800_4, 1.155_465_105_965_082_3]),
    ([1e20, 3.0], [1.912_296_493_243_37, 2.787_296_493_243_369_9, 2.432_790_648_648_986_3, 0.682_790_648_648_986_3]),
];

#[test]
fn unbalanced_slopes_in_weights_are_those_of_many_digits() {
    let (a, b, cost) = (array![0.5, 1.5], array![0.5, 0.25], array![[0.0, 1.0], [2.0, 0.5]]);
    for ([regularization, penalty], expected) in SLOPES {
        let sinkhorn = Sinkhorn { marginal_penalty: Some(penalty), ..sharp(regularization) };
        let gradient = sinkhorn.grad(problem(&a, &b, &cost)).unwrap().1;
        for (got, expected) in gradient.a.iter().chain(&gradient.b).zip(expected) {
            close(*got, expected, 1e-12);
        }
    }
}

#[test]
fn it_tends_to_the_product_for_any_costs_and_any_number_of_places() {
    let ((a, x), (b, y)) = (cloud(40, 2, 21), cloud(50, 2, 22));
    for (ground, scale) in GROUNDS.into_iter().flat_map(|ground| [1e-140, 1.0, 1e140].map(|scale| (ground, scale))) {
        let (x, y) = (&x * scale, &y * scale);
        let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        let product = product_coupling_cost(problem).unwrap();
        for regularization in [1e15 * product, 1e300_f64.max(1e15 * product)] {
            let solution = Sinkhorn { regularization, ..Sinkhorn::default() }.solve(problem).unwrap();
            assert!(solution.converged && solution.iterations < 5);
            close(solution.value, product, 1e-13);
            close(solution.transport_cost, product, 1e-13);
            // Each potential is, up to a constant, what a place pays on its way to all.
            let costs = problem.cost.to_matrix().unwrap();
            let (rows, columns) = (costs.dot(&b), a.dot(&costs));
            let gradient = solution.grad().unwrap();
            for (slopes, expected) in [(gradient.a, &rows), (gradient.b, &columns)] {
                let mean = expected.mean().unwrap();
                let largest = expected.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
                assert!((slopes - (expected - mean)).iter().all(|d| d.abs() <= 1e-13 * largest));
            }
        }
    }
}

#[test]
fn a_divergence_tends_to_the_squared_distance_of_the_means() {
    let small = Small::new();
    let mean = small.a.dot(&small.x) - small.b.dot(&small.y);
    for regularization in [1e14, 1e18, 1e100] {
        let divergence = SinkhornDivergence { sinkhorn: sharp(regularization) };
        let value = divergence.value(small.points(GroundCost::SquaredEuclidean)).unwrap();
        assert!((value - mean.dot(&mean)).abs() < 1e-11, "{value} against {mean}");
        let home = TransportProblem::new(
            small.a.view(),
            small.a.view(),
            Cost::points(small.x.view(), small.x.view(), GroundCost::Euclidean),
        );
        assert_eq!(divergence.value(home).unwrap(), 0.0);
    }
}

#[test]
fn costs_that_are_all_one_are_the_value_at_any_regularization() {
    let (a, b) = (array![0.25, 0.75], array![0.5, 0.25, 0.25]);
    for (cost, regularization) in [(3.0, 1e-3), (3.0, 0.05), (-7.0, 1e30), (0.0, 1e300), (1e-300, 1.0)] {
        let costs = Array2::from_elem((2, 3), cost);
        let solution = sharp(regularization).solve(problem(&a, &b, &costs)).unwrap();
        assert!(solution.converged && solution.iterations == 1);
        close(solution.value, cost, 1e-15);
    }
}
