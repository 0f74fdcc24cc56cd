//! Sums over pairs of points, of a function of their distance: in blocks, so that no matrix of pairs exists.

use std::ops::Range;

use super::points::Points;
use crate::simd::{Kernel, dispatch, fold, join};
use crate::{parallel, reduction};

/// Pairs whose distances are formed at once.
const BLOCK: usize = 512;

/// Rows that make one job.
const ROWS: usize = 8;

/// A function of the distance, in the unit of the points.
pub(super) trait Radial: Sync {
    /// Value and slope at each distance.
    fn at<const FMA: bool>(&self, distances: &[f64], values: &mut [f64], slopes: &mut [f64]);
}

/// Which of the pairs of a cloud with another one count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairs {
    /// All.
    All,
    /// All but those of a point with itself.
    Others,
}

/// What is asked for of each row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Value,
    Gradient,
}

/// For each own point x the sum of `f(|x - y|)` over the other points y, and where asked for its gradient in x: rows of 1 or
/// of `1 + d` numbers. The bits depend on the order of the points alone.
pub(super) fn rows<R: Radial>(radial: &R, own: &Points, other: &Points, pairs: Pairs, wanted: Wanted) -> Vec<f64> {
    let width = if wanted == Wanted::Gradient { 1 + own.dimension() } else { 1 };
    let mut sums = vec![0.0; own.len() * width];
    let bytes = (8 * own.len() * other.len()).saturating_mul(own.dimension() + 4);
    let jobs = sums.chunks_mut(ROWS * width).enumerate().collect();
    parallel::for_each(jobs, bytes, |(job, rows): (usize, &mut [f64])| {
        for (i, sums) in rows.chunks_mut(width).enumerate() {
            let point = job * ROWS + i;
            dispatch(Row { radial, from: &own.at(point), other, ranges: ranges(pairs, point, other.len()), sums });
        }
    });
    sums
}

/// The sum of the values of such rows.
pub(super) fn total(rows: &[f64], width: usize) -> f64 {
    reduction::sum(&rows.iter().step_by(width).copied().collect::<Vec<_>>())
}

fn ranges(pairs: Pairs, point: usize, len: usize) -> [Range<usize>; 2] {
    match pairs {
        Pairs::All => [0..len, len..len],
        Pairs::Others => [0..point, point + 1..len],
    }
}

/// One row: a point against all others.
struct Row<'a, R> {
    radial: &'a R,
    from: &'a [f64],
    other: &'a Points,
    ranges: [Range<usize>; 2],
    sums: &'a mut [f64],
}

impl<R: Radial> Kernel for Row<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (mut distances, mut values, mut slopes) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        for range in self.ranges {
            for start in range.clone().step_by(BLOCK) {
                let block = start..range.end.min(start + BLOCK);
                let n = block.len();
                let (distances, values, slopes) = (&mut distances[..n], &mut values[..n], &mut slopes[..n]);
                self.other.squared_distances(self.from, block.clone(), distances);
                distances.iter_mut().for_each(|x| *x = x.sqrt());
                self.radial.at::<FMA>(distances, values, slopes);
                self.sums[0] += lane_sum(values);
                if self.sums.len() > 1 {
                    add_gradient(self.from, self.other, block, [distances, values, slopes], self.sums);
                }
            }
        }
    }
}

/// Adds `Σ f'(r) (x - y) / r`, of which a pair without a distance has none.
#[inline(always)]
fn add_gradient(from: &[f64], other: &Points, block: Range<usize>, rows: [&mut [f64]; 3], sums: &mut [f64]) {
    let [distances, products, slopes] = rows;
    for (slope, &r) in slopes.iter_mut().zip(&*distances) {
        *slope = if r == 0.0 { 0.0 } else { *slope / r };
    }
    for (k, (&x, sum)) in from.iter().zip(&mut sums[1..]).enumerate() {
        let ways = other.axis(k, block.clone()).iter().zip(&*slopes);
        products.iter_mut().zip(ways).for_each(|(product, (y, slope))| *product = slope * (x - y));
        *sum += lane_sum(products);
    }
}

#[inline(always)]
fn lane_sum(values: &[f64]) -> f64 {
    join(fold(values, 0.0, 0.0, |s, x| s + x), |a, b| a + b)
}
