//! Functions of both sides, from certainty to impossibility.

use loglik::preference::{
    ApoDown, ApoZero, Asft, BcoPair, BradleyTerry, CalDpo, Dpop, Length, NcaPair, PairBatch, PairObjective, Pairs,
    Placement, ProcessReward, RatingGap, RewardRegression, RewardTies, SimPer, SppoHard, SppoSoft, TieModel, Tpo,
    pair_metrics,
};
use loglik::{Real, Reduction, Result};
use ndarray::aview1;

use super::{INF, assert_narrow, assert_wide};

/// Loss and slopes of one pair against a reference: lengths and rewards are 1, the label ½, the gold response at -2.
fn pair<T: Real>(objective: &dyn PairObjective<T>, policy: [f64; 2], reference: [f64; 2]) -> Result<[T; 3]> {
    let (policy, reference) = (policy.map(|x| [T::from_f64(x)]), reference.map(|x| [T::from_f64(x)]));
    let (half, one, gold) = ([T::from_f64(0.5)], [T::one()], [T::from_f64(-2.0)]);
    let both = Pairs { chosen: aview1(&one), rejected: aview1(&one) };
    let batch = PairBatch::new(Pairs { chosen: aview1(&policy[0]), rejected: aview1(&policy[1]) })
        .reference(Pairs { chosen: aview1(&reference[0]), rejected: aview1(&reference[1]) })
        .lengths(both)
        .rewards(both)
        .offset(aview1(&half))
        .soft_label(aview1(&half))
        .tie_probability(aview1(&half))
        .rating_gap(aview1(&half))
        .gold(aview1(&gold));
    let (loss, slope) = objective.grad(batch, Reduction::Mean)?;
    assert_eq!(objective.value(batch, Reduction::Mean)?, loss);
    Ok([loss, slope.chosen[0], slope.rejected[0]])
}

/// All but those of odds, which need log-probabilities.
fn all<T: Real>() -> Vec<Box<dyn PairObjective<T>>> {
    let mut all: Vec<Box<dyn PairObjective<T>>> = vec![
        Box::new(NcaPair { beta: 0.5 }),
        Box::new(BcoPair { beta: 0.5, delta: 3.0 }),
        Box::new(SppoHard { beta: 0.5 }),
        Box::new(SppoSoft { beta: 0.001 }),
        Box::new(ApoZero { beta: 0.5 }),
        Box::new(ApoDown { beta: 0.5 }),
        Box::new(CalDpo { beta: 0.5 }),
        Box::new(Tpo { beta: 0.5, label_smoothing: 0.25, ..Tpo::default() }),
        Box::new(BradleyTerry { gap: RatingGap::Margin, centering: 0.01 }),
        Box::new(BradleyTerry { gap: RatingGap::Scale, centering: 0.01 }),
        Box::new(RewardTies { centering: 0.01, ..RewardTies::default() }),
        Box::new(RewardTies { model: TieModel::Davidson, ..RewardTies::default() }),
        Box::new(RewardRegression {}),
        Box::new(ProcessReward {}),
    ];
    for placement in [Placement::Inside, Placement::Outside] {
        all.push(Box::new(Dpop { beta: 0.5, lambda: 50.0, placement }));
    }
    all
}

#[test]
fn no_ratio_of_thousands_leaves_the_numbers() {
    fn check<T: Real>() {
        let ends = [0.0, -1e-8, -1.0, -1e3, -1e4];
        for (index, objective) in all::<T>().iter().enumerate() {
            for w in ends {
                for l in ends {
                    for reference in [[0.0, 0.0], [-1e3, -1e3], [-1e4, -1.0]] {
                        let [loss, by_chosen, by_rejected] = pair(objective.as_ref(), [w, l], reference).unwrap();
                        let fine = loss.is_finite() && by_chosen.is_finite() && by_rejected.is_finite();
                        assert!(fine, "{index}: {w} {l} {reference:?} in {}", T::NAME);
                    }
                }
            }
        }
    }
    check::<f64>();
    check::<f32>();
}

/// Log-ratios of chosen and rejected, loss, slopes at β = 0.5: no term may swallow the other, nor a tail become 0.
const NOISE: [[f64; 5]; 4] = [
    [1000.0, -1000.0, 250.0, 0.25, 1.781_144_101_685_321_4e-218],
    [-1000.0, -1000.0, 500.0, -0.5, 1.781_144_101_685_321_4e-218],
    [-1000.0, 1000.0, 750.0, -0.5, 0.25],
    [80.0, -80.0, 20.0, 0.25, 1.062_088_563_822_897_2e-18],
];

#[test]
fn noise_contrast_keeps_its_tails() {
    for [w, l, loss, by_chosen, by_rejected] in NOISE {
        let got = pair::<f64>(&NcaPair { beta: 0.5 }, [w, l], [0.0; 2]).unwrap();
        let narrow = pair::<f32>(&NcaPair { beta: 0.5 }, [w, l], [0.0; 2]).unwrap();
        for ((got, narrow), expected) in got.into_iter().zip(narrow).zip([loss, by_chosen, by_rejected]) {
            assert_wide(&format!("({w}, {l})"), got, expected);
            assert_narrow(&format!("({w}, {l})"), narrow, expected);
        }
    }
}

/// Other libraries form `1 - σ`: 0 from 37 on in f64, from 17 on in f32.
#[test]
fn an_anchored_loss_keeps_its_tails() {
    let tail = 4.248_354_255_291_589e-18; // σ(-40)
    let got = pair::<f64>(&ApoZero { beta: 1.0 }, [40.0, -41.0], [0.0; 2]).unwrap();
    assert_wide("loss", got[0], tail + 1.562_882_189_334_988_8e-18);
    assert_wide("slope", got[1], -tail);
    let got = pair::<f32>(&ApoZero { beta: 1.0 }, [40.0, -41.0], [0.0; 2]).unwrap();
    assert_narrow("slope", got[1], -tail);
    let got = pair::<f64>(&ApoDown { beta: 1.0 }, [-40.0, -80.0], [0.0; 2]).unwrap();
    assert_wide("loss", got[0], 2.0 * tail);
}

/// Log-probabilities of chosen and rejected, loss and slopes of the plain alignment term.
const ALIGNMENT: [[f64; 5]; 6] = [
    [0.0, -1.0, 0.458_675_145_387_081_9, -1.0, 0.581_976_706_869_326_5],
    [-1e-8, -1e-8, 18.420_680_758_952_37, -1.0, 99_999_999.5],
    [-1e-30, -1e-30, 69.077_552_789_821_37, -1.0, 1e30],
    [-1e4, -1e4, 1e4, -1.0, 0.0],
    [-INF, -1.0, INF, -1.0, 0.581_976_706_869_326_5],
    [-INF, -INF, INF, -1.0, 0.0],
];

#[test]
fn absolute_odds_hold_from_certainty_to_impossibility() {
    let asft = Asft { length: Length::Sum, ..Asft::default() };
    for [w, l, loss, by_chosen, by_rejected] in ALIGNMENT {
        let got = pair::<f64>(&asft, [w, l], [0.0; 2]).unwrap();
        let narrow = pair::<f32>(&asft, [w, l], [0.0; 2]).unwrap();
        for ((got, narrow), expected) in got.into_iter().zip(narrow).zip([loss, by_chosen, by_rejected]) {
            assert_wide(&format!("({w:e}, {l:e})"), got, expected);
            assert_narrow(&format!("({w:e}, {l:e})"), narrow, expected);
        }
    }
    assert!(pair::<f64>(&asft, [-1.0, 0.0], [0.0; 2]).unwrap_err().to_string().contains("is 0, allowed is < 0"));
}

/// Where the limit of a log-probability of -inf is one, and where its gradient is not finite.
#[test]
fn a_log_prob_of_minus_infinity_is_a_limit_or_named() {
    let finite: &[&dyn PairObjective<f64>] = &[
        &NcaPair::default(),
        &BcoPair::default(),
        &ApoZero::default(),
        &SimPer::default(),
        &Asft::default(),
        &Asft { beta: 2.0, ..Asft::default() },
        &Asft { beta: 0.5, ..Asft::default() },
    ];
    for &objective in finite {
        for policy in [[-INF, -1.0], [-1.0, -INF], [-INF, -INF]] {
            assert!(pair(objective, policy, [-1.0; 2]).is_ok(), "{policy:?}");
        }
    }
    let margins: &[&dyn PairObjective<f64>] = &[
        &ApoDown::default(),
        &Dpop::default(),
        &Dpop { placement: Placement::Outside, ..Dpop::default() },
        &Tpo::default(),
        &BradleyTerry::default(),
        &ProcessReward {},
    ];
    for &objective in margins {
        assert!(pair(objective, [-INF, -1.0], [-1.0; 2]).is_ok());
        assert!(pair(objective, [-1.0, -INF], [-1.0; 2]).is_ok());
        let message = pair(objective, [-INF, -INF], [-1.0; 2]).unwrap_err().to_string();
        assert!(message.starts_with("`policy.chosen`[0] is -inf"), "{message}");
    }
    let squares: &[&dyn PairObjective<f64>] =
        &[&SppoHard::default(), &SppoSoft::default(), &CalDpo::default(), &RewardRegression {}];
    for &objective in squares {
        let message = pair(objective, [-INF, -1.0], [-1.0; 2]).unwrap_err().to_string();
        assert_eq!(message, "`policy.chosen`[0] is -inf, allowed is finite");
    }
}

/// TRL's log-odds metrics of a certain response: NaN.
#[test]
fn log_odds_of_near_certainty_are_finite() {
    let (chosen, rejected) = ([-1e-12], [-1e-8]);
    let metrics =
        pair_metrics(PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) }), 1.0).unwrap();
    assert_wide("log-odds", metrics.log_odds, 9.210_340_376_975_683); // ln(1e-8 / 1e-12), less 5e-13
}
