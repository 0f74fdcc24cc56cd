//! From the name of an objective in a golden file to a call of this crate.
//!
//! An objective over pairs needs no adapter: its row in the catalogue says which hyper-parameters it has. Any other adapter asks
//! for every parameter and input that its objective may have. All hand over everything that can be compared, and what a file
//! holds beyond that is a failure.

mod combined;
mod contrastive;
mod discriminators;
mod divergence;
mod energy;
mod likelihood;
mod linear;
mod logits;
mod metric;
mod pairs;
mod transport;
mod two_sample;

use loglik::Real;
use loglik_catalogue::objectives::named;

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
        "mpo" => combined::mpo(case),
        "dpo_f_divergence" => combined::dpo_f_divergence(case),
        "emd" => transport::emd(case),
        "sinkhorn" => transport::sinkhorn(case),
        "clip" => contrastive::clip(case),
        "supervised_contrastive" => contrastive::supervised(case),
        "info_nce" => contrastive::info_nce(case),
        "divergence" => divergence::named(case),
        "divergence_kl" => divergence::of(case, "kl"),
        "divergence_jensen_shannon" => divergence::of(case, "jensen_shannon"),
        "divergence_chi_square" => divergence::of(case, "pearson"),
        "divergence_hellinger_square" => divergence::of(case, "hellinger"),
        "divergence_total_variation" => divergence::of(case, "total_variation"),
        "generalized_jsd" => divergence::generalized_jsd(case),
        "wasserstein_1d" => transport::wasserstein_1d(case),
        "edm" => energy::edm(case),
        "mmd" => two_sample::mmd(case),
        "energy_distance" => two_sample::energy_distance(case),
        "donsker_varadhan" | "nwj_bound" | "jensen_shannon_bound" => two_sample::bound(case, objective),
        "info_nce_bound" => two_sample::info_nce_bound(case),
        "auc" => two_sample::auc(case),
        "gan_logistic" => discriminators::logistic(case),
        "gan_least_squares" => discriminators::least_squares(case),
        "gan_hinge" => discriminators::hinge(case),
        "gan_relativistic" => discriminators::relativistic(case),
        "nce" => discriminators::nce(case),
        "ranking_nce" => discriminators::ranking_nce(case),
        "candidate_nll" => discriminators::candidate_nll(case),
        "nll_normal" => likelihood::normal(case),
        "nll_bernoulli_logits" => likelihood::bernoulli_logits(case),
        "nll_poisson_log" => likelihood::poisson_log(case),
        _ => match named(objective) {
            Some(row) => pairs::run(case, &row),
            None => {
                metric::run(objective, case).unwrap_or_else(|| Err(format!("unknown objective {objective:?}").into()))
            }
        },
    }
}
