//! The whole experiment: one likelihood training, then every objective from the same checkpoint.

use indicatif::ProgressBar;
use loglik::prelude::*;
use ndarray_rand::rand::SeedableRng;
use ndarray_rand::rand::rngs::StdRng;
use rayon::prelude::*;

use super::courses::{COURSES, courses};
use super::entropy::Entropy;
use super::failure::Outcome;
use super::model::Model;
use super::optimize::{Pace, optimize};
use super::options::Work;
use super::pairs::PairSet;
use super::progress::progress;
use super::reading::{TrainingReading, read_text};
use super::report::Report;
use super::result::Ending;
use super::text::{Part, Text};
use super::token_loss::TokenLoss;
use super::tuning::{Data, Probe, Run};

/// Windows of one batch of the likelihood training.
const BATCH: usize = 256;
/// Largest step size of the likelihood training,
const TRAINING_RATE: f32 = 3e-3;
/// and of what follows it.
const TUNING_RATE: f32 = 3e-4;
/// Bytes of held-out text that are scored in the end: all of a text of 400 kB, evenly spread ones of a longer text.
const HELD_OUT_BYTES: usize = 40_000;
/// Points of each curve.
const LOOKS: u32 = 21;

/// What is run on what.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// The text.
    pub text: Text<'a>,
    /// How much of it all.
    pub work: Work,
    /// Seed of everything random.
    pub seed: u64,
}

impl Experiment<'_> {
    /// Runs everything. The same seed gives the same report for any number of threads.
    pub fn run(&self) -> Outcome<Report> {
        let bar = progress(u64::from(self.work.training_steps) + COURSES * u64::from(self.work.tuning_steps()));
        let (training, held_out) = (self.text.training(), self.text.held_out());
        let entropy = Entropy::of(&training);
        let mut rng = StdRng::seed_from_u64(self.seed);

        let (checkpoint, readings) = self.pretrain(&training, &held_out, &mut rng, &bar)?;
        let pairs = PairSet::draw(&training, &checkpoint, self.work.training_pairs, &mut rng)?;
        let held_out_pairs = PairSet::draw(&held_out, &checkpoint, self.work.held_out_pairs, &mut rng)?;
        let whole = held_out.spread(HELD_OUT_BYTES, checkpoint.context());
        let data = Data {
            training: self.probe(&training, &pairs),
            held_out: self.probe(&held_out, &held_out_pairs),
            text: training,
            pairs,
        };
        let runs = self.tune(&checkpoint, &data, &bar)?;
        bar.finish_and_clear();

        let models = std::iter::once(("checkpoint", &checkpoint)).chain(runs.iter().map(|run| (run.name, &run.model)));
        let endings = models
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(name, model)| Ending::of(name, model, &data.pairs, &held_out_pairs, &whole))
            .collect::<Outcome<Vec<_>>>()?;
        Report::new(entropy, &readings, &runs, &endings)
    }

    /// Trains a model by likelihood, and reads it on the way.
    fn pretrain(
        &self,
        training: &Part,
        held_out: &Part,
        rng: &mut StdRng,
        bar: &ProgressBar,
    ) -> Outcome<(Model, Vec<TrainingReading>)> {
        let model = Model::random(self.work.shape, rng)?;
        let probes = [training, held_out].map(|part| part.spread(self.work.probe_bytes, model.context()));
        let loss = TokenLoss::Likelihood(CrossEntropy::default());
        let pace = Pace { steps: self.work.training_steps, rate: TRAINING_RATE, looks: LOOKS };
        let mut readings = Vec::new();
        bar.set_message("likelihood training");
        let model = optimize(
            model,
            pace,
            bar,
            |model| loss.gradient(model, &training.sample(BATCH, model.context(), rng)),
            |step, model| {
                let [training, held_out] = &probes;
                let (training, held_out) = (read_text(model, training)?, read_text(model, held_out)?);
                readings.push(TrainingReading { step, training, held_out });
                Ok(())
            },
        )?;
        Ok((model, readings))
    }

    /// Continues the checkpoint with every objective, side by side.
    fn tune(&self, checkpoint: &Model, data: &Data, bar: &ProgressBar) -> Outcome<Vec<Run>> {
        bar.set_message("preference and transport");
        let pace = Pace { steps: self.work.tuning_steps(), rate: TUNING_RATE, looks: LOOKS };
        let courses = courses(&checkpoint.output_embeddings())?;
        courses.par_iter().map(|course| course.run(checkpoint, data, pace, self.seed, bar)).collect()
    }

    fn probe(&self, part: &Part, pairs: &PairSet) -> Probe {
        Probe {
            pairs: pairs.first(self.work.probe_pairs),
            text: part.spread(self.work.probe_bytes, self.work.shape.context),
        }
    }
}
