//! Noise-contrastive estimation: unnormalized models that learn to tell the data from noise of a known law.

mod bundle;
mod nce;
mod pairwise_score;
mod ranking_nce;

pub use bundle::{Contrast, ContrastArray, ContrastView};
pub use nce::{Nce, NceBatch, NceGradient};
pub(super) use nce::{each as nce_each, run as run_nce};
pub(super) use pairwise_score::{backward as pull_pairwise_score, scores as pairwise_scores};
pub use pairwise_score::{pairwise_score, pairwise_score_backward};
pub(super) use ranking_nce::{each as ranking_losses, run as run_ranking};
pub use ranking_nce::{ranking_nce, ranking_nce_each, ranking_nce_grad};
