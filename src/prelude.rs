//! Everything that a caller of the objectives needs: `use loglik::prelude::*;`.

pub use crate::{Element, Error, Parts, Real, Reduction, Result, Target};
