//! Masses as whole numbers, so that flows are exact and a tie is a tie.

use crate::reduction;

/// Units that each side holds: a power of two that leaves `i64` room for all sums.
const TOTAL: f64 = (1_u64 << 60) as f64;

/// Both sides in whole units of about the 2⁶⁰th part of their total, at least one at each place, both with one sum.
///
/// Equal masses of a side have equal units, but for the largest of one side, which takes the difference that rounding
/// leaves between the sums. Masses are above zero.
pub(super) fn units(a: &[f64], b: &[f64]) -> (Vec<i64>, Vec<i64>) {
    let (mut a, mut b) = (side(a), side(b));
    let surplus = a.iter().sum::<i64>() - b.iter().sum::<i64>();
    let short = if surplus > 0 { &mut b } else { &mut a };
    if let Some(largest) = short.iter_mut().max() {
        *largest += surplus.abs();
    }
    (a, b)
}

fn side(masses: &[f64]) -> Vec<i64> {
    let total = reduction::sum(masses);
    masses.iter().map(|mass| ((mass / total * TOTAL).round() as i64).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_sum_alike_and_equal_masses_stay_equal() {
        for (n, m) in [(1, 1), (3, 7), (1000, 700), (7, 100_000)] {
            let (a, b) = units(&vec![1.0 / n as f64; n], &vec![0.3; m]);
            assert_eq!(a.iter().sum::<i64>(), b.iter().sum::<i64>());
            let distinct = |side: &[i64]| side.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert!(distinct(&a) <= 2 && distinct(&b) <= 2 && distinct(&a) + distinct(&b) <= 3);
        }
        let (a, b) = units(&[0.1; 10], &[0.1; 10]);
        assert_eq!(a, b);
    }

    #[test]
    fn no_place_is_left_without_a_unit() {
        let (a, b) = units(&[1.0, 1e-30, 5e-324], &[1e-300, 1.0]);
        assert!(a.iter().chain(&b).all(|&units| units >= 1));
        assert_eq!(a.iter().sum::<i64>(), b.iter().sum::<i64>());
        let (a, _) = units(&[1e300, 3e300], &[4e300]);
        assert_eq!(a, [1 << 58, 3 << 58]);
    }
}
