//! Every function on numbers as no model gives them: an answer is a number, and anything else is an error.

use ndarray::{Array, Array2, Dimension, IntoDimension};

use super::*;
use crate::testing::{cases, generator};
use crate::{Real, Result};

const STRANGE: [f64; 16] =
    [0.0, -0.0, 5e-324, 1e-310, 1e-45, 1e-300, -1e-300, 1e300, -1e300, 1.7e308, -1.7e308, 3e38, -1e4, 1.0, -1.0, 0.5];

/// Ordinary numbers, with some strange ones among them; seldom one that is not finite.
fn filled<T: Real, D: IntoDimension<Dim: Dimension>>(
    random: &mut impl FnMut() -> f64,
    shape: D,
    strange: f64,
) -> Array<T, D::Dim> {
    Array::from_shape_simple_fn(shape.into_dimension(), || {
        let (kind, value) = (random(), random());
        T::from_f64(match kind {
            kind if kind < 1e-3 => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][(3.0 * value) as usize],
            kind if kind < strange => STRANGE[(16.0 * value) as usize],
            _ => 4.0 * value - 2.0,
        })
    })
}

fn search<T: Real>(cases: u64) {
    let mut random = generator(7);
    for case in 0..cases {
        let mut below = |n: f64| (n * random()) as usize;
        let [n, times, agents, size] = [1 + below(5.0), 1 + below(3.0), 1 + below(3.0), 1 + below(3.0)];
        let strange = [0.0, 0.1, 1.0][below(3.0)];
        let samples = filled::<T, _>(&mut random, (n, times, agents, size), strange);
        let truth = filled::<T, _>(&mut random, (times, agents, size), strange);
        let says = |what: &str, result: Result<Vec<T>>| {
            let fits = result.as_ref().map_or(true, |values| values.iter().all(|x| x.is_finite()));
            assert!(fits, "{case}: {what} of {samples} and {truth}: {result:?}");
        };
        let best = best_of_n(&samples, &truth);
        says("ADE and FDE", best.clone().map(|best| [best.ade.to_vec(), best.fde.to_vec()].concat()));
        says("their means", best.map(|best| vec![best.means().ade, best.means().fde]));
        says("KDE", kde_nll(&samples, &truth, -20.0).map(|nll| vec![nll]));
        let metrics = SampleMetrics { normalizer: AmdNormalizer::Included, ..SampleMetrics::default() };
        let scores = metrics.value(&samples, &truth);
        says("scores", scores.map(|s| vec![s.amd, s.amv, s.ade, s.fde, s.kde_nll]));
        let (places, components) = (times, agents);
        let weights = filled::<T, _>(&mut random, (places, components), strange).mapv(num_traits::Float::abs);
        let means = filled::<T, _>(&mut random, (places, components, size), strange);
        let roots = filled::<T, _>(&mut random, (places, components, size, size), strange);
        let covariances = Array::from_shape_fn((places, components, size, size), |(p, c, i, j)| {
            (0..size).map(|k| roots[[p, c, i, k]] * roots[[p, c, j, k]]).sum::<T>()
        });
        let mixtures = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
        let truth: Array2<T> = filled(&mut random, (places, size), strange);
        let says = |what: &str, result: Result<Vec<T>>| {
            let fits = result.as_ref().map_or(true, |values| values.iter().all(|x| x.is_finite()));
            assert!(fits, "{case}: {what} of {mixtures:?} and {truth}: {result:?}");
        };
        says("AMV", amv(mixtures).map(|amv| vec![amv]));
        says("each AMV", amv_each(mixtures).map(|each| each.to_vec()));
        for normalizer in [AmdNormalizer::Omitted, AmdNormalizer::Included] {
            says("AMD", Amd { normalizer }.value(mixtures, &truth).map(|amd| vec![amd]));
            says("each AMD", Amd { normalizer }.each(mixtures, &truth).map(|each| each.to_vec()));
        }
    }
}

#[test]
fn whatever_comes_no_answer_is_nan_or_infinite() {
    search::<f64>(cases(10_000) as u64);
    search::<f32>(cases(10_000) as u64);
}
