//! Weights of pairs by how likely the policy is to have written them itself (WPO).

use ndarray::{Array1, ArrayView, Dimension};

use crate::error::Position;
use crate::preference::Pairs;
use crate::sequence::{TokenMask, sum_tokens};
use crate::{Error, Real, Result, check};

/// Weighted preference optimization (WPO): weights of pairs, larger for pairs that the policy is likely to sample.
///
/// ```math
/// w_i = w(y_i^w)\, w(y_i^l), \qquad
/// w(y) = \exp\Bigl(\frac1{|y|} \sum_t \bigl[\log p_t(y_t) - c_t\bigr]\Bigr), \quad c_t = \ln \sum_v p_t(v)^2
/// ```
///
/// `log p` is the log-probability of a token and `c` that of two draws being the same
/// ([`log_collision`](crate::logits::log_collision)), so that a token that is as likely as a typical one counts 1. Weights
/// are constants: give them to [`Reduction::Weighted`](crate::Reduction::Weighted), divided by the number of pairs for the
/// mean, with any objective that has weights of pairs.
///
/// A weight may be above 1, where tokens are likelier than typical ones. The authors and TRL's older versions cap it at 1
/// ([`WeightCap::One`]), TRL does not any more ([`WeightCap::None`]).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::preference::{WeightCap, Wpo};
/// let log_probs = Pairs { chosen: array![[-1.0_f64, -3.0]], rejected: array![[-2.0, 0.0]] };
/// let collisions = Pairs { chosen: array![[-1.5_f64, -1.5]], rejected: array![[-1.0, 0.0]] };
/// let scored = Pairs { chosen: array![[true, true]], rejected: array![[true, false]] };
/// let masks = scored.view().map(TokenMask::padded);
/// let weights = Wpo { cap: WeightCap::One }.weights(log_probs.view(), collisions.view(), masks)?;
/// assert!((weights[0] - (-0.5_f64 - 1.0).exp()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhou et al., WPO: enhancing RLHF with weighted preference optimization, EMNLP 2024, eq. 2,
/// [arXiv:2406.11827](https://arxiv.org/abs/2406.11827).
#[doc(alias = "weighted preference optimization")]
#[doc(alias = "use_weighting")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Wpo {
    /// The largest weight. There is no default, as peers disagree.
    pub cap: WeightCap,
}

/// The largest weight that a pair may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum WeightCap {
    /// Any.
    None,
    /// One, of the product of both responses' weights.
    One,
}

impl Wpo {
    /// The weight of each pair.
    ///
    /// # Errors
    ///
    /// Arrays whose shapes are not those of their masks, sides with different numbers of responses; a response without a
    /// scored token; a scored token that is NaN or +inf, or whose `log_collisions` is not finite; a weight that overflows.
    pub fn weights<T: Real, D: Dimension>(
        &self,
        token_log_probs: Pairs<ArrayView<'_, T, D>>,
        log_collisions: Pairs<ArrayView<'_, T, D>>,
        masks: Pairs<TokenMask<'_, D>>,
    ) -> Result<Array1<T>> {
        let side = |(tokens, collisions, mask): (ArrayView<'_, T, D>, ArrayView<'_, T, D>, TokenMask<'_, D>)| {
            let expected = sum_tokens(&collisions, mask.clone());
            let expected = expected.map_err(|error| error.rename(|_| "log_collisions"))?;
            are_possible(&collisions, &mask)?;
            Ok::<_, Error>(sum_tokens(&tokens, mask)?.means()? - expected.means()?)
        };
        let [chosen, rejected] = [
            side((token_log_probs.chosen, log_collisions.chosen, masks.chosen))?,
            side((token_log_probs.rejected, log_collisions.rejected, masks.rejected))?,
        ];
        check::shape("masks.rejected", rejected.shape(), chosen.shape())?;
        let mut weights = chosen + rejected;
        for (pair, weight) in weights.indexed_iter_mut() {
            let logarithm = weight.as_f64();
            let kept = if self.cap == WeightCap::One { logarithm.min(0.0) } else { logarithm };
            *weight = T::from_f64(kept.exp());
            if logarithm.is_nan() || !weight.is_finite() {
                return Err(Error::overflow::<T>("weights", pair));
            }
        }
        Ok(weights)
    }
}

/// Two draws of a scored token can always be the same, so that a log-collision of -inf is an error, where a log-probability
/// of -inf is a limit.
fn are_possible<T: Real, D: Dimension>(collisions: &ArrayView<'_, T, D>, mask: &TokenMask<'_, D>) -> Result<()> {
    let kept = mask.mask();
    let Some(flat) = collisions.iter().zip(&kept).position(|(x, keep)| *keep && *x == T::neg_infinity()) else {
        return Ok(());
    };
    let position = Position::unravel(flat, collisions.shape());
    Err(Error::Value { argument: "log_collisions", position, value: f64::NEG_INFINITY, allowed: "finite" })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Array3, array};

    use super::*;
    use crate::Reduction;
    use crate::logits::{log_collision, token_log_probs};
    use crate::preference::testing::Sample;
    use crate::preference::{Dpo, PairObjective};

    const FREE: Wpo = Wpo { cap: WeightCap::None };

    #[test]
    fn weights_are_those_of_the_definition() {
        let logits = Array3::from_shape_fn((3, 5, 11), |(i, t, v)| ((i * 7 + t * 5 + v * v * 3) % 13) as f64 / 3.0);
        // The likeliest token in the first row, any in the others.
        let likeliest = |i, t| (0..11).max_by(|&v, &u| logits[[i, t, v]].total_cmp(&logits[[i, t, u]])).unwrap_or(0);
        let token = |(i, t)| if i == 0 { likeliest(i, t) as i64 } else { (i * 3 + t * 2) as i64 % 11 };
        let tokens = Array2::from_shape_fn((3, 5), token);
        let mask = Array2::from_shape_fn((3, 5), |(i, t)| t < 2 + i);
        let log_probs = token_log_probs(&logits, &tokens).unwrap();
        let collisions = log_collision(&logits).unwrap();
        let both = |array: &Array2<f64>| Pairs { chosen: array.clone(), rejected: array.clone() };
        let masks = Pairs { chosen: TokenMask::padded(mask.view()), rejected: TokenMask::padded(mask.view()) };
        let weights = FREE.weights(both(&log_probs).view(), both(&collisions).view(), masks).unwrap();
        let capped =
            Wpo { cap: WeightCap::One }.weights(both(&log_probs).view(), both(&collisions).view(), masks).unwrap();
        for i in 0..3 {
            let mut exponent = 0.0;
            for t in 0..2 + i {
                let row: Vec<f64> = (0..11).map(|v| logits[[i, t, v]].exp()).collect();
                let total: f64 = row.iter().sum();
                let square: f64 = row.iter().map(|p| (p / total).powi(2)).sum();
                exponent += (row[tokens[[i, t]] as usize] / total / square).ln();
            }
            let expected = (2.0 * exponent / (2 + i) as f64).exp();
            assert!((weights[i] - expected).abs() < 1e-12 * expected, "{} {expected}", weights[i]);
            assert_eq!(capped[i], weights[i].min(1.0));
        }
        assert!(weights.iter().any(|&w| w > 1.0) && weights.iter().any(|&w| w < 1.0), "{weights}");
    }

    #[test]
    fn uniform_tokens_weigh_one_and_leave_the_objective_alone() {
        let uniform = Array2::from_elem((6, 4), -(7.0_f64.ln()));
        let mask = Array2::from_elem((6, 4), true);
        let both = || Pairs { chosen: uniform.view(), rejected: uniform.view() };
        let masks = Pairs { chosen: TokenMask::padded(mask.view()), rejected: TokenMask::padded(mask.view()) };
        let weights = FREE.weights(both(), both(), masks).unwrap();
        assert_eq!(weights, Array1::<f64>::ones(6));
        let sample = Sample::<f64>::of(6);
        let plain = Dpo::default().grad(sample.batch(), Reduction::Sum);
        assert_eq!(Dpo::default().grad(sample.batch(), Reduction::Weighted(&weights)), plain);
    }

    #[test]
    fn bad_arguments_are_named() {
        let (tokens, mask) = (array![[-1.0, -2.0]], array![[true, false]]);
        let both = |array: &Array2<f64>| Pairs { chosen: array.clone(), rejected: array.clone() };
        let message = |tokens: &Array2<f64>, collisions: &Array2<f64>, mask: &Array2<bool>| {
            let masks = Pairs { chosen: TokenMask::padded(mask.view()), rejected: TokenMask::padded(mask.view()) };
            FREE.weights(both(tokens).view(), both(collisions).view(), masks).map_err(|error| error.to_string())
        };
        let none = array![[false, false]];
        assert!(message(&tokens, &tokens, &none).unwrap_err().starts_with("`lengths`[0] is 0"));
        let nan = array![[f64::NAN, 0.0]];
        assert_eq!(
            message(&tokens, &nan, &mask).unwrap_err(),
            "`log_collisions`[0, 0] is NaN, allowed is finite or -inf"
        );
        let far = array![[-1000.0, 0.0]];
        assert_eq!(message(&tokens, &far, &mask).unwrap_err(), "the result at `weights`[0] overflows f64");
        let gone = array![[f64::NEG_INFINITY, 0.0]];
        assert_eq!(message(&gone, &tokens, &mask), Ok(array![0.0]));
        let error = message(&gone, &gone, &mask).unwrap_err();
        assert_eq!(error, "`log_collisions`[0, 0] is -inf, allowed is finite");
    }
}
