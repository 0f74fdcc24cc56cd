//! Sums in which the tokens beyond the length of the shorter response count for less (LD-DPO).

use ndarray::{Array, ArrayRef, ArrayRef1, ArrayView, Dimension};

use crate::math::mul_or_zero;
use crate::preference::Pairs;
use crate::sequence::{Sequences, TokenMask, sum_tokens, sum_tokens_backward};
use crate::{Real, Result, check};

/// Length desensitization for direct preference optimization (LD-DPO): sums of token log-probabilities in which the
/// tokens beyond the common length of the two responses have the weight `α`.
///
/// ```math
/// \ell = \sum_{t \le n} \log p_t + \alpha \sum_{t > n} \log p_t, \qquad n = \min(n_w, n_l)
/// ```
///
/// `t` counts the scored tokens of a response. With `α` 1 it is the plain sum, with `α` 0 the longer response is cut.
/// Use these sums in place of those of [`sum_tokens`], with any objective, and [`LengthDesensitized::backward`] for
/// the gradient.
///
/// TRL applies it to policy and reference; LLaMA-Factory, ms-swift and TRL's older versions to the policy alone, which leaves
/// a constant in the margin. Here it is applied to what is given.
///
/// The lengths that are returned are those of the whole responses.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::preference::LengthDesensitized;
/// let tokens = Pairs { chosen: array![[-1.0_f64, -2.0, -4.0]], rejected: array![[-3.0_f64, -9.0, -9.0]] };
/// let scored = Pairs { chosen: array![[true, true, true]], rejected: array![[true, false, false]] };
/// let masks = scored.view().map(TokenMask::padded);
/// let rule = LengthDesensitized { alpha: 0.5 };
/// let sums = rule.sums(tokens.view(), masks.clone())?;
/// assert_eq!((sums.chosen.sums[0], sums.rejected.sums[0]), (-1.0 + 0.5 * -6.0, -3.0));
/// let slopes = rule.backward(masks, Pairs { chosen: &array![2.0], rejected: &array![1.0] })?;
/// assert_eq!(slopes.chosen, array![[2.0, 1.0, 1.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al., Length desensitization in direct preference optimization, 2024,
/// [arXiv:2409.06411](https://arxiv.org/abs/2409.06411).
#[doc(alias = "LD-DPO")]
#[doc(alias = "length desensitization")]
#[doc(alias = "ld_alpha")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct LengthDesensitized {
    /// How much the tokens beyond the common length count, in `[0, 1]`: TRL's `ld_alpha`, off by default there.
    pub alpha: f64,
}

impl LengthDesensitized {
    /// Desensitized sum and whole length of each response.
    ///
    /// # Errors
    ///
    /// `alpha` out of range; sides with different numbers of responses; those of [`sum_tokens`].
    pub fn sums<T: Real, D: Dimension>(
        &self,
        token_log_probs: Pairs<ArrayView<'_, T, D>>,
        masks: Pairs<TokenMask<'_, D>>,
    ) -> Result<Pairs<Sequences<T>>> {
        let common = self.common(&masks)?;
        let side = |tokens: &ArrayRef<T, D>, mask: &TokenMask<'_, D>, common: &ArrayRef<bool, D>| {
            let mut head = sum_tokens(tokens, mask.replaced(common.view()))?;
            let lengths = mask.lengths().mapv(|n| T::from_f64(n as f64));
            if self.alpha > 0.0 {
                let (whole, alpha) = (sum_tokens(tokens, mask.clone())?, T::from_f64(self.alpha));
                let rest = T::from_f64(1.0 - self.alpha);
                // Where a token is ruled out so is the response, by however little it counts: `alpha` may round to 0.
                let blend = |head: T, whole: T| {
                    if whole.is_infinite() { whole } else { mul_or_zero(rest, head) + alpha * whole }
                };
                head.sums.zip_mut_with(&whole.sums, |head, &whole| *head = blend(*head, whole));
            }
            Ok(Sequences { sums: head.sums, lengths })
        };
        Ok(Pairs {
            chosen: side(&token_log_probs.chosen, &masks.chosen, &common.chosen)?,
            rejected: side(&token_log_probs.rejected, &masks.rejected, &common.rejected)?,
        })
    }

    /// Gradient with respect to the token log-probabilities, from that with respect to the sums: 1 or `α` times it.
    ///
    /// # Errors
    ///
    /// Those of [`LengthDesensitized::sums`] and [`sum_tokens_backward`].
    pub fn backward<T: Real, D: Dimension>(
        &self,
        masks: Pairs<TokenMask<'_, D>>,
        cotangents: Pairs<&ArrayRef1<T>>,
    ) -> Result<Pairs<Array<T, D>>> {
        let common = self.common(&masks)?;
        let side = |mask: TokenMask<'_, D>, common: &ArrayRef<bool, D>, cotangent: &ArrayRef1<T>| {
            let mut slopes = sum_tokens_backward(mask, cotangent)?;
            let alpha = T::from_f64(self.alpha);
            slopes.zip_mut_with(common, |slope, &both| *slope = if both { *slope } else { alpha * *slope });
            Ok(slopes)
        };
        Ok(Pairs {
            chosen: side(masks.chosen, &common.chosen, cotangents.chosen)?,
            rejected: side(masks.rejected, &common.rejected, cotangents.rejected)?,
        })
    }

    /// The masks of the tokens up to the common length.
    fn common<D: Dimension>(&self, masks: &Pairs<TokenMask<'_, D>>) -> Result<Pairs<Array<bool, D>>> {
        check::parameter("alpha", self.alpha, "[0, 1]", (0.0..=1.0).contains(&self.alpha))?;
        let lengths = common_lengths(masks)?;
        Ok(masks.as_ref().map(|mask| mask.narrowed(|response, before| before < lengths[response])))
    }
}

/// The length of the shorter response of each pair.
pub(super) fn common_lengths<D: Dimension>(masks: &Pairs<TokenMask<'_, D>>) -> Result<Vec<usize>> {
    let lengths = masks.as_ref().map(|mask| mask.lengths());
    check::shape("masks.rejected", lengths.rejected.shape(), lengths.chosen.shape())?;
    Ok(lengths.chosen.iter().zip(&lengths.rejected).map(|(&n, &k)| n.min(k)).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn sample() -> (Pairs<Array2<f64>>, Pairs<Array2<bool>>) {
        let tokens =
            |seed: usize| Array2::from_shape_fn((4, 9), |(i, t)| -0.1 - ((i * 31 + t * 17 + seed) % 13) as f64);
        let masks = |seed: usize| Array2::from_shape_fn((4, 9), |(i, t)| (i * 5 + t * 3 + seed) % 4 > seed % 3);
        (Pairs { chosen: tokens(1), rejected: tokens(6) }, Pairs { chosen: masks(3), rejected: masks(2) })
    }

    #[test]
    fn the_ends_are_the_plain_sum_and_the_cut_response() {
        let (tokens, scored) = sample();
        let masks = scored.view().map(TokenMask::padded);
        let plain = sum_tokens(&tokens.chosen, masks.chosen).unwrap();
        let whole = LengthDesensitized { alpha: 1.0 }.sums(tokens.view(), masks).unwrap();
        assert_eq!(whole.chosen, plain);
        let cut = LengthDesensitized { alpha: 0.0 }.sums(tokens.view(), masks).unwrap();
        let half = LengthDesensitized { alpha: 0.5 }.sums(tokens.view(), masks).unwrap();
        for i in 0..4 {
            let n = masks.chosen.lengths()[i].min(masks.rejected.lengths()[i]);
            let kept: Vec<f64> = (0..9).filter(|&t| scored.chosen[[i, t]]).map(|t| tokens.chosen[[i, t]]).collect();
            assert!((cut.chosen.sums[i] - kept[..n].iter().sum::<f64>()).abs() < 1e-13);
            assert!((half.chosen.sums[i] - 0.5 * (plain.sums[i] + cut.chosen.sums[i])).abs() < 1e-13);
        }
        assert_eq!(cut.chosen.lengths, plain.lengths);
        assert_ne!(cut.chosen.sums, plain.sums);
    }

    #[test]
    fn the_gradient_meets_the_central_difference() {
        let (tokens, scored) = sample();
        let masks = scored.view().map(TokenMask::padded);
        let rule = LengthDesensitized { alpha: 0.3 };
        let weights = Pairs { chosen: array![1.0, -2.0, 0.5, 3.0], rejected: array![0.25, 1.0, -1.0, 2.0] };
        let loss = |tokens: &Pairs<Array2<f64>>| {
            let sums = rule.sums(tokens.view(), masks).unwrap();
            (&sums.chosen.sums * &weights.chosen).sum() + (&sums.rejected.sums * &weights.rejected).sum()
        };
        let cotangents = Pairs { chosen: &*weights.chosen, rejected: &*weights.rejected };
        let slopes = rule.backward(masks, cotangents).unwrap();
        for ((i, t), &slope) in slopes.chosen.indexed_iter() {
            let at = |step: f64| {
                let mut moved = tokens.clone();
                moved.chosen[[i, t]] += step;
                loss(&moved)
            };
            assert!(((at(0.5) - at(-0.5)) - slope).abs() < 1e-12, "[{i}, {t}]");
        }
        for ((i, t), &slope) in slopes.rejected.indexed_iter() {
            let at = |step: f64| {
                let mut moved = tokens.clone();
                moved.rejected[[i, t]] += step;
                loss(&moved)
            };
            assert!(((at(0.5) - at(-0.5)) - slope).abs() < 1e-12, "[{i}, {t}]");
        }
    }

    #[test]
    fn packed_responses_are_cut_like_padded_ones() {
        let tokens = Pairs { chosen: array![-1.0, -2.0, -4.0, -8.0], rejected: array![-1.0, -1.0, -1.0] };
        let scored = Pairs { chosen: array![true, true, true, true], rejected: array![true, true, true] };
        let masks = Pairs {
            chosen: TokenMask::packed(scored.chosen.view(), &[0, 1, 4]).unwrap(),
            rejected: TokenMask::packed(scored.rejected.view(), &[0, 2, 3]).unwrap(),
        };
        let sums = LengthDesensitized { alpha: 0.25 }.sums(tokens.view(), masks).unwrap();
        assert_eq!(sums.chosen.sums, array![-1.0, -2.0 + 0.25 * -12.0]);
        assert_eq!(sums.rejected.sums, array![-1.25, -1.0]);
        assert_eq!(sums.chosen.lengths, array![1.0, 3.0]);
    }

    #[test]
    fn what_does_not_count_is_not_seen_and_what_is_ruled_out_is_a_limit() {
        let inf = f64::INFINITY;
        let scored = Pairs { chosen: array![[true, true]], rejected: array![[true, false]] };
        let masks = scored.view().map(TokenMask::padded);
        let sums = |alpha, tail, masked| {
            let tokens = Pairs { chosen: array![[-1.0, tail]], rejected: array![[-2.0, masked]] };
            LengthDesensitized { alpha }.sums(tokens.view(), masks).map(|sums| sums.chosen.sums[0])
        };
        assert_eq!(sums(0.5, -inf, f64::NAN), Ok(-inf));
        assert_eq!(sums(0.0, f64::NAN, f64::NAN), Ok(-1.0));
        assert!(sums(0.5, f64::NAN, 0.0).is_err());
        for alpha in [5e-324, 1e-60, 1.0 - f64::EPSILON, 1.0] {
            assert_eq!(sums(alpha, -inf, 0.0), Ok(-inf), "{alpha}");
            let tokens = Pairs { chosen: array![[-1.0_f32, f32::NEG_INFINITY]], rejected: array![[-2.0, 0.0]] };
            let narrow = LengthDesensitized { alpha }.sums(tokens.view(), masks).unwrap();
            assert_eq!(narrow.chosen.sums[0], f32::NEG_INFINITY, "{alpha}"); // also where it rounds to 0 or 1
        }
    }

    #[test]
    fn bad_arguments_are_named() {
        let scored = Pairs { chosen: array![[true], [true]], rejected: array![[true]] };
        let masks = scored.view().map(TokenMask::padded);
        let tokens = Pairs { chosen: array![[-1.0], [-1.0]], rejected: array![[-1.0]] };
        let message = |alpha| LengthDesensitized { alpha }.sums(tokens.view(), masks).unwrap_err().to_string();
        assert_eq!(message(1.5), "`alpha` is 1.5, allowed is [0, 1]");
        assert_eq!(message(1.0), "`masks.rejected` has shape [1], expected [2]");
    }
}
