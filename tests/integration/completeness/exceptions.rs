//! Where an objective is not in a place, and why.

/// Objectives that need not be in a place.
pub struct Exception {
    pub file: &'static str,
    pub why: &'static str,
    pub names: &'static [&'static str],
}

pub const EXCEPTIONS: &[Exception] = &[
    // Over pairs.
    Exception {
        file: "tests/catalogue/src",
        why: "its terms are other objectives: it is an entry of pairs.rs",
        names: &["WeightedSum"],
    },
    Exception { file: "docs/objectives.md", why: "it is made of other objectives", names: &["Linked", "WeightedSum"] },
    Exception {
        file: "tests/golden",
        why: "no peer's code is called; mpmath: scripts/margin_reference.py",
        names: &[
            "ChiPo",
            "CpoIpo",
            "Davidson",
            "DiffusionDpo",
            "FlexDpo",
            "Odpo",
            "Poft",
            "Pso",
            "RDpo",
            "RaoKupper",
            "RewardAwareRpo",
            "SoftDpo",
        ],
    },
    Exception {
        file: "tests/golden",
        why: "no peer's code is called; mpmath: scripts/side_reference.py",
        names: &["Asft", "BradleyTerry", "CalDpo", "Dpop", "ProcessReward", "Tpo"],
    },
    Exception {
        file: "tests/golden",
        why: "no peer's code is called; mpmath, in the tests beside it",
        names: &["DrDpo", "KtoPair", "RewardTies", "SimPer"],
    },
    Exception {
        file: "tests/golden",
        why: "exact numbers by hand, in the tests beside it",
        names: &["Nll", "Rebel", "RewardRegression", "Slic", "SppoSoft"],
    },
    Exception {
        file: "tests/golden",
        why: "with its detached number given, it is another objective: the tests beside it",
        names: &["AlphaDpo", "BetaDpo"],
    },
    Exception { file: "tests/golden", why: "terms and sum of mpo.json", names: &["Sft", "WeightedSum"] },
    Exception { file: "tests/golden", why: "dpo_f_divergence.json", names: &["Linked"] },
    // Others.
    Exception { file: "tests/golden_support/objectives", why: "mpmath: scripts/ratio_reference.py", names: &["Ddo"] },
    Exception {
        file: "tests/golden_support/objectives",
        why: "POT, SciPy and mpmath: scripts/transport_reference.py",
        names: &["Emo", "SinkhornDivergence", "SlicedWasserstein", "wasserstein_circle"],
    },
    Exception {
        file: "tests/golden_support/objectives",
        why: "a known case, or a sum, of another one that has them: the laws",
        names: &[
            "LinearPairs",
            "Link",
            "LogitPairs",
            "MixCe",
            "QuasiPoisson",
            "ReverseKlLink",
            "SharedGaussian",
            "SparseDivergence",
            "TaiLr",
            "VariationalBound",
            "WeightedBernoulli",
            "class_log_probs",
            "demd",
            "demd_soft",
            "linear_token_log_probs",
            "log_sum_exp_or_empty",
            "sum_tokens",
            "wasserstein_1d_distance",
            "wasserstein_circle_distance",
            "weighted_log_sum_exp",
        ],
    },
    Exception {
        file: "tests/golden_support/objectives",
        why: "no peer's code is called; its definition in the tests beside it",
        names: &["SequenceMatch", "imle"],
    },
    Exception {
        file: "benches",
        why: "the loops of another one that has a line, with other numbers",
        names: &[
            "ForwardKlLink",
            "MixtureChiSquare",
            "NeymanChiSquare",
            "QuasiPoisson",
            "ReverseKlLink",
            "SharedGaussian",
            "VariationalBound",
            "WeightedBernoulli",
            "class_log_probs",
            "log_sum_exp_or_empty",
            "wasserstein_1d_distance",
            "wasserstein_circle_distance",
            "weighted_log_sum_exp",
        ],
    },
    Exception {
        file: "benches",
        why: "made of calls that have a line: products, rounds, rows",
        names: &["LinearPairs", "SequenceMatch", "SinkhornDivergence", "linear_token_log_probs"],
    },
    Exception {
        file: "tests/golden_support/objectives",
        why: "torch's bound and a running mean of its own: the laws and the tests beside it",
        names: &["Mine"],
    },
    Exception {
        file: "tests/golden_support/objectives",
        why: "minus VariationalBound, which the laws hold to the closed form of Gaussians",
        names: &["chi_square_bound"],
    },
    Exception {
        file: "benches",
        why: "the loops of another one that has a line: VariationalBound, Ddo, CrossEntropy, donsker_varadhan",
        names: &["Mine", "chi_square_bound", "info_nce_bound", "jensen_shannon_bound", "nwj_bound"],
    },
    Exception { file: "benches", why: "distances, of which nearly all is the caller's model", names: &["imle"] },
];
