//! Bounds of f-divergences with a name of their own: cases of objectives that the crate has, with the sign of a bound.

use ndarray::{Array1, ArrayView1};

use super::VariationalBound;
use crate::divergence::{KlDivergence, PearsonChiSquare};
use crate::ratio::{Ddo, RatioObjective, Samples};
use crate::{Real, Reduction, Result};

type Scores<'a, T> = Samples<ArrayView1<'a, T>>;
type Reductions<'a, T> = Samples<Reduction<'a, T>>;

/// The bound of Nguyen, Wainwright and Jordan (NWJ, also "MINE-f") of `KL(p ‖ q)`, to be maximized.
///
/// ```math
/// B = \mathbb{E}_{x \sim p}\, T(x) - \mathbb{E}_{x \sim q}\, e^{T(x) - 1} \le \mathrm{KL}(p \Vert q), \qquad
/// \frac{\partial B}{\partial T_i} = w_i, \qquad \frac{\partial B}{\partial T_j} = -w_j\, e^{T_j - 1}
/// ```
///
/// `T` are the critic's scores, `real` on samples of `p`, `fake` on samples of `q`. Tight at `T = 1 + ln p/q`. Sums over
/// samples alone, so that the gradient of a minibatch is unbiased, but its variance grows with `e^T`. It is minus
/// [`VariationalBound`] with [`KlDivergence`], whose errors it has; scores above 709 (88 in `f32`) on the fake side are
/// [`Error::Overflow`](crate::Error::Overflow), since the bound does not fit.
///
/// # Errors
///
/// Those of [`RatioObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::nwj_bound;
/// let (real, fake) = (array![1.0_f64], array![1.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// assert_eq!(nwj_bound(scores, Samples::both(Reduction::Mean))?, 0.0); // of p = q
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nguyen, Wainwright and Jordan, IEEE Transactions on Information Theory 56, 2010,
/// [arXiv:0809.0853](https://arxiv.org/abs/0809.0853).
#[doc(alias = "MINE-f")]
pub fn nwj_bound<T: Real>(scores: Scores<'_, T>, reductions: Reductions<'_, T>) -> Result<T> {
    value(&VariationalBound { generator: KlDivergence }, scores, reductions)
}

/// [`nwj_bound`] and its gradient in the scores of both sides.
///
/// # Errors
///
/// See [`nwj_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::nwj_bound_grad;
/// let (real, fake) = (array![1.0_f64], array![1.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// let (_, gradient) = nwj_bound_grad(scores, Samples::both(Reduction::Mean))?;
/// assert_eq!((gradient.real[0], gradient.fake[0]), (1.0, -1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn nwj_bound_grad<T: Real>(
    scores: Scores<'_, T>,
    reductions: Reductions<'_, T>,
) -> Result<(T, Samples<Array1<T>>)> {
    gradient(&VariationalBound { generator: KlDivergence }, scores, reductions)
}

/// The variational bound of Pearson's `χ²(p ‖ q) = E_q (p/q - 1)²`, to be maximized.
///
/// ```math
/// B = \mathbb{E}_{x \sim p}\, T(x) - \mathbb{E}_{x \sim q} \Bigl[T(x) + \tfrac14 T(x)^2\Bigr] \le \chi^2(p \Vert q), \qquad
/// \frac{\partial B}{\partial T_j} = -w_j \Bigl(1 + \tfrac12 T_j\Bigr)
/// ```
///
/// Tight at `T = 2 (p/q - 1)`, which is never below -2: below, the bracket is taken at -2, where it is least, and the slope
/// is 0. That is the conjugate of `(t - 1)²` over `t >= 0`, and makes the bound tighter. `1 + ½T` is an estimate of
/// `p/q`; its maximum over a linear model is least-squares density-ratio estimation,
/// [`RuLsif`](crate::ratio::density::RuLsif). It is minus [`VariationalBound`] with [`PearsonChiSquare`], whose errors
/// it has.
///
/// # Errors
///
/// Those of [`RatioObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::chi_square_bound;
/// let (p, q) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let critic = 2.0 * (&p / &q - 1.0);
/// let scores = Samples { real: critic.view(), fake: critic.view() };
/// let bound = chi_square_bound(scores, Samples { real: Reduction::Weighted(&p), fake: Reduction::Weighted(&q) })?;
/// assert!((bound - 1.0 / 3.0).abs() < 1e-15); // χ² itself
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As [`VariationalBound`].
pub fn chi_square_bound<T: Real>(scores: Scores<'_, T>, reductions: Reductions<'_, T>) -> Result<T> {
    value(&VariationalBound { generator: PearsonChiSquare }, scores, reductions)
}

/// [`chi_square_bound`] and its gradient in the scores of both sides.
///
/// # Errors
///
/// See [`chi_square_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::chi_square_bound_grad;
/// let (real, fake) = (array![1.0_f64], array![-2.0, 2.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// let (_, gradient) = chi_square_bound_grad(scores, Samples::both(Reduction::Mean))?;
/// assert_eq!(gradient.fake, array![0.0, -1.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn chi_square_bound_grad<T: Real>(
    scores: Scores<'_, T>,
    reductions: Reductions<'_, T>,
) -> Result<(T, Samples<Array1<T>>)> {
    gradient(&VariationalBound { generator: PearsonChiSquare }, scores, reductions)
}

/// The bound of the Jensen-Shannon divergence that a discriminator's logits give, as in a GAN, to be maximized.
///
/// ```math
/// B = \ln 2 - \tfrac12 \mathbb{E}_{x \sim p} \operatorname{softplus}(-T(x)) - \tfrac12 \mathbb{E}_{x \sim q} \operatorname{softplus}(T(x))
/// \le \mathrm{JSD}(p, q) \le \ln 2
/// ```
///
/// `T` are logits, tight at `ln p/q`. It is `ln 2` less half the loss of [`Ddo`] with `α = β = 1`, whose errors it has;
/// for weights it is a bound where they add up to 1 on each side. No logit overflows. With the critic of f-GAN, which
/// lies below `½ ln 2`, take [`VariationalBound`] with
/// [`JensenShannonDivergence`](crate::divergence::JensenShannonDivergence). Good to `1e-16` in absolute terms.
///
/// # Errors
///
/// Those of [`RatioObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::jensen_shannon_bound;
/// let (real, fake) = (array![1000.0_f64], array![-1000.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// assert_eq!(jensen_shannon_bound(scores, Samples::both(Reduction::Mean))?, std::f64::consts::LN_2);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Goodfellow et al., 2014, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661).
#[doc(alias = "GAN")]
pub fn jensen_shannon_bound<T: Real>(scores: Scores<'_, T>, reductions: Reductions<'_, T>) -> Result<T> {
    Ok(halved(Ddo::default().value(scores, reductions)?))
}

/// [`jensen_shannon_bound`] and its gradient in the scores of both sides.
///
/// # Errors
///
/// See [`jensen_shannon_bound`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::jensen_shannon_bound_grad;
/// let (real, fake) = (array![0.0_f64], array![0.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// let (bound, gradient) = jensen_shannon_bound_grad(scores, Samples::both(Reduction::Mean))?;
/// assert_eq!((bound, gradient.real[0], gradient.fake[0]), (0.0, 0.25, -0.25));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn jensen_shannon_bound_grad<T: Real>(
    scores: Scores<'_, T>,
    reductions: Reductions<'_, T>,
) -> Result<(T, Samples<Array1<T>>)> {
    let (loss, gradient) = Ddo::default().grad(scores, reductions)?;
    let half = T::from_f64(-0.5);
    Ok((halved(loss), gradient.map(|side| side.mapv(|slope| half * slope + T::zero()))))
}

fn halved<T: Real>(loss: T) -> T {
    T::LN_2() - T::from_f64(0.5) * loss
}

/// A bound is minus the loss.
fn value<T: Real>(loss: &dyn RatioObjective<T>, scores: Scores<'_, T>, reductions: Reductions<'_, T>) -> Result<T> {
    Ok(T::zero() - loss.value(scores, reductions)?)
}

fn gradient<T: Real>(
    loss: &dyn RatioObjective<T>,
    scores: Scores<'_, T>,
    reductions: Reductions<'_, T>,
) -> Result<(T, Samples<Array1<T>>)> {
    let (loss, gradient) = loss.grad(scores, reductions)?;
    Ok((T::zero() - loss, gradient.map(|side| side.mapv(|slope| T::zero() - slope))))
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::testing::close;

    const MEAN: Samples<Reduction<'_, f64>> = Samples { real: Reduction::Mean, fake: Reduction::Mean };

    fn scores<'a>(real: &'a [f64], fake: &'a [f64]) -> Scores<'a, f64> {
        Samples { real: aview1(real), fake: aview1(fake) }
    }

    /// Exact numbers by hand.
    #[test]
    fn bounds_have_their_worked_values() {
        let points = scores(&[1.0, 3.0], &[1.0, 1.0 - std::f64::consts::LN_2]);
        close(nwj_bound(points, MEAN).unwrap(), 2.0 - 0.75, 1e-15);
        close(
            chi_square_bound(scores(&[2.0], &[-1.0, -5.0, 4.0]), MEAN).unwrap(),
            2.0 - (-0.75 - 1.0 + 8.0) / 3.0,
            1e-14,
        );
        let (bound, slopes) = jensen_shannon_bound_grad(scores(&[1e4], &[0.0]), MEAN).unwrap();
        close(bound, 0.5 * std::f64::consts::LN_2, 1e-15);
        close(slopes.fake[0], -0.25, 1e-15);
    }

    #[test]
    fn a_score_whose_exponential_does_not_fit_is_named() {
        let error = nwj_bound(scores(&[0.0], &[0.0, 1e3]), MEAN).unwrap_err().to_string();
        assert_eq!(error, "the result at `fake`[1] overflows f64");
        close(nwj_bound(scores(&[1e3], &[-1e3]), MEAN).unwrap(), 1e3, 1e-15);
        close(jensen_shannon_bound(scores(&[-1e3], &[1e3]), MEAN).unwrap(), std::f64::consts::LN_2 - 1e3, 1e-15);
    }
}
