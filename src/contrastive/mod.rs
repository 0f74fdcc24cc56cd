//! Contrastive estimation over embeddings: which candidate belongs to which anchor.
//!
//! [`InfoNce`] is the family: CLIP, in-batch negatives with hard ones, decoupled, debiased, guided.
//! [`SupervisedContrastive`] has several positives, [`SigLip`] no softmax, and [`InfoNceShard`] candidates that are
//! spread over machines. None of them needs the matrix of similarities: memory is linear in the number of embeddings.
//!
//! | file | holds |
//! |---|---|
//! | `embeddings` | checked rows, their norms, and the way back through these |
//! | `walk` | blocks of anchors against all candidates: two or three products of matrices each |
//! | `reduce` | weights of anchors, and what a walk has added up as results |

mod batch;
mod compiled;
mod embeddings;
mod info_nce;
mod reduce;
mod shard;
mod sig_lip;
mod supervised;
#[cfg(test)]
mod tests;
mod walk;

pub use batch::{EmbeddingBatch, EmbeddingGradient};
pub use compiled::Compiled;
pub use embeddings::Similarity;
pub use info_nce::{Denominator, Direction, Directions, FalseNegatives, Hardness, InfoNce, Partition};
pub use shard::InfoNceShard;
pub use sig_lip::{SigLip, SigLipGradient};
pub use supervised::SupervisedContrastive;
