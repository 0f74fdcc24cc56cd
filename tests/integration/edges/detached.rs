//! Detached factors where targets are all but impossible or certain, and mixtures far from the truth.

use loglik::Reduction;
use loglik::diagnostics::{Amd, AmdNormalizer, Mixtures};
use loglik::logits::{MixCe, TaiLr, TokenObjective};
use loglik::transport::{CosineCost, Emo, EmoCost, EmoMode, demd_soft, demd_soft_grad};
use ndarray::{Array2, Array4, array};

use super::{INF, assert_narrow};

fn tailr(gamma: f64) -> TaiLr {
    TaiLr { gamma, min_weight: 0.0, ignore_index: Some(-100) }
}

/// Equal but for what an exponential passes on of its argument's rounding.
#[track_caller]
fn assert_close(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12 * expected.abs(), "{what} is {got:e}, exactly {expected:e}");
}

#[test]
fn the_factor_of_an_unlikely_target_keeps_its_digits() {
    let rows = [
        (-80.0, 1e-7, 9.024_256_939_227_077e-29, 7.281_956_933_922_399e-27, 4.512_128_469_613_538e-29),
        (-700.0, 0.1, 4.929_838_271_879_885e-304, 3.454_303_893_814_69e-301, 2.464_919_135_939_942_6e-304),
        (-20.0, 0.8, 1.288_221_012_364_585_2e-9, 2.665_734_701_127_790_5e-8, 6.441_105_055_184_872e-10),
    ];
    for (logit, gamma, weight, loss, other) in rows {
        let x = array![[0.0, logit, 0.0]];
        let terms = tailr(gamma).terms(&x, &array![1]).unwrap();
        assert_close("weight", terms.weight[0], weight);
        assert_close("loss", terms.loss[0], loss);
        let (_, gradient) = tailr(gamma).grad(&x, &array![1], Reduction::Sum).unwrap();
        assert_close("slope", gradient[[0, 0]], other);
        let narrow = tailr(gamma).grad(&x.mapv(|x| x as f32), &array![1], Reduction::Sum).unwrap();
        assert_narrow("loss", narrow.0, loss);
    }
    // With all of γ and no η the loss of MixCE is that of TaiLr.
    let (value, gradient) =
        MixCe { eta: 0.0, ignore_index: None }.grad(&array![[0.0, -100.0, 0.0]], &array![1], Reduction::Sum).unwrap();
    assert_close("loss", value, 1.872_930_788_881_656e-42);
    assert_close("slope", gradient[[0, 1]], -1.860_037_988_010_418e-44);
}

#[test]
fn a_certain_target_keeps_its_digits() {
    let mix = MixCe { eta: 0.3, ignore_index: Some(-100) };
    let (value, gradient) = mix.grad(&array![[40.0, 0.0, 0.0]], &array![0], Reduction::Mean).unwrap();
    assert_close("loss", value, 8.496_708_510_583_178e-18);
    assert_close("slope", gradient[[0, 0]], -8.496_708_510_583_178e-18);
    let (value, gradient) = mix.grad(&array![[40.0_f32, 0.0, 0.0]], &array![0], Reduction::Mean).unwrap();
    assert_narrow("loss", value, 8.496_708_510_583_178e-18);
    assert_narrow("slope", gradient[[0, 0]], -8.496_708_510_583_178e-18);
}

#[test]
fn logits_of_any_size_give_finite_factors() {
    let x = array![[-1e4, 0.0, 1e4], [1e4, -1e4, 0.0], [3e38, -3e38, 0.0], [-INF, 0.0, 0.0]];
    let y = array![0, 1, 1, 0];
    for gamma in [1e-300, 1e-7, 0.5, 1.0] {
        let terms = tailr(gamma).terms(&x, &y).unwrap();
        assert_eq!((terms.weight.sum(), terms.loss.sum()), (0.0, 0.0));
        let (value, gradient) = tailr(gamma).grad(&x, &y, Reduction::Sum).unwrap();
        assert!(value == 0.0 && gradient.iter().all(|slope| *slope == 0.0));
    }
    assert_eq!(MixCe { eta: 0.5, ignore_index: None }.value(&x, &y, Reduction::Sum), Ok(INF));
}

#[test]
fn a_distribution_with_one_class_of_mass_is_a_class() {
    let cost = CosineCost::new(&array![[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]).unwrap();
    let x = array![[-INF, 0.0, -INF], [1e4, 0.0, -1e4]];
    let (d, gradient) = demd_soft_grad(&x, &array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], &cost).unwrap();
    assert_eq!((d, gradient), (array![0.0, 0.0], Array2::zeros((2, 3))));
    assert_eq!(demd_soft(&x, &array![[0.0; 3], [0.0; 3]], &cost), Ok(array![0.0, 0.0]));
    // A factor without bound meets a slope that is 0 exactly.
    let shifted = Emo { mode: EmoMode::ScaleMle, cost: EmoCost::Shifted, ..Emo::default() };
    let (value, gradient) = shifted.grad(&array![[1e4, 0.0, -1e4]], &array![0], &cost, Reduction::Sum).unwrap();
    assert_eq!((value, gradient), (1.0, Array2::zeros((1, 3))));
}

#[test]
fn components_without_density_on_the_way_still_have_their_shares() {
    let covariances = Array4::from_shape_fn((1, 2, 1, 1), |(_, c, _, _)| [1.0, 4.0][c]);
    let (weights, means) = (array![[0.5, 0.5]], array![[[-1.0], [1.0]]]);
    let mixtures = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
    for truth in [60.0, 1e3, 1e6, 1e150] {
        let amd = |normalizer| Amd { normalizer }.value(mixtures, &array![[truth]]).unwrap();
        // Between the mean at 0 and the truth lie 1 - Φ(1) of the first and Φ(½) of the second, which is twice as wide.
        let ahead = [0.158_655_253_931_457_05, 0.691_462_461_274_013_1];
        let by = |[a, b]: [f64; 2]| truth * ((a + b / 4.0) / (a + b)).sqrt();
        assert_close("distance", amd(AmdNormalizer::Omitted), by([ahead[0], 2.0 * ahead[1]]));
        assert_close("distance", amd(AmdNormalizer::Included), by(ahead));
    }
}
