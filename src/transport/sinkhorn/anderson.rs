//! Extrapolation of an iteration towards its fixed point (Anderson 1965), which takes back what does not help and gives way
//! to the plain iteration where it leads nowhere.

use std::collections::VecDeque;

use super::lanes::WeightedProduct;
use crate::simd::dispatch;

/// Differences that are remembered.
const MEMORY: usize = 16;

/// What keeps the least squares solvable where differences are nearly dependent, relative to their squares.
const RIDGE: f64 = 1e-12;

/// How much larger than the least so far an error may be after an extrapolation: the way down is not monotone.
const SLACK: f64 = 4.0;

/// How far an extrapolation may lead, in units of the regularization and beside the residual: where the iteration is not yet
/// linear, differences point far and wrong.
const REACH: f64 = 8.0;

/// Rounds in which extrapolations must bring the least error down to this share of itself.
const PATIENCE: usize = 4 * MEMORY;
const PROGRESS: f64 = 0.9;

/// Plain rounds after extrapolations that made no progress.
const RESPITE: usize = 16;

/// The past of an iteration `p <- p + r(p)`.
///
/// Near its fixed point the iteration is linear, and symmetric in the product that weighs with the marginal: combining the
/// last differences so that the residual is least does in `√n` rounds what takes `n` without. A step after which the error
/// is much larger is taken back and the plain one taken in its place, with which the error never grows.
///
/// Further away extrapolations may wander about at an error that none of them makes less. Then plain rounds start from
/// the last point that was progress, and if after them extrapolations again lead nowhere, twice as many: so the end is
/// reached wherever the plain iteration reaches it.
pub(super) struct Anderson {
    weights: Vec<f64>,
    /// Differences of potentials and of residuals, the latest last.
    past: VecDeque<[Vec<f64>; 2]>,
    last: Option<Last>,
    /// The least error so far.
    least: f64,
    /// Rounds of extrapolations since the least error was this, and the plain step from where that was.
    watch: (usize, f64),
    anchor: Vec<f64>,
    /// Plain rounds that are still to come, and how many are to follow when extrapolations lead nowhere.
    plain: usize,
    respite: usize,
}

/// The last point that was kept.
struct Last {
    potential: Vec<f64>,
    residual: Vec<f64>,
    /// Whether what followed was more than its residual.
    is_extrapolated: bool,
}

impl Anderson {
    /// With the weights of the marginal.
    pub(super) fn new(weights: Vec<f64>) -> Self {
        Self {
            weights,
            past: VecDeque::new(),
            last: None,
            least: f64::INFINITY,
            watch: (0, f64::INFINITY),
            anchor: Vec::new(),
            plain: 0,
            respite: RESPITE,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(std::mem::take(&mut self.weights));
    }

    /// The next potential after one with this residual and error.
    pub(super) fn advance(&mut self, potential: &mut [f64], residual: Vec<f64>, error: f64) {
        self.least = self.least.min(error);
        self.watch.0 += 1;
        if self.plain > 0 {
            self.plain -= 1;
            self.anchor = sum(potential, &residual);
            self.watch = (0, self.least);
            return potential.copy_from_slice(&self.anchor);
        }
        if self.least <= PROGRESS * self.watch.1 {
            self.anchor = sum(potential, &residual);
            self.watch = (0, self.least);
            self.respite = RESPITE;
        } else if self.watch.0 > PATIENCE {
            self.plain = self.respite;
            self.respite *= 2;
            self.past.clear();
            self.last = None;
            return potential.copy_from_slice(&self.anchor);
        }
        self.extrapolate(potential, residual, error);
    }

    fn extrapolate(&mut self, potential: &mut [f64], residual: Vec<f64>, error: f64) {
        if let Some(last) = &mut self.last {
            if last.is_extrapolated && (error > SLACK * self.least || error.is_nan()) {
                self.past.clear();
                last.is_extrapolated = false;
                return potential.copy_from_slice(&sum(&last.potential, &last.residual));
            }
            if self.past.len() == MEMORY {
                self.past.pop_front();
            }
            let steps = difference(potential, &last.potential);
            self.past.push_back([steps, difference(&residual, &last.residual)]);
        }
        let shares = self.shares(&residual);
        let before = potential.to_vec();
        let mut beyond = vec![0.0; potential.len()];
        for (share, [steps, changes]) in shares.iter().zip(&self.past) {
            for ((beyond, step), change) in beyond.iter_mut().zip(steps).zip(changes) {
                *beyond -= share * (step + change);
            }
        }
        let reach = REACH * (1.0 + largest(&residual));
        let scale = (reach / largest(&beyond)).min(1.0);
        for ((p, r), beyond) in potential.iter_mut().zip(&residual).zip(&beyond) {
            *p += r + scale * beyond;
        }
        let is_extrapolated = !shares.is_empty();
        self.last = Some(Last { potential: before, residual, is_extrapolated });
    }

    /// How much of each difference of residuals makes the residual least; nothing where that is not determined.
    fn shares(&self, residual: &[f64]) -> Vec<f64> {
        let product = |left: &[f64], right: &[f64]| dispatch(WeightedProduct { left, right, weights: &self.weights });
        let n = self.past.len();
        let mut rows: Vec<Vec<f64>> = (self.past.iter())
            .map(|[_, left]| {
                let mut row: Vec<f64> = self.past.iter().map(|[_, right]| product(left, right)).collect();
                row.push(product(left, residual));
                row
            })
            .collect();
        let largest = (0..n).map(|k| rows[k][k]).fold(0.0, f64::max);
        (0..n).for_each(|k| rows[k][k] += RIDGE * largest);
        solve(rows).filter(|shares| shares.iter().all(|share| share.is_finite())).unwrap_or_default()
    }
}

/// `A x = b` with a symmetric positive `A` beside `b`, by elimination.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let n = rows.len();
    for k in 0..n {
        let pivot = rows[k][k];
        if pivot <= 0.0 || pivot.is_nan() {
            return None;
        }
        let (above, below) = rows.split_at_mut(k + 1);
        for row in below {
            let factor = row[k] / pivot;
            row.iter_mut().zip(&above[k]).for_each(|(entry, above)| *entry -= factor * above);
        }
    }
    let mut x = vec![0.0; n];
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|j| rows[k][j] * x[j]).sum();
        x[k] = (rows[k][n] - rest) / rows[k][k];
    }
    Some(x)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| f64::max(largest, value.abs()))
}

fn sum(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left + right).collect()
}

fn difference(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left - right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds until the residual of `p <- p + M (c - p)` is small, `M` diagonal between 0.01 and 1.
    fn rounds(is_plain: bool) -> usize {
        let (n, target) = (12, |i: usize| (i as f64).cos());
        let (mut p, mut anderson) = (vec![0.0; n], Anderson::new(vec![1.0 / n as f64; n]));
        for round in 1.. {
            let residual: Vec<f64> = (0..n).map(|i| (0.01 + 0.09 * i as f64) * (target(i) - p[i])).collect();
            let error = largest(&residual);
            if error < 1e-12 {
                return round;
            }
            if is_plain {
                p.iter_mut().zip(residual).for_each(|(p, r)| *p += r);
            } else {
                anderson.advance(&mut p, residual, error);
            }
        }
        unreachable!("it converges")
    }

    #[test]
    fn a_linear_iteration_ends_in_about_as_many_rounds_as_it_has_rates() {
        assert!(rounds(false) <= 25, "{}", rounds(false));
        assert!(rounds(true) > 1_000);
    }

    #[test]
    fn a_step_that_makes_it_worse_is_taken_back() {
        let (mut p, mut anderson) = (vec![0.0], Anderson::new(vec![1.0]));
        anderson.advance(&mut p, vec![1.0], 1.0);
        assert_eq!(p, [1.0]);
        anderson.advance(&mut p, vec![0.75], 0.75);
        assert!(p[0] > 2.0, "{p:?}"); // extrapolated beyond 1.75
        anderson.advance(&mut p, vec![-9.0], 9.0);
        assert_eq!(p, [1.75]);
    }

    #[test]
    fn differences_that_say_nothing_are_left_out() {
        let (mut p, mut anderson) = (vec![0.0], Anderson::new(vec![1.0]));
        for round in 1..5 {
            anderson.advance(&mut p, vec![0.5], 0.5);
            assert_eq!(p, [0.5 * f64::from(round)]);
        }
    }
}
