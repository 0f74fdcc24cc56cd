//! Entropy of the softmax.

use ndarray::{Array, ArrayD, ArrayRef, Dimension};

use super::kernel::{Block, OutputState, Row, RowKernel, Slope, Summed};
use super::logit_rows::{LogitArrays, LogitRows};
use super::transform::LogitTransform;
use crate::compiled::in_dimension;
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
    LogitTransform::default().entropy(logits)
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
    LogitTransform::default().entropy_grad(logits)
}

impl LogitTransform {
    /// [`entropy`] of the softmax of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`entropy`] and of the [transform](LogitTransform).
    pub fn entropy<E: Element, D: Dimension>(&self, logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
        Ok(in_dimension(E::entropy(*self, LogitArrays::read(logits))?))
    }

    /// [`entropy_grad`] of transformed logits, with the gradient in the logits before the transform.
    ///
    /// # Errors
    ///
    /// Those of [`entropy`] and of the [transform](LogitTransform).
    pub fn entropy_grad<E: Element, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
    ) -> Result<(Array<E::Real, D::Smaller>, Array<E::Real, D>)> {
        let mut grad = in_dimension(E::zeros_of(logits.shape()));
        let each = E::entropy(*self, LogitArrays::write(logits, &mut grad))?;
        Ok((in_dimension(each), grad))
    }
}

/// The entropy of each row, and the gradient where it has a place.
pub(super) fn entropies<E: Element>(
    transform: LogitTransform,
    mut logits: LogitArrays<'_, E>,
) -> Result<ArrayD<E::Real>> {
    LogitRows::new(&mut logits)?.transformed(transform)?.each(&Entropies)
}

/// The entropy of each row, and where there is an output its gradient.
struct Entropies;

impl<T: Real> RowKernel<T> for Entropies {
    fn output_state(&self) -> OutputState {
        OutputState::Logits
    }

    fn needs_moment(&self) -> bool {
        true
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        Ok((row.summed.sum.entropy(), Slope::default()))
    }

    fn finish(&self, _: &Slope, row: &Summed<T>, block: Block<'_, T>) {
        let (mean, scale) = (row.sum.moment / row.total(), -1.0 / row.total());
        simd::entropy_slope(block.data, row.sum.max, T::from_f64(mean), T::from_f64(scale));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array};

    use super::*;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let (h, grad) = entropy_grad(&worked()).unwrap();
        assert_close(&h, &[0.966_056_245_855_619_5, 0.907_655_797_744_551_1], 4e-16);
        let expected = [
            0.139_948_617_608_925_44,
            0.068_141_731_403_787_43,
            -0.341_530_003_341_361_62,
            0.133_439_654_328_648_76,
            0.029_304_227_549_513_066,
            -0.321_195_516_419_717_5,
            0.148_418_110_138_619_86,
            0.143_473_178_731_584_56,
        ];
        assert_close(&grad, &expected, 4e-16);
    }

    #[test]
    fn a_certain_class_leaves_the_entropy_its_digits() {
        let x = array![0.0_f32, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0, -30.0];
        let (h, grad) = entropy_grad(&x).unwrap();
        assert!((h[()] / 2.900_863_2e-11 - 1.0).abs() < 1e-6);
        assert!((grad[0] / -2.807_286_9e-11 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_and_sums_to_zero() {
        let x: Array2<f64> = sample(3, 7);
        let (h, grad) = entropy_grad(&x).unwrap();
        assert_eq!(h, entropy(&x).unwrap());
        assert_close(&grad, &differences(&x, |x| entropy(x).unwrap().sum()), 1e-10);
        assert_close(&grad.sum_axis(Axis(1)), &[0.0, 0.0, 0.0], 1e-15);
    }

    #[test]
    fn equal_logits_have_the_largest_entropy_and_no_slope() {
        for classes in [1, 3, 32, 5000] {
            let (h, grad) = entropy_grad(&Array2::<f64>::from_elem((1, classes), -7.5)).unwrap();
            assert_close(&h, &[(classes as f64).ln()], 1e-15);
            assert!(grad.iter().all(|g| *g == 0.0), "{classes} classes");
        }
    }

    #[test]
    fn a_class_of_no_mass_adds_nothing() {
        let inf = f64::INFINITY;
        let (h, grad) = entropy_grad(&array![[1.0, -inf, 2.0, 3.0], [-inf, 0.0, -inf, -inf]]).unwrap();
        assert_close(&h, &[0.832_395_581_839_938_9, 0.0], 4e-16);
        assert_eq!(grad[[0, 1]], 0.0);
        assert!(grad.row(1).iter().all(|g| *g == 0.0));
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let x = sample::<f32>(5, 4500);
        let expected = entropy_grad(&x).unwrap();
        other_layouts(&x, |x| {
            assert_eq!(entropy(x).unwrap(), expected.0);
            assert_eq!(entropy_grad(x).unwrap(), expected);
        });
    }

    #[test]
    fn an_improper_row_is_an_error() {
        let error = entropy(&array![[0.0, 1.0], [0.0, f64::NAN]]).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1, 1] is NaN, allowed is finite or -inf");
    }
}
