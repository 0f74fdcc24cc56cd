//! Objectives of the whole batch, other divergences, and detached factors.

use loglik::Reduction::{Mean, Sum, Weighted};
use loglik::diagnostics::log_gradient_ratio;
use loglik::preference::{
    AlphaDpo, AlphaLink, Aot, AotUnpaired, Baseline, BetaDpo, Dpo, DrDpo, ForwardKlLink, KtoPair, Length,
    LengthDesensitized, Linked, MarginMoments, PairBatch, PairObjective, Pairs, Sft,
};
use loglik::sequence::{TokenMask, sum_tokens};
use ndarray::{Array1, Array2, s};
use proptest::prelude::*;

use super::pairs::{N, Owned, batches};
use super::{assert_all_near, assert_near, config, matrix};

/// A batch of the first pair alone.
fn first(pairs: &Owned) -> Owned {
    let cut = |side: &Pairs<Array1<f64>>| side.as_ref().map(|side| side.slice(s![..1]).to_owned());
    Owned { policy: cut(&pairs.policy), reference: cut(&pairs.reference), lengths: cut(&pairs.lengths) }
}

/// The pairs in another order.
fn turned(pairs: &Owned) -> Owned {
    let turn = |side: &Array1<f64>| Array1::from_shape_fn(N, |i| side[(i + 2) % N]);
    let both = |sides: &Pairs<Array1<f64>>| sides.as_ref().map(turn);
    Owned { policy: both(&pairs.policy), reference: both(&pairs.reference), lengths: both(&pairs.lengths) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn transport_of_one_pair_is_dpo(pairs in batches(), beta in 0.01..2.0_f64, label_smoothing in 0.0..0.499_f64) {
        let one = first(&pairs);
        let (loss, slope) = Dpo { beta, label_smoothing }.grad(one.batch(), Sum).unwrap();
        let aot = Aot { beta, label_smoothing }.grad(one.batch(), Sum).unwrap();
        let unpaired = AotUnpaired { beta, label_smoothing }.grad(one.batch(), Sum).unwrap();
        for (value, grad) in [aot, unpaired] {
            assert_near(value, loss, 1e-13);
            assert_all_near(&grad.chosen, &slope.chosen, 1e-13);
            assert_all_near(&grad.rejected, &slope.rejected, 1e-13);
        }
    }

    #[test]
    fn the_order_of_the_pairs_does_not_matter(pairs in batches(), beta in 0.01..2.0_f64) {
        let other = turned(&pairs);
        let objectives: &[&dyn PairObjective<f64>] = &[
            &Aot { beta, label_smoothing: 0.1 },
            &AotUnpaired { beta, label_smoothing: 0.1 },
            &DrDpo { loss: Dpo { beta, label_smoothing: 0.1 }, beta_prime: 0.5 },
            &KtoPair { beta, baseline: Baseline::Differentiated },
            &BetaDpo { beta, ..BetaDpo::default() },
        ];
        for &objective in objectives {
            let (value, grad) = objective.grad(pairs.batch(), Mean).unwrap();
            let (same, moved) = objective.grad(other.batch(), Mean).unwrap();
            assert_near(same, value, 1e-13);
            let turn = |side: &Array1<f64>| Array1::from_shape_fn(N, |i| side[(i + 2) % N]);
            assert_all_near(&moved.chosen, &turn(&grad.chosen), 1e-13);
            assert_all_near(&moved.rejected, &turn(&grad.rejected), 1e-13);
        }
    }

    // Matching sorted numbers costs a convex loss no more than any other matching, the given one included.
    #[test]
    fn transport_costs_no_more_than_the_given_pairs(pairs in batches(), beta in 0.01..2.0_f64) {
        let dpo = Dpo { beta, label_smoothing: 0.0 }.value(pairs.batch(), Mean).unwrap();
        let aot = Aot { beta, label_smoothing: 0.0 }.value(pairs.batch(), Mean).unwrap();
        let unpaired = AotUnpaired { beta, label_smoothing: 0.0 }.value(pairs.batch(), Mean).unwrap();
        prop_assert!(aot <= dpo + 1e-12 && unpaired <= dpo + 1e-12, "{aot}, {unpaired}, {dpo}");
    }

    #[test]
    fn the_soft_minimum_lies_between_the_smallest_loss_and_the_mean(pairs in batches(), beta_prime in 0.01..50.0_f64) {
        let loss = Dpo { beta: 0.3, label_smoothing: 0.0 };
        let each = loss.each(pairs.batch()).unwrap();
        let soft = DrDpo { loss, beta_prime };
        let value = soft.value(pairs.batch(), Mean).unwrap();
        let least = each.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert!(least - 1e-12 <= value && value <= each.mean().unwrap() + 1e-12);
        let expected = -beta_prime * (each.mapv(|x| (-(x - least) / beta_prime).exp()).mean().unwrap()).ln() + least;
        assert_near(value, expected, 1e-12);
        // The gradient is that of the losses, weighted by p.
        let weights = soft.weights_of(pairs.batch()).unwrap();
        assert_near(weights.sum(), 1.0, 1e-13);
        let (_, grad) = soft.grad(pairs.batch(), Mean).unwrap();
        let (_, frozen) = loss.grad(pairs.batch(), Weighted(&weights)).unwrap();
        assert_all_near(&grad.chosen, &frozen.chosen, 1e-13);
        let warm = DrDpo { loss, beta_prime: 1e12 }.grad(pairs.batch(), Mean).unwrap();
        let mean = loss.grad(pairs.batch(), Mean).unwrap();
        assert_near(warm.0, mean.0, 1e-10);
        assert_all_near(&warm.1.chosen, &mean.1.chosen, 1e-10);
    }

    #[test]
    fn a_temperature_that_follows_nothing_is_that_of_dpo(pairs in batches(), beta in 0.01..2.0_f64, shift in -5.0..5.0_f64) {
        let plain = Dpo { beta, label_smoothing: 0.0 }.grad(pairs.batch(), Mean).unwrap();
        let still = BetaDpo { beta, alpha: 0.0, baseline: shift, ..BetaDpo::default() };
        prop_assert_eq!(still.grad(pairs.batch(), Mean).unwrap(), plain.clone());
        // At the usual margin the temperature is the usual one.
        let usual = MarginMoments::new(pairs.batch(), Length::Sum).unwrap().mean;
        let same = BetaDpo { beta, alpha: 0.6, baseline: usual, ..BetaDpo::default() };
        assert_near(same.beta_of(pairs.batch(), Mean).unwrap(), beta, 1e-12);
    }

    #[test]
    fn a_target_that_follows_nothing_leaves_the_reference_out(pairs in batches(), beta in 0.5..5.0_f64, gamma in 0.0..2.0_f64) {
        let usual = MarginMoments::default();
        let plain = AlphaDpo { beta, gamma, alpha: 0.0, label_smoothing: 0.0, usual }.each(pairs.batch()).unwrap();
        let mean = |side: &Array1<f64>, n: &Array1<f64>| side / n;
        let margin = mean(&pairs.policy.chosen, &pairs.lengths.chosen) - mean(&pairs.policy.rejected, &pairs.lengths.rejected);
        assert_all_near(&plain, &margin.mapv(|m| (-(beta * m - gamma)).exp().ln_1p()), 1e-11);
    }

    #[test]
    fn baselines_of_zero_are_apo(pairs in batches(), beta in 0.01..2.0_f64) {
        // All log-ratios below 0: both baselines are 0, and the loss is half of 1 - σ(βa) + σ(βb).
        let high = Owned { reference: pairs.reference.clone().map(|side| side * 0.0), ..pairs };
        let objective = KtoPair { beta, baseline: Baseline::Differentiated };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let expected = high.policy.chosen.mapv(|a| sigmoid(-beta * a)) + high.policy.rejected.mapv(|b| sigmoid(beta * b));
        assert_all_near(&objective.each(high.batch()).unwrap(), &(expected * 0.5), 1e-13);
    }

    #[test]
    fn the_limits_of_alpha_are_both_kl(pairs in batches(), beta in 0.01..0.5_f64) {
        let near = Owned {
            policy: pairs.policy.clone().map(|side| side * 0.1),
            reference: pairs.reference.clone().map(|side| side * 0.1),
            ..pairs
        };
        let loss = Dpo { beta, label_smoothing: 0.1 };
        let grad = |alpha| Linked { loss, link: AlphaLink { alpha } }.grad(near.batch(), Mean).unwrap();
        let reverse = loss.grad(near.batch(), Mean).unwrap();
        let forward = Linked { loss, link: ForwardKlLink }.grad(near.batch(), Mean).unwrap();
        for (alpha, (value, slope)) in [(1.0, &reverse), (1.0 + 1e-10, &reverse), (0.0, &forward), (-1e-10, &forward)] {
            let (got, by) = grad(alpha);
            assert_near(got, *value, 1e-8);
            assert_all_near(&by.chosen, &slope.chosen, 1e-8);
            assert_all_near(&by.rejected, &slope.rejected, 1e-8);
        }
        // The score itself, from its definition.
        let score = |ratio: f64| 1.0 - (-ratio).exp();
        let side = |policy: &Array1<f64>, reference: &Array1<f64>| (policy - reference).mapv(score);
        let margin = side(&near.policy.chosen, &near.reference.chosen) - side(&near.policy.rejected, &near.reference.rejected);
        let plain = Linked { loss: Dpo { beta, label_smoothing: 0.0 }, link: ForwardKlLink }.each(near.batch()).unwrap();
        assert_all_near(&plain, &margin.mapv(|m| (-beta * m).exp().ln_1p()), 1e-12);
    }

    #[test]
    fn likelihood_per_token_of_equal_lengths_is_that_per_response(pairs in batches(), n in 1.0..50.0_f64) {
        let lengths = Array1::from_elem(N, n);
        let batch = pairs.batch().lengths(Pairs { chosen: lengths.view(), rejected: lengths.view() });
        let (loss, slope) = Sft.grad(batch, Mean).unwrap();
        assert_near(loss, -pairs.policy.chosen.mean().unwrap() / n, 1e-13);
        assert_all_near(&slope.chosen, &Array1::from_elem(N, -1.0 / (n * N as f64)), 1e-13);
    }

    #[test]
    fn desensitization_is_linear_between_the_cut_and_the_whole(chosen in matrix(4, 9, -5.0, 0.0), rejected in matrix(4, 9, -5.0, 0.0), alpha in 0.0..1.0_f64) {
        let keep = |seed: usize| Array2::from_shape_fn((4, 9), move |(i, t)| (i * 5 + t * 3 + seed) % 4 > seed % 3);
        let scored = Pairs { chosen: keep(3), rejected: keep(2) };
        let masks = scored.view().map(TokenMask::padded);
        let sums = |alpha: f64| {
            let tokens = Pairs { chosen: chosen.view(), rejected: rejected.view() };
            LengthDesensitized { alpha }.sums(tokens, masks).unwrap().map(|side| side.sums)
        };
        let (cut, whole, between) = (sums(0.0), sums(1.0), sums(alpha));
        prop_assert_eq!(&whole.chosen, &sum_tokens(&chosen, masks.chosen).unwrap().sums);
        assert_all_near(&between.chosen, &(&cut.chosen * (1.0 - alpha) + &whole.chosen * alpha), 1e-12);
        assert_all_near(&between.rejected, &(&cut.rejected * (1.0 - alpha) + &whole.rejected * alpha), 1e-12);
    }

    #[test]
    fn dpo_pushes_probabilities_by_their_odds(pairs in batches(), beta in 0.01..1.0_f64) {
        let (_, gradient) = Dpo { beta, label_smoothing: 0.0 }.grad(pairs.batch(), Mean).unwrap();
        let ratio = log_gradient_ratio(pairs.policy.view(), gradient.view()).unwrap();
        assert_all_near(&ratio, &(&pairs.policy.chosen - &pairs.policy.rejected), 1e-12);
    }
}

/// The same margins in every micro-batch, but sorted each by itself.
#[test]
fn transport_of_micro_batches_is_another_loss() {
    let pairs = Pairs { chosen: Array1::from(vec![-1.0, -9.0]), rejected: Array1::from(vec![-4.0, -4.0]) };
    let zero = Pairs { chosen: Array1::from(vec![-9.0, -1.0]), rejected: Array1::from(vec![-4.0, -4.0]) };
    let whole = PairBatch::new(pairs.view()).reference(zero.view());
    let aot = Aot::default().value(whole, Mean).unwrap();
    let dpo = Dpo::default().value(whole, Mean).unwrap(); // that of micro-batches of one pair
    assert_near(aot, std::f64::consts::LN_2, 1e-15);
    assert!(dpo > aot + 0.01);
}
