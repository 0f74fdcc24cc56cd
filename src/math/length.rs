//! The length of a vector in `f64`.

use std::ops::Range;

/// Sums of squares that have neither overflown nor lost anything below the range of the type.
pub(crate) const SAFE: Range<f64> = 1e-280..1e300;

/// Euclidean length, also where the sum of squares overflows or vanishes before the root is taken.
pub(crate) fn length(elements: impl Iterator<Item = f64> + Clone) -> f64 {
    let sum = elements.clone().fold(0.0, |sum, d| sum + d * d);
    if SAFE.contains(&sum) { sum.sqrt() } else { scaled_length(elements) }
}

fn scaled_length(elements: impl Iterator<Item = f64>) -> f64 {
    let (scale, sum) = elements.map(f64::abs).fold((0.0, 0.0), |(scale, sum): (f64, f64), d| match d {
        0.0 => (scale, sum),
        d if d > scale => (d, 1.0 + sum * (scale / d).powi(2)),
        d => (scale, sum + (d / scale).powi(2)),
    });
    scale * sum.sqrt()
}
