//! Log-probabilities of several classes of each row, from one pass over it.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension, s};
use num_traits::{Float, Zero};

use super::cotangent;
use super::labels::Labels;
use super::logit_rows::row_sum;
use crate::compiled::in_dimension;
use crate::error::Position;
use crate::rowwise::{self, BLOCK, RowReader, Rows, RowsMut};
use crate::simd;
use crate::target::Indices;
use crate::{Element, Error, Real, Result, Target, check};

/// Log-probabilities of K given classes of each row, under the softmax over all V, in nats.
///
/// ```math
/// \log p_{ik} = x_{i c_{ik}} - \ln \sum_v e^{x_{iv}}
/// ```
///
/// `logits` have any shape `[.., V]`; `classes` and the result have the same shape with K in the place of V. Each row is
/// read once, however many classes are asked for, and no log-softmax is written: the answers of a multiple choice, the
/// tokens that a teacher has kept, a sampled vocabulary. A class may be asked for twice. Entries near 0 keep their
/// relative precision; each is rounded once from `f64`. For one class in each row see
/// [`token_log_probs`](super::token_log_probs()).
///
/// # Errors
///
/// [`Target`](Error::Target) for what is no class; [`Value`](Error::Value) for a logit that is NaN or +inf, or a row of
/// nothing but -inf; [`Overflow`](Error::Overflow) where a finite logit lies further below the largest than the type
/// reaches; [`Shape`](Error::Shape); [`Empty`](Error::Empty) without classes in the logits.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::class_log_probs, ndarray::array};
/// let log_probs = class_log_probs(&array![[1.0_f64, 2.0, 3.0]], &array![[2, 0]])?;
/// assert!((log_probs[[0, 0]] + 0.407_605_964_444_380_1).abs() < 1e-15);
/// assert!((log_probs[[0, 1]] + 2.407_605_964_444_38).abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn class_log_probs<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    classes: &ArrayRef<I, D>,
) -> Result<Array<E::Real, D>> {
    Ok(in_dimension(E::class_log_probs(logits.view().into_dyn(), I::erase(classes.view().into_dyn()))?))
}

/// [`class_log_probs`] of any number of axes and indices of any type.
pub(super) fn forward<E: Element>(logits: ArrayViewD<'_, E>, classes: Indices<'_>) -> Result<ArrayD<E::Real>> {
    let (rows, leading, each) = extents(&logits, classes.shape())?;
    let mut out = ArrayD::from_elem(classes.shape(), E::Real::zero());
    let (labels, jobs) = (labels(classes, rows.width(), &|_| false)?, rows.jobs(1));
    let parts = out.as_slice_mut().unwrap_or_default().chunks_mut((jobs.per_job() * each).max(1));
    jobs.run::<_, E::Real, _, 0>(
        parts,
        [],
        || (),
        |(), first, out, []| {
            for (index, out) in (first..).zip(out.chunks_mut(each)) {
                let row = rows.row(index);
                let sum = row_sum(row);
                if !sum.is_proper() {
                    return Err(rowwise::improper("logits", leading, index, row));
                }
                for (k, to) in out.iter_mut().enumerate() {
                    let logit = row[labels.get(index * each + k).unwrap_or_default()].real();
                    *to = E::Real::from_f64(0.0) - E::Real::from_f64(sum.nll(logit)); // never -0
                    if to.is_infinite() && logit.is_finite() {
                        return Err(Error::overflow::<E::Real>("logits", Position::unravel(index, leading)));
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(out)
}

/// Gradient in the logits of `Σ cotangent · class_log_probs`.
///
/// ```math
/// \frac{\partial}{\partial x_{iv}} = \sum_k c_{ik} \bigl([v = c_{ik}] - p_{iv}\bigr)
/// ```
///
/// `cotangent` has the shape of the classes. Each row adds up to 0, and the entry of a class is exact where its probability
/// is almost 1. A class whose cotangent is 0 is not looked at, nor is a row where all are.
///
/// # Errors
///
/// Those of [`class_log_probs`], [`Value`](Error::Value) for a cotangent that is not finite, and
/// [`Overflow`](Error::Overflow) where a slope leaves the type.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::class_log_probs_backward, ndarray::array};
/// let grad = class_log_probs_backward(&array![[0.0_f64, 0.0]], &array![[1, 0, 1]], &array![[1.0, 0.5, 1.0]])?;
/// assert_eq!(grad, array![[-0.75, 0.75]]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn class_log_probs_backward<E: Element, I: Target, D: Dimension>(
    logits: &ArrayRef<E, D>,
    classes: &ArrayRef<I, D>,
    cotangent: &ArrayRef<E::Real, D>,
) -> Result<Array<E::Real, D>> {
    let (classes, cotangent) = (I::erase(classes.view().into_dyn()), cotangent.view().into_dyn());
    Ok(in_dimension(E::class_log_probs_backward(logits.view().into_dyn(), classes, cotangent)?))
}

/// [`class_log_probs_backward`] of any number of axes and indices of any type.
pub(super) fn backward<E: Element>(
    logits: ArrayViewD<'_, E>,
    classes: Indices<'_>,
    cotangent: ArrayViewD<'_, E::Real>,
) -> Result<ArrayD<E::Real>> {
    let (rows, leading, each) = extents(&logits, classes.shape())?;
    let cotangent = cotangent::checked(&cotangent, classes.shape())?;
    let labels = labels(classes, rows.width(), &|at| cotangent[at] == 0.0)?;
    let mut out = ArrayD::from_elem(logits.shape(), E::Real::zero());
    let to = RowsMut::new("out", &mut out, logits.shape())?;
    let jobs = rows.jobs(1).of_work(2 * rows.bytes());
    jobs.each_output(to, |index, out| {
        let own = &cotangent[index * each..][..each];
        if own.iter().all(|&c| c == 0.0) {
            return Ok(()); // zeros, as they are
        }
        let class = |k: usize| labels.get(index * each + k).filter(|_| own[k] != 0.0);
        backward_row(&rows, leading, index, (own, &class), out)
    })?;
    Ok(out)
}

/// One row of the gradient.
fn backward_row<E: Element>(
    rows: &Rows<'_, E>,
    leading: &[usize],
    index: usize,
    (cotangent, class): (&[f64], &impl Fn(usize) -> Option<usize>),
    out: &mut [E::Real],
) -> Result<()> {
    let row = rows.row(index);
    let sum = row_sum(row);
    if !sum.is_proper() {
        return Err(rowwise::improper("logits", leading, index, row));
    }
    let total: f64 = cotangent.iter().sum();
    let scale = E::Real::from_f64(-total / (1.0 + sum.others));
    for (i, block) in out.chunks_mut(BLOCK).enumerate() {
        rowwise::copy(row.slice(s![i * BLOCK..i * BLOCK + block.len()]), block);
        simd::scale_exp(block, sum.max, scale);
    }
    let mut fits = scale.is_finite();
    for at in (0..cotangent.len()).filter_map(class) {
        let own: f64 = (0..cotangent.len()).filter(|&k| class(k) == Some(at)).map(|k| cotangent[k]).sum();
        let logit = row[at].real();
        // By `1 - p` for its own share and by `p` for that of the others: neither cancels.
        out[at] = E::Real::from_f64(own * sum.complement(logit) - (total - own) * sum.prob(logit));
        fits &= out[at].is_finite();
    }
    if fits { Ok(()) } else { Err(Error::overflow::<E::Real>("logits", Position::unravel(index, leading))) }
}

/// The rows, the shape that they have without the last axis, and the number of classes asked of each.
fn extents<'a, E: Element>(
    logits: &'a ArrayViewD<'_, E>,
    classes: &[usize],
) -> Result<(Rows<'a, E>, &'a [usize], usize)> {
    let rows = Rows::new("logits", logits)?;
    let leading = &logits.shape()[..logits.ndim() - 1];
    let each = classes.last().copied().unwrap_or(0);
    check::shape("classes", classes, &[leading, &[each]].concat())?;
    Ok((rows, leading, each))
}

/// The classes, each of them checked unless it is skipped.
fn labels<'a>(classes: Indices<'a>, width: usize, skipped: &dyn Fn(usize) -> bool) -> Result<Labels<'a>> {
    let shape = classes.shape().to_vec();
    Labels::erased(classes, &shape, width, None, skipped).map_err(|error| error.rename(|_| "classes"))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, Axis, array};

    use super::*;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
    use crate::logits::{log_softmax, token_log_probs_backward};

    const INF: f64 = f64::INFINITY;

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let log_probs = class_log_probs(&worked(), &array![[1, 1], [0, 0]]).unwrap();
        assert_close(log_probs.column(0), &[-3.687_228_058_613_903, -4.919_199_658_242_904], 4e-16);
        assert_eq!(log_probs.column(0), log_probs.column(1));
    }

    #[test]
    fn they_are_entries_of_the_log_softmax_in_any_layout() {
        let x = sample::<f32>(3, 4_500);
        let classes = Array2::from_shape_fn((3, 40), |(i, k)| (i * 1_511 + k * 117) % 4_500);
        let (picked, all) = (class_log_probs(&x, &classes).unwrap(), log_softmax(&x).unwrap());
        assert!(picked.indexed_iter().all(|((i, k), p)| (p - all[[i, classes[[i, k]]]]).abs() <= 1e-6));
        other_layouts(&x, |x| assert_eq!(class_log_probs(x, &classes).unwrap(), picked));
        let none = class_log_probs(&x, &Array2::<i64>::zeros((3, 0))).unwrap();
        assert_eq!(none.dim(), (3, 0));
        let deep = class_log_probs(&Array3::<f64>::zeros((2, 3, 4)), &Array3::<u32>::zeros((2, 3, 2))).unwrap();
        assert!(deep.iter().all(|p| (p + 4.0_f64.ln()).abs() < 1e-15));
    }

    #[test]
    fn the_backward_is_the_difference_quotient_and_sums_to_zero() {
        let (x, classes) = (sample::<f64>(2, 7), array![[2, 0, 2], [6, 1, 3]]);
        let c = array![[1.5, -0.25, 2.0], [0.0, 1.0, 0.5]];
        let grad = class_log_probs_backward(&x, &classes, &c).unwrap();
        assert_close(&grad, &differences(&x, |x| (class_log_probs(x, &classes).unwrap() * &c).sum()), 1e-9);
        assert_close(&grad.sum_axis(Axis(1)), &[0.0; 2], 1e-14);
        let one = class_log_probs_backward(&x, &array![[4], [5]], &array![[1.0], [-2.0]]).unwrap();
        assert_close(&one, &token_log_probs_backward(&x, &array![4, 5], &array![1.0, -2.0]).unwrap(), 1e-15);
    }

    #[test]
    fn a_certain_class_keeps_its_digits_and_an_impossible_one_is_minus_infinity() {
        let x = array![[0.0_f32, -30., -30., -30., -30., -30., -30., -30., -30., -30., -30.]];
        let log_probs = class_log_probs(&x, &array![[0, 3]]).unwrap();
        assert!((log_probs[[0, 0]] / -9.357_623e-13 - 1.0).abs() < 1e-6 && (log_probs[[0, 1]] + 30.0).abs() < 1e-6);
        let grad = class_log_probs_backward(&x, &array![[0]], &array![[1.0]]).unwrap();
        assert!((grad[[0, 0]] / 9.357_623e-13 - 1.0).abs() < 1e-6);
        let certain = class_log_probs(&array![[0.0_f32, -200.0]], &array![[0]]).unwrap();
        assert_eq!(certain[[0, 0]].to_bits(), 0.0_f32.to_bits());
        let x = array![[0.0, -INF, 0.0]];
        assert_eq!(class_log_probs(&x, &array![[1]]).unwrap(), array![[-INF]]);
        assert_eq!(class_log_probs_backward(&x, &array![[1]], &array![[2.0]]).unwrap(), array![[-1.0, 2.0, -1.0]]);
    }

    #[test]
    fn what_has_no_cotangent_is_not_looked_at() {
        let (x, classes) = (array![[f64::NAN, INF], [0.0, 0.0]], array![[7, -1], [1, 9]]);
        let grad = class_log_probs_backward(&x, &classes, &array![[0.0, 0.0], [2.0, 0.0]]).unwrap();
        assert_eq!(grad, array![[0.0, 0.0], [-1.0, 1.0]]);
    }

    #[test]
    fn errors_say_what_came_and_what_is_allowed() {
        let x = sample::<f32>(2, 3);
        let message = |classes: Array2<i64>| class_log_probs(&x, &classes).unwrap_err().to_string();
        assert_eq!(message(array![[0, 1], [2, 3]]), "`classes`[1, 1] is 3, allowed are the classes 0 to 2");
        assert_eq!(message(array![[0, -100], [2, 0]]), "`classes`[0, 1] is -100, allowed are the classes 0 to 2");
        assert_eq!(message(array![[0, 1]]), "`classes` has shape [1, 2], expected [2, 2]");
        let bad = array![[0.0, 1.0], [f64::NAN, 0.0]];
        let error = class_log_probs(&bad, &array![[0], [1]]).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1, 0] is NaN, allowed is finite or -inf");
        let error = class_log_probs_backward(&x, &array![[0], [1]], &array![[1.0], [f32::NAN]]).unwrap_err();
        assert_eq!(error.to_string(), "`cotangent`[1, 0] is NaN, allowed is finite");
        let error = class_log_probs(&array![[f32::MAX, f32::MIN]], &array![[1]]).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    }
}
