//! What a divergence does with a row: sums over all of it first, then the gradients of each block.

use super::class_loops::{ClassLoops, HasLoops, Loops};
use super::lanes::GradientTotals;
use super::normalizers::RowNormalizers;
use super::{ClassPair, ClassTerm, Sides};
use crate::{Real, Result};

/// Gives both sides of a row, block by block, to a function.
pub(super) type Blocks<'a, T> = &'a mut dyn FnMut(&mut dyn FnMut(&[T], &[T]));

/// Where the gradients of a block go.
pub(crate) struct Out<'a, T> {
    pub(super) p: &'a mut [T],
    pub(super) q: &'a mut [T],
}

/// What the gradients of a row need to know of all of it: three numbers for each side, or six of the row, as the divergence
/// has it.
#[derive(Clone, Copy)]
pub(super) struct RowStats(pub(super) [[f64; 2]; 3]);

/// A divergence as rows see it.
pub(super) trait RowDivergence<T>: Sync {
    /// Whether the hyper-parameters are in range.
    fn check_row(&self) -> Result<()>;

    /// The divergence of a row, and what its gradients need where there are any.
    fn gather(&self, norms: &RowNormalizers<T>, slopes: bool, blocks: Blocks<'_, T>) -> (f64, RowStats);

    /// Writes both gradients of a block, multiplied by `scale`.
    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        stats: RowStats,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T>;

    /// What this class, which only one of the sides has, adds to the divergence and to both slopes: of interest is what is
    /// not finite.
    fn one_sided(&self, class: ClassPair<T>) -> ClassTerm<T>;
}

/// From this part of its limit on the mean slope of a side is nearer to the limit than to 0 by so much that differences to
/// the limit are taken. Below it they would gain less than a digit.
const NEAR_LIMIT: f64 = 0.875;

/// From what the slopes of a side of this mean are measured: 0, or a limit.
pub(super) fn origin(mean: f64, [lower, upper]: [f64; 2]) -> f64 {
    if mean > NEAR_LIMIT * upper {
        upper
    } else if mean < NEAR_LIMIT * lower {
        lower
    } else {
        0.0
    }
}

/// A divergence that is a sum over classes.
pub(super) struct ClassSum<'a, T> {
    /// What the check of the hyper-parameters said.
    parameters: Result<()>,
    loops: &'a dyn ClassLoops<T>,
    limits: Sides<[f64; 2]>,
}

impl<'a, T: Real + HasLoops> ClassSum<'a, T> {
    pub(super) fn new(parameters: Result<()>, loops: &'a dyn Loops) -> Self {
        Self { parameters, loops: T::of(loops), limits: loops.slope_limits() }
    }
}

impl<T: Real> ClassSum<'_, T> {
    /// The sum over the classes of a row.
    fn sum(&self, norms: &RowNormalizers<T>, slopes: bool, blocks: Blocks<'_, T>) -> ClassTerm<f64> {
        let mut total = ClassTerm { value: 0.0, p: 0.0, q: 0.0 };
        blocks(&mut |p, q| {
            let sums = self.loops.sums(norms, slopes, p, q);
            total.value += sums.value.as_f64();
            total.p += sums.p.as_f64();
            total.q += sums.q.as_f64();
        });
        total
    }
}

impl<T: Real> RowDivergence<T> for ClassSum<'_, T> {
    fn check_row(&self) -> Result<()> {
        self.parameters.clone()
    }

    /// The sums of both slopes, and from what they are measured.
    fn gather(&self, norms: &RowNormalizers<T>, slopes: bool, blocks: Blocks<'_, T>) -> (f64, RowStats) {
        let total = self.sum(norms, slopes, blocks);
        let mut centers = [total.p, total.q];
        let sides = [(total.p, self.limits.p), (total.q, self.limits.q)];
        let origins = sides.map(|(center, limits)| if slopes { origin(center, limits) } else { 0.0 });
        if origins != [0.0; 2] {
            let again = self.sum(&norms.measured_from(origins), slopes, blocks);
            centers = [again.p, again.q];
        }
        (total.value, RowStats([centers, origins, [0.0; 2]]))
    }

    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        RowStats([centers, origins, _]): RowStats,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T> {
        self.loops.gradients(&norms.measured_from(origins), centers.map(T::from_f64), scale, p, q, out)
    }

    fn one_sided(&self, class: ClassPair<T>) -> ClassTerm<T> {
        self.loops.term(class)
    }
}
