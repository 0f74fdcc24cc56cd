//! Any objective of this room as one value, to be written to and read from a configuration.

use crate::preference::{Dpo, Ipo, Nll, Orpo, Out, PairBatch, PairObjective, WeightedSum};
use crate::{Parts, Real, Reduction, Result};

/// One of the objectives over pairs, by the name that configurations give it.
///
/// With the feature `serde` it is tagged by `loss_type`, as in `{"loss_type": "sigmoid", "beta": 0.1}`. Unknown fields are
/// refused; a value out of range is read, and refused at the call.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-1.0_f32]), rejected: aview1(&[-2.0]) })
///     .reference(Pairs { chosen: aview1(&[-1.0]), rejected: aview1(&[-2.0]) });
/// let objective = PairConfig::Sigmoid(Dpo::default());
/// assert_eq!(objective.value(batch, Reduction::Mean)?, std::f32::consts::LN_2);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "loss_type", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum PairConfig {
    /// DPO.
    Sigmoid(Dpo),
    /// IPO.
    Ipo(Ipo),
    /// The odds-ratio term of ORPO.
    Orpo(Orpo),
    /// The negative log-likelihood of the chosen response.
    Nll(Nll),
    /// Several of them.
    WeightedSum(WeightedSum<PairConfig>),
}

impl PairConfig {
    /// The objective itself.
    #[must_use]
    pub fn objective<T: Real>(&self) -> &dyn PairObjective<T> {
        match self {
            Self::Sigmoid(objective) => objective,
            Self::Ipo(objective) => objective,
            Self::Orpo(objective) => objective,
            Self::Nll(objective) => objective,
            Self::WeightedSum(objective) => objective,
        }
    }
}

impl<T: Real> PairObjective<T> for PairConfig {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.objective().validate(batch)
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.objective().run(batch, reduction, scale, out)
    }

    fn parts(&self, batch: &PairBatch<'_, T>) -> Result<Parts> {
        self.objective().parts(batch)
    }
}
