//! What the kernels have to know of each type, at whatever level.

/// Of `f32`.
pub(super) mod single {
    pub(in super::super) use std::f32::consts::{LN_2, LOG2_E};

    pub(in super::super) type Real = f32;
    pub(in super::super) type Bits = u32;

    pub(in super::super) const MANTISSA_BITS: u32 = 23;
    pub(in super::super) const SCALE_BITS: u32 = 64;
    pub(in super::super) const LIMIT: f32 = 125.0;
    pub(in super::super) const LN_2_HIGH: f32 = 0.693_359_4;
    pub(in super::super) const LN_2_LOW: f32 = -2.121_944_4e-4;

    /// A sum of exponentials does without the second part of the reduction.
    pub(in super::super) const EXACT_SUMS: bool = false;
}

/// Of `f64`.
pub(super) mod double {
    pub(in super::super) use std::f64::consts::{LN_2, LOG2_E};

    pub(in super::super) type Real = f64;
    pub(in super::super) type Bits = u64;

    pub(in super::super) const MANTISSA_BITS: u32 = 52;
    pub(in super::super) const SCALE_BITS: u64 = 100;
    pub(in super::super) const LIMIT: f64 = 770.0;
    pub(in super::super) const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    pub(in super::super) const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

    /// A sum of exponentials needs the whole reduction: here it is the result that is rounded, not a sum in a wider type.
    pub(in super::super) const EXACT_SUMS: bool = true;
}
