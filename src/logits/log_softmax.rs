//! Log-softmax along the classes.

use ndarray::{Array, ArrayRef, Dimension};
use num_traits::Float;

use super::walk::{Row, Walk, zeros};
use crate::{Element, Real, Result, simd};

/// Log-probability of every class under the softmax of its row, in nats.
///
/// ```math
/// \log p_{iv} = (x_{iv} - m_i) - \ln\Bigl(1 + \sum_{u \ne v^*} e^{x_{iu} - m_i}\Bigr),
/// \qquad m_i = x_{i v^*} = \max_u x_{iu}
/// ```
///
/// `logits` has any shape `[.., V]`, and so has the result. Every entry is `<= 0`, their exponentials sum to 1 in each
/// row; a logit of -inf stays -inf. An entry near 0 keeps its relative precision. For the entry of one class alone
/// [`token_log_probs`](super::token_log_probs) writes no array of this size.
///
/// # Errors
///
/// [`Value`](crate::Error::Value) for NaN, +inf, or a row of nothing but -inf; [`Empty`](crate::Error::Empty) without
/// classes; [`Overflow`](crate::Error::Overflow) where a finite logit lies further below the largest than the type
/// reaches.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_softmax, ndarray::array};
/// let log_probs = log_softmax(&array![[1.0_f64, 2.0, 3.0]])?;
/// assert!((log_probs[[0, 0]] + 2.407_605_964_444_38).abs() < 1e-14);
/// assert!((log_probs[[0, 2]] + 0.407_605_964_444_380_1).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_softmax<E: Element, D: Dimension>(logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D>> {
    let mut out = zeros(logits.shape());
    log_softmax_into(logits, &mut out)?;
    Ok(out)
}

/// [`log_softmax`] into a buffer of the shape of the logits, without any allocation of that size.
///
/// # Errors
///
/// Those of [`log_softmax`], after which the buffer is unspecified, and [`Shape`](crate::Error::Shape) before anything
/// is written.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_softmax_into, ndarray::array};
/// let mut out = array![9.0_f64, 9.0];
/// log_softmax_into(&array![3.0_f64, 3.0], &mut out)?;
/// assert_eq!(out[0], -std::f64::consts::LN_2);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_softmax_into<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
    out: &mut ArrayRef<E::Real, D>,
) -> Result<()> {
    Walk::over(logits)?.into(out)?.run(|_, row| normalise(row)).map(drop)
}

/// [`log_softmax`] in place of the logits.
///
/// # Errors
///
/// Those of [`log_softmax`], after which the array is unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_softmax_in_place, ndarray::array};
/// let mut logits = array![[0.0_f64, f64::NEG_INFINITY]];
/// log_softmax_in_place(&mut logits)?;
/// assert_eq!(logits, array![[0.0, f64::NEG_INFINITY]]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_softmax_in_place<T: Real, D: Dimension>(logits: &mut ArrayRef<T, D>) -> Result<()> {
    Walk::<T>::in_place(logits)?.run(|_, row| normalise(row)).map(drop)
}

fn normalise<E: Element>(mut row: Row<'_, E>) -> Result<f64> {
    let sum = row.sum()?;
    let log = E::Real::of(sum.others.ln_1p());
    // Only a maximum that is huge itself can push a finite logit out of the type.
    let limit = E::Real::max_value() * E::Real::epsilon() / E::Real::of(4.0);
    if sum.max > limit {
        let mut lost = false;
        row.for_each_block(|block| lost |= block.iter().any(|x| x.is_finite() && (*x - sum.max).is_infinite()));
        if lost {
            return Err(row.overflow());
        }
    }
    if let Some(out) = row.out {
        simd::shift_down(out, sum.max, log);
    }
    Ok(0.0)
}
