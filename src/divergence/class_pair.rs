//! One class of two distributions, as a divergence sees it, and what it adds to a divergence.

use crate::Real;

/// Both probabilities of a class and all that is made of their ratio, each with its own digits.
///
/// Distributions that almost agree have probabilities whose difference is lost in rounding. Here the ratio is formed from
/// logits, and everything else from the ratio: with the gap `a = |ln p - ln q|` and one reduction for `e^-a`, `e^-a - 1` and
/// `e^-a - 1 + a`.
#[derive(Clone, Copy, Debug)]
pub struct ClassPair<T> {
    log_p: T,
    log_q: T,
    /// The larger of both probabilities.
    larger: T,
    /// `a`, +inf where one probability is zero and 0 where both are.
    abs_log_ratio: T,
    /// `e^-a`.
    exp_neg_gap: T,
    /// `e^-a - 1`.
    expm1_neg_gap: T,
    /// `e^-a - 1 + a`.
    excess: T,
    p_is_smaller: bool,
    /// From what the slopes of `p` and of `q` are measured: 0, or the [limits](super::ClassDivergence::limits).
    origin_p: T,
    origin_q: T,
}

impl<T: Real> ClassPair<T> {
    /// The class with these logarithms of its probabilities, at most 0. Their difference `log_ratio` comes apart from them,
    /// for it may have digits that they have not; where both are -inf it is 0.
    #[inline(always)]
    pub fn new<const FMA: bool>(log_p: T, log_q: T, log_ratio: T) -> Self {
        let p_is_smaller = log_ratio < T::zero();
        let abs_log_ratio = log_ratio.abs();
        let (exp_neg_gap, expm1_neg_gap, excess) = (-abs_log_ratio).exp_steps_lane::<FMA>();
        let larger = (if p_is_smaller { log_q } else { log_p }).exp_down_lane::<FMA>();
        let [origin_p, origin_q] = [T::zero(); 2];
        Self {
            log_p,
            log_q,
            larger,
            abs_log_ratio,
            exp_neg_gap,
            expm1_neg_gap,
            excess,
            p_is_smaller,
            origin_p,
            origin_q,
        }
    }

    /// The same class in a row whose slopes are measured from there.
    #[inline(always)]
    pub(super) fn measured_from(self, origins: [T; 2]) -> Self {
        Self { origin_p: origins[0], origin_q: origins[1], ..self }
    }

    /// `ln p`.
    #[inline(always)]
    pub fn log_p(&self) -> T {
        self.log_p
    }

    /// `ln q`.
    #[inline(always)]
    pub fn log_q(&self) -> T {
        self.log_q
    }

    /// `p`.
    #[inline(always)]
    pub fn p(&self) -> T {
        if self.p_is_smaller { self.smaller() } else { self.larger }
    }

    /// `q`.
    #[inline(always)]
    pub fn q(&self) -> T {
        if self.p_is_smaller { self.larger } else { self.smaller() }
    }

    /// `ln p - ln q`: ±inf where one probability is zero, 0 where both are.
    #[inline(always)]
    pub fn log_ratio(&self) -> T {
        if self.p_is_smaller { -self.abs_log_ratio } else { self.abs_log_ratio }
    }

    /// Whether `p < q`.
    #[inline(always)]
    pub fn p_is_smaller(&self) -> bool {
        self.p_is_smaller
    }

    /// `max(p, q)`.
    #[inline(always)]
    pub fn larger(&self) -> T {
        self.larger
    }

    /// `min(p, q)`.
    #[inline(always)]
    pub fn smaller(&self) -> T {
        self.larger * self.exp_neg_gap
    }

    /// `a = |ln p - ln q|`.
    #[inline(always)]
    pub fn abs_log_ratio(&self) -> T {
        self.abs_log_ratio
    }

    /// `e^-a = min(p, q) / max(p, q)`.
    #[inline(always)]
    pub fn exp_neg_gap(&self) -> T {
        self.exp_neg_gap
    }

    /// `e^-a - 1 = -|p - q| / max(p, q)`.
    #[inline(always)]
    pub fn expm1_neg_gap(&self) -> T {
        self.expm1_neg_gap
    }

    /// `a e^-a`, which is 0 at +inf.
    #[inline(always)]
    pub fn gap_times_exp_neg_gap(&self) -> T {
        if self.exp_neg_gap > T::zero() { self.abs_log_ratio * self.exp_neg_gap } else { T::zero() }
    }

    /// `e^-a (e^-a - 1 + a)`, which is 0 at +inf.
    #[inline(always)]
    pub(super) fn excess_times_exp_neg_gap(&self) -> T {
        if self.exp_neg_gap > T::zero() { self.excess * self.exp_neg_gap } else { T::zero() }
    }

    /// `p - q`.
    #[inline(always)]
    pub fn difference(&self) -> T {
        let difference = self.larger * self.expm1_neg_gap;
        if self.p_is_smaller { difference } else { -difference }
    }

    /// `p (ln p - ln q)`: 0 where `p` is, +inf where `q` alone is.
    #[inline(always)]
    pub fn weighted_ratio(&self) -> T {
        let up = if self.abs_log_ratio < T::infinity() { self.larger * self.abs_log_ratio } else { self.abs_log_ratio };
        if self.p_is_smaller { -self.larger * self.gap_times_exp_neg_gap() } else { up }
    }

    /// `p ln(p/q) - p + q`: a term of `KL(p ‖ q)`, never negative.
    #[inline(always)]
    pub fn kl(&self) -> T {
        let heavier = if self.abs_log_ratio < T::infinity() { self.larger * self.excess } else { self.abs_log_ratio };
        // `1 - (1 + a) e^-a` in two forms, of which each cancels where the other does not.
        let near = -self.excess - self.abs_log_ratio * self.expm1_neg_gap;
        let far = -self.expm1_neg_gap - self.gap_times_exp_neg_gap();
        let lighter = self.larger * if self.abs_log_ratio < T::one() { near } else { far };
        if self.p_is_smaller { lighter } else { heavier }
    }

    /// The same class with `p` and `q` in each other's place.
    #[inline(always)]
    #[must_use]
    pub fn swapped(self) -> Self {
        let (origin_p, origin_q) = (self.origin_q, self.origin_p);
        Self { log_p: self.log_q, log_q: self.log_p, p_is_smaller: !self.p_is_smaller, origin_p, origin_q, ..self }
    }

    /// What is subtracted from `∂D/∂p`: 0, or its [limit](super::ClassDivergence::limits) where the sides of the row share
    /// next to nothing. A divergence without limits need not ask.
    #[inline(always)]
    pub fn origin_p(&self) -> T {
        self.origin_p
    }

    /// What is subtracted from `∂D/∂q`: 0, or its limit.
    #[inline(always)]
    pub fn origin_q(&self) -> T {
        self.origin_q
    }

    /// The origin of the slope of the larger probability.
    #[inline(always)]
    pub(super) fn origin_of_larger(&self) -> T {
        if self.p_is_smaller { self.origin_q } else { self.origin_p }
    }
}

/// What a class adds to a divergence `D`, and how that depends on the class's probabilities.
///
/// The slopes may hold any constant times `p` (or `q`) more, which is the same for all classes: a gradient in logits takes
/// the mean away. Chosen so that they vanish where `p = q`, they keep their digits near it; measured from their
/// [limits](super::ClassDivergence::limits), where the sides share next to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassTerm<T> {
    /// The term, `>= 0` and 0 where `p = q`, such that the sum over all classes is the divergence.
    pub value: T,
    /// `p ∂D/∂p`.
    pub p: T,
    /// `q ∂D/∂q`.
    pub q: T,
}

impl<T: Real> ClassTerm<T> {
    /// A term whose slopes are known by which of the probabilities is the larger. That of the larger one is measured from its
    /// origin; the other is not, and as it lies on the other side of 0 nothing is lost by taking the origin from it.
    #[inline(always)]
    pub fn of_sizes(class: &ClassPair<T>, value: T, larger: T, smaller: T) -> Self {
        let origin = if class.p_is_smaller() { class.origin_p() } else { class.origin_q() };
        let smaller = if origin == T::zero() { smaller } else { smaller - origin * class.smaller() };
        let (p, q) = if class.p_is_smaller() { (smaller, larger) } else { (larger, smaller) };
        Self { value, p, q }
    }

    /// The term of the [swapped](ClassPair::swapped) class.
    #[inline(always)]
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { value: self.value, p: self.q, q: self.p }
    }
}
