//! One class of two distributions, as a divergence sees it, and what a divergence says of it.

use crate::Real;

/// Both probabilities of a class and all that is made of their ratio, each with its own digits.
///
/// Distributions that almost agree have probabilities whose difference is lost in rounding. Here the ratio is formed from
/// logits, and everything else from the ratio: with `a = |ln p - ln q|` and one reduction for `e^-a`, `e^-a - 1` and
/// `e^-a - 1 + a`.
#[derive(Clone, Copy, Debug)]
pub struct ClassPair<T> {
    log_p: T,
    log_q: T,
    /// The larger of both probabilities.
    larger: T,
    /// `a`, +inf where one probability is zero and 0 where both are.
    gap: T,
    /// `e^-a`.
    share: T,
    /// `e^-a - 1`.
    fall: T,
    /// `e^-a - 1 + a`.
    excess: T,
    is_p_lighter: bool,
    /// From what the slopes of `p` and of `q` are measured: 0, or the [limits](super::ClassDivergence::limits).
    origin_p: T,
    origin_q: T,
}

impl<T: Real> ClassPair<T> {
    /// The class with these logarithms of its probabilities, at most 0. Their difference `log_ratio` comes apart from them,
    /// for it may have digits that they have not; where both are -inf it is 0.
    #[inline(always)]
    pub fn new<const FMA: bool>(log_p: T, log_q: T, log_ratio: T) -> Self {
        let is_p_lighter = log_ratio < T::zero();
        let gap = log_ratio.abs();
        let (share, fall, excess) = (-gap).exp_steps_lane::<FMA>();
        let larger = (if is_p_lighter { log_q } else { log_p }).exp_down_lane::<FMA>();
        Self { log_p, log_q, larger, gap, share, fall, excess, is_p_lighter, origin_p: T::zero(), origin_q: T::zero() }
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
        if self.is_p_lighter { self.smaller() } else { self.larger }
    }

    /// `q`.
    #[inline(always)]
    pub fn q(&self) -> T {
        if self.is_p_lighter { self.larger } else { self.smaller() }
    }

    /// `ln p - ln q`: ±inf where one probability is zero, 0 where both are.
    #[inline(always)]
    pub fn log_ratio(&self) -> T {
        if self.is_p_lighter { -self.gap } else { self.gap }
    }

    /// Whether `p < q`.
    #[inline(always)]
    pub fn is_p_lighter(&self) -> bool {
        self.is_p_lighter
    }

    /// `max(p, q)`.
    #[inline(always)]
    pub fn larger(&self) -> T {
        self.larger
    }

    /// `min(p, q)`.
    #[inline(always)]
    pub fn smaller(&self) -> T {
        self.larger * self.share
    }

    /// `a = |ln p - ln q|`.
    #[inline(always)]
    pub fn gap(&self) -> T {
        self.gap
    }

    /// `e^-a = min(p, q) / max(p, q)`.
    #[inline(always)]
    pub fn share(&self) -> T {
        self.share
    }

    /// `e^-a - 1 = -|p - q| / max(p, q)`.
    #[inline(always)]
    pub fn fall(&self) -> T {
        self.fall
    }

    /// `a e^-a`, which is 0 at +inf.
    #[inline(always)]
    pub fn shared_gap(&self) -> T {
        if self.share > T::zero() { self.gap * self.share } else { T::zero() }
    }

    /// `e^-a (e^-a - 1 + a)`, which is 0 at +inf.
    #[inline(always)]
    pub(super) fn shared_excess(&self) -> T {
        if self.share > T::zero() { self.excess * self.share } else { T::zero() }
    }

    /// `p - q`.
    #[inline(always)]
    pub fn difference(&self) -> T {
        let difference = self.larger * self.fall;
        if self.is_p_lighter { difference } else { -difference }
    }

    /// `p (ln p - ln q)`: 0 where `p` is, +inf where `q` alone is.
    #[inline(always)]
    pub fn weighted_ratio(&self) -> T {
        let up = if self.gap < T::infinity() { self.larger * self.gap } else { self.gap };
        if self.is_p_lighter { -self.larger * self.shared_gap() } else { up }
    }

    /// `p ln(p/q) - p + q`: a term of `KL(p ‖ q)`, never negative.
    #[inline(always)]
    pub fn kl(&self) -> T {
        let heavier = if self.gap < T::infinity() { self.larger * self.excess } else { self.gap };
        // `1 - (1 + a) e^-a` in two forms, of which each cancels where the other does not.
        let near = -self.excess - self.gap * self.fall;
        let far = -self.fall - self.shared_gap();
        let lighter = self.larger * if self.gap < T::one() { near } else { far };
        if self.is_p_lighter { lighter } else { heavier }
    }

    /// The same class with `p` and `q` in each other's place.
    #[inline(always)]
    #[must_use]
    pub fn swapped(self) -> Self {
        let (origin_p, origin_q) = (self.origin_q, self.origin_p);
        Self { log_p: self.log_q, log_q: self.log_p, is_p_lighter: !self.is_p_lighter, origin_p, origin_q, ..self }
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
        if self.is_p_lighter { self.origin_q } else { self.origin_p }
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
        let origin = if class.is_p_lighter() { class.origin_p() } else { class.origin_q() };
        let smaller = if origin == T::zero() { smaller } else { smaller - origin * class.smaller() };
        let (p, q) = if class.is_p_lighter() { (smaller, larger) } else { (larger, smaller) };
        Self { value, p, q }
    }

    /// The term of the [swapped](ClassPair::swapped) class.
    #[inline(always)]
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { value: self.value, p: self.q, q: self.p }
    }
}
