//! Exact sums of `f64`.

use crate::transport::twofold::two_sum;

/// A sum without any rounding: numbers of which each lies below the last bit of the next, the largest last, none of them
/// zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expansion(Vec<f64>);

impl Expansion {
    /// Adds a number (Shewchuk, *Adaptive precision floating-point arithmetic*, 1997, section 2.4). Exact as long as nothing
    /// overflows.
    pub(super) fn add(&mut self, x: f64) {
        let (mut carried, mut kept) = (x, 0);
        for k in 0..self.0.len() {
            let (sum, lost) = two_sum(carried, self.0[k]);
            carried = sum;
            if lost != 0.0 {
                self.0[kept] = lost;
                kept += 1;
            }
        }
        self.0.truncate(kept);
        if carried != 0.0 {
            self.0.push(carried);
        }
    }

    /// Adds a multiple by 1 or -1 of another.
    pub(super) fn add_all(&mut self, sign: f64, other: &Self) {
        other.0.iter().for_each(|&x| self.add(sign * x));
    }

    /// Becomes `x - other`, in the memory that it has.
    pub(super) fn set_difference(&mut self, x: f64, other: &Self) {
        self.0.clear();
        self.0.extend(other.0.iter().map(|x| -x));
        self.add(x);
    }

    /// The sum, up to one rounding; its sign is right, and it is zero only where the sum is.
    pub(super) fn value(&self) -> f64 {
        self.0.iter().sum()
    }

    /// A number that is not above the sum, and at most two roundings below it.
    pub(super) fn below(mut self) -> f64 {
        let value = self.value();
        self.add(-value);
        if self.value() < 0.0 { value - f64::EPSILON * value.abs() } else { value }
    }

    /// The sum, where it is held as one number.
    pub(super) fn single(&self) -> Option<f64> {
        match self.0[..] {
            [] => Some(0.0),
            [one] => Some(one),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::generator;

    #[test]
    fn nothing_is_lost_at_any_spread() {
        let mut sum = Expansion::default();
        let terms = [1e300, 3.0, 1e18, 5e-324, -1e150, 0.1, 1e-200];
        terms.iter().for_each(|&x| sum.add(x));
        assert_eq!(sum.value(), 1e300);
        for x in [1e300, 1e18, -1e150, 0.1] {
            sum.add(-x);
        }
        assert_eq!(sum.value(), 3.0);
        sum.add(-3.0);
        assert_eq!(sum.value(), 1e-200);
        sum.add(-1e-200);
        assert_eq!(sum.single(), Some(5e-324));
        sum.add(-5e-324);
        assert_eq!((sum.single(), &sum), (Some(0.0), &Expansion::default()));
    }

    #[test]
    fn sums_are_those_of_whole_numbers() {
        let mut next = generator(3);
        for _ in 0..2_000 {
            let (mut sum, mut exact) = (Expansion::default(), 0_i128);
            for _ in 0..12 {
                let term = ((next() - 0.5) * 2_f64.powf(100.0 * next())).trunc();
                sum.add(term);
                exact += term as i128;
            }
            assert!((sum.value() - exact as f64).abs() <= f64::EPSILON * (exact as f64).abs());
            assert_eq!(sum.value() < 0.0, exact < 0);
            let below = sum.clone().below();
            assert!(below as i128 <= exact && exact as f64 - below <= 2.0 * f64::EPSILON * below.abs());
            let mut difference = Expansion::default();
            difference.set_difference(7.0, &sum);
            difference.add_all(1.0, &sum);
            assert_eq!(difference.value(), 7.0);
        }
    }
}
