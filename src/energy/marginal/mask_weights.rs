//! What each masked token counts in an any-order likelihood.

use ndarray::{Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2};

use super::NoiseSchedule;
use crate::{Error, Real, Result, check};

/// Weights of an any-order negative log-likelihood: what each masked token counts, so that the weighted cross-entropy is an
/// unbiased estimate of one and the same bound.
///
/// ```math
/// -\log p(x) \le \mathbb{E}_\pi \sum_{l=1}^{D} -\log c(x_{\pi(l)} \mid x_{\pi(<l)})
/// = \mathbb{E}_{k, M} \frac{D}{k} \sum_{i \in M} -\log c(x_i \mid x_{\setminus M})
/// = \int_0^1 \frac1\lambda\, \mathbb{E}_M \sum_{i \in M} -\log c(x_i \mid x_{\setminus M})\, d\lambda
/// ```
///
/// `masked` is `[B, D]`, true where a token is hidden from the model and counts. The result has its shape; what is not masked
/// has the weight 0. It goes into [`Reduction::Weighted`](crate::Reduction::Weighted) of
/// [`CrossEntropy`](crate::logits::CrossEntropy), whose gradient at a masked token is then `w (softmax - onehot)` and which
/// never reads the others; divide the sum by `B` for a mean.
///
/// # Errors
///
/// - [`Error::Shape`]: not as many levels or times as samples.
/// - [`Error::Value`]: a level that is not in `(0, 1]`, or a time that is not in `(0, 1]`.
/// - [`Error::Parameter`]: a schedule out of its range. [`Error::Overflow`]: a weight that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::MaskWeights;
/// let masked = array![[true, false, true], [false, false, true]];
/// let weights = MaskWeights::<f64>::PerMasked.weights(&masked)?;
/// assert_eq!(weights, array![[1.5, 0.0, 1.5], [0.0, 0.0, 3.0]]); // D/k
///
/// let logits = loglik::ndarray::Array3::<f64>::zeros((2, 3, 4));
/// let targets = array![[0, 1, 2], [3, 2, 1]];
/// let nll = CrossEntropy::default().value(&logits, &targets, Reduction::Weighted(&weights))?;
/// assert!((nll - 6.0 * 4_f64.ln()).abs() < 1e-14); // three tokens for each of two samples
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Uria, Murray and Larochelle, A deep and tractable density estimator, ICML 2014,
/// [arXiv:1310.1757](https://arxiv.org/abs/1310.1757); Hoogeboom et al., ICLR 2022,
/// [arXiv:2110.02037](https://arxiv.org/abs/2110.02037); Ou et al., ICLR 2025,
/// [arXiv:2406.03736](https://arxiv.org/abs/2406.03736).
#[doc(alias = "masked_nll")]
#[doc(alias = "any-order autoregressive")]
#[doc(alias = "AO-ARM")]
#[doc(alias = "RADD")]
#[doc(alias = "DCE")]
#[derive(Clone, Copy, Debug)]
pub enum MaskWeights<'a, T> {
    /// 1: a plain sum, as for the steps of one order.
    Sum,
    /// `D / k`, where `k` of the `D` tokens of a sample are masked: `k` is uniform on `1..=D`, the mask on subsets of
    /// that size.
    PerMasked,
    /// `1 / λ` of each sample, `[B]`: every token is masked with probability `λ`, which is uniform on `(0, 1]`.
    InverseLevel(&'a ArrayRef1<T>),
    /// `κ(t)` of each sample, `[B]`: every token is masked with the probability of the schedule at time `t`, uniform on
    /// `(0, 1]`.
    Schedule {
        /// The times.
        times: &'a ArrayRef1<T>,
        /// The schedule.
        schedule: NoiseSchedule,
    },
}

/// The arguments of a rule, as the compiled function takes them.
#[derive(Debug)]
pub enum MaskRule<'a, T> {
    Sum,
    PerMasked,
    InverseLevel(ArrayView1<'a, T>),
    Schedule(ArrayView1<'a, T>, NoiseSchedule),
}

impl<T: Real> MaskWeights<'_, T> {
    /// The weight of each token.
    ///
    /// # Errors
    ///
    /// See [`MaskWeights`].
    pub fn weights(&self, masked: &ArrayRef2<bool>) -> Result<Array2<T>> {
        let rule = match *self {
            Self::Sum => MaskRule::Sum,
            Self::PerMasked => MaskRule::PerMasked,
            Self::InverseLevel(levels) => MaskRule::InverseLevel(levels.view()),
            Self::Schedule { times, schedule } => MaskRule::Schedule(times.view(), schedule),
        };
        T::masked_token_weights(&rule, masked.view())
    }
}

impl<T: Real> MaskRule<'_, T> {
    /// [`MaskWeights::weights`], compiled here.
    pub(in crate::energy) fn compute(&self, masked: ArrayView2<'_, bool>) -> Result<Array2<T>> {
        let samples = masked.nrows();
        match self {
            Self::InverseLevel(levels) => check::shape("levels", levels.shape(), &[samples])?,
            Self::Schedule(times, _) => check::shape("times", times.shape(), &[samples])?,
            Self::Sum | Self::PerMasked => {}
        }
        let mut weights = Array2::zeros(masked.raw_dim());
        for (sample, (mut to, masked)) in weights.rows_mut().into_iter().zip(masked.rows()).enumerate() {
            let weight = self.weight(sample, masked)?;
            to.iter_mut().zip(masked).filter(|(_, masked)| **masked).for_each(|(to, _)| *to = weight);
        }
        Ok(weights)
    }

    /// What a masked token of this sample counts.
    fn weight(&self, sample: usize, masked: ArrayView1<'_, bool>) -> Result<T> {
        let (argument, weight) = match self {
            Self::Sum => return Ok(T::one()),
            Self::PerMasked => {
                let count = masked.iter().filter(|masked| **masked).count();
                return Ok(T::from_f64(masked.len() as f64 / count.max(1) as f64));
            }
            Self::InverseLevel(levels) => ("levels", 1.0 / proper("levels", levels, sample)?),
            Self::Schedule(times, schedule) => ("times", schedule.masked_weight(proper("times", times, sample)?)?),
        };
        let narrow = T::from_f64(weight);
        if narrow.is_finite() { Ok(narrow) } else { Err(Error::overflow::<T>(argument, sample)) }
    }
}

/// The number of a sample, in `(0, 1]`.
fn proper<T: Real>(argument: &'static str, numbers: &ArrayView1<'_, T>, sample: usize) -> Result<f64> {
    let value = numbers[sample].as_f64();
    match value > 0.0 && value <= 1.0 {
        true => Ok(value),
        false => Err(Error::Value { argument, position: sample.into(), value, allowed: "(0, 1]" }),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn every_rule_weighs_what_is_masked_alone() {
        let masked = array![[true, false, true, true], [false, false, false, false]];
        let (levels, none) = (array![0.25, 0.5], Array2::zeros((2, 4)));
        let row = |x: f64| {
            let mut all: Array2<f64> = none.clone();
            [0, 2, 3].into_iter().for_each(|i| all[[0, i]] = x);
            all
        };
        assert_eq!(MaskWeights::Sum.weights(&masked), Ok(row(1.0)));
        assert_eq!(MaskWeights::PerMasked.weights(&masked), Ok(row(4.0 / 3.0)));
        assert_eq!(MaskWeights::InverseLevel(&levels).weights(&masked), Ok(row(4.0)));
        let rule = MaskWeights::Schedule { times: &levels, schedule: NoiseSchedule::default() };
        assert_eq!(rule.weights(&masked), Ok(row(4.0)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let masked = array![[true], [true]];
        let message = |levels: ndarray::Array1<f32>| {
            let rule = MaskWeights::Schedule { times: &levels, schedule: NoiseSchedule::default() };
            let times = rule.weights(&masked).unwrap_err().to_string();
            let levels = MaskWeights::InverseLevel(&levels).weights(&masked).unwrap_err().to_string();
            assert_eq!(times.replace("times", "levels"), levels);
            levels
        };
        assert_eq!(message(array![1.0]), "`levels` has shape [1], expected [2]");
        assert_eq!(message(array![1.0, 0.0]), "`levels`[1] is 0, allowed is (0, 1]");
        assert_eq!(message(array![f32::NAN, 1.0]), "`levels`[0] is NaN, allowed is (0, 1]");
        assert_eq!(message(array![1.0, 1e-40]), "the result at `levels`[1] overflows f32");
    }
}
