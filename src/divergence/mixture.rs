//! Weighted divergences of both sides from a mixture of them.

use super::{ClassPair, ClassTerm};
use crate::Real;
use crate::math::ln;

/// `w_p KL(p ‖ m) + w_q KL(q ‖ m)` with `m = s_p p + s_q q`; the weights sum to 1 and so do the shares, which are above 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixture {
    pub(super) weight_p: f64,
    pub(super) weight_q: f64,
    pub(super) share_p: f64,
    pub(super) share_q: f64,
}

impl Mixture {
    #[inline(always)]
    pub(super) fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let one = T::one();
        let by_size = |p: f64, q: f64| {
            let (p, q) = (T::of(p), T::of(q));
            if class.is_p_lighter() { (q, p) } else { (p, q) }
        };
        let (weight_l, weight_s) = by_size(self.weight_p, self.weight_q);
        let (share_l, share_s) = by_size(self.share_p, self.share_q);
        let (larger, smaller) = (class.larger(), class.smaller());
        let (share, fall) = (class.share(), class.fall());

        // The mixture is `1 + below` times the larger and `1 + above` times the smaller probability.
        let (below, whole) = (share_s * fall, share_l + share_s * share);
        let above = -share_l * fall / share;
        let is_far_below = whole < T::of(0.5);
        let deficit = below.ln_1p_deficit_lane::<FMA>();
        let deficit = if is_far_below { below - ln::<T, FMA>(whole) } else { deficit };
        let log_l = deficit - below; // ln(larger / mixture)
        let is_near = above < one;
        let near = (if is_near { above } else { one }).ln_1p_deficit_lane::<FMA>();
        let log_s = if is_near { share * (near - above) } else { share * log_l - class.shared_gap() };
        let from_smaller = if is_near { smaller * near } else { larger * (log_s - share_l * fall) };
        let value = weight_l * (larger * deficit) + weight_s * from_smaller;

        // Where weights are not shares, the mixture's own dependence remains.
        let bend = T::of(self.share_p - self.weight_p) * fall / whole;
        let bend = if class.is_p_lighter() { bend } else { -bend }; // (s_p - w_p) (p - q) / m
        let slope_l = larger * (weight_l * log_l + share_l * bend);
        let slope_s = larger * (weight_s * log_s + share_s * bend * share);
        ClassTerm::of_sizes(&class, value, slope_l, slope_s)
    }
}
