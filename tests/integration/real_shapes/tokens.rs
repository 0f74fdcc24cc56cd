//! Sequences as long as models read: sums over 8,192 tokens, the shift, and the way back.

use loglik::Reduction;
use loglik::logits::{CrossEntropy, TokenObjective, token_log_probs_masked};
use loglik::sequence::{Alignment, Responses, TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
use ndarray::{Array1, Array2, aview1};

const TOKENS: usize = 8_192;
const CLASSES: usize = 37;

fn logit(token: usize, class: usize) -> f64 {
    3.0 * ((token * 31 + class * 17) as f64).sin()
}

/// Log-probability of a class after a token, by a plain loop.
fn log_prob(token: usize, class: usize) -> f64 {
    logit(token, class) - (0..CLASSES).map(|v| logit(token, v).exp()).sum::<f64>().ln()
}

/// One long document, and the same tokens packed as three; the first 100 of each are a prompt.
#[test]
fn long_sequences_agree_with_plain_loops() {
    let logits = Array2::from_shape_fn((TOKENS, CLASSES), |(t, v)| logit(t, v));
    let tokens = Array1::from_shape_fn(TOKENS, |t| (t * 13 % CLASSES) as i64);
    for offsets in [vec![0, TOKENS], vec![0, 2_049, 2_149, TOKENS]] {
        let mut mask = Array1::from_elem(TOKENS, true);
        offsets[..offsets.len() - 1]
            .iter()
            .for_each(|&start| mask.slice_mut(ndarray::s![start..start + 100]).fill(false));
        let mask = TokenMask::packed(mask.view(), &offsets).unwrap();
        let scored = |pair: &[usize]| pair[0] + 100..pair[1];
        let exact: Vec<f64> =
            offsets.windows(2).map(|pair| scored(pair).map(|t| log_prob(t - 1, tokens[t] as usize)).sum()).collect();

        let shifted = causal_shift(&tokens, mask).unwrap();
        let each = token_log_probs_masked(&logits, &shifted.targets, &shifted.mask).unwrap();
        let sums = sum_tokens(&each, shifted.token_mask()).unwrap();
        let responses = Responses { logits: logits.view(), targets: tokens.view(), mask, alignment: Alignment::Next };
        let whole = responses.sequences().unwrap();
        for ((sum, same), exact) in sums.sums.iter().zip(&whole.sums).zip(&exact) {
            assert!((sum - exact).abs() <= 1e-12 * exact.abs() && sum == same, "{sum}, {same} and {exact}");
        }
        let counts: Vec<f64> = offsets.windows(2).map(|pair| scored(pair).len() as f64).collect();
        assert_eq!(whole.lengths.to_vec(), counts);

        // Without a mask, from the shifted targets alone.
        let (loss, gradient) = CrossEntropy::default().grad(&logits, &shifted.targets, Reduction::Mean).unwrap();
        let (total, count) = (exact.iter().sum::<f64>(), counts.iter().sum::<f64>());
        assert!((loss + total / count).abs() <= 1e-12 * loss);
        let cotangent: Vec<f64> = vec![-1.0 / count; exact.len()];
        let back = responses.backward(&aview1(&cotangent)).unwrap();
        assert!(gradient.iter().zip(&back).all(|(a, b)| (a - b).abs() <= 1e-15));
        let weights = sum_tokens_backward(mask, &aview1(&cotangent)).unwrap();
        assert!(weights.iter().zip(mask.mask()).all(|(&weight, &keep)| (weight != 0.0) == keep));
        for t in (0..TOKENS - 1).step_by(509) {
            for v in 0..CLASSES {
                let residual = log_prob(t, v).exp() - f64::from(u8::from(shifted.targets[t] == v as i64));
                let slope = if shifted.mask[t] { residual / count } else { 0.0 };
                assert!((gradient[[t, v]] - slope).abs() <= 1e-15, "{t}, {v}");
            }
        }
    }
}
