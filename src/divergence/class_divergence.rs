//! The author's side: a divergence that is a sum over classes.

use super::{ClassPair, ClassTerm};
use crate::{Real, Result};

/// A divergence that is a sum over classes, by its term at one class. Rows, threads, vector instructions, sparse teachers and
/// gradients in logits come from elsewhere: see [`CategoricalDivergence`](super::CategoricalDivergence).
///
/// [`ClassDivergence::at`] holds no branches that depend on data, only selections, so that the loop over it is vectorised as
/// it stands; `mul_add` only where `FMA` is true. Numbers enter as `T::of(0.5)`.
///
/// # Examples
///
/// The symmetrised Kullback-Leibler divergence of Jeffreys, `Σ (p - q) ln(p/q)`:
///
/// ```
/// # use loglik::{Real, Reduction, ndarray::array};
/// use loglik::divergence::{Categorical::Logits, CategoricalDivergence, ClassDivergence, ClassPair, ClassTerm};
///
/// struct Jeffreys;
///
/// impl ClassDivergence for Jeffreys {
///     fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
///         let swapped = class.swapped();
///         ClassTerm {
///             value: class.kl() + swapped.kl(),
///             p: class.weighted_ratio() + class.difference(),
///             q: swapped.weighted_ratio() + swapped.difference(),
///         }
///     }
/// }
///
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0, 0.0]]);
/// let value = Jeffreys.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert!((value - 2.0 * (0.5_f64).tanh()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait ClassDivergence: Sync {
    /// Whether the hyper-parameters are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where they are not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The term at one class.
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T>;

    /// `τ`, by which the usual formula `Σ [term + τ (p - q)]` differs from the sum of the terms. Over whole distributions
    /// nothing does; over a part of the classes it matters. Default 0.
    fn tilt(&self) -> f64 {
        0.0
    }
}
