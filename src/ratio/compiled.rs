//! What this room compiles once.

use ndarray::ArrayView1;

use super::{RatioLoss, RatioOut, Samples, pass};
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
    }
}
