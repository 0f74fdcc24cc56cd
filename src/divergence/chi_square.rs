//! The χ²-divergences of Pearson and Neyman, and the one against a mixture.

use super::class_divergence::limited;
use super::class_loops::{Vectorized, loops_compiled_here};
use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
use crate::Real;
use crate::math::exp;

/// Pearson's χ²-divergence.
///
/// ```math
/// D = \sum_v \frac{(p_v - q_v)^2}{q_v} = \sum_v \frac{p_v^2}{q_v} - 1, \qquad
/// \frac{\partial D}{\partial x_v} = 2 p_v \Bigl(\frac{p_v}{q_v} - D - 1\Bigr), \qquad
/// \frac{\partial D}{\partial y_v} = q_v (D + 1) - \frac{p_v^2}{q_v}
/// ```
///
/// At least `KL(p ‖ q)`, and `e^KL - 1`; without bound: +inf where `p` has a class that `q` has not, and
/// [`Error::Overflow`](crate::Error::Overflow) where log-ratios reach hundreds.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, PearsonChiSquare};
/// let (p, q) = (array![[0.5_f64, 0.5]], array![[0.25_f64, 0.75]]);
/// let d = PearsonChiSquare.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum)?;
/// assert!((d - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Pearson, Philosophical Magazine 50, 1900.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PearsonChiSquare;

impl ClassDivergence for PearsonChiSquare {
    loops_compiled_here!(|divergence| Box::new(Vectorized::<_, false>(*divergence)));

    /// `m² M` with `m = e^-a - 1` and `M` the larger probability, `p²/q` in its place where that is `p`.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let (share, fall, larger) = (class.exp_neg_gap(), class.expm1_neg_gap(), class.larger());
        let squared = exp::<T, FMA>(class.log_p() + class.abs_log_ratio()); // p²/q
        let two_falls = fall + fall;
        let (base, p) =
            if class.p_is_smaller() { (larger, larger * share * two_falls) } else { (squared, -squared * two_falls) };
        let q = base * fall * (T::one() + share);
        ClassTerm { value: base * fall * fall, p, q: if class.p_is_smaller() { -q } else { q } }
    }
}

/// Neyman's χ²-divergence: [Pearson's](PearsonChiSquare) with the sides in each other's place, `Σ (p - q)² / p`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, NeymanChiSquare};
/// let (p, q) = (array![[0.25_f64, 0.75]], array![[0.5_f64, 0.5]]);
/// let d = NeymanChiSquare.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum)?;
/// assert!((d - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Neyman, "Contribution to the theory of the χ² test", First Berkeley Symposium, 1949.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NeymanChiSquare;

impl ClassDivergence for NeymanChiSquare {
    loops_compiled_here!(|divergence| Box::new(Vectorized::<_, false>(*divergence)));

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        PearsonChiSquare.at::<T, FMA>(class.swapped()).swapped()
    }
}

/// Pearson's χ²-divergence of `p` from the even mixture of both sides: symmetric, finite, at most 1.
///
/// ```math
/// D = \chi^2\Bigl(p \,\Big\Vert\, \tfrac{p + q}{2}\Bigr) = \tfrac12 \sum_v \frac{(p_v - q_v)^2}{p_v + q_v}, \qquad
/// p_v \frac{\partial D}{\partial p_v} = \tfrac12 p_v\, u_v (2 - u_v), \quad u_v = \frac{p_v - q_v}{p_v + q_v}
/// ```
///
/// Half the triangular discrimination; 1 where no class has mass on both sides.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, MixtureChiSquare};
/// let (p, q) = (array![[1.0_f64, 0.0]], array![[0.5_f64, 0.5]]);
/// let d = MixtureChiSquare.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum)?;
/// assert!((d - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Topsøe, IEEE Transactions on Information Theory 46, 2000. As the objective of imitation: Cundy and Ermon, "SequenceMatch",
/// ICLR 2024, [arXiv:2306.05426](https://arxiv.org/abs/2306.05426).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MixtureChiSquare;

impl ClassDivergence for MixtureChiSquare {
    loops_compiled_here!();

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let (one, two) = (T::one(), T::from_f64(2.0));
        let half = T::from_f64(0.5) * class.larger();
        let u = -class.expm1_neg_gap() / (one + class.exp_neg_gap()); // (larger - smaller) / (larger + smaller)
        let rest = two * class.exp_neg_gap() / (one + class.exp_neg_gap()); // 1 - u
        let is_far = class.origin_of_larger() > T::zero();
        let larger = half * if is_far { -rest * rest } else { u * (two - u) };
        let smaller = -half * class.exp_neg_gap() * u * (two + u);
        ClassTerm::of_sizes(&class, -half * class.expm1_neg_gap() * u, larger, smaller)
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        limited(0.5)
    }
}
