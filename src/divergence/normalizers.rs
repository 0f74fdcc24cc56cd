//! What a row of both sides is shifted by, so that its logits are logarithms of probabilities.

use super::ClassPair;
use crate::Real;

/// What makes a logit of one side the logarithm of a probability: `(x - max) - log`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalizer<T> {
    pub(super) max: T,
    pub(super) log: f64,
    /// The largest logit, which `max` is too where they are not logarithms of probabilities.
    pub(super) top: T,
}

impl<T: Real> Normalizer<T> {
    /// Whether one class has more than half of the mass.
    pub(super) fn is_dominated(&self) -> bool {
        (self.top.as_f64() - self.max.as_f64()) - self.log > -std::f64::consts::LN_2
    }
}

/// The normalizers of both sides, and what is to be taken from a difference of logits.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowNormalizers<T> {
    max: [T; 2],
    log: [T; 2],
    /// The largest logits.
    pub(super) top: [T; 2],
    /// The difference of the normalizers as a sum of two numbers, so that almost equal rows keep their digits.
    shift: T,
    rest: T,
    /// From what slopes are measured.
    origins: [T; 2],
}

/// `a - b` and what its rounding took (Knuth's two-sum); the second is no number where the first is none.
#[inline(always)]
fn two_difference<T: Real>(a: T, b: T) -> (T, T) {
    let difference = a - b;
    let part = a - difference;
    (difference, (a - (difference + part)) + (part - b))
}

impl<T: Real> RowNormalizers<T> {
    pub(super) fn new(p: Normalizer<T>, q: Normalizer<T>) -> Self {
        let (max, first) = two_difference(p.max.as_f64(), q.max.as_f64());
        let (shift, second) = two_difference(max, q.log - p.log);
        let narrow = T::from_f64(shift);
        let rest = T::from_f64((shift - narrow.as_f64()) + (first + second));
        let (max, log, top) = ([p.max, q.max], [T::from_f64(p.log), T::from_f64(q.log)], [p.top, q.top]);
        Self { max, log, top, shift: narrow, rest, origins: [T::zero(); 2] }
    }

    /// The same row with slopes that are measured from there.
    pub(super) fn measured_from(self, origins: [f64; 2]) -> Self {
        Self { origins: origins.map(T::from_f64), ..self }
    }

    /// Whether slopes are measured from a limit.
    pub(super) fn is_far(&self) -> bool {
        self.origins != [T::zero(); 2]
    }

    /// The class with these logits, its slopes measured from the origins of the row if `FAR` says that they are not 0: a loop
    /// that asks at each class is not made of vectors.
    #[inline(always)]
    pub(super) fn class_from<const FMA: bool, const FAR: bool>(&self, x: T, y: T) -> ClassPair<T> {
        let class = self.class::<FMA>(x, y);
        if FAR { class.measured_from(self.origins) } else { class }
    }

    /// The class with these logits.
    #[inline(always)]
    pub(super) fn class<const FMA: bool>(&self, x: T, y: T) -> ClassPair<T> {
        let (difference, lost) = two_difference(x, y);
        let lost = if lost.is_nan() { T::zero() } else { lost }; // where one is -inf
        let ratio = (difference - self.shift) + (lost - self.rest);
        let ratio = if difference.is_nan() { T::zero() } else { ratio }; // where both are
        let [log_p, log_q] = [(x - self.max[0]) - self.log[0], (y - self.max[1]) - self.log[1]];
        ClassPair::new::<FMA>(log_p, log_q, ratio)
    }
}
