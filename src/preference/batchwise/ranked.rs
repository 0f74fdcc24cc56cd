//! Losses of the ranks of two sorted columns, handed back to the pairs.

use ndarray::Array1;

use super::emit;
use super::order::ascending;
use super::quantity::{Quantity, Which, infinite_at};
use crate::error::Error;
use crate::preference::logistic::smoothed;
use crate::preference::objective::run_wide;
use crate::preference::{Against, Margin, MarginLoss, Out, PairBatch, Pairs};
use crate::reduction::narrow;
use crate::{Real, Reduction, Result, check};

/// Two numbers of each pair, which are sorted each by itself, and the loss of the difference at each rank.
pub(super) struct Ranked {
    /// The objective, for messages.
    pub(super) of: &'static str,
    pub(super) loss: AtRank,
    /// The sorted numbers: what is to be large, and what it is compared with.
    pub(super) columns: Pairs<Which>,
    /// Whose rejected log-probability the slope of a rank belongs to.
    pub(super) rejected: Side,
}

/// A side of a rank.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The pair of the number that is to be large.
    Large,
    /// The pair of the number that it is compared with.
    Compared,
}

/// The loss of the difference at one rank.
#[derive(Clone, Copy)]
pub(super) struct AtRank {
    pub(super) beta: f64,
    pub(super) label_smoothing: f64,
}

impl MarginLoss for AtRank {
    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    fn margin(&self) -> Margin {
        Margin { against: Against::Nothing, ..Margin::default() }
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::of(self.beta);
        let (loss, slope) = smoothed::<T, FMA>(beta * margin, self.label_smoothing);
        (loss, beta * slope)
    }
}

impl Ranked {
    /// Hyper-parameters, shapes, and the reference.
    pub(super) fn validate<T: Real>(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.loss.check()?;
        Quantity { of: self.of, which: Which::Margin }.validate(batch)
    }

    /// See [`PairObjective::run`](crate::preference::PairObjective::run).
    pub(super) fn run<T: Real>(
        &self,
        batch: &PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
        scale: T,
        out: Out<'_, T>,
    ) -> Result<T> {
        self.validate(batch)?;
        out.check_shapes(batch.len())?;
        if let Reduction::Weighted(_) = reduction {
            return Err(Error::NotSeparable { objective: self.of, what: "weights of single pairs" });
        }
        if scale == T::zero() {
            return Ok(emit::nothing(out));
        }
        let columns = Pairs { chosen: self.column(batch, true)?, rejected: self.column(batch, false)? };
        let places = columns.as_ref().map(|column| ascending(column.as_slice().unwrap_or_default()));
        let sorted = columns.zip(places.as_ref().map(Vec::as_slice));
        let sorted = sorted.map(|(column, places)| places.iter().map(|&i| column[i]).collect::<Array1<T>>());
        let ranks = PairBatch::new(sorted.view());
        let named = |error| self.name(error, &places, batch);
        let run = |out: Out<'_, T>| run_wide(&self.loss, &ranks, reduction, scale, out).map_err(named);
        let total = match out {
            Out::Nothing => run(Out::Nothing)?,
            Out::Each(mut out) => {
                let mut each = Array1::zeros(batch.len());
                let total = run(Out::Each(each.view_mut()))?;
                each.iter().zip(&places.chosen).for_each(|(&x, &place)| out[place] = x);
                total
            }
            out @ (Out::Grad(_) | Out::AddGrad(_)) => {
                let zeros = || Array1::<T>::zeros(batch.len());
                let mut at_rank = Pairs { chosen: zeros(), rejected: zeros() };
                let total = run(Out::Grad(at_rank.view_mut()))?;
                let of_rejected = if self.rejected == Side::Large { &places.chosen } else { &places.rejected };
                let to = Pairs { chosen: &places.chosen, rejected: of_rejected };
                emit::gradient(&at_rank.zip(to).map(|(from, places)| spread(&from, places)), out)?;
                total
            }
        };
        narrow(total, "loss", crate::error::Position::default())
    }

    fn column<T: Real>(&self, batch: &PairBatch<'_, T>, large: bool) -> Result<Array1<T>> {
        let which = if large { self.columns.chosen } else { self.columns.rejected };
        Quantity { of: self.of, which }.each(batch)
    }

    /// The error at a rank as one of the pairs that meet there.
    fn name<T: Real>(&self, error: Error, places: &Pairs<Vec<usize>>, batch: &PairBatch<'_, T>) -> Error {
        let rank = match &error {
            Error::Value { position, .. } | Error::Overflow { position, .. } => position.0.first().copied(),
            _ => None,
        };
        let Some(rank) = rank else { return error };
        let (large, compared) = (places.chosen[rank], places.rejected[rank]);
        infinite_at(batch, large)
            .or_else(|| infinite_at(batch, compared))
            .unwrap_or_else(|| Error::overflow::<T>("policy.chosen", large))
    }
}

/// Puts each number where it belongs.
fn spread<T: Real>(from: &Array1<T>, places: &[usize]) -> Array1<T> {
    let mut to = Array1::zeros(from.len());
    from.iter().zip(places).for_each(|(&x, &place)| to[place] = x);
    to
}
