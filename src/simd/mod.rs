//! Vectorised kernels: plain Rust over lanes of numbers, compiled once for each instruction set and chosen at run time.
//!
//! A [`Kernel`] is written once. [`dispatch`] inlines its body into a function that the compiler may vectorise with
//! AVX-512, with AVX2 and FMA, or with what the target always has. Levels with and without fused multiply-add differ
//! in the last bits; on one machine the same input always gives the same bits. This is the only room with `unsafe`.

#![allow(unsafe_code)]

mod dispatch;
mod lanes;
mod masked;
mod row;
mod special;
mod sum;
mod transform;
mod weigh;

pub(crate) use dispatch::{Kernel, dispatch};
#[cfg(test)]
pub(crate) use dispatch::{available, run_at};
pub(crate) use lanes::{LANES, join};
pub(crate) use masked::{count, masked_sum, spread};
pub(crate) use row::{RowSum, scale_exp};
pub(crate) use special::Lanes;
pub(crate) use sum::sum;
pub(crate) use transform::{blend, entropy_slope, shift_down, subtract_scaled, weighted_drop};
pub(crate) use weigh::{select, weigh};
