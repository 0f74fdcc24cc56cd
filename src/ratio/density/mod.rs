//! Density ratios `p/q` from samples of both, and what is asked of a ratio that one has.
//!
//! | item | what it fits | by |
//! |---|---|---|
//! | [`RuLsif`] | the ratio, or the relative ratio `p / (α p + (1-α) q)`, linear in features | least squares, in closed form |
//! | [`Kliep`] | the ratio, linear in features with coefficients `>= 0` | likelihood, a convex problem solved to a proven gap |
//! | [`log_ratio_from_logits`] | a discriminator's logits as a log-ratio | the sizes of both sides |
//! | [`RatioCalibration`] | slope and intercept of log-ratios | logistic regression |
//! | [`RatioCheck`] | nothing: whether `E_q p/q` and `E_p q/p` are 1 | two log-sum-exps |
//!
//! `real` is the numerator `p`, `fake` the denominator `q`. Features `[n, b]` are the values of `b` functions at the
//! points of a side; [`GaussianKernels`] makes them of points, and [`KernelRatio`] is the fitted function. Neural
//! ratios come from [`Ddo`](crate::ratio::Ddo) and the other discriminators. All is computed in `f64`.

mod calibration;
mod check;
mod features;
mod interior;
mod kernels;
mod kliep;
mod leave_one_out;
mod logits;
mod rulsif;

pub use calibration::RatioCalibration;
pub use check::RatioCheck;
pub use kernels::{GaussianKernels, KernelRatio};
pub use kliep::{Kliep, KliepFit};
pub use logits::log_ratio_from_logits;
pub use rulsif::{RuLsif, RuLsifChoice};

pub(super) use calibration::fit as calibrate;
pub(super) use check::of as check_ratio;
pub(super) use kernels::{features as features_of, linear as linear_ratio};
pub(super) use kliep::{cross_validate as kliep_score, fit as kliep_fit};
pub(super) use leave_one_out::score as rulsif_score;
pub(super) use rulsif::fit as rulsif_fit;
