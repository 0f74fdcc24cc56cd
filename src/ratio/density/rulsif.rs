//! Least-squares density-ratio estimation: uLSIF, and RuLSIF for relative ratios.

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2};

use super::features::{coefficients, column_means, gram, read};
use super::{GaussianKernels, KernelRatio};
use crate::error::Position;
use crate::factor::Factor;
use crate::ratio::Samples;
use crate::{Error, Real, Result, check};

/// Least-squares fit of a density ratio that is linear in its features: uLSIF at `α = 0`, RuLSIF above.
///
/// ```math
/// \min_\theta\; \frac{\alpha}{2}\, \mathbb{E}_p\, r^2 + \frac{1 - \alpha}{2}\, \mathbb{E}_q\, r^2 - \mathbb{E}_p\, r + \frac{\lambda}{2} |\theta|^2,
/// \qquad r(x) = \sum_l \theta_l \varphi_l(x)
/// ```
///
/// ```math
/// \theta = (H + \lambda I)^{-1} h, \qquad H = \tfrac{\alpha}{n} \Phi_p^\top \Phi_p + \tfrac{1-\alpha}{m} \Phi_q^\top \Phi_q, \qquad
/// h = \tfrac1n \Phi_p^\top 1
/// ```
///
/// The features are `real`, `[n, b]`, at the samples of the numerator `p`, and `fake`, `[m, b]`, at those of the
/// denominator `q`. What is fitted is `p / (α p + (1 - α) q)`, which for `α > 0` is at most `1/α`, and so is learned
/// from fewer samples than `p/q`, which may be without bound. The solution is one Cholesky factorization of `[b, b]`,
/// in `f64`. Coefficients are not bounded below: the first authors set negative ones to 0 afterwards, RuLSIF's do not.
///
/// # Errors
///
/// [`Error::Parameter`] for a hyper-parameter; [`Error::Shape`] for sides of different widths; [`Error::Empty`] for a
/// side without samples or features; [`Error::Value`] for a feature that is not finite; [`Error::Overflow`] for
/// features whose squares do not fit, or a matrix that is not positive definite by rounding: `λ` is too small for them.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::density::RuLsif;
/// // Two states, each a feature: the ratio of their frequencies.
/// let (real, fake) = (array![[1.0_f64, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [0.0, 1.0]]);
/// let fit = RuLsif { alpha: 0.0, lambda: 1e-12 }.fit(Samples { real: real.view(), fake: fake.view() })?;
/// assert!((fit[0] - 1.5).abs() < 1e-11 && (fit[1] - 0.5).abs() < 1e-11);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Kanamori, Hido and Sugiyama, A least-squares approach to direct importance estimation, JMLR 10, 2009. Yamada et al.,
/// Relative density-ratio estimation for robust distribution comparison, 2011,
/// [arXiv:1106.4729](https://arxiv.org/abs/1106.4729).
#[doc(alias = "uLSIF")]
#[doc(alias = "LSIF")]
#[doc(alias = "importance weights")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RuLsif {
    /// How much of the numerator is in the denominator, in `[0, 1)`. Default 0, uLSIF; the authors of RuLSIF have 0.1
    /// and 0.5.
    pub alpha: f64,
    /// Weight of the squared coefficients, finite and `> 0`. Default 0.1, from the middle of the usual grid of powers of 10;
    /// [`RuLsif::choose`] chooses.
    pub lambda: f64,
}

impl Default for RuLsif {
    /// uLSIF, with the middle of the usual grid of weights.
    fn default() -> Self {
        Self { alpha: 0.0, lambda: 0.1 }
    }
}

/// What [`RuLsif::choose`] has found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RuLsifChoice {
    /// The width of the kernels.
    pub width: f64,
    /// The weight `λ`.
    pub lambda: f64,
    /// The leave-one-out score of both.
    pub score: f64,
}

impl RuLsif {
    /// The coefficients `θ`, `[b]`.
    ///
    /// # Errors
    ///
    /// See [`RuLsif`].
    pub fn fit<T: Real>(&self, features: Samples<ArrayView2<'_, T>>) -> Result<Array1<T>> {
        T::rulsif_fit(self, features)
    }

    /// The leave-one-out score, of which the smallest is the best: the mean criterion, without `λ`, at the `i`-th sample of both
    /// sides with the coefficients of all others.
    ///
    /// ```math
    /// \frac1N \sum_{i=1}^N \tfrac{\alpha}{2} r_{-i}(x^p_i)^2 + \tfrac{1-\alpha}{2} r_{-i}(x^q_i)^2 - r_{-i}(x^p_i), \qquad N = \min(n, m)
    /// ```
    ///
    /// In closed form: a change of rank two of one factorization, and no refit. It estimates the criterion of the fit,
    /// whose minimum over all functions is minus half of `E_p r`.
    ///
    /// # Errors
    ///
    /// See [`RuLsif`]; [`Error::Shape`] for a side of one sample.
    pub fn leave_one_out<T: Real>(&self, features: Samples<ArrayView2<'_, T>>) -> Result<T> {
        T::rulsif_leave_one_out(self, features)
    }

    /// The ratio as a sum of kernels, from points `[n, d]` and `[m, d]`.
    ///
    /// # Errors
    ///
    /// See [`RuLsif`] and [`GaussianKernels::features`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::Array2};
    /// # use loglik::ratio::density::{GaussianKernels, RuLsif};
    /// let line = |n: usize, scale: f64| Array2::from_shape_fn((n, 1), |(i, _)| scale * (i as f64 + 0.5) / n as f64);
    /// let (real, fake) = (line(400, 1.0), line(400, 2.0)); // uniform on [0, 1] and on [0, 2]: the ratio is 2, then 0
    /// let kernels = GaussianKernels { centers: line(20, 2.0), width: 0.2 };
    /// let points = Samples { real: real.view(), fake: fake.view() };
    /// let fit = RuLsif { lambda: 1e-3, ..RuLsif::default() }.fit_points(points, kernels)?;
    /// let ratio = fit.ratio(&Array2::from_shape_vec((2, 1), vec![0.5, 1.5]).unwrap())?;
    /// assert!((ratio[0] - 2.0).abs() < 0.2 && ratio[1].abs() < 0.2);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn fit_points<T: Real>(
        &self,
        points: Samples<ArrayView2<'_, T>>,
        kernels: GaussianKernels<T>,
    ) -> Result<KernelRatio<T>> {
        let Samples { real, fake } = kernels.both(points)?;
        let coefficients = self.fit(Samples { real: real.view(), fake: fake.view() })?;
        Ok(KernelRatio { kernels, coefficients })
    }

    /// The width and `λ` of least leave-one-out score among all pairs of these, for kernels around `centers` and this
    /// `α`. Of equal scores the first is taken; the field `lambda` is not looked at.
    ///
    /// # Errors
    ///
    /// Those of [`RuLsif::fit_points`] and [`RuLsif::leave_one_out`]; [`Error::Empty`] for no widths or no `λ`.
    pub fn choose<T: Real>(
        &self,
        points: Samples<ArrayView2<'_, T>>,
        centers: &ArrayRef2<T>,
        widths: &[f64],
        lambdas: &[f64],
    ) -> Result<RuLsifChoice> {
        let mut best: Option<RuLsifChoice> = None;
        for &width in widths {
            let kernels = GaussianKernels { centers: centers.to_owned(), width };
            let Samples { real, fake } = kernels.both(points)?;
            for &lambda in lambdas {
                let features = Samples { real: real.view(), fake: fake.view() };
                let score = Self { lambda, ..*self }.leave_one_out(features)?.as_f64();
                if best.is_none_or(|best| score < best.score) {
                    best = Some(RuLsifChoice { width, lambda, score });
                }
            }
        }
        best.ok_or(Error::Empty { argument: if widths.is_empty() { "widths" } else { "lambdas" } })
    }

    pub(super) fn check(&self) -> Result<()> {
        check::parameter("alpha", self.alpha, "[0, 1)", (0.0..1.0).contains(&self.alpha))?;
        check::positive("lambda", self.lambda)
    }

    /// The factor of `H + λI`, with these numbers in the place of n and m.
    pub(super) fn factor<T: Real>(&self, features: &Samples<Array2<f64>>, counts: Samples<f64>) -> Result<Factor> {
        let mut matrix = gram(&features.fake, counts.fake / (1.0 - self.alpha));
        if self.alpha > 0.0 {
            matrix += &gram(&features.real, counts.real / self.alpha);
        }
        matrix.diag_mut().mapv_inplace(|x| x + self.lambda);
        let size = matrix.nrows();
        let matrix = matrix.into_raw_vec_and_offset().0;
        Factor::of(matrix, size).map_err(|_| Error::overflow::<T>("lambda", Position::default()))
    }
}

pub(in crate::ratio) fn fit<T: Real>(rulsif: &RuLsif, features: Samples<ArrayView2<'_, T>>) -> Result<Array1<T>> {
    rulsif.check()?;
    let features = read(features)?;
    let counts = Samples { real: features.real.nrows() as f64, fake: features.fake.nrows() as f64 };
    let mut solution = column_means(&features.real).to_vec();
    rulsif.factor::<T>(&features, counts)?.solve(&mut solution);
    coefficients(&solution)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview2};

    use super::*;
    use crate::testing::{close, generator};

    #[test]
    fn the_solution_satisfies_its_equations() {
        let mut next = generator(1);
        let mut draw = |rows: usize| Array2::from_shape_simple_fn((rows, 4), || next() - 0.3);
        let (real, fake) = (draw(9), draw(14));
        for alpha in [0.0, 0.3] {
            let rulsif = RuLsif { alpha, lambda: 0.05 };
            let theta = rulsif.fit(Samples { real: real.view(), fake: fake.view() }).unwrap();
            let matrix = real.t().dot(&real) * (alpha / 9.0) + fake.t().dot(&fake) * ((1.0 - alpha) / 14.0);
            let left = matrix.dot(&theta) + &theta * 0.05;
            left.iter().zip(real.mean_axis(ndarray::Axis(0)).unwrap()).for_each(|(&left, h)| close(left, h, 1e-12));
        }
    }

    #[test]
    fn of_states_it_is_the_relative_ratio_of_their_frequencies() {
        let rows = |counts: [usize; 2]| {
            let row = |state: usize| [f64::from(u8::from(state == 0)), f64::from(u8::from(state == 1))];
            let rows: Vec<[f64; 2]> = (0..2).flat_map(|state| vec![row(state); counts[state]]).collect();
            aview2(&rows).to_owned()
        };
        let (real, fake) = (rows([6, 2]), rows([1, 3]));
        for alpha in [0.0, 0.25, 0.9] {
            let features = Samples { real: real.view(), fake: fake.view() };
            let theta = RuLsif { alpha, lambda: 1e-12 }.fit(features).unwrap();
            close(theta[0], 0.75 / (alpha * 0.75 + (1.0 - alpha) * 0.25), 1e-10);
            close(theta[1], 0.25 / (alpha * 0.25 + (1.0 - alpha) * 0.75), 1e-10);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = array![[1.0, 2.0]];
        let message = |rulsif: RuLsif, real: &Array2<f64>, fake: &Array2<f64>| {
            rulsif.fit(Samples { real: real.view(), fake: fake.view() }).unwrap_err().to_string()
        };
        let usual = RuLsif::default();
        assert_eq!(message(RuLsif { alpha: 1.0, ..usual }, &good, &good), "`alpha` is 1, allowed is [0, 1)");
        assert_eq!(message(RuLsif { lambda: 0.0, ..usual }, &good, &good), "`lambda` is 0, allowed is finite and > 0");
        assert_eq!(message(usual, &good, &array![[1.0]]), "`fake` has shape [1, 1], expected [1, 2]");
        assert_eq!(message(usual, &good, &array![[1.0, f64::NAN]]), "`fake`[0, 1] is NaN, allowed is finite");
        assert_eq!(message(usual, &Array2::zeros((0, 2)), &good), "`real` is empty, needed is at least one element");
        assert_eq!(message(usual, &good, &array![[1e200, 1.0]]), "the result at `lambda` overflows f64");
        let points = Samples { real: good.view(), fake: good.view() };
        let error = usual.choose(points, &good, &[], &[1.0]).unwrap_err().to_string();
        assert_eq!(error, "`widths` is empty, needed is at least one element");
    }
}
