//! The score of an event by the interactions of its entities.

use ndarray::{Array1, Array3, ArrayRef1, ArrayRef3, ArrayView1, ArrayView3, ArrayViewMut3, Axis};

use crate::reduction::{pairwise, to_finite};
use crate::rowwise::RowJobs;
use crate::{Error, Real, Result, check};

/// Score of events by the weighted interactions of their entities, each pair of them once (APE, anomaly detection by
/// entity embeddings).
///
/// ```math
/// S_b = \sum_{i < j} w_{ij}\, v_{bi}^\top v_{bj}, \qquad
/// \frac{\partial S_b}{\partial v_{bi}} = \sum_{j \ne i} w_{ij} v_{bj}, \qquad
/// \frac{\partial S_b}{\partial w_{ij}} = v_{bi}^\top v_{bj}
/// ```
///
/// `embeddings` are `[B, m, d]`, one vector for each of the `m` entities of an event; `weights` are `[m (m - 1) / 2]`, of the
/// pairs (0, 1), (0, 2), .., (0, m - 1), (1, 2), ... The paper keeps them `>= 0`; any finite number is taken. The score is a
/// log-probability up to a constant: train it by [`Nce`](crate::ratio::Nce), with one entity of each event replaced; `-S`
/// measures how unusual an event is. An event of one entity scores 0. Products are summed up in `f64`.
///
/// # Errors
///
/// [`Error::Shape`]: another number of weights; [`Error::Empty`]: events without entities, or entities without elements;
/// [`Error::Value`]: an element that is not finite; [`Error::Overflow`]: a score that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{pairwise_score, pairwise_score_backward};
/// let embeddings = array![[[1.0_f64, 0.0], [2.0, 1.0], [0.0, 3.0]]];
/// let weights = array![1.0, 0.5, 2.0];
/// assert_eq!(pairwise_score(&embeddings, &weights)?, array![2.0 + 0.0 + 2.0 * 3.0]);
/// let (by_embeddings, by_weights) = pairwise_score_backward(&embeddings, &weights, &array![1.0])?;
/// assert_eq!(by_embeddings, array![[[2.0, 2.5], [1.0, 6.0], [4.5, 2.0]]]);
/// assert_eq!(by_weights, array![2.0, 0.0, 3.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chen et al., IJCAI 2016, [arXiv:1608.07502](https://arxiv.org/abs/1608.07502).
#[doc(alias = "APE")]
#[doc(alias = "factorization machine")]
pub fn pairwise_score<T: Real>(embeddings: &ArrayRef3<T>, weights: &ArrayRef1<T>) -> Result<Array1<T>> {
    T::pairwise_scores(embeddings.view(), weights.view())
}

/// Gradients of `Σ S · cotangent` in embeddings and weights: the way back of [`pairwise_score`], from one number for each
/// event.
///
/// # Errors
///
/// Those of [`pairwise_score`], for the cotangent and the gradients too.
pub fn pairwise_score_backward<T: Real>(
    embeddings: &ArrayRef3<T>,
    weights: &ArrayRef1<T>,
    cotangent: &ArrayRef1<T>,
) -> Result<(Array3<T>, Array1<T>)> {
    let mut out = Array3::zeros(embeddings.raw_dim());
    let by_weights = T::pull_pairwise_score(embeddings.view(), weights.view(), cotangent.view(), out.view_mut())?;
    Ok((out, by_weights))
}

/// Events whose shapes have been checked, in memory that is contiguous.
struct Events<T> {
    /// `[B, m, d]` in row-major order.
    elements: Vec<T>,
    weights: Vec<f64>,
    count: usize,
    entities: usize,
    size: usize,
}

impl<T: Real> Events<T> {
    fn new(embeddings: ArrayView3<'_, T>, weights: ArrayView1<'_, T>) -> Result<Self> {
        let (count, entities, size) = embeddings.dim();
        if entities * size == 0 {
            return Err(Error::Empty { argument: "embeddings" });
        }
        check::shape("weights", weights.shape(), &[entities * (entities - 1) / 2])?;
        check::all_finite("embeddings", embeddings)?;
        check::all_finite("weights", weights)?;
        let elements = embeddings.iter().copied().collect();
        Ok(Self { elements, weights: weights.iter().map(|w| w.as_f64()).collect(), count, entities, size })
    }

    fn jobs(&self) -> RowJobs {
        RowJobs::new(self.count, self.entities * self.size * size_of::<T>())
            .of_work(self.elements.len() * self.entities * size_of::<T>())
    }

    fn entity(&self, event: usize, entity: usize) -> &[T] {
        &self.elements[(event * self.entities + entity) * self.size..][..self.size]
    }

    /// Each pair of entities with its place among the weights.
    fn pairs(&self) -> impl Iterator<Item = (usize, (usize, usize))> {
        let m = self.entities;
        (0..m).flat_map(move |i| (i + 1..m).map(move |j| (i, j))).enumerate()
    }

    /// `v_i · v_j`.
    fn dot(&self, event: usize, (i, j): (usize, usize)) -> f64 {
        self.entity(event, i).iter().zip(self.entity(event, j)).map(|(x, y)| x.as_f64() * y.as_f64()).sum()
    }
}

/// [`pairwise_score`].
pub(in crate::ratio) fn scores<T: Real>(
    embeddings: ArrayView3<'_, T>,
    weights: ArrayView1<'_, T>,
) -> Result<Array1<T>> {
    let events = Events::new(embeddings, weights)?;
    let mut scores = vec![T::zero(); events.count];
    events.jobs().each_value(&mut scores, |event, score| {
        let sum = events.pairs().map(|(at, pair)| events.weights[at] * events.dot(event, pair)).sum();
        *score = to_finite(sum, "embeddings", event)?;
        Ok(())
    })?;
    Ok(scores.into())
}

/// [`pairwise_score_backward`]: that of the embeddings goes to `out`.
pub(in crate::ratio) fn backward<T: Real>(
    embeddings: ArrayView3<'_, T>,
    weights: ArrayView1<'_, T>,
    cotangent: ArrayView1<'_, T>,
    mut out: ArrayViewMut3<'_, T>,
) -> Result<Array1<T>> {
    let events = Events::new(embeddings, weights)?;
    check::shape("cotangent", cotangent.shape(), &[events.count])?;
    check::all_finite("cotangent", cotangent)?;
    for (event, mut slopes) in out.axis_iter_mut(Axis(0)).enumerate() {
        let pull = cotangent[event].as_f64();
        let mut sums = vec![0.0; events.entities * events.size];
        for (at, (i, j)) in events.pairs() {
            let factor = pull * events.weights[at];
            for (to, from) in [(i, j), (j, i)] {
                let to = &mut sums[to * events.size..][..events.size];
                to.iter_mut().zip(events.entity(event, from)).for_each(|(sum, x)| *sum += factor * x.as_f64());
            }
        }
        for (slope, sum) in slopes.iter_mut().zip(sums) {
            *slope = to_finite(sum, "embeddings", event)?;
        }
    }
    let by_weight = |(at, pair)| {
        let parts: Vec<f64> =
            (0..events.count).map(|event| cotangent[event].as_f64() * events.dot(event, pair)).collect();
        to_finite(pairwise(&parts), "weights", at)
    };
    events.pairs().map(by_weight).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array, s};

    use super::*;

    fn events() -> (Array3<f64>, Array1<f64>, Array1<f64>) {
        let embeddings = Array3::from_shape_fn((3, 4, 5), |(b, i, k)| ((7 * b + 3 * i + k) as f64).sin());
        (embeddings, Array::from_shape_fn(6, |p| 0.25 + (p as f64).cos()), array![1.0, -0.5, 2.0])
    }

    #[test]
    fn the_gradient_is_the_central_difference() {
        let (embeddings, weights, cotangent) = events();
        let value = |v: &Array3<f64>, w: &Array1<f64>| pairwise_score(v, w).unwrap().dot(&cotangent);
        let (by_embeddings, by_weights) = pairwise_score_backward(&embeddings, &weights, &cotangent).unwrap();
        for (at, slope) in by_embeddings.indexed_iter() {
            let moved = |step: f64| {
                let mut v = embeddings.clone();
                v[at] += step;
                value(&v, &weights)
            };
            assert!((slope - (moved(1e-5) - moved(-1e-5)) / 2e-5).abs() < 1e-9);
        }
        for (at, slope) in by_weights.indexed_iter() {
            let moved = |step: f64| {
                let mut w = weights.clone();
                w[at] += step;
                value(&embeddings, &w)
            };
            assert!((slope - (moved(1e-5) - moved(-1e-5)) / 2e-5).abs() < 1e-9);
        }
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let (embeddings, weights, cotangent) = events();
        let turned = embeddings.slice(s![..;-1, .., ..;2]);
        let packed = turned.as_standard_layout().to_owned();
        assert_eq!(pairwise_score(&turned, &weights), pairwise_score(&packed, &weights));
        let back = |v: &ArrayRef3<f64>| pairwise_score_backward(v, &weights, &cotangent);
        assert_eq!(back(&turned), back(&packed));
    }

    #[test]
    fn an_entity_alone_has_no_interaction() {
        let alone = array![[[1.0, 2.0]], [[3.0, 4.0]]];
        assert_eq!(pairwise_score(&alone, &array![]), Ok(array![0.0, 0.0]));
        let (by_embeddings, by_weights) = pairwise_score_backward(&alone, &array![], &array![1.0, 1.0]).unwrap();
        assert_eq!((by_embeddings, by_weights), (Array3::zeros((2, 1, 2)), array![]));
        assert_eq!(pairwise_score(&Array3::<f32>::zeros((0, 2, 2)), &array![1.0]), Ok(array![]));
    }

    #[test]
    fn bad_input_is_named() {
        let (embeddings, weights, cotangent) = events();
        let message = |v: &Array3<f64>, w: &Array1<f64>| pairwise_score(v, w).unwrap_err().to_string();
        assert_eq!(message(&embeddings, &array![1.0]), "`weights` has shape [1], expected [6]");
        let mut bad = embeddings.clone();
        bad[[1, 2, 3]] = f64::NAN;
        assert_eq!(message(&bad, &weights), "`embeddings`[1, 2, 3] is NaN, allowed is finite");
        let none = Array3::zeros((2, 4, 0));
        assert_eq!(message(&none, &weights), "`embeddings` is empty, needed is at least one element");
        let large = Array3::from_elem((2, 2, 2), 1e200);
        assert_eq!(message(&large, &array![1.0]), "the result at `embeddings`[0] overflows f64");
        let error = pairwise_score_backward(&embeddings, &weights, &cotangent.slice(s![..2])).unwrap_err();
        assert_eq!(error.to_string(), "`cotangent` has shape [2], expected [3]");
        let error = pairwise_score_backward(&embeddings, &weights, &array![0.0, f64::INFINITY, 0.0]).unwrap_err();
        assert_eq!(error.to_string(), "`cotangent`[1] is inf, allowed is finite");
    }
}
