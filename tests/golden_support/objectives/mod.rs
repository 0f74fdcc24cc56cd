//! From the name of an objective in a golden file to a call of this crate.
//!
//! Each adapter asks for every parameter and input that its objective may have and hands over everything that can be
//! compared. What a file holds beyond that is a failure.

mod batchwise;
mod divergence;
mod likelihood;
mod linear;
mod logits;
mod margins;
mod pairs;
mod sides;
mod transport;

use loglik::Real;

use super::Failure;
use super::case::Case;

/// Calls the objective of this name.
pub fn run<T: Real>(objective: &str, case: &Case<T>) -> Result<(), Failure> {
    match objective {
        "log_sum_exp" => logits::log_sum_exp(case),
        "log_softmax" => logits::log_softmax(case),
        "token_log_probs" => logits::token_log_probs(case),
        "entropy" => logits::entropy(case),
        "cross_entropy" => logits::cross_entropy(case),
        "linear_cross_entropy" => linear::cross_entropy(case),
        "dpo" => pairs::dpo(case),
        "ipo" => pairs::ipo(case),
        "nca_pair" => sides::nca_pair(case),
        "bco_pair" => sides::bco_pair(case),
        "sppo_hard" => sides::sppo_hard(case),
        "apo_zero" => sides::apo_zero(case),
        "apo_down" => sides::apo_down(case),
        "robust_dpo" => margins::robust_dpo(case),
        "hinge" => margins::hinge(case),
        "exo_pair" => margins::exo_pair(case),
        "discopop" => margins::discopop(case),
        "dpo_norm" => margins::dpo_norm(case),
        "cpo" => margins::cpo(case),
        "cpo_hinge" => margins::cpo_hinge(case),
        "simpo" => margins::simpo(case),
        "alphapo" => margins::alphapo(case),
        "orpo_odds_ratio" => pairs::orpo_odds_ratio(case),
        "mpo" => batchwise::mpo(case),
        "aot" => batchwise::aot(case),
        "aot_unpaired" => batchwise::aot_unpaired(case),
        "dpo_f_divergence" => batchwise::dpo_f_divergence(case),
        "emd" => transport::emd(case),
        "sinkhorn" => transport::sinkhorn(case),
        "divergence" => divergence::named(case),
        "divergence_kl" => divergence::of(case, "kl"),
        "divergence_jensen_shannon" => divergence::of(case, "jensen_shannon"),
        "divergence_chi_square" => divergence::of(case, "pearson"),
        "divergence_hellinger_square" => divergence::of(case, "hellinger"),
        "divergence_total_variation" => divergence::of(case, "total_variation"),
        "generalized_jsd" => divergence::generalized_jsd(case),
        "wasserstein_1d" => transport::wasserstein_1d(case),
        "nll_normal" => likelihood::normal(case),
        "nll_bernoulli_logits" => likelihood::bernoulli_logits(case),
        "nll_poisson_log" => likelihood::poisson_log(case),
        _ => Err(format!("unknown objective {objective:?}").into()),
    }
}
