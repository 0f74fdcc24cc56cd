//! DPO with ties after Davidson (DPO-D).

use crate::error::Error;
use crate::preference::logistic::scaled;
use crate::preference::{Label, LabelUse, LabeledLoss, Needs, Row, TieModel, probability};
use crate::{Real, Result, check};

/// Direct preference optimization with ties after Davidson (DPO-D): the negative log-likelihood of a comparison that
/// may end in a tie, where the weight of a tie is proportional to the geometric mean of the weights of both wins.
///
/// ```math
/// P_i^{\text{win}} = \frac{1}{Z_i}, \qquad P_i^{\text{tie}} = \frac{2\nu e^{-d_i/2}}{Z_i}, \qquad
/// Z_i = 1 + e^{-d_i} + 2\nu e^{-d_i/2}, \quad d_i = \beta\, m_i
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums. The batch's tie probability, where it has
/// one, is the probability `t` that the pair is a tie: 0 for a pair that the chosen response wins, 1 for a tie. The
/// loss is `-(1-t) ln P_win - t ln P_tie`. At `ν = 0` there are no ties and it is DPO; its least value over `d` for a
/// tie is `ln(1 + 1/ν)`, at `d = 0`.
///
/// No power overflows and no logarithm cancels. A response of log-probability -inf is the exact limit: as in DPO for a win,
/// +inf with gradient ±β/2 for a tie.
///
/// # Errors
///
/// `beta` or `nu` out of range; a batch without reference; a tie probability outside `[0, 1]`, or above 0 where `nu` is
/// 0; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Davidson;
/// let both = |chosen| Pairs { chosen, rejected: aview1(&[0.0, 0.0]) };
/// let (margins, reference, ties) = ([0.7_f64, 0.7], [0.0, 0.0], [0.0, 1.0]);
/// let batch = PairBatch::new(both(aview1(&margins))).reference(both(aview1(&reference))).tie_probability(aview1(&ties));
/// let losses = Davidson { beta: 1.0, nu: 3.0 }.each(batch)?;
/// assert!((losses[0] - 1.744_792_564).abs() < 1e-9 && (losses[1] - 0.303_033_095).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chen et al., 2024, [arXiv:2409.17431](https://arxiv.org/abs/2409.17431); Davidson, JASA 65, 1970.
#[doc(alias = "DPO-D")]
#[doc(alias = "DPO with ties")]
#[doc(alias = "direct preference optimization with ties")]
#[doc(alias = "tie")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Davidson {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1, that of [`Dpo`](crate::preference::Dpo).
    pub beta: f64,
    /// How much likelier a tie is, `>= 0`. Default 3 (the paper).
    pub nu: f64,
}

impl Default for Davidson {
    fn default() -> Self {
        Self { beta: 0.1, nu: 3.0 }
    }
}

const MODEL: TieModel = TieModel::Davidson;

impl LabeledLoss for Davidson {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        MODEL.check(self.nu)?;
        Ok(Needs { reference: true, label: LabelUse::Optional(Label::TieProbability), ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, MODEL.at::<T, FMA>(beta * margin, self.nu, probability::or_nan(pair.label)))
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        MODEL.explain(row, position, self.nu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    fn tied(margin: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &Davidson { beta: 0.5, nu: 3.0 },
            &[
                (tied(1.4, 0.0), [1.744_792_564_279_046_7, -0.228_015_726_633_088_9, 0.228_015_726_633_088_9]),
                (tied(-1.4, 0.0), [2.444_792_564_279_046_7, -0.271_984_273_366_911_1, 0.271_984_273_366_911_1]),
                (tied(1.4, 1.0), [0.303_033_095_050_991_8, 0.021_984_273_366_911_125, -0.021_984_273_366_911_125]),
                (tied(0.0, 1.0), [0.287_682_072_451_780_96, 0.0, 0.0]),
                (tied(1.0e-8, 1.0), [0.287_682_072_451_780_96, 1.5625e-10, -1.5625e-10]),
                (tied(-1.4, 0.25), [1.909_352_696_972_033, -0.209_484_273_366_911_1, 0.209_484_273_366_911_1]),
                (
                    tied(1000.0, 0.0),
                    [1.601_514_129_324_765_7e-108, -4.003_785_323_311_915e-109, 4.003_785_323_311_915e-109],
                ),
                (tied(-1000.0, 0.0), [500.0, -0.5, 0.5]),
                (tied(1000.0, 1.0), [248.208_240_530_771_95, 0.25, -0.25]),
                (tied(-1000.0, 1.0), [248.208_240_530_771_95, -0.25, 0.25]),
                (tied(60.0, 0.0), [1.835_412_332_216_939_2e-6, -4.588_526_853_562_033e-7, 4.588_526_853_562_033e-7]),
            ],
        );
        is_exact(
            &Davidson { beta: 0.5, nu: 0.0 },
            &[
                (tied(1.4, 0.0), [0.403_186_048_885_457_9, -0.165_906_113_915_916_95, 0.165_906_113_915_916_95]),
                (tied(-1.4, 0.0), [1.103_186_048_885_458, -0.334_093_886_084_083, 0.334_093_886_084_083]),
                (
                    tied(1000.0, 0.0),
                    [7.124_576_406_741_286e-218, -3.562_288_203_370_643e-218, 3.562_288_203_370_643e-218],
                ),
                (tied(-1000.0, 0.0), [500.0, -0.5, 0.5]),
                (
                    tied(60.0, 0.0),
                    [9.357_622_968_839_737e-14, -4.678_811_484_419_649_4e-14, 4.678_811_484_419_649_4e-14],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows =
            [tied(1.5, 0.0), tied(1.5, 1.0), tied(-20.0, 1.0), tied(-20.0, 0.0), tied(3.0, 0.25), tied(0.0, 1.0)];
        slopes_agree_with_differences(&Davidson { beta: 0.3, nu: 2.0 }, &rows);
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (inf, davidson) = (f64::INFINITY, Davidson { beta: 0.5, nu: 3.0 });
        assert_eq!(at::<f64>(&davidson, tied(-inf, 0.0)), Ok([inf, -0.5, 0.5]));
        assert_eq!(at::<f64>(&davidson, tied(-inf, 1.0)), Ok([inf, -0.25, 0.25]));
        let beyond = Row { label: 1.0, ..ratios(0.0, -inf) };
        assert_eq!(at::<f64>(&davidson, beyond), Ok([inf, 0.25, -0.25]));
        assert_eq!(at::<f64>(&davidson, ratios(0.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |nu, target| refusal(&Davidson { beta: 0.1, nu }, tied(0.0, target));
        assert_eq!(message(-0.5, 0.0), "`nu` is -0.5, allowed is finite and >= 0");
        assert_eq!(message(3.0, -1.0), "`tie_probability`[0] is -1, allowed is [0, 1]");
        assert_eq!(message(0.0, 0.5), "`tie_probability`[0] is 0.5, allowed is 0 where `nu` is 0");
        let refused = refusal(&Davidson { beta: 0.0, nu: 3.0 }, tied(0.0, 0.0));
        assert_eq!(refused, "`beta` is 0, allowed is finite and > 0");
    }
}
