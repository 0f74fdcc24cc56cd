//! Noise-contrastive estimation by ranking: which of several is the example.

use ndarray::{Array1, Array2, s};

use super::bundle::{ContrastArray, ContrastView, check_shapes};
use crate::error::Position;
use crate::logits::{CrossEntropy, TokenObjective};
use crate::{Error, Real, Reduction, Result};

/// Ranking form of noise-contrastive estimation (NCE): which of `1 + k` candidates is the example and which are samples of
/// the noise, by a softmax over all of them.
///
/// ```math
/// L_i = -\ln \frac{e^{u_i}}{e^{u_i} + \sum_j e^{u_{ij}}}, \qquad u = s - \ln P_n
/// ```
///
/// Scores `s` are log-probabilities up to a term that all candidates of an example share (a normalizer, a context): it drops
/// out. `ln P_n` are the log-probabilities of the noise ([`Contrast`](crate::ratio::Contrast): `[B]` and `[B, k]`), in
/// nats. The gradient is the softmax less 1 at the example; it sums to 0 over the candidates. With noise that is the
/// same everywhere it is the cross-entropy of the scores, and with in-batch negatives InfoNCE. With one negative and
/// the reference as noise it is [`Dpo`](crate::preference::Dpo)` { beta: 1 }`. As `k` grows the gradient becomes that
/// of maximum likelihood.
///
/// `L >= 0`; it is `ln(1 + k)` where all `u` are equal. A score may be -inf: of an example the loss is +inf with a finite
/// gradient, of a negative it drops out.
///
/// # Errors
///
/// - [`Error::Shape`]; [`Error::Empty`] for no negatives; [`Error::NothingToAverage`] for a mean over no examples.
/// - [`Error::Value`]: a score that is NaN or +inf, or scores that are all -inf; a log-probability of the noise that is not
///   finite; a weight.
/// - [`Error::Overflow`]: a difference or a loss that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{Contrast, ranking_nce};
/// let scores = Contrast { positive: array![1.0_f64], negatives: array![[0.0, -1.0]] };
/// let log_noise = Contrast { positive: array![-2.0], negatives: array![[-1.0, -2.0]] };
/// let loss = ranking_nce(scores.view(), log_noise.view(), Reduction::Mean)?;
/// assert!((loss - 0.239_544_766).abs() < 1e-9); // candidates 3, 1 and 1
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Jozefowicz et al., 2016, [arXiv:1602.02410](https://arxiv.org/abs/1602.02410); consistency: Ma and Collins, EMNLP 2018,
/// [arXiv:1809.01812](https://arxiv.org/abs/1809.01812).
#[doc(alias = "sampled softmax")]
#[doc(alias = "noise-contrastive estimation")]
#[doc(alias = "InfoNCE")]
pub fn ranking_nce<T: Real>(
    scores: ContrastView<'_, T>,
    log_noise: ContrastView<'_, T>,
    reduction: Reduction<'_, T>,
) -> Result<T> {
    T::run_ranking(scores, log_noise, reduction, None)
}

/// [`ranking_nce`] of each example.
///
/// # Errors
///
/// See [`ranking_nce`].
pub fn ranking_nce_each<T: Real>(scores: ContrastView<'_, T>, log_noise: ContrastView<'_, T>) -> Result<Array1<T>> {
    T::ranking_losses(scores, log_noise)
}

/// [`ranking_nce`] and its derivatives by the scores; by the log-probabilities of the noise they are the opposite.
///
/// # Errors
///
/// See [`ranking_nce`].
pub fn ranking_nce_grad<T: Real>(
    scores: ContrastView<'_, T>,
    log_noise: ContrastView<'_, T>,
    reduction: Reduction<'_, T>,
) -> Result<(T, ContrastArray<T>)> {
    let mut gradient = ContrastArray::zeros(&scores);
    let loss = T::run_ranking(scores, log_noise, reduction, Some(&mut gradient))?;
    Ok((loss, gradient))
}

/// The candidates are classes, and the example is the first.
const FIRST: CrossEntropy = CrossEntropy {
    ignore_index: None,
    label_smoothing: 0.0,
    z_loss: 0.0,
    class_weights: None,
    temperature: 1.0,
    soft_cap: None,
};

/// [`ranking_nce`], and the gradient where it has a place.
pub(in crate::ratio) fn run<T: Real>(
    scores: ContrastView<'_, T>,
    log_noise: ContrastView<'_, T>,
    reduction: Reduction<'_, T>,
    out: Option<&mut ContrastArray<T>>,
) -> Result<T> {
    reduction.check(scores.positive.shape())?;
    let is_out = |i: usize| matches!(reduction, Reduction::Weighted(weights) if weights[i] == T::zero());
    let mut logits = candidates(&scores, &log_noise, is_out)?;
    let first = Array1::<usize>::zeros(logits.nrows());
    let Some(out) = out else { return FIRST.value(&logits, &first, reduction).map_err(own) };
    let loss = FIRST.grad_in_place(&mut logits, &first, reduction).map_err(own)?;
    out.positive.assign(&logits.column(0));
    out.negatives.assign(&logits.slice(s![.., 1..]));
    Ok(loss)
}

/// [`ranking_nce_each`].
pub(in crate::ratio) fn each<T: Real>(
    scores: ContrastView<'_, T>,
    log_noise: ContrastView<'_, T>,
) -> Result<Array1<T>> {
    let logits = candidates(&scores, &log_noise, |_| false)?;
    FIRST.each(&logits, &Array1::<usize>::zeros(logits.nrows())).map_err(own)
}

/// `u`, the example before its negatives; 0 for an example that is left out.
fn candidates<T: Real>(
    scores: &ContrastView<'_, T>,
    log_noise: &ContrastView<'_, T>,
    is_out: impl Fn(usize) -> bool,
) -> Result<Array2<T>> {
    check_shapes(scores, log_noise)?;
    let (n, k) = scores.negatives.dim();
    let mut logits = Array2::zeros((n, 1 + k));
    for (i, mut row) in logits.rows_mut().into_iter().enumerate().filter(|(i, _)| !is_out(*i)) {
        let names = ["scores.positive", "log_noise.positive"];
        row[0] = difference(names, i, scores.positive[i], log_noise.positive[i])?;
        for j in 0..k {
            let names = ["scores.negatives", "log_noise.negatives"];
            let (score, noise) = (scores.negatives[[i, j]], log_noise.negatives[[i, j]]);
            row[1 + j] = difference(names, [i, j], score, noise)?;
        }
    }
    Ok(logits)
}

/// A score less the log-probability of the noise, once both are numbers that may be there.
fn difference<T: Real>(names: [&'static str; 2], at: impl Into<Position> + Copy, score: T, noise: T) -> Result<T> {
    let wrong = |argument, value: T, allowed| {
        Err(Error::Value { argument, position: at.into(), value: value.as_f64(), allowed })
    };
    let difference = score - noise;
    match difference.is_finite() {
        true => Ok(difference),
        false if score.is_nan() || score == T::infinity() => wrong(names[0], score, "finite or -inf"),
        false if !noise.is_finite() => wrong(names[1], noise, "finite"),
        false if score.is_finite() => Err(Error::overflow::<T>(names[0], at)),
        false => Ok(difference),
    }
}

/// An error of the logits, by the scores of which they are made.
fn own(error: Error) -> Error {
    match error.rename(|name| if matches!(name, "logits" | "targets") { "scores.positive" } else { name }) {
        Error::Value { argument: "scores.positive", position, value, .. } => {
            let allowed = "an example with at least one finite score";
            Error::Value { argument: "scores.positive", position, value, allowed }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::Contrast;
    use super::*;
    use crate::testing::{all_close, close};

    fn scores() -> Contrast<Array1<f64>, Array2<f64>> {
        Contrast { positive: array![0.5], negatives: array![[-1.0, 2.0]] }
    }

    fn log_noise() -> Contrast<Array1<f64>, Array2<f64>> {
        Contrast { positive: array![-1.0], negatives: array![[-2.0, -0.5]] }
    }

    /// scripts/discriminator_reference.py.
    #[test]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        let (loss, gradient) = ranking_nce_grad(scores().view(), log_noise().view(), Reduction::Mean).unwrap();
        close(loss, 1.464_368_784_107_945, 1e-15);
        close(gradient.positive[0], -0.768_776_102_377_850_9, 1e-15);
        all_close(gradient.negatives, [0.140_244_383_166_088_48, 0.628_531_719_211_762_4], 1e-15);
        assert_eq!(ranking_nce_each(scores().view(), log_noise().view()), Ok(array![loss]));
        assert_eq!(ranking_nce(scores().view(), log_noise().view(), Reduction::Sum), Ok(loss));
    }

    #[test]
    fn impossible_candidates_have_their_limits() {
        let inf = f64::INFINITY;
        let noise = Contrast { positive: array![-1.0], negatives: array![[-1.0, -1.0]] };
        let of = |positive: f64, negatives: [f64; 2]| {
            let scores = Contrast { positive: array![positive], negatives: array![negatives] };
            ranking_nce_grad(scores.view(), noise.view(), Reduction::Sum)
        };
        let (loss, gradient) = of(-inf, [0.0, 0.0]).unwrap();
        assert_eq!((loss, gradient.positive[0], gradient.negatives), (inf, -1.0, array![[0.5, 0.5]]));
        let (loss, gradient) = of(0.0, [-inf, 0.0]).unwrap();
        assert_eq!((loss, gradient.negatives[[0, 0]]), (std::f64::consts::LN_2, 0.0));
        assert_eq!(of(-1e4, [0.0, -1e4]).unwrap().0, 1e4);
        let error = of(-inf, [-inf, -inf]).unwrap_err().to_string();
        assert_eq!(error, "`scores.positive`[0] is -inf, allowed is an example with at least one finite score");
    }

    #[test]
    fn an_example_of_weight_zero_is_never_looked_at() {
        let scores = Contrast { positive: array![f64::NAN, 1.0], negatives: array![[f64::INFINITY], [0.0]] };
        let noise = Contrast { positive: array![0.0, -1.0], negatives: array![[f64::NAN], [-2.0]] };
        let weights = array![0.0, 2.0];
        let (loss, gradient) = ranking_nce_grad(scores.view(), noise.view(), Reduction::Weighted(&weights)).unwrap();
        assert_eq!(loss, 2.0 * std::f64::consts::LN_2);
        assert_eq!(gradient, Contrast { positive: array![0.0, -1.0], negatives: array![[0.0], [1.0]] });
    }

    #[test]
    fn bad_input_is_named() {
        let message = |scores: &Contrast<_, _>, noise: &Contrast<_, _>| {
            ranking_nce(scores.view(), noise.view(), Reduction::<f64>::Mean).unwrap_err().to_string()
        };
        let (fine, noise) = (scores(), log_noise());
        let bad = Contrast { positive: array![f64::INFINITY], ..fine.clone() };
        assert_eq!(message(&bad, &noise), "`scores.positive`[0] is inf, allowed is finite or -inf");
        let bad = Contrast { negatives: array![[0.0, f64::NEG_INFINITY]], ..noise.clone() };
        assert_eq!(message(&fine, &bad), "`log_noise.negatives`[0, 1] is -inf, allowed is finite");
        let (far, low) = (
            Contrast { positive: array![1.7e308], ..fine.clone() },
            Contrast { positive: array![-1.7e308], ..noise.clone() },
        );
        assert_eq!(message(&far, &low), "the result at `scores.positive`[0] overflows f64");
        let bad = Contrast { positive: array![0.0, 0.0], ..fine };
        assert_eq!(message(&bad, &noise), "`scores.negatives` has shape [1, 2], expected [2, 2]");
        let empty = Contrast { positive: array![], negatives: Array2::<f64>::zeros((0, 2)) };
        assert_eq!(ranking_nce(empty.view(), empty.view(), Reduction::Sum), Ok(0.0));
        assert_eq!(message(&empty, &empty), "`scores.positive` holds nothing to average over");
    }
}
