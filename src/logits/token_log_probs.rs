//! Log-probability of one class in each row, and its way back to the logits.

use ndarray::{Array, ArrayRef, Dimension};
use num_traits::Float;

use super::labels::Labels;
use super::walk::{Row, Walk, by_row, check_leading, zeros};
use crate::error::Position;
use crate::{Element, Error, Real, Result, Target, simd};

/// Log-probability, in nats, that the softmax of each row gives to its target.
///
/// ```math
/// \log p_i = x_{i y_i} - \ln \sum_v e^{x_{iv}}
/// ```
///
/// `logits` has any shape `[.., V]`; `targets` and the result have the shape without the last axis. The result is
/// `<= 0`, keeps its relative precision near 0, and is rounded once from `f64`; it is -inf where the target's logit is.
/// The log-softmax of the other classes is never written anywhere.
///
/// # Errors
///
/// [`Target`](crate::Error::Target) for a target that is no class; [`Value`](crate::Error::Value) for NaN, +inf, or a
/// row of nothing but -inf; [`Overflow`](crate::Error::Overflow) where a finite target logit lies further below the
/// largest than the type reaches; [`Shape`](crate::Error::Shape); [`Empty`](crate::Error::Empty) without classes.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::token_log_probs, ndarray::array};
/// let log_probs = token_log_probs(&array![[1.0_f64, 2.0, 3.0], [3.0, 1.0, 2.0]], &array![2, 1])?;
/// assert!((log_probs[0] + 0.407_605_964_444_380_1).abs() < 1e-15);
/// assert!((log_probs[1] + 2.407_605_964_444_38).abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn token_log_probs<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<Array<E::Real, D::Smaller>> {
    forward(logits, targets, |_| false)
}

/// [`token_log_probs`] where the mask is true, 0 elsewhere.
///
/// What the mask leaves out is never looked at: neither its logits, which may be NaN, nor its target, which may be no
/// class.
///
/// # Errors
///
/// Those of [`token_log_probs`], in the rows that the mask keeps.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::token_log_probs_masked, ndarray::array};
/// let logits = array![[0.0_f64, 0.0], [f64::NAN, 0.0]];
/// let log_probs = token_log_probs_masked(&logits, &array![0, -100], &array![true, false])?;
/// assert_eq!(log_probs, array![-std::f64::consts::LN_2, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn token_log_probs_masked<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
    mask: &ArrayRef<bool, D::Smaller>,
) -> Result<Array<E::Real, D::Smaller>> {
    check_leading("mask", mask.shape(), &Walk::over(logits)?)?;
    let mask: Vec<bool> = mask.iter().copied().collect();
    forward(logits, targets, |row| !mask[row])
}

/// Gradient in the logits of `Σ cotangent · token_log_probs`.
///
/// ```math
/// \frac{\partial}{\partial x_{iv}} = c_i \bigl([v = y_i] - p_{iv}\bigr)
/// ```
///
/// `cotangent` has the shape of the targets. Each row sums to 0, and the entry of the target is exact where its
/// probability is almost 1. A row whose cotangent is 0 gets a zero gradient; its logits and its target are never looked
/// at, so that masked positions may hold anything.
///
/// # Errors
///
/// Those of [`token_log_probs`] in the other rows, and [`Value`](crate::Error::Value) for a cotangent that is not
/// finite.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::token_log_probs_backward, ndarray::array};
/// let logits = array![[1.0_f64, 2.0, 3.0], [f64::NAN, 0.0, 0.0]];
/// let grad = token_log_probs_backward(&logits, &array![2, -100], &array![1.0, 0.0])?;
/// assert!((grad[[0, 0]] + 0.090_030_573_170_380_46).abs() < 1e-16);
/// assert!((grad[[0, 2]] - 0.334_759_044_225_178_1).abs() < 1e-15); // 1 - p
/// assert_eq!(grad.row(1), array![0.0, 0.0, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn token_log_probs_backward<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
    cotangent: &ArrayRef<E::Real, D::Smaller>,
) -> Result<Array<E::Real, D>> {
    let mut out = zeros(logits.shape());
    token_log_probs_backward_into(logits, targets, cotangent, &mut out)?;
    Ok(out)
}

/// [`token_log_probs_backward`] into a buffer of the shape of the logits.
///
/// # Errors
///
/// Those of [`token_log_probs_backward`]. Shapes, cotangents and targets are checked before anything is written; after
/// an error in the logits the buffer is unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::token_log_probs_backward_into, ndarray::{arr0, array}};
/// let mut grad = array![9.0_f64, 9.0];
/// token_log_probs_backward_into(&array![0.0_f64, 0.0], &arr0(1), &arr0(2.0), &mut grad)?;
/// assert_eq!(grad, array![-1.0, 1.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn token_log_probs_backward_into<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
    cotangent: &ArrayRef<E::Real, D::Smaller>,
    out: &mut ArrayRef<E::Real, D>,
) -> Result<()> {
    let walk = Walk::over(logits)?.into(out)?;
    check_leading("cotangent", cotangent.shape(), &walk)?;
    let cotangent: Vec<f64> = cotangent.iter().map(|c| c.wide()).collect();
    check_finite(&cotangent, walk.leading())?;
    let labels = Labels::new(targets, walk.leading(), walk.classes(), None, |row| cotangent[row] == 0.0)?;
    walk.run(|i, row| match labels.get(i) {
        Some(target) if cotangent[i] != 0.0 => backward(row, target, cotangent[i]),
        _ => Ok(row.skip()),
    })
    .map(drop)
}

fn forward<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
    skipped: impl Fn(usize) -> bool + Sync + Send,
) -> Result<Array<E::Real, D::Smaller>> {
    let walk = Walk::over(logits)?;
    let leading = walk.leading().to_vec();
    let labels = Labels::new(targets, &leading, walk.classes(), None, &skipped)?;
    let values = walk.run(|i, mut row| match labels.get(i) {
        Some(target) if !skipped(i) => {
            let sum = row.sum()?;
            let x = row.logit(target);
            let log_prob = -sum.nll(x);
            if x.is_finite() && E::Real::of(log_prob).is_infinite() { Err(row.overflow()) } else { Ok(log_prob) }
        }
        _ => Ok(row.skip()),
    })?;
    Ok(by_row(&values, &leading))
}

fn backward<E: Element>(mut row: Row<'_, E>, target: usize, cotangent: f64) -> Result<f64> {
    let sum = row.sum()?;
    let complement = sum.complement(row.logit(target));
    if let Some(out) = row.out {
        simd::scale_exp(out, sum.max, E::Real::of(-cotangent / (1.0 + sum.others)));
        out[target] = E::Real::of(cotangent * complement);
    }
    Ok(0.0)
}

fn check_finite(cotangent: &[f64], leading: &[usize]) -> Result<()> {
    match cotangent.iter().position(|c| !c.is_finite()) {
        None => Ok(()),
        Some(row) => Err(Error::Value {
            argument: "cotangent",
            position: Position::unravel(row, leading),
            value: cotangent[row],
            allowed: "finite",
        }),
    }
}
