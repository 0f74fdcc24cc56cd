//! VICReg: invariance, variance and covariance.

use ndarray::{Array2, ArrayRef2, Axis, s};

use super::numbers;
use crate::gemm::product;
use crate::{Error, Real, Result, check};

/// Columns of the covariance that exist at a time.
const COLUMNS: usize = 256;

/// VICReg: two views of each sample are pulled together, while every dimension keeps its variance and no two are correlated.
///
/// ```math
/// L = \frac{\lambda}{N d} \sum_{ik} (x_{ik} - y_{ik})^2
///   + \frac{\mu}{2d} \sum_{z \in \{x, y\}} \sum_k \max\bigl(0, \gamma - \sqrt{v_k(z) + \varepsilon}\bigr)
///   + \frac{\nu}{d} \sum_{z \in \{x, y\}} \sum_{k \ne l} C_{kl}(z)^2
/// ```
///
/// `x` and `y` are `[N, d]`, `v` the variances and `C` the covariances over the batch, both over N - 1. These are the terms
/// of the authors' code and of pytorch-metric-learning; the paper's eq. 1 has no ½ before the variance. `C` exists 256
/// columns at a time. It is a function of the whole batch. The slope of the hinge is 0 at its kink.
///
/// # Errors
///
/// [`Parameter`](crate::Error::Parameter) for a hyper-parameter that is not finite or below 0; [`Shape`](crate::Error::Shape)
/// for arrays of other shapes, or of one row; [`Empty`](crate::Error::Empty) without dimensions;
/// [`NothingToAverage`](crate::Error::NothingToAverage) without rows; [`Value`](crate::Error::Value) for what is not finite;
/// [`Overflow`](crate::Error::Overflow) for a result out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::VicReg;
/// let (x, y) = (array![[0.0_f64, 3.0], [4.0, 0.0]], array![[1.0, 3.0], [4.0, 0.0]]);
/// let terms = VicReg::default().terms(&x, &y)?;
/// assert_eq!(terms.invariance, 6.25); // 25 · 1/4
/// assert_eq!(terms.variance, 0.0); // every deviation is above 1
/// assert_eq!(terms.covariance, 56.25); // of -6 and -4.5, twice each, over two dimensions
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Bardes et al., ICLR 2022, [arXiv:2105.04906](https://arxiv.org/abs/2105.04906).
#[doc(alias = "VICRegLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct VicReg {
    /// `λ`, weight of the squared distance, `>= 0`. Default 25 (paper).
    pub invariance: f64,
    /// `μ`, weight of the variance, `>= 0`. Default 25.
    pub variance: f64,
    /// `ν`, weight of the covariance, `>= 0`. Default 1.
    pub covariance: f64,
    /// `γ`, deviation that each dimension should have, `>= 0`. Default 1.
    pub deviation: f64,
    /// `ε`, added to each variance under the root, `>= 0`. Default 1e-4.
    pub epsilon: f64,
}

/// The weighted terms of [`VicReg`]; their sum is the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VicRegTerms<T> {
    /// Of the squared distance.
    pub invariance: T,
    /// Of the variances of both sides.
    pub variance: T,
    /// Of the covariances of both sides.
    pub covariance: T,
}

impl Default for VicReg {
    fn default() -> Self {
        Self { invariance: 25.0, variance: 25.0, covariance: 1.0, deviation: 1.0, epsilon: 1e-4 }
    }
}

impl VicReg {
    /// The loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<T> {
        T::metric_round(total(self.find(x, y)?.0), "x")
    }

    /// The weighted terms of the loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn terms<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<VicRegTerms<T>> {
        let (terms, _) = self.find(x, y)?;
        let [invariance, variance, covariance] = [terms.invariance, terms.variance, terms.covariance];
        Ok(VicRegTerms {
            invariance: T::metric_round(invariance, "x")?,
            variance: T::metric_round(variance, "x")?,
            covariance: T::metric_round(covariance, "x")?,
        })
    }

    /// The loss and its gradients in `x` and `y`.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<(T, (Array2<T>, Array2<T>))> {
        let (terms, [by_x, by_y]) = self.find(x, y)?;
        let gradients = (T::metric_write("x", &by_x)?, T::metric_write("y", &by_y)?);
        Ok((T::metric_round(total(terms), "x")?, gradients))
    }

    fn find<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<(VicRegTerms<f64>, [Array2<f64>; 2])> {
        self.check()?;
        check::shape("y", y.shape(), x.shape())?;
        match x.nrows() {
            0 => return Err(Error::NothingToAverage { argument: "x" }),
            1 => check::shape("x", x.shape(), &[2, x.ncols()])?,
            _ => {}
        }
        Ok(self.of(&numbers::read_all("x", x)?, &numbers::read_all("y", y)?))
    }

    fn check(&self) -> Result<()> {
        check::non_negative("invariance", self.invariance)?;
        check::non_negative("variance", self.variance)?;
        check::non_negative("covariance", self.covariance)?;
        check::non_negative("deviation", self.deviation)?;
        check::non_negative("epsilon", self.epsilon)
    }

    fn of(&self, x: &Array2<f64>, y: &Array2<f64>) -> (VicRegTerms<f64>, [Array2<f64>; 2]) {
        let apart = x - y;
        let weight = self.invariance / apart.len() as f64;
        let mut terms = VicRegTerms { invariance: weight * apart.mapv(|x| x * x).sum(), ..VicRegTerms::default() };
        let by = [(x, 1.0), (y, -1.0)].map(|(side, sign)| {
            let mut by = &apart * (2.0 * weight * sign);
            self.spread(&(side - &mean(side)), &mut terms, &mut by);
            by
        });
        (terms, by)
    }

    /// Adds the terms of one side, given without its mean, and their gradient.
    fn spread(&self, centered: &Array2<f64>, terms: &mut VicRegTerms<f64>, by: &mut Array2<f64>) {
        let (free, dims) = (centered.nrows() as f64 - 1.0, centered.ncols() as f64);
        for (column, mut by) in centered.columns().into_iter().zip(by.columns_mut()) {
            let deviation = (column.mapv(|x| x * x).sum() / free + self.epsilon).sqrt();
            let short = self.deviation - deviation;
            if short > 0.0 {
                terms.variance += self.variance / (2.0 * dims) * short;
                let slope = if deviation == 0.0 { 0.0 } else { self.variance / (2.0 * dims * free * deviation) };
                by.scaled_add(-slope, &column);
            }
        }
        let weight = self.covariance / dims;
        for first in (0..centered.ncols()).step_by(COLUMNS) {
            let own = centered.slice(s![.., first..centered.ncols().min(first + COLUMNS)]);
            let mut covariance = Array2::zeros((centered.ncols(), own.ncols()));
            product(free.recip(), centered.t(), own, 0.0, covariance.view_mut());
            (0..own.ncols()).for_each(|k| covariance[[first + k, k]] = 0.0);
            terms.covariance += weight * covariance.mapv(|x| x * x).sum();
            let mut by = by.slice_mut(s![.., first..first + own.ncols()]);
            product(4.0 * weight / free, centered.view(), covariance.view(), 1.0, by.view_mut());
        }
    }
}

fn total(terms: VicRegTerms<f64>) -> f64 {
    terms.invariance + terms.variance + terms.covariance
}

/// The mean of each column, in two passes.
fn mean(rows: &Array2<f64>) -> ndarray::Array1<f64> {
    let count = rows.nrows() as f64;
    let first = rows.sum_axis(Axis(0)) / count;
    let rest = (rows - &first).sum_axis(Axis(0)) / count;
    first + rest
}
