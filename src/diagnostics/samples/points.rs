//! Places in time and among agents, each looked at by itself.

use ndarray::{ArrayRef3, ArrayRef4, Axis};

use crate::error::Position;
use crate::{Error, Real, Result, check, parallel, reduction};

/// Places that make one job.
const PLACES: usize = 16;

/// What `f` finds at each of so many places, or the first error.
pub(super) fn each<R: Clone + Default + Send>(
    places: usize,
    bytes: usize,
    f: impl Fn(usize) -> Result<R> + Sync + Send,
) -> Result<Vec<R>> {
    let mut found = vec![R::default(); places];
    let jobs = found.chunks_mut(PLACES).enumerate().collect();
    parallel::try_for_each(jobs, bytes, |(job, found): (usize, &mut [R])| {
        found.iter_mut().enumerate().try_for_each(|(i, found)| {
            *found = f(job * PLACES + i)?;
            Ok(())
        })
    })?;
    Ok(found)
}

/// Samples `[N, T, A, d]`: none of N, T, A and d may be 0, and all coordinates must be finite.
pub(super) fn check_samples<T: Real>(samples: &ArrayRef4<T>) -> Result<()> {
    if samples.is_empty() {
        return Err(Error::Empty { argument: "samples" });
    }
    match samples.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(flat) => Err(not_finite("samples", samples.iter().nth(flat), Position::unravel(flat, samples.shape()))),
    }
}

/// The truth `[T, A, d]` of such samples.
pub(super) fn check_truth<T: Real>(truth: &ArrayRef3<T>, samples: &ArrayRef4<T>) -> Result<()> {
    check::shape("truth", truth.shape(), &samples.shape()[1..])?;
    match truth.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(flat) => Err(not_finite("truth", truth.iter().nth(flat), Position::unravel(flat, truth.shape()))),
    }
}

/// A number that finite input makes, in the type of the caller, which must hold it.
pub(super) fn fitting<T: Real>(wide: f64, argument: &'static str, position: impl Into<Position>) -> Result<T> {
    match wide.is_finite() {
        true => reduction::to_real(wide, argument, position),
        false => Err(Error::overflow::<f64>(argument, position)),
    }
}

/// The mean of finite numbers, which fits since it is never above the largest.
pub(super) fn mean(values: &[f64]) -> f64 {
    let largest = values.iter().fold(f64::NEG_INFINITY, |largest, &x| largest.max(x));
    let shares: Vec<f64> = values.iter().map(|x| x / values.len() as f64).collect();
    reduction::sum(&shares).min(largest)
}

pub(super) fn not_finite<T: Real>(argument: &'static str, value: Option<&T>, position: Position) -> Error {
    Error::Value { argument, position, value: value.map_or(f64::NAN, |x| x.as_f64()), allowed: "finite" }
}

/// The samples of one place, one after the other, and their mean.
pub(super) struct Cloud {
    pub(super) points: Vec<f64>,
    pub(super) mean: Vec<f64>,
}

impl Cloud {
    pub(super) fn new<T: Real>(samples: &ArrayRef4<T>, time: usize, agent: usize) -> Self {
        let (n, size) = (samples.len_of(Axis(0)), samples.len_of(Axis(3)));
        let place = samples.index_axis(Axis(1), time);
        let place = place.index_axis(Axis(1), agent);
        let points: Vec<f64> = place.iter().map(|x| x.as_f64()).collect();
        let column = |k: usize| points.iter().skip(k).step_by(size).map(|x| x / n as f64).collect::<Vec<_>>();
        let mean = (0..size).map(|k| crate::reduction::sum(&column(k))).collect();
        Self { points, mean }
    }

    /// `Σ (x - m)(x - m)ᵀ / divisor`, row by row.
    pub(super) fn covariance(&self, divisor: f64) -> Vec<f64> {
        let size = self.mean.len();
        let mut covariance = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let product = |point: &[f64]| (point[i] - self.mean[i]) * (point[j] - self.mean[j]) / divisor;
                let sum = crate::reduction::sum(&self.points.chunks(size).map(product).collect::<Vec<_>>());
                (covariance[i * size + j], covariance[j * size + i]) = (sum, sum);
            }
        }
        covariance
    }
}
