//! The average Mahalanobis distance of the truth to a mixture.

use ndarray::{Array1, ArrayRef2, ArrayView2};

use super::Mixtures;
use super::gauss_integral::log_mean;
use super::mixture::{Component, center};
use super::points::{self, not_finite};
use crate::error::Position;
use crate::factor::square;
use crate::{Error, Real, Result, check};

/// Whether a component's density along the way counts with its normalizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum AmdNormalizer {
    /// Without `|Σ|^-½`, as in the authors' code: a wide component counts for more.
    #[default]
    Omitted,
    /// With it: the components count by their densities.
    Included,
}

/// Average Mahalanobis distance (AMD): how many standard deviations the truth is from the middle of a mixture.
///
/// ```math
/// \mathrm{MD}^2 = v^\top G\, v, \qquad G = \frac{\sum_c \pi_c I_c \Sigma_c^{-1}}{\sum_c \pi_c I_c}, \qquad
/// I_c = \int_0^1 e^{-\frac12 (u_c - t v)^\top \Sigma_c^{-1} (u_c - t v)}\, dt
/// ```
///
/// `v = μ̂ - y` is the way from the truth y to the mixture's mean, `u_c = μ_c - y`: precisions are averaged by how much of
/// that way each component lies on (the distance of Tipping). With [`AmdNormalizer::Included`] `I_c` is multiplied by
/// `|Σ_c|^-½`. The AMD is the mean over places; it has no unit, and no affine map of samples and truth together changes it.
///
/// Of one component it is the Mahalanobis distance `√(v^⊤ Σ⁻¹ v)`, by either rule; where truth and mean coincide it is 0. The
/// integrals are in closed form and in logarithms: components of which nothing lies on the way still have their shares.
/// Unlike [`best_of_n`](super::best_of_n()) it grows where a cloud is beside the truth however tight it is. Read it with
/// [`amv`](super::amv()): a cloud wide enough is near everything.
///
/// # Errors
///
/// - [`Error::Shape`]: arrays that do not belong together. [`Error::Empty`]: no places, components or dimensions.
/// - [`Error::Value`]: a number that is not finite, a weight below 0, a place without weight, or a covariance that is not
///   positive definite (its pivot is named). [`Error::Overflow`]: a distance that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::{Amd, Mixtures};
/// let (weights, means) = (array![[1.0_f64]], array![[[3.0, 1.0]]]); // one place, one component
/// let covariances = array![[[[4.0, 0.0], [0.0, 1.0]]]];
/// let mixtures = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
/// let amd = Amd::default().value(mixtures, &array![[1.0, 1.0]])?; // two off, at a deviation of two
/// assert!((amd - 1.0).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Mohamed et al., Social-Implicit: rethinking trajectory prediction evaluation and the effectiveness of implicit maximum
/// likelihood estimation, ECCV 2022, [arXiv:2203.03057](https://arxiv.org/abs/2203.03057). Tipping, Deriving cluster
/// analytic distance functions from Gaussian mixture models, ICANN 1999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Amd {
    /// Whether densities are normalized. Default [`AmdNormalizer::Omitted`], the authors' code.
    pub normalizer: AmdNormalizer,
}

impl Amd {
    /// The mean over all places.
    ///
    /// # Errors
    ///
    /// See [`Amd`].
    pub fn value<T: Real>(&self, mixtures: Mixtures<'_, T>, truth: &ArrayRef2<T>) -> Result<T> {
        T::amd(self, mixtures, truth.view())
    }

    /// The distance at each place, `[P]`; `truth` is `[P, d]`.
    ///
    /// # Errors
    ///
    /// See [`Amd`].
    pub fn each<T: Real>(&self, mixtures: Mixtures<'_, T>, truth: &ArrayRef2<T>) -> Result<Array1<T>> {
        T::amd_each(self, mixtures, truth.view())
    }

    pub(in crate::diagnostics) fn mean<T: Real>(
        &self,
        mixtures: Mixtures<'_, T>,
        truth: ArrayView2<'_, T>,
    ) -> Result<T> {
        let all = self.distances(mixtures, truth)?;
        points::fitting(points::mean(&all), "means", Position::default())
    }

    pub(in crate::diagnostics) fn by_place<T: Real>(
        &self,
        mixtures: Mixtures<'_, T>,
        truth: ArrayView2<'_, T>,
    ) -> Result<Array1<T>> {
        let all = self.distances(mixtures, truth)?;
        all.into_iter().enumerate().map(|(place, distance)| points::fitting(distance, "means", place)).collect()
    }

    fn distances<T: Real>(&self, mixtures: Mixtures<'_, T>, truth: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        mixtures.check()?;
        check::shape("truth", truth.shape(), &[mixtures.places(), mixtures.means.dim().2])?;
        points::each(mixtures.places(), mixtures.bytes(), |place| {
            let truth = truth.row(place);
            if let Some(k) = truth.iter().position(|x| !x.is_finite()) {
                return Err(not_finite("truth", truth.get(k), Position(vec![place, k])));
            }
            let truth: Vec<f64> = truth.iter().map(|x| x.as_f64()).collect();
            self.distance(&mixtures.at(place)?, &truth, place)
        })
    }

    fn distance(&self, components: &[Component], truth: &[f64], place: usize) -> Result<f64> {
        let way = |to: &[f64], from: &[f64]| -> Vec<f64> { to.iter().zip(from).map(|(to, from)| to - from).collect() };
        let center = center(components);
        let v = way(&center, truth);
        let mut met = Vec::with_capacity(components.len());
        for component in components {
            let factor = component.factor(place)?;
            let (mut v, mut w) = (v.clone(), way(&component.mean, &center));
            factor.whiten(&mut v);
            factor.whiten(&mut w);
            let log_weight = component.weight.ln() + log_along(&w, &v);
            let normalizer = match self.normalizer {
                AmdNormalizer::Omitted => 0.0,
                AmdNormalizer::Included => factor.log_root_determinant(),
            };
            met.push((log_weight - normalizer, norm(&v)));
        }
        let top = met.iter().fold(f64::NEG_INFINITY, |top, met| top.max(met.0));
        let share = |log_weight: f64| (log_weight - top).exp();
        let total: f64 = met.iter().map(|met| share(met.0)).sum();
        // `√Σ w m²` as a length, which overflows no earlier than its parts do.
        let distance =
            met.iter().fold(0.0, |md: f64, &(log_weight, m)| md.hypot((share(log_weight) / total).sqrt() * m));
        if distance.is_finite() { Ok(distance) } else { Err(Error::overflow::<f64>("means", place)) }
    }
}

/// `ln I` of a component, from the whitened ways `w` from the mixture's mean to it and `v` from the truth to that mean.
///
/// `u - t v` is `w + (1 - t) v`: seen from the mean, nothing cancels however far the truth is.
fn log_along(w: &[f64], v: &[f64]) -> f64 {
    let length = norm(v);
    if length == 0.0 {
        return -0.5 * square(w);
    }
    let along: f64 = w.iter().zip(v).map(|(w, v)| w * (v / length)).sum();
    let off: f64 = w.iter().zip(v).map(|(w, v)| (w - along * (v / length)).powi(2)).sum();
    -0.5 * off + log_mean(along * std::f64::consts::FRAC_1_SQRT_2, length * std::f64::consts::FRAC_1_SQRT_2)
}

/// Length, which overflows no earlier than its parts do.
fn norm(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |length: f64, x| length.hypot(*x))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, Array4, array};

    use super::*;
    use crate::testing::{close, generator};

    type SumCount = (Array2<f64>, Array3<f64>, Array4<f64>);

    fn of(parts: &SumCount) -> Mixtures<'_, f64> {
        Mixtures { weights: parts.0.view(), means: parts.1.view(), covariances: parts.2.view() }
    }

    fn one(mean: [f64; 2], covariance: [[f64; 2]; 2]) -> SumCount {
        let covariances = Array4::from_shape_fn((1, 1, 2, 2), |(_, _, i, j)| covariance[i][j]);
        (array![[1.0]], Array3::from_shape_fn((1, 1, 2), |(_, _, k)| mean[k]), covariances)
    }

    /// Two components in the plane, three places: the truth between them, beside them, and far away.
    fn two() -> (SumCount, Array2<f64>) {
        let covariances = [[[0.5, 0.2], [0.2, 0.4]], [[1.5, -0.3], [-0.3, 0.8]]];
        let means = [[1.0, 0.5], [-0.5, 2.0]];
        let parts = (
            Array2::from_shape_fn((3, 2), |(_, c)| [0.3, 0.7][c]),
            Array3::from_shape_fn((3, 2, 2), |(_, c, k)| means[c][k]),
            Array4::from_shape_fn((3, 2, 2, 2), |(_, c, i, j)| covariances[c][i][j]),
        );
        (parts, array![[0.2, 0.9], [2.5, -1.0], [40.0, 30.0]])
    }

    const OMITTED: [f64; 3] = [0.773_604_408_949_234_9, 5.171_815_931_469_079, 53.584_515_115_015_75];
    const INCLUDED: [f64; 3] = [0.835_983_165_547_090_6, 6.076_634_340_057_498, 53.667_895_477_218_46];

    /// Exact values: mpmath, 40 digits, by quadrature.
    #[test]
    fn two_components_have_the_distances_of_forty_digits() {
        let (parts, truth) = two();
        for (normalizer, expected) in [(AmdNormalizer::Omitted, OMITTED), (AmdNormalizer::Included, INCLUDED)] {
            let each = Amd { normalizer }.each(of(&parts), &truth).unwrap();
            each.iter().zip(expected).for_each(|(&got, expected)| close(got, expected, 1e-13));
            close(Amd { normalizer }.value(of(&parts), &truth).unwrap(), each.sum() / 3.0, 1e-15);
        }
    }

    #[test]
    fn of_one_component_it_is_the_mahalanobis_distance() {
        let mut next = generator(11);
        for _ in 0..200 {
            let (a, b, c) = (0.1 + next(), next() - 0.5, 0.1 + next());
            let (mean, truth) = ([9.0 * next(), next()], [next(), 20.0 * next()]);
            // L Lᵀ with L = [[a, 0], [b, c]]; the distance is that of L⁻¹ v.
            let parts = one(mean, [[a * a, f64::NAN], [a * b, b * b + c * c]]);
            let x = (mean[0] - truth[0]) / a;
            let y = (mean[1] - truth[1] - b * x) / c;
            for normalizer in [AmdNormalizer::Omitted, AmdNormalizer::Included] {
                let got = Amd { normalizer }.each(of(&parts), &array![truth]).unwrap()[0];
                close(got, x.hypot(y), 1e-12);
            }
        }
    }

    #[test]
    fn where_truth_and_mean_coincide_it_is_zero() {
        let parts = (array![[0.5, 0.5]], array![[[1.0], [-1.0]]], array![[[[1.0]], [[4.0]]]]);
        assert_eq!(Amd::default().each(of(&parts), &array![[0.0]]), Ok(array![0.0]));
        let near = Amd::default().each(of(&parts), &array![[1e-200]]).unwrap()[0];
        assert!(near > 0.0 && near <= 1e-200);
    }

    #[test]
    fn an_affine_map_of_everything_changes_nothing() {
        let ((weights, means, covariances), truth) = two();
        let map = array![[2.0_f64, -0.7], [0.4, 1.3]];
        let shift = array![5.0, -3.0];
        let mut moved = (weights, means.clone(), covariances.clone());
        for p in 0..3 {
            for c in 0..2 {
                let at = ndarray::s![p, c, ..];
                let mean: Array1<f64> = map.dot(&means.slice(at)) + &shift;
                moved.1.slice_mut(at).assign(&mean);
                let at = ndarray::s![p, c, .., ..];
                let half: Array2<f64> = map.dot(&covariances.slice(at));
                moved.2.slice_mut(at).assign(&half.dot(&map.t()));
            }
        }
        let there = truth.dot(&map.t()) + &shift;
        let (parts, _) = two();
        for normalizer in [AmdNormalizer::Omitted, AmdNormalizer::Included] {
            let before = Amd { normalizer }.each(of(&parts), &truth).unwrap();
            let after = Amd { normalizer }.each(of(&moved), &there).unwrap();
            before.iter().zip(&after).for_each(|(&before, &after)| close(after, before, 1e-11));
        }
    }

    #[test]
    fn a_component_without_weight_is_never_looked_at() {
        let ((weights, mut means, mut covariances), truth) = two();
        let mut alone = weights;
        alone.column_mut(0).fill(0.0);
        means.index_axis_mut(ndarray::Axis(1), 0).fill(f64::NAN);
        covariances.index_axis_mut(ndarray::Axis(1), 0).fill(f64::NAN);
        let parts = (alone, means, covariances);
        let got = Amd::default().each(of(&parts), &truth).unwrap();
        let single = one([-0.5, 2.0], [[1.5, -0.3], [-0.3, 0.8]]);
        let expected = Amd::default().each(of(&single), &truth.slice(ndarray::s![..1, ..])).unwrap();
        close(got[0], expected[0], 1e-14);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = || one([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]);
        let message =
            |parts: &SumCount, truth: &Array2<f64>| Amd::default().value(of(parts), truth).unwrap_err().to_string();
        let at = array![[1.0, 1.0]];
        assert_eq!(message(&good(), &array![[1.0]]), "`truth` has shape [1, 1], expected [1, 2]");
        assert_eq!(message(&good(), &array![[1.0, f64::NAN]]), "`truth`[0, 1] is NaN, allowed is finite");
        let flat = one([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]]);
        let expected = "`covariances`[0, 0] is 0, allowed is positive definite, of which every pivot is above 0";
        assert_eq!(message(&flat, &at), expected);
        let mut parts = good();
        parts.0[[0, 0]] = -1.0;
        assert_eq!(message(&parts, &at), "`weights`[0, 0] is -1, allowed is finite and >= 0");
        parts.0[[0, 0]] = 0.0;
        assert_eq!(message(&parts, &at), "`weights`[0] is 0, allowed is a row with at least one weight above 0");
        parts = good();
        parts.1[[0, 0, 1]] = f64::INFINITY;
        assert_eq!(message(&parts, &at), "`means`[0, 0, 1] is inf, allowed is finite");
        parts = good();
        parts.2 = Array4::zeros((1, 1, 2, 3));
        assert_eq!(message(&parts, &at), "`covariances` has shape [1, 1, 2, 3], expected [1, 1, 2, 2]");
        let none = (Array2::zeros((0, 1)), Array3::zeros((0, 1, 2)), Array4::zeros((0, 1, 2, 2)));
        assert_eq!(message(&none, &Array2::zeros((0, 2))), "`means` is empty, needed is at least one element");
    }
}
