//! A divergence that is chosen at run time, by the name that TRL gives it.

use crate::preference::{AlphaLink, ForwardKlLink, JensenShannonLink, Pairs, RatioLink, ReverseKlLink};
use crate::{Real, Result};

/// Link of an f-divergence that is chosen at run time, by TRL's name for the divergence.
///
/// With the feature `serde` it is tagged by `f_divergence_type`: `reverse_kl`, `forward_kl`, `js_divergence` or
/// `alpha_divergence`, whose `α` is `f_alpha_divergence_coef`. Where the choice is known at compile time take the score
/// itself, whose loop has no branch.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let link = Link::AlphaDivergence { f_alpha_divergence_coef: 0.5 };
/// let loss = Linked { loss: Dpo::default(), link }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.627_812_546).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "f-divergence")]
#[doc(alias = "f_divergence_type")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "f_divergence_type", rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Link {
    /// Plain DPO.
    #[default]
    ReverseKl,
    /// [`ForwardKlLink`].
    ForwardKl,
    /// [`JensenShannonLink`].
    JsDivergence,
    /// [`AlphaLink`].
    AlphaDivergence {
        /// `α` in TRL's convention. Default 0.5.
        #[cfg_attr(feature = "serde", serde(default = "half"))]
        f_alpha_divergence_coef: f64,
    },
}

#[cfg(feature = "serde")]
fn half() -> f64 {
    AlphaLink::default().alpha
}

impl RatioLink for Link {
    crate::compile_loops!(RatioLink);

    fn check(&self) -> Result<()> {
        match *self {
            Self::AlphaDivergence { f_alpha_divergence_coef: alpha } => AlphaLink { alpha }.check(),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        match *self {
            Self::ReverseKl => ReverseKlLink.at::<T, FMA>(ratio),
            Self::ForwardKl => ForwardKlLink.at::<T, FMA>(ratio),
            Self::JsDivergence => JensenShannonLink.at::<T, FMA>(ratio),
            Self::AlphaDivergence { f_alpha_divergence_coef: alpha } => AlphaLink { alpha }.at::<T, FMA>(ratio),
        }
    }

    #[inline(always)]
    fn difference<T: Real, const FMA: bool>(&self, ratios: Pairs<T>) -> (T, Pairs<T>) {
        match *self {
            Self::ReverseKl => ReverseKlLink.difference::<T, FMA>(ratios),
            Self::ForwardKl => ForwardKlLink.difference::<T, FMA>(ratios),
            Self::JsDivergence => JensenShannonLink.difference::<T, FMA>(ratios),
            Self::AlphaDivergence { f_alpha_divergence_coef: alpha } => {
                AlphaLink { alpha }.difference::<T, FMA>(ratios)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::Sample;
    use crate::preference::{Dpo, Ipo, LabeledLoss, Length, Linked, PairObjective};

    #[test]
    fn each_name_is_its_score() {
        let sample = Sample::<f64>::of(40);
        let scaled = sample.policy.clone().map(|side| side * 0.2);
        let batch = crate::preference::PairBatch::new(scaled.view())
            .reference(Pairs { chosen: scaled.rejected.view(), rejected: scaled.chosen.view() })
            .lengths(sample.lengths.view());
        let same = |named: &dyn PairObjective<f64>, typed: &dyn PairObjective<f64>| {
            assert_eq!(named.grad(batch, Reduction::Mean).unwrap(), typed.grad(batch, Reduction::Mean).unwrap());
        };
        type Same<'a> = &'a dyn Fn(&dyn PairObjective<f64>, &dyn PairObjective<f64>);

        fn check<L: LabeledLoss + Copy>(loss: L, same: Same<'_>) {
            let named = |link| Linked { loss, link };
            same(&named(Link::ReverseKl), &Linked { loss, link: ReverseKlLink });
            same(&named(Link::ForwardKl), &Linked { loss, link: ForwardKlLink });
            same(&named(Link::JsDivergence), &Linked { loss, link: JensenShannonLink });
            let alpha = Link::AlphaDivergence { f_alpha_divergence_coef: 0.3 };
            same(&named(alpha), &Linked { loss, link: AlphaLink { alpha: 0.3 } });
        }
        check(Dpo::default(), &same);
        check(Ipo { beta: 0.1, length: Length::Mean }, &same);
    }

    #[test]
    fn at_a_ratio_each_name_is_its_score_too() {
        for ratio in [-0.75, 0.5] {
            let at = |link: Link| link.at::<f64, false>(ratio);
            assert_eq!(at(Link::ReverseKl), (ratio, 1.0));
            assert_eq!(at(Link::ForwardKl), ForwardKlLink.at::<f64, false>(ratio));
            assert_eq!(at(Link::JsDivergence), JensenShannonLink.at::<f64, false>(ratio));
            let (score, slope) = at(Link::AlphaDivergence { f_alpha_divergence_coef: 0.25 });
            assert!((score - (1.0 - (-0.75 * ratio).exp()) / 0.75).abs() < 1e-15);
            assert!((slope - (-0.75 * ratio).exp()).abs() < 1e-15);
        }
    }

    #[test]
    fn a_coefficient_out_of_range_is_named() {
        let link = Link::AlphaDivergence { f_alpha_divergence_coef: f64::NAN };
        assert_eq!(link.check().unwrap_err().to_string(), "`alpha` is NaN, allowed is finite");
        assert_eq!(Link::JsDivergence.check(), Ok(()));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn names_are_those_of_trl() {
        let read = |text| serde_json::from_str::<Link>(text);
        assert_eq!(read(r#"{"f_divergence_type": "js_divergence"}"#).unwrap(), Link::JsDivergence);
        let alpha = read(r#"{"f_divergence_type": "alpha_divergence"}"#).unwrap();
        assert_eq!(alpha, Link::AlphaDivergence { f_alpha_divergence_coef: 0.5 });
        assert!(read(r#"{"f_divergence_type": "kl"}"#).is_err());
    }
}
