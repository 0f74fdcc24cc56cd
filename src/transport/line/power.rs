//! The cost of a distance: its power.

use crate::{Result, check};

/// `|d|^p`, without a call of `powf` where the field uses it most.
#[derive(Clone, Copy)]
pub(super) enum Power {
    First,
    Second,
    Other(f64),
    /// `(|d| / unit)^p`, which fits however large the power. Slopes and rises are by `d / unit`, too.
    Scaled {
        p: f64,
        unit: f64,
    },
}

impl Power {
    /// `p` must be finite and at least 1.
    pub(super) fn new(p: f64) -> Result<Self> {
        check::parameter("p", p, "finite and >= 1", p >= 1.0 && p.is_finite())?;
        Ok(match p {
            1.0 => Self::First,
            2.0 => Self::Second,
            p => Self::Other(p),
        })
    }

    /// `|d|^p`.
    #[inline(always)]
    pub(super) fn of(self, d: f64) -> f64 {
        match self {
            Self::First => d.abs(),
            Self::Second => d * d,
            Self::Other(p) => d.abs().powf(p),
            Self::Scaled { p, unit } => (d.abs() / unit).powf(p),
        }
    }

    /// Its derivative, `p |d|^(p-1) sign(d)`; 0 at 0, which for `p = 1` is one of its subgradients.
    #[inline(always)]
    pub(super) fn slope(self, d: f64) -> f64 {
        let sign = if d == 0.0 { 0.0 } else { d.signum() };
        match self {
            Self::First => sign,
            Self::Second => 2.0 * d,
            Self::Other(p) => sign * p * d.abs().powf(p - 1.0),
            Self::Scaled { p, unit } => sign * p * (d.abs() / unit).powf(p - 1.0),
        }
    }

    /// `|d + step|^p - |d|^p`, relative to its own size where `step` is small.
    #[inline(always)]
    pub(super) fn rise(self, d: f64, step: f64) -> f64 {
        let to = d + step;
        match self {
            Self::First if d > 0.0 && to > 0.0 => step,
            Self::First if d < 0.0 && to < 0.0 => -step,
            Self::Second => step * (d + to),
            _ if step == 0.0 => 0.0, // also where the power overflows
            Self::Other(p) | Self::Scaled { p, .. } if 2.0 * step.abs() < d.abs() => {
                self.of(d) * (p * (step / d).ln_1p()).exp_m1()
            }
            _ => self.of(to) - self.of(d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    #[test]
    fn slopes_and_rises_are_those_of_the_power() {
        for p in [1.0, 1.5, 2.0, 3.7] {
            let power = Power::new(p).unwrap();
            for d in [-2.5_f64, -0.3, 0.7, 4.0] {
                close(power.of(d), d.abs().powf(p), 1e-15);
                let h = 1e-5;
                close(power.slope(d), (power.of(d + h) - power.of(d - h)) / (2.0 * h), 1e-9);
                for step in [-6.0, -0.2, 0.1, 3.0] {
                    close(power.rise(d, step), (d + step).abs().powf(p) - d.abs().powf(p), 1e-13);
                }
                // Differences of the powers would be all noise.
                close(power.rise(d, 1e-14), 1e-14 * power.slope(d), 1e-12);
            }
            let scaled = Power::Scaled { p, unit: 0.5 };
            for d in [-2.5_f64, 0.7] {
                close(scaled.of(d), (2.0 * d).abs().powf(p), 1e-15);
                close(scaled.slope(d), p * (2.0 * d).abs().powf(p - 1.0) * d.signum(), 1e-14);
                close(scaled.rise(d, 0.1), scaled.of(d + 0.1) - scaled.of(d), 1e-13);
            }
            assert_eq!((power.of(0.0), power.slope(0.0), power.slope(-0.0)), (0.0, 0.0, 0.0));
            close(power.rise(0.0, -2.0), 2_f64.powf(p), 1e-15);
        }
    }

    #[test]
    fn powers_below_one_are_refused() {
        for p in [0.99, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Power::new(p).is_err());
        }
    }
}
