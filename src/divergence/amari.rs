//! The α-divergence of Amari, Cressie and Read.

use super::class_loops::{Vectorized, loops_compiled_here};
use super::{ClassDivergence, ClassPair, ClassTerm, KlDivergence, ReverseKlDivergence, Sides};
use crate::math::exp;
use crate::{Real, Result, check};

/// The α-divergence, from reverse (`α = 0`) to forward (`α = 1`) Kullback-Leibler divergence and beyond.
///
/// ```math
/// D_\alpha = \frac{1}{\alpha (\alpha - 1)} \Bigl(\sum_v p_v^\alpha q_v^{1 - \alpha} - 1\Bigr), \qquad
/// D_1 = \operatorname{KL}(p \Vert q), \quad D_0 = \operatorname{KL}(q \Vert p)
/// ```
///
/// ```math
/// \frac{\partial D}{\partial x_v} = \frac{s_v - p_v S}{\alpha - 1}, \qquad
/// \frac{\partial D}{\partial y_v} = -\frac{s_v - q_v S}{\alpha}, \qquad s_v = p_v^\alpha q_v^{1 - \alpha}, \; S = \sum_v s_v
/// ```
///
/// The convention is that of Minka, and with `λ = α - 1` the power divergence of Cressie and Read; Amari's own parameter is
/// `2α - 1`. `α = ½` is four times the [squared Hellinger distance](super::SquaredHellinger), `α = 2` half of [Pearson's
/// χ²](super::PearsonChiSquare), `α = -1` half of [Neyman's](super::NeymanChiSquare). `D_α(p ‖ q) = D_{1-α}(q ‖ p)`. Near
/// `α = 0` and 1 nothing cancels. Finite for `0 < α < 1` whatever the classes; +inf from 1 on where `p` has a class that
/// `q` has not, and down from 0 the other way round.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{AmariDivergence, Categorical, KlDivergence};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0_f64, 0.0]]);
/// let at = |alpha| AmariDivergence { alpha }.value(Logits(&p), Logits(&q), Reduction::Sum);
/// let kl = KlDivergence.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert!((at(1.0 + 1e-9)? - kl).abs() < 1e-8);
/// assert_eq!(at(0.25)?, at(0.75)?); // p and q are each other's mirror image here
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Cressie and Read, "Multinomial goodness-of-fit tests", Journal of the Royal Statistical Society B 46, 1984. Minka,
/// "Divergence measures and message passing", Microsoft Research TR-2005-173.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AmariDivergence {
    /// `α`, finite. Default 0.5.
    pub alpha: f64,
}

impl Default for AmariDivergence {
    fn default() -> Self {
        Self { alpha: 0.5 }
    }
}

impl ClassDivergence for AmariDivergence {
    loops_compiled_here!(|divergence| match divergence.alpha {
        1.0 => KlDivergence.loops(),
        0.0 => ReverseKlDivergence.loops(),
        alpha => Box::new(Vectorized::<_, true>(Between { alpha })),
    });

    fn check(&self) -> Result<()> {
        check::finite("alpha", self.alpha)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        if self.alpha == 1.0 {
            KlDivergence.at::<T, FMA>(class)
        } else if self.alpha == 0.0 {
            ReverseKlDivergence.at::<T, FMA>(class)
        } else {
            between::<T, FMA>(self.alpha, class)
        }
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        Between { alpha: self.alpha }.limits()
    }
}

/// The divergence where `α` is neither 0 nor 1.
#[derive(Clone, Copy)]
struct Between {
    alpha: f64,
}

impl ClassDivergence for Between {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        between::<T, FMA>(self.alpha, class)
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        let upper = |power: f64| if power > 0.0 && power < 1.0 { 1.0 / power } else { f64::INFINITY };
        Sides { p: 1.0 - self.alpha, q: self.alpha }.map(|power| [f64::NEG_INFINITY, upper(power)])
    }
}

/// The term where `α` is neither 0 nor 1: one side in the other's place below ½, by selections alone, since a loop over two
/// such bodies is not made of vectors.
#[inline(always)]
pub(super) fn between<T: Real, const FMA: bool>(alpha: f64, class: ClassPair<T>) -> ClassTerm<T> {
    let is_low = alpha < 0.5;
    let (upper_alpha, beyond) = if is_low { (1.0 - alpha, -alpha) } else { (alpha, alpha - 1.0) };
    let term = upper::<T, FMA>(upper_alpha, beyond, if is_low { class.swapped() } else { class });
    if is_low { term.swapped() } else { term }
}

/// The term for `α >= ½`, other than 1; `beyond = α - 1` comes apart, for it may have digits that `α` has not.
///
/// With `u = (α - 1) r` it is `[p r - p + q + p (e^u - 1 - u) / (α - 1)] / α`, where `u` is small; elsewhere as it stands.
#[inline(always)]
fn upper<T: Real, const FMA: bool>(alpha: f64, beyond: f64, class: ClassPair<T>) -> ClassTerm<T> {
    let (alpha, beyond, one) = (T::from_f64(alpha), T::from_f64(beyond), T::one());
    let (p, q) = (class.p(), class.q());
    let (product, u) = tilted::<T, FMA>(&class, beyond);
    let is_near = u.abs() < one;
    let (_, rise, excess) = (if is_near { u } else { T::zero() }).exp_steps_lane::<FMA>();
    let near = class.kl() + p * (excess / beyond);
    let far = (product - alpha * p + beyond * q) / beyond;
    let on_p = if is_near { p * (rise / beyond) } else { (product - p) / beyond };
    let over_q = if is_near { class.difference() + p * rise } else { product - q };
    // What is missing to the limits is the product itself.
    let on_p = if class.origin_p() > T::zero() { product / beyond } else { on_p };
    let over_q = if class.origin_q() > T::zero() { product } else { over_q };
    ClassTerm { value: (if is_near { near } else { far }) / alpha, p: on_p, q: -over_q / alpha }
}

/// `p e^u` and `u = (α - 1) r`, from `α - 1`; for `α > 0`.
#[inline(always)]
fn tilted<T: Real, const FMA: bool>(class: &ClassPair<T>, beyond: T) -> (T, T) {
    let u = beyond * class.log_ratio();
    let log = tilted_log(class, u);
    (exp::<T, FMA>(log), u)
}

/// `α ln p + (1 - α) ln q = ln p + u`; -inf where `p` is 0, though `u` may be +inf there.
#[inline(always)]
fn tilted_log<T: Real>(class: &ClassPair<T>, u: T) -> T {
    if class.log_p() == T::neg_infinity() { class.log_p() } else { class.log_p() + u }
}
