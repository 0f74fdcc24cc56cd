//! Losses that tell samples apart, and losses of whole samples.
//!
//! Those that write are compared with a read of as many bytes as they read and write together, which none can reach.

use loglik::contrastive::InfoNce;
use loglik::energy::{Edm, EdmArguments, Interpolant, InterpolantArguments, SampleLoss};
use loglik::ndarray::{Array1, Array2, ArrayView2, s};
use loglik::prelude::*;
use loglik::ratio::{Contrast, Nce, NceBatch};

use super::common::{bell, keep};
use super::probe::Probe;
use super::table::{Loop, Roofline};

/// Ratios of a batch that caches hold: both sides together.
const MILLION: usize = 1_000_000;

/// Noise samples for each example.
const NEGATIVES: usize = 16;

/// Candidates of each anchor.
const CANDIDATES: usize = 8_192;

/// Numbers of a sample.
const WIDTH: usize = 3_072;

pub(crate) fn run(roofline: &mut Roofline) {
    let n = roofline.sizes.pairs;
    let data = Array2::<f32>::from_shape_fn((4, n), |(column, i)| bell(column * n + i));
    let columns = data.as_slice().unwrap_or_default();
    ratios(roofline, &columns[..n.min(MILLION)]);
    generator(roofline, &columns[..n]);
    nce(roofline, &columns[..2 * n]);
    info_nce(roofline, columns);
    whole(roofline, columns);
}

/// A loop over these numbers, with so many more bytes that it writes.
fn over<'a>(name: &'static str, input: &'a [f32], written: usize) -> Loop<'a, f32> {
    let bytes = size_of_val(input) + written * size_of::<f32>();
    Loop { name, dtype: "f32", size: input.len().to_string(), input, bytes, probe: Probe::Read }
}

fn ratios(roofline: &mut Roofline, columns: &[f32]) {
    let (real, fake) = columns.split_at(columns.len() / 2);
    let ratios = Samples { real: real.into(), fake: fake.into() };
    let (ddo, both) = (Ddo { alpha: 6.0, beta: 0.1 }, Samples::both(Reduction::Mean));
    roofline.measure(over("ddo_value_of_a_million", columns, 0), || keep(ddo.value(ratios, both)));
    let mut out = Samples { real: Array1::zeros(real.len()), fake: Array1::zeros(fake.len()) };
    let grad = || {
        let out = Samples { real: out.real.view_mut(), fake: out.fake.view_mut() };
        keep(ddo.grad_into(ratios, both, out));
    };
    roofline.measure(over("ddo_grad_into_of_a_million", columns, columns.len()), grad);
}

/// The logistic loss of a generator, not saturating.
fn generator(roofline: &mut Roofline, logits: &[f32]) {
    let (generator, fake, mut out) =
        (Ddo::default().generator(), Array1::from(logits.to_vec()), Array1::zeros(logits.len()));
    let grad = || keep(generator.grad_into(&fake, Reduction::Mean, &mut out));
    roofline.measure(over("generator_grad_into", logits, logits.len()), grad);
}

/// Scores and densities of an example and its noise, a gradient of all scores.
fn nce(roofline: &mut Roofline, columns: &[f32]) {
    let examples = columns.len() / (2 * (NEGATIVES + 1));
    let columns = &columns[..2 * examples * (NEGATIVES + 1)];
    let of = |numbers: &[f32]| {
        let (positive, negatives) = numbers.split_at(examples);
        let negatives = Array2::from_shape_vec((examples, NEGATIVES), negatives.to_vec()).expect("as many numbers");
        Contrast { positive: Array1::from(positive.to_vec()), negatives }
    };
    let (scores, log_noise) = columns.split_at(columns.len() / 2);
    let (scores, log_noise) = (of(scores), of(log_noise));
    let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.5 };
    let nce = Nce::default();
    roofline.measure(over("nce_value", columns, 0), || keep(nce.value(&batch, Reduction::Mean)));
    roofline.measure(over("nce_grad", columns, columns.len() / 2), || keep(nce.grad(&batch, Reduction::Mean)));
}

/// Of similarities that exist: what remains of a loss over embeddings without its products of matrices.
fn info_nce(roofline: &mut Roofline, columns: &[f32]) {
    let candidates = CANDIDATES.min(columns.len());
    let anchors = (columns.len() / candidates).min(candidates);
    let columns = &columns[..anchors * candidates];
    let similarities = ArrayView2::from_shape((anchors, candidates), columns).expect("as many numbers");
    let loss = InfoNce::default();
    roofline.measure(over("info_nce_value_of", columns, 0), || keep(loss.value_of(&similarities, Reduction::Mean)));
    let grad = || keep(loss.grad_of(&similarities, Reduction::Mean));
    roofline.measure(over("info_nce_grad_of", columns, columns.len()), grad);
}

/// Losses of images, say, with a weight for each.
fn whole(roofline: &mut Roofline, columns: &[f32]) {
    let rows = columns.len() / 4 / WIDTH;
    let data = ArrayView2::from_shape((4 * rows, WIDTH), &columns[..4 * rows * WIDTH]).expect("as many numbers");
    let [a, b, c, d] = [0, 1, 2, 3].map(|k| data.slice_move(s![k * rows..(k + 1) * rows, ..]));
    let (n, sigma) = (rows * WIDTH, Array1::from_shape_fn(rows, |i| 0.1 + (i % 7) as f32));
    let mut out = a.to_owned();
    let arguments = EdmArguments { denoised: &*a, clean: &*b, sigma: &*sigma };
    let what = over("edm_value", &columns[..2 * n], 0);
    roofline.measure(what, || keep(Edm::default().value(arguments, Reduction::Mean)));
    let what = over("edm_grad_into", &columns[..2 * n], n);
    roofline.measure(what, || keep(Edm::default().grad_into(arguments, Reduction::Mean, &mut out)));
    let t = Array1::from_shape_fn(rows, |i| 0.05 + 0.9 * (i % 11) as f32 / 11.0);
    let arguments = InterpolantArguments { prediction: &*a, x0: &*b, x1: &*c, noise: &*d, t: &*t };
    let what = over("interpolant_grad_into", &columns[..4 * n], n);
    roofline.measure(what, || keep(Interpolant::default().grad_into(arguments, Reduction::Mean, &mut out)));
}
