//! From the logits of responses to one number for each response, and back.

use ndarray::{Array, ArrayRef, ArrayRef1, ArrayView, Dimension};
use num_traits::Zero;

use super::scored::Scored;
use super::{Alignment, Sequences, TokenMask, sum_tokens, sum_tokens_backward};
use crate::logits::LogitTransform;
use crate::{Element, Result, Target, check};

/// A model's logits beside the tokens that they are to predict: one response in each sequence.
///
/// | field | padded | packed |
/// |---|---|---|
/// | `logits` | `[B, T, V]` | `[N, V]` |
/// | `targets` | `[B, T]` | `[N]` |
/// | `mask` | [`TokenMask::padded`], `[B, T]` | [`TokenMask::packed`], `[N]` with offsets |
///
/// The mask says which *targets* are scored: with [`Alignment::Next`] it is moved together with them. What is not
/// scored is never read, neither its logits nor its target, and has a zero gradient.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{aview1, array}};
/// # use loglik::sequence::Alignment;
/// let logits = array![[[1.0_f64, 2.0, 3.0], [3.0, 1.0, 2.0], [0.0, 0.0, f64::NAN]]];
/// let (tokens, mask) = (array![[0, 2, 0]], array![[false, true, true]]);
/// let responses = Responses {
///     logits: logits.view(),
///     targets: tokens.view(),
///     mask: TokenMask::padded(mask.view()),
///     alignment: Alignment::Next,
/// };
/// let sequences = responses.sequences()?;
/// assert!((sequences.sums[0] + 0.815_211_928_888_760_2).abs() < 1e-15); // twice that of a 3 among 1, 2, 3
/// assert_eq!(sequences.lengths[0], 2.0);
/// let gradient = responses.backward(&aview1(&[1.0]))?;
/// assert!((gradient[[0, 1, 0]] - 0.334_759_044_225_178_1).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "sequence log-probability")]
#[doc(alias = "logps")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Responses<'a, E, I, D: Dimension> {
    /// Logits, classes on the last axis; of any [`Element`] and any layout.
    pub logits: ArrayView<'a, E, D>,
    /// The tokens, of the shape of the logits without their last axis.
    pub targets: ArrayView<'a, I, D::Smaller>,
    /// Which tokens are scored, and to which response each belongs.
    pub mask: TokenMask<'a, D::Smaller>,
    /// Which token the logits at a position predict.
    pub alignment: Alignment,
}

impl<'a, E: Element, I: Target, D: Dimension> Responses<'a, E, I, D> {
    /// Number of responses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mask.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Log-probability of each response, summed over its scored tokens, and their number.
    ///
    /// Reads the scored logits once; nothing of their size is allocated.
    ///
    /// # Errors
    ///
    /// Those of [`token_log_probs_masked`](crate::logits::token_log_probs_masked) and of [`sum_tokens`]. Positions are
    /// those in the fields, also where targets are shifted.
    pub fn sequences(&self) -> Result<Sequences<E::Real>> {
        self.sequences_of(LogitTransform::default(), |_| true)
    }

    /// The same of transformed logits, for the responses that are wanted; the others have sum 0 and length 0, and are not
    /// looked at.
    pub(crate) fn sequences_of(
        &self,
        transform: LogitTransform,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Sequences<E::Real>> {
        let scored = self.scored();
        let aligned = scored.align(wanted)?;
        let token_log_probs = transform.token_log_probs_masked(&self.logits, &aligned.targets, &aligned.mask);
        sum_tokens(&token_log_probs.map_err(|error| scored.unaligned(error))?, aligned.token_mask())
    }

    /// Gradient with respect to the logits, from that with respect to the sums, `[B]`.
    ///
    /// # Errors
    ///
    /// Those of [`sum_tokens_backward`] and of
    /// [`token_log_probs_backward_into`](crate::logits::token_log_probs_backward_into).
    pub fn backward(&self, cotangent: &ArrayRef1<E::Real>) -> Result<Array<E::Real, D>> {
        let mut out = Array::from_elem(self.logits.raw_dim(), E::Real::zero());
        self.backward_into(cotangent, &mut out)?;
        Ok(out)
    }

    /// [`backward`](Self::backward) into a buffer of the shape of the logits, every element of which is written.
    ///
    /// Reads the scored logits once and allocates nothing of their size. A response whose cotangent is 0 is not looked
    /// at.
    ///
    /// # Errors
    ///
    /// Those of [`backward`](Self::backward); after an error in the logits the buffer is unspecified.
    pub fn backward_into(&self, cotangent: &ArrayRef1<E::Real>, out: &mut ArrayRef<E::Real, D>) -> Result<()> {
        self.backward_through(LogitTransform::default(), cotangent, out)
    }

    /// The same with respect to logits that are transformed first.
    pub(crate) fn backward_through(
        &self,
        transform: LogitTransform,
        cotangent: &ArrayRef1<E::Real>,
        out: &mut ArrayRef<E::Real, D>,
    ) -> Result<()> {
        check::shape("out", out.shape(), self.logits.shape())?;
        let scored = self.scored();
        let aligned = scored.align(|_| true)?;
        let cotangent = sum_tokens_backward(aligned.token_mask(), cotangent)?;
        transform
            .token_log_probs_backward_into(&self.logits, &aligned.targets, &cotangent, out)
            .map_err(|error| scored.unaligned(error))
    }

    fn scored(&self) -> Scored<'_, 'a, I, D::Smaller> {
        Scored { targets: &self.targets, mask: &self.mask, alignment: self.alignment }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, ArrayView2, ArrayView3, array, aview1, s};

    use super::*;

    fn logits(batch: usize, width: usize) -> Array3<f64> {
        Array3::from_shape_fn((batch, width, 5), |(i, t, v)| 2.0 * ((1 + 3 * i + 5 * t + 7 * v) as f64).sin())
    }

    fn padded<'a, I>(
        logits: ArrayView3<'a, f64>,
        targets: ArrayView2<'a, I>,
        mask: ArrayView2<'a, bool>,
        alignment: Alignment,
    ) -> Responses<'a, f64, I, ndarray::Ix3> {
        Responses { logits, targets, mask: TokenMask::padded(mask), alignment }
    }

    #[test]
    fn shifting_here_equals_slicing_before() {
        let (logits, targets) = (logits(2, 4), Array2::from_shape_fn((2, 4), |(i, t)| (3 * i + 2 * t) % 5));
        let mask = array![[false, true, true, true], [false, false, true, false]];
        let next = padded(logits.view(), targets.view(), mask.view(), Alignment::Next);
        let sliced =
            padded(logits.slice(s![.., ..3, ..]), targets.slice(s![.., 1..]), mask.slice(s![.., 1..]), Alignment::Same);
        assert_eq!(next.sequences().unwrap(), sliced.sequences().unwrap());
        let cotangent = aview1(&[0.5, -2.0]);
        let (whole, part) = (next.backward(&cotangent).unwrap(), sliced.backward(&cotangent).unwrap());
        assert_eq!(whole.slice(s![.., ..3, ..]), part);
        assert!(whole.slice(s![.., 3, ..]).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn packed_responses_equal_padded_ones() {
        let (logits, targets) = (logits(2, 3), array![[0, 1, 2], [3, 4, 0]]);
        let mask = array![[true, true, true], [true, true, false]]; // the last of five tokens is padding
        let padded = padded(logits.view(), targets.view(), mask.view(), Alignment::Next);
        let flat = logits.to_shape((6, 5)).unwrap();
        let (flat_targets, flat_mask) = (array![0, 1, 2, 3, 4], array![true, true, true, true, true]);
        let packed = Responses {
            logits: flat.slice(s![..5, ..]),
            targets: flat_targets.view(),
            mask: TokenMask::packed(flat_mask.view(), &[0, 3, 5]).unwrap(),
            alignment: Alignment::Next,
        };
        assert_eq!(packed.len(), 2);
        assert_eq!(packed.sequences().unwrap(), padded.sequences().unwrap());
        let cotangent = aview1(&[1.0, -3.0]);
        let (packed, padded) = (packed.backward(&cotangent).unwrap(), padded.backward(&cotangent).unwrap());
        assert_eq!(packed, padded.to_shape((6, 5)).unwrap().slice(s![..5, ..]));
    }

    #[test]
    fn what_is_not_scored_is_never_looked_at() {
        let mut logits = logits(2, 3);
        let targets = array![[0, 1, 2], [3, 4, -100]];
        let mask = array![[false, true, true], [false, true, false]];
        let clean = padded(logits.view(), targets.view(), mask.view(), Alignment::Next).sequences().unwrap();
        logits.slice_mut(s![0, 2, ..]).fill(f64::NAN); // predicts beyond the end
        logits.slice_mut(s![1, 1.., ..]).fill(f64::NAN); // predicts what is masked
        let dirty = padded(logits.view(), targets.view(), mask.view(), Alignment::Next);
        assert_eq!(dirty.sequences().unwrap(), clean);
        let gradient = dirty.backward(&aview1(&[1.0, 1.0])).unwrap();
        assert!(gradient.iter().all(|x| x.is_finite()));
        assert!(gradient.slice(s![1, 1.., ..]).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn errors_stand_where_the_callers_own_token_stands() {
        let (mut logits, mut targets) = (logits(2, 3), array![[0, 1, 2], [3, 4, 5]]);
        let mask = Array2::from_elem((2, 3), true);
        let message = |logits: &Array3<f64>, targets: &Array2<i32>, alignment| {
            let responses = padded(logits.view(), targets.view(), mask.view(), alignment);
            let forward = responses.sequences().unwrap_err().to_string();
            assert_eq!(responses.backward(&aview1(&[1.0, 1.0])).unwrap_err().to_string(), forward);
            forward
        };
        for alignment in [Alignment::Next, Alignment::Same] {
            let found = message(&logits, &targets, alignment);
            assert_eq!(found, "`targets`[1, 2] is 5, allowed are the classes 0 to 4", "{alignment:?}");
        }
        targets[[1, 2]] = 0;
        logits[[1, 1, 3]] = f64::NAN;
        let found = message(&logits, &targets, Alignment::Next);
        assert!(found.starts_with("`logits`[1, 1, 3] is NaN, allowed is "), "{found}");
    }

    #[test]
    fn shapes_are_checked_before_anything_is_written() {
        let (logits, mask) = (logits(2, 3), Array2::from_elem((2, 3), true));
        let targets = Array2::<u32>::zeros((2, 3));
        let short = padded(logits.view(), targets.slice(s![.., ..2]), mask.view(), Alignment::Same);
        let message = "`targets` has shape [2, 2], expected [2, 3]";
        assert_eq!(short.sequences().unwrap_err().to_string(), message);
        let whole = padded(logits.view(), targets.view(), mask.view(), Alignment::Same);
        let mut out = Array3::from_elem((2, 3, 4), 7.0);
        let error = whole.backward_into(&aview1(&[1.0, 1.0]), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "`out` has shape [2, 3, 4], expected [2, 3, 5]");
        let error = whole.backward_into(&aview1(&[1.0]), &mut Array3::zeros((2, 3, 5))).unwrap_err();
        assert_eq!(error.to_string(), "`cotangent` has shape [1], expected [2]");
        assert!(out.iter().all(|&x| x == 7.0));
    }

    #[cfg(feature = "half")]
    #[test]
    fn half_precision_logits_score_as_the_numbers_that_they_hold() {
        let half = logits(2, 3).mapv(half::bf16::from_f64);
        let wide = half.mapv(f32::from);
        let (targets, mask) = (array![[0, 1, 2], [3, 4, 0]], array![[false, true, true], [true, true, false]]);
        let (mask, alignment) = (TokenMask::padded(mask.view()), Alignment::Next);
        let half = Responses { logits: half.view(), targets: targets.view(), mask, alignment };
        let wide = Responses { logits: wide.view(), targets: targets.view(), mask, alignment };
        assert_eq!(half.sequences().unwrap(), wide.sequences().unwrap());
        let cotangent = aview1(&[1.0_f32, -0.5]);
        assert_eq!(half.backward(&cotangent).unwrap(), wide.backward(&cotangent).unwrap());
    }

    #[test]
    fn nothing_to_score_is_a_sum_of_nothing() {
        for (batch, width) in [(0, 3), (2, 0), (2, 1)] {
            let logits = Array3::from_elem((batch, width, 5), f64::NAN);
            let (targets, mask) = (Array2::<i64>::zeros((batch, width)), Array2::from_elem((batch, width), true));
            let responses = padded(logits.view(), targets.view(), mask.view(), Alignment::Next);
            let sequences = responses.sequences().unwrap();
            assert_eq!((sequences.sums.to_vec(), sequences.lengths.to_vec()), (vec![0.0; batch], vec![0.0; batch]));
            let gradient = responses.backward(&ndarray::Array1::ones(batch)).unwrap();
            assert_eq!(gradient, Array3::<f64>::zeros((batch, width, 5)));
        }
    }
}
