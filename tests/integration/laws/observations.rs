//! Densities and diagnostics.

use loglik::Reduction::Sum;
use loglik::diagnostics::{TokenStats, TopK, TopKNormalization};
use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments,
};
use loglik::logits::{CrossEntropy, TokenObjective, entropy, log_softmax};
use ndarray::{Array1, Axis, array};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const N: usize = 5;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_normal_density_knows_its_unit(
        mean in numbers(N, -3.0, 3.0), s in numbers(N, -3.0, 3.0), x in numbers(N, -5.0, 5.0), scale in 0.1..9.0_f64,
    ) {
        let loss = Gaussian.each(GaussianArguments { mean: &mean, log_variance: &s, x: &x }).unwrap();
        let scaled = Gaussian.each(GaussianArguments { mean: &(&mean * scale), log_variance: &(&s + 2.0 * scale.ln()), x: &(&x * scale) }).unwrap();
        assert_all_near(&scaled, &(&loss + scale.ln()), 1e-12);
        let mirrored = Gaussian.each(GaussianArguments { mean: &x, log_variance: &s, x: &mean }).unwrap();
        assert_all_near(&mirrored, &loss, 1e-14);
    }

    #[test]
    fn a_normal_density_is_greatest_at_its_mean_and_spread(x in numbers(N, -5.0, 5.0), distance in 0.1..5.0_f64) {
        // With the log-variance at the squared residual, the slope in it vanishes.
        let mean = &x - distance;
        let (_, slope) = Gaussian.grad(GaussianArguments { mean: &mean, log_variance: &Array1::from_elem(N, 2.0 * distance.ln()), x: &x }, Sum).unwrap();
        prop_assert!(slope.log_variance.iter().all(|slope| slope.abs() < 1e-13));
        let (_, slope) = Gaussian.grad(GaussianArguments { mean: &x, log_variance: &Array1::zeros(N), x: &x }, Sum).unwrap();
        prop_assert!(slope.mean.iter().chain(&slope.x).all(|&slope| slope == 0.0));
    }

    #[test]
    fn probabilities_of_a_coin_sum_to_one(logits in numbers(N, -20.0, 20.0)) {
        let head = Bernoulli.each(BernoulliArguments { logits: &logits, x: &Array1::ones(N) }).unwrap();
        let tail = Bernoulli.each(BernoulliArguments { logits: &logits, x: &Array1::zeros(N) }).unwrap();
        assert_all_near(&(head.mapv(|x| (-x).exp()) + tail.mapv(|x| (-x).exp())), &Array1::ones(N), 1e-14);
        assert_all_near(&(tail - head), &logits, 1e-13);
    }

    #[test]
    fn turning_the_coin_turns_the_slope(logits in numbers(N, -20.0, 20.0), labels in numbers(N, 0.0, 1.0)) {
        let (loss, slope) = Bernoulli.grad(BernoulliArguments { logits: &logits, x: &labels }, Sum).unwrap();
        let (turned, back) = Bernoulli.grad(BernoulliArguments { logits: &-&logits, x: &(1.0 - &labels) }, Sum).unwrap();
        assert_near(turned, loss, 1e-14);
        assert_all_near(&-back, &slope, 1e-14);
    }

    #[test]
    fn probabilities_of_all_counts_sum_to_one(log_rate in -4.0..3.0_f64) {
        let counts = Array1::from_shape_fn(120, |k| k as f64);
        let each = Poisson.each(PoissonArguments { log_rate: &Array1::from_elem(120, log_rate), x: &counts }).unwrap();
        assert_near(each.mapv(|x| (-x).exp()).sum(), 1.0, 1e-13);
        let mean = (each.mapv(|x| (-x).exp()) * counts).sum();
        assert_near(mean, log_rate.exp(), 1e-12);
    }

    #[test]
    fn two_streams_of_counts_flow_together(a in -2.0..2.0_f64, b in -2.0..2.0_f64, k in 0..12_usize) {
        let nll = |log_rate: f64, k: usize| Poisson.value(PoissonArguments { log_rate: &array![log_rate], x: &array![k as f64] }, Sum).unwrap();
        let ways: f64 = (0..=k).map(|i| (-nll(a, i) - nll(b, k - i)).exp()).sum();
        assert_near(ways.ln(), -nll((a.exp() + b.exp()).ln(), k), 1e-12);
    }

    #[test]
    fn all_classes_together_are_the_whole_distribution(x in matrix(3, 8, -5.0, 5.0)) {
        let stats = TopK { k: 8, normalization: TopKNormalization::Raw }.each(&x).unwrap();
        assert_all_near(&stats.mass, &Array1::ones(3), 1e-14);
        assert_all_near(&(stats.entropy * std::f64::consts::LN_2), &entropy(&x).unwrap(), 1e-13);
    }

    #[test]
    fn more_classes_hold_more_mass(x in matrix(3, 8, -5.0, 5.0), k in 1..8_usize) {
        let fewer = TopK { k, normalization: TopKNormalization::Renormalized }.each(&x).unwrap();
        let more = TopK { k: k + 1, normalization: TopKNormalization::Renormalized }.each(&x).unwrap();
        prop_assert!(fewer.mass.iter().zip(&more.mass).all(|(fewer, more)| fewer < more));
        prop_assert!(fewer.entropy.iter().all(|&bits| (0.0..=(k as f64).log2() + 1e-14).contains(&bits)));
        // Of one class it is the largest probability.
        let one = TopK { k: 1, normalization: TopKNormalization::Raw }.each(&x).unwrap();
        let largest = log_softmax(&x).unwrap();
        let largest: Array1<f64> = largest.rows().into_iter().map(|row| row.fold(0.0, |max: f64, x| max.max(x.exp()))).collect();
        assert_all_near(&one.mass, &largest, 1e-14);
    }

    #[test]
    fn a_token_is_told_the_same_whatever_is_added_to_its_logits(
        x in matrix(3, 8, -5.0, 5.0), y in prop::collection::vec(0..8_usize, 3), shift in -1e3..1e3_f64,
    ) {
        let (y, stats) = (Array1::from(y), TokenStats { top_k: Some(3), ..TokenStats::default() });
        let (each, moved) = (stats.each(&x, &y).unwrap(), stats.each(&(&x + shift), &y).unwrap());
        assert_all_near(&moved.log_prob, &each.log_prob, 1e-11);
        assert_all_near(&moved.entropy, &each.entropy, 1e-11);
        assert_all_near(&moved.top_k_mass.unwrap(), &each.top_k_mass.unwrap(), 1e-11);
        assert_all_near(&moved.max, &(&each.max + shift), 1e-15);
        assert_all_near(&moved.log_sum_exp, &(&each.log_sum_exp + shift), 1e-14);
        prop_assert_eq!(moved.correct, each.correct);
    }

    #[test]
    fn a_token_is_correct_where_no_class_is_likelier(x in matrix(3, 8, -5.0, 5.0), y in prop::collection::vec(0..8_usize, 3)) {
        let y = Array1::from(y);
        let each = TokenStats { top_k: Some(1), ..TokenStats::default() }.each(&x, &y).unwrap();
        let mass = each.top_k_mass.as_ref().unwrap();
        for (i, &correct) in each.correct.iter().enumerate() {
            prop_assert_eq!(correct, each.log_prob[i].exp() > mass[i] - 1e-12);
        }
        // The nats of all targets average to the entropy under the softmax itself.
        let nats: Array1<f64> = log_softmax(&x).unwrap().map_axis(Axis(1), |row| row.fold(0.0, |sum, l| sum - l * l.exp()));
        assert_all_near(&each.entropy, &nats, 1e-13);
        let means = each.means().unwrap();
        assert_near(means.nll, CrossEntropy::default().value(&x, &y, loglik::Reduction::Mean).unwrap(), 1e-14);
    }
}
