//! Functions at the shapes of real models: vocabularies around the borders of blocks and far above them, rows that are
//! flat, confident, or almost empty, batches of many pairs. Every value is held against a plain loop in `f64`.

#![allow(unreachable_pub)] // private to the test binary as a whole

mod contrastive;
mod definitions;
mod discriminators;
mod divergence;
mod embedding;
mod entropic;
mod entropy;
mod linear;
mod logistic;
mod logits;
mod metric;
mod pairs;
mod rows;
mod samples;
mod sparse;
mod tokens;
mod transport;
