//! Divergences other than reverse KL: what happens to a log-ratio before the margin is formed.

use crate::error::Error;
use crate::preference::{LabelledLoss, Length, Needs, PairLoss, Pairs, Row};
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
        (negative - half.ln_1p_near_lane::<FMA>(), math::sigmoid::<T, FMA>(-ratio))
    }
}

/// A loss of the margin whose log-ratios pass through a [`Score`] first: f-DPO and its relatives.
///
/// ```math
/// L = \ell\Big(\frac{s(\lambda^w)}{n_w} - \frac{s(\lambda^l)}{n_l} - t\Big), \qquad \lambda = \log\pi - \log\rho
/// ```
///
/// Score first, then length, then margin, then the batch's offset `t`. It takes every [`LabelledLoss`], of which the
/// [`MarginLoss`](crate::preference::MarginLoss) is one, and is none itself, so that scores cannot be stacked:
///
/// ```compile_fail,E0277
/// # use loglik::{prelude::*, preference::PairLoss};
/// let once = Scored { loss: Dpo::default(), score: JensenShannon };
/// let twice = Scored { loss: once, score: JensenShannon };
/// twice.needs(); // `Scored<..>` is no `LabelledLoss`
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

impl<L: LabelledLoss, S: Score> PairLoss for Scored<L, S> {
    fn needs(&self) -> Result<Needs> {
        self.score.check()?;
        LabelledLoss::needs(&self.loss)
    }

    #[inline(always)]
    fn pair<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        scored_pair::<T, L, S, FMA>(&self.loss, &self.score, row)
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        LabelledLoss::explain(&self.loss, row, position)
    }

    fn name(&self) -> &'static str {
        self.loss.name()
    }
}

/// The one place where a margin is formed, and where its slope is handed back to the two sides.
#[inline(always)]
pub(crate) fn scored_pair<T: Real, L: LabelledLoss, S: Score, const FMA: bool>(
    loss: &L,
    score: &S,
    row: Row<T>,
) -> (T, Pairs<T>) {
    let chosen = score.at::<T, FMA>(row.policy.chosen - row.reference.chosen);
    let rejected = score.at::<T, FMA>(row.policy.rejected - row.reference.rejected);
    match loss.length() {
        Length::Sum => {
            let (loss, slope) = loss.given::<T, FMA>(chosen.0 - rejected.0, row);
            (loss, Pairs { chosen: slope * chosen.1, rejected: -(slope * rejected.1) })
        }
        Length::Mean => {
            let Pairs { chosen: n, rejected: k } = row.lengths;
            let (loss, slope) = loss.given::<T, FMA>(chosen.0 / n - rejected.0 / k, row);
            (loss, Pairs { chosen: slope * chosen.1 / n, rejected: -(slope * rejected.1 / k) })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, one, pair};
    use crate::preference::{Dpo, Ipo, PairObjective};
    use crate::testing::close;

    /// Log-ratio, score, slope: scripts/pair_reference.py.
    const JENSEN_SHANNON: [(f64, f64, f64); 11] = [
        (0.0, 0.0, 0.5),
        (1e-9, 4.999_999_998_75e-10, 0.499_999_999_75),
        (-1e-9, -5.000_000_001_25e-10, 0.500_000_000_25),
        (0.5, 0.219_070_196_379_838_63, 0.377_540_668_798_145_46),
        (-1.25, -0.808_781_900_785_427_6, 0.777_299_861_174_691_2),
        (1.5, 0.491_733_902_577_192_9, 0.182_425_523_806_356_35),
        (-4.0, -3.325_002_747_357_864_5, 0.982_013_790_037_908_5),
        (30.0, 0.693_147_180_559_851_7, 9.357_622_968_839_299e-14),
        (-30.0, -29.306_852_819_440_15, 0.999_999_999_999_906_4),
        (1000.0, LN_2, 0.0), // 5e-435
        (-1000.0, -999.306_852_819_44, 1.0),
    ];

    #[test]
    fn jensen_shannon_is_that_of_exact_arithmetic() {
        for (ratio, score, slope) in JENSEN_SHANNON {
            for (s, d) in [JensenShannon.at::<f64, false>(ratio), JensenShannon.at::<f64, true>(ratio)] {
                close(s, score, 1e-15);
                close(d, slope, 1e-15);
            }
            let (s, d) = JensenShannon.at::<f32, false>(ratio as f32);
            close(s.wide(), score, 4e-7);
            if slope > 1e-30 {
                close(d.wide(), slope, 4e-7);
            }
        }
        let inf = f64::INFINITY;
        assert_eq!(JensenShannon.at::<f64, false>(-inf), (-inf, 1.0));
        assert_eq!(JensenShannon.at::<f64, false>(inf), (LN_2, 0.0));
    }

    #[test]
    fn dpo_with_jensen_shannon_is_that_of_the_peers() {
        let policy = [[-12.5, -14.25], [-30.25, -28.5], [-8.0, -20.0]];
        let reference = [[-13.0, -13.5], [-29.0, -29.75], [-9.5, -16.0]];
        let expected = [
            (0.660_556_498_876_136_3, -0.018_251_683_105_562_5, 0.032_833_957_806_079_75),
            (0.757_599_035_317_169_1, -0.041_290_897_217_811_54, 0.011_830_040_119_564_084),
            (0.520_410_231_262_183_8, -0.007_401_428_423_239_138, 0.039_842_586_859_252_384),
        ];
        let scored = Scored { loss: Dpo::default(), score: JensenShannon };
        for ((p, r), (loss, chosen, rejected)) in policy.iter().zip(reference).zip(expected) {
            let ratios = [p[0] - r[0], p[1] - r[1]];
            let (a, b, c) = pair::<f64>(&scored, one(&ratios, &[0.0], &[1.0]));
            close(a, loss, 1e-14);
            close(b, chosen, 1e-14);
            close(c, rejected, 1e-14);
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Scored { loss: Dpo::default(), score: JensenShannon });
        agrees_with_differences(&Scored { loss: Ipo { beta: 0.1, length: Length::Mean }, score: JensenShannon });
    }

    #[test]
    fn reverse_kl_is_the_plain_loss() {
        let sample = Sample::<f32>::of(100);
        let ipo = Ipo { beta: 0.1, length: Length::Mean };
        let scored = Scored { loss: ipo, score: ReverseKl };
        assert_eq!(scored.grad(sample.full(), Reduction::Mean), ipo.grad(sample.full(), Reduction::Mean));
    }

    #[test]
    fn messages_name_the_inner_loss() {
        let sample = Sample::<f32>::of(1);
        let batch = crate::preference::PairBatch::new(sample.policy.view());
        let error = Scored { loss: Dpo::default(), score: JensenShannon }.value(batch, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "Dpo needs `reference`");
    }
}
