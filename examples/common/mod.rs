//! What the examples share: data, a small model, training, and pictures of it.

#![allow(unreachable_pub, reason = "`pub` says here: for the examples")]

pub mod adam;
pub mod change;
pub mod command_line;
pub mod courses;
pub mod curves;
pub mod entropy;
pub mod experiment;
pub mod failure;
pub mod figure;
pub mod model;
pub mod optimize;
pub mod options;
pub mod output;
pub mod pairs;
pub mod progress;
pub mod reading;
pub mod report;
pub mod response_loss;
pub mod result;
pub mod sampling;
pub mod score;
pub mod summary;
pub mod svg;
pub mod text;
pub mod token_loss;
pub mod tuning;
pub mod words;
