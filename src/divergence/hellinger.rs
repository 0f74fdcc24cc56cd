//! The squared Hellinger distance.

use super::class_divergence::limited;
use super::class_loops::loops_compiled_here;
use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
use crate::Real;

/// The squared Hellinger distance, with the factor ½: symmetric, finite, at most 1.
///
/// ```math
/// D = \tfrac12 \sum_v (\sqrt{p_v} - \sqrt{q_v})^2 = 1 - \sum_v \sqrt{p_v q_v}, \qquad
/// \frac{\partial D}{\partial x_v} = \tfrac12 \bigl(p_v (1 - D) - \sqrt{p_v q_v}\bigr)
/// ```
///
/// 1 where no class has mass on both sides. `D <= TV <= √(D (2 - D))`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, SquaredHellinger};
/// let (p, q) = (array![[1.0_f64, 0.0]], array![[0.25_f64, 0.75]]);
/// let d = SquaredHellinger.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum)?;
/// assert!((d - 0.5).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hellinger, Journal für die reine und angewandte Mathematik 136, 1909.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SquaredHellinger;

impl ClassDivergence for SquaredHellinger {
    loops_compiled_here!();

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let half = T::from_f64(0.5);
        let (root, fall, _) = (-half * class.abs_log_ratio()).exp_steps_lane::<FMA>(); // of the ratio, and less 1
        let pull = half * class.larger() * fall;
        let is_far = class.origin_of_larger() > T::zero();
        let larger = if is_far { -half * class.larger() * root } else { -pull };
        ClassTerm::of_sizes(&class, pull * fall, larger, pull * root)
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        limited(0.5)
    }
}
