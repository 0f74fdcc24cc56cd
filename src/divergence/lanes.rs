//! The vectorised loops over a block of both sides.

use super::line::Line;
use super::{ClassDivergence, ClassTerm};
use crate::Real;
use crate::math::ln;
use crate::simd::{Kernel, LANES, join};

/// Sums of the terms of a block; with `SLOPES` also those of both slopes.
pub(super) struct Sums<'a, K, T, const SLOPES: bool> {
    pub(super) divergence: &'a K,
    pub(super) line: Line<T>,
    pub(super) p: &'a [T],
    pub(super) q: &'a [T],
}

/// Sums by lanes: of terms, and of the slopes of both sides.
type Lanes<T> = [[T; LANES]; 3];

impl<K: ClassDivergence, T: Real, const SLOPES: bool> Sums<'_, K, T, SLOPES> {
    #[inline(always)]
    fn step<const FMA: bool>(&self, xs: &[T; LANES], ys: &[T; LANES], sums: &mut Lanes<T>) {
        for i in 0..LANES {
            let term = self.divergence.at::<T, FMA>(self.line.class::<FMA>(xs[i], ys[i]));
            sums[0][i] += term.value;
            if SLOPES {
                sums[1][i] += term.p;
                sums[2][i] += term.q;
            }
        }
    }
}

impl<K: ClassDivergence, T: Real, const SLOPES: bool> Kernel for Sums<'_, K, T, SLOPES> {
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
fn padded<T: Real>(last: &[T]) -> [T; LANES] {
    let mut chunk = [T::neg_infinity(); LANES];
    chunk[..last.len()].copy_from_slice(last);
    chunk
}

/// What is found while the gradients of a block are written.
pub(super) struct Written<T> {
    /// For each side 0, or NaN where some entry is not finite.
    pub(super) checks: [T; 2],
    /// For each side the sum of the entries but that of the largest logit, of which it is the opposite.
    pub(super) others: [T; 2],
}

/// [`Written`], by lanes.
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
    pub(super) fn total(self) -> Written<T> {
        let [a, b, c, d] = self.0.map(|lanes| join(lanes, |a, b| a + b));
        Written { checks: [a, b], others: [c, d] }
    }
}

/// Writes the gradients of a block.
pub(super) struct Slopes<'a, K, T> {
    pub(super) divergence: &'a K,
    pub(super) line: Line<T>,
    pub(super) p: &'a [T],
    pub(super) q: &'a [T],
    /// The sums of both slopes over the row, which centre the gradient.
    pub(super) centres: [T; 2],
    pub(super) scale: T,
    pub(super) out_p: &'a mut [T],
    pub(super) out_q: &'a mut [T],
}

/// The chunks of both gradients.
type Places<'a, T> = [&'a mut [T; LANES]; 2];

impl<K: ClassDivergence, T: Real> Slopes<'_, K, T> {
    #[inline(always)]
    fn step<const FMA: bool>(
        &self,
        xs: &[T; LANES],
        ys: &[T; LANES],
        [to_p, to_q]: Places<'_, T>,
        tally: &mut Tally<T>,
    ) {
        for i in 0..LANES {
            let class = self.line.class::<FMA>(xs[i], ys[i]);
            let term = self.divergence.at::<T, FMA>(class);
            let p = self.scale * (term.p - class.p() * self.centres[0]);
            let q = self.scale * (term.q - class.q() * self.centres[1]);
            (to_p[i], to_q[i]) = (p, q);
            tally.add(i, [xs[i], ys[i]], self.line.top, [p, q]);
        }
    }
}

impl<K: ClassDivergence, T: Real> Kernel for Slopes<'_, K, T> {
    type Output = Written<T>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Written<T> {
        let mut tally = Tally::new();
        let (out_p, out_q) = (std::mem::take(&mut self.out_p), std::mem::take(&mut self.out_q));
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
