//! Sums of token log-probabilities over sequences, and their gradients.

use ndarray::{Array, Array1, ArrayD, ArrayRef, ArrayRef1, ArrayView1, ArrayViewD, Axis, Dimension, IxDyn};

use super::mask::{AnyMask, count};
use super::{Sequences, TokenMask};
use crate::compiled::in_dimension;
use crate::reduction::{BLOCK, pairwise};
use crate::rowwise::{RowJobs, copy};
use crate::{Error, Real, Result, check, simd};

/// Sequence log-probabilities: sum and number of the scored tokens of each sequence.
///
/// ```math
/// s_i = \sum_t m_{it}\, x_{it}, \qquad n_i = \sum_t m_{it}
/// ```
///
/// `token_log_probs` has the mask's shape. Masked values are left out and never read into the sum, even NaN. A scored
/// -inf (a token that the model rules out) gives the exact sum, -inf. A sequence without a scored token has sum 0 and
/// length 0.
///
/// Lanes of the element type add within blocks of 1,024 tokens, `f64` across them: the relative error of a sum of
/// log-probabilities stays at a few ulp of `f32` for sequences of any length.
///
/// # Errors
///
/// [`Error::Shape`]; [`Error::Value`] where a scored token is NaN or +inf, naming its position; [`Error::Overflow`]
/// where finite tokens sum beyond the element type, naming the sequence.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let log_probs = array![-1.0_f64, -2.0, f64::NEG_INFINITY, -0.5]; // two sequences, end to end
/// let mask = array![true, true, false, true];
/// let sequences = sum_tokens(&log_probs, TokenMask::packed(mask.view(), &[0, 3, 4])?)?;
/// assert_eq!(sequences.sums, array![-3.0, -0.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "sequence log-probability")]
#[doc(alias = "get_batch_logps")]
#[doc(alias = "logps")]
pub fn sum_tokens<T: Real, D: Dimension>(
    token_log_probs: &ArrayRef<T, D>,
    mask: TokenMask<'_, D>,
) -> Result<Sequences<T>> {
    T::sum_tokens(token_log_probs.view().into_dyn(), mask.into_dyn())
}

pub(super) fn sums<T: Real>(token_log_probs: ArrayViewD<'_, T>, mask: AnyMask<'_>) -> Result<Sequences<T>> {
    let kept = mask.mask();
    check::shape("token_log_probs", token_log_probs.shape(), kept.shape())?;
    let (tokens, masks) = (mask.split(&token_log_probs), mask.split(&kept));
    let mut result = Sequences { sums: Array1::zeros(tokens.len()), lengths: Array1::zeros(tokens.len()) };
    let mut pairs: Vec<_> = result.sums.iter_mut().zip(&mut result.lengths).collect();
    jobs::<T>(&kept, tokens.len()).each_value(&mut pairs, |sequence, (sum, length)| {
        let (tokens, mask) = (tokens[sequence], masks[sequence]);
        (**sum, **length) = (T::from_f64(kept_sum(tokens, mask)), T::from_f64(count(mask) as f64));
        Ok(())
    })?;
    for (sequence, &sum) in result.sums.iter().enumerate().filter(|(_, sum)| !sum.is_finite()) {
        explain(sum, &mask, sequence, tokens[sequence], masks[sequence])?;
    }
    Ok(result)
}

/// Gradient with respect to the token log-probabilities, from the gradient with respect to the sums.
///
/// ```math
/// \partial L / \partial x_{it} = m_{it}\, \partial L / \partial s_i
/// ```
///
/// `cotangent` is `∂L/∂s`, `[B]`; the result has the mask's shape, with an exact zero at what is masked. A gradient
/// with respect to the means goes through [`Sequences::means_backward`] first.
///
/// # Errors
///
/// [`Error::Shape`]; [`Error::Value`] where the cotangent is not finite, naming the sequence.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// let mask = array![[true, true, false], [false, true, false]];
/// let gradient = sum_tokens_backward(TokenMask::padded(mask.view()), &aview1(&[0.5, -2.0]))?;
/// assert_eq!(gradient, array![[0.5, 0.5, 0.0], [0.0, -2.0, 0.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn sum_tokens_backward<T: Real, D: Dimension>(
    mask: TokenMask<'_, D>,
    cotangent: &ArrayRef1<T>,
) -> Result<Array<T, D>> {
    Ok(in_dimension(T::sum_tokens_backward(mask.into_dyn(), cotangent.view())?))
}

pub(super) fn gradients<T: Real>(mask: AnyMask<'_>, cotangent: ArrayView1<'_, T>) -> Result<ArrayD<T>> {
    let kept = mask.mask();
    let masks = mask.split(&kept);
    check::shape("cotangent", cotangent.shape(), &[masks.len()])?;
    if let Some((sequence, value)) = cotangent.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let (argument, position, value) = ("cotangent", sequence.into(), value.as_f64());
        return Err(Error::Value { argument, position, value, allowed: "finite" });
    }
    let mut result = Array::zeros(kept.raw_dim());
    let mut rows = mask.split_mut(result.as_slice_mut().unwrap_or_default());
    jobs::<T>(&kept, masks.len()).each_value(&mut rows, |sequence, row| {
        spread(cotangent[sequence], masks[sequence], row);
        Ok(())
    })?;
    Ok(result)
}

/// The sequences in jobs, by their average length: jobs depend on the batch, never on threads.
fn jobs<T>(mask: &ArrayRef<bool, IxDyn>, sequences: usize) -> RowJobs {
    let average = mask.len().div_ceil(sequences.max(1));
    RowJobs::new(sequences, average * size_of::<f64>()).of_work(mask.len() * (size_of::<T>() + 1))
}

/// The sum over one sequence, in blocks whose bounds depend on its length alone.
fn kept_sum<T: Real>(tokens: ArrayView1<'_, T>, mask: ArrayView1<'_, bool>) -> f64 {
    let blocks = tokens.axis_chunks_iter(Axis(0), BLOCK).zip(mask.axis_chunks_iter(Axis(0), BLOCK));
    pairwise(&blocks.map(|(tokens, mask)| block_sum(tokens, mask).as_f64()).collect::<Vec<_>>())
}

/// The sum over one block, which is copied where it does not lie in one piece.
fn block_sum<T: Real>(tokens: ArrayView1<'_, T>, mask: ArrayView1<'_, bool>) -> T {
    if let (Some(tokens), Some(mask)) = (tokens.to_slice(), mask.to_slice()) {
        return simd::masked_sum(tokens, mask);
    }
    let (mut values, mut kept) = ([T::zero(); BLOCK], [false; BLOCK]);
    copy(tokens, &mut values[..tokens.len()]);
    kept.iter_mut().zip(mask).for_each(|(to, &from)| *to = from);
    simd::masked_sum(&values[..tokens.len()], &kept[..tokens.len()])
}

/// Writes the value where the mask keeps and zero elsewhere.
fn spread<T: Real>(value: T, mask: ArrayView1<'_, bool>, out: &mut [T]) {
    match mask.to_slice() {
        Some(mask) => simd::spread(value, mask, out),
        None => out.iter_mut().zip(mask).for_each(|(out, &keep)| *out = if keep { value } else { T::zero() }),
    }
}

/// Why a sum is not finite: a scored token that is no log-probability, or an overflow. A scored -inf is no error.
fn explain<T: Real>(
    sum: T,
    mask: &AnyMask<'_>,
    sequence: usize,
    tokens: ArrayView1<'_, T>,
    kept: ArrayView1<'_, bool>,
) -> Result<()> {
    let argument = "token_log_probs";
    let mut scored = tokens.iter().zip(kept).enumerate().filter(|(_, (_, keep))| **keep).map(|(at, (&x, _))| (at, x));
    if let Some((at, x)) = scored.clone().find(|(_, x)| x.is_nan() || *x == T::infinity()) {
        let (position, value) = (mask.position(sequence, at), x.as_f64());
        return Err(Error::Value { argument, position, value, allowed: "finite or -inf" });
    }
    match sum == T::neg_infinity() && scored.any(|(_, x)| x == T::neg_infinity()) {
        true => Ok(()),
        false => Err(Error::overflow::<T>(argument, sequence)),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array, aview1, s};

    use super::*;

    /// A log-probability for each token, NaN or -inf where it is masked, without a regular pattern.
    fn batch<T: Real>(rows: usize, width: usize) -> (Array2<T>, Array2<bool>) {
        let noise = |i: usize, t: usize| ((i * 7919 + t * 104_729 + 13) % 1009) as f64 / 101.0;
        let mask = Array2::from_shape_fn((rows, width), |(i, t)| noise(t, i) > 3.0);
        let tokens = Array2::from_shape_fn((rows, width), |(i, t)| match (mask[[i, t]], t % 2) {
            (true, _) => T::from_f64(-noise(i, t)),
            (false, 0) => T::nan(),
            (false, _) => T::neg_infinity(),
        });
        (tokens, mask)
    }

    #[test]
    fn sums_and_lengths_equal_those_of_a_plain_loop() {
        for (rows, width) in [(1, 1), (3, 31), (2, 1023), (2, 1024), (2, 1025), (1, 5000), (300, 700)] {
            let (tokens, mask) = batch::<f64>(rows, width);
            let sequences = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap();
            for i in 0..rows {
                let scored: Vec<f64> = (0..width).filter(|&t| mask[[i, t]]).map(|t| tokens[[i, t]]).collect();
                let (sum, length) = (scored.iter().sum::<f64>(), scored.len() as f64);
                assert!((sequences.sums[i] - sum).abs() <= 1e-13 * sum.abs(), "[{rows}, {width}], row {i}");
                assert_eq!(sequences.lengths[i], length, "[{rows}, {width}], row {i}");
            }
        }
    }

    #[test]
    fn a_million_tokens_keep_the_precision_of_f32() {
        let tokens = Array2::from_shape_fn((1, 1 << 20), |(_, t)| -0.1 - (t % 7) as f32);
        let exact: f64 = tokens.iter().map(|&x| f64::from(x)).sum();
        let mask = Array2::from_elem(tokens.raw_dim(), true);
        let sum = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap().sums[0];
        assert!((f64::from(sum) / exact - 1.0).abs() < 8.0 * f64::from(f32::EPSILON), "{sum} against {exact}");
        let naive: f32 = tokens.iter().sum();
        assert!((f64::from(naive) / exact - 1.0).abs() > 1e-4, "a plain loop would have done: {naive}");
    }

    #[test]
    fn packed_equals_padded_and_masked_equals_dropped() {
        let (tokens, mask) = batch::<f32>(40, 3000);
        let padded = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap();
        let flat = |keep: &dyn Fn(bool) -> bool| {
            let (mut values, mut kept, mut offsets) = (vec![], vec![], vec![0]);
            for (row, mask) in tokens.rows().into_iter().zip(mask.rows()) {
                let all = row.iter().zip(mask).filter(|(_, m)| keep(**m));
                all.for_each(|(&x, &m)| (values.push(x), kept.push(m)).0);
                offsets.push(values.len());
            }
            let mask = aview1(&kept);
            sum_tokens(&aview1(&values), TokenMask::packed(mask, &offsets).unwrap()).unwrap()
        };
        assert_eq!(flat(&|_| true), padded);
        let dropped = flat(&|kept| kept);
        assert_eq!(dropped.lengths, padded.lengths);
        for (a, b) in dropped.sums.iter().zip(&padded.sums) {
            assert!((a - b).abs() <= 4.0 * f32::EPSILON * b.abs(), "{a} and {b}");
        }
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let (tokens, mask) = batch::<f32>(9, 2500);
        let expected = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap();
        let mut fortran = Array2::zeros((9, 2500).f());
        fortran.assign(&tokens);
        let mut wide = Array2::from_elem((18, 5000), false);
        wide.slice_mut(s![..;-2, ..;-2]).assign(&mask);
        let (strided, view) = (TokenMask::padded(wide.slice(s![..;-2, ..;-2])), TokenMask::padded(mask.view()));
        let cotangent = Array1::from_iter((0..9).map(|i| i as f32 - 4.0));
        for (tokens, mask) in [(&fortran, view), (&tokens, strided), (&fortran, strided)] {
            assert_eq!(sum_tokens(tokens, mask).unwrap(), expected);
            let gradient = sum_tokens_backward(mask, &cotangent).unwrap();
            assert!(gradient.is_standard_layout());
            assert_eq!(gradient, sum_tokens_backward(view, &cotangent).unwrap());
        }
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn one_thread_and_two_give_the_same_bits() {
        let (tokens, mask) = batch::<f32>(500, 1500);
        let mask = TokenMask::padded(mask.view());
        let cotangent = Array1::from_iter((0..500).map(|i| i as f32));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (sum_tokens(&tokens, mask).unwrap(), sum_tokens_backward(mask, &cotangent).unwrap()))
        };
        assert_eq!(run(1), run(2));
    }

    #[test]
    fn the_gradient_meets_the_central_difference() {
        let (tokens, mask) = batch::<f64>(3, 20);
        let tokens = tokens.mapv(|x| if x.is_finite() { x } else { -1.0 });
        let (mask, weights) = (TokenMask::padded(mask.view()), array![0.5, -2.0, 3.0]);
        let loss = |tokens: &Array2<f64>| (&sum_tokens(tokens, mask).unwrap().sums * &weights).sum();
        let gradient = sum_tokens_backward(mask, &weights).unwrap();
        for ((i, t), &slope) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut moved = tokens.clone();
                moved[[i, t]] += step;
                loss(&moved)
            };
            assert!(((at(1e-3) - at(-1e-3)) / 2e-3 - slope).abs() < 1e-9, "[{i}, {t}]");
        }
    }

    #[test]
    fn packed_gradients_go_to_their_own_tokens() {
        let mask = array![true, false, true, true, true];
        let packed = TokenMask::packed(mask.view(), &[0, 3, 3, 5]).unwrap();
        let gradient = sum_tokens_backward(packed, &aview1(&[1.0, 7.0, -2.0])).unwrap();
        assert_eq!(gradient, array![1.0, 0.0, 1.0, -2.0, -2.0]);
    }

    #[test]
    fn a_scored_infinity_is_a_value_and_a_masked_one_is_not_seen() {
        let inf = f64::INFINITY;
        let tokens = array![[-1.0, -inf, -2.0], [-1.0, -inf, f64::NAN]];
        let mask = array![[true, true, true], [true, false, false]];
        let sequences = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap();
        assert_eq!(sequences.sums, array![-inf, -1.0]);
        assert_eq!(sequences.means().unwrap(), array![-inf, -1.0]);
    }

    #[test]
    fn what_is_no_log_prob_is_named() {
        let mask = array![[true, true, true], [true, true, true]];
        let padded = |x: f64| sum_tokens(&array![[-1.0, -2.0, -3.0], [-1.0, x, x]], TokenMask::padded(mask.view()));
        let message = |x| padded(x).unwrap_err().to_string();
        assert_eq!(message(f64::NAN), "`token_log_probs`[1, 1] is NaN, allowed is finite or -inf");
        assert_eq!(message(f64::INFINITY), "`token_log_probs`[1, 1] is inf, allowed is finite or -inf");
        assert_eq!(message(1.7e308), "the result at `token_log_probs`[1] overflows f64");
        assert_eq!(message(-1.7e308), "the result at `token_log_probs`[1] overflows f64");
        let whole = Array2::from_elem((1, 64), true);
        let mut values = Array2::from_elem((1, 64), 1.7e308); // two in each lane
        values[[0, 0]] = f64::NEG_INFINITY;
        let error = sum_tokens(&values, TokenMask::padded(whole.view())).unwrap_err();
        assert_eq!(error.to_string(), "the result at `token_log_probs`[0] overflows f64");
        let flat = array![true, true, true, true];
        let packed = TokenMask::packed(flat.view(), &[0, 2, 4]).unwrap();
        let error = sum_tokens(&array![-1.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NAN], packed).unwrap_err();
        assert_eq!(error.to_string(), "`token_log_probs`[3] is NaN, allowed is finite or -inf");
    }

    #[test]
    fn bad_shapes_and_cotangents_are_named() {
        let mask = array![[true, false], [true, true]];
        let mask = TokenMask::padded(mask.view());
        let error = sum_tokens(&Array2::<f32>::zeros((2, 3)), mask).unwrap_err();
        assert_eq!(error.to_string(), "`token_log_probs` has shape [2, 3], expected [2, 2]");
        let message = |cotangent: &[f64]| sum_tokens_backward(mask, &aview1(cotangent)).unwrap_err().to_string();
        assert_eq!(message(&[1.0]), "`cotangent` has shape [1], expected [2]");
        assert_eq!(message(&[1.0, f64::NAN]), "`cotangent`[1] is NaN, allowed is finite");
    }

    #[test]
    fn nothing_sums_to_nothing() {
        for (rows, width) in [(0, 3), (2, 0)] {
            let mask = Array2::from_elem((rows, width), true);
            let mask = TokenMask::padded(mask.view());
            let sequences = sum_tokens(&Array2::<f64>::zeros((rows, width)), mask).unwrap();
            assert_eq!((sequences.sums.sum(), sequences.lengths.to_vec()), (0.0, vec![0.0; rows]));
            let gradient = sum_tokens_backward(mask, &Array1::from_elem(rows, 1.0)).unwrap();
            assert_eq!(gradient.shape(), [rows, width]);
        }
        let masked = Array2::from_elem((2, 3), false);
        let sequences = sum_tokens(&Array2::from_elem((2, 3), f32::NAN), TokenMask::padded(masked.view())).unwrap();
        assert_eq!(sequences, Sequences { sums: array![0.0, 0.0], lengths: array![0.0, 0.0] });
    }
}
