//! The variational lower bound of an f-divergence, from samples.

use crate::divergence::Generator;
use crate::ratio::RatioLoss;
use crate::{Real, Result};

/// Minus the variational bound of an f-divergence, `-E_p[T] + E_q[f*(T)] >= -D_f(p ‖ q)`, as an objective to be minimized.
///
/// ```math
/// D_f(p \Vert q) = \sup_T \; \mathbb{E}_{x \sim p} T(x) - \mathbb{E}_{x \sim q} f^*(T(x)), \qquad
/// T = f'\Bigl(\frac{p}{q}\Bigr) \text{ at the supremum}
/// ```
///
/// The values of the critic `T` stand where a [`RatioObjective`](crate::ratio::RatioObjective) has log-ratios: on samples of
/// `p` as `real`, of `q` as `fake`. A critic is trained by the gradient, -1 and `f*'(T)`, over the sample counts; a
/// generator of `q` by its opposite (f-GAN). With `Weighted` reductions by probabilities both expectations are exact. Values
/// must lie in the domain of `f*`: below 0 for reverse KL, below `½ ln 2` for Jensen-Shannon, below ½ for Hellinger, at most
/// ½ for total variation; beyond it the loss is [`Error::Overflow`](crate::Error::Overflow).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::{divergence::KlDivergence, ratio::bound::VariationalBound};
/// let (p, q) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let critic = array![1.0 + 2.0_f64.ln(), 1.0 + (2.0 / 3.0_f64).ln()]; // f'(p/q) = 1 + ln(p/q)
/// let samples = Samples { real: critic.view(), fake: critic.view() };
/// let weights = Samples { real: Reduction::Weighted(&p), fake: Reduction::Weighted(&q) };
/// let bound = -VariationalBound { generator: KlDivergence }.value(samples, weights)?;
/// assert!((bound - 0.143_841_036_225_890_2).abs() < 1e-15); // KL(p ‖ q) itself
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nguyen, Wainwright and Jordan, IEEE Transactions on Information Theory 56, 2010,
/// [arXiv:0809.0853](https://arxiv.org/abs/0809.0853); Nowozin, Cseke and Tomioka, "f-GAN", NeurIPS 2016,
/// [arXiv:1606.00709](https://arxiv.org/abs/1606.00709).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariationalBound<G> {
    /// The convex function of the divergence.
    pub generator: G,
}

impl<G: Generator> RatioLoss for VariationalBound<G> {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        self.generator.check()
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, critic: T) -> (T, T) {
        (-critic, -T::one())
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, critic: T) -> (T, T) {
        self.generator.conjugate::<T, FMA>(critic)
    }
}
