//! What the chains from a model's outputs to a pair objective share, whatever the outputs are.

use ndarray::{Array1, ArrayRef1, ArrayView1};

use crate::logits::LogitTransform;
use crate::preference::label::Labels;
use crate::preference::{PairBatch, PairObjective, Pairs, PairsView};
use crate::sequence::Sequences;
use crate::{Error, Real, Reduction, Result, check};

/// What a batch holds beside the policy's outputs, and how its logits are transformed first.
#[derive(Clone, Debug)]
pub(super) struct Context<'a, T> {
    pub(super) reference: Option<PairsView<'a, T>>,
    pub(super) rewards: Option<PairsView<'a, T>>,
    pub(super) labels: Labels<'a, T>,
    pub(super) gold: Option<ArrayView1<'a, T>>,
    pub(super) transform: LogitTransform,
}

impl<'a, T: Real> Context<'a, T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            reference: None,
            rewards: None,
            labels: Labels::none(),
            gold: None,
            transform: LogitTransform::default(),
        }
    }

    /// The pairs as an objective sees them.
    pub(super) fn batch<'b>(&'b self, sequences: &'b Pairs<Sequences<T>>) -> PairBatch<'b, T> {
        let Pairs { chosen, rejected } = sequences;
        let mut batch = PairBatch::new(Pairs { chosen: chosen.sums.view(), rejected: rejected.sums.view() })
            .lengths(Pairs { chosen: chosen.lengths.view(), rejected: rejected.lengths.view() });
        if let Some(Pairs { chosen, rejected }) = &self.reference {
            batch = batch.reference(Pairs { chosen: chosen.view(), rejected: rejected.view() });
        }
        if let Some(Pairs { chosen, rejected }) = &self.rewards {
            batch = batch.rewards(Pairs { chosen: chosen.view(), rejected: rejected.view() });
        }
        batch = batch.labels(&self.labels);
        match &self.gold {
            None => batch,
            Some(gold) => batch.gold(gold.view()),
        }
    }

    /// What can be known to be wrong without a look at the outputs, of which there are so many responses on each side.
    pub(super) fn check(
        &self,
        responses: Pairs<usize>,
        objective: &dyn PairObjective<T>,
        reduction: Reduction<'_, T>,
    ) -> Result<()> {
        self.transform.check()?;
        let Pairs { chosen, rejected } = responses;
        check::shape("rejected", &[rejected], &[chosen])?;
        reduction.check(&[chosen])?;
        let unknown = || Sequences { sums: Array1::zeros(chosen), lengths: Array1::zeros(chosen) };
        objective.validate(&self.batch(&Pairs { chosen: unknown(), rejected: unknown() }))
    }
}

/// The weights of the pairs, where a reduction has them.
pub(super) fn weights<'a, T>(reduction: Reduction<'a, T>) -> Option<&'a ArrayRef1<T>> {
    match reduction {
        Reduction::Weighted(weights) => Some(weights),
        Reduction::Sum | Reduction::Mean => None,
    }
}

/// The error under the names that the arguments of the chosen side have.
pub(super) fn of_chosen(error: Error) -> Error {
    error.rename(|argument| match argument {
        "logits" => "chosen.logits",
        "hidden" => "chosen.hidden",
        "targets" => "chosen.targets",
        "mask" => "chosen.mask",
        other => other,
    })
}

/// The same for the rejected side.
pub(super) fn of_rejected(error: Error) -> Error {
    error.rename(|argument| match argument {
        "logits" => "rejected.logits",
        "hidden" => "rejected.hidden",
        "targets" => "rejected.targets",
        "mask" => "rejected.mask",
        other => other,
    })
}

/// The methods by which a chain is given what an objective needs beside the outputs of the model, which its field `context`
/// keeps. Of an `impl` with the lifetime `'a` and the stored type `E`.
macro_rules! context_setters {
    () => {
        /// Adds the reference's log-probabilities of the same responses, summed over the same tokens: its own
        /// [`sequences`](Self::sequences).
        pub fn reference(mut self, reference: $crate::preference::PairsView<'a, E::Real>) -> Self {
            self.context.reference = Some(reference);
            self
        }

        /// Adds what a judge gives each response, as [`PairBatch::rewards`] has it.
        pub fn rewards(mut self, rewards: $crate::preference::PairsView<'a, E::Real>) -> Self {
            self.context.rewards = Some(rewards);
            self
        }

        /// Adds an offset, as [`PairBatch::offset`] has it.
        pub fn offset(mut self, offset: ndarray::ArrayView1<'a, E::Real>) -> Self {
            self.context.labels = self.context.labels.with($crate::preference::Label::Offset, offset);
            self
        }

        /// Adds soft labels, as [`PairBatch::soft_label`] has them.
        pub fn soft_label(mut self, soft_label: ndarray::ArrayView1<'a, E::Real>) -> Self {
            self.context.labels = self.context.labels.with($crate::preference::Label::SoftLabel, soft_label);
            self
        }

        /// Adds probabilities of a tie, as [`PairBatch::tie_probability`] has them.
        pub fn tie_probability(mut self, tie_probability: ndarray::ArrayView1<'a, E::Real>) -> Self {
            self.context.labels = self.context.labels.with($crate::preference::Label::TieProbability, tie_probability);
            self
        }

        /// Adds gaps of ratings, as [`PairBatch::rating_gap`] has them.
        pub fn rating_gap(mut self, rating_gap: ndarray::ArrayView1<'a, E::Real>) -> Self {
            self.context.labels = self.context.labels.with($crate::preference::Label::RatingGap, rating_gap);
            self
        }

        /// Adds the log-probability of a third response of each prompt, as [`PairBatch::gold`] has it. Its gradient goes back
        /// to that response separately.
        pub fn gold(mut self, gold: ndarray::ArrayView1<'a, E::Real>) -> Self {
            self.context.gold = Some(gold);
            self
        }

        /// Puts the policy's logits behind a temperature and a soft cap. The reference has seen its own before.
        pub fn transform(mut self, transform: $crate::logits::LogitTransform) -> Self {
            self.context.transform = transform;
            self
        }
    };
}
pub(super) use context_setters;
