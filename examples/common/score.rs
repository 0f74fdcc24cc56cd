//! From a model to the log-probabilities of whole responses, and back.

use loglik::ndarray::{Array1, ArrayRef2, Axis, Ix2, concatenate};
use loglik::prelude::*;
use loglik::sequence::Alignment;

use super::failure::Outcome;
use super::model::{Forward, Model};
use super::pairs::PairWindows;

/// Log-probabilities of the responses of some pairs under a model.
#[derive(Debug)]
pub struct Scores {
    /// Sums over the bytes of each response, in nats.
    pub policy: Pairs<Array1<f32>>,
    /// Bytes of each response.
    pub lengths: Pairs<Array1<f32>>,
    forward: Forward,
}

/// Scores the responses.
pub fn score(model: &Model, pairs: &PairWindows) -> Outcome<Scores> {
    let forward = model.forward(&pairs.windows.contexts);
    let sequences = responses(&forward.logits, pairs)?.sequences()?;
    Ok(Scores { policy: halves(&sequences.sums), lengths: halves(&sequences.lengths), forward })
}

impl Scores {
    /// The batch as the objectives take it.
    pub fn batch<'a>(&'a self, pairs: &'a PairWindows) -> PairBatch<'a, f32> {
        PairBatch::new(self.policy.view()).reference(pairs.reference.view()).lengths(self.lengths.view())
    }

    /// How much likelier each response is than under the reference, in nats.
    pub fn log_ratios(&self, pairs: &PairWindows) -> Pairs<Array1<f32>> {
        Pairs {
            chosen: &self.policy.chosen - &pairs.reference.chosen,
            rejected: &self.policy.rejected - &pairs.reference.rejected,
        }
    }

    /// The gradient in the parameters of the model that gave these scores, given the one in the scores.
    pub fn backward(&self, model: &Model, pairs: &PairWindows, slope: &Pairs<Array1<f32>>) -> Outcome<Model> {
        let slope = concatenate(Axis(0), &[slope.chosen.view(), slope.rejected.view()])?;
        let slope = responses(&self.forward.logits, pairs)?.backward(&slope)?;
        Ok(model.backward(&self.forward.trace, &slope))
    }
}

/// The logits beside the bytes that they predict: each row of contexts ends right before its target.
fn responses<'a>(logits: &'a ArrayRef2<f32>, pairs: &'a PairWindows) -> Outcome<Responses<'a, f32, u32, Ix2>> {
    let mask = TokenMask::packed(pairs.scored.view(), &pairs.offsets)?;
    Ok(Responses { logits: logits.view(), targets: pairs.windows.targets.view(), mask, alignment: Alignment::Same })
}

/// The chosen half and the rejected half.
fn halves(values: &Array1<f32>) -> Pairs<Array1<f32>> {
    let (chosen, rejected) = values.view().split_at(Axis(0), values.len() / 2);
    Pairs { chosen: chosen.to_owned(), rejected: rejected.to_owned() }
}
