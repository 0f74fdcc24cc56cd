//! What this room compiles once.

use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
    }
}
