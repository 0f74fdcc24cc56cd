//! Products in which a factor of zero selects.

use super::{Kernel, dispatch};
use crate::Real;
use crate::math::mul_or_zero;

struct Weigh<'a, T> {
    values: &'a mut [T],
    weights: &'a [T],
}

impl<T: Real> Kernel for Weigh<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (value, &weight) in self.values.iter_mut().zip(self.weights) {
            *value = mul_or_zero(weight, *value);
        }
    }
}

/// Multiplies each value by its weight. One of zero leaves a zero, even of NaN.
pub(crate) fn mul_or_zero_all<T: Real>(values: &mut [T], weights: &[T]) {
    dispatch(Weigh { values, weights });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    #[test]
    fn a_weight_of_zero_selects_at_every_level() {
        for level in available() {
            let mut values: Vec<f32> = (0..75).map(|i| if i % 4 == 0 { f32::NAN } else { i as f32 }).collect();
            let weights: Vec<f32> = (0..75).map(|i| if i % 4 == 0 { 0.0 } else { 0.5 }).collect();
            run_at(level, Weigh { values: &mut values, weights: &weights });
            for (i, value) in values.into_iter().enumerate() {
                assert_eq!(value, if i % 4 == 0 { 0.0 } else { 0.5 * i as f32 }, "{i} at {level:?}");
            }
        }
    }
}
