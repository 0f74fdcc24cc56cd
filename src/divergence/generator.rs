//! The convex function that a divergence is made of.

use crate::{Real, Result};

/// A convex function `f` with `f(1) = 0`, which generates the f-divergence `Σ q f(p/q)`.
///
/// Give a function, its slope and its conjugate, and [`FDivergence`](super::FDivergence) has value and gradients, and
/// [`VariationalBound`](crate::ratio::bound::VariationalBound) the bound from samples. Where the function or its slope is infinite at an
/// end, a gradient there needs one of the limits too ([`Generator::limit_at_zero`], [`Generator::limit_at_infinity`]).
/// `mul_add` only where `FMA` is true, and no branches that depend on data: [`ClassDivergence`](super::ClassDivergence)
/// says why.
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

    /// `f(t)` and `f'(t)` for `t >= 0`. At 0 the function is its limit, which may be +inf, and the slope may be anything;
    /// at +inf the slope is its limit, and the function may be anything.
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T);

    /// `f*(u) = sup_t (u t - f(t))` and its slope, the `t >= 0` of the supremum. +inf where there is none.
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T);

    /// `f(t) - f'(1) (t - 1) >= 0` at `t = 1 + rise`, where the rise has digits that `t` has not. Default: as it stands,
    /// which loses them near 1.
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        self.at::<T, FMA>(ratio).0 - self.at::<T, FMA>(T::one()).1 * rise
    }

    /// `lim t f'(t)` as `t` falls to 0, from -inf to 0: what a class that `p` has not adds to `p ∂D/∂p`, over `q`. Default: 0
    /// where `f(0)` is finite, as it must be then. Where `f(0)` is +inf the default is -inf, by which a gradient in `p` is an
    /// error; say the number if there is one, as -1 for `f(t) = -ln t`.
    fn limit_at_zero(&self) -> f64 {
        if self.at::<f64, false>(0.0).0.is_finite() { 0.0 } else { f64::NEG_INFINITY }
    }

    /// `lim f(t)/t - f'(t)` as `t` grows, from -inf to 0: what a class that `q` has not adds to `q ∂D/∂q`, over `p`.
    /// Default: 0 where `f'(∞)` is finite, as it must be then. Where the slope grows without end the default is -inf, by
    /// which a gradient in `q` is an error; say the number if there is one, as -1 for `f(t) = t ln t`.
    fn limit_at_infinity(&self) -> f64 {
        if self.at::<f64, false>(f64::INFINITY).1.is_finite() { 0.0 } else { f64::NEG_INFINITY }
    }
}
