//! Aligned supervised fine-tuning (ASFT): the alignment term.

use crate::error::{Error, Position};
use crate::preference::{Length, Needs, PairLoss, Pairs, Row, odds};
use crate::{Real, Result, check, math};

/// Aligned supervised fine-tuning (ASFT), its alignment term: `λ` times the logistic losses of the log-odds of both
/// responses, which make the chosen one probable and the rejected one improbable.
///
/// ```math
/// L_i = \lambda \big(\operatorname{softplus}(-\beta\, o^w_i) + \operatorname{softplus}(\beta\, o^l_i)\big),
/// \qquad o = \operatorname{logit}(p), \quad \log p = \frac{\log\pi}{n}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]; `p` is then the geometric mean of the token probabilities), or
/// 1 ([`Length::Sum`]: the log-probabilities are used as given). No reference. The gradient is with respect to what was
/// given, that is, to the sums. At `β = 1`, the paper's form, the term is the cross-entropy
/// `-λ ln p_w - λ ln(1 - p_l)`, with the gradient `-λ` and `λ p_l / (1 - p_l)`. The whole ASFT objective is this term and
/// the [`Nll`](crate::preference::Nll) of the chosen response in a [`WeightedSum`](crate::preference::WeightedSum).
///
/// Each response counts by its own likelihood, while [`Orpo`](crate::preference::Orpo) sees the difference of the log-odds
/// alone; at `β = 1` its term is never above this one.
///
/// No clamp and no ε: `ln(1 - p)` is formed without cancellation, and so is the gradient of the chosen side at other `β`,
/// `-β σ(-βo) / (1 - p)`, which is 0 · ∞ towards `p = 1`.
///
/// `L >= 0`. A chosen response of probability 0 gives +inf with gradient `-λβ/n`, a rejected one 0. A chosen response of
/// probability 1 is the exact limit where `β >= 1`; below, and towards `p_l = 1` at any `β`, the gradient grows without
/// bound, and the end is an error.
///
/// # Errors
///
/// `lambda` or `beta` out of range; a batch without lengths, for [`Length::Mean`]; a log-probability above 0; a rejected
/// one of exactly 0, and at `β < 1` a chosen one.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::{Asft, Nll};
/// let (chosen, rejected) = ([0.3_f64.ln()], [0.2_f64.ln()]);
/// let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) });
/// let term = Asft { length: Length::Sum, ..Asft::default() };
/// assert!((term.value(batch, Reduction::Mean)? - 1.427_116_356).abs() < 1e-9); // -ln 0.3 - ln 0.8
///
/// let whole = WeightedSum {
///     terms: vec![
///         Term { weight: 1.0, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
///         Term { weight: 0.5, objective: PairConfig::Asft(term) },
///     ],
/// };
/// assert!((whole.value(batch, Reduction::Mean)? - 1.917_530_982).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wang et al., 2024, [arXiv:2409.10571](https://arxiv.org/abs/2409.10571). The tempering `β`: Gorbatovski et al., 2025,
/// [arXiv:2502.01237](https://arxiv.org/abs/2502.01237).
#[doc(alias = "aligned supervised fine-tuning")]
#[doc(alias = "absolute likelihood")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Asft {
    /// Weight of the term, `> 0`. Default 1 (the upper end of what is used, 0.1 to 1).
    pub lambda: f64,
    /// Temper of the log-odds, `> 0`. Default 1 (the paper).
    pub beta: f64,
    /// What the odds are of. Default [`Length::Mean`] (the paper).
    pub length: Length,
}

impl Default for Asft {
    fn default() -> Self {
        Self { lambda: 1.0, beta: 1.0, length: Length::Mean }
    }
}

impl PairLoss for Asft {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("lambda", self.lambda)?;
        check::positive("beta", self.beta)?;
        Ok(Needs { lengths: self.length == Length::Mean, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (lambda, beta) = (T::from_f64(self.lambda), T::from_f64(self.beta));
        let (w, l) = (row.policy.chosen, row.policy.rejected);
        let (n, k) = (row.lengths.chosen, row.lengths.rejected);
        let (w, l) = match self.length {
            Length::Sum => (w, l),
            Length::Mean => (w / n, l / k),
        };
        let plain = beta == T::one(); // no data: the loop is compiled for both
        let (likely, by_chosen) = if plain { certain(w) } else { tempered::<T, FMA>(w, beta) };
        let (unlikely, by_rejected) = if plain { opposite::<T, FMA>(l) } else { untempered::<T, FMA>(l, beta) };
        let slope = match self.length {
            Length::Sum => Pairs { chosen: lambda * by_chosen, rejected: lambda * by_rejected },
            Length::Mean => Pairs { chosen: lambda * by_chosen / n, rejected: lambda * by_rejected / k },
        };
        (lambda * (likely + unlikely), slope)
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        let (argument, value) = (Row::NAMES.policy.chosen, row.policy.chosen);
        let certain = || Error::Value { argument, position: Position::from(position), value, allowed: "< 0" };
        odds::explain(row, position).or_else(|| (self.beta < 1.0 && value == 0.0).then(certain))
    }
}

/// `-ln p` of `p = e^x` and its slope; NaN above 1.
#[inline(always)]
fn certain<T: Real>(x: T) -> (T, T) {
    (if x > T::zero() { T::nan() } else { -x }, -T::one())
}

/// `-ln(1 - p)` and its slope `p / (1 - p)`.
#[inline(always)]
fn opposite<T: Real, const FMA: bool>(x: T) -> (T, T) {
    (-math::log1mexp::<T, FMA>(x), -math::log1mexp_slope::<T, FMA>(x))
}

/// `softplus(-β logit p)` and its slope `-β σ(-βo) / (1 - p)`.
#[inline(always)]
fn tempered<T: Real, const FMA: bool>(x: T, beta: T) -> (T, T) {
    let opposite = math::log1mexp::<T, FMA>(x);
    let odds = beta * (x - opposite);
    // σ(-βo) / (1 - p) is 0 · inf towards p = 1. Where p is likelier than not, e^(-βo) / (1 - p) in one exponent:
    let near = math::exp::<T, FMA>((beta - T::one()) * opposite - beta * x);
    let against = if odds > T::zero() { near } else { math::log_odds_slope::<T, FMA>(x) };
    (math::softplus::<T, FMA>(-odds), -(beta * math::sigmoid::<T, FMA>(odds.abs()) * against))
}

/// `softplus(β logit p)` and its slope.
#[inline(always)]
fn untempered<T: Real, const FMA: bool>(x: T, beta: T) -> (T, T) {
    let odds = beta * math::log_odds::<T, FMA>(x);
    let slope = beta * math::sigmoid::<T, FMA>(odds) * math::log_odds_slope::<T, FMA>(x);
    (math::softplus::<T, FMA>(odds), slope)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal};
    use crate::preference::{Orpo, PairObjective};

    const PLAIN: Asft = Asft { lambda: 1.0, beta: 1.0, length: Length::Sum };

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &PLAIN,
            &[
                (ratios(-1.25, -1.1875), [1.613_818_640_503_194_2, -1.0, 0.438_813_248_047_757_07]),
                (ratios(-1e-8, -1.0), [0.458_675_155_387_081_87, -1.0, 0.581_976_706_869_326_5]),
                (ratios(-1e-12, -3.0), [0.051_069_180_943_701_59, -1.0, 0.052_395_696_491_255_95]),
                (ratios(-1.0, -1e-12), [28.631_021_115_929_048, -1.0, 999999999999.5]),
                (ratios(-800.0, -1.0), [800.458_675_145_387_1, -1.0, 0.581_976_706_869_326_5]),
                (ratios(-10000.0, -10000.0), [10000.0, -1.0, 0.0]),
                (ratios(-0.7, -0.001), [7.608_255_237_315_471, -1.0, 999.500_083_333_331_9]),
            ],
        );
        is_exact(
            &Asft { beta: 2.5, ..PLAIN },
            &[
                (ratios(-1.25, -1.1875), [2.498_390_229_492_464, -3.179_052_529_360_426, 0.406_916_987_088_949_6]),
                (
                    ratios(-1e-8, -1.0),
                    [0.229_827_596_752_803_45, -2.500_000_043_750_000_5e-12, 0.812_065_841_900_123_7],
                ),
                (
                    ratios(-1e-12, -3.0),
                    [0.000_628_206_786_719_744_3, -2.500_000_000_004_374_7e-18, 0.001_652_286_254_068_237_8],
                ),
                (ratios(-1.0, -1e-12), [70.660_692_523_105_23, -3.142_875_925_273_192_4, 2500000000001.25]),
                (ratios(-800.0, -1.0), [2_000.229_827_596_752_8, -2.5, 0.812_065_841_900_123_7]),
                (ratios(-10000.0, -10000.0), [25000.0, -2.5, 0.0]),
                (ratios(-0.7, -0.001), [17.978_504_801_328_974, -2.525_433_045_734_763, 2_501.250_129_137_915]),
            ],
        );
        is_exact(
            &Asft { beta: 0.5, ..PLAIN },
            &[
                (
                    ratios(-1.25, -1.1875),
                    [1.455_326_001_901_503_3, -0.428_955_056_417_109_46, 0.286_662_563_870_659_64],
                ),
                (ratios(-1e-8, -1.0), [0.567_045_414_503_994_7, -4_999.500_087_490_001_5, 0.342_295_841_581_134_46]),
                (ratios(-1e-12, -3.0), [0.206_121_325_039_874_1, -499_999.500_000_875, 0.098_012_159_234_538_18]),
                (ratios(-1.0, -1e-12), [14.653_119_404_773_395, -0.448_692_511_853_528_7, 499999500000.75]),
                (ratios(-800.0, -1.0), [400.566_945_419_503_4, -0.5, 0.342_295_841_581_134_46]),
                (ratios(-10000.0, -10000.0), [5000.0, -0.5, 0.0]),
                (ratios(-0.7, -0.001), [4.181_336_117_375_045, -0.498_304_252_727_667_5, 484.911_945_188_184_23]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Asft::default());
        agrees_with_differences(&Asft { lambda: 0.3, beta: 1.5, length: Length::Mean });
        agrees_with_differences(&Asft { lambda: 2.0, beta: 0.7, length: Length::Sum });
    }

    #[test]
    fn both_ways_to_form_the_plain_loss_agree() {
        for x in [-1e-300, -1e-12, -0.1, -LN_2, -2.0, -50.0, -1e4, f64::NEG_INFINITY] {
            let close = |(a, b): (f64, f64), (c, d): (f64, f64)| {
                assert!(a == c || (a - c).abs() <= 2e-13 * c.abs(), "{x}: {a} {c}");
                assert!(b == d || (b - d).abs() <= 2e-13 * d.abs(), "{x}: {b} {d}");
            };
            if x > -1e300 {
                close(tempered::<f64, false>(x, 1.0), certain(x));
            }
            close(untempered::<f64, false>(x, 1.0), opposite::<f64, false>(x));
        }
    }

    #[test]
    fn the_odds_ratio_is_never_above_it() {
        let sample = Sample::<f64>::of(1000);
        let own = PLAIN.each(sample.batch()).unwrap();
        let odds_ratio = Orpo { lambda: 1.0, length: Length::Sum }.each(sample.batch()).unwrap();
        assert!(odds_ratio.iter().zip(&own).all(|(ratio, own)| *ratio <= own * (1.0 + 1e-15)));
        assert!(odds_ratio.iter().zip(&own).any(|(ratio, own)| *ratio < 0.9 * own));
    }

    #[test]
    fn certainty_and_impossibility_are_exact_limits() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&PLAIN, ratios(0.0, -inf)), Ok([0.0, -1.0, 0.0]));
        assert_eq!(at::<f64>(&PLAIN, ratios(-inf, -inf)), Ok([inf, -1.0, 0.0]));
        let steep = Asft { beta: 2.0, ..PLAIN };
        assert_eq!(at::<f64>(&steep, ratios(0.0, -inf)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&steep, ratios(-inf, -inf)), Ok([inf, -2.0, 0.0]));
        let flat = Asft { beta: 0.5, ..PLAIN };
        assert_eq!(at::<f64>(&flat, ratios(-inf, -inf)), Ok([inf, -0.5, 0.0]));
        assert_eq!(refusal(&flat, ratios(0.0, -1.0)), "`policy.chosen`[0] is 0, allowed is < 0");
    }

    #[test]
    fn what_is_no_log_probability_is_named() {
        for beta in [1.0, 0.5, 2.0] {
            let message = |w: f64, l: f64| refusal(&Asft { beta, ..PLAIN }, ratios(w, l));
            assert_eq!(message(0.5, -1.0), "`policy.chosen`[0] is 0.5, allowed is <= 0");
            assert_eq!(message(-0.5, 0.25), "`policy.rejected`[0] is 0.25, allowed is <= 0");
            assert_eq!(message(-0.5, 0.0), "`policy.rejected`[0] is 0, allowed is < 0");
        }
    }

    #[test]
    fn hyper_parameters_and_missing_lengths_are_named() {
        assert_eq!(
            refusal(&Asft { lambda: 0.0, ..PLAIN }, ratios(-1.0, -1.0)),
            "`lambda` is 0, allowed is finite and > 0"
        );
        assert_eq!(
            refusal(&Asft { beta: -1.0, ..PLAIN }, ratios(-1.0, -1.0)),
            "`beta` is -1, allowed is finite and > 0"
        );
        let sample = Sample::<f64>::of(2);
        let bare = crate::preference::PairBatch::new(sample.policy.view());
        assert_eq!(Asft::default().value(bare, Reduction::Sum).unwrap_err().to_string(), "Asft needs `lengths`");
    }
}
