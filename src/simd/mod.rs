//! Vectorized kernels: plain Rust over lanes of numbers, compiled once for each instruction set and chosen at run time.
//!
//! A [`Kernel`] is written once. [`dispatch`] inlines its body into a function that the compiler may vectorize with
//! AVX-512, with AVX2 and FMA, with NEON, or with what the target always has. Results of levels may differ by some ulps,
//! within the stated bounds: with and without fused multiply-add, and where a level has a kernel of its own, which adds
//! in another order. On one machine the same input always gives the same bits. Tests force every level that the machine
//! has. This is the only room with `unsafe`.

#![allow(unsafe_code)]

mod cap;
mod dispatch;
mod exponentials;
mod gemm;
#[cfg(feature = "gemm")]
mod gemm_crate;
mod lanes;
mod masked;
mod mul_or_zero;
#[cfg(feature = "half")]
mod narrow;
mod prefetch;
mod row;
mod row_tile;
mod scan;
mod special;
mod stream;
mod sum;
#[cfg(target_arch = "x86_64")]
mod table;
mod transform;

pub(crate) use cap::{cap, cap_with_slope, chain, divide};
pub(crate) use dispatch::{Kernel, dispatch};
#[cfg(test)]
pub(crate) use dispatch::{available, run_at, with_level};
pub(crate) use exponentials::{Exponentials, scale, scale_exp};
pub(crate) use gemm::{Left, PanelRow, TILE_ROWS, Tile, holds_tile, multiply_tile, prefetch, store_tile};
#[cfg(feature = "gemm")]
pub(crate) use gemm_crate::gemm;
pub(crate) use lanes::{LANES, fold, join};
pub(crate) use masked::{count, masked_sum, spread};
pub(crate) use mul_or_zero::mul_or_zero_all;
#[cfg(feature = "half")]
pub(crate) use narrow::{sum_below_bf16, sum_below_f16, widen};
pub(crate) use row::{BLOCK, RowSum};
pub(crate) use row_tile::{ROW_TILE, RowTile};
pub(crate) use special::Lanes;
pub(crate) use stream::Stream;
pub(crate) use sum::sum;
pub(crate) use transform::{
    blend, entropy_slope, lower, shift_down, shift_down_into, subtract_scaled, sum_below_max, weighted_sum_below_max,
};
