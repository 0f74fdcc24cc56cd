//! Everything that belongs to one pair, and the same bundle of whole columns.

use crate::Real;
use crate::preference::Pairs;

/// All that a kernel is told of one pair; what the objective does not need is neutral.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row<T> {
    /// Log-probabilities of the policy.
    pub policy: Pairs<T>,
    /// Log-probabilities of the reference, 0 where there is none.
    pub reference: Pairs<T>,
    /// Numbers of tokens, 1 where they do not matter.
    pub lengths: Pairs<T>,
    /// What a judge gives each response, 0 where there is none.
    pub rewards: Pairs<T>,
    /// The pair's own number, of the meaning that the objective asks for, 0 where there is none.
    pub label: T,
    /// Log-probability of a third response, 0 where there is none.
    pub gold: T,
}

impl Row<&'static str> {
    /// The names of the columns in messages.
    pub(crate) const NAMES: Self = Self {
        policy: Pairs { chosen: "policy.chosen", rejected: "policy.rejected" },
        reference: Pairs { chosen: "reference.chosen", rejected: "reference.rejected" },
        lengths: Pairs { chosen: "lengths.chosen", rejected: "lengths.rejected" },
        rewards: Pairs { chosen: "rewards.chosen", rejected: "rewards.rejected" },
        label: "label",
        gold: "gold",
    };

    /// What may stand in each column, in words.
    pub(crate) const ALLOWED: Self = {
        let log_prob = Pairs { chosen: "finite or -inf", rejected: "finite or -inf" };
        let length = Pairs { chosen: "finite and > 0", rejected: "finite and > 0" };
        let reward = Pairs { chosen: "finite", rejected: "finite" };
        Self {
            policy: log_prob,
            reference: log_prob,
            lengths: length,
            rewards: reward,
            label: "finite",
            gold: log_prob.chosen,
        }
    };
}

impl<T> Row<T> {
    /// `f` of every entry, in a fixed order.
    #[inline(always)]
    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Row<U> {
        let Self { policy, reference, lengths, rewards, label, gold } = self;
        Row {
            policy: policy.map(&mut f),
            reference: reference.map(&mut f),
            lengths: lengths.map(&mut f),
            rewards: rewards.map(&mut f),
            label: f(label),
            gold: f(gold),
        }
    }

    /// The entries, borrowed.
    #[inline(always)]
    pub(crate) fn as_ref(&self) -> Row<&T> {
        let Self { policy, reference, lengths, rewards, label, gold } = self;
        let (lengths, rewards) = (lengths.as_ref(), rewards.as_ref());
        Row { policy: policy.as_ref(), reference: reference.as_ref(), lengths, rewards, label, gold }
    }

    /// Both rows side by side.
    pub(crate) fn zip<U>(self, other: Row<U>) -> Row<(T, U)> {
        Row {
            policy: self.policy.zip(other.policy),
            reference: self.reference.zip(other.reference),
            lengths: self.lengths.zip(other.lengths),
            rewards: self.rewards.zip(other.rewards),
            label: (self.label, other.label),
            gold: (self.gold, other.gold),
        }
    }

    /// The row of these entries, in the order of [`Row::into_array`].
    #[inline(always)]
    pub(crate) fn from_array([w, l, r, q, n, k, s, t, label, gold]: [T; 10]) -> Self {
        Self {
            policy: Pairs { chosen: w, rejected: l },
            reference: Pairs { chosen: r, rejected: q },
            lengths: Pairs { chosen: n, rejected: k },
            rewards: Pairs { chosen: s, rejected: t },
            label,
            gold,
        }
    }

    /// The entries, in the order of [`Row::map`].
    pub(crate) fn into_array(self) -> [T; 10] {
        let Self { policy: p, reference: r, lengths: n, rewards: s, label, gold } = self;
        [p.chosen, p.rejected, r.chosen, r.rejected, n.chosen, n.rejected, s.chosen, s.rejected, label, gold]
    }
}

impl<T: Real> Row<T> {
    /// `log π - log ρ` of both sides: the implicit rewards before `beta`. Without a reference, `log π`.
    #[inline(always)]
    #[must_use]
    pub fn log_ratios(&self) -> Pairs<T> {
        let (policy, reference) = (self.policy, self.reference);
        Pairs { chosen: policy.chosen - reference.chosen, rejected: policy.rejected - reference.rejected }
    }

    /// The difference of both log-ratios.
    #[inline(always)]
    pub(crate) fn margin(&self) -> T {
        let ratios = self.log_ratios();
        ratios.chosen - ratios.rejected
    }

    /// What is constant for the policy, with zeros in place of log-probabilities.
    #[inline(always)]
    pub(crate) fn constants(self) -> Self {
        let zeros = Pairs { chosen: T::zero(), rejected: T::zero() };
        Self { policy: zeros, reference: zeros, ..self }
    }
}
