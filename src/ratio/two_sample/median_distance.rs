//! The median of all distances between points.

use ndarray::ArrayView2;

use super::sides::Sides;
use crate::error::Position;
use crate::ratio::Samples;
use crate::ratio::points::Points;
use crate::reduction::to_finite;
use crate::{Real, Result, parallel};

/// Median of the distances between any two of the points of both sides together: the usual width of a kernel.
///
/// Of an even number of pairs it is the lower of the two in the middle, as in torch. Found exactly by counting, in six
/// passes over the pairs, and no list of them exists. It is 0 where more than half of the pairs coincide; no kernel
/// takes that for a width. Some authors put the median in the place of `2 w²`, or its square: `width` is `w`.
///
/// # Errors
///
/// As [`energy_distance`](super::energy_distance()).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::two_sample::median_distance;
/// let (x, y) = (array![[0.0_f64], [1.0]], array![[5.0]]);
/// assert_eq!(median_distance(Samples { real: x.view(), fake: y.view() })?, 4.0); // of 1, 4, 5
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Garreau, Jitkrittum and Kanagawa, Large sample analysis of the median heuristic, 2017,
/// [arXiv:1707.07269](https://arxiv.org/abs/1707.07269).
#[doc(alias = "median heuristic")]
pub fn median_distance<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<T> {
    T::median_distance(points)
}

/// Bits that a pass decides on.
const DIGIT: u32 = 11;

/// Jobs of a pass, each with its own counts.
const JOBS: usize = 16;

pub(in crate::ratio) fn median<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<T> {
    let Sides { clouds } = Sides::new(points, 1)?;
    let [x, y] = &clouds.points;
    let n = (x.len() + y.len()) as u64;
    let mut rank = (n * (n - 1) / 2 - 1) / 2;
    let mut prefix = 0;
    for shift in (0..6).rev().map(|digit| digit * DIGIT) {
        let counts = counted([x, y], prefix, shift);
        let mut digit = 0;
        while rank >= counts[digit] {
            rank -= counts[digit];
            digit += 1;
        }
        prefix |= (digit as u64) << shift;
    }
    to_finite(f64::from_bits(prefix).sqrt() * clouds.unit, "real", Position::default())
}

/// How many of the squared distances that begin with these bits have which digit next.
fn counted(clouds: [&Points; 2], prefix: u64, shift: u32) -> Vec<u64> {
    let all = clouds[0].len() + clouds[1].len();
    let mut counts = vec![vec![0_u64; 1 << DIGIT]; JOBS];
    let bytes = (4 * all * all).saturating_mul(clouds[0].dimension() + 1);
    parallel::for_each(counts.iter_mut().enumerate().collect(), bytes, |(job, counts)| {
        let mut squares = vec![0.0; all];
        for row in (job..all).step_by(JOBS) {
            let later = later(clouds, row, &mut squares);
            // Numbers from 0 on have the order of their bits.
            let bits = later.iter().map(|square| square.to_bits());
            let same = bits.filter(|bits| (bits ^ prefix).checked_shr(shift + DIGIT).unwrap_or(0) == 0);
            same.for_each(|bits| counts[(bits >> shift) as usize % (1 << DIGIT)] += 1);
        }
    });
    let mut counts = counts.into_iter();
    let first = counts.next().unwrap_or_default();
    counts.fold(first, |mut sum, counts| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    })
}

/// The squared distances of a point to those after it, both sides in one row.
fn later<'a>([x, y]: [&Points; 2], row: usize, squares: &'a mut [f64]) -> &'a [f64] {
    let (n, m) = (x.len(), y.len());
    if row >= n {
        let from = y.at(row - n);
        let squares = &mut squares[..n + m - row - 1];
        y.squared_distances(&from, row - n + 1..m, squares);
        return squares;
    }
    let (from, squares) = (x.at(row), &mut squares[..n + m - row - 1]);
    let (own, other) = squares.split_at_mut(n - row - 1);
    x.squared_distances(&from, row + 1..n, own);
    y.squared_distances(&from, 0..m, other);
    squares
}
