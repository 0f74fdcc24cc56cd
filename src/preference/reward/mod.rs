//! Reward models: losses of scalar scores and of the steps of a solution, and their metrics.
//!
//! A reward model gives each response one number. A [`PairBatch`](crate::preference::PairBatch) whose policy column holds
//! those numbers (there is no reference) goes to a loss of this room as it goes to any other objective, and gradients are
//! with respect to the numbers. Messages call the column by its name, `policy`.

mod bradley_terry;
mod metrics;
mod process;
mod regression;
mod ties;

pub use bradley_terry::{BradleyTerry, RatingGap};
pub use metrics::{RewardMetrics, process_accuracy, reward_metrics};
pub(super) use metrics::{compute_process_accuracy, compute_reward_metrics};
pub use process::ProcessReward;
pub use regression::RewardRegression;
pub use ties::RewardTies;

use crate::Real;
use crate::math::mul_or_zero;
use crate::preference::{Pairs, Row};

/// Adds `c (r_w + r_l)²` and its slopes to a loss of the two scores.
#[inline(always)]
fn centered<T: Real>((loss, slope): (T, Pairs<T>), centering: f64, row: Row<T>) -> (T, Pairs<T>) {
    let (weight, sum) = (T::from_f64(centering), row.policy.chosen + row.policy.rejected);
    let by_sum = mul_or_zero(weight, sum + sum);
    (loss + mul_or_zero(weight, sum * sum), slope.map(|slope| slope + by_sum))
}
