//! What one pass over the logits of a token leaves behind.

use crate::Real;
use crate::logits::class_weights::ClassWeights;
use crate::simd::{self, RowSum};

/// Sums over the logits of one token, of all classes or of some.
#[derive(Clone, Copy, Debug)]
pub(super) struct State<T> {
    /// `Σ e^x`.
    pub(super) sum: RowSum<T>,
    /// The logit of the target, -inf before it was met.
    pub(super) logit: T,
    /// `Σ w (max - x)`, kept where a share of the target is spread over all classes.
    pub(super) drop: f64,
    /// `Σ w` over the same classes.
    mass: f64,
    /// Whether all products of hidden state and weight are numbers.
    pub(super) finite: bool,
}

impl<T: Real> State<T> {
    /// The sums over nothing.
    pub(super) fn new() -> Self {
        Self { sum: RowSum::new(), logit: T::neg_infinity(), drop: 0.0, mass: 0.0, finite: true }
    }

    /// Takes in the logits of neighboring classes.
    pub(super) fn push(&mut self, row: &[T], first: usize, target: usize, spread: Option<ClassWeights<'_>>) {
        let before = self.sum.max;
        self.sum.push(row);
        if let Some(&x) = target.checked_sub(first).and_then(|at| row.get(at)) {
            self.logit = x;
        }
        if let Some(weights) = spread {
            let weights = weights.block(first, row.len());
            self.drop = lifted(self.drop, self.mass, before, self.sum.max) + drop(row, weights, self.sum.max);
            self.mass += simd::sum(weights);
        }
    }

    /// The sums over the classes of both.
    pub(super) fn merge(self, other: Self) -> Self {
        let (high, low) = if other.sum.max > self.sum.max { (other, self) } else { (self, other) };
        let mut sum = high.sum;
        sum.others += match low.sum.max == T::neg_infinity() {
            true => low.sum.others,
            false => (low.sum.max.as_f64() - sum.max.as_f64()).exp() * (1.0 + low.sum.others),
        };
        Self {
            sum,
            logit: if other.logit > self.logit { other.logit } else { self.logit },
            drop: high.drop + lifted(low.drop, low.mass, low.sum.max, sum.max),
            mass: self.mass + other.mass,
            finite: self.finite && other.finite,
        }
    }
}

/// `Σ w (to - x)` from `Σ w (from - x)`.
fn lifted<T: Real>(drop: f64, mass: f64, from: T, to: T) -> f64 {
    // Below a maximum of -inf there is nothing, or what has an infinite drop already.
    if from > T::neg_infinity() && mass > 0.0 { drop + mass * (to.as_f64() - from.as_f64()) } else { drop }
}

/// `Σ w (max - x)` over some classes.
fn drop<T: Real>(row: &[T], weights: &[f64], max: T) -> f64 {
    match max > T::neg_infinity() {
        true => simd::weighted_sum_below_max(row, weights, max.as_f64()),
        false if weights.iter().any(|&w| w > 0.0) => f64::INFINITY, // below whatever maximum is to come
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [f64; 9] = [f64::NEG_INFINITY, f64::NEG_INFINITY, 0.5, -1.0, 3.0, f64::NEG_INFINITY, 2.0, 3.0, -700.0];

    fn state(cuts: &[usize], spread: ClassWeights<'_>) -> State<f64> {
        let bounds = [&[0], cuts, &[ROW.len()]].concat();
        let part = |bounds: &[usize]| {
            let mut state = State::new();
            state.push(&ROW[bounds[0]..bounds[1]], bounds[0], 3, Some(spread));
            state
        };
        bounds.windows(2).map(part).reduce(State::merge).unwrap()
    }

    #[test]
    fn parts_merge_to_the_whole_wherever_they_are_cut() {
        let weights = [0.0, 0.0, 2.0, 0.5, 1.0, 0.0, 1.0, 1.5, 0.25];
        let spread = ClassWeights::new(Some(&weights), 9).unwrap();
        let whole = state(&[], spread);
        let drop: f64 = ROW.iter().zip(weights).filter(|(_, w)| *w > 0.0).map(|(x, w)| w * (3.0 - x)).sum();
        assert!((whole.drop - drop).abs() < 1e-12);
        assert_eq!(whole.logit, -1.0);
        for (left, right) in (0..=9).flat_map(|left| (left..=9).map(move |right| (left, right))) {
            let parts = state(&[left, right], spread);
            assert!((parts.sum.log_sum_exp() - whole.sum.log_sum_exp()).abs() < 1e-15, "{left}, {right}");
            assert!((parts.drop - drop).abs() < 1e-12, "{left}, {right}: {}", parts.drop);
            assert_eq!((parts.logit, parts.mass), (whole.logit, whole.mass));
        }
    }

    #[test]
    fn a_weight_on_a_class_that_is_ruled_out_is_an_infinite_drop_wherever_it_stands() {
        for class in [0, 1, 5] {
            let mut weights = [0.5; 9];
            [0, 1, 5].into_iter().filter(|&other| other != class).for_each(|other| weights[other] = 0.0);
            let spread = ClassWeights::new(Some(&weights), 9).unwrap();
            for cut in 0..=9 {
                assert_eq!(state(&[cut], spread).drop, f64::INFINITY, "class {class}, cut at {cut}");
            }
        }
    }
}
