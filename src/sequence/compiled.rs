//! What this room compiles once.

use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
    }
}

compiled! {
    /// The same of integers.
    pub trait TargetCompiled for i32 i64 u32 usize {
    }
}
