//! The FLOPS regularizer of sparse embeddings.

use ndarray::{Array2, ArrayRef2, Axis};

use super::numbers;
use crate::{Error, Real, Result};

/// FLOPS regularizer: the squares of the mean activations, which is how many products a search in an inverted index takes.
///
/// ```math
/// L = \sum_k \Bigl(\frac1N \sum_i |x_{ik}|\Bigr)^2, \qquad
/// \frac{\partial L}{\partial x_{ik}} = \frac2N \operatorname{sign}(x_{ik}) \Bigl(\frac1N \sum_j |x_{jk}|\Bigr)
/// ```
///
/// Activations are `[N, V]`, of SPLADE not below 0; the slope at 0 is 0. sentence-transformers (`FlopsLoss`) takes the mean
/// without absolute values, which is the same where no activation is negative.
///
/// # Errors
///
/// [`Empty`](crate::Error::Empty) without columns; [`NothingToAverage`](crate::Error::NothingToAverage) without rows;
/// [`Value`](crate::Error::Value) for what is not finite; [`Overflow`](crate::Error::Overflow) for a result out of the
/// range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{flops, flops_grad};
/// let activations = array![[1.0_f64, 0.0], [3.0, 1.0]];
/// assert_eq!(flops(&activations)?, 4.25); // 2² + 0.5²
/// assert_eq!(flops_grad(&activations)?.1, array![[2.0, 0.0], [2.0, 0.5]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Paria et al., ICLR 2020, [arXiv:2004.05665](https://arxiv.org/abs/2004.05665); SPLADE: Formal et al., SIGIR 2021,
/// [arXiv:2107.05720](https://arxiv.org/abs/2107.05720).
#[doc(alias = "FlopsLoss")]
#[doc(alias = "SPLADE")]
pub fn flops<T: Real>(activations: &ArrayRef2<T>) -> Result<T> {
    T::metric_round(find(&read(activations)?).0, "activations")
}

/// [`flops`], and its gradient in the activations.
///
/// # Errors
///
/// As [`flops`].
pub fn flops_grad<T: Real>(activations: &ArrayRef2<T>) -> Result<(T, Array2<T>)> {
    let (value, gradient) = find(&read(activations)?);
    Ok((T::metric_round(value, "activations")?, T::metric_write("activations", &gradient)?))
}

fn read<T: Real>(activations: &ArrayRef2<T>) -> Result<Array2<f64>> {
    match numbers::read_all("activations", activations)? {
        rows if rows.nrows() == 0 => Err(Error::NothingToAverage { argument: "activations" }),
        rows => Ok(rows),
    }
}

fn find(rows: &Array2<f64>) -> (f64, Array2<f64>) {
    let count = rows.nrows() as f64;
    let means = rows.mapv(|x| x.abs() / count).sum_axis(Axis(0));
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    (means.dot(&means), rows.mapv(|x| 2.0 / count * sign(x)) * &means)
}
