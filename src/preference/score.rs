//! Divergences other than reverse KL: what happens to a log-ratio before the margin is formed.

use crate::preference::{Length, MarginLoss, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, math};

/// A score of the log-ratio `λ = log π - log ρ`: the `f'(e^λ)` of an f-divergence, shifted so that `s(0) = 0`.
pub trait Score: Sync {
    /// Score and slope at one log-ratio.
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T);

    /// Checks the hyper-parameters, if there are any.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Reverse KL, the divergence of plain DPO: `s(λ) = λ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ReverseKl;

impl Score for ReverseKl {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        (ratio, T::one())
    }
}

/// Jensen-Shannon: `s(λ) = ln σ(λ) + ln 2`, `s'(λ) = σ(-λ)`.
///
/// `s'(0) = 1/2`: near agreement it acts like reverse KL with half the `beta`. Above, `s` saturates at `ln 2`. The value
/// is formed without the cancellation of the two logarithms and is good to 5 ulp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct JensenShannon;

impl Score for JensenShannon {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        // (1 + e^-|λ|) / 2 = 1 + expm1(-|λ|) / 2
        let half = T::of(0.5) * math::exp_m1::<T, FMA>(-ratio.abs());
        let negative = if ratio < T::zero() { ratio } else { T::zero() };
        (negative - math::ln_1p::<T, FMA>(half), math::sigmoid::<T, FMA>(-ratio))
    }
}

/// A margin loss whose log-ratios pass through a [`Score`] first: f-DPO and its relatives.
///
/// ```math
/// L = \ell\Big(\frac{s(\lambda^w)}{n_w} - \frac{s(\lambda^l)}{n_l} - t\Big), \qquad \lambda = \log\pi - \log\rho
/// ```
///
/// Score first, then length, then margin, then the batch's offset `t`. It is not itself a margin loss, so that scores
/// cannot be stacked:
///
/// ```compile_fail,E0277
/// # use loglik::{prelude::*, preference::PairLoss};
/// let once = Scored { loss: Dpo::default(), score: JensenShannon };
/// let twice = Scored { loss: once, score: JensenShannon };
/// twice.needs(); // `Scored<..>` is no `MarginLoss`
/// ```
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = Scored { loss: Dpo::default(), score: JensenShannon }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.660_556_499).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # Errors
///
/// Those of the inner loss.
///
/// # References
///
/// Wang et al., ICLR 2024, [arXiv:2309.16240](https://arxiv.org/abs/2309.16240).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Scored<L, S> {
    /// The loss of the margin.
    pub loss: L,
    /// The divergence, as a score of the log-ratio.
    pub score: S,
}

impl<L: MarginLoss, S: Score> PairLoss for Scored<L, S> {
    fn needs(&self) -> Result<Needs> {
        self.score.check()?;
        self.loss.needs()
    }

    #[inline(always)]
    fn pair<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        scored_pair::<T, L, S, FMA>(&self.loss, &self.score, row)
    }

    fn name(&self) -> &'static str {
        self.loss.name()
    }
}

/// The one place where a margin is formed, and where its slope is handed back to the two sides.
#[inline(always)]
pub(crate) fn scored_pair<T: Real, L: MarginLoss, S: Score, const FMA: bool>(
    loss: &L,
    score: &S,
    row: Row<T>,
) -> (T, Pairs<T>) {
    let chosen = score.at::<T, FMA>(row.policy.chosen - row.reference.chosen);
    let rejected = score.at::<T, FMA>(row.policy.rejected - row.reference.rejected);
    match loss.margin().length {
        Length::Sum => {
            let (loss, slope) = loss.at::<T, FMA>(chosen.0 - rejected.0 - row.target);
            (loss, Pairs { chosen: slope * chosen.1, rejected: -(slope * rejected.1) })
        }
        Length::Mean => {
            let Pairs { chosen: n, rejected: k } = row.lengths;
            let (loss, slope) = loss.at::<T, FMA>(chosen.0 / n - rejected.0 / k - row.target);
            (loss, Pairs { chosen: slope * chosen.1 / n, rejected: -(slope * rejected.1 / k) })
        }
    }
}
