//! Entropy of the softmax.

use ndarray::{Array, ArrayRef, Dimension};

use super::walk::{Walk, by_row, zeros};
use crate::{Element, Real, Result, simd};

/// Entropy of the softmax of each row, in nats.
///
/// ```math
/// H_i = -\sum_v p_{iv} \ln p_{iv} = \ln\Bigl(1 + \sum_{v \ne v^*} e^{d_{iv}}\Bigr) - \sum_v p_{iv}\, d_{iv},
/// \qquad d_{iv} = x_{iv} - \max_u x_{iu}
/// ```
///
/// `logits` has any shape `[.., V]`; the result has the shape without the last axis. It lies in `[0, ln V]`, 0 where one
/// class has all the mass and `ln V` where all are equal. Both terms are `>= 0`, so that nothing cancels: an entropy of
/// 1e-12 keeps its digits. A logit of -inf adds nothing.
///
/// # Errors
///
/// [`Value`](crate::Error::Value) for NaN, +inf, or a row of nothing but -inf; [`Empty`](crate::Error::Empty) without
/// classes.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::entropy, ndarray::array};
/// let h = entropy(&array![[1.0_f64, 2.0, 3.0], [0.0, 0.0, f64::NEG_INFINITY]])?;
/// assert!((h[0] - 0.832_395_581_839_938_9).abs() < 1e-15);
/// assert_eq!(h[1], std::f64::consts::LN_2);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn entropy<E: Element, D: Dimension>(logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
    let walk = Walk::over(logits)?;
    let leading = walk.leading().to_vec();
    let values = walk.run(|_, mut row| Ok(row.sum_with_moment()?.entropy()))?;
    Ok(by_row(&values, &leading))
}

/// [`entropy`] and the gradient of its sum over rows.
///
/// ```math
/// \frac{\partial H_i}{\partial x_{iv}} = -p_{iv} (\ln p_{iv} + H_i) = -p_{iv} \Bigl(d_{iv} - \sum_u p_{iu}\, d_{iu}\Bigr)
/// ```
///
/// Each row of the gradient sums to 0; it is 0 where all logits are equal and at a logit of -inf.
///
/// # Errors
///
/// Those of [`entropy`].
///
/// # Examples
///
/// ```
/// # use loglik::{logits::entropy_grad, ndarray::array};
/// let (_, grad) = entropy_grad(&array![1.0_f64, 2.0, 3.0])?;
/// assert!((grad[0] - 0.141_817_093_609_812_2).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn entropy_grad<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
) -> Result<(Array<E::Real, D::Smaller>, Array<E::Real, D>)> {
    let mut grad = zeros(logits.shape());
    let walk = Walk::over(logits)?.into(&mut grad)?;
    let leading = walk.leading().to_vec();
    let values = walk.run(|_, mut row| {
        let sum = row.sum_with_moment()?;
        let total = 1.0 + sum.others;
        if let Some(out) = row.out {
            simd::entropy_slope(out, sum.max, E::Real::of(sum.moment / total), E::Real::of(-1.0 / total));
        }
        Ok(sum.entropy())
    })?;
    Ok((by_row(&values, &leading), grad))
}
