//! What all losses of rows of logits against targets can be asked: [`TokenObjective`].

use ndarray::{Array, ArrayRef, ArrayViewD, Dimension};

use super::logit_rows::LogitArrays;
use super::scales;
use crate::compiled::in_dimension;
use crate::reduction::AnyReduction;
use crate::target::Indices;
use crate::{Element, Real, Reduction, Result, SumCount, Target};

/// A loss of each row of logits `[.., V]` against its target. Implemented by [`CrossEntropy`](super::CrossEntropy),
/// [`SoftCrossEntropy`](super::SoftCrossEntropy), [`TaiLr`](super::TaiLr) and [`MixCe`](super::MixCe), whose documentation
/// says what the loss is. Sealed.
///
/// Targets are an array of the shape without the last axis whose elements are [`Target`]s, or, with
/// [`ClassProbabilities`], one of the shape of the logits whose elements are of the type that is computed in. Weights of
/// a [`Reduction`] and losses have the shape without the last axis.
///
/// # Errors
///
/// Each method has those of the objective; where the error is a logit's, buffers are left unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, Array1, Array2}};
/// # use loglik::Result;
/// # use loglik::logits::{ClassIndices, MixCe};
/// fn train<L: TokenObjective<Targets = ClassIndices>>(loss: &L, x: &mut Array2<f32>, y: &Array1<u32>) -> Result<f32> {
///     let (value, gradient) = loss.grad(x, y, Reduction::Mean)?;
///     x.scaled_add(-0.5, &gradient);
///     Ok(value)
/// }
///
/// let mut logits = array![[0.0_f32, 0.0, 0.0]];
/// let before = train(&CrossEntropy::default(), &mut logits, &array![2])?;
/// let after = train(&MixCe { eta: 1.0, ignore_index: None }, &mut logits, &array![2])?;
/// assert!(after < before);
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait TokenObjective {
    /// What a target is: [`ClassIndices`] or [`ClassProbabilities`].
    type Targets: TargetKind;

    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn value<E: Element, Y, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<E::Real>
    where
        Self::Targets: Accepts<Y, E>,
    {
        self.reduced(
            LogitArrays::read(logits),
            <Self::Targets as Accepts<Y, E>>::erase(targets.view().into_dyn()),
            reduction.into_any(),
        )
    }

    /// The loss of each row, 0 where its target is ignored.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn each<E: Element, Y, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
    ) -> Result<Array<E::Real, D::Smaller>>
    where
        Self::Targets: Accepts<Y, E>,
    {
        let (losses, _) =
            self.losses(LogitArrays::read(logits), <Self::Targets as Accepts<Y, E>>::erase(targets.view().into_dyn()))?;
        Ok(in_dimension(E::by_row(&losses, leading(logits))))
    }

    /// The sum of the losses and what a mean would divide it by, through which micro-batches combine: an empty or fully
    /// ignored batch is `(0, 0)`.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn sum_count<E: Element, Y, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
    ) -> Result<SumCount>
    where
        Self::Targets: Accepts<Y, E>,
    {
        let (losses, count) =
            self.losses(LogitArrays::read(logits), <Self::Targets as Accepts<Y, E>>::erase(targets.view().into_dyn()))?;
        scales::sum_count(&losses, count, leading(logits))
    }

    /// The reduced loss and its gradient in the logits.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn grad<E: Element, Y, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<(E::Real, Array<E::Real, D>)>
    where
        Self::Targets: Accepts<Y, E>,
    {
        let mut out = in_dimension(E::zeros_of(logits.shape()));
        let value = self.grad_into(logits, targets, reduction, &mut out)?;
        Ok((value, out))
    }

    /// The reduced loss; its gradient goes to a buffer of the shape of the logits.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn grad_into<E: Element, Y, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: &mut ArrayRef<E::Real, D>,
    ) -> Result<E::Real>
    where
        Self::Targets: Accepts<Y, E>,
    {
        let arrays = LogitArrays::write(logits, out);
        self.reduced(arrays, <Self::Targets as Accepts<Y, E>>::erase(targets.view().into_dyn()), reduction.into_any())
    }

    /// The reduced loss; its gradient takes the place of the logits, which needs no memory at all.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    fn grad_in_place<T: Real, Y, D: Dimension>(
        &self,
        logits: &mut ArrayRef<T, D>,
        targets: &ArrayRef<Y, TargetAxes<Self, D>>,
        reduction: Reduction<'_, T, D::Smaller>,
    ) -> Result<T>
    where
        Self::Targets: Accepts<Y, T>,
    {
        let arrays = LogitArrays::<T>::replace(logits);
        self.reduced(arrays, <Self::Targets as Accepts<Y, T>>::erase(targets.view().into_dyn()), reduction.into_any())
    }

    /// The reduced loss, and the gradient where it has a place.
    #[doc(hidden)]
    fn reduced<E: Element>(
        &self,
        logits: LogitArrays<'_, E>,
        targets: <Self::Targets as TargetKind>::Erased<'_, E>,
        reduction: AnyReduction<'_, E::Real>,
    ) -> Result<E::Real>;

    /// The loss of each row, and what a mean divides their sum by.
    #[doc(hidden)]
    fn losses<E: Element>(
        &self,
        logits: LogitArrays<'_, E>,
        targets: <Self::Targets as TargetKind>::Erased<'_, E>,
    ) -> Result<(Vec<f64>, f64)>;
}

/// The axes of the targets of an objective beside logits of dimension `D`.
pub type TargetAxes<O, D> = <<O as TokenObjective>::Targets as TargetKind>::Axes<D>;

/// What a target of a [`TokenObjective`] is. Sealed.
pub trait TargetKind: sealed::Sealed {
    /// The dimension of an array of targets beside logits of dimension `D`.
    type Axes<D: Dimension>: Dimension;

    /// Targets without the type of their elements and the number of their axes.
    #[doc(hidden)]
    type Erased<'a, E: Element>;
}

/// That targets of this kind may be elements `Y`, beside logits that are stored as `E`. Sealed.
pub trait Accepts<Y, E: Element>: TargetKind {
    /// The same targets without the type of their elements and the number of their axes.
    #[doc(hidden)]
    fn erase(targets: ArrayViewD<'_, Y>) -> Self::Erased<'_, E>;
}

/// Each target is the index of a class, of any type that is a [`Target`].
#[derive(Clone, Copy, Debug)]
pub enum ClassIndices {}

impl TargetKind for ClassIndices {
    type Axes<D: Dimension> = D::Smaller;
    type Erased<'a, E: Element> = Indices<'a>;
}

impl<I: Target, E: Element> Accepts<I, E> for ClassIndices {
    fn erase(targets: ArrayViewD<'_, I>) -> Indices<'_> {
        I::erase(targets)
    }
}

/// Each target is a probability for each class, in the type that is computed in.
#[derive(Clone, Copy, Debug)]
pub enum ClassProbabilities {}

impl TargetKind for ClassProbabilities {
    type Axes<D: Dimension> = D;
    type Erased<'a, E: Element> = ArrayViewD<'a, E::Real>;
}

impl<E: Element> Accepts<E::Real, E> for ClassProbabilities {
    fn erase(targets: ArrayViewD<'_, E::Real>) -> ArrayViewD<'_, E::Real> {
        targets
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ClassIndices {}
    impl Sealed for super::ClassProbabilities {}
}

/// The shape of logits without their last axis; empty where there is none, which is an error elsewhere.
fn leading<E, D: Dimension>(logits: &ArrayRef<E, D>) -> &[usize] {
    logits.shape().split_last().map_or(&[], |(_, leading)| leading)
}
