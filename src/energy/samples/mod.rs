//! Losses of whole samples: quadratic forms over the numbers of each, with coefficients of its own.

mod columns;
mod form;
mod loss;
pub(super) mod pass;
pub(super) mod request;
mod scratch;

pub use columns::Columns;
pub(super) use columns::columns;
#[allow(unreachable_pub)] // in hidden items of a public trait
pub use form::{Fault, Form};
pub use loss::SampleLoss;
