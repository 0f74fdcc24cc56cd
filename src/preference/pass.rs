//! One pass of a pair loss over a batch: what is checked before, and what the pass over elements is told.

use crate::error::Position;
use crate::pointwise::{self, COLUMNS, Call, Mode, Output, Words};
use crate::preference::columns::columns;
use crate::preference::loops::ROW;
use crate::preference::{Label, Needs, Out, PairBatch, PairLoss, Row};
use crate::reduction::to_real;
use crate::{Error, Real, Reduction, Result, SumCount, check};

/// Everything that can be wrong before a number is looked at.
pub(super) fn validate<T: Real>(loss: &dyn PairLoss, batch: &PairBatch<'_, T>) -> Result<()> {
    checked_needs(loss, batch).map(|_| ())
}

/// What the objective needs, once hyper-parameters, shapes and presence have been checked.
fn checked_needs<T: Real>(loss: &dyn PairLoss, batch: &PairBatch<'_, T>) -> Result<Needs> {
    let needs = loss.needs()?;
    batch.check_shapes()?;
    let held = batch.columns(needs.label);
    let label = needs.label.required();
    let required = [
        (needs.reference, held.reference.chosen.is_some(), "reference"),
        (needs.lengths, held.lengths.chosen.is_some(), "lengths"),
        (needs.rewards, held.rewards.chosen.is_some(), "rewards"),
        (label.is_some(), held.label.is_some(), label.map_or("label", Label::name)),
        (needs.gold, held.gold.is_some(), "gold"),
    ];
    match required.iter().find(|(required, present, _)| *required && !present) {
        None => Ok(needs),
        Some(&(_, _, argument)) => Err(Error::Missing { objective: loss.name(), argument }),
    }
}

/// [`PairObjective::run`](crate::preference::PairObjective::run).
pub(super) fn run<T: Real>(
    loss: &dyn PairLoss,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    out: Out<'_, T>,
) -> Result<T> {
    to_real(run_wide(loss, batch, reduction, scale, out)?, "loss", Position::default())
}

/// [`PairObjective::sum_count`](crate::preference::PairObjective::sum_count).
pub(super) fn sum_count<T: Real>(loss: &dyn PairLoss, batch: PairBatch<'_, T>) -> Result<SumCount> {
    let sum = run_wide(loss, &batch, Reduction::Sum, T::one(), Out::Nothing)?;
    Ok(SumCount { sum, count: batch.len() as f64 })
}

/// All checks, then the pass; the value still in `f64`.
pub(super) fn run_wide<T: Real>(
    loss: &dyn PairLoss,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    out: Out<'_, T>,
) -> Result<f64> {
    let needs = checked_needs(loss, batch)?;
    check::finite("scale", scale.as_f64())?;
    reduction.check(&[batch.len()])?;
    out.check_shapes(batch.len())?;
    let n = batch.len();
    let (weights, factor) = match reduction {
        Reduction::Mean if n == 0 => return Err(Error::NothingToAverage { argument: "batch" }),
        Reduction::Mean => (None, scale.as_f64() / n as f64),
        Reduction::Sum => (None, scale.as_f64()),
        Reduction::Weighted(weights) => (Some(weights.view()), scale.as_f64()),
    };
    if factor == 0.0 {
        return Ok(out.nothing().as_f64());
    }
    let explain = |x: &[f64; COLUMNS], position| {
        let row = x.first_chunk::<ROW>().map(|x| Row::from_array(*x))?;
        loss.explain(row, position)
    };
    let words = Words {
        total: "loss",
        outputs: if let Out::Each(_) = out { &["out"] } else { &["out.chosen", "out.rejected"] },
        names_shares: false,
        undefined: "finite where another log-probability of its pair is -inf",
        steepest: |slopes| usize::from(!slopes[1].is_finite()),
        explain: &explain,
    };
    let output = match out {
        Out::Nothing => Output::Nothing,
        Out::Each(each) => Output::Each(each),
        Out::Grad(out) => Output::slopes([out.chosen, out.rejected], Mode::Set),
        Out::AddGrad(out) => Output::slopes([out.chosen, out.rejected], Mode::Add),
    };
    let (columns, shape, factor_of_slopes) = (columns(batch, needs), [n], T::from_f64(factor));
    loss.pair_loops().with::<T, _>(|block| {
        let (columns, shape) = (&columns[..], &shape[..]);
        let call = Call { block, columns, slopes: 2, shape, weights, factor: factor_of_slopes, words };
        pointwise::run(&call, output)?.scaled(factor, "loss")
    })
}

#[cfg(test)]
mod tests;
