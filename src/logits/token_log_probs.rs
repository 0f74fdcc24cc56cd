//! Log-probability of one class in each row, and its way back to the logits.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use super::cotangent;
use super::kernel::{self, Block, Requested, Row, RowKernel, RowRequest, Slope, Summed};
use super::labels::Labels;
use super::logit_rows::{LogitArrays, LogitRows};
use super::transform::LogitTransform;
use crate::compiled::in_dimension;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::target::Indices;
use crate::{Element, Real, Result, Target, check};

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
    LogitTransform::default().token_log_probs(logits, targets)
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
    LogitTransform::default().token_log_probs_masked(logits, targets, mask)
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
    LogitTransform::default().token_log_probs_backward(logits, targets, cotangent)
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
    LogitTransform::default().token_log_probs_backward_into(logits, targets, cotangent, out)
}

impl LogitTransform {
    /// [`token_log_probs`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`token_log_probs`] and of the [transform](LogitTransform).
    pub fn token_log_probs<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let targets = I::erase(targets.view().into_dyn());
        Ok(in_dimension(E::token_log_probs(*self, LogitArrays::read(logits), targets, None)?))
    }

    /// [`token_log_probs_masked`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`token_log_probs_masked`] and of the [transform](LogitTransform).
    pub fn token_log_probs_masked<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        mask: &ArrayRef<bool, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let (targets, mask) = (I::erase(targets.view().into_dyn()), mask.view().into_dyn());
        Ok(in_dimension(E::token_log_probs(*self, LogitArrays::read(logits), targets, Some(mask))?))
    }

    /// [`token_log_probs_backward`] of transformed logits, to the logits before the transform.
    ///
    /// # Errors
    ///
    /// Those of [`token_log_probs_backward`] and of the [transform](LogitTransform).
    pub fn token_log_probs_backward<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
    ) -> Result<Array<E::Real, D>> {
        let mut out = in_dimension(E::zeros_of(logits.shape()));
        self.token_log_probs_backward_into(logits, targets, cotangent, &mut out)?;
        Ok(out)
    }

    /// [`LogitTransform::token_log_probs_backward`] into a buffer of the shape of the logits.
    ///
    /// # Errors
    ///
    /// Those of [`token_log_probs_backward_into`] and of the [transform](LogitTransform).
    pub fn token_log_probs_backward_into<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
        out: &mut ArrayRef<E::Real, D>,
    ) -> Result<()> {
        let (targets, cotangent) = (I::erase(targets.view().into_dyn()), cotangent.view().into_dyn());
        E::token_log_probs_backward(*self, LogitArrays::write(logits, out), targets, cotangent)
    }
}

/// The log-probability of each target that the mask keeps.
pub(super) fn forward<E: Element>(
    transform: LogitTransform,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
    mask: Option<ArrayViewD<'_, bool>>,
) -> Result<ArrayD<E::Real>> {
    let rows = LogitRows::new(&mut logits)?.transformed(transform)?;
    if let Some(mask) = &mask {
        check::shape("mask", mask.shape(), rows.leading())?;
    }
    let weights: Option<Vec<f64>> = mask.map(|mask| mask.iter().map(|&kept| f64::from(u8::from(kept))).collect());
    let is_skipped = |row: usize| weights.as_ref().is_some_and(|weights| weights[row] == 0.0);
    let labels = Labels::erased(targets, rows.leading(), rows.classes(), None, &is_skipped)?;
    rows.each(&LogProbs { labels, weights: weights.as_deref() })
}

/// Writes the gradient of the log-probabilities, each multiplied by its cotangent.
pub(super) fn backward<E: Element>(
    transform: LogitTransform,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
    cotangent: ArrayViewD<'_, E::Real>,
) -> Result<()> {
    let rows = LogitRows::new(&mut logits)?.transformed(transform)?;
    let cotangent = cotangent::checked(&cotangent, rows.leading())?;
    let labels = Labels::erased(targets, rows.leading(), rows.classes(), None, &|row| cotangent[row] == 0.0)?;
    rows.write(&LogProbs { labels, weights: Some(&cotangent) })
}

/// Log-probability of each row's target, and where there is an output the gradient of their weighted sum. A row of weight 0
/// is not counted.
struct LogProbs<'a> {
    labels: Labels<'a>,
    /// All are 1 without.
    weights: Option<&'a [f64]>,
}

impl LogProbs<'_> {
    #[inline]
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

impl<T: Real> RowKernel<T> for LogProbs<'_> {
    fn request(&self, row: usize) -> RowRequest {
        match self.labels.get(row) {
            Some(target) if self.weight(row) != 0.0 => RowRequest::Class(target),
            _ => RowRequest::Nothing,
        }
    }

    fn losses(&self, _: usize, sums: &RowTile<'_, T>, logits: &[T; ROW_TILE], losses: &mut [f64; ROW_TILE]) -> bool {
        let are_numbers = kernel::nll(sums, logits, losses);
        losses.iter_mut().for_each(|loss| *loss = 0.0 - *loss);
        are_numbers
    }

    fn finish_tile(
        &self,
        first: usize,
        tile: &mut RowTile<'_, T>,
        requested: &Requested<T>,
        losses: &mut [f64; ROW_TILE],
    ) -> bool {
        let are_known = RowKernel::<T>::losses(self, first, tile, &requested.logits, losses);
        if are_known {
            kernel::subtract_targets(tile, requested, |r| -self.weight(first + r));
        }
        are_known
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        let log_prob = 0.0 - row.summed.nll(); // never -0
        if !row.has_output {
            row.to_real(log_prob, || row.summed.logit == T::neg_infinity())?;
        }
        Ok((log_prob, Slope { scale: self.weight(row.summed.index), ..Slope::default() }))
    }

    fn finish(&self, slope: &Slope, row: &Summed<T>, mut block: Block<'_, T>) {
        simd::scale(block.data, T::from_f64(-slope.scale * block.factor / row.total()));
        let target = self.labels.get(row.index).and_then(|target| block.entry(target));
        target.into_iter().for_each(|entry| *entry = T::from_f64(slope.scale * row.sum.complement(row.logit)));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, arr0, array};

    use super::*;
    use crate::logits::log_softmax;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};

    const INF: f64 = f64::INFINITY;

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let log_probs = token_log_probs(&worked(), &array![1_u32, 0]).unwrap();
        assert_close(&log_probs, &[-3.687_228_058_613_903, -4.919_199_658_242_904], 4e-16);
    }

    #[test]
    fn a_certain_target_keeps_its_digits_in_value_and_gradient() {
        let mut x = array![[0.0_f32, -30., -30., -30., -30., -30., -30., -30., -30., -30., -30.]];
        for _ in 0..2 {
            let log_prob = token_log_probs(&x, &array![0]).unwrap();
            assert!((log_prob[0] / -9.357_623e-13 - 1.0).abs() < 1e-6);
            let grad = token_log_probs_backward(&x, &array![0], &array![1.0]).unwrap();
            assert!((grad[[0, 0]] / 9.357_623e-13 - 1.0).abs() < 1e-6);
            x += 1000.0;
        }
    }

    #[test]
    fn it_is_the_entry_of_the_log_softmax() {
        let x = sample::<f64>(6, 3000);
        let targets = array![0_usize, 2999, 2048, 2047, 17, 1];
        let log_probs = token_log_probs(&x, &targets).unwrap();
        let all = log_softmax(&x).unwrap();
        assert_close(&log_probs, &Array1::from_shape_fn(6, |i| all[[i, targets[i]]]), 1e-15);
    }

    #[test]
    fn the_backward_is_the_difference_quotient_and_sums_to_zero() {
        let (x, targets, c) = (sample::<f64>(3, 7), array![2_i64, 0, 6], array![1.5, -0.25, 2.0]);
        let grad = token_log_probs_backward(&x, &targets, &c).unwrap();
        assert_close(&grad, &differences(&x, |x| (token_log_probs(x, &targets).unwrap() * &c).sum()), 1e-10);
        assert_close(&grad.sum_axis(Axis(1)), &[0.0; 3], 1e-15);
    }

    #[test]
    fn what_is_masked_is_never_looked_at() {
        let x = array![[0.0, 1.0], [f64::NAN, INF], [-INF, -INF]];
        let log_probs = token_log_probs_masked(&x, &array![1, 7, -1], &array![true, false, false]).unwrap();
        assert_close(&log_probs, &[-0.313_261_687_518_222_8, 0.0, 0.0], 1e-16);
        let grad = token_log_probs_backward(&x, &array![1, 7, -1], &array![1.0, 0.0, -0.0]).unwrap();
        assert_close(&grad, &[-0.268_941_421_369_995_1, 0.268_941_421_369_995_1, 0.0, 0.0, 0.0, 0.0], 1e-16);
    }

    #[test]
    fn a_target_of_no_mass_is_minus_infinity_with_a_finite_gradient() {
        let x = array![[0.0, -INF, 0.0]];
        assert_eq!(token_log_probs(&x, &array![1]).unwrap(), array![-INF]);
        assert_eq!(token_log_probs_backward(&x, &array![1], &array![2.0]).unwrap(), array![[-1.0, 2.0, -1.0]]);
    }

    #[test]
    fn one_class_is_certain_and_any_leading_shape_is_right() {
        assert_eq!(token_log_probs(&array![[3.0_f32], [5.0]], &array![0, 0]).unwrap(), array![0.0, 0.0]);
        assert_eq!(token_log_probs(&array![0.0, 0.0], &arr0(1)).unwrap()[()], -std::f64::consts::LN_2);
        let x = sample::<f64>(6, 5);
        let flat = token_log_probs(&x, &array![0, 1, 2, 3, 4, 0]).unwrap();
        let deep: ArrayD<f64> = x.into_shape_with_order(IxDyn(&[3, 2, 5])).unwrap();
        let targets = array![[0, 1], [2, 3], [4, 0]].into_dyn();
        let log_probs = token_log_probs(&deep, &targets).unwrap();
        assert_eq!(log_probs.shape(), &[3, 2]);
        assert!(log_probs.iter().eq(&flat));
        assert_eq!(token_log_probs(&Array2::<f32>::zeros((0, 3)), &Array1::<i64>::zeros(0)).unwrap().len(), 0);
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let (x, targets, c) = (sample::<f32>(3, 4500), array![4499, 0, 2048], array![1.0, -2.0, 0.5]);
        let value = token_log_probs(&x, &targets).unwrap();
        let grad = token_log_probs_backward(&x, &targets, &c).unwrap();
        let reversed = array![2048, 0, 4499];
        other_layouts(&x, |x| {
            assert_eq!(token_log_probs(x, &reversed.slice(ndarray::s![..;-1])).unwrap(), value);
            assert_eq!(token_log_probs_backward(x, &targets, &c).unwrap(), grad);
        });
    }

    #[test]
    fn errors_say_what_came_and_what_is_allowed() {
        let x = sample::<f32>(2, 3);
        let message = |targets: Array1<i64>| token_log_probs(&x, &targets).unwrap_err().to_string();
        assert_eq!(message(array![0, 3]), "`targets`[1] is 3, allowed are the classes 0 to 2");
        assert_eq!(message(array![-100, 0]), "`targets`[0] is -100, allowed are the classes 0 to 2");
        assert_eq!(message(array![0]), "`targets` has shape [1], expected [2]");
        let (targets, mut out) = (array![0, 1], Array2::from_elem((2, 3), 9.0));
        let error = token_log_probs_backward_into(&x, &targets, &array![1.0, f32::NAN], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "`cotangent`[1] is NaN, allowed is finite");
        let error = token_log_probs_backward_into(&x, &array![0, 9], &array![1.0, 1.0], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "`targets`[1] is 9, allowed are the classes 0 to 2");
        assert!(out.iter().all(|g| *g == 9.0));
        let error = token_log_probs_masked(&x, &targets, &array![true]).unwrap_err();
        assert_eq!(error.to_string(), "`mask` has shape [1], expected [2]");
        let error = token_log_probs(&array![[f32::MAX, f32::MIN]], &array![1]).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    }
}
