//! Continuing one checkpoint with one objective, and what becomes of it.

use indicatif::ProgressBar;
use loglik::preference::PairMetrics;
use ndarray_rand::rand::SeedableRng;
use ndarray_rand::rand::rngs::StdRng;

use super::failure::Outcome;
use super::model::Model;
use super::optimize::{Pace, optimize};
use super::pairs::{PairSet, PairWindows};
use super::reading::{TextReading, read_pairs, read_text};
use super::response_loss::ResponseLoss;
use super::score::score;
use super::text::{Part, Windows};
use super::token_loss::TokenLoss;

/// Pairs of one batch.
const PAIRS: usize = 24;
/// Bytes of one batch: about as many as the chosen responses of a batch of pairs have.
const BYTES: usize = 480;

/// What a checkpoint is continued with.
pub enum Objective {
    /// Pairs of responses.
    Responses(ResponseLoss),
    /// Plain text.
    Tokens(TokenLoss),
}

/// An objective with the name that it has in tables and pictures.
pub struct Course {
    /// The name.
    pub name: &'static str,
    /// The objective.
    pub objective: Objective,
}

/// What all courses learn from and are measured by.
#[derive(Debug)]
pub struct Data<'a> {
    /// Training text.
    pub text: Part<'a>,
    /// Pairs from the training text.
    pub pairs: PairSet,
    /// What is measured of the training text.
    pub training: Probe,
    /// What is measured of the held-out text.
    pub held_out: Probe,
}

/// Some pairs and some text, always the same.
#[derive(Debug)]
pub struct Probe {
    /// The pairs.
    pub pairs: PairWindows,
    /// The text.
    pub text: Windows,
}

/// A model measured by one probe.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The loss that the model is trained on.
    pub loss: f64,
    /// How it scores pairs.
    pub pairs: PairMetrics,
    /// How it predicts text.
    pub text: TextReading,
}

/// A model measured on its way.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Steps of the optimizer since the checkpoint.
    pub step: u32,
    /// On training text.
    pub training: Reading,
    /// On held-out text.
    pub held_out: Reading,
}

/// A course that has been run.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub name: &'static str,
    /// The model on its way, first the checkpoint.
    pub snapshots: Vec<Snapshot>,
    /// The model at the end.
    pub model: Model,
}

impl Course {
    /// Continues the checkpoint. Courses with the same seed see the same batches.
    pub fn run(&self, checkpoint: &Model, data: &Data, pace: Pace, seed: u64, bar: &ProgressBar) -> Outcome<Run> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut snapshots = Vec::new();
        let gradient = |model: &Model| match &self.objective {
            Objective::Responses(loss) => loss.gradient(model, &data.pairs.sample(PAIRS, &mut rng)),
            Objective::Tokens(loss) => loss.gradient(model, &data.text.sample(BYTES, model.context(), &mut rng)),
        };
        let look = |step, model: &Model| {
            let training = self.objective.read(model, &data.training)?;
            let held_out = self.objective.read(model, &data.held_out)?;
            snapshots.push(Snapshot { step, training, held_out });
            Ok(())
        };
        let model = optimize(checkpoint.clone(), pace, bar, gradient, look)?;
        Ok(Run { name: self.name, snapshots, model })
    }
}

impl Objective {
    fn read(&self, model: &Model, probe: &Probe) -> Outcome<Reading> {
        let scores = score(model, &probe.pairs)?;
        let loss = match self {
            Self::Responses(loss) => loss.value(&scores, &probe.pairs)?,
            Self::Tokens(loss) => loss.value(model, &probe.text)?,
        };
        Ok(Reading { loss, pairs: read_pairs(&scores, &probe.pairs)?, text: read_text(model, &probe.text)? })
    }
}
