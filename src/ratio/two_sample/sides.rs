//! What is common to statistics of two clouds: `w_xx Σ f(x, x') + w_yy Σ f(y, y') - w_xy Σ f(x, y)`.

use ndarray::{Array2, ArrayView2};

use crate::error::Position;
use crate::ratio::Samples;
use crate::ratio::pair_sums::{Pairs, Radial, Wanted, rows, total};
use crate::ratio::points::{Clouds, Points};
use crate::reduction::to_real;
use crate::{Error, Real, Result};

/// Both clouds.
pub(super) struct Sides {
    pub(super) clouds: Clouds<2>,
}

/// The weights of the three sums, and the pairs within a cloud that count.
pub(super) struct Weights {
    pub(super) real: f64,
    pub(super) fake: f64,
    pub(super) between: f64,
    pub(super) within: Pairs,
}

const NAMES: [&str; 2] = ["real", "fake"];

impl Sides {
    /// Points that are finite, of one dimension, and at least `least` on each side.
    pub(super) fn new<T: Real>(points: Samples<ArrayView2<'_, T>>, least: usize) -> Result<Self> {
        let Samples { real, fake } = points;
        for (argument, side) in NAMES.into_iter().zip([&real, &fake]) {
            match side.nrows() {
                0 => return Err(Error::Empty { argument }),
                n if n < least => {
                    let expected = vec![least, side.ncols()];
                    return Err(Error::Shape { argument, got: side.shape().to_vec(), expected });
                }
                _ => {}
            }
        }
        Ok(Self { clouds: Clouds::new(NAMES, [real, fake])? })
    }

    /// The means of all pairs, or of all pairs of two different points.
    pub(super) fn means(&self, within: Pairs) -> Weights {
        let [n, m] = self.clouds.points.each_ref().map(|points| points.len() as f64);
        let pairs = |n: f64| if within == Pairs::All { n * n } else { n * (n - 1.0) };
        Weights { real: 1.0 / pairs(n), fake: 1.0 / pairs(m), between: 2.0 / (n * m), within }
    }

    /// The statistic, in the unit of `f`.
    pub(super) fn value<R: Radial>(&self, radial: &R, weights: &Weights) -> f64 {
        let [x, y] = &self.clouds.points;
        let sum = |own: &Points, other: &Points, pairs| total(&rows(radial, own, other, pairs, Wanted::Value), 1);
        combine(weights, [sum(x, x, weights.within), sum(y, y, weights.within), sum(x, y, Pairs::All)])
    }

    /// The statistic, and its gradient in the scaled points.
    pub(super) fn gradient<R: Radial>(&self, radial: &R, weights: &Weights) -> (f64, Samples<Vec<f64>>) {
        let [x, y] = &self.clouds.points;
        let width = 1 + x.dimension();
        let of = |own: &Points, other: &Points, pairs| rows(radial, own, other, pairs, Wanted::Gradient);
        let (xx, yy) = (of(x, x, weights.within), of(y, y, weights.within));
        let (xy, yx) = (of(x, y, Pairs::All), of(y, x, Pairs::All));
        let value = combine(weights, [total(&xx, width), total(&yy, width), total(&xy, width)]);
        // Each pair within a cloud is there twice.
        let mix = |weight: f64, within: &[f64], between: &[f64]| {
            let both = within.iter().zip(between).enumerate().filter(|(i, _)| i % width > 0);
            both.map(|(_, (own, other))| 2.0 * weight * own - weights.between * other).collect()
        };
        (value, Samples { real: mix(weights.real, &xx, &xy), fake: mix(weights.fake, &yy, &yx) })
    }
}

fn combine(weights: &Weights, [xx, yy, xy]: [f64; 3]) -> f64 {
    (weights.real * xx + weights.fake * yy) - weights.between * xy
}

/// Numbers in the caller's type.
pub(super) fn laid_out<T: Real>(shape: [usize; 2], numbers: &[f64], argument: &'static str) -> Result<Array2<T>> {
    let mut out = Array2::zeros(shape);
    for ((at, to), &from) in out.indexed_iter_mut().zip(numbers) {
        *to = fitting(from, argument, [at.0, at.1])?;
    }
    Ok(out)
}

/// A number that finite points make.
pub(super) fn fitting<T: Real>(wide: f64, argument: &'static str, position: impl Into<Position>) -> Result<T> {
    match wide.is_finite() {
        true => to_real(wide, argument, position),
        false => Err(Error::overflow::<T>(argument, position)),
    }
}
