//! Divergences other than reverse KL: what happens to a log-ratio before the margin is formed.

mod linkable;
mod named;

pub use linkable::LinkableConfig;
pub use named::Link;

use crate::error::Error;
use crate::math::mul_or_zero;
use crate::preference::loops::{LinkLoops, PairLoops};
use crate::preference::{LabeledLoss, Length, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Link function of an f-divergence: a score of the log-ratio `λ = log π - log ρ`. It is `f'(e^λ)`, shifted so that
/// `s(0) = 0`.
#[doc(alias = "f-divergence")]
#[doc(alias = "link function")]
#[doc(alias = "score function of a divergence")]
pub trait RatioLink: Sync {
    #[doc(hidden)]
    fn link_loops(&self) -> LinkLoops<'_>;

    /// Score and slope at one log-ratio.
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T)
    where
        Self: Sized;

    /// `s(λ_w) - s(λ_l)` and both slopes: from [`RatioLink::at`], unless the difference can be had without cancellation.
    #[inline(always)]
    fn difference<T: Real, const FMA: bool>(&self, ratios: Pairs<T>) -> (T, Pairs<T>)
    where
        Self: Sized,
    {
        let (chosen, rejected) = (self.at::<T, FMA>(ratios.chosen), self.at::<T, FMA>(ratios.rejected));
        (chosen.0 - rejected.0, Pairs { chosen: chosen.1, rejected: rejected.1 })
    }

    /// Checks the hyper-parameters, if there are any.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Reverse Kullback-Leibler divergence (reverse KL), the divergence of plain DPO: `s(λ) = λ`.
#[doc(alias = "reverse KL")]
#[doc(alias = "reverse_kl")]
#[doc(alias = "reverse Kullback-Leibler divergence")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ReverseKlLink;

impl RatioLink for ReverseKlLink {
    crate::compile_loops!(RatioLink);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        (ratio, T::one())
    }
}

/// Jensen-Shannon divergence (JSD): `s(λ) = ln σ(λ) + ln 2`, `s'(λ) = σ(-λ)`.
///
/// `s'(0) = 1/2`: near agreement it acts like reverse KL with half the `beta`. Above, `s` saturates at `ln 2`. The value
/// is formed without the cancellation of the two logarithms and is good to 5 ulp.
#[doc(alias = "JSD")]
#[doc(alias = "js_divergence")]
#[doc(alias = "Jensen-Shannon divergence")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct JensenShannonLink;

impl RatioLink for JensenShannonLink {
    crate::compile_loops!(RatioLink);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        // (1 + e^-|λ|) / 2 = 1 + expm1(-|λ|) / 2
        let half = T::from_f64(0.5) * math::exp_m1::<T, FMA>(-ratio.abs());
        let negative = if ratio < T::zero() { ratio } else { T::zero() };
        (negative - half.ln_1p_near_lane::<FMA>(), math::sigmoid::<T, FMA>(-ratio))
    }
}

/// Forward Kullback-Leibler divergence (forward KL): `s(λ) = 1 - e^-λ`, `s'(λ) = e^-λ`.
///
/// A response that the policy makes less likely than the reference counts for exponentially more: at `λ` below -88 the
/// slope leaves `f32`, below -709 `f64`, and the pair is an overflow, unless the slope of the loss is 0 there. TRL gives
/// infinity or NaN. The difference of two scores is formed from the larger power and the gap of the log-ratios, to 5 ulp.
#[doc(alias = "forward KL")]
#[doc(alias = "forward_kl")]
#[doc(alias = "forward Kullback-Leibler divergence")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ForwardKlLink;

impl RatioLink for ForwardKlLink {
    crate::compile_loops!(RatioLink);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        power::<T, FMA>(-T::one(), ratio)
    }

    #[inline(always)]
    fn difference<T: Real, const FMA: bool>(&self, ratios: Pairs<T>) -> (T, Pairs<T>) {
        powers::<T, FMA>(-T::one(), ratios)
    }
}

/// Alpha divergence (α-divergence), in TRL's convention: `s(λ) = (e^((α-1)λ) - 1) / (α - 1)`, `s'(λ) = e^((α-1)λ)`.
///
/// `α = 1` is reverse KL and `α = 0` forward KL, each the exact limit of its neighbors. The paper, its code and TRL before
/// 2026 call `1 - α` what is `α` here; both agree at the default ½. TRL cuts the exponent at 80 (11 in half precision), so
/// that very unlikely responses stop counting; here nothing is cut, and what leaves the type is an overflow, unless the slope
/// of the loss is 0 there.
#[doc(alias = "alpha divergence")]
#[doc(alias = "α-divergence")]
#[doc(alias = "alpha_divergence")]
#[doc(alias = "f_alpha_divergence_coef")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AlphaLink {
    /// `α`, finite. Default 0.5 (TRL's `f_alpha_divergence_coef`).
    pub alpha: f64,
}

impl Default for AlphaLink {
    fn default() -> Self {
        Self { alpha: 0.5 }
    }
}

impl RatioLink for AlphaLink {
    crate::compile_loops!(RatioLink);

    fn check(&self) -> Result<()> {
        check::finite("alpha", self.alpha)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        power::<T, FMA>(T::from_f64(self.alpha - 1.0), ratio)
    }

    #[inline(always)]
    fn difference<T: Real, const FMA: bool>(&self, ratios: Pairs<T>) -> (T, Pairs<T>) {
        powers::<T, FMA>(T::from_f64(self.alpha - 1.0), ratios)
    }
}

/// Exponents nearer to 0 than this are 0: the next term of the series is below an ulp wherever `cλ` is not large.
const LINEAR: f64 = 1e-30;

/// `(e^(cλ) - 1) / c` and its slope.
#[inline(always)]
fn power<T: Real, const FMA: bool>(c: T, ratio: T) -> (T, T) {
    let exponent = c * ratio;
    let (score, slope) = (math::exp_m1::<T, FMA>(exponent) / c, math::exp::<T, FMA>(exponent));
    if c.abs() < T::from_f64(LINEAR) { (ratio, T::one()) } else { (score, slope) }
}

/// `(e^(cλ_w) - e^(cλ_l)) / c` and both slopes.
#[inline(always)]
fn powers<T: Real, const FMA: bool>(c: T, ratios: Pairs<T>) -> (T, Pairs<T>) {
    let gap = ratios.chosen - ratios.rejected;
    let slopes = ratios.map(|ratio| math::exp::<T, FMA>(c * ratio));
    let larger = if slopes.chosen < slopes.rejected { slopes.rejected } else { slopes.chosen };
    let share = -math::exp_m1::<T, FMA>(-(c * gap).abs());
    let size = mul_or_zero(share, larger) / c.abs();
    let difference = if gap < T::zero() { -size } else { size };
    let linear = c.abs() < T::from_f64(LINEAR);
    (if linear { gap } else { difference }, if linear { ratios.map(|_| T::one()) } else { slopes })
}

/// Direct preference optimization with an f-divergence (f-DPO), and its relatives: a loss of the margin whose
/// log-ratios pass through a [`RatioLink`] first.
///
/// ```math
/// L = \ell\Big(\frac{s(\lambda^w)}{n_w} - \frac{s(\lambda^l)}{n_l} - t\Big), \qquad \lambda = \log\pi - \log\rho
/// ```
///
/// The order is: the [`RatioLink`], the division by lengths, the margin, the batch's offset `t`. It takes every
/// [`LabeledLoss`], of which the [`MarginLoss`](crate::preference::MarginLoss) is one, and is none itself, so that
/// scores cannot be stacked:
///
/// ```compile_fail,E0277
/// # use loglik::{prelude::*, preference::PairLoss};
/// # use loglik::preference::JensenShannonLink;
/// let once = Linked { loss: Dpo::default(), link: JensenShannonLink };
/// let twice = Linked { loss: once, link: JensenShannonLink };
/// twice.needs(); // `Linked<..>` is no `LabeledLoss`
/// ```
///
/// Losses that treat each side separately, and functions of the whole batch, take no score, as its constants would
/// count:
///
/// ```compile_fail,E0277
/// # use loglik::{prelude::*, preference::PairLoss};
/// # use loglik::preference::{ForwardKlLink, Nll};
/// Linked { loss: Nll { length: Length::Sum }, link: ForwardKlLink }.needs(); // a loss of one side
/// ```
///
/// ```compile_fail,E0277
/// # use loglik::{prelude::*, preference::PairLoss};
/// # use loglik::preference::{Aot, ForwardKlLink};
/// Linked { loss: Aot::default(), link: ForwardKlLink }.needs(); // a function of the whole batch
/// ```
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::JensenShannonLink;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = Linked { loss: Dpo::default(), link: JensenShannonLink }.value(batch, Reduction::Mean)?;
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
#[doc(alias = "f-DPO")]
#[doc(alias = "f-divergence")]
#[doc(alias = "direct preference optimization with an f-divergence")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Linked<L, S> {
    /// The loss of the margin.
    pub loss: L,
    /// The divergence, as a score of the log-ratio.
    pub link: S,
}

impl<L: LabeledLoss, S: RatioLink> PairLoss for Linked<L, S> {
    fn needs(&self) -> Result<Needs> {
        self.link.check()?;
        LabeledLoss::needs(&self.loss)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        linked_pair::<T, L, S, FMA>(&self.loss, &self.link, row)
    }

    fn pair_loops(&self) -> PairLoops<'_> {
        PairLoops::of_margin(self.loss.labeled_loops(), Some(self.link.link_loops()), self.loss.length())
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        LabeledLoss::explain(&self.loss, row, position)
    }

    fn name(&self) -> &'static str {
        LabeledLoss::name(&self.loss)
    }
}

/// The one place where a margin is formed, and where its slope is handed back to the two sides.
#[inline(always)]
pub(crate) fn linked_pair<T: Real, L: LabeledLoss, S: RatioLink, const FMA: bool>(
    loss: &L,
    link: &S,
    row: Row<T>,
) -> (T, Pairs<T>) {
    let ratios = row.log_ratios();
    match loss.length() {
        Length::Sum => {
            let (margin, slopes) = link.difference::<T, FMA>(ratios);
            let (loss, slope) = loss.at::<T, FMA>(margin, row.constants());
            (loss, Pairs { chosen: mul_or_zero(slope, slopes.chosen), rejected: -mul_or_zero(slope, slopes.rejected) })
        }
        Length::Mean => {
            let Pairs { chosen: n, rejected: k } = row.lengths;
            let (chosen, rejected) = (link.at::<T, FMA>(ratios.chosen), link.at::<T, FMA>(ratios.rejected));
            let (loss, slope) = loss.at::<T, FMA>(chosen.0 / n - rejected.0 / k, row.constants());
            (loss, Pairs { chosen: mul_or_zero(slope, chosen.1) / n, rejected: -(mul_or_zero(slope, rejected.1) / k) })
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
            for (s, d) in [JensenShannonLink.at::<f64, false>(ratio), JensenShannonLink.at::<f64, true>(ratio)] {
                close(s, score, 1e-15);
                close(d, slope, 1e-15);
            }
            let (s, d) = JensenShannonLink.at::<f32, false>(ratio as f32);
            close(s.as_f64(), score, 4e-7);
            if slope > 1e-30 {
                close(d.as_f64(), slope, 4e-7);
            }
        }
        let inf = f64::INFINITY;
        assert_eq!(JensenShannonLink.at::<f64, false>(-inf), (-inf, 1.0));
        assert_eq!(JensenShannonLink.at::<f64, false>(inf), (LN_2, 0.0));
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
        let scored = Linked { loss: Dpo::default(), link: JensenShannonLink };
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
        agrees_with_differences(&Linked { loss: Dpo::default(), link: JensenShannonLink });
        agrees_with_differences(&Linked { loss: Ipo { beta: 0.1, length: Length::Mean }, link: JensenShannonLink });
        for alpha in [0.9, 0.97, 1.0, 1.04] {
            agrees_with_differences(&Linked { loss: Dpo::default(), link: AlphaLink { alpha } });
            let mean = Ipo { beta: 0.5, length: Length::Mean };
            agrees_with_differences(&Linked { loss: mean, link: AlphaLink { alpha: 0.98 } });
        }
    }

    /// `beta` 0.1 on the three pairs of the peers' tables: loss and both slopes.
    #[test]
    fn dpo_with_powers_is_that_of_the_peers() {
        let ratios = [[0.5, -0.75], [-1.25, 1.25], [1.5, -4.0]];
        let forward = [
            (0.620_472_902_823_422_3, -0.028_040_512_724_731_7, 0.097_871_006_112_386_43),
            (0.866_115_309_082_597_6, -0.202_236_679_652_386_1, 0.016_600_597_570_967_975),
            (0.004_340_901_544_849_132, -0.000_096_648_682_715_043_47, 0.023_649_152_924_335_544),
        ];
        let alpha = [
            (0.627_812_546_188_175_5, -0.036_310_955_984_599_73, 0.067_837_796_728_727_8),
            (0.835_303_686_317_940_9, -0.105_790_783_743_263_85, 0.030_309_567_006_044_11),
            (0.223_735_541_352_700_07, -0.009_469_695_337_949_84, 0.148_130_958_226_962_25),
        ];
        let by_forward = Linked { loss: Dpo::default(), link: ForwardKlLink };
        let by_alpha = Linked { loss: Dpo::default(), link: AlphaLink::default() };
        for (i, ratio) in ratios.iter().enumerate() {
            for (got, expected) in [
                (pair::<f64>(&by_forward, one(ratio, &[0.0], &[1.0])), forward[i]),
                (pair::<f64>(&by_alpha, one(ratio, &[0.0], &[1.0])), alpha[i]),
            ] {
                close(got.0, expected.0, 1e-14);
                close(got.1, expected.1, 1e-14);
                close(got.2, expected.2, 1e-14);
            }
        }
    }

    #[test]
    fn the_ends_of_alpha_are_both_kl() {
        let sample = Sample::<f64>::of(40);
        let (policy, reference) = (sample.policy.map(|side| side * 0.1), sample.reference.map(|side| side * 0.1));
        let batch = crate::preference::PairBatch::new(policy.view()).reference(reference.view());
        let grad = |alpha| Linked { loss: Dpo::default(), link: AlphaLink { alpha } }.grad(batch, Reduction::Sum);
        let forward = Linked { loss: Dpo::default(), link: ForwardKlLink }.grad(batch, Reduction::Sum).unwrap();
        assert_eq!(grad(0.0).unwrap(), forward);
        let reverse = Dpo::default().grad(batch, Reduction::Sum).unwrap();
        assert_eq!(grad(1.0).unwrap(), reverse);
        for (near, (loss, slope)) in [(1.0 + 1e-9, &reverse), (1.0 - 1e-12, &reverse), (1e-9, &forward)] {
            let (value, by) = grad(near).unwrap();
            close(value, *loss, 1e-7);
            assert!((&by.chosen - &slope.chosen).iter().all(|d| d.abs() < 1e-5), "{near}");
            assert!((&by.rejected - &slope.rejected).iter().all(|d| d.abs() < 1e-5), "{near}");
        }
    }

    #[test]
    fn a_difference_of_powers_keeps_its_digits() {
        // e^30 (1 - e^-1e-9)
        let (difference, slopes) =
            ForwardKlLink.difference::<f64, false>(Pairs { chosen: -30.0 + 1e-9, rejected: -30.0 });
        let gap = (-30.0 + 1e-9) - -30.0_f64;
        close(difference, 30.0_f64.exp() * -(-gap).exp_m1(), 3e-15);
        assert!(slopes.chosen < slopes.rejected);
        for c in [-2.5, -1.0, 0.5, 3.0] {
            let ratios = Pairs { chosen: 0.75, rejected: -1.5 };
            let (difference, _) = powers::<f64, true>(c, ratios);
            close(difference, power::<f64, true>(c, 0.75).0 - power::<f64, true>(c, -1.5).0, 1e-14);
        }
    }

    #[test]
    fn a_power_beyond_the_type_is_an_overflow_or_does_not_count() {
        let forward = Linked { loss: Dpo::default(), link: ForwardKlLink };
        // The chosen response is ruled out: loss and slope are beyond the type.
        let error = forward.value(one(&[-800.0_f64, -1.0], &[0.0], &[1.0]), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `policy.chosen`[0] overflows f64");
        assert!(forward.value(one(&[-400.0_f32, -1.0], &[0.0], &[1.0]), Reduction::Sum).is_err());
        let (loss, chosen, _) = pair::<f64>(&forward, one(&[-400.0, -1.0], &[0.0], &[1.0]));
        close(loss, 0.1 * 400.0_f64.exp(), 1e-13);
        close(chosen, -0.1 * 400.0_f64.exp(), 1e-13);
        // The rejected one is: nothing is left to do.
        let inf = f64::INFINITY;
        assert_eq!(pair::<f64>(&forward, one(&[-1.0, -800.0], &[0.0], &[1.0])), (0.0, 0.0, 0.0));
        assert_eq!(pair::<f64>(&forward, one(&[-1.0, -inf], &[0.0], &[1.0])), (0.0, 0.0, 0.0));
        assert_eq!(pair::<f32>(&forward, one(&[-1.0, -400.0], &[0.0], &[1.0])), (0.0, 0.0, 0.0));
        // Both: their difference is not known.
        assert!(forward.value(one(&[-800.0_f64, -800.0], &[0.0], &[1.0]), Reduction::Sum).is_ok_and(|x| x == LN_2));
        let above = Linked { loss: Dpo::default(), link: AlphaLink { alpha: 2.0 } };
        assert_eq!(pair::<f64>(&above, one(&[-inf, -1.0], &[0.0], &[1.0])).1, 0.0);
        let wild = Linked { loss: Dpo::default(), link: AlphaLink { alpha: f64::NAN } };
        let error = wild.value(one(&[-1.0_f64, -1.0], &[0.0], &[1.0]), Reduction::Sum).unwrap_err().to_string();
        assert_eq!(error, "`alpha` is NaN, allowed is finite");
    }

    #[test]
    fn reverse_kl_is_the_plain_loss() {
        let sample = Sample::<f32>::of(100);
        let ipo = Ipo { beta: 0.1, length: Length::Mean };
        let scored = Linked { loss: ipo, link: ReverseKlLink };
        assert_eq!(scored.grad(sample.full(), Reduction::Mean), ipo.grad(sample.full(), Reduction::Mean));
    }

    #[test]
    fn messages_name_the_inner_loss() {
        let sample = Sample::<f32>::of(1);
        let batch = crate::preference::PairBatch::new(sample.policy.view());
        let error = Linked { loss: Dpo::default(), link: JensenShannonLink }.value(batch, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "Dpo needs `reference`");
    }
}
