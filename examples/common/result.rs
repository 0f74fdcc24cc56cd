//! Where a run has ended, measured on all pairs and on the held-out text.

use super::change::Change;
use super::failure::Outcome;
use super::model::Model;
use super::pairs::PairSet;
use super::reading::{TextReading, read_pairs, read_text};
use super::score::score;
use super::text::Windows;

/// How far pairs have moved since the checkpoint, which is the reference.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Log-probability of the chosen responses, nats per response.
    pub chosen: Change,
    /// Log-probability of the rejected responses, nats per response.
    pub rejected: Change,
    /// Margin, nats.
    pub margin: Change,
    /// Share of positive margins.
    pub accuracy: f64,
}

/// One row of the summary.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Name of the objective.
    pub name: &'static str,
    /// On the pairs that it was trained on.
    pub training: Moved,
    /// On held-out pairs.
    pub held_out: Moved,
    /// On the held-out text.
    pub text: TextReading,
}

impl Ending {
    /// Measures a model.
    pub fn of(
        name: &'static str,
        model: &Model,
        training: &PairSet,
        held_out: &PairSet,
        text: &Windows,
    ) -> Outcome<Self> {
        Ok(Self {
            name,
            training: Moved::of(model, training)?,
            held_out: Moved::of(model, held_out)?,
            text: read_text(model, text)?,
        })
    }
}

impl Moved {
    fn of(model: &Model, set: &PairSet) -> Outcome<Self> {
        let pairs = set.all();
        let scores = score(model, &pairs)?;
        let ratios = scores.log_ratios(&pairs);
        Ok(Self {
            chosen: Change::of(&ratios.chosen),
            rejected: Change::of(&ratios.rejected),
            margin: Change::of(&(&ratios.chosen - &ratios.rejected)),
            accuracy: read_pairs(&scores, &pairs)?.accuracy,
        })
    }
}
