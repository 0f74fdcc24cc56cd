//! The divergence that a convex function generates.

use super::{ClassDivergence, ClassPair, ClassTerm, Generator};
use crate::{Real, Result};

/// The f-divergence of a [`Generator`].
///
/// ```math
/// D = \sum_v q_v f\Bigl(\frac{p_v}{q_v}\Bigr) = \sum_v q_v \bigl[f(t_v) - f'(1) (t_v - 1)\bigr], \qquad t_v = \frac{p_v}{q_v}
/// ```
///
/// ```math
/// p_v \frac{\partial D}{\partial p_v} = p_v f'(t_v), \qquad q_v \frac{\partial D}{\partial q_v} = q_v f(t_v) - p_v f'(t_v)
/// ```
///
/// A class that `q` has not adds `p f'(∞)`. Small divergences have the digits that the generator's
/// [`excess`](Generator::excess) keeps; ratios beyond what the type holds count as its largest. The divergences that this
/// crate names itself, such as [`KlDivergence`](super::KlDivergence), have neither limit. Where the sides share next to
/// nothing and `f'` is bounded, those divergences also keep digits of the gradient that are lost here, where a slope near
/// `f'(∞)` is subtracted from another.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, FDivergence, SquaredHellinger};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0_f64, 0.0]]);
/// let general = FDivergence { generator: SquaredHellinger }.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert!((general - SquaredHellinger.value(Logits(&p), Logits(&q), Reduction::Sum)?).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Csiszár 1963; Ali and Silvey, Journal of the Royal Statistical Society B 28, 1966.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FDivergence<G> {
    /// The convex function.
    pub generator: G,
}

impl<G: Generator> ClassDivergence for FDivergence<G> {
    fn check(&self) -> Result<()> {
        self.generator.check()
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let (zero, one) = (T::zero(), T::one());
        let (share, fall) = (class.exp_neg_gap(), class.expm1_neg_gap());
        let (p, q) = (class.p(), class.q());
        let at_one = self.generator.at::<T, FMA>(one).1;
        let largest = T::max_value().sqrt();
        let is_absent = !class.p_is_smaller() && class.abs_log_ratio() == T::infinity(); // of q
        let ratio = if class.p_is_smaller() { share } else { one / share };
        let is_beyond = ratio >= largest;
        let ratio = if is_beyond { largest } else { ratio };
        let rise = if class.p_is_smaller() { fall } else { -fall / share };
        let rise = if is_beyond { largest } else { rise };
        let (_, slope) = self.generator.at::<T, FMA>(ratio);
        let excess = self.generator.excess::<T, FMA>(ratio, rise);
        let excess = if excess < zero { zero } else { excess }; // which only rounding can bring about: f is convex
        // Of q nothing is left there: what it would be multiplied by is in proportion to p.
        let at_infinity = self.generator.at::<T, FMA>(T::infinity()).1;
        let weight = if is_beyond { p / largest } else { q };
        let to_limit = p * (at_infinity - at_one);
        let value = if is_absent { to_limit } else { weight * excess };
        let on_p = if p > zero { p * (slope - at_one) } else { zero };
        // `q f - p f'` and `q f'(1)` more: both parts are 0 at equality.
        ClassTerm { value, p: if is_absent { to_limit } else { on_p }, q: weight * excess - on_p }
    }

    fn mass_coefficient(&self) -> f64 {
        self.generator.at::<f64, false>(1.0).1
    }
}
