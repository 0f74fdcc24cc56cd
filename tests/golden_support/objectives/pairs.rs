//! Pairwise preference objectives: batch means. Each is a row of the catalogue, called by its own name or by a peer's.

use std::cell::RefCell;

use loglik::preference::{Length, PairBatch, PairConfig, PairObjective, Pairs, pair_metrics};
use loglik::{Real, Reduction};
use loglik_catalogue::hyper::Source;
use loglik_catalogue::objectives::Objective;
use ndarray::{Array1, Ix1};

use super::{Case, Failure};

/// What peers call a hyper-parameter where it is not the name of the field; for one objective.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("AlphaPo", "gamma", "simpo_gamma"),
    ("DiscoPop", "tau", "discopop_tau"),
    ("Orpo", "lambda", "beta"),
    ("SimPo", "gamma", "simpo_gamma"),
];

/// What peers take where a hyper-parameter is left out.
const DEFAULTS: &[(&str, f64)] = &[
    ("alpha", 0.0),
    ("beta", 0.1),
    ("delta", 0.0),
    ("gamma", 0.5),
    ("label_smoothing", 0.0),
    ("lambda", 0.1),
    ("tau", 0.05),
];

/// Averages per token where the case has lengths, plain sums where it has none.
pub fn run<T: Real>(case: &Case<T>, row: &Objective) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    with_batch(case, |batch, length| {
        give(case, &config(case, row, length)?, batch)?;
        let has_reference = case.wide("reference_chosen_logps").is_some();
        if has_reference { give_rewards(case, batch, beta) } else { Ok(()) }
    })
}

/// The objective with the hyper-parameters of the case.
fn config<T: Real>(case: &Case<T>, row: &Objective, length: Length) -> Result<PairConfig, Failure> {
    let failure = RefCell::new(None);
    let number = |field: &str| {
        let theirs = PARAMETERS.iter().find(|(of, ours, _)| *of == row.name && *ours == field);
        let usual = DEFAULTS.iter().find(|(name, _)| *name == field).map(|(_, usual)| *usual);
        let given = case.number(theirs.map_or(field, |(.., theirs)| theirs));
        let number = given.and_then(|given| given.or(usual).ok_or_else(|| format!("`{field}` has no default").into()));
        number.unwrap_or_else(|error| {
            failure.replace(Some(error));
            f64::NAN
        })
    };
    let config = (row.config)(&mut Source::Named(&number, length));
    failure.into_inner().map_or(Ok(config), Err)
}

/// Reads what a batch may hold and hands it to `f` with the length rule that it calls for. Log-probs without a reference are as
/// they come: where an objective takes means, their lengths are 1.
pub(super) fn with_batch<T: Real>(
    case: &Case<T>,
    f: impl FnOnce(PairBatch<'_, T>, Length) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (chosen, rejected) = (case.input::<Ix1>("policy_chosen_logps")?, case.input::<Ix1>("policy_rejected_logps")?);
    let reference = both(case, "reference_chosen_logps", "reference_rejected_logps")?;
    let lengths = both(case, "chosen_lengths", "rejected_lengths")?;
    let mut batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    if let Some((chosen, rejected)) = &reference {
        batch = batch.reference(Pairs { chosen: chosen.view(), rejected: rejected.view() });
    }
    let ones = Array1::ones(chosen.len());
    match &lengths {
        Some((chosen, rejected)) => {
            batch = batch.lengths(Pairs { chosen: chosen.view(), rejected: rejected.view() });
        }
        None if reference.is_none() => batch = batch.lengths(Pairs { chosen: ones.view(), rejected: ones.view() }),
        None => {}
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
