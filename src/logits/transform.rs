//! Temperature and soft cap: the map from the logits of a model to those that a softmax is taken of.

use crate::math::{tanh, tanh_slope};
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
/// without a cap and 0 with one. A cap of more than `2^30` times the largest number of the type is none: of every logit it
/// takes less than rounding does. Where cap, temperature or their quotient is near an end of the type, each logit goes
/// through `f64` by itself, so that only images and gradients need fit.
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
        let is_normal = |x: f64| T::from_f64(x).is_normal();
        let Some(cap) = soft_cap.filter(|&cap| cap * BILLIONTH <= T::max_value().as_f64()) else {
            let divide = if is_normal(temperature) {
                Map::Divide(T::from_f64(temperature))
            } else {
                Map::wide(None, temperature)
            };
            return (temperature != 1.0).then_some(divide);
        };
        let (gain, rate) = (cap / temperature, 1.0 / temperature);
        // With the square of the cap in the range of the type, quotients by it that matter are so too.
        if [cap * cap, gain, rate].into_iter().all(is_normal) {
            let [cap, gain, rate] = [cap, gain, rate].map(T::from_f64);
            return Some(Map::Cap { cap, gain, rate });
        }
        Some(Map::wide(Some(cap), temperature))
    }
}

/// `2^-30`.
const BILLIONTH: f64 = 1.0 / (1_u64 << 30) as f64;

/// Below this the tangent is its argument.
const LINEAR: f64 = 1.0 / (1_u64 << 27) as f64;

/// A transform that is not the identity, in the type that is computed in.
///
/// Numbers alone are changed, and numbers they stay; each method tells whether all would have been so anyway.
#[derive(Clone, Copy)]
pub(crate) enum Map<T> {
    /// `x / τ`.
    Divide(T),
    /// `gain tanh(x / cap)`, whose slope is `rate sech²(x / cap)`.
    Cap { cap: T, gain: T, rate: T },
    /// Both in `f64`, for numbers that the type does not hold. Without a cap that is +inf.
    Wide { cap: f64, temperature: f64 },
}

impl<T: Real> Map<T> {
    fn wide(cap: Option<f64>, temperature: f64) -> Self {
        Self::Wide { cap: cap.unwrap_or(f64::INFINITY), temperature }
    }

    /// Whether the slope differs from logit to logit.
    pub(crate) fn has_slopes(&self) -> bool {
        !matches!(self, Self::Divide(_))
    }

    /// A bound of the slope.
    pub(super) fn steepest(&self) -> T {
        match *self {
            Self::Divide(tau) => T::one() / tau,
            Self::Cap { rate, .. } => rate,
            Self::Wide { temperature, .. } => T::from_f64(1.0 / temperature),
        }
    }

    /// Transforms logits.
    pub(crate) fn apply(&self, logits: &mut [T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(logits, tau),
            Self::Cap { cap, gain, .. } => simd::cap(logits, cap, gain),
            Self::Wide { cap, temperature } => each_number(logits, |_, x| wide_image(x, cap, temperature)),
        }
    }

    /// Transforms logits, and writes their slopes if [`Map::has_slopes`], those of [`Map::Wide`] times the temperature.
    pub(crate) fn apply_with_slopes(&self, logits: &mut [T], slopes: &mut [T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(logits, tau),
            Self::Cap { cap, gain, rate } => simd::cap_with_slope(logits, slopes, (cap, gain, rate)),
            Self::Wide { cap, .. } => {
                let slope = |x: T| if cap.is_infinite() { 1.0 } else { tanh_slope::<f64, false>(x.as_f64() / cap) };
                slopes.iter_mut().zip(&*logits).for_each(|(to, &x)| *to = T::from_f64(slope(x)));
                self.apply(logits)
            }
        }
    }

    /// Turns a gradient in `z` into one in the logits that had these slopes.
    pub(crate) fn chain(&self, gradient: &mut [T], slopes: &[T]) -> bool {
        match *self {
            Self::Divide(tau) => simd::divide(gradient, tau),
            Self::Cap { .. } => simd::chain(gradient, slopes),
            Self::Wide { temperature, .. } => each_number(gradient, |at, entry| {
                let (slope, product) = (slopes[at].as_f64(), entry * slopes[at].as_f64());
                if product.is_normal() { product / temperature } else { entry / temperature * slope }
            }),
        }
    }
}

/// `cap tanh(x / cap) / τ`.
fn wide_image(x: f64, cap: f64, temperature: f64) -> f64 {
    let ratio = x / cap;
    if ratio.abs() < LINEAR {
        return x / temperature;
    }
    let (tangent, gain) = (tanh::<f64, false>(ratio), cap / temperature);
    if gain.is_normal() { tangent * gain } else { tangent * cap / temperature }
}

/// Replaces each number of a block by its image, or by 0 where that does not fit; whether all fit.
fn each_number<T: Real>(block: &mut [T], image: impl Fn(usize, f64) -> f64) -> bool {
    let mut fits = true;
    for (at, x) in block.iter_mut().enumerate().filter(|(_, x)| x.is_finite()) {
        let y = T::from_f64(image(at, x.as_f64()));
        fits &= y.is_finite();
        *x = if y.is_finite() { y } else { T::zero() };
    }
    fits
}

#[cfg(test)]
mod tests;
