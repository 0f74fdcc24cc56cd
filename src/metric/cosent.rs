//! CoSENT: scores of pairs in the order of their gold scores.

use ndarray::{Array1, ArrayRef1};

use super::log_sum::{e, log_one_plus_sum_shares};
use super::numbers;
use crate::math::log_add_exp;
use crate::{Real, Result, check, parallel};

/// CoSENT loss: wherever one pair of texts has a higher gold score than another, its score should be higher, too.
///
/// ```math
/// L = \ln\Bigl(1 + \sum_{g_i < g_j} e^{\lambda (s_i - s_j)}\Bigr)
/// ```
///
/// `s` are scores of pairs, `[n]`, such as cosines ([`paired_scores`](super::paired_scores), whose backward takes the
/// gradient to the embeddings), `g` the gold scores, of which only the order counts: equal ones are not compared. `λ`
/// is `scale`. It is a function of the whole batch, with no loss for each pair, and 0 where nothing is compared. The
/// gradient is `λ` times the share that each score has of the sum, as the lower and, with the other sign, as the higher
/// one; it adds up to 0.
///
/// The sum has n² terms and is taken in the time of a sort, by log-sum-exps over what lies above and below.
///
/// # Errors
///
/// [`Parameter`](crate::Error::Parameter) for a scale that is not finite and `> 0`; [`Shape`](crate::Error::Shape) for gold
/// scores of another length; [`Value`](crate::Error::Value) for a number that is not finite;
/// [`Overflow`](crate::Error::Overflow) for a result out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::Cosent;
/// let (scores, gold) = (array![0.5_f64, 0.4, 0.9], array![1.0, 5.0, 5.0]);
/// let (loss, gradient) = Cosent { scale: 10.0 }.grad(&scores, &gold)?;
/// assert!((loss - (1.0_f64.exp() + (-4.0_f64).exp()).ln_1p()).abs() < 1e-15);
/// assert!(gradient.sum().abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Huang et al., IEEE/ACM TASLP 2024, [doi:10.1109/TASLP.2024.3402087](https://doi.org/10.1109/TASLP.2024.3402087);
/// sentence-transformers, `CoSENTLoss`.
#[doc(alias = "CoSENTLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Cosent {
    /// What differences of scores are multiplied by, `> 0`. Default 20 (sentence-transformers).
    pub scale: f64,
}

impl Default for Cosent {
    fn default() -> Self {
        Self { scale: 20.0 }
    }
}

impl Cosent {
    /// The loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real>(&self, scores: &ArrayRef1<T>, gold: &ArrayRef1<T>) -> Result<T> {
        T::metric_round(self.read(scores, gold)?.0, "scores")
    }

    /// The loss and its gradient in the scores.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real>(&self, scores: &ArrayRef1<T>, gold: &ArrayRef1<T>) -> Result<(T, Array1<T>)> {
        let (value, slopes) = self.read(scores, gold)?;
        Ok((T::metric_round(value, "scores")?, T::metric_write_numbers("scores", &slopes)?))
    }

    fn read<T: Real>(&self, scores: &ArrayRef1<T>, gold: &ArrayRef1<T>) -> Result<(f64, Vec<f64>)> {
        check::shape("gold", gold.shape(), scores.shape())?;
        let scores = numbers::read_all_numbers("scores", scores)?;
        self.of(&scores, &numbers::read_all_numbers("gold", gold)?)
    }

    /// Loss and slopes.
    pub(super) fn of(&self, scores: &[f64], gold: &[f64]) -> Result<(f64, Vec<f64>)> {
        check::positive("scale", self.scale)?;
        let order = parallel::ascending(gold);
        let above = beyond(order.iter().rev(), gold, |i| -self.scale * scores[i]);
        let below = beyond(order.iter(), gold, |i| self.scale * scores[i]);
        let (n, mut slopes) = (scores.len(), vec![0.0; scores.len()]);
        let z = |i: usize| self.scale * scores[i] + above[i];
        let loss = log_one_plus_sum_shares(n, |_| true, z, |i, share| slopes[i] = share);
        for (i, slope) in slopes.iter_mut().enumerate() {
            *slope = self.scale * (*slope - e(below[i] - self.scale * scores[i] - loss));
        }
        Ok((loss, slopes))
    }
}

/// For each number, `ln Σ e^z` over those that come before it in this order and have another gold score; -inf of none.
fn beyond<'a>(order: impl Iterator<Item = &'a usize>, gold: &[f64], z: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut found = vec![f64::NEG_INFINITY; gold.len()];
    let (mut before, mut with_ties, mut last) = (f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NAN);
    for &i in order {
        if gold[i] != last {
            (before, last) = (with_ties, gold[i]);
        }
        found[i] = before;
        with_ties = log_add_exp::<f64, false>(with_ties, z(i));
    }
    found
}
