//! What this room compiles once.

use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::batch::EmbeddingBatch;
use super::info_nce::{Given, InfoNce, Pass};
use crate::compiled::compiled;
use crate::{Reduction, Result};

compiled! {
    pub trait Compiled for f32 f64 {
        fn info_nce(
            loss: &InfoNce,
            batch: EmbeddingBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            each: Option<ArrayViewMut1<'_, Self>>,
            out: Option<[ArrayViewMut2<'_, Self>; 2]>,
        ) -> Result<(Self, Self)> = Pass::run;
        fn info_nce_of(
            loss: &InfoNce,
            similarities: ArrayView2<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: Given<'_, Self>,
        ) -> Result<(Self, Self)> = Pass::of_similarities;
    }
}
