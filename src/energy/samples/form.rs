//! The quadratic forms that losses of this room are, with the coefficients of one sample.

use crate::Real;
use crate::math;
use crate::pointwise::{Block, Pointwise, apply, evaluate};

/// The most coefficients that differ from sample to sample.
pub(super) const COEFFICIENTS: usize = 3;

/// A sum over the numbers of one sample, and its slopes in the first one or two of the columns `a, b, ..`. All samples of a
/// call have the same form and the same `gain`, with other coefficients.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `gain / 2 · Σ (rate (c₀ a + c₁ b))²`.
    Square { coefficients: [f64; 2], rate: f64, gain: f64 },
    /// `½ Σ a²`.
    Norm,
    /// `½ Σ a² - Σ a t` for the target `t = c₀ b + c₁ c + c₂ d`.
    Regression { coefficients: [f64; 3] },
    /// The mean of two regressions: of `a` on `t + noise e` and of `b` on `t - noise e`, with `t = c₀ c + c₁ d`.
    Antithetic { path: [f64; 2], noise: f64 },
    /// `½ (Σ a b)²`.
    SquaredProduct,
}

/// The number of a sample that has no form: which one it is, and what is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub(in crate::energy) number: usize,
    pub(in crate::energy) allowed: &'static str,
}

impl Form {
    /// The coefficients of the sample, zeros behind the last.
    pub(super) fn coefficients(&self) -> [f64; COEFFICIENTS] {
        match *self {
            Self::Square { coefficients: [c, d], rate, .. } => [c, d, rate],
            Self::Regression { coefficients } => coefficients,
            Self::Antithetic { path: [c, d], noise } => [c, d, noise],
            Self::Norm | Self::SquaredProduct => [0.0; COEFFICIENTS],
        }
    }

    /// The terms of some numbers, and their slopes. Behind the columns of the samples come those of their coefficients.
    pub(super) fn terms<T: Real>(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        let mut run = |block: &dyn Block<T>| evaluate(block, columns, loss, slopes, is_steep);
        match *self {
            Self::Square { gain, .. } => run(&Terms(Square { gain })),
            Self::Norm => run(&Terms(Norm)),
            Self::Regression { .. } => run(&Terms(Regression)),
            Self::Antithetic { .. } => run(&Terms(Antithetic)),
            Self::SquaredProduct => run(&Terms(Product)),
        }
    }

    /// From the sum of the terms to the loss, and what slopes are to be multiplied by.
    pub(super) fn finish(&self, sum: f64) -> (f64, f64) {
        match self {
            Self::SquaredProduct => (0.5 * sum * sum, sum),
            _ => (sum, 1.0),
        }
    }
}

struct Terms<F, const N: usize, const G: usize>(F);

impl<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize> Block<T> for Terms<F, N, G> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        apply::<T, _, N, G>(&self.0, columns, loss, slopes, is_steep);
    }
}

struct Square {
    gain: f64,
}

impl Pointwise<5, 2> for Square {
    /// The residual is scaled before it is squared, and one of 0 counts as 0 however large the scale.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [a, b, c, d, rate]: [T; 5]) -> (T, [T; 2]) {
        let gain = T::from_f64(self.gain);
        let residual = c * a + d * b;
        let scaled = |r: T| if residual == T::zero() { T::zero() } else { r * rate };
        let z = scaled(residual);
        let slope = gain * scaled(z);
        (T::from_f64(0.5) * gain * z * z, [c * slope, d * slope])
    }
}

struct Norm;

impl Pointwise<1, 1> for Norm {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [a]: [T; 1]) -> (T, [T; 1]) {
        (T::from_f64(0.5) * a * a, [a])
    }
}

struct Regression;

impl Pointwise<7, 1> for Regression {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [a, x, y, z, c, d, e]: [T; 7]) -> (T, [T; 1]) {
        let target = math::mul_add::<T, FMA>(e, z, c * x + d * y);
        (a * (T::from_f64(0.5) * a - target), [a - target])
    }
}

struct Antithetic;

impl Pointwise<8, 2> for Antithetic {
    /// The large noise of both halves meets as `noise · e · (a - b)`: what cancels is never formed.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [a, b, x, y, e, c, d, noise]: [T; 8]) -> (T, [T; 2]) {
        let (noise, half) = (noise * e, T::from_f64(0.5));
        let target = c * x + d * y;
        let base = half * (a * (half * a - target) + b * (half * b - target));
        (base - half * noise * (a - b), [half * (a - target - noise), half * (b - target + noise)])
    }
}

struct Product;

impl Pointwise<2, 1> for Product {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [a, b]: [T; 2]) -> (T, [T; 1]) {
        (a * b, [b])
    }
}
