//! Functions of the whole batch and scores of other divergences, where numbers are far away.

use loglik::Reduction;
use loglik::preference::{
    AlphaDpo, AlphaLink, Aot, AotUnpaired, Baseline, BetaDpo, Dpo, DrDpo, ForwardKlLink, KtoPair, Linked,
    MarginMoments, PairBatch, PairObjective, Pairs, Sft,
};
use ndarray::{Array1, array};

use super::{INF, LN_2, assert_wide};

/// Log-probabilities from certainty to impossibility, with their reference at -1.
const FAR: [f64; 6] = [0.0, -1e-8, -1.0, -1e3, -1e4, -INF];

fn objectives() -> Vec<(&'static str, Box<dyn PairObjective<f64>>)> {
    vec![
        ("aot", Box::new(Aot::default())),
        ("aot unpaired", Box::new(AotUnpaired::default())),
        ("dr", Box::new(DrDpo::default())),
        ("beta", Box::new(BetaDpo::default())),
        (
            "alpha",
            Box::new(AlphaDpo {
                beta: 2.5,
                gamma: 1.0,
                alpha: 0.1,
                label_smoothing: 0.0,
                usual: MarginMoments::default(),
            }),
        ),
        ("kto", Box::new(KtoPair { beta: 0.1, baseline: Baseline::Differentiated })),
        ("sft", Box::new(Sft)),
    ]
}

#[test]
fn whole_batches_of_far_numbers_give_an_answer_or_a_name() {
    let ones = Array1::ones(2);
    let lengths = Pairs { chosen: ones.view(), rejected: ones.view() };
    for a in FAR {
        for b in FAR {
            let (chosen, rejected, reference) = (array![a, -2.0], array![-3.0, b], array![-1.0, -1.0]);
            let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
                .reference(Pairs { chosen: reference.view(), rejected: reference.view() })
                .lengths(lengths);
            for (name, objective) in objectives() {
                match objective.grad(batch, Reduction::Mean) {
                    Ok((loss, slope)) => {
                        assert!(!loss.is_nan(), "{name} of {a} and {b}");
                        assert!(
                            slope.chosen.iter().chain(&slope.rejected).all(|x| x.is_finite()),
                            "{name} of {a}, {b}"
                        );
                    }
                    Err(error) => assert!(error.to_string().contains("is -inf"), "{name} of {a} and {b}: {error}"),
                }
            }
        }
    }
}

/// Ratios of a thousand, of one sign and of both, sorted.
#[test]
fn sorted_ratios_of_thousands_keep_loss_and_slope() {
    let (chosen, rejected, zero) = (array![1000.0, -1000.0], array![-1000.0, 1000.0], array![0.0, 0.0]);
    let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
        .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
    let (loss, slope) = Aot { beta: 0.5, label_smoothing: 0.0 }.grad(batch, Reduction::Sum).unwrap();
    assert_wide("loss", loss, 1000.0); // 0.5 times the smaller margin, -2000; the larger one adds nothing
    assert_eq!(slope.chosen, array![0.0, -0.5]);
    let (loss, slope) = AotUnpaired { beta: 0.5, label_smoothing: 0.0 }.grad(batch, Reduction::Sum).unwrap();
    assert_wide("loss", loss, 2.0 * LN_2); // both sides hold the same ratios
    assert_eq!(slope.rejected, array![0.25, 0.25]);
}

#[test]
fn scores_of_far_ratios_are_limits_or_overflow() {
    let pair = |objective: &dyn PairObjective<f64>, chosen: f64, rejected: f64| {
        let (chosen, rejected, zero) = (array![chosen], array![rejected], array![0.0]);
        let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
            .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        objective.grad(batch, Reduction::Mean).map(|(loss, slope)| [loss, slope.chosen[0], slope.rejected[0]])
    };
    let loss = Dpo { beta: 1.0, label_smoothing: 0.0 };
    let forward = Linked { loss, link: ForwardKlLink };
    assert_eq!(pair(&forward, 1000.0, -1000.0).unwrap(), [0.0, 0.0, 0.0]);
    let [loss_of_far, by_chosen, by_rejected] = pair(&forward, 1000.0, 0.0).unwrap(); // the score saturates at 1
    assert_wide("loss", loss_of_far, 0.313_261_687_518_222_8);
    assert_eq!(by_chosen, 0.0);
    assert_wide("slope", by_rejected, 0.268_941_421_369_995_1);
    assert!(pair(&forward, -1000.0, 0.0).unwrap_err().to_string().contains("overflows f64"));
    // Above 1 the roles of the sides change.
    let above = Linked { loss, link: AlphaLink { alpha: 2.0 } };
    assert!(pair(&above, 0.0, 1000.0).unwrap_err().to_string().contains("overflows f64"));
    assert_eq!(pair(&above, 1000.0, 0.0).unwrap(), [0.0, 0.0, 0.0]);
    let [far, by_chosen, _] = pair(&above, -1000.0, 0.0).unwrap(); // the score ends at -1
    assert_wide("loss", far, 1.313_261_687_518_222_8);
    assert_eq!(by_chosen, 0.0);
}

/// A soft minimum of losses whose exponentials underflow: log-sum-exp of the plain powers is -inf.
#[test]
fn a_soft_minimum_of_large_losses_is_one_of_their_differences() {
    let (chosen, zero) = (array![-10_000.0, -10_001.0], array![0.0, 0.0]);
    let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: zero.view() })
        .reference(Pairs { chosen: zero.view(), rejected: zero.view() });
    let loss = Dpo { beta: 1.0, label_smoothing: 0.0 };
    let (value, slope) = DrDpo { loss, beta_prime: 1.0 }.grad(batch, Reduction::Mean).unwrap();
    assert_wide("loss", value, 10_000.0 - (0.5 * (1.0 + (-1.0_f64).exp())).ln());
    assert_wide("share of the better pair", -slope.chosen[0], 0.731_058_578_630_004_9);
}
