//! The divergence of Rényi.

use ndarray::{ArrayViewMut, Dimension};

use super::amari::between;
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
/// digits. The weights `w` are made of differences of logits to those of a class of the largest weight, which one more pass
/// finds, and divided by their own sum: each is good to the rounding of these differences times `α` and `1 - α`. +inf where
/// `p` and `q` have no class in common, and for `α >= 1` where `p` has a class that `q` has not; of these the gradient is
/// finite at `α = 1` alone, by `y`. It does not split into terms of classes, so sparse teachers have none.
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

    /// What gradients need is `ln Σ p^α q^(1-α)` as log-ratios to both sides see it, the logits of a class of a large term,
    /// and the logarithm of the sum of all terms over that one. All log-ratios are too large by what the sum of `p` exceeds
    /// that of `q` by, which shows near equality.
    fn gather(&self, norms: &RowNormalizers<T>, _: bool, blocks: Blocks<'_, T>) -> (f64, RowStats) {
        let beyond = self.alpha - 1.0;
        let (tilt, largest) = self.tilt(norms, blocks);
        let (mut whole, mut terms, mut drift) = (RowSum::new(), 0.0, 0.0);
        let mut logs = [T::zero(); BLOCK];
        blocks(&mut |p, q| {
            let logs = &mut logs[..p.len()];
            let [term, difference] = dispatch(Terms { tilt, norms: *norms, p, q, logs });
            terms += term.as_f64();
            drift += difference.as_f64();
            whole.push(logs);
        });
        // The sum is 1 up to this.
        let rise = self.alpha * beyond * terms;
        let total = whole.log_sum_exp();
        let log = if rise.abs() < 0.5 {
            rise.ln_1p()
        } else if largest.is_infinite() {
            largest.as_f64() // no class in common, or one that only p has
        } else {
            let class = norms.class::<false>(tilt.at[0], tilt.at[1]);
            total + (class.log_p().as_f64() + beyond * class.log_ratio().as_f64())
        };
        let total = if largest.is_infinite() { f64::NAN } else { total };
        let by_side = [beyond, self.alpha].map(|power| log + power * drift);
        (log / beyond, RowStats([by_side, tilt.at.map(T::as_f64), [total, 0.0]]))
    }

    fn gradients(
        &self,
        norms: &RowNormalizers<T>,
        RowStats([logs, at, [total, _]]): RowStats,
        scale: T,
        p: &[T],
        q: &[T],
        out: Out<'_, T>,
    ) -> GradientTotals<T> {
        let tilt = Tilt { alpha: self.alpha, at: at.map(T::from_f64) };
        let (logs, total) = (logs.map(T::from_f64), T::from_f64(total));
        dispatch(Slopes { tilt, logs, total, norms: *norms, scale, p, q, out })
    }

    /// Where no class is in common all are like this; beyond 1 it takes one that only `p` has.
    fn one_sided(&self, class: ClassPair<T>) -> ClassTerm<T> {
        let is_infinite = self.alpha < 1.0 || class.log_ratio() == T::infinity();
        let term = if is_infinite { T::infinity() } else { T::zero() };
        ClassTerm { value: term, p: term, q: term }
    }
}

/// So far from the class that it was measured from a larger term is exact enough to be the one to measure from.
const CLOSE: f64 = 1024.0;

/// Rounds in which the distance falls by the rounding of the type each time, from the largest number to that.
const ROUNDS: usize = 64;

impl RenyiDivergence {
    /// Terms over a class whose own is as large as any, and the logarithm of the largest over one that may be none of them:
    /// infinite where all terms are 0, or one is beyond measure.
    fn tilt<T: Real>(&self, norms: &RowNormalizers<T>, blocks: Blocks<'_, T>) -> (Tilt<T>, T) {
        let mut tilt = Tilt { alpha: self.alpha, at: norms.top };
        let (mut logs, mut largest) = ([T::zero(); BLOCK], T::neg_infinity());
        for _ in 0..ROUNDS {
            let mut found = tilt.at;
            largest = T::neg_infinity();
            blocks(&mut |p, q| {
                let logs = &mut logs[..p.len()];
                dispatch(Logs { tilt, p, q, logs });
                let (top, _) = T::top(logs);
                if top > largest {
                    let class = T::place(logs, top);
                    (largest, found) = (top, [p[class], q[class]]);
                }
            });
            if largest.is_infinite() {
                break;
            }
            let moved = [0, 1].map(|side| (found[side].as_f64() - tilt.at[side].as_f64()).abs());
            tilt.at = found;
            if self.alpha * moved[0] + (1.0 - self.alpha).abs() * moved[1] <= CLOSE {
                break;
            }
        }
        (tilt, largest)
    }
}

/// The logarithm of a term `p^α q^(1-α)` over the one at a class of these logits.
///
/// Only differences of logits to that class's enter. The logarithm of a term by itself holds normalizers and log-ratios
/// that all terms share, beside which what tells them apart may be rounded away.
#[derive(Clone, Copy)]
struct Tilt<T> {
    alpha: f64,
    at: [T; 2],
}

impl<T: Real> Tilt<T> {
    /// From the side of the larger power, so that the other's only enters as much as it counts.
    #[inline(always)]
    fn log(&self, x: T, y: T) -> T {
        let (alpha, beyond) = (T::from_f64(self.alpha), T::from_f64(self.alpha - 1.0));
        let (from_p, from_q) = (x - self.at[0], y - self.at[1]);
        let gap = from_p - from_q;
        let log = if self.alpha < 0.5 { from_q + alpha * gap } else { from_p + beyond * gap };
        let is_none = from_p == T::neg_infinity() || (self.alpha < 1.0 && from_q == T::neg_infinity());
        if is_none { T::neg_infinity() } else { log }
    }
}

/// Writes the logarithms of the terms of a block.
struct Logs<'a, T> {
    tilt: Tilt<T>,
    p: &'a [T],
    q: &'a [T],
    logs: &'a mut [T],
}

impl<T: Real> Kernel for Logs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((log, &x), &y) in self.logs.iter_mut().zip(self.p).zip(self.q) {
            *log = self.tilt.log(x, y);
        }
    }
}

/// The same; the sums of the terms of the α-divergence, and of `p - q`.
struct Terms<'a, T> {
    tilt: Tilt<T>,
    norms: RowNormalizers<T>,
    p: &'a [T],
    q: &'a [T],
    logs: &'a mut [T],
}

impl<T: Real> Terms<'_, T> {
    #[inline(always)]
    fn step<const FMA: bool>(
        &self,
        xs: &[T; LANES],
        ys: &[T; LANES],
        logs: &mut [T; LANES],
        sums: &mut [[T; LANES]; 2],
    ) {
        for i in 0..LANES {
            let class = self.norms.class::<FMA>(xs[i], ys[i]);
            sums[0][i] += between::<T, FMA>(self.tilt.alpha, class).value;
            sums[1][i] += class.difference();
            logs[i] = self.tilt.log(xs[i], ys[i]);
        }
    }
}

impl<T: Real> Kernel for Terms<'_, T> {
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
    tilt: Tilt<T>,
    /// `ln Σ p^α q^(1-α)` as log-ratios to both sides see it.
    logs: [T; 2],
    /// The logarithm of the sum of all terms over the one that they are measured from.
    total: T,
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
        let (order, one) = (self.tilt.alpha, T::one());
        let [alpha, beyond, factor] = [order, order - 1.0, order / (order - 1.0)].map(T::from_f64);
        for i in 0..LANES {
            let class = self.norms.class::<FMA>(xs[i], ys[i]);
            let (p, q, ratio) = (class.p(), class.q(), class.log_ratio());
            // w = p e^u = q e^v; where u or v is small, what w differs by keeps its digits. As a difference of large numbers
            // neither has any.
            let (by_p, by_q) = (beyond * ratio, alpha * ratio);
            let (u, v) = (by_p - self.logs[0], by_q - self.logs[1]);
            let is_near_p = by_p.abs() < one && u.abs() < one;
            let is_near_q = by_q.abs() < one && v.abs() < one;
            let (_, rise_p, _) = (if is_near_p { u } else { T::zero() }).exp_steps_lane::<FMA>();
            let (_, rise_q, _) = (if is_near_q { v } else { T::zero() }).exp_steps_lane::<FMA>();
            let w = exp::<T, FMA>(self.tilt.log(xs[i], ys[i]) - self.total);
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

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::RenyiDivergence;
    use crate::divergence::{Categorical::Logits, CategoricalDivergence, Sides};
    use crate::{Element, Real, Reduction};

    /// Entries beside the largest of their side.
    fn check<T: Real + Element<Real = T>>(alpha: f64, x: [f64; 3], y: [f64; 3], exact: [[f64; 3]; 2]) {
        let [x, y]: [Array2<T>; 2] = [x, y].map(|row| array![row.map(T::from_f64)]);
        let (_, found): (T, Sides<Array2<T>>) =
            RenyiDivergence { alpha }.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
        for (found, exact) in [found.p, found.q].iter().zip(exact) {
            let largest = exact.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
            for (entry, exact) in found.iter().zip(exact) {
                let (entry, room) = (entry.as_f64(), 16.0 * T::epsilon().as_f64() * largest);
                assert!((entry - exact).abs() <= room, "{alpha}, {x}, {y}: {entry}, {exact}");
            }
        }
    }

    /// What the weights share is far larger than what tells them apart. Exact: by 400 digits.
    #[test]
    fn weights_of_large_gaps_are_normalized_by_their_own_sum() {
        fn check_both(alpha: f64, x: [f64; 3], y: [f64; 3], exact: [[f64; 3]; 2]) {
            check::<f64>(alpha, x, y, exact);
            check::<f32>(alpha, x, y, exact);
        }
        const NONE: f64 = f64::NEG_INFINITY;
        for large in [1e30_f32, 1e37] {
            let large = f64::from(large);
            check_both(2.0, [0.0, 0.0, NONE], [large, 0.0, NONE], [[-1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]);
            let on_p = [-0.423_883_115_234_170_9, -0.185_477_271_189_935_8, 0.609_360_386_424_106_7];
            let on_q = [1.0, -0.119_202_922_022_117_6, -0.880_797_077_977_882_4];
            check_both(2.0, [0.0, 0.0, 1.0], [large, 0.0, 0.0], [on_p, on_q]);
            check::<f64>(2.0, [0.0, 0.0, 1.0], [1e300, 0.0, 0.0], [on_p, on_q]);
            check_both(0.5, [large, 0.0, -1.0], [0.0, large, 0.0], [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]]);
            let on_p = [-0.333_333_333_333_333_3, 0.125_846_889_599_381_8, 0.207_486_443_733_951_5];
            check_both(0.25, [-large, 0.5, 1.0], [20.0, -large, -large], [on_p, [0.0; 3]]);
        }
        let on_p = [-0.844_637_596_503_036_4, 1.060_510_657_141_83, -0.215_873_060_638_793_7];
        let on_q = [1.0, -0.952_574_126_822_433_2, -0.047_425_873_177_566_78];
        check_both(2.0, [0.0, 0.0, -1.0], [745.0, 0.0, 1.0], [on_p, on_q]);
        let on_p = [-0.884_027_546_026_548_7, 0.646_275_921_267_939_9, 0.237_751_624_758_608_8];
        let on_q = [1.0, -0.731_058_578_630_004_9, -0.268_941_421_369_995_1];
        check_both(7.5, [1.5, 0.0, -1.0], [300.0, 2.0, 1.0], [on_p, on_q]);
        let on_p = [-2.273_192_479_653_745e-27, 0.125_846_889_599_381_8, -0.125_846_889_599_381_8];
        let on_q = [0.999_999_997_938_846_4, -2.526_163_780_925_691e-20, -0.999_999_997_938_846_4];
        check_both(0.25, [-300.0, 0.5, 1.0], [20.0, -60.0, 0.0], [on_p, on_q]);
        let on_p = [-6.345_393_112_773_241e-19, 6.345_393_112_773_241e-19, 0.0];
        let on_q = [0.999_999_999_999_906_4, -0.999_999_999_999_906_4, 6.470_234_925_644_855e-26];
        check_both(1.5, [-3.0, 40.0, NONE], [60.0, 30.0, 2.0], [on_p, on_q]);
    }

    #[test]
    fn classes_in_other_blocks_are_the_largest_too() {
        let (n, far) = (5_000, 4_321);
        let row =
            |at: usize, logit: f64| -> Array1<f64> { Array1::from_shape_fn(n, |i| if i == at { logit } else { 0.0 }) };
        let (x, y) = (row(far, -30.0), row(far, -2e8));
        let (_, found) = RenyiDivergence { alpha: 2.0 }.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
        assert_eq!(found.q[far], -1.0);
        assert!((found.p[far] - 2.0).abs() < 1e-12 && found.p.sum().abs() < 1e-12 && found.q.sum().abs() < 1e-12);
    }
}
