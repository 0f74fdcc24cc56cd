//! The Jensen-Shannon divergence.

use std::f64::consts::LN_2;

use super::class_divergence::limited;
use super::class_loops::loops_compiled_here;
use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
use crate::Real;

/// The mean divergence of both sides from their even mixture: symmetric, finite, at most `ln 2`.
///
/// ```math
/// D = \tfrac12 \operatorname{KL}(p \Vert m) + \tfrac12 \operatorname{KL}(q \Vert m), \quad m = \tfrac12 (p + q), \qquad
/// \frac{\partial D}{\partial x_v} = \tfrac12 p_v \Bigl(\ln \frac{p_v}{m_v} - \operatorname{KL}(p \Vert m)\Bigr)
/// ```
///
/// Its square root is a metric (SciPy's `jensenshannon` is that root). `ln 2` where no class has mass on both sides.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, JensenShannonDivergence};
/// let (p, q) = (array![[1.0_f64, 0.0]], array![[0.0_f64, 1.0]]);
/// let d = JensenShannonDivergence.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Mean)?;
/// assert!((d - std::f64::consts::LN_2).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37, 1991.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JensenShannonDivergence;

impl ClassDivergence for JensenShannonDivergence {
    loops_compiled_here!();

    /// With `b = (e^-a - 1) / 2` the mixture is `1 + b` times the larger probability. The term is half the larger one times
    /// `(1 + e^-a)(b - ln(1 + b)) + 2 b² - e^-a (e^-a - 1 + a)`, in which nothing is lost near equality. To its limit `ln
    /// 2` the logarithm `-ln(1 + b)` lacks `ln(1 + e^-a)`.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let half = T::from_f64(0.5);
        let (share, fall) = (class.exp_neg_gap(), class.expm1_neg_gap());
        let is_far = class.origin_of_larger() > T::zero();
        let rise = if is_far { share } else { half * fall };
        let deficit = rise.ln_1p_deficit_lane::<FMA>();
        let from_origin = deficit - rise;
        let log_ratio = if is_far { T::LN_2() + from_origin } else { from_origin }; // of the larger to the mixture
        let deficit = if is_far { log_ratio + half * fall } else { deficit };
        let larger = half * class.larger();
        let value = (deficit + share * deficit) + (half * fall * fall - class.excess_times_exp_neg_gap());
        let smaller = larger * (share * log_ratio - class.gap_times_exp_neg_gap());
        ClassTerm::of_sizes(&class, larger * value, larger * from_origin, smaller)
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        limited(0.5 * LN_2)
    }
}
