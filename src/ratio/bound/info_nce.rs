//! The InfoNCE bound of the mutual information.

use ndarray::{Array1, Array2, ArrayRef2};

use crate::logits::{CrossEntropy, TokenObjective};
use crate::{Error, Real, Reduction, Result, check};

/// The InfoNCE bound of the mutual information between two views of `N` examples, to be maximized.
///
/// ```math
/// B = \ln N - \frac1N \sum_i \Bigl(\ln \sum_j e^{s_{ij}} - s_{ii}\Bigr) \le \min(I(X; Y), \ln N), \qquad
/// \frac{\partial B}{\partial s_{ij}} = \frac{[i = j] - p_{ij}}{N}
/// ```
///
/// `scores` are `[N, N]`: `s_ij` is the critic of the `i`-th x and the `j`-th y, and pairs that belong together are on the
/// diagonal; `p_i` is the softmax of a row. A constant added to a row changes nothing. In the mean over batches it is below
/// the information for any critic; never above `ln N`, so that information beyond it cannot be seen with `N` examples.
/// The sum is [`CrossEntropy`]'s, with the row's own number as its class: scores of any size are exact, and a diagonal
/// entry of -inf is a bound of -inf.
///
/// # Errors
///
/// [`Error::Shape`] where the matrix is not square; [`Error::NothingToAverage`] where it is empty; [`Error::Value`] for NaN,
/// +inf, or a row of nothing but -inf; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::info_nce_bound;
/// let bound = info_nce_bound(&array![[1000.0_f64, 0.0], [0.0, 1000.0]])?;
/// assert_eq!(bound, std::f64::consts::LN_2); // all that two examples can show
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// van den Oord, Li and Vinyals, 2018, [arXiv:1807.03748](https://arxiv.org/abs/1807.03748). As a bound: Poole et al., ICML
/// 2019, [arXiv:1905.06922](https://arxiv.org/abs/1905.06922).
#[doc(alias = "contrastive predictive coding")]
#[doc(alias = "CPC")]
pub fn info_nce_bound<T: Real>(scores: &ArrayRef2<T>) -> Result<T> {
    let targets = diagonal(scores)?;
    let loss = CrossEntropy::default().value(scores, &targets, Reduction::Mean).map_err(renamed)?;
    Ok(bound(targets.len(), loss))
}

/// [`info_nce_bound`] and its gradient in the scores.
///
/// # Errors
///
/// See [`info_nce_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::info_nce_bound_grad;
/// let (bound, gradient) = info_nce_bound_grad(&array![[0.0_f64, 0.0], [0.0, 0.0]])?;
/// assert_eq!((bound, gradient), (0.0, array![[0.25, -0.25], [-0.25, 0.25]]));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn info_nce_bound_grad<T: Real>(scores: &ArrayRef2<T>) -> Result<(T, Array2<T>)> {
    let targets = diagonal(scores)?;
    let (loss, mut gradient) = CrossEntropy::default().grad(scores, &targets, Reduction::Mean).map_err(renamed)?;
    gradient.mapv_inplace(|slope| T::zero() - slope);
    Ok((bound(targets.len(), loss), gradient))
}

/// The class of each row.
fn diagonal<T: Real>(scores: &ArrayRef2<T>) -> Result<Array1<i64>> {
    let n = scores.nrows();
    check::shape("scores", scores.shape(), &[n, n])?;
    match n {
        0 => Err(Error::NothingToAverage { argument: "scores" }),
        _ => Ok((0..n as i64).collect()),
    }
}

fn bound<T: Real>(n: usize, loss: T) -> T {
    T::from_f64((n as f64).ln()) - loss
}

fn renamed(error: Error) -> Error {
    error.rename(|name| if name == "logits" { "scores" } else { name })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::testing::close;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn one_example_shows_nothing_and_scores_of_any_size_are_exact() {
        assert_eq!(info_nce_bound_grad(&array![[1e4]]), Ok((0.0, array![[0.0]])));
        // ln 2 less the mean of softplus(-2000) and softplus(2000).
        close(info_nce_bound(&array![[1e3, -1e3], [1e3, -1e3]]).unwrap(), std::f64::consts::LN_2 - 1000.0, 1e-15);
        assert_eq!(info_nce_bound(&array![[-INF, 0.0], [0.0, 0.0]]), Ok(-INF));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |scores: &Array2<f64>| {
            let message = info_nce_bound(scores).unwrap_err().to_string();
            assert_eq!(info_nce_bound_grad(scores).unwrap_err().to_string(), message);
            message
        };
        assert_eq!(message(&array![[1.0, 2.0]]), "`scores` has shape [1, 2], expected [1, 1]");
        assert_eq!(message(&Array2::zeros((0, 0))), "`scores` holds nothing to average over");
        let nan = message(&array![[1.0, 2.0], [f64::NAN, 0.0]]);
        assert!(nan.starts_with("`scores`[1, 0] is NaN"), "{nan}");
    }
}
