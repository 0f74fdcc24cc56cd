//! Functions of the margin: what they are of each other, and where each of them ends.

use loglik::Reduction::{Mean, Sum};
use loglik::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, Dpo, ExoPair, FlexDpo, Hinge, Ipo, Length,
    Linked, Odpo, PairBatch, PairObjective, Pairs, Poft, Pso, RDpo, RaoKupper, Rebel, ReverseKlLink, RewardAwareRpo,
    RewardDistance, RewardGap, RobustDpo, SigmoidNorm, SimPo, Slic, SoftDpo,
};
use ndarray::Array1;
use proptest::prelude::*;

use super::pairs::{N, Owned, batches};
use super::{assert_all_near, assert_near, config, numbers};

/// Both have the same losses and slopes.
#[track_caller]
fn assert_same(
    (left, one): (&dyn PairObjective<f64>, PairBatch<'_, f64>),
    (right, other): (&dyn PairObjective<f64>, PairBatch<'_, f64>),
    tolerance: f64,
) {
    assert_all_near(&left.each(one).unwrap(), &right.each(other).unwrap(), tolerance);
    let (got, expected) = (left.grad(one, Sum).unwrap().1, right.grad(other, Sum).unwrap().1);
    assert_all_near(&got.chosen, &expected.chosen, tolerance);
    assert_all_near(&got.rejected, &expected.rejected, tolerance);
}

fn plain(beta: f64) -> Dpo {
    Dpo { beta, label_smoothing: 0.0 }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn mean_margins(pairs: &Owned) -> Array1<f64> {
    &pairs.policy.chosen / &pairs.lengths.chosen - &pairs.policy.rejected / &pairs.lengths.rejected
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn robust_is_dpo_less_a_multiple_of_the_margin(pairs in batches(), beta in 0.01..2.0_f64, flip in 0.0..0.499_f64) {
        let robust = RobustDpo { beta, label_smoothing: flip };
        let expected = plain(beta).each(pairs.batch()).unwrap() - flip / (1.0 - 2.0 * flip) * beta * pairs.margins();
        assert_all_near(&robust.each(pairs.batch()).unwrap(), &expected, 1e-12);
        let without = RobustDpo { beta, label_smoothing: 0.0 };
        prop_assert_eq!(without.grad(pairs.batch(), Mean).unwrap(), plain(beta).grad(pairs.batch(), Mean).unwrap());
        // The slope never vanishes, and never turns.
        prop_assert!(robust.grad(pairs.batch(), Sum).unwrap().1.chosen.iter().all(|&slope| slope < 0.0));
    }

    #[test]
    fn without_a_reference_is_against_a_uniform_one(pairs in batches(), beta in 0.05..2.0_f64) {
        let zero = Array1::zeros(N);
        let uniform = pairs.batch().reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let bare = PairBatch::new(pairs.policy.view()).lengths(pairs.lengths.view());
        let cpo = |length, label_smoothing| Cpo { beta, label_smoothing, length };
        assert_same((&cpo(Length::Sum, 0.1), bare), (&Dpo { beta, label_smoothing: 0.1 }, uniform), 1e-15);
        assert_same((&cpo(Length::Mean, 0.1), bare), (&SigmoidNorm { beta, label_smoothing: 0.1 }, uniform), 1e-15);
        assert_same((&CpoHinge { beta, length: Length::Sum }, bare), (&Hinge { beta }, uniform), 1e-15);
        for length in [Length::Sum, Length::Mean] {
            assert_same((&CpoIpo { beta, length }, bare), (&Ipo { beta, length }, uniform), 1e-15);
        }
    }

    #[test]
    fn calibration_is_a_scaled_hinge(pairs in batches(), delta in 0.25..4.0_f64) {
        for length in [Length::Sum, Length::Mean] {
            let hinge = CpoHinge { beta: 1.0 / delta, length }.each(pairs.batch()).unwrap();
            assert_all_near(&Slic { delta, length }.each(pairs.batch()).unwrap(), &(delta * hinge), 1e-13);
        }
    }

    #[test]
    fn the_hinge_of_a_margin_and_of_its_opposite_add_up(pairs in batches(), beta in 0.001..0.2_f64) {
        let both = Hinge { beta }.each(pairs.batch()).unwrap() + Hinge { beta }.each(pairs.swapped().batch()).unwrap();
        assert_all_near(&both, &pairs.margins().mapv(|m| (1.0 + (beta * m).abs()).max(2.0)), 1e-13);
    }

    #[test]
    fn simpo_is_cpo_of_means_above_a_target(pairs in batches(), beta in 0.1..4.0_f64, gamma in 0.0..2.0_f64) {
        let cpo = Cpo { beta, label_smoothing: 0.1, length: Length::Mean };
        let simpo = |gamma| SimPo { beta, gamma, label_smoothing: 0.1 };
        assert_same((&simpo(0.0), pairs.batch()), (&cpo, pairs.batch()), 1e-15);
        let offset = Array1::from_elem(N, gamma / beta);
        assert_same((&simpo(gamma), pairs.batch()), (&cpo, pairs.batch().offset(offset.view())), 1e-13);
        let expected = mean_margins(&pairs).mapv(|m| softplus(gamma - beta * m));
        let ratio = SimPo::from_ratio(beta, gamma / beta);
        assert_all_near(&ratio.each(pairs.batch()).unwrap(), &expected, 1e-13);
    }

    #[test]
    fn alpha_po_has_its_reward_and_simpo_for_a_limit(pairs in batches(), alpha in -1.0..1.0_f64, gamma in 0.0..2.0_f64) {
        prop_assume!(alpha.abs() > 1e-3);
        let reward = |side: &Array1<f64>, n: &Array1<f64>| (side / n).mapv(|x| (1.0 - (-alpha * x).exp()) / alpha);
        let (policy, lengths) = (&pairs.policy, pairs.lengths.as_ref().map(|n| n + 5.0)); // means above -6
        let batch = PairBatch::new(policy.view()).lengths(lengths.view());
        let gap = reward(&policy.chosen, &lengths.chosen) - reward(&policy.rejected, &lengths.rejected);
        let alpha_po = AlphaPo { alpha, beta: 0.5, gamma, label_smoothing: 0.0 };
        assert_all_near(&alpha_po.each(batch).unwrap(), &gap.mapv(|r| softplus(gamma - 0.5 * r)), 1e-9);
        let near = AlphaPo { alpha: alpha * 1e-12, label_smoothing: 0.1, ..alpha_po };
        assert_same((&near, batch), (&SimPo { beta: 0.5, gamma, label_smoothing: 0.1 }, batch), 1e-9);
    }

    #[test]
    fn lengths_of_one_make_the_normalized_form_dpo(pairs in batches(), beta in 0.05..2.0_f64) {
        let ones = Array1::ones(N);
        let batch = pairs.batch().lengths(Pairs { chosen: ones.view(), rejected: ones.view() });
        let dpo = Dpo { beta, label_smoothing: 0.2 };
        assert_same((&SigmoidNorm { beta, label_smoothing: 0.2 }, batch), (&dpo, batch), 1e-15);
    }

    #[test]
    fn lengths_and_rewards_are_offsets(pairs in batches(), beta in 0.1..2.0_f64, alpha in 0.0..0.5_f64, gaps in numbers(N, 0.1, 3.0)) {
        let longer = &pairs.lengths.chosen - &pairs.lengths.rejected;
        let r_dpo = |alpha| RDpo { beta, alpha, label_smoothing: 0.0 };
        let offset = &longer * (-alpha / beta);
        assert_same((&r_dpo(alpha), pairs.batch()), (&plain(beta), pairs.batch().offset(offset.view())), 1e-12);
        assert_same((&r_dpo(0.0), pairs.batch()), (&plain(beta), pairs.batch()), 1e-15);
        let base = Array1::from_elem(N, 0.5);
        let rewards = Pairs { chosen: &base + &gaps, rejected: base.clone() };
        for (gap, f) in [
            (RewardGap::Difference, gaps.clone()),
            (RewardGap::Log, gaps.mapv(f64::ln)),
            (RewardGap::LogRatio, (&rewards.chosen / &rewards.rejected).mapv(f64::ln)),
        ] {
            let offset = f * (alpha / beta);
            let odpo = Odpo { beta, alpha, gap };
            let target = pairs.batch().offset(offset.view());
            assert_same((&odpo, pairs.batch().rewards(rewards.view())), (&plain(beta), target), 1e-12);
        }
    }

    #[test]
    fn equal_strengths_are_dpo_and_unequal_ones_share_a_slope(pairs in batches(), a in 0.05..2.0_f64, b in 0.0..2.0_f64) {
        let equal = FlexDpo { beta_chosen: a, beta_rejected: a };
        assert_same((&equal, pairs.batch()), (&plain(a), pairs.batch()), 1e-12);
        let slope = FlexDpo { beta_chosen: a, beta_rejected: b }.grad(pairs.batch(), Sum).unwrap().1;
        assert_all_near(&(slope.chosen * -b), &(slope.rejected * a), 1e-15);
    }

    #[test]
    fn divergences_from_rewards_are_those_from_labels(pairs in batches(), beta in 0.05..1.0_f64, label in 0.501..0.999_f64) {
        let logit = Array1::from_elem(N, (label / (1.0 - label)).ln());
        let zero = Array1::zeros(N);
        let batch = pairs.batch().rewards(Pairs { chosen: logit.view(), rejected: zero.view() });
        let rpo = |distance| RewardAwareRpo { beta, eta: 1.0, distance, length: Length::Sum };
        let exo = ExoPair { beta, label_smoothing: 1.0 - label };
        assert_same((&rpo(RewardDistance::ForwardKl), batch), (&exo, batch), 1e-11);
        let labels = Array1::from_elem(N, label);
        let soft = SoftDpo { beta }.each(pairs.batch().soft_label(labels.view())).unwrap();
        let entropy = -label * label.ln() - (1.0 - label) * (1.0 - label).ln();
        let backward = rpo(RewardDistance::BackwardKl);
        assert_all_near(&backward.each(batch).unwrap(), &(soft - entropy), 1e-12);
        let smooth = Dpo { beta, label_smoothing: 1.0 - label };
        assert_all_near(&backward.grad(batch, Sum).unwrap().1.chosen, &smooth.grad(batch, Sum).unwrap().1.chosen, 1e-12);
    }

    #[test]
    fn squares_are_rebel_and_rebel_of_a_fixed_gap_is_ipo(pairs in batches(), beta in 0.1..2.0_f64, eta in 0.1..2.0_f64, gaps in numbers(N, -3.0, 3.0)) {
        let zero = Array1::zeros(N);
        let batch = pairs.batch().rewards(Pairs { chosen: gaps.view(), rejected: zero.view() });
        let squared = RewardAwareRpo { beta, eta, distance: RewardDistance::Squared, length: Length::Sum };
        let rebel = Rebel { eta: eta / beta }.each(batch).unwrap();
        assert_all_near(&squared.each(batch).unwrap(), &(rebel * (eta * eta)), 1e-11);
        let fixed = Array1::from_elem(N, 0.5 / beta);
        let batch = pairs.batch().rewards(Pairs { chosen: fixed.view(), rejected: zero.view() });
        assert_same((&Rebel { eta: 1.0 }, batch), (&Ipo { beta, length: Length::Sum }, batch), 1e-12);
    }

    #[test]
    fn a_narrow_blend_is_logistic_below_and_exponential_above(pairs in batches(), beta in 0.05..1.0_f64) {
        let losses = DiscoPop { beta, tau: 1e-3 }.each(pairs.batch()).unwrap();
        for (&loss, z) in losses.iter().zip(beta * pairs.margins()).filter(|(_, z)| z.abs() > 0.1) {
            assert_near(loss, if z > 0.0 { (-z).exp() } else { softplus(-z) }, 1e-12);
        }
    }

    #[test]
    fn the_mixed_divergence_is_its_formula_until_it_is_clipped(pairs in batches(), clip in 0.5..20.0_f64) {
        let link = |p: &Array1<f64>, r: &Array1<f64>| (p - r).mapv(|x| x + x.exp());
        let (policy, reference) = (pairs.policy.as_ref().map(|side| side * 0.1), pairs.reference.as_ref().map(|side| side * 0.1));
        let batch = PairBatch::new(policy.view()).reference(reference.view());
        let z = 0.7 * (link(&policy.chosen, &reference.chosen) - link(&policy.rejected, &reference.rejected));
        let expected = z.mapv(|z| softplus(-z.clamp(-clip, clip)));
        assert_all_near(&ChiPo { beta: 0.7, clip }.each(batch).unwrap(), &expected, 1e-12);
    }

    #[test]
    fn wins_losses_and_ties_are_all_there_is(pairs in batches(), beta in 0.05..1.0_f64, nu in 1.001..9.0_f64) {
        let ones = Array1::ones(N);
        let all = |objective: &dyn PairObjective<f64>| {
            let p = |batch| objective.each(batch).unwrap().mapv(|loss: f64| (-loss).exp());
            p(pairs.batch()) + p(pairs.swapped().batch()) + p(pairs.batch().tie_probability(ones.view()))
        };
        assert_all_near(&all(&RaoKupper { beta, nu }), &ones, 1e-13);
        assert_all_near(&all(&Davidson { beta, nu }), &ones, 1e-13);
        let (rao, davidson) = (RaoKupper { beta, nu: 1.0 }, Davidson { beta, nu: 0.0 });
        assert_same((&rao, pairs.batch()), (&plain(beta), pairs.batch()), 1e-15);
        assert_same((&davidson, pairs.batch()), (&plain(beta), pairs.batch()), 1e-13);
    }

    #[test]
    fn a_tie_does_not_care_who_is_who_and_a_half_tie_is_half_of_each(pairs in batches(), beta in 0.05..1.0_f64, nu in 1.001..9.0_f64) {
        let (ones, half, swapped) = (Array1::ones(N), Array1::from_elem(N, 0.5), pairs.swapped());
        for objective in [&RaoKupper { beta, nu } as &dyn PairObjective<f64>, &Davidson { beta, nu }] {
            let tie = objective.each(pairs.batch().tie_probability(ones.view())).unwrap();
            assert_all_near(&objective.each(swapped.batch().tie_probability(ones.view())).unwrap(), &tie, 1e-13);
            let expected = 0.5 * (tie + objective.each(pairs.batch()).unwrap());
            assert_all_near(&objective.each(pairs.batch().tie_probability(half.view())).unwrap(), &expected, 1e-13);
        }
    }

    #[test]
    fn one_response_against_other_models_is_a_margin_with_nothing_on_the_other_side(pairs in batches(), gamma in -1.0..1.0_f64) {
        let (zero, offset) = (Array1::zeros(N), Array1::from_elem(N, -gamma / 1.5));
        let one = PairBatch::new(Pairs { chosen: pairs.policy.chosen.view(), rejected: zero.view() })
            .reference(Pairs { chosen: pairs.reference.chosen.view(), rejected: zero.view() })
            .lengths(pairs.lengths.view());
        let (poft, norm) = (Poft { beta: 1.5, gamma }, SigmoidNorm { beta: 1.5, label_smoothing: 0.0 });
        let expected = norm.grad(one.offset(offset.view()), Sum).unwrap();
        let (loss, slope) = poft.grad(pairs.batch(), Sum).unwrap();
        assert_near(loss, expected.0, 1e-13);
        assert_all_near(&slope.chosen, &expected.1.chosen, 1e-13);
        prop_assert_eq!(slope.rejected, zero);
    }

    #[test]
    fn denoising_errors_are_minus_twice_log_probs(pairs in batches(), beta in 0.1..4.0_f64) {
        let negated = |side: &Pairs<Array1<f64>>| side.as_ref().map(|x| x * -2.0);
        let (errors, reference) = (negated(&pairs.policy), negated(&pairs.reference));
        let batch = PairBatch::new(errors.view()).reference(reference.view());
        let (loss, slope) = DiffusionDpo { beta }.grad(batch, Sum).unwrap();
        let (expected, by_log_prob) = plain(beta).grad(pairs.batch(), Sum).unwrap();
        assert_near(loss, expected, 1e-13);
        assert_all_near(&slope.chosen, &(by_log_prob.chosen * -0.5), 1e-14);
        assert_all_near(&slope.rejected, &(by_log_prob.rejected * -0.5), 1e-14);
    }

    #[test]
    fn ratios_within_their_bounds_are_dpo_and_the_loss_never_leaves_its_own(pairs in batches(), beta in 0.1..50.0_f64, epsilon in 0.01..0.9_f64) {
        let most = beta * ((1.0 + epsilon) / (1.0 - epsilon)).ln();
        for length in [Length::Sum, Length::Mean] {
            let losses = Pso { beta, epsilon, length }.each(pairs.batch()).unwrap();
            let (least, largest) = (softplus(-most) * (1.0 - 1e-12), softplus(most) * (1.0 + 1e-12));
            prop_assert!(losses.iter().all(|&loss| (least..=largest).contains(&loss)));
        }
        let close = |side: &Pairs<Array1<f64>>| side.as_ref().map(|x| x * (epsilon / 80.0));
        let (policy, reference) = (close(&pairs.policy), close(&pairs.reference));
        let batch = PairBatch::new(policy.view()).reference(reference.view());
        assert_same((&Pso { beta, epsilon, length: Length::Sum }, batch), (&plain(beta), batch), 1e-13);
    }

    #[test]
    fn a_certain_label_is_dpo_and_reverse_kl_changes_no_labeled_loss(pairs in batches(), beta in 0.05..2.0_f64, labels in numbers(N, 0.0, 1.0)) {
        let ones = Array1::ones(N);
        assert_same((&SoftDpo { beta }, pairs.batch().soft_label(ones.view())), (&plain(beta), pairs.batch()), 1e-15);
        let batch = pairs.batch().soft_label(labels.view());
        let scored = Linked { loss: SoftDpo { beta }, link: ReverseKlLink };
        prop_assert_eq!(scored.grad(batch, Mean).unwrap(), SoftDpo { beta }.grad(batch, Mean).unwrap());
        // Swapped answers with the opposite label are the same comparison.
        let opposite = 1.0 - &labels;
        let swapped = pairs.swapped();
        let other = SoftDpo { beta }.each(swapped.batch().soft_label(opposite.view())).unwrap();
        assert_all_near(&other, &SoftDpo { beta }.each(batch).unwrap(), 1e-12);
    }

    #[test]
    fn what_is_against_a_reference_sees_only_the_ratio(pairs in batches(), shift in -5.0..5.0_f64, gaps in numbers(N, 0.1, 1.0)) {
        let mut moved = pairs.clone();
        moved.policy.rejected += shift;
        moved.reference.rejected += shift;
        let zero = Array1::zeros(N);
        let rewards = Pairs { chosen: gaps.view(), rejected: zero.view() };
        let reward_aware = |distance| RewardAwareRpo { beta: 0.3, eta: 1.0, distance, length: Length::Mean };
        let objectives: &[&dyn PairObjective<f64>] = &[
            &RobustDpo { beta: 0.3, label_smoothing: 0.2 },
            &Hinge { beta: 0.03 },
            &ExoPair { beta: 0.3, label_smoothing: 0.2 },
            &DiscoPop { beta: 0.3, tau: 0.5 },
            &SigmoidNorm { beta: 2.0, label_smoothing: 0.2 },
            &RDpo { beta: 0.3, alpha: 0.1, label_smoothing: 0.2 },
            &Odpo { beta: 0.3, ..Odpo::default() },
            &FlexDpo { beta_chosen: 0.3, beta_rejected: 0.1 },
            &Rebel { eta: 2.0 },
            &SoftDpo { beta: 0.3 },
            &reward_aware(RewardDistance::BackwardKl),
            &reward_aware(RewardDistance::ForwardKl),
            &RaoKupper { beta: 0.3, nu: 3.0 },
            &Davidson { beta: 0.3, nu: 3.0 },
            &DiffusionDpo { beta: 0.3 },
        ];
        for &objective in objectives {
            let with = |pairs: &Owned| objective.grad(pairs.batch().rewards(rewards).offset(gaps.view()).soft_label(gaps.view()).tie_probability(gaps.view()), Sum).unwrap();
            let (got, expected) = (with(&moved), with(&pairs));
            assert_near(got.0, expected.0, 1e-9);
            assert_all_near(&got.1.chosen, &expected.1.chosen, 1e-10);
            assert_all_near(&got.1.rejected, &expected.1.rejected, 1e-10);
        }
    }
}
