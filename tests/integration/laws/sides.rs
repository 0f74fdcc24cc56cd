//! Functions of both sides and reward models: what they are of each other, and where each of them ends.

use loglik::Reduction::{Mean, Sum};
use loglik::preference::{
    ApoDown, ApoZero, Asft, BcoPair, BradleyTerry, CalDpo, Dpo, Dpop, Length, NcaPair, Nll, Orpo, PairBatch,
    PairObjective, Pairs, Placement, ProcessReward, RaoKupper, RatingGap, RewardRegression, RewardTies, RunningMean,
    SimPer, SppoHard, SppoSoft, Tpo, pair_metrics, reward_metrics,
};
use ndarray::{Array1, array};
use proptest::prelude::*;

use super::pairs::{N, Owned, batches};
use super::{assert_all_near, assert_near, config, numbers};

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    0.5 * (1.0 + (0.5 * x).tanh())
}

/// `log π - log ρ` of both sides.
fn ratios(pairs: &Owned) -> Pairs<Array1<f64>> {
    let (policy, reference) = (&pairs.policy, &pairs.reference);
    Pairs { chosen: &policy.chosen - &reference.chosen, rejected: &policy.rejected - &reference.rejected }
}

/// Loss and slopes of one pair with these log-ratios.
fn at(objective: &dyn PairObjective<f64>, chosen: f64, rejected: f64) -> [f64; 3] {
    let (chosen, rejected, zero) = (array![chosen], array![rejected], array![0.0]);
    let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
        .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
    let (loss, slope) = objective.grad(batch, Mean).unwrap();
    [loss, slope.chosen[0], slope.rejected[0]]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn noise_contrast_is_a_classifier_and_half_the_noise(pairs in batches(), beta in 0.01..2.0_f64) {
        let Pairs { chosen, rejected } = ratios(&pairs).map(|side| beta * side);
        let classifier = BcoPair { beta, delta: 0.0 }.each(pairs.batch()).unwrap();
        let noise = 0.5 * chosen.mapv(softplus) - 0.5 * rejected.mapv(softplus);
        assert_all_near(&NcaPair { beta }.each(pairs.batch()).unwrap(), &(classifier + noise), 1e-12);
    }

    #[test]
    fn noise_contrast_is_flat_in_the_chosen_side_at_ln_two(beta in 0.01..2.0_f64, rejected in -9.0..9.0_f64) {
        let nca = NcaPair { beta };
        let optimum = std::f64::consts::LN_2 / beta;
        let [least, slope, _] = at(&nca, optimum, rejected);
        assert_near(slope, 0.0, 1e-15);
        prop_assert!(at(&nca, optimum + 0.5 / beta, rejected)[0] > least);
        prop_assert!(at(&nca, optimum - 0.5 / beta, rejected)[0] > least);
    }

    #[test]
    fn a_classifier_error_bounds_the_ranking_error(pairs in batches(), beta in 0.01..2.0_f64, delta in -5.0..5.0_f64) {
        let ranking = Dpo { beta, label_smoothing: 0.0 }.each(pairs.batch()).unwrap();
        let classifier = BcoPair { beta, delta }.each(pairs.batch()).unwrap();
        prop_assert!(ranking.iter().zip(&classifier).all(|(ranking, classifier)| ranking < classifier));
    }

    #[test]
    fn a_baseline_is_a_shift_of_both_log_ratios(pairs in batches(), beta in 0.05..2.0_f64, delta in -5.0..5.0_f64) {
        let mut moved = pairs.clone();
        moved.policy.chosen -= delta / beta;
        moved.policy.rejected -= delta / beta;
        let got = BcoPair { beta, delta }.grad(pairs.batch(), Sum).unwrap();
        let expected = BcoPair { beta, delta: 0.0 }.grad(moved.batch(), Sum).unwrap();
        assert_near(got.0, expected.0, 1e-12);
        assert_all_near(&got.1.chosen, &expected.1.chosen, 1e-12);
        assert_all_near(&got.1.rejected, &expected.1.rejected, 1e-12);
    }

    #[test]
    fn a_running_mean_is_the_mean_of_all_rewards(left in batches(), right in batches(), beta in 0.05..2.0_f64) {
        let seen = [&left, &right].into_iter().fold(RunningMean::default(), |seen, pairs| {
            seen.merge(RunningMean::of_rewards(&pair_metrics(pairs.batch(), beta).unwrap()))
        });
        let sum = |pairs: &Owned| ratios(pairs).chosen.sum() + ratios(pairs).rejected.sum();
        let total = sum(&left) + sum(&right);
        assert_near(seen.mean, beta * total / (4 * N) as f64, 1e-13);
        prop_assert_eq!(seen.count, (4 * N) as f64);
    }

    #[test]
    fn certain_wins_are_half_of_the_hard_form(pairs in batches(), beta in 0.05..2.0_f64) {
        let (one, zero) = (Array1::ones(N), Array1::zeros(N));
        let judged = pairs.batch().rewards(Pairs { chosen: one.view(), rejected: zero.view() });
        let (soft, slope) = SppoSoft { beta }.grad(judged, Mean).unwrap();
        let (hard, twice) = SppoHard { beta }.grad(pairs.batch(), Mean).unwrap();
        assert_near(2.0 * soft, hard, 1e-13);
        assert_all_near(&(2.0 * slope.chosen), &twice.chosen, 1e-13);
        assert_all_near(&(2.0 * slope.rejected), &twice.rejected, 1e-13);
    }

    #[test]
    fn even_odds_pull_to_the_reference(pairs in batches(), beta in 0.05..2.0_f64) {
        let half = Array1::from_elem(N, 0.5);
        let judged = pairs.batch().rewards(Pairs { chosen: half.view(), rejected: half.view() });
        let slope = SppoSoft { beta }.grad(judged, Sum).unwrap().1;
        assert_all_near(&slope.chosen, &ratios(&pairs).chosen, 1e-14);
        assert_all_near(&slope.rejected, &ratios(&pairs).rejected, 1e-14);
    }

    #[test]
    fn both_sides_of_a_self_play_are_free_of_each_other(a in -9.0..9.0_f64, b in -9.0..9.0_f64, beta in 0.05..2.0_f64) {
        let sppo = SppoHard { beta };
        assert_near(at(&sppo, a, b)[1], at(&sppo, a, -b)[1], 1e-14);
        assert_near(at(&sppo, 0.5 / beta, -0.5 / beta)[0], 0.0, 1e-14);
        assert_near(at(&sppo, 0.0, 0.0)[0], 0.5 / (beta * beta), 1e-13);
    }

    #[test]
    fn an_anchored_loss_of_a_swapped_pair_is_its_complement(pairs in batches(), beta in 0.01..2.0_f64) {
        let loss = ApoZero { beta }.each(pairs.batch()).unwrap();
        let swapped = ApoZero { beta }.each(pairs.swapped().batch()).unwrap();
        assert_all_near(&(&loss + &swapped), &Array1::from_elem(N, 2.0), 1e-14);
        let Pairs { chosen, rejected } = ratios(&pairs).map(|side| (beta * side).mapv(sigmoid));
        assert_all_near(&loss, &(1.0 - chosen + rejected), 1e-13);
    }

    #[test]
    fn going_down_is_the_chosen_side_and_the_margin(pairs in batches(), beta in 0.01..2.0_f64) {
        let expected = (beta * ratios(&pairs).chosen).mapv(sigmoid) + (-beta * pairs.margins()).mapv(sigmoid);
        let (sum, slope) = ApoDown { beta }.grad(pairs.batch(), Sum).unwrap();
        assert_near(sum, expected.sum(), 1e-13);
        // A common fall of both responses is paid for by the chosen side alone.
        let bell = |x: f64| beta * sigmoid(x) * sigmoid(-x);
        assert_all_near(&(slope.chosen + slope.rejected), &(beta * ratios(&pairs).chosen).mapv(bell), 1e-13);
    }

    #[test]
    fn both_anchored_losses_are_one_at_agreement(pairs in batches(), beta in 0.01..2.0_f64) {
        let batch = PairBatch::new(pairs.policy.view()).reference(pairs.policy.view());
        let (zero, up) = ApoZero { beta }.grad(batch, Mean).unwrap();
        let (down, slope) = ApoDown { beta }.grad(batch, Mean).unwrap();
        prop_assert_eq!((zero, down), (1.0, 1.0));
        prop_assert_eq!(slope.chosen, Array1::<f64>::zeros(N));
        assert_all_near(&up.chosen, &Array1::from_elem(N, -0.25 * beta / N as f64), 1e-15);
    }

    #[test]
    fn the_alignment_term_is_cross_entropy_and_bounds_the_odds_ratio(pairs in batches(), lambda in 0.05..2.0_f64) {
        for length in [Length::Sum, Length::Mean] {
            let asft = Asft { lambda, beta: 1.0, length }.each(pairs.batch()).unwrap();
            let likelihood = Nll { length }.each(pairs.batch()).unwrap();
            let rejected = match length {
                Length::Sum => pairs.policy.rejected.clone(),
                Length::Mean => &pairs.policy.rejected / &pairs.lengths.rejected,
            };
            let opposite = rejected.mapv(|x| -(-x.exp_m1()).ln());
            assert_all_near(&asft, &(lambda * (likelihood + opposite)), 1e-12);
            let odds_ratio = Orpo { lambda, length }.each(pairs.batch()).unwrap();
            prop_assert!(odds_ratio.iter().zip(&asft).all(|(ratio, asft)| *ratio <= asft * (1.0 + 1e-14)));
        }
    }

    #[test]
    fn a_temper_scales_the_log_odds(w in -5.0..-0.01_f64, l in -5.0..-0.01_f64, beta in 0.1..3.0_f64) {
        let odds = |x: f64| x - (-x.exp_m1()).ln();
        let [loss, by_chosen, by_rejected] = at(&Asft { lambda: 1.0, beta, length: Length::Sum }, w, l);
        assert_near(loss, softplus(-beta * odds(w)) + softplus(beta * odds(l)), 1e-12);
        assert_near(by_chosen, beta * sigmoid(-beta * odds(w)) / w.exp_m1(), 1e-11);
        assert_near(by_rejected, -beta * sigmoid(beta * odds(l)) / l.exp_m1(), 1e-11);
    }

    #[test]
    fn inverse_perplexities_are_bounded_and_change_sign_with_a_swap(pairs in batches()) {
        let loss = SimPer::default().each(pairs.batch()).unwrap();
        let swapped = SimPer::default().each(pairs.swapped().batch()).unwrap();
        prop_assert_eq!(&loss, &-swapped);
        prop_assert!(loss.iter().all(|loss| loss.abs() < 1.0));
        let slope = SimPer::default().grad(pairs.batch(), Sum).unwrap().1;
        let total = (&slope.chosen * &pairs.lengths.chosen + &slope.rejected * &pairs.lengths.rejected).sum();
        assert_near(total, loss.sum(), 1e-13);
    }

    #[test]
    fn calibration_is_dpo_and_half_a_self_play(pairs in batches(), beta in 0.05..2.0_f64) {
        let (own, slope) = CalDpo { beta }.grad(pairs.batch(), Sum).unwrap();
        let (margin, one) = Dpo { beta: 1.0, label_smoothing: 0.0 }.grad(pairs.batch(), Sum).unwrap();
        let (square, other) = SppoHard { beta }.grad(pairs.batch(), Sum).unwrap();
        assert_near(own, margin + 0.5 * square, 1e-13);
        assert_all_near(&slope.chosen, &(one.chosen + 0.5 * other.chosen), 1e-13);
        assert_all_near(&slope.rejected, &(one.rejected + 0.5 * other.rejected), 1e-13);
    }

    #[test]
    fn a_penalty_moves_the_margin_or_the_loss(pairs in batches(), beta in 0.01..1.0_f64, lambda in 0.0..50.0_f64) {
        let short = ratios(&pairs).chosen.mapv(|a| (-a).max(0.0));
        let dpo = Dpo { beta, label_smoothing: 0.0 };
        let offset = lambda * &short;
        let inside = Dpop { beta, lambda, placement: Placement::Inside }.each(pairs.batch()).unwrap();
        assert_all_near(&inside, &dpo.each(pairs.batch().offset(offset.view())).unwrap(), 1e-12);
        let outside = Dpop { beta, lambda, placement: Placement::Outside }.each(pairs.batch()).unwrap();
        assert_all_near(&outside, &(dpo.each(pairs.batch()).unwrap() + offset), 1e-12);
    }

    #[test]
    fn a_triple_is_a_margin_and_a_likelihood(pairs in batches(), gold in numbers(N, -9.0, -0.1), alpha in 0.0..2.0_f64) {
        let tpo = Tpo { beta: 0.3, alpha, ..Tpo::default() };
        let (zero, batch) = (Array1::zeros(N), pairs.batch().gold(gold.view()));
        let uniform = pairs.batch().reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let margin = Dpo { beta: 0.3, label_smoothing: 0.0 }.each(uniform).unwrap();
        assert_all_near(&tpo.each(batch).unwrap(), &(margin - alpha * &gold), 1e-13);
        prop_assert_eq!(tpo.gold_grad(batch, Sum).unwrap(), Array1::from_elem(N, -alpha));
        let normalized = Tpo { beta: 2.0, alpha: 0.0, ..Tpo::length_normalized() }.each(pairs.batch()).unwrap();
        let means = &pairs.policy.chosen / &pairs.lengths.chosen - &pairs.policy.rejected / &pairs.lengths.rejected;
        assert_all_near(&normalized, &means.mapv(|m| softplus(0.5 - 2.0 * m)), 1e-13);
    }

    #[test]
    fn losses_of_both_sides_see_a_common_shift(pairs in batches(), shift in 1.0..5.0_f64) {
        let mut lower = pairs.clone();
        lower.policy.chosen -= shift;
        lower.policy.rejected -= shift;
        let objectives: &[&dyn PairObjective<f64>] = &[
            &NcaPair { beta: 0.3 },
            &BcoPair { beta: 0.3, delta: 0.0 },
            &SppoHard { beta: 0.3 },
            &ApoZero { beta: 0.3 },
            &CalDpo { beta: 0.3 },
        ];
        for &objective in objectives {
            let difference = objective.each(lower.batch()).unwrap() - objective.each(pairs.batch()).unwrap();
            prop_assert!(difference.iter().any(|x| x.abs() > 1e-3));
            // Shifted along with the policy, the reference takes it back.
            let mut both = lower.clone();
            both.reference.chosen -= shift;
            both.reference.rejected -= shift;
            let (got, expected) = (objective.value(both.batch(), Sum), objective.value(pairs.batch(), Sum));
            assert_near(got.unwrap(), expected.unwrap(), 1e-11);
        }
    }

    #[test]
    fn scores_are_a_reward_model(pairs in batches(), target in numbers(N, 0.0, 3.0), centering in 0.0..0.1_f64) {
        let (scores, zero) = (PairBatch::new(pairs.policy.view()), Array1::zeros(N));
        let uniform = scores.reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let dpo = Dpo { beta: 1.0, label_smoothing: 0.0 };
        let auxiliary = (&pairs.policy.chosen + &pairs.policy.rejected).mapv(|sum| centering * sum * sum);
        let margin = BradleyTerry { gap: RatingGap::Margin, centering }.each(scores.rating_gap(target.view())).unwrap();
        assert_all_near(&margin, &(dpo.each(uniform.offset(target.view())).unwrap() + &auxiliary), 1e-12);
        let scale = BradleyTerry { gap: RatingGap::Scale, centering }.each(scores.rating_gap(target.view())).unwrap();
        assert_all_near(&scale, &(&target * dpo.each(uniform).unwrap() + &auxiliary), 1e-12);
        let metrics = reward_metrics(scores).unwrap();
        assert_near(centering * metrics.centering, auxiliary.mean().unwrap(), 1e-13);
    }

    #[test]
    fn scores_with_ties_are_a_policy_without_a_reference(pairs in batches(), ties in numbers(N, 0.0, 1.0), nu in 1.1..5.0_f64) {
        let (scores, zero) = (PairBatch::new(pairs.policy.view()).tie_probability(ties.view()), Array1::zeros(N));
        let uniform = scores.reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let own = RewardTies { nu, ..RewardTies::default() }.grad(scores, Mean).unwrap();
        prop_assert_eq!(own, RaoKupper { beta: 1.0, nu }.grad(uniform, Mean).unwrap());
    }

    #[test]
    fn swapping_two_scores_adds_their_difference(pairs in batches(), centering in 0.0..0.1_f64) {
        let model = BradleyTerry { centering, ..BradleyTerry::default() };
        let (scores, swapped) = (PairBatch::new(pairs.policy.view()), pairs.swapped());
        let difference = model.each(PairBatch::new(swapped.policy.view())).unwrap() - model.each(scores).unwrap();
        assert_all_near(&difference, &(&pairs.policy.chosen - &pairs.policy.rejected), 1e-12);
    }

    #[test]
    fn the_mean_of_a_regression_is_the_mean_square_of_all(pairs in batches()) {
        let scores = PairBatch::new(pairs.policy.view()).rewards(pairs.reference.view());
        let Pairs { chosen, rejected } = ratios(&pairs).map(|side| side.mapv(|x| x * x));
        let mean = (chosen.sum() + rejected.sum()) / (2 * N) as f64;
        assert_near(RewardRegression {}.value(scores, Mean).unwrap(), mean, 1e-13);
    }

    #[test]
    fn a_step_is_a_choice_between_two_classes(pairs in batches(), labels in numbers(N, 0.0, 1.0)) {
        let steps = PairBatch::new(pairs.policy.view()).soft_label(labels.view());
        let (sum, slope) = ProcessReward {}.grad(steps, Sum).unwrap();
        let ahead = &pairs.policy.chosen - &pairs.policy.rejected;
        assert_all_near(&slope.chosen, &(ahead.mapv(sigmoid) - &labels), 1e-13);
        prop_assert_eq!(&slope.chosen, &-&slope.rejected);
        // The other class with the other label is the same step.
        let (swapped, opposite) = (pairs.swapped(), 1.0 - &labels);
        let other = ProcessReward {}.value(PairBatch::new(swapped.policy.view()).soft_label(opposite.view()), Sum).unwrap();
        assert_near(sum, other, 1e-13);
    }
}
