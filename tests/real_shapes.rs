//! Functions at the shapes of real models: vocabularies around the borders of blocks and far above them, rows that are
//! flat, confident, or almost empty, batches of many pairs. Every value is held against a plain loop in `f64`.

#![allow(unreachable_pub)] // private to the test binary as a whole

#[path = "real_shapes/definitions.rs"]
mod definitions;
#[path = "real_shapes/divergence.rs"]
mod divergence;
#[path = "real_shapes/embedding.rs"]
mod embedding;
#[path = "real_shapes/entropic.rs"]
mod entropic;
#[path = "real_shapes/entropy.rs"]
mod entropy;
#[path = "real_shapes/linear.rs"]
mod linear;
#[path = "real_shapes/logits.rs"]
mod logits;
#[path = "real_shapes/pairs.rs"]
mod pairs;
#[path = "real_shapes/rows.rs"]
mod rows;
#[path = "real_shapes/samples.rs"]
mod samples;
#[path = "real_shapes/sparse.rs"]
mod sparse;
#[path = "real_shapes/tokens.rs"]
mod tokens;
#[path = "real_shapes/transport.rs"]
mod transport;
