//! What this room compiles once.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::imle::{self, ImleLoss};
use super::loops::Loops;
use super::pass::{self, Out, Request};
use super::shared_gaussian;
use crate::Result;
use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
        fn run_density(loops: Loops<'_, ()>, request: &Request<'_, Self>, out: &mut Out<'_, '_, Self>) -> Result<f64>
            = pass::run;
        fn sum_of_density(loops: Loops<'_, ()>, request: &Request<'_, Self>) -> Result<f64> = pass::sum_alone;
        fn run_shared(shared: &Request<'_, Self>, out: &mut Out<'_, '_, Self>) -> Result<f64> = shared_gaussian::run_compiled;
        fn sum_of_shared(shared: &Request<'_, Self>) -> Result<f64> = shared_gaussian::sum_alone;
        fn imle(samples: ArrayViewD<'_, Self>, target: ArrayViewD<'_, Self>) -> Result<ImleLoss<Self>> = imle::find;
        fn imle_grad(
            samples: ArrayViewD<'_, Self>,
            target: ArrayViewD<'_, Self>,
            gradient: ArrayViewMutD<'_, Self>,
        ) -> Result<ImleLoss<Self>> = imle::find_and_pull;
    }
}
