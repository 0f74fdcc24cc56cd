//! From tokens to sequences, and the whole chain.

use loglik::sequence::{TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

use super::{assert_near, config, matrix, numbers};

const B: usize = 3;
const T: usize = 7;

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
                prop_assert_eq!(shifted.targets[[i, t]], tokens[[i, t + 1]]);
            } else {
                prop_assert!(!keep);
            }
        }
    }
}
