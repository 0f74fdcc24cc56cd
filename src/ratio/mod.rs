//! Likelihood ratios as discriminators: objectives that learn by telling samples apart.
//!
//! | what is told apart | objectives |
//! |---|---|
//! | data and samples of a model, by the model's own log-ratio | [`Ddo`] |
//! | the same, by a critic (GANs) | [`Ddo`] (logistic), [`LeastSquaresGan`], [`HingeGan`], [`WassersteinGan`], [`FGan`], [`Relativistic`]; generators: [`GeneratorLoss`] |
//! | data and noise of a known law | [`Nce`], [`ranking_nce`], [`pairwise_score`] |
//! | what was chosen and what was only shown | [`Nbpo`]; BPR is [`BradleyTerry`](crate::preference::BradleyTerry) |
//! | the right candidate and the others | [`CandidateNll`], [`DirichletSmoothing`], [`follow_up_reward`], [`GoalContrast`] |
//!
//! The caller's side is [`RatioObjective`], which can be a `dyn` object; the author's is [`RatioLoss`]: loss and slope at
//! one log-ratio, of each side. Between them a driver does blocks, weights, sums, SIMD and threads. [`optimal_alpha`] and
//! [`optimal_distribution`] give the optimum of [`Ddo`]. [`density`] estimates ratios from samples, [`bound`] bounds
//! divergences by scores, [`decision`] decides by them, and [`two_sample`] compares samples without a ratio. Your own loss
//! takes a few lines:
//!
//! ```
//! use loglik::{Real, Result, math, prelude::*, ratio::RatioLoss, ndarray::aview1};
//!
//! /// Square loss of the log-ratio against ±1.
//! struct LeastSquares;
//!
//! impl RatioLoss for LeastSquares {
//!     loglik::compile_loops!(RatioLoss);
//!
//!     fn check(&self) -> Result<()> {
//!         Ok(())
//!     }
//!     fn real<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
//!         let gap = ratio - T::one();
//!         (gap * gap, gap + gap)
//!     }
//!     fn fake<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
//!         let gap = ratio + T::one();
//!         (gap * gap, gap + gap)
//!     }
//! }
//!
//! let ratios = Samples { real: aview1(&[1.0, 2.0]), fake: aview1(&[0.0_f64]) };
//! assert_eq!(LeastSquares.value(ratios, Samples::both(Reduction::Mean))?, 0.5 + 1.0);
//! # Ok::<(), loglik::Error>(())
//! ```

pub mod bound;
mod compiled;
mod contrast;
mod ddo;
pub mod decision;
pub mod density;
mod estimates;
mod gan;
mod global;
#[doc(hidden)]
pub mod loops;
mod loss;
mod objective;
mod optimum;
mod pair_sums;
mod pass;
mod points;
mod retrieval;
mod samples;
pub mod two_sample;

pub use compiled::Compiled;
pub use contrast::{
    Contrast, ContrastArray, ContrastView, Nce, NceBatch, NceGradient, pairwise_score, pairwise_score_backward,
    ranking_nce, ranking_nce_each, ranking_nce_grad,
};
pub use ddo::Ddo;
#[doc(hidden)]
pub use estimates::Estimates;
pub use gan::{CriticOutput, FGan, GeneratorLoss, HingeGan, LeastSquaresGan, Pull, Relativistic, WassersteinGan};
pub use loss::RatioLoss;
pub use objective::{RatioObjective, RatioOut};
pub use optimum::{optimal_alpha, optimal_distribution};
pub use retrieval::{
    Averaging, CandidateGradient, CandidateNll, DirichletSmoothing, FollowUp, GoalContrast, GoalStates, Nbpo,
    NbpoArguments, NbpoGradient, Reaction, best_and_worst, follow_up_reward, follow_up_reward_backward,
};
pub use samples::Samples;
