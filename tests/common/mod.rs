//! What the integration tests share: random arrays, memory layouts, and a catalogue of every public function.

#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

pub mod call;
pub mod catalogue;
pub mod layout;
pub mod random;
