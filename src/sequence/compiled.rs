//! What this room compiles once.

use ndarray::{Array1, ArrayD, ArrayView1, ArrayViewD, ArrayViewMutD};

use super::mask::AnyMask;
use super::{Alignment, Sequences, alignment, shift, sum};
use crate::Result;
use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
        fn sum_tokens(
            token_log_probs: ArrayViewD<'_, Self>,
            mask: AnyMask<'_>,
        ) -> Result<Sequences<Self>> = sum::sums;
        fn sum_tokens_backward(
            mask: AnyMask<'_>,
            cotangent: ArrayView1<'_, Self>,
        ) -> Result<ArrayD<Self>> = sum::gradients;
        fn per_token(
            sequences: &Sequences<Self>,
            values: ArrayView1<'_, Self>,
            argument: &'static str,
        ) -> Result<Array1<Self>> = Sequences::per_token;
        fn with_length_power(
            sequences: &Sequences<Self>,
            power: f64,
        ) -> Result<Sequences<Self>> = Sequences::powered;
    }
}

compiled! {
    /// The same of integers.
    pub trait TargetCompiled for i32 i64 u32 usize {
        fn shift(targets: ArrayViewD<'_, Self>, mask: AnyMask<'_>) -> Result<(ArrayD<Self>, ArrayD<bool>)> = shift::shift;
        fn align(
            alignment: Alignment,
            targets: ArrayViewD<'_, Self>,
            mask: AnyMask<'_>,
        ) -> Result<(ArrayD<Self>, ArrayD<bool>)> = alignment::align;
        fn drop_targets(targets: ArrayViewMutD<'_, Self>, mask: ArrayViewD<'_, bool>, ignored: Self) -> () = shift::drop_targets;
    }
}
