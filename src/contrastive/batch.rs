//! What a contrastive loss is given.

use std::ops::Range;

use ndarray::{ArrayRef2, ArrayView2};

use crate::{Error, Real, Result, check};

/// Embeddings of pairs: row `i` of `first` `[N, d]` belongs to row `i` of `second` `[M, d]`, `M >= N`.
///
/// Rows of `second` beyond the first `N` are more negatives; row `j` is one that was chosen for pair `j mod N`, so `k` hard
/// negatives for each pair are `k` blocks of `N` rows after the positives. Queries and documents, images and texts, two views
/// of a sample: whatever makes pairs. Arrays may have any layout.
#[derive(Clone, Debug)]
#[must_use]
pub struct EmbeddingBatch<'a, T> {
    pub(super) first: ArrayView2<'a, T>,
    pub(super) second: ArrayView2<'a, T>,
    pub(super) guide: Option<[ArrayView2<'a, T>; 2]>,
    pub(super) anchors: Option<Range<usize>>,
}

impl<'a, T: Real> EmbeddingBatch<'a, T> {
    /// The embeddings of both sides.
    pub fn new(first: &'a ArrayRef2<T>, second: &'a ArrayRef2<T>) -> Self {
        Self { first: first.view(), second: second.view(), guide: None, anchors: None }
    }

    /// The same rows embedded by another model, whose similarities say which candidates are too alike to be negatives (see
    /// [`FalseNegatives`](super::FalseNegatives)). It has no gradient and may have another number of dimensions.
    pub fn guide(self, first: &'a ArrayRef2<T>, second: &'a ArrayRef2<T>) -> Self {
        Self { guide: Some([first.view(), second.view()]), ..self }
    }

    /// Only these pairs have a loss; the others are candidates. For pairs that are spread over machines: each holds all
    /// embeddings and asks for its own pairs. See [`InfoNce`](super::InfoNce), "Over machines".
    pub fn anchors(self, anchors: Range<usize>) -> Self {
        Self { anchors: Some(anchors), ..self }
    }

    /// The pairs that have a loss, once all shapes are checked.
    pub(super) fn check(&self) -> Result<Range<usize>> {
        let (pairs, width) = self.first.dim();
        check_rows("second", self.second, pairs, width)?;
        if let Some([first, second]) = &self.guide {
            check::shape("guide.first", first.shape(), &[pairs, first.ncols()])?;
            check::shape("guide.second", second.shape(), &[self.second.nrows(), first.ncols()])?;
        }
        let anchors = self.anchors.clone().unwrap_or(0..pairs);
        let holds = anchors.start <= anchors.end && anchors.end <= pairs;
        check::parameter("anchors", anchors.end as f64, "a range of the rows of `first`", holds)?;
        Ok(anchors)
    }
}

/// As many columns as the first side, and at least as many rows.
fn check_rows<T>(argument: &'static str, rows: ArrayView2<'_, T>, least: usize, width: usize) -> Result<()> {
    if rows.ncols() == width && rows.nrows() >= least {
        return Ok(());
    }
    Err(Error::Shape { argument, got: rows.shape().to_vec(), expected: vec![least, width] })
}

/// Slopes in the embeddings of both sides and in the temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingGradient<A, T> {
    /// `[N, d]`.
    pub first: A,
    /// `[M, d]`.
    pub second: A,
    /// In the temperature `τ`. That in the scale `s = 1/τ` is `-τ²` times this one, that in `ln s` `-τ` times.
    pub temperature: T,
}
