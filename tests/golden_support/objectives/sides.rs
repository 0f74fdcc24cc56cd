//! Functions of both sides: batch means, by TRL's names.

use loglik::Real;
use loglik::preference::{ApoDown, ApoZero, BcoPair, NcaPair, PairObjective, SppoHard};

use super::pairs::{give, give_rewards, with_batch};
use super::{Case, Failure};

pub fn nca_pair<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    against_reference(case, |beta| NcaPair { beta })
}

/// TRL's baseline is 0.
pub fn bco_pair<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    against_reference(case, |beta| BcoPair { beta, delta: 0.0 })
}

pub fn sppo_hard<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    against_reference(case, |beta| SppoHard { beta })
}

pub fn apo_zero<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    against_reference(case, |beta| ApoZero { beta })
}

pub fn apo_down<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    against_reference(case, |beta| ApoDown { beta })
}

fn against_reference<T: Real, O: PairObjective<T>>(
    case: &Case<T>,
    objective: impl FnOnce(f64) -> O,
) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.1);
    with_batch(case, |batch, _| {
        give(case, &objective(beta), batch)?;
        give_rewards(case, batch, beta)
    })
}
