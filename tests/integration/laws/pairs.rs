//! Pairwise objectives and the discriminator.

use loglik::Reduction::{self, Mean, Sum, Weighted};
use loglik::preference::{
    Dpo, Ipo, JensenShannonLink, Length, Linked, Nll, Orpo, PairBatch, PairObjective, Pairs, ReverseKlLink, Term,
    WeightedSum, pair_metrics,
};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use ndarray::{Array1, array, aview1};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, numbers};

pub(super) const N: usize = 6;
const LN_2: f64 = std::f64::consts::LN_2;

/// A batch that owns its columns.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) policy: Pairs<Array1<f64>>,
    pub(super) reference: Pairs<Array1<f64>>,
    pub(super) lengths: Pairs<Array1<f64>>,
}

impl Owned {
    pub(super) fn batch(&self) -> PairBatch<'_, f64> {
        PairBatch::new(self.policy.view()).reference(self.reference.view()).lengths(self.lengths.view())
    }

    pub(super) fn swapped(&self) -> Self {
        let swap = |side: &Pairs<Array1<f64>>| Pairs { chosen: side.rejected.clone(), rejected: side.chosen.clone() };
        Self { policy: swap(&self.policy), reference: swap(&self.reference), lengths: swap(&self.lengths) }
    }

    /// `(log π - log ρ)` of the chosen minus that of the rejected.
    pub(super) fn margins(&self) -> Array1<f64> {
        &self.policy.chosen - &self.reference.chosen - &self.policy.rejected + &self.reference.rejected
    }
}

pub(super) fn batches() -> impl Strategy<Value = Owned> {
    let side = |low, high| (numbers(N, low, high), numbers(N, low, high));
    let pairs = |(chosen, rejected)| Pairs { chosen, rejected };
    (side(-30.0, -0.01), side(-30.0, -0.01), side(1.0, 20.0)).prop_map(move |(policy, reference, lengths)| Owned {
        policy: pairs(policy),
        reference: pairs(reference),
        lengths: pairs(lengths),
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn swapping_the_answers_adds_beta_times_the_margin(pairs in batches(), beta in 0.01..2.0_f64) {
        let dpo = Dpo { beta, label_smoothing: 0.0 };
        let (loss, swapped) = (dpo.each(pairs.batch()).unwrap(), dpo.each(pairs.swapped().batch()).unwrap());
        assert_all_near(&(swapped - loss), &(beta * pairs.margins()), 1e-12);
    }

    #[test]
    fn swapping_the_answers_mirrors_the_square_about_its_target(pairs in batches(), beta in 0.05..2.0_f64) {
        let ipo = Ipo { beta, length: Length::Sum };
        let (loss, swapped) = (ipo.each(pairs.batch()).unwrap(), ipo.each(pairs.swapped().batch()).unwrap());
        assert_all_near(&(swapped - loss), &(2.0 * pairs.margins() / beta), 1e-11);
    }

    #[test]
    fn smoothing_is_a_mixture_of_both_labels(pairs in batches(), beta in 0.01..2.0_f64, label_smoothing in 0.0..0.499_f64) {
        let plain = Dpo { beta, label_smoothing: 0.0 };
        let (loss, swapped) = (plain.each(pairs.batch()).unwrap(), plain.each(pairs.swapped().batch()).unwrap());
        let smooth = Dpo { beta, label_smoothing }.each(pairs.batch()).unwrap();
        assert_all_near(&smooth, &(loss * (1.0 - label_smoothing) + swapped * label_smoothing), 1e-12);
    }

    #[test]
    fn a_shift_of_policy_and_reference_together_changes_nothing(pairs in batches(), shift in -5.0..5.0_f64) {
        let mut moved = pairs.clone();
        moved.policy.chosen += shift;
        moved.reference.chosen += shift;
        let objectives: &[&dyn PairObjective<f64>] = &[
            &Dpo { beta: 0.3, label_smoothing: 0.1 },
            &Ipo { beta: 0.3, length: Length::Sum },
            &Ipo { beta: 0.3, length: Length::Mean },
            &Linked { loss: Dpo { beta: 0.3, label_smoothing: 0.1 }, link: JensenShannonLink },
        ];
        for &objective in objectives {
            let (got, expected) = (objective.grad(moved.batch(), Mean).unwrap(), objective.grad(pairs.batch(), Mean).unwrap());
            assert_near(got.0, expected.0, 1e-11);
            assert_all_near(&got.1.chosen, &expected.1.chosen, 1e-11);
            assert_all_near(&got.1.rejected, &expected.1.rejected, 1e-11);
        }
    }

    #[test]
    fn agreement_with_the_reference_costs_ln_two(pairs in batches(), beta in 0.01..2.0_f64, label_smoothing in 0.0..0.499_f64) {
        let batch = PairBatch::new(pairs.policy.view()).reference(pairs.policy.view());
        let (loss, slope) = Dpo { beta, label_smoothing }.grad(batch, Sum).unwrap();
        assert_near(loss, N as f64 * LN_2, 1e-14);
        assert_all_near(&slope.chosen, &Array1::from_elem(N, -beta * (0.5 - label_smoothing)), 1e-14);
        let square = Ipo { beta, length: Length::Sum }.value(batch, Mean).unwrap();
        assert_near(square, 0.25 / (beta * beta), 1e-13);
    }

    #[test]
    fn each_loss_is_flat_at_its_optimum(beta in 0.05..2.0_f64, label_smoothing in 0.01..0.49_f64) {
        let zero = array![0.0];
        let at = |margin: f64, objective: &dyn PairObjective<f64>| {
            let policy = array![margin];
            let batch = PairBatch::new(Pairs { chosen: policy.view(), rejected: zero.view() })
                .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
            let (loss, slope) = objective.grad(batch, Mean).unwrap();
            (loss, slope.chosen[0])
        };
        let logit = ((1.0 - label_smoothing) / label_smoothing).ln();
        let (loss, slope) = at(logit / beta, &Dpo { beta, label_smoothing });
        let entropy = -label_smoothing * label_smoothing.ln() - (1.0 - label_smoothing) * (1.0 - label_smoothing).ln();
        assert_near(loss, entropy, 1e-13);
        assert_near(slope, 0.0, 1e-14);
        let (loss, slope) = at(0.5 / beta, &Ipo { beta, length: Length::Sum });
        assert_near(loss, 0.0, 1e-14);
        assert_near(slope, 0.0, 1e-13);
    }

    #[test]
    fn means_of_one_token_are_sums(pairs in batches()) {
        let ones = Array1::ones(N);
        let batch = pairs.batch().lengths(Pairs { chosen: ones.view(), rejected: ones.view() });
        let same = |means: &dyn PairObjective<f64>, sums: &dyn PairObjective<f64>| {
            assert_eq!(means.grad(batch, Mean).unwrap(), sums.grad(batch, Mean).unwrap());
        };
        same(&Ipo { beta: 0.2, length: Length::Mean }, &Ipo { beta: 0.2, length: Length::Sum });
        same(&Orpo { lambda: 0.2, length: Length::Mean }, &Orpo { lambda: 0.2, length: Length::Sum });
        same(&Nll { length: Length::Mean }, &Nll { length: Length::Sum });
    }

    #[test]
    fn the_odds_ratio_is_logistic_in_the_log_odds(pairs in batches(), lambda in 0.05..2.0_f64) {
        let odds = |side: &Array1<f64>| side.mapv(|x| x - (-x.exp_m1()).ln());
        let difference = odds(&pairs.policy.chosen) - odds(&pairs.policy.rejected);
        let orpo = Orpo { lambda, length: Length::Sum };
        let (loss, swapped) = (orpo.each(pairs.batch()).unwrap(), orpo.each(pairs.swapped().batch()).unwrap());
        assert_all_near(&loss, &difference.mapv(|d| lambda * ((-d.abs()).exp().ln_1p() + (-d).max(0.0))), 1e-12);
        assert_all_near(&(swapped - loss), &(lambda * difference), 1e-12);
    }

    #[test]
    fn likelihood_is_the_chosen_side_alone(pairs in batches()) {
        let (sum, slope) = Nll { length: Length::Sum }.grad(pairs.batch(), Sum).unwrap();
        assert_near(sum, -pairs.policy.chosen.sum(), 1e-14);
        prop_assert!(slope.chosen.iter().all(|&x| x == -1.0) && slope.rejected.iter().all(|&x| x == 0.0));
        let each = Nll { length: Length::Mean }.each(pairs.batch()).unwrap();
        assert_all_near(&each, &-(&pairs.policy.chosen / &pairs.lengths.chosen), 1e-15);
    }

    #[test]
    fn reverse_kl_scores_a_ratio_as_itself(pairs in batches(), beta in 0.05..2.0_f64) {
        let plain = Dpo { beta, label_smoothing: 0.1 };
        let scored = Linked { loss: plain, link: ReverseKlLink };
        prop_assert_eq!(scored.grad(pairs.batch(), Mean).unwrap(), plain.grad(pairs.batch(), Mean).unwrap());
    }

    #[test]
    fn jensen_shannon_is_half_of_reverse_kl_near_agreement(pairs in batches(), beta in 0.05..2.0_f64) {
        let (chosen, rejected) = (&pairs.policy.chosen * 1e-6, &pairs.policy.rejected * 1e-6);
        let zero = Array1::zeros(N);
        let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
            .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let scored = Linked { loss: Dpo { beta, label_smoothing: 0.0 }, link: JensenShannonLink }.each(batch).unwrap();
        let half = Dpo { beta: beta / 2.0, label_smoothing: 0.0 }.each(batch).unwrap();
        assert_all_near(&scored, &half, 1e-8);
        // The score itself, from its definition.
        let score = |x: f64| LN_2 - (-x).exp().ln_1p();
        let margin = pairs.policy.chosen.mapv(score) - pairs.policy.rejected.mapv(score);
        let batch = PairBatch::new(pairs.policy.view()).reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let square = Linked { loss: Ipo { beta, length: Length::Sum }, link: JensenShannonLink }.each(batch).unwrap();
        assert_all_near(&square, &margin.mapv(|m| (m - 0.5 / beta).powi(2)), 1e-12);
    }

    #[test]
    fn a_weighted_sum_is_the_sum_of_its_terms(pairs in batches(), a in 0.0..2.0_f64, b in 0.0..2.0_f64) {
        let (dpo, nll) = (Dpo { beta: 0.3, label_smoothing: 0.1 }, Nll { length: Length::Mean });
        let terms: Vec<Term<Box<dyn PairObjective<f64> + Send + Sync>>> =
            vec![Term { weight: a, objective: Box::new(dpo) }, Term { weight: b, objective: Box::new(nll) }];
        let (loss, slope) = WeightedSum { terms }.grad(pairs.batch(), Mean).unwrap();
        let (left, right) = (dpo.grad(pairs.batch(), Mean).unwrap(), nll.grad(pairs.batch(), Mean).unwrap());
        assert_near(loss, a * left.0 + b * right.0, 1e-14);
        assert_all_near(&slope.chosen, &(a * left.1.chosen + b * right.1.chosen), 1e-14);
        assert_all_near(&slope.rejected, &(a * left.1.rejected + b * right.1.rejected), 1e-14);
    }

    #[test]
    fn rewards_are_scaled_log_ratios(pairs in batches(), beta in 0.05..2.0_f64) {
        let metrics = pair_metrics(pairs.batch(), beta).unwrap();
        let margins = pairs.margins();
        assert_near(metrics.margin, beta * margins.mean().unwrap(), 1e-12);
        assert_near(metrics.reward_chosen - metrics.reward_rejected, metrics.margin, 1e-12);
        assert_near(metrics.reward_chosen, beta * (&pairs.policy.chosen - &pairs.reference.chosen).mean().unwrap(), 1e-12);
        prop_assert_eq!(metrics.accuracy, margins.iter().filter(|&&m| m > 0.0).count() as f64 / N as f64);
    }

    #[test]
    fn the_discriminator_starts_at_its_known_value(alpha in 0.1..10.0_f64, beta in 0.01..2.0_f64) {
        let (zero, mean) = (Array1::zeros(N), Samples { real: Mean, fake: Mean });
        let ddo = Ddo { alpha, beta };
        let (loss, slope) = ddo.grad(Samples { real: zero.view(), fake: zero.view() }, mean).unwrap();
        assert_near(loss, (1.0 + alpha) * LN_2, 1e-14);
        assert_near(slope.real.sum(), -beta / 2.0, 1e-14);
        assert_near(slope.fake.sum(), alpha * beta / 2.0, 1e-14);
    }

    #[test]
    fn exchanging_real_and_fake_exchanges_the_terms(r in numbers(N, -9.0, 9.0), f in numbers(N, -9.0, 9.0), beta in 0.05..2.0_f64) {
        let ddo = Ddo { alpha: 1.0, beta };
        let mean = Samples { real: Mean, fake: Mean };
        let value = ddo.value(Samples { real: r.view(), fake: f.view() }, mean).unwrap();
        let (r, f) = (-r, -f);
        assert_near(ddo.value(Samples { real: f.view(), fake: r.view() }, mean).unwrap(), value, 1e-14);
    }
}

proptest! {
    #![proptest_config(config())]

    /// Gutmann and Hyvärinen 2010: the posterior of data against `k` times as much noise, of an unnormalized log-model.
    #[test]
    fn of_a_log_model_less_the_noise_the_discriminator_is_noise_contrastive(
        real in numbers(N, -6.0, 1.0),
        fake in numbers(N, -6.0, 1.0),
        noise in numbers(2 * N, -5.0, -0.5),
        k in 0.5..20.0_f64,
    ) {
        let ratio = |scores: &Array1<f64>, from: usize| {
            Array1::from_shape_fn(N, |i| scores[i] - (k * noise[from + i].exp()).ln())
        };
        let (r, f) = (ratio(&real, 0), ratio(&fake, N));
        let ddo = Ddo { alpha: k, beta: 1.0 };
        let loss = ddo.value(Samples { real: r.view(), fake: f.view() }, Samples { real: Mean, fake: Mean }).unwrap();
        let mut expected = 0.0;
        for i in 0..N {
            let (p, q) = (real[i].exp(), k * noise[i].exp());
            expected -= (p / (p + q)).ln() / N as f64;
            let (p, q) = (fake[i].exp(), k * noise[N + i].exp());
            expected -= k * (q / (p + q)).ln() / N as f64;
        }
        assert_near(loss, expected, 1e-12);
    }
}

/// Three states, real from (0.5, 0.3, 0.2), fake from (0.2, 0.3, 0.5), and expectations as weights: values from mpmath.
#[test]
fn the_discriminator_of_three_states_has_its_worked_values() {
    let (real, fake): (Array1<f64>, Array1<f64>) = (array![0.5, 0.3, 0.2], array![0.2, 0.3, 0.5]);
    let value = |model: &Array1<f64>, alpha, beta| {
        let ratio = (model / &fake).ln();
        let samples = Samples { real: ratio.view(), fake: ratio.view() };
        Ddo { alpha, beta }.grad(samples, Samples { real: Weighted(&real), fake: Weighted(&fake) }).unwrap()
    };
    let model = array![0.3, 0.4, 0.3];
    for (alpha, beta, expected) in [
        (1.0, 1.0, 1.291_912_717_979_8),
        (1.0, 0.5, 1.328_405_815_144_4),
        (6.0, 0.1, 4.817_892_338_906_5),
        (10.0, 0.02, 7.614_050_799_364_0),
    ] {
        assert_near(value(&model, alpha, beta).0, expected, 1e-11);
    }
    // At α = β = 1 the data's own distribution is the optimum: the slope in its logits vanishes.
    let (loss, slope) = value(&real, 1.0, 1.0);
    assert_near(loss, 1.253_465_732_36, 1e-10);
    let by_log_prob = slope.real + slope.fake;
    let by_logit = &by_log_prob - &real * by_log_prob.sum();
    assert!(by_logit.iter().all(|slope| slope.abs() < 1e-15), "{by_logit}");
}

/// One number for each pair, in the order of the batch.
#[test]
fn a_weight_of_zero_is_an_absent_pair() {
    let (policy, reference) = (array![-3.0, f64::NAN, -2.0], array![-2.0, -1.0, -4.0]);
    let weights = array![0.5, 0.0, 2.0];
    let rejected = array![-1.0, -1.0, -1.0];
    let whole = PairBatch::new(Pairs { chosen: policy.view(), rejected: rejected.view() })
        .reference(Pairs { chosen: reference.view(), rejected: rejected.view() });
    let (loss, slope) = Dpo::default().grad(whole, Reduction::Weighted(&weights)).unwrap();
    let part = PairBatch::new(Pairs { chosen: aview1(&[-3.0, -2.0]), rejected: aview1(&[-1.0, -1.0]) })
        .reference(Pairs { chosen: aview1(&[-2.0, -4.0]), rejected: aview1(&[-1.0, -1.0]) });
    let (expected, kept) = Dpo::default().grad(part, Reduction::Weighted(&array![0.5, 2.0])).unwrap();
    assert_eq!(loss, expected);
    assert_eq!(slope.chosen, array![kept.chosen[0], 0.0, kept.chosen[1]]);
}
