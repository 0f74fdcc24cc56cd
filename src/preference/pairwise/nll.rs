//! Negative log-likelihood of the chosen response, the add-on of many preference objectives.

use crate::preference::{Length, Needs, PairLoss, Pairs, Row, TargetUse};
use crate::{Real, Result};

/// `-log π` of the chosen response, per response or per token.
///
/// ```math
/// L_i = -\frac{\log\pi_i^w}{n_i^w}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]) or 1 ([`Length::Sum`]). Needs no reference; the gradient with
/// respect to the rejected log-probability is zero. As a term of a weighted sum it keeps the likelihood of the chosen
/// response from falling with that of the rejected one.
///
/// There is no default, since peers disagree: RPO takes the sum, IRPO and OpenRLHF the mean per response. The mean over
/// all tokens of a batch (TRL's `sft`) is `Length::Sum` with `Reduction::Weighted` of `1 / Σ n`.
///
/// A log-probability of -inf gives +inf with gradient `-1/n`, exactly.
///
/// # Errors
///
/// A batch without lengths, for [`Length::Mean`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.0_f64, -3.0]), rejected: aview1(&[-14.0, -9.0]) })
///     .lengths(Pairs { chosen: aview1(&[10.0, 2.0]), rejected: aview1(&[12.0, 3.0]) });
/// assert_eq!(Nll { length: Length::Sum }.value(batch, Reduction::Mean)?, 7.5);
/// assert_eq!(Nll { length: Length::Mean }.value(batch, Reduction::Mean)?, 1.35);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Pang et al. (IRPO), NeurIPS 2024, [arXiv:2404.19733](https://arxiv.org/abs/2404.19733); Liu et al. (RPO), NeurIPS
/// 2024, [arXiv:2405.16436](https://arxiv.org/abs/2405.16436).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Nll {
    /// Whether it is the sum over the tokens of a response or their mean.
    pub length: Length,
}

impl PairLoss for Nll {
    fn needs(&self) -> Result<Needs> {
        Ok(Needs { reference: false, lengths: self.length == Length::Mean, target: TargetUse::Unused })
    }

    #[inline(always)]
    fn pair<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let share = match self.length {
            Length::Sum => T::one(),
            Length::Mean => row.lengths.chosen.recip(),
        };
        let loss = match self.length {
            Length::Sum => -row.policy.chosen,
            Length::Mean => -(row.policy.chosen / row.lengths.chosen),
        };
        (loss, Pairs { chosen: -share, rejected: T::zero() })
    }
}
