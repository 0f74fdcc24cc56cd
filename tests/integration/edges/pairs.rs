//! Pairs of responses and samples of two models.

use loglik::preference::{
    Dpo, Ipo, JensenShannonLink, Length, Linked, Nll, Orpo, PairBatch, PairObjective, Pairs, pair_metrics,
};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::{Real, Reduction, Result};
use ndarray::aview1;

use super::{INF, LN_2, assert_narrow, assert_wide};

/// Loss and slopes of one pair without a reference, or against one at zero.
fn pair<T: Real>(objective: &dyn PairObjective<T>, chosen: f64, rejected: f64) -> Result<[T; 3]> {
    let (chosen, rejected, zero) = ([T::from_f64(chosen)], [T::from_f64(rejected)], [T::zero()]);
    let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) })
        .reference(Pairs { chosen: aview1(&zero), rejected: aview1(&zero) });
    let (loss, slope) = objective.grad(batch, Reduction::Mean)?;
    Ok([loss, slope.chosen[0], slope.rejected[0]])
}

/// Chosen, rejected, loss, slope of the chosen, slope of the rejected, at λ = 1.
///
/// Of the first and second row TRL and Liger give a NaN gradient; at the log-odds of -20 to -200 other crates clamp, with
/// the slope 0.
const ODDS: [[f64; 5]; 9] = [
    [-1e-9, -1.0, 5.819_767_069_909_664e-10, -0.581_976_707_112_606_2, 9.206_735_941_323_186e-10],
    [0.0, -1.0, 0.0, -0.581_976_706_869_326_5, 0.0],
    [-1e-12, -1.0, 5.819_767_068_694_481e-13, -0.581_976_706_869_569_7, 9.206_735_942_077_168e-13],
    [-1.0, -1e-12, 28.172_345_970_541_55, -1.581_976_706_868_405_9, 999_999_999_999.918_1],
    [-1e-12, -1e-12, LN_2, -500_000_000_000.25, 500_000_000_000.25],
    [-800.0, -1.0, 799.458_675_145_387_1, -1.0, 1.581_976_706_869_326_5],
    [-800.0, -801.0, 0.313_261_687_518_222_8, -0.268_941_421_369_995_1, 0.268_941_421_369_995_1],
    [-1e4, -0.5, 10_000.432_752_129_567, -1.0, 2.541_494_082_536_798],
    [-0.5, -1e4, 0.0, 0.0, 0.0],
];

#[test]
fn the_odds_ratio_holds_from_certainty_to_impossibility() {
    let orpo = Orpo { lambda: 1.0, length: Length::Sum };
    for [chosen, rejected, loss, by_chosen, by_rejected] in ODDS {
        let what = format!("({chosen:e}, {rejected:e})");
        for (got, expected) in
            pair::<f64>(&orpo, chosen, rejected).unwrap().into_iter().zip([loss, by_chosen, by_rejected])
        {
            // The derivatives by log-probs near 0 pass on the rounding of their inputs.
            assert!((got - expected).abs() <= 1e-13 * expected.abs(), "{what}: {got:e}, exactly {expected:e}");
        }
        let got = pair::<f32>(&orpo, chosen, rejected).unwrap();
        assert_narrow(&format!("loss of {what}"), got[0], loss);
        assert_narrow(&format!("slope of the chosen of {what}"), got[1], by_chosen);
        assert_narrow(&format!("slope of the rejected of {what}"), got[2], by_rejected);
    }
}

#[test]
fn certainty_of_the_rejected_response_is_an_error() {
    let orpo = Orpo { lambda: 1.0, length: Length::Sum };
    for chosen in [-1.0, 0.0] {
        let message = pair::<f64>(&orpo, chosen, 0.0).unwrap_err().to_string();
        assert!(message.contains("[0] is 0, allowed"), "{message}");
    }
}

/// Margin, loss and slope at β = 0.5.
const MARGINS: [[f64; 3]; 7] = [
    [0.0, LN_2, -0.25],
    [60.0, 9.357_622_968_839_737e-14, -4.678_811_484_419_65e-14],
    [100.0, 1.928_749_847_963_917_8e-22, -9.643_749_239_819_589e-23],
    [1400.0, 9.859_676_543_759_77e-305, -4.929_838_271_879_886e-305],
    [-100.0, 50.0, -0.5],
    [-1000.0, 500.0, -0.5],
    [-20_000.0, 10_000.0, -0.5],
];

#[test]
fn margins_of_thousands_keep_loss_and_slope() {
    let dpo = Dpo { beta: 0.5, label_smoothing: 0.0 };
    for [margin, loss, slope] in MARGINS {
        for (chosen, rejected) in [(margin, 0.0), (0.0, -margin), (margin - 1e4, -1e4)] {
            let what = format!("({chosen}, {rejected})");
            let got = pair::<f64>(&dpo, chosen, rejected).unwrap();
            assert_wide(&format!("loss of {what}"), got[0], loss);
            assert_wide(&format!("slope of {what}"), got[1], slope);
            assert_eq!(got[2], -got[1], "{what}");
            let got = pair::<f32>(&dpo, chosen, rejected).unwrap();
            assert_narrow(&format!("loss of {what}"), got[0], loss);
            assert_narrow(&format!("slope of {what}"), got[1], slope);
        }
    }
}

#[test]
fn smoothing_and_square_are_exact_at_large_margins() {
    let smooth = Dpo { beta: 0.5, label_smoothing: 0.25 };
    assert_eq!(pair::<f64>(&smooth, 1000.0, 0.0).unwrap(), [125.0, 0.125, -0.125]);
    assert_eq!(pair::<f64>(&smooth, -1000.0, 0.0).unwrap(), [375.0, -0.375, 0.375]);
    let ipo = Ipo { beta: 0.5, length: Length::Sum };
    assert_eq!(pair::<f32>(&ipo, 1001.0, 0.0).unwrap(), [1e6, 2000.0, -2000.0]);
}

/// `s` saturates at ln 2 above and is `λ + ln 2` below.
#[test]
fn the_jensen_shannon_score_has_both_limits() {
    let scored = Linked { loss: Dpo { beta: 1.0, label_smoothing: 0.0 }, link: JensenShannonLink };
    let [loss, by_chosen, by_rejected] = pair::<f64>(&scored, -1000.0, 1000.0).unwrap();
    assert_wide("loss", loss, 1000.0); // softplus(-((-1000 + ln 2) - ln 2))
    assert_eq!((by_chosen, by_rejected), (-1.0, 0.0));
}

/// A response that the policy rules out: the exact limit, with a finite slope.
#[test]
fn a_log_prob_of_minus_infinity_is_a_limit() {
    let dpo = Dpo { beta: 0.5, label_smoothing: 0.0 };
    assert_eq!(pair::<f64>(&dpo, -INF, -1.0).unwrap(), [INF, -0.5, 0.5]);
    assert_eq!(pair::<f64>(&dpo, -1.0, -INF).unwrap(), [0.0, 0.0, 0.0]);
    assert_eq!(pair::<f64>(&Nll { length: Length::Sum }, -INF, -1.0).unwrap(), [INF, -1.0, 0.0]);
    assert!(pair::<f64>(&dpo, -INF, -INF).unwrap_err().to_string().contains("[0]"));
}

/// TRL: NaN.
#[test]
fn an_empty_completion_is_named() {
    let policy = [-3.0, 0.0];
    let batch = PairBatch::new(Pairs { chosen: aview1(&policy), rejected: aview1(&policy) })
        .lengths(Pairs { chosen: aview1(&[2.0, 0.0]), rejected: aview1(&[2.0, 1.0]) });
    let message = Nll { length: Length::Mean }.value(batch, Reduction::Mean).unwrap_err().to_string();
    assert!(message.contains("[1] is 0, allowed"), "{message}");
}

#[test]
fn metrics_of_equal_rewards_count_no_win() {
    let (policy, zero) = ([-3.0, -1e4], [0.0, 0.0]);
    let batch = PairBatch::new(Pairs { chosen: aview1(&policy), rejected: aview1(&policy) })
        .reference(Pairs { chosen: aview1(&zero), rejected: aview1(&zero) });
    let metrics = pair_metrics(batch, 0.5).unwrap();
    assert_eq!((metrics.accuracy, metrics.margin), (0.0, 0.0));
    assert_eq!(metrics.reward_chosen, -0.5 * 5001.5);
}

/// Log-ratios on real and fake samples at α = 3, β = ½: loss, slope on real, slope on fake.
#[test]
fn the_discriminator_holds_at_ratios_of_thousands() {
    let ddo = Ddo { alpha: 3.0, beta: 0.5 };
    let rows = [
        [1000.0, -1000.0, 4.0 * 7.124_576_406_741_285e-218, -3.562_288_203_370_643e-218, 1.068_686_461_011_193e-217],
        [-1000.0, 1000.0, 2000.0, -0.5, 1.5],
        [-1e4, 1e4, 20_000.0, -0.5, 1.5],
        [0.0, 0.0, 4.0 * LN_2, -0.25, 0.75],
    ];
    for [real, fake, loss, by_real, by_fake] in rows {
        let mean = Samples { real: Reduction::Mean, fake: Reduction::Mean };
        let (value, slope) = ddo.grad(Samples { real: aview1(&[real]), fake: aview1(&[fake]) }, mean).unwrap();
        assert_wide("loss", value, loss);
        assert_wide("slope on real", slope.real[0], by_real);
        assert_wide("slope on fake", slope.fake[0], by_fake);
        let (real, fake) = ([real as f32], [fake as f32]);
        let mean = Samples { real: Reduction::Mean, fake: Reduction::Mean };
        let (value, slope) = ddo.grad(Samples { real: aview1(&real), fake: aview1(&fake) }, mean).unwrap();
        assert_narrow("loss", value, loss);
        assert_narrow("slope on real", slope.real[0], by_real);
        assert_narrow("slope on fake", slope.fake[0], by_fake);
    }
}
