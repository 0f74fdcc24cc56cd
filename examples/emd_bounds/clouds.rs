//! Two clouds of points: a ring, and a cross within it.

use ndarray::{Array1, Array2};

/// Points in the plane with their weights.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) points: Array2<f64>,
    pub(crate) weights: Array1<f64>,
}

/// `n` points each, scattered about a circle of radius 1 and about two lines through its middle; weights sum to 1.
pub(crate) fn clouds(n: usize, seed: u64) -> (Cloud, Cloud) {
    let mut random = Random(seed);
    let ring = cloud(n, &mut random, |along| {
        let angle = std::f64::consts::TAU * along;
        [angle.cos(), angle.sin()]
    });
    let cross = cloud(n, &mut random, |along| {
        let arm = 4.0 * (along - 0.5);
        if arm < 0.0 { [arm + 1.0, 0.0] } else { [0.3, arm - 1.0] }
    });
    (ring, cross)
}

fn cloud(n: usize, random: &mut Random, path: impl Fn(f64) -> [f64; 2]) -> Cloud {
    let mut points = Array2::zeros((n, 2));
    for mut point in points.rows_mut() {
        let place = path(random.unit());
        for (x, center) in point.iter_mut().zip(place) {
            *x = center + 0.3 * (random.unit() - 0.5);
        }
    }
    let weights = Array1::from_shape_simple_fn(n, || 0.5 + random.unit());
    Cloud { points, weights: &weights / weights.sum() }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    /// Uniform in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
