//! The area under the ROC curve (AUC).

use ndarray::ArrayView1;

use super::roc::steps;
use crate::ratio::Samples;
use crate::reduction::Total;
use crate::{Real, Reduction, Result};

/// Area under the ROC curve (AUC): how often a positive has a higher score than a negative, ties counted half.
///
/// ```math
/// \mathrm{AUC} = \frac{\sum_{ij} u_i v_j \bigl([s_i > t_j] + \tfrac12 [s_i = t_j]\bigr)}{\sum_i u_i \sum_j v_j} = \frac{U}{nm}
/// ```
///
/// `s` are the scores `real`, of positives, `t` those of `fake`, of negatives; the weights `u` and `v` are those of the
/// reductions, and else 1. `U` is the statistic of Mann and Whitney. From 0 to 1, ½ for a score without information;
/// only the order of scores counts, ±inf included. `O((n + m) \log (n + m))`. It has no gradient: the [module](super)
/// says what to train with. [`Auc`](super::Auc) adds its variance.
///
/// # Errors
///
/// As [`roc_curve`](super::roc_curve()).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::decision::auc;
/// let (real, fake) = (array![3.0_f64, 2.0], array![2.0, 1.0]);
/// let area = auc(Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean))?;
/// assert_eq!(area, 3.5 / 4.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic curve, Radiology 143, 1982.
#[doc(alias = "AUROC")]
#[doc(alias = "Mann-Whitney")]
#[doc(alias = "concordance index")]
pub fn auc<T: Real>(scores: Samples<ArrayView1<'_, T>>, reductions: Samples<Reduction<'_, T>>) -> Result<T> {
    T::auc(scores, reductions)
}

pub(in crate::ratio) fn area<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<T> {
    let (steps, totals) = steps(scores, reductions)?;
    let (mut above, mut won) = (Total::default(), Total::default());
    // Each negative is beaten by what is above it, and by half of what is beside it.
    for step in &steps {
        won.add(step.weights.fake * (above.value() + 0.5 * step.weights.real));
        above.add(step.weights.real);
    }
    Ok(T::from_f64((won.value() / totals.real / totals.fake).min(1.0))) // rounding
}
