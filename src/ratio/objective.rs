//! The caller's side: what can be asked of any objective of log-ratios.

use ndarray::{Array1, ArrayView1, ArrayViewMut1};

use crate::error::Position;
use crate::ratio::{RatioLoss, Samples};
use crate::reduction::{to_real, total_of};
use crate::{Real, Reduction, Result, SumCount};

/// Where a pass writes what it finds of each sample of one side.
#[derive(Debug)]
#[non_exhaustive]
pub enum RatioOut<'a, T> {
    /// Nowhere.
    Nothing,
    /// The loss of each sample, not weighted.
    Each(ArrayViewMut1<'a, T>),
    /// The derivative of the reduced loss by each log-ratio.
    Grad(ArrayViewMut1<'a, T>),
}

/// An objective of the log-ratios `r = log p(x) - log ρ(x)` of real and of generated samples, policy `p` against reference
/// `ρ`; the gradient in `log p` is that in `r`.
///
/// The loss is the sum of both sides, each with a reduction of its own: `Samples::both(Reduction::Mean)` is the mean over
/// real samples plus the mean over generated ones. The sides need not be of one length. A ratio of ±inf has the exact
/// limit, which may be a loss of +inf; samples with a weight of zero are never looked at.
///
/// # Errors
///
/// Of every method:
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter is out of its range.
/// - [`Error::Shape`](crate::Error::Shape): weights, or an output, of another length than the ratios of their side.
/// - [`Error::Value`](crate::Error::Value): a ratio is NaN (argument `real` or `fake`), or a weight is not finite or
///   below zero.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean over a side without samples.
/// - [`Error::Overflow`](crate::Error::Overflow): a finite ratio whose loss or derivative does not fit the type.
///
/// Outputs are left unspecified where a ratio is at fault.
#[doc(alias = "likelihood ratio")]
#[doc(alias = "density ratio")]
pub trait RatioObjective<T: Real> {
    /// Whether the hyper-parameters are in range.
    fn validate(&self) -> Result<()>;

    /// One pass: the reduced loss of each side, in `f64`, and `out` filled. The other methods are made of it.
    fn run(
        &self,
        ratios: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        out: Samples<RatioOut<'_, T>>,
    ) -> Result<Samples<f64>>;

    /// The loss.
    fn value(&self, ratios: Samples<ArrayView1<'_, T>>, reductions: Samples<Reduction<'_, T>>) -> Result<T> {
        let out = Samples { real: RatioOut::Nothing, fake: RatioOut::Nothing };
        total(self.run(ratios, reductions, out)?)
    }

    /// The loss of each sample, each side with the factors that its loss holds but not those of a reduction.
    fn each(&self, ratios: Samples<ArrayView1<'_, T>>) -> Result<Samples<Array1<T>>> {
        let mut each = ratios.map(|side| Array1::zeros(side.len()));
        let out = Samples { real: RatioOut::Each(each.real.view_mut()), fake: RatioOut::Each(each.fake.view_mut()) };
        self.run(ratios, Samples::both(Reduction::Sum), out)?;
        Ok(each)
    }

    /// The loss and its derivative by each log-ratio.
    fn grad(
        &self,
        ratios: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
    ) -> Result<(T, Samples<Array1<T>>)> {
        let mut gradient = ratios.map(|side| Array1::zeros(side.len()));
        let out = Samples { real: gradient.real.view_mut(), fake: gradient.fake.view_mut() };
        let loss = self.grad_into(ratios, reductions, out)?;
        Ok((loss, gradient))
    }

    /// The loss; its derivatives are written to `out`.
    fn grad_into(
        &self,
        ratios: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        out: Samples<ArrayViewMut1<'_, T>>,
    ) -> Result<T> {
        total(self.run(ratios, reductions, out.map(RatioOut::Grad))?)
    }

    /// Sum of the losses and number of samples of each side, by which micro-batches combine.
    fn sum_count(&self, ratios: Samples<ArrayView1<'_, T>>) -> Result<Samples<SumCount>> {
        let out = Samples { real: RatioOut::Nothing, fake: RatioOut::Nothing };
        let sums = self.run(ratios, Samples::both(Reduction::Sum), out)?;
        let parts = |sum, side: ArrayView1<'_, T>| SumCount { sum, count: side.len() as f64 };
        Ok(Samples { real: parts(sums.real, ratios.real), fake: parts(sums.fake, ratios.fake) })
    }
}

impl<T: Real, L: RatioLoss> RatioObjective<T> for L {
    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn run(
        &self,
        ratios: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        out: Samples<RatioOut<'_, T>>,
    ) -> Result<Samples<f64>> {
        T::run_ratios(self, ratios, reductions, out)
    }
}

/// Both sides together, in the caller's type.
fn total<T: Real>(sides: Samples<f64>) -> Result<T> {
    let Samples { real, fake } = sides;
    to_real(total_of(&[real, fake], real + fake, "real")?, "real", Position::default())
}

#[cfg(test)]
mod tests;
