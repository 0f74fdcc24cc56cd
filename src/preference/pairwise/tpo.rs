//! Triple preference optimization (TPO).

use ndarray::{Array1, ArrayViewMut1};

use crate::math::mul_or_zero;
use crate::preference::logistic::smoothed;
use crate::preference::{Length, Needs, PairBatch, PairLoss, PairObjective, Pairs, Row};
use crate::{Error, Real, Reduction, Result, check};

/// Triple preference optimization (TPO): the logistic loss of the margin without a reference, plus the negative
/// log-likelihood of a third response, the gold one.
///
/// ```math
/// L_i = \operatorname{softplus}(-z_i) - \alpha \log\pi_i^g, \qquad
/// z_i = \beta \Big(\frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}\Big) - \gamma
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]) or 1 ([`Length::Sum`]). `log π^g` is the batch's gold column
/// ([`PairBatch::gold`]), used as given: a sum over the gold response, or that sum divided by the number for which the
/// likelihood is to be a mean. TRL takes the mean over all gold tokens of a batch: sums, and `alpha` times (number of
/// pairs) `/ Σ n` under `Reduction::Mean`. With `label_smoothing` ε the first term is `(1-ε) softplus(-z) + ε
/// softplus(z)`.
///
/// The gradient of a [`PairObjective`] is the one with respect to the two responses of the pair. That with respect to the
/// gold column does not depend on the pair, and is [`Tpo::gold_grad`]; both are needed for a step. With `alpha` 0 there is
/// no gold response, and the batch needs none.
///
/// The default is the paper's and TRL's `sigmoid`; [`Tpo::length_normalized`] is TPO-L (`tpo-l` in TRL): means and a
/// `gamma`. TRL's `hinge` and `ipo` are other losses of the pair: a sum of theirs and the likelihood of the gold response,
/// as a batch of its own. No other peer has TPO.
///
/// A log-probability of -inf is the exact limit: of the chosen response +inf with gradient `-β/n`, of the rejected one 0
/// in the first term, of the gold one +inf.
///
/// # Errors
///
/// A hyper-parameter out of range; a batch without gold column, or, for [`Length::Mean`], without lengths; both sides of
/// a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// # use loglik::preference::Tpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .gold(aview1(&[-1.5]));
/// let tpo = Tpo { beta: 0.1, ..Tpo::default() };
/// let (loss, gradient) = tpo.grad(batch, Reduction::Mean)?;
/// assert!((loss - 2.109_470_431).abs() < 1e-9); // softplus(-0.175) + 1.5
/// assert!((gradient.chosen[0] + 0.045_636_131).abs() < 1e-9);
/// assert_eq!(tpo.gold_grad(batch, Reduction::Mean)?, array![-1.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Saeidi et al., 2024, [arXiv:2405.16681](https://arxiv.org/abs/2405.16681).
#[doc(alias = "triple preference optimization")]
#[doc(alias = "TPO-L")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Tpo {
    /// Scale of the margin, `> 0`. Default 0.01 (TRL).
    pub beta: f64,
    /// Weight of the gold response's likelihood, `>= 0`. Default 1 (TRL).
    pub alpha: f64,
    /// What the scaled margin has to be ahead by. Default 0; 0.5 for TPO-L (TRL).
    pub gamma: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    pub label_smoothing: f64,
    /// Whether the margin is one of sums or of means per token. Default [`Length::Sum`].
    pub length: Length,
}

impl Default for Tpo {
    fn default() -> Self {
        Self { beta: 0.01, alpha: 1.0, gamma: 0.0, label_smoothing: 0.0, length: Length::Sum }
    }
}

impl Tpo {
    /// TPO-L: a margin of means per token that has to be ahead by 0.5. In configurations `length` and `gamma` say so.
    #[must_use]
    pub fn length_normalized() -> Self {
        Self { gamma: 0.5, length: Length::Mean, ..Self::default() }
    }

    /// The gradient of the reduced loss with respect to the batch's gold column: `-α` times the share of each pair.
    ///
    /// # Errors
    ///
    /// Those of [`PairObjective::validate`]; weights out of range; [`Error::NothingToAverage`] for a mean over nothing.
    pub fn gold_grad<T: Real>(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<Array1<T>> {
        T::gold_grad(self, batch, reduction)
    }

    /// [`Tpo::gold_grad`], compiled here.
    pub(in crate::preference) fn compute_gold_grad<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<Array1<T>> {
        let mut out = Array1::zeros(batch.len());
        self.gold_grad_into(batch, reduction, out.view_mut())?;
        Ok(out)
    }

    /// Like [`Tpo::gold_grad`], written to the caller's array, of any layout.
    ///
    /// # Errors
    ///
    /// The same, and an array that has not one entry for each pair.
    pub fn gold_grad_into<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
        out: ArrayViewMut1<'_, T>,
    ) -> Result<()> {
        T::gold_grad_into(self, batch, reduction, out)
    }

    /// [`Tpo::gold_grad_into`], compiled here.
    pub(in crate::preference) fn compute_gold_grad_into<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
        mut out: ArrayViewMut1<'_, T>,
    ) -> Result<()> {
        self.validate(&batch)?;
        let n = batch.len();
        reduction.check(&[n])?;
        check::shape("out", out.shape(), &[n])?;
        let slope = T::from_f64(-self.alpha);
        match reduction {
            Reduction::Sum => out.fill(slope),
            Reduction::Mean if n == 0 => return Err(Error::NothingToAverage { argument: "batch" }),
            Reduction::Mean => out.fill(T::from_f64(-self.alpha / n as f64)),
            Reduction::Weighted(weights) => out.zip_mut_with(weights, |out, &weight| *out = mul_or_zero(weight, slope)),
        }
        out.iter().position(|x| !x.is_finite()).map_or(Ok(()), |pair| Err(Error::overflow::<T>("out", pair)))
    }
}

impl PairLoss for Tpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::non_negative("alpha", self.alpha)?;
        check::finite("gamma", self.gamma)?;
        check::label_smoothing(self.label_smoothing)?;
        Ok(Needs { lengths: self.length == Length::Mean, gold: self.alpha > 0.0, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, gamma) = (T::from_f64(self.beta), T::from_f64(self.gamma));
        let likelihood = mul_or_zero(T::from_f64(self.alpha), row.gold);
        let Pairs { chosen: w, rejected: l } = row.policy;
        match self.length {
            Length::Sum => {
                let (loss, slope) = smoothed::<T, FMA>(beta * (w - l) - gamma, self.label_smoothing);
                (loss - likelihood, Pairs { chosen: beta * slope, rejected: -(beta * slope) })
            }
            Length::Mean => {
                let Pairs { chosen: n, rejected: k } = row.lengths;
                let (loss, slope) = smoothed::<T, FMA>(beta * (w / n - l / k) - gamma, self.label_smoothing);
                (loss - likelihood, Pairs { chosen: beta * slope / n, rejected: -(beta * slope / k) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::{array, aview1};

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal};

    /// A pair of 4 and 8 tokens, and a gold response.
    fn triple(chosen: f64, rejected: f64) -> Row<f64> {
        Row { lengths: Pairs { chosen: 4.0, rejected: 8.0 }, gold: -2.5, ..ratios(chosen, rejected) }
    }

    const MEAN: Tpo = Tpo { beta: 0.25, alpha: 0.75, gamma: 0.5, label_smoothing: 0.125, length: Length::Mean };

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &MEAN,
            &[
                (triple(-12.5, -14.25), [2.966_541_936_110_555, -0.035_788_057_332_631_13, 0.017_894_028_666_315_565]),
                (triple(-8.0, -20.0), [2.726_248_264_139_840_2, -0.029_229_162_497_129_36, 0.014_614_581_248_564_68]),
                (triple(-10000.0, -1e-8), [549.187_499_999_726_6, -0.054_687_5, 0.027_343_75]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&MEAN);
        agrees_with_differences(&Tpo { beta: 0.3, ..Tpo::default() });
    }

    #[test]
    fn the_gradient_by_the_gold_column_is_that_of_the_value() {
        let sample = Sample::<f64>::of(3);
        let weights = array![0.5, 0.0, 2.0];
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
            let grad = MEAN.gold_grad(sample.full(), reduction).unwrap();
            for i in 0..3 {
                let at = |step: f64| {
                    let mut moved = sample.clone();
                    moved.gold[i] += step;
                    MEAN.value(moved.full(), reduction).unwrap()
                };
                assert!((at(0.5) - at(-0.5) - grad[i]).abs() < 1e-12, "{reduction:?} {i}");
            }
        }
    }

    #[test]
    fn without_weight_there_is_no_gold_response() {
        let tpo = Tpo { alpha: 0.0, beta: 0.5, ..Tpo::default() };
        let batch = PairBatch::new(Pairs { chosen: aview1(&[-2.0_f64]), rejected: aview1(&[-2.0]) });
        assert_eq!(tpo.value(batch, Reduction::Mean), Ok(LN_2));
        assert_eq!(tpo.gold_grad(batch, Reduction::Mean), Ok(array![0.0]));
        let error = Tpo::default().value(batch, Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "Tpo needs `gold`");
        assert_eq!(Tpo::default().gold_grad(batch, Reduction::Mean).unwrap_err(), error);
        assert_eq!(tpo.value(batch.gold(aview1(&[f64::NAN])), Reduction::Mean), Ok(LN_2));
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        let tpo = Tpo { beta: 0.5, ..Tpo::default() };
        assert_eq!(at::<f64>(&tpo, ratios(-inf, -1.0)), Ok([inf, -0.5, 0.5]));
        assert_eq!(at::<f64>(&tpo, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
        let ruled_out = Row { gold: -inf, ..ratios(-1.0, -1.0) };
        assert_eq!(at::<f64>(&tpo, ruled_out), Ok([inf, -0.25, 0.25]));
    }

    #[test]
    fn bad_input_is_named() {
        let message = |tpo: Tpo| refusal(&tpo, triple(-1.0, -1.0));
        assert_eq!(message(Tpo { beta: 0.0, ..MEAN }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(Tpo { alpha: -1.0, ..MEAN }), "`alpha` is -1, allowed is finite and >= 0");
        assert_eq!(message(Tpo { gamma: f64::NAN, ..MEAN }), "`gamma` is NaN, allowed is finite");
        assert_eq!(message(Tpo { label_smoothing: 0.5, ..MEAN }), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
        let unknown = Row { gold: f64::NAN, ..triple(-1.0, -1.0) };
        assert_eq!(refusal(&MEAN, unknown), "`gold`[0] is NaN, allowed is finite or -inf");
        let sample = Sample::<f64>::of(2);
        let empty = MEAN.gold_grad_into(sample.full(), Reduction::Sum, Array1::zeros(3).view_mut()).unwrap_err();
        assert_eq!(empty.to_string(), "`out` has shape [3], expected [2]");
    }
}
