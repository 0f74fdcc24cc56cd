//! Any objective of this room as one value, to be written to and read from a configuration.

use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::objective::forward;
use crate::preference::*; // each objective
use crate::{Real, Reduction, Result, SumCount};

/// The enum, and the objective behind each of its variants.
macro_rules! configurations {
    ($(#[$of_enum:meta])* pub enum $name:ident { $($(#[$of_variant:meta])* $variant:ident($objective:ty),)* }) => {
        $(#[$of_enum])*
        pub enum $name {
            $($(#[$of_variant])* $variant($objective),)*
        }

        impl $name {
            /// The objective itself.
            #[must_use]
            pub fn objective<T: Real>(&self) -> &dyn PairObjective<T> {
                match self {
                    $(Self::$variant(objective) => objective,)*
                }
            }
        }
    };
}

configurations! {
    /// One of the objectives over pairs, by the name that configurations give it.
    ///
    /// With the feature `serde` it is tagged by `loss_type`, which is the variant in lower case with underscores, and TRL's
    /// name where TRL has the loss: `sigmoid` (DPO), `robust`, `hinge`, `ipo`, `exo_pair`, `discopop`, `sigmoid_norm`,
    /// `aot`, `aot_unpaired`, `sft` (per token of the batch; `nll` is per response), `simpo`, `alphapo`, and so on. A field
    /// that is left out has its default where there is one, a length is `sum` or `mean`, and unknown names and fields are
    /// refused with a list of those that exist. A value out of range is read, and refused at the call. The whole ORPO
    /// objective:
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
    /// DPO under another divergence, with TRL's names for it:
    ///
    /// ```json
    /// { "loss_type": "linked", "loss": { "loss_type": "sigmoid" }, "link": { "f_divergence_type": "js_divergence" } }
    /// ```
    ///
    /// Your own losses are not among them: where a choice at run time must include these, use a
    /// `Box<dyn PairObjective<f64>>`.
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
        /// Robust DPO.
        Robust(RobustDpo),
        /// The hinge of RSO.
        Hinge(Hinge),
        /// The calibration term of SLiC.
        Slic(Slic),
        /// IPO.
        Ipo(Ipo),
        /// EXO over pairs.
        ExoPair(ExoPair),
        /// DiscoPOP.
        #[cfg_attr(feature = "serde", serde(rename = "discopop"))]
        DiscoPop(DiscoPop),
        /// Length-normalized DPO.
        SigmoidNorm(SigmoidNorm),
        /// The preference term of CPO.
        Cpo(Cpo),
        /// The hinge without a reference.
        CpoHinge(CpoHinge),
        /// IPO without a reference.
        CpoIpo(CpoIpo),
        /// SimPO.
        #[cfg_attr(feature = "serde", serde(rename = "simpo"))]
        SimPo(SimPo),
        /// AlphaPO.
        #[cfg_attr(feature = "serde", serde(rename = "alphapo"))]
        AlphaPo(AlphaPo),
        /// DPO with a length penalty.
        #[cfg_attr(feature = "serde", serde(rename = "rdpo"))]
        RDpo(RDpo),
        /// DPO with an offset.
        Odpo(Odpo),
        /// DPO with a strength for each side; PSO offline.
        FlexDpo(FlexDpo),
        /// χPO.
        #[cfg_attr(feature = "serde", serde(rename = "chipo"))]
        ChiPo(ChiPo),
        /// REBEL.
        Rebel(Rebel),
        /// DPO with soft labels.
        SoftDpo(SoftDpo),
        /// The hinge of PROP, of probabilities.
        SoftmaxHinge(SoftmaxHinge),
        /// Reward-aware preference optimization.
        RewardAwareRpo(RewardAwareRpo),
        /// DPO with ties after Rao and Kupper.
        RaoKupper(RaoKupper),
        /// DPO with ties after Davidson.
        Davidson(Davidson),
        /// PoFT.
        Poft(Poft),
        /// Diffusion-DPO.
        DiffusionDpo(DiffusionDpo),
        /// PSO, online.
        Pso(Pso),
        /// NCA of a pair.
        NcaPair(NcaPair),
        /// BCO of a pair.
        BcoPair(BcoPair),
        /// SPPO with certain labels.
        SppoHard(SppoHard),
        /// SPPO with probabilities to win.
        SppoSoft(SppoSoft),
        /// APO-zero.
        ApoZero(ApoZero),
        /// APO-down.
        ApoDown(ApoDown),
        /// Cal-DPO.
        CalDpo(CalDpo),
        /// DPO-Positive.
        Dpop(Dpop),
        /// The alignment term of ASFT.
        Asft(Asft),
        /// SimPER.
        #[cfg_attr(feature = "serde", serde(rename = "simper"))]
        SimPer(SimPer),
        /// TPO; TPO-L with a mean length and a gamma.
        Tpo(Tpo),
        /// The odds-ratio term of ORPO.
        Orpo(Orpo),
        /// The negative log-likelihood of the chosen response.
        Nll(Nll),
        /// A reward model by Bradley and Terry.
        BradleyTerry(BradleyTerry),
        /// A reward model of comparisons with ties.
        RewardTies(RewardTies),
        /// A reward model by regression.
        RewardRegression(RewardRegression),
        /// A process reward model.
        ProcessReward(ProcessReward),
        /// AOT of paired data.
        Aot(Aot),
        /// AOT of unpaired data.
        AotUnpaired(AotUnpaired),
        /// β-DPO.
        BetaDpo(BetaDpo),
        /// Dr.DPO.
        DrDpo(DrDpo<Dpo>),
        /// α-DPO.
        AlphaDpo(AlphaDpo),
        /// KTO on pairs.
        KtoPair(KtoPair),
        /// The likelihood of the chosen responses, per token of the batch.
        Sft(Sft),
        /// A loss of the margin under another divergence.
        Linked(Linked<LinkableConfig, Link>),
        /// Several of them.
        WeightedSum(WeightedSum<PairConfig>),
    }
}

compile_objective!(PairConfig);
forward!(BatchObjective { validate_batch, run_batch, sum_count_of_batch } for PairConfig, |this| this.objective::<T>());

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;
    use crate::preference::{Baseline, Length, MarginMoments, Term};

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

    /// A name, a field that it has and one value of it.
    #[test]
    fn functions_of_both_sides_have_their_names_and_fields() {
        let fields = [
            ("nca_pair", r#""beta": 0.5"#),
            ("bco_pair", r#""delta": -0.5"#),
            ("sppo_hard", r#""beta": 0.5"#),
            ("sppo_soft", r#""beta": 0.5"#),
            ("apo_zero", r#""beta": 0.5"#),
            ("apo_down", r#""beta": 0.5"#),
            ("cal_dpo", r#""beta": 0.5"#),
            ("dpop", r#""placement": "outside""#),
            ("asft", r#""length": "sum""#),
            ("simper", r#""length": "sum""#),
            ("tpo", r#""gamma": 0.5"#),
            ("bradley_terry", r#""gap": "scale""#),
            ("reward_ties", r#""model": "davidson""#),
        ];
        for (name, field) in fields {
            let read = |text: &str| serde_json::from_str::<PairConfig>(text);
            let text = format!(r#"{{"loss_type": "{name}", {field}}}"#);
            let config = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let written = serde_json::to_value(&config).unwrap();
            assert_eq!(written["loss_type"], name);
            assert_eq!(serde_json::from_value::<PairConfig>(written).unwrap(), config);
            assert_ne!(read(&format!(r#"{{"loss_type": "{name}"}}"#)).unwrap(), config);
            let refused = read(&text.replace('}', r#", "betta": 1.0}"#)).unwrap_err().to_string();
            assert!(refused.contains("unknown field `betta`, expected"), "{name}: {refused}");
            let unknown = read(r#"{"loss_type": "sigmoidal"}"#).unwrap_err().to_string();
            assert!(unknown.contains(&format!("`{name}`")), "{unknown}");
        }
        for name in ["reward_regression", "process_reward"] {
            let read =
                |field: &str| serde_json::from_str::<PairConfig>(&format!(r#"{{"loss_type": "{name}"{field}}}"#));
            assert_eq!(serde_json::to_value(read("").unwrap()).unwrap(), serde_json::json!({ "loss_type": name }));
            let refused = read(r#", "beta": 1.0"#).unwrap_err().to_string();
            assert!(refused.contains("unknown field `beta`, there are no fields"), "{refused}");
        }
    }

    #[test]
    fn every_name_is_read_with_the_fields_that_it_cannot_do_without() {
        let names = [
            ("sigmoid", r#""#),
            ("robust", r#""#),
            ("hinge", r#""#),
            ("slic", r#""delta": 1.0, "length": "sum""#),
            ("ipo", r#""beta": 0.1, "length": "mean""#),
            ("exo_pair", r#""#),
            ("discopop", r#""#),
            ("sigmoid_norm", r#""beta": 5.0"#),
            ("cpo", r#""beta": 0.1, "length": "sum""#),
            ("cpo_hinge", r#""beta": 0.1, "length": "sum""#),
            ("cpo_ipo", r#""beta": 0.1, "length": "mean""#),
            ("simpo", r#""#),
            ("alphapo", r#""#),
            ("rdpo", r#""beta": 0.1, "alpha": 0.05"#),
            ("odpo", r#""#),
            ("flex_dpo", r#""beta_chosen": 0.1, "beta_rejected": 0.02"#),
            ("chipo", r#""beta": 0.1, "clip": 2.0"#),
            ("rebel", r#""#),
            ("soft_dpo", r#""#),
            ("reward_aware_rpo", r#""beta": 0.2, "eta": 1.0, "distance": "forward_kl", "length": "sum""#),
            ("rao_kupper", r#""#),
            ("davidson", r#""#),
            ("poft", r#""#),
            ("diffusion_dpo", r#""#),
            ("pso", r#""beta": 50.0, "epsilon": 0.1, "length": "sum""#),
            ("orpo", r#""#),
            ("nll", r#""length": "sum""#),
        ];
        for (name, fields) in names {
            let comma = if fields.is_empty() { "" } else { ", " };
            let text = format!(r#"{{"loss_type": "{name}"{comma}{fields}}}"#);
            let config = serde_json::from_str::<PairConfig>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let written = serde_json::to_value(&config).unwrap();
            assert_eq!(written["loss_type"], name);
            assert_eq!(serde_json::from_value::<PairConfig>(written).unwrap(), config);
            if !fields.is_empty() {
                let bare = serde_json::from_str::<PairConfig>(&format!(r#"{{"loss_type": "{name}"}}"#));
                assert!(bare.unwrap_err().to_string().starts_with("missing field"), "{name}");
            }
            let more = text.replace('}', r#", "betta": 1.0}"#);
            let refused = serde_json::from_str::<PairConfig>(&more).unwrap_err().to_string();
            assert!(refused.contains("unknown field `betta`, expected"), "{name}: {refused}");
            let unknown = serde_json::from_str::<PairConfig>(r#"{"loss_type": "sigmoidal"}"#).unwrap_err().to_string();
            assert!(unknown.contains(&format!("`{name}`")), "{unknown}");
        }
    }

    #[test]
    fn objectives_of_the_batch_and_divergences_have_names() {
        let read = |text: &str| serde_json::from_str::<PairConfig>(text).unwrap();
        let names = [
            (r#"{"loss_type":"aot"}"#, PairConfig::Aot(Aot::default())),
            (r#"{"loss_type":"aot_unpaired","beta":0.1}"#, PairConfig::AotUnpaired(AotUnpaired::default())),
            (r#"{"loss_type":"beta_dpo","alpha":0.6}"#, PairConfig::BetaDpo(BetaDpo::default())),
            (r#"{"loss_type":"dr_dpo","loss":{"beta":0.1},"beta_prime":1.0}"#, PairConfig::DrDpo(DrDpo::default())),
            (
                r#"{"loss_type":"alpha_dpo","beta":2.5,"gamma":1.0,"alpha":0.1}"#,
                PairConfig::AlphaDpo(AlphaDpo {
                    beta: 2.5,
                    gamma: 1.0,
                    alpha: 0.1,
                    label_smoothing: 0.0,
                    usual: MarginMoments::default(),
                }),
            ),
            (
                r#"{"loss_type":"kto_pair","beta":0.1,"baseline":"detached"}"#,
                PairConfig::KtoPair(KtoPair { beta: 0.1, baseline: Baseline::Detached }),
            ),
            (r#"{"loss_type":"sft"}"#, PairConfig::Sft(Sft)),
            (
                r#"{"loss_type":"linked","loss":{"loss_type":"sigmoid"},"link":{"f_divergence_type":"forward_kl"}}"#,
                PairConfig::Linked(Linked { loss: LinkableConfig::Sigmoid(Dpo::default()), link: Link::ForwardKl }),
            ),
        ];
        for (text, config) in names {
            assert_eq!(read(text), config);
            assert_eq!(read(&serde_json::to_string(&config).unwrap()), config);
        }
    }

    #[test]
    fn unknown_fields_and_names_are_refused() {
        let read = |text| serde_json::from_str::<PairConfig>(text).unwrap_err().to_string();
        assert!(read(r#"{"loss_type": "sigmoid", "betta": 0.1}"#).contains("unknown field `betta`"));
        assert!(read(r#"{"loss_type": "sigmoidal"}"#).contains("unknown variant `sigmoidal`"));
    }
}
