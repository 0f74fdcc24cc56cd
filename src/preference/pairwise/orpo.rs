//! Odds-ratio preference optimization (ORPO): the odds-ratio term.

use crate::error::Error;
use crate::preference::{Length, Needs, PairLoss, Pairs, Row, odds};
use crate::{Real, Result, check, math};

/// Odds ratio preference optimization (ORPO), its odds-ratio term: `λ` times the logistic loss of the log-odds by which
/// the chosen response is likelier than the rejected one.
///
/// ```math
/// L_i = \lambda\operatorname{softplus}\big(\operatorname{logit}(p_i^l) - \operatorname{logit}(p_i^w)\big), \qquad
/// \log p_i = \frac{\log\pi_i}{n_i}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]; `p` is then the geometric mean of the token probabilities), or
/// 1 ([`Length::Sum`]: the log-probabilities are used as given). No reference. The gradient is with respect to what was
/// given, that is, to the sums. The whole ORPO objective is this term and the [`Nll`](crate::preference::Nll) of the
/// chosen response in a [`WeightedSum`](crate::preference::WeightedSum).
///
/// No clamp and no ε: the log-odds `o` are formed from `ln(1 - p)` without cancellation, and the gradient
/// `-λ σ(o) / (1 - p_w)`, which is 0 · ∞ towards `p_w = 1`, as `-λ σ(-o) (p_l / p_w) / (1 - p_l)` where `o < 0`.
/// Log-probabilities of -1e-30 and of -800 lose no accuracy.
///
/// `L >= 0`, and `λ ln 2` where the two are equally likely. A chosen response of probability 1 is the exact limit (loss
/// 0, gradient minus λ times the odds of the rejected one); one of probability 0 gives +inf with gradient `-λ/n`. Towards
/// `p_l = 1` the gradient grows without bound; there it is an error.
///
/// # Errors
///
/// `lambda` out of range; a batch without lengths, for [`Length::Mean`]; a log-probability above 0; a rejected one of
/// exactly 0; both of -inf.
///
/// # Examples
///
/// The whole objective, with the NLL per token of the response:
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Nll;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let odds = Orpo::default();
/// assert!((odds.value(batch, Reduction::Mean)? - 0.073_850_072).abs() < 1e-9);
///
/// let whole = WeightedSum {
///     terms: vec![
///         Term { weight: 1.0, objective: PairConfig::Nll(Nll { length: Length::Mean }) },
///         Term { weight: 1.0, objective: PairConfig::Orpo(odds) },
///     ],
/// };
/// assert!((whole.value(batch, Reduction::Mean)? - 1.323_850_072).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hong, Lee and Thorne, EMNLP 2024, eq. 6 and 7, [arXiv:2403.07691](https://arxiv.org/abs/2403.07691).
#[doc(alias = "odds ratio")]
#[doc(alias = "log odds ratio")]
#[doc(alias = "odds ratio preference optimization")]
#[doc(alias = "odds-ratio preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Orpo {
    /// Weight of the term, `> 0`. Default 0.1 (the paper; TRL and LLaMA-Factory call it beta).
    pub lambda: f64,
    /// What the odds are of. Default [`Length::Mean`] (the paper, TRL).
    pub length: Length,
}

impl Default for Orpo {
    fn default() -> Self {
        Self { lambda: 0.1, length: Length::Mean }
    }
}

impl PairLoss for Orpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("lambda", self.lambda)?;
        Ok(Needs { lengths: self.length == Length::Mean, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let lambda = T::from_f64(self.lambda);
        let (w, l) = (row.policy.chosen, row.policy.rejected);
        let (n, k) = (row.lengths.chosen, row.lengths.rejected);
        match self.length {
            Length::Sum => {
                let (loss, slope) = odds_ratio::<T, FMA>(w, l);
                (lambda * loss, slope.map(|slope| lambda * slope))
            }
            Length::Mean => {
                let (loss, slope) = odds_ratio::<T, FMA>(w / n, l / k);
                (lambda * loss, Pairs { chosen: lambda * slope.chosen / n, rejected: lambda * slope.rejected / k })
            }
        }
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        odds::explain(row, position)
    }
}

/// `softplus(logit l - logit w)` of two log-probabilities, and its derivatives.
#[inline(always)]
fn odds_ratio<T: Real, const FMA: bool>(w: T, l: T) -> (T, Pairs<T>) {
    let (steep_w, steep_l) = (math::log_odds_slope::<T, FMA>(w), math::log_odds_slope::<T, FMA>(l));
    let log_odds = (l - w) + (math::log1mexp::<T, FMA>(w) - math::log1mexp::<T, FMA>(l));
    // σ(log_odds) / (1 - p_w) is 0 · inf towards p_w = 1. Where w is likelier, the same in terms that stay finite:
    let against = if log_odds < T::zero() { math::exp::<T, FMA>(l - w) * steep_l } else { steep_w };
    let slope = Pairs {
        chosen: -(math::sigmoid::<T, FMA>(log_odds.abs()) * against),
        rejected: math::sigmoid::<T, FMA>(log_odds) * steep_l,
    };
    (math::softplus::<T, FMA>(log_odds), slope)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::aview1;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, one, pair};
    use crate::preference::{PairBatch, PairObjective};
    use crate::testing::close;

    const PLAIN: Orpo = Orpo { lambda: 1.0, length: Length::Sum };

    /// Log-probabilities of chosen and rejected, loss, both derivatives: scripts/pair_reference.py.
    const EXACT: [(f64, f64, f64, f64, f64); 12] = [
        (-1e-12, -1.0, 5.819_767_068_694_48e-13, -0.581_976_706_869_569_7, 9.206_735_942_077_168e-13),
        (-1.0, -1e-12, 28.172_345_970_541_55, -1.581_976_706_868_405_9, 999999999999.918_1),
        (-1e-12, -1e-12, LN_2, -5.000_000_000_002_5e11, 5.000_000_000_002_5e11),
        (-800.0, -1.0, 799.458_675_145_387_1, -1.0, 1.581_976_706_869_326_5),
        (-800.0, -801.0, 0.313_261_687_518_222_8, -0.268_941_421_369_995_1, 0.268_941_421_369_995_1),
        (-1e-30, -800.0, 0.0, -0.0, 0.0), // 3.7e-378 and less
        (-1e-30, -1e-30, LN_2, -5e29, 5e29),
        (-1e-30, -1e-29, 0.095_310_179_804_324_88, -9.090_909_090_909_092e28, 9.090_909_090_909_093e27),
        (-1e4, -9999.0, 1.313_261_687_518_222_8, -0.731_058_578_630_004_9, 0.731_058_578_630_004_9),
        (-0.1, -5.0, 0.000_713_188_834_777_386_1, -0.007_491_753_180_238_185, 0.000_717_770_878_203_599_7),
        (-1.25, -1.1875, 0.738_500_723_408_328_1, -0.731_848_259_038_537_5, 0.751_305_433_509_654_6),
        (-0.7, -0.7, LN_2, -0.993_216_931_817_231_7, 0.993_216_931_817_231_7),
    ];

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        for (w, l, loss, chosen, rejected) in EXACT {
            for (tolerance, (a, b, c)) in [
                (1e-13, pair::<f64>(&PLAIN, one(&[w, l], &[0.0], &[1.0]))),
                (2e-5, pair::<f32>(&PLAIN, one(&[w as f32, l as f32], &[0.0], &[1.0]))),
            ] {
                close(a, loss, tolerance);
                close(b, chosen, tolerance);
                close(c, rejected, tolerance);
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Orpo::default());
        agrees_with_differences(&Orpo { lambda: 2.0, length: Length::Sum });
    }

    #[test]
    fn swapping_the_answers_adds_the_log_odds() {
        let sample = Sample::<f64>::of(100);
        let swapped = Pairs { chosen: sample.policy.rejected.view(), rejected: sample.policy.chosen.view() };
        let losses = PLAIN.each(sample.batch()).unwrap();
        let others = PLAIN.each(PairBatch::new(swapped)).unwrap();
        let odds = |x: f64| x - (-x.exp()).ln_1p();
        for i in 0..100 {
            let log_odds = odds(sample.policy.chosen[i]) - odds(sample.policy.rejected[i]);
            assert!((others[i] - losses[i] - log_odds).abs() < 1e-12 * (1.0 + log_odds.abs()));
        }
    }

    #[test]
    fn means_are_sums_over_lengths_and_their_gradient_goes_to_the_sums() {
        let given = one(&[-12.0_f64, -30.0], &[0.0], &[8.0]);
        let averaged = one(&[-1.5_f64, -3.75], &[0.0], &[1.0]);
        let (mean, sum) = (Orpo { length: Length::Mean, ..PLAIN }, PLAIN);
        let (a, b) = (pair(&mean, given), pair(&sum, averaged));
        assert_eq!(a, (b.0, b.1 / 8.0, b.2 / 8.0));
    }

    #[test]
    fn certainty_and_impossibility_of_the_chosen_response_are_exact_limits() {
        let (loss, chosen, rejected) = pair::<f64>(&PLAIN, one(&[0.0, -1.0], &[0.0], &[1.0]));
        assert_eq!((loss, rejected), (0.0, 0.0));
        close(chosen, -0.581_976_706_869_326_5, 1e-15);
        let inf = f64::INFINITY;
        let (loss, chosen, rejected) = pair::<f64>(&PLAIN, one(&[-inf, -1.0], &[0.0], &[1.0]));
        assert_eq!((loss, chosen), (inf, -1.0));
        close(rejected, 1.581_976_706_869_326_5, 1e-15);
        assert_eq!(pair::<f64>(&PLAIN, one(&[-1.0, -inf], &[0.0], &[1.0])), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_is_no_log_probability_is_named() {
        let message = |w: f64, l: f64| {
            let (chosen, rejected) = ([-1.0, w], [-2.0, l]);
            let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) });
            PLAIN.grad(batch, Reduction::Mean).unwrap_err().to_string()
        };
        assert_eq!(message(0.5, -1.0), "`policy.chosen`[1] is 0.5, allowed is <= 0");
        assert_eq!(message(-0.5, 1e-300), format!("`policy.rejected`[1] is {}, allowed is <= 0", 1e-300));
        assert_eq!(message(-0.5, 0.0), "`policy.rejected`[1] is 0, allowed is < 0");
        assert_eq!(message(0.0, 0.0), "`policy.rejected`[1] is 0, allowed is < 0");
        let inf = f64::INFINITY;
        let both = "`policy.chosen`[1] is -inf, allowed is finite where another log-probability of its pair is -inf";
        assert_eq!(message(-inf, -inf), both);
        assert_eq!(message(-1.0, -1e-320), "the result at `policy.rejected`[1] overflows f64");
    }
}
