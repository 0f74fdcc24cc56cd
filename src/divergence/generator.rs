//! The convex function that a divergence is made of.

use crate::{Real, Result};

/// A convex function `f` with `f(1) = 0`, which generates the f-divergence `Σ q f(p/q)`.
///
/// Give a function, its slope and its conjugate, and [`FDivergence`](super::FDivergence) has value and gradients, and
/// [`VariationalBound`](super::VariationalBound) the bound from samples. `mul_add` only where `FMA` is true, and no branches
/// that depend on data: [`ClassDivergence`](super::ClassDivergence) says why.
///
/// # Examples
///
/// The divergence of Le Cam, `f(t) = (1 - t) / (2 t + 2)`:
///
/// ```
/// # use loglik::{Real, Reduction, ndarray::array};
/// use loglik::divergence::{Categorical::Probs, CategoricalDivergence, FDivergence, Generator};
///
/// struct LeCam;
///
/// impl Generator for LeCam {
///     fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
///         let sum = T::one() + ratio;
///         ((T::one() - ratio) / (sum + sum), -(sum * sum).recip())
///     }
///
///     fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
///         let root = (-slope).sqrt(); // 1 / (1 + t)
///         (T::from_f64(0.5) - slope - (root + root), root.recip() - T::one())
///     }
/// }
///
/// let (p, q) = (array![[1.0_f64, 0.0]], array![[0.5_f64, 0.5]]);
/// let value = FDivergence { generator: LeCam }.value(Probs(&p), Probs(&q), Reduction::Sum)?;
/// assert!((value - 1.0 / 6.0).abs() < 1e-15); // ¼ Σ (p - q)² / (p + q)
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait Generator: Sync {
    /// Whether the hyper-parameters are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where they are not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// `f(t)` and `f'(t)` for `t >= 0`. At 0 the function is its limit; at +inf the slope is, and the function may be
    /// anything.
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T);

    /// `f*(u) = sup_t (u t - f(t))` and its slope, the `t >= 0` of the supremum. +inf where there is none.
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T);

    /// `f(t) - f'(1) (t - 1) >= 0` at `t = 1 + rise`, where the rise has digits that `t` has not. Default: as it stands, which
    /// loses them near 1.
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        self.at::<T, FMA>(ratio).0 - self.at::<T, FMA>(T::one()).1 * rise
    }
}
