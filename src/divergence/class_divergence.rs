//! The author's side: a divergence that is a sum over classes.

use super::class_loops::{Borrowed, Loops, Vectorized};
use super::{ClassPair, ClassTerm, Sides};
use crate::{Real, Result};

/// A divergence that is a sum over classes, by its term at one class. Rows, threads, vector instructions, sparse teachers and
/// gradients in logits come from elsewhere: see [`CategoricalDivergence`](super::CategoricalDivergence).
///
/// [`ClassDivergence::at`] holds no branches that depend on data, only selections, so that the loop over it is vectorized as
/// it stands; `mul_add` only where `FMA` is true. Numbers enter as `T::from_f64(0.5)`.
///
/// # Examples
///
/// The symmetrized Kullback-Leibler divergence of Jeffreys, `Σ (p - q) ln(p/q)`:
///
/// ```
/// # use loglik::{Real, Reduction, ndarray::array};
/// use loglik::divergence::{Categorical::Logits, CategoricalDivergence, ClassDivergence, ClassPair, ClassTerm};
///
/// struct Jeffreys;
///
/// impl ClassDivergence for Jeffreys {
///     fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
///         let swapped = class.swapped();
///         ClassTerm {
///             value: class.kl() + swapped.kl(),
///             p: class.weighted_ratio() + class.difference(),
///             q: swapped.weighted_ratio() + swapped.difference(),
///         }
///     }
/// }
///
/// let (p, q) = (array![[0.0_f64, 1.0]], array![[1.0_f64, 0.0]]);
/// let value = Jeffreys.value(Logits(&p), Logits(&q), Reduction::Sum)?;
/// assert!((value - 2.0 * (0.5_f64).tanh()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait ClassDivergence: Sync {
    /// Whether the hyper-parameters are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where they are not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The term at one class.
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T>;

    /// `τ`, the coefficient of mass in the usual formula `Σ [term + τ (p - q)]`. Over whole distributions the masses are
    /// equal and the formula is the sum of the terms; over a part of the classes it matters. Default 0.
    fn mass_coefficient(&self) -> f64 {
        0.0
    }

    /// The lower and the upper limit of the slopes `∂D/∂p` and `∂D/∂q`, which are 0 where `p = q`; the upper limit is reached
    /// where only this side has the class.
    ///
    /// Where nearly all mass of a side is at classes whose slopes are near a limit, the gradient depends on how far they are
    /// from it, and a difference of two such slopes has no digits left. So where a limit is finite, [`ClassDivergence::at`]
    /// must return `p (∂D/∂p - origin)`, by a formula in which nothing cancels, for the
    /// [origin](ClassPair::origin_p) that the class holds: 0 or that limit. Default: no limits, -inf and +inf.
    fn limits(&self) -> Sides<[f64; 2]> {
        Sides { p: UNBOUNDED, q: UNBOUNDED }
    }

    /// The loops over classes, which [`ClassDivergence::at`] is compiled into: by default where they are first called for,
    /// for a divergence of this crate in this crate.
    #[doc(hidden)]
    fn loops(&self) -> Box<dyn Loops + '_>
    where
        Self: Sized,
    {
        Box::new(Vectorized::<_, true>(Borrowed(self)))
    }
}

/// The limits of what has none.
pub(super) const UNBOUNDED: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// The same upper limit on both sides, and none below.
pub(super) fn limited(upper: f64) -> Sides<[f64; 2]> {
    Sides { p: [f64::NEG_INFINITY, upper], q: [f64::NEG_INFINITY, upper] }
}

#[cfg(test)]
mod tests {
    use crate::divergence::{
        AmariDivergence, ClassDivergence, ClassPair, GeneralizedJsd, InterpolatedJsd, JensenShannonDivergence,
        MixtureChiSquare, SquaredHellinger, TotalVariation,
    };

    fn check(divergence: &impl ClassDivergence) {
        let limits = divergence.limits();
        for (log_p, log_q) in [(-0.5, -0.5), (-0.5, -0.75), (-3.0, -1.0), (-1e-3, -9.0), (-40.0, -0.25), (-2.0, -30.0)]
        {
            let class = ClassPair::<f64>::new::<false>(log_p, log_q, log_p - log_q);
            let plain = divergence.at::<f64, false>(class);
            for (p, q) in [(limits.p[1], 0.0), (0.0, limits.q[1]), (limits.p[1], limits.q[1])] {
                let term = divergence.at::<f64, false>(class.measured_from([p, q]));
                assert!((term.value - plain.value).abs() < 1e-15, "{log_p}, {log_q}");
                assert!((term.p - (plain.p - class.p() * p)).abs() < 1e-15, "p of {log_p}, {log_q}");
                assert!((term.q - (plain.q - class.q() * q)).abs() < 1e-15, "q of {log_p}, {log_q}");
            }
        }
    }

    /// Calls it with every divergence whose slopes have limits.
    macro_rules! of_each {
        ($check:ident) => {
            $check(&JensenShannonDivergence);
            $check(&GeneralizedJsd { beta: 0.3 });
            $check(&InterpolatedJsd { beta: 0.8 });
            $check(&AmariDivergence { alpha: 0.3 });
            $check(&MixtureChiSquare);
            $check(&SquaredHellinger);
            $check(&TotalVariation);
        };
    }

    #[test]
    fn slopes_from_a_limit_are_the_slopes_less_the_limit() {
        of_each!(check);
    }

    /// By the definitions: where one side is next to nothing the slope of the other is the limit.
    #[test]
    fn a_slope_tends_to_its_limit() {
        fn check(divergence: &impl ClassDivergence) {
            let class = ClassPair::<f64>::new::<false>(-1.0, -90.0, 89.0);
            let [p, q] = [divergence.limits().p[1], divergence.limits().q[1]];
            assert!((divergence.at::<f64, false>(class).p / class.p() - p).abs() < 1e-10 * p);
            assert!((divergence.at::<f64, false>(class.swapped()).q / class.p() - q).abs() < 1e-10 * q);
        }
        of_each!(check);
    }
}
