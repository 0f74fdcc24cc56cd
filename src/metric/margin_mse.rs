//! MarginMSE: the differences of a teacher's scores.

use ndarray::{Array1, ArrayRef1};

use super::row_weights::{RowLoss, RowWeights};
use crate::{Real, Reduction, Result, check};

/// MarginMSE: by how much a positive is ahead of a negative should be as much as for a teacher.
///
/// ```math
/// L_i = (s_i^+ - s_i^- - g_i)^2
/// ```
///
/// `positive` and `negative` are the scores of a query with two passages, `[n]`, `gold` the teacher's difference of the two.
/// Slopes: twice the error, and the opposite. As in sentence-transformers (`MarginMSELoss`, the mean).
///
/// # Errors
///
/// [`Shape`](crate::Error::Shape) for arrays of other lengths; [`Value`](crate::Error::Value) for what is not finite;
/// [`NothingToAverage`](crate::Error::NothingToAverage); [`Overflow`](crate::Error::Overflow) for a result out of the range
/// of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::margin_mse;
/// let loss = margin_mse(&array![5.0_f64, 1.0], &array![2.0, 2.0], &array![1.0, -1.0], Reduction::Mean)?;
/// assert_eq!(loss, 2.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hofstätter et al. 2020, eq. 7, [arXiv:2010.02666](https://arxiv.org/abs/2010.02666).
#[doc(alias = "MarginMSELoss")]
pub fn margin_mse<T: Real>(
    positive: &ArrayRef1<T>,
    negative: &ArrayRef1<T>,
    gold: &ArrayRef1<T>,
    reduction: Reduction<'_, T>,
) -> Result<T> {
    let weights = T::metric_weights(reduction, positive.len())?;
    let errors = errors(positive, negative, gold, &weights)?;
    T::metric_round(weights.reduce(&losses(&errors), "positive")?.0, "positive")
}

/// The loss of each triple, `[n]`.
///
/// # Errors
///
/// As [`margin_mse`].
pub fn margin_mse_each<T: Real>(
    positive: &ArrayRef1<T>,
    negative: &ArrayRef1<T>,
    gold: &ArrayRef1<T>,
) -> Result<Array1<T>> {
    let losses = losses(&errors(positive, negative, gold, &RowWeights::SUM)?);
    T::metric_write_numbers("positive", &losses.iter().map(|loss| loss.sum).collect::<Vec<_>>())
}

/// [`margin_mse`], and its gradients in the scores of positives and negatives.
///
/// # Errors
///
/// As [`margin_mse`].
pub fn margin_mse_grad<T: Real>(
    positive: &ArrayRef1<T>,
    negative: &ArrayRef1<T>,
    gold: &ArrayRef1<T>,
    reduction: Reduction<'_, T>,
) -> Result<(T, (Array1<T>, Array1<T>))> {
    let weights = T::metric_weights(reduction, positive.len())?;
    let errors = errors(positive, negative, gold, &weights)?;
    let (value, factor) = weights.reduce(&losses(&errors), "positive")?;
    let slopes = slopes(&errors, &weights, factor);
    let opposite: Vec<f64> = slopes.iter().map(|slope| -slope).collect();
    let by = (T::metric_write_numbers("positive", &slopes)?, T::metric_write_numbers("negative", &opposite)?);
    Ok((T::metric_round(value, "positive")?, by))
}

fn errors<T: Real>(
    positive: &ArrayRef1<T>,
    negative: &ArrayRef1<T>,
    gold: &ArrayRef1<T>,
    weights: &RowWeights,
) -> Result<Vec<f64>> {
    check::shape("negative", negative.shape(), positive.shape())?;
    check::shape("gold", gold.shape(), positive.shape())?;
    let positive = T::metric_read_numbers("positive", positive.view(), weights)?;
    let negative = T::metric_read_numbers("negative", negative.view(), weights)?;
    let gold = T::metric_read_numbers("gold", gold.view(), weights)?;
    Ok(positive.iter().zip(negative).zip(gold).map(|((p, n), g)| p - n - g).collect())
}

fn losses(errors: &[f64]) -> Vec<RowLoss> {
    errors.iter().map(|error| RowLoss::one(error * error)).collect()
}

fn slopes(errors: &[f64], weights: &RowWeights, factor: f64) -> Vec<f64> {
    let slope = |(row, error): (usize, &f64)| crate::math::mul_or_zero(weights.of(row), 2.0 * factor * error);
    errors.iter().enumerate().map(slope).collect()
}
