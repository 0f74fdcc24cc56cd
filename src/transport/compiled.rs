//! What this room compiles once.

use super::{TransportProblem, emd};
use crate::Result;
use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
        fn emd(problem: TransportProblem<'_, Self>) -> Result<Self> = emd::least_cost;
    }
}
