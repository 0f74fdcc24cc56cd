//! Mixture proportions of greatest likelihood, by an interior-point method with a proven gap.

use ndarray::{Array2, ArrayView2, Axis};

use super::features::gram;
use crate::factor::Factor;

/// The proportions found.
pub(super) struct Proportions {
    /// Above 0, with the sum 1.
    pub(super) weights: Vec<f64>,
    /// What the mean log-likelihood falls short of its maximum by, at most.
    pub(super) gap: f64,
    pub(super) steps: u32,
}

/// What remains of the way to the boundary in a step.
const TO_BOUNDARY: f64 = 0.995;

/// How far each step lowers the product of weights and multipliers.
const CENTERING: f64 = 0.1;

/// Maximizes the mean of `ln (A w)` over `w >= 0`, `Σ w = 1`; none where the steps run out.
///
/// It is the minimum of `-mean ln (A w) + Σ w` over `w >= 0`, which Newton's method approaches from within: the conditions
/// `1 - g = z`, `w z = μ` with μ falling to 0, for `g = mean A / (A w)`. By Jensen's inequality no proportions are better by
/// more than `ln max g` (at `Σ w = 1`), so the end is proven, whatever the way. All entries of `A` are `>= 0` and no
/// row is 0.
pub(super) fn proportions(matrix: &Array2<f64>, tolerance: f64, most: u32) -> Option<Proportions> {
    let mut matrix = matrix.clone();
    // A factor of a row changes nothing.
    for mut row in matrix.rows_mut() {
        let top = row.iter().fold(0.0_f64, |top, &x| top.max(x));
        row.mapv_inplace(|x| x / top);
    }
    let size = matrix.ncols();
    let mut weights = vec![1.0 / size as f64; size];
    let mut multipliers: Vec<f64> =
        slopes(&shares(&matrix, &weights)).iter().map(|g| 1.0 + (1.0 - g).max(0.0)).collect();
    for steps in 0..=most {
        let shares = shares(&matrix, &weights);
        let slopes = slopes(&shares);
        let total: f64 = weights.iter().sum();
        let gap = (total * slopes.iter().fold(0.0_f64, |top, &g| top.max(g))).ln().max(0.0);
        if gap <= tolerance {
            weights.iter_mut().for_each(|w| *w /= total);
            return Some(Proportions { weights, gap, steps });
        }
        step(&shares, &slopes, &mut weights, &mut multipliers)?;
    }
    None
}

/// `A / (A w)`, row by row.
fn shares(matrix: &Array2<f64>, weights: &[f64]) -> Array2<f64> {
    let mut shares = matrix.clone();
    for mut row in shares.rows_mut() {
        let mixed: f64 = row.iter().zip(weights).map(|(a, w)| a * w).sum();
        row.mapv_inplace(|a| a / mixed);
    }
    shares
}

/// `g`: the mean of each column.
fn slopes(shares: &Array2<f64>) -> Vec<f64> {
    super::features::column_means(shares).to_vec()
}

/// One step of Newton's method, as far as all stay above 0. None where its matrix is singular by rounding.
fn step(shares: &Array2<f64>, slopes: &[f64], weights: &mut [f64], multipliers: &mut [f64]) -> Option<()> {
    let size = weights.len();
    let product: f64 = weights.iter().zip(&*multipliers).map(|(w, z)| w * z).sum();
    let center = CENTERING * product / size as f64;
    let mut matrix = gram(shares, shares.len_of(Axis(0)) as f64);
    for (x, (w, z)) in matrix.diag_mut().iter_mut().zip(weights.iter().zip(&*multipliers)) {
        *x += z / w;
    }
    let factor = Factor::of(matrix.into_raw_vec_and_offset().0, size).ok()?;
    let mut move_weights: Vec<f64> = slopes.iter().zip(&*weights).map(|(g, w)| g - 1.0 + center / w).collect();
    factor.solve(&mut move_weights);
    let move_of = |((w, z), dw): ((&f64, &f64), &f64)| center / w - z - z / w * dw;
    let move_multipliers: Vec<f64> = weights.iter().zip(&*multipliers).zip(&move_weights).map(move_of).collect();
    let length = room(weights, &move_weights).min(room(multipliers, &move_multipliers));
    advance(weights, &move_weights, length);
    advance(multipliers, &move_multipliers, length);
    Some(())
}

/// How much of a move keeps every number above 0, at most all of it.
fn room(numbers: &[f64], moves: &[f64]) -> f64 {
    let ends = numbers.iter().zip(moves).filter(|(_, by)| **by < 0.0).map(|(x, by)| -TO_BOUNDARY * x / by);
    ends.fold(1.0, f64::min)
}

fn advance(numbers: &mut [f64], moves: &[f64], length: f64) {
    numbers.iter_mut().zip(moves).for_each(|(x, by)| *x += length * by);
}

/// The mean of `ln (A w)`.
pub(super) fn mean_log(matrix: ArrayView2<'_, f64>, weights: &[f64]) -> f64 {
    let log = |row: ndarray::ArrayView1<'_, f64>| row.iter().zip(weights).map(|(a, w)| a * w).sum::<f64>().ln();
    let logs: Vec<f64> = matrix.rows().into_iter().map(log).collect();
    crate::reduction::sum(&logs) / logs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cases, generator};

    /// Entries over many magnitudes, columns in pairs that are equal, rows of few entries: the gap is closed in few steps.
    #[test]
    fn hard_matrices_are_solved_to_the_gap() {
        let mut next = generator(5);
        for case in 0..cases(300) {
            let (rows, columns) = (1 + (200.0 * next()) as usize, 1 + (40.0 * next()) as usize);
            let matrix = Array2::from_shape_fn((rows, columns), |(_, l)| match case % 4 {
                0 => next(),
                1 => (80.0 * (next() - 0.5)).exp(),
                2 => f64::from(u8::from(l == 0 || next() < 0.2)) * (1e-3 + next()),
                _ => 0.1 + ((l / 2) as f64 * 0.7 + next()).sin().abs(),
            });
            let found = proportions(&matrix, 1e-9, 60).unwrap_or_else(|| panic!("case {case}"));
            assert!(found.steps <= 40 && found.gap <= 1e-9, "case {case}: {} steps", found.steps);
            assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            // No neighbor is better by more than the gap.
            let best = mean_log(matrix.view(), &found.weights);
            for _ in 0..20 {
                let moved: Vec<f64> = found.weights.iter().map(|w| w * (1.0 + 0.1 * next())).collect();
                let total: f64 = moved.iter().sum();
                let moved: Vec<f64> = moved.iter().map(|w| w / total).collect();
                assert!(mean_log(matrix.view(), &moved) <= best + 1e-9 + 1e-12);
            }
        }
    }
}
