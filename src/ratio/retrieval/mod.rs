//! Recommendation and retrieval: what tells the wanted from the rest.

mod candidate_nll;
mod directions;
mod dirichlet_smoothing;
mod follow_up;
mod goal_contrast;
mod goal_states;
mod nbpo;

pub use candidate_nll::{CandidateGradient, CandidateNll};
pub(super) use candidate_nll::{each as candidate_losses, run as run_candidates};
pub use dirichlet_smoothing::DirichletSmoothing;
pub(super) use dirichlet_smoothing::{each as smoothed_log_probs, value as query_log_likelihood};
pub use follow_up::{FollowUp, Reaction, best_and_worst, follow_up_reward, follow_up_reward_backward};
pub(super) use follow_up::{backward as pull_follow_up, rewards as follow_up_rewards};
pub use goal_contrast::{Averaging, GoalContrast};
pub(super) use goal_contrast::{each as goal_losses, run as run_goals};
pub use goal_states::GoalStates;
pub use nbpo::{Nbpo, NbpoArguments, NbpoGradient};
