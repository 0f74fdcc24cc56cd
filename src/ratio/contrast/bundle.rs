//! One bundle for examples and the noise beside each.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::{Error, Real, Result, check};

/// What belongs to the positive of each example, and what belongs to its `k` negatives: samples of the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contrast<P, N> {
    /// Of the data, `[B]`.
    pub positive: P,
    /// Of the noise, `[B, k]`.
    pub negatives: N,
}

/// Borrowed numbers, `[B]` and `[B, k]`.
pub type ContrastView<'a, T> = Contrast<ArrayView1<'a, T>, ArrayView2<'a, T>>;

/// Owned numbers, `[B]` and `[B, k]`.
pub type ContrastArray<T> = Contrast<Array1<T>, Array2<T>>;

impl<T: Clone> ContrastArray<T> {
    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> ContrastView<'_, T> {
        Contrast { positive: self.positive.view(), negatives: self.negatives.view() }
    }
}

impl<T: Real> ContrastArray<T> {
    /// Zeros of the shapes of others.
    pub(super) fn zeros(like: &ContrastView<'_, T>) -> Self {
        Self { positive: Array1::zeros(like.positive.raw_dim()), negatives: Array2::zeros(like.negatives.raw_dim()) }
    }
}

/// Checks that scores and log-probabilities of the noise have one shape, with a negative for each positive.
pub(super) fn check_shapes<T: Real>(scores: &ContrastView<'_, T>, log_noise: &ContrastView<'_, T>) -> Result<()> {
    let (n, k) = (scores.positive.len(), scores.negatives.ncols());
    check::shape("scores.negatives", scores.negatives.shape(), &[n, k])?;
    check::shape("log_noise.positive", log_noise.positive.shape(), &[n])?;
    check::shape("log_noise.negatives", log_noise.negatives.shape(), &[n, k])?;
    if k == 0 { Err(Error::Empty { argument: "scores.negatives" }) } else { Ok(()) }
}
