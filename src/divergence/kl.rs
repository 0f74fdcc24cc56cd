//! The Kullback-Leibler divergence, both ways.

use super::class_loops::{Vectorized, loops_compiled_here};
use super::{ClassDivergence, ClassPair, ClassTerm};
use crate::Real;

/// `KL(p ‖ q)`, forward where `p` is the data or the teacher: `q` must cover all of `p`.
///
/// ```math
/// D = \sum_v p_v \ln \frac{p_v}{q_v} = \sum_v p_v \bigl(e^{-r_v} - 1 + r_v\bigr), \qquad r_v = \ln \frac{p_v}{q_v}
/// ```
///
/// ```math
/// \frac{\partial D}{\partial x_v} = p_v (r_v - D), \qquad \frac{\partial D}{\partial y_v} = q_v - p_v
/// ```
///
/// for logits `x` of `p` and `y` of `q`. It is the cross-entropy less the entropy of `p`, and with `p` of a single class the
/// negative log-likelihood. +inf where `p` has a class that `q` has not; the gradient in `y` is finite all the same.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, KlDivergence};
/// let (p, q) = (array![[0.5_f64, 0.5, 0.0]], array![[0.25_f64, 0.5, 0.25]]);
/// let kl = KlDivergence.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Mean)?;
/// assert!((kl - 0.5 * std::f64::consts::LN_2).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KlDivergence;

impl ClassDivergence for KlDivergence {
    loops_compiled_here!(|divergence| Box::new(Vectorized::<_, false>(*divergence)));

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        ClassTerm { value: class.kl(), p: class.weighted_ratio(), q: -class.difference() }
    }

    fn mass_coefficient(&self) -> f64 {
        1.0
    }
}

/// `KL(q ‖ p)`: [`KlDivergence`] with the sides in each other's place, so that `p` remains the teacher. The student `q` is
/// drawn to where `p` has mass, and may leave some of it alone.
///
/// ```math
/// D = \sum_v q_v \ln \frac{q_v}{p_v}, \qquad \frac{\partial D}{\partial y_v} = q_v \Bigl(\ln \frac{q_v}{p_v} - D\Bigr),
/// \qquad \frac{\partial D}{\partial x_v} = p_v - q_v
/// ```
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, KlDivergence, ReverseKlDivergence};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0_f64, 0.0]]);
/// let reverse = ReverseKlDivergence.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert_eq!(reverse, KlDivergence.value(Logits(&q), Logits(&p), Reduction::Sum)?);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As a distillation loss: Gu et al., "MiniLLM", ICLR 2024, [arXiv:2306.08543](https://arxiv.org/abs/2306.08543). How both
/// directions move mass: Tajwar et al., ICML 2024, [arXiv:2404.14367](https://arxiv.org/abs/2404.14367).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReverseKlDivergence;

impl ClassDivergence for ReverseKlDivergence {
    loops_compiled_here!(|divergence| Box::new(Vectorized::<_, false>(*divergence)));

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        KlDivergence.at::<T, FMA>(class.swapped()).swapped()
    }

    fn mass_coefficient(&self) -> f64 {
        -1.0
    }
}
