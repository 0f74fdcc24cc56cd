//! What a preference loss is given: two of everything, in one bundle.

use ndarray::{ArrayBase, ArrayView, ArrayView1, ArrayViewMut, ArrayViewMut1, Data, DataMut, Dimension};

use crate::preference::Row;
use crate::preference::label::{Label, LabelUse, Labels};
use crate::{Real, Result, check};

/// Two of one thing: one for the chosen and one for the rejected response of each pair.
///
/// Views go in (`Pairs<ArrayView1<T>>`), owned gradients come out (`Pairs<Array1<T>>`), and a kernel sees single numbers
/// (`Pairs<T>`).
///
/// ```
/// # use loglik::prelude::*;
/// let lengths = Pairs { chosen: 12, rejected: 30 };
/// assert_eq!(lengths.map(|n| n + 1), Pairs { chosen: 13, rejected: 31 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pairs<A> {
    /// Of the preferred response.
    pub chosen: A,
    /// Of the other response.
    pub rejected: A,
}

/// Borrowed numbers of the two sides, one for each pair.
pub type PairsView<'a, T> = Pairs<ArrayView1<'a, T>>;

/// Numbers of the two sides that are written to.
pub type PairsMut<'a, T> = Pairs<ArrayViewMut1<'a, T>>;

impl<A> Pairs<A> {
    /// `f` of each side, the chosen one first.
    #[must_use]
    #[inline(always)]
    pub fn map<B>(self, mut f: impl FnMut(A) -> B) -> Pairs<B> {
        Pairs { chosen: f(self.chosen), rejected: f(self.rejected) }
    }

    /// Both sides, borrowed.
    pub fn as_ref(&self) -> Pairs<&A> {
        Pairs { chosen: &self.chosen, rejected: &self.rejected }
    }

    /// Both sides, to be changed.
    pub fn as_mut(&mut self) -> Pairs<&mut A> {
        Pairs { chosen: &mut self.chosen, rejected: &mut self.rejected }
    }

    /// Both bundles side by side.
    #[must_use]
    pub fn zip<B>(self, other: Pairs<B>) -> Pairs<(A, B)> {
        Pairs { chosen: (self.chosen, other.chosen), rejected: (self.rejected, other.rejected) }
    }
}

impl<T, S: Data<Elem = T>, D: Dimension> Pairs<ArrayBase<S, D>> {
    /// Views of both arrays.
    pub fn view(&self) -> Pairs<ArrayView<'_, T, D>> {
        Pairs { chosen: self.chosen.view(), rejected: self.rejected.view() }
    }

    /// Views of both arrays that may be written to.
    pub fn view_mut(&mut self) -> Pairs<ArrayViewMut<'_, T, D>>
    where
        S: DataMut,
    {
        Pairs { chosen: self.chosen.view_mut(), rejected: self.rejected.view_mut() }
    }
}

/// A batch of preference pairs: log-probabilities of whole responses, in nats, and what else an objective may need.
///
/// It borrows; copying it is cheap. All arrays have one entry for each pair, in any memory layout. An objective reads
/// the columns that it uses, and returns an error where one is missing. All need the policy; the documentation of each
/// names the others.
///
/// | column | holds, for each pair | absent |
/// |---|---|---|
/// | policy | log-probabilities of both responses, with respect to which gradients are taken | never |
/// | reference | log-probabilities of both under the model that the policy is compared with: a frozen copy, the policy that generated the responses (REBEL, PSO), other models (PoFT) | 0 |
/// | lengths | numbers of scored tokens of both | 1 |
/// | rewards | what a judge gives both: rewards, or probabilities to win | 0 |
/// | offset | an offset of the margin, in nats and before `beta` (all losses of the margin alone) | 0 |
/// | soft_label | the probability that the chosen response is the better one | 0 |
/// | tie_probability | the probability that neither is | 0 |
/// | rating_gap | how much better a judge rates the chosen response | 0 |
/// | gold | the policy's log-probability of a third response, whose likelihood is part of the loss (TPO) | 0 |
///
/// Log-probabilities are **sums** over the scored tokens of a response, also where an objective averages: it then
/// divides by the lengths itself and returns the gradient with respect to the sums.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// assert_eq!(batch.len(), 1);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PairBatch<'a, T> {
    policy: PairsView<'a, T>,
    reference: Option<PairsView<'a, T>>,
    lengths: Option<PairsView<'a, T>>,
    rewards: Option<PairsView<'a, T>>,
    labels: Labels<'a, T>,
    gold: Option<ArrayView1<'a, T>>,
}

impl<'a, T: Real> PairBatch<'a, T> {
    /// A batch that holds the policy's log-probabilities alone: those with respect to which gradients are taken.
    pub fn new(policy: PairsView<'a, T>) -> Self {
        Self { policy, reference: None, lengths: None, rewards: None, labels: Labels::none(), gold: None }
    }

    /// Adds the log-probabilities of the same responses under the reference model, which are constants.
    pub fn reference(mut self, reference: PairsView<'a, T>) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Adds the number of scored tokens of each response, finite and above zero, in the element type: those of
    /// [`Sequences`](crate::sequence::Sequences).
    pub fn lengths(mut self, lengths: PairsView<'a, T>) -> Self {
        self.lengths = Some(lengths);
        self
    }

    /// Adds what a judge gives each response, all finite: rewards on the scale that the objective names, or
    /// probabilities to win.
    pub fn rewards(mut self, rewards: PairsView<'a, T>) -> Self {
        self.rewards = Some(rewards);
        self
    }

    /// Adds an offset for each pair, in nats and before `beta`, that a loss of the margin alone subtracts from the margin.
    pub fn offset(mut self, offset: ArrayView1<'a, T>) -> Self {
        self.labels = self.labels.with(Label::Offset, offset);
        self
    }

    /// Adds the probability, for each pair, that the chosen response is the better one: the soft label of
    /// [`SoftDpo`](crate::preference::SoftDpo) and [`ProcessReward`](crate::preference::ProcessReward).
    pub fn soft_label(mut self, soft_label: ArrayView1<'a, T>) -> Self {
        self.labels = self.labels.with(Label::SoftLabel, soft_label);
        self
    }

    /// Adds the probability, for each pair, that neither response is the better one, for the losses with ties.
    pub fn tie_probability(mut self, tie_probability: ArrayView1<'a, T>) -> Self {
        self.labels = self.labels.with(Label::TieProbability, tie_probability);
        self
    }

    /// Adds how much better a judge rates the chosen response of each pair, for
    /// [`BradleyTerry`](crate::preference::BradleyTerry).
    pub fn rating_gap(mut self, rating_gap: ArrayView1<'a, T>) -> Self {
        self.labels = self.labels.with(Label::RatingGap, rating_gap);
        self
    }

    /// Adds the log-probability of a third response of each prompt, the gold one of [`Tpo`](crate::preference::Tpo), as it
    /// is to be counted. The gradient with respect to it is not among those of a
    /// [`PairObjective`](crate::preference::PairObjective): see [`Tpo::gold_grad`](crate::preference::Tpo::gold_grad).
    pub fn gold(mut self, gold: ArrayView1<'a, T>) -> Self {
        self.gold = Some(gold);
        self
    }

    /// With these labels.
    pub(super) fn labels(mut self, labels: &'a Labels<'_, T>) -> Self {
        self.labels = labels.held().fold(Labels::none(), |all, (label, numbers)| all.with(label, numbers));
        self
    }

    /// Number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policy.chosen.len()
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All arrays must have one entry for each pair.
    pub(crate) fn check_shapes(&self) -> Result<()> {
        let n = [self.len()];
        let same = |argument, array: ArrayView1<'_, T>| check::shape(argument, array.shape(), &n);
        let both = |names: Pairs<_>, arrays: Option<PairsView<'_, T>>| match arrays {
            None => Ok(()),
            Some(arrays) => same(names.chosen, arrays.chosen).and_then(|()| same(names.rejected, arrays.rejected)),
        };
        both(Row::NAMES.policy, Some(self.policy))?;
        both(Row::NAMES.reference, self.reference)?;
        both(Row::NAMES.lengths, self.lengths)?;
        both(Row::NAMES.rewards, self.rewards)?;
        self.labels.held().try_for_each(|(label, numbers)| same(label.name(), numbers))?;
        self.gold.map_or(Ok(()), |gold| same(Row::NAMES.gold, gold))
    }

    /// The columns of the batch, with the label that is asked for; `None` where it has none.
    pub(crate) fn columns(&self, label: LabelUse) -> Row<Option<ArrayView1<'_, T>>> {
        let both = |side: Option<PairsView<'a, T>>| match side {
            None => Pairs { chosen: None, rejected: None },
            Some(side) => side.map(Some),
        };
        Row {
            policy: both(Some(self.policy)),
            reference: both(self.reference),
            lengths: both(self.lengths),
            rewards: both(self.rewards),
            label: label.label().and_then(|label| self.labels.get(label)),
            gold: self.gold,
        }
        .map(|column| column.map(ArrayView1::reborrow))
    }
}
