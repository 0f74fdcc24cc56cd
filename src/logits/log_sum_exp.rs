//! Log-sum-exp along the classes.

use ndarray::{Array, ArrayD, ArrayRef, ArrayView1, Dimension};
use num_traits::Float;

use super::kernel::{Block, Row, RowKernel, RowRequest, Slope, Summed};
use super::logit_rows::{LogitArrays, LogitRows, by_row};
use super::transform::LogitTransform;
use crate::compiled::in_dimension;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::{Element, Real, Result};

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
    LogitTransform::default().log_sum_exp(logits)
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
    LogitTransform::default().log_sum_exp_grad(logits)
}

/// [`log_sum_exp`] where a row of nothing but -inf, the sum over no class, is -inf instead of an error.
///
/// # Errors
///
/// Those of [`log_sum_exp`] but for such rows.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_sum_exp_or_empty, ndarray::array};
/// let inf = f64::INFINITY;
/// assert_eq!(log_sum_exp_or_empty(&array![[-inf, -inf], [3.0, -inf]])?, array![-inf, 3.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_sum_exp_or_empty<E: Element, D: Dimension>(logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
    Ok(in_dimension(E::log_sum_exp_or_empty(LogitArrays::read(logits))?))
}

/// [`log_sum_exp_or_empty`] and the gradient of its sum over rows: the softmax, and zeros over no class.
///
/// # Errors
///
/// Those of [`log_sum_exp_or_empty`].
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_sum_exp_or_empty_grad, ndarray::array};
/// let inf = f64::INFINITY;
/// let (_, grad) = log_sum_exp_or_empty_grad(&array![[-inf, -inf], [3.0, -inf]])?;
/// assert_eq!(grad, array![[0.0, 0.0], [1.0, 0.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_sum_exp_or_empty_grad<E: Element, D: Dimension>(
    logits: &ArrayRef<E, D>,
) -> Result<(Array<E::Real, D::Smaller>, Array<E::Real, D>)> {
    let mut grad = in_dimension(E::zeros_of(logits.shape()));
    let each = E::log_sum_exp_or_empty(LogitArrays::write(logits, &mut grad))?;
    Ok((in_dimension(each), grad))
}

/// The sums over rows, some of which may be over no class.
pub(super) fn or_empty<E: Element>(mut logits: LogitArrays<'_, E>) -> Result<ArrayD<E::Real>> {
    let empty: Vec<bool> = match &logits {
        LogitArrays::Read(logits) | LogitArrays::Write(logits, _) if logits.ndim() > 0 => {
            // Seldom more than the first logit of a row is looked at.
            let is_empty = |row: ArrayView1<'_, E>| row.iter().all(|x| x.real() == E::Real::neg_infinity());
            logits.rows().into_iter().map(is_empty).collect()
        }
        _ => Vec::new(),
    };
    let rows = LogitRows::new(&mut logits)?;
    let leading = rows.leading().to_vec();
    let mut sums = rows.losses(&LogSumExps { empty: &empty })?;
    sums.iter_mut().zip(&empty).filter(|(_, empty)| **empty).for_each(|(sum, _)| *sum = f64::NEG_INFINITY);
    Ok(by_row(&sums, &leading))
}

/// The sum of each row, and the softmax where it has a place.
pub(super) fn sums<E: Element>(transform: LogitTransform, mut logits: LogitArrays<'_, E>) -> Result<ArrayD<E::Real>> {
    LogitRows::new(&mut logits)?.transformed(transform)?.each(&LogSumExps { empty: &[] })
}

impl LogitTransform {
    /// [`log_sum_exp`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`log_sum_exp`] and of the [transform](LogitTransform).
    pub fn log_sum_exp<E: Element, D: Dimension>(&self, logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
        Ok(in_dimension(E::log_sum_exp(*self, LogitArrays::read(logits))?))
    }

    /// [`log_sum_exp_grad`] of transformed logits: the gradient is the softmax times the slope of each class.
    ///
    /// # Errors
    ///
    /// Those of [`log_sum_exp`] and of the [transform](LogitTransform).
    pub fn log_sum_exp_grad<E: Element, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
    ) -> Result<(Array<E::Real, D::Smaller>, Array<E::Real, D>)> {
        let mut grad = in_dimension(E::zeros_of(logits.shape()));
        let each = E::log_sum_exp(*self, LogitArrays::write(logits, &mut grad))?;
        Ok((in_dimension(each), grad))
    }
}

/// The logarithm of each row's sum, and where there is an output the softmax.
struct LogSumExps<'a> {
    /// Rows that are not looked at; those beyond the end are.
    empty: &'a [bool],
}

impl<T: Real> RowKernel<T> for LogSumExps<'_> {
    fn request(&self, row: usize) -> RowRequest {
        if self.empty.get(row) == Some(&true) { RowRequest::Nothing } else { RowRequest::Sum }
    }

    fn losses(&self, _: usize, sums: &RowTile<'_, T>, _: &[T; ROW_TILE], losses: &mut [f64; ROW_TILE]) -> bool {
        let terms = sums.max.iter().zip(&sums.log);
        losses.iter_mut().zip(terms).for_each(|(loss, (max, log))| *loss = max.as_f64() + log);
        true
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        Ok((row.summed.log_sum_exp(), Slope::default()))
    }

    fn finish(&self, _: &Slope, row: &Summed<T>, block: Block<'_, T>) {
        simd::scale(block.data, T::from_f64(block.factor / row.total()));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, ArrayD, Axis, IxDyn, array, aview1};

    use super::*;
    use crate::Error;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};

    const INF: f64 = f64::INFINITY;

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let (lse, softmax) = log_sum_exp_grad(&worked()).unwrap();
        assert_close(&lse, &[2.437_228_058_613_903, 1.919_199_658_242_903_8], 4e-16);
        let expected = [
            0.144_102_841_299_984_82,
            0.025_041_318_995_112_03,
            0.645_824_128_858_802_7,
            0.185_031_710_846_100_49,
            0.007_304_974_984_337_479,
            0.657_572_892_312_134_1,
            0.146_724_344_770_872_7,
            0.188_397_787_932_655_66,
        ];
        assert_close(&softmax, &expected, 4e-16);
        assert_close(&log_sum_exp(&worked().mapv(|x| x as f32)).unwrap(), &[2.437_228_058_6, 1.919_199_658_2], 1e-7);
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_and_sums_to_one() {
        let x: Array2<f64> = sample(3, 7);
        let (lse, softmax) = log_sum_exp_grad(&x).unwrap();
        assert_eq!(lse, log_sum_exp(&x).unwrap());
        assert_close(&softmax, &differences(&x, |x| log_sum_exp(x).unwrap().sum()), 1e-11);
        assert_close(&softmax.sum_axis(Axis(1)), &[1.0, 1.0, 1.0], 1e-15);
    }

    #[test]
    fn a_shift_of_the_row_shifts_the_result_and_keeps_the_gradient() {
        for shift in [1000.0_f32, -1000.0] {
            let x = sample::<f32>(4, 2500);
            let (lse, softmax) = log_sum_exp_grad(&x).unwrap();
            let (moved, same) = log_sum_exp_grad(&(&x + shift)).unwrap();
            assert_eq!(softmax, same);
            assert_close(&moved, &lse.mapv(|l| f64::from(l + shift)), 1e-7);
        }
    }

    #[test]
    fn huge_finite_logits_do_not_overflow() {
        assert_eq!(log_sum_exp(&aview1(&[f64::MAX, f64::MIN])).unwrap()[()], f64::MAX);
        assert_eq!(log_sum_exp(&aview1(&[f32::MIN, f32::MIN])).unwrap()[()], f32::MIN);
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let x = sample::<f32>(5, 4500);
        let expected = log_sum_exp_grad(&x).unwrap();
        assert_eq!(log_sum_exp(&x).unwrap(), expected.0);
        other_layouts(&x, |x| {
            assert_eq!(log_sum_exp(x).unwrap(), expected.0);
            assert_eq!(log_sum_exp_grad(x).unwrap(), expected);
        });
        let row = array![1.0, 2.0, 3.0];
        assert_close(&log_sum_exp(&row.broadcast((2, 3)).unwrap()).unwrap(), &[3.407_605_964_444_38; 2], 4e-16);
    }

    #[test]
    fn the_result_has_the_shape_without_the_last_axis() {
        assert_eq!(log_sum_exp(&array![7.0]).unwrap().shape(), &[] as &[usize]);
        assert_eq!(log_sum_exp(&Array3::<f32>::zeros((2, 3, 4))).unwrap().shape(), &[2, 3]);
        assert_eq!(log_sum_exp(&ArrayD::<f32>::zeros(IxDyn(&[2, 1, 3, 4]))).unwrap().shape(), &[2, 1, 3]);
        assert_eq!(log_sum_exp(&Array2::<f32>::zeros((0, 4))).unwrap().len(), 0);
    }

    #[test]
    fn improper_rows_are_named_with_what_is_wrong() {
        let message = |x: &Array2<f64>| log_sum_exp(x).unwrap_err().to_string();
        let mut x = Array2::zeros((3, 3000));
        x[[1, 2999]] = f64::NAN;
        assert_eq!(message(&x), "`logits`[1, 2999] is NaN, allowed is finite or -inf");
        x[[0, 7]] = INF;
        assert_eq!(message(&x), "`logits`[0, 7] is inf, allowed is finite or -inf");
        let x = array![[0.0, 1.0], [-INF, -INF]];
        assert_eq!(message(&x), "`logits`[1] is -inf, allowed is a row with at least one finite logit");
        assert_eq!(log_sum_exp_grad(&x).unwrap_err().to_string(), message(&x));
        assert_eq!(log_sum_exp(&Array2::<f64>::zeros((2, 0))), Err(Error::Empty { argument: "logits" }));
        assert_eq!(log_sum_exp(&ndarray::arr0(1.0)), Err(Error::no_axis("logits")));
    }

    #[test]
    fn rows_over_no_class_are_minus_infinity_where_that_is_asked_for() {
        for classes in [2, 70, 2_049] {
            let mut x = sample::<f64>(20, classes);
            [0, 7, 19].iter().for_each(|&row| x.row_mut(row).fill(-INF));
            let (each, grad) = log_sum_exp_or_empty_grad(&x).unwrap();
            // The two sum long rows in ways of their own.
            let alone = log_sum_exp_or_empty(&x).unwrap();
            assert!(
                alone.iter().zip(&each).all(|(a, b)| a == b || (a - b).abs() <= 1e-15 * b.abs()),
                "{alone}, {each}"
            );
            let kept = sample::<f64>(20, classes);
            let (expected, softmax) = log_sum_exp_grad(&kept).unwrap();
            for row in 0..20 {
                let is_empty = [0, 7, 19].contains(&row);
                assert_eq!(each[row], if is_empty { -INF } else { expected[row] }, "{row} of {classes}");
                assert!(grad.row(row).iter().zip(softmax.row(row)).all(|(&g, &p)| g == if is_empty { 0.0 } else { p }));
            }
            x[[7, 1]] = f64::NAN;
            let error = log_sum_exp_or_empty(&x).unwrap_err();
            assert_eq!(error.to_string(), "`logits`[7, 1] is NaN, allowed is finite or -inf");
        }
    }

    #[test]
    fn the_first_wrong_row_is_named_whatever_job_finds_it() {
        let mut x = Array2::<f32>::zeros((3000, 500));
        x[[2999, 0]] = f32::NAN;
        x[[1234, 5]] = f32::NAN;
        let error = log_sum_exp(&x).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1234, 5] is NaN, allowed is finite or -inf");
    }

    #[cfg(feature = "half")]
    #[test]
    fn half_precision_is_widened_exactly() {
        let x = sample::<f32>(3, 2500).mapv(half::bf16::from_f32);
        let widened = x.mapv(half::bf16::to_f32);
        assert_eq!(log_sum_exp_grad(&x).unwrap(), log_sum_exp_grad(&widened).unwrap());
        assert_eq!(log_sum_exp(&x).unwrap(), log_sum_exp(&widened).unwrap());
    }
}
