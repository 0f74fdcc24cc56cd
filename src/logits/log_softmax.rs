//! Log-softmax along the classes.

use ndarray::{Array, ArrayRef, Dimension};

use super::kernel::{Block, OutputState, Requested, Row, RowKernel, Slope, Summed};
use super::logit_rows::{LogitArrays, LogitRows};
use super::transform::LogitTransform;
use crate::compiled::in_dimension;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::{Element, Real, Result};

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
    LogitTransform::default().log_softmax(logits)
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
    LogitTransform::default().log_softmax_into(logits, out)
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
    LogitTransform::default().log_softmax_in_place(logits)
}

impl LogitTransform {
    /// [`log_softmax`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`log_softmax`] and of the [transform](LogitTransform).
    pub fn log_softmax<E: Element, D: Dimension>(&self, logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D>> {
        let mut out = in_dimension(E::zeros_of(logits.shape()));
        self.log_softmax_into(logits, &mut out)?;
        Ok(out)
    }

    /// [`LogitTransform::log_softmax`] into a buffer of the shape of the logits.
    ///
    /// # Errors
    ///
    /// Those of [`log_softmax_into`] and of the [transform](LogitTransform).
    pub fn log_softmax_into<E: Element, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        out: &mut ArrayRef<E::Real, D>,
    ) -> Result<()> {
        E::log_softmax(*self, LogitArrays::write(logits, out))
    }

    /// [`LogitTransform::log_softmax`] in place of the logits.
    ///
    /// # Errors
    ///
    /// Those of [`log_softmax_in_place`] and of the [transform](LogitTransform).
    pub fn log_softmax_in_place<T: Real, D: Dimension>(&self, logits: &mut ArrayRef<T, D>) -> Result<()> {
        T::log_softmax(*self, LogitArrays::replace(logits))
    }
}

/// Writes the log-softmax of each row.
pub(super) fn normalize<E: Element>(transform: LogitTransform, mut logits: LogitArrays<'_, E>) -> Result<()> {
    LogitRows::new(&mut logits)?.transformed(transform)?.write(&Normalized)
}

/// Writes `(x - max) - ln(1 + others)`: both steps go down, so nothing cancels.
struct Normalized;

impl<T: Real> RowKernel<T> for Normalized {
    fn output_state(&self) -> OutputState {
        OutputState::Logits
    }

    fn is_gradient(&self) -> bool {
        false
    }

    fn finish_tile(&self, _: usize, tile: &mut RowTile<'_, T>, _: &Requested<T>, _: &mut [f64; ROW_TILE]) -> bool {
        let is_safe = !tile.max.iter().any(|&max| is_huge(max));
        if is_safe {
            tile.shift_down();
        }
        is_safe
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        let max = row.summed.sum.max;
        if is_huge(max) {
            let mut lost = false;
            row.for_each_block(|block| lost |= block.iter().any(|x| x.is_finite() && (*x - max).is_infinite()));
            if lost {
                return Err(row.overflow());
            }
        }
        Ok((0.0, Slope::default()))
    }

    fn finish(&self, _: &Slope, row: &Summed<T>, block: Block<'_, T>) {
        simd::shift_down(block.data, row.sum.max, T::from_f64(row.log));
    }

    fn finish_from(&self, _: &Slope, row: &Summed<T>, logits: &[T], block: Block<'_, T>) {
        simd::shift_down_into(logits, row.sum.max, T::from_f64(row.log), block.data);
    }
}

/// Only such a maximum can push a finite logit out of the type.
fn is_huge<T: Real>(max: T) -> bool {
    max > T::max_value() * T::epsilon() / T::from_f64(4.0)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

    use super::*;
    use crate::logits::testing::{assert_close, other_layouts, sample, worked};

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let expected = [
            -1.937_228_058_613_902_6,
            -3.687_228_058_613_903,
            -0.437_228_058_613_902_56,
            -1.687_228_058_613_902_6,
            -4.919_199_658_242_904,
            -0.419_199_658_242_903_85,
            -1.919_199_658_242_903_8,
            -1.669_199_658_242_903_8,
        ];
        assert_close(&log_softmax(&worked()).unwrap(), &expected, 4e-16);
        assert_close(&log_softmax(&worked().mapv(|x| x as f32)).unwrap(), &expected, 2e-7);
    }

    #[test]
    fn the_log_prob_of_a_certain_class_keeps_its_digits() {
        let x = array![0.0_f32, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0];
        let log_probs = log_softmax(&x).unwrap();
        assert!((log_probs[0] / -9.357_623e-13 - 1.0).abs() < 1e-6);
        assert_eq!(log_probs[1], -30.0);
    }

    #[test]
    fn a_shift_of_the_row_changes_no_bit_and_neither_does_a_second_pass_much() {
        let x = sample::<f64>(3, 2100);
        let log_probs = log_softmax(&x).unwrap();
        assert_eq!(log_softmax(&(&x + 1000.0)).unwrap(), log_probs);
        assert_close(&log_softmax(&log_probs).unwrap(), &log_probs, 1e-14);
    }

    #[test]
    fn the_three_forms_and_all_layouts_agree_bit_by_bit() {
        let x = sample::<f32>(5, 4500);
        let expected = log_softmax(&x).unwrap();
        let mut in_place = x.clone();
        log_softmax_in_place(&mut in_place).unwrap();
        assert_eq!(in_place, expected);
        other_layouts(&x, |x| assert_eq!(log_softmax(x).unwrap(), expected));
        let mut out = Array2::zeros((5, 4500).f());
        log_softmax_into(&x, &mut out).unwrap();
        assert_eq!(out, expected);
        let mut columns = Array2::zeros((5, 4500).f());
        columns.assign(&x);
        log_softmax_in_place(&mut columns).unwrap();
        assert_eq!(columns, expected);
    }

    #[test]
    fn a_logit_of_minus_infinity_stays_and_a_single_class_is_certain() {
        let inf = f64::INFINITY;
        assert_eq!(log_softmax(&array![[-inf, 5.0, -inf]]).unwrap(), array![[-inf, 0.0, -inf]]);
        assert_eq!(log_softmax(&array![[5.0_f32], [-7.0]]).unwrap(), array![[0.0], [0.0]]);
    }

    #[test]
    fn a_finite_logit_beyond_the_reach_of_the_type_is_an_error() {
        let error = log_softmax(&array![[0.0_f32, 1.0], [f32::MAX, f32::MIN]]).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[1] overflows f32");
        assert!(log_softmax(&array![f32::MAX, f32::NEG_INFINITY]).is_ok());
        assert!(log_softmax(&array![f32::MIN, 0.0, 1.0]).is_ok());
    }

    #[test]
    fn a_wrong_buffer_is_refused_before_anything_is_written() {
        let mut out = array![9.0, 9.0, 9.0];
        let error = log_softmax_into(&array![0.0, 1.0], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "`out` has shape [3], expected [2]");
        assert_eq!(out, array![9.0, 9.0, 9.0]);
        let error = log_softmax_in_place(&mut array![[0.0, 1.0], [0.0, f64::NAN]]).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1, 1] is NaN, allowed is finite or -inf");
        assert!(log_softmax_in_place(&mut Array2::<f32>::zeros((3, 0))).is_err());
    }
}
