//! Odds-ratio preference optimisation (ORPO): the odds-ratio term.

use crate::error::{Error, Position};
use crate::preference::{Length, Needs, PairLoss, Pairs, Row, TargetUse};
use crate::{Real, Result, check, math};

/// `λ` times the logistic loss of the log-odds by which the chosen response is likelier than the rejected one.
///
/// ```math
/// L_i = \lambda\operatorname{softplus}\big(\operatorname{logit}(p_i^l) - \operatorname{logit}(p_i^w)\big), \qquad
/// \log p_i = \frac{\log\pi_i}{n_i}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]; `p` is then the geometric mean of the token probabilities), or
/// 1 ([`Length::Sum`]: the log-probabilities are taken as they are given). No reference. The gradient is with respect to
/// what was given, so to the sums. The whole ORPO objective is this term and the [`Nll`](crate::preference::Nll) of the
/// chosen response in a [`WeightedSum`](crate::preference::WeightedSum).
///
/// No clamp and no ε: with `c = ln(1 - p)` and `ln D = ln(p_w (1 - p_l) + p_l (1 - p_w))` all is formed without
/// cancellation, `L/λ = softplus((ln p_l + c_w) - (ln p_w + c_l))`, `∂L/∂ln p_w = -λ p_l / D`. Log-probabilities of
/// -1e-30 and of -800 are as good as any other.
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
    fn needs(&self) -> Result<Needs> {
        check::positive("lambda", self.lambda)?;
        Ok(Needs { reference: false, lengths: self.length == Length::Mean, target: TargetUse::Unused })
    }

    #[inline(always)]
    fn pair<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let lambda = T::of(self.lambda);
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
        let wrong = |argument, value, allowed| {
            Some(Error::Value { argument, position: Position::from(position), value, allowed })
        };
        match row.policy {
            Pairs { chosen, .. } if chosen > 0.0 => wrong(Row::NAMES.policy.chosen, chosen, "<= 0"),
            Pairs { rejected, .. } if rejected > 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "<= 0"),
            Pairs { rejected, .. } if rejected == 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "< 0"),
            _ => None,
        }
    }
}

/// `softplus(logit l - logit w)` of two log-probabilities, and its derivatives.
#[inline(always)]
fn odds_ratio<T: Real, const FMA: bool>(w: T, l: T) -> (T, Pairs<T>) {
    let (not_w, not_l) = (math::log1mexp::<T, FMA>(w), math::log1mexp::<T, FMA>(l));
    let (for_w, for_l) = (w + not_l, l + not_w);
    let either = math::log_add_exp::<T, FMA>(for_w, for_l); // ln D
    let slope =
        Pairs { chosen: -math::exp::<T, FMA>(l - either), rejected: math::exp::<T, FMA>((for_l - either) - not_l) };
    (math::softplus::<T, FMA>(for_l - for_w), slope)
}
