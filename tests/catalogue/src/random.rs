//! Random arrays that are the same on every machine.

use ndarray::{ArrayD, IxDyn};

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    /// Uniform in `[low, high)`, of any shape.
    pub fn uniform(&mut self, shape: &[usize], low: f64, high: f64) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || low + (high - low) * self.unit())
    }

    /// Uniform classes below `n`.
    pub fn classes(&mut self, shape: &[usize], n: usize) -> ArrayD<i64> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.below(n) as i64)
    }

    /// `true` three times of four.
    pub fn mask(&mut self, shape: &[usize]) -> ArrayD<bool> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.below(4) > 0)
    }
}
