//! From token log-probabilities to those of whole sequences, and back.
//!
//! A batch of sequences lies in memory in one of two ways: **padded**, `[B, T]`, or **packed**, end to end in `[N]`
//! with `B + 1` offsets. [`TokenMask`] is either, together with the tokens that count, and every function here takes
//! it: the same mask selects what is summed and counts what a mean divides by.
//!
//! ```text
//! logits ── token_log_probs ──▶ tokens ── sum_tokens ──▶ sums, lengths ──▶ objective
//!   ▲                            │  ▲                                            │
//!   └─ token_log_probs_backward ─┘  └─────────── sum_tokens_backward ────────────┘
//! ```
//!
//! [`Responses`] goes the whole way at once, from logits to sums and back; the causal shift is one of its fields.
//! [`HiddenResponses`] starts one layer earlier, at hidden states, and never holds the logits.
//!
//! A masked token is left out, not multiplied by zero: its log-probability may be -inf or NaN.

mod alignment;
mod compiled;
mod hidden_responses;
mod mask;
mod responses;
mod scored;
mod sequences;
mod shift;
mod sum;

pub use alignment::Alignment;
#[doc(hidden)]
pub use compiled::{Compiled, TargetCompiled};
pub use hidden_responses::HiddenResponses;
pub(crate) use hidden_responses::{cotangents, sums};
pub use mask::TokenMask;
pub use responses::Responses;
pub use sequences::Sequences;
pub use shift::{Shifted, causal_shift};
pub use sum::{sum_tokens, sum_tokens_backward};
