//! How far the loss of a token is from the true one: a table over kinds of rows, vocabularies, types and instruction sets.
//!
//! Exact values come from mpmath (`scripts/loss_reference.py`). `cargo test --lib loss_error -- --nocapture` prints it.

mod rows;

use ndarray::{Array2, array};

use super::{CrossEntropy, TokenObjective, token_log_probs};
use crate::diagnostics::TokenStats;
use crate::simd::{available, with_level};
use crate::{Real, Reduction};
use rows::ROWS;

/// A row of logits that are made here and in the script alike, and its exact loss.
struct Row {
    kind: &'static str,
    classes: usize,
    /// Classes with a logit of their own.
    lifts: &'static [(usize, f64)],
    target: usize,
    /// Of the logits rounded to `f32`.
    single: f64,
    /// Of the logits in `f64`: an unevaluated sum.
    double: (f64, f64),
}

const fn row(
    kind: &'static str,
    classes: usize,
    lifts: &'static [(usize, f64)],
    target: usize,
    single: f64,
    double: (f64, f64),
) -> Row {
    Row { kind, classes, lifts, target, single, double }
}

impl Row {
    fn logits<T: Real>(&self) -> Array2<T> {
        let mut logits = Array2::from_shape_fn((1, self.classes), |(_, v)| T::from_f64(normal(v as u64)));
        self.lifts.iter().for_each(|&(place, logit)| logits[[0, place]] = T::from_f64(logit));
        logits
    }
}

/// A number of mean 0 and standard deviation 3: the sum of twelve of 16 bits, and 53 bits far below.
fn normal(v: u64) -> f64 {
    let words = [1, 2, 3, 4].map(|i| mix(4 * v + i));
    let quarters = words[..3].iter().flat_map(|word| [0, 16, 32, 48].map(|shift| word >> shift & 0xffff));
    3.0 * (quarters.sum::<u64>() as f64 / 65_536.0 - 6.0) + (words[3] >> 11) as f64 * (-67.0_f64).exp2()
}

/// The finalizer of SplitMix64.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The loss by every route, each with its name.
fn losses<T: Real>(row: &Row, logits: &Array2<T>) -> [(&'static str, T); 5] {
    let (loss, targets) = (CrossEntropy::default(), array![row.target]);
    let mut replaced = logits.clone();
    [
        ("each", loss.each(logits, &targets).unwrap()[0]),
        ("token_log_probs", -token_log_probs(logits, &targets).unwrap()[0]),
        ("grad", loss.grad(logits, &targets, Reduction::Sum).unwrap().0),
        ("grad_in_place", loss.grad_in_place(&mut replaced, &targets, Reduction::Sum).unwrap()),
        ("TokenStats", -TokenStats::default().each(logits, &targets).unwrap().log_prob[0]),
    ]
}

/// Distance of neighbors of a type with this epsilon at a number.
fn ulp(epsilon: f64, x: f64) -> f64 {
    f64::from_bits(x.abs().to_bits() & (0x7ff << 52)) * epsilon
}

/// What is allowed of a kind: units in the last place, and relative error.
struct Bound {
    ulps: f64,
    relative: f64,
}

/// Measures every row at every level, prints the worst of each, and holds it against its bound.
fn check<T: Real>(exact: fn(&Row) -> (f64, f64), bound: impl Fn(&Row) -> Bound) {
    println!("{} {:34} {:>7} {:>13} {:>8} {:>9}  worst at", T::NAME, "kind", "classes", "loss", "ulps", "relative");
    let (epsilon, mut faults) = (T::epsilon().as_f64(), Vec::new());
    for row in ROWS {
        let (logits, (hi, lo), bound) = (row.logits::<T>(), exact(row), bound(row));
        let mut worst = (0.0, String::new());
        for level in available() {
            for (route, got) in with_level(level, || losses(row, &logits)) {
                let error = ((got.as_f64() - hi) - lo).abs();
                if error > worst.0 || error.is_nan() {
                    worst = (error, format!("{route}, {level:?}"));
                }
            }
        }
        let (ulps, relative) = (worst.0 / ulp(epsilon, hi), worst.0 / hi);
        let Row { kind, classes, .. } = row;
        let line = format!("{} {kind:34} {classes:>7} {hi:>13.6e} {ulps:>8.3} {relative:>9.2e}  {}", T::NAME, worst.1);
        println!("{line}");
        if !(ulps <= bound.ulps && relative <= bound.relative) {
            faults.push(line);
        }
    }
    assert!(faults.is_empty(), "beyond their bounds:\n{}", faults.join("\n"));
}

/// Where the target has almost all the mass, the loss is as good as a sum of exponentials, and relative to them.
#[test]
fn the_loss_of_single_precision_is_the_true_one_to_its_last_digit() {
    let ulps = |row: &Row| if row.kind.starts_with("target certain") { f64::INFINITY } else { 1.0 };
    check::<f32>(|row| (row.single, 0.0), |row| Bound { ulps: ulps(row), relative: 2e-6 });
}

/// Sums over many blocks round as often, which shows where the loss is no larger than they are.
#[test]
fn the_loss_of_double_precision_is_the_true_one_to_its_last_digits() {
    let ulps = |row: &Row| if row.kind.starts_with("normal") { 2.0 } else { f64::INFINITY };
    check::<f64>(|row| row.double, |row| Bound { ulps: ulps(row), relative: 4e-15 });
}

#[test]
fn the_rows_reach_from_a_certain_target_to_one_of_no_mass() {
    for classes in [10, 1000, 32_000, 128_256] {
        let losses = || ROWS.iter().filter(|row| row.classes == classes).map(|row| row.single);
        assert!(losses().count() >= 18 && losses().any(|loss| loss < 1.01e-12) && losses().any(|loss| loss > 90.0));
    }
}
