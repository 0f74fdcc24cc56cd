//! As many tokens of the longer response of a pair as the shorter one has, drawn at random (SamPO).

use ndarray::{Array, Dimension};

use super::desensitized::common_lengths;
use crate::preference::Pairs;
use crate::sequence::TokenMask;
use crate::{Result, check};

/// Down-sampling of tokens (SamPO): masks that keep `min(n_w, n_l)` tokens of both responses of each pair. Every subset
/// of that size is equally likely.
///
/// They replace the given masks for policy and reference alike, in [`sum_tokens`](crate::sequence::sum_tokens),
/// [`LogitPairs`](crate::preference::LogitPairs) or [`LinearPairs`](crate::preference::LinearPairs): sums, lengths and
/// gradients are then those of the tokens that were drawn, and both responses of a pair have one length. With DPO it is
/// SamPO.
///
/// `random` gives numbers in `[0, 1)` from a generator of the caller's: at most one for each scored token of the longer
/// response of each pair, the chosen responses first. The shorter response is kept whole.
///
/// # Errors
///
/// Sides with different numbers of responses; a number that is not in `[0, 1)`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array, preference::down_sample};
/// let scored = Pairs { chosen: array![[true, true, true, true]], rejected: array![[true, true, false, false]] };
/// let mut numbers = [0.9, 0.1, 0.9, 0.3].into_iter().cycle();
/// let masks = down_sample(scored.view().map(TokenMask::padded), || numbers.next().unwrap_or_default())?;
/// assert_eq!(masks.chosen, array![[false, true, false, true]]);
/// assert_eq!(masks.rejected, scored.rejected);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lu et al., Eliminating biased length reliance of direct preference optimization via down-sampled KL divergence, EMNLP
/// 2024, [arXiv:2406.10957](https://arxiv.org/abs/2406.10957).
#[doc(alias = "SamPO")]
#[doc(alias = "down-sampled DPO")]
#[doc(alias = "down-sampled KL divergence")]
pub fn down_sample<D: Dimension>(
    masks: Pairs<TokenMask<'_, D>>,
    mut random: impl FnMut() -> f64,
) -> Result<Pairs<Array<bool, D>>> {
    let wanted = common_lengths(&masks)?;
    let mut bad = None;
    let mut draw = |mask: &TokenMask<'_, D>| {
        let (lengths, mut taken) = (mask.lengths(), vec![0; wanted.len()]);
        mask.narrowed(|response, before| {
            let (left, missing) = (lengths[response] - before, wanted[response] - taken[response]);
            if left == missing {
                taken[response] += 1;
                return true; // all that are left
            }
            let number = random();
            if !(0.0..1.0).contains(&number) {
                bad = bad.or(Some(number));
            }
            // Each subset is equally likely where a token is kept with the share of those that are still missing.
            let kept = number * (left as f64) < missing as f64;
            taken[response] += usize::from(kept);
            kept
        })
    };
    let drawn = Pairs { chosen: draw(&masks.chosen), rejected: draw(&masks.rejected) };
    bad.map_or(Ok(()), |number| check::parameter("random", number, "[0, 1)", false))?;
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::testing::generator;

    #[test]
    fn both_sides_have_the_length_of_the_shorter_and_keep_scored_tokens_alone() {
        let scored = |seed: usize| Array2::from_shape_fn((20, 30), |(i, t)| (i * 7 + t * t + seed) % 5 > i % 4);
        let scored = Pairs { chosen: scored(1), rejected: scored(4) };
        let masks = scored.view().map(TokenMask::padded);
        let drawn = down_sample(masks, generator(5)).unwrap();
        let lengths = drawn.view().map(|mask| TokenMask::padded(mask).lengths());
        assert_eq!(lengths.chosen, lengths.rejected);
        assert_eq!(lengths.chosen.to_vec(), common_lengths(&masks).unwrap());
        for (drawn, scored) in [(&drawn.chosen, &scored.chosen), (&drawn.rejected, &scored.rejected)] {
            assert!(drawn.iter().zip(scored).all(|(&drawn, &scored)| scored || !drawn));
        }
        assert_eq!(drawn, down_sample(masks, generator(5)).unwrap());
        assert_ne!(drawn, down_sample(masks, generator(6)).unwrap());
    }

    #[test]
    fn each_subset_is_equally_likely() {
        let scored = Pairs { chosen: array![true, true, true, true], rejected: array![true, true] };
        let masks = || Pairs {
            chosen: TokenMask::packed(scored.chosen.view(), &[0, 4]).unwrap(),
            rejected: TokenMask::packed(scored.rejected.view(), &[0, 2]).unwrap(),
        };
        let (mut random, mut counts) = (generator(9), std::collections::BTreeMap::new());
        for _ in 0..12_000 {
            *counts.entry(down_sample(masks(), &mut random).unwrap().chosen.to_vec()).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6); // 4 over 2
        assert!(counts.values().all(|&count| (1800..2200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn bad_arguments_are_named() {
        let scored = Pairs { chosen: array![[true, true]], rejected: array![[true, false]] };
        let error = down_sample(scored.view().map(TokenMask::padded), || 1.0).unwrap_err().to_string();
        assert_eq!(error, "`random` is 1, allowed is [0, 1)");
        let other = Array2::from_elem((2, 2), true);
        let masks =
            Pairs { chosen: TokenMask::padded(scored.chosen.view()), rejected: TokenMask::padded(other.view()) };
        let error = down_sample(masks, || 0.5).unwrap_err().to_string();
        assert_eq!(error, "`masks.rejected` has shape [2], expected [1]");
    }
}
