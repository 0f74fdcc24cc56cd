//! Noise-contrastive estimation (NCE), binary.

use ndarray::{Array1, Array2, ArrayRef, Axis, Dimension};

use super::bundle::{ContrastArray, ContrastView, check_shapes};
use crate::error::Position;
use crate::likelihood::{Density, Domain};
use crate::reduction::{pairwise_of, to_real, total_of};
use crate::{Error, Real, Reduction, Result, check, math};

/// Noise-contrastive estimation (NCE): a model without normalizer learns to tell each example from `k` samples of noise.
///
/// ```math
/// L_i = \operatorname{softplus}(-u_i) + \sum_{j=1}^k \operatorname{softplus}(u_{ij}), \qquad
/// u = s - \ln Z - \ln(k P_n)
/// ```
///
/// `s` are the scores of the model, its log-probabilities up to a constant, and `ln P_n` the log-probabilities of the noise,
/// in nats, both at the example and at its negatives ([`Contrast`](crate::ratio::Contrast): `[B]` and `[B, k]`). `ln Z`
/// is the log-normalizer: learn it by its gradient, or leave it at 0, to which a flexible model adapts itself. Slopes
/// are `-σ(-u)` by the score of the example and `σ(u)` by those of the negatives; by `ln Z`, minus their sum. The slope
/// by a log-probability of the noise is the opposite of that by its score.
///
/// The optimum is `s - ln Z = ln P_data` for every `k`; as `k` grows the gradient becomes that of maximum likelihood. Where
/// `u = 0` throughout, `L = (1 + k) ln 2`. The noise may depend on a context that example and negatives share (one entity of
/// an event replaced, the others kept: APE): give the conditional log-probabilities. The optimum then is
/// `s = ln P(x | context)`, up to a term of the context alone. **Negative sampling** (word2vec) is the loss without
/// correction, [`Ddo`](crate::ratio::Ddo)` { alpha: k, beta: 1 }` of the scores themselves with means on both sides; its
/// optimum is `s = ln(P_data / (k P_n))`.
///
/// Scores may be -inf: the exact limit. Losses are good to 4 ulp at the rounded `u`. Reductions are over the examples.
///
/// # Errors
///
/// - [`Error::Shape`]; [`Error::Empty`] for no negatives; [`Error::Parameter`] for a noise ratio that is not above 0 or a
///   normalizer that is not finite.
/// - [`Error::Value`]: a score that is NaN or +inf, a log-probability of the noise that is not finite, a weight.
/// - [`Error::NothingToAverage`]: a mean over no examples. [`Error::Overflow`]: a loss that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{Contrast, Nce, NceBatch};
/// let scores = Contrast { positive: array![0.5_f64], negatives: array![[-1.0, 2.0]] };
/// let log_noise = Contrast { positive: array![-1.0], negatives: array![[-2.0, -0.5]] };
/// let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.25 };
/// let (loss, gradient) = Nce::default().grad(&batch, Reduction::Mean)?;
/// assert!((loss - 2.923_101_126).abs() < 1e-9);
/// assert!((gradient.scores.positive[0] + 0.364_275_969).abs() < 1e-9); // -σ(-(1.25 - ln 2))
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gutmann and Hyvärinen, AISTATS 2010 and JMLR 13, 2012; for language models: Mnih and Teh, ICML 2012,
/// [arXiv:1206.6426](https://arxiv.org/abs/1206.6426). Context: Chen et al. (APE), IJCAI 2016,
/// [arXiv:1608.07502](https://arxiv.org/abs/1608.07502). Negative sampling: Mikolov et al., NeurIPS 2013,
/// [arXiv:1310.4546](https://arxiv.org/abs/1310.4546).
#[doc(alias = "noise-contrastive estimation")]
#[doc(alias = "negative sampling")]
#[doc(alias = "conditional NCE")]
#[doc(alias = "APE")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Nce {
    /// The `k` of `ln(k P_n)`, `> 0`. Default: none, as many as there are negatives. Another number shifts the optimum by a
    /// constant, which a learned normalizer takes up.
    pub noise_ratio: Option<f64>,
}

/// What NCE sees of a batch.
#[derive(Clone, Copy, Debug)]
pub struct NceBatch<'a, T> {
    /// Unnormalized log-probabilities by the model.
    pub scores: ContrastView<'a, T>,
    /// Log-probabilities by the noise.
    pub log_noise: ContrastView<'a, T>,
    /// `ln Z`, learned or 0.
    pub log_normalizer: T,
}

/// Derivatives of the reduced loss.
#[derive(Clone, Debug, PartialEq)]
pub struct NceGradient<T> {
    /// By the scores.
    pub scores: ContrastArray<T>,
    /// By the log-normalizer.
    pub log_normalizer: T,
}

impl Nce {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`Nce`].
    pub fn value<T: Real>(&self, batch: &NceBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<T> {
        T::run_nce(self, batch, reduction, None)
    }

    /// The loss of each example, its negatives included.
    ///
    /// # Errors
    ///
    /// See [`Nce`].
    pub fn each<T: Real>(&self, batch: &NceBatch<'_, T>) -> Result<Array1<T>> {
        T::nce_each(self, batch)
    }

    /// The reduced loss and its derivatives.
    ///
    /// # Errors
    ///
    /// See [`Nce`].
    pub fn grad<T: Real>(&self, batch: &NceBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<(T, NceGradient<T>)> {
        let mut gradient = NceGradient { scores: ContrastArray::zeros(&batch.scores), log_normalizer: T::zero() };
        let loss = T::run_nce(self, batch, reduction, Some(&mut gradient))?;
        Ok((loss, gradient))
    }

    /// `ln Z + ln k`, once all is checked that is not an element.
    fn shift<T: Real>(&self, batch: &NceBatch<'_, T>) -> Result<f64> {
        check_shapes(&batch.scores, &batch.log_noise)?;
        check::finite("log_normalizer", batch.log_normalizer.as_f64())?;
        let ratio = self.noise_ratio.unwrap_or(batch.scores.negatives.ncols() as f64);
        check::positive("noise_ratio", ratio)?;
        Ok(batch.log_normalizer.as_f64() + ratio.ln())
    }
}

/// The reduced loss, and the gradient where it has a place.
pub(in crate::ratio) fn run<T: Real>(
    nce: &Nce,
    batch: &NceBatch<'_, T>,
    reduction: Reduction<'_, T>,
    out: Option<&mut NceGradient<T>>,
) -> Result<T> {
    let shift = nce.shift(batch)?;
    let (scores, log_noise) = (&batch.scores, &batch.log_noise);
    let data = (Positive { shift }, [&*scores.positive, &*log_noise.positive]);
    let noise = (Negative { shift }, [&*scores.negatives, &*log_noise.negatives]);
    let factors = factors(reduction, scores.negatives.dim());
    let of_noise = factors.as_ref().map_or(Reduction::Sum, |factors| Reduction::Weighted(factors));
    let Some(NceGradient { scores: slopes, log_normalizer }) = out else {
        return joined(data.0.value(data.1, reduction)?, noise.0.value(noise.1, of_noise)?);
    };
    let positive = data.0.grad_into(data.1, reduction, &mut *slopes.positive)?;
    let negative = noise.0.grad_into(noise.1, of_noise, &mut *slopes.negatives)?;
    let pull = total(&slopes.positive) + total(&slopes.negatives);
    *log_normalizer = to_real(-pull, "log_normalizer", Position::default())?;
    joined(positive, negative)
}

/// The loss of each example.
pub(in crate::ratio) fn each<T: Real>(nce: &Nce, batch: &NceBatch<'_, T>) -> Result<Array1<T>> {
    let shift = nce.shift(batch)?;
    let (scores, log_noise) = (&batch.scores, &batch.log_noise);
    let mut each = Positive { shift }.each([&*scores.positive, &*log_noise.positive])?;
    let negatives = Negative { shift }.each([&*scores.negatives, &*log_noise.negatives])?;
    for (at, (loss, negatives)) in each.iter_mut().zip(negatives.rows()).enumerate() {
        let whole = loss.as_f64() + total(&negatives);
        let is_of_finite = loss.is_finite() && negatives.iter().all(|x| x.is_finite());
        *loss = T::from_f64(whole);
        if loss.is_infinite() && is_of_finite {
            return Err(Error::overflow::<T>("scores.positive", at));
        }
    }
    Ok(each)
}

/// What the loss of each negative is multiplied by, `[B, k]`; nothing for a sum.
fn factors<T: Real>(reduction: Reduction<'_, T>, shape: (usize, usize)) -> Option<Array2<T>> {
    match reduction {
        Reduction::Sum => None,
        Reduction::Mean => Some(Array2::from_elem(shape, T::from_f64(1.0 / shape.0 as f64))),
        Reduction::Weighted(weights) => Some(weights.view().insert_axis(Axis(1)).broadcast(shape)?.to_owned()),
    }
}

fn total<T: Real, D: Dimension>(values: &ArrayRef<T, D>) -> f64 {
    pairwise_of(values.iter().map(|x| x.as_f64()))
}

/// The losses of data and noise together.
fn joined<T: Real>(data: T, noise: T) -> Result<T> {
    let parts = [data.as_f64(), noise.as_f64()];
    to_real(total_of(&parts, parts[0] + parts[1], "scores")?, "scores", Position::default())
}

/// `softplus(-u)`, of an example.
struct Positive {
    shift: f64,
}

impl Density<2, 1> for Positive {
    type Arguments<A> = [A; 2];
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 2] =
        [("scores.positive", Domain::Log), ("log_noise.positive", Domain::Finite)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [score, log_noise]: [T; 2]) -> (T, [T; 1]) {
        let opposite = T::from_f64(self.shift) + log_noise - score;
        (math::softplus::<T, FMA>(opposite), [-math::sigmoid::<T, FMA>(opposite)])
    }
}

/// `softplus(u)`, of a sample of the noise.
struct Negative {
    shift: f64,
}

impl Density<2, 1> for Negative {
    type Arguments<A> = [A; 2];
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 2] =
        [("scores.negatives", Domain::Log), ("log_noise.negatives", Domain::Finite)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [score, log_noise]: [T; 2]) -> (T, [T; 1]) {
        let ratio = score - (T::from_f64(self.shift) + log_noise);
        (math::softplus::<T, FMA>(ratio), [math::sigmoid::<T, FMA>(ratio)])
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::{array, s};

    use super::super::Contrast;
    use super::*;
    use crate::testing::{all_close, close};

    fn scores() -> Contrast<Array1<f64>, Array2<f64>> {
        Contrast { positive: array![0.5], negatives: array![[-1.0, 2.0]] }
    }

    fn log_noise() -> Contrast<Array1<f64>, Array2<f64>> {
        Contrast { positive: array![-1.0], negatives: array![[-2.0, -0.5]] }
    }

    fn of<R>(log_normalizer: f64, f: impl FnOnce(&NceBatch<'_, f64>) -> R) -> R {
        let (scores, log_noise) = (scores(), log_noise());
        f(&NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer })
    }

    /// scripts/discriminator_reference.py.
    #[test]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        let (loss, gradient) = of(0.25, |batch| Nce::default().grad(batch, Reduction::Mean)).unwrap();
        close(loss, 2.923_101_126_051_886_7, 1e-15);
        close(gradient.scores.positive[0], -0.364_275_968_823_009_6, 1e-15);
        all_close(gradient.scores.negatives, [0.514_209_377_719_281_4, 0.825_901_289_123_481_8], 1e-15);
        close(gradient.log_normalizer, -0.975_834_698_019_753_6, 1e-15);
    }

    #[test]
    fn another_noise_ratio_is_another_normalizer() {
        let with = |noise_ratio, log_normalizer| {
            of(log_normalizer, |batch| Nce { noise_ratio }.value(batch, Reduction::Sum)).unwrap()
        };
        close(with(Some(10.0), 0.25), with(None, 0.25 + 5.0_f64.ln()), 1e-15);
    }

    #[test]
    fn reductions_are_over_examples() {
        let scores =
            Contrast { positive: array![0.5, -2.0, 1.0], negatives: array![[-1.0, 2.0], [0.0, 0.25], [f64::NAN, 1.0]] };
        let log_noise = Contrast { positive: array![-1.0, -3.0, -0.5], negatives: Array2::from_elem((3, 2), -1.5) };
        let whole = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.0 };
        let part = |contrast: &Contrast<Array1<f64>, Array2<f64>>| Contrast {
            positive: contrast.positive.slice(s![..2]).to_owned(),
            negatives: contrast.negatives.slice(s![..2, ..]).to_owned(),
        };
        let (scores, log_noise) = (part(&scores), part(&log_noise));
        let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.0 };
        let (nce, weights) = (Nce::default(), array![0.25, 3.0]);
        let each = nce.each(&batch).unwrap();
        close(nce.value(&batch, Reduction::Sum).unwrap(), each.sum(), 1e-15);
        close(nce.value(&batch, Reduction::Mean).unwrap(), each.sum() / 2.0, 1e-15);
        let weighted = nce.grad(&batch, Reduction::Weighted(&weights)).unwrap();
        close(weighted.0, each.dot(&weights), 1e-15);
        // An example of weight 0 is never looked at.
        let (loss, gradient) = nce.grad(&whole, Reduction::Weighted(&array![0.25, 3.0, 0.0])).unwrap();
        assert_eq!(loss, weighted.0);
        assert_eq!(gradient.scores.negatives.slice(s![..2, ..]), weighted.1.scores.negatives);
        assert_eq!(gradient.scores.negatives.row(2), array![0.0, 0.0]);
    }

    #[test]
    fn extreme_scores_have_their_limits() {
        let of = |positive: f64, negative: f64| {
            let scores = Contrast { positive: array![positive], negatives: array![[negative]] };
            let log_noise = Contrast { positive: array![-1.0], negatives: array![[-1.0]] };
            let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.0 };
            Nce::default().grad(&batch, Reduction::Sum)
        };
        let (loss, gradient) = of(f64::NEG_INFINITY, f64::NEG_INFINITY).unwrap();
        assert_eq!((loss, gradient.scores.positive[0], gradient.scores.negatives[[0, 0]]), (f64::INFINITY, -1.0, 0.0));
        assert_eq!(of(1e4, 1e4).unwrap().0, 10_001.0);
        assert_eq!(of(-1e4, -1e4).unwrap().0, 9_999.0);
        assert_eq!(of(-1.0, -1.0).unwrap().0, 2.0 * LN_2);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |nce: Nce, scores: &Contrast<_, _>, log_noise: &Contrast<_, _>, log_normalizer| {
            let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer };
            let error = nce.value(&batch, Reduction::Mean).unwrap_err().to_string();
            assert_eq!(nce.grad(&batch, Reduction::Mean).unwrap_err().to_string(), error);
            assert_eq!(nce.each(&batch).unwrap_err().to_string(), error);
            error
        };
        let (fine, noise, nce) = (scores(), log_noise(), Nce::default());
        assert_eq!(message(nce, &fine, &noise, f64::NAN), "`log_normalizer` is NaN, allowed is finite");
        let none = Nce { noise_ratio: Some(0.0) };
        assert_eq!(message(none, &fine, &noise, 0.0), "`noise_ratio` is 0, allowed is finite and > 0");
        let bad = Contrast { negatives: array![[0.0, f64::NAN]], ..fine.clone() };
        assert_eq!(message(nce, &bad, &noise, 0.0), "`scores.negatives`[0, 1] is NaN, allowed is finite or -inf");
        let bad = Contrast { positive: array![f64::NEG_INFINITY], ..noise.clone() };
        assert_eq!(message(nce, &fine, &bad, 0.0), "`log_noise.positive`[0] is -inf, allowed is finite");
        let bad = Contrast { negatives: array![[0.0]], ..noise.clone() };
        assert_eq!(message(nce, &fine, &bad, 0.0), "`log_noise.negatives` has shape [1, 1], expected [1, 2]");
        let bad = Contrast { negatives: Array2::zeros((1, 0)), ..fine };
        let no_noise = Contrast { negatives: Array2::zeros((1, 0)), ..noise };
        assert_eq!(message(nce, &bad, &no_noise, 0.0), "`scores.negatives` is empty, needed is at least one element");
        let empty = Contrast { positive: array![], negatives: Array2::<f64>::zeros((0, 2)) };
        let batch = NceBatch { scores: empty.view(), log_noise: empty.view(), log_normalizer: 0.0 };
        assert_eq!(nce.value(&batch, Reduction::Sum), Ok(0.0));
        let error = nce.value(&batch, Reduction::Mean).unwrap_err().to_string();
        assert_eq!(error, "`scores.positive` holds nothing to average over");
    }
}
