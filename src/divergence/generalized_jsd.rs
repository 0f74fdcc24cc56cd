//! The two ways between forward and reverse Kullback-Leibler divergence through a mixture.

use super::class_divergence::UNBOUNDED;
use super::class_loops::{Loops, Vectorized, loops_compiled_here};
use super::mixture::Mixture;
use super::{ClassDivergence, ClassPair, ClassTerm, KlDivergence, ReverseKlDivergence, Sides};
use crate::{Real, Result, check};

/// The generalized Jensen-Shannon divergence of GKD, with its ends as TRL, Liger and ms-swift define them.
///
/// ```math
/// D = \beta \operatorname{KL}(p \Vert m) + (1 - \beta) \operatorname{KL}(q \Vert m), \quad m = \beta p + (1 - \beta) q,
/// \qquad 0 < \beta < 1
/// ```
///
/// `p` is the teacher and `q` the student, whose gradient is `(1 - β) q_v (ln(q_v/m_v) - KL(q ‖ m))`. At `β = ½` it is the
/// [Jensen-Shannon divergence](super::JensenShannonDivergence).
///
/// **Discontinuous.** By the formula it goes to 0 at both ends, as `β KL(p ‖ q)` and `(1 - β) KL(q ‖ p)`; at 0 and 1
/// themselves it is `KL(p ‖ q)` and `KL(q ‖ p)` instead. [`InterpolatedJsd`] has those as its limits.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, GeneralizedJsd};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0, 0.0]], array![[2.0_f64, 0.0, 0.0]]);
/// let at = |beta| GeneralizedJsd { beta }.value(Logits(&p), Logits(&q), Reduction::Sum);
/// assert!((at(0.0)? - 0.840_333_82).abs() < 1e-8);
/// assert!(at(1e-6)? < 1e-6);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Agarwal et al., "On-policy distillation of language models", ICLR 2024,
/// [arXiv:2306.13649](https://arxiv.org/abs/2306.13649).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GeneralizedJsd {
    /// Share of the teacher in the mixture, in `[0, 1]`. Default 0.5 (TRL).
    pub beta: f64,
}

impl Default for GeneralizedJsd {
    fn default() -> Self {
        Self { beta: 0.5 }
    }
}

impl ClassDivergence for GeneralizedJsd {
    loops_compiled_here!(|divergence| loops(divergence.beta, [divergence.beta, 1.0 - divergence.beta]));

    fn check(&self) -> Result<()> {
        unit(self.beta)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        mixed::<T, FMA>(self.beta, [self.beta, 1.0 - self.beta], class)
    }

    fn mass_coefficient(&self) -> f64 {
        match end(self.beta) {
            Some(End::Forward) => 1.0,
            Some(End::Reverse) => -1.0,
            None => 0.0,
        }
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        limits(self.beta, [self.beta, 1.0 - self.beta])
    }
}

/// The same mixture with the weights exchanged: continuous from forward to reverse Kullback-Leibler divergence.
///
/// ```math
/// D = (1 - \beta) \operatorname{KL}(p \Vert m) + \beta \operatorname{KL}(q \Vert m), \qquad m = \beta p + (1 - \beta) q
/// ```
///
/// `KL(p ‖ q)` at `β = 0`, `KL(q ‖ p)` at `β = 1`, the [Jensen-Shannon divergence](super::JensenShannonDivergence) between.
/// `p` is the teacher, `q` the student; gradients take in that the mixture moves with the student.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, InterpolatedJsd};
/// use Categorical::Logits;
/// let (p, q) = (array![[0.0_f64, 1.0, 0.0]], array![[2.0_f64, 0.0, 0.0]]);
/// let at = |beta| InterpolatedJsd { beta }.value(Logits(&p), Logits(&q), Reduction::Sum);
/// assert!((at(1e-9)? - at(0.0)?).abs() < 1e-7);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As asked for in [ms-swift#10213](https://github.com/modelscope/ms-swift/pull/10213), against the jump of
/// [`GeneralizedJsd`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct InterpolatedJsd {
    /// How far on the way from forward to reverse, in `[0, 1]`. Default 0.5.
    pub beta: f64,
}

impl Default for InterpolatedJsd {
    fn default() -> Self {
        Self { beta: 0.5 }
    }
}

impl ClassDivergence for InterpolatedJsd {
    loops_compiled_here!(|divergence| loops(divergence.beta, [1.0 - divergence.beta, divergence.beta]));

    fn check(&self) -> Result<()> {
        unit(self.beta)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        mixed::<T, FMA>(self.beta, [1.0 - self.beta, self.beta], class)
    }

    fn mass_coefficient(&self) -> f64 {
        1.0 - 2.0 * self.beta
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        limits(self.beta, [1.0 - self.beta, self.beta])
    }
}

/// What is at an end of the way.
enum End {
    Forward,
    Reverse,
}

#[inline(always)]
fn end(beta: f64) -> Option<End> {
    match beta {
        0.0 => Some(End::Forward),
        1.0 => Some(End::Reverse),
        _ => None,
    }
}

/// Kullback-Leibler divergences at the ends, between them those of both sides from the mixture, with these weights.
#[inline(always)]
fn mixed<T: Real, const FMA: bool>(beta: f64, [weight_p, weight_q]: [f64; 2], class: ClassPair<T>) -> ClassTerm<T> {
    match end(beta) {
        Some(End::Forward) => KlDivergence.at::<T, FMA>(class),
        Some(End::Reverse) => ReverseKlDivergence.at::<T, FMA>(class),
        None => mixture(beta, [weight_p, weight_q]).at::<T, FMA>(class),
    }
}

/// The loops of the divergence that it is for this `β`.
fn loops<'a>(beta: f64, weights: [f64; 2]) -> Box<dyn Loops + 'a> {
    match end(beta) {
        Some(End::Forward) => KlDivergence.loops(),
        Some(End::Reverse) => ReverseKlDivergence.loops(),
        None => Box::new(Vectorized::<_, true>(mixture(beta, weights))),
    }
}

#[inline(always)]
fn mixture(beta: f64, [weight_p, weight_q]: [f64; 2]) -> Mixture {
    Mixture { weight_p, weight_q, share_p: beta, share_q: 1.0 - beta }
}

/// What the slopes tend to: without bound at the ends.
fn limits(beta: f64, weights: [f64; 2]) -> Sides<[f64; 2]> {
    match end(beta) {
        Some(_) => Sides { p: UNBOUNDED, q: UNBOUNDED },
        None => mixture(beta, weights).limits(),
    }
}

fn unit(beta: f64) -> Result<()> {
    check::parameter("beta", beta, "[0, 1]", (0.0..=1.0).contains(&beta))
}
