//! The one pass over everything elementwise: columns of numbers, of one length, to a loss and its slopes for each element.
//!
//! An objective says what happens at one element ([`Pointwise`]) and which columns it reads ([`Column`]). Everything else is
//! here, once: any memory layout, blocks that stay in the first-level cache, weights that select, scale and outputs, threads,
//! pairwise sums, and the search for the bad element of a block in which something is not finite.
//!
//! | file | holds |
//! |---|---|
//! | `block` | the loops over a block, compiled for every loss and instruction set |
//! | `column` | what a column is, and how a block of it becomes a slice |
//! | `domain` | what a column may hold |
//! | `driver` | the pass: blocks, jobs, sums |
//! | `output` | where slopes and losses go, weighted and scaled |
//! | `inspect` | the second look at a block that is not ordinary |

mod block;
mod column;
mod domain;
mod driver;
mod inspect;
mod loops;
mod output;
#[cfg(test)]
mod tests;

pub(crate) use block::{Block, Pointwise, apply};
pub(crate) use column::{Column, Source};
#[allow(unreachable_pub)] // rooms hand it on
pub use domain::Domain;
pub(crate) use driver::{Call, Words, evaluate, run};
pub(crate) use loops::loops;
#[allow(unreachable_pub)] // rooms hand it on
pub use loops::{Choose, Loops};
pub(crate) use output::{Mode, Output, Scale};

/// The most columns that a loss has.
pub(crate) const COLUMNS: usize = 12;

/// The most numbers that a loss has slopes in.
pub(crate) const SLOPES: usize = 4;
