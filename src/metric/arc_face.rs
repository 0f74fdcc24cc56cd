//! ArcFace, CosFace and SphereFace: what each takes from the target's cosine.

use std::f64::consts::{FRAC_PI_2, PI};

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
/// embedding: there it is `sin(θ + m)` along the direction that enlarges the angle. At `θ = 0` itself that is a peak, where the
/// gradient of the target's logit is 0. pytorch-metric-learning cuts cosines at `1 - 1e-7` instead.
///
/// With `margin` 0 it is [`CosFace`] with margin 0, and both are the cross-entropy of scaled cosines.
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

/// CosFace: a margin is subtracted from the target's cosine.
///
/// ```math
/// \psi(c) = c - m
/// ```
///
/// Its methods are those of [`ClassMargin`], which has the loss.
///
/// # Errors
///
/// Those of [`ClassMargin`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{ClassMargin, CosFace};
/// let (x, centers) = (array![[0.0_f64, 5.0]], array![[1.0, 0.0], [-1.0, 0.0]]); // both at right angles
/// let loss = CosFace { scale: 2.0, margin: 0.25 }.value(&x, &centers, &array![1], Reduction::Mean)?;
/// assert!((loss - 0.5_f64.exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wang et al., CVPR 2018, eq. 4, [arXiv:1801.09414](https://arxiv.org/abs/1801.09414).
#[doc(alias = "CosFaceLoss")]
#[doc(alias = "AM-Softmax")]
#[doc(alias = "large margin cosine loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CosFace {
    /// What cosines are multiplied by, `> 0`. Default 64 (pytorch-metric-learning).
    pub scale: f64,
    /// What is taken from the target's cosine, finite. Default 0.35 (paper, pytorch-metric-learning).
    pub margin: f64,
}

impl Default for CosFace {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.35 }
    }
}

impl ClassMargin for CosFace {}

impl MarginCore for CosFace {
    fn check_parameters(&self) -> Result<()> {
        check::positive("scale", self.scale)?;
        check::finite("margin", self.margin)
    }

    fn logit_scale(&self) -> f64 {
        self.scale
    }

    fn lowered(&self, lack: f64) -> (f64, f64) {
        (1.0 - lack - self.margin, -1.0)
    }
}

/// SphereFace: the target's angle is multiplied by a whole number.
///
/// ```math
/// \psi(c) = (-1)^k \cos(m \theta) - 2k, \qquad \theta \in \bigl[\tfrac{k \pi}{m}, \tfrac{(k+1) \pi}{m}\bigr], \qquad c = \cos \theta
/// ```
///
/// Its methods are those of [`ClassMargin`], which has the loss. `ψ` falls from 1 to `1 - 2m`, without a jump; its slope in
/// `c` is `(-1)^k m U(c)` with the Chebyshev polynomial `U` of degree `m - 1`, finite everywhere. The paper multiplies by the
/// length of each embedding, as pytorch-metric-learning does (scale 1), and adds a growing weight to the margin's side; here the
/// length does not count, as in the later SphereFace-R: the same numbers where embeddings have length 1.
///
/// # Errors
///
/// Those of [`ClassMargin`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{ClassMargin, SphereFace};
/// let (x, centers) = (array![[1.0_f64, 1.0]], array![[1.0, 0.0], [1.0, -1.0]]); // at 45 and 90 degrees
/// let loss = SphereFace { scale: 2.0, margin: 4 }.value(&x, &centers, &array![0], Reduction::Mean)?;
/// assert!((loss - 2.0_f64.exp().ln_1p()).abs() < 1e-14); // cos(4 · 45°) = -1
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al., CVPR 2017, eq. 7, [arXiv:1704.08063](https://arxiv.org/abs/1704.08063).
#[doc(alias = "SphereFaceLoss")]
#[doc(alias = "A-Softmax")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SphereFace {
    /// What cosines are multiplied by, `> 0`. Default 30 (SphereFace-R).
    pub scale: f64,
    /// What the target's angle is multiplied by, 1 to 64. Default 4 (paper, pytorch-metric-learning).
    pub margin: u32,
}

impl Default for SphereFace {
    fn default() -> Self {
        Self { scale: 30.0, margin: 4 }
    }
}

impl ClassMargin for SphereFace {}

impl MarginCore for SphereFace {
    fn check_parameters(&self) -> Result<()> {
        check::positive("scale", self.scale)?;
        check::parameter("margin", f64::from(self.margin), "1 to 64", (1..=64).contains(&self.margin))
    }

    fn logit_scale(&self) -> f64 {
        self.scale
    }

    fn lowered(&self, lack: f64) -> (f64, f64) {
        let m = f64::from(self.margin);
        let angle = 2.0 * (0.5 * lack).sqrt().min(1.0).asin();
        let k = (angle * m / PI).floor().min(m - 1.0);
        let sign = if k % 2.0 == 0.0 { 1.0 } else { -1.0 };
        (sign * (m * angle).cos() - 2.0 * k, -sign * m * chebyshev(1.0 - lack, self.margin - 1))
    }
}

/// The Chebyshev polynomial of the second kind, `sin((n + 1) θ) / sin θ` at `cos θ`.
fn chebyshev(cosine: f64, degree: u32) -> f64 {
    (0..degree).fold((0.0, 1.0), |(before, last), _| (last, 2.0 * cosine * last - before)).1
}
