//! One question for each pair.

use ndarray::Array2;

use super::{close, cosines, rows};
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
    let step = 1e-6;
    for (side, slopes) in [&slopes.first, &slopes.second].into_iter().enumerate() {
        for (at, &slope) in slopes.indexed_iter() {
            let moved = |by: f64| {
                let (mut a, mut b) = (a.clone(), b.clone());
                [&mut a, &mut b][side][at] += by;
                value(loss, &a, &b)
            };
            close(slope, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, "slope");
        }
    }
    let moved = |by: f64| value(SigLip { scale: 3.0 + by, ..loss }, &a, &b);
    close(slopes.scale, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, "scale");
    let moved = |by: f64| value(SigLip { bias: -0.7 + by, ..loss }, &a, &b);
    close(slopes.bias, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, "bias");
}
