//! Unit vectors: given ones, and random ones.

use ndarray::{Array2, ArrayRef2, ArrayViewMut1};

use crate::rowwise::RowLength;
use crate::{Real, Result, check};

/// `k` unit vectors in `d` dimensions, `[k, d]`, each direction being equally likely.
///
/// Normal numbers by Box and Muller, divided by their length. `random` gives numbers in `[0, 1)` from a generator of the
/// caller's: two for every two coordinates, `2 ⌈d/2⌉` for each vector. In one dimension they are 1 and -1.
///
/// # Errors
///
/// `d` is zero; a number that is not in `[0, 1)`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, transport::directions};
/// let mut numbers = [0.5, 0.25, 0.75, 0.0].into_iter().cycle();
/// let units = directions::<f64>(4, 3, || numbers.next().unwrap_or_default())?;
/// assert!(units.rows().into_iter().all(|unit| (unit.dot(&unit) - 1.0).abs() < 1e-15));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn directions<T: Real>(k: usize, d: usize, mut random: impl FnMut() -> f64) -> Result<Array2<T>> {
    T::directions(k, d, &mut random)
}

pub(in crate::transport) fn drawn<T: Real>(k: usize, d: usize, random: &mut dyn FnMut() -> f64) -> Result<Array2<T>> {
    check::parameter("d", d as f64, ">= 1", d > 0)?;
    let mut bad = None;
    let mut next = || {
        let number = random();
        bad = bad.or((!(0.0..1.0).contains(&number)).then_some(number));
        number
    };
    let mut units = Array2::zeros((k, d));
    for mut unit in units.rows_mut() {
        for mut pair in unit.axis_chunks_iter_mut(ndarray::Axis(0), 2) {
            let (share, turn) = (next(), std::f64::consts::TAU * next());
            // The smallest radius stands for all that a share of exactly 0 does, so that no vector is without direction.
            let radius = (-2.0 * (-share).ln_1p()).max(f64::EPSILON).sqrt();
            pair.iter_mut().zip([turn.cos(), turn.sin()]).for_each(|(to, side)| *to = radius * side);
        }
        normalize(unit);
    }
    bad.map_or(Ok(()), |number| check::parameter("random", number, "[0, 1)", false))?;
    Ok(units.mapv(T::from_f64))
}

/// The rows divided by their lengths, in `f64`.
pub(super) fn units<T: Real>(argument: &'static str, directions: &ArrayRef2<T>) -> Result<Array2<f64>> {
    let mut units = directions.mapv(T::as_f64);
    for (i, unit) in units.rows_mut().into_iter().enumerate() {
        RowLength::checked(argument, &[i], unit.view())?.normalize(unit);
    }
    Ok(units)
}

/// Divides by the length; false for a vector of zeros.
pub(super) fn normalize(vector: ArrayViewMut1<'_, f64>) -> bool {
    RowLength::of(vector.view()).map(|length| length.normalize(vector)).is_some()
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;
    use crate::testing::generator;

    #[test]
    fn every_direction_is_equally_likely() {
        for d in [1, 2, 3, 5] {
            let units = directions::<f64>(20_000, d, generator(d as u64)).unwrap();
            let squares = (&units * &units).sum_axis(Axis(1));
            assert!(squares.iter().all(|square| (square - 1.0).abs() < 1e-14));
            let covariance = units.t().dot(&units) / 20_000.0;
            for ((i, j), &c) in covariance.indexed_iter() {
                let expected = if i == j { 1.0 / d as f64 } else { 0.0 };
                assert!((c - expected).abs() < 0.02, "{d}: {covariance}");
            }
            assert!(units.mean_axis(Axis(0)).unwrap().iter().all(|mean| mean.abs() < 0.02));
            // E θ⁴ = 3 / (d (d + 2)) of the sphere alone.
            let fourth = units.column(0).mapv(|x| x.powi(4)).mean().unwrap();
            assert!((fourth - 3.0 / (d * (d + 2)) as f64).abs() < 0.02, "{d}: {fourth}");
        }
    }

    #[test]
    fn any_numbers_give_unit_vectors() {
        for number in [0.0, 0.25, 0.5, 1.0 - f64::EPSILON] {
            let units = directions::<f32>(3, 3, || number).unwrap();
            assert!(units.rows().into_iter().all(|unit| (unit.dot(&unit) - 1.0).abs() < 1e-6));
        }
        assert_eq!(directions::<f64>(0, 3, || 0.5).unwrap().dim(), (0, 3));
        for (number, shown) in [(1.0, "1"), (-0.5, "-0.5"), (f64::NAN, "NaN")] {
            let error = directions::<f64>(2, 2, || number).unwrap_err().to_string();
            assert_eq!(error, format!("`random` is {shown}, allowed is [0, 1)"));
        }
        assert_eq!(directions::<f64>(2, 0, || 0.5).unwrap_err().to_string(), "`d` is 0, allowed is >= 1");
    }

    #[test]
    fn lengths_are_divided_out_whatever_they_are() {
        let given = array![[3.0, 4.0], [3e200, -4e200], [0.0, 5e-324], [-3e-200, 4e-200]];
        let expected = array![[0.6, 0.8], [0.6, -0.8], [0.0, 1.0], [-0.6, 0.8]];
        let units = units("directions", &given).unwrap();
        assert!(units.iter().zip(&expected).all(|(got, expected): (&f64, &f64)| (got - expected).abs() < 1e-15));
    }
}
