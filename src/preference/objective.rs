//! The caller's side: what every pair objective can do.

use ndarray::{Array1, ArrayViewMut1};

use crate::preference::{PairBatch, PairLoss, Pairs, PairsMut};
use crate::{Real, Reduction, Result, SumCount, check};

/// Where [`PairObjective::run`] puts what it finds beside the loss. Arrays have one entry for each pair, in any layout.
#[derive(Debug)]
#[non_exhaustive]
pub enum Out<'a, T> {
    /// Nowhere: the value alone.
    Nothing,
    /// The share of each pair in the value, overwriting what was there.
    Each(ArrayViewMut1<'a, T>),
    /// The gradient with respect to the policy's log-probabilities, overwriting what was there.
    Grad(PairsMut<'a, T>),
    /// The same gradient, added to what is there.
    AddGrad(PairsMut<'a, T>),
}

impl<T: Real> Out<'_, T> {
    /// Filled as by an objective that is selected away, whose value is returned.
    pub(crate) fn nothing(self) -> T {
        match self {
            Self::Nothing | Self::AddGrad(_) => {}
            Self::Each(mut out) => out.fill(T::zero()),
            Self::Grad(mut out) => {
                out.chosen.fill(T::zero());
                out.rejected.fill(T::zero());
            }
        }
        T::zero()
    }

    /// The arrays must have one entry for each pair.
    pub(crate) fn check_shapes(&self, pairs: usize) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Each(out) => check::shape("out", out.shape(), &[pairs]),
            Self::Grad(out) | Self::AddGrad(out) => {
                check::shape("out.chosen", out.chosen.shape(), &[pairs])?;
                check::shape("out.rejected", out.rejected.shape(), &[pairs])
            }
        }
    }
}

/// An objective over preference pairs. It can be used as `dyn PairObjective<f64>`.
///
/// Every struct of hyper-parameters in this room is one; a new one comes from
/// [`MarginLoss`](crate::preference::MarginLoss) or [`PairLoss`], rarely from this trait itself.
///
/// Results do not depend on the number of threads nor on memory layout, to the last bit.
///
/// A pair of weight zero ([`Reduction::Weighted`]) is left out: its gradient is 0, and the values in its columns, even
/// NaN, change no bit of the rest. That holds for functions of the whole batch too: means, baselines and soft minima
/// are over the other pairs. What takes no reduction (`each`, `parts`, detached factors of each pair) looks at all pairs.
///
/// # Errors
///
/// All methods check hyper-parameters ([`Error::Parameter`]), shapes ([`Error::Shape`]) and what the batch holds
/// ([`Error::Missing`]) before anything is written. [`Error::Value`] names the first log-probability that is NaN or
/// +inf, or that leaves the loss or its gradient undefined; [`Error::Overflow`] the first pair whose loss or gradient
/// does not fit the type. Both are found inside the pass: buffers are then unspecified. A log-probability of -inf is an
/// exact limit: where it makes the loss +inf with a finite gradient, that is the answer. [`Reduction::Mean`] over
/// nothing is [`Error::NothingToAverage`]; a sum over nothing is 0.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let objectives: [&dyn PairObjective<f64>; 2] = [&Dpo::default(), &Ipo { beta: 0.1, length: Length::Sum }];
/// assert!((objectives[0].value(batch, Reduction::Mean)? - 0.632_599_035).abs() < 1e-9);
/// assert_eq!(objectives[1].value(batch, Reduction::Mean)?, 14.0625);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// [`Error::Parameter`]: crate::Error::Parameter
/// [`Error::Shape`]: crate::Error::Shape
/// [`Error::Missing`]: crate::Error::Missing
/// [`Error::Value`]: crate::Error::Value
/// [`Error::Overflow`]: crate::Error::Overflow
/// [`Error::NothingToAverage`]: crate::Error::NothingToAverage
#[doc(alias = "preference optimization")]
#[doc(alias = "preference loss")]
pub trait PairObjective<T: Real> {
    /// Checks hyper-parameters, shapes, and that the batch holds what is needed; looks at no data.
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()>;

    /// `scale` times the reduced loss, and what `out` asks for, multiplied alike. `scale` is finite; 0 selects the whole
    /// objective away.
    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T>;

    /// Sum of the losses and number of pairs, by which micro-batches combine exactly; `(0, 0)` over nothing.
    ///
    /// [`Error::NotSeparable`] of an objective whose micro-batches do not combine.
    ///
    /// [`Error::NotSeparable`]: crate::Error::NotSeparable
    fn sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        let sum = self.run(&batch, Reduction::Sum, T::one(), Out::Nothing)?;
        Ok(SumCount { sum: sum.as_f64(), count: batch.len() as f64 })
    }

    /// The reduced loss.
    fn value(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<T> {
        self.run(&batch, reduction, T::one(), Out::Nothing)
    }

    /// The loss of each pair: its share in the sum.
    ///
    /// [`Error::NotSeparable`] of an objective of which pairs have no shares.
    ///
    /// [`Error::NotSeparable`]: crate::Error::NotSeparable
    fn each(&self, batch: PairBatch<'_, T>) -> Result<Array1<T>> {
        self.validate(&batch)?;
        let mut losses = Array1::zeros(batch.len());
        self.run(&batch, Reduction::Sum, T::one(), Out::Each(losses.view_mut()))?;
        Ok(losses)
    }

    /// The reduced loss and its gradient with respect to the policy's log-probabilities, in one pass.
    fn grad(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<(T, Pairs<Array1<T>>)> {
        self.validate(&batch)?;
        let mut grad = Pairs { chosen: Array1::zeros(batch.len()), rejected: Array1::zeros(batch.len()) };
        let loss = self.run(&batch, reduction, T::one(), Out::Grad(grad.view_mut()))?;
        Ok((loss, grad))
    }

    /// Like [`PairObjective::grad`], with the gradient written to the caller's arrays.
    fn grad_into(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>, out: PairsMut<'_, T>) -> Result<T> {
        self.run(&batch, reduction, T::one(), Out::Grad(out))
    }
}

impl<T: Real, L: PairLoss> PairObjective<T> for L {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        T::validate_pairs(self, batch)
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        T::run_pairs(self, batch, reduction, scale, out)
    }

    fn sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        T::sum_count_of_pairs(self, batch)
    }
}

/// Implements a trait with the three methods of [`PairObjective`] for what holds another objective, by asking that one.
macro_rules! forward {
    ($trait:ident { $validate:ident, $run:ident, $sum_count:ident } for $holder:ty, |$this:ident| $objective:expr) => {
        impl<T: Real> $trait<T> for $holder {
            fn $validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
                let $this = self;
                PairObjective::<T>::validate($objective, batch)
            }

            fn $run(
                &self,
                batch: &PairBatch<'_, T>,
                reduction: Reduction<'_, T>,
                scale: T,
                out: Out<'_, T>,
            ) -> Result<T> {
                let $this = self;
                PairObjective::<T>::run($objective, batch, reduction, scale, out)
            }

            fn $sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
                let $this = self;
                PairObjective::<T>::sum_count($objective, batch)
            }
        }
    };
}
pub(super) use forward;

forward!(PairObjective { validate, run, sum_count } for Box<dyn PairObjective<T>>, |this| this.as_ref());
forward!(PairObjective { validate, run, sum_count } for Box<dyn PairObjective<T> + Send + Sync>, |this| this.as_ref());
forward!(PairObjective { validate, run, sum_count } for &dyn PairObjective<T>, |this| *this);
