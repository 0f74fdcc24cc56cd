//! What a column may hold.

use crate::simd::{Kernel, dispatch, fold, join};
use crate::{Real, math};

/// A set of numbers. None of them holds NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// Every finite number.
    Finite,
    /// The logarithm of something finite and not negative: finite or -inf.
    Log,
    /// Every number, the infinities included.
    Extended,
    /// A log-ratio: every number, the infinities included.
    LogRatio,
    /// Finite and above zero, as a length or a scale.
    Positive,
    /// A probability or a soft label, `[0, 1]`.
    Unit,
    /// A weight, or an amount: finite and not negative.
    NonNegative,
    /// 0, 1, 2, ...
    Count,
}

impl Domain {
    /// Whether the number belongs to it. Free of branches once the domain is known.
    #[inline(always)]
    pub(crate) fn contains<T: Real>(self, x: T) -> bool {
        match self {
            Self::Finite => x.abs() < T::infinity(),
            Self::Log => x < T::infinity(),
            Self::Extended | Self::LogRatio => !x.is_nan(),
            Self::Positive => (x > T::zero()) & (x < T::infinity()),
            Self::Unit => (x >= T::zero()) & (x <= T::one()),
            Self::NonNegative => (x >= T::zero()) & (x < T::infinity()),
            Self::Count => (x >= T::zero()) & (x < T::infinity()) & (x.floor() == x),
        }
    }

    /// The domain in words, for messages.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Finite => "finite",
            Self::Log => "finite or -inf",
            Self::Extended => "any number but NaN",
            Self::LogRatio => "not NaN",
            Self::Positive => "finite and > 0",
            Self::Unit => "[0, 1]",
            Self::NonNegative => "finite and >= 0",
            Self::Count => "a whole number >= 0",
        }
    }

    /// Whether all of the values are finite and belong to the domain: then none of them can be at fault.
    pub(super) fn holds_finite<T: Real>(self, values: &[T]) -> bool {
        match self {
            Self::Finite | Self::Log | Self::Extended | Self::LogRatio => dispatch(AllFinite(values)),
            _ => dispatch(AllIn { domain: self, values }),
        }
    }
}

/// Whether each of the values is finite: only then are all `0 · x` zero. One instruction for each vector.
struct AllFinite<'a, T>(&'a [T]);

impl<T: Real> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let zeros = fold(self.0, T::zero(), T::zero(), |zero, x| math::mul_add::<T, FMA>(x, T::zero(), zero));
        join(zeros, |a, b| a + b) == T::zero()
    }
}

/// Whether each of the values is in one of the domains of finite numbers.
struct AllIn<'a, T> {
    domain: Domain,
    values: &'a [T],
}

impl<T: Real> Kernel for AllIn<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let (mut low, mut high, mut whole) = (true, true, true);
        let (zero, top) = (T::zero(), if self.domain == Domain::Unit { T::one() } else { T::max_value() });
        for &x in self.values {
            low &= x >= zero;
            high &= x <= top;
            whole &= x.floor() == x;
        }
        let positive = self.domain != Domain::Positive || !self.values.contains(&zero);
        low && high && positive && (whole || self.domain != Domain::Count)
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
            (Domain::LogRatio, [0.0, -inf, inf], [f64::NAN, f64::NAN, -f64::NAN]),
            (Domain::Positive, [5e-324, 1.0, 1e308], [0.0, inf, -1.0]),
            (Domain::Unit, [0.0, 1.0, 0.5], [-1e-300, 1.0 + f64::EPSILON, f64::NAN]),
            (Domain::NonNegative, [0.0, 0.5, 1e300], [-1e-300, inf, f64::NAN]),
            (Domain::Count, [0.0, 7.0, 1e300], [-1.0, 0.5, inf]),
        ];
        for (domain, inside, outside) in cases {
            for (x, y) in inside.into_iter().zip(outside) {
                assert!(domain.contains(x), "{domain:?} should hold {x}");
                assert!(!domain.contains(y), "{domain:?} should not hold {y}");
                let mut values = vec![1.0; 75];
                values[40] = x;
                assert_eq!(domain.holds_finite(&values), x.is_finite(), "{domain:?}, {x}");
                values[70] = y;
                assert!(!domain.holds_finite(&values), "{domain:?}, {y}");
            }
            assert!(!domain.contains(f32::NAN));
        }
    }
}
