//! Numbers of twice the digits of `f64` that know how much they may be off: what is exact stays so, and what is not is
//! rounded to the side that is asked for.

use std::cmp::Ordering;
use std::ops::Neg;

use crate::Real;
use crate::simd::{Kernel, dispatch};

/// Products below it may lose digits that no `f64` can hold, each at most [`LEAST`] in its two parts.
const TINY: f64 = 1e-290;
const LEAST: f64 = 1e-323;

/// Sums that are worked on side by side.
const WIDTH: usize = 8;

/// `high + low`, which is no further than `error` from what it stands for. Not finite where something has overflown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Twofold {
    high: f64,
    low: f64,
    error: f64,
}

impl Twofold {
    pub(super) fn of(high: f64) -> Self {
        Self { high, low: 0.0, error: 0.0 }
    }

    /// The sum of numbers.
    pub(super) fn sum(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        numbers.into_iter().for_each(|x| sum.add(x));
        sum
    }

    #[inline(always)]
    pub(super) fn add(&mut self, x: f64) {
        let (high, lost) = two_sum(self.high, x);
        self.high = high;
        self.add_low(lost);
    }

    #[inline(always)]
    fn add_low(&mut self, x: f64) {
        let (low, lost) = two_sum(self.low, x);
        self.low = low;
        self.error += lost.abs();
    }

    #[inline(always)]
    pub(super) fn add_product(&mut self, x: f64, y: f64) {
        let product = x * y;
        self.add(product);
        self.add_low(x.mul_add(y, -product));
        self.error += if product.abs() < TINY && x != 0.0 && y != 0.0 { LEAST } else { 0.0 };
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.add(other.high);
        self.add_low(other.low);
        self.error += other.error;
    }

    /// Counts so much more as unknown.
    pub(super) fn blur(&mut self, error: f64) {
        self.error += error;
    }

    pub(super) fn times(self, x: f64) -> Self {
        let mut product = Self::default();
        product.add_product(self.high, x);
        product.add_product(self.low, x);
        product.error += self.error * x.abs();
        product
    }

    pub(super) fn times_all(self, other: Self) -> Self {
        let mut product = self.times(other.high);
        product.add_all(self.times(other.low));
        product.error += other.error * (self.high.abs() + self.low.abs() + self.error);
        product
    }

    /// The quotient by a number above zero.
    pub(super) fn over(self, divisor: Self) -> Self {
        let by = divisor.nearest();
        let (mut rest, mut quotient) = (self, Self::default());
        for _ in 0..2 {
            let part = rest.nearest() / by;
            quotient.add(part);
            rest.add_all(-divisor.times(part));
        }
        quotient.error += 1.01 * (rest.nearest().abs() + rest.error) / by;
        if quotient.high.abs() < TINY && self.high != 0.0 {
            quotient.error += LEAST;
        }
        quotient
    }

    pub(super) fn abs(self) -> Self {
        if self.nearest() < 0.0 { -self } else { self }
    }

    pub(super) fn is_positive(self) -> bool {
        self.nearest() > 0.0
    }

    pub(super) fn is_finite(self) -> bool {
        self.nearest().is_finite()
    }

    pub(super) fn error(self) -> f64 {
        self.error
    }

    /// Which of two is larger, whatever they are off.
    pub(super) fn total_cmp(self, other: Self) -> Ordering {
        let (left, right) = (two_sum(self.high, self.low), two_sum(other.high, other.low));
        left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1))
    }

    /// The number, rounded once.
    pub(super) fn nearest(self) -> f64 {
        self.high + self.low
    }

    /// A number that is not above what this stands for, and equal where it is known exactly and has the digits of `f64`.
    pub(super) fn below(self) -> f64 {
        let (near, left) = two_sum(self.high, self.low);
        // Twice, for the roundings of the error itself.
        let left = left - 2.0 * self.error;
        if left < 0.0 { (near + left).next_down() } else { near }
    }

    /// A number that is not below it.
    pub(super) fn above(self) -> f64 {
        -(-self).below()
    }
}

impl Neg for Twofold {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low, ..self }
    }
}

/// `a + b` rounded, and what that loses (Knuth).
#[inline(always)]
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let added = sum - a;
    (sum, (a - (sum - added)) + (b - added))
}

/// `√x` of a number that is not negative, rounded downwards.
pub(super) fn root_below(x: Twofold) -> f64 {
    let below = x.below().max(0.0);
    let root = below.sqrt();
    let mut excess = Twofold::of(-below);
    excess.add_product(root, root);
    if excess.above() > 0.0 { root.next_down().max(0.0) } else { root }
}

/// `√x`, rounded upwards.
pub(super) fn root_above(x: Twofold) -> f64 {
    let above = x.above();
    let root = above.sqrt();
    let mut excess = Twofold::of(-above);
    excess.add_product(root, root);
    if excess.below() < 0.0 { root.next_up() } else { root }
}

/// `Σ m C`, of ways that are not forbidden.
pub(super) fn spent<C: Real>(masses: &[f64], costs: &[C]) -> Twofold {
    dispatch(Spent { masses, costs })
}

struct Spent<'a, C> {
    masses: &'a [f64],
    costs: &'a [C],
}

impl<C: Real> Kernel for Spent<'_, C> {
    type Output = Twofold;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Twofold {
        let mut sums = [Twofold::default(); WIDTH];
        let open = |cost: C| if cost < C::infinity() { cost.as_f64() } else { 0.0 };
        let (masses, last_masses) = self.masses.as_chunks::<WIDTH>();
        let (costs, last) = self.costs.as_chunks::<WIDTH>();
        for (masses, costs) in masses.iter().zip(costs) {
            for i in 0..WIDTH {
                sums[i].add_product(masses[i], open(costs[i]));
            }
        }
        for (i, (&mass, &cost)) in last_masses.iter().zip(last).enumerate() {
            sums[i].add_product(mass, open(cost));
        }
        let mut all = Twofold::default();
        sums.into_iter().for_each(|sum| all.add_all(sum));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, with_level};
    use crate::testing::generator;

    #[test]
    fn what_is_exact_stays_and_what_is_not_lies_between_both_sides() {
        let exact = Twofold::sum([1e16, 1.0, 0.5, -1e16]);
        assert_eq!((exact.below(), exact.nearest(), exact.above()), (1.5, 1.5, 1.5));
        let quotient = Twofold::of(3.0).over(Twofold::of(4.0));
        assert_eq!((quotient.below(), quotient.above()), (0.75, 0.75));
        let third = Twofold::of(1.0).over(Twofold::of(3.0));
        assert!(third.below() < third.above() && third.above() == third.below().next_up());
        let one = third.times(3.0);
        assert!(one.below() <= 1.0 && 1.0 <= one.above() && one.error < 1e-31);
        let square = third.times_all(third);
        assert!(square.below() <= 1.0 / 9.0 && 1.0 / 9.0 <= square.above() && square.error < 1e-31);
        assert_eq!((root_below(Twofold::of(25.0)), root_above(Twofold::of(25.0))), (5.0, 5.0));
        assert_eq!(root_above(Twofold::of(2.0)), root_below(Twofold::of(2.0)).next_up());
        assert!(!Twofold::sum([f64::MAX, f64::MAX]).is_finite());
    }

    #[test]
    fn sums_of_products_are_those_of_whole_numbers_at_every_level() {
        let mut next = generator(5);
        for n in [0, 1, 7, 8, 9, 100] {
            let mut whole = || ((next() - 0.5) * 2_f64.powf(45.0 * next())).trunc();
            let (masses, mut costs): (Vec<f64>, Vec<f64>) = (0..n).map(|_| (whole().abs(), whole())).unzip();
            let exact: i128 = masses.iter().zip(&costs).map(|(&m, &c)| m as i128 * c as i128).sum();
            costs.push(f64::INFINITY);
            let masses: Vec<f64> = masses.into_iter().chain([7.0]).collect();
            for level in available() {
                let got = with_level(level, || spent(&masses, &costs));
                assert!(got.below() as i128 <= exact && exact <= got.above() as i128, "{got:?}, {exact}");
                assert_eq!((got.high as i128 + got.low as i128, got.error), (exact, 0.0));
            }
        }
    }

    #[test]
    fn products_at_the_bottom_of_the_type_are_held_from_both_sides() {
        let mut sum = Twofold::default();
        sum.add_product(3e-324, 0.3);
        sum.add_product(1e-310, 0.1);
        assert!(sum.below() < sum.above() && sum.above() - sum.below() < 1e-321);
    }
}
