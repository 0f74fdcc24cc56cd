//! The rows of a likelihood with a factor that depends on the target's probability and counts as a constant.

use ndarray::{Array, ArrayRef, Dimension};
use num_traits::Float;

use super::kernel::{self, Ask, Asked, Block, Row, RowKernel, Summed};
use super::labels::Labels;
use super::scales::{self, Scales};
use super::walk::{Walk, by_row};
use crate::simd::{self, ROW_TILE, RowTile};
use crate::{Element, Real, Reduction, Result, SumCount, Target};

/// What a likelihood with a detached factor is made of, one number for each row; 0 where a row is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedNll<T, D: Dimension> {
    /// `w M`.
    pub loss: Array<T, D>,
    /// `M = -ln q_y`.
    pub nll: Array<T, D>,
    /// The detached factor `w`.
    pub weight: Array<T, D>,
}

/// A factor in `[0, 1]`.
pub(super) trait Factor: Copy + Sync {
    /// The factor of a target of this probability; 0 and 1 are probabilities like others.
    fn of(&self, prob: f64) -> f64;
}

/// The methods of an objective that is a [`Factor`] and has an `ignore_index` and a `check`.
macro_rules! verbs {
    ($objective:ident) => {
        impl $objective {
            /// The reduced loss.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`].")]
            pub fn value<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
                reduction: Reduction<'_, E::Real, D::Smaller>,
            ) -> Result<E::Real> {
                self.check()?;
                $crate::logits::detached::reduced(*self, self.ignore_index, Walk::over(logits)?, targets, reduction)
            }

            /// The loss of each row, 0 where it is ignored.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`].")]
            pub fn each<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
            ) -> Result<Array<E::Real, D::Smaller>> {
                self.check()?;
                $crate::logits::detached::each(*self, self.ignore_index, logits, targets)
            }

            /// The loss of each row, the likelihood, and the factor that the gradient takes for a constant.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`].")]
            pub fn terms<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
            ) -> Result<WeightedNll<E::Real, D::Smaller>> {
                self.check()?;
                $crate::logits::detached::terms(*self, self.ignore_index, logits, targets)
            }

            /// Sum of the losses and number of the targets that are not ignored, by which micro-batches combine.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`]; an empty or fully ignored batch is `(0, 0)`.")]
            pub fn sum_count<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
            ) -> Result<SumCount> {
                self.check()?;
                $crate::logits::detached::sum_count(*self, self.ignore_index, logits, targets)
            }

            /// The reduced loss and its gradient in the logits.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`].")]
            pub fn grad<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
                reduction: Reduction<'_, E::Real, D::Smaller>,
            ) -> Result<(E::Real, Array<E::Real, D>)> {
                let mut out = zeros(logits.shape());
                let value = self.grad_into(logits, targets, reduction, &mut out)?;
                Ok((value, out))
            }

            /// The reduced loss; its gradient goes to a buffer of the shape of the logits.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`]. Where a logit is at fault, the buffer is left unspecified.")]
            pub fn grad_into<E: Element, I: Target, D: Dimension>(
                &self,
                logits: &ArrayRef<E, D>,
                targets: &ArrayRef<I, D::Smaller>,
                reduction: Reduction<'_, E::Real, D::Smaller>,
                out: &mut ArrayRef<E::Real, D>,
            ) -> Result<E::Real> {
                self.check()?;
                $crate::logits::detached::reduced(*self, self.ignore_index, Walk::over(logits)?.into(out)?, targets, reduction)
            }

            /// The reduced loss; its gradient takes the place of the logits.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`]. Where a logit is at fault, the logits are left unspecified.")]
            pub fn grad_in_place<T: Real, I: Target, D: Dimension>(
                &self,
                logits: &mut ArrayRef<T, D>,
                targets: &ArrayRef<I, D::Smaller>,
                reduction: Reduction<'_, T, D::Smaller>,
            ) -> Result<T> {
                self.check()?;
                $crate::logits::detached::reduced(*self, self.ignore_index, Walk::<T>::in_place(logits)?, targets, reduction)
            }
        }
    };
}
pub(super) use verbs;

/// The value, and the gradient where the walk has somewhere to write it.
pub(super) fn reduced<E: Element, I: Target, D: Dimension>(
    factor: impl Factor,
    ignore_index: Option<i64>,
    walk: Walk<'_, E>,
    targets: &ArrayRef<I, D>,
    reduction: Reduction<'_, E::Real, D>,
) -> Result<E::Real> {
    let (leading, classes) = (walk.leading().to_vec(), walk.classes());
    let scales = Scales::new(reduction, &leading)?;
    let labels = Labels::new(targets, &leading, classes, ignore_index, |row| scales.skips(row))?;
    let scales = scales.over(reduction, || labels.kept() as f64)?;
    let kernel = Detached { factor, labels: &labels, scales: &scales };
    let totals = walk.fold(&kernel, |row, losses| scales.total(row, losses))?;
    scales.reduce(&totals, &leading)
}

/// The loss of each row, and whether it takes part.
fn losses<E: Element, I: Target, D: Dimension>(
    factor: impl Factor,
    ignore_index: Option<i64>,
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<(Vec<f64>, f64)> {
    let walk = Walk::over(logits)?;
    let labels = Labels::new(targets, walk.leading(), walk.classes(), ignore_index, |_| false)?;
    let losses = walk.run(&Detached { factor, labels: &labels, scales: &Scales::<E::Real>::ones() })?;
    Ok((losses, labels.kept() as f64))
}

/// The loss of each row.
pub(super) fn each<E: Element, I: Target, D: Dimension>(
    factor: impl Factor,
    ignore_index: Option<i64>,
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<Array<E::Real, D::Smaller>> {
    Ok(by_row(&losses(factor, ignore_index, logits, targets)?.0, targets.shape()))
}

/// Sum of the losses and number of the rows that take part.
pub(super) fn sum_count<E: Element, I: Target, D: Dimension>(
    factor: impl Factor,
    ignore_index: Option<i64>,
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<SumCount> {
    let (losses, count) = losses(factor, ignore_index, logits, targets)?;
    scales::sum_count(&losses, count, targets.shape())
}

/// The loss of each row, the likelihood and the factor that it is made of.
pub(super) fn terms<E: Element, I: Target, D: Dimension>(
    factor: impl Factor,
    ignore_index: Option<i64>,
    logits: &ArrayRef<E, D>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<WeightedNll<E::Real, D::Smaller>> {
    let walk = Walk::over(logits)?;
    let labels = Labels::new(targets, walk.leading(), walk.classes(), ignore_index, |_| false)?;
    let nll = walk.run(&Detached { factor: One, labels: &labels, scales: &Scales::<E::Real>::ones() })?;
    let kept = |row: usize| labels.get(row).is_some();
    let weight = |(row, nll): (usize, &f64)| if kept(row) { factor.of((-nll).exp()) } else { 0.0 };
    let weights: Vec<f64> = nll.iter().enumerate().map(weight).collect();
    let losses: Vec<f64> = nll.iter().zip(&weights).map(|(&nll, &weight)| product(weight, nll)).collect();
    let by_row = |values: &[f64]| by_row(values, targets.shape());
    Ok(WeightedNll { loss: by_row(&losses), nll: by_row(&nll), weight: by_row(&weights) })
}

/// No factor.
#[derive(Clone, Copy)]
struct One;

impl Factor for One {
    fn of(&self, _: f64) -> f64 {
        1.0
    }
}

/// `w M`, whose limit is 0 where `w` is: there M grows as a logarithm only.
fn product(weight: f64, nll: f64) -> f64 {
    if weight == 0.0 { 0.0 } else { weight * nll }
}

struct Detached<'a, F, I: Target, T> {
    factor: F,
    labels: &'a Labels<'a, I>,
    scales: &'a Scales<T>,
}

impl<F: Factor, E: Element, I: Target> RowKernel<E> for Detached<'_, F, I, E::Real> {
    /// Class of the target, and what its gradient is multiplied by.
    type Slope = (usize, f64);

    fn asks(&self, row: usize) -> Ask {
        match self.labels.get(row) {
            Some(target) if !self.scales.skips(row) => Ask::Class(target),
            _ => Ask::Nothing,
        }
    }

    fn numbers(
        &self,
        _: usize,
        sums: &RowTile<'_, E::Real>,
        logits: &[E::Real; ROW_TILE],
        numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        let are_known = kernel::nll(sums, logits, numbers);
        numbers.iter_mut().for_each(|nll| *nll = product(self.factor.of((-*nll).exp()), *nll));
        are_known
    }

    fn finish_tile(
        &self,
        first: usize,
        tile: &mut RowTile<'_, E::Real>,
        asked: &Asked<E::Real>,
        numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        if !kernel::nll(tile, &asked.logits, numbers) {
            return false;
        }
        let weights = numbers.map(|nll| self.factor.of((-nll).exp()));
        kernel::subtract_targets(tile, asked, |r| self.scales.at(first + r) * weights[r]);
        numbers.iter_mut().zip(weights).for_each(|(nll, weight)| *nll = product(weight, *nll));
        true
    }

    fn value(&self, row: &Row<'_, E>) -> Result<(f64, (usize, f64))> {
        let summed = &row.summed;
        let nll = summed.nll();
        let weight = self.factor.of((-nll).exp());
        row.to_real(nll, || summed.logit == E::Real::neg_infinity())?;
        let target = self.labels.get(summed.index).unwrap_or_default();
        Ok((product(weight, nll), (target, self.scales.at(summed.index) * weight)))
    }

    /// `w (p - [v = y])`.
    fn finish(&self, &(target, scale): &(usize, f64), row: &Summed<E::Real>, mut block: Block<'_, E::Real>) {
        simd::scale(block.data, E::Real::from_f64(scale * block.factor / row.total()));
        let entry = E::Real::from_f64(-scale * row.sum.complement(row.logit));
        block.entry(target).into_iter().for_each(|to| *to = entry);
    }
}
