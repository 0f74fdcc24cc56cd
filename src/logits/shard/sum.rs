//! The sum of exponentials over a part of the classes, mergeable with that of another part.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::simd::RowSum;
use crate::{Error, Real, Result, check};

/// Sum of the exponentials of one row of logits over a part of the vocabulary, and the logit of the target if that part
/// holds it: all that a machine must send for its share of a softmax.
///
/// ```math
/// \sum_{v \in A} e^{x_v} = e^{m_A} (1 + r_A), \qquad m_A = \max_{v \in A} x_v, \qquad
/// 1 + r_{A \cup B} = e^{m_A - m} (1 + r_A) + e^{m_B - m} (1 + r_B), \quad m = \max(m_A, m_B)
/// ```
///
/// `max` is `m` and `others` is `r`: one element that equals the maximum is left out, so that a log-probability near 0
/// keeps its digits through every merge. `others` and all results are `f64` whatever the logits are. Sums come from a
/// [`VocabularyShard`](super::VocabularyShard); [`LogSumExp::merge`] of disjoint parts is the sum over both, in any
/// order and grouping, and [`LogSumExp::merge_rows`] that of whole arrays. The sum over nothing, or over nothing but logits
/// of -inf, has the maximum -inf. There is no NaN inside.
///
/// With the feature `serde` every sum survives any format, those without infinities included: a missing `max`, or a
/// missing `target` where `holds_target` is true, is -inf.
///
/// # Examples
///
/// ```
/// # use loglik::logits::LogSumExp;
/// let left = LogSumExp::new(2.0_f64, (-1.0_f64).exp(), None)?; // logits 1 and 2
/// let right = LogSumExp::new(3.0, 0.0, Some(3.0))?; // logit 3, which is that of the target
/// let whole = left.merge(right)?;
/// assert!((whole.log_sum_exp() - 3.407_605_964_444_38).abs() < 1e-14);
/// assert!((whole.log_prob().unwrap() + 0.407_605_964_444_380_1).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Merging of maximum and sum: Milakov and Gimelshein 2018, section 3.1,
/// [arXiv:1805.02867](https://arxiv.org/abs/1805.02867).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Wire<T>", into = "Wire<T>"),
    serde(bound(serialize = "T: Real + serde::Serialize", deserialize = "T: Real + serde::Deserialize<'de>"))
)]
pub struct LogSumExp<T> {
    max: T,
    others: f64,
    target: Option<T>,
}

impl<T: Real> LogSumExp<T> {
    /// The sum over nothing, which changes no other by a merge.
    pub fn empty() -> Self {
        Self { max: T::neg_infinity(), others: 0.0, target: None }
    }

    /// A sum from its three numbers, as they come from another machine.
    ///
    /// # Errors
    ///
    /// [`Parameter`](crate::Error::Parameter) where no logits have such a sum: a `max` that is NaN or +inf, `others`
    /// that are negative, not finite, or not 0 below a maximum of -inf, a `target` that is NaN or above the maximum.
    pub fn new(max: T, others: f64, target: Option<T>) -> Result<Self> {
        check::parameter("max", max.as_f64(), "finite or -inf", max < T::infinity())?;
        let holds = others >= 0.0 && others.is_finite() && (others == 0.0 || max.is_finite());
        check::parameter("others", others, "finite and >= 0, 0 where `max` is -inf", holds)?;
        if let Some(logit) = target {
            check::parameter("target", logit.as_f64(), "at most `max`", logit <= max)?;
        }
        Ok(Self { max, others, target })
    }

    /// The sum of a row as the kernels leave it, `None` where that holds NaN or +inf.
    pub(crate) fn from_row(sum: &RowSum<T>, target: Option<T>) -> Option<Self> {
        let is_sound = sum.others.is_finite() && sum.max < T::infinity();
        is_sound.then_some(Self { max: sum.max, others: sum.others, target })
    }

    /// The same as the kernels take it.
    pub(crate) fn row(&self) -> RowSum<T> {
        RowSum { max: self.max, others: self.others, moment: 0.0 }
    }

    /// The sum over the classes of both, which must be disjoint.
    ///
    /// The order of the two leaves no trace, down to the last bit; the grouping of three changes `others` by some ulps.
    /// To get the same bits on every machine, merge in the same grouping.
    ///
    /// # Errors
    ///
    /// [`Value`](Error::Value) where both hold the target, which disjoint parts never do: some classes would count twice.
    /// [`Overflow`](Error::Overflow) where `others` leave `f64`, which sums of logits never do.
    pub fn merge(self, other: Self) -> Result<Self> {
        self.merge_at(other, Position::default)
    }

    /// [`LogSumExp::merge`] of each row of two arrays of one shape.
    ///
    /// # Errors
    ///
    /// Those of [`LogSumExp::merge`], which name the row; [`Shape`](Error::Shape).
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::{logits::LogSumExp, ndarray::array};
    /// let (left, right) = (LogSumExp::new(2.0_f64, 0.5, None)?, LogSumExp::new(3.0, 0.0, Some(3.0))?);
    /// let whole = LogSumExp::merge_rows(&array![left, right], &array![right, left])?;
    /// assert_eq!(whole[0], whole[1]);
    /// let error = LogSumExp::merge_rows(&whole, &array![left, right]).unwrap_err();
    /// assert_eq!(error.to_string(), "`target`[1] is 3, allowed is none in one part where the other holds it");
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn merge_rows<D: Dimension>(left: &ArrayRef<Self, D>, right: &ArrayRef<Self, D>) -> Result<Array<Self, D>> {
        Ok(in_dimension(T::merged_rows(left.view().into_dyn(), right.view().into_dyn())?))
    }

    fn merge_at(self, other: Self, position: impl FnOnce() -> Position) -> Result<Self> {
        let (high, low) = if other.max > self.max { (other, self) } else { (self, other) };
        let factor = match low.max == T::neg_infinity() {
            true => 0.0,
            false => (low.max.as_f64() - high.max.as_f64()).exp(),
        };
        // The largest element of the lower part is one among the others now.
        let others = (high.others + factor * low.others) + factor;
        if let (Some(_), Some(logit)) = (self.target, other.target) {
            let (value, allowed) = (logit.as_f64(), "none in one part where the other holds it");
            return Err(Error::Value { argument: "target", position: position(), value, allowed });
        }
        if others == f64::INFINITY {
            return Err(Error::overflow::<f64>("others", position()));
        }
        Ok(Self { max: high.max, others, target: self.target.or(other.target) })
    }

    /// Largest logit, -inf where there is none.
    pub fn max(&self) -> T {
        self.max
    }

    /// `Σ e^(x - max)` over all classes but one whose logit is the maximum.
    pub fn others(&self) -> f64 {
        self.others
    }

    /// The logit of the target, if it is among these classes.
    pub fn target(&self) -> Option<T> {
        self.target
    }

    /// `ln Σ e^x`, -inf for the sum over nothing.
    pub fn log_sum_exp(&self) -> f64 {
        self.row().log_sum_exp()
    }

    /// Log-probability of the target in nats, relative precision kept near 0. `None` where no part holds it, or where
    /// there is no distribution since all logits are -inf.
    ///
    /// It is -inf where the target's logit is, or where a finite one of `f64` lies further below the largest than the
    /// type reaches.
    pub fn log_prob(&self) -> Option<f64> {
        self.nll().map(|nll| 0.0 - nll)
    }

    /// Negative log-likelihood of the target, `-log_prob`.
    pub fn nll(&self) -> Option<f64> {
        let target = self.target.filter(|_| self.max.is_finite())?;
        Some(self.row().nll(target))
    }

    /// Probability of a class whose logit is `x`, `e^x / Σ e^x`; `None` where all logits are -inf.
    pub fn prob(&self, x: T) -> Option<f64> {
        self.max.is_finite().then(|| self.row().prob(x))
    }
}

/// [`LogSumExp::merge`] of each row.
pub(in crate::logits) fn merged_rows<T: Real>(
    left: ArrayViewD<'_, LogSumExp<T>>,
    right: ArrayViewD<'_, LogSumExp<T>>,
) -> Result<ArrayD<LogSumExp<T>>> {
    check::shape("right", right.shape(), left.shape())?;
    let mut merged = ArrayD::from_elem(left.raw_dim(), LogSumExp::empty());
    let rows = left.iter().zip(&right).zip(&mut merged).enumerate();
    for (row, ((a, b), to)) in rows {
        *to = a.merge_at(*b, || Position::unravel(row, left.shape()))?;
    }
    Ok(merged)
}

/// The sum over nothing.
impl<T: Real> Default for LogSumExp<T> {
    fn default() -> Self {
        Self::empty()
    }
}

/// What is written to files: no infinities, which JSON does not have.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<T> {
    max: Option<T>,
    others: f64,
    holds_target: bool,
    target: Option<T>,
}

#[cfg(feature = "serde")]
impl<T: Real> From<LogSumExp<T>> for Wire<T> {
    fn from(sum: LogSumExp<T>) -> Self {
        let finite = |x: T| Some(x).filter(|x| x.is_finite());
        let LogSumExp { max, others, target } = sum;
        Self { max: finite(max), others, holds_target: target.is_some(), target: target.and_then(finite) }
    }
}

#[cfg(feature = "serde")]
impl<T: Real> TryFrom<Wire<T>> for LogSumExp<T> {
    type Error = crate::Error;

    fn try_from(wire: Wire<T>) -> Result<Self> {
        let target = wire.holds_target.then_some(wire.target.unwrap_or(T::neg_infinity()));
        Self::new(wire.max.unwrap_or(T::neg_infinity()), wire.others, target)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const INF: f64 = f64::INFINITY;

    fn sum(max: f64, others: f64, target: Option<f64>) -> LogSumExp<f64> {
        LogSumExp::new(max, others, target).unwrap()
    }

    fn merged(a: LogSumExp<f64>, b: LogSumExp<f64>) -> LogSumExp<f64> {
        a.merge(b).unwrap()
    }

    /// Sums that tie, that are empty, that lie far apart.
    fn parts() -> Vec<LogSumExp<f64>> {
        let low = sum(-3.5, 2.25, Some(-4.0));
        vec![sum(3.0, 0.3, None), sum(3.0, 1.7, None), sum(2.1, 0.0, None), low, sum(-800.0, 0.5, None)]
    }

    #[test]
    fn the_order_leaves_no_trace_and_the_grouping_some_ulps() {
        let parts = parts();
        for &a in &parts {
            for &b in &parts {
                if a.target.is_some() && b.target.is_some() {
                    continue; // below
                }
                assert_eq!(merged(a, b), merged(b, a));
                for &c in parts.iter().filter(|c| c.target.is_none()) {
                    let (left, right) = (merged(merged(a, b), c), merged(a, merged(b, c)));
                    assert_eq!((left.max, left.target), (right.max, right.target));
                    assert!((left.others - right.others).abs() <= 1e-15 * right.others);
                }
            }
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let nothing = sum(-INF, 0.0, None);
        assert_eq!((LogSumExp::default(), merged(nothing, nothing)), (nothing, nothing));
        for part in parts() {
            assert_eq!((merged(part, nothing), merged(nothing, part)), (part, part));
        }
        assert_eq!((nothing.log_sum_exp(), nothing.prob(0.0), nothing.log_prob()), (-INF, None, None));
        let ruled_out = sum(-INF, 0.0, Some(-INF));
        assert_eq!(ruled_out.nll(), None);
        assert_eq!(merged(ruled_out, sum(1.0, 0.0, None)).log_prob(), Some(-INF));
    }

    #[test]
    fn ties_are_counted_exactly() {
        let one = sum(7.0, 0.0, Some(7.0));
        let four = [sum(7.0, 0.0, None); 3].into_iter().fold(one, merged);
        assert_eq!((four.max(), four.others(), four.target()), (7.0, 3.0, Some(7.0)));
        assert_eq!((four.prob(7.0), four.log_prob()), (Some(0.25), Some(-(3.0_f64.ln_1p()))));
    }

    #[test]
    fn parts_that_both_hold_the_target_are_refused() {
        let (whole, rest) = (sum(3.0, 0.5, Some(2.0)), sum(1.0, 0.0, None));
        let message = "`target` is 2, allowed is none in one part where the other holds it";
        assert_eq!(whole.merge(whole).unwrap_err().to_string(), message);
        let (left, right) = (array![[whole, rest], [rest, whole]], array![[rest, rest], [rest, merged(whole, rest)]]);
        let error = LogSumExp::merge_rows(&left, &right).unwrap_err().to_string();
        assert_eq!(error, message.replace("`target`", "`target`[1, 1]"));
        let impossible = sum(3.0, 0.5, Some(-INF));
        assert!(whole.merge(impossible).is_err() && impossible.merge(whole).is_err());
        let error = LogSumExp::merge_rows(&left, &right.row(0).insert_axis(ndarray::Axis(0))).unwrap_err();
        assert_eq!(error.to_string(), "`right` has shape [1, 2], expected [2, 2]");
        let huge = sum(0.0, f64::MAX, None);
        assert_eq!(huge.merge(huge).unwrap_err().to_string(), "the result at `others` overflows f64");
    }

    #[test]
    fn numbers_that_no_logits_have_are_refused() {
        let message = |max, others, target| LogSumExp::<f64>::new(max, others, target).unwrap_err().to_string();
        assert_eq!(message(f64::NAN, 0.0, None), "`max` is NaN, allowed is finite or -inf");
        assert_eq!(message(INF, 0.0, None), "`max` is inf, allowed is finite or -inf");
        let allowed = "allowed is finite and >= 0, 0 where `max` is -inf";
        assert_eq!(message(0.0, -0.5, None), format!("`others` is -0.5, {allowed}"));
        assert_eq!(message(0.0, f64::NAN, None), format!("`others` is NaN, {allowed}"));
        assert_eq!(message(0.0, INF, None), format!("`others` is inf, {allowed}"));
        assert_eq!(message(-INF, 1.0, None), format!("`others` is 1, {allowed}"));
        assert_eq!(message(0.0, 1.0, Some(0.5)), "`target` is 0.5, allowed is at most `max`");
        assert_eq!(message(0.0, 1.0, Some(f64::NAN)), "`target` is NaN, allowed is at most `max`");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn every_sum_survives_json() {
        for part in
            parts().into_iter().chain([LogSumExp::empty(), sum(-INF, 0.0, Some(-INF)), sum(0.1, 0.0, Some(-INF))])
        {
            let text = serde_json::to_string(&part).unwrap();
            assert_eq!(serde_json::from_str::<LogSumExp<f64>>(&text).unwrap(), part, "{text}");
        }
        let text = r#"{ "max": 1.0, "others": -1.0, "holds_target": false, "target": null }"#;
        assert!(serde_json::from_str::<LogSumExp<f64>>(text).unwrap_err().to_string().contains("`others` is -1"));
    }
}
