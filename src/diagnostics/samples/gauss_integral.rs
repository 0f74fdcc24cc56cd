//! The mean of `e^(-s²)` over an interval, in logarithms, so that no tail is too far.

use std::f64::consts::PI;

/// Nodes and weights of Gauss and Legendre on `[0, 1]`, symmetric about ½.
const NODES: [(f64, f64); 4] = [
    (0.019_855_071_751_231_884, 0.050_614_268_145_188_13),
    (0.101_666_761_293_186_63, 0.111_190_517_226_687_24),
    (0.237_233_795_041_835_5, 0.156_853_322_938_943_64),
    (0.408_282_678_752_175_1, 0.181_341_891_689_181),
];

/// `ln (1/h ∫ e^(-s²) ds)` from `start` to `start + h`, `h > 0`.
pub(super) fn log_mean(start: f64, h: f64) -> f64 {
    // The integrand is even: the nearer end comes first, at or beyond zero or just before it.
    let start = if start < -0.5 * h { -(start + h) } else { start };
    if start < 0.0 {
        return (0.5 * PI.sqrt() * (libm::erf(start + h) + libm::erf(-start)) / h).ln();
    }
    let drop = h * (2.0 * start + h);
    let mean = if drop < 1.0 {
        let at = |u: f64| (-h * u * (2.0 * start + h * u)).exp();
        NODES.iter().map(|&(u, weight)| weight * (at(u) + at(1.0 - u))).sum::<f64>()
    } else {
        0.5 * PI.sqrt() * (scaled_erfc(start) - (-drop).exp() * scaled_erfc(start + h)) / h
    };
    mean.ln() - start * start
}

/// `e^(x²) erfc(x)` for `x >= 0`.
fn scaled_erfc(x: f64) -> f64 {
    if x < 2.0 {
        return (x * x).exp() * libm::erfc(x);
    }
    // Laplace's continued fraction, x + (1/2)/(x + (2/2)/(x + (3/2)/..)), from far enough inside.
    let tail = (1..=70).rev().fold(x, |tail, k| x + 0.5 * f64::from(k) / tail);
    1.0 / (PI.sqrt() * tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    const ORACLE: [(f64, f64, f64); 12] = [
        (-0.3, 1.1, -0.147_753_884_096_133_88),
        (0.0, 1e-9, -3.333_333_333_333_334e-19),
        (0.5, 1e-3, -0.250_500_291_583_292),
        (3.0, 0.2, -9.550_228_333_507_55),
        (3.0, 0.1, -9.287_886_925_771_264),
        (6.0, 5.0, -40.107_781_323_292_734),
        (26.0, 40.0, -683.640_861_454_943_4),
        (1e3, 1e-4, -1_000_000.098_333_891_7),
        (2e4, 3.0, -400_000_011.695_247),
        (-0.5, 40.0, -3.390_622_543_973_622),
        (-1e-3, 2e-3, -3.333_332_888_888_917e-7),
        (0.49, 0.5, -0.545_920_167_862_095),
    ];

    const TAILS: [(f64, f64); 8] = [
        (0.0, 1.0),
        (0.5, 0.615_690_344_192_925_9),
        (1.999, 0.255_502_514_590_577_9),
        (2.0, 0.255_395_676_310_505_74),
        (3.5, 0.155_293_655_608_894_3),
        (10.0, 0.056_140_992_743_822_59),
        (30.0, 0.018_795_888_861_416_75),
        (1e5, 5.641_895_835_195_468e-6),
    ];

    /// Exact values: mpmath, 40 digits.
    #[test]
    fn means_are_those_of_forty_digits() {
        for (start, h, expected) in ORACLE {
            let got = log_mean(start, h);
            assert!(
                (got - expected).abs() <= 4e-15 * expected.abs().max(1.0),
                "{start}, {h}: {got} against {expected}"
            );
            close(log_mean(-(start + h), h), got, 1e-13); // mirrored
        }
    }

    #[test]
    fn scaled_tails_are_those_of_forty_digits() {
        for (x, expected) in TAILS {
            close(scaled_erfc(x), expected, 1e-14);
        }
    }
}
