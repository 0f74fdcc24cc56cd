//! Objectives of logits that are a linear map of hidden states, without ever holding the logits.
//!
//! The last layer of a language model is the largest array of its training: `[N, V]` logits, and as many gradients. Here
//! they exist a tile at a time. A forward sweep leaves a handful of numbers for each token (largest logit, sum of
//! exponentials, logit of the target); a backward sweep forms the tile again, turns it into its gradient in place, and
//! multiplies that into the gradients of hidden states and weight. [`LinearPlan`] says which tiles.

mod backward;
mod chunked;
mod compiled;
mod cross_entropy;
mod fault;
mod forward;
mod gradient;
mod head;
mod lanes;
mod objective;
mod pass;
mod plan;
mod sink;
mod slope;
mod state;
mod token_log_probs;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use compiled::Compiled;
pub use cross_entropy::LinearCrossEntropy;
pub use gradient::{LinearGradient, LinearGradientMut};
pub(crate) use head::Head;
pub use head::LinearHead;
pub(crate) use pass::Pass;
pub use plan::LinearPlan;
pub(crate) use sink::check_out;
pub use token_log_probs::{
    linear_token_log_probs, linear_token_log_probs_backward, linear_token_log_probs_backward_into,
    linear_token_log_probs_masked,
};
pub(crate) use tokens::Tokens;

/// Classes of a tile of logits, and of what is added up in the element type before `f64` takes over.
const BLOCK: usize = 512;

/// The largest number of tokens whose logits one job forms at a time: with [`BLOCK`] classes a tile of half a megabyte,
/// which stays in the second-level cache.
const PANEL: usize = 256;

/// Tokens of each panel: as many panels as are needed, an even number of them as soon as there is work for two.
fn panel(tokens: usize) -> usize {
    let panels = tokens.div_ceil(PANEL);
    let panels = if tokens >= PANEL / 4 { panels.next_multiple_of(2) } else { panels };
    tokens.div_ceil(panels.max(1)).max(1)
}
