//! The vectorized loops over a block of both sides.

use super::normalizers::RowNormalizers;
use super::row_divergence::Out;
use super::{ClassDivergence, ClassTerm};
use crate::Real;
use crate::math::ln;
use crate::simd::{Kernel, LANES, join};

/// Sums of the terms of a block; with `SLOPES` also those of both slopes.
pub(super) struct Sums<'a, K, T, const SLOPES: bool, const FAR: bool> {
    pub(super) divergence: &'a K,
    pub(super) norms: RowNormalizers<T>,
    pub(super) p: &'a [T],
    pub(super) q: &'a [T],
}

/// Sums by lanes: of terms, and of the slopes of both sides.
type Lanes<T> = [[T; LANES]; 3];

impl<K: ClassDivergence, T: Real, const SLOPES: bool, const FAR: bool> Sums<'_, K, T, SLOPES, FAR> {
    #[inline(always)]
    fn step<const FMA: bool>(&self, xs: &[T; LANES], ys: &[T; LANES], sums: &mut Lanes<T>) {
        for i in 0..LANES {
            let term = self.divergence.at::<T, FMA>(self.norms.class_from::<FMA, FAR>(xs[i], ys[i]));
            sums[0][i] += term.value;
            if SLOPES {
                sums[1][i] += term.p;
                sums[2][i] += term.q;
            }
        }
    }
}

impl<K: ClassDivergence, T: Real, const SLOPES: bool, const FAR: bool> Kernel for Sums<'_, K, T, SLOPES, FAR> {
    type Output = ClassTerm<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> ClassTerm<T> {
        let mut sums = [[T::zero(); LANES]; 3];
        let ((xs, last_x), (ys, last_y)) = (self.p.as_chunks(), self.q.as_chunks());
        for (xs, ys) in xs.iter().zip(ys) {
            self.step::<FMA>(xs, ys, &mut sums);
        }
        if !last_x.is_empty() {
            self.step::<FMA>(&padded(last_x), &padded(last_y), &mut sums);
        }
        let [value, p, q] = sums.map(|lanes| join(lanes, |a, b| a + b));
        ClassTerm { value, p, q }
    }
}

/// The last classes of a block, and others that neither side has.
#[inline(always)]
pub(super) fn padded<T: Real>(last: &[T]) -> [T; LANES] {
    let mut chunk = [T::neg_infinity(); LANES];
    chunk[..last.len()].copy_from_slice(last);
    chunk
}

/// Totals over the gradients of a block, taken while they are written.
pub(crate) struct GradientTotals<T> {
    /// For each side 0, or NaN where some entry is not finite.
    pub(super) checks: [T; 2],
    /// For each side the sum of the entries but that of the largest logit, of which it is the opposite.
    pub(super) others: [T; 2],
}

/// [`GradientTotals`], by lanes.
#[derive(Clone, Copy)]
pub(super) struct Tally<T>([[T; LANES]; 4]);

impl<T: Real> Tally<T> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([[T::zero(); LANES]; 4])
    }

    /// Takes in the entries of a class with these logits.
    #[inline(always)]
    pub(super) fn add(&mut self, lane: usize, logits: [T; 2], top: [T; 2], entries: [T; 2]) {
        for side in 0..2 {
            let entry = entries[side];
            self.0[side][lane] += entry * T::zero(); // NaN at what is not finite
            self.0[2 + side][lane] += if logits[side] < top[side] { entry } else { T::zero() };
        }
    }

    #[inline(always)]
    pub(super) fn total(self) -> GradientTotals<T> {
        let [a, b, c, d] = self.0.map(|lanes| join(lanes, |a, b| a + b));
        GradientTotals { checks: [a, b], others: [c, d] }
    }
}

/// Writes the gradients of a block.
pub(super) struct Slopes<'a, K, T, const FAR: bool> {
    pub(super) divergence: &'a K,
    pub(super) norms: RowNormalizers<T>,
    pub(super) p: &'a [T],
    pub(super) q: &'a [T],
    /// The sums of both slopes over the row, which center the gradient.
    pub(super) centers: [T; 2],
    pub(super) scale: T,
    pub(super) out: Out<'a, T>,
}

/// The chunks of both gradients.
pub(super) type Places<'a, T> = [&'a mut [T; LANES]; 2];

impl<K: ClassDivergence, T: Real, const FAR: bool> Slopes<'_, K, T, FAR> {
    #[inline(always)]
    fn step<const FMA: bool>(
        &self,
        xs: &[T; LANES],
        ys: &[T; LANES],
        [to_p, to_q]: Places<'_, T>,
        tally: &mut Tally<T>,
    ) {
        for i in 0..LANES {
            let class = self.norms.class_from::<FMA, FAR>(xs[i], ys[i]);
            let term = self.divergence.at::<T, FMA>(class);
            let p = self.scale * (term.p - class.p() * self.centers[0]);
            let q = self.scale * (term.q - class.q() * self.centers[1]);
            (to_p[i], to_q[i]) = (p, q);
            tally.add(i, [xs[i], ys[i]], self.norms.top, [p, q]);
        }
    }
}

impl<K: ClassDivergence, T: Real, const FAR: bool> Kernel for Slopes<'_, K, T, FAR> {
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

/// Replaces probabilities by their logarithms.
pub(super) struct Logarithms<'a, T>(pub(super) &'a mut [T]);

impl<T: Real> Kernel for Logarithms<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.0 {
            *x = ln::<T, FMA>(*x);
        }
    }
}

/// The sum of probabilities; NaN where one is negative or not finite.
pub(super) struct Mass<'a, T>(pub(super) &'a [T]);

impl<T: Real> Kernel for Mass<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let mut sums = [T::zero(); LANES];
        for chunk in self.0.chunks(LANES) {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += if x >= T::zero() && x < T::infinity() { x } else { T::nan() };
            }
        }
        join(sums, |a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::divergence::normalizers::Normalizer;
    use crate::divergence::{InterpolatedJsd, KlDivergence};
    use crate::simd::{available, run_at};

    /// Logits of both sides, some of them -inf, and their normalizers.
    fn sides(n: usize) -> ([Vec<f64>; 2], RowNormalizers<f64>) {
        let side = |seed: usize| -> Vec<f64> {
            let number = |i: usize| ((i * 7919 + seed * 104_729) % 513) as f64 / 64.0 - 4.0;
            (0..n).map(|i| if (i + seed) % 11 == 3 { f64::NEG_INFINITY } else { number(i) }).collect()
        };
        let normalizer = |x: &[f64]| {
            let top = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            Normalizer { max: top, log: x.iter().map(|x| (x - top).exp()).sum::<f64>().ln(), top }
        };
        let (x, y) = (side(1), side(2));
        let norms = RowNormalizers::new(normalizer(&x), normalizer(&y));
        ([x, y], norms)
    }

    fn check<K: ClassDivergence>(divergence: &K) {
        for n in [1, 2, 31, 32, 33, 75] {
            let ([x, y], norms) = sides(n);
            let terms = || x.iter().zip(&y).map(|(&x, &y)| divergence.at::<f64, false>(norms.class::<false>(x, y)));
            let value: f64 = terms().map(|term| term.value).sum();
            let centers: [f64; 2] = [terms().map(|term| term.p).sum(), terms().map(|term| term.q).sum()];
            for level in available() {
                let alone = run_at(level, Sums::<_, _, false, false> { divergence, norms, p: &x, q: &y });
                let sums = run_at(level, Sums::<_, _, true, false> { divergence, norms, p: &x, q: &y });
                assert_eq!(alone.value, sums.value, "{n} at {level:?}");
                assert!((sums.value - value).abs() <= 1e-14 * value, "{n} at {level:?}: {}, {value}", sums.value);
                assert!((sums.p - centers[0]).abs() < 1e-14 && (sums.q - centers[1]).abs() < 1e-14);
                let (mut out_p, mut out_q) = (vec![0.0; n], vec![0.0; n]);
                let out = Out { p: &mut out_p, q: &mut out_q };
                let slopes = Slopes::<_, _, false> { divergence, norms, p: &x, q: &y, centers, scale: 2.0, out };
                let written = run_at(level, slopes);
                assert_eq!(written.checks, [0.0; 2]);
                for (i, term) in terms().enumerate() {
                    let class = norms.class::<false>(x[i], y[i]);
                    let expected = [term.p - class.p() * centers[0], term.q - class.q() * centers[1]];
                    assert!((out_p[i] - 2.0 * expected[0]).abs() < 1e-14, "{i} of {n} at {level:?}");
                    assert!((out_q[i] - 2.0 * expected[1]).abs() < 1e-14, "{i} of {n} at {level:?}");
                }
                let below = |x: &[f64], top: f64, out: &[f64]| -> f64 {
                    x.iter().zip(out).filter(|(x, _)| **x < top).map(|(_, g)| g).sum()
                };
                assert!((written.others[0] - below(&x, norms.top[0], &out_p)).abs() < 1e-14);
                assert!((written.others[1] - below(&y, norms.top[1], &out_q)).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn every_level_and_length_agrees_with_single_classes() {
        check(&InterpolatedJsd { beta: 0.3 });
    }

    #[test]
    fn what_is_not_finite_is_told_of_its_side_alone() {
        let norms = RowNormalizers::new(
            Normalizer { max: 0.0_f64, log: 0.5, top: 0.0 },
            Normalizer { max: 0.0, log: 0.5, top: 0.0 },
        );
        for (level, at) in available().into_iter().flat_map(|level| [0, 31, 40].map(|at| (level, at))) {
            let (x, mut y) = (vec![-1.0_f64; 41], vec![-1.0_f64; 41]);
            y[at] = f64::NEG_INFINITY; // ln(p/q) is +inf
            let (mut out_p, mut out_q) = (vec![0.0; 41], vec![0.0; 41]);
            let out = Out { p: &mut out_p, q: &mut out_q };
            let (divergence, centers) = (&KlDivergence, [0.0; 2]);
            let slopes = Slopes::<_, _, false> { divergence, norms, p: &x, q: &y, centers, scale: 1.0, out };
            let checks = run_at(level, slopes).checks;
            assert!(checks[0].is_nan() && checks[1] == 0.0, "{at} at {level:?}");
        }
    }
}
