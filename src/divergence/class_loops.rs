//! The vectorized loops of a divergence that is a sum over classes, for whoever runs them without knowing the divergence.

use super::lanes::{GradientTotals, Slopes, Sums};
use super::normalizers::RowNormalizers;
use super::row_divergence::Out;
use super::{ClassDivergence, ClassPair, ClassTerm, Sides};
use crate::Real;
use crate::simd::dispatch;

/// The loops of one divergence over blocks of both sides, in one type.
#[allow(private_interfaces, missing_docs)]
pub trait ClassLoops<T>: Sync {
    /// Sums of the terms of a block; with `slopes` also those of both slopes.
    fn sums(&self, norms: &RowNormalizers<T>, slopes: bool, p: &[T], q: &[T]) -> ClassTerm<T>;

    /// Writes both gradients of a block, centered by the sums of both slopes over the row and multiplied by `scale`.
    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        centers: [T; 2],
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T>;

    /// The term at one class.
    fn term(&self, class: ClassPair<T>) -> ClassTerm<T>;
}

/// The loops of one divergence in both types.
pub trait Loops: ClassLoops<f32> + ClassLoops<f64> {
    /// Its [limits](ClassDivergence::limits).
    fn slope_limits(&self) -> Sides<[f64; 2]>;
}

/// Which of the loops are those of a type.
pub trait HasLoops: Sized {
    /// Those of this type.
    fn of(loops: &dyn Loops) -> &dyn ClassLoops<Self>;
}

impl HasLoops for f32 {
    fn of(loops: &dyn Loops) -> &dyn ClassLoops<f32> {
        loops
    }
}

impl HasLoops for f64 {
    fn of(loops: &dyn Loops) -> &dyn ClassLoops<f64> {
        loops
    }
}

/// A divergence as its loops. Slopes without limits are never measured from one: of such a divergence (`LIMITED` false) the
/// loops that do so are not compiled.
pub(super) struct Vectorized<K, const LIMITED: bool>(pub(super) K);

impl<K: ClassDivergence, const LIMITED: bool> Loops for Vectorized<K, LIMITED> {
    fn slope_limits(&self) -> Sides<[f64; 2]> {
        self.0.limits()
    }
}

#[allow(private_interfaces)]
impl<K: ClassDivergence, T: Real, const LIMITED: bool> ClassLoops<T> for Vectorized<K, LIMITED> {
    fn sums(&self, norms: &RowNormalizers<T>, slopes: bool, p: &[T], q: &[T]) -> ClassTerm<T> {
        let (divergence, norms) = (&self.0, *norms);
        if LIMITED && slopes && norms.is_far() {
            return dispatch(Sums::<_, _, true, true> { divergence, norms, p, q });
        }
        match slopes {
            true => dispatch(Sums::<_, _, true, false> { divergence, norms, p, q }),
            false => dispatch(Sums::<_, _, false, false> { divergence, norms, p, q }),
        }
    }

    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        centers: [T; 2],
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T> {
        let (divergence, norms) = (&self.0, *norms);
        if LIMITED && norms.is_far() {
            return dispatch(Slopes::<_, _, true> { divergence, norms, p, q, centers, scale, out });
        }
        dispatch(Slopes::<_, _, false> { divergence, norms, p, q, centers, scale, out })
    }

    fn term(&self, class: ClassPair<T>) -> ClassTerm<T> {
        self.0.at::<T, false>(class)
    }
}

/// A borrowed divergence: what a [`ClassDivergence`] hands out by default.
pub(super) struct Borrowed<'a, K>(pub(super) &'a K);

impl<K: ClassDivergence> ClassDivergence for Borrowed<'_, K> {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        self.0.at::<T, FMA>(class)
    }

    fn limits(&self) -> Sides<[f64; 2]> {
        self.0.limits()
    }
}

/// Writes [`ClassDivergence::loops`] of a divergence of this crate, so that its loops are compiled here and not by every
/// caller: those of the divergence itself, or of what is given in its place.
macro_rules! loops_compiled_here {
    () => {
        loops_compiled_here!(|divergence| Box::new($crate::divergence::class_loops::Vectorized::<_, true>(
            *divergence
        )));
    };
    (|$divergence:ident| $loops:expr) => {
        #[inline(never)]
        fn loops(&self) -> Box<dyn $crate::divergence::Loops + '_> {
            let $divergence = self;
            $loops
        }
    };
}
pub(super) use loops_compiled_here;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::divergence::{
        AmariDivergence, GeneralizedJsd, JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare,
        ReverseKlDivergence, SquaredHellinger, TotalVariation,
    };

    /// At one class the loops of a divergence give its own term: value, and the slope in each side.
    #[test]
    fn a_term_is_that_of_the_divergence_with_each_slope_on_its_side() {
        fn check<K: ClassDivergence>(divergence: K) {
            let class = ClassPair::<f64>::new::<false>(-0.5, -2.0, 1.5);
            let (own, loops) = (divergence.at::<f64, false>(class), divergence.loops());
            let term = f64::of(&*loops).term(class);
            assert_eq!([term.value, term.p, term.q], [own.value, own.p, own.q], "{}", std::any::type_name::<K>());
            assert_ne!(own.p, own.q, "{}: the slopes tell the sides apart", std::any::type_name::<K>());
        }
        check(KlDivergence);
        check(ReverseKlDivergence);
        check(JensenShannonDivergence);
        check(GeneralizedJsd { beta: 0.3 });
        check(AmariDivergence { alpha: 0.3 });
        check(PearsonChiSquare);
        check(NeymanChiSquare);
        check(SquaredHellinger);
        check(TotalVariation);
    }
}
