//! The divergence of Rényi.

use ndarray::{ArrayViewMut, Dimension};

use super::amari::{between, tilted_log};
use super::categorical::Source;
use super::compiled::Compiled;
use super::lanes::{GradientTotals, Places, Tally, padded};
use super::normalizers::RowNormalizers;
use super::row_divergence::{Blocks, Out, RowDivergence, RowStats};
use super::{Categorical, CategoricalDivergence, ClassPair, ClassTerm, Sides};
use crate::math::exp;
use crate::rowwise::BLOCK;
use crate::simd::{Kernel, LANES, RowSum, dispatch, join};
use crate::{Element, Real, Reduction, Result, check};

/// The divergence of Rényi, of order `α`.
///
/// ```math
/// D_\alpha = \frac{1}{\alpha - 1} \ln \sum_v p_v^\alpha q_v^{1 - \alpha}, \qquad D_1 = \operatorname{KL}(p \Vert q)
/// ```
///
/// ```math
/// \frac{\partial D}{\partial x_v} = \frac{\alpha}{\alpha - 1} (w_v - p_v), \qquad \frac{\partial D}{\partial y_v} = q_v - w_v,
/// \qquad w \propto p^\alpha q^{1 - \alpha}
/// ```
///
/// Additive over independent parts, and grows with `α`. `½` is `-2 ln` of the Bhattacharyya coefficient; `α → ∞` is the
/// largest log-ratio. The sum is held in logarithms, so that a divergence of thousands is finite, and small ones keep their
/// digits. +inf where `p` and `q` have no class in common, and for `α >= 1` where `p` has a class that `q` has not; of these
/// the gradient is finite at `α = 1` alone, by `y`. It does not split into terms of classes, so sparse teachers have none.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, RenyiDivergence};
/// let (p, q) = (array![[0.5_f64, 0.5]], array![[0.25_f64, 0.75]]);
/// let at = |alpha| RenyiDivergence { alpha }.value(Categorical::Probs(&p), Categorical::Probs(&q), Reduction::Sum);
/// assert!((at(2.0)? - (4.0_f64 / 3.0).ln()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Rényi, "On measures of entropy and information", Fourth Berkeley Symposium, 1961; van Erven and Harremoës, IEEE
/// Transactions on Information Theory 60, 2014, [arXiv:1206.2459](https://arxiv.org/abs/1206.2459).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RenyiDivergence {
    /// Order `α`, finite and `> 0`. No default.
    pub alpha: f64,
}

impl<E: Element, D: Dimension, P: Element<Real = E::Real>> CategoricalDivergence<E, D, P> for RenyiDivergence {
    fn run(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: Sides<Option<ArrayViewMut<'_, E::Real, D>>>,
    ) -> Result<Vec<f64>> {
        let (p_array, q_array) = (p.array().view().into_dyn(), q.array().view().into_dyn());
        let sides = Sides { p: Source::new("p", p.form(), &p_array), q: Source::new("q", q.form(), &q_array) };
        let out = out.map(|out| out.map(ArrayViewMut::into_dyn));
        Compiled::renyi_divergence(self, sides, reduction.into_any(), out)
    }
}

impl<T: Real> RowDivergence<T> for RenyiDivergence {
    fn check_row(&self) -> Result<()> {
        check::positive("alpha", self.alpha)
    }

    /// What gradients need is `ln Σ p^α q^(1-α)` as log-ratios to both sides see it, then the largest logarithm of its terms
    /// and by how much the whole is above that. All log-ratios are too large by what the sum of `p` exceeds that of `q` by,
    /// which shows near equality.
    fn gather(&self, norms: &RowNormalizers<T>, _: bool, blocks: Blocks<'_, T>) -> (f64, RowStats) {
        let beyond = self.alpha - 1.0;
        let (mut whole, mut terms, mut drift) = (RowSum::new(), 0.0, 0.0);
        let mut logs = [T::zero(); BLOCK];
        blocks(&mut |p, q| {
            let logs = &mut logs[..p.len()];
            let tilt = Tilt { alpha: self.alpha, norms: *norms, p, q, logs };
            let [term, difference] = dispatch(tilt);
            terms += term.as_f64();
            drift += difference.as_f64();
            whole.push(logs);
        });
        // The sum is 1 up to this.
        let rise = self.alpha * beyond * terms;
        let log = if rise.abs() < 0.5 {
            rise.ln_1p()
        } else if whole.max.is_infinite() {
            whole.max.as_f64() // no class in common, or one that only p has
        } else {
            whole.log_sum_exp()
        };
        let (max, by_side) = (whole.max.as_f64(), [beyond, self.alpha].map(|power| log + power * drift));
        (log / beyond, RowStats([by_side, [max, log - max]]))
    }

    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        RowStats([logs, [max, below]]): RowStats,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T> {
        let (logs, max, below) = (logs.map(T::from_f64), T::from_f64(max), T::from_f64(below));
        dispatch(Slopes { alpha: self.alpha, logs, max, below, norms: *norms, scale, p, q, out })
    }

    /// Where no class is in common all are like this; beyond 1 it takes one that only `p` has.
    fn one_sided(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let is_infinite = self.alpha < 1.0 || class.log_ratio() == T::infinity();
        let term = if is_infinite { T::infinity() } else { T::zero() };
        ClassTerm { value: term, p: term, q: term }
    }
}

/// Writes `α ln p + (1 - α) ln q` of a block; the sums of the terms of the α-divergence, and of `p - q`.
struct Tilt<'a, T> {
    alpha: f64,
    norms: RowNormalizers<T>,
    p: &'a [T],
    q: &'a [T],
    logs: &'a mut [T],
}

impl<T: Real> Tilt<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(
        &self,
        xs: &[T; LANES],
        ys: &[T; LANES],
        logs: &mut [T; LANES],
        sums: &mut [[T; LANES]; 2],
    ) {
        let beyond = T::from_f64(self.alpha - 1.0);
        for i in 0..LANES {
            let class = self.norms.class::<FMA>(xs[i], ys[i]);
            sums[0][i] += between::<T, FMA>(self.alpha, class).value;
            sums[1][i] += class.difference();
            logs[i] = tilted_log(&class, beyond * class.log_ratio());
        }
    }
}

impl<T: Real> Kernel for Tilt<'_, T> {
    type Output = [T; 2];

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> [T; 2] {
        let mut sums = [[T::zero(); LANES]; 2];
        let (logs, last) = std::mem::take(&mut self.logs).as_chunks_mut();
        let ((xs, last_x), (ys, last_y)) = (self.p.as_chunks(), self.q.as_chunks());
        for ((xs, ys), logs) in xs.iter().zip(ys).zip(logs) {
            self.step::<FMA>(xs, ys, logs, &mut sums);
        }
        if !last_x.is_empty() {
            let mut logs = [T::zero(); LANES];
            self.step::<FMA>(&padded(last_x), &padded(last_y), &mut logs, &mut sums);
            last.copy_from_slice(&logs[..last.len()]);
        }
        sums.map(|lanes| join(lanes, |a, b| a + b))
    }
}

/// Writes both gradients of a block.
struct Slopes<'a, T> {
    alpha: f64,
    /// `ln Σ p^α q^(1-α)` as log-ratios to both sides see it.
    logs: [T; 2],
    /// The logarithm of the largest term, and what is above it.
    max: T,
    below: T,
    norms: RowNormalizers<T>,
    scale: T,
    p: &'a [T],
    q: &'a [T],
    out: Out<'a, T>,
}

impl<T: Real> Slopes<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(
        &self,
        xs: &[T; LANES],
        ys: &[T; LANES],
        [to_p, to_q]: Places<'_, T>,
        tally: &mut Tally<T>,
    ) {
        let (alpha, beyond, one) = (T::from_f64(self.alpha), T::from_f64(self.alpha - 1.0), T::one());
        let factor = T::from_f64(self.alpha / (self.alpha - 1.0));
        for i in 0..LANES {
            let class = self.norms.class::<FMA>(xs[i], ys[i]);
            let (p, q, ratio) = (class.p(), class.q(), class.log_ratio());
            // w = p e^u = q e^v; where u or v is small, what w differs by keeps its digits.
            let (u, v) = (beyond * ratio - self.logs[0], alpha * ratio - self.logs[1]);
            let (is_near_p, is_near_q) = (u.abs() < one, v.abs() < one);
            let (_, rise_p, _) = (if is_near_p { u } else { T::zero() }).exp_steps_lane::<FMA>();
            let (_, rise_q, _) = (if is_near_q { v } else { T::zero() }).exp_steps_lane::<FMA>();
            let w = exp::<T, FMA>((tilted_log(&class, beyond * ratio) - self.max) - self.below);
            let from_p = if is_near_p { p * (factor * rise_p) } else { factor * (w - p) };
            let from_q = if is_near_q { q * rise_q } else { w - q };
            (to_p[i], to_q[i]) = (self.scale * from_p, -self.scale * from_q);
            tally.add(i, [xs[i], ys[i]], self.norms.top, [to_p[i], to_q[i]]);
        }
    }
}

impl<T: Real> Kernel for Slopes<'_, T> {
    type Output = GradientTotals<T>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> GradientTotals<T> {
        let mut tally = Tally::new();
        let (out_p, out_q) = (std::mem::take(&mut self.out.p), std::mem::take(&mut self.out.q));
        let ((xs, last_x), (ys, last_y)) = (self.p.as_chunks(), self.q.as_chunks());
        let ((to_p, last_p), (to_q, last_q)) = (out_p.as_chunks_mut(), out_q.as_chunks_mut());
        for (((xs, ys), to_p), to_q) in xs.iter().zip(ys).zip(to_p).zip(to_q) {
            self.step::<FMA>(xs, ys, [to_p, to_q], &mut tally);
        }
        if !last_x.is_empty() {
            let (mut to_p, mut to_q) = ([T::zero(); LANES], [T::zero(); LANES]);
            self.step::<FMA>(&padded(last_x), &padded(last_y), [&mut to_p, &mut to_q], &mut tally);
            last_p.copy_from_slice(&to_p[..last_p.len()]);
            last_q.copy_from_slice(&to_q[..last_q.len()]);
        }
        tally.total()
    }
}
