//! Discriminators, contrasts with noise, and objectives of retrieval: what they are of each other, and where they are least.

use std::f64::consts::LN_2;

use loglik::Reduction::{self, Mean, Sum, Weighted};
use loglik::divergence::{
    Categorical, CategoricalDivergence, JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare,
    ReverseKlDivergence, SquaredHellinger, TotalVariation,
};
use loglik::likelihood::{Bernoulli, BernoulliArguments, Density};
use loglik::logits::{CrossEntropy, TokenObjective};
use loglik::preference::{BcoPair, BradleyTerry, CpoHinge, Dpo, Length, PairBatch, PairObjective, Pairs, SoftmaxHinge};
use loglik::ratio::{
    Averaging, CandidateNll, Contrast, CriticOutput, Ddo, DirichletSmoothing, FGan, FollowUp, GeneratorLoss,
    GoalContrast, GoalStates, HingeGan, LeastSquaresGan, Nbpo, NbpoArguments, Nce, NceBatch, Pull, RatioObjective,
    Reaction, Relativistic, Samples, WassersteinGan, follow_up_reward, follow_up_reward_backward, optimal_distribution,
    pairwise_score, pairwise_score_backward, ranking_nce, ranking_nce_each, ranking_nce_grad,
};
use loglik::transport::{Measure, wasserstein_1d};
use ndarray::{Array1, Array2, Array3, Axis, array, aview1};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const N: usize = 5;

/// Probabilities of `N` states.
fn shares() -> impl Strategy<Value = Array1<f64>> {
    numbers(N, -2.0, 2.0).prop_map(|logits| {
        let weights = logits.mapv(f64::exp);
        &weights / weights.sum()
    })
}

/// The same outputs on real and fake states, which count by their probabilities.
fn expected(
    loss: &dyn RatioObjective<f64>,
    output: &Array1<f64>,
    p: &Array1<f64>,
    q: &Array1<f64>,
) -> (f64, Array1<f64>) {
    let reductions = Samples { real: Weighted(p), fake: Weighted(q) };
    let (value, slopes) = loss.grad(Samples::both(output.view()), reductions).unwrap();
    (value, slopes.real + slopes.fake)
}

/// The log-odds of the data.
fn log_ratio(p: &Array1<f64>, q: &Array1<f64>) -> Array1<f64> {
    p.ln() - q.ln()
}

/// The critic is tight at the log-ratio, with no slope, and nowhere below.
fn is_tight<G: CriticOutput + Copy + CategoricalDivergence<f64, ndarray::Ix1>>(
    generator: G,
    p: &Array1<f64>,
    q: &Array1<f64>,
    other: &Array1<f64>,
) {
    let divergence = generator.value(Categorical::Probs(p), Categorical::Probs(q), Sum).unwrap();
    let (loss, slopes) = expected(&FGan { generator }, &log_ratio(p, q), p, q);
    assert_near(loss, -divergence, 1e-12);
    let scale = slopes.iter().fold(1.0, |max: f64, slope| max.max(slope.abs()));
    assert!(slopes.iter().all(|slope| slope.abs() <= 1e-12 * (1.0 + scale)), "{slopes}");
    let (elsewhere, _) = expected(&FGan { generator }, other, p, q);
    assert!(elsewhere >= -divergence - 1e-12, "{elsewhere}, {divergence}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_critic_of_an_f_gan_is_least_at_the_log_ratio(p in shares(), q in shares(), other in numbers(N, -2.0, 2.0)) {
        is_tight(KlDivergence, &p, &q, &other);
        is_tight(ReverseKlDivergence, &p, &q, &other);
        is_tight(JensenShannonDivergence, &p, &q, &other);
        is_tight(PearsonChiSquare, &p, &q, &other);
        is_tight(NeymanChiSquare, &p, &q, &other);
        is_tight(SquaredHellinger, &p, &q, &other);
        // Of total variation it is tight where the critic is sure of itself.
        let sure = log_ratio(&p, &q).mapv(|ratio| 1e3 * ratio.signum());
        let distance = TotalVariation.value(Categorical::Probs(&p), Categorical::Probs(&q), Sum).unwrap();
        assert_near(expected(&FGan { generator: TotalVariation }, &sure, &p, &q).0, -distance, 1e-12);
    }

    #[test]
    fn the_f_gan_of_jensen_shannon_is_half_the_logistic_discriminator(p in shares(), q in shares(), v in numbers(N, -9.0, 9.0)) {
        let (logistic, slopes) = expected(&Ddo::default(), &v, &p, &q);
        let (loss, halves) = expected(&FGan { generator: JensenShannonDivergence }, &v, &p, &q);
        assert_near(loss, 0.5 * logistic - LN_2, 1e-13);
        assert_all_near(&halves, &(0.5 * &slopes), 1e-14);
        // The generator of either is trained by the same slopes.
        let fake = Ddo::default().generator().grad(&v, Weighted(&q)).unwrap().1;
        let half = FGan { generator: JensenShannonDivergence }.non_saturating().grad(&v, Weighted(&q)).unwrap().1;
        assert_all_near(&half, &(0.5 * &fake), 1e-14);
    }

    #[test]
    fn the_best_critics_are_the_known_ones(p in shares(), q in shares(), other in numbers(N, -3.0, 3.0)) {
        let gan = LeastSquaresGan { real_target: 1.0, fake_target: -1.0, generator_target: 0.0 };
        let best = (&p - &q) / (&p + &q);
        let (least, slopes) = expected(&gan, &best, &p, &q);
        prop_assert!(slopes.iter().all(|slope| slope.abs() < 1e-15));
        prop_assert!(least <= expected(&gan, &other, &p, &q).0);
        // Twice the generator's loss, plus that on real samples, is Pearson's distance of the mixture from q, as in the paper.
        let of_real = 0.5 * (&p * &best.mapv(|c| c * c)).sum();
        let of_fake = gan.generator().value(&best, Weighted(&q)).unwrap();
        let chi_square = ((&p - &q).mapv(|gap| gap * gap) / (&p + &q)).sum();
        assert_near(2.0 * (of_real + of_fake), chi_square, 1e-13);

        let distance = TotalVariation.value(Categorical::Probs(&p), Categorical::Probs(&q), Sum).unwrap();
        let (least, _) = expected(&HingeGan, &(&p - &q).mapv(f64::signum), &p, &q);
        assert_near(least, 2.0 - 2.0 * distance, 1e-13);
        prop_assert!(least <= expected(&HingeGan, &other, &p, &q).0 + 1e-15);
    }

    #[test]
    fn a_wasserstein_critic_of_slope_one_is_no_more_than_the_distance(x in numbers(N, -2.0, 2.0), y in numbers(N, -2.0, 2.0), shift in 4.0..9.0_f64) {
        let (near, far) = (y.clone(), &y + shift);
        let distance = |to: &Array1<f64>| {
            wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(to.view()), 1.0).unwrap()
        };
        let loss = |to: &Array1<f64>| {
            let outputs = Samples { real: x.mapv(|x| -x), fake: to.mapv(|x| -x) };
            let outputs = Samples { real: outputs.real.view(), fake: outputs.fake.view() };
            WassersteinGan.value(outputs, Samples::both(Mean)).unwrap()
        };
        prop_assert!(-loss(&near) <= distance(&near) + 1e-12);
        assert_near(-loss(&far), distance(&far), 1e-12); // all mass goes one way
    }

    #[test]
    fn a_generator_against_the_best_discriminator_reduces_a_divergence(p in shares(), q in shares()) {
        let ratio = log_ratio(&p, &q);
        let reverse = KlDivergence.value(Categorical::Probs(&q), Categorical::Probs(&p), Sum).unwrap();
        assert_near(HingeGan.generator().value(&ratio, Weighted(&q)).unwrap(), reverse, 1e-12);
        let saturating = GeneratorLoss { discriminator: Ddo::default(), pull: Pull::Saturating };
        let of_real = Ddo::default().generator().value(&ratio, Weighted(&p)).unwrap();
        let jsd = JensenShannonDivergence.value(Categorical::Probs(&p), Categorical::Probs(&q), Sum).unwrap();
        assert_near(saturating.value(&ratio, Weighted(&q)).unwrap() - of_real, 2.0 * jsd - 2.0 * LN_2, 1e-12);
    }

    /// What a discriminator that sees one sample has to do with one that sees two.
    #[test]
    fn of_one_real_and_one_fake_sample_the_discriminator_is_a_preference(
        real in numbers(N, -9.0, 9.0),
        fake in numbers(N, -9.0, 9.0),
        beta in 0.05..2.0_f64,
    ) {
        let zero = Array1::zeros(N);
        let batch = PairBatch::new(Pairs { chosen: real.view(), rejected: fake.view() })
            .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let dpo = Dpo { beta, label_smoothing: 0.0 };
        let (each, (_, slopes)) = (dpo.each(batch).unwrap(), dpo.grad(batch, Sum).unwrap());
        let ddo = Ddo { alpha: 1.0, beta };
        // On the difference of the log-ratios, the real side alone is DPO.
        let difference = &real - &fake;
        let sides = ddo.each(Samples { real: difference.view(), fake: difference.view() }).unwrap();
        assert_all_near(&sides.real, &each, 1e-15);
        // On each of them by itself, both sides are BCO, and no less than DPO.
        let apart = ddo.each(Samples { real: real.view(), fake: fake.view() }).unwrap();
        let bco = BcoPair { beta, delta: 0.0 }.each(batch).unwrap();
        assert_all_near(&(&apart.real + &apart.fake), &bco, 1e-15);
        prop_assert!(bco.iter().zip(&each).all(|(bco, dpo)| *bco >= *dpo));
        // Relativistic, it is twice DPO.
        for i in 0..N {
            let outputs = Samples { real: aview1(&real.as_slice().unwrap()[i..=i]), fake: aview1(&fake.as_slice().unwrap()[i..=i]) };
            let (loss, slope) = Relativistic { loss: ddo }.grad(outputs, Samples::both(Mean)).unwrap();
            assert_near(loss, 2.0 * each[i], 1e-14);
            assert_near(slope.real[0], 2.0 * slopes.chosen[i], 1e-14);
            assert_near(slope.fake[0], 2.0 * slopes.rejected[i], 1e-14);
        }
        // Ranking the real one above a sample of the reference is DPO at β = 1.
        let (scores, noise) = (fake.view().insert_axis(Axis(1)), zero.view().insert_axis(Axis(1)));
        let (scores, noise) = (
            Contrast { positive: real.view(), negatives: scores },
            Contrast { positive: zero.view(), negatives: noise },
        );
        let plain = Dpo { beta: 1.0, label_smoothing: 0.0 };
        assert_all_near(&ranking_nce_each(scores, noise).unwrap(), &plain.each(batch).unwrap(), 1e-14);
        assert_near(ranking_nce(scores, noise, Mean).unwrap(), plain.value(batch, Mean).unwrap(), 1e-14);
        // At the reference the slopes of both are one.
        let start = Samples { real: zero.view(), fake: zero.view() };
        let (_, at_start) = ddo.grad(start, Samples::both(Sum)).unwrap();
        let batch = PairBatch::new(Pairs { chosen: zero.view(), rejected: zero.view() })
            .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let (_, of_dpo) = dpo.grad(batch, Sum).unwrap();
        assert_all_near(&at_start.real, &of_dpo.chosen, 1e-15);
        assert_all_near(&at_start.fake, &of_dpo.rejected, 1e-15);
    }

    /// Each round takes its own optimum as the next reference.
    #[test]
    fn rounds_of_self_play_shrink_the_distance_to_the_data_where_beta_is_above_a_half(
        data in shares(),
        start in shares(),
        beta in 0.3..3.0_f64,
    ) {
        let next = optimal_distribution(&data, &start, beta).unwrap();
        let off = |p: &Array1<f64>| {
            let ratio = log_ratio(p, &data);
            &ratio - ratio[0] // up to the normalizer
        };
        assert_all_near(&off(&next), &((1.0 - 1.0 / beta) * off(&start)), 1e-11);
        let pure = optimal_distribution(&data, &start, 1.0).unwrap();
        assert_all_near(&pure, &data, 1e-14);
    }

    #[test]
    fn a_relativistic_loss_sees_differences_only_and_its_generator_is_the_other_side(
        real in numbers(4, -3.0, 3.0),
        fake in numbers(N, -3.0, 3.0),
        shift in -5.0..5.0_f64,
    ) {
        let loss = Relativistic { loss: Ddo::default() };
        let value = |real: &Array1<f64>, fake: &Array1<f64>| {
            loss.grad(Samples { real: real.view(), fake: fake.view() }, Samples::both(Mean)).unwrap()
        };
        let (plain, slopes) = value(&real, &fake);
        assert_near(value(&(&real + shift), &(&fake + shift)).0, plain, 1e-13);
        assert_near(slopes.real.sum() + slopes.fake.sum(), 0.0, 1e-14);
        // Of the logistic loss, turned signs exchange the sides.
        let (turned, _) = value(&-&fake, &-&real);
        assert_near(turned, plain, 1e-13);
        let outputs = Samples { real: real.view(), fake: fake.view() }.swapped();
        let by_hand = real.iter().map(|c| (1.0 + (c - fake.mean().unwrap()).exp()).ln()).sum::<f64>() / 4.0
            + fake.iter().map(|c| (1.0 + (real.mean().unwrap() - c).exp()).ln()).sum::<f64>() / N as f64;
        assert_near(loss.value(outputs, Samples::both(Mean)).unwrap(), by_hand, 1e-12);
    }

    #[test]
    fn nce_is_the_discriminator_of_scores_less_the_noise(
        positive in numbers(N, -3.0, 1.0),
        negatives in matrix(N, 3, -3.0, 1.0),
        noise in numbers(N, -4.0, -0.5),
        noises in matrix(N, 3, -4.0, -0.5),
        log_z in -1.0..1.0_f64,
    ) {
        let batch = NceBatch {
            scores: Contrast { positive: positive.view(), negatives: negatives.view() },
            log_noise: Contrast { positive: noise.view(), negatives: noises.view() },
            log_normalizer: log_z,
        };
        let (loss, gradient) = Nce::default().grad(&batch, Mean).unwrap();
        let real = &positive - &noise - log_z - 3.0_f64.ln();
        let fake: Array1<f64> = (&negatives - &noises - log_z - 3.0_f64.ln()).into_iter().collect();
        let ddo = Ddo { alpha: 3.0, beta: 1.0 };
        let ratios = Samples { real: real.view(), fake: fake.view() };
        let (same, slopes) = ddo.grad(ratios, Samples::both(Mean)).unwrap();
        assert_near(loss, same, 1e-13);
        assert_all_near(&gradient.scores.positive, &slopes.real, 1e-13);
        assert_all_near(&gradient.scores.negatives, &slopes.fake, 1e-13);
        assert_near(gradient.log_normalizer, -(slopes.real.sum() + slopes.fake.sum()), 1e-13);
        // Where no ratio says anything, each of the 1 + k candidates costs ln 2.
        let even = |noise: &ndarray::ArrayRef1<f64>| noise.mapv(|noise| noise + 3.0_f64.ln() + log_z);
        let (positive, flat) = (even(&noise), noises.mapv(|noise| noise + 3.0_f64.ln() + log_z));
        let scores = Contrast { positive: positive.view(), negatives: flat.view() };
        let each = Nce::default().each(&NceBatch { scores, ..batch }).unwrap();
        assert_all_near(&each, &Array1::from_elem(N, 4.0 * LN_2), 1e-14);
    }

    /// Uniform noise that comes `r` times for each state: its samples are its law.
    #[test]
    fn as_the_noise_grows_both_contrasts_become_maximum_likelihood(data in shares(), scores in numbers(N, -2.5, -0.5)) {
        let maximum_likelihood = scores.mapv(f64::exp) - &data;
        let softmax = scores.mapv(f64::exp) / scores.mapv(f64::exp).sum() - &data;
        let worst = |gap: Array1<f64>| gap.iter().fold(0.0, |max: f64, gap| max.max(gap.abs()));
        let mut before = [f64::INFINITY; 2];
        for r in [4, 40, 400] {
            let k = N * r;
            let negatives = Array2::from_shape_fn((N, k), |(_, j)| scores[j % N]);
            let level = -(N as f64).ln();
            let (noise, noises) = (Array1::from_elem(N, level), Array2::from_elem((N, k), level));
            let of_scores = Contrast { positive: scores.view(), negatives: negatives.view() };
            let log_noise = Contrast { positive: noise.view(), negatives: noises.view() };
            let batch = NceBatch { scores: of_scores, log_noise, log_normalizer: 0.0 };
            let by_state = |slopes: Contrast<Array1<f64>, Array2<f64>>| {
                let mut total = slopes.positive;
                slopes.negatives.sum_axis(Axis(0)).iter().enumerate().for_each(|(j, slope)| total[j % N] += slope);
                total
            };
            let nce = by_state(Nce::default().grad(&batch, Weighted(&data)).unwrap().1.scores);
            let ranked = by_state(ranking_nce_grad(of_scores, log_noise, Weighted(&data)).unwrap().1);
            let gaps = [worst(nce - &maximum_likelihood), worst(ranked - &softmax)];
            // Ten times the noise, a tenth of the distance.
            prop_assert!(gaps.iter().zip(before).all(|(gap, before)| *gap < 0.15 * before), "{:?}, {:?}", gaps, before);
            before = gaps;
        }
        prop_assert!(before.iter().all(|gap| *gap < 5e-3), "{:?}", before);
    }

    /// Levy and Goldberg 2014.
    #[test]
    fn negative_sampling_is_least_at_the_log_ratio_less_that_of_the_number(data in shares(), noise in shares(), k in 1.0..20.0_f64) {
        let scores = log_ratio(&data, &noise) - k.ln();
        let (loss, slopes) = expected(&Ddo { alpha: k, beta: 1.0 }, &scores, &data, &noise);
        prop_assert!(slopes.iter().all(|slope| slope.abs() < 1e-14), "{}", slopes);
        let word2vec = |score: f64| ((1.0 + (-score).exp()).ln(), (1.0 + score.exp()).ln());
        let by_hand: f64 = (0..N).map(|i| data[i] * word2vec(scores[i]).0 + k * noise[i] * word2vec(scores[i]).1).sum();
        assert_near(loss, by_hand, 1e-13);
    }

    /// Rendle 2010.
    #[test]
    fn interactions_with_equal_weights_are_a_factorization_machine(v in matrix(4, 3, -2.0, 2.0), weight in 0.0..2.0_f64) {
        let events: Array3<f64> = v.clone().insert_axis(Axis(0));
        let weights = Array1::from_elem(6, weight);
        let sum = v.sum_axis(Axis(0));
        let expected = 0.5 * weight * (sum.dot(&sum) - v.mapv(|x| x * x).sum());
        assert_near(pairwise_score(&events, &weights).unwrap()[0], expected, 1e-13);
        let (by_embeddings, by_weights) = pairwise_score_backward(&events, &weights, &array![1.0]).unwrap();
        assert_all_near(by_embeddings.index_axis(Axis(0), 0), &(weight * (&sum - &v)), 1e-13);
        assert_near(weight * by_weights.sum(), expected, 1e-13);
    }

    #[test]
    fn a_flipped_label_is_consistent_where_the_plain_likelihood_is_not(scores in numbers(N, -3.0, 3.0), flips in numbers(N, -3.0, 3.0)) {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let seen = Array1::from_shape_fn(N, |i| sigmoid(scores[i]) * sigmoid(-flips[i]));
        let (_, slopes) = Nbpo.grad(NbpoArguments { scores: &scores, flips: &flips, x: &seen }, Sum).unwrap();
        prop_assert!(slopes.scores.iter().chain(&slopes.flips).all(|slope| slope.abs() < 1e-13));
        // Without flips the same labels are those of a smaller score.
        let none = Array1::from_elem(N, f64::NEG_INFINITY);
        let smaller = seen.mapv(|p| (p / (1.0 - p)).ln());
        let arguments = NbpoArguments { scores: &*smaller, flips: &*none, x: &*seen };
        let (loss, slopes) = Nbpo.grad(arguments, Sum).unwrap();
        prop_assert!(slopes.scores.iter().all(|slope| slope.abs() < 1e-13));
        assert_near(loss, Bernoulli.value(BernoulliArguments { logits: &smaller, x: &seen }, Sum).unwrap(), 1e-13);
    }

    /// BPR and BPO, by other objectives.
    #[test]
    fn bpr_is_bradley_terry_and_bpo_the_logistic_discriminator(liked in numbers(N, -9.0, 9.0), shown in numbers(N, -9.0, 9.0), user in -3.0..3.0_f64) {
        let bpr = |user: f64| {
            let (chosen, rejected) = (&liked + user, &shown + user);
            let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() });
            BradleyTerry::default().value(batch, Sum).unwrap()
        };
        let by_hand: f64 = liked.iter().zip(&shown).map(|(i, j)| (1.0 + (j - i).exp()).ln()).sum();
        assert_near(bpr(0.0), by_hand, 1e-12);
        assert_near(bpr(user), bpr(0.0), 1e-12); // a constant of the user drops out
        let bpo = Ddo::default().value(Samples { real: liked.view(), fake: shown.view() }, Samples::both(Sum)).unwrap();
        let none = Array1::from_elem(N, f64::NEG_INFINITY);
        let of = |scores: &Array1<f64>, label: f64| {
            Nbpo.value(NbpoArguments { scores, flips: &none, x: &Array1::from_elem(N, label) }, Sum).unwrap()
        };
        assert_near(of(&liked, 1.0) + of(&shown, 0.0), bpo, 1e-12);
    }

    #[test]
    fn the_hinge_after_a_softmax_is_twice_the_wrong_probability(chosen in numbers(N, -9.0, 9.0), rejected in numbers(N, -9.0, 9.0)) {
        let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() });
        let swapped = PairBatch::new(Pairs { chosen: rejected.view(), rejected: chosen.view() });
        let each = SoftmaxHinge {}.each(batch).unwrap();
        assert_all_near(&(&each + &SoftmaxHinge {}.each(swapped).unwrap()), &Array1::from_elem(N, 2.0), 1e-14);
        // The hinge itself, of the two probabilities.
        let share = |a: &Array1<f64>, b: &Array1<f64>| a.mapv(f64::exp) / (a.mapv(f64::exp) + b.mapv(f64::exp));
        let (w, l) = (share(&chosen, &rejected), share(&rejected, &chosen));
        let probabilities = PairBatch::new(Pairs { chosen: w.view(), rejected: l.view() });
        let hinge = CpoHinge { beta: 1.0, length: Length::Sum }.each(probabilities).unwrap();
        assert_all_near(&each, &hinge, 1e-13);
    }

    #[test]
    fn the_likelihood_of_a_candidate_is_the_cross_entropy_of_the_cosines(
        x in matrix(3, 4, -1.0, 1.0),
        c in matrix(N, 4, -1.0, 1.0),
        tau in 0.05..2.0_f64,
    ) {
        let unit = |rows: &Array2<f64>| rows / &rows.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f64::sqrt).insert_axis(Axis(1));
        prop_assume!(unit(&x).iter().chain(&unit(&c)).all(|x| x.is_finite()));
        let (cosines, targets) = (unit(&x).dot(&unit(&c).t()), array![0, 4, 2]);
        let each = CandidateNll { tau }.each(&x, &c, &targets).unwrap();
        let expected = CrossEntropy::default().each(&(&cosines / tau), &targets).unwrap();
        assert_all_near(&each, &expected, 1e-11);
        prop_assert!(each.iter().all(|loss| *loss <= (N as f64).ln() + 2.0 / tau));
    }

    #[test]
    fn a_smoothed_document_is_a_mixture_with_the_background(counts in numbers(N, 0.0, 9.0), background in shares(), mu in 0.1..100.0_f64) {
        let length = counts.sum();
        let log_probs = DirichletSmoothing { mu }.each(&counts, length, &background).unwrap();
        let mixture = (&counts / length) * (length / (length + mu)) + &background * (mu / (length + mu));
        assert_all_near(&log_probs.mapv(f64::exp), &mixture, 1e-13);
    }

    #[test]
    fn follow_up_rewards_are_linear_in_the_log_probabilities(log_probs in matrix(3, 4, -9.0, 0.0), other in matrix(3, 4, -9.0, 0.0)) {
        let kinds: Vec<FollowUp> = (0..4).map(|f| FollowUp {
            reaction: if f < 2 { Reaction::Positive } else { Reaction::Negative },
            category: f % 2,
        }).collect();
        let lengths = array![1.0, 2.0, 3.0, 4.0];
        let reward = |x: &Array2<f64>| follow_up_reward(x, &lengths, &kinds).unwrap();
        assert_all_near(&reward(&(&log_probs + &other)), &(reward(&log_probs) + reward(&other)), 1e-13);
        let back = follow_up_reward_backward(&lengths, &kinds, &array![1.0, 1.0, 1.0]).unwrap();
        assert_near((&back * &log_probs).sum(), reward(&log_probs).sum(), 1e-13);
        assert_near(back.row(0).dot(&lengths), 0.0, 1e-15); // a shift of the means per token drops out
    }

    #[test]
    fn per_sample_the_goal_term_is_a_discriminator_of_cosines(source in matrix(4, 3, -1.0, 1.0), goal in matrix(4, 3, -1.0, 1.0), negative in matrix(4, 3, -1.0, 1.0)) {
        let cosine = |x: &Array2<f64>, y: &Array2<f64>| -> Array1<f64> {
            let length = |x: &Array2<f64>| x.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f64::sqrt);
            (x * y).sum_axis(Axis(1)) / (length(x) * length(y))
        };
        let (good, bad) = (cosine(&source, &goal), cosine(&source, &negative));
        prop_assume!(good.iter().chain(&bad).all(|c| c.is_finite()));
        let ratios = Samples { real: good.view(), fake: bad.view() };
        let expected = 0.5 * Ddo::default().value(ratios, Samples::both(Mean)).unwrap();
        let [source, goal, negative] = [source, goal, negative].map(|states| states.insert_axis(Axis(0)));
        let states = GoalStates { source: source.view(), goal: goal.view(), negative: negative.view() };
        let of = |averaging| GoalContrast { weight: 0.5, averaging }.value(&states, Reduction::Mean).unwrap();
        assert_near(of(Averaging::PerSample), expected, 1e-12);
        prop_assert!(of(Averaging::BeforeLog) <= of(Averaging::PerSample) + 1e-15);
    }
}
