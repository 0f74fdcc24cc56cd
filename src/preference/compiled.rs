//! What this room compiles once.

use ndarray::Array1;

use super::weighted_sum::{self, Terms};
use super::{Out, PairBatch, PairLoss, batchwise, pass};
use crate::compiled::compiled;
use crate::{Reduction, Result, SumCount};

compiled! {
    pub trait Compiled for f32 f64 {
        fn validate_pairs(loss: &dyn PairLoss, batch: &PairBatch<'_, Self>) -> Result<()> = pass::validate;
        fn run_pairs(
            loss: &dyn PairLoss,
            batch: &PairBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            scale: Self,
            out: Out<'_, Self>,
        ) -> Result<Self> = pass::run;
        fn sum_count_of_pairs(loss: &dyn PairLoss, batch: PairBatch<'_, Self>) -> Result<SumCount> = pass::sum_count;
        fn dr_dpo_weights(loss: &dyn PairLoss, beta_prime: f64, batch: PairBatch<'_, Self>) -> Result<Array1<Self>>
            = batchwise::dr_dpo_weights;
        fn validate_sum(terms: &Terms<'_, Self>, batch: &PairBatch<'_, Self>) -> Result<()> = weighted_sum::validate;
        fn run_sum(
            terms: &Terms<'_, Self>,
            batch: &PairBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            scale: Self,
            out: Out<'_, Self>,
        ) -> Result<Self> = weighted_sum::run;
        fn sum_count_of_sum(terms: &Terms<'_, Self>, batch: PairBatch<'_, Self>) -> Result<SumCount>
            = weighted_sum::sum_count;
    }
}
