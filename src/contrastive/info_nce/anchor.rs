//! One anchor: from its similarities to its loss and back.

use super::denominator::Outcome;
use super::{Denominator, Direction, FalseNegatives, Hardness, InfoNce, Partition};
use crate::contrastive::walk::{Anchor, Found};
use crate::simd::{self, RowSum};
use crate::{Error, Real, Result};

/// The loss at one pair, with what the whole batch says of it.
pub(super) struct OfPair<'a> {
    pub(super) loss: &'a InfoNce,
    pub(super) directions: &'a [Direction],
    /// Number of pairs.
    pub(super) pairs: usize,
}

impl<T: Real> Anchor<T> for OfPair<'_> {
    fn run(&self, pair: usize, rows: &mut [&mut [T]], scale: Option<T>) -> Result<Found> {
        let (rows, guides) = rows.split_at_mut(self.directions.len());
        let similarity = rows[0][pair];
        let threshold = guides.first().map_or(similarity, |guide| guide[pair]);
        let mut sums = Vec::with_capacity(rows.len());
        for (k, row) in rows.iter_mut().enumerate() {
            self.leave_out(self.directions[k], pair, row, guides.get(k).map(|guide| &**guide), threshold);
            self.raise(k, pair, row);
            if self.has_positive(k) {
                row[pair] = T::neg_infinity(); // which stays out of the sum
            }
            let mut sum = RowSum::new();
            sum.push(row);
            sums.push(sum);
        }
        // As the others are scaled: equal similarities have equal logits.
        let positive = (similarity * T::from_f64(self.loss.temperature.recip())).as_f64();
        if !positive.is_finite() || !sums.iter().all(is_sound) {
            return Err(Error::overflow::<T>("first", pair));
        }
        self.of_groups(pair, positive, &sums, rows, scale)
    }
}

impl OfPair<'_> {
    /// Whether a direction has the positive in its row, and not as just another candidate of a shared denominator.
    fn has_positive(&self, k: usize) -> bool {
        self.directions[k].is_across() && (k == 0 || self.loss.partition == Partition::Separate)
    }

    /// Takes out what is no candidate: the anchor itself, its own documents, and false negatives.
    fn leave_out<T: Real>(&self, direction: Direction, pair: usize, row: &mut [T], guide: Option<&[T]>, positive: T) {
        let bound = match self.loss.false_negatives {
            FalseNegatives::Keep => None,
            FalseNegatives::Above(margin) => Some(positive + T::from_f64(margin)),
            FalseNegatives::Relative(share) => Some(positive - T::from_f64(share) * positive.abs()),
        };
        if let Some(bound) = bound {
            for place in 0..row.len() {
                let is_pair = direction.is_across() && place == pair;
                if guide.map_or(row[place], |guide| guide[place]) > bound && !is_pair {
                    row[place] = T::neg_infinity();
                }
            }
        }
        if !direction.is_across() {
            // Of the second side, all that belong to the pair; of the first, the anchor alone.
            row.iter_mut().skip(pair).step_by(self.pairs).for_each(|x| *x = T::neg_infinity());
        }
    }

    /// From similarities to logits.
    fn raise<T: Real>(&self, k: usize, pair: usize, row: &mut [T]) {
        let plain = T::from_f64(self.loss.temperature.recip());
        let hard = T::from_f64(self.loss.temperature.recip() + self.loss.hardness.strength());
        let (most, own) = match self.loss.hardness {
            Hardness::None => (plain, plain),
            _ if k > 0 => (plain, plain),
            Hardness::InBatch(_) => (hard, plain),
            Hardness::Own(_) => (plain, hard),
            Hardness::All(_) => (hard, hard),
        };
        if own == most {
            return simd::scale(row, most);
        }
        let owned = |place: usize| place % self.pairs == pair;
        row.iter_mut().enumerate().for_each(|(place, x)| *x *= if owned(place) { own } else { most });
    }

    /// The mean over the denominators: one for each direction, or one for all.
    fn of_groups<T: Real>(
        &self,
        pair: usize,
        positive: f64,
        sums: &[RowSum<T>],
        rows: &mut [&mut [T]],
        scale: Option<T>,
    ) -> Result<Found> {
        let size = if self.loss.partition == Partition::Joint { rows.len() } else { 1 };
        let share = size as f64 / rows.len() as f64;
        let weight = scale.map_or(0.0, T::as_f64);
        let (mut found, mut slope) = (Found::default(), 0.0);
        for (sums, rows) in sums.chunks(size).zip(rows.chunks_mut(size)) {
            let sum = sums.iter().fold(RowSum::new(), |sum, &row| sum.merge(row));
            let outcome = self.at(positive, &sum, rows)?;
            found.loss += share * outcome.loss;
            found.own += share * outcome.temperature;
            slope += share * outcome.positive;
            if scale.is_some() {
                rows.iter_mut().for_each(|row| self.soften(row, &sum, share * outcome.others * weight));
            }
        }
        found.own *= weight;
        if scale.is_some() {
            // That in the similarity of the positive; the one of the way back is the same number.
            rows[0][pair] = T::from_f64(slope * weight / self.loss.temperature);
        }
        Ok(found)
    }

    fn at<T: Real>(&self, positive: f64, sum: &RowSum<T>, rows: &[&mut [T]]) -> Result<Outcome> {
        let others = sum.max.as_f64() + sum.others.ln_1p();
        if self.loss.denominator == Denominator::Negatives && others == f64::NEG_INFINITY {
            return Err(Error::Empty { argument: "negatives" });
        }
        let count = || rows.iter().map(|row| row.iter().filter(|x| **x > T::neg_infinity()).count()).sum();
        Ok(self.loss.denominator.at(positive, others, count, self.loss.temperature))
    }

    /// Replaces the logits of a row by their share of a sum, times the slope in its logarithm, in the unit of similarities.
    fn soften<T: Real>(&self, row: &mut [T], sum: &RowSum<T>, slope: f64) {
        if sum.max == T::neg_infinity() {
            return row.fill(T::zero());
        }
        let slope = slope / (1.0 + sum.others) / self.loss.temperature;
        T::scale_exp(row, sum.max, T::from_f64(slope));
    }
}

/// Whether nothing has left the range of the type on the way to the logits. There may be no candidates.
fn is_sound<T: Real>(sum: &RowSum<T>) -> bool {
    sum.others.is_finite() && sum.max < T::infinity()
}
