//! Losses of single bytes: likelihood, alone or mixed with the earth mover's distance.

use loglik::ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2, Axis};
use loglik::prelude::*;
use loglik::transport::{CosineCost, Emo};
use rayon::prelude::*;

use super::failure::Outcome;
use super::model::{Forward, Model};
use super::text::Windows;

/// Rows of a batch that one thread takes at a time. Fixed, so that results do not depend on the number of threads.
const SHARD: usize = 128;

/// What a model is trained on where it reads text.
#[derive(Debug)]
pub enum TokenLoss {
    /// Negative log-likelihood.
    Likelihood(CrossEntropy),
    /// The mix with the distance between the embeddings of the true byte and of the predicted ones.
    Mover {
        /// The objective.
        emo: Emo,
        /// Distances between the frozen embeddings of the bytes.
        cost: CosineCost<f32>,
    },
}

impl TokenLoss {
    /// The gradient of the mean loss in the parameters.
    pub fn gradient(&self, model: &Model, windows: &Windows) -> Outcome<Model> {
        let share = 1.0 / windows.targets.len() as f32;
        let mut total = model.zeros_like();
        for gradient in by_shards(windows, |contexts, targets| {
            let Forward { logits, trace } = model.forward(&contexts);
            let weights = Array1::from_elem(targets.len(), share);
            let slope = self.slope(logits, &targets, Reduction::Weighted(&weights))?;
            Ok(model.backward(&trace, &slope))
        })? {
            total.add(&gradient);
        }
        Ok(total)
    }

    /// The mean loss.
    pub fn value(&self, model: &Model, windows: &Windows) -> Outcome<f64> {
        let parts = by_shards(windows, |contexts, targets| self.sum_count(&model.forward(&contexts).logits, &targets))?;
        Ok(parts.into_iter().fold(SumCount::default(), SumCount::merge).mean()?)
    }
}

impl TokenLoss {
    /// The gradient in the logits of one shard.
    fn slope(
        &self,
        mut logits: Array2<f32>,
        targets: &ArrayRef1<u32>,
        reduction: Reduction<f32>,
    ) -> Outcome<Array2<f32>> {
        match self {
            Self::Likelihood(loss) => {
                loss.grad_in_place(&mut logits, targets, reduction)?;
                Ok(logits)
            }
            Self::Mover { emo, cost } => Ok(emo.grad(&logits, targets, cost, reduction)?.1),
        }
    }

    /// The loss of one shard, to be merged with that of the others.
    fn sum_count(&self, logits: &ArrayRef2<f32>, targets: &ArrayRef1<u32>) -> Outcome<SumCount> {
        Ok(match self {
            Self::Likelihood(loss) => loss.sum_count(logits, targets)?,
            Self::Mover { emo, cost } => emo.sum_count(logits, targets, cost)?,
        })
    }
}

/// Applies `f` to the contexts and targets of each shard; the results come in the order of the text.
pub fn by_shards<R: Send>(
    windows: &Windows,
    f: impl Fn(ArrayView2<u8>, ArrayView1<u32>) -> Outcome<R> + Sync,
) -> Outcome<Vec<R>> {
    let contexts = windows.contexts.axis_chunks_iter(Axis(0), SHARD);
    let targets = windows.targets.axis_chunks_iter(Axis(0), SHARD);
    let shards: Vec<_> = contexts.zip(targets).collect();
    shards.into_par_iter().map(|(contexts, targets)| f(contexts, targets)).collect()
}
