//! The crate for any language that can call C: a shared library of a few functions over flat `float` arrays.
//!
//! ```text
//! cargo build --release --example c_abi    makes target/release/examples/libc_abi.so (.dylib, or c_abi.dll)
//! ```
//!
//! From Python, for instance, with arrays of NumPy:
//!
//! ```python
//! lib = ctypes.CDLL("target/release/examples/libc_abi.so")
//! lib.loglik_last_error.restype = ctypes.c_char_p
//! at = lambda array: ctypes.c_void_p(array.ctypes.data)
//! logits, lse = numpy.ones((2, 5), numpy.float32), numpy.empty(2, numpy.float32)
//! if lib.loglik_log_sum_exp(at(logits), ctypes.c_size_t(2), ctypes.c_size_t(5), at(lse)):
//!     raise ValueError(lib.loglik_last_error().decode())
//! ```
//!
//! Types: `usize` is C's `size_t`, `i64` its `int64_t`, `f32` its `float`, and [`Status`] its `int`. Matrices are
//! row-major without gaps. Buffers are the caller's, and nothing is kept after the call. Threads are those of rayon's
//! global pool: as many as the process may use, or `RAYON_NUM_THREADS`.
//!
//! Every function returns a [`Status`]; what went wrong is told in words by [`loglik_last_error`]. A null or misaligned
//! pointer, a size of zero and one that overflows are statuses too. A function that fails leaves its results unspecified.
//!
//! # Safety
//!
//! What no library can check is the caller's: each pointer is that of an array of the stated size, readable, writable
//! for a result, with nothing else writing to it during the call; and results overlap neither arguments nor each other.

#![allow(unsafe_code)] // pointers from another language come without a length
#![allow(clippy::missing_safety_doc)] // all functions have the same contract, the one above

#[path = "c_abi/ffi.rs"]
mod ffi;
#[cfg(test)]
#[path = "c_abi/tests.rs"]
mod tests;

use std::ffi::c_char;

pub use ffi::Status;
use ffi::{guarded, input, output};
use loglik::logits::{LinearGradientMut, LinearPlan, log_softmax_into};
use loglik::ndarray::{ArrayView2, Ix0, Ix1, Ix2, s};
use loglik::prelude::*;

/// Message of the last call that failed on this thread, empty where none did: UTF-8 that ends with a zero, never null,
/// valid until the next failure on the same thread.
#[unsafe(no_mangle)]
pub extern "C" fn loglik_last_error() -> *const c_char {
    ffi::last_error()
}

/// Logarithm of the sum of exponentials: `logits` [rows, classes] to `out` [rows].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_log_sum_exp(logits: *const f32, rows: usize, classes: usize, out: *mut f32) -> Status {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (logits, mut out) =
            unsafe { (input("logits", logits, Ix2(rows, classes))?, output("out", out, Ix1(rows))?) };
        out.assign(&log_sum_exp(&logits)?);
        Ok(())
    })
}

/// Log-probability of every class: `logits` [rows, classes] to `out` of the same shape.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_log_softmax(logits: *const f32, rows: usize, classes: usize, out: *mut f32) -> Status {
    guarded(|| {
        let shape = Ix2(rows, classes);
        // SAFETY: the caller's promise.
        let (logits, mut out) = unsafe { (input("logits", logits, shape)?, output("out", out, shape)?) };
        Ok(log_softmax_into(&logits, &mut out)?)
    })
}

/// Log-probability of the target of each row: `logits` [rows, classes], `targets` [rows] to `out` [rows].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_token_log_probs(
    logits: *const f32,
    targets: *const i64,
    rows: usize,
    classes: usize,
    out: *mut f32,
) -> Status {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (logits, targets, mut out) = unsafe {
            let logits = input("logits", logits, Ix2(rows, classes))?;
            (logits, input("targets", targets, Ix1(rows))?, output("out", out, Ix1(rows))?)
        };
        out.assign(&token_log_probs(&logits, &targets)?);
        Ok(())
    })
}

/// Mean cross-entropy in nats: `logits` [rows, classes], `targets` [rows] to `loss` [1].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_cross_entropy(
    logits: *const f32,
    targets: *const i64,
    rows: usize,
    classes: usize,
    loss: *mut f32,
) -> Status {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (logits, targets, mut loss) = unsafe {
            let logits = input("logits", logits, Ix2(rows, classes))?;
            (logits, input("targets", targets, Ix1(rows))?, output("loss", loss, Ix0())?)
        };
        loss[()] = CrossEntropy::default().value(&logits, &targets, Reduction::Mean)?;
        Ok(())
    })
}

/// [`loglik_cross_entropy`] and its gradient in the logits, into `grad` [rows, classes].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_cross_entropy_grad(
    logits: *const f32,
    targets: *const i64,
    rows: usize,
    classes: usize,
    loss: *mut f32,
    grad: *mut f32,
) -> Status {
    guarded(|| {
        let shape = Ix2(rows, classes);
        // SAFETY: the caller's promise.
        let (logits, targets) = unsafe { (input("logits", logits, shape)?, input("targets", targets, Ix1(rows))?) };
        // SAFETY: the caller's promise.
        let (mut loss, mut grad) = unsafe { (output("loss", loss, Ix0())?, output("grad", grad, shape)?) };
        loss[()] = CrossEntropy::default().grad_into(&logits, &targets, Reduction::Mean, &mut grad)?;
        Ok(())
    })
}

/// [`loglik_cross_entropy_grad`] with the gradient in the place of the logits: no other memory of that size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_cross_entropy_grad_in_place(
    logits: *mut f32,
    targets: *const i64,
    rows: usize,
    classes: usize,
    loss: *mut f32,
) -> Status {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (mut logits, targets, mut loss) = unsafe {
            let logits = output("logits", logits, Ix2(rows, classes))?;
            (logits, input("targets", targets, Ix1(rows))?, output("loss", loss, Ix0())?)
        };
        loss[()] = CrossEntropy::default().grad_in_place(&mut logits, &targets, Reduction::Mean)?;
        Ok(())
    })
}

/// The rows of a matrix [2, pairs].
fn sides<'a>(rows: &'a ArrayView2<'_, f32>) -> PairsView<'a, f32> {
    Pairs { chosen: rows.row(0), rejected: rows.row(1) }
}

/// Mean DPO loss of preference pairs and its gradient in the policy's log-probabilities: `policy`, `reference` and `grad`
/// are [2, pairs], the chosen responses first, then the rejected; `loss` [1].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_dpo_grad(
    policy: *const f32,
    reference: *const f32,
    pairs: usize,
    beta: f64,
    loss: *mut f32,
    grad: *mut f32,
) -> Status {
    guarded(|| {
        let shape = Ix2(2, pairs);
        // SAFETY: the caller's promise.
        let (policy, reference) = unsafe { (input("policy", policy, shape)?, input("reference", reference, shape)?) };
        // SAFETY: the caller's promise.
        let (mut loss, mut grad) = unsafe { (output("loss", loss, Ix0())?, output("grad", grad, shape)?) };
        let (chosen, rejected) = grad.multi_slice_mut((s![0, ..], s![1, ..]));
        let batch = PairBatch::new(sides(&policy)).reference(sides(&reference));
        loss[()] = Dpo { beta, ..Dpo::default() }.grad_into(batch, Reduction::Mean, Pairs { chosen, rejected })?;
        Ok(())
    })
}

/// Mean cross-entropy of the logits `hidden · weightᵀ`, which are never held whole, and its gradients: `hidden`
/// [tokens, width], `weight` [classes, width], `targets` [tokens] to `loss` [1], `hidden_grad` and `weight_grad` of the
/// shapes of their arguments.
///
/// `budget` is how many bytes may be spent on logits at a time, as [`LinearPlan::Budget`] takes it: 0 for the least memory,
/// `SIZE_MAX` for the least work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn loglik_linear_cross_entropy_grad(
    hidden: *const f32,
    weight: *const f32,
    targets: *const i64,
    tokens: usize,
    width: usize,
    classes: usize,
    budget: usize,
    loss: *mut f32,
    hidden_grad: *mut f32,
    weight_grad: *mut f32,
) -> Status {
    guarded(|| {
        let (rows, layer) = (Ix2(tokens, width), Ix2(classes, width));
        // SAFETY: the caller's promise.
        let (hidden, weight, targets) = unsafe {
            let arrays = (input("hidden", hidden, rows)?, input("weight", weight, layer)?);
            (arrays.0, arrays.1, input("targets", targets, Ix1(tokens))?)
        };
        // SAFETY: the caller's promise.
        let (mut loss, out) = unsafe {
            let hidden = output("hidden_grad", hidden_grad, rows)?;
            let weight = output("weight_grad", weight_grad, layer)?;
            (output("loss", loss, Ix0())?, LinearGradientMut { hidden, weight, bias: None })
        };
        let objective = LinearCrossEntropy { plan: LinearPlan::Budget(budget), ..LinearCrossEntropy::default() };
        loss[()] = objective.grad_into(&hidden, LinearHead::new(weight), &targets, Reduction::Mean, out)?;
        Ok(())
    })
}
