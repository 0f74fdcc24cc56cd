//! Kernels of the distance, alone or in a sum.

use crate::math::{exp, ln_1p};
use crate::ratio::pair_sums::Radial;
use crate::{Error, Result, check};

/// A positive definite kernel `k(x, y)` of the distance `r = |x - y|`, with `k(x, x) = 1`.
///
/// All of them are characteristic: with any, the squared MMD of two distributions is 0 only if they are one. Distances beyond
/// 1e150 widths count as that.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RadialKernel {
    /// `e^(-r² / (2 w²))`.
    Gaussian {
        /// The width `w`, `> 0`.
        width: f64,
    },
    /// `e^(-r / w)`, which has a kink at `r = 0`: there its gradient is taken as 0.
    Laplace {
        /// The width `w`, `> 0`.
        width: f64,
    },
    /// `(1 + r² / (2 α w²))^-α`, a mixture of Gaussians of all widths, with heavy tails, so that far points have a gradient.
    RationalQuadratic {
        /// The exponent `α`, in `[1e-6, 1e6]`.
        alpha: f64,
        /// The width `w`, `> 0`.
        width: f64,
    },
}

/// Beyond this many widths squares of distances would not fit.
const FAR: f64 = 1e150;

impl RadialKernel {
    pub(super) fn check(&self) -> Result<()> {
        if let Self::RationalQuadratic { alpha, .. } = *self {
            check::parameter("alpha", alpha, "in [1e-6, 1e6]", (1e-6..=1e6).contains(&alpha))?;
        }
        check::positive("width", self.width())
    }

    fn width(&self) -> f64 {
        let (Self::Gaussian { width } | Self::Laplace { width } | Self::RationalQuadratic { width, .. }) = *self;
        width
    }

    /// Adds `k` and `dk/dr` at each distance.
    #[inline(always)]
    fn add<const FMA: bool>(&self, unit: f64, distances: &[f64], values: &mut [f64], slopes: &mut [f64]) {
        // A width that rounds to 0 in this unit is below every distance that does not.
        let width = (self.width() / unit).max(f64::MIN_POSITIVE);
        let places = distances.iter().zip(values).zip(slopes);
        let places = places.map(|((r, value), slope)| ((r / width).min(FAR), value, slope));
        match *self {
            Self::Gaussian { .. } => places.for_each(|(z, value, slope)| {
                let k = exp::<f64, FMA>(-0.5 * z * z);
                *value += k;
                *slope -= k * z / width;
            }),
            Self::Laplace { .. } => places.for_each(|(z, value, slope)| {
                let k = exp::<f64, FMA>(-z);
                *value += k;
                *slope -= k / width;
            }),
            Self::RationalQuadratic { alpha, .. } => places.for_each(|(z, value, slope)| {
                let share = z * z / (2.0 * alpha);
                let k = exp::<f64, FMA>(-alpha * ln_1p::<f64, FMA>(share));
                *value += k;
                *slope -= k * z / (1.0 + share) / width;
            }),
        }
    }
}

/// A sum of kernels, of distances in this unit.
pub(super) struct KernelSum<'a> {
    pub(super) kernels: &'a [RadialKernel],
    pub(super) unit: f64,
}

impl KernelSum<'_> {
    pub(super) fn check(kernels: &[RadialKernel]) -> Result<()> {
        if kernels.is_empty() {
            return Err(Error::Empty { argument: "kernels" });
        }
        kernels.iter().try_for_each(RadialKernel::check)
    }
}

impl Radial for KernelSum<'_> {
    #[inline(always)]
    fn at<const FMA: bool>(&self, distances: &[f64], values: &mut [f64], slopes: &mut [f64]) {
        values.fill(0.0);
        slopes.fill(0.0);
        for kernel in self.kernels {
            kernel.add::<FMA>(self.unit, distances, values, slopes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    fn at(kernel: RadialKernel, r: f64) -> (f64, f64) {
        let (mut value, mut slope) = ([0.0], [0.0]);
        KernelSum { kernels: &[kernel], unit: 1.0 }.at::<false>(&[r], &mut value, &mut slope);
        (value[0], slope[0])
    }

    /// Exact values: mpmath, `scripts/two_sample_reference.py`.
    #[test]
    fn kernels_have_their_values_and_slopes() {
        let width = 0.7;
        let gaussian = RadialKernel::Gaussian { width };
        let laplace = RadialKernel::Laplace { width };
        let rational = RadialKernel::RationalQuadratic { alpha: 1.5, width };
        let cases = [
            (gaussian, 0.25, 0.938_215_595_719_107_8_f64, -0.478_681_426_387_299_9),
            (gaussian, 3.0, 0.000_102_702_564_619_655_3, -0.000_628_791_211_957_073_4),
            (gaussian, 20.0, 5.456_902_094_732_63e-178, -2.227_306_977_441_889_7e-176),
            (laplace, 0.25, 0.699_672_537_375_130_4, -0.999_532_196_250_186_2),
            (laplace, 3.0, 0.013_763_786_733_050_4, -0.019_662_552_475_786_286),
            (laplace, 20.0, 3.904_687_043_201_521e-13, -5.578_124_347_430_744e-13),
            (rational, 0.25, 0.939_453_475_300_875_6, -0.459_765_159_201_081_1),
            (rational, 3.0, 0.052_608_507_322_997_4, -0.045_222_212_598_565_1),
            (rational, 20.0, 0.000_221_562_550_124_574_4, -3.311_269_337_054_939_4e-5),
        ];
        for (kernel, r, value, slope) in cases {
            let got = at(kernel, r);
            // The exponent is rounded: its size is lost.
            let tolerance = 4e-16 * (4.0 - value.ln());
            close(got.0, value, tolerance);
            close(got.1, slope, tolerance);
        }
    }

    #[test]
    fn a_kernel_is_one_at_no_distance_and_nothing_far_away() {
        let width = 1e-300;
        for kernel in [RadialKernel::Gaussian { width }, RadialKernel::Laplace { width }] {
            assert_eq!(at(kernel, 0.0).0, 1.0);
            assert_eq!(at(kernel, 2.0), (0.0, 0.0));
        }
        let wide = RadialKernel::RationalQuadratic { alpha: 0.5, width: 1e300 };
        assert_eq!(at(wide, 2.0).0, 1.0);
    }
}
