//! Density ratios, bounds by critics, distances of two samples, and decisions.

use std::f64::consts::LN_2;

use loglik::Reduction;
use loglik::divergence::{Categorical, CategoricalDivergence, JensenShannonDivergence};
use loglik::ratio::Samples;
use loglik::ratio::bound::{
    Mine, MineGradient, chi_square_bound, donsker_varadhan, donsker_varadhan_grad, info_nce_bound, info_nce_bound_grad,
    jensen_shannon_bound, nwj_bound,
};
use loglik::ratio::decision::{Auc, NeymanPearson, auc, log_likelihood_ratio, roc_curve};
use loglik::ratio::density::{GaussianKernels, Kliep, RatioCheck, RuLsif, log_ratio_from_logits};
use loglik::ratio::two_sample::{
    Mmd, MmdEstimator, RadialKernel, energy_distance, energy_distance_grad, median_distance,
};
use ndarray::{Array1, Array2, Axis, array, s};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// `N(m, 1)` and `N(0, 1)` on a grid so fine and wide that sums are integrals to the last digits.
fn gaussians(m: f64) -> (Array1<f64>, Samples<Array1<f64>>) {
    let grid = Array1::linspace(-12.0, 14.0, 1_301);
    let density = |m: f64| {
        let density = grid.mapv(|x: f64| (-0.5 * (x - m).powi(2)).exp());
        &density / density.sum()
    };
    let both = Samples { real: density(m), fake: density(0.0) };
    (grid, both)
}

fn by(weights: &Samples<Array1<f64>>) -> Samples<Reduction<'_, f64>> {
    Samples { real: Reduction::Weighted(&weights.real), fake: Reduction::Weighted(&weights.fake) }
}

fn indicator(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A bound by the scores of both sides.
type Bound = fn(Samples<ndarray::ArrayView1<'_, f64>>, Samples<Reduction<'_, f64>>) -> loglik::Result<f64>;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bounds_are_below_the_truth_and_tight_at_the_best_critic(
        m in 0.1..1.5_f64, shift in -500.0..500.0_f64, noise in numbers(1_301, -1.0, 1.0),
    ) {
        let (grid, weights) = gaussians(m);
        let log_ratio = grid.mapv(|x| m * x - 0.5 * m * m);
        let (kl, chi_square) = (0.5 * m * m, (m * m).exp_m1());
        let js = JensenShannonDivergence.value(
            Categorical::Probs(&weights.real), Categorical::Probs(&weights.fake), Reduction::Sum,
        ).unwrap();
        for (size, is_best) in [(0.0, true), (0.3, false)] {
            let critic = &log_ratio + &(size * &noise);
            let at = |critic: &Array1<f64>, bound: Bound| bound(Samples::both(critic.view()), by(&weights)).unwrap();
            let dv = at(&(&critic + shift), donsker_varadhan);
            let nwj = at(&(&critic + 1.0), nwj_bound);
            let chi = at(&critic.mapv(|x| 2.0 * x.exp_m1()), chi_square_bound);
            let gan = at(&critic, jensen_shannon_bound);
            for (bound, truth) in [(dv, kl), (nwj, kl), (chi, chi_square), (gan, js)] {
                if is_best { assert_near(bound, truth, 1e-9) } else { prop_assert!(bound < truth + 1e-9) }
            }
            prop_assert!(nwj <= at(&(&critic + 1.0), donsker_varadhan) + 1e-12 && gan <= LN_2);
        }
    }

    #[test]
    fn the_running_mean_scales_the_gradient_and_a_decay_of_zero_leaves_none(
        real in numbers(5, -3.0, 3.0), fake in numbers(7, -3.0, 3.0), before in -5.0..5.0_f64,
    ) {
        let (scores, mean) = (Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean));
        let (bound, exact) = donsker_varadhan_grad(scores, mean).unwrap();
        let step = Mine { decay: 0.0, gradient: MineGradient::Corrected }.grad(scores, mean, Some(before)).unwrap();
        assert_near(step.bound, bound, 1e-15);
        assert_all_near(&step.gradient.fake, &exact.fake, 1e-14);
        let step = Mine { decay: 0.7, gradient: MineGradient::Corrected }.grad(scores, mean, Some(before)).unwrap();
        let batch = fake.mapv(f64::exp).mean().unwrap();
        let running = 0.7 * before.exp() + 0.3 * batch;
        assert_near(step.log_running_mean, running.ln(), 1e-14);
        assert_near(-step.gradient.fake.sum(), batch / running, 1e-14);
    }

    #[test]
    fn no_scores_show_more_than_the_logarithm_of_their_number(scores in matrix(6, 6, -9.0, 9.0), size in 0.0..1e3_f64) {
        let (bound, gradient) = info_nce_bound_grad(&(&scores * size)).unwrap();
        prop_assert!(bound <= 6.0_f64.ln());
        prop_assert!(gradient.rows().into_iter().all(|row| row.sum().abs() < 1e-15));
        let moved = &scores + &scores.column(0).insert_axis(Axis(1));
        assert_near(info_nce_bound(&moved).unwrap(), info_nce_bound(&scores).unwrap(), 1e-13);
    }

    /// Exactly, over all sets of two pairs of a joint distribution of two coins.
    #[test]
    fn in_the_mean_info_nce_is_below_the_information(joint in matrix(2, 2, 0.05, 1.0), critic in matrix(2, 2, -4.0, 4.0)) {
        let joint = &joint / joint.sum();
        let (x, y) = (joint.sum_axis(Axis(1)), joint.sum_axis(Axis(0)));
        let information: f64 = joint.indexed_iter().map(|((i, j), p)| p * (p / x[i] / y[j]).ln()).sum();
        let mut mean = 0.0;
        for ((a, b), p) in joint.indexed_iter() {
            for ((c, d), q) in joint.indexed_iter() {
                let scores = array![[critic[[a, b]], critic[[a, d]]], [critic[[c, b]], critic[[c, d]]]];
                mean += p * q * info_nce_bound(&scores).unwrap();
            }
        }
        prop_assert!(mean <= information + 1e-14, "{} {}", mean, information);
    }

    #[test]
    fn distances_are_symmetric_not_below_zero_and_blind_to_motions(
        x in matrix(7, 2, -2.0, 2.0), y in matrix(5, 2, -2.0, 2.0), angle in 0.0..6.3_f64, shift in -9.0..9.0_f64,
    ) {
        let (sine, cosine) = angle.sin_cos();
        let turn = array![[cosine, sine], [-sine, cosine]];
        let (moved_x, moved_y) = (x.dot(&turn) + shift, y.dot(&turn) + shift);
        let kernels = vec![
            RadialKernel::Gaussian { width: 0.5 },
            RadialKernel::Laplace { width: 1.0 },
            RadialKernel::RationalQuadratic { alpha: 1.0, width: 2.0 },
        ];
        let points = |x: &'_ Array2<f64>, y: &'_ Array2<f64>, f: &dyn Fn(Samples<ndarray::ArrayView2<'_, f64>>) -> f64| {
            f(Samples { real: x.view(), fake: y.view() })
        };
        for estimator in [MmdEstimator::Biased, MmdEstimator::Unbiased] {
            let mmd = Mmd { kernels: kernels.clone(), estimator };
            let value = |points: Samples<ndarray::ArrayView2<'_, f64>>| mmd.value(points).unwrap();
            let here = points(&x, &y, &value);
            assert_near(points(&moved_x, &moved_y, &value), here, 1e-12);
            assert_near(points(&y, &x, &value), here, 1e-14);
            prop_assert!(estimator == MmdEstimator::Unbiased || here >= 0.0);
            // A motion of both sides together changes nothing: the pulls add up to nothing.
            let (_, gradient) = mmd.grad(Samples { real: x.view(), fake: y.view() }).unwrap();
            let total = gradient.real.sum_axis(Axis(0)) + gradient.fake.sum_axis(Axis(0));
            prop_assert!(total.iter().all(|x| x.abs() < 1e-14));
        }
        let energy = |points: Samples<ndarray::ArrayView2<'_, f64>>| energy_distance(points).unwrap();
        let here = points(&x, &y, &energy);
        assert_near(points(&moved_x, &moved_y, &energy), here, 1e-12);
        assert_near(points(&(&x * 3.0), &(&y * 3.0), &energy), 3.0 * here, 1e-13);
        prop_assert!(here >= 0.0);
        let median = |points: Samples<ndarray::ArrayView2<'_, f64>>| median_distance(points).unwrap();
        assert_near(points(&moved_x, &moved_y, &median), points(&x, &y, &median), 1e-12);
        // Of degree one: the derivative along the points is the value.
        let (value, gradient) = energy_distance_grad(Samples { real: x.view(), fake: y.view() }).unwrap();
        assert_near((&gradient.real * &x).sum() + (&gradient.fake * &y).sum(), value, 1e-13);
    }

    #[test]
    fn on_a_line_the_energy_distance_is_the_square_between_the_distribution_functions(
        x in numbers(6, -2.0, 2.0), y in numbers(8, -2.0, 2.0),
    ) {
        let mut all: Vec<f64> = x.iter().chain(&y).copied().collect();
        all.sort_by(f64::total_cmp);
        let share = |side: &Array1<f64>, at: f64| side.mapv(|x| indicator(x <= at)).mean().unwrap();
        let squares = all.windows(2).map(|ends| (share(&x, ends[0]) - share(&y, ends[0])).powi(2) * (ends[1] - ends[0]));
        let column = |side: &Array1<f64>| side.clone().insert_axis(Axis(1));
        let (real, fake) = (column(&x), column(&y));
        let got = energy_distance(Samples { real: real.view(), fake: fake.view() }).unwrap();
        assert_near(got, 2.0 * squares.sum::<f64>(), 1e-13);
    }

    #[test]
    fn the_area_is_mann_whitneys_share_and_only_the_order_counts(
        x in numbers(11, -3.0, 3.0), y in numbers(7, -3.0, 3.0), rate in 0.0..1.0_f64,
    ) {
        let (x, y) = (x.mapv(f64::round), y.mapv(f64::round)); // ties
        let pairs = x.iter().flat_map(|x| y.iter().map(move |y| indicator(x > y) + 0.5 * indicator(x == y)));
        let scores = Samples { real: x.view(), fake: y.view() };
        let mean = Samples::both(Reduction::Mean);
        let area = auc(scores, mean).unwrap();
        assert_near(area, pairs.sum::<f64>() / 77.0, 1e-15);
        assert_near(Auc::of(scores).unwrap().value, area, 1e-15);
        let swapped = auc(Samples { real: y.view(), fake: x.view() }, mean).unwrap();
        assert_near(area + swapped, 1.0, 1e-15);
        let (u, v) = (x.mapv(f64::exp), y.mapv(f64::exp));
        prop_assert_eq!(auc(Samples { real: u.view(), fake: v.view() }, mean).unwrap(), area);
        // The power of a test is the height of the curve above its rate.
        let test = NeymanPearson::at_rate(y.view(), rate).unwrap();
        assert_near(test.rejection_rate(y.view()).unwrap(), rate, 1e-14);
        let curve = roc_curve(scores, mean).unwrap();
        let (fall, rise) = (&curve.false_positive_rate, &curve.true_positive_rate);
        let power = test.rejection_rate(x.view()).unwrap();
        let ends = (1..fall.len()).filter(|&i| fall[i - 1] <= rate && rate <= fall[i] && fall[i - 1] < fall[i]);
        let heights: Vec<f64> = ends.map(|i| rise[i - 1] + (rise[i] - rise[i - 1]) * (rate - fall[i - 1]) / (fall[i] - fall[i - 1])).collect();
        prop_assert!(heights.iter().any(|height| (height - power).abs() < 1e-9), "{:?} {}", heights, power);
    }

    #[test]
    fn the_log_ratio_of_gaussians_is_its_closed_form(x in numbers(9, -3.0, 3.0), m in -2.0..2.0_f64) {
        let log_density = |m: f64| x.mapv(|x| -0.5 * (x - m).powi(2) - 0.918_938_533_204_672_8);
        let got = log_likelihood_ratio(log_density(m).view(), log_density(0.0).view()).unwrap();
        assert_near(got, m * x.sum() - 4.5 * m * m, 1e-13);
    }

    #[test]
    fn no_feasible_coefficients_are_likelier_than_kliep(
        real in matrix(9, 3, 0.01, 1.0), fake in matrix(8, 3, 0.01, 1.0), other in numbers(3, 0.01, 1.0),
    ) {
        let fit = Kliep::default().fit(Samples { real: real.view(), fake: fake.view() }).unwrap();
        let means = fake.mean_axis(Axis(0)).unwrap();
        assert_near(means.dot(&fit.coefficients), 1.0, 1e-14);
        let other = &other / means.dot(&other);
        prop_assert!(real.dot(&other).ln().mean().unwrap() <= fit.log_likelihood + fit.gap + 1e-14);
        // A feasible ratio is a critic whose logarithm has nothing to pay: its bound of the KL is the likelihood.
        let (t, s) = (real.dot(&fit.coefficients).ln(), fake.dot(&fit.coefficients).ln());
        let scores = Samples { real: t.view(), fake: s.view() };
        assert_near(donsker_varadhan(scores, Samples::both(Reduction::Mean)).unwrap(), fit.log_likelihood, 1e-13);
        assert_near(RatioCheck::of(scores).unwrap().log_mean_ratio, 0.0, 1e-13);
    }

    #[test]
    fn least_squares_are_the_best_linear_critic_of_chi_square(
        real in matrix(30, 2, 0.5, 1.0), fake in matrix(30, 2, 0.5, 1.0), step in numbers(2, -0.1, 0.1),
    ) {
        let features = Samples { real: real.view(), fake: fake.view() };
        let theta = RuLsif { alpha: 0.0, lambda: 1e-9 }.fit(features).unwrap();
        let bound = |theta: &Array1<f64>| {
            let [t, s] = [&real, &fake].map(|side| 2.0 * (side.dot(theta) - 1.0));
            chi_square_bound(Samples { real: t.view(), fake: s.view() }, Samples::both(Reduction::Mean)).unwrap()
        };
        let is_inside = |theta: &Array1<f64>| fake.dot(theta).iter().all(|&ratio| ratio >= 0.0);
        let moved = &theta + &step;
        prop_assume!(is_inside(&theta) && is_inside(&moved));
        prop_assert!(bound(&moved) <= bound(&theta) + 1e-7);
    }
}

/// `N(½, ¾²)` against `N(0, 1)`, by the quantiles of both.
#[test]
fn fitted_ratios_of_gaussians_are_near_their_closed_form() {
    let (grid, weights) = gaussians(0.0);
    let below: Vec<f64> = weights
        .fake
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let normal = |i: usize| grid[below.partition_point(|&below| below < (i as f64 + 0.5) / 400.0)];
    let fake = Array2::from_shape_fn((400, 1), |(i, _)| normal(i));
    let real = fake.mapv(|x| 0.5 + 0.75 * x);
    let points = Samples { real: real.view(), fake: fake.view() };
    let kernels = GaussianKernels { centers: real.slice(s![..;20, ..]).to_owned(), width: 0.6 };
    let at = array![[-1.0], [0.0], [0.5], [1.0], [1.5]];
    let truth = at.column(0).mapv(|x: f64| (0.5 * x * x - 0.5 * ((x - 0.5) / 0.75).powi(2)).exp() / 0.75);
    let squares = RuLsif { alpha: 0.0, lambda: 1e-3 }.fit_points(points, kernels.clone()).unwrap();
    let likelihood = Kliep::default().fit_points(points, kernels).unwrap();
    for fit in [squares, likelihood] {
        let ratio = fit.ratio(&at).unwrap();
        let off = (&ratio - &truth).mapv(f64::abs);
        assert!(off.iter().all(|&off| off < 0.12), "{ratio} is not {truth}");
    }
    // The logits of a classifier with three times as many fakes know a third of the odds.
    let logits = truth.ln() - 3.0_f64.ln();
    let back = log_ratio_from_logits(&logits, Samples { real: 1.0, fake: 3.0 }).unwrap();
    assert_all_near(&back, &truth.ln(), 1e-14);
}
