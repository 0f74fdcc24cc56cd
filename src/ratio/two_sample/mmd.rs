//! The maximum mean discrepancy (MMD).

use ndarray::{Array2, ArrayView2};

use super::RadialKernel;
use super::kernel::KernelSum;
use super::sides::{Sides, Weights, laid_out};
use crate::error::Position;
use crate::ratio::Samples;
use crate::ratio::pair_sums::Pairs;
use crate::reduction::to_finite;
use crate::{Real, Result};

/// Which pairs within a side count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum MmdEstimator {
    /// All of them, each point with itself included: the distance of the two empirical distributions, never below 0 but by
    /// rounding, and too large by `O(1/n + 1/m)` in the mean.
    Biased,
    /// Pairs of two different points: right in the mean, and below 0 about half of the time where both sides are of one
    /// distribution. It needs two points on each side.
    #[default]
    Unbiased,
}

/// Squared maximum mean discrepancy (MMD²) of two sets of points, with a sum of kernels.
///
/// ```math
/// \mathrm{MMD}^2 = \mathbb{E}\, k(X, X') + \mathbb{E}\, k(Y, Y') - 2\, \mathbb{E}\, k(X, Y)
/// ```
///
/// ```math
/// \frac{\partial\, \mathrm{MMD}^2}{\partial x_i} = \frac{2}{n^2} \sum_{i'} \nabla k(x_i, x_{i'}) - \frac{2}{nm} \sum_j \nabla k(x_i, y_j),
/// \qquad \nabla k(x, y) = k'(r) \frac{x - y}{r}
/// ```
///
/// `X` are the points `real`, `[n, d]`, `Y` those of `fake`, `[m, d]`; `k` is the sum of the kernels. The gradient is that of
/// the biased estimator; in the unbiased one `n (n - 1)` stands for `n²`. It is 0 between points that coincide. Of two equal
/// arrays the biased estimate is exactly 0.
///
/// The widths decide what is seen: differences on the scale of a width. The usual one is
/// [`median_distance`](super::median_distance()), the usual set that times ½, 1, 2; generators are trained with sums of
/// kernels, since one width has no gradient for points far from all others.
///
/// All is computed in `f64` over `n² + m² + nm` pairs, in blocks: no matrix of `[n, m]` exists. Sums are good to `1e-15` of
/// `k(x, x)`, the number of kernels; a statistic below that is rounding.
///
/// # Errors
///
/// [`Error::Parameter`](crate::Error::Parameter); [`Error::Empty`](crate::Error::Empty) for no kernels or a side
/// without points; [`Error::Shape`](crate::Error::Shape) for sides of different dimension, or one point where two are
/// needed; [`Error::Value`](crate::Error::Value) for a coordinate that is not finite;
/// [`Error::Overflow`](crate::Error::Overflow) for a gradient that does not fit the type, as with widths near the
/// smallest numbers.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::two_sample::{Mmd, MmdEstimator, RadialKernel};
/// let (x, y) = (array![[0.0_f64, 0.0], [1.0, 0.0]], array![[0.0, 1.0]]);
/// let mmd = Mmd { kernels: vec![RadialKernel::Gaussian { width: 1.0 }], estimator: MmdEstimator::Biased };
/// let (value, gradient) = mmd.grad(Samples { real: x.view(), fake: y.view() })?;
/// let (near, far) = ((-0.5_f64).exp(), (-1.0_f64).exp());
/// assert!((value - ((1.0 + near) / 2.0 + 1.0 - near - far)).abs() < 1e-15);
/// assert!((gradient.fake[[0, 1]] - (near + far)).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gretton et al., A kernel two-sample test, JMLR 13, 2012, [arXiv:0805.2368](https://arxiv.org/abs/0805.2368). As a loss of
/// generators: Li, Swersky and Zemel, 2015, [arXiv:1502.02761](https://arxiv.org/abs/1502.02761); rational quadratic
/// kernels: Bińkowski et al., 2018, [arXiv:1801.01401](https://arxiv.org/abs/1801.01401).
#[doc(alias = "maximum mean discrepancy")]
#[doc(alias = "kernel two-sample test")]
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Mmd {
    /// The kernels of the sum, at least one. Default one Gaussian of width 1.
    pub kernels: Vec<RadialKernel>,
    /// Default [`MmdEstimator::Unbiased`].
    pub estimator: MmdEstimator,
}

impl Default for Mmd {
    /// One Gaussian of width 1, for points with that scale, and the unbiased estimator.
    fn default() -> Self {
        Self { kernels: vec![RadialKernel::Gaussian { width: 1.0 }], estimator: MmdEstimator::default() }
    }
}

impl Mmd {
    /// MMD².
    ///
    /// # Errors
    ///
    /// See [`Mmd`].
    pub fn value<T: Real>(&self, points: Samples<ArrayView2<'_, T>>) -> Result<T> {
        T::mmd_value(self, points)
    }

    /// MMD² and its gradient in the points of both sides.
    ///
    /// # Errors
    ///
    /// See [`Mmd`].
    pub fn grad<T: Real>(&self, points: Samples<ArrayView2<'_, T>>) -> Result<(T, Samples<Array2<T>>)> {
        T::mmd_grad(self, points)
    }

    fn prepared<T: Real>(&self, points: Samples<ArrayView2<'_, T>>) -> Result<(Sides, Weights)> {
        KernelSum::check(&self.kernels)?;
        let (least, within) = match self.estimator {
            MmdEstimator::Biased => (1, Pairs::All),
            MmdEstimator::Unbiased => (2, Pairs::Others),
        };
        let sides = Sides::new(points, least)?;
        let weights = sides.means(within);
        Ok((sides, weights))
    }

    pub(in crate::ratio) fn compute_value<T: Real>(&self, points: Samples<ArrayView2<'_, T>>) -> Result<T> {
        let (sides, weights) = self.prepared(points)?;
        let kernels = KernelSum { kernels: &self.kernels, unit: sides.clouds.unit };
        to_finite(sides.value(&kernels, &weights), "real", Position::default())
    }

    pub(in crate::ratio) fn compute_grad<T: Real>(
        &self,
        points: Samples<ArrayView2<'_, T>>,
    ) -> Result<(T, Samples<Array2<T>>)> {
        let (sides, weights) = self.prepared(points)?;
        let unit = sides.clouds.unit;
        let (value, gradient) = sides.gradient(&KernelSum { kernels: &self.kernels, unit }, &weights);
        let gradient = gradient.map(|side| side.iter().map(|slope| slope / unit).collect::<Vec<_>>());
        let real = laid_out(points.real.dim().into(), &gradient.real, "real")?;
        let fake = laid_out(points.fake.dim().into(), &gradient.fake, "fake")?;
        Ok((to_finite(value, "real", Position::default())?, Samples { real, fake }))
    }
}
