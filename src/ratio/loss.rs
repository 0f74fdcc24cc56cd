//! The author's side: what an objective of log-ratios is at one sample.

use crate::ratio::loops::RatioLoops;
use crate::{Real, Result};

/// A separable loss of log-ratios: everything that is not the loss itself is the driver's.
///
/// Both kernels return the loss and its derivative by the log-ratio `r = log p(x) - log ρ(x)`, constant factors such as
/// the weight of a side included. Free of branches they vectorize; `mul_add` is for where `FMA` is true, and
/// [`crate::math`] has the special functions. At `r = ±inf` they give the exact limits: a loss may be +inf there, a slope
/// may not.
#[doc(alias = "likelihood ratio")]
#[doc(alias = "density ratio")]
pub trait RatioLoss: Sync {
    /// Whether the hyper-parameters are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where one is not.
    fn check(&self) -> Result<()>;

    #[doc(hidden)]
    fn ratio_loops(&self) -> RatioLoops<'_>;

    /// Loss and slope at the log-ratio of a real sample.
    fn real<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T)
    where
        Self: Sized;

    /// Loss and slope at the log-ratio of a generated sample.
    fn fake<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T)
    where
        Self: Sized;
}
