//! What this room compiles once.

use ndarray::{Array1, ArrayRef1, ArrayView1};

use super::{Ddo, RatioLoss, RatioOut, Samples, optimum, pass};
use crate::compiled::compiled;
use crate::{Reduction, Result};

compiled! {
    pub trait Compiled for f32 f64 {
        fn run_ratios(
            loss: &dyn RatioLoss,
            ratios: Samples<ArrayView1<'_, Self>>,
            reductions: Samples<Reduction<'_, Self>>,
            out: Samples<RatioOut<'_, Self>>,
        ) -> Result<Samples<f64>> = pass::run;
        fn ddo_accuracy(this: &Ddo, ratios: Samples<ArrayView1<'_, Self>>) -> Result<Samples<Self>>
            = Ddo::compute_accuracy;
        fn optimal_alpha(data: &ArrayRef1<Self>, reference: &ArrayRef1<Self>, beta: f64) -> Result<f64>
            = optimum::compute_optimal_alpha;
        fn optimal_distribution(data: &ArrayRef1<Self>, reference: &ArrayRef1<Self>, beta: f64) -> Result<Array1<Self>>
            = optimum::compute_optimal_distribution;
    }
}
