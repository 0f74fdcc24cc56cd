//! Samples, mixtures, and sequences of states.

use loglik::diagnostics::{
    Amd, AmdNormalizer, Mixtures, SampleGaussians, SampleMetrics, amv, amv_each, best_of_n, kde_nll,
};
use loglik::likelihood::imle;
use ndarray::{Array2, Array3, Array4, array, s};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Samples of two times and two agents in the plane.
fn samples() -> impl Strategy<Value = Array4<f64>> {
    vec(-2.0..2.0_f64, 7 * 8).prop_map(|data| Array4::from_shape_vec((7, 2, 2, 2), data).unwrap())
}

fn truth() -> impl Strategy<Value = Array3<f64>> {
    vec(-3.0..3.0_f64, 8).prop_map(|data| Array3::from_shape_vec((2, 2, 2), data).unwrap())
}

/// `x -> scale R x + shift` on the last axis.
fn moved(points: &Array2<f64>, angle: f64, scale: f64, shift: f64) -> Array2<f64> {
    let (sine, cosine) = angle.sin_cos();
    points.dot(&array![[cosine, sine], [-sine, cosine]]) * scale + shift
}

fn moved_samples(x: &Array4<f64>, angle: f64, scale: f64, shift: f64) -> Array4<f64> {
    let flat = x.to_shape((28, 2)).unwrap().to_owned();
    moved(&flat, angle, scale, shift).into_shape_with_order((7, 2, 2, 2)).unwrap()
}

fn moved_truth(y: &Array3<f64>, angle: f64, scale: f64, shift: f64) -> Array3<f64> {
    let flat = y.to_shape((4, 2)).unwrap().to_owned();
    moved(&flat, angle, scale, shift).into_shape_with_order((2, 2, 2)).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn motions_change_no_metric_and_scales_each_by_its_unit(
        x in samples(), y in truth(), angle in 0.0..6.3_f64, scale in 0.2..5.0_f64, shift in -9.0..9.0_f64,
    ) {
        let metrics = SampleMetrics { jitter: 0.0, floor: f64::NEG_INFINITY, ..SampleMetrics::default() };
        let before = metrics.value(&x, &y).unwrap();
        let after = metrics.value(&moved_samples(&x, angle, scale, shift), &moved_truth(&y, angle, scale, shift)).unwrap();
        assert_near(after.amd, before.amd, 1e-8);
        assert_near(after.amv, scale * scale * before.amv, 1e-10);
        assert_near(after.ade, scale * before.ade, 1e-11);
        assert_near(after.fde, scale * before.fde, 1e-11);
        assert_near(after.kde_nll, before.kde_nll + 2.0 * scale.ln(), 1e-8);
    }

    #[test]
    fn the_best_of_more_is_better_and_the_order_is_of_no_matter(x in samples(), y in truth()) {
        let all = best_of_n(&x, &y).unwrap();
        let few = best_of_n(&x.slice(s![..4, .., .., ..]), &y).unwrap();
        prop_assert!(all.ade.iter().zip(&few.ade).all(|(all, few)| all <= few));
        let reversed = x.slice(s![..;-1, .., .., ..]);
        prop_assert_eq!(best_of_n(&reversed, &y).unwrap(), all);
        assert_near(kde_nll(&reversed, &y, -20.0).unwrap(), kde_nll(&x, &y, -20.0).unwrap(), 1e-12);
        // The nearest in the mean of coordinates is no further than any, and no metric needs it to be the same.
        let nearest = imle(&x, &y).unwrap();
        for sample in x.outer_iter() {
            prop_assert!(nearest.loss <= (&sample - &y).mapv(f64::abs).mean().unwrap() + 1e-15);
        }
    }

    #[test]
    fn one_gaussian_has_its_mahalanobis_distance_and_two_halves_of_it_are_the_same(
        mean in numbers(2, -3.0, 3.0), root in matrix(2, 2, -1.0, 1.0), truth in numbers(2, -9.0, 9.0), share in 0.01..0.99_f64,
    ) {
        let covariance = root.dot(&root.t()) + Array2::<f64>::eye(2) * 0.1;
        let v = &mean - &truth;
        let det = covariance[[0, 0]] * covariance[[1, 1]] - covariance[[0, 1]] * covariance[[1, 0]];
        let inverse = array![[covariance[[1, 1]], -covariance[[0, 1]]], [-covariance[[1, 0]], covariance[[0, 0]]]] / det;
        let expected = v.dot(&inverse.dot(&v)).sqrt();
        let means = Array3::from_shape_fn((1, 2, 2), |(_, _, k)| mean[k]);
        let covariances = Array4::from_shape_fn((1, 2, 2, 2), |(_, _, i, j)| covariance[[i, j]]);
        for weights in [array![[share, 1.0 - share]], array![[3.0, 0.0]]] {
            let both = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
            for normalizer in [AmdNormalizer::Omitted, AmdNormalizer::Included] {
                let amd = Amd { normalizer }.value(both, &truth.to_shape((1, 2)).unwrap()).unwrap();
                assert_near(amd, expected, 1e-11);
            }
            let trace = covariance[[0, 0]] + covariance[[1, 1]];
            let largest = 0.5 * trace + (0.25 * trace * trace - det).max(0.0).sqrt();
            assert_near(amv(both).unwrap(), largest, 1e-7);
        }
    }

    /// The distance is a mean of those to the components' precisions, each along the same way.
    #[test]
    fn a_mixture_lies_between_its_components(
        means in vec(-3.0..3.0_f64, 4), variances in vec(0.1..4.0_f64, 2), truth in numbers(2, -40.0, 40.0), share in 0.01..0.99_f64,
    ) {
        let means = Array3::from_shape_vec((1, 2, 2), means).unwrap();
        let covariances = Array4::from_shape_fn((1, 2, 2, 2), |(_, c, i, j)| if i == j { variances[c] } else { 0.0 });
        let weights = array![[share, 1.0 - share]];
        let both = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
        let way = |k: usize| share * means[[0, 0, k]] + (1.0 - share) * means[[0, 1, k]] - truth[k];
        let length = way(0).hypot(way(1));
        let ends = [length / variances[0].sqrt(), length / variances[1].sqrt()];
        for normalizer in [AmdNormalizer::Omitted, AmdNormalizer::Included] {
            let amd = Amd { normalizer }.value(both, &truth.to_shape((1, 2)).unwrap()).unwrap();
            prop_assert!(amd >= ends[0].min(ends[1]) * (1.0 - 1e-12) && amd <= ends[0].max(ends[1]) * (1.0 + 1e-12));
        }
    }

    #[test]
    fn a_fit_spreads_as_its_samples_do(x in samples()) {
        let fit = SampleGaussians::fit(&x, 0.0).unwrap();
        let spread = amv_each(fit.mixtures()).unwrap();
        let totals = fit.covariances.outer_iter().map(|c| c[[0, 0, 0]] + c[[0, 1, 1]]);
        // The largest of two variances is at least half of their sum, and at most all of it.
        prop_assert!(spread.iter().zip(totals).all(|(s, total)| 0.5 * total <= s * (1.0 + 1e-14) && *s <= total * (1.0 + 1e-14)));
        assert_all_near(fit.means.slice(s![.., 0, ..]), &x.mean_axis(ndarray::Axis(0)).unwrap(), 1e-14);
    }
}
