//! Direct preference optimization (DPO).

use crate::preference::MarginLoss;
use crate::preference::logistic::{scaled, smoothed};
use crate::{Real, Result, check};

/// Direct preference optimization (DPO): the logistic loss of the margin by which the policy prefers the chosen
/// response more than the reference does.
///
/// ```math
/// L_i = \operatorname{softplus}(-\beta\, m_i), \qquad
/// m_i = (\log\pi_i^w - \log\rho_i^w) - (\log\pi_i^l - \log\rho_i^l)
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response. Log-probabilities are of whole
/// responses, summed over their tokens, in nats. The batch's offset, where it has one, is in nats and is subtracted
/// from `m` (before `β`). It is `sigmoid` in TRL. InfoNCA of a pair is this loss too.
///
/// `L >= 0`; it is `ln 2` where the two models agree and falls as the margin grows. Good to 4 ulp at the rounded `-βm`;
/// nothing overflows for any finite margin. With `label_smoothing` ε it is the conservative form
/// `(1-ε) softplus(-βm) + ε softplus(βm)`, least at `m = logit(1-ε)/β`.
///
/// A response of log-probability -inf is the exact limit: chosen, the loss is +inf and the gradient -β; rejected, both
/// are 0 (with smoothing +inf and βε).
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64, -9.0]), rejected: aview1(&[-5.0, -9.0]) })
///     .reference(Pairs { chosen: aview1(&[-4.0, -8.0]), rejected: aview1(&[-4.0, -8.0]) });
/// let loss = Dpo { beta: 0.5, ..Dpo::default() }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.503_204_434).abs() < 1e-9); // mean of softplus(-1) and ln 2
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Rafailov et al., NeurIPS 2023, eq. 7, [arXiv:2305.18290](https://arxiv.org/abs/2305.18290). Smoothing: Mitchell, A
/// note on DPO with noisy preferences and relationship to IPO, 2023.
#[doc(alias = "direct preference optimization")]
#[doc(alias = "sigmoid")]
#[doc(alias = "cDPO")]
#[doc(alias = "conservative DPO")]
#[doc(alias = "label smoothing")]
#[doc(alias = "InfoNCA")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Dpo {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger).
    pub beta: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    pub label_smoothing: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0 }
    }
}

impl MarginLoss for Dpo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, smoothed::<T, FMA>(beta * margin, self.label_smoothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, one, pair};
    use crate::preference::{PairBatch, PairObjective, Pairs};
    use crate::testing::close;

    /// `beta`, `label_smoothing`, margin, loss, slope: scripts/pair_reference.py.
    const EXACT: [(f64, f64, f64, f64, f64); 10] = [
        (0.1, 0.0, 1.25, 0.632_599_035_317_169_1, -0.046_879_062_662_624_38),
        (0.1, 0.1, 1.25, 0.645_099_035_317_169_1, -0.036_879_062_662_624_376),
        (0.5, 0.0, -3.0, 1.701_413_277_982_752_4, -0.408_787_238_096_821_8),
        (0.1, 0.0, 1000.0, 3.720_075_976_020_815e-44, -3.720_075_976_020_816e-45),
        (0.1, 0.0, -1000.0, 100.000_000_000_000_01, -0.1),
        (0.1, 0.1, 1000.0, 10.000_000_000_000_002, 0.01),
        (0.1, 0.1, -1000.0, 90.0, -0.09),
        (0.1, 0.0, 7000.0, 9.859_676_543_759_388e-305, -9.859_676_543_759_388e-306),
        (2.0, 0.25, 0.001, 0.692_647_680_559_862, -0.499_000_000_333_333_2),
        (0.05, 0.4, 30.0, 0.801_413_277_982_752_4, 0.010_878_723_809_682_186),
    ];

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        for (beta, label_smoothing, margin, loss, slope) in EXACT {
            let dpo = Dpo { beta, label_smoothing };
            let (l, w, r) = pair::<f64>(&dpo, one(&[margin - 3.0, -3.0], &[-5.0], &[1.0]));
            close(l, loss, 2e-13);
            close(w, slope, 2e-13);
            assert_eq!(r, -w);
            if loss > 1e-30 {
                let (margin, rest) = (margin as f32, -3.0);
                let (l, w, _) = pair::<f32>(&dpo, one(&[margin + rest, rest], &[-5.0], &[1.0]));
                close(l, loss, 2e-6);
                close(w, slope, 2e-6);
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Dpo::default());
        agrees_with_differences(&Dpo { beta: 0.3, label_smoothing: 0.2 });
    }

    #[test]
    fn swapping_the_answers_adds_beta_times_the_mean_margin() {
        let sample = Sample::<f64>::of(1000);
        let swap = |p: &Pairs<ndarray::Array1<f64>>| Pairs { chosen: p.rejected.clone(), rejected: p.chosen.clone() };
        let (policy, reference) = (swap(&sample.policy), swap(&sample.reference));
        let dpo = Dpo { beta: 0.2, label_smoothing: 0.0 };
        let loss = dpo.value(sample.batch(), Reduction::Mean).unwrap();
        let swapped = PairBatch::new(policy.view()).reference(reference.view());
        let margins =
            (&sample.policy.chosen - &sample.reference.chosen) - (&sample.policy.rejected - &sample.reference.rejected);
        let difference = dpo.value(swapped, Reduction::Mean).unwrap() - loss;
        close(difference, 0.2 * margins.mean().unwrap(), 1e-12);
    }

    #[test]
    fn the_loss_is_ln_2_where_policy_and_reference_agree() {
        let sample = Sample::<f64>::of(100);
        let batch = PairBatch::new(sample.policy.view()).reference(sample.policy.view());
        for label_smoothing in [0.0, 0.3] {
            let dpo = Dpo { beta: 0.7, label_smoothing };
            close(dpo.value(batch, Reduction::Mean).unwrap(), std::f64::consts::LN_2, 1e-15);
        }
    }

    #[test]
    fn shifting_policy_and_reference_together_changes_nothing() {
        let mut sample = Sample::<f64>::of(100);
        sample.policy = sample.policy.map(|side| side.mapv(|x| (x * 64.0).round() / 64.0)); // sums below are exact
        sample.reference = sample.reference.map(|side| side.mapv(|x| (x * 64.0).round() / 64.0));
        let before = Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap();
        sample.policy.chosen -= 16.0;
        sample.reference.chosen -= 16.0;
        assert_eq!(Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap(), before);
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        let plain = Dpo::default();
        assert_eq!(pair(&plain, one(&[-inf, -1.0], &[-2.0], &[1.0])), (inf, -0.1, 0.1));
        assert_eq!(pair(&plain, one(&[-1.0, -inf], &[-2.0], &[1.0])), (0.0, 0.0, 0.0));
        let smooth = Dpo { beta: 0.1, label_smoothing: 0.25 };
        assert_eq!(pair(&smooth, one(&[-1.0, -inf], &[-2.0], &[1.0])), (inf, 0.025, -0.025));
        assert_eq!(pair(&smooth, one(&[-inf, -1.0], &[-2.0], &[1.0])).0, inf);
    }

    #[test]
    fn no_finite_margin_overflows() {
        for margin in [-1e4_f64, -1e3, -1.0, 0.0, 1.0, 1e3, 1e4] {
            for label_smoothing in [0.0, 0.49] {
                let dpo = Dpo { beta: 1.0, label_smoothing };
                let (loss, slope, _) = pair(&dpo, one(&[margin, 0.0], &[0.0], &[1.0]));
                assert!(loss.is_finite() && slope.abs() <= 1.0);
                let (loss, slope, _) = pair::<f32>(&dpo, one(&[margin as f32, 0.0], &[0.0], &[1.0]));
                assert!(loss.is_finite() && slope.abs() <= 1.0);
            }
        }
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let sample = Sample::<f64>::of(1);
        let message = |beta, label_smoothing| {
            Dpo { beta, label_smoothing }.value(sample.batch(), Reduction::Sum).unwrap_err().to_string()
        };
        assert_eq!(message(0.0, 0.0), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(f64::NAN, 0.0), "`beta` is NaN, allowed is finite and > 0");
        assert_eq!(message(0.1, 0.5), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
        assert_eq!(message(0.1, -1e-9), "`label_smoothing` is -0.000000001, allowed is [0, 0.5)");
    }
}
