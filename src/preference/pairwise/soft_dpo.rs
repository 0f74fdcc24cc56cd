//! DPO with soft labels: a probability in place of a choice.

use crate::error::Error;
use crate::preference::logistic::{labeled, scaled};
use crate::preference::{Label, LabelUse, LabeledLoss, Needs, Row, probability};
use crate::{Real, Result, check};

/// Direct preference optimization (DPO) with soft labels: the cross-entropy between the probability that a judge or an
/// ensemble gives the chosen response, and the policy's preference.
///
/// ```math
/// L_i = p_i\operatorname{softplus}(-\beta\, m_i) + (1-p_i)\operatorname{softplus}(\beta\, m_i)
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums, and `p` the batch's soft label: the
/// probability that the first response is the better one, below 1/2 too. `p = 1` is DPO, `p = 1 - ε` for all pairs DPO
/// with `label_smoothing` ε (conservative DPO). Least, and equal to the entropy of `p`, at `m = logit(p)/β`; without
/// that constant it is [`RewardDistance::BackwardKl`](crate::preference::RewardDistance).
///
/// A response of log-probability -inf gives +inf with the gradient of the limit, and where `p` rules the other one out, 0.
///
/// # Errors
///
/// `beta` out of range; a batch without reference or soft label; a soft label outside `[0, 1]`; both sides of a pair at
/// -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SoftDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .soft_label(aview1(&[0.9]));
/// let loss = SoftDpo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.645_099_035).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Mitchell, A note on DPO with noisy preferences and relationship to IPO, 2023; Sun et al., 2025,
/// [arXiv:2502.00203](https://arxiv.org/abs/2502.00203).
#[doc(alias = "soft labels")]
#[doc(alias = "soft-label DPO")]
#[doc(alias = "cDPO")]
#[doc(alias = "conservative DPO")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SoftDpo {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1, that of [`Dpo`](crate::preference::Dpo).
    pub beta: f64,
}

impl Default for SoftDpo {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl LabeledLoss for SoftDpo {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, label: LabelUse::Required(Label::SoftLabel), ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let (beta, label) = (T::from_f64(self.beta), probability::or_nan(pair.label));
        scaled(beta, labeled::<T, FMA>(beta * margin, label, T::one() - label))
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        probability::explain(Label::SoftLabel, row, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, at, is_exact, ratios, refusal, slopes_agree_with_differences};
    use crate::preference::{Dpo, PairObjective};
    use crate::testing::close;

    fn labeled(margin: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &SoftDpo { beta: 0.5 },
            &[
                (labeled(1.5, 0.75), [0.574_371_006_114_899_9, -0.035_410_650_412_303_51, 0.035_410_650_412_303_51]),
                (labeled(1.5, 0.0), [1.136_871_006_114_899_9, 0.339_589_349_587_696_5, -0.339_589_349_587_696_5]),
                (labeled(-40.0, 0.25), [5.000_000_002_061_154, -0.124_999_998_969_423_2, 0.124_999_998_969_423_2]),
                (labeled(1000.0, 0.75), [125.0, 0.125, -0.125]),
                (labeled(-1000.0, 0.75), [375.0, -0.375, 0.375]),
                (
                    labeled(80.0, 1.0),
                    [4.248_354_255_291_589e-18, -2.124_177_127_645_794_4e-18, 2.124_177_127_645_794_4e-18],
                ),
                (labeled(80.0, 0.0), [40.0, 0.5, -0.5]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [labeled(1.5, 0.0), labeled(1.5, 0.75), labeled(-20.0, 0.25), labeled(3.0, 1.0)];
        slopes_agree_with_differences(&SoftDpo { beta: 0.3 }, &rows);
    }

    #[test]
    fn certain_and_smoothed_labels_are_dpo() {
        for margin in [-40.0, -1.0, 0.0, 7.0] {
            assert_eq!(
                at::<f64>(&SoftDpo::default(), labeled(margin, 1.0)),
                at::<f64>(&Dpo::default(), ratios(margin, 0.0))
            );
            let smooth = Dpo { label_smoothing: 0.25, ..Dpo::default() };
            let (soft, smooth) = (labeled(margin, 0.75), at::<f64>(&smooth, ratios(margin, 0.0)).unwrap());
            for (got, expected) in at::<f64>(&SoftDpo::default(), soft).unwrap().into_iter().zip(smooth) {
                close(got, expected, 2e-15);
            }
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (inf, soft) = (f64::INFINITY, SoftDpo { beta: 0.5 });
        assert_eq!(at::<f64>(&soft, labeled(-inf, 0.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&soft, labeled(-inf, 0.25)), Ok([inf, -0.125, 0.125]));
    }

    #[test]
    fn a_label_that_is_no_probability_is_named() {
        for (label, shown) in [(1.5, "1.5"), (-1e-9, "-0.000000001")] {
            let message = refusal(&SoftDpo::default(), labeled(0.0, label));
            assert_eq!(message, format!("`soft_label`[0] is {shown}, allowed is [0, 1]"));
        }
        let sample = Sample::<f64>::of(2);
        let error = SoftDpo::default().value(sample.batch(), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "SoftDpo needs `soft_label`");
        assert_eq!(refusal(&SoftDpo { beta: 0.0 }, labeled(0.0, 0.5)), "`beta` is 0, allowed is finite and > 0");
    }
}
