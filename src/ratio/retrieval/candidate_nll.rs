//! The likelihood of the right candidate, by cosine similarity.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView2};

use super::directions::Directions;
use crate::error::Position;
use crate::logits::{LinearCrossEntropy, LinearGradient, LinearHead};
use crate::reduction::{sum, to_finite};
use crate::{Error, Real, Reduction, Result, Target, check};

/// Negative log-likelihood of the right candidate, by a softmax of cosine similarities over a set of candidates
/// (Uni-Perceiver).
///
/// ```math
/// L_i = -\ln \frac{e^{\cos(x_i, c_{y_i})/\tau}}{\sum_z e^{\cos(x_i, c_z)/\tau}}, \qquad
/// \frac{\partial L_i}{\partial \cos(x_i, c_z)} = \frac{p_{iz} - [z = y_i]}{\tau}
/// ```
///
/// `embeddings` `x` are `[B, d]`, `candidates` `c` `[C, d]` and `targets` `y` `[B]`, indices of candidates. Gradients are by
/// embeddings, candidates and `τ`. A weight for each task is one for each of its examples, `Reduction::Weighted`; where the
/// candidates are the other side of the batch and `y = 0, 1, ..`, it is InfoNCE in one direction.
///
/// Lengths of embeddings change nothing, and no gradient points along an embedding. `0 <= L <= ln C + 2/τ`; it is
/// `ln C` where all candidates are alike. Similarities are products of unit rows, in blocks by [`LinearCrossEntropy`],
/// so that the `[B, C]` similarities are not held as a whole.
///
/// # Errors
///
/// [`Error::Parameter`]: `tau` out of range; [`Error::Shape`]; [`Error::Empty`]: no candidates or no elements;
/// [`Error::Value`]: an element that is not finite, or **a row of zeros, which has no direction**; [`Error::Target`]: no
/// candidate has this index; [`Error::NothingToAverage`]; [`Error::Overflow`]: a gradient that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::CandidateNll;
/// let (embeddings, candidates) = (array![[2.0_f64, 0.0]], array![[3.0, 0.0], [0.0, 0.5]]);
/// let (loss, gradient) = CandidateNll { tau: 0.5 }.grad(&embeddings, &candidates, &array![0], Reduction::Mean)?;
/// assert!((loss - 0.126_928_011).abs() < 1e-9); // ln(1 + e⁻²)
/// assert!(gradient.embeddings[[0, 0]].abs() < 1e-15); // along the embedding
/// assert!((gradient.embeddings[[0, 1]] - 0.119_202_922).abs() < 1e-9); // σ(-2) / (τ · 2)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhu et al., CVPR 2022, [arXiv:2112.01522](https://arxiv.org/abs/2112.01522); Li et al. (v2), CVPR 2023,
/// [arXiv:2211.09808](https://arxiv.org/abs/2211.09808).
#[doc(alias = "Uni-Perceiver")]
#[doc(alias = "cosine softmax")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct CandidateNll {
    /// Temperature that similarities are divided by, finite and `> 0`. Learned in the paper, so there is no default.
    pub tau: f64,
}

/// Derivatives of [`CandidateNll`].
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateGradient<T> {
    /// By the embeddings, `[B, d]`.
    pub embeddings: Array2<T>,
    /// By the candidates, `[C, d]`.
    pub candidates: Array2<T>,
    /// By the temperature.
    pub tau: T,
}

impl CandidateNll {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`CandidateNll`].
    pub fn value<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        candidates: &ArrayRef2<T>,
        targets: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        T::run_candidates(self, [embeddings.view(), candidates.view()], &indices(targets), reduction, None)
    }

    /// The loss of each example.
    ///
    /// # Errors
    ///
    /// See [`CandidateNll`].
    pub fn each<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        candidates: &ArrayRef2<T>,
        targets: &ArrayRef1<I>,
    ) -> Result<Array1<T>> {
        T::candidate_losses(self, [embeddings.view(), candidates.view()], &indices(targets))
    }

    /// The reduced loss and its derivatives.
    ///
    /// # Errors
    ///
    /// See [`CandidateNll`].
    pub fn grad<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        candidates: &ArrayRef2<T>,
        targets: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, CandidateGradient<T>)> {
        let mut gradient =
            CandidateGradient { embeddings: Array2::zeros((0, 0)), candidates: Array2::zeros((0, 0)), tau: T::zero() };
        let sides = [embeddings.view(), candidates.view()];
        let loss = T::run_candidates(self, sides, &indices(targets), reduction, Some(&mut gradient))?;
        Ok((loss, gradient))
    }
}

fn indices<I: Target>(targets: &ArrayRef1<I>) -> Array1<i64> {
    targets.iter().map(|target| target.index()).collect()
}

/// Both sides as unit rows, those of the embeddings divided by the temperature.
struct Rows<T> {
    embeddings: Directions<T>,
    candidates: Directions<T>,
    hidden: Array2<T>,
}

impl<T: Real> Rows<T> {
    fn new(
        nll: &CandidateNll,
        [embeddings, candidates]: [ArrayView2<'_, T>; 2],
        targets: usize,
        is_out: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        check::positive("tau", nll.tau)?;
        check::shape("candidates", candidates.shape(), &[candidates.nrows(), embeddings.ncols()])?;
        check::shape("targets", &[targets], &[embeddings.nrows()])?;
        let candidates = Directions::new("candidates", candidates, |_| false)?;
        let embeddings = Directions::new("embeddings", embeddings, is_out)?;
        let hidden = embeddings.rows.mapv(|x| T::from_f64(x.as_f64() / nll.tau));
        Ok(Self { embeddings, candidates, hidden })
    }

    fn head(&self) -> LinearHead<'_, T> {
        LinearHead::new(self.candidates.rows.view())
    }
}

/// Every index is a candidate, even -100.
fn objective() -> LinearCrossEntropy {
    let mut objective = LinearCrossEntropy::default();
    objective.loss.ignore_index = None;
    objective
}

/// The reduced loss, and the gradient where it has a place.
pub(in crate::ratio) fn run<T: Real>(
    nll: &CandidateNll,
    sides: [ArrayView2<'_, T>; 2],
    targets: &Array1<i64>,
    reduction: Reduction<'_, T>,
    out: Option<&mut CandidateGradient<T>>,
) -> Result<T> {
    reduction.check(targets.shape())?;
    let is_out = |i: usize| matches!(reduction, Reduction::Weighted(weights) if weights[i] == T::zero());
    let rows = Rows::new(nll, sides, targets.len(), is_out)?;
    let Some(out) = out else {
        return objective().value(&rows.hidden, rows.head(), targets, reduction).map_err(own::<T>);
    };
    let (loss, gradient) = objective().grad(&rows.hidden, rows.head(), targets, reduction).map_err(own::<T>)?;
    let LinearGradient { hidden: mut by_hidden, weight: mut by_candidates, .. } = gradient;
    let parts: Vec<f64> = by_hidden.iter().zip(&rows.hidden).map(|(g, h)| g.as_f64() * h.as_f64()).collect();
    out.tau = to_finite(-sum(&parts) / nll.tau, "tau", Position::default())?;
    by_hidden.mapv_inplace(|g| T::from_f64(g.as_f64() / nll.tau));
    rows.embeddings.pull("embeddings", &mut by_hidden)?;
    rows.candidates.pull("candidates", &mut by_candidates)?;
    (out.embeddings, out.candidates) = (by_hidden, by_candidates);
    Ok(loss)
}

/// The loss of each example.
pub(in crate::ratio) fn each<T: Real>(
    nll: &CandidateNll,
    sides: [ArrayView2<'_, T>; 2],
    targets: &Array1<i64>,
) -> Result<Array1<T>> {
    let rows = Rows::new(nll, sides, targets.len(), |_| false)?;
    objective().each(&rows.hidden, rows.head(), targets).map_err(own::<T>)
}

/// An error under the names of this objective, whose own arrays have been checked: what the linear form finds in the
/// rows that it is given has overflowed on the way there.
fn own<T: Real>(error: Error) -> Error {
    let error = match error {
        Error::Value { argument: argument @ ("hidden" | "logits" | "weight"), position, .. } => {
            Error::overflow::<T>(argument, position)
        }
        error => error,
    };
    error.rename(|name| match name {
        "hidden" | "logits" => "embeddings",
        "weight" => "candidates",
        name => name,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::testing::{all_close, close};

    fn sides() -> [Array2<f64>; 2] {
        [array![[1.0, 2.0], [-0.5, 1.5]], array![[2.0, 0.5], [-1.0, 1.0], [0.25, -0.75]]]
    }

    /// scripts/discriminator_reference.py.
    #[test]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        let [embeddings, candidates] = sides();
        let nll = CandidateNll { tau: 0.3 };
        let (loss, gradient) = nll.grad(&embeddings, &candidates, &array![2, 0], Reduction::Mean).unwrap();
        close(loss, 4.047_673_006_918_424, 1e-14);
        let by_embeddings =
            [-0.244_369_592_630_622_2, 0.122_184_796_315_311_1, -1.389_001_066_194_536, -0.463_000_355_398_178_7];
        all_close(gradient.embeddings, by_embeddings, 1e-13);
        all_close(
            gradient.candidates,
            [
                0.076_914_379_049_422_15,
                -0.307_657_516_197_688_6,
                0.551_584_029_478_455_4,
                0.551_584_029_478_455_4,
                -1.402_782_573_228_539_7,
                -0.467_594_191_076_179_9,
            ],
            1e-13,
        );
        close(gradient.tau, -12.200_991_541_362_354, 1e-13);
        assert_eq!(nll.value(&embeddings, &candidates, &array![2, 0], Reduction::Mean), Ok(loss));
        close(nll.each(&embeddings, &candidates, &array![2, 0]).unwrap().sum(), 2.0 * loss, 1e-15);
    }

    #[test]
    fn lengths_change_nothing_and_no_slope_points_along_an_embedding() {
        let [embeddings, candidates] = sides();
        let nll = CandidateNll { tau: 0.05 };
        let (loss, gradient) = nll.grad(&embeddings, &candidates, &array![0, 1], Reduction::Sum).unwrap();
        let scaled = nll.value(&(1e200 * &embeddings), &(1e-300 * &candidates), &array![0, 1], Reduction::Sum).unwrap();
        close(scaled, loss, 1e-12);
        let along = (&gradient.candidates * &candidates).sum_axis(ndarray::Axis(1));
        assert!(along.iter().all(|along| along.abs() < 1e-12), "{along}");
    }

    #[test]
    fn a_cold_temperature_keeps_its_digits_and_candidates_alike_have_ln_c() {
        let [embeddings, _] = sides();
        let (same, opposite) = (array![[1.0, 1.0], [2.0, 2.0], [0.5, 0.5]], array![[1.0, 2.0], [-1.0, -2.0]]);
        let of = |tau, candidates: &Array2<f64>, target: i64| {
            CandidateNll { tau }.value(&embeddings, candidates, &array![target, target], Reduction::Sum).unwrap()
        };
        close(of(1.0, &same, 1), 2.0 * 3.0_f64.ln(), 1e-15);
        close(of(1e-3, &opposite, 1) - of(1e-3, &opposite, 0), 2e3 * (1.0 + 2.5 / 12.5_f64.sqrt()), 1e-12);
    }

    #[test]
    fn an_embedding_of_weight_zero_is_never_looked_at() {
        let [mut embeddings, candidates] = sides();
        let (nll, weights) = (CandidateNll { tau: 0.3 }, array![2.0, 0.0]);
        let of = |embeddings: &Array2<f64>| {
            nll.grad(embeddings, &candidates, &array![2, 0], Reduction::Weighted(&weights)).unwrap()
        };
        let expected = of(&embeddings);
        embeddings.row_mut(1).fill(f64::NAN);
        assert_eq!(of(&embeddings), expected);
        assert_eq!(expected.1.embeddings.row(1), array![0.0, 0.0]);
    }

    #[test]
    fn bad_input_is_named() {
        let [embeddings, candidates] = sides();
        let message = |tau, embeddings: &Array2<f64>, candidates: &Array2<f64>, target: i64| {
            let targets = array![0, target];
            CandidateNll { tau }.value(embeddings, candidates, &targets, Reduction::Mean).unwrap_err().to_string()
        };
        assert_eq!(message(0.0, &embeddings, &candidates, 0), "`tau` is 0, allowed is finite and > 0");
        let zero = array![[1.0, 0.0], [0.0, 0.0]];
        assert_eq!(message(1.0, &zero, &candidates, 0), "`embeddings`[1] is 0, allowed is a row that is not zero");
        assert_eq!(message(1.0, &embeddings, &zero, 0), "`candidates`[1] is 0, allowed is a row that is not zero");
        let bad = array![[1.0, f64::NAN]];
        assert_eq!(message(1.0, &embeddings, &bad, 0), "`candidates`[0, 1] is NaN, allowed is finite");
        assert_eq!(message(1.0, &embeddings, &candidates, 3), "`targets`[1] is 3, allowed are the classes 0 to 2");
        assert_eq!(
            message(1.0, &embeddings, &Array2::zeros((3, 1)), 0),
            "`candidates` has shape [3, 1], expected [3, 2]"
        );
        let none = Array2::zeros((0, 2));
        assert_eq!(message(1.0, &embeddings, &none, 0), "`candidates` is empty, needed is at least one element");
    }
}
