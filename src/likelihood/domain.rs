//! What an argument of a density may hold.

use crate::Real;

/// A set of numbers. None of them holds NaN.
#[derive(Clone, Copy, Debug)]
pub(super) enum Domain {
    /// Every finite number.
    Finite,
    /// The logarithm of something finite and not negative.
    Log,
    /// Every number, the infinities included.
    Extended,
    /// A probability or a soft label.
    Unit,
    /// A weight, or an amount.
    NonNegative,
    /// 0, 1, 2, ...
    Count,
}

impl Domain {
    /// Whether the number belongs to it. Free of branches once the domain is known.
    #[inline(always)]
    pub(super) fn contains<T: Real>(self, x: T) -> bool {
        match self {
            Self::Finite => x.abs() < T::infinity(),
            Self::Log => x < T::infinity(),
            Self::Extended => !x.is_nan(),
            Self::Unit => (x >= T::zero()) & (x <= T::one()),
            Self::NonNegative => (x >= T::zero()) & (x < T::infinity()),
            Self::Count => (x >= T::zero()) & (x < T::infinity()) & (x.floor() == x),
        }
    }

    /// The domain in words, for messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Finite => "finite",
            Self::Log => "finite or -inf",
            Self::Extended => "any number but NaN",
            Self::Unit => "[0, 1]",
            Self::NonNegative => "finite and >= 0",
            Self::Count => "a whole number >= 0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_domain_holds_nan_and_each_has_its_own_ends() {
        let inf = f64::INFINITY;
        let cases = [
            (Domain::Finite, [0.0, -1e308, 0.5], [inf, -inf, f64::NAN]),
            (Domain::Log, [0.0, -inf, 1e308], [inf, inf, f64::NAN]),
            (Domain::Extended, [0.0, -inf, inf], [f64::NAN, f64::NAN, -f64::NAN]),
            (Domain::Unit, [0.0, 1.0, 0.5], [-1e-300, 1.0 + f64::EPSILON, f64::NAN]),
            (Domain::NonNegative, [0.0, 0.5, 1e300], [-1e-300, inf, f64::NAN]),
            (Domain::Count, [0.0, 7.0, 1e300], [-1.0, 0.5, inf]),
        ];
        for (domain, inside, outside) in cases {
            for (x, y) in inside.into_iter().zip(outside) {
                assert!(domain.contains(x), "{domain:?} should hold {x}");
                assert!(!domain.contains(y), "{domain:?} should not hold {y}");
            }
            assert!(!domain.contains(f32::NAN));
        }
    }
}
