//! Temperature and soft cap: the map from the logits of a model to those that a softmax is taken of.

use crate::{Real, Result, check, simd};

/// Temperature and soft cap of logits, with gradients in the logits before both.
///
/// ```math
/// z_v = \frac{\operatorname{cap}(x_v)}{\tau}, \qquad \operatorname{cap}(x) = c \tanh\frac{x}{c}, \qquad
/// \frac{\partial z_v}{\partial x_v} = \frac{1}{\tau} \operatorname{sech}^2\frac{x_v}{c}
/// ```
///
/// `τ` is `temperature` and `c` is `soft_cap`; without a cap `cap(x) = x`. The methods are the functions of the same names,
/// of `z` in place of `x`; gradients are in `x`. [`CrossEntropy`](super::CrossEntropy) and its like have the two fields of
/// this struct. The default is the identity, which costs nothing. Neither an array of `z` nor one of slopes is held, but a
/// row for each thread.
///
/// The slope is formed as `sech²`, not as `1 - tanh²`, and keeps its digits however flat the cap is; it is exactly 0 where
/// it is below the type. A logit of -inf rules its class out and stays -inf: it is not lifted to `-c`. Its slope is `1/τ`
/// without a cap and 0 with one. A cap beyond the range of the type is none.
///
/// # Errors
///
/// Those of the functions, of the logits as they came: +inf is an error with a cap too.
/// [`Parameter`](crate::Error::Parameter) where `temperature` or `soft_cap` is not finite and `> 0`;
/// [`Overflow`](crate::Error::Overflow) where a temperature is so small that a finite logit, or a gradient, leads out of
/// the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::LogitTransform, ndarray::array};
/// let transform = LogitTransform { temperature: 2.0, soft_cap: Some(30.0) };
/// let logits = array![[10.0_f64, -5.0, 40.0]]; // z is 4.82, -2.48 and 13.05
/// let log_probs = transform.token_log_probs(&logits, &array![0])?;
/// assert!((log_probs[0] + 8.228_501_015_373_54).abs() < 1e-13);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Temperature: Hinton, Vinyals, Dean 2015, [arXiv:1503.02531](https://arxiv.org/abs/1503.02531). Soft cap: Gemma Team 2024,
/// section 2, [arXiv:2408.00118](https://arxiv.org/abs/2408.00118), with 30 for the last layer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LogitTransform {
    /// What logits are divided by, after the cap; finite and `> 0`. Default 1.
    pub temperature: f64,
    /// Bound that logits approach and never pass, finite and `> 0`. Default none; Gemma 2 has 30.
    pub soft_cap: Option<f64>,
}

impl Default for LogitTransform {
    fn default() -> Self {
        Self { temperature: 1.0, soft_cap: None }
    }
}

impl LogitTransform {
    pub(crate) fn check(&self) -> Result<()> {
        check::positive("temperature", self.temperature)?;
        self.soft_cap.map_or(Ok(()), |cap| check::positive("soft_cap", cap))
    }

    /// What is done to logits of this type; nothing if it is the identity.
    pub(crate) fn map<T: Real>(&self) -> Option<Map<T>> {
        let Self { temperature, soft_cap } = *self;
        let Some(cap) = soft_cap.filter(|&cap| T::from_f64(cap).is_finite()) else {
            return (temperature != 1.0).then(|| Map::Divide(T::from_f64(temperature)));
        };
        let (gain, rate) = (T::from_f64(cap / temperature), T::from_f64(1.0 / temperature));
        Some(Map::Cap { cap: T::from_f64(cap).max(T::min_positive_value()), gain, rate })
    }
}

/// A transform that is not the identity, in the type that is computed in.
///
/// Numbers alone are changed, and numbers they stay; each method tells whether all would have been so anyway.
#[derive(Clone, Copy)]
pub(crate) enum Map<T> {
    /// `x / τ`.
    Divide(T),
    /// `gain tanh(x / cap)`, whose slope is `rate sech²(x / cap)`.
    Cap { cap: T, gain: T, rate: T },
}

impl<T: Real> Map<T> {
    /// Whether the slope differs from logit to logit.
    pub(crate) fn has_slopes(&self) -> bool {
        matches!(self, Self::Cap { .. })
    }

    /// A bound of the slope.
    pub(super) fn steepest(&self) -> T {
        match *self {
            Self::Divide(tau) => T::one() / tau,
            Self::Cap { rate, .. } => rate,
        }
    }

    /// Transforms logits.
    pub(crate) fn apply(&self, logits: &mut [T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(logits, tau),
            Self::Cap { cap, gain, .. } => simd::cap(logits, cap, gain),
        }
    }

    /// Transforms logits, and writes their slopes if [`Map::has_slopes`].
    pub(crate) fn apply_with_slopes(&self, logits: &mut [T], slopes: &mut [T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(logits, tau),
            Self::Cap { cap, gain, rate } => simd::cap_with_slope(logits, slopes, (cap, gain, rate)),
        }
    }

    /// Turns a gradient in `z` into one in the logits that had these slopes.
    pub(crate) fn chain(&self, gradient: &mut [T], slopes: &[T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(gradient, tau),
            Self::Cap { .. } => simd::chain(gradient, slopes),
        }
    }
}

#[cfg(test)]
mod tests;
