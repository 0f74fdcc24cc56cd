//! DPO with ties after Rao and Kupper (DPO-RK).

use crate::error::Error;
use crate::preference::logistic::scaled;
use crate::preference::{Label, LabelUse, LabeledLoss, Needs, Row, TieModel, probability};
use crate::{Real, Result, check};

/// Direct preference optimization with ties after Rao and Kupper (DPO-RK): the negative log-likelihood of a comparison
/// that may end in a tie, where a response wins if it is ahead by more than `ln ν`.
///
/// ```math
/// P_i^{\text{win}} = \sigma(d_i - \ln\nu), \qquad P_i^{\text{tie}} = (\nu^2-1)\,\sigma(d_i-\ln\nu)\,\sigma(-d_i-\ln\nu),
/// \qquad d_i = \beta\, m_i
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums. The batch's tie probability, where it has
/// one, is the probability `t` that the pair is a tie: 0 for a pair that the chosen response wins, 1 for a tie. The
/// loss is `-(1-t) ln P_win - t ln P_tie`. At `ν = 1` there are no ties and it is DPO; its least value over `d` for a
/// tie is `ln((ν+1)/(ν-1))`, at `d = 0`.
///
/// The logarithm of `P_tie` and its slope `σ(d + ln ν) - σ(ln ν - d)` are formed without cancellation. A response of
/// log-probability -inf is the exact limit: as in DPO for a win, +inf with gradient ±β for a tie.
///
/// # Errors
///
/// `beta` or `nu` out of range; a batch without reference; a tie probability outside `[0, 1]`, or above 0 where `nu` is
/// 1; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::RaoKupper;
/// let both = |chosen| Pairs { chosen, rejected: aview1(&[0.0, 0.0]) };
/// let (margins, reference, ties) = ([0.7_f64, 0.7], [0.0, 0.0], [0.0, 1.0]);
/// let batch = PairBatch::new(both(aview1(&margins))).reference(both(aview1(&reference))).tie_probability(aview1(&ties));
/// let losses = RaoKupper { beta: 1.0, nu: 3.0 }.each(batch)?;
/// assert!((losses[0] - 0.912_184_678).abs() < 1e-9 && (losses[1] - 0.784_530_001).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chen et al., 2024, [arXiv:2409.17431](https://arxiv.org/abs/2409.17431); Rao and Kupper, JASA 62, 1967.
#[doc(alias = "DPO-RK")]
#[doc(alias = "Rao-Kupper")]
#[doc(alias = "DPO with ties")]
#[doc(alias = "direct preference optimization with ties")]
#[doc(alias = "tie")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RaoKupper {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1, that of [`Dpo`](crate::preference::Dpo).
    pub beta: f64,
    /// How much likelier a tie is, `>= 1`. Default 3 (the paper).
    pub nu: f64,
}

impl Default for RaoKupper {
    fn default() -> Self {
        Self { beta: 0.1, nu: 3.0 }
    }
}

const MODEL: TieModel = TieModel::RaoKupper;

impl LabeledLoss for RaoKupper {
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
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::Dpo;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    fn tied(margin: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &RaoKupper { beta: 0.5, nu: 3.0 },
            &[
                (tied(1.4, 0.0), [0.912_184_678_111_050_2, -0.299_177_100_969_699_7, 0.299_177_100_969_699_7]),
                (tied(-1.4, 0.0), [1.951_786_864_772_924_6, -0.428_989_962_971_452, 0.428_989_962_971_452]),
                (tied(1.4, 1.0), [0.784_530_001_204_139, 0.129_812_862_001_752_3, -0.129_812_862_001_752_3]),
                (tied(0.0, 1.0), [LN_2, 0.0, 0.0]),
                (tied(1.0e-8, 1.0), [LN_2, 9.375_000_000_000_001e-10, -9.375_000_000_000_001e-10]),
                (tied(-1.4, 0.25), [1.659_972_648_880_728_3, -0.354_195_687_729_027_1, 0.354_195_687_729_027_1]),
                (
                    tied(1000.0, 0.0),
                    [2.137_372_922_022_385_8e-217, -1.068_686_461_011_192_9e-217, 1.068_686_461_011_192_9e-217],
                ),
                (tied(-1000.0, 0.0), [501.098_612_288_668_1, -0.5, 0.5]),
                (tied(1000.0, 1.0), [499.019_170_746_988_27, 0.5, -0.5]),
                (tied(-1000.0, 1.0), [499.019_170_746_988_27, -0.5, 0.5]),
                (tied(60.0, 0.0), [2.807_286_890_651_658_3e-13, -1.403_643_445_325_632e-13, 1.403_643_445_325_632e-13]),
            ],
        );
        is_exact(
            &RaoKupper { beta: 0.5, nu: 1.0 + 1.0 / 1024.0 },
            &[
                (tied(1.4, 0.0), [0.403_510_031_776_075, -0.166_014_337_086_693_47, 0.166_014_337_086_693_47]),
                (tied(-1.4, 0.0), [1.103_838_363_203_462, -0.334_202_073_727_624_1, 0.334_202_073_727_624_1]),
                (tied(1.4, 1.0), [7.745_184_857_939_543_5, 0.168_187_736_640_930_62, -0.168_187_736_640_930_62]),
                (tied(0.0, 1.0), [7.625_107_148_238_9, 0.0, 0.0]),
                (tied(1.0e-8, 1.0), [7.625_107_148_238_9, 1.249_999_702_267_601_4e-9, -1.249_999_702_267_601_4e-9]),
                (tied(-1.4, 0.25), [2.764_174_986_887_482_5, -0.292_698_489_455_950_73, 0.292_698_489_455_950_73]),
                (
                    tied(1000.0, 0.0),
                    [7.131_534_000_888_494e-218, -3.565_767_000_444_247e-218, 3.565_767_000_444_247e-218],
                ),
                (tied(-1000.0, 0.0), [500.000_976_085_973_04, -0.5, 0.5]),
                (tied(1000.0, 1.0), [506.238_812_548_933_1, 0.5, -0.5]),
                (tied(-1000.0, 1.0), [506.238_812_548_933_1, -0.5, 0.5]),
                (tied(60.0, 0.0), [9.366_761_272_520_244e-14, -4.683_380_636_259_903e-14, 4.683_380_636_259_903e-14]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [tied(1.5, 0.0), tied(1.5, 1.0), tied(-20.0, 1.0), tied(3.0, 0.25), tied(0.0, 1.0)];
        slopes_agree_with_differences(&RaoKupper { beta: 0.3, nu: 2.0 }, &rows);
    }

    #[test]
    fn without_ties_it_is_dpo() {
        for margin in [-40.0, -1.0, 0.0, 7.0] {
            let plain = at::<f64>(&Dpo::default(), ratios(margin, 0.0));
            assert_eq!(at::<f64>(&RaoKupper { nu: 1.0, ..RaoKupper::default() }, ratios(margin, 0.0)), plain);
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (inf, rao) = (f64::INFINITY, RaoKupper { beta: 0.5, nu: 3.0 });
        assert_eq!(at::<f64>(&rao, tied(-inf, 0.0)), Ok([inf, -0.5, 0.5]));
        assert_eq!(at::<f64>(&rao, tied(-inf, 1.0)), Ok([inf, -0.5, 0.5]));
        let beyond = Row { label: 1.0, ..ratios(0.0, -inf) };
        assert_eq!(at::<f64>(&rao, beyond), Ok([inf, 0.5, -0.5]));
        assert_eq!(at::<f64>(&rao, ratios(0.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |nu, target| refusal(&RaoKupper { beta: 0.1, nu }, tied(0.0, target));
        assert_eq!(message(0.5, 0.0), "`nu` is 0.5, allowed is finite and >= 1");
        assert_eq!(message(3.0, 1.5), "`tie_probability`[0] is 1.5, allowed is [0, 1]");
        assert_eq!(message(1.0, 0.5), "`tie_probability`[0] is 0.5, allowed is 0 where `nu` is 1");
        let refused = refusal(&RaoKupper { beta: 0.0, nu: 3.0 }, tied(0.0, 0.0));
        assert_eq!(refused, "`beta` is 0, allowed is finite and > 0");
    }
}
