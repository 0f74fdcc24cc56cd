//! Batches of pairs that hold everything, or all but one column.

use loglik::Real;
use loglik::preference::{PairBatch, Pairs};
use ndarray::Array1;

/// What a batch may hold beside the log-probabilities of the policy.
pub const OPTIONAL: &[&str] =
    &["reference", "lengths", "rewards", "offset", "soft_label", "tie_probability", "rating_gap", "gold"];

/// Columns of a batch, of one number for each pair.
#[derive(Debug)]
pub struct Columns<T> {
    pub policy: Pairs<Array1<T>>,
    pub reference: Pairs<Array1<T>>,
    pub lengths: Pairs<Array1<T>>,
    pub rewards: Pairs<Array1<T>>,
    /// Offset, label, probability of a tie and gap of the ratings.
    pub label: Array1<T>,
    pub gold: Array1<T>,
}

impl<T: Real> Columns<T> {
    /// These log-probabilities of `[chosen, rejected]` against those of a reference; lengths and rewards are usual ones.
    pub fn new(policy: &[[f64; 2]], reference: &[[f64; 2]]) -> Self {
        let same = |x: f64| Array1::from_elem(policy.len(), T::from_f64(x));
        let both = |sides: &[[f64; 2]]| {
            let side = |side: usize| sides.iter().map(|pair| T::from_f64(pair[side])).collect();
            Pairs { chosen: side(0), rejected: side(1) }
        };
        Self {
            policy: both(policy),
            reference: both(reference),
            lengths: Pairs { chosen: same(4.0), rejected: same(2.0) },
            rewards: Pairs { chosen: same(1.0), rejected: same(0.25) },
            label: same(0.5),
            gold: same(-2.0),
        }
    }

    /// The batch with the columns that are asked for.
    pub fn batch(&self, holds: impl Fn(&str) -> bool) -> PairBatch<'_, T> {
        let mut batch = PairBatch::new(self.policy.view());
        for &column in OPTIONAL.iter().filter(|column| holds(column)) {
            batch = match column {
                "reference" => batch.reference(self.reference.view()),
                "lengths" => batch.lengths(self.lengths.view()),
                "rewards" => batch.rewards(self.rewards.view()),
                "offset" => batch.offset(self.label.view()),
                "soft_label" => batch.soft_label(self.label.view()),
                "tie_probability" => batch.tie_probability(self.label.view()),
                "rating_gap" => batch.rating_gap(self.label.view()),
                _ => batch.gold(self.gold.view()),
            };
        }
        batch
    }

    /// The batch with every column.
    pub fn full(&self) -> PairBatch<'_, T> {
        self.batch(|_| true)
    }
}
