//! What a batch of sequences comes to: a sum and a length for each.

use ndarray::{Array1, ArrayRef1, ArrayView1, Zip};

use crate::{Error, Real, Result, check};

/// Sequence log-probabilities: sums over the scored tokens of each sequence, and the numbers of these tokens, as
/// objectives take them.
///
/// ```math
/// s_i = \sum_t m_{it}\, x_{it}, \qquad n_i = \sum_t m_{it}, \qquad \bar s_i = s_i / n_i
/// ```
///
/// Both come from one mask. A sequence without a scored token has sum 0 and length 0; it has no mean. Lengths are of
/// the element type, since they enter formulas; they are exact up to 2²⁴ tokens in `f32`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let log_probs = array![[-1.0_f64, -2.0, -9.0], [-0.5, -9.0, -9.0]];
/// let mask = array![[true, true, false], [true, false, false]];
/// let sequences = sum_tokens(&log_probs, TokenMask::padded(mask.view()))?;
/// assert_eq!(sequences.sums, array![-3.0, -0.5]);
/// assert_eq!(sequences.lengths, array![2.0, 1.0]);
/// assert_eq!(sequences.means()?, array![-1.5, -0.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "sequence log-probability")]
#[doc(alias = "logps")]
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Sequences<T> {
    /// Sum over the scored tokens, `[B]`: with log-probabilities `ln π(y|x)`, in nats.
    pub sums: Array1<T>,
    /// Number of scored tokens, `[B]`.
    pub lengths: Array1<T>,
}

impl<T: Real> Sequences<T> {
    /// `sum / length` of each sequence.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] where a length is 0, naming the sequence: there is nothing to average, and which number should
    /// stand for it is the caller's to say. [`Error::Shape`] where the two fields differ in length.
    pub fn means(&self) -> Result<Array1<T>> {
        T::per_token(self, self.sums.view(), "sums")
    }

    /// Gradient with respect to the sums, from the gradient with respect to the means: `cotangent / length`.
    ///
    /// Lengths are constants. What returns goes on to [`sum_tokens_backward`](super::sum_tokens_backward).
    ///
    /// # Errors
    ///
    /// As [`means`](Self::means).
    pub fn means_backward(&self, cotangent: &ArrayRef1<T>) -> Result<Array1<T>> {
        T::per_token(self, cotangent.view(), "cotangent")
    }

    /// The same sums with the lengths `n^power`: what is divided by lengths is then divided by that power of them.
    ///
    /// An objective with [`Length::Mean`](crate::preference::Length::Mean), given these lengths, is of `s / n^power`: 1 are
    /// means, 0 sums. RRHF's `length_penalty` is such a power.
    ///
    /// # Errors
    ///
    /// A power that is not finite; a length that is not above 0, or whose power leaves the type.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::{prelude::*, ndarray::array};
    /// let sequences = Sequences { sums: array![-8.0_f64, -3.0], lengths: array![4.0, 9.0] };
    /// assert_eq!(sequences.with_length_power(0.5)?.means()?, array![-4.0, -1.0]);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn with_length_power(&self, power: f64) -> Result<Self> {
        T::with_length_power(self, power)
    }

    pub(super) fn powered(&self, power: f64) -> Result<Self> {
        check::finite("power", power)?;
        let mut lengths = self.lengths.clone();
        for (index, n) in lengths.indexed_iter_mut() {
            let powered = T::from_f64(n.as_f64().powf(power));
            if !(*n > T::zero() && powered > T::zero() && powered.is_finite()) {
                let allowed = "> 0, with a power that is finite and > 0";
                return Err(Error::Value { argument: "lengths", position: index.into(), value: n.as_f64(), allowed });
            }
            *n = powered;
        }
        Ok(Self { sums: self.sums.clone(), lengths })
    }

    pub(super) fn per_token(&self, values: ArrayView1<'_, T>, argument: &'static str) -> Result<Array1<T>> {
        check::shape(argument, values.shape(), self.lengths.shape())?;
        if let Some((index, length)) = self.lengths.indexed_iter().find(|(_, n)| !(**n > T::zero() && n.is_finite())) {
            let allowed = "> 0, a mean needs a token";
            return Err(Error::Value { argument: "lengths", position: index.into(), value: length.as_f64(), allowed });
        }
        Ok(Zip::from(values).and(&self.lengths).map_collect(|&x, &n| x / n))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;

    #[test]
    fn a_mean_over_no_token_names_the_sequence() {
        let sequences = Sequences { sums: array![-3.0_f32, 0.0], lengths: array![2.0, 0.0] };
        let message = "`lengths`[1] is 0, allowed is > 0, a mean needs a token";
        assert_eq!(sequences.means().unwrap_err().to_string(), message);
        assert_eq!(sequences.means_backward(&aview1(&[1.0, 1.0])).unwrap_err().to_string(), message);
    }

    #[test]
    fn powers_of_lengths_lie_between_sums_and_means() {
        let sequences = Sequences { sums: array![-3.0, -8.0], lengths: array![2.0, 4.0] };
        assert_eq!(sequences.with_length_power(1.0).unwrap(), sequences);
        assert_eq!(sequences.with_length_power(0.0).unwrap().means().unwrap(), sequences.sums);
        let none = Sequences { sums: array![-3.0_f32], lengths: array![0.0] };
        let message = none.with_length_power(0.0).unwrap_err().to_string();
        assert_eq!(message, "`lengths`[0] is 0, allowed is > 0, with a power that is finite and > 0");
        let power = sequences.with_length_power(f64::NAN).unwrap_err().to_string();
        assert_eq!(power, "`power` is NaN, allowed is finite");
    }

    #[test]
    fn the_gradient_of_a_mean_is_shared_by_its_tokens() {
        let sequences = Sequences { sums: array![-3.0, -8.0], lengths: array![2.0, 4.0] };
        assert_eq!(sequences.means().unwrap(), array![-1.5, -2.0]);
        assert_eq!(sequences.means_backward(&aview1(&[1.0, -2.0])).unwrap(), array![0.5, -0.5]);
        let message = sequences.means_backward(&aview1(&[1.0])).unwrap_err().to_string();
        assert_eq!(message, "`cotangent` has shape [1], expected [2]");
    }
}
