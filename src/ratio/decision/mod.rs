//! Decisions by likelihood ratios: tests, thresholds, and how well a score tells two sides apart.
//!
//! | item | what it gives |
//! |---|---|
//! | [`log_likelihood_ratio`] | the statistic of the most powerful test of two simple hypotheses |
//! | [`NeymanPearson`] | the threshold of a wanted false-positive rate, with the randomization that ties need |
//! | [`Sprt`] | Wald's sequential test: sample until one hypothesis is clear |
//! | [`wilks`], [`chi_square_tail`] | the likelihood-ratio test of nested models |
//! | [`roc_curve`], [`auc`] | rates of all thresholds, and the area under them, with weights |
//! | [`Auc`], [`DeLong`] | the variance of an AUC, and whether two AUCs of the same samples differ |
//!
//! `real` are the scores of positives, which should be high, `fake` those of negatives. All of this is piecewise constant in
//! the scores and has no gradient: to train for a high AUC take a loss of the difference of a positive's and a
//! negative's score, such as [`Hinge`](crate::preference::Hinge) or [`BradleyTerry`](crate::preference::BradleyTerry)
//! over pairs of both sides.

mod auc;
mod delong;
mod log_likelihood_ratio;
mod neyman_pearson;
mod ranks;
mod roc;
mod sprt;
mod wilks;

pub use auc::auc;
pub use delong::{Auc, DeLong};
pub use log_likelihood_ratio::log_likelihood_ratio;
pub use neyman_pearson::NeymanPearson;
pub use roc::{RocCurve, roc_curve};
pub use sprt::{Sprt, SprtDecision, SprtRun};
pub use wilks::{Wilks, chi_square_tail, wilks};

pub(super) use auc::area;
pub(super) use log_likelihood_ratio::statistic;
pub(super) use neyman_pearson::threshold;
pub(super) use roc::curve;
