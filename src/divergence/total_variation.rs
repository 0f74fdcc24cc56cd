//! The total variation distance.

use super::class_loops::loops_compiled_here;
use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
use crate::Real;

/// The total variation distance: the largest difference of the probabilities of any event, at most 1.
///
/// ```math
/// D = \tfrac12 \sum_v |p_v - q_v|, \qquad
/// \frac{\partial D}{\partial x_v} = \tfrac12 p_v \Bigl(\sigma_v - \sum_u p_u \sigma_u\Bigr), \quad \sigma_v = \operatorname{sgn}(p_v - q_v)
/// ```
///
/// `sgn 0 = 0`: a class on which both sides agree has no pull, which is one of its subgradients.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, TotalVariation};
/// let (p, q) = (array![[0.5_f64, 0.5]], array![[0.25_f64, 0.75]]);
/// let d = TotalVariation.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum)?;
/// assert!((d - 0.25).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As a distillation loss: Wen et al., "f-divergence minimization for sequence-level knowledge distillation", ACL 2023,
/// [arXiv:2307.15190](https://arxiv.org/abs/2307.15190).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TotalVariation;

impl ClassDivergence for TotalVariation {
    loops_compiled_here!();

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let (zero, one, half, two) = (T::zero(), T::one(), T::from_f64(0.5), T::from_f64(2.0));
        let sign = if class.abs_log_ratio() > zero { one } else { zero };
        let sign_p = if class.p_is_smaller() { -sign } else { sign };
        // All classes on one side of the kink have one slope, a limit, from which they differ by nothing.
        let p = half * class.p() * (sign_p - two * class.origin_p());
        let q = half * class.q() * (-sign_p - two * class.origin_q());
        ClassTerm { value: -half * sign * class.larger() * class.expm1_neg_gap(), p, q }
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        Sides { p: [-0.5, 0.5], q: [-0.5, 0.5] }
    }
}
