//! One row for each kind of bad input of each public function: the call and the message.

use loglik::diagnostics::TopK;
use loglik::likelihood::{Bernoulli, BernoulliArguments, Gaussian, GaussianArguments, Poisson, PoissonArguments};
use loglik::logits::{
    class_log_probs, class_log_probs_backward, log_softmax_into, log_sum_exp_or_empty, log_sum_exp_or_empty_grad,
    weighted_log_sum_exp, weighted_log_sum_exp_grad,
};
use loglik::preference::pair_metrics;
use loglik::preference::{
    AlphaPo, ApoDown, Asft, CalDpo, ChiPo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, Dpop, FlexDpo, NcaPair,
    Nll, Odpo, Poft, ProcessReward, Pso, RDpo, RaoKupper, RatingGap, Rebel, RewardAwareRpo, RewardDistance,
    RewardRegression, SigmoidNorm, SimPer, Slic, SoftDpo, SppoHard, SppoSoft, Tpo,
};
use loglik::prelude::*;
use loglik::transport::{
    CosineCost, Emo, Measure, SlicedWasserstein, demd, wasserstein_1d, wasserstein_1d_grad, wasserstein_circle,
};
use ndarray::{Array1, Array2, array, aview1};

use super::{INF, NAN, says};

#[test]
fn logits_that_are_no_logits_are_named() {
    let nan = array![[0.0, 1.0], [NAN, 0.0]];
    let not_finite = "`logits`[1, 0] is NaN, allowed is finite or -inf";
    let y = array![0, 0];
    says(log_sum_exp(&nan), not_finite);
    says(log_sum_exp_grad(&nan), not_finite);
    says(log_sum_exp_or_empty(&nan), not_finite);
    says(log_sum_exp_or_empty_grad(&nan), not_finite);
    says(weighted_log_sum_exp(&nan, &Array2::ones((2, 2))), not_finite);
    says(weighted_log_sum_exp_grad(&nan, &Array2::ones((2, 2))), not_finite);
    says(class_log_probs(&nan, &array![[0], [1]]), not_finite);
    says(class_log_probs_backward(&nan, &array![[0], [1]], &array![[1.0], [1.0]]), not_finite);
    says(log_softmax(&nan), not_finite);
    says(log_softmax_into(&nan, &mut Array2::zeros((2, 2))), not_finite);
    says(log_softmax_in_place(&mut nan.clone()), not_finite);
    says(entropy(&nan), not_finite);
    says(entropy_grad(&nan), not_finite);
    says(token_log_probs(&nan, &y), not_finite);
    says(token_log_probs_backward(&nan, &y, &array![1.0, 1.0]), not_finite);
    says(CrossEntropy::default().value(&nan, &y, Reduction::Sum), not_finite);
    says(CrossEntropy::default().grad(&nan, &y, Reduction::Mean), not_finite);
    says(CrossEntropy::default().each(&nan, &y), not_finite);
    says(CrossEntropy::default().sum_count(&nan, &y), not_finite);
    says(CrossEntropy::default().grad_in_place(&mut nan.clone(), &y, Reduction::Sum), not_finite);
    says(SoftCrossEntropy::default().value(&nan, &array![[1.0, 0.0], [1.0, 0.0]], Reduction::Sum), not_finite);
    says(TopK { k: 1, ..TopK::default() }.each(&nan), not_finite);
    says(TokenStats::default().each(&nan, &y), not_finite);

    let infinite = array![[0.0, 1.0, INF]];
    let message = "`logits`[0, 2] is inf, allowed is finite or -inf";
    says(log_sum_exp(&infinite), message);
    says(log_softmax(&infinite), message);
    says(entropy(&infinite), message);
    says(TokenStats::default().each(&infinite, &array![0]), message);
    says(token_log_probs(&infinite, &array![1]), message);
    says(CrossEntropy::default().grad(&infinite, &array![2], Reduction::Sum), message);

    let (eye, hidden) = (Array2::<f64>::eye(2), array![[0.0, 1.0], [NAN, 0.0]]);
    let (head, y) = (LinearHead::new(eye.view()), array![0, 0]);
    let message = "`hidden`[1, 0] is NaN, allowed is finite";
    says(LinearCrossEntropy::default().value(&hidden, head, &y, Reduction::Sum), message);
    says(LinearCrossEntropy::default().grad(&hidden, head, &y, Reduction::Sum), message);
    says(linear_token_log_probs(&hidden, head, &y), message);
    let message = "`weight`[1, 0] is NaN, allowed is finite";
    says(linear_token_log_probs(&eye, LinearHead::new(hidden.view()), &y), message);

    let ruled_out = array![[0.0, 1.0], [-INF, -INF]];
    let message = "`logits`[1] is -inf, allowed is a row with at least one finite logit";
    says(log_sum_exp(&ruled_out), message);
    says(log_softmax(&ruled_out), message);
    says(entropy(&ruled_out), message);
    says(token_log_probs(&ruled_out, &y), message);
    says(CrossEntropy::default().value(&ruled_out, &y, Reduction::Mean), message);
    says(TopK { k: 1, ..TopK::default() }.each(&ruled_out), message);
    says(TokenStats::default().each(&ruled_out, &array![0, 0]), message);
}

#[test]
fn shapes_that_do_not_fit_are_named_with_what_would() {
    let x = Array2::<f64>::zeros((2, 3));
    let (short, y) = (array![0], array![0, 0]);
    let targets = "`targets` has shape [1], expected [2]";
    says(token_log_probs(&x, &short), targets);
    says(TokenStats::default().each(&x, &short), targets);
    says(token_log_probs_masked(&x, &y, &array![true]), "`mask` has shape [1], expected [2]");
    says(token_log_probs_backward(&x, &y, &array![1.0]), "`cotangent` has shape [1], expected [2]");
    says(CrossEntropy::default().value(&x, &short, Reduction::Sum), targets);
    says(SoftCrossEntropy::default().value(&x, &x.t(), Reduction::Sum), "`targets` has shape [3, 2], expected [2, 3]");
    let out = "`out` has shape [2, 2], expected [2, 3]";
    says(log_softmax_into(&x, &mut Array2::zeros((2, 2))), out);
    says(CrossEntropy::default().grad_into(&x, &y, Reduction::Sum, &mut Array2::zeros((2, 2))), out);
    let weights = array![1.0];
    let message = "`weights` has shape [1], expected [2]";
    says(CrossEntropy::default().value(&x, &y, Reduction::Weighted(&weights)), message);
    says(
        CrossEntropy { class_weights: Some(vec![1.0]), ..CrossEntropy::default() }.value(&x, &y, Reduction::Sum),
        "`class_weights` has shape [1], expected [3]",
    );
    let (two, three) = (Array1::<f64>::zeros(2), Array1::<f64>::zeros(3));
    says(
        Gaussian.value(GaussianArguments { mean: &two, log_variance: &three, x: &two }, Reduction::Sum),
        "`log_variance` has shape [3], expected [2]",
    );
    says(
        Bernoulli.value(BernoulliArguments { logits: &two, x: &three }, Reduction::Sum),
        "`x` has shape [3], expected [2]",
    );
    says(
        Poisson.grad_into(PoissonArguments { log_rate: &two, x: &two }, Reduction::Sum, &mut Array1::zeros(3)),
        "`out` has shape [3], expected [2]",
    );
    let both = Pairs { chosen: two.view(), rejected: three.view() };
    let message = "`policy.rejected` has shape [3], expected [2]";
    says(Dpo::default().value(PairBatch::new(both), Reduction::Sum), message);
    says(pair_metrics(PairBatch::new(both), 0.1), message);
    let mask = array![[true, true]];
    says(sum_tokens(&x, TokenMask::padded(mask.view())), "`token_log_probs` has shape [2, 3], expected [1, 2]");
    says(
        wasserstein_1d(Measure::weighted(two.view(), three.view()), Measure::uniform(two.view()), 1.0),
        "`x.weights` has shape [3], expected [2]",
    );
}

#[test]
fn targets_that_are_no_classes_are_named() {
    let x = Array2::<f64>::zeros((2, 3));
    let (large, negative) = (array![0, 3], array![-1, 0]);
    let message = "`targets`[1] is 3, allowed are the classes 0 to 2";
    says(token_log_probs(&x, &large), message);
    says(TokenStats::default().each(&x, &large), message);
    says(token_log_probs_backward(&x, &large, &array![1.0, 1.0]), message);
    says(CrossEntropy::default().value(&x, &large, Reduction::Mean), message);
    says(CrossEntropy::default().grad(&x, &large, Reduction::Mean), message);
    let message = "`targets`[0] is -1, allowed are the classes 0 to 2";
    says(token_log_probs(&x, &negative), message);
    says(CrossEntropy { ignore_index: None, ..CrossEntropy::default() }.value(&x, &negative, Reduction::Sum), message);
    let cost = CosineCost::new(&Array2::<f64>::eye(3)).unwrap();
    says(demd(&x, &large, &cost), "`targets`[1] is 3, allowed are the classes 0 to 2");
    says(Emo::default().value(&x, &negative, &cost, Reduction::Sum), message);
    let soft = array![[0.5, 0.5, -0.1], [1.0, 0.0, 0.0]];
    says(
        SoftCrossEntropy::default().value(&x, &soft, Reduction::Sum),
        "`targets`[0, 2] is -0.1, allowed is finite and >= 0",
    );
}

#[test]
fn hyper_parameters_out_of_range_are_named() {
    let x = Array2::<f64>::zeros((1, 3));
    let y = array![0];
    let zero = [0.0];
    let both = Pairs { chosen: aview1(&zero), rejected: aview1(&zero) };
    let batch = PairBatch::new(both).reference(both).lengths(both);
    for (beta, shown) in [(0.0, "0"), (-0.5, "-0.5"), (NAN, "NaN"), (INF, "inf")] {
        let message = format!("`beta` is {shown}, allowed is finite and > 0");
        says(Dpo { beta, label_smoothing: 0.0 }.value(batch, Reduction::Sum), &message);
        says(Ipo { beta, length: Length::Sum }.value(batch, Reduction::Sum), &message);
        says(Ddo { alpha: 1.0, beta }.value(Samples::both(aview1(&zero)), Samples::both(Reduction::Sum)), &message);
        says(pair_metrics(batch, beta), &message);
    }
    for (smoothing, shown) in [(0.5, "0.5"), (-0.1, "-0.1"), (NAN, "NaN")] {
        let message = format!("`label_smoothing` is {shown}, allowed is [0, 0.5)");
        says(Dpo { beta: 0.1, label_smoothing: smoothing }.value(batch, Reduction::Sum), &message);
    }
    for (smoothing, shown) in [(1.5, "1.5"), (-0.1, "-0.1"), (NAN, "NaN")] {
        let message = format!("`label_smoothing` is {shown}, allowed is [0, 1]");
        let hard = CrossEntropy { label_smoothing: smoothing, ..CrossEntropy::default() };
        says(hard.value(&x, &y, Reduction::Sum), &message);
        let soft = SoftCrossEntropy { label_smoothing: smoothing, ..SoftCrossEntropy::default() };
        says(soft.value(&x, &x, Reduction::Sum), &message);
    }
    let z = CrossEntropy { z_loss: -1.0, ..CrossEntropy::default() };
    says(z.value(&x, &y, Reduction::Sum), "`z_loss` is -1, allowed is finite and >= 0");
    let class_weights = CrossEntropy { class_weights: Some(vec![1.0, NAN, 0.0]), ..CrossEntropy::default() };
    says(class_weights.value(&x, &y, Reduction::Sum), "`class_weights`[1] is NaN, allowed is finite and >= 0");
    says(
        Orpo { lambda: 0.0, length: Length::Sum }.value(batch, Reduction::Sum),
        "`lambda` is 0, allowed is finite and > 0",
    );
    says(
        Ddo { alpha: -2.0, beta: 1.0 }.value(Samples::both(aview1(&zero)), Samples::both(Reduction::Sum)),
        "`alpha` is -2, allowed is finite and > 0",
    );
    says(
        wasserstein_1d(Measure::uniform(aview1(&zero)), Measure::uniform(aview1(&zero)), 0.5),
        "`p` is 0.5, allowed is finite and >= 1",
    );
    for (k, shown) in [(0, "0"), (4, "4")] {
        let message = format!("`k` is {shown}, allowed is 1 to the number of classes");
        says(TopK { k, ..TopK::default() }.each(&x), &message);
        let message = format!("`top_k` is {shown}, allowed is 1 to the number of classes");
        says(TokenStats { top_k: Some(k), ..TokenStats::default() }.each(&x, &y), &message);
    }
    let term = |weight| WeightedSum { terms: vec![Term { weight, objective: PairConfig::Sigmoid(Dpo::default()) }] };
    says(term(-1.0).value(batch, Reduction::Sum), "`weight` is -1, allowed is finite and >= 0");
    let none = WeightedSum::<PairConfig> { terms: vec![] };
    says(none.value(batch, Reduction::Sum), "`terms` is empty, needed is at least one element");
}

#[test]
fn what_an_objective_misses_is_named() {
    let zero = [0.0];
    let both = Pairs { chosen: aview1(&zero), rejected: aview1(&zero) };
    let bare = PairBatch::new(both);
    says(Dpo::default().value(bare, Reduction::Sum), "Dpo needs `reference`");
    says(Ipo { beta: 0.1, length: Length::Sum }.value(bare, Reduction::Sum), "Ipo needs `reference`");
    says(Ipo { beta: 0.1, length: Length::Mean }.value(bare.reference(both), Reduction::Sum), "Ipo needs `lengths`");
    says(Orpo { lambda: 0.1, length: Length::Mean }.value(bare, Reduction::Sum), "Orpo needs `lengths`");
    says(Nll { length: Length::Mean }.value(bare, Reduction::Sum), "Nll needs `lengths`");
    let of_both: &[(&dyn PairObjective<f64>, PairBatch<'_, f64>, &str)] = &[
        (&NcaPair::default(), bare, "NcaPair needs `reference`"),
        (&BcoPair::default(), bare, "BcoPair needs `reference`"),
        (&SppoHard::default(), bare, "SppoHard needs `reference`"),
        (&SppoSoft::default(), bare, "SppoSoft needs `reference`"),
        (&SppoSoft::default(), bare.reference(both), "SppoSoft needs `rewards`"),
        (&ApoZero::default(), bare, "ApoZero needs `reference`"),
        (&ApoDown::default(), bare, "ApoDown needs `reference`"),
        (&CalDpo::default(), bare, "CalDpo needs `reference`"),
        (&Dpop::default(), bare, "Dpop needs `reference`"),
        (&Asft::default(), bare, "Asft needs `lengths`"),
        (&SimPer::default(), bare, "SimPer needs `lengths`"),
        (&Tpo::default(), bare, "Tpo needs `gold`"),
        (&Tpo::length_normalized(), bare.gold(aview1(&[0.0])), "Tpo needs `lengths`"),
        (&BradleyTerry { gap: RatingGap::Scale, centering: 0.0 }, bare, "BradleyTerry needs `rating_gap`"),
        (&RewardRegression {}, bare, "RewardRegression needs `rewards`"),
        (&ProcessReward {}, bare, "ProcessReward needs `soft_label`"),
    ];
    of_both.iter().for_each(|(objective, batch, message)| says(objective.value(*batch, Reduction::Sum), message));
    let (referred, measured) = (bare.reference(both), bare.reference(both).lengths(both));
    let reward_aware = RewardAwareRpo { beta: 0.2, eta: 1.0, distance: RewardDistance::Squared, length: Length::Mean };
    let rows: &[(&dyn PairObjective<f64>, PairBatch<'_, f64>, &str)] = &[
        (&RobustDpo::default(), bare, "RobustDpo needs `reference`"),
        (&Hinge::default(), bare, "Hinge needs `reference`"),
        (&Slic { delta: 1.0, length: Length::Mean }, referred, "Slic needs `lengths`"),
        (&ExoPair::default(), bare, "ExoPair needs `reference`"),
        (&DiscoPop::default(), bare, "DiscoPop needs `reference`"),
        (&SigmoidNorm { beta: 5.0, label_smoothing: 0.0 }, referred, "SigmoidNorm needs `lengths`"),
        (&Cpo { beta: 0.1, label_smoothing: 0.0, length: Length::Mean }, bare, "Cpo needs `lengths`"),
        (&CpoHinge { beta: 0.1, length: Length::Mean }, bare, "CpoHinge needs `lengths`"),
        (&CpoIpo { beta: 0.1, length: Length::Mean }, bare, "CpoIpo needs `lengths`"),
        (&SimPo::default(), bare, "SimPo needs `lengths`"),
        (&AlphaPo::default(), bare, "AlphaPo needs `lengths`"),
        (&RDpo { beta: 0.1, alpha: 0.1, label_smoothing: 0.0 }, referred, "RDpo needs `lengths`"),
        (&Odpo::default(), measured, "Odpo needs `rewards`"),
        (&FlexDpo { beta_chosen: 0.1, beta_rejected: 0.1 }, bare, "FlexDpo needs `reference`"),
        (&ChiPo { beta: 0.1, clip: 2.0 }, bare, "ChiPo needs `reference`"),
        (&Rebel::default(), measured, "Rebel needs `rewards`"),
        (&SoftDpo::default(), measured, "SoftDpo needs `soft_label`"),
        (&reward_aware, referred, "RewardAwareRpo needs `lengths`"),
        (&reward_aware, measured, "RewardAwareRpo needs `rewards`"),
        (&RaoKupper::default(), bare, "RaoKupper needs `reference`"),
        (&Davidson::default(), bare, "Davidson needs `reference`"),
        (&Poft::default(), referred, "Poft needs `lengths`"),
        (&DiffusionDpo::default(), bare, "DiffusionDpo needs `reference`"),
        (&Pso { beta: 50.0, epsilon: 0.1, length: Length::Mean }, referred, "Pso needs `lengths`"),
        (&Pso { beta: 50.0, epsilon: 0.1, length: Length::Sum }, bare, "Pso needs `reference`"),
        (&SigmoidNorm { beta: 5.0, label_smoothing: 0.0 }, bare, "SigmoidNorm needs `reference`"),
        (&RDpo { beta: 0.1, alpha: 0.1, label_smoothing: 0.0 }, bare, "RDpo needs `reference`"),
        (&Odpo::default(), bare, "Odpo needs `reference`"),
        (&Rebel::default(), bare, "Rebel needs `reference`"),
        (&SoftDpo::default(), bare, "SoftDpo needs `reference`"),
        (&reward_aware, bare, "RewardAwareRpo needs `reference`"),
    ];
    rows.iter().for_each(|(objective, batch, message)| says(objective.value(*batch, Reduction::Sum), message));
}

#[test]
fn log_probs_and_ratios_that_are_none_are_named() {
    let good = array![-1.0, -2.0];
    let values = |chosen: [f64; 2]| {
        let chosen = Array1::from_vec(chosen.to_vec());
        let policy = Pairs { chosen: chosen.view(), rejected: good.view() };
        let reference = Pairs { chosen: good.view(), rejected: good.view() };
        let batch = PairBatch::new(policy).reference(reference).lengths(policy);
        [
            Dpo::default().value(batch, Reduction::Mean),
            Orpo { lambda: 0.1, length: Length::Sum }.value(batch, Reduction::Mean),
            Nll { length: Length::Sum }.value(batch, Reduction::Mean),
        ]
    };
    for (bad, shown) in [(NAN, "NaN"), (INF, "inf")] {
        for value in &values([-1.0, bad])[..1] {
            says(value.clone(), &format!("`policy.chosen`[1] is {shown}, allowed is finite or -inf"));
        }
        assert!(values([-1.0, bad]).iter().all(|value| value.is_err()));
    }
    let [_, orpo, _] = values([0.25, -1.0]);
    says(orpo, "`policy.chosen`[0] is 0.25, allowed is <= 0");
    let samples = Samples { real: good.view(), fake: aview1(&[0.0, NAN]) };
    says(Ddo::default().value(samples, Samples::both(Reduction::Mean)), "`fake`[1] is NaN, allowed is not NaN");
    let weights = array![1.0, -1.0];
    let batch = PairBatch::new(Pairs { chosen: good.view(), rejected: good.view() });
    says(
        Nll { length: Length::Sum }.value(batch, Reduction::Weighted(&weights)),
        "`weights`[1] is -1, allowed is finite and >= 0",
    );
}

#[test]
fn observations_outside_their_domain_are_named() {
    let zeros = array![0.0, 0.0];
    let second = |x: f64| array![0.0, x];
    says(
        Gaussian.value(GaussianArguments { mean: &second(NAN), log_variance: &zeros, x: &zeros }, Reduction::Sum),
        "`mean`[1] is NaN, allowed is finite",
    );
    says(
        Gaussian.value(GaussianArguments { mean: &zeros, log_variance: &second(-INF), x: &zeros }, Reduction::Sum),
        "`log_variance`[1] is -inf, allowed is finite",
    );
    says(
        Gaussian.grad(GaussianArguments { mean: &zeros, log_variance: &zeros, x: &second(INF) }, Reduction::Mean),
        "`x`[1] is inf, allowed is finite",
    );
    says(
        Bernoulli.value(BernoulliArguments { logits: &second(NAN), x: &zeros }, Reduction::Sum),
        "`logits`[1] is NaN, allowed is any number but NaN",
    );
    says(Bernoulli.each(BernoulliArguments { logits: &zeros, x: &second(1.5) }), "`x`[1] is 1.5, allowed is [0, 1]");
    says(
        Poisson.value(PoissonArguments { log_rate: &second(INF), x: &zeros }, Reduction::Sum),
        "`log_rate`[1] is inf, allowed is finite or -inf",
    );
    says(
        Poisson.sum_count(PoissonArguments { log_rate: &zeros, x: &second(0.5) }),
        "`x`[1] is 0.5, allowed is a whole number >= 0",
    );
    says(
        Poisson.each(PoissonArguments { log_rate: &zeros, x: &second(-1.0) }),
        "`x`[1] is -1, allowed is a whole number >= 0",
    );
    says(
        Poisson.each(PoissonArguments { log_rate: &second(1e4), x: &zeros }),
        "the result at `log_rate`[1] overflows f64",
    );
    let empty = Array1::<f64>::zeros(0);
    says(
        Bernoulli.value(BernoulliArguments { logits: &empty, x: &empty }, Reduction::Mean),
        "`logits` holds nothing to average over",
    );
}

#[test]
fn measures_and_sequences_that_are_none_are_named() {
    let (one, none): ([f64; 1], [f64; 0]) = ([1.0], []);
    let uniform = |points| Measure::uniform(points);
    says(
        wasserstein_1d(uniform(aview1(&none)), uniform(aview1(&one)), 1.0),
        "`x.points` is empty, needed is at least one element",
    );
    says(
        wasserstein_1d(uniform(aview1(&one)), uniform(aview1(&[0.0, NAN])), 1.0),
        "`y.points`[1] is NaN, allowed is finite",
    );
    says(
        wasserstein_1d(Measure::weighted(aview1(&one), aview1(&[-1.0])), uniform(aview1(&one)), 1.0),
        "`x.weights`[0] is -1, allowed is finite and >= 0",
    );
    says(
        wasserstein_1d(Measure::weighted(aview1(&one), aview1(&[2.0])), uniform(aview1(&one)), 1.0),
        "`x.weights` sums to 2 and `y.weights` to 1, allowed is a relative difference of 1.1e-6; \
            `transport::normalized` divides weights by their sum",
    );
    says(CosineCost::new(&array![[1.0, 0.0], [0.0, 0.0]]), "`embeddings`[1] is 0, allowed is a row that is not zero");
    let cost = CosineCost::new(&Array2::<f64>::eye(3)).unwrap();
    says(demd(&Array2::<f64>::zeros((1, 2)), &array![0], &cost), "`logits` has shape [1, 2], expected [1, 3]");

    let mask = array![[true, true], [true, false]];
    let mask = TokenMask::padded(mask.view());
    says(
        sum_tokens(&array![[-1.0, NAN], [0.0, NAN]], mask),
        "`token_log_probs`[0, 1] is NaN, allowed is finite or -inf",
    );
    says(sum_tokens_backward(mask, &array![1.0]), "`cotangent` has shape [1], expected [2]");
    says(sum_tokens_backward(mask, &array![1.0, INF]), "`cotangent`[1] is inf, allowed is finite");
    let flat = array![true, true];
    says(TokenMask::packed(flat.view(), &[0, 1]), "`offsets`[1] is 1, allowed is the number of tokens");
    let empty = Sequences { sums: array![-1.0, 0.0], lengths: array![1.0, 0.0] };
    says(empty.means(), "`lengths`[1] is 0, allowed is > 0, a mean needs a token");
}

#[test]
fn results_beyond_the_type_are_named() {
    let huge = [1e30_f32];
    let zero = [0.0_f32];
    let batch = PairBatch::new(Pairs { chosen: aview1(&huge), rejected: aview1(&zero) })
        .reference(Pairs { chosen: aview1(&zero), rejected: aview1(&zero) });
    let message = Ipo { beta: 0.1, length: Length::Sum }.value(batch, Reduction::Sum).unwrap_err().to_string();
    assert!(message.starts_with("the result at `policy.chosen`[0] overflows f32"), "{message}");
    let huge = [f64::MAX, f64::MAX];
    let batch = PairBatch::new(Pairs { chosen: aview1(&huge), rejected: aview1(&[0.0, 0.0]) });
    says(pair_metrics(batch, 0.1), "the result at `batch` overflows f64");
    let (x, targets) = (array![[0.0, 0.0]], array![[f64::MAX, 0.0]]);
    let doubled = SoftCrossEntropy { class_weights: Some(vec![2.0, 1.0]), ..SoftCrossEntropy::default() };
    says(doubled.value(&x, &targets, Reduction::Sum), "the result at `logits`[0] overflows f64");
    let message = Gaussian
        .value(
            GaussianArguments { mean: &array![1e30_f32], log_variance: &array![0.0], x: &array![0.0] },
            Reduction::Sum,
        )
        .unwrap_err()
        .to_string();
    assert!(message.ends_with("[0] overflows f32"), "{message}");
}

#[test]
fn measures_on_lines_and_circles_are_named() {
    let (one, two, nan) = ([1.0], [0.0, 1.0], [0.0, NAN]);
    let (half, short) = ([0.5, 0.5], [1.0]);
    let uniform = |points| Measure::uniform(aview1(points));
    let (x, y) = (uniform(&two), uniform(&one));
    let names: &[(Measure<'_, f64>, Measure<'_, f64>, f64, &str)] = &[
        (x, y, 0.5, "`p` is 0.5, allowed is finite and >= 1"),
        (uniform(&nan), y, 1.0, "`x.points`[1] is NaN, allowed is finite"),
        (y, uniform(&nan), 2.0, "`y.points`[1] is NaN, allowed is finite"),
        (uniform(&[]), y, 1.0, "`x.points` is empty, needed is at least one element"),
        (Measure::weighted(aview1(&two), aview1(&short)), y, 1.0, "`x.weights` has shape [1], expected [2]"),
        (Measure::weighted(aview1(&two), aview1(&nan)), y, 1.0, "`x.weights`[1] is NaN, allowed is finite and >= 0"),
        (
            y,
            Measure::weighted(aview1(&one), aview1(&[0.0])),
            1.0,
            "`y.weights` holds no mass: every weight is 0, needed is at least one above 0",
        ),
        (
            Measure::weighted(aview1(&two), aview1(&half)),
            Measure::weighted(aview1(&one), aview1(&[2.0])),
            1.5,
            "`x.weights` sums to 1 and `y.weights` to 2, allowed is a relative difference of 1.1e-6; \
            `transport::normalized` divides weights by their sum",
        ),
    ];
    for &(x, y, p, message) in names {
        says(wasserstein_1d(x, y, p), message);
        says(wasserstein_1d_grad(x, y, p), message);
        says(wasserstein_circle(x, y, p, 1.0), message);
    }
    says(wasserstein_circle(x, y, 2.0, 0.0), "`period` is 0, allowed is finite and > 0");

    let (plane, space) = (array![[0.0, 1.0], [2.0, NAN]], array![[1.0, 0.0, 0.0]]);
    let (flat, bad) = (Measure::uniform(plane.view().split_at(ndarray::Axis(0), 1).0), Measure::uniform(plane.view()));
    let (sliced, axis) = (SlicedWasserstein::default(), array![[1.0, 0.0]]);
    says(sliced.value(flat, flat, &space), "`directions` has shape [1, 3], expected [1, 2]");
    says(sliced.each(flat, bad, &axis), "`y.points`[1, 1] is NaN, allowed is finite");
    says(sliced.grad(flat, flat, &array![[0.0, 0.0]]), "`directions`[0] is 0, allowed is a row that is not zero");
    says(sliced.max(flat, flat, &Array2::zeros((0, 2))), "`directions` is empty, needed is at least one element");
    says(sliced.ascend(flat, flat, &array![INF, 0.0], 1), "`directions`[0, 0] is inf, allowed is finite");
    says(SlicedWasserstein { p: NAN }.value(flat, flat, &axis), "`p` is NaN, allowed is finite and >= 1");
    says(loglik::transport::directions::<f64>(1, 2, || 1.5), "`random` is 1.5, allowed is [0, 1)");
}
