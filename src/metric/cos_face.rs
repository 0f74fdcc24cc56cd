//! CosFace: a margin on the target's cosine.

use super::class_margin::{ClassMargin, MarginCore};
use crate::{Result, check};

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
