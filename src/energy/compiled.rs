//! What this room compiles once.

use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD};

use super::marginal::MaskRule;
use super::samples::pass;
use super::samples::request::{Out, Request};
use super::{
    FreeEnergy, GuidanceSchedule, Interpolant, KarrasGrid, Langevin, LogNormalSigma, ReinforceKl, composition,
    free_energy,
};
use crate::Result;
use crate::compiled::compiled;

compiled! {
    pub trait Compiled for f32 f64 {
        fn run_samples(request: &Request<'_, Self>, out: Out<'_, '_, Self>) -> Result<f64> = pass::run;
        fn langevin(this: &Langevin, arrays: &[ArrayViewD<'_, Self>; 4]) -> Result<ArrayD<Self>> = Langevin::compute;
        fn composed(
            names: &[&'static str],
            parameter: &'static str,
            arrays: &[ArrayViewD<'_, Self>],
            weights: &[f64],
        ) -> Result<ArrayD<Self>> = composition::compute;
        fn free_energy(this: &FreeEnergy, logits: ArrayViewD<'_, Self>) -> Result<ArrayD<Self>> = FreeEnergy::compute_each;
        fn free_energy_grad(this: &FreeEnergy, logits: ArrayViewD<'_, Self>) -> Result<(ArrayD<Self>, ArrayD<Self>)>
            = FreeEnergy::compute_grad;
        fn energy_threshold(energies: ArrayView1<'_, Self>, share: f64) -> Result<Self> = free_energy::compute_threshold;
        fn interpolant_point(
            this: &Interpolant,
            arrays: &[ArrayViewD<'_, Self>; 3],
            t: ArrayView1<'_, Self>,
        ) -> Result<ArrayD<Self>> = Interpolant::compute_point;
        fn log_normal(this: &LogNormalSigma, normal: ArrayViewD<'_, Self>) -> Result<ArrayD<Self>>
            = LogNormalSigma::compute;
        fn karras_levels(this: &KarrasGrid, count: usize) -> Result<Array1<Self>> = KarrasGrid::compute;
        fn guidance_levels(this: &GuidanceSchedule, steps: usize) -> Result<Array1<Self>> = GuidanceSchedule::compute;
        fn masked_token_weights(rule: &MaskRule<'_, Self>, masked: ArrayView2<'_, bool>) -> Result<Array2<Self>>
            = MaskRule::compute;
        fn advantages(
            this: &ReinforceKl,
            log_probs: ArrayView1<'_, Self>,
            log_density: ArrayView1<'_, Self>,
        ) -> Result<Array1<Self>> = ReinforceKl::compute_advantages;
        fn reinforce_kl(
            this: &ReinforceKl,
            log_probs: ArrayView1<'_, Self>,
            log_density: ArrayView1<'_, Self>,
        ) -> Result<(Self, Array1<Self>)> = ReinforceKl::compute_grad;
    }
}
