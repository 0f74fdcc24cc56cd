//! Energies, scores and fields: identities, closed forms of Gaussians, and bounds that are equal.

use loglik::energy::{
    Advantage, AntitheticArguments, AntitheticInterpolant, DenoisingScore, DenoisingScoreArguments, Edm, EdmArguments,
    ExplicitScore, ExplicitScoreArguments, Field, FreeEnergy, Gamma, Initializer, InitializerArguments, Interpolant,
    InterpolantArguments, InterpolantPath, KarrasGrid, Langevin, LangevinArguments, MaskWeights, NoiseSchedule,
    RecoveryArguments, RecoveryContrast, RecoveryContrastArguments, RecoveryEnergy, ReinforceKl, SampleLoss,
    ScoreWeighting, SelfConsistency, SelfConsistencyArguments, SlicedScore, SlicedScoreArguments, begin_consistency,
    composed_energy, energy_threshold, guided_energy, guided_score,
};
use loglik::likelihood::Density;
use loglik::logits::{CrossEntropy, TokenObjective};
use loglik::{Reduction, math};
use ndarray::{Array1, Array2, Array3, Axis, array};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const N: usize = 4;

/// The six-point rule that is exact for polynomials of degree five under a standard normal: nodes and weights.
const HERMITE: [(f64, f64); 3] =
    [(-1.732_050_807_568_877_2, 1.0 / 6.0), (0.0, 2.0 / 3.0), (1.732_050_807_568_877_2, 1.0 / 6.0)];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_recovery_energy_of_a_gaussian_is_a_gaussian(
        y in matrix(N, 1, -3.0, 3.0), x in matrix(N, 1, -3.0, 3.0), v in 0.2..4.0_f64, sigma in numbers(N, 0.1, 3.0),
    ) {
        let f = |y: &Array2<f64>| y.column(0).mapv(|y| -0.5 * y * y / v);
        let energy = |y: &Array2<f64>| {
            let f = f(y);
            RecoveryEnergy.each(RecoveryArguments { y: &**y, x: &*x, energy: &*f, sigma: &*sigma }).unwrap()
        };
        let s2 = sigma.mapv(|s| s * s);
        let mean = s2.mapv(|s2| v / (v + s2)) * x.column(0);
        let variance = s2.mapv(|s2| v * s2 / (v + s2));
        let log_density = |y: &Array2<f64>| -0.5 * (&y.column(0) - &mean).mapv(|d| d * d) / &variance;
        let other = &y + 0.7;
        assert_all_near(&(energy(&y) - energy(&other)), &(log_density(&y) - log_density(&other)), 1e-11);
        // Langevin without noise rests at its mean: there the bracket is 0.
        let at = mean.clone().insert_axis(Axis(1));
        let slope = &at / -v;
        let zeros = Array2::zeros(at.raw_dim());
        for i in 0..N {
            let row = |a: &Array2<f64>| a.row(i).to_owned();
            let (at, slope, x, zeros) = (row(&at), row(&slope), row(&x), row(&zeros));
            let step = Langevin { step: 0.1, sigma: sigma[i] };
            let next = step.step(LangevinArguments { y: &*at, gradient: &*slope, x: &*x, noise: &*zeros }).unwrap();
            assert_all_near(&next, &at, 1e-14);
        }
    }

    #[test]
    fn contrasts_turn_with_their_sides_and_the_initializer_is_a_distance(
        f in numbers(N, -9.0, 9.0), g in numbers(N, -9.0, 9.0), w in numbers(N, 0.0, 2.0), x in matrix(N, 3, -2.0, 2.0), y in matrix(N, 3, -2.0, 2.0),
    ) {
        let each = |f, g| RecoveryContrast.each(RecoveryContrastArguments { positive: f, negative: g, weight: &*w }).unwrap();
        assert_all_near(&each(&*f, &*g), &-each(&*g, &*f), 1e-15);
        assert_all_near(&each(&*f, &*g), &(&w * &(&g - &f)), 1e-15);
        let distance = Initializer.each(InitializerArguments { proposal: &*x, refined: &*y }).unwrap();
        assert_all_near(&distance, &(&x - &y).mapv(|d| d * d).sum_axis(Axis(1)), 1e-13);
    }

    #[test]
    fn every_level_of_edm_is_the_plain_error_of_its_network(
        clean in matrix(N, 3, -2.0, 2.0), noise in matrix(N, 3, -2.0, 2.0), network in matrix(N, 3, -2.0, 2.0),
        sigma in numbers(N, 0.01, 50.0), s in 0.1..2.0_f64,
    ) {
        let edm = Edm { sigma_data: s };
        let (mut denoised, mut error) = (Array2::zeros((N, 3)), Array1::zeros(N));
        for i in 0..N {
            let c = edm.coefficients(sigma[i]).unwrap();
            assert_near(c.input * c.input * (sigma[i] * sigma[i] + s * s), 1.0, 1e-14);
            assert_near(edm.weight(sigma[i]).unwrap() * c.out * c.out, 1.0, 1e-14);
            assert_near(c.noise, 0.25 * sigma[i].ln(), 1e-15);
            let noisy = &clean.row(i) + &(sigma[i] * &noise.row(i));
            denoised.row_mut(i).assign(&(c.skip * &noisy + c.out * &network.row(i)));
            let target = (&clean.row(i) - &(c.skip * &noisy)) / c.out;
            error[i] = (&network.row(i) - &target).mapv(|d| d * d).sum();
        }
        let each = edm.each(EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma }).unwrap();
        assert_all_near(&each, &error, 1e-9);
    }

    #[test]
    fn a_field_loses_half_its_squared_error_less_that_of_none(
        f in matrix(N, 3, -2.0, 2.0), g in matrix(N, 3, -2.0, 2.0), x0 in matrix(N, 3, -2.0, 2.0), x1 in matrix(N, 3, -2.0, 2.0),
        z in matrix(N, 3, -2.0, 2.0), t in numbers(N, 0.05, 0.95),
    ) {
        for gamma in [Gamma::Root { a: 0.7 }, Gamma::Product, Gamma::SineSquared] {
            let loss = |field, prediction: &Array2<f64>, noise: &Array2<f64>| {
                let arguments = InterpolantArguments { prediction: &**prediction, x0: &*x0, x1: &*x1, noise: &**noise, t: &*t };
                Interpolant { gamma, field }.grad(arguments, Reduction::Sum).map(|(_, g)| g)
                    .and_then(|g| Ok((Interpolant { gamma, field }.each(arguments)?, g))).unwrap()
            };
            let target = |field| -loss(field, &Array2::zeros((N, 3)), &z).1;
            for field in [Field::Velocity, Field::Score, Field::Denoiser, Field::PathVelocity] {
                let square = |x: Array2<f64>| 0.5 * x.mapv(|x| x * x).sum_axis(Axis(1));
                let tau: Array2<f64> = target(field);
                assert_all_near(&loss(field, &f, &z).0, &(square(&f - &tau) - square(tau)), 1e-9);
                // The antithetic form is the mean of both signs of the noise.
                let arguments = AntitheticArguments { plus: &*f, minus: &*g, x0: &*x0, x1: &*x1, noise: &*z, t: &*t };
                let both = AntitheticInterpolant { gamma, field };
                let mean = 0.5 * (loss(field, &f, &z).0 + loss(field, &g, &-&z).0);
                assert_all_near(&both.each(arguments).unwrap(), &mean, 1e-11);
                let gradient = both.grad(arguments, Reduction::Sum).unwrap().1;
                assert_all_near(&(2.0 * gradient.minus), &loss(field, &g, &-&z).1, 1e-12);
            }
            // b = v - γ γ̇ s, and η = -γ s.
            let pull = t.mapv(|t| gamma.value_slope(t).unwrap()).insert_axis(Axis(1));
            assert_all_near(&(target(Field::PathVelocity) - &pull * &target(Field::Score)), &target(Field::Velocity), 1e-11);
            let amplitude = t.mapv(|t| gamma.value(t).unwrap()).insert_axis(Axis(1));
            assert_all_near(&(-amplitude * target(Field::Score)), &target(Field::Denoiser), 1e-13);
        }
    }

    #[test]
    fn sliced_over_all_signs_is_explicit(score in matrix(1, 2, -3.0, 3.0), j in numbers(3, -2.0, 2.0)) {
        // A symmetric Jacobian: diagonal j0, j1, the other entry j2.
        let directions = array![[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];
        let curvature: Array1<f64> = directions.rows().into_iter().map(|v| j[0] + j[1] + 2.0 * v[0] * v[1] * j[2]).collect();
        let scores = score.broadcast((4, 2)).unwrap().to_owned();
        let trace = array![j[0] + j[1]];
        let explicit = ExplicitScore.value(ExplicitScoreArguments { score: &*score, trace: &*trace }, Reduction::Mean).unwrap();
        let sliced = SlicedScoreArguments { score: &*scores, direction: &*directions, curvature: &*curvature };
        assert_near(SlicedScore.value(sliced, Reduction::Mean).unwrap(), explicit, 1e-13);
        let reduced = ExplicitScoreArguments { score: &*scores, trace: &*curvature };
        assert_near(ExplicitScore.value(reduced, Reduction::Mean).unwrap(), explicit, 1e-13);
    }

    #[test]
    fn the_weighted_denoising_loss_is_that_of_the_noise(score in matrix(N, 3, -2.0, 2.0), z in matrix(N, 3, -2.0, 2.0), sigma in numbers(N, 0.1, 9.0)) {
        let each = |weighting| DenoisingScore { weighting }.each(DenoisingScoreArguments { score: &*score, noise: &*z, sigma: &*sigma }).unwrap();
        let (weighted, uniform) = (each(ScoreWeighting::Variance), each(ScoreWeighting::Uniform));
        assert_all_near(&weighted, &(&uniform * &sigma.mapv(|s| s * s)), 1e-13);
        let predicted = -&score * sigma.view().insert_axis(Axis(1));
        assert_all_near(&weighted, &(0.5 * (predicted - &z).mapv(|d| d * d).sum_axis(Axis(1))), 1e-13);
    }

    #[test]
    fn residuals_of_one_table_vanish_along_every_order_whatever_is_added_to_all(table in numbers(8, -3.0, 3.0), shift in -9.0..9.0_f64) {
        // A distribution of three coins; log-marginals by summation, conditionals as their differences.
        let total: f64 = table.mapv(f64::exp).sum();
        let marginal = |fixed: &[(usize, usize)]| {
            let holds = |state: usize| fixed.iter().all(|&(bit, value)| state >> bit & 1 == value);
            (0..8).filter(|&state| holds(state)).map(|state| table[state].exp()).sum::<f64>().ln() - total.ln() + shift
        };
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let fixed = order.map(|bit| (bit, 5 >> bit & 1));
            let along: Array1<f64> = (0..=3).map(|d| marginal(&fixed[..d])).collect();
            let (previous, current) = (along.slice(ndarray::s![..3]).to_owned(), along.slice(ndarray::s![1..]).to_owned());
            let conditional = &current - &previous;
            let step = |previous, conditional, current| SelfConsistency { scale: 3.0 }.value(SelfConsistencyArguments { previous, conditional, current }, Reduction::Mean).unwrap();
            prop_assert!(step(&*previous, &*conditional, &*current) < 1e-28);
            assert_near(step(&*previous, &*(&conditional + 0.5), &*current), 0.75, 1e-12);
            assert_near(along[0] + conditional.sum(), marginal(&fixed), 1e-13);
            assert_near(begin_consistency(along[0], 0.0).unwrap(), shift * shift, 1e-12);
        }
    }

    #[test]
    fn a_sampled_divergence_has_the_gradient_of_the_exact_one(log_f in numbers(3, -3.0, 3.0)) {
        // States by their probabilities: 3, 2 and 1 of 6 samples.
        let (q, states) = (array![3.0, 2.0, 1.0_f64] / 6.0, [0, 0, 0, 1, 1, 2]);
        let of = |table: &Array1<f64>| states.iter().map(|&x| table[x]).collect::<Array1<f64>>();
        let (log_q, log_density) = (of(&q.mapv(f64::ln)), of(&log_f));
        let (_, slopes) = ReinforceKl { advantage: Advantage::Raw }.grad(&log_q, &log_density).unwrap();
        let ratio = q.mapv(f64::ln) - &log_f;
        let mean = (&q * &ratio).sum();
        for i in 0..3 {
            // ∂ log q(x) / ∂θ_i = [x = i] - q_i in the logits.
            let got: f64 = states.iter().zip(&slopes).map(|(&x, slope)| slope * (f64::from(u8::from(x == i)) - q[i])).sum();
            assert_near(got, q[i] * (ratio[i] - mean), 1e-13);
        }
        let standardized = ReinforceKl::default().advantages(&log_q, &log_density).unwrap();
        assert_near(standardized.sum(), 0.0, 1e-13);
        assert_near(standardized.mapv(|x| x * x).sum(), 5.0, 1e-12);
        let moved = ReinforceKl::default().advantages(&log_q, &(3.0 - &log_density + 2.0 * &log_q)).unwrap();
        assert_all_near(&moved, &-&standardized, 1e-9); // any positive map of the ratios leaves them; a negative one turns them
    }

    #[test]
    fn free_energies_know_the_level_of_the_logits(x in matrix(N, 5, -9.0, 9.0), shift in -50.0..50.0_f64, temperature in 0.05..5.0_f64) {
        let free = FreeEnergy { temperature };
        let (energy, slopes) = free.grad(&x).unwrap();
        assert_all_near(&free.each(&(&x + shift)).unwrap(), &(&energy - shift), 1e-12);
        assert_all_near(&slopes.sum_axis(Axis(1)), &Array1::from_elem(N, -1.0), 1e-14);
        for (row, &energy) in x.rows().into_iter().zip(&energy) {
            let max = row.fold(f64::NEG_INFINITY, |max: f64, &x| max.max(x));
            prop_assert!(-max - temperature * 5_f64.ln() - 1e-12 <= energy && energy <= -max + 1e-12);
        }
        let threshold = energy_threshold(&energy, 0.75).unwrap();
        prop_assert_eq!(energy.iter().filter(|&&e| e <= threshold).count(), 3);
    }

    #[test]
    fn products_of_gaussians_add_their_precisions(v in 0.2..4.0_f64, w in 0.2..4.0_f64, m in -3.0..3.0_f64, lambda in 0.0..3.0_f64, a in numbers(N, -3.0, 3.0)) {
        let (precision, mean) = (1.0 / v + lambda / w, lambda * m / w / (1.0 / v + lambda / w));
        let score = guided_score(&(&a / -v), &((m - &a) / w), lambda).unwrap();
        assert_all_near(&score, &((mean - &a) * precision), 1e-12);
        let (f, g) = (a.mapv(|a| -0.5 * a * a / v), a.mapv(|a| -0.5 * (a - m) * (a - m) / w));
        let together = composed_energy(&[(1.0, &*f), (lambda, &*g)]).unwrap();
        let level = |a: f64| -0.5 * precision * (a - mean) * (a - mean);
        assert_all_near(&together.mapv(|e| e - together[0]), &a.mapv(|x| level(x) - level(a[0])), 1e-11);
        prop_assert_eq!(guided_energy(&f, &g, 0.0).unwrap(), f.clone());
        prop_assert_eq!(guided_energy(&f, &g, -1.0).unwrap(), g);
    }

    #[test]
    fn the_levels_of_a_grid_are_equal_steps_of_their_root(low in 1e-3..1.0_f64, ratio in 1.5..1e4_f64, rho in 0.5..12.0_f64) {
        let grid = KarrasGrid { sigma_min: low, sigma_max: low * ratio, rho };
        let levels = grid.levels::<f64>(9).unwrap();
        prop_assert_eq!((levels.len(), levels[0], levels[8], levels[9]), (10, low * ratio, low, 0.0));
        let roots = levels.mapv(|sigma| (sigma / levels[0]).powf(1.0 / rho));
        for i in 1..8 {
            assert_near(roots[i - 1] - roots[i], roots[i] - roots[i + 1], 1e-13);
        }
    }
}

/// Interpolants between two Gaussians have Gaussian points and linear fields.
#[test]
fn the_fields_of_gaussians_are_least_where_they_are_known() {
    let ([m0, m1], [s0, s1], t): ([f64; 2], [f64; 2], f64) = ([-1.0, 2.0], [0.7, 0.4], 0.3);
    let gamma = Gamma::Root { a: 1.0 };
    let mut points = Vec::new();
    for (a, u) in HERMITE {
        for (b, v) in HERMITE {
            points.extend(HERMITE.map(|(z, w)| [m0 + s0 * a, m1 + s1 * b, z, u * v * w]));
        }
    }
    let column = |k: usize| Array2::from_shape_fn((27, 1), |(i, _)| points[i][k]);
    let (x0, x1, z, weights) = (column(0), column(1), column(2), column(3).column(0).to_owned());
    let times = Array1::from_elem(27, t);
    let (mean, pull) = ((1.0 - t) * m0 + t * m1, gamma.value_slope(t).unwrap());
    let variance = (1.0 - t).powi(2) * s0 * s0 + t * t * s1 * s1 + gamma.value(t).unwrap().powi(2);
    let slope = (-(1.0 - t) * s0 * s0 + t * s1 * s1 + pull) / variance;
    assert_near(slope, -0.204_521, 1e-6);
    assert_near(m1 - m0 - slope * mean, 2.979_548, 1e-6);
    assert_near(-1.0 / variance, -2.152_853, 1e-6);
    let x = Interpolant { gamma, field: Field::Velocity }
        .point(InterpolantPath { x0: &*x0, x1: &*x1, noise: &*z }, &times)
        .unwrap();
    let fields = [
        (Field::Velocity, slope, m1 - m0),
        (Field::Score, -1.0 / variance, 0.0),
        (Field::Denoiser, gamma.value(t).unwrap() / variance, 0.0),
        (Field::PathVelocity, slope - pull / variance, m1 - m0),
    ];
    for (field, slope, level) in fields {
        let prediction = x.mapv(|x| level + slope * (x - mean));
        let arguments = InterpolantArguments { prediction: &*prediction, x0: &*x0, x1: &*x1, noise: &*z, t: &*times };
        let (value, pulls) = Interpolant { gamma, field }.grad(arguments, Reduction::Weighted(&weights)).unwrap();
        // Neither level nor slope of the field can do better, and the value is -½ E f².
        assert!(pulls.sum().abs() < 1e-13 && (&pulls * &x).sum().abs() < 1e-13, "{field:?}");
        assert_near(value, -0.5 * (level * level + slope * slope * variance), 1e-13);
        if field == Field::Score {
            assert_near(value, -1.0764, 1e-4);
        }
    }
}

/// Of the linear scores `(m - x) / v` score matching finds mean and variance of the sample.
#[test]
fn score_matching_finds_mean_and_variance() {
    let x = array![[0.3], [-1.2], [2.5], [0.9], [-0.4]];
    let mean = x.mean().unwrap();
    let variance = x.mapv(|x| (x - mean) * (x - mean)).mean().unwrap();
    // Slopes of the mean loss in level and slope of `score = level + slope x`, by the chain rule.
    let slopes = |level: f64, slope: f64| {
        let (score, trace) = (x.mapv(|x| level + slope * x), Array1::from_elem(5, slope));
        let arguments = ExplicitScoreArguments { score: &*score, trace: &*trace };
        let (_, g) = ExplicitScore.grad(arguments, Reduction::Mean).unwrap();
        [g.score.sum(), (&g.score * &x).sum() + g.trace.sum()]
    };
    let ([a, b], [c, d], [e, f]) = (slopes(0.0, 0.0), slopes(1.0, 0.0), slopes(0.0, 1.0));
    // The normal equations of a quadratic: slopes are linear in the two.
    let (aa, ab, ba, bb) = (c - a, e - a, d - b, f - b);
    let determinant = aa * bb - ab * ba;
    let (level, slope) = ((b * ab - a * bb) / determinant, (a * ba - b * aa) / determinant);
    assert_near(-1.0 / slope, variance, 1e-13);
    assert_near(-level / slope, mean, 1e-13);
    // Noisy data have their noise's variance more.
    let sigma = 0.6;
    let noisy: Vec<[f64; 3]> = x.iter().flat_map(|&x| HERMITE.map(|(z, w)| [x + sigma * z, z, w / 5.0])).collect();
    let score = Array2::from_shape_fn((15, 1), |(i, _)| (mean - noisy[i][0]) / (variance + sigma * sigma));
    let z = Array2::from_shape_fn((15, 1), |(i, _)| noisy[i][1]);
    let weights: Array1<f64> = noisy.iter().map(|point| point[2]).collect();
    let sigmas = Array1::from_elem(15, sigma);
    let arguments = DenoisingScoreArguments { score: &*score, noise: &*z, sigma: &*sigmas };
    let (_, pulls) = DenoisingScore::default().grad(arguments, Reduction::Weighted(&weights)).unwrap();
    let along: f64 = pulls.iter().zip(&noisy).map(|(pull, point)| pull * point[0]).sum();
    assert!(pulls.sum().abs() < 1e-14 && along.abs() < 1e-14);
}

/// Sums over orders, subsets and levels of one inconsistent table of conditionals are one bound.
#[test]
fn any_order_bounds_are_equal_for_any_table() {
    // Logits of each of three coins given which are masked (a bit each) and what the others show.
    let logit = |i: usize, mask: usize, x: usize| ((7 * i + 13 * mask + 29 * (x & !mask)) as f64).sin() * 2.0;
    let x = 0b101_usize;
    let subset = |mask: usize, weights: &Array2<f64>| {
        let logits = Array3::from_shape_fn((1, 3, 2), |(_, i, v)| if v == 1 { logit(i, mask, x) } else { 0.0 });
        let targets = array![[(x & 1) as i64, (x >> 1 & 1) as i64, (x >> 2 & 1) as i64]];
        CrossEntropy::default().value(&logits, &targets, Reduction::Weighted(weights)).unwrap()
    };
    let masked = |mask: usize| Array2::from_shape_fn((1, 3), |(_, i)| mask >> i & 1 == 1);
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut any_order = 0.0;
    for order in orders {
        let mut mask = 0b111;
        for i in order {
            // One token of the order: all that come later are masked, and this one counts.
            let weights = MaskWeights::<f64>::Sum.weights(&masked(1 << i)).unwrap();
            any_order += subset(mask, &weights) / 6.0;
            mask &= !(1 << i);
        }
    }
    let per_masked: f64 = (1..8_usize)
        .map(|mask| {
            let of_size = if mask.count_ones() == 3 { 1.0 } else { 3.0 };
            subset(mask, &MaskWeights::<f64>::PerMasked.weights(&masked(mask)).unwrap()) / (3.0 * of_size)
        })
        .sum();
    assert_near(per_masked, any_order, 1e-14);
    // Levels by the rule of Gauss with three points, which is exact for polynomials of degree five.
    let nodes = [(-0.6_f64.sqrt(), 5.0 / 9.0), (0.0, 8.0 / 9.0), (0.6_f64.sqrt(), 5.0 / 9.0)];
    let expected = |level: f64, weights: &dyn Fn(usize) -> Array2<f64>| -> f64 {
        let chance =
            |mask: usize| level.powi(mask.count_ones() as i32) * (1.0 - level).powi(3 - mask.count_ones() as i32);
        (1..8).map(|mask| chance(mask) * subset(mask, &weights(mask))).sum()
    };
    let (mut by_level, mut by_time) = (0.0, 0.0);
    for (node, weight) in nodes {
        let at = 0.5 * (1.0 + node);
        let levels = array![at];
        by_level += 0.5 * weight * expected(at, &|m| MaskWeights::InverseLevel(&levels).weights(&masked(m)).unwrap());
        let schedule = NoiseSchedule::LogLinear { epsilon: 0.0 };
        let rule = MaskWeights::Schedule { times: &levels, schedule };
        let level = schedule.mask_probability(at).unwrap();
        by_time += 0.5 * weight * expected(level, &|m| rule.weights(&masked(m)).unwrap());
    }
    assert_near(by_level, any_order, 1e-14);
    assert_near(by_time, any_order, 1e-14);
    // κ is the slope of ln λ for any schedule.
    for schedule in [NoiseSchedule::default(), NoiseSchedule::Geometric { sigma_min: 1e-3, sigma_max: 1.0 }] {
        let log = |t: f64| schedule.mask_probability(t).unwrap().ln();
        assert_near(schedule.masked_weight(0.4).unwrap(), (log(0.400_01) - log(0.399_99)) / 2e-5, 1e-8);
    }
    assert!(any_order > 0.0 && math::softplus::<f64, false>(0.0) < any_order);
}
