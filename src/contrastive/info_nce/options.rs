//! What may differ between the members of the family.

/// One family of candidates: who looks at whom. The `i`-th pair is row `i` of `first` and row `i` of `second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Direction {
    /// Row `i` of `first` at all rows of `second`: its positive is among them.
    FirstToSecond,
    /// Row `i` of `second` at all rows of `first`: its positive is among them.
    SecondToFirst,
    /// Row `i` of `first` at the other rows of `first`.
    FirstToFirst,
    /// Row `i` of `second` at the rows of `second` that belong to other pairs.
    SecondToSecond,
}

impl Direction {
    /// From one side to the other, where the positive is.
    pub(super) fn is_across(self) -> bool {
        matches!(self, Self::FirstToSecond | Self::SecondToFirst)
    }
}

/// Which directions are looked at; the first to the second always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Directions {
    /// The first at the second (van den Oord et al. 2018).
    #[default]
    Forward,
    /// Both ways, as CLIP has it.
    Symmetric,
    /// All four, as general text embeddings have them (Li et al. 2023, [arXiv:2308.03281](https://arxiv.org/abs/2308.03281)).
    All,
}

impl Directions {
    /// The directions, that of the positive first.
    pub fn list(self) -> &'static [Direction] {
        use Direction::{FirstToFirst, FirstToSecond, SecondToFirst, SecondToSecond};
        match self {
            Self::Forward => &[FirstToSecond],
            Self::Symmetric => &[FirstToSecond, SecondToFirst],
            Self::All => &[FirstToSecond, FirstToFirst, SecondToFirst, SecondToSecond],
        }
    }
}

/// Whether several directions share a denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Partition {
    /// Each has its own, the positive among them, and the loss is the mean of theirs. sentence-transformers refuses this for
    /// directions within a side.
    #[default]
    Separate,
    /// One for all. With the way back among the directions, the positive stands in it twice, as it does in
    /// sentence-transformers.
    Joint,
}

/// What the denominator holds besides the negatives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Denominator {
    /// The positive: `ln(e^p + Σ e^o) - p`.
    #[default]
    All,
    /// Nothing: `ln Σ e^o - p` (decoupled, Yeh et al. 2022, [arXiv:2110.06848](https://arxiv.org/abs/2110.06848)). It may be
    /// negative, and its slopes do not fade where a pair is far above its negatives.
    Negatives,
    /// The positive, and negatives from which the share `prior` of hidden positives has been taken:
    /// `N_g = max((Σ e^o - M prior e^p) / (1 - prior), M e^(-1/τ))` instead of the sum over `M` negatives (Chuang et al. 2020,
    /// [arXiv:2007.00224](https://arxiv.org/abs/2007.00224)). The bound is that of cosines.
    Debiased {
        /// Probability that a negative is of the class of the anchor, in `[0, 1)`. The paper has 0.1.
        prior: f64,
    },
}

/// Negatives whose logits are raised by `strength` times their own similarity, which is a constant to the gradient
/// (Lan et al. 2025, [arXiv:2503.04812](https://arxiv.org/abs/2503.04812)): harder ones weigh more in the softmax. Of the
/// first direction alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Hardness {
    /// None is raised.
    #[default]
    None,
    /// Those that belong to other pairs.
    InBatch(f64),
    /// Those beyond the first `N` rows of `second` that belong to the own pair.
    Own(f64),
    /// Both.
    All(f64),
}

impl Hardness {
    /// The factor.
    pub(super) fn strength(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::InBatch(strength) | Self::Own(strength) | Self::All(strength) => strength,
        }
    }
}

/// Candidates that are too alike to be negatives and are left out. Similarities that decide are constants to the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FalseNegatives {
    /// None is left out.
    #[default]
    Keep,
    /// Those whose similarity is above that of the positive plus this margin (ms-swift has 0.1). Of a guide, where the batch
    /// has one.
    Above(f64),
    /// Those whose similarity is above that of the positive less the share `m` of its size, `p - m|p|` (GIST, relative).
    Relative(f64),
}
