//! From tokens to sequences, and the whole chain.

use loglik::Reduction;
use loglik::logits::{token_log_probs_backward, token_log_probs_masked};
use loglik::preference::{Dpo, LogitPairs, PairBatch, PairObjective, Pairs};
use loglik::sequence::{Alignment, Responses, TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
use ndarray::{Array1, Array2, Ix2};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const B: usize = 3;
const T: usize = 7;
const V: usize = 5;

fn masks() -> impl Strategy<Value = Array2<bool>> {
    prop::collection::vec(any::<bool>(), B * T).prop_map(|data| Array2::from_shape_vec((B, T), data).unwrap())
}

/// Sequences of equal length end to end.
fn offsets() -> Vec<usize> {
    (0..=B).map(|i| i * T).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn padded_and_packed_sequences_are_the_same(x in matrix(B, T, -9.0, 0.0), mask in masks()) {
        let (flat, kept) = (x.flatten().into_owned(), mask.flatten().into_owned());
        let padded = sum_tokens(&x, TokenMask::padded(mask.view())).unwrap();
        let offsets = offsets();
        let packed = sum_tokens(&flat, TokenMask::packed(kept.view(), &offsets).unwrap()).unwrap();
        prop_assert_eq!(&padded, &packed);
        let counts: Array1<f64> = mask.rows().into_iter().map(|row| row.iter().filter(|&&keep| keep).count() as f64).collect();
        prop_assert_eq!(padded.lengths, counts);
    }

    #[test]
    fn the_way_back_is_the_transpose(x in matrix(B, T, -9.0, 0.0), mask in masks(), c in numbers(B, -2.0, 2.0)) {
        let mask = TokenMask::padded(mask.view());
        let forth = (sum_tokens(&x, mask).unwrap().sums * &c).sum();
        let back = (sum_tokens_backward(mask, &c).unwrap() * &x).sum();
        assert_near(forth, back, 1e-13);
    }

    #[test]
    fn a_shift_scores_every_token_but_the_first(tokens in prop::collection::vec(0..50_i64, B * T), mask in masks()) {
        let tokens = Array2::from_shape_vec((B, T), tokens).unwrap();
        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        for ((i, t), &keep) in shifted.mask.indexed_iter() {
            if t + 1 < T {
                prop_assert_eq!(keep, mask[[i, t + 1]]);
            } else {
                prop_assert!(!keep);
            }
            prop_assert_eq!(shifted.targets[[i, t]], if keep { tokens[[i, t + 1]] } else { -100 });
        }
    }

    #[test]
    fn a_mean_is_a_sum_shared_by_its_tokens(x in matrix(B, T, -9.0, 0.0), mut mask in masks(), c in numbers(B, -2.0, 2.0)) {
        mask.column_mut(2).fill(true);
        let sequences = sum_tokens(&x, TokenMask::padded(mask.view())).unwrap();
        assert_all_near(&(sequences.means().unwrap() * &sequences.lengths), &sequences.sums, 1e-14);
        assert_all_near(&(sequences.means_backward(&c).unwrap() * &sequences.lengths), &c, 1e-14);
    }

    #[test]
    fn one_call_from_logits_is_the_chain_of_its_links(x in matrix(B * T, V, -4.0, 4.0), mask in masks(), seed in 0..V) {
        let logits = x.to_shape((B, T, V)).unwrap().into_owned();
        let tokens = Array2::from_shape_fn((B, T), |(i, t)| (i + seed * t) % V);
        let side = Responses {
            logits: logits.view(),
            targets: tokens.view(),
            mask: TokenMask::padded(mask.view()),
            alignment: Alignment::Next,
        };
        let zeros = Array1::zeros(B);
        let reference = Pairs { chosen: zeros.view(), rejected: zeros.view() };
        // The rejected side is the chosen one without the shift.
        let pairs = Pairs { chosen: side, rejected: Responses { alignment: Alignment::Same, ..side } };
        let dpo = Dpo { beta: 0.3, label_smoothing: 0.1 };
        let (loss, gradient) = LogitPairs::new(pairs).reference(reference).grad(&dpo, Reduction::Mean).unwrap();

        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        let sums = |targets, mask: TokenMask<'_, Ix2>| {
            sum_tokens(&token_log_probs_masked(&logits, targets, &mask.mask()).unwrap(), mask).unwrap().sums
        };
        let policy = Pairs {
            chosen: sums(&shifted.targets, shifted.token_mask()),
            rejected: sums(&tokens, TokenMask::padded(mask.view())),
        };
        let batch = PairBatch::new(policy.view()).reference(reference);
        let (expected, slopes) = dpo.grad(batch, Reduction::Mean).unwrap();
        assert_near(loss, expected, 1e-14);
        let by_token = sum_tokens_backward(shifted.token_mask(), &slopes.chosen).unwrap();
        let by_logit = token_log_probs_backward(&logits, &shifted.targets, &by_token).unwrap();
        assert_all_near(&gradient.chosen, &by_logit, 1e-14);
        let by_token = sum_tokens_backward(TokenMask::padded(mask.view()), &slopes.rejected).unwrap();
        let by_logit = token_log_probs_backward(&logits, &tokens, &by_token).unwrap();
        assert_all_near(&gradient.rejected, &by_logit, 1e-14);
    }
}
