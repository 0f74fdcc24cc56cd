//! What losses that look at each side by itself share.

use crate::error::{Error, Position};
use crate::preference::{Pairs, Row};
use crate::{Real, math};

impl<T: Real> Row<T> {
    /// `log π - log ρ` of both sides: the implicit rewards before `beta`. Without a reference, `log π`.
    #[inline(always)]
    #[must_use]
    pub fn log_ratios(&self) -> Pairs<T> {
        let (policy, reference) = (self.policy, self.reference);
        Pairs { chosen: policy.chosen - reference.chosen, rejected: policy.rejected - reference.rejected }
    }
}

/// The slope of the logistic function, `σ(x) σ(-x)`; it does not cancel in the tails.
#[inline(always)]
pub(crate) fn sigmoid_slope<T: Real, const FMA: bool>(x: T) -> T {
    math::sigmoid::<T, FMA>(x) * math::sigmoid::<T, FMA>(-x)
}

/// `max(0, -x)` and its slope; 0 at the kink, NaN for NaN.
#[inline(always)]
pub(crate) fn shortfall<T: Real>(x: T) -> (T, T) {
    let loss = if x > T::zero() { T::zero() } else { -x };
    (loss, if x < T::zero() { -T::one() } else { T::zero() })
}

/// The error for a pair that is no two probabilities below one: what the odds of a response need.
pub(crate) fn explain_odds(row: Row<f64>, position: usize) -> Option<Error> {
    let wrong =
        |argument, value, allowed| Some(Error::Value { argument, position: Position::from(position), value, allowed });
    match row.policy {
        Pairs { chosen, .. } if chosen > 0.0 => wrong(Row::NAMES.policy.chosen, chosen, "<= 0"),
        Pairs { rejected, .. } if rejected > 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "<= 0"),
        Pairs { rejected, .. } if rejected == 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "< 0"),
        _ => None,
    }
}

/// The error for a pair whose rewards are no probabilities.
pub(crate) fn explain_probabilities(row: Row<f64>, position: usize) -> Option<Error> {
    let wrong = |(value, argument): (f64, &'static str)| {
        let error = Error::Value { argument, position: Position::from(position), value, allowed: "[0, 1]" };
        (!(0.0..=1.0).contains(&value)).then_some(error)
    };
    let rewards = row.rewards.zip(Row::NAMES.rewards).map(wrong);
    rewards.chosen.or(rewards.rejected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    #[test]
    fn the_slope_of_the_logistic_function_keeps_its_tails() {
        close(sigmoid_slope::<f64, false>(0.5), 0.235_003_712_201_594_47, 1e-15);
        close(sigmoid_slope::<f64, false>(-0.5), 0.235_003_712_201_594_47, 1e-15);
        close(sigmoid_slope::<f64, false>(50.0), (-50.0_f64).exp(), 1e-15);
        assert_eq!(sigmoid_slope::<f64, false>(f64::INFINITY), 0.0);
        assert_eq!(sigmoid_slope::<f64, false>(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn what_is_short_counts_and_the_kink_is_flat() {
        assert_eq!(shortfall(-3.0_f64), (3.0, -1.0));
        assert_eq!(shortfall(0.0_f64), (0.0, 0.0));
        assert_eq!(shortfall(3.0_f64), (0.0, 0.0));
        assert_eq!(shortfall(f64::INFINITY), (0.0, 0.0));
        assert!(shortfall(f64::NAN).0.is_nan());
    }
}
