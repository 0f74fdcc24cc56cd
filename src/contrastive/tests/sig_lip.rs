//! One question for each pair.

use ndarray::Array2;

use super::{are_slopes, close, cosines, is_slope, rows};
use crate::Reduction;
use crate::contrastive::*;

#[test]
fn questions_of_pairs_are_the_plain_formula() {
    let (a, b) = (rows(18, 5, 3), rows(19, 37, 3));
    let loss = SigLip { scale: 3.0, bias: -0.7, similarity: Similarity::Cosine };
    let sims = cosines(&a, &b);
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    for i in 0..5 {
        let question = |j: usize| (1.0 + (if i == j { -1.0 } else { 1.0 } * (3.0 * sims[[i, j]] - 0.7)).exp()).ln();
        close(each[i], (0..37).map(question).sum(), 1e-13, "each");
    }
    let value = |loss: SigLip, a: &Array2<f64>, b: &Array2<f64>| {
        loss.value(EmbeddingBatch::new(a, b), Reduction::Mean).unwrap()
    };
    let (found, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
    assert_eq!(found, value(loss, &a, &b));
    are_slopes(&a, &slopes.first, |a| value(loss, a, &b), "first");
    are_slopes(&b, &slopes.second, |b| value(loss, &a, b), "second");
    is_slope(slopes.scale, |by| value(SigLip { scale: 3.0 + by, ..loss }, &a, &b), "scale");
    is_slope(slopes.bias, |by| value(SigLip { bias: -0.7 + by, ..loss }, &a, &b), "bias");
}
