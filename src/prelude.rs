//! Everything that a caller of the objectives needs: `use loglik::prelude::*;`.

pub use crate::sequence::{Sequences, Shifted, TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
pub use crate::{Element, Error, Parts, Real, Reduction, Result, Target};
