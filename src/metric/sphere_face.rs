//! SphereFace: the target's angle, multiplied.

use std::f64::consts::PI;

use super::class_margin::{ClassMargin, MarginCore};
use crate::{Result, check};

/// SphereFace: the target's angle is multiplied by a whole number.
///
/// ```math
/// \psi(c) = (-1)^k \cos(m \theta) - 2k, \qquad \theta \in \bigl[\tfrac{k \pi}{m}, \tfrac{(k+1) \pi}{m}\bigr], \qquad c = \cos \theta
/// ```
///
/// Its methods are those of [`ClassMargin`], which has the loss. `ψ` falls from 1 to `1 - 2m`, without a jump; its slope in
/// `c` is `(-1)^k m U(c)` with the Chebyshev polynomial `U` of degree `m - 1`, finite everywhere. The paper multiplies by the
/// length of each embedding, as pytorch-metric-learning does (scale 1), and adds a growing weight to the margin's side;
/// here the length does not count, as in the later SphereFace-R: the same numbers where embeddings have length 1.
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
