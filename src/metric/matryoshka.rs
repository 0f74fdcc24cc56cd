//! Matryoshka: one loss over several prefixes of the dimensions.

use ndarray::{Array2, ArrayRef2, ArrayView2, s};

use crate::{Error, Real, Result, check};

/// Matryoshka representation learning: the same loss over prefixes of the embeddings, so that they can be cut short.
///
/// ```math
/// L = \sum_k w_k\, \ell\bigl(x_{:, 1..d_k}, \ldots\bigr)
/// ```
///
/// `ℓ` is any loss of one or more arrays of embeddings `[.., d]`, given as a closure that is called once for each prefix. Its
/// gradients are added to the first `d_k` columns of those of the whole. sentence-transformers (`MatryoshkaLoss`)
/// divides each prefix by its length first, which no loss of cosines sees; here prefixes are as they are.
///
/// # Errors
///
/// [`Empty`](crate::Error::Empty) without prefixes; [`Shape`](crate::Error::Shape) for another number of weights, or for a
/// gradient that does not have the shape of its prefix; [`Parameter`](crate::Error::Parameter) for a weight that is not
/// finite or below 0, or a prefix of 0 or of more dimensions than there are; those of the loss;
/// [`Overflow`](crate::Error::Overflow) for a sum out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, Matryoshka, MultiSimilarity};
/// let (x, labels) = (array![[1.0_f64, 0.0, 2.0], [0.8, 0.6, 1.0], [0.0, 1.0, 3.0]], array![7, 7, 3]);
/// let nested = Matryoshka { dims: vec![2, 3], weights: vec![0.5, 1.0] };
/// let loss = MultiSimilarity::default();
/// let (value, [gradient]) = nested.grad([&*x], |[prefix]| {
///     let (value, gradient) = loss.grad(&prefix, &labels, Reduction::Mean)?;
///     Ok((value, [gradient]))
/// })?;
/// assert_eq!(gradient.dim(), x.dim());
/// assert_eq!(value, nested.value([&*x], |[prefix]| loss.value(&prefix, &labels, Reduction::Mean))?);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Kusupati et al., NeurIPS 2022, eq. 1, [arXiv:2205.13147](https://arxiv.org/abs/2205.13147).
#[doc(alias = "MatryoshkaLoss")]
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Matryoshka {
    /// How many dimensions each prefix has, at least 1 and at most all. There is no default.
    pub dims: Vec<usize>,
    /// What the loss of each prefix counts, finite and `>= 0`. 1 each in the paper and in sentence-transformers.
    pub weights: Vec<f64>,
}

impl Matryoshka {
    /// The weighted sum of the losses of all prefixes.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real, const N: usize>(
        &self,
        embeddings: [&ArrayRef2<T>; N],
        mut loss: impl FnMut([ArrayView2<'_, T>; N]) -> Result<T>,
    ) -> Result<T> {
        let mut sum = 0.0;
        for (dims, weight) in self.prefixes(embeddings.map(|array| array.ncols()))? {
            sum += weight * loss(embeddings.map(|array| array.slice(s![.., ..dims])))?.as_f64();
        }
        T::metric_round(sum, "loss")
    }

    /// The same, and its gradients in all embeddings.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real, const N: usize>(
        &self,
        embeddings: [&ArrayRef2<T>; N],
        mut loss: impl FnMut([ArrayView2<'_, T>; N]) -> Result<(T, [Array2<T>; N])>,
    ) -> Result<(T, [Array2<T>; N])> {
        let mut total = embeddings.map(|array| Array2::zeros(array.raw_dim()));
        let mut sum = 0.0;
        for (dims, weight) in self.prefixes(embeddings.map(|array| array.ncols()))? {
            let (value, gradients) = loss(embeddings.map(|array| array.slice(s![.., ..dims])))?;
            sum += weight * value.as_f64();
            for (total, part) in total.iter_mut().zip(&gradients) {
                check::shape("gradient", part.shape(), &[total.nrows(), dims])?;
                T::metric_accumulate(total.slice_mut(s![.., ..dims]), part.view(), weight);
            }
        }
        if total.iter().flatten().any(|x| !x.is_finite()) {
            return Err(Error::overflow::<T>("gradient", crate::Position::default()));
        }
        Ok((T::metric_round(sum, "loss")?, total))
    }

    /// The prefixes and their weights, which must fit arrays of these widths.
    fn prefixes<const N: usize>(&self, widths: [usize; N]) -> Result<impl Iterator<Item = (usize, f64)>> {
        if self.dims.is_empty() {
            return Err(Error::Empty { argument: "dims" });
        }
        check::shape("weights", &[self.weights.len()], &[self.dims.len()])?;
        self.weights.iter().try_for_each(|&weight| check::non_negative("weights", weight))?;
        let widest = widths.into_iter().min().unwrap_or(usize::MAX);
        for &dims in &self.dims {
            check::parameter("dims", dims as f64, "1 to all dimensions", (1..=widest).contains(&dims))?;
        }
        Ok(self.dims.iter().copied().zip(self.weights.iter().copied()))
    }
}
