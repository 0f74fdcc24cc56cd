//! A hundred thousand pairs with log-probabilities as long responses have them, through every objective.
//!
//! What is expected comes from the objective on each pair alone, or, of a function of the whole batch, from its formula in
//! a plain loop.

use loglik::preference::{
    Aot, AotUnpaired, Baseline, BetaDpo, Dpo, DrDpo, KtoPair, Nll, Out, PairBatch, PairConfig, PairObjective, Pairs,
    Term, WeightedSum,
};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::{Real, Reduction};
use loglik_catalogue::hyper::Picks;
use loglik_catalogue::objectives::every;
use loglik_catalogue::random::Random;
use ndarray::{Array1, aview1};

const PAIRS: usize = 100_000;

/// Policy, reference, lengths and rewards of both sides, targets and gold; each number is one of `f32`.
struct Columns([Vec<f64>; 10]);

impl Columns {
    fn new() -> Self {
        let mut random = Random(20_240_229);
        let mut columns: [Vec<f64>; 10] = std::array::from_fn(|_| Vec::with_capacity(PAIRS));
        for _ in 0..PAIRS {
            let mut row = [0.0; 10];
            let part = |x: f64, of: f64| (x * of).round() / of;
            for side in 0..2 {
                row[side] = part(-20.0 - 1980.0 * random.unit(), 64.0);
                row[2 + side] = part((row[side] + 16.0 * random.unit() - 8.0).min(-1.0), 64.0);
                row[4 + side] = (-row[side] * (0.4 + random.unit())).ceil();
                row[6 + side] = part(0.5 - 0.5 * side as f64 + 0.5 * random.unit(), 1024.0);
            }
            row[8] = part(random.unit(), 1024.0);
            row[9] = part(-20.0 - 1980.0 * random.unit(), 64.0);
            columns.iter_mut().zip(row).for_each(|(column, x)| column.push(x));
        }
        Self(columns)
    }

    fn of<T: Real>(&self) -> Vec<Array1<T>> {
        self.0.iter().map(|column| column.iter().map(|&x| T::from_f64(x)).collect()).collect()
    }

    /// The log-ratios of one pair.
    fn ratios(&self, pair: usize) -> [f64; 2] {
        [0, 1].map(|side| self.0[side][pair] - self.0[2 + side][pair])
    }
}

fn batch<T: Real>(columns: &[Array1<T>]) -> PairBatch<'_, T> {
    let both = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
    PairBatch::new(both(0))
        .reference(both(2))
        .lengths(both(4))
        .rewards(both(6))
        .offset(columns[8].view())
        .soft_label(columns[8].view())
        .tie_probability(columns[8].view())
        .rating_gap(columns[8].view())
        .gold(columns[9].view())
}

/// The mean of the losses, and the gradient of their sum.
struct Expected {
    mean: f64,
    slopes: [Vec<f64>; 2],
}

impl Expected {
    fn of_pairs(of: impl Fn(usize) -> [f64; 3]) -> Self {
        let (mut sum, mut slopes) = (0.0, [Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS)]);
        for pair in 0..PAIRS {
            let [loss, chosen, rejected] = of(pair);
            sum += loss;
            slopes[0].push(chosen);
            slopes[1].push(rejected);
        }
        Self { mean: sum / PAIRS as f64, slopes }
    }

    /// By the objective on one pair after the other.
    fn one_by_one(objective: &dyn PairObjective<f64>, columns: &Columns) -> Self {
        Self::of_pairs(|pair| {
            let one = |i: usize| aview1(&columns.0[i][pair..=pair]);
            let both = |i: usize| Pairs { chosen: one(i), rejected: one(i + 1) };
            let batch = PairBatch::new(both(0)).reference(both(2)).lengths(both(4)).rewards(both(6));
            let (mut chosen, mut rejected) = ([0.0], [0.0]);
            let to = Pairs { chosen: (&mut chosen[..]).into(), rejected: (&mut rejected[..]).into() };
            let loss = objective.run(
                &batch.offset(one(8)).soft_label(one(8)).tie_probability(one(8)).rating_gap(one(8)).gold(one(9)),
                Reduction::Sum,
                1.0,
                Out::Grad(to),
            );
            [loss.unwrap(), chosen[0], rejected[0]]
        })
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Loss and slope of the smoothed logistic loss at `margin`.
fn smoothed(beta: f64, smoothing: f64, margin: f64) -> [f64; 2] {
    let z = beta * margin;
    let loss = (1.0 - smoothing) * softplus(-z) + smoothing * softplus(z);
    [loss, -beta * ((1.0 - smoothing) * sigmoid(-z) - smoothing * sigmoid(z))]
}

/// Losses of ranks: what is to be large, what it is compared with, and whether the latter takes the rejected slopes.
fn ranked(beta: f64, smoothing: f64, large: &[f64], compared: &[f64], apart: bool) -> Expected {
    let order = |x: &[f64]| {
        let mut places: Vec<usize> = (0..x.len()).collect();
        places.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
        places
    };
    let (left, right) = (order(large), order(compared));
    let mut expected = Expected { mean: 0.0, slopes: [vec![0.0; PAIRS], vec![0.0; PAIRS]] };
    for (&a, &b) in left.iter().zip(&right) {
        let [loss, slope] = smoothed(beta, smoothing, large[a] - compared[b]);
        expected.mean += loss / PAIRS as f64;
        expected.slopes[0][a] = slope;
        expected.slopes[1][if apart { b } else { a }] = -slope;
    }
    expected
}

fn dr_dpo(soft: DrDpo<Dpo>, columns: &Columns) -> Expected {
    let Dpo { beta, label_smoothing } = soft.loss;
    let of = |pair: usize| {
        let [w, l] = columns.ratios(pair);
        smoothed(beta, label_smoothing, w - l - columns.0[8][pair])
    };
    let least = (0..PAIRS).map(|pair| of(pair)[0]).fold(f64::INFINITY, f64::min);
    let weight = |loss: f64| (-(loss - least) / soft.beta_prime).exp();
    let total: f64 = (0..PAIRS).map(|pair| weight(of(pair)[0])).sum();
    let slopes = Expected::of_pairs(|pair| {
        let [loss, slope] = of(pair);
        let slope = PAIRS as f64 * weight(loss) / total * slope;
        [0.0, slope, -slope]
    });
    Expected { mean: least - soft.beta_prime * (total / PAIRS as f64).ln(), ..slopes }
}

fn beta_dpo(by: BetaDpo, columns: &Columns) -> Expected {
    let margin = |pair: usize| columns.ratios(pair)[0] - columns.ratios(pair)[1];
    let mean = (0..PAIRS).map(margin).sum::<f64>() / PAIRS as f64;
    let beta = (by.beta * (1.0 + by.alpha * (mean - by.baseline))).max(by.floor);
    Expected::of_pairs(|pair| {
        let [loss, slope] = smoothed(beta, by.label_smoothing, margin(pair) - columns.0[8][pair]);
        [loss, slope, -slope]
    })
}

fn kto_pair(kto: KtoPair, columns: &Columns) -> Expected {
    let mean = |side: usize| ((0..PAIRS).map(|i| columns.ratios(i)[side]).sum::<f64>() / PAIRS as f64).max(0.0);
    let (chosen, rejected) = (mean(0), mean(1));
    let mut expected = Expected::of_pairs(|pair| {
        let [a, b] = columns.ratios(pair).map(|ratio| kto.beta * ratio);
        let (good, bad) = (a - kto.beta * rejected, kto.beta * chosen - b);
        let steep = |z: f64| 0.5 * kto.beta * sigmoid(z) * sigmoid(-z);
        [0.5 * (sigmoid(-good) + sigmoid(-bad)), -steep(good), steep(bad)]
    });
    if kto.baseline == Baseline::Differentiated {
        let sums = [0, 1].map(|side| expected.slopes[side].iter().sum::<f64>() / PAIRS as f64);
        for (side, baseline) in [chosen, rejected].into_iter().enumerate().filter(|(_, baseline)| *baseline > 0.0) {
            assert!(baseline.is_finite());
            expected.slopes[side].iter_mut().for_each(|slope| *slope -= sums[1 - side]);
        }
    }
    expected
}

fn expected(config: &PairConfig, columns: &Columns) -> Expected {
    let gaps = |i: usize| -> Vec<f64> { (0..PAIRS).map(|pair| columns.0[i][pair] - columns.0[i + 1][pair]).collect() };
    let ratios = |side: usize| -> Vec<f64> { (0..PAIRS).map(|pair| columns.ratios(pair)[side]).collect() };
    match *config {
        PairConfig::Aot(Aot { beta, label_smoothing }) => ranked(beta, label_smoothing, &gaps(0), &gaps(2), false),
        PairConfig::AotUnpaired(AotUnpaired { beta, label_smoothing }) => {
            ranked(beta, label_smoothing, &ratios(0), &ratios(1), true)
        }
        PairConfig::DrDpo(soft) => dr_dpo(soft, columns),
        PairConfig::BetaDpo(by) => beta_dpo(by, columns),
        PairConfig::KtoPair(kto) => kto_pair(kto, columns),
        PairConfig::Sft(_) => {
            let tokens: f64 = columns.0[4].iter().sum();
            let mean = -columns.0[0].iter().sum::<f64>() / tokens;
            Expected { mean, ..Expected::of_pairs(|_| [0.0, -(PAIRS as f64) / tokens, 0.0]) }
        }
        _ => Expected::one_by_one(config, columns),
    }
}

/// Value and gradient of the whole batch: to a share of each number, and of the largest.
fn agrees<T: Real>(config: &PairConfig, expected: &Expected, columns: &[Array1<T>], share: f64) {
    let objective: &dyn PairObjective<T> = config;
    let mean = objective.value(batch(columns), Reduction::Mean).unwrap().as_f64();
    let scale = 1.0_f64.max(expected.mean.abs());
    assert!((mean - expected.mean).abs() <= share * scale, "{config:?}: {mean}, {}", expected.mean);
    let (sum, grad) = objective.grad(batch(columns), Reduction::Sum).unwrap();
    assert!((sum.as_f64() / PAIRS as f64 - mean).abs() <= 1e-6_f64.max(share) * scale, "{config:?}: {sum}");
    for (found, expected) in [&grad.chosen, &grad.rejected].into_iter().zip(&expected.slopes) {
        let largest = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (pair, (found, expected)) in found.iter().zip(expected).enumerate() {
            let gap = (found.as_f64() - expected).abs();
            assert!(gap <= share * (expected.abs() + largest), "{config:?}, {pair}: {found}, {expected}");
        }
    }
}

fn weighted_sum() -> PairConfig {
    let terms = [
        (0.8, PairConfig::Sigmoid(Dpo::default())),
        (0.2, PairConfig::Nll(Nll { length: loglik::preference::Length::Mean })),
    ];
    let terms = terms.into_iter().map(|(weight, objective)| Term { weight, objective }).collect();
    PairConfig::WeightedSum(WeightedSum { terms })
}

#[test]
fn every_objective_of_many_pairs_is_what_single_pairs_make_of_it() {
    let columns = Columns::new();
    let (wide, narrow) = (columns.of::<f64>(), columns.of::<f32>());
    let picks = |seed| Picks { random: Random(seed), wild: false };
    for config in every(&mut picks(3)).into_iter().chain([weighted_sum()]) {
        let expected = expected(&config, &columns);
        agrees(&config, &expected, &wide, 1e-11);
        agrees(&config, &expected, &narrow, 1e-3);
    }
}

#[test]
fn ratios_of_many_samples_are_what_a_plain_loop_makes_of_them() {
    let columns = Columns::new();
    let side = |side: usize| -> Vec<f64> { (0..PAIRS).map(|pair| columns.ratios(pair)[side]).collect() };
    let (real, fake) = (side(0), side(1));
    for (alpha, beta) in [(1.0, 1.0), (6.0, 0.1), (50.0, 0.02)] {
        let loss = real.iter().map(|r| softplus(-beta * r)).sum::<f64>()
            + fake.iter().map(|r| alpha * softplus(beta * r)).sum::<f64>();
        let slope = |pair: usize| [-beta * sigmoid(-beta * real[pair]), alpha * beta * sigmoid(beta * fake[pair])];
        fn agrees<T: Real>(ddo: Ddo, sides: [&[f64]; 2], loss: f64, slope: impl Fn(usize) -> [f64; 2], share: f64) {
            let [real, fake] = sides.map(|side| side.iter().map(|&x| T::from_f64(x)).collect::<Array1<T>>());
            let samples = Samples { real: real.view(), fake: fake.view() };
            let (sum, grad) = ddo.grad(samples, Samples::both(Reduction::Sum)).unwrap();
            assert_eq!(ddo.value(samples, Samples::both(Reduction::Sum)), Ok(sum));
            assert!((sum.as_f64() - loss).abs() <= share * loss, "{ddo:?}: {sum}, {loss}");
            for pair in 0..PAIRS {
                for (found, expected) in [grad.real[pair], grad.fake[pair]].into_iter().zip(slope(pair)) {
                    assert!((found.as_f64() - expected).abs() <= share * expected.abs(), "{ddo:?}, {pair}");
                }
            }
        }
        let ddo = Ddo { alpha, beta };
        agrees::<f64>(ddo, [&real, &fake], loss, slope, 1e-12);
        agrees::<f32>(ddo, [&real, &fake], loss, slope, 1e-5);
    }
}
