//! What one looks at while a model is trained.

use loglik::diagnostics::{TopK, TopKNormalization};
use loglik::ndarray::ArrayRef1;
use loglik::preference::PairMetrics;
use loglik::prelude::*;

use super::failure::Outcome;
use super::model::Model;
use super::pairs::PairWindows;
use super::score::Scores;
use super::text::Windows;
use super::token_loss::by_shards;

/// How a model predicts text.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextReading {
    /// Mean negative log-likelihood in bits.
    pub bits_per_byte: f64,
    /// Mean entropy of the ten likeliest bytes among themselves, in bits.
    pub entropy: f64,
    /// Mean probability of the ten likeliest bytes together.
    pub mass: f64,
}

/// A model in its likelihood training.
#[derive(Clone, Copy, Debug)]
pub struct TrainingReading {
    /// Steps of the optimizer so far.
    pub step: u32,
    /// On training text.
    pub training: TextReading,
    /// On held-out text.
    pub held_out: TextReading,
}

/// Reads some text.
pub fn read_text(model: &Model, windows: &Windows) -> Outcome<TextReading> {
    let top = TopK { k: 10, normalization: TopKNormalization::Renormalized };
    let sums = by_shards(windows, |contexts, targets| {
        let logits = model.forward(&contexts).logits;
        let tops = top.each(&logits)?;
        Ok([-sum(&token_log_probs(&logits, &targets)?), sum(&tops.entropy), sum(&tops.mass)])
    })?;
    let mean = |of: usize| sums.iter().map(|sums| sums[of]).sum::<f64>() / windows.targets.len() as f64;
    Ok(TextReading { bits_per_byte: mean(0) / std::f64::consts::LN_2, entropy: mean(1), mass: mean(2) })
}

/// In `f64`, in order.
fn sum(values: &ArrayRef1<f32>) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum()
}

/// Reads pairs that have been scored: log-probabilities and log-ratios in nats, for the rewards are of `beta = 1`.
pub fn read_pairs(scores: &Scores, pairs: &PairWindows) -> Outcome<PairMetrics> {
    Ok(pair_metrics(scores.batch(pairs), 1.0)?)
}
