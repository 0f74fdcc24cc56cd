//! A hundred thousand samples on each side, most of which are told apart with confidence: the losses of discriminators and of
//! noise-contrastive estimation, and questions about four thousand pairs.

use loglik::contrastive::{EmbeddingBatch, SigLip, SupervisedContrastive};
use loglik::divergence::{JensenShannonDivergence, SquaredHellinger};
use loglik::ratio::{
    Contrast, Ddo, FGan, HingeGan, LeastSquaresGan, Nce, NceBatch, RatioObjective, Relativistic, Samples,
    ranking_nce_grad,
};
use loglik::{Real, Reduction};
use loglik_catalogue::random::Random;
use ndarray::{Array1, Array2, ArrayView1, Axis};

const SAMPLES: usize = 100_000;

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { (1.0 + (-x).exp()).recip() }
}

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

const PAIRS: usize = 4_096;
const WIDTH: usize = 64;

/// Both sides; every seventh pair is one in name only. Numbers are those of `f32`.
fn sides() -> [Array2<f64>; 2] {
    let mut random = Random(20_230_327);
    let mut number = || f64::from((2.0 * random.unit() - 1.0) as f32);
    let first = Array2::from_shape_simple_fn((PAIRS, WIDTH), &mut number);
    let second = Array2::from_shape_fn((PAIRS, WIDTH), |(i, k)| {
        let noise = number();
        if i % 7 == 0 { noise } else { f64::from((first[[i, k]] + 0.3 * noise) as f32) }
    });
    [first, second]
}

fn unit(rows: &Array2<f64>) -> Array2<f64> {
    rows / &rows.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1))
}

/// Slopes in the direction of a row as slopes in the row.
fn across(direction: ArrayView1<'_, f64>, row: ArrayView1<'_, f64>, slopes: Array1<f64>) -> Array1<f64> {
    let along = slopes.dot(&direction);
    (slopes - &direction * along) / row.dot(&row).sqrt()
}

const ROWS: [usize; 6] = [0, 1, 1_023, 1_024, 2_049, 4_095];

fn questions<T: Real>() {
    let [first, second] = sides();
    let (a, b) = (first.mapv(T::from_f64), second.mapv(T::from_f64));
    let (of_first, of_second) = (unit(&first), unit(&second));
    let loss = SigLip { scale: 40.0, bias: -20.0, ..SigLip::default() };
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    let weights = Array1::from_shape_fn(PAIRS, |i| if ROWS.contains(&i) { T::one() } else { T::zero() });
    let (sum, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Weighted(&weights)).unwrap();
    // A similarity is good to a few roundings, which the scale enlarges.
    let tolerance = 16.0 * 40.0 * T::epsilon().as_f64();
    let (mut total, mut bias, mut scale) = (0.0, 0.0, 0.0);
    for i in ROWS {
        let similarities = of_second.dot(&of_first.row(i));
        let sign = |j: usize| if i == j { 1.0 } else { -1.0 };
        let logit = |j: usize| 40.0 * similarities[j] - 20.0;
        let exact: f64 = (0..PAIRS).map(|j| softplus(-sign(j) * logit(j))).sum();
        assert!((each[i].as_f64() - exact).abs() <= tolerance * exact, "{}, {i}: {}, {exact}", T::NAME, each[i]);
        total += exact;
        let by: Array1<f64> = (0..PAIRS).map(|j| -sign(j) * sigmoid(-sign(j) * logit(j))).collect();
        bias += by.sum();
        scale += by.dot(&similarities);
        let exact = across(of_first.row(i), first.row(i), of_second.t().dot(&(40.0 * &by)));
        let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        for (got, exact) in slopes.first.row(i).iter().zip(&exact) {
            assert!((got.as_f64() - exact).abs() <= tolerance * largest, "{}, {i}: {got}, {exact}", T::NAME);
        }
    }
    for (got, exact, what) in [(sum, total, "sum"), (slopes.bias, bias, "bias"), (slopes.scale, scale, "scale")] {
        assert!((got.as_f64() - exact).abs() <= tolerance * exact.abs(), "{what}, {}: {got}, {exact}", T::NAME);
    }
}

#[test]
fn questions_about_four_thousand_pairs_are_answered_in_f32() {
    questions::<f32>();
}

#[test]
fn questions_about_four_thousand_pairs_are_answered_in_f64() {
    questions::<f64>();
}

/// Two views of each sample, which all look alike: slopes are of the size of the little that is left to learn.
#[test]
fn views_that_are_sure_of_one_another_have_slopes_with_digits() {
    let [first, noise] = sides();
    let count = 512;
    let views =
        Array2::from_shape_fn((2 * count, WIDTH), |(i, k)| f64::from((first[[i / 2, k]] + 0.3 * noise[[i, k]]) as f32));
    let labels = Array1::from_shape_fn(2 * count, |i| (i / 2) as i64);
    let loss = SupervisedContrastive { temperature: 0.03, ..SupervisedContrastive::default() };
    let (wide, exact, _) = loss.grad(&views, &labels, Reduction::Mean).unwrap();
    let (narrow, found, _) = loss.grad(&views.mapv(|x| x as f32), &labels, Reduction::Mean).unwrap();
    assert!(wide < 1e-4 && (f64::from(narrow) / wide - 1.0).abs() < 1e-4, "{wide}, {narrow}");
    let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for (got, exact) in found.iter().zip(&exact) {
        assert!((f64::from(*got) - exact).abs() <= 1e-3 * largest, "{got:e}, {exact:e} of {largest:e}");
    }
}
