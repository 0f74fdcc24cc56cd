//! Pairwise preference objectives: batch means.

use loglik::preference::{Dpo, Ipo, Length, Orpo, PairBatch, PairObjective, Pairs, pair_metrics};
use loglik::{Real, Reduction};
use ndarray::{Array1, Ix1};

use super::{Case, Failure};

pub(super) const CHOSEN: &str = "policy_chosen_logps";
pub(super) const REJECTED: &str = "policy_rejected_logps";

pub fn dpo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    let label_smoothing = case.number("label_smoothing")?.unwrap_or(0.0);
    with_batch(case, |batch, _| {
        give(case, &Dpo { beta, label_smoothing }, batch)?;
        give_rewards(case, batch, beta)
    })
}

/// Averages per token where the case has lengths, plain sums where it has none.
pub fn ipo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    with_batch(case, |batch, length| {
        give(case, &Ipo { beta, length }, batch)?;
        give_rewards(case, batch, beta)
    })
}

/// The log-probs are averages as they come, and `beta` is the weight that the paper calls λ.
pub fn orpo_odds_ratio<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let lambda = case.number("beta")?.unwrap_or(0.1);
    let (chosen, rejected) = (case.input::<Ix1>(CHOSEN)?, case.input::<Ix1>(REJECTED)?);
    let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    give(case, &Orpo { lambda, length: Length::Sum }, batch)
}

/// Reads what a batch may hold and hands it to `f` with the length rule that it calls for.
pub(super) fn with_batch<T: Real>(
    case: &Case<T>,
    f: impl FnOnce(PairBatch<'_, T>, Length) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (chosen, rejected) = (case.input::<Ix1>(CHOSEN)?, case.input::<Ix1>(REJECTED)?);
    let reference = both(case, "reference_chosen_logps", "reference_rejected_logps")?;
    let lengths = both(case, "chosen_lengths", "rejected_lengths")?;
    let mut batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    if let Some((chosen, rejected)) = &reference {
        batch = batch.reference(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    }
    if let Some((chosen, rejected)) = &lengths {
        batch = batch.lengths(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    }
    f(batch, if lengths.is_some() { Length::Mean } else { Length::Sum })
}

type Both<T> = Option<(Array1<T>, Array1<T>)>;

fn both<T: Real>(case: &Case<T>, chosen: &str, rejected: &str) -> Result<Both<T>, Failure> {
    match (case.optional(chosen)?, case.optional(rejected)?) {
        (Some(left), Some(right)) => Ok(Some((left, right))),
        (None, None) => Ok(None),
        _ => Err(format!("`{chosen}` and `{rejected}` come together or not at all").into()),
    }
}

pub(super) fn give<T: Real>(
    case: &Case<T>,
    objective: &dyn PairObjective<T>,
    batch: PairBatch<'_, T>,
) -> Result<(), Failure> {
    case.give_scalar("loss", objective.value(batch, Reduction::Mean)?);
    let (value, gradient) = objective.grad(batch, Reduction::Mean)?;
    case.give_scalar("loss", value);
    case.give("grad.policy_chosen_logps", &gradient.chosen);
    case.give("grad.policy_rejected_logps", &gradient.rejected);
    Ok(())
}

pub(super) fn give_rewards<T: Real>(case: &Case<T>, batch: PairBatch<'_, T>, beta: f64) -> Result<(), Failure> {
    let metrics = pair_metrics(batch, beta)?;
    case.give_scalar("reward_chosen_mean", T::from_f64(metrics.reward_chosen));
    case.give_scalar("reward_rejected_mean", T::from_f64(metrics.reward_rejected));
    case.give_scalar("reward_margin_mean", T::from_f64(metrics.margin));
    case.give_scalar("reward_accuracy", T::from_f64(metrics.accuracy));
    Ok(())
}
