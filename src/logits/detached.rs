//! The rows of a likelihood with a factor that depends on the target's probability and counts as a constant.

use std::fmt::Debug;

use ndarray::{Array, Dimension, IxDyn};

use super::kernel::{self, Block, Requested, Row, RowKernel, RowRequest, Slope, Summed};
use super::labels::Labels;
use super::logit_rows::{LogitArrays, LogitRows, by_row};
use super::scales::Scales;
use crate::compiled::in_dimension;
use crate::reduction::AnyReduction;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::target::Indices;
use crate::{Element, Real, Result};

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
pub(super) trait Factor: Debug + Sync {
    /// Checks the hyper-parameters.
    fn check(&self) -> Result<()>;

    /// The factor of a target of this probability; 0 and 1 are probabilities like others.
    fn of(&self, prob: f64) -> f64;
}

/// The arguments of a likelihood with a detached factor.
#[derive(Clone, Copy, Debug)]
pub struct Detached<'a> {
    pub(super) factor: &'a dyn Factor,
    pub(super) ignore_index: Option<i64>,
}

/// The value, and the gradient where it has a place.
pub(super) fn reduced<E: Element>(
    loss: Detached<'_>,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
    reduction: AnyReduction<'_, E::Real>,
) -> Result<E::Real> {
    loss.factor.check()?;
    let rows = LogitRows::new(&mut logits)?;
    let (leading, classes) = (rows.leading().to_vec(), rows.classes());
    let scales = Scales::new(&reduction, &leading)?;
    let labels = Labels::erased(targets, &leading, classes, loss.ignore_index, &|row| scales.skips(row))?;
    let scales = scales.over(&reduction, || labels.kept() as f64)?;
    let kernel = WeighedRows { factor: loss.factor, labels: &labels, scales: &scales };
    let totals = rows.totals(&kernel, &|row, losses| scales.total(row, losses))?;
    scales.reduce(&totals, &leading)
}

/// The loss of each row, and how many rows are counted.
pub(super) fn losses<E: Element>(
    loss: Detached<'_>,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
) -> Result<(Vec<f64>, f64)> {
    loss.factor.check()?;
    let rows = LogitRows::new(&mut logits)?;
    let labels = Labels::erased(targets, rows.leading(), rows.classes(), loss.ignore_index, &|_| false)?;
    let kernel = WeighedRows { factor: loss.factor, labels: &labels, scales: &Scales::<E::Real>::ones() };
    Ok((rows.losses(&kernel)?, labels.kept() as f64))
}

/// The loss of each row, the likelihood and the factor that it is made of.
pub(super) fn terms<E: Element>(
    loss: Detached<'_>,
    mut logits: LogitArrays<'_, E>,
    targets: Indices<'_>,
) -> Result<WeightedNll<E::Real, IxDyn>> {
    loss.factor.check()?;
    let rows = LogitRows::new(&mut logits)?;
    let leading = rows.leading().to_vec();
    let labels = Labels::erased(targets, &leading, rows.classes(), loss.ignore_index, &|_| false)?;
    let nll = rows.losses(&WeighedRows { factor: &One, labels: &labels, scales: &Scales::<E::Real>::ones() })?;
    let kept = |row: usize| labels.get(row).is_some();
    let weight = |(row, nll): (usize, &f64)| if kept(row) { loss.factor.of((-nll).exp()) } else { 0.0 };
    let weights: Vec<f64> = nll.iter().enumerate().map(weight).collect();
    let losses: Vec<f64> = nll.iter().zip(&weights).map(|(&nll, &weight)| product(weight, nll)).collect();
    let by_row = |values: &[f64]| by_row(values, &leading);
    Ok(WeightedNll { loss: by_row(&losses), nll: by_row(&nll), weight: by_row(&weights) })
}

impl<T> WeightedNll<T, IxDyn> {
    /// The same in the caller's dimension.
    pub(super) fn in_dimension<D: Dimension>(self) -> WeightedNll<T, D> {
        let Self { loss, nll, weight } = self;
        WeightedNll { loss: in_dimension(loss), nll: in_dimension(nll), weight: in_dimension(weight) }
    }
}

/// No factor.
#[derive(Debug)]
struct One;

impl Factor for One {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn of(&self, _: f64) -> f64 {
        1.0
    }
}

/// `w M`, whose limit is 0 where `w` is: there M grows as a logarithm only.
fn product(weight: f64, nll: f64) -> f64 {
    if weight == 0.0 { 0.0 } else { weight * nll }
}

/// The rows of such a likelihood.
struct WeighedRows<'a, T> {
    factor: &'a dyn Factor,
    labels: &'a Labels<'a>,
    scales: &'a Scales<T>,
}

impl<T: Real> RowKernel<T> for WeighedRows<'_, T> {
    fn request(&self, row: usize) -> RowRequest {
        match self.labels.get(row) {
            Some(target) if !self.scales.skips(row) => RowRequest::Class(target),
            _ => RowRequest::Nothing,
        }
    }

    fn losses(&self, _: usize, sums: &RowTile<'_, T>, logits: &[T; ROW_TILE], losses: &mut [f64; ROW_TILE]) -> bool {
        let are_known = kernel::nll(sums, logits, losses);
        losses.iter_mut().for_each(|nll| *nll = product(self.factor.of((-*nll).exp()), *nll));
        are_known
    }

    fn finish_tile(
        &self,
        first: usize,
        tile: &mut RowTile<'_, T>,
        requested: &Requested<T>,
        losses: &mut [f64; ROW_TILE],
    ) -> bool {
        if !kernel::nll(tile, &requested.logits, losses) {
            return false;
        }
        let weights = losses.map(|nll| self.factor.of((-nll).exp()));
        kernel::subtract_targets(tile, requested, |r| self.scales.at(first + r) * weights[r]);
        losses.iter_mut().zip(weights).for_each(|(nll, weight)| *nll = product(weight, *nll));
        true
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        let summed = &row.summed;
        let nll = summed.nll();
        let weight = self.factor.of((-nll).exp());
        row.to_real(nll, || summed.logit == T::neg_infinity())?;
        let target = self.labels.get(summed.index).unwrap_or_default();
        let scale = self.scales.at(summed.index) * weight;
        Ok((product(weight, nll), Slope { class: target, scale, ..Slope::default() }))
    }

    /// `w (p - [v = y])`.
    fn finish(&self, slope: &Slope, row: &Summed<T>, mut block: Block<'_, T>) {
        simd::scale(block.data, T::from_f64(slope.scale * block.factor / row.total()));
        let entry = T::from_f64(-slope.scale * row.sum.complement(row.logit));
        block.entry(slope.class).into_iter().for_each(|to| *to = entry);
    }
}
/// Makes a struct with an `ignore_index`, which is a [`Factor`], one of the token objectives, with its detached factor.
macro_rules! detached_objective {
    ($objective:ident) => {
        impl $objective {
            /// The loss of each row, the likelihood, and the factor that the gradient takes for a constant.
            ///
            /// # Errors
            ///
            #[doc = concat!("See [`", stringify!($objective), "`].")]
            pub fn terms<E: $crate::Element, I: $crate::Target, D: ndarray::Dimension>(
                &self,
                logits: &ndarray::ArrayRef<E, D>,
                targets: &ndarray::ArrayRef<I, D::Smaller>,
            ) -> $crate::Result<$crate::logits::WeightedNll<E::Real, D::Smaller>> {
                let targets = I::erase(targets.view().into_dyn());
                Ok(E::detached_terms(self.detached(), $crate::logits::logit_rows::LogitArrays::read(logits), targets)?
                    .in_dimension())
            }

            fn detached(&self) -> $crate::logits::detached::Detached<'_> {
                $crate::logits::detached::Detached { factor: self, ignore_index: self.ignore_index }
            }
        }

        impl $crate::logits::TokenObjective for $objective {
            type Targets = $crate::logits::token_objective::ClassIndices;

            fn reduced<E: $crate::Element>(
                &self,
                logits: $crate::logits::logit_rows::LogitArrays<'_, E>,
                targets: $crate::target::Indices<'_>,
                reduction: $crate::reduction::AnyReduction<'_, E::Real>,
            ) -> $crate::Result<E::Real> {
                E::detached(self.detached(), logits, targets, reduction)
            }

            fn losses<E: $crate::Element>(
                &self,
                logits: $crate::logits::logit_rows::LogitArrays<'_, E>,
                targets: $crate::target::Indices<'_>,
            ) -> $crate::Result<(Vec<f64>, f64)> {
                E::detached_losses(self.detached(), logits, targets)
            }
        }
    };
}
pub(super) use detached_objective;
