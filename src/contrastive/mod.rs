//! Contrastive estimation over embeddings: which candidate belongs to which anchor.
//!
//! [`InfoNce`] is the family: CLIP, in-batch negatives with hard ones, decoupled, debiased, guided. None of them needs the
//! matrix of similarities: memory is linear in the number of embeddings.

mod batch;
mod compiled;
mod embeddings;
mod info_nce;
mod reduce;
mod walk;

pub use batch::{EmbeddingBatch, EmbeddingGradient};
pub use compiled::Compiled;
pub use embeddings::Similarity;
pub use info_nce::{Denominator, Direction, Directions, FalseNegatives, Hardness, InfoNce, Partition};
