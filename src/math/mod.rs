//! Scalar functions that the objectives are made of, each with a stated error bound.
//!
//! All are free of branches, so that loops over them vectorize, and all but `mul_or_zero` take `const FMA: bool`: whether
//! the code may use fused multiply-add. Outside kernels, where nothing is vectorized, `false` is right on every machine and
//! `true` is slow on those without the instruction:
//!
//! ```
//! use loglik::math::softplus;
//! assert_eq!(softplus::<f64, false>(0.0), std::f64::consts::LN_2);
//! ```
//!
//! The bounds are in units in the last place (ulp) of the exact result and hold for both types and both values of
//! `FMA`; `tests/integration/math.rs` compares with values of 50 digits.

mod elementary;
mod hyperbolic;
mod length;
mod log_sum;
mod logistic;
mod odds;

pub use elementary::{exp, exp_m1, ln, ln_1p, mul_add, mul_or_zero};
pub use hyperbolic::{tanh, tanh_slope, tanh_with_slope};
pub(crate) use length::{SAFE, length};
pub(crate) use log_sum::log_sum;
pub use logistic::{log_add_exp, log_sigmoid, sigmoid, softplus};
pub use odds::{log_odds, log_odds_slope, log1mexp, log1mexp_slope};
