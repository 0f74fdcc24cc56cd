//! Sliced Wasserstein distances: their hyper-parameter.

/// Sliced Wasserstein distance: the mean over directions `θ` of the distance of the projections, `W_p^p`.
///
/// ```math
/// \mathrm{SW}_p^p(x, y) = \frac1k \sum_{l=1}^{k} W_p^p\bigl(\langle \theta_l, x \rangle, \langle \theta_l, y \rangle\bigr), \qquad
/// \operatorname{max-SW}_p^p(x, y) = \max_l W_p^p\bigl(\langle \theta_l, x \rangle, \langle \theta_l, y \rangle\bigr)
/// ```
///
/// The points of x are `[n, d]`, those of y `[m, d]`, `directions` are `[k, d]`. Only their direction counts: each is
/// divided by its Euclidean length, so unit vectors may be given as they are. [`directions`](crate::transport::directions)
/// draws some. Masses are as in [`Measure`](crate::transport::Measure): nothing is normalized, and a point of weight zero
/// is never looked at. No root is taken but by [`distance`](Self::distance), [`distances`](Self::distances) and
/// [`distance_grad`](Self::distance_grad).
///
/// Every slice is exact, as [`wasserstein_1d`](crate::transport::wasserstein_1d()), from one sort: `O(k (n + m) (d + log(n + m)))` time,
/// in `f64` for both types. The value needs eight projections of all points for each thread, the gradient 64 of them.
/// Directions go to threads; sums are in one order, whatever their number.
///
/// A slice is at most the distance itself, and in one dimension it is that distance. In expectation over uniform
/// directions `SW_2^2 <= W_2^2 / d`.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): `p` is below 1 or, where no root is taken, not finite.
/// - [`Error::Shape`](crate::Error::Shape): points and directions of different dimensions, weights of another length than their points.
/// - [`Error::Value`](crate::Error::Value): a coordinate of a point that holds mass, or of a direction, is not finite; a weight is not finite or
///   below zero; a direction of zeros.
/// - [`Error::Empty`](crate::Error::Empty): no points or no directions. [`Error::NoMass`](crate::Error::NoMass): weights that are all zero.
/// - [`Error::Unbalanced`](crate::Error::Unbalanced): as [`wasserstein_1d`](crate::transport::wasserstein_1d()).
/// - [`Error::Overflow`](crate::Error::Overflow): a result or a total does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{Measure, SlicedWasserstein};
/// let (x, y) = (array![[0.0_f64, 0.0], [1.0, 0.0]], array![[0.0, 3.0], [1.0, 3.0]]);
/// let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
/// let axes = array![[1.0, 0.0], [0.0, 1.0]];
/// assert_eq!(SlicedWasserstein { p: 2.0 }.each(x, y, &axes)?, array![0.0, 9.0]);
/// let (value, gradient, _) = SlicedWasserstein { p: 2.0 }.grad(x, y, &axes)?;
/// assert_eq!(value, 4.5);
/// assert_eq!(gradient, array![[0.0, -1.5], [0.0, -1.5]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Bonneel, Rabin, Peyré and Pfister, *Sliced and Radon Wasserstein barycenters of measures*, J. Math. Imaging Vis. 2015.
/// Largest slice: Deshpande et al., CVPR 2019, [arXiv:1904.05877](https://arxiv.org/abs/1904.05877).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SlicedWasserstein {
    /// Power of the distance, `>= 1`; +inf where a root is taken. Default 2 (POT).
    pub p: f64,
}

impl Default for SlicedWasserstein {
    fn default() -> Self {
        Self { p: 2.0 }
    }
}
