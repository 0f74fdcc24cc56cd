//! What goes beside an objective: length rules, weights of pairs, baselines, and likelihood terms to add.

mod desensitized;
mod down_sample;
mod moments;
mod nll_add_on;
mod running_mean;
mod wpo;

pub use desensitized::LengthDesensitized;
pub use down_sample::down_sample;
pub use moments::{MarginFilter, MarginMoments};
pub use nll_add_on::NllAddOn;
pub use running_mean::RunningMean;
pub use wpo::{WeightCap, Wpo};
