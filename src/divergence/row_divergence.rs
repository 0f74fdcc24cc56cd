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

    /// Whether this class, which only one of the sides has, makes the divergence infinite.
    fn is_infinite_at<T: Real>(&self, class: ClassPair<T>) -> bool;
}

impl<K: ClassDivergence> RowDivergence for K {
    /// The sums of both slopes.
    type Found = [f64; 2];

    fn check_row(&self) -> Result<()> {
        self.check()
    }

    fn gather<T: Real>(&self, line: &Line<T>, slopes: bool, blocks: Blocks<'_, T>) -> (f64, [f64; 2]) {
        let mut total = ClassTerm { value: 0.0, p: 0.0, q: 0.0 };
        let (divergence, line) = (self, *line);
        blocks(&mut |p, q| {
            let sums = match slopes {
                true => dispatch(Sums::<_, _, true> { divergence, line, p, q }),
                false => dispatch(Sums::<_, _, false> { divergence, line, p, q }),
            };
            total.value += sums.value.wide();
            total.p += sums.p.wide();
            total.q += sums.q.wide();
        });
        (total.value, [total.p, total.q])
    }

    fn slopes<T: Real>(
        &self,
        line: &Line<T>,
        found: &Self::Found,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> Written<T> {
        let centres = found.map(T::of);
        dispatch(Slopes { divergence: self, line: *line, p, q, centres, scale, out_p: out.p, out_q: out.q })
    }

    fn is_infinite_at<T: Real>(&self, class: ClassPair<T>) -> bool {
        self.at::<T, false>(class).value == T::infinity()
    }
}
