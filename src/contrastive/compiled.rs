//! What this room compiles once.

use ndarray::{Array1, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::batch::EmbeddingBatch;
use super::info_nce::{self, Given, InfoNce};
use super::shard::{self, InfoNceShard};
use super::sig_lip::{self, SigLip};
use super::supervised::{self, SupervisedContrastive};
use crate::compiled::compiled;
use crate::logits::LogSumExp;
use crate::target::Indices;
use crate::{Reduction, Result};

compiled! {
    pub trait Compiled for f32 f64 {
        fn info_nce(
            loss: &InfoNce,
            batch: EmbeddingBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            each: Option<ArrayViewMut1<'_, Self>>,
            out: Option<[ArrayViewMut2<'_, Self>; 2]>,
        ) -> Result<(Self, Self)> = info_nce::run;
        fn info_nce_of(
            loss: &InfoNce,
            similarities: ArrayView2<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: Given<'_, Self>,
        ) -> Result<(Self, Self)> = info_nce::of_similarities;
        fn supervised_contrastive(
            loss: &SupervisedContrastive,
            embeddings: ArrayView2<'_, Self>,
            labels: Indices<'_>,
            reduction: Reduction<'_, Self>,
            each: Option<ArrayViewMut1<'_, Self>>,
            out: Option<ArrayViewMut2<'_, Self>>,
        ) -> Result<(Self, Self)> = supervised::run;
        fn sig_lip(
            loss: &SigLip,
            batch: EmbeddingBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            each: Option<ArrayViewMut1<'_, Self>>,
            out: Option<[ArrayViewMut2<'_, Self>; 2]>,
        ) -> Result<(Self, [Self; 2])> = sig_lip::run;
        fn contrastive_sums(
            shard: &InfoNceShard,
            anchors: ArrayView2<'_, Self>,
            candidates: ArrayView2<'_, Self>,
            positives: ArrayView1<'_, usize>,
        ) -> Result<Array1<LogSumExp<Self>>> = shard::sums;
        fn contrastive_backward(
            shard: &InfoNceShard,
            sides: [ArrayView2<'_, Self>; 2],
            positives: ArrayView1<'_, usize>,
            whole: ArrayView1<'_, LogSumExp<Self>>,
            cotangent: ArrayView1<'_, Self>,
            out: [ArrayViewMut2<'_, Self>; 2],
        ) -> Result<Self> = shard::backward;
    }
}
