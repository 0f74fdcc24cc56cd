//! Any objective of this room as one value, to be written to and read from a configuration.

use crate::preference::objective::forward;
use crate::preference::{Dpo, Ipo, Nll, Orpo, Out, PairBatch, PairObjective, WeightedSum};
use crate::{Parts, Real, Reduction, Result};

/// One of the objectives over pairs, by the name that configurations give it.
///
/// With the feature `serde` it is tagged by `loss_type`: `sigmoid` (DPO, by TRL's name), `ipo`, `orpo`, `nll` or
/// `weighted_sum`. A field that is left out has its default where there is one, a length is `sum` or `mean`, and unknown
/// fields are refused. A value out of range is read, and refused at the call. The whole ORPO objective:
///
/// ```json
/// {
///   "loss_type": "weighted_sum",
///   "terms": [
///     { "weight": 1.0, "objective": { "loss_type": "nll", "length": "mean" } },
///     { "weight": 1.0, "objective": { "loss_type": "orpo", "lambda": 0.1 } }
///   ]
/// }
/// ```
///
/// [`Scored`](crate::preference::Scored) losses and those of one's own are not among them: where a choice at run time must
/// reach these, use a `Box<dyn PairObjective<f64>>`.
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

forward!(PairConfig, |this| this.objective());

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;
    use crate::preference::{Length, Term};

    #[test]
    fn a_configuration_is_read_back_as_it_was_written() {
        let config = PairConfig::WeightedSum(WeightedSum {
            terms: vec![
                Term { weight: 0.8, objective: PairConfig::Sigmoid(Dpo { beta: 0.3, label_smoothing: 0.1 }) },
                Term { weight: 0.2, objective: PairConfig::Ipo(Ipo { beta: 0.1, length: Length::Mean }) },
                Term { weight: 1.0, objective: PairConfig::Orpo(Orpo::default()) },
                Term { weight: 1.0, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
            ],
        });
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<PairConfig>(&text).unwrap(), config);
    }

    #[test]
    fn absent_fields_are_defaults_where_there_are_defaults() {
        let read = |text| serde_json::from_str::<PairConfig>(text);
        assert_eq!(read(r#"{"loss_type": "sigmoid"}"#).unwrap(), PairConfig::Sigmoid(Dpo::default()));
        assert!(
            read(r#"{"loss_type": "ipo", "beta": 0.1}"#).unwrap_err().to_string().contains("missing field `length`")
        );
        let ipo = read(r#"{"loss_type": "ipo", "beta": 0.1, "length": "sum"}"#).unwrap();
        assert_eq!(ipo, PairConfig::Ipo(Ipo { beta: 0.1, length: Length::Sum }));
    }

    #[test]
    fn unknown_fields_and_names_are_refused() {
        let read = |text| serde_json::from_str::<PairConfig>(text).unwrap_err().to_string();
        assert!(read(r#"{"loss_type": "sigmoid", "betta": 0.1}"#).contains("unknown field `betta`"));
        assert!(read(r#"{"loss_type": "sigmoidal"}"#).contains("unknown variant `sigmoidal`"));
    }
}
