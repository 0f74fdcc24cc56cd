//! What learns by telling samples apart: GANs, noise-contrastive estimation, recommendation and retrieval.

use loglik::divergence::{
    JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare, ReverseKlDivergence, SquaredHellinger,
    TotalVariation,
};
use loglik::likelihood::Density;
use loglik::ratio::{
    Averaging, CandidateNll, Contrast, Ddo, DirichletSmoothing, FGan, FollowUp, GeneratorLoss, GoalContrast,
    GoalStates, HingeGan, LeastSquaresGan, Nbpo, NbpoArguments, NbpoGradient, Nce, NceBatch, Pull, RatioLoss,
    RatioObjective, Reaction, Relativistic, Samples, WassersteinGan, best_and_worst, follow_up_reward,
    follow_up_reward_backward, pairwise_score, pairwise_score_backward, ranking_nce, ranking_nce_each,
    ranking_nce_grad,
};
use loglik::{Real, Reduction};
use ndarray::{Array1, Ix1, Ix2, Ix3};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, dot, knob};

/// An entry for each loss of critics, all of the same outputs.
macro_rules! critics {
    ($run:ident: $($name:literal: $loss:expr,)*) => {
        vec![$(Entry::new($name, outputs, |call, out| $run(call, out, $loss))
            .without(By::Weights(2), &[0], Seen::Reduced)
            .without(By::Weights(3), &[1], Seen::Reduced),)*]
    };
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let critics: Vec<Entry<T>> = critics![
        critic:
        "LeastSquaresGan": LeastSquaresGan { real_target: knob(1.0), fake_target: knob(-0.5), generator_target: knob(0.25) },
        "HingeGan": HingeGan,
        "WassersteinGan": WassersteinGan,
        "FGan, KL": FGan { generator: KlDivergence },
        "FGan, reverse KL": FGan { generator: ReverseKlDivergence },
        "FGan, Jensen-Shannon": FGan { generator: JensenShannonDivergence },
        "FGan, Pearson": FGan { generator: PearsonChiSquare },
        "FGan, Neyman": FGan { generator: NeymanChiSquare },
        "FGan, Hellinger": FGan { generator: SquaredHellinger },
        "FGan, total variation": FGan { generator: TotalVariation },
    ];
    let relativistic: Vec<Entry<T>> = critics![
        both_sides:
        "Relativistic, logistic": Relativistic { loss: Ddo { alpha: knob(1.5), beta: knob(0.7) } },
        "Relativistic, least squares": Relativistic { loss: LeastSquaresGan::default() },
    ];
    let generators: Vec<Entry<T>> = critics![
        generator:
        "GeneratorLoss, non-saturating": Ddo { alpha: knob(2.0), beta: knob(0.5) }.generator(),
        "GeneratorLoss, saturating": GeneratorLoss {
            discriminator: Ddo { alpha: knob(2.0), beta: knob(0.5) },
            pull: Pull::Saturating,
        },
        "GeneratorLoss, of an f-GAN": FGan { generator: KlDivergence }.minimax(),
    ];
    critics.into_iter().chain(relativistic).chain(generators).chain(contrasts()).chain(retrieval()).collect()
}

fn contrasts<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Nce, mean", contrast, |call, out| nce(call, out, Reduction::Mean)),
        Entry::new("Nce, weighted", contrast, |call, out| nce(call, out, Reduction::Weighted(&call.real::<Ix1>(5))))
            .without(By::Weights(5), &[0, 1, 2, 3], Seen::Reduced),
        Entry::new("ranking_nce, mean", contrast, |call, out| ranking(call, out, Reduction::Mean)).rounding(),
        Entry::new("ranking_nce, weighted", contrast, |call, out| {
            ranking(call, out, Reduction::Weighted(&call.real::<Ix1>(5)));
        })
        .rounding()
        .without(By::Weights(5), &[0, 1, 2, 3], Seen::Reduced),
        Entry::of_cotangent("pairwise_score", events, |call, out| {
            let (embeddings, weights, cotangent) = (call.real::<Ix3>(0), call.real::<Ix1>(1), call.real::<Ix1>(2));
            let scores = pairwise_score(&embeddings, &weights);
            out.scalar("value", scores.clone().map(|scores| dot(&scores, cotangent)));
            out.array("scores", scores);
            let back = pairwise_score_backward(&embeddings, &weights, &cotangent);
            out.array("grad 0", back.clone().map(|(by_embeddings, _)| by_embeddings));
            out.array("grad 1", back.map(|(_, by_weights)| by_weights));
        }),
    ]
}

fn retrieval<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Nbpo, weighted", feedback, |call, out| {
            let (scores, flips, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
            let weights = call.real::<Ix2>(3);
            let reduction = Reduction::Weighted(&weights);
            let arguments = NbpoArguments { scores: &*scores, flips: &*flips, x: &*x };
            out.scalar("value", Nbpo.value(arguments, reduction));
            out.array("each", Nbpo.each(arguments));
            out.sum_count(Nbpo.sum_count(arguments));
            out.grad("", [0, 1], Nbpo.grad(arguments, reduction).map(|(value, g)| (value, [g.scores, g.flips])));
            let (mut a, mut b) = (call.buffer(scores.raw_dim()), call.buffer(scores.raw_dim()));
            let to = NbpoGradient { scores: &mut *a.view_mut(), flips: &mut *b.view_mut() };
            let result = Nbpo.grad_into(arguments, reduction, to);
            out.grad("into: ", [0, 1], result.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
        Entry::new("CandidateNll, mean", candidates, |call, out| candidate_nll(call, out, Reduction::Mean)).rounding(),
        Entry::new("CandidateNll, weighted", candidates, |call, out| {
            candidate_nll(call, out, Reduction::Weighted(&call.real::<Ix1>(3)));
        })
        .rounding()
        .without(By::Weights(3), &[0], Seen::Reduced),
        Entry::new("DirichletSmoothing", words, |call, out| {
            let (counts, background) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let smoothing = DirichletSmoothing { mu: knob(7.0) };
            out.scalar("log-likelihood", smoothing.value(&counts, 20.0, &background));
            out.array("log-probabilities", smoothing.each(&counts, 20.0, &background));
        })
        .infinite(),
        Entry::of_cotangent("follow_up_reward", follow_ups, |call, out| {
            let (log_probs, lengths, cotangent) = (call.real::<Ix2>(0), call.real::<Ix1>(1), call.real::<Ix1>(2));
            let kinds: Vec<FollowUp> = (0..lengths.len())
                .map(|f| FollowUp {
                    reaction: if f % 2 == 0 { Reaction::Positive } else { Reaction::Negative },
                    category: f / 2 % 3,
                })
                .collect();
            let rewards = follow_up_reward(&log_probs, &lengths, &kinds);
            out.scalar("value", rewards.clone().map(|rewards| dot(&rewards, cotangent)));
            let picks = rewards.clone().and_then(|rewards| best_and_worst(&rewards));
            out.scalar("best", picks.clone().map(|(best, _)| T::from_f64(best as f64)));
            out.scalar("worst", picks.map(|(_, worst)| T::from_f64(worst as f64)));
            out.array("rewards", rewards);
            out.array("grad 0", follow_up_reward_backward(&lengths, &kinds, &cotangent));
        })
        .forming(&["rewards"]),
        Entry::new("GoalContrast, before the log", states, |call, out| {
            goals(call, out, Averaging::BeforeLog, Reduction::Mean);
        }),
        Entry::new("GoalContrast, per sample", states, |call, out| {
            goals(call, out, Averaging::PerSample, Reduction::Weighted(&call.real::<Ix1>(3)));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
    ]
}

/// What every loss of critics has.
fn critic<T: Real, L: RatioLoss>(call: &Call<T>, out: &mut Results<T>, loss: L) {
    let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
    let parts = loss.sum_count(Samples { real: real.view(), fake: fake.view() });
    out.scalar("sum of real", parts.clone().map(|parts| T::from_f64(parts.real.sum)));
    out.scalar("sum of fake", parts.map(|parts| T::from_f64(parts.fake.sum)));
    both_sides(call, out, loss);
}

/// All but the parts, which functions of the whole batch do not have.
fn both_sides<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: impl RatioObjective<T>) {
    let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
    let (w, v) = (call.real::<Ix1>(2), call.real::<Ix1>(3));
    let samples = Samples { real: real.view(), fake: fake.view() };
    let reductions = Samples { real: Reduction::Weighted(&*w), fake: Reduction::Weighted(&*v) };
    out.scalar("value", loss.value(samples, reductions));
    let each = loss.each(samples);
    out.array("each real", each.clone().map(|each| each.real));
    out.array("each fake", each.map(|each| each.fake));
    out.grad("", [0, 1], loss.grad(samples, reductions).map(|(value, g)| (value, [g.real, g.fake])));
    let (mut a, mut b) = (call.buffer(real.raw_dim()), call.buffer(fake.raw_dim()));
    let result = loss.grad_into(samples, reductions, Samples { real: a.view_mut(), fake: b.view_mut() });
    out.grad("into: ", [0, 1], result.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
}

fn generator<T: Real, L: RatioLoss>(call: &Call<T>, out: &mut Results<T>, loss: GeneratorLoss<L>) {
    let (fake, weights) = (call.real::<Ix1>(1), call.real::<Ix1>(3));
    let reduction = Reduction::Weighted(&weights);
    out.scalar("value", loss.value(&fake, reduction));
    out.array("each", loss.each(&fake));
    out.grad("", [1], loss.grad(&fake, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(fake.raw_dim(), |mut to| loss.grad_into(&fake, reduction, &mut to));
    out.grad("into: ", [1], into.map(|(value, g)| (value, [g])));
}

fn nce<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T>) {
    let (positive, negatives) = (call.real::<Ix1>(0), call.real::<Ix2>(1));
    let (noise, noises, normalizer) = (call.real::<Ix1>(2), call.real::<Ix2>(3), call.real::<Ix1>(4));
    let batch = NceBatch {
        scores: Contrast { positive: positive.view(), negatives: negatives.view() },
        log_noise: Contrast { positive: noise.view(), negatives: noises.view() },
        log_normalizer: normalizer.first().copied().unwrap_or_else(T::zero),
    };
    let nce = Nce::default();
    out.scalar("value", nce.value(&batch, reduction));
    out.array("each", nce.each(&batch));
    let result = nce.grad(&batch, reduction);
    out.scalar("grad: value", result.clone().map(|(value, _)| value));
    out.array("grad 0", result.clone().map(|(_, g)| g.scores.positive));
    out.array("grad 1", result.clone().map(|(_, g)| g.scores.negatives));
    out.array("grad 4", result.map(|(_, g)| Array1::from_elem(1, g.log_normalizer)));
}

fn ranking<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T>) {
    let (positive, negatives) = (call.real::<Ix1>(0), call.real::<Ix2>(1));
    let (noise, noises) = (call.real::<Ix1>(2), call.real::<Ix2>(3));
    let scores = Contrast { positive: positive.view(), negatives: negatives.view() };
    let log_noise = Contrast { positive: noise.view(), negatives: noises.view() };
    out.scalar("value", ranking_nce(scores, log_noise, reduction));
    out.array("each", ranking_nce_each(scores, log_noise));
    let result = ranking_nce_grad(scores, log_noise, reduction);
    out.scalar("grad: value", result.clone().map(|(value, _)| value));
    out.array("grad 0", result.clone().map(|(_, g)| g.positive));
    out.array("grad 1", result.clone().map(|(_, g)| g.negatives));
    out.array("grad 2", result.map(|(_, g)| g.positive.mapv(|slope| T::zero() - slope)));
}

fn candidate_nll<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T>) {
    let (embeddings, candidates, targets) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.class::<Ix1>(0));
    let tau = call.real::<Ix1>(2).first().map_or(1.0, |tau| tau.as_f64());
    let nll = CandidateNll { tau };
    out.scalar("value", nll.value(&embeddings, &candidates, &targets, reduction));
    out.array("each", nll.each(&embeddings, &candidates, &targets));
    let result = nll.grad(&embeddings, &candidates, &targets, reduction);
    out.scalar("grad: value", result.clone().map(|(value, _)| value));
    out.array("grad 0", result.clone().map(|(_, g)| g.embeddings));
    out.array("grad 1", result.clone().map(|(_, g)| g.candidates));
    out.array("grad 2", result.map(|(_, g)| Array1::from_elem(1, g.tau)));
}

fn goals<T: Real>(call: &Call<T>, out: &mut Results<T>, averaging: Averaging, reduction: Reduction<T>) {
    let (source, goal, negative) = (call.real::<Ix3>(0), call.real::<Ix3>(1), call.real::<Ix3>(2));
    let states = GoalStates { source: source.view(), goal: goal.view(), negative: negative.view() };
    let contrast = GoalContrast { weight: knob(0.5), averaging };
    out.scalar("value", contrast.value(&states, reduction));
    out.array("each", contrast.each(&states));
    let result = contrast.grad(&states, reduction);
    out.grad("", [0, 1, 2], result.map(|(value, g)| (value, [g.source, g.goal, g.negative])));
}

/// Outputs of a critic on real and fake samples, weights of both.
fn outputs(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = ([size.pick(5, 300_007)], [size.pick(4, 200_003)]);
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([uniform(&n, -2.0, 2.0), uniform(&m, -2.0, 2.0), uniform(&n, 0.0, 1.0), uniform(&m, 0.0, 1.0)])
}

/// Scores and log-probabilities of the noise, each of examples and negatives; a log-normalizer, weights.
fn contrast(random: &mut Random, size: Size) -> Inputs {
    let (n, k) = (size.pick(4, 30_011), size.pick(3, 17));
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([
        uniform(&[n], -3.0, 1.0),
        uniform(&[n, k], -3.0, 1.0),
        uniform(&[n], -4.0, -0.5),
        uniform(&[n, k], -4.0, -0.5),
        uniform(&[1], -0.5, 0.5),
        uniform(&[n], 0.0, 1.0),
    ])
}

/// Embeddings of three entities, weights of their pairs, a cotangent.
fn events(random: &mut Random, size: Size) -> Inputs {
    let (events, width) = (size.pick(4, 3_001), size.pick(3, 65));
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([uniform(&[events, 3, width], -1.0, 1.0), uniform(&[3], 0.0, 1.0), uniform(&[events], -1.0, 1.0)])
}

/// Scores, logits of the flip probability, labels, weights.
fn feedback(random: &mut Random, size: Size) -> Inputs {
    let shape = [3, size.pick(4, 100_003)];
    let mut uniform = |low, high| random.uniform(&shape, low, high);
    Inputs::reals([uniform(-3.0, 3.0), uniform(-4.0, 1.0), uniform(0.0, 1.0), uniform(0.0, 1.0)])
}

/// Embeddings, candidates, temperature, weights; targets.
fn candidates(random: &mut Random, size: Size) -> Inputs {
    let (n, classes, width) = (size.pick(4, 311), size.pick(5, 1_013), size.pick(3, 37));
    let reals = [
        random.uniform(&[n, width], -1.0, 1.0),
        random.uniform(&[classes, width], -1.0, 1.0),
        random.uniform(&[1], 0.3, 0.6),
        random.uniform(&[n], 0.0, 1.0),
    ];
    Inputs::reals(reals).classes([random.classes(&[n], classes)])
}

/// Counts in a document and probabilities of the background.
fn words(random: &mut Random, size: Size) -> Inputs {
    let shape = [3, size.pick(4, 20_011)];
    let counts = random.classes(&shape, 5).mapv(|count| count as f64);
    Inputs::reals([counts, random.uniform(&shape, 0.0, 0.1)])
}

/// Log-probabilities of eight utterances after each response, their lengths, a cotangent.
fn follow_ups(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(4, 10_007);
    let lengths = random.classes(&[8], 9).mapv(|length| 1.0 + length as f64);
    Inputs::reals([random.uniform(&[n, 8], -9.0, -0.5), lengths, random.uniform(&[n], -1.0, 1.0)])
}

/// Three kinds of states, weights.
fn states(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(3, 301), size.pick(2, 17), size.pick(3, 67)];
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([
        uniform(&shape, -1.0, 1.0),
        uniform(&shape, -1.0, 1.0),
        uniform(&shape, -1.0, 1.0),
        uniform(&shape[..1], 0.0, 1.0),
    ])
}
