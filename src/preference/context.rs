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
