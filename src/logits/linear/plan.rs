//! What may be held at a time.

/// In which pieces the gradient of a linear objective is computed: how much memory against how much work.
///
/// | plan | products | scratch, in elements |
/// |---|---|---|
/// | [`Chunked`](Self::Chunked) | 3: logits, gradient of hidden, gradient of weight | 256 tokens × `V` |
/// | [`Recompute`](Self::Recompute) | 4: the logits twice | `N` tokens × 512 classes |
///
/// `N` is the number of counted tokens. To that come, for either plan, a few megabytes of packing inside the products;
/// `N × H` where tokens are left out or `hidden` is not contiguous; and 512 × `H` for each thread where `weight` is not.
/// The two plans agree up to rounding. A value or log-probabilities alone need neither: they take one product and a tile
/// of 256 × 512 for each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum LinearPlan {
    /// All logits of 256 tokens at a time.
    Chunked,
    /// The logits of 512 classes at a time, twice.
    Recompute,
    /// The quicker plan, [`Chunked`](Self::Chunked), where its scratch fits into so many bytes or is the smaller one.
    Budget(usize),
}

/// A budget of 64 MiB: chunks for up to 65,536 classes in `f32`.
impl Default for LinearPlan {
    fn default() -> Self {
        Self::Budget(64 << 20)
    }
}

/// Tokens whose logits [`LinearPlan::Chunked`] holds at a time.
pub(super) const CHUNK: usize = 256;

impl LinearPlan {
    /// Whether the plan is to hold whole rows of logits, of elements of this size.
    pub(super) fn is_chunked(self, tokens: usize, classes: usize, size: usize) -> bool {
        let chunked = CHUNK.min(tokens).saturating_mul(classes);
        let recompute = tokens.saturating_mul(super::BLOCK.min(classes));
        match self {
            Self::Chunked => true,
            Self::Recompute => false,
            Self::Budget(bytes) => chunked <= recompute || chunked.saturating_mul(size) <= bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_buys_the_quicker_plan_only_where_it_covers_it() {
        let bytes = 256 * 32_000 * 4;
        assert!(LinearPlan::Budget(bytes).is_chunked(2048, 32_000, 4));
        assert!(!LinearPlan::Budget(bytes - 1).is_chunked(2048, 32_000, 4));
        assert!(!LinearPlan::Budget(bytes).is_chunked(2048, 32_000, 8));
        assert!(LinearPlan::Budget(0).is_chunked(2048, 512, 4), "a whole row is no more than a block of classes");
        assert!(LinearPlan::Budget(usize::MAX).is_chunked(usize::MAX, 1 << 30, 8));
    }
}
