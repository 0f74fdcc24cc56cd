//! A hundred thousand samples on each side, most of which are told apart with confidence: the losses of discriminators and of
//! noise-contrastive estimation.

use loglik::divergence::{JensenShannonDivergence, SquaredHellinger};
use loglik::ratio::{
    Contrast, Ddo, FGan, HingeGan, LeastSquaresGan, Nce, NceBatch, RatioObjective, Relativistic, Samples,
    ranking_nce_grad,
};
use loglik::{Real, Reduction};
use loglik_catalogue::random::Random;
use ndarray::{Array1, Array2};

use super::logistic::{sigmoid, softplus};

const SAMPLES: usize = 100_000;

/// Numbers around `center`, of which every tenth is around its opposite and every thousandth is very large; those of `f32`.
fn ratios<T: Real>(seed: u64, center: f64) -> (Array1<T>, Vec<f64>) {
    let mut random = Random(seed);
    let plain: Vec<f64> = (0..SAMPLES)
        .map(|i| {
            let near = 3.0 * (2.0 * random.unit() - 1.0);
            let exact = match i % 1_000 {
                999 => 1e3 * near,
                at if at % 10 == 3 => near - center,
                _ => near + center,
            };
            f64::from(exact as f32)
        })
        .collect();
    (plain.iter().map(|&x| T::from_f64(x)).collect(), plain)
}

fn close(got: f64, exact: f64, epsilon: f64, what: &str) {
    // Small results keep their digits, too, down to the subnormal numbers of f32.
    assert!((got - exact).abs() <= epsilon * exact.abs() + 1e-37, "{what}: {got:e}, not {exact:e}");
}

/// Loss and slope of one sample.
type Plain = fn(f64) -> (f64, f64);

fn check<T: Real>(loss: &impl RatioObjective<T>, real: Plain, fake: Plain, what: &str) {
    let ((of_data, exact_data), (of_model, exact_model)) = (ratios::<T>(7, 6.0), ratios::<T>(8, -6.0));
    let both = Samples { real: of_data.view(), fake: of_model.view() };
    let (sum, slopes) = loss.grad(both, Samples::both(Reduction::Mean)).unwrap();
    let each = loss.each(both).unwrap();
    let epsilon = 16.0 * T::epsilon().as_f64();
    let mut total = 0.0;
    let sides = [(&exact_data, real, &each.real, &slopes.real), (&exact_model, fake, &each.fake, &slopes.fake)];
    for (inputs, plain, each, slopes) in sides {
        let count = SAMPLES as f64;
        for (i, &input) in inputs.iter().enumerate() {
            let (value, slope) = plain(input);
            total += value / count;
            // The logarithm of a small result is rounded with the input.
            let epsilon = epsilon * (1.0 + input.abs());
            close(each[i].as_f64(), value, epsilon, &format!("{what}, {}, {i}", T::NAME));
            close(slopes[i].as_f64() * count, slope, epsilon, &format!("slope of {what}, {}, {i}", T::NAME));
        }
    }
    close(sum.as_f64(), total, 64.0 * epsilon, what); // a plain sum of so many loses more
}

fn discriminators<T: Real>() {
    let ddo = Ddo { alpha: 6.0, beta: 0.1 };
    check::<T>(
        &ddo,
        |r| (softplus(-0.1 * r), -0.1 * sigmoid(-0.1 * r)),
        |r| (6.0 * softplus(0.1 * r), 0.6 * sigmoid(0.1 * r)),
        "DDO",
    );
    check::<T>(&Ddo::default(), |r| (softplus(-r), -sigmoid(-r)), |r| (softplus(r), sigmoid(r)), "logistic");
    let squares = LeastSquaresGan::default();
    check::<T>(&squares, |x| (0.5 * (x - 1.0).powi(2), x - 1.0), |x| (0.5 * x * x, x), "least squares");
    check::<T>(
        &HingeGan,
        |x| ((1.0 - x).max(0.0), if x < 1.0 { -1.0 } else { 0.0 }),
        |x| ((1.0 + x).max(0.0), if x > -1.0 { 1.0 } else { 0.0 }),
        "hinge",
    );
    let quarters = FGan { generator: JensenShannonDivergence };
    let (data, _) = ratios::<T>(7, 6.0);
    let (value, _) =
        quarters.grad(Samples { real: data.view(), fake: data.view() }, Samples::both(Reduction::Mean)).unwrap();
    let logistic =
        Ddo::default().value(Samples { real: data.view(), fake: data.view() }, Samples::both(Reduction::Mean));
    close(value.as_f64(), 0.5 * logistic.unwrap().as_f64() - 2.0_f64.ln(), 1e-5, "Jensen-Shannon");
    let hellinger = FGan { generator: SquaredHellinger };
    let small = data.mapv(|x| if x.as_f64().abs() < 20.0 { x } else { T::zero() });
    let fake = Samples { real: small.view(), fake: small.view() };
    let sum: f64 = small.iter().map(|x| (0.5 * x.as_f64()).cosh() - 1.0).sum();
    close(hellinger.value(fake, Samples::both(Reduction::Sum)).unwrap().as_f64(), sum, 1e-5, "Hellinger");
}

#[test]
fn discriminators_of_a_hundred_thousand_samples_keep_their_digits() {
    discriminators::<f32>();
    discriminators::<f64>();
}

#[test]
fn means_of_a_hundred_thousand_outputs_are_what_relativistic_losses_look_at() {
    let ((real, exact_real), (fake, exact_fake)) = (ratios::<f32>(7, 6.0), ratios::<f32>(8, -6.0));
    let both = Samples { real: real.view(), fake: fake.view() };
    let value = Relativistic { loss: Ddo::default() }.value(both, Samples::both(Reduction::Mean)).unwrap();
    let mean = |side: &[f64]| side.iter().sum::<f64>() / SAMPLES as f64;
    let (of_real, of_fake) = (mean(&exact_real), mean(&exact_fake));
    let exact = exact_real.iter().map(|x| softplus(of_fake - x)).sum::<f64>()
        + exact_fake.iter().map(|x| softplus(x - of_real)).sum::<f64>();
    close(f64::from(value), exact / SAMPLES as f64, 1e-6, "relativistic");
}

const NOISE: usize = 5;

/// Scores of a confident model, log-probabilities of the noise.
fn contrasts() -> [Contrast<Array1<f64>, Array2<f64>>; 2] {
    let mut random = Random(2_010);
    let mut number = |center: f64| f64::from((center + 4.0 * random.unit()) as f32);
    let mut side = |positive: f64, negative: f64| Contrast {
        positive: Array1::from_shape_simple_fn(SAMPLES, || number(positive)),
        negatives: Array2::from_shape_simple_fn((SAMPLES, NOISE), || number(negative)),
    };
    [side(3.0, -8.0), side(-9.0, -7.0)]
}

fn noise<T: Real>() {
    let [scores, log_noise] = contrasts();
    let narrow = |side: &Contrast<Array1<f64>, Array2<f64>>| Contrast {
        positive: side.positive.mapv(T::from_f64),
        negatives: side.negatives.mapv(T::from_f64),
    };
    let (own, own_noise) = (narrow(&scores), narrow(&log_noise));
    let batch = NceBatch { scores: own.view(), log_noise: own_noise.view(), log_normalizer: T::from_f64(0.25) };
    let each = Nce::default().each(&batch).unwrap();
    let (value, slopes) = Nce::default().grad(&batch, Reduction::Mean).unwrap();
    let (ranked, by_rank) = ranking_nce_grad(own.view(), own_noise.view(), Reduction::Mean).unwrap();
    // Differences of numbers up to 16 are rounded in the type.
    let epsilon = 16.0 * T::epsilon().as_f64();
    let shift = 0.25 + (NOISE as f64).ln();
    let (mut total, mut total_rank, mut pull) = (0.0, 0.0, 0.0);
    for i in 0..SAMPLES {
        let u = scores.positive[i] - log_noise.positive[i];
        let negatives = &scores.negatives.row(i) - &log_noise.negatives.row(i);
        let loss = softplus(shift - u) + negatives.iter().map(|v| softplus(v - shift)).sum::<f64>();
        total += loss / SAMPLES as f64;
        pull += sigmoid(shift - u) - negatives.iter().map(|v| sigmoid(v - shift)).sum::<f64>();
        close(each[i].as_f64(), loss, 16.0 * epsilon, &format!("{}, {i}", T::NAME));
        let slope = -sigmoid(shift - u) / SAMPLES as f64;
        close(slopes.scores.positive[i].as_f64(), slope, 16.0 * epsilon, &format!("slope, {}, {i}", T::NAME));
        let others: f64 = negatives.iter().map(|v| (v - u).exp()).sum();
        total_rank += others.ln_1p() / SAMPLES as f64;
        let slope = -others / (1.0 + others) / SAMPLES as f64;
        close(by_rank.positive[i].as_f64(), slope, 16.0 * epsilon, &format!("rank, {}, {i}", T::NAME));
    }
    close(value.as_f64(), total, 4.0 * epsilon, "NCE");
    close(ranked.as_f64(), total_rank, 4.0 * epsilon, "ranking NCE");
    close(slopes.log_normalizer.as_f64(), pull / SAMPLES as f64, 4.0 * epsilon, "normalizer");
}

#[test]
fn a_hundred_thousand_examples_are_told_from_noise() {
    noise::<f32>();
    noise::<f64>();
}
