//! The bound of Donsker and Varadhan.

use ndarray::{Array1, ArrayView1};

use super::scores::Scores;
use crate::error::Position;
use crate::ratio::Samples;
use crate::reduction::{finite_total, to_real};
use crate::{Real, Reduction, Result};

/// Donsker and Varadhan's lower bound of `KL(p ‖ q)`, to be maximized.
///
/// ```math
/// B = \mathbb{E}_{x \sim p}\, T(x) - \ln \mathbb{E}_{x \sim q}\, e^{T(x)} \le \mathrm{KL}(p \Vert q), \qquad
/// \frac{\partial B}{\partial T_i} = w_i, \qquad \frac{\partial B}{\partial T_j} = -\frac{w_j e^{T_j}}{\sum_l w_l e^{T_l}}
/// ```
///
/// `T` are the critic's scores: `real`, `[n]`, on samples of `p`, and `fake`, `[m]`, on samples of `q`; `w` are the
/// weights of the reductions, `1/n` and `1/m` for means. A constant added to all scores changes nothing, and the
/// optimum is `T = ln p/q + c`. It is tighter than [`nwj_bound`](super::nwj_bound()) at any critic. The logarithm makes
/// the gradient of a minibatch biased: [`Mine`](super::Mine) mends that.
///
/// The logarithm is taken in `f64` with the largest score out of the sum: no score overflows. A score of -inf is allowed: on
/// the real side the bound is -inf, on the fake side it is a sample that `q` would not make.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for weights of another length; [`Error::Value`](crate::Error::Value) for a
/// score that is NaN or +inf, a weight that is not finite or below 0, or where no fake score is above -inf;
/// [`Error::NothingToAverage`](crate::Error::NothingToAverage) and [`Error::Empty`](crate::Error::Empty) for a side
/// without samples; [`Error::Overflow`](crate::Error::Overflow) for a bound that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::donsker_varadhan;
/// let (p, q) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let critic = (&p / &q).ln() + 1000.0;
/// let scores = Samples { real: critic.view(), fake: critic.view() };
/// let bound = donsker_varadhan(scores, Samples { real: Reduction::Weighted(&p), fake: Reduction::Weighted(&q) })?;
/// assert!((bound - 0.143_841_036_225_890_2).abs() < 1e-12); // KL(p ‖ q) itself
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Donsker and Varadhan, Communications on Pure and Applied Mathematics 36, 1983. For mutual information: Belghazi et al.,
/// ICML 2018, [arXiv:1801.04062](https://arxiv.org/abs/1801.04062).
pub fn donsker_varadhan<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<T> {
    T::donsker_varadhan(scores, reductions)
}

/// [`donsker_varadhan`] and its gradient in the scores of both sides.
///
/// # Errors
///
/// See [`donsker_varadhan`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::donsker_varadhan_grad;
/// let (real, fake) = (array![1.0_f64, 2.0], array![1000.0, 1000.0]);
/// let scores = Samples { real: real.view(), fake: fake.view() };
/// let (bound, gradient) = donsker_varadhan_grad(scores, Samples::both(Reduction::Mean))?;
/// assert_eq!(bound, 1.5 - 1000.0);
/// assert_eq!(gradient.fake, array![-0.5, -0.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn donsker_varadhan_grad<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<(T, Samples<Array1<T>>)> {
    T::donsker_varadhan_grad(scores, reductions)
}

/// Both sides, checked.
pub(super) fn sides<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<Samples<Scores>> {
    Ok(Samples {
        real: Scores::new("real", "weights.real", scores.real, reductions.real)?,
        fake: Scores::new("fake", "weights.fake", scores.fake, reductions.fake)?,
    })
}

/// The bound, and the logarithm in it.
pub(super) fn bound<T: Real>(sides: &Samples<Scores>) -> Result<(T, f64)> {
    let (mean, log_mean) = (sides.real.expectation()?, sides.fake.log_expectation()?);
    let bound = finite_total(mean - log_mean, || mean.is_finite(), "real")?;
    Ok((to_real(bound, "real", Position::default())?, log_mean))
}

pub(in crate::ratio) fn value<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<T> {
    Ok(bound(&sides(scores, reductions)?)?.0)
}

pub(in crate::ratio) fn gradient<T: Real>(
    scores: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
) -> Result<(T, Samples<Array1<T>>)> {
    let sides = sides(scores, reductions)?;
    let (bound, log_mean) = bound(&sides)?;
    let real = sides.real.spread(sides.real.weights().iter().copied())?;
    let fake = sides.fake.spread(sides.fake.shares(log_mean).into_iter().map(|share| -share))?;
    Ok((bound, Samples { real, fake }))
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::testing::close;

    const INF: f64 = f64::INFINITY;

    fn of(real: &[f64], fake: &[f64]) -> Result<f64> {
        donsker_varadhan(Samples { real: aview1(real), fake: aview1(fake) }, Samples::both(Reduction::Mean))
    }

    /// Exact: by hand, since equal scores have equal shares.
    #[test]
    fn scores_of_any_size_are_exact() {
        for shift in [0.0, 1e3, -1e3, 1e4, -1e4, 1e300] {
            close(
                of(&[shift + 1.0, shift], &[shift, shift]).unwrap() + 1.0,
                if shift == 1e300 { 1.0 } else { 1.5 },
                1e-12,
            );
        }
        assert_eq!(of(&[1e3], &[-1e3]), Ok(2e3));
        assert_eq!(of(&[-1e3], &[1e3]), Ok(-2e3));
        close(of(&[0.0], &[0.0, -1e4]).unwrap(), std::f64::consts::LN_2, 1e-15);
        assert_eq!(of(&[-INF, 0.0], &[0.0]), Ok(-INF));
        assert_eq!(of(&[0.0], &[-INF, 0.0, 0.0, -INF]), Ok(std::f64::consts::LN_2));
    }

    #[test]
    fn a_sample_of_weight_zero_is_never_looked_at() {
        let (scores, weights) = (array![0.5, f64::NAN], array![1.0, 0.0]);
        let both = Samples::both(Reduction::Weighted(&*weights));
        let (bound, gradient) = donsker_varadhan_grad(Samples::both(scores.view()), both).unwrap();
        assert_eq!((bound, gradient.real, gradient.fake), (0.0, array![1.0, 0.0], array![-1.0, 0.0]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |real: &[f64], fake: &[f64]| of(real, fake).unwrap_err().to_string();
        assert_eq!(message(&[f64::NAN], &[0.0]), "`real`[0] is NaN, allowed is finite or -inf");
        assert_eq!(message(&[0.0], &[0.0, INF]), "`fake`[1] is inf, allowed is finite or -inf");
        assert_eq!(message(&[], &[0.0]), "`real` holds nothing to average over");
        assert_eq!(message(&[0.0], &[]), "`fake` holds nothing to average over");
        let none = "`fake` is -inf, allowed is a row with at least one score above -inf";
        assert_eq!(message(&[0.0], &[-INF, -INF]), none);
        let nothing = Samples { real: aview1(&[0.0]), fake: aview1(&[]) };
        let error = donsker_varadhan(nothing, Samples::both(Reduction::Sum)).unwrap_err().to_string();
        assert_eq!(error, "`fake` is empty, needed is at least one element");
        assert_eq!(message(&[1.7e308], &[-1.7e308]), "the result at `real` overflows f64");
    }
}
