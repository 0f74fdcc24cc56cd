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
        let positive = self.logit_of_positive(similarity);
        let count = |k: usize| rows[k].iter().filter(|x| **x > T::neg_infinity()).count();
        let at = self.at(pair, positive, &sums, count)?;
        if let Some(weight) = scale {
            for (denominator, rows) in at.denominators.iter().zip(rows.chunks_mut(self.group())) {
                rows.iter_mut().for_each(|row| self.soften(row, denominator, weight));
            }
            // That in the similarity of the positive; the one of the way back is the same number.
            rows[0][pair] = self.of_positive(&at, weight);
        }
        Ok(at.found(scale))
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

    /// The logit of the positive, scaled as the others are: equal similarities have equal logits.
    pub(super) fn logit_of_positive<T: Real>(&self, similarity: T) -> f64 {
        (similarity * T::from_f64(self.loss.temperature.recip())).as_f64()
    }

    /// Directions that share a denominator.
    fn group(&self) -> usize {
        if self.loss.partition == Partition::Joint { self.directions.len() } else { 1 }
    }

    /// The mean over the denominators, each of which is a sum over the others of its directions; `count` is their number in
    /// a direction.
    pub(super) fn at<T: Real>(
        &self,
        pair: usize,
        positive: f64,
        sums: &[RowSum<T>],
        count: impl Fn(usize) -> usize,
    ) -> Result<AtPair<T>> {
        if !T::from_f64(positive).is_finite() || !sums.iter().all(is_sound) {
            return Err(Error::overflow::<T>("first", pair));
        }
        let size = self.group();
        let share = size as f64 / sums.len() as f64;
        let mut at = AtPair { found: Found::default(), positive: 0.0, denominators: Vec::with_capacity(sums.len()) };
        for (first, sums) in (0..).step_by(size).zip(sums.chunks(size)) {
            let sum = sums.iter().fold(RowSum::new(), |sum, &row| sum.merge(row));
            let count = || (first..first + size).map(&count).sum();
            let outcome = self.outcome(positive, &sum, count)?;
            at.found.loss += share * outcome.loss;
            at.found.own += share * outcome.temperature;
            at.positive += share * outcome.positive;
            at.denominators.push(Sum { sum, slope: share * outcome.others });
        }
        Ok(at)
    }

    fn outcome<T: Real>(&self, positive: f64, sum: &RowSum<T>, count: impl Fn() -> usize) -> Result<Outcome> {
        let others = sum.max.as_f64() + sum.others.ln_1p();
        if self.loss.denominator == Denominator::Negatives && others == f64::NEG_INFINITY {
            return Err(Error::Empty { argument: "negatives" });
        }
        Ok(self.loss.denominator.at(positive, others, count, self.loss.temperature))
    }

    /// The weighted slope in the similarity of the positive.
    pub(super) fn of_positive<T: Real>(&self, at: &AtPair<T>, weight: T) -> T {
        T::from_f64(at.positive * weight.as_f64() / self.loss.temperature)
    }

    /// What `e^(x - max)` of a logit `x` is multiplied by to be the weighted slope in its similarity.
    pub(super) fn unit<T: Real>(&self, of: &Sum<T>, weight: T) -> T {
        T::from_f64(of.slope * weight.as_f64() / (1.0 + of.sum.others) / self.loss.temperature)
    }

    /// Replaces the logits of a row by their slopes.
    fn soften<T: Real>(&self, row: &mut [T], of: &Sum<T>, weight: T) {
        if of.sum.max == T::neg_infinity() {
            return row.fill(T::zero());
        }
        T::scale_exp(row, of.sum.max, self.unit(of, weight));
    }
}

/// The loss of a pair and its slopes, not weighted.
pub(super) struct AtPair<T> {
    found: Found,
    /// The slope in the logit of the positive.
    positive: f64,
    /// One for each direction, or one for all.
    pub(super) denominators: Vec<Sum<T>>,
}

/// A sum over others, and the slope in its logarithm.
pub(super) struct Sum<T> {
    pub(super) sum: RowSum<T>,
    slope: f64,
}

impl<T: Real> AtPair<T> {
    /// The loss, and where slopes are asked for the weighted one in the temperature.
    pub(super) fn found(&self, weight: Option<T>) -> Found {
        Found { own: self.found.own * weight.map_or(0.0, T::as_f64), ..self.found }
    }
}

/// Whether nothing has left the range of the type on the way to the logits. There may be no candidates.
fn is_sound<T: Real>(sum: &RowSum<T>) -> bool {
    sum.others.is_finite() && sum.max < T::infinity()
}
