//! Weighted divergences of both sides from a mixture of them.

use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
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

impl ClassDivergence for Mixture {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let one = T::one();
        let by_size = |p: f64, q: f64| {
            // What is above 0 stays so in a type that does not hold it: 0 times +inf is no number.
            let [p, q] = [p, q].map(|part| T::from_f64(part).max(T::min_positive_value()));
            if class.p_is_smaller() { (q, p) } else { (p, q) }
        };
        let (weight_l, weight_s) = by_size(self.weight_p, self.weight_q);
        let (share_l, share_s) = by_size(self.share_p, self.share_q);
        let (larger, smaller) = (class.larger(), class.smaller());
        let (share, fall) = (class.exp_neg_gap(), class.expm1_neg_gap());

        // The mixture is `1 + below` times the larger and `1 + above` times the smaller probability. From the limit `-ln share_l`
        // of the logarithm of larger / mixture it is `1 + lack` instead.
        let origin = class.origin_of_larger();
        let is_far = origin > T::zero();
        let (below, whole) = (share_s * fall, share_l + share_s * share);
        let lack = share_s / share_l * share;
        let (rise, is_wide) = if is_far { (lack, lack > one) } else { (below, whole < T::from_f64(0.5)) };
        let above = -share_l * fall / share;
        let deficit = rise.ln_1p_deficit_lane::<FMA>();
        let by_log = -ln::<T, FMA>(if is_far { one + lack } else { whole });
        let from_origin = if is_wide { by_log } else { deficit - rise };
        let excess_l =
            T::from_f64(if class.p_is_smaller() { self.share_q - self.weight_q } else { self.share_p - self.weight_p });
        // Not from the origin, of which a small weight leaves a few digits.
        let limit = T::from_f64(if class.p_is_smaller() { -self.share_q.ln() } else { -self.share_p.ln() });
        let log_l = if is_far { from_origin + limit } else { from_origin }; // ln(larger / mixture)
        let deficit = if is_far || is_wide { below + log_l } else { deficit };
        let is_near = above < one;
        let near = (if is_near { above } else { one }).ln_1p_deficit_lane::<FMA>();
        let log_s = if is_near { share * (near - above) } else { share * log_l - class.gap_times_exp_neg_gap() };
        let from_smaller = if is_near { smaller * near } else { larger * (log_s - share_l * fall) };
        let value = weight_l * (larger * deficit) + weight_s * from_smaller;

        // Where weights are not shares, the mixture's own dependence remains.
        let bend = excess_l * (if is_far { share } else { share_l * fall }) / whole;
        let slope_l = larger * (weight_l * from_origin - bend);
        let slope_s = larger * (weight_s * log_s - excess_l * share_s * fall / whole * share);
        ClassTerm::of_sizes(&class, value, slope_l, slope_s)
    }

    /// What the slopes tend to. Of a share that is next to nothing the limit is so far that no row comes near it, and its
    /// inverse need not fit the type.
    fn limits(&self) -> Sides<[f64; 2]> {
        let of =
            |weight: f64, share: f64| if share > 1e-30 { share - weight - weight * share.ln() } else { f64::INFINITY };
        let [p, q] = [of(self.weight_p, self.share_p), of(self.weight_q, self.share_q)];
        Sides { p: [f64::NEG_INFINITY, p], q: [f64::NEG_INFINITY, q] }
    }
}
