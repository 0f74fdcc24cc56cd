//! Log-sum-exp along the classes.

use ndarray::{Array, ArrayRef, Dimension};

use super::walk::{Walk, by_row, zeros};
use crate::{Element, Real, Result, simd};

/// Logarithm of the sum of exponentials of each row: the log of the softmax's denominator.
///
/// ```math
/// \operatorname{lse}_i = \ln \sum_v e^{x_{iv}} = m_i + \ln\Bigl(1 + \sum_{v \ne v^*} e^{x_{iv} - m_i}\Bigr),
/// \qquad m_i = x_{i v^*} = \max_v x_{iv}
/// ```
///
/// `logits` has any shape `[.., V]`; the result has the shape without the last axis, 0-d for 1-d logits. It lies between
/// the largest logit and the largest plus `ln V`, grows by `c` where `c` is added to a whole row, and is rounded once
/// from `f64`. A logit of -inf adds nothing; no finite row overflows.
///
/// # Errors
///
/// [`Value`](crate::Error::Value) for NaN, +inf, or a row of nothing but -inf; [`Empty`](crate::Error::Empty) without
/// classes.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_sum_exp, ndarray::array};
/// let lse = log_sum_exp(&array![[1.0_f64, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])?;
/// assert!((lse[0] - 3.407_605_964_444_38).abs() < 1e-14);
/// assert!((lse[1] - 1_003.407_605_964_444).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_sum_exp<E: Element, D: Dimension>(logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
    let walk = Walk::over(logits)?;
    let leading = walk.leading().to_vec();
    let values = walk.run(|_, mut row| Ok(row.sum()?.log_sum_exp()))?;
    Ok(by_row(&values, &leading))
}

/// [`log_sum_exp`] and the gradient of its sum over rows, which is the softmax of each row.
///
/// ```math
/// \frac{\partial \operatorname{lse}_i}{\partial x_{iv}} = e^{x_{iv} - \operatorname{lse}_i} = p_{iv}
/// ```
///
/// Each row of the gradient is `>= 0` and sums to 1.
///
/// # Errors
///
/// Those of [`log_sum_exp`].
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_sum_exp_grad, ndarray::array};
/// let (lse, softmax) = log_sum_exp_grad(&array![0.0_f64, 0.0, f64::NEG_INFINITY])?;
/// assert_eq!(lse[()], std::f64::consts::LN_2);
/// assert_eq!(softmax, array![0.5, 0.5, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_sum_exp_grad<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
) -> Result<(Array<E::Real, D::Smaller>, Array<E::Real, D>)> {
    let mut softmax = zeros(logits.shape());
    let walk = Walk::over(logits)?.into(&mut softmax)?;
    let leading = walk.leading().to_vec();
    let values = walk.run(|_, mut row| {
        let sum = row.sum()?;
        if let Some(out) = row.out {
            simd::scale_exp(out, sum.max, E::Real::of(1.0 / (1.0 + sum.others)));
        }
        Ok(sum.log_sum_exp())
    })?;
    Ok((by_row(&values, &leading), softmax))
}
