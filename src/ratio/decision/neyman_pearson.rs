//! The threshold of a wanted false-positive rate.

use ndarray::ArrayView1;

use super::ranks::scores;
use crate::{Real, Result, check, parallel};

/// A test that rejects the null hypothesis for high scores, at a given rate of false positives.
///
/// ```math
/// \Pr(\text{reject} \mid s) = \begin{cases} 1 & s > t \\ \gamma & s = t \\ 0 & s < t \end{cases}, \qquad
/// \frac{\#\{s_i > t\} + \gamma\, \#\{s_i = t\}}{n} = \alpha
/// ```
///
/// The threshold `t` is the smallest score of the null sample above which there are at most `αn` of them. At the
/// threshold itself the test rejects with the probability `γ`, so that over the null sample it rejects exactly the
/// share `α`: without that, ties and the finite sample would make the rate jump. With log-likelihood ratios for scores
/// no test has more power (Neyman and Pearson). `γ = 0` where you want no randomness: the rate is then at most `α`.
///
/// # Examples
///
/// ```
/// # use loglik::ndarray::array;
/// # use loglik::ratio::decision::NeymanPearson;
/// let null = array![0.0_f64, 1.0, 2.0, 2.0, 3.0];
/// let test = NeymanPearson::at_rate(null.view(), 0.4)?;
/// assert_eq!(test, NeymanPearson { threshold: 2.0, randomization: 0.5 }); // 1 above and half of 2 are 0.4 of 5
/// assert_eq!(test.rejection_rate(array![5.0, 2.0].view())?, 0.75);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lehmann and Romano, Testing statistical hypotheses, 2005, theorem 3.2.1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct NeymanPearson {
    /// `t`.
    pub threshold: f64,
    /// `γ`, in `[0, 1]`.
    pub randomization: f64,
}

impl NeymanPearson {
    /// From scores under the null hypothesis, `[n]`, and the wanted rate `α` of false positives.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) for a rate outside `[0, 1]`; [`Error::Empty`](crate::Error::Empty)
    /// for no scores; [`Error::Value`](crate::Error::Value) for a score that is NaN.
    pub fn at_rate<T: Real>(null: ArrayView1<'_, T>, rate: f64) -> Result<Self> {
        T::neyman_pearson(null, rate)
    }

    /// How often the test rejects on these scores: its power where they are of the alternative, its rate of false
    /// positives where they are of the null hypothesis.
    ///
    /// # Errors
    ///
    /// As [`NeymanPearson::at_rate`].
    pub fn rejection_rate<T: Real>(&self, of: ArrayView1<'_, T>) -> Result<f64> {
        let of = scores("of", of)?;
        let chance = |score: &f64| match score {
            score if *score > self.threshold => 1.0,
            score if *score == self.threshold => self.randomization,
            _ => 0.0,
        };
        Ok(of.iter().map(chance).sum::<f64>() / of.len() as f64)
    }
}

pub(in crate::ratio) fn threshold<T: Real>(null: ArrayView1<'_, T>, rate: f64) -> Result<NeymanPearson> {
    check::parameter("rate", rate, "[0, 1]", (0.0..=1.0).contains(&rate))?;
    let null = scores("null", null)?;
    let order = parallel::ascending(&null);
    let (wanted, mut above) = (rate * null.len() as f64, 0.0);
    let mut test = NeymanPearson { threshold: f64::INFINITY, randomization: 0.0 };
    for ties in order.chunk_by(|&a, &b| null[a] == null[b]).rev() {
        let equal = ties.len() as f64;
        test = NeymanPearson { threshold: null[ties[0]], randomization: ((wanted - above) / equal).min(1.0) };
        if wanted < above + equal {
            break;
        }
        above += equal;
    }
    Ok(test)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;

    #[test]
    fn the_null_sample_is_rejected_at_exactly_the_wanted_rate() {
        let null = array![2.0, -1.0, 2.0, f64::NEG_INFINITY, 0.5, 2.0, 7.0, -1.0];
        for rate in [0.0, 0.05, 0.125, 0.3, 0.5, 0.77, 0.99, 1.0] {
            let test = NeymanPearson::at_rate(null.view(), rate).unwrap();
            let got = test.rejection_rate(null.view()).unwrap();
            assert!((got - rate).abs() < 1e-15, "{rate}: {got} by {test:?}");
        }
        let all = NeymanPearson::at_rate(null.view(), 1.0).unwrap();
        assert_eq!(all, NeymanPearson { threshold: f64::NEG_INFINITY, randomization: 1.0 });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |null: &[f64], rate| NeymanPearson::at_rate(aview1(null), rate).unwrap_err().to_string();
        assert_eq!(message(&[1.0], 1.5), "`rate` is 1.5, allowed is [0, 1]");
        assert_eq!(message(&[], 0.5), "`null` is empty, needed is at least one element");
        assert_eq!(message(&[1.0, f64::NAN], 0.5), "`null`[1] is NaN, allowed is not NaN");
    }
}
