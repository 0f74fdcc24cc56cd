//! The leave-one-out score of a least-squares fit, without a refit.

use ndarray::{Array2, ArrayView2};

use super::RuLsif;
use super::features::{column_means, read};
use crate::error::Position;
use crate::factor::Factor;
use crate::ratio::Samples;
use crate::reduction::{self, to_finite};
use crate::{Error, Real, Result, parallel};

/// Samples that make one job.
const BLOCK: usize = 16;

/// [`RuLsif::leave_one_out`].
pub(in crate::ratio) fn score<T: Real>(rulsif: &RuLsif, features: Samples<ArrayView2<'_, T>>) -> Result<T> {
    rulsif.check()?;
    let features = read(features)?;
    let without = Without::new::<T>(rulsif, &features)?;
    let n = features.real.nrows().min(features.fake.nrows());
    let mut terms = vec![0.0; n];
    let bytes = (8 * n).saturating_mul(features.real.ncols().pow(2));
    let jobs = terms.chunks_mut(BLOCK).enumerate().collect();
    parallel::for_each(jobs, bytes, |(job, terms): (usize, &mut [f64])| {
        terms.iter_mut().enumerate().for_each(|(i, term)| *term = without.term(job * BLOCK + i));
    });
    to_finite(reduction::sum(&terms) / n as f64, "lambda", Position::default())
}

/// What all samples share: `A = H + λI` with `n - 1` and `m - 1` in the place of the counts.
struct Without<'a> {
    rulsif: &'a RuLsif,
    features: &'a Samples<Array2<f64>>,
    factor: Factor,
    /// `Σ φ(x) / (n - 1)` over the numerator.
    mean: Vec<f64>,
    counts: Samples<f64>,
}

impl<'a> Without<'a> {
    fn new<T: Real>(rulsif: &'a RuLsif, features: &'a Samples<Array2<f64>>) -> Result<Self> {
        for (argument, side) in [("real", &features.real), ("fake", &features.fake)] {
            if side.nrows() < 2 {
                return Err(Error::Shape { argument, got: side.shape().to_vec(), expected: vec![2, side.ncols()] });
            }
        }
        let n = features.real.nrows() as f64;
        let counts = Samples { real: n - 1.0, fake: features.fake.nrows() as f64 - 1.0 };
        let factor = rulsif.factor::<T>(features, counts)?;
        let mean = column_means(&features.real).iter().map(|mean| mean * (n / (n - 1.0))).collect();
        Ok(Self { rulsif, features, factor, mean, counts })
    }

    /// The criterion at the `i`-th samples, with `θ = (A - u uᵀ - v vᵀ)⁻¹ h` for `u` and `v` the scaled features of these.
    fn term(&self, i: usize) -> f64 {
        let (alpha, [p, q]) = (self.rulsif.alpha, [self.row(&self.features.real, i), self.row(&self.features.fake, i)]);
        // Whitened: inner products are those with A⁻¹.
        let mut h: Vec<f64> = self.mean.iter().zip(&p).map(|(mean, p)| mean - p / self.counts.real).collect();
        let (mut white_p, mut white_q) = (p, q);
        [&mut h, &mut white_p, &mut white_q].into_iter().for_each(|x| self.factor.whiten(x));
        let (a, b) = (alpha / self.counts.real, (1.0 - alpha) / self.counts.fake);
        let (pp, pq, qq) = (dot(&white_p, &white_p), dot(&white_p, &white_q), dot(&white_q, &white_q));
        let (ph, qh) = (dot(&white_p, &h), dot(&white_q, &h));
        // [r(x_p), r(x_q)] = (I - G D)⁻¹ [φ_pᵀ A⁻¹ h, φ_qᵀ A⁻¹ h], with G the Gram matrix and D = diag(a, b).
        let determinant = (1.0 - a * pp) * (1.0 - b * qq) - a * b * pq * pq;
        let at_p = ((1.0 - b * qq) * ph + b * pq * qh) / determinant;
        let at_q = (a * pq * ph + (1.0 - a * pp) * qh) / determinant;
        0.5 * (alpha * at_p * at_p + (1.0 - alpha) * at_q * at_q) - at_p
    }

    fn row(&self, side: &Array2<f64>, i: usize) -> Vec<f64> {
        side.row(i).to_vec()
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;
    use crate::testing::{close, generator};

    fn features(rows: usize, seed: u64) -> Array2<f64> {
        let mut next = generator(seed);
        Array2::from_shape_simple_fn((rows, 3), || next() - 0.3)
    }

    fn without(side: &Array2<f64>, i: usize) -> Array2<f64> {
        let rest: Vec<usize> = (0..side.nrows()).filter(|&row| row != i).collect();
        side.select(Axis(0), &rest)
    }

    #[test]
    fn the_score_is_that_of_explicit_refits() {
        for (n, m, alpha) in [(7, 5, 0.0), (7, 5, 0.4), (4, 9, 0.9), (2, 2, 0.1)] {
            let (real, fake) = (features(n, 1), features(m, 2));
            let rulsif = RuLsif { alpha, lambda: 0.07 };
            let terms = (0..n.min(m)).map(|i| {
                let (rest_p, rest_q) = (without(&real, i), without(&fake, i));
                let theta = rulsif.fit(Samples { real: rest_p.view(), fake: rest_q.view() }).unwrap();
                let (p, q) = (real.row(i).dot(&theta), fake.row(i).dot(&theta));
                0.5 * (alpha * p * p + (1.0 - alpha) * q * q) - p
            });
            let expected = terms.sum::<f64>() / n.min(m) as f64;
            let got = rulsif.leave_one_out(Samples { real: real.view(), fake: fake.view() }).unwrap();
            close(got, expected, 1e-11);
        }
    }

    #[test]
    fn one_sample_cannot_be_left_out() {
        let (real, fake) = (features(1, 1), features(4, 2));
        let error = RuLsif::default().leave_one_out(Samples { real: real.view(), fake: fake.view() }).unwrap_err();
        assert_eq!(error.to_string(), "`real` has shape [1, 3], expected [2, 3]");
    }
}
