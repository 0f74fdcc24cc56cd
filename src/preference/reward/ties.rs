//! A reward model of comparisons that may end in a tie.

use crate::error::Error;
use crate::preference::reward::centered;
use crate::preference::{Label, LabelUse, Needs, PairLoss, Pairs, Row, TieModel, probability};
use crate::{Real, Result, check};

/// Reward model with ties, after Rao and Kupper or Davidson: the negative log-likelihood of a comparison of two scores
/// that may end in a tie.
///
/// ```math
/// L_i = -(1 - t_i) \ln P^{\text{win}}_i - t_i \ln P^{\text{tie}}_i + c\,(r^w_i + r^l_i)^2, \qquad d_i = r^w_i - r^l_i
/// ```
///
/// `r` are the scores of the model, in the policy column of the batch; the probabilities are those of
/// [`RaoKupper`](crate::preference::RaoKupper) or [`Davidson`](crate::preference::Davidson) at the difference `d`, as
/// it is. The batch's tie probability, where it has one, is the probability `t` that the pair is a tie. `c` keeps the
/// mean of the two scores near 0. Without ties it is [`BradleyTerry`](crate::preference::BradleyTerry): at `nu` 1 (Rao
/// and Kupper) or 0 (Davidson). No peer has it.
///
/// At `c = 0` a score of -inf is the exact limit, with a finite gradient.
///
/// # Errors
///
/// `nu` or `centering` out of range; a tie probability outside `[0, 1]`, or above 0 where `nu` allows no ties; both
/// scores at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::RewardTies;
/// let scores = PairBatch::new(Pairs { chosen: aview1(&[0.7_f64, 0.7]), rejected: aview1(&[0.0, 0.0]) });
/// let losses = RewardTies::default().each(scores.tie_probability(aview1(&[0.0, 1.0])))?;
/// assert!((losses[0] - 0.912_184_678).abs() < 1e-9 && (losses[1] - 0.784_530_001).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Rao and Kupper, JASA 62, 1967; Davidson, JASA 65, 1970; Chen et al., 2024,
/// [arXiv:2409.17431](https://arxiv.org/abs/2409.17431).
#[doc(alias = "Bradley-Terry with ties")]
#[doc(alias = "reward model with ties")]
#[doc(alias = "Rao-Kupper")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RewardTies {
    /// The model of ties. Default [`TieModel::RaoKupper`].
    pub model: TieModel,
    /// How much likelier a tie is, `>= 1` for Rao and Kupper, `>= 0` for Davidson. Default 3 (Chen et al.).
    pub nu: f64,
    /// Weight of the centering, `>= 0`. Default 0.
    pub centering: f64,
}

impl Default for RewardTies {
    fn default() -> Self {
        Self { model: TieModel::RaoKupper, nu: 3.0, centering: 0.0 }
    }
}

impl PairLoss for RewardTies {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::non_negative("centering", self.centering)?;
        self.model.check(self.nu)?;
        Ok(Needs { label: LabelUse::Optional(Label::TieProbability), ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let tie = probability::or_nan(row.label);
        let (loss, slope) = self.model.at::<T, FMA>(row.policy.chosen - row.policy.rejected, self.nu, tie);
        centered((loss, Pairs { chosen: slope, rejected: -slope }), self.centering, row)
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        self.model.explain(row, position, self.nu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::BradleyTerry;
    use crate::preference::testing::{at, ratios, refusal, slopes_agree_with_differences};
    use crate::testing::close;

    const DAVIDSON: RewardTies = RewardTies { model: TieModel::Davidson, nu: 3.0, centering: 0.0 };

    /// Two scores, and the probability of a tie.
    fn compared(chosen: f64, rejected: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(chosen, rejected) }
    }

    #[test]
    fn values_are_those_of_forty_digit_arithmetic() {
        let loss = |ties: RewardTies, row| at::<f64>(&ties, row).unwrap()[0];
        close(loss(RewardTies::default(), compared(0.7, 0.0, 0.0)), 0.912_184_678_111_050_1, 1e-14);
        close(loss(RewardTies::default(), compared(0.0, 0.7, 0.0)), 1.951_786_864_772_924_8, 1e-14);
        close(loss(RewardTies::default(), compared(1.7, 1.0, 1.0)), 0.784_530_001_204_139, 1e-14);
        close(loss(DAVIDSON, compared(0.7, 0.0, 0.0)), 1.744_792_564_279_046_7, 1e-14);
        close(loss(DAVIDSON, compared(0.0, 0.7, 1.0)), 0.303_033_095_050_991_8, 1e-14);
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [compared(1.0, 0.5, 0.75), compared(-2.0, 3.0, 0.0), compared(0.25, 0.25, 1.0)];
        for ties in [RewardTies::default(), DAVIDSON] {
            slopes_agree_with_differences(&RewardTies { centering: 0.1, ..ties }, &rows);
        }
    }

    #[test]
    fn without_ties_it_is_bradley_terry() {
        let row = compared(0.5, -0.75, 0.0);
        let [loss, by_chosen, by_rejected] =
            at::<f64>(&BradleyTerry { centering: 0.5, ..BradleyTerry::default() }, row).unwrap();
        for (ties, nu) in [(RewardTies::default(), 1.0), (DAVIDSON, 0.0)] {
            let got = at::<f64>(&RewardTies { nu, centering: 0.5, ..ties }, row).unwrap();
            close(got[0], loss, 1e-15);
            close(got[1], by_chosen, 1e-13);
            close(got[2], by_rejected, 1e-13);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let message = |ties: RewardTies, target| refusal(&ties, compared(0.0, 0.0, target));
        assert_eq!(
            message(RewardTies { nu: 0.5, ..RewardTies::default() }, 0.0),
            "`nu` is 0.5, allowed is finite and >= 1"
        );
        let negative = RewardTies { centering: -1.0, ..DAVIDSON };
        assert_eq!(message(negative, 0.0), "`centering` is -1, allowed is finite and >= 0");
        assert_eq!(message(DAVIDSON, 1.5), "`tie_probability`[0] is 1.5, allowed is [0, 1]");
        let no_ties = RewardTies { nu: 1.0, ..RewardTies::default() };
        assert_eq!(message(no_ties, 0.5), "`tie_probability`[0] is 0.5, allowed is 0 where `nu` is 1");
    }
}
