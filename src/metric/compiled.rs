//! What this room compiles once: everything between the caller's element type and `f64`, in which all of it is computed.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2};

use super::batch::{self, BatchCore};
use super::{numbers, row_weights::RowWeights};
use crate::compiled::compiled;
use crate::target::Indices;
use crate::{Reduction, Result, SumCount};

compiled! {
    pub trait Compiled for f32 f64 {
        fn metric_read(argument: &'static str, rows: ArrayView2<'_, Self>, weights: &RowWeights) -> Result<Array2<f64>>
            = numbers::read;
        fn metric_read_numbers(argument: &'static str, values: ArrayView1<'_, Self>, weights: &RowWeights) -> Result<Vec<f64>>
            = numbers::read_numbers;
        fn metric_write(argument: &'static str, gradient: &Array2<f64>) -> Result<Array2<Self>> = numbers::write;
        fn metric_write_numbers(argument: &'static str, values: &[f64]) -> Result<Array1<Self>> = numbers::write_numbers;
        fn metric_round(value: f64, argument: &'static str) -> Result<Self> = numbers::round;
        fn metric_weights(reduction: Reduction<'_, Self>, rows: usize) -> Result<RowWeights> = RowWeights::new;
        fn metric_accumulate(total: ArrayViewMut2<'_, Self>, part: ArrayView2<'_, Self>, weight: f64) -> ()
            = numbers::accumulate;
        fn metric_batch(
            loss: &dyn BatchCore,
            embeddings: ArrayView2<'_, Self>,
            labels: Indices<'_>,
            reduction: Reduction<'_, Self>,
        ) -> Result<Self> = batch::value;
        fn metric_batch_grad(
            loss: &dyn BatchCore,
            embeddings: ArrayView2<'_, Self>,
            labels: Indices<'_>,
            reduction: Reduction<'_, Self>,
            out: ArrayViewMut2<'_, Self>,
        ) -> Result<Self> = batch::grad;
        fn metric_batch_each(
            loss: &dyn BatchCore,
            embeddings: ArrayView2<'_, Self>,
            labels: Indices<'_>,
        ) -> Result<(Array1<Self>, SumCount)> = batch::each;
    }
}
