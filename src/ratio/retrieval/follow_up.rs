//! Rewards by the likelihood of what would be said next.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2};

use crate::reduction::to_finite;
use crate::{Error, Real, Result, check};

/// How a follow-up utterance takes the response before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Reaction {
    /// The response was good.
    Positive,
    /// It was not.
    Negative,
}

/// What a follow-up utterance stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FollowUp {
    /// How it takes the response.
    pub reaction: Reaction,
    /// The aspect that it speaks of: understanding, relevance, ... Any number; equal numbers belong together.
    pub category: usize,
}

/// Follow-up likelihood as reward (FLR): how much likelier a good reaction is after each response than a bad one.
///
/// ```math
/// R_n = \frac1K \sum_{k=1}^K \biggl( \frac{1}{|F_k^+|} \sum_{f \in F_k^+} \frac{\log p_{nf}}{l_f}
///     - \frac{1}{|F_k^-|} \sum_{f \in F_k^-} \frac{\log p_{nf}}{l_f} \biggr)
/// ```
///
/// `log_probs` `[N, F]` are log-probabilities, summed over tokens and in nats, of `F` fixed utterances after each of `N`
/// responses to one prompt; `lengths` `[F]` are the numbers of their tokens. `K` is the number of categories; the paper has
/// six, of ten utterances each. The code of the paper averages raw logits at positions that are not shifted: this is the
/// formula of the paper. A number added to every `log_probs / lengths` changes nothing, and exchanging the reactions
/// turns the sign.
///
/// Rewards become preferences by [`best_and_worst`]. They are linear, and [`follow_up_reward_backward`] is the way back.
///
/// # Errors
///
/// [`Error::Shape`]; [`Error::Empty`]: no follow-ups; [`Error::NothingToAverage`]: a category without a positive, or
/// without a negative one (argument `follow_ups`); [`Error::Value`]: a log-probability or a length that is not finite, or a
/// length not above 0; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{FollowUp, Reaction, best_and_worst, follow_up_reward};
/// let follow_ups = [Reaction::Positive, Reaction::Negative].map(|reaction| FollowUp { reaction, category: 0 });
/// let log_probs = array![[-6.0_f64, -8.0], [-9.0, -4.0], [-3.0, -2.0]];
/// let rewards = follow_up_reward(&log_probs, &array![3.0, 2.0], &follow_ups)?;
/// assert_eq!(rewards, array![2.0, -1.0, 0.0]);
/// assert_eq!(best_and_worst(&rewards)?, (0, 1));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhang et al., Aligning language models using follow-up likelihood as reward signal, 2024,
/// [arXiv:2409.13948](https://arxiv.org/abs/2409.13948).
#[doc(alias = "FLR")]
#[doc(alias = "follow-up likelihood")]
pub fn follow_up_reward<T: Real>(
    log_probs: &ArrayRef2<T>,
    lengths: &ArrayRef1<T>,
    follow_ups: &[FollowUp],
) -> Result<Array1<T>> {
    T::follow_up_rewards(log_probs.view(), lengths.view(), follow_ups)
}

/// The gradient of `Σ R · cotangent` in the log-probabilities, `[N, F]`, from one number for each response.
///
/// # Errors
///
/// Those of [`follow_up_reward`], for the cotangent too.
pub fn follow_up_reward_backward<T: Real>(
    lengths: &ArrayRef1<T>,
    follow_ups: &[FollowUp],
    cotangent: &ArrayRef1<T>,
) -> Result<Array2<T>> {
    T::pull_follow_up(lengths.view(), follow_ups, cotangent.view())
}

/// The places of the largest and of the smallest reward: chosen and rejected of a pair. Of equal ones the first; all equal,
/// both are 0 and make no pair.
///
/// # Errors
///
/// [`Error::Empty`]: no rewards; [`Error::Value`]: one is NaN.
pub fn best_and_worst<T: Real>(rewards: &ArrayRef1<T>) -> Result<(usize, usize)> {
    if rewards.is_empty() {
        return Err(Error::Empty { argument: "rewards" });
    }
    if let Some(at) = rewards.iter().position(|reward| reward.is_nan()) {
        let allowed = "any number but NaN";
        return Err(Error::Value { argument: "rewards", position: at.into(), value: f64::NAN, allowed });
    }
    let first = |better: fn(T, T) -> bool| {
        (0..rewards.len()).fold(0, |best, at| if better(rewards[at], rewards[best]) { at } else { best })
    };
    Ok((first(|a, b| a > b), first(|a, b| a < b)))
}

/// [`follow_up_reward`].
pub(in crate::ratio) fn rewards<T: Real>(
    log_probs: ArrayView2<'_, T>,
    lengths: ArrayView1<'_, T>,
    follow_ups: &[FollowUp],
) -> Result<Array1<T>> {
    check::shape("log_probs", log_probs.shape(), &[log_probs.nrows(), follow_ups.len()])?;
    let factors = factors(lengths, follow_ups)?;
    let reward = |(n, row): (usize, ArrayView1<'_, T>)| {
        check::finite_row("log_probs", &[n], row)?;
        to_finite(row.iter().zip(&factors).map(|(x, factor)| x.as_f64() * factor).sum(), "log_probs", n)
    };
    log_probs.rows().into_iter().enumerate().map(reward).collect()
}

/// [`follow_up_reward_backward`].
pub(in crate::ratio) fn backward<T: Real>(
    lengths: ArrayView1<'_, T>,
    follow_ups: &[FollowUp],
    cotangent: ArrayView1<'_, T>,
) -> Result<Array2<T>> {
    let factors = factors(lengths, follow_ups)?;
    check::all_finite("cotangent", cotangent)?;
    let mut out = Array2::zeros((cotangent.len(), factors.len()));
    for ((n, f), slope) in out.indexed_iter_mut() {
        *slope = to_finite(cotangent[n].as_f64() * factors[f], "cotangent", n)?;
    }
    Ok(out)
}

/// What each log-probability is multiplied by.
fn factors<T: Real>(lengths: ArrayView1<'_, T>, follow_ups: &[FollowUp]) -> Result<Vec<f64>> {
    if follow_ups.is_empty() {
        return Err(Error::Empty { argument: "follow_ups" });
    }
    check::shape("lengths", lengths.shape(), &[follow_ups.len()])?;
    if let Some(f) = lengths.iter().position(|x| !(x.is_finite() && *x > T::zero())) {
        let (position, value) = (f.into(), lengths[f].as_f64());
        return Err(Error::Value { argument: "lengths", position, value, allowed: "finite and > 0" });
    }
    let mut categories: Vec<usize> = follow_ups.iter().map(|follow_up| follow_up.category).collect();
    categories.sort_unstable();
    categories.dedup();
    let of = |category, reaction| follow_ups.iter().filter(|&&x| x == FollowUp { reaction, category }).count();
    let is_whole = |&category: &usize| of(category, Reaction::Positive) > 0 && of(category, Reaction::Negative) > 0;
    if !categories.iter().all(is_whole) {
        return Err(Error::NothingToAverage { argument: "follow_ups" });
    }
    let factor = |(follow_up, length): (&FollowUp, &T)| {
        let sign = if follow_up.reaction == Reaction::Positive { 1.0 } else { -1.0 };
        sign / (categories.len() * of(follow_up.category, follow_up.reaction)) as f64 / length.as_f64()
    };
    Ok(follow_ups.iter().zip(lengths).map(factor).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const GOOD: Reaction = Reaction::Positive;
    const BAD: Reaction = Reaction::Negative;

    fn follow_ups(kinds: &[(Reaction, usize)]) -> Vec<FollowUp> {
        kinds.iter().map(|&(reaction, category)| FollowUp { reaction, category }).collect()
    }

    #[test]
    fn a_reward_is_the_mean_over_categories_of_differences_of_means() {
        let kinds = follow_ups(&[(GOOD, 7), (BAD, 7), (GOOD, 2), (GOOD, 2), (BAD, 2)]);
        let (log_probs, lengths) = (array![[-6.0, -8.0, -1.0, -9.0, -4.0]], array![3.0, 2.0, 1.0, 3.0, 4.0]);
        // (-2 + 4) / 2 and ((-1 - 3) / 2 + 1) / 2
        assert_eq!(follow_up_reward(&log_probs, &lengths, &kinds), Ok(array![0.5]));
    }

    #[test]
    fn the_way_back_is_the_transpose() {
        let kinds = follow_ups(&[(GOOD, 0), (BAD, 0), (BAD, 0), (GOOD, 1), (BAD, 1)]);
        let lengths = array![3.0, 2.0, 1.0, 7.0, 4.0];
        let log_probs = Array2::from_shape_fn((3, 5), |(n, f)| -((n * 5 + f) as f64).cos().abs() * 9.0);
        let cotangent = array![1.0, -0.5, 2.0];
        let back = follow_up_reward_backward(&lengths, &kinds, &cotangent).unwrap();
        let value = follow_up_reward(&log_probs, &lengths, &kinds).unwrap().dot(&cotangent);
        assert!(((&back * &log_probs).sum() - value).abs() < 1e-14);
        assert!((back[[0, 1]] + 0.125).abs() < 1e-16); // of two categories and two bad ones, each of two tokens
    }

    #[test]
    fn exchanging_the_reactions_turns_the_sign_and_a_shift_of_the_means_drops_out() {
        let lengths = array![3.0, 2.0];
        let (kinds, turned) = (follow_ups(&[(GOOD, 0), (BAD, 0)]), follow_ups(&[(BAD, 0), (GOOD, 0)]));
        let log_probs = array![[-6.0, -8.0], [-9.0, -4.0]];
        let reward = follow_up_reward(&log_probs, &lengths, &kinds).unwrap();
        assert_eq!(follow_up_reward(&log_probs, &lengths, &turned).unwrap(), -&reward);
        let shifted = &log_probs + &(0.5 * &lengths);
        let gap = follow_up_reward(&shifted, &lengths, &kinds).unwrap() - reward;
        assert!(gap.iter().all(|gap: &f64| gap.abs() < 1e-15));
    }

    #[test]
    fn the_best_and_the_worst_are_the_first_of_equals() {
        assert_eq!(best_and_worst(&array![1.0_f32, 3.0, -2.0, 3.0, -2.0]), Ok((1, 2)));
        assert_eq!(best_and_worst(&array![0.5, 0.5]), Ok((0, 0)));
        let message = |rewards: &Array1<f64>| best_and_worst(rewards).unwrap_err().to_string();
        assert_eq!(message(&array![]), "`rewards` is empty, needed is at least one element");
        assert_eq!(message(&array![1.0, f64::NAN]), "`rewards`[1] is NaN, allowed is any number but NaN");
    }

    #[test]
    fn bad_input_is_named() {
        let kinds = follow_ups(&[(GOOD, 0), (BAD, 0)]);
        let message = |log_probs: &Array2<f64>, lengths: &Array1<f64>, kinds: &[FollowUp]| {
            follow_up_reward(log_probs, lengths, kinds).unwrap_err().to_string()
        };
        let (log_probs, lengths) = (array![[-1.0, -2.0]], array![1.0, 2.0]);
        assert_eq!(message(&array![[-1.0]], &lengths, &kinds), "`log_probs` has shape [1, 1], expected [1, 2]");
        assert_eq!(message(&log_probs, &array![1.0, 0.0], &kinds), "`lengths`[1] is 0, allowed is finite and > 0");
        let bad = array![[-1.0, f64::NEG_INFINITY]];
        assert_eq!(message(&bad, &lengths, &kinds), "`log_probs`[0, 1] is -inf, allowed is finite");
        let one_sided = follow_ups(&[(GOOD, 0), (BAD, 1)]);
        assert_eq!(message(&log_probs, &lengths, &one_sided), "`follow_ups` holds nothing to average over");
        assert_eq!(
            message(&Array2::zeros((1, 0)), &array![], &[]),
            "`follow_ups` is empty, needed is at least one element"
        );
        let error = follow_up_reward_backward(&lengths, &kinds, &array![f64::NAN]).unwrap_err().to_string();
        assert_eq!(error, "`cotangent`[0] is NaN, allowed is finite");
    }
}
