//! The likelihood of a query under a smoothed language model of a document.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::reduction::{sum, to_real};
use crate::{Error, Real, Result, check};

/// Query likelihood by a unigram language model of a document with Dirichlet smoothing, as PROP samples and ranks word
/// sets by it.
///
/// ```math
/// \ln P(w \mid D) = \ln \frac{\operatorname{tf}(w, D) + \mu\, P(w \mid C)}{|D| + \mu}, \qquad
/// \ln \operatorname{QL}(S, D) = \sum_{w \in S} \ln P(w \mid D)
/// ```
///
/// `counts` are `tf(w, D)`, how often each word occurs in the document, `length` is `|D|`, the number of its words, and
/// `background` `P(w | C)`, the probability of each word in the collection; both arrays have one shape, of any number of
/// axes. To score a set of words, give their counts and background probabilities, a word that occurs twice in the set
/// twice. In nats. Over the whole vocabulary the probabilities add up to 1 if those of the background do. At `μ = 0` it
/// is the maximum-likelihood estimate, as `μ` grows the background. A word without count and background has -inf.
///
/// Losses of two sets by their scores: PROP's code applies a hinge after a softmax, which is
/// [`SoftmaxHinge`](crate::preference::SoftmaxHinge); the hinge of the scores themselves, as in its paper, is
/// [`CpoHinge`](crate::preference::CpoHinge) at `beta` 1.
///
/// # Errors
///
/// [`Error::Parameter`]: `mu` or `length` not finite and `>= 0`, or both 0; [`Error::Shape`]; [`Error::Value`]: a count that
/// is not in `[0, length]`, or a background probability not in `[0, 1]`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::DirichletSmoothing;
/// let smoothing = DirichletSmoothing { mu: 10.0 };
/// let log_probs = smoothing.each(&array![3.0_f64, 0.0], 30.0, &array![0.1, 0.02])?;
/// assert!((log_probs[0] - 0.1_f64.ln()).abs() < 1e-15); // 4 of 40
/// assert!((log_probs[1] - 0.005_f64.ln()).abs() < 1e-15); // 0.2 of 40
/// assert_eq!(smoothing.value(&array![3.0, 0.0], 30.0, &array![0.1, 0.02])?, log_probs.sum());
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhai and Lafferty, SIGIR 2001; Ma et al. (PROP), WSDM 2021, [arXiv:2010.10137](https://arxiv.org/abs/2010.10137).
#[doc(alias = "query likelihood")]
#[doc(alias = "PROP")]
#[doc(alias = "Dirichlet prior smoothing")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct DirichletSmoothing {
    /// How many words of the background are added to the document, `>= 0`. PROP takes the mean length of a document.
    pub mu: f64,
}

impl DirichletSmoothing {
    /// `ln P(w | D)` of each word.
    ///
    /// # Errors
    ///
    /// See [`DirichletSmoothing`].
    pub fn each<T: Real, D: Dimension>(
        &self,
        counts: &ArrayRef<T, D>,
        length: f64,
        background: &ArrayRef<T, D>,
    ) -> Result<Array<T, D>> {
        let log_probs = T::smoothed_log_probs(self, counts.view().into_dyn(), length, background.view().into_dyn())?;
        Ok(in_dimension(log_probs))
    }

    /// `ln QL(S, D)`: the sum over these words, 0 over none.
    ///
    /// # Errors
    ///
    /// See [`DirichletSmoothing`].
    pub fn value<T: Real, D: Dimension>(
        &self,
        counts: &ArrayRef<T, D>,
        length: f64,
        background: &ArrayRef<T, D>,
    ) -> Result<T> {
        T::query_log_likelihood(self, counts.view().into_dyn(), length, background.view().into_dyn())
    }
}

/// [`DirichletSmoothing::each`].
pub(in crate::ratio) fn each<T: Real>(
    smoothing: &DirichletSmoothing,
    counts: ArrayViewD<'_, T>,
    length: f64,
    background: ArrayViewD<'_, T>,
) -> Result<ArrayD<T>> {
    let log_probs = wide(smoothing, &counts, length, &background)?;
    let mut log_probs = log_probs.into_iter();
    Ok(ArrayD::from_shape_simple_fn(counts.raw_dim(), || T::from_f64(log_probs.next().unwrap_or(f64::NAN))))
}

/// [`DirichletSmoothing::value`].
pub(in crate::ratio) fn value<T: Real>(
    smoothing: &DirichletSmoothing,
    counts: ArrayViewD<'_, T>,
    length: f64,
    background: ArrayViewD<'_, T>,
) -> Result<T> {
    to_real(sum(&wide(smoothing, &counts, length, &background)?), "counts", Position::default())
}

/// The logarithms in row-major order.
fn wide<T: Real>(
    smoothing: &DirichletSmoothing,
    counts: &ArrayViewD<'_, T>,
    length: f64,
    background: &ArrayViewD<'_, T>,
) -> Result<Vec<f64>> {
    let mu = smoothing.mu;
    check::non_negative("mu", mu)?;
    check::non_negative("length", length)?;
    check::parameter("length", length, "> 0 where `mu` is 0", length + mu > 0.0)?;
    check::shape("background", background.shape(), counts.shape())?;
    let outside = |argument, flat, value, allowed| {
        Err(Error::Value { argument, position: Position::unravel(flat, counts.shape()), value, allowed })
    };
    let mut log_probs = Vec::with_capacity(counts.len());
    for (flat, (count, share)) in counts.iter().zip(background).enumerate() {
        let (count, share) = (count.as_f64(), share.as_f64());
        if !(0.0..=length).contains(&count) {
            return outside("counts", flat, count, "from 0 to the length of the document");
        }
        if !(0.0..=1.0).contains(&share) {
            return outside("background", flat, share, "[0, 1]");
        }
        log_probs.push((count + mu * share).ln() - (length + mu).ln());
    }
    Ok(log_probs)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn probabilities_of_the_vocabulary_add_up_to_one() {
        let (counts, background) = (array![3.0, 0.0, 7.0, 2.0], array![0.1, 0.4, 0.2, 0.3]);
        for mu in [0.0, 1e-3, 5.0, 1e6] {
            let log_probs = DirichletSmoothing { mu }.each(&counts, 12.0, &background).unwrap();
            assert!((log_probs.mapv(f64::exp).sum() - 1.0).abs() < 1e-14, "{mu}");
        }
    }

    #[test]
    fn without_smoothing_it_is_the_share_and_with_much_of_it_the_background() {
        let (counts, background) = (array![3.0, 0.0], array![0.25, 0.5]);
        let plain = DirichletSmoothing { mu: 0.0 }.each(&counts, 12.0, &background).unwrap();
        assert!((plain[0] - 0.25_f64.ln()).abs() < 1e-15 && plain[1] == f64::NEG_INFINITY);
        let far = DirichletSmoothing { mu: 1e18 }.each(&counts, 12.0, &background).unwrap();
        assert!((&far - &background.ln()).iter().all(|gap| gap.abs() < 1e-14));
    }

    #[test]
    fn a_set_is_the_sum_of_its_words_in_any_order() {
        let smoothing = DirichletSmoothing { mu: 8.0 };
        let value = |counts: &[f64], background: &[f64]| {
            smoothing.value(&Array1::from(counts.to_vec()), 20.0, &Array1::from(background.to_vec())).unwrap()
        };
        let whole = value(&[1.0, 0.0, 4.0], &[0.1, 0.02, 0.3]);
        assert!((whole - value(&[4.0, 1.0, 0.0], &[0.3, 0.1, 0.02])).abs() < 1e-15);
        assert!((whole - value(&[1.0], &[0.1]) - value(&[0.0, 4.0], &[0.02, 0.3])).abs() < 1e-14);
        assert_eq!(value(&[], &[]), 0.0);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |mu, length, count: f64, share: f64| {
            DirichletSmoothing { mu }.value(&array![count], length, &array![share]).unwrap_err().to_string()
        };
        assert_eq!(message(-1.0, 3.0, 1.0, 0.5), "`mu` is -1, allowed is finite and >= 0");
        assert_eq!(message(0.0, 0.0, 0.0, 0.5), "`length` is 0, allowed is > 0 where `mu` is 0");
        assert_eq!(message(1.0, 3.0, 4.0, 0.5), "`counts`[0] is 4, allowed is from 0 to the length of the document");
        assert_eq!(message(1.0, 3.0, 1.0, f64::NAN), "`background`[0] is NaN, allowed is [0, 1]");
        let error = DirichletSmoothing { mu: 1.0 }.value(&array![1.0], 2.0, &array![0.5, 0.5]).unwrap_err();
        assert_eq!(error.to_string(), "`background` has shape [2], expected [1]");
    }
}
