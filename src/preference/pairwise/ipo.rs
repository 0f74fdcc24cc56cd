//! Identity preference optimisation (IPO).

use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Squared distance of the margin from `1/(2β)`: unlike a logistic loss it stops pulling once the margin is reached.
///
/// ```math
/// L_i = \Big(h_i - \frac{1}{2\beta}\Big)^2, \qquad
/// h_i = \frac{\log\pi_i^w - \log\rho_i^w}{n_i^w} - \frac{\log\pi_i^l - \log\rho_i^l}{n_i^l}
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response, `n` the number of scored tokens
/// ([`Length::Mean`]) or 1 ([`Length::Sum`]). Log-probabilities are summed over tokens in both cases, and so is what the
/// gradient is taken with respect to. The batch's target, where it has one, is subtracted from `h`.
///
/// There is no default, since peers disagree and the two differ by orders of magnitude: with `β = 0.1` the target is 5
/// nats for the whole response (the authors' first code, OpenRLHF) or 5 nats **per token** (TRL, ms-swift,
/// LLaMA-Factory; confirmed by the authors).
///
/// `L >= 0`, with equality at `h = 1/(2β)`; beyond it the gradient changes sign. A log-probability of -inf has no finite
/// gradient and is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without reference or, for [`Length::Mean`], without lengths.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let (loss, gradient) = Ipo { beta: 0.1, length: Length::Mean }.grad(batch, Reduction::Mean)?;
/// assert!((loss - 23.887_656_25).abs() < 1e-12);
/// assert!((gradient.chosen[0] + 0.9775).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Azar et al., AISTATS 2024, eq. 17, [arXiv:2310.12036](https://arxiv.org/abs/2310.12036), where `β` is `τ`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Ipo {
    /// Half the inverse of the margin that is aimed at, `> 0`. TRL uses 0.1.
    pub beta: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for Ipo {
    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)
    }

    fn margin(&self) -> Margin {
        Margin { length: self.length, ..Margin::default() }
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let gap = margin - T::of(0.5 / self.beta);
        (gap * gap, gap + gap)
    }
}
