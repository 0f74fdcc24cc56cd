//! Reference-free margins whose target follows the reference (α-DPO).

use ndarray::Array1;

use crate::preference::logistic::smoothed;
use crate::preference::pass::run_wide;
use crate::preference::{MarginMoments, Needs, Out, PairBatch, PairLoss, Pairs, Row};
use crate::{Real, Reduction, Result, check};

/// α-DPO, direct preference optimization with an adaptive reward margin: the logistic loss of the policy's
/// length-averaged margin, which must be larger where policy and reference disagree more than usual.
///
/// ```math
/// L_i = \operatorname{softplus}\bigl(-\beta\,(\bar\ell_i^w - \bar\ell_i^l - t_i)\bigr), \qquad
/// t_i = \frac{\gamma}{\beta} + \alpha\,\frac{\Delta_i - \mu}{s}, \quad
/// \Delta_i = (\bar\ell_i^w - \bar\rho_i^w) - (\bar\ell_i^l - \bar\rho_i^l)
/// ```
///
/// Bars are means per token of log-probabilities, `ℓ` of the policy and `ρ` of the reference. `t` is a constant in the
/// gradient, which is `∓β σ(-z) / n`; [`AlphaDpo::offsets_of`] returns it. `μ` and `s` say which margins are usual:
/// [`MarginMoments::new`] those of a batch, [`MarginMoments::follow`] a moving average. They are inputs, so that the loss of
/// a pair depends on that pair alone and micro-batches combine. They take no weights: form the moments from a batch without
/// the pairs of weight zero. With `alpha` 0 it is SimPO with the target margin `γ`.
///
/// # Errors
///
/// A hyper-parameter out of range; a batch without reference or lengths; both sides of a pair at -inf. A log-probability of
/// -inf is an error where `alpha` is above 0, as the offset is then infinite too.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::{AlphaDpo, MarginMoments};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let usual = MarginMoments { mean: 0.0625, std: 0.1 };
/// let objective = AlphaDpo { beta: 2.0, gamma: 0.5, alpha: 0.1, label_smoothing: 0.0, usual };
/// assert!((objective.offsets_of(batch)?[0] - 0.3).abs() < 1e-12); // Δ is half a deviation above the usual
/// assert!((objective.value(batch, Reduction::Mean)? - 1.119_959_833).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wu et al., AlphaDPO: adaptive reward margin for direct preference optimization, ICML 2025,
/// [arXiv:2410.10148](https://arxiv.org/abs/2410.10148).
#[doc(alias = "α-DPO")]
#[doc(alias = "alpha-DPO")]
#[doc(alias = "adaptive reward margin")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct AlphaDpo {
    /// Scale of the margin, `> 0`. The authors take 2.5 to 10.
    pub beta: f64,
    /// The target margin where a pair is as usual, `β` times the authors' `gamma_beta_ratio` (0.4 to 0.6).
    pub gamma: f64,
    /// By how much the target follows the reference, per standard deviation, `>= 0`. The authors take 0.05 to 0.2.
    pub alpha: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub label_smoothing: f64,
    /// The margins `Δ` that are usual, per token. By default their mean is 0 and their deviation 1.
    #[cfg_attr(feature = "serde", serde(default))]
    pub usual: MarginMoments,
}

/// The offset of each pair, as a loss without slopes.
struct Offset<'a>(&'a AlphaDpo);

impl AlphaDpo {
    /// The offset `t` of each pair, in nats per token and before `beta`: the detached factor.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    pub fn offsets_of<T: Real>(&self, batch: PairBatch<'_, T>) -> Result<Array1<T>> {
        T::offsets_of(self, batch)
    }

    /// [`AlphaDpo::offsets_of`], compiled here.
    pub(in crate::preference) fn compute_offsets_of<T: Real>(&self, batch: PairBatch<'_, T>) -> Result<Array1<T>> {
        let mut offsets = Array1::zeros(batch.len());
        batch.check_shapes()?;
        run_wide(&Offset(self), &batch, Reduction::Sum, T::one(), Out::Each(offsets.view_mut()))?;
        Ok(offsets)
    }

    #[inline(always)]
    fn offset<T: Real>(&self, row: Row<T>) -> T {
        let fixed = T::from_f64(self.gamma / self.beta);
        if self.alpha == 0.0 {
            return fixed;
        }
        let means = row.log_ratios().zip(row.lengths).map(|(ratio, length)| ratio / length);
        fixed
            + T::from_f64(self.alpha / self.usual.std) * (means.chosen - means.rejected - T::from_f64(self.usual.mean))
    }
}

impl PairLoss for AlphaDpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)?;
        check::finite("gamma", self.gamma)?;
        check::non_negative("alpha", self.alpha)?;
        check::finite("usual.mean", self.usual.mean)?;
        check::positive("usual.std", self.usual.std)?;
        Ok(Needs { reference: true, lengths: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let Row { policy, lengths, .. } = row;
        let margin = policy.chosen / lengths.chosen - policy.rejected / lengths.rejected - self.offset(row);
        let beta = T::from_f64(self.beta);
        let (loss, slope) = smoothed::<T, FMA>(beta * margin, self.label_smoothing);
        let slope = beta * slope;
        (loss, Pairs { chosen: slope / lengths.chosen, rejected: -(slope / lengths.rejected) })
    }
}

impl PairLoss for Offset<'_> {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        self.0.needs()
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        (self.0.offset(row), Pairs { chosen: T::zero(), rejected: T::zero() })
    }

    fn name(&self) -> &'static str {
        "AlphaDpo"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{Sample, one, pair};
    use crate::preference::{Against, Dpo, Length, Margin, MarginLoss, PairObjective};
    use crate::testing::close;

    const USUAL: MarginMoments = MarginMoments { mean: 0.3, std: 0.7 };
    const FULL: AlphaDpo = AlphaDpo { beta: 2.0, gamma: 0.6, alpha: 0.15, label_smoothing: 0.1, usual: USUAL };

    /// The same loss of a margin with the batch's offset.
    struct Frozen;

    impl MarginLoss for Frozen {
        crate::compile_loops!(MarginLoss);

        fn check(&self) -> Result<()> {
            Ok(())
        }
        fn margin(&self) -> Margin {
            Margin { against: Against::Nothing, length: Length::Mean }
        }
        fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
            MarginLoss::at::<T, FMA>(&Dpo { beta: 2.0, label_smoothing: 0.1 }, margin)
        }
    }

    #[test]
    fn with_its_offsets_frozen_it_is_a_margin_loss_with_a_target() {
        let sample = Sample::<f64>::of(200);
        let offsets = FULL.offsets_of(sample.batch()).unwrap();
        let weights = Array1::from_shape_fn(200, |i| 0.25 * (i % 5) as f64);
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
            let (loss, grad) = FULL.grad(sample.batch(), reduction).unwrap();
            let (same, frozen) = Frozen.grad(sample.batch().offset(offsets.view()), reduction).unwrap();
            close(loss, same, 1e-13);
            assert!((grad.chosen - frozen.chosen).iter().all(|d| d.abs() < 1e-13));
            assert!((grad.rejected - frozen.rejected).iter().all(|d| d.abs() < 1e-13));
        }
    }

    #[test]
    fn offsets_are_scores_of_the_margins() {
        let sample = Sample::<f64>::of(40);
        let side = |policy: &Array1<f64>, reference: &Array1<f64>, n: &Array1<f64>| (policy - reference) / n;
        let margins = side(&sample.policy.chosen, &sample.reference.chosen, &sample.lengths.chosen)
            - side(&sample.policy.rejected, &sample.reference.rejected, &sample.lengths.rejected);
        let offsets = FULL.offsets_of(sample.batch()).unwrap();
        for (offset, margin) in offsets.iter().zip(&margins) {
            close(*offset, 0.3 + 0.15 * (margin - 0.3) / 0.7, 1e-12);
        }
    }

    #[test]
    fn without_alpha_the_reference_does_not_matter() {
        let plain = AlphaDpo { alpha: 0.0, label_smoothing: 0.0, ..FULL };
        let near = pair::<f64>(&plain, one(&[-6.0, -9.0], &[-1.0], &[3.0]));
        assert_eq!(near, pair(&plain, one(&[-6.0, -9.0], &[-700.0], &[3.0])));
        close(near.0, (1.0 + (-(2.0 - 0.6_f64)).exp()).ln(), 1e-14); // β times a margin of 1, minus γ
    }

    #[test]
    fn extremes_have_finite_slopes_or_names() {
        for policy in [[0.0, -1e4], [-1e4, 0.0], [-1e-8, -1e3]] {
            let (loss, chosen, rejected) = pair::<f64>(&FULL, one(&policy, &[-1.0], &[1.0]));
            assert!(loss.is_finite() && chosen.is_finite() && rejected.is_finite());
        }
        let lost = one(&[f64::NEG_INFINITY, -1.0], &[-1.0], &[1.0]);
        let error = FULL.value(lost, Reduction::Mean).unwrap_err().to_string();
        assert!(error.starts_with("`policy.chosen`[0] is -inf"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let sample = Sample::<f64>::of(2);
        let message = |with: AlphaDpo| with.value(sample.batch(), Reduction::Mean).unwrap_err().to_string();
        assert_eq!(message(AlphaDpo { beta: 0.0, ..FULL }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(AlphaDpo { alpha: -1.0, ..FULL }), "`alpha` is -1, allowed is finite and >= 0");
        let still = MarginMoments { mean: 0.0, std: 0.0 };
        assert_eq!(message(AlphaDpo { usual: still, ..FULL }), "`usual.std` is 0, allowed is finite and > 0");
        let bare = PairBatch::new(sample.policy.view()).reference(sample.reference.view());
        assert_eq!(FULL.value(bare, Reduction::Mean).unwrap_err().to_string(), "AlphaDpo needs `lengths`");
        assert_eq!(FULL.offsets_of(bare).unwrap_err().to_string(), "AlphaDpo needs `lengths`");
    }
}
