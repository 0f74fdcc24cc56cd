//! Sums of several pairwise objectives, and DPO under other divergences.

use loglik::Real;
use loglik::preference::{
    AlphaLink, BcoPair, Dpo, ForwardKlLink, JensenShannonLink, Linked, PairConfig, Sft, Term, WeightedSum,
};
use serde_json::Value;

use super::pairs::{give, give_rewards, with_batch};
use super::{Case, Failure};

/// Rewards are those of plain log-ratios under every divergence.
pub fn dpo_f_divergence<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    let alpha = case.number("alpha")?.unwrap_or(0.5);
    let loss = Dpo { beta, label_smoothing: 0.0 };
    let divergence = case.word("f_divergence")?.unwrap_or("reverse_kl");
    with_batch(case, |batch, _| {
        match divergence {
            "reverse_kl" => give(case, &loss, batch)?,
            "forward_kl" => give(case, &Linked { loss, link: ForwardKlLink }, batch)?,
            "js_divergence" => give(case, &Linked { loss, link: JensenShannonLink }, batch)?,
            "alpha_divergence" => give(case, &Linked { loss, link: AlphaLink { alpha } }, batch)?,
            other => return Err(format!("unknown divergence {other:?}").into()),
        }
        give_rewards(case, batch, beta)
    })
}

/// The mixed objective of MPO: several losses, each with its weight.
pub fn mpo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    let (names, weights) = (case.list("terms", Value::as_str)?, case.list("weights", Value::as_f64)?);
    let mut terms = Vec::new();
    for (name, weight) in names.into_iter().zip(weights) {
        let objective = match name {
            "dpo" => PairConfig::Sigmoid(Dpo { beta, label_smoothing: 0.0 }),
            "bco_pair" => PairConfig::BcoPair(BcoPair { beta, ..BcoPair::default() }),
            "sft" => PairConfig::Sft(Sft),
            other => return Err(format!("unknown term {other:?}").into()),
        };
        terms.push(Term { weight, objective });
    }
    with_batch(case, |batch, _| {
        give(case, &WeightedSum { terms }, batch)?;
        give_rewards(case, batch, beta)
    })
}
