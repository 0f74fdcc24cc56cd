//! What a row kernel does: sums over a row first, then the gradient of each block.

use super::lanes::{Slopes, Sums, Written};
use super::line::Line;
use super::{ClassDivergence, ClassPair, ClassTerm};
use crate::simd::dispatch;
use crate::{Real, Result};

/// Gives both sides of a row, block by block, to a function.
pub(super) type Blocks<'a, T> = &'a mut dyn FnMut(&mut dyn FnMut(&[T], &[T]));

/// Where the gradients of a block go.
pub(super) struct Out<'a, T> {
    pub(super) p: &'a mut [T],
    pub(super) q: &'a mut [T],
}

/// A divergence as the walk over rows sees it.
pub(super) trait RowDivergence: Sync {
    /// What the gradients of a row need to know of all of it.
    type Found;

    /// Whether the hyper-parameters are in range.
    fn check_row(&self) -> Result<()>;

    /// The divergence of a row, and what its gradients need where there are any.
    fn gather<T: Real>(&self, line: &Line<T>, slopes: bool, blocks: Blocks<'_, T>) -> (f64, Self::Found);

    /// Writes both gradients of a block, multiplied by `scale`.
    fn slopes<T: Real>(
        &self,
        line: &Line<T>,
        found: &Self::Found,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> Written<T>;

    /// What this class, which only one of the sides has, adds to the divergence and to both slopes: of interest is what is not
    /// finite.
    fn one_sided<T: Real>(&self, class: ClassPair<T>) -> ClassTerm<T>;
}

/// From this part of its limit on the mean slope of a side is nearer to the limit than to 0 by so much that differences to
/// the limit are taken. Below it they would gain less than a digit.
const NEAR_LIMIT: f64 = 0.875;

/// What the gradients of a sum over classes need to know of the whole row.
pub(super) struct Slope {
    /// The sums of both slopes.
    centers: [f64; 2],
    /// From what they are measured.
    origins: [f64; 2],
}

impl<K: ClassDivergence> RowDivergence for K {
    type Found = Slope;

    fn check_row(&self) -> Result<()> {
        self.check()
    }

    fn gather<T: Real>(&self, line: &Line<T>, slopes: bool, blocks: Blocks<'_, T>) -> (f64, Slope) {
        let total = sum(self, *line, slopes, blocks);
        let (mut centers, limits) = ([total.p, total.q], self.limits());
        let origins = [(total.p, limits.p), (total.q, limits.q)].map(|(center, [lower, upper])| match slopes {
            true if center > NEAR_LIMIT * upper => upper,
            true if center < NEAR_LIMIT * lower => lower,
            _ => 0.0,
        });
        if origins != [0.0; 2] {
            let again = sum(self, line.measured_from(origins), slopes, blocks);
            centers = [again.p, again.q];
        }
        (total.value, Slope { centers, origins })
    }

    fn slopes<T: Real>(
        &self,
        line: &Line<T>,
        found: &Slope,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> Written<T> {
        let (centers, line) = (found.centers.map(T::from_f64), line.measured_from(found.origins));
        let (divergence, out_p, out_q) = (self, out.p, out.q);
        if line.is_far() {
            dispatch(Slopes::<_, _, true> { divergence, line, p, q, centers, scale, out_p, out_q })
        } else {
            dispatch(Slopes::<_, _, false> { divergence, line, p, q, centers, scale, out_p, out_q })
        }
    }

    fn one_sided<T: Real>(&self, class: ClassPair<T>) -> ClassTerm<T> {
        self.at::<T, false>(class)
    }
}

/// The sum over the classes of a row.
fn sum<T: Real>(
    divergence: &impl ClassDivergence,
    line: Line<T>,
    slopes: bool,
    blocks: Blocks<'_, T>,
) -> ClassTerm<f64> {
    let mut total = ClassTerm { value: 0.0, p: 0.0, q: 0.0 };
    blocks(&mut |p, q| {
        let sums = match (slopes, line.is_far()) {
            (true, true) => dispatch(Sums::<_, _, true, true> { divergence, line, p, q }),
            (true, false) => dispatch(Sums::<_, _, true, false> { divergence, line, p, q }),
            (false, _) => dispatch(Sums::<_, _, false, false> { divergence, line, p, q }),
        };
        total.value += sums.value.as_f64();
        total.p += sums.p.as_f64();
        total.q += sums.q.as_f64();
    });
    total
}
