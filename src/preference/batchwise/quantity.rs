//! One number of each pair, by way of the driver: in any layout, with weights, and with errors that name the pair.

use ndarray::Array1;

use crate::error::Error;
use crate::preference::pass::{run_wide, validate};
use crate::preference::{LabelUse, Needs, Out, PairBatch, PairLoss, Pairs, Row};
use crate::reduction::{pairwise, total_of};
use crate::{Real, Reduction, Result};

/// A number of a pair that some objective takes from the whole batch.
#[derive(Clone, Copy, Debug)]
pub(in crate::preference) struct Quantity {
    /// The objective, for messages.
    pub(in crate::preference) of: &'static str,
    pub(in crate::preference) which: Which,
}

/// `λ` is `log π - log ρ` of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::preference) enum Which {
    /// `log π_w - log π_l`.
    PolicyGap,
    /// `log ρ_w - log ρ_l`.
    ReferenceGap,
    /// `λ_w`.
    ChosenRatio,
    /// `λ_l`.
    RejectedRatio,
    /// `λ_w - λ_l`.
    Margin,
    /// `λ_w / n_w - λ_l / n_l`.
    MeanMargin,
    /// `n_w`.
    ChosenLength,
}

impl PairLoss for Quantity {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        let reference = !matches!(self.which, Which::PolicyGap | Which::ChosenLength);
        let lengths = matches!(self.which, Which::MeanMargin | Which::ChosenLength);
        Ok(Needs { reference, lengths, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let Row { policy, reference, lengths, .. } = row;
        let Pairs { chosen, rejected } = row.log_ratios();
        let number = match self.which {
            Which::PolicyGap => policy.chosen - policy.rejected,
            Which::ReferenceGap => reference.chosen - reference.rejected,
            Which::ChosenRatio => chosen,
            Which::RejectedRatio => rejected,
            Which::Margin => chosen - rejected,
            Which::MeanMargin => chosen / lengths.chosen - rejected / lengths.rejected,
            Which::ChosenLength => lengths.chosen,
        };
        (number, Pairs { chosen: T::zero(), rejected: T::zero() })
    }

    fn name(&self) -> &'static str {
        self.of
    }
}

impl Quantity {
    /// Shapes, and that the batch holds what the number is made of.
    pub(in crate::preference) fn validate<T: Real>(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        validate(self, batch)
    }

    /// The number of each pair.
    pub(in crate::preference) fn each<T: Real>(&self, batch: &PairBatch<'_, T>) -> Result<Array1<T>> {
        self.validate(batch)?;
        let mut numbers = Array1::zeros(batch.len());
        match run_wide(self, batch, Reduction::Sum, T::one(), Out::Each(numbers.view_mut())) {
            // Infinities of both signs have no sum, which nobody asked for.
            Err(Error::Overflow { position, .. }) if position.0.is_empty() => Ok(numbers),
            result => result.map(|_| numbers),
        }
    }

    /// The sum over the pairs, by their weights where the reduction has them.
    pub(super) fn sum<T: Real>(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<f64> {
        let reduction = if let Reduction::Weighted(_) = reduction { reduction } else { Reduction::Sum };
        run_wide(self, batch, reduction, T::one(), Out::Nothing)
    }

    /// The mean over the pairs, by their weights where the reduction has them; 0 over nothing.
    ///
    /// An infinity is an exact limit; infinities of both signs are the error of the first one.
    pub(in crate::preference) fn mean<T: Real>(
        &self,
        batch: &PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<f64> {
        let total = total_weight(batch, reduction)?;
        let sum = self.sum(batch, reduction).map_err(|error| match error {
            Error::Overflow { .. } => first_infinite(batch, reduction).unwrap_or_else(|| {
                error.rename(|argument| if argument == "loss" { Row::NAMES.policy.chosen } else { argument })
            }),
            other => other,
        })?;
        Ok(if total == 0.0 { 0.0 } else { sum / total })
    }
}

/// Number of the pairs, or total of their weights.
pub(super) fn total_weight<T: Real>(batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<f64> {
    match reduction {
        Reduction::Sum | Reduction::Mean => Ok(batch.len() as f64),
        Reduction::Weighted(weights) => {
            reduction.check(&[batch.len()])?;
            let weights: Vec<f64> = weights.iter().map(|w| w.as_f64()).collect();
            total_of(&weights, pairwise(&weights), "weights")
        }
    }
}

/// The first infinite log-probability of the pairs that count as an error.
pub(super) fn first_infinite<T: Real>(batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Option<Error> {
    (0..batch.len()).filter(|&i| counts(reduction, i)).find_map(|i| infinite_at(batch, i, COMPARED))
}

/// Whether a pair has a weight above zero.
pub(super) fn counts<T: Real>(reduction: Reduction<'_, T>, index: usize) -> bool {
    if let Reduction::Weighted(weights) = reduction { weights[index] > T::zero() } else { true }
}

/// What is allowed of a log-probability where an infinite one has no difference from another.
pub(super) const COMPARED: &str = "finite where another log-probability that it is compared with is infinite";

/// The first infinite log-probability of one pair as an error.
pub(in crate::preference) fn infinite_at<T: Real>(
    batch: &PairBatch<'_, T>,
    index: usize,
    allowed: &'static str,
) -> Option<Error> {
    let Row { policy, reference, gold, .. } = batch.columns(LabelUse::Unused).zip(Row::NAMES);
    let entries = [policy.chosen, policy.rejected, reference.chosen, reference.rejected, gold];
    let values = entries.into_iter().filter_map(|(column, argument)| Some((column?[index].as_f64(), argument)));
    let (value, argument) = { values }.find(|(value, _)| value.is_infinite())?;
    Some(Error::Value { argument, position: index.into(), value, allowed })
}
