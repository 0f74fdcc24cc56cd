//! ArcFace: a margin on the target's angle.

use std::f64::consts::FRAC_PI_2;

use super::class_margin::{ClassMargin, MarginCore};
use crate::{Result, check};

/// ArcFace: the target's angle is enlarged by a margin.
///
/// ```math
/// \psi(c) = \cos(\theta + m) \ \text{ for } \theta \le \pi - m, \qquad \psi(c) = c - m \sin m \ \text{ beyond}, \qquad c = \cos \theta
/// ```
///
/// Its methods are those of [`ClassMargin`], which has the loss. Beyond `π - m` the cosine of the sum would rise again; the
/// continuation is the authors' and pytorch-metric-learning's. `ψ` falls there by `cos m + m sin m - 1`, and goes on to fall
/// with the slope 1 in `c`.
///
/// The slope `cos m + c sin m / sin θ` in `c` is without bound where an embedding points to its center, but not in the
/// embedding: there it is `sin(θ + m)` along the direction that enlarges the angle. At `θ = 0` itself that is a peak,
/// where the gradient of the target's logit is 0. pytorch-metric-learning cuts cosines at `1 - 1e-7` instead.
///
/// With `margin` 0 it is [`CosFace`](super::CosFace) with margin 0, and both are the cross-entropy of scaled cosines.
///
/// # Errors
///
/// Those of [`ClassMargin`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{ArcFace, ClassMargin};
/// let (x, centers) = (array![[0.0_f64, 5.0]], array![[1.0, 0.0], [-1.0, 0.0]]); // both at right angles
/// let loss = ArcFace { scale: 2.0, margin: 0.5 }.value(&x, &centers, &array![0], Reduction::Mean)?;
/// assert!((loss - (2.0 * 0.5_f64.sin()).exp().ln_1p()).abs() < 1e-15); // cos(π/2 + m) = -sin m
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Deng et al., CVPR 2019, eq. 3, [arXiv:1801.07698](https://arxiv.org/abs/1801.07698).
#[doc(alias = "ArcFaceLoss")]
#[doc(alias = "additive angular margin")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ArcFace {
    /// What cosines are multiplied by, `> 0`. Default 64 (paper, pytorch-metric-learning).
    pub scale: f64,
    /// Margin in radians, in `[0, π/2]`. Default 0.5 (paper; 28.6 degrees in pytorch-metric-learning).
    pub margin: f64,
}

impl Default for ArcFace {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.5 }
    }
}

impl ClassMargin for ArcFace {}

impl MarginCore for ArcFace {
    fn check_parameters(&self) -> Result<()> {
        check::positive("scale", self.scale)?;
        check::parameter("margin", self.margin, "[0, π/2]", (0.0..=FRAC_PI_2).contains(&self.margin))
    }

    fn logit_scale(&self) -> f64 {
        self.scale
    }

    fn lowered(&self, lack: f64) -> (f64, f64) {
        let ((sin_m, cos_m), cosine) = (self.margin.sin_cos(), 1.0 - lack);
        if cosine < -cos_m {
            return (cosine - self.margin * sin_m, -1.0);
        }
        let sine = (lack * (2.0 - lack)).sqrt();
        let turned = if sine == 0.0 { 0.0 } else { sin_m * cosine / sine };
        (cosine * cos_m - sine * sin_m, -cos_m - turned)
    }
}
