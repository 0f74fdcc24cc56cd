//! The variance of an AUC, and the test of two AUCs of the same samples (DeLong).

use std::f64::consts::FRAC_1_SQRT_2;

use ndarray::ArrayView1;

use super::ranks::{midranks, scores};
use crate::ratio::Samples;
use crate::{Error, Real, Result, check, reduction};

/// Area under the ROC curve, and its variance over samples by DeLong.
///
/// ```math
/// \mathrm{AUC} = \frac1n \sum_i V_i = \frac1m \sum_j W_j, \qquad \operatorname{var} = \frac{s^2(V)}{n} + \frac{s^2(W)}{m}
/// ```
///
/// `V_i` is the share of negatives that the positive `i` beats, ties half, `W_j` the share of positives that beat the
/// negative `j`; `s²` are their variances, divided by `n - 1` and `m - 1`. No assumption on the distribution of scores.
/// The estimate is 0 where the sides do not overlap, which does not hold for other samples. From midranks, in
/// `O((n + m) log (n + m))`.
///
/// # Errors
///
/// [`Error::Empty`], [`Error::Shape`] for a side of less than two samples; [`Error::Value`] for a score that is NaN.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::decision::Auc;
/// let (real, fake) = (array![3.0_f64, 2.0], array![2.0, 1.0]);
/// let Auc { value, variance, .. } = Auc::of(Samples { real: real.view(), fake: fake.view() })?;
/// assert_eq!((value, variance), (0.875, 0.03125)); // V = W = (1, ¾): 1/32 / 2 from each side
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988. By midranks: Sun and Xu, Fast implementation of DeLong's
/// algorithm, IEEE Signal Processing Letters 21, 2014.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Auc {
    /// The area.
    pub value: f64,
    /// Its variance.
    pub variance: f64,
}

impl Auc {
    /// Of the scores of positives and of negatives.
    ///
    /// # Errors
    ///
    /// See [`Auc`].
    pub fn of<T: Real>(scores: Samples<ArrayView1<'_, T>>) -> Result<Self> {
        let placements = Placements::new(["real", "fake"], scores)?;
        Ok(Self { value: placements.area(), variance: covariance(&placements, &placements) })
    }
}

/// DeLong's test of whether two scores of the same samples have the same AUC.
///
/// ```math
/// z = \frac{\mathrm{AUC}_1 - \mathrm{AUC}_2}{\sqrt{\operatorname{var}_1 + \operatorname{var}_2 - 2 \operatorname{cov}}}, \qquad
/// p = 2\, \Phi(-|z|)
/// ```
///
/// Both scores are of the same positives and negatives in the same order, so that they are correlated. Two-sided. Where
/// the variance of the difference is 0, `z` is 0 and `p` is 1 for equal areas, and ±inf and 0 for others.
///
/// # Errors
///
/// [`Error::Shape`] for scores of other lengths; those of [`Auc`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::decision::DeLong;
/// let (real, fake) = (array![3.0_f64, 2.0, 4.0], array![2.0, 1.0, 2.5]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// let test = DeLong::of(scores, scores)?;
/// assert_eq!((test.z, test.p_value), (0.0, 1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As [`Auc`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeLong {
    /// The areas, with their variances.
    pub areas: [Auc; 2],
    /// The covariance of both.
    pub covariance: f64,
    /// The difference in units of its standard deviation.
    pub z: f64,
    /// How likely a difference as large as this one is between equal areas, for large samples.
    pub p_value: f64,
}

impl DeLong {
    /// Of two scores of the same samples.
    ///
    /// # Errors
    ///
    /// See [`DeLong`].
    pub fn of<T: Real>(first: Samples<ArrayView1<'_, T>>, second: Samples<ArrayView1<'_, T>>) -> Result<Self> {
        check::shape("second.real", second.real.shape(), first.real.shape())?;
        check::shape("second.fake", second.fake.shape(), first.fake.shape())?;
        let first = Placements::new(["first.real", "first.fake"], first)?;
        let second = Placements::new(["second.real", "second.fake"], second)?;
        let area = |of: &Placements| Auc { value: of.area(), variance: covariance(of, of) };
        let (areas, gap) = ([area(&first), area(&second)], first.area() - second.area());
        // The variance of the difference as that of differences: nothing cancels where scores are alike.
        let deviation = first.minus(&second).variance().sqrt();
        let z = if gap == 0.0 { 0.0 } else { gap / deviation };
        let p_value = libm::erfc(z.abs() * FRAC_1_SQRT_2);
        Ok(Self { areas, covariance: covariance(&first, &second), z, p_value })
    }
}

/// The shares of the other side that each sample beats, or is beaten by.
struct Placements {
    real: Vec<f64>,
    fake: Vec<f64>,
}

impl Placements {
    fn new<T: Real>(names: [&'static str; 2], sides: Samples<ArrayView1<'_, T>>) -> Result<Self> {
        let (real, fake) = (scores(names[0], sides.real)?, scores(names[1], sides.fake)?);
        for (argument, side) in names.into_iter().zip([&real, &fake]) {
            if side.len() < 2 {
                return Err(Error::Shape { argument, got: vec![side.len()], expected: vec![2] });
            }
        }
        let (n, m) = (real.len() as f64, fake.len() as f64);
        let all: Vec<f64> = real.iter().chain(&fake).copied().collect();
        let ranks = midranks(&all);
        // Among all a sample has the rank that it has among its own, and one more for each of the others below it.
        let others = |own: &[f64], from: usize| -> Vec<f64> {
            midranks(own).iter().zip(&ranks[from..]).map(|(own, all)| all - own).collect()
        };
        Ok(Self {
            real: others(&real, 0).iter().map(|below| below / m).collect(),
            fake: others(&fake, real.len()).iter().map(|below| (n - below) / n).collect(),
        })
    }

    fn area(&self) -> f64 {
        reduction::sum(&self.real) / self.real.len() as f64
    }

    fn minus(&self, other: &Self) -> Self {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self { real: minus(&self.real, &other.real), fake: minus(&self.fake, &other.fake) }
    }

    fn variance(&self) -> f64 {
        covariance(self, self)
    }
}

fn covariance(first: &Placements, second: &Placements) -> f64 {
    let side = |a: &[f64], b: &[f64]| {
        let n = a.len() as f64;
        let (mean_a, mean_b) = (reduction::sum(a) / n, reduction::sum(b) / n);
        let products: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).collect();
        reduction::sum(&products) / (n - 1.0) / n
    };
    side(&first.real, &second.real) + side(&first.fake, &second.fake)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis, array, aview1};

    use super::*;
    use crate::testing::{close, generator};

    /// By the definition: every positive against every negative.
    fn placements(real: &Array1<f64>, fake: &Array1<f64>) -> (Array1<f64>, Array1<f64>) {
        let wins = ndarray::Array2::from_shape_fn((real.len(), fake.len()), |(i, j)| {
            f64::from(u8::from(real[i] > fake[j])) + 0.5 * f64::from(u8::from(real[i] == fake[j]))
        });
        (wins.mean_axis(Axis(1)).unwrap(), wins.mean_axis(Axis(0)).unwrap())
    }

    fn covariance_of(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
        let n = a.len() as f64;
        ((a - a.mean().unwrap()) * (b - b.mean().unwrap())).sum() / (n - 1.0) / n
    }

    #[test]
    fn midranks_give_what_all_pairs_give() {
        let mut next = generator(4);
        let mut draw = |n: usize, shift: f64| Array1::from_shape_simple_fn(n, || (8.0 * next() + shift).round());
        let (real, fake) = (draw(13, 1.0), draw(9, 0.0));
        let (other_real, other_fake) = (draw(13, 2.0), draw(9, 0.0));
        let samples = |real: &Array1<f64>, fake: &Array1<f64>| (real.clone(), fake.clone());
        let ((a, b), (c, d)) = (samples(&real, &fake), samples(&other_real, &other_fake));
        let first = Samples { real: a.view(), fake: b.view() };
        let second = Samples { real: c.view(), fake: d.view() };
        let test = DeLong::of(first, second).unwrap();
        let ((v, w), (x, y)) = (placements(&real, &fake), placements(&other_real, &other_fake));
        close(test.areas[0].value, v.mean().unwrap(), 1e-14);
        close(test.areas[1].variance, covariance_of(&x, &x) + covariance_of(&y, &y), 1e-13);
        close(test.covariance, covariance_of(&v, &x) + covariance_of(&w, &y), 1e-13);
        let variance = test.areas[0].variance + test.areas[1].variance - 2.0 * test.covariance;
        close(test.z, (test.areas[0].value - test.areas[1].value) / variance.sqrt(), 1e-12);
        let back = DeLong::of(second, first).unwrap();
        assert_eq!((back.z, back.p_value), (-test.z, test.p_value));
    }

    #[test]
    fn a_normal_deviate_has_its_two_sided_tail() {
        // Exact: mpmath, erfc(1.96 / √2).
        close(libm::erfc(1.96 * FRAC_1_SQRT_2), 0.049_995_790_296_440_88, 1e-14);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |real: &[f64], fake: &[f64]| {
            Auc::of(Samples { real: aview1(real), fake: aview1(fake) }).unwrap_err().to_string()
        };
        assert_eq!(of(&[1.0], &[1.0, 2.0]), "`real` has shape [1], expected [2]");
        assert_eq!(of(&[1.0, 2.0], &[]), "`fake` is empty, needed is at least one element");
        assert_eq!(of(&[1.0, f64::NAN], &[1.0, 2.0]), "`real`[1] is NaN, allowed is not NaN");
        let (two, three) = (array![1.0, 2.0], array![1.0, 2.0, 3.0]);
        let first = Samples { real: two.view(), fake: two.view() };
        let second = Samples { real: three.view(), fake: two.view() };
        let error = DeLong::of(first, second).unwrap_err().to_string();
        assert_eq!(error, "`second.real` has shape [3], expected [2]");
    }
}
