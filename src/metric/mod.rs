//! Metric learning: losses of embeddings by which like ones end up near each other, with gradients in the embeddings.
//!
//! | losses of | verbs | items |
//! |---|---|---|
//! | a batch with labels | [`EmbeddingObjective`] | [`BatchHardTriplet`], [`BatchAllTriplet`], [`SemiHardTriplet`], [`MultiSimilarity`], [`Circle`], [`LiftedStructure`], [`GeneralizedLifted`] |
//! | embeddings and one center for each class | [`ClassMargin`] | [`ArcFace`], [`CosFace`], [`SphereFace`]; [`ProxyAnchor`] has its own |
//! | pairs that are alike or not | [`LabeledPairs`] | [`Contrastive`], [`OnlineContrastive`], [`CosineEmbedding`] |
//! | triplets, pairs of a class each, two views | their own | [`Triplet`], [`n_pairs`], [`VicReg`] |
//! | scores with gold scores | their own | [`Cosent`], [`Angle`], [`margin_mse`] |
//! | embeddings alone | their own | [`GlobalOrthogonal`], [`flops`] |
//! | prefixes of the dimensions | [`Matryoshka`] | any of these |
//!
//! What two embeddings are compared by is a [`PairScore`]; [`paired_scores`] and [`score_matrix`] give it, and their backward
//! takes gradients to the embeddings. All of this room is computed in `f64`, for both element types, and rounded once. Scores
//! exist 128 rows at a time, so that memory grows with the number of embeddings and not with its square. Zero
//! embeddings have no direction: where cosines are taken they are an error, and nothing is added to a length to avoid
//! it.

#![allow(clippy::type_complexity)] // a value with a pair of gradients is not complex to read

mod angle;
mod arc_face;
mod batch;
mod batch_all;
mod batch_hard;
mod circle;
mod class_margin;
mod compiled;
mod contrastive;
mod cos_face;
mod cosent;
mod cosine_embedding;
mod flops;
mod frame;
mod generalized_lifted;
mod global_orthogonal;
mod lifted_structure;
mod log_sum;
mod margin_mse;
mod matryoshka;
mod multi_similarity;
mod n_pairs;
mod numbers;
mod online_contrastive;
mod pair_loss;
mod paired;
mod proxy_anchor;
mod row_weights;
mod score;
mod score_matrix;
mod semi_hard;
mod softmax;
mod sphere_face;
mod triplet;
mod triplet_shape;
mod vic_reg;
mod walk;

#[cfg(test)]
mod tests;

pub use angle::Angle;
pub use arc_face::ArcFace;
pub use batch::EmbeddingObjective;
pub use batch_all::BatchAllTriplet;
pub use batch_hard::BatchHardTriplet;
pub use circle::{Circle, CircleWeights};
pub use class_margin::ClassMargin;
pub use compiled::Compiled;
pub use contrastive::Contrastive;
pub use cos_face::CosFace;
pub use cosent::Cosent;
pub use cosine_embedding::CosineEmbedding;
pub use flops::{flops, flops_grad};
pub use generalized_lifted::GeneralizedLifted;
pub use global_orthogonal::GlobalOrthogonal;
pub use lifted_structure::LiftedStructure;
pub use margin_mse::{margin_mse, margin_mse_each, margin_mse_grad};
pub use matryoshka::Matryoshka;
pub use multi_similarity::MultiSimilarity;
pub use n_pairs::{n_pairs, n_pairs_each, n_pairs_grad};
pub use online_contrastive::OnlineContrastive;
pub use pair_loss::LabeledPairs;
pub use paired::{paired_scores, paired_scores_backward};
pub use proxy_anchor::ProxyAnchor;
pub use score::{Distance, PairScore};
pub use score_matrix::{score_matrix, score_matrix_backward};
pub use semi_hard::SemiHardTriplet;
pub use sphere_face::SphereFace;
pub use triplet::{Triplet, TripletSwap, Triplets};
pub use triplet_shape::TripletShape;
pub use vic_reg::{VicReg, VicRegTerms};
