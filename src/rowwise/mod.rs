//! The floor under everything that goes through an array row by row: logits, divergences, embeddings, statistics of tokens.
//!
//! [`Rows`] and [`RowsMut`] are rows of any layout, [`RowReader`] also hides the type they are stored in, and [`RowJobs`] is
//! the one place that says which rows go together to one thread, where their outputs are, and which error counts.

mod jobs;
mod length;
mod ragged;
mod reader;
mod rows;
mod slices;

pub(crate) use crate::simd::BLOCK;
pub(crate) use jobs::RowJobs;
pub(crate) use length::RowLength;
pub(crate) use ragged::{check_offsets, split, split_mut};
pub(crate) use reader::{Compiled, RowReader, WideReader, improper_row};
pub(crate) use rows::{Rows, RowsMut, copy, cut, for_each_block, improper, part};
pub(crate) use slices::in_slices;
