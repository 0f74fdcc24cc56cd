//! Random numbers that are the same on every machine.

use loglik::ndarray::Array2;

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Two independent standard normal numbers (Box and Muller 1958).
    pub(crate) fn normals(&mut self) -> [f64; 2] {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        [radius * angle.cos(), radius * angle.sin()]
    }

    /// `n` points of a normal law in the plane, `[n, 2]`.
    pub(crate) fn points(&mut self, n: usize, mean: [f64; 2], deviation: f64) -> Array2<f64> {
        let mut points = Array2::zeros((n, 2));
        for mut point in points.rows_mut() {
            let [x, y] = self.normals();
            point[0] = mean[0] + deviation * x;
            point[1] = mean[1] + deviation * y;
        }
        points
    }
}
