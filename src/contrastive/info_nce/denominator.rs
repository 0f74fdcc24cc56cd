//! The loss of one positive and the sum over its negatives.

use super::Denominator;
use crate::{Result, check, math};

/// Loss and slopes at one sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) loss: f64,
    /// In the logit of the positive.
    pub(super) positive: f64,
    /// In the logarithm of the sum over the others.
    pub(super) others: f64,
    /// In the temperature, but for what comes through the logits.
    pub(super) temperature: f64,
}

impl Denominator {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Debiased { prior } => check::parameter("prior", prior, "[0, 1)", (0.0..1.0).contains(&prior)),
            _ => Ok(()),
        }
    }

    /// At the logit of the positive and the logarithm of the sum over the others, -inf where there are none.
    pub(super) fn at(self, positive: f64, others: f64, count: impl Fn() -> usize, temperature: f64) -> Outcome {
        match self {
            Self::All => coupled(positive, others),
            Self::Negatives => Outcome { loss: others - positive, positive: -1.0, others: 1.0, temperature: 0.0 },
            Self::Debiased { prior } => debiased(positive, others, prior, count() as f64, temperature),
        }
    }
}

/// `softplus(o - p)`, which keeps its digits where the positive has almost all.
fn coupled(positive: f64, others: f64) -> Outcome {
    let gap = others - positive;
    let slope = math::sigmoid::<f64, false>(gap);
    Outcome { loss: math::softplus::<f64, false>(gap), positive: -slope, others: slope, temperature: 0.0 }
}

fn debiased(positive: f64, others: f64, prior: f64, count: f64, temperature: f64) -> Outcome {
    if count == 0.0 {
        return coupled(positive, others);
    }
    // The share of hidden positives in the sum over the others.
    let hidden = count * prior * (positive - others).exp();
    let bound = count.ln() - temperature.recip();
    let sum = if hidden < 1.0 { others + (-hidden).ln_1p() - (-prior).ln_1p() } else { f64::NEG_INFINITY };
    if sum <= bound {
        let loss = coupled(positive, bound);
        return Outcome { others: 0.0, temperature: loss.others / (temperature * temperature), ..loss };
    }
    let loss = coupled(positive, sum);
    let (own, of_positive) = ((1.0 - hidden).recip(), -hidden / (1.0 - hidden));
    Outcome { positive: loss.positive + loss.others * of_positive, others: loss.others * own, ..loss }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Denominator; 4] = [
        Denominator::All,
        Denominator::Negatives,
        Denominator::Debiased { prior: 0.1 },
        Denominator::Debiased { prior: 0.0 },
    ];

    #[test]
    fn slopes_are_the_central_difference() {
        for denominator in ALL {
            for (positive, others) in [(1.0, 2.5), (-0.3, 3.0), (2.0, -1.0), (0.2, 0.3)] {
                let at = |p: f64, o: f64, t: f64| denominator.at(p, o, || 5, t);
                let found = at(positive, others, 0.7);
                let step = 1e-6;
                let difference = |up: Outcome, down: Outcome| (up.loss - down.loss) / (2.0 * step);
                let expected = [
                    difference(at(positive + step, others, 0.7), at(positive - step, others, 0.7)),
                    difference(at(positive, others + step, 0.7), at(positive, others - step, 0.7)),
                    difference(at(positive, others, 0.7 + step), at(positive, others, 0.7 - step)),
                ];
                for (got, expected) in [found.positive, found.others, found.temperature].into_iter().zip(expected) {
                    assert!(
                        (got - expected).abs() < 1e-8,
                        "{denominator:?} at {positive}, {others}: {got}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_hidden_positives_nothing_is_taken_off() {
        let plain = Denominator::All.at(0.4, 1.9, || 3, 0.5);
        assert_eq!(Denominator::Debiased { prior: 0.0 }.at(0.4, 1.9, || 3, 0.5), plain);
    }

    #[test]
    fn a_positive_without_others_costs_nothing() {
        for denominator in [Denominator::All, Denominator::Debiased { prior: 0.1 }] {
            let found = denominator.at(-3.0, f64::NEG_INFINITY, || 0, 0.5);
            assert_eq!((found.loss, found.positive, found.others), (0.0, -0.0, 0.0));
        }
    }

    #[test]
    fn more_hidden_positives_than_there_is_sum_meet_the_bound() {
        // ln 4 - 1/0.5 against a positive of 2: softplus(ln 4 - 4).
        let found = Denominator::Debiased { prior: 0.5 }.at(2.0, 1.0, || 4, 0.5);
        let (gap, hard) = (4.0_f64.ln() - 4.0, found.others);
        assert!((found.loss - gap.exp().ln_1p()).abs() < 1e-15 && hard == 0.0);
    }
}
