//! Likelihood and preference objectives over [`ndarray`]: value and exact analytic gradient, in `f32` and `f64`.
//!
//! Every objective is a small struct of hyper-parameters (or, where it has none, a function) whose pure methods turn
//! borrowed arrays into a value, per-example losses and a closed-form gradient.
//!
//! | room | holds |
//! |---|---|
//! | [`logits`] | kernels over `[.., V]` logits: log-sum-exp, log-softmax, token log-probabilities, entropy, cross-entropy |
//! | [`sequence`] | masks and segments: from token log-probabilities to those of responses, and back |
//! | [`preference`] | objectives over pairs of responses: DPO, IPO, ORPO, NLL, weighted sums, metrics |
//! | [`divergence`] | KL, Jensen-Shannon, α, Rényi, χ², Hellinger, total variation, f-divergences between categorical distributions |
//! | [`contrastive`] | InfoNCE, CLIP, SigLIP, supervised contrastive over embeddings, in blocks |
//! | [`transport`] | optimal transport: exact, entropic, on a line, certified bounds on it; the DEMD bound, EMO |
//! | [`ratio`] | discriminators and their generators, NCE, recommendation; density ratios, bounds, two samples, decisions |
//! | [`metric`] | metric learning over embeddings: triplets, pairs, proxies, angular margins, regularizers |
//! | [`energy`] | energies, scores and fields: recovery likelihood, marginal consistency, interpolants, EDM, score matching |
//! | [`likelihood`] | Gaussian, Bernoulli and Poisson; implicit maximum likelihood |
//! | [`diagnostics`] | what one watches while training; metrics of samples |
//! | [`math`] | the scalar functions that all are made of, each with a stated error bound |
//!
//! # Example
//!
//! ```
//! use loglik::prelude::*;
//! use loglik::ndarray::aview1;
//!
//! let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.0, -7.5]), rejected: aview1(&[-14.0, -7.0]) })
//!     .reference(Pairs { chosen: aview1(&[-12.5, -7.0]), rejected: aview1(&[-13.0, -7.5]) });
//! let (loss, grad) = Dpo { beta: 0.1, ..Dpo::default() }.grad(batch, Reduction::Mean)?;
//! assert!((loss - 0.682_677_f64).abs() < 1e-6);
//! assert_eq!(grad.chosen.len(), 2); // with respect to the policy's log-probabilities
//! # Ok::<(), loglik::Error>(())
//! ```
//!
//! # Conventions
//!
//! - **Verbs.** `value` is the reduced loss, `each` the loss of each example, `grad` value and gradient in one pass,
//!   `grad_into` the same into the caller's arrays, `sum_count` a sum and its count. Plain functions have the verb as a
//!   suffix: `log_sum_exp`, `log_sum_exp_grad`.
//! - **Shapes.** The last axis holds the classes; nothing broadcasts. Plain arguments are `&ArrayRef`, which any owned
//!   array or view coerces to; bundles hold views; results are owned and contiguous.
//! - **Units.** Log-probabilities and entropies are in nats unless an item says otherwise.
//! - **Reduction.** [`Reduction`] is an argument without default. [`SumCount`] combine micro-batches exactly.
//! - **Errors.** No input panics: an [`enum@Error`] names the argument, the position and the allowed range. An exact loss of
//!   +inf with a finite gradient is a value; NaN, or a gradient that overflows, is an error. Over nothing a sum is 0 and a
//!   mean an error. An error in the data leaves `_into` and in-place buffers unspecified.
//! - **Selection.** Masked, ignored and zero-weighted positions are never read.
//! - **Determinism.** The same input gives the same bits for any number of threads and any memory layout. Machines with
//!   and without fused multiply-add differ in the last bits.
//!
//! # Features
//!
//! `rayon` (default) runs large inputs on rayon's current pool; `half` adds bf16 and f16 logits, computed in `f32`; `serde`
//! makes hyper-parameters serializable; `gemm` computes products of matrices with the crate of this name instead of
//! `matrixmultiply`, where there are no vectors of 512 bits, for which this crate has loops of its own.

mod check;
mod compiled;
mod error;
mod factor;
mod gemm;
mod parallel;
mod pointwise;
mod real;
mod reduction;
mod rowwise;
mod simd;
mod target;
#[cfg(test)]
mod testing;

pub mod contrastive;
pub mod diagnostics;
pub mod divergence;
pub mod energy;
pub mod likelihood;
pub mod logits;
pub mod math;
pub mod metric;
pub mod preference;
pub mod prelude;
pub mod ratio;
pub mod sequence;
pub mod transport;

pub use error::{Error, Position, Result};
pub use ndarray;
pub use real::{Element, Real};
pub use reduction::{Reduction, SumCount};
pub use target::Target;

/// What the benches reach into. No part of the interface: it may change at any time.
#[doc(hidden)]
pub mod internal {
    pub use crate::gemm::{Backend, product_by};
}

/// The code in the README and in the book, compiled and run.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/adding-an-objective.md")]
    mod adding_an_objective {}
    #[doc = include_str!("../docs/migration.md")]
    mod migration {}
}
