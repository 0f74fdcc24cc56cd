//! What is asked of samples, and of the mixtures that they spread over.

use loglik::Real;
use loglik::diagnostics::{
    Amd, AmdNormalizer, Mixtures, SampleGaussians, SampleMetrics, amv, amv_each, best_of_n, kde_nll,
};
use loglik::likelihood::{imle, imle_grad};
use ndarray::{Ix2, Ix3, Ix4};

use super::{Entry, Inputs, Random, Size};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("imle", clouds, |call, out| {
            let (samples, truth) = (call.real::<Ix4>(0), call.real::<Ix3>(1));
            out.scalar("value", imle(&samples, &truth).map(|found| found.loss));
            out.scalar("nearest", imle(&samples, &truth).map(|found| T::from_f64(found.nearest as f64)));
            out.grad("", [0], imle_grad(&samples, &truth).map(|(found, gradient)| (found.loss, [gradient])));
        }),
        Entry::new("best_of_n", clouds, |call, out| {
            let best = best_of_n(&call.real::<Ix4>(0), &call.real::<Ix3>(1));
            out.array("ade", best.clone().map(|best| best.ade));
            out.array("fde", best.map(|best| best.fde));
        }),
        Entry::new("Amd and amv", mixtures, |call, out| {
            let (weights, means) = (call.real::<Ix2>(0), call.real::<Ix3>(1));
            let (covariances, truth) = (call.real::<Ix4>(2), call.real::<Ix2>(3));
            let mixtures = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
            for (name, normalizer) in [("omitted", AmdNormalizer::Omitted), ("included", AmdNormalizer::Included)] {
                out.scalar(&format!("amd, {name}"), Amd { normalizer }.value(mixtures, &truth));
                out.array(&format!("amd of each, {name}"), Amd { normalizer }.each(mixtures, &truth));
            }
            out.scalar("amv", amv(mixtures));
            out.array("amv of each", amv_each(mixtures));
        }),
        Entry::new("kde_nll", clouds, |call, out| {
            out.scalar("nll", kde_nll(&call.real::<Ix4>(0), &call.real::<Ix3>(1), -20.0));
        }),
        Entry::new("SampleMetrics", clouds, |call, out| {
            let (samples, truth) = (call.real::<Ix4>(0), call.real::<Ix3>(1));
            let fit = SampleGaussians::fit(&samples, 1e-3);
            out.array("means", fit.clone().map(|fit| fit.means));
            out.array("covariances", fit.map(|fit| fit.covariances));
            let scores = SampleMetrics { jitter: 1e-3, ..SampleMetrics::default() }.value(&samples, &truth);
            out.scalar("amd", scores.clone().map(|scores| scores.amd));
            out.scalar("amv", scores.clone().map(|scores| scores.amv));
            out.scalar("ade", scores.clone().map(|scores| scores.ade));
            out.scalar("fde", scores.clone().map(|scores| scores.fde));
            out.scalar("kde_nll", scores.map(|scores| scores.kde_nll));
        }),
    ]
}

/// Samples and truth.
fn clouds(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(5, 60), size.pick(2, 12), size.pick(3, 61), 2];
    Inputs::reals([random.uniform(&shape, -2.0, 2.0), random.uniform(&shape[1..], -2.0, 2.0)])
}

/// Weights, means and covariances of two components, and the truth.
fn mixtures(random: &mut Random, size: Size) -> Inputs {
    let places = size.pick(4, 9_001);
    let roots = random.uniform(&[places, 2, 2, 2], -1.0, 1.0);
    let mut covariances = roots.clone();
    for (at, x) in covariances.indexed_iter_mut() {
        let entry = |i: usize, k: usize| roots[[at[0], at[1], i, k]];
        let ridge = if at[2] == at[3] { 0.2 } else { 0.0 };
        *x = (0..2).map(|k| entry(at[2], k) * entry(at[3], k)).sum::<f64>() + ridge;
    }
    Inputs::reals([
        random.uniform(&[places, 2], 0.1, 1.0),
        random.uniform(&[places, 2, 2], -2.0, 2.0),
        covariances,
        random.uniform(&[places, 2], -3.0, 3.0),
    ])
}
