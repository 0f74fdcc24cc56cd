//! Bytes drawn from a model, one after the other.

use loglik::ndarray::{Array2, ArrayView1};
use loglik::prelude::*;
use ndarray_rand::rand::Rng;

use super::failure::Outcome;
use super::model::Model;

/// Continues each row of `contexts` by `length` bytes, `[N, length]`, drawn at temperature 1.
pub fn sample(model: &Model, mut contexts: Array2<u8>, length: usize, rng: &mut impl Rng) -> Outcome<Array2<u8>> {
    let mut drawn = Array2::zeros((contexts.nrows(), length));
    for step in 0..length {
        let log_probs = log_softmax(&model.forward(&contexts).logits)?;
        for ((log_probs, mut context), mut row) in
            log_probs.rows().into_iter().zip(contexts.rows_mut()).zip(drawn.rows_mut())
        {
            let byte = draw(log_probs, rng.random());
            row[step] = byte;
            for at in 1..context.len() {
                context[at - 1] = context[at];
            }
            if let Some(last) = context.last_mut() {
                *last = byte;
            }
        }
    }
    Ok(drawn)
}

/// The byte whose share of the distribution holds `uniform`, which lies in `[0, 1)`.
fn draw(log_probs: ArrayView1<f32>, uniform: f64) -> u8 {
    let mut left = uniform;
    let mut likeliest = 0;
    for (byte, &log_prob) in (0..=u8::MAX).zip(log_probs) {
        left -= f64::from(log_prob).exp();
        if left < 0.0 {
            return byte;
        }
        if log_prob > log_probs[usize::from(likeliest)] {
            likeliest = byte;
        }
    }
    likeliest // the shares added up to a rounding error less than `uniform`
}
