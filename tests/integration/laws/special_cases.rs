//! Functions that are another one in a known case.

use loglik::Reduction::Sum;
use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments, QuasiPoisson,
    SharedGaussian, SharedGaussianArguments, WeightedBernoulli, WeightedBernoulliArguments,
};
use loglik::logits::{
    LinearHead, class_log_probs, log_softmax, log_sum_exp, log_sum_exp_or_empty, weighted_log_sum_exp,
};
use loglik::preference::{
    AlphaLink, Dpo, ForwardKlLink, JensenShannonLink, LinearPairs, Link, Linked, LogitPairs, PairObjective, Pairs,
    RatioLink, ReverseKlLink,
};
use loglik::sequence::{Alignment, HiddenResponses, Responses, TokenMask};
use loglik::transport::{
    Measure, wasserstein_1d, wasserstein_1d_distance, wasserstein_circle, wasserstein_circle_distance,
};
use ndarray::{Array1, Array2, Array3, Axis};
use proptest::prelude::*;

use super::pairs::batches;
use super::{assert_all_near, assert_near, config, matrix, numbers};

const N: usize = 6;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn classes_of_a_row_have_their_places_of_log_softmax(x in matrix(3, N, -9.0, 9.0), shift in 0..N) {
        let classes = Array2::from_shape_fn((3, N), |(row, k)| (k * 5 + row + shift) % N);
        let all = log_softmax(&x).unwrap();
        let expected = Array2::from_shape_fn((3, N), |(row, k)| all[[row, classes[[row, k]]]]);
        assert_all_near(&class_log_probs(&x, &classes).unwrap(), &expected, 1e-13);
    }

    #[test]
    fn a_row_that_is_not_empty_has_its_log_sum_exp(x in matrix(3, N, -9.0, 9.0), weights in numbers(N, 0.1, 5.0)) {
        let mut some = x.clone();
        some.row_mut(1).fill(f64::NEG_INFINITY);
        let sums = log_sum_exp_or_empty(&some).unwrap();
        prop_assert_eq!(sums[1], f64::NEG_INFINITY);
        let expected = log_sum_exp(&x).unwrap();
        assert_all_near([&sums[0], &sums[2]], [&expected[0], &expected[2]], 1e-15);
        // A weight is the exponential of a summand.
        let spread = weights.broadcast(x.raw_dim()).unwrap().to_owned();
        let sums = weighted_log_sum_exp(&x, &spread).unwrap();
        assert_all_near(&sums.log, &log_sum_exp(&(&x + &spread.mapv(f64::ln))).unwrap(), 1e-13);
        prop_assert!(sums.sign.iter().all(|&sign| sign == 1.0));
    }

    #[test]
    fn distances_are_roots_of_costs(x in numbers(N, -3.0, 3.0), y in numbers(4, -3.0, 3.0), p in 1.0..5.0_f64) {
        let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        assert_near(wasserstein_1d_distance(x, y, p).unwrap().powf(p), wasserstein_1d(x, y, p).unwrap(), 1e-12);
        let distance = wasserstein_circle_distance(x, y, p, 2.0).unwrap();
        assert_near(distance.powf(p), wasserstein_circle(x, y, p, 2.0).unwrap(), 1e-12);
    }

    #[test]
    fn half_the_deviance_has_the_slope_of_the_likelihood(log_rate in numbers(N, -4.0, 4.0), x in numbers(N, 0.0, 9.0)) {
        let counts = x.mapv(f64::floor);
        let of = |x| PoissonArguments { log_rate: &*log_rate, x };
        let (_, slope) = QuasiPoisson.grad(of(&counts), Sum).unwrap();
        assert_all_near(&slope, &Poisson.grad(of(&counts), Sum).unwrap().1, 1e-14);
        // It is never negative, and zero where the rate is the observation.
        prop_assert!(QuasiPoisson.each(of(&x)).unwrap().iter().all(|&loss| loss >= 0.0));
        let at_rate = QuasiPoisson.each(of(&log_rate.mapv(f64::exp))).unwrap();
        assert_all_near(&at_rate, &Array1::zeros(N), 1e-13);
    }

    #[test]
    fn a_positive_weight_counts_the_positive_part(
        logits in numbers(N, -9.0, 9.0), x in numbers(N, 0.0, 1.0), weight in numbers(N, 0.0, 4.0),
    ) {
        let coin = |x: &Array1<f64>| Bernoulli.each(BernoulliArguments { logits: &*logits, x }).unwrap();
        let (positive, negative) = (&x * coin(&Array1::ones(N)), (1.0 - &x) * coin(&Array1::zeros(N)));
        let of = |weight| WeightedBernoulliArguments { logits: &*logits, x: &*x, positive_weight: weight };
        assert_all_near(&WeightedBernoulli.each(of(&weight)).unwrap(), &(&weight * &positive + &negative), 1e-13);
        assert_all_near(&WeightedBernoulli.each(of(&Array1::ones(N))).unwrap(), &coin(&x), 1e-13);
    }

    #[test]
    fn a_shared_variance_is_one_that_each_element_has(
        mean in matrix(3, N, -3.0, 3.0), x in matrix(3, N, -3.0, 3.0), shared in numbers(N, -2.0, 2.0),
    ) {
        let own = shared.broadcast(mean.raw_dim()).unwrap().to_owned();
        let arguments = SharedGaussianArguments { mean: &*mean, log_variance: &*shared, x: &*x };
        let (value, slopes) = SharedGaussian.grad(arguments, Sum).unwrap();
        let arguments = GaussianArguments { mean: &*mean, log_variance: &*own, x: &*x };
        let (expected, each) = Gaussian.grad(arguments, Sum).unwrap();
        assert_near(value, expected, 1e-13);
        assert_all_near(&slopes.mean, &each.mean, 1e-13);
        assert_all_near(&slopes.log_variance, &each.log_variance.sum_axis(Axis(0)), 1e-12);
    }

    #[test]
    fn a_divergence_by_name_is_the_one_by_type(pairs in batches(), alpha in -1.0..2.0_f64) {
        fn each(link: impl RatioLink, pairs: &super::pairs::Owned) -> Array1<f64> {
            let loss = Dpo { beta: 0.01, label_smoothing: 0.1 };
            Linked { loss, link }.each(pairs.batch()).unwrap()
        }
        prop_assert_eq!(each(Link::ReverseKl, &pairs), each(ReverseKlLink, &pairs));
        prop_assert_eq!(each(Link::ForwardKl, &pairs), each(ForwardKlLink, &pairs));
        prop_assert_eq!(each(Link::JsDivergence, &pairs), each(JensenShannonLink, &pairs));
        let named = Link::AlphaDivergence { f_alpha_divergence_coef: alpha };
        prop_assert_eq!(each(named, &pairs), each(AlphaLink { alpha }, &pairs));
    }

    #[test]
    fn hidden_states_before_an_identity_are_logits(left in numbers(2 * 3 * N, -5.0, 5.0), right in numbers(2 * 3 * N, -5.0, 5.0)) {
        let shape = |x: Array1<f64>| Array3::from_shape_vec((2, 3, N), x.to_vec()).unwrap();
        let (left, right) = (shape(left), shape(right));
        let targets = Array2::from_shape_fn((2, 3), |(row, token)| (row + 2 * token) % N);
        let mask = Array2::from_elem((2, 3), true);
        let logits = |x| Responses {
            logits: x, targets: targets.view(), mask: TokenMask::padded(mask.view()), alignment: Alignment::Same,
        };
        let hidden = |x| HiddenResponses {
            hidden: x, targets: targets.view(), mask: TokenMask::padded(mask.view()), alignment: Alignment::Same,
        };
        let (eye, zeros) = (Array2::eye(N), Array1::zeros(2));
        let reference = Pairs { chosen: zeros.view(), rejected: zeros.view() };
        let dpo = Dpo { beta: 0.3, label_smoothing: 0.1 };
        let pairs = Pairs { chosen: hidden(left.view()), rejected: hidden(right.view()) };
        let (value, slopes) =
            LinearPairs::new(pairs, LinearHead::new(eye.view())).reference(reference).grad(&dpo, Sum).unwrap();
        let pairs = Pairs { chosen: logits(left.view()), rejected: logits(right.view()) };
        let (expected, by_logits) = LogitPairs::new(pairs).reference(reference).grad(&dpo, Sum).unwrap();
        assert_near(value, expected, 1e-13);
        assert_all_near(&slopes.hidden.chosen, &by_logits.chosen, 1e-13);
        assert_all_near(&slopes.hidden.rejected, &by_logits.rejected, 1e-13);
    }
}
