//! MarginMSE: the differences of a teacher's scores.

use ndarray::{Array1, ArrayRef1};

use crate::likelihood::{Density, Domain};
use crate::{Real, Reduction, Result};

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
    MarginMse.value([positive, negative, gold], reduction)
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
    MarginMse.each([positive, negative, gold])
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
    let (value, [by_positive, by_negative]) = MarginMse.grad([positive, negative, gold], reduction)?;
    Ok((value, (by_positive, by_negative)))
}

/// The loss of one triple.
struct MarginMse;

impl Density<3, 2> for MarginMse {
    type Arguments<A> = [A; 3];
    type Gradient<A> = [A; 2];
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("positive", Domain::Finite), ("negative", Domain::Finite), ("gold", Domain::Finite)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [positive, negative, gold]: [T; 3]) -> (T, [T; 2]) {
        let error = positive - negative - gold;
        (error * error, [error + error, -(error + error)])
    }
}
