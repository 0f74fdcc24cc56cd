//! Functions of the margin: batch means, by TRL's names.

use loglik::Real;
use loglik::preference::{
    AlphaPo, Cpo, CpoHinge, DiscoPop, ExoPair, Hinge, Length, PairBatch, PairObjective, Pairs, RobustDpo, SigmoidNorm,
    SimPo,
};
use ndarray::{Array1, Ix1};

use super::pairs::{CHOSEN, REJECTED, give, give_rewards, with_batch};
use super::{Case, Failure};

pub fn robust_dpo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (beta, label_smoothing) = (beta(case)?, label_smoothing(case)?);
    against_reference(case, beta, &RobustDpo { beta, label_smoothing })
}

pub fn hinge<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = beta(case)?;
    against_reference(case, beta, &Hinge { beta })
}

pub fn exo_pair<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (beta, label_smoothing) = (beta(case)?, label_smoothing(case)?);
    against_reference(case, beta, &ExoPair { beta, label_smoothing })
}

pub fn discopop<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = beta(case)?;
    let tau = case.number("discopop_tau")?.unwrap_or(0.05);
    against_reference(case, beta, &DiscoPop { beta, tau })
}

pub fn dpo_norm<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = beta(case)?;
    against_reference(case, beta, &SigmoidNorm { beta, label_smoothing: 0.0 })
}

pub fn cpo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (beta, label_smoothing) = (beta(case)?, label_smoothing(case)?);
    as_given(case, &Cpo { beta, label_smoothing, length: Length::Sum })
}

pub fn cpo_hinge<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = beta(case)?;
    as_given(case, &CpoHinge { beta, length: Length::Sum })
}

pub fn simpo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (beta, label_smoothing, gamma) = (beta(case)?, label_smoothing(case)?, gamma(case)?);
    as_given(case, &SimPo { beta, gamma, label_smoothing })
}

pub fn alphapo<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (beta, label_smoothing, gamma) = (beta(case)?, label_smoothing(case)?, gamma(case)?);
    let alpha = case.number("alpha")?.unwrap_or(0.0);
    as_given(case, &AlphaPo { alpha, beta, gamma, label_smoothing })
}

fn beta<T: Real>(case: &Case<T>) -> Result<f64, Failure> {
    Ok(case.number("beta")?.unwrap_or(0.1))
}

fn label_smoothing<T: Real>(case: &Case<T>) -> Result<f64, Failure> {
    Ok(case.number("label_smoothing")?.unwrap_or(0.0))
}

fn gamma<T: Real>(case: &Case<T>) -> Result<f64, Failure> {
    Ok(case.number("simpo_gamma")?.unwrap_or(0.5))
}

fn against_reference<T: Real>(case: &Case<T>, beta: f64, objective: &dyn PairObjective<T>) -> Result<(), Failure> {
    with_batch(case, |batch, _| {
        give(case, objective, batch)?;
        give_rewards(case, batch, beta)
    })
}

/// The log-probs as they come, where the objective takes means too: their lengths are 1.
fn as_given<T: Real>(case: &Case<T>, objective: &dyn PairObjective<T>) -> Result<(), Failure> {
    let (chosen, rejected) = (case.input::<Ix1>(CHOSEN)?, case.input::<Ix1>(REJECTED)?);
    let ones = Array1::ones(chosen.len());
    let batch = PairBatch::new(Pairs { chosen: chosen.view(), rejected: rejected.view() })
        .lengths(Pairs { chosen: ones.view(), rejected: ones.view() });
    give(case, objective, batch)
}
