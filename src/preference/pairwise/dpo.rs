//! Direct preference optimisation (DPO).

use crate::preference::MarginLoss;
use crate::{Real, Result, check, math};

/// Logistic loss of the margin by which the policy prefers the chosen response more than the reference does.
///
/// ```math
/// L_i = \operatorname{softplus}(-\beta\, m_i), \qquad
/// m_i = (\log\pi_i^w - \log\rho_i^w) - (\log\pi_i^l - \log\rho_i^l)
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response. Log-probabilities are of whole
/// responses, summed over their tokens, in nats. The batch's target, where it has one, is an offset in nats that is
/// subtracted from `m` (before `β`).
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
    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        let flip = self.label_smoothing;
        check::parameter("label_smoothing", flip, "[0, 0.5)", (0.0..0.5).contains(&flip))
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let (beta, flip) = (T::of(self.beta), T::of(self.label_smoothing));
        let (kept, z) = (T::of(1.0 - self.label_smoothing), beta * margin);
        let (loss, slope) = (math::softplus::<T, FMA>(-z), math::sigmoid::<T, FMA>(-z));
        if flip == T::zero() {
            return (loss, -beta * slope); // at z = inf the term below is 0 · inf
        }
        let (flipped, opposite) = (math::softplus::<T, FMA>(z), math::sigmoid::<T, FMA>(z));
        (kept * loss + flip * flipped, beta * (flip * opposite - kept * slope))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::{
        Reduction,
        preference::{PairBatch, PairObjective, Pairs},
    };

    fn batch<'a, T: Real>(policy: [&'a [T]; 2], reference: [&'a [T]; 2]) -> PairBatch<'a, T> {
        let pairs = |[chosen, rejected]: [&'a [T]; 2]| Pairs { chosen: aview1(chosen), rejected: aview1(rejected) };
        PairBatch::new(pairs(policy)).reference(pairs(reference))
    }

    #[test]
    fn values_are_those_of_forty_digit_arithmetic() {
        let batch = batch(
            [&[-12.5_f64, -30.25, -8.0], &[-14.25, -28.5, -20.0]],
            [&[-13.0, -29.0, -9.5], &[-13.5, -29.75, -16.0]],
        );
        let e = Dpo::default().each(batch).unwrap();
        for (x, y) in e.iter().zip([0.632_599_035_317_169_07, 0.825_939_419_878_843_56, 0.455_492_481_463_337_64]) {
            assert!((x / y - 1.0).abs() < 1e-15);
        }
    }
}
