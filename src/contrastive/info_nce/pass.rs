//! One pass of [`InfoNce`] over a batch.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::anchor::OfPair;
use super::{Direction, Directions, FalseNegatives, InfoNce, both_ways};
use crate::contrastive::batch::EmbeddingBatch;
use crate::contrastive::embeddings::Embeddings;
use crate::contrastive::reduce::{Weights, finish};
use crate::contrastive::walk::{Found, Slopes, Source, Walk};
use crate::{Error, Real, Reduction, Result, check};

impl InfoNce {
    pub(super) fn check(&self) -> Result<()> {
        check::temperature(self.temperature)?;
        self.denominator.check()?;
        check::non_negative("hardness", self.hardness.strength())?;
        match self.false_negatives {
            FalseNegatives::Keep => Ok(()),
            FalseNegatives::Above(margin) => check::finite("false_negatives", margin),
            FalseNegatives::Relative(share) => check::finite("false_negatives", share),
        }
    }
}

/// Where the slopes in similarities go that the caller has.
pub(crate) enum Given<'o, T> {
    Value,
    Slopes(ArrayViewMut2<'o, T>),
}

/// The numbers of both sides among the sets of embeddings.
fn ends(direction: Direction) -> (usize, usize) {
    match direction {
        Direction::FirstToSecond => (0, 1),
        Direction::SecondToFirst => (1, 0),
        Direction::FirstToFirst => (0, 0),
        Direction::SecondToSecond => (1, 1),
    }
}

/// A matrix of similarities for each direction, and behind them those of the guides.
fn sources<'w, 'a, T: Real>(
    directions: &[Direction],
    guides: Option<&'w [Embeddings<'a, T>; 2]>,
) -> Vec<Source<'w, 'a, T>> {
    let pairs = || directions.iter().map(|&direction| ends(direction));
    let own = pairs().map(|(anchors, candidates)| Source::Product { anchors, candidates });
    let guided = guides.into_iter().flat_map(|guides| {
        pairs()
            .map(|(anchors, candidates)| Source::Guide { anchors: &guides[anchors], candidates: &guides[candidates] })
    });
    own.chain(guided).collect()
}

/// The value and the slope in the temperature.
pub(in crate::contrastive) fn run<T: Real>(
    loss: &InfoNce,
    batch: EmbeddingBatch<'_, T>,
    reduction: Reduction<'_, T>,
    each: Option<ArrayViewMut1<'_, T>>,
    out: Option<[ArrayViewMut2<'_, T>; 2]>,
) -> Result<(T, T)> {
    loss.check()?;
    let anchors = batch.check()?;
    let weights = Weights::of(reduction, anchors.len(), "first")?;
    if let Some([first, second]) = &out {
        check::shape("out.first", first.shape(), batch.first.shape())?;
        check::shape("out.second", second.shape(), batch.second.shape())?;
    }
    let sides = [
        Embeddings::new("first", batch.first, loss.similarity)?,
        Embeddings::new("second", batch.second, loss.similarity)?,
    ];
    let guides = match batch.guide {
        Some([first, second]) => Some([
            Embeddings::new("guide.first", first, loss.similarity)?,
            Embeddings::new("guide.second", second, loss.similarity)?,
        ]),
        None => None,
    };
    let directions = loss.directions.list();
    let sources = sources(directions, guides.as_ref());
    let of_pair = OfPair { loss, directions, pairs: batch.first.nrows() };
    let mut out = out.map(Vec::from);
    let found = walk(&of_pair, anchors, (&sides, &sources), &weights, out.as_mut())?;
    let mut slope = found.iter().map(|found| found.own).sum::<f64>();
    if let Some(out) = &mut out {
        // Each product has been met from both of its ends.
        slope -= 0.5 * finish(&sides, out, &["first", "second"])? / loss.temperature;
    }
    weights.total_and_temperature(&found, each, slope)
}

/// Every anchor, by one sweep over the similarities of all directions, or where these are the same ones by both ways at once.
fn walk<'a, T: Real>(
    of_pair: &OfPair<'_>,
    anchors: Range<usize>,
    (sides, sources): (&[Embeddings<'a, T>], &[Source<'_, 'a, T>]),
    weights: &Weights<T>,
    out: Option<&mut Slopes<'_, T>>,
) -> Result<Vec<Found>> {
    if of_pair.loss.goes_both_ways() && anchors.len() == of_pair.pairs {
        return both_ways::walk(of_pair, (sides, &sources[..1]), weights, out);
    }
    weights.walk(&Walk { sides, sources, anchors, anchor: of_pair }, out)
}

/// The same of similarities that the caller has.
pub(in crate::contrastive) fn of_similarities<T: Real>(
    loss: &InfoNce,
    similarities: ArrayView2<'_, T>,
    reduction: Reduction<'_, T>,
    out: Given<'_, T>,
) -> Result<(T, T)> {
    loss.check()?;
    if loss.directions == Directions::All {
        return Err(Error::Missing { objective: "InfoNce", argument: "similarities within a side" });
    }
    let pairs = similarities.nrows();
    if similarities.ncols() < pairs {
        let got = similarities.shape().to_vec();
        return Err(Error::Shape { argument: "similarities", got, expected: vec![pairs, pairs] });
    }
    check::all_finite("similarities", similarities)?;
    let weights = Weights::of(reduction, pairs, "similarities")?;
    let directions = loss.directions.list();
    let of_pair = OfPair { loss, directions, pairs };
    let sources = [Source::Given(similarities), Source::Given(similarities.reversed_axes())];
    let from = (&[][..], &sources[..directions.len()]);
    let Given::Slopes(mut slopes) = out else {
        return weights.total_and_temperature(&walk(&of_pair, 0..pairs, from, &weights, None)?, None, 0.0);
    };
    let has_way_back = directions.len() == 2 && !loss.goes_both_ways();
    let mut back = has_way_back.then(|| Array2::zeros(similarities.t().dim()));
    let mut out: Vec<_> = [slopes.view_mut()].into_iter().chain(back.as_mut().map(|back| back.view_mut())).collect();
    let found = walk(&of_pair, 0..pairs, from, &weights, Some(&mut out))?;
    drop(out);
    if let Some(back) = back {
        slopes += &back.t();
    }
    let through = slopes.iter().zip(&similarities).map(|(&slope, &x)| slope.as_f64() * x.as_f64()).sum::<f64>();
    let own = found.iter().map(|found| found.own).sum::<f64>();
    let slope = own - through / loss.temperature;
    weights.total_and_temperature(&found, None, slope)
}
