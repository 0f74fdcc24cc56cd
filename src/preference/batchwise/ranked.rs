//! Losses of the ranks of two sorted columns, handed back to the pairs.

use ndarray::Array1;

use super::emit;
use super::quantity::{COMPARED, Quantity, Which, infinite_at};
use crate::error::Error;
use crate::parallel::ascending;
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::logistic::Smoothed;
use crate::preference::pass::run_wide;
use crate::preference::{Against, MarginLoss, Out, PairBatch, Pairs};
use crate::reduction::to_real;
use crate::{Real, Reduction, Result, SumCount};

/// Two numbers of each pair, which are sorted each by itself, and the loss of the difference at each rank.
pub(super) struct Ranked {
    /// The objective, for messages.
    of: &'static str,
    loss: Smoothed,
    /// The sorted numbers: what is to be large, and what it is compared with.
    columns: Pairs<Which>,
    /// Whose rejected log-probability the slope of a rank belongs to.
    rejected: Side,
}

/// A side of a rank.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The pair of the number that is to be large.
    Large,
    /// The pair of the number that it is compared with.
    Compared,
}

impl Ranked {
    /// By the loss of a rank with these parameters.
    pub(super) fn new(
        of: &'static str,
        (beta, label_smoothing): (f64, f64),
        columns: Pairs<Which>,
        rejected: Side,
    ) -> Self {
        let loss = Smoothed { beta, label_smoothing, against: Against::Nothing };
        Self { of, loss, columns, rejected }
    }
}

compile_objective!(Ranked);

impl<T: Real> BatchObjective<T> for Ranked {
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.loss.check()?;
        Quantity { of: self.of, which: Which::Margin }.validate(batch)
    }

    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.validate_batch(batch)?;
        out.check_shapes(batch.len())?;
        if let Reduction::Weighted(_) = reduction {
            return Err(Error::NotSeparable { objective: self.of, what: "weights of single pairs" });
        }
        if scale == T::zero() {
            return Ok(out.nothing());
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
        to_real(total, "loss", crate::error::Position::default())
    }

    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.validate_batch(&batch)?;
        Err(Error::NotSeparable { objective: self.of, what: "parts" })
    }
}

impl Ranked {
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
        infinite_at(batch, large, COMPARED)
            .or_else(|| infinite_at(batch, compared, COMPARED))
            .unwrap_or_else(|| Error::overflow::<T>("policy.chosen", large))
    }
}

/// Puts each number where it belongs.
fn spread<T: Real>(from: &Array1<T>, places: &[usize]) -> Array1<T> {
    let mut to = Array1::zeros(from.len());
    from.iter().zip(places).for_each(|(&x, &place)| to[place] = x);
    to
}
