//! InfoNCE and its relatives against the plain formulas.

use ndarray::{Array1, Array2, Axis, array};

use super::{are_slopes, close, cosines, is_slope, log_sum, rows};
use crate::Reduction;
use crate::contrastive::*;

/// The loss of each pair by the formulas alone, for moderate logits.
fn plain(loss: &InfoNce, a: &Array2<f64>, b: &Array2<f64>, guides: Option<[&Array2<f64>; 2]>) -> Array1<f64> {
    let n = a.nrows();
    let pick = |direction: &Direction, a: &Array2<f64>, b: &Array2<f64>| match direction {
        Direction::FirstToSecond => cosines(a, b),
        Direction::SecondToFirst => cosines(b, a),
        Direction::FirstToFirst => cosines(a, a),
        Direction::SecondToSecond => cosines(b, b),
    };
    let directions = loss.directions.list();
    let sims: Vec<_> = directions.iter().map(|d| pick(d, a, b)).collect();
    let guide: Vec<_> = directions.iter().map(|d| guides.map_or(pick(d, a, b), |[a, b]| pick(d, a, b))).collect();
    let t = loss.temperature;
    (0..n)
        .map(|i| {
            let (positive, threshold) = (sims[0][[i, i]] / t, guide[0][[i, i]]);
            let negatives = |k: usize| {
                let direction = directions[k];
                let has_positive = matches!(direction, Direction::FirstToSecond | Direction::SecondToFirst);
                let (row, guide) = (sims[k].row(i).to_owned(), guide[k].row(i).to_owned());
                let own = move |j: usize| match direction {
                    Direction::FirstToFirst => j == i,
                    Direction::SecondToSecond => j % n == i,
                    _ => false,
                };
                let hidden = move |j: usize| match loss.false_negatives {
                    FalseNegatives::Above(m) => guide[j] > threshold + m && !(has_positive && j == i),
                    FalseNegatives::Relative(m) => {
                        guide[j] > threshold - m * threshold.abs() && !(has_positive && j == i)
                    }
                    FalseNegatives::Keep => false,
                };
                let hard = move |j: usize| match loss.hardness {
                    _ if k > 0 || j == i => 0.0,
                    Hardness::None => 0.0,
                    Hardness::InBatch(h) => {
                        if j % n == i {
                            0.0
                        } else {
                            h
                        }
                    }
                    Hardness::Own(h) => {
                        if j % n == i {
                            h
                        } else {
                            0.0
                        }
                    }
                    Hardness::All(h) => h,
                };
                let joint = k > 0 && loss.partition == Partition::Joint;
                (0..row.len())
                    .filter(move |&j| !(own(j) || hidden(j) || !joint && has_positive && j == i))
                    .map(move |j| row[j] * (t.recip() + hard(j)))
                    .collect::<Vec<f64>>()
            };
            let one = |others: Vec<f64>| match loss.denominator {
                Denominator::All => log_sum(others.into_iter().chain([positive])) - positive,
                Denominator::Negatives => log_sum(others.into_iter()) - positive,
                Denominator::Debiased { prior } => {
                    let m = others.len() as f64;
                    let sum = others.iter().map(|x| x.exp()).sum::<f64>();
                    let negatives = ((sum - m * prior * positive.exp()) / (1.0 - prior)).max(m * (-1.0 / t).exp());
                    (positive.exp() + negatives).ln() - positive
                }
            };
            match loss.partition {
                Partition::Joint => one((0..sims.len()).flat_map(negatives).collect()),
                Partition::Separate => (0..sims.len()).map(|k| one(negatives(k))).sum::<f64>() / sims.len() as f64,
            }
        })
        .collect()
}

/// Every member of the family that differs from the others in more than numbers.
fn family() -> Vec<InfoNce> {
    let plain = InfoNce { temperature: 0.3, ..InfoNce::default() };
    let mut family = Vec::new();
    for directions in [Directions::Forward, Directions::Symmetric, Directions::All] {
        for partition in [Partition::Separate, Partition::Joint] {
            let base = InfoNce { directions, partition, ..plain };
            family.push(base);
            family.push(InfoNce { denominator: Denominator::Negatives, hardness: Hardness::All(2.0), ..base });
            family.push(InfoNce { denominator: Denominator::Debiased { prior: 0.1 }, ..base });
            family.push(InfoNce {
                hardness: Hardness::InBatch(1.5),
                false_negatives: FalseNegatives::Above(0.2),
                ..base
            });
            family.push(InfoNce {
                hardness: Hardness::Own(1.5),
                false_negatives: FalseNegatives::Relative(0.05),
                ..base
            });
        }
    }
    family
}

#[test]
fn every_member_is_the_plain_formula() {
    let (a, b) = (rows(1, 7, 5), rows(2, 14, 5));
    let (ga, gb) = (rows(3, 7, 4), rows(4, 14, 4));
    for loss in family() {
        for guided in [false, true] {
            let mut batch = EmbeddingBatch::new(&a, &b);
            if guided {
                batch = batch.guide(&ga, &gb);
            }
            let found = loss.each(batch).unwrap();
            let expected = plain(&loss, &a, &b, guided.then_some([&ga, &gb]));
            for (i, (&got, &expected)) in found.iter().zip(&expected).enumerate() {
                close(got, expected, 1e-12, &format!("{loss:?}, guided {guided}, pair {i}"));
            }
        }
    }
}

/// Where the similarities that select or raise are constants, differences of the loss itself are not its gradient.
fn is_differentiable(loss: &InfoNce) -> bool {
    loss.hardness == Hardness::None && loss.false_negatives == FalseNegatives::Keep
}

#[test]
fn gradients_are_the_central_difference() {
    let (a, b) = (rows(5, 4, 3), rows(6, 8, 3));
    let weights = array![0.5, 0.0, 2.0, 1.0];
    for loss in family().into_iter().filter(is_differentiable) {
        for similarity in [Similarity::Cosine, Similarity::Dot] {
            let loss = InfoNce { similarity, ..loss };
            let value = |loss: InfoNce, a: &Array2<f64>, b: &Array2<f64>| {
                loss.value(EmbeddingBatch::new(a, b), Reduction::Weighted(&weights)).unwrap()
            };
            let (found, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Weighted(&weights)).unwrap();
            assert_eq!(found, value(loss, &a, &b));
            are_slopes(&a, &slopes.first, |a| value(loss, a, &b), &format!("{loss:?}, first"));
            are_slopes(&b, &slopes.second, |b| value(loss, &a, b), &format!("{loss:?}, second"));
            let moved = |by: f64| value(InfoNce { temperature: loss.temperature + by, ..loss }, &a, &b);
            is_slope(slopes.temperature, moved, &format!("{loss:?}"));
        }
    }
}

/// What is constant to the gradient is frozen: the same losses with fixed bounds and raised logits.
#[test]
fn hard_negatives_weigh_more_and_have_the_slope_of_their_share() {
    let (a, b) = (rows(7, 5, 3), rows(8, 5, 3));
    let loss = InfoNce { temperature: 0.5, hardness: Hardness::All(3.0), ..InfoNce::default() };
    let (_, slopes, _) = loss.grad_of(&cosines(&a, &b), Reduction::Sum).unwrap();
    let sims = cosines(&a, &b);
    for i in 0..5 {
        let logits: Vec<f64> = (0..5).map(|j| sims[[i, j]] * if i == j { 2.0 } else { 5.0 }).collect();
        let total = log_sum(logits.iter().copied());
        for j in 0..5 {
            let expected = 2.0 * ((logits[j] - total).exp() - if i == j { 1.0 } else { 0.0 });
            close(slopes[[i, j]], expected, 1e-13, "slope");
        }
    }
}

#[test]
fn similarities_that_exist_give_the_same_as_blocks_and_any_block_border_is_unseen() {
    for (n, m) in [(1, 1), (2, 5), (31, 40), (257, 300), (513, 513)] {
        let (a, b) = (rows(9, n, 6), rows(10, m, 6));
        for directions in [Directions::Forward, Directions::Symmetric] {
            let loss = InfoNce { directions, temperature: 0.2, ..InfoNce::default() };
            let (value, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
            let sims = cosines(&a, &b);
            let (expected, back, temperature) = loss.grad_of(&sims, Reduction::Mean).unwrap();
            close(value, expected, 1e-13, "value");
            assert_eq!(loss.value_of(&sims, Reduction::Mean), Ok(expected));
            close(slopes.temperature, temperature, 1e-10, "temperature");
            let unit = |x: &Array2<f64>| x / &x.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
            let (ua, ub) = (unit(&a), unit(&b));
            let through = |unit: &Array2<f64>, raw: &Array2<f64>, slopes: Array2<f64>| {
                let along = (unit * &slopes).sum_axis(Axis(1)).insert_axis(Axis(1));
                let norms = raw.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
                (slopes - unit * &along) / norms
            };
            let expected = [through(&ua, &a, back.dot(&ub)), through(&ub, &b, back.t().dot(&ua))];
            for (found, expected) in [&slopes.first, &slopes.second].into_iter().zip(&expected) {
                found.iter().zip(expected).for_each(|(&x, &y)| close(x, y, 1e-12, "slope"));
            }
        }
    }
}

#[test]
fn single_precision_keeps_to_double() {
    let (a, b) = (rows(20, 40, 16), rows(21, 80, 16));
    let (narrow_a, narrow_b) = (a.mapv(|x| x as f32), b.mapv(|x| x as f32));
    for loss in family().into_iter().filter(is_differentiable) {
        let (wide, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
        let (narrow, found) = loss.grad(EmbeddingBatch::new(&narrow_a, &narrow_b), Reduction::Mean).unwrap();
        close(f64::from(narrow), wide, 2e-6, "value");
        found.first.iter().zip(&slopes.first).for_each(|(&x, &y)| close(f64::from(x), y, 2e-6, "slope"));
        close(f64::from(found.temperature), slopes.temperature, 2e-5, "temperature");
    }
}
