//! How likely two draws of the same token are: the log of the sum of squared probabilities.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};
use num_traits::Zero;

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::rowwise::{BLOCK, RowReader, Rows, for_each_block, improper};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result};

/// Logarithm of the expected probability of a token: `ln Σ p²` of each row.
///
/// ```math
/// c_i = \ln \sum_v p_{iv}^2 = \operatorname{lse}(2 x_i) - 2 \operatorname{lse}(x_i)
/// ```
///
/// `logits` has any shape `[.., V]`; the result has the shape without the last axis. It is 0 for a certain token and
/// `-ln V` for `V` equally likely ones, and does not depend on a shift of the logits. Rényi's entropy of order 2 is its
/// opposite. [`Wpo`](crate::preference::Wpo) weighs responses by it, without a gradient.
///
/// # Errors
///
/// [`Error::Value`] for NaN, +inf, or a row of nothing but -inf; [`Error::Empty`] without classes; [`Error::Overflow`] for
/// a row whose doubled logits leave the type.
///
/// # Examples
///
/// ```
/// # use loglik::{logits::log_collision, ndarray::array};
/// let c = log_collision(&array![[0.2_f64, 0.4, -0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])?;
/// assert!((c[0] + 1.348_661_890_038_846).abs() < 1e-14);
/// assert!((c[1] + 4.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn log_collision<E: Element, D: Dimension>(logits: &ArrayRef<E, D>) -> Result<Array<E::Real, D::Smaller>> {
    Ok(in_dimension(E::log_collision(logits.view().into_dyn())?))
}

/// [`log_collision`] of any number of axes.
pub(super) fn collisions<E: Element>(logits: ArrayViewD<'_, E>) -> Result<ArrayD<E::Real>> {
    let rows = Rows::new("logits", &logits)?;
    let leading = &logits.shape()[..logits.ndim() - 1];
    let mut values = ArrayD::from_elem(leading, E::Real::zero());
    let scratch = || vec![E::Real::zero(); BLOCK.min(rows.width())];
    let (jobs, two) = (rows.jobs(1).of_work(2 * rows.bytes()), E::Real::from_f64(2.0));
    jobs.each_value_with(values.as_slice_mut().unwrap_or_default(), scratch, |doubled, index, value| {
        let (mut once, mut twice) = (RowSum::new(), RowSum::new());
        for_each_block(rows.row(index), |block| {
            let doubled = &mut doubled[..block.len()];
            doubled.iter_mut().zip(block).for_each(|(to, &x)| *to = two * x);
            once.push(block);
            twice.push(doubled);
        });
        if !once.is_proper() {
            return Err(improper("logits", leading, index, rows.row(index)));
        }
        if !twice.is_proper() {
            return Err(Error::overflow::<E::Real>("logits", Position::unravel(index, leading)));
        }
        *value = E::Real::from_f64((twice.log_sum_exp() - 2.0 * once.log_sum_exp()).min(0.0));
        Ok(())
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn it_is_the_sum_of_squares() {
        let logits = Array2::from_shape_fn((7, 2500), |(i, v)| ((i * 37 + v * 101) % 83) as f64 / 9.0);
        for (row, got) in logits.rows().into_iter().zip(log_collision(&logits).unwrap()) {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            let expected = row.iter().map(|x| (x.exp() / total).powi(2)).sum::<f64>().ln();
            assert!((got - expected).abs() < 1e-12, "{got}, {expected}");
        }
        let narrow = log_collision(&logits.mapv(|x| x as f32)).unwrap();
        let mut fortran = Array2::zeros((7, 2500).f());
        fortran.assign(&logits);
        assert_eq!(log_collision(&fortran), log_collision(&logits));
        assert!(narrow.iter().zip(log_collision(&logits).unwrap()).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-6));
    }

    #[test]
    fn a_certain_token_collides_for_sure() {
        let c = log_collision(&array![[5.0, -INF, -INF], [1e4, 0.0, 0.0], [-1e4, -INF, -1e4]]).unwrap();
        assert_eq!((c[0], c[1]), (0.0, 0.0));
        assert!((c[2] + std::f64::consts::LN_2).abs() < 1e-11);
    }

    #[test]
    fn what_is_no_distribution_is_named() {
        let message = |row: [f64; 2]| log_collision(&array![[0.0, 0.0], [row[0], row[1]]]).unwrap_err().to_string();
        assert_eq!(message([0.0, f64::NAN]), "`logits`[1, 1] is NaN, allowed is finite or -inf");
        assert!(message([-INF, -INF]).starts_with("`logits`[1] is -inf"));
        assert_eq!(message([1.7e308, 0.0]), "the result at `logits`[1] overflows f64");
    }
}
