//! Centered hidden embedding similarity (CHES): which pairs will lower the likelihood of the chosen response.

use ndarray::{Array1, ArrayView, ArrayView1, Dimension};
use num_traits::Zero;

use crate::error::Position;
use crate::preference::{Length, Pairs};
use crate::reduction::pairwise;
use crate::rowwise::{BLOCK, RowJobs, for_each_block};
use crate::sequence::TokenMask;
use crate::{Element, Error, Real, Result, check};

/// The CHES score of each pair, by which training sets are filtered: the higher, the likelier it is to displace.
///
/// ```math
/// \mathrm{CHES} = \langle S^w, S^l \rangle - \lVert S^w \rVert^2 = -\langle S^w, S^w - S^l \rangle, \qquad
/// S = \sum_{k=1}^{|y|} h_k
/// ```
///
/// `h_k` is the hidden state of the last layer from which token `k` of a response is predicted: those from the last prompt
/// position up to the one before the last token of the response, as many as it has tokens. With [`Length::Mean`] it is the
/// length-normalized score, in which means take the place of the sums.
///
/// The score of equal responses is 0, and scales with the square of the hidden states. It is not symmetric: the chosen
/// response is the one whose likelihood falls. Sums are of `f64`, and the score is formed from the difference `S^w - S^l`, so
/// that nearly equal responses keep their digits.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::Ches;
/// let chosen = array![[[1.0_f64, 0.0, 0.0], [0.0, 2.0, 0.0]]]; // sum (1, 2, 0)
/// let rejected = array![[[0.0_f64, 1.0, 0.0], [0.0, 0.0, 1.0]]]; // sum (0, 1, 1)
/// let hidden = Pairs { chosen: chosen.view(), rejected: rejected.view() };
/// let predicting = array![[true, true]];
/// let masks = Pairs { chosen: TokenMask::padded(predicting.view()), rejected: TokenMask::padded(predicting.view()) };
/// assert_eq!(Ches { length: Length::Sum }.each(hidden.clone(), masks.clone())?, array![-3.0]);
/// assert_eq!(Ches { length: Length::Mean }.each(hidden, masks)?, array![-0.75]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Razin et al., Unintentional unalignment: likelihood displacement in direct preference optimization, ICLR 2025,
/// [arXiv:2410.08847](https://arxiv.org/abs/2410.08847).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Ches {
    /// Whether sums or means of the hidden states are compared. There is no default: the paper filters by both.
    pub length: Length,
}

impl Ches {
    /// The score of each pair. `hidden` is `[B, T, H]` or packed `[N, H]`, its masks `[B, T]` or `[N]`: true where a hidden
    /// state predicts a token of the response.
    ///
    /// Score by score it has the same bits for any number of threads and any layout. Hidden states that do not count are not
    /// read.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`]; [`Error::Value`] at a hidden state that is not finite, or at a response without tokens for
    /// [`Length::Mean`]; [`Error::Overflow`] of a score.
    pub fn each<E: Element, D: Dimension>(
        &self,
        hidden: Pairs<ArrayView<'_, E, D>>,
        masks: Pairs<TokenMask<'_, D::Smaller>>,
    ) -> Result<Array1<E::Real>> {
        let width = *hidden.chosen.shape().last().unwrap_or(&0);
        let names = Pairs { chosen: "hidden.chosen", rejected: "hidden.rejected" };
        let (chosen, rejected) = (hidden.chosen, hidden.rejected);
        let chosen = self.sums(names.chosen, &chosen, &masks.chosen, width)?;
        let rejected = self.sums(names.rejected, &rejected, &masks.rejected, width)?;
        check::shape("masks.rejected", &[rejected.len()], &[chosen.len()])?;
        let score = |(pair, (chosen, rejected)): (usize, (Vec<f64>, Vec<f64>))| {
            let products = chosen.iter().zip(&rejected).map(|(w, l)| -w * (w - l));
            let score = E::Real::from_f64(pairwise(&products.collect::<Vec<_>>()));
            if score.as_f64().is_finite() { Ok(score) } else { Err(Error::overflow::<E::Real>("ches", pair)) }
        };
        chosen.into_iter().zip(rejected).enumerate().map(score).collect()
    }

    /// Sum or mean of the hidden states of each response.
    fn sums<E: Element, D: Dimension>(
        &self,
        argument: &'static str,
        hidden: &ArrayView<'_, E, D>,
        mask: &TokenMask<'_, D::Smaller>,
        width: usize,
    ) -> Result<Vec<Vec<f64>>> {
        let kept = mask.mask();
        let expected: Vec<usize> = kept.shape().iter().copied().chain([width]).collect();
        check::shape(argument, hidden.shape(), &expected)?;
        let states: Vec<_> = hidden.rows().into_iter().collect();
        let masks = mask.split(&kept);
        let starts: Vec<usize> = masks
            .iter()
            .scan(0, |next, mask| {
                let start = *next;
                *next += mask.len();
                Some(start)
            })
            .collect();
        let mut sums = vec![vec![0.0; width]; masks.len()];
        let average = kept.len().div_ceil(masks.len().max(1));
        let jobs = RowJobs::new(masks.len(), average * width * size_of::<E>());
        jobs.each_value(&mut sums, |response, sum| {
            let (start, mask) = (starts[response], &masks[response]);
            let tokens = add(sum, &states[start..start + mask.len()], mask).map_err(|(token, unit, value)| {
                let mut position: Position = mask_position(kept.ndim(), response, start, token);
                position.0.push(unit);
                Error::Value { argument, position, value, allowed: "finite" }
            })?;
            self.divide(argument, sum, tokens, response)
        })?;
        Ok(sums)
    }

    fn divide(&self, argument: &'static str, sum: &mut [f64], tokens: usize, response: usize) -> Result<()> {
        match (self.length, tokens) {
            (Length::Sum, _) => Ok(()),
            (Length::Mean, 0) => {
                let allowed = "> 0 tokens, a mean needs one";
                Err(Error::Value { argument, position: response.into(), value: 0.0, allowed })
            }
            (Length::Mean, tokens) => {
                sum.iter_mut().for_each(|sum| *sum /= tokens as f64);
                Ok(())
            }
        }
    }
}

/// Where a token stands in an array of the mask's shape.
fn mask_position(axes: usize, response: usize, start: usize, token: usize) -> Position {
    if axes == 1 { Position(vec![start + token]) } else { Position(vec![response, token]) }
}

/// Adds the states that are kept; their number, or token, unit and value of the first that is not finite.
fn add<E: Element>(
    sum: &mut [f64],
    states: &[ArrayView1<'_, E>],
    mask: &ArrayView1<'_, bool>,
) -> std::result::Result<usize, (usize, usize, f64)> {
    let mut tokens = 0;
    for (token, state) in states.iter().enumerate().filter(|(token, _)| mask[*token]) {
        let (mut from, mut infinite) = (0, E::Real::zero());
        for_each_block(*state, |block| {
            for (sum, x) in sum[from..].iter_mut().zip(block) {
                *sum += x.as_f64();
                infinite += *x * E::Real::zero(); // NaN as soon as one is not finite
            }
            from += block.len().min(BLOCK);
        });
        if infinite != E::Real::zero() {
            let wrong = state.iter().map(|x| x.real().as_f64()).enumerate().find(|(_, x)| !x.is_finite());
            let (unit, value) = wrong.unwrap_or((0, f64::NAN));
            return Err((token, unit, value));
        }
        tokens += 1;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, ShapeBuilder, array};

    use super::*;

    const SUM: Ches = Ches { length: Length::Sum };
    const MEAN: Ches = Ches { length: Length::Mean };

    fn sample() -> (Pairs<Array3<f64>>, Pairs<Array2<bool>>) {
        let states = |seed: usize| {
            Array3::from_shape_fn((5, 7, 33), |(i, t, h)| ((i * 31 + t * 17 + h * 7 + seed) % 29) as f64 / 9.0 - 1.5)
        };
        let masks = |seed: usize| Array2::from_shape_fn((5, 7), |(i, t)| (i * 5 + t * 3 + seed) % 4 != 1);
        (Pairs { chosen: states(1), rejected: states(12) }, Pairs { chosen: masks(0), rejected: masks(2) })
    }

    fn masks(scored: &Pairs<Array2<bool>>) -> Pairs<TokenMask<'_, ndarray::Ix2>> {
        scored.view().map(TokenMask::padded)
    }

    #[test]
    fn scores_are_those_of_a_plain_loop() {
        let (hidden, scored) = sample();
        let (sums, means) =
            (SUM.each(hidden.view(), masks(&scored)).unwrap(), MEAN.each(hidden.view(), masks(&scored)).unwrap());
        for i in 0..5 {
            let total = |states: &Array3<f64>, mask: &Array2<bool>| {
                let mut sum = Array1::<f64>::zeros(33);
                (0..7).filter(|&t| mask[[i, t]]).for_each(|t| sum += &states.slice(ndarray::s![i, t, ..]));
                (sum, mask.row(i).iter().filter(|&&kept| kept).count() as f64)
            };
            let ((w, n), (l, k)) = (total(&hidden.chosen, &scored.chosen), total(&hidden.rejected, &scored.rejected));
            let expected = w.dot(&l) - w.dot(&w);
            assert!((sums[i] - expected).abs() < 1e-11 * expected.abs().max(1.0));
            let expected = w.dot(&l) / (n * k) - w.dot(&w) / (n * n);
            assert!((means[i] - expected).abs() < 1e-12);
        }
    }

    /// Sums (1, 2, 0) and (0, 1, 1) over 2 and 4 tokens: -3, and -1 of their means.
    #[test]
    fn the_worked_example_has_its_scores() {
        let chosen = array![[[1.0_f32, 0.0, 0.0], [0.0, 2.0, 0.0], [9.0, 9.0, 9.0], [f32::NAN, 0.0, 0.0]]];
        let rejected = array![[[0.0_f32, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]]];
        let (short, long) = (array![[true, true, false, false]], array![[true, true, true, true]]);
        let hidden = || Pairs { chosen: chosen.view(), rejected: rejected.view() };
        let masks = || Pairs { chosen: TokenMask::padded(short.view()), rejected: TokenMask::padded(long.view()) };
        assert_eq!(SUM.each(hidden(), masks()).unwrap(), array![-3.0]);
        assert_eq!(MEAN.each(hidden(), masks()).unwrap(), array![-1.0]);
    }

    #[test]
    fn equal_responses_score_zero_and_rotations_and_layouts_do_not_matter() {
        let (hidden, scored) = sample();
        let same = Pairs { chosen: hidden.chosen.view(), rejected: hidden.chosen.view() };
        let both = Pairs {
            chosen: TokenMask::padded(scored.chosen.view()),
            rejected: TokenMask::padded(scored.chosen.view()),
        };
        assert_eq!(SUM.each(same, both).unwrap(), Array1::<f64>::zeros(5));
        let scores = SUM.each(hidden.view(), masks(&scored)).unwrap();
        let mut turned = hidden.clone().map(|side| {
            let mut fortran = Array3::zeros((5, 7, 33).f());
            fortran.assign(&side);
            fortran
        });
        assert_eq!(SUM.each(turned.view(), masks(&scored)).unwrap(), scores);
        for side in [&mut turned.chosen, &mut turned.rejected] {
            side.invert_axis(ndarray::Axis(2)); // a permutation of the units is a rotation
            side.mapv_inplace(|x| 2.0 * x);
        }
        let twice = SUM.each(turned.view(), masks(&scored)).unwrap();
        assert!(twice.iter().zip(&scores).all(|(a, b)| (a - 4.0 * b).abs() < 1e-10 * b.abs().max(1.0)));
    }

    #[test]
    fn packed_responses_score_like_padded_ones() {
        let (hidden, scored) = sample();
        let expected = SUM.each(hidden.view(), masks(&scored)).unwrap();
        let flat = hidden.map(|side| side.into_shape_with_order((35, 33)).unwrap());
        let masks = scored.map(|side| side.into_shape_with_order(35).unwrap());
        let offsets = [0, 7, 14, 21, 28, 35];
        let masks = masks.view().map(|mask| TokenMask::packed(mask, &offsets).unwrap());
        assert_eq!(SUM.each(flat.view(), masks).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (mut hidden, scored) = sample();
        hidden.rejected[[2, 0, 4]] = f64::INFINITY;
        let error = SUM.each(hidden.view(), masks(&scored)).unwrap_err().to_string();
        assert_eq!(error, "`hidden.rejected`[2, 0, 4] is inf, allowed is finite");
        let (hidden, mut scored) = sample();
        scored.chosen.row_mut(3).fill(false);
        let error = MEAN.each(hidden.view(), masks(&scored)).unwrap_err().to_string();
        assert_eq!(error, "`hidden.chosen`[3] is 0, allowed is > 0 tokens, a mean needs one");
        assert_eq!(SUM.each(hidden.view(), masks(&scored)).unwrap()[3], 0.0);
        let narrow = hidden.rejected.slice(ndarray::s![.., .., ..9]);
        let error = SUM.each(Pairs { chosen: hidden.chosen.view(), rejected: narrow }, masks(&scored)).unwrap_err();
        assert_eq!(error.to_string(), "`hidden.rejected` has shape [5, 7, 9], expected [5, 7, 33]");
    }
}
