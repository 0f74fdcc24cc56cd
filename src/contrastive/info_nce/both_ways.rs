//! Both ways over one matrix of similarities, which is one product less in each sweep: rows are one direction, columns the
//! other.
//!
//! A first sweep finds the sums over rows and columns, a second one, for slopes, forms the similarities again.

use ndarray::s;

use super::anchor::OfPair;
use super::columns::{ColumnSums, or_above_all};
use super::{Directions, FalseNegatives, Hardness, InfoNce, Partition};
use crate::contrastive::embeddings::Embeddings;
use crate::contrastive::reduce::Weights;
use crate::contrastive::walk::{Anchor, Found, Slopes, Source, Walk};
use crate::math::mul_or_zero;
use crate::simd::{self, Kernel, RowSum, dispatch};
use crate::{Real, Result};

impl InfoNce {
    /// Whether both directions see the same logits, so that one matrix holds all of them.
    pub(super) fn goes_both_ways(&self) -> bool {
        self.directions == Directions::Symmetric
            && self.partition == Partition::Separate
            && self.hardness == Hardness::None
            && self.false_negatives == FalseNegatives::Keep
    }
}

/// Every pair: what it has found, and slopes written to `out`. The one source has a row for each pair, and as many columns or
/// more.
pub(super) fn walk<'a, T: Real>(
    of_pair: &OfPair<'_>,
    (sides, sources): (&[Embeddings<'a, T>], &[Source<'_, 'a, T>]),
    weights: &Weights<T>,
    out: Option<&mut Slopes<'_, T>>,
) -> Result<Vec<Found>> {
    let (pairs, temperature) = (of_pair.pairs, of_pair.loss.temperature);
    // A pair of weight zero is a candidate of the others.
    let ones = vec![T::one(); pairs];
    let mut rows = vec![Row { positive: T::zero(), negatives: RowSum::new() }; pairs];
    let mut columns = ColumnSums::new(pairs);
    let mut candidates = 0;
    let first = Walk { sides, sources, anchors: 0..pairs, anchor: &Logits { temperature } };
    first.run_blocks(&ones, &mut rows, false, &mut |_, tiles| {
        candidates = tiles[0].ncols();
        columns.push(tiles[0].slice(s![.., ..pairs]));
    })?;

    let mut found = vec![Found::default(); pairs];
    let mut back = Back::new(pairs, candidates, temperature);
    for (pair, row) in rows.iter().enumerate() {
        let weight = weights.of_anchor(pair);
        if weight == T::zero() {
            continue;
        }
        let positive = of_pair.logit_of_positive(row.positive);
        let sums = [row.negatives, columns.of(pair)];
        let at = of_pair.at(pair, positive, &sums, |k| [candidates, pairs][k] - 1)?;
        found[pair] = at.found(out.is_some().then_some(weight));
        back.positives[pair] = of_pair.of_positive(&at, weight);
        for (to, denominator) in [&mut back.rows, &mut back.columns].into_iter().zip(&at.denominators) {
            to.shift[pair] = or_above_all(denominator.sum.max);
            to.scale[pair] = of_pair.unit(denominator, weight);
        }
    }
    if let Some(out) = out {
        out.iter_mut().for_each(|out| out.fill(T::zero()));
        let second = Walk { sides, sources, anchors: 0..pairs, anchor: &back };
        second.run(&ones, &mut vec![(); pairs], Some(out))?;
    }
    Ok(found)
}

/// What the first sweep has of an anchor.
#[derive(Clone, Copy)]
struct Row<T> {
    /// The similarity of the pair.
    positive: T,
    /// The sum over the logits of the others.
    negatives: RowSum<T>,
}

/// The first sweep: leaves the logits of the negatives.
struct Logits {
    temperature: f64,
}

impl<T: Real> Anchor<T, Row<T>> for Logits {
    fn run(&self, pair: usize, rows: &mut [&mut [T]], _: Option<T>) -> Result<Row<T>> {
        let row = &mut *rows[0];
        let (positive, mut negatives) = (row[pair], RowSum::new());
        row[pair] = T::neg_infinity();
        simd::scale(row, T::from_f64(self.temperature.recip()));
        negatives.push(row);
        Ok(Row { positive, negatives })
    }
}

/// The second sweep: slopes of both directions in a similarity.
struct Back<T> {
    /// From similarities to logits.
    inverse: T,
    rows: Shares<T>,
    columns: Shares<T>,
    /// Slopes in the similarities of the pairs.
    positives: Vec<T>,
}

/// Slopes `scale · e^(x - shift)` in similarities with the logits `x`, none where the scale is zero.
struct Shares<T> {
    shift: Vec<T>,
    scale: Vec<T>,
}

impl<T: Real> Back<T> {
    /// Without slopes yet. Candidates that belong to no pair have none of their own.
    fn new(pairs: usize, candidates: usize, temperature: f64) -> Self {
        let none = |n: usize| Shares { shift: vec![T::infinity(); n], scale: vec![T::zero(); n] };
        let inverse = T::from_f64(temperature.recip());
        Self { inverse, rows: none(pairs), columns: none(candidates), positives: vec![T::zero(); pairs] }
    }
}

impl<T: Real> Anchor<T, ()> for Back<T> {
    fn run(&self, pair: usize, rows: &mut [&mut [T]], _: Option<T>) -> Result<()> {
        let row = &mut *rows[0];
        let (shift, scale) = (self.rows.shift[pair], self.rows.scale[pair]);
        dispatch(Soften { row: &mut *row, inverse: self.inverse, shift, scale, columns: &self.columns });
        row[pair] = self.positives[pair];
        Ok(())
    }
}

/// Replaces the similarities of a row by their slopes.
struct Soften<'a, T> {
    row: &'a mut [T],
    inverse: T,
    shift: T,
    scale: T,
    columns: &'a Shares<T>,
}

impl<T: Real> Kernel for Soften<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let columns = self.columns.shift.iter().zip(&self.columns.scale);
        for (x, (&shift, &scale)) in self.row.iter_mut().zip(columns) {
            let logit = *x * self.inverse;
            let of_row = mul_or_zero(self.scale, (logit - self.shift).exp_down_lane::<FMA>());
            *x = of_row + mul_or_zero(scale, (logit - shift).exp_down_lane::<FMA>());
        }
    }
}
