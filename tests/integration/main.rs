//! All tests of the interface but those that need a process of their own, in one program that is linked once.
//!
//! `cargo test --test integration laws::` runs one module of them.

mod completeness;
mod edge_table;
mod edges;
mod errors;
mod gradients;
mod laws;
mod layout;
mod math;
mod real_shapes;
mod search;
mod threads;
