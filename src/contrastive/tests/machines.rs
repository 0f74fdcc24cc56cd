//! Pairs and candidates that are spread over machines.

use ndarray::{Array1, ArrayView2, Axis, concatenate, s};

use super::{close, rows};
use crate::contrastive::*;
use crate::logits::LogSumExp;
use crate::{Real, Reduction};

#[test]
fn pairs_over_machines_add_up() {
    let (a, b) = (rows(13, 9, 4), rows(14, 18, 4));
    for directions in [Directions::Forward, Directions::Symmetric, Directions::All] {
        let loss = InfoNce { directions, temperature: 0.2, ..InfoNce::default() };
        let (value, whole) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
        let (mut total, mut first, mut second, mut temperature) = (0.0, 0.0 * &a, 0.0 * &b, 0.0);
        for part in [0..4, 4..9] {
            let weights = Array1::from_elem(part.len(), 1.0 / 9.0);
            let batch = EmbeddingBatch::new(&a, &b).anchors(part);
            let (value, slopes) = loss.grad(batch, Reduction::Weighted(&weights)).unwrap();
            total += value;
            first += &slopes.first;
            second += &slopes.second;
            temperature += slopes.temperature;
        }
        close(total, value, 1e-14, "value");
        close(temperature, whole.temperature, 1e-12, "temperature");
        first.iter().chain(&second).zip(whole.first.iter().chain(&whole.second)).for_each(|(&x, &y)| {
            close(x, y, 1e-13, "slope");
        });
    }
}

#[test]
fn candidates_over_machines_give_the_loss_and_the_gradient_of_all() {
    let (a, b) = (rows(15, 5, 4), rows(16, 11, 4));
    let loss = InfoNce { temperature: 0.2, ..InfoNce::default() };
    let (value, whole) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
    let positives: Array1<usize> = (0..5).collect();
    let shard = |first_candidate| InfoNceShard { temperature: 0.2, similarity: Similarity::Cosine, first_candidate };
    let parts =
        [(shard(0), b.slice(s![..3, ..])), (shard(3), b.slice(s![3..11, ..])), (shard(11), b.slice(s![11.., ..]))];
    let sums = |(shard, part): &(InfoNceShard, ArrayView2<'_, f64>)| shard.log_sum_exp(&a, part, &positives).unwrap();
    let merged = parts.iter().map(sums).reduce(|x, y| LogSumExp::merge_rows(&x, &y).unwrap()).unwrap();
    let mean = -merged.iter().map(|sum| sum.log_prob().unwrap().as_f64()).sum::<f64>() / 5.0;
    close(mean, value, 1e-14, "value");
    let cotangent = Array1::from_elem(5, -0.2);
    let back = parts.map(|(shard, part)| shard.backward(&a, &part, &positives, &merged, &cotangent).unwrap());
    let first = back.iter().fold(0.0 * &a, |sum, back| sum + &back.first);
    let second = concatenate(Axis(0), &[back[0].second.view(), back[1].second.view(), back[2].second.view()]).unwrap();
    close(back.iter().map(|back| back.temperature).sum(), whole.temperature, 1e-12, "temperature");
    first.iter().chain(&second).zip(whole.first.iter().chain(&whole.second)).for_each(|(&x, &y)| {
        close(x, y, 1e-13, "slope");
    });
}
