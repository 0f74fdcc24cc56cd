//! Functions of the margin, where peers fail and where log-probabilities end.

use loglik::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, ExoPair, FlexDpo, Hinge, Length, Odpo,
    PairBatch, PairObjective, Pairs, Poft, Pso, RDpo, RaoKupper, Rebel, RewardAwareRpo, RewardDistance, RewardGap,
    RobustDpo, SigmoidNorm, SimPo, Slic, SoftDpo,
};
use loglik::{Real, Reduction, Result};
use ndarray::aview1;

use super::{LN_2, assert_narrow, assert_wide};

/// Loss and slopes of one pair against a reference: everything else is 1, rewards 1 and 0, the label ½.
fn pair<T: Real>(objective: &dyn PairObjective<T>, policy: [f64; 2], reference: [f64; 2]) -> Result<[T; 3]> {
    let (policy, reference) = (policy.map(|x| [T::from_f64(x)]), reference.map(|x| [T::from_f64(x)]));
    let (zero, half, one) = ([T::zero()], [T::from_f64(0.5)], [T::one()]);
    let batch = PairBatch::new(Pairs { chosen: aview1(&policy[0]), rejected: aview1(&policy[1]) })
        .reference(Pairs { chosen: aview1(&reference[0]), rejected: aview1(&reference[1]) })
        .lengths(Pairs { chosen: aview1(&one), rejected: aview1(&one) })
        .rewards(Pairs { chosen: aview1(&one), rejected: aview1(&zero) })
        .offset(aview1(&half))
        .soft_label(aview1(&half))
        .tie_probability(aview1(&half))
        .rating_gap(aview1(&half));
    let (loss, slope) = objective.grad(batch, Reduction::Mean)?;
    assert_eq!(objective.value(batch, Reduction::Mean)?, loss);
    Ok([loss, slope.chosen[0], slope.rejected[0]])
}

/// All of them, smoothed just short of one half where they can be.
fn all<T: Real>() -> Vec<Box<dyn PairObjective<T>>> {
    const NEAR_HALF: f64 = 0.499_999_9;
    let reward_aware = |distance| RewardAwareRpo { beta: 0.5, eta: 1.0, distance, length: Length::Sum };
    let mut all: Vec<Box<dyn PairObjective<T>>> = vec![
        Box::new(Hinge { beta: 0.5 }),
        Box::new(Slic { delta: 1.0, length: Length::Sum }),
        Box::new(DiscoPop { beta: 0.5, tau: 0.05 }),
        Box::new(CpoHinge { beta: 0.5, length: Length::Sum }),
        Box::new(CpoIpo { beta: 0.5, length: Length::Sum }),
        Box::new(Odpo { beta: 0.5, alpha: 1.0, gap: RewardGap::Log }),
        Box::new(FlexDpo { beta_chosen: 0.5, beta_rejected: 0.125 }),
        Box::new(ChiPo { beta: 0.5, clip: 10.0 }),
        Box::new(Rebel { eta: 1.0 }),
        Box::new(SoftDpo { beta: 0.5 }),
        Box::new(reward_aware(RewardDistance::BackwardKl)),
        Box::new(reward_aware(RewardDistance::ForwardKl)),
        Box::new(reward_aware(RewardDistance::Squared)),
        Box::new(RaoKupper { beta: 0.5, nu: 3.0 }),
        Box::new(Davidson { beta: 0.5, nu: 3.0 }),
        Box::new(Poft { beta: 0.5, gamma: 0.0 }),
        Box::new(DiffusionDpo { beta: 0.5 }),
        Box::new(Pso { beta: 50.0, epsilon: 0.1, length: Length::Sum }),
        Box::new(AlphaPo { alpha: -0.5, beta: 0.5, gamma: 0.5, label_smoothing: NEAR_HALF }),
    ];
    for label_smoothing in [0.0, NEAR_HALF] {
        all.push(Box::new(RobustDpo { beta: 0.5, label_smoothing }));
        all.push(Box::new(ExoPair { beta: 0.5, label_smoothing: label_smoothing.max(1e-12) }));
        all.push(Box::new(SigmoidNorm { beta: 0.5, label_smoothing }));
        all.push(Box::new(Cpo { beta: 0.5, label_smoothing, length: Length::Mean }));
        all.push(Box::new(SimPo { beta: 0.5, gamma: 0.5, label_smoothing }));
        all.push(Box::new(RDpo { beta: 0.5, alpha: 0.1, label_smoothing }));
    }
    all
}

/// Log-probabilities from certainty to 1e-4343, and log-ratios of a thousand nats, in both types.
#[test]
fn no_finite_margin_is_too_much() {
    let ends = [0.0, -1e-8, -1.0, -1e3, -1e4];
    let corners = ends.iter().flat_map(|&chosen| ends.map(|rejected| [chosen, rejected]));
    for policy in corners {
        for reference in [[0.0, 0.0], [-1e3, 0.0], [0.0, -1e3], policy] {
            for (i, (wide, narrow)) in all::<f64>().into_iter().zip(all::<f32>()).enumerate() {
                let what = format!("objective {i} at {policy:?}, {reference:?}");
                let wide = pair(&*wide, policy, reference).unwrap_or_else(|error| panic!("{what}: {error}"));
                let narrow = pair(&*narrow, policy, reference).unwrap_or_else(|error| panic!("{what}: {error}"));
                for (wide, narrow) in wide.into_iter().zip(narrow) {
                    let error = (f64::from(narrow) - wide).abs();
                    assert!(error <= 2e-3 * wide.abs() + 2e-4, "{what}: {narrow:e} in f32, {wide:e} in f64");
                }
            }
        }
    }
}

/// TRL, Liger: NaN.
#[test]
fn modulation_holds_at_a_margin_of_minus_two_thousand() {
    let disco = DiscoPop { beta: 0.1, tau: 0.05 };
    let [loss, chosen, rejected] = pair::<f32>(&disco, [-2000.0, 0.0], [0.0, 0.0]).unwrap();
    assert_narrow("slope of the chosen", chosen, -0.1);
    assert_narrow("slope of the rejected", rejected, 0.1);
    assert_narrow("loss", loss, 200.05); // with the offset of ½ nat
}

/// TRL: infinite losses and gradients.
#[test]
fn label_smoothing_at_its_ends_is_refused() {
    let message =
        |objective: &dyn PairObjective<f64>| pair(objective, [-1.0, -2.0], [0.0, 0.0]).unwrap_err().to_string();
    let exo = ExoPair { beta: 0.1, label_smoothing: 0.0 };
    assert_eq!(message(&exo), "`label_smoothing` is 0, allowed is (0, 0.5)");
    let robust = RobustDpo { beta: 0.1, label_smoothing: 0.5 };
    assert_eq!(message(&robust), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
}

/// TRL: NaN. The larger power is 2.7e43, which `f32` cannot hold.
#[test]
fn a_reward_of_forty_three_digits_is_a_number_or_an_overflow() {
    let alpha = AlphaPo { alpha: 0.25, beta: 0.1, gamma: 0.5, label_smoothing: 0.0 };
    let [loss, chosen, _] = pair::<f64>(&alpha, [-400.0, -1.0], [0.0, 0.0]).unwrap();
    let power = 100.0_f64.exp();
    assert!((loss / (0.4 * power) - 1.0).abs() < 1e-13 && (chosen / (-0.1 * power) - 1.0).abs() < 1e-13);
    let message = pair::<f32>(&alpha, [-400.0, -1.0], [0.0, 0.0]).unwrap_err().to_string();
    assert_eq!(message, "the result at `policy.chosen`[0] overflows f32");
    assert_eq!(pair::<f32>(&alpha, [-1.0, -400.0], [0.0, 0.0]).unwrap(), [0.0, 0.0, 0.0]);
}

#[test]
fn a_square_of_margins_is_exact_to_the_largest() {
    let rebel = Rebel { eta: 0.5 };
    assert_eq!(pair::<f64>(&rebel, [1000.5, 0.0], [0.0, 0.0]).unwrap(), [4e6, 8000.0, -8000.0]);
    let [loss, ..] = pair::<f64>(&Poft { beta: 1.0, gamma: 0.0 }, [-7.0, -1.0], [-7.0, 0.0]).unwrap();
    assert_wide("loss of agreement", loss, LN_2);
}
