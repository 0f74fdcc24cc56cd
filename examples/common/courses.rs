//! The objectives that the checkpoint is continued with, and their hyper-parameters.

use loglik::ndarray::ArrayRef2;
use loglik::preference::Nll;
use loglik::prelude::*;
use loglik::transport::{CosineCost, Emo};

use super::failure::Outcome;
use super::response_loss::ResponseLoss;
use super::token_loss::TokenLoss;
use super::tuning::{Course, Objective};

/// Strength of the pull towards the reference (the peers' default).
const BETA: f64 = 0.1;

/// How many there are.
pub const COURSES: u64 = 7;

/// All of them. `embeddings`, one row for each byte, are what EMO measures distances between.
pub fn courses(embeddings: &ArrayRef2<f32>) -> Outcome<[Course; COURSES as usize]> {
    let dpo = Dpo { beta: BETA, ..Dpo::default() };
    // A margin of 1/(2 beta) = 1/2 nat per byte is what IPO steers for.
    let ipo = Ipo { beta: 1.0, length: Length::Mean };
    let nll = Nll { length: Length::Mean };
    // ORPO is the likelihood of the chosen responses with a tenth of the odds-ratio term.
    let orpo = sum(nll, Orpo::default());
    let dpo_nll = sum(nll, dpo);
    // alpha = 1 lies within the bound of stability for this beta. As long as log-ratios are small beside 1/beta, DDO and
    // DPO push alike.
    let ddo = Ddo { alpha: 1.0, beta: BETA };
    let mover = TokenLoss::Mover { emo: Emo::default(), cost: CosineCost::new(embeddings)? };
    let responses = |name, loss| Course { name, objective: Objective::Responses(loss) };
    let tokens = |name, loss| Course { name, objective: Objective::Tokens(loss) };
    Ok([
        responses("DPO", ResponseLoss::Preference(Box::new(dpo))),
        responses("IPO", ResponseLoss::Preference(Box::new(ipo))),
        responses("ORPO", ResponseLoss::Preference(orpo)),
        responses("DPO+NLL", ResponseLoss::Preference(dpo_nll)),
        responses("DDO", ResponseLoss::Discriminator(ddo)),
        tokens("EMO", mover),
        tokens("MLE", TokenLoss::Likelihood(CrossEntropy::default())),
    ])
}

type Boxed = Box<dyn PairObjective<f32> + Send + Sync>;

/// Both objectives with weight one.
fn sum(
    one: impl PairObjective<f32> + Send + Sync + 'static,
    other: impl PairObjective<f32> + Send + Sync + 'static,
) -> Boxed {
    let one: Boxed = Box::new(one);
    let other: Boxed = Box::new(other);
    Box::new(WeightedSum { terms: [one, other].map(|objective| Term { weight: 1.0, objective }).into() })
}
