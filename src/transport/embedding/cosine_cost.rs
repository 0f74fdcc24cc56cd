//! The cost of taking one class for another: how far apart their embeddings point.

use ndarray::{Array2, ArrayRef2, ArrayView1, ArrayView2};

use super::logits::Logits;
use crate::rowwise::RowLength;
use crate::{Element, Error, Real, Result};

/// `C_ij = 1 - cos(e_i, e_j)` between the rows of an embedding matrix, in `[0, 2]`.
///
/// Holds the normalized rows, `[V, d]`, made once and used for every batch; the `[V, V]` costs never exist. `C_ii` is
/// exactly 0. A cosine that rounds to more than 1 counts as 1, which can only bring the cost nearer to its exact value;
/// a cost is good to a few units of the last place of 1, so two embeddings closer than that have the cost 0. It is not a
/// metric: the triangle inequality can fail.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::CosineCost;
/// let cost = CosineCost::new(&array![[2.0_f64, 0.0], [0.8, 0.6], [0.0, 0.1]])?;
/// assert!((cost.between(0, 1).unwrap_or_default() - 0.2).abs() < 1e-15);
/// assert_eq!(cost.between(2, 2), Some(0.0));
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CosineCost<T> {
    directions: Array2<T>,
}

impl<T: Real> CosineCost<T> {
    /// Normalizes the rows of `embeddings`, `[V, d]`: an output head, an input embedding, or a stronger model's.
    ///
    /// # Errors
    ///
    /// - [`Error::Empty`]: no rows, or rows without elements.
    /// - [`Error::Value`]: an element is not finite, or a row is zero and so has no direction.
    pub fn new<E: Element<Real = T>>(embeddings: &ArrayRef2<E>) -> Result<Self> {
        T::cosine_cost(E::logits(embeddings))
    }

    /// Number of classes, `V`.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.directions.nrows()
    }

    /// The cost between two classes; `None` where one of them is no class.
    #[must_use]
    pub fn between(&self, i: usize, j: usize) -> Option<T> {
        T::cosine_cost_between(self, i, j)
    }

    /// The normalized rows, contiguous.
    pub(super) fn directions(&self) -> ArrayView2<'_, T> {
        self.directions.view()
    }

    /// One normalized row.
    pub(super) fn direction(&self, class: usize) -> ArrayView1<'_, T> {
        self.directions.row(class)
    }
}

pub(in crate::transport) fn normalized<T: Real>(embeddings: Logits<'_, T>) -> Result<CosineCost<T>> {
    if embeddings.shape.contains(&0) {
        return Err(Error::Empty { argument: "embeddings" });
    }
    let mut directions = Array2::zeros(embeddings.shape);
    for (i, mut to) in directions.rows_mut().into_iter().enumerate() {
        embeddings.rows.copy(i, 0..to.len(), to.as_slice_mut().unwrap_or_default());
        RowLength::checked("embeddings", &[i], to.view())?.normalize(to);
    }
    Ok(CosineCost { directions })
}

pub(in crate::transport) fn between<T: Real>(cost: &CosineCost<T>, i: usize, j: usize) -> Option<T> {
    if i.max(j) >= cost.classes() {
        return None;
    }
    let cosine = cost.direction(i).dot(&cost.direction(j));
    Some(if i == j { T::zero() } else { (T::one() - cosine).max(T::zero()) })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::*;

    #[test]
    fn costs_are_those_of_the_directions() {
        let cost = CosineCost::new(&array![[1e-320_f64, 0.0], [0.8e300, 0.6e300], [0.0, 7.0], [-3.0, 0.0]]).unwrap();
        let expected = [[0.0, 0.2, 1.0, 2.0], [0.2, 0.0, 0.4, 1.8], [1.0, 0.4, 0.0, 1.0], [2.0, 1.8, 1.0, 0.0]];
        for (i, row) in expected.iter().enumerate() {
            for (j, &c) in row.iter().enumerate() {
                assert!((cost.between(i, j).unwrap() - c).abs() < 1e-15, "{i}, {j}");
            }
        }
        assert_eq!((cost.classes(), cost.between(0, 4)), (4, None));
    }

    #[test]
    fn no_cost_is_below_zero() {
        let embeddings = Array2::from_shape_fn((40, 7), |(i, j)| ((i / 2 * 7 + j) as f32 * 0.37).sin());
        let cost = CosineCost::new(&embeddings).unwrap();
        let costs = (0..40).flat_map(|i| (0..40).map(move |j| (i, j))).map(|(i, j)| cost.between(i, j).unwrap());
        assert!(costs.clone().all(|c| c >= 0.0));
        assert!(costs.fold(0.0, f32::max) > 1.0);
    }

    #[test]
    fn the_layout_of_the_embeddings_leaves_no_trace() {
        let wide = Array2::from_shape_fn((6, 8), |(i, j)| ((i * 8 + j) as f64).sin());
        let strided = wide.slice(s![..;-1, ..;2]);
        assert_eq!(CosineCost::new(&strided), CosineCost::new(&strided.as_standard_layout().to_owned()));
    }

    #[test]
    fn a_row_without_a_direction_is_named() {
        let message = |embeddings: Array2<f64>| CosineCost::new(&embeddings).unwrap_err().to_string();
        assert_eq!(message(array![[1.0, 0.0], [0.0, 0.0]]), "`embeddings`[1] is 0, allowed is a row that is not zero");
        assert_eq!(message(array![[1.0, 0.0], [0.0, f64::NAN]]), "`embeddings`[1, 1] is NaN, allowed is finite");
        assert_eq!(message(array![[f64::INFINITY, 0.0]]), "`embeddings`[0, 0] is inf, allowed is finite");
        assert_eq!(message(Array2::zeros((0, 3))), "`embeddings` is empty, needed is at least one element");
        assert_eq!(message(Array2::zeros((3, 0))), "`embeddings` is empty, needed is at least one element");
    }
}
