//! Contrastive losses against the plain formulas, over matrices that exist.

use ndarray::{Array1, Array2, ArrayView2, Axis, array, concatenate, s};

use super::*;
use crate::logits::LogSumExp;
use crate::testing::generator;
use crate::{Real, Reduction};

/// So many rows of noise.
fn rows(seed: u64, n: usize, d: usize) -> Array2<f64> {
    let mut random = generator(seed);
    Array2::from_shape_simple_fn((n, d), || 2.0 * random() - 1.0)
}

fn cosines(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let unit = |x: &Array2<f64>| x / &x.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
    unit(a).dot(&unit(b).t())
}

fn log_sum(x: impl Iterator<Item = f64>) -> f64 {
    x.map(f64::exp).sum::<f64>().ln()
}

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

fn close(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((got - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {got}, {expected}");
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
            let step = 1e-6;
            for (side, slopes) in [&slopes.first, &slopes.second].into_iter().enumerate() {
                for (at, &slope) in slopes.indexed_iter() {
                    let moved = |by: f64| {
                        let (mut a, mut b) = (a.clone(), b.clone());
                        [&mut a, &mut b][side][at] += by;
                        value(loss, &a, &b)
                    };
                    close(
                        slope,
                        (moved(step) - moved(-step)) / (2.0 * step),
                        2e-8,
                        &format!("{loss:?}, {side}, {at:?}"),
                    );
                }
            }
            let moved = |by: f64| value(InfoNce { temperature: loss.temperature + by, ..loss }, &a, &b);
            close(slopes.temperature, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, &format!("{loss:?}"));
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
fn alike_similarities_cost_the_logarithm_of_their_number_and_scaling_changes_nothing() {
    let a = Array2::from_shape_fn((6, 3), |(i, _)| 1.0 + i as f64);
    let loss = InfoNce::default();
    close(loss.value(EmbeddingBatch::new(&a, &a), Reduction::Mean).unwrap(), 6.0_f64.ln(), 1e-13, "alike");
    let (a, b) = (rows(11, 6, 4), rows(12, 9, 4));
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    assert!(each.iter().all(|loss| *loss >= 0.0));
    for factor in [1e-150, 1e-30, 1e30, 1e150] {
        let scaled = loss.each(EmbeddingBatch::new(&(&a * factor), &(&b / factor))).unwrap();
        scaled.iter().zip(&each).for_each(|(&x, &y)| close(x, y, 1e-12, "scaled"));
    }
    let lonely = loss.grad(EmbeddingBatch::new(&rows(1, 1, 3), &rows(2, 1, 3)), Reduction::Mean).unwrap();
    assert_eq!((lonely.0, lonely.1.first), (0.0, Array2::zeros((1, 3))));
}

/// Slopes are those of the plain embeddings over the factor, also where its square is no number of the type.
#[test]
fn slopes_shrink_as_embeddings_grow() {
    let (a, b) = (rows(24, 6, 4), rows(25, 9, 4));
    let loss = InfoNce { directions: Directions::All, ..InfoNce::default() };
    let (_, plain) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
    let near = |found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64| {
        found.iter().zip(expected).for_each(|(&x, &y)| close(x, y, tolerance, "slope"));
    };
    for factor in [1e-290, 1e-200, 1e200, 1e290, 1e305] {
        let scaled = &b * factor;
        let (_, slopes) = loss.grad(EmbeddingBatch::new(&a, &scaled), Reduction::Mean).unwrap();
        near(&slopes.first, &plain.first, 1e-12);
        near(&(slopes.second * factor), &plain.second, 1e-12);
    }
    for factor in [1e-30, 1e-20, 1e20, 1e30, 1e36] {
        let (narrow, scaled) = (a.mapv(|x| x as f32), b.mapv(|x| (x * factor) as f32));
        let (_, slopes) = loss.grad(EmbeddingBatch::new(&narrow, &scaled), Reduction::Mean).unwrap();
        near(&slopes.first.mapv(f64::from), &plain.first, 1e-5);
        near(&(slopes.second.mapv(f64::from) * factor), &plain.second, 1e-5);
    }
}

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

/// Rows and columns of one matrix against two walks, which parts of a batch take.
#[test]
fn both_ways_at_once_give_the_loss_and_the_gradient_of_each_way_by_itself() {
    for (n, m) in [(1, 1), (2, 2), (300, 1_100)] {
        let (a, b) = (rows(24, n, 4), rows(25, m, 4));
        for denominator in [Denominator::All, Denominator::Negatives, Denominator::Debiased { prior: 0.1 }] {
            let directions = Directions::Symmetric;
            let loss = InfoNce { directions, denominator, temperature: 0.05, ..InfoNce::default() };
            let weights = Array1::from_shape_fn(n, |i| ((i + 1) % 3) as f64);
            let batch = || EmbeddingBatch::new(&a, &b);
            let Ok((value, whole)) = loss.grad(batch(), Reduction::Weighted(&weights)) else {
                assert!(n == 1 && denominator == Denominator::Negatives);
                continue;
            };
            let (mut total, mut first, mut second, mut temperature) = (0.0, 0.0 * &a, 0.0 * &b, 0.0);
            for part in [0..n / 2, n / 2..n] {
                let weights = weights.slice(s![part.clone()]).to_owned();
                let part = loss.grad(batch().anchors(part), Reduction::Weighted(&weights)).unwrap();
                total += part.0;
                first += &part.1.first;
                second += &part.1.second;
                temperature += part.1.temperature;
            }
            close(value, total, 1e-12, "value");
            close(whole.temperature, temperature, 1e-10, "temperature");
            whole.first.iter().chain(&whole.second).zip(first.iter().chain(&second)).for_each(|(&x, &y)| {
                close(x, y, 1e-11, "slope");
            });
        }
    }
}

/// What does not fit is named by its pair, whichever way it is met, and only where the pair counts.
#[test]
fn both_ways_at_once_name_the_pair_that_overflows() {
    let (a, mut b) = (Array2::<f64>::ones((4, 2)), Array2::ones((4, 2)));
    b.row_mut(2).fill(1e200);
    let mut far = a.clone();
    far.row_mut(2).fill(1e200);
    let loss = InfoNce { directions: Directions::Symmetric, similarity: Similarity::Dot, ..InfoNce::default() };
    let grad = |a: &Array2<f64>, b: &Array2<f64>, weights: &Array1<f64>| {
        loss.grad(EmbeddingBatch::new(a, b), Reduction::Weighted(weights))
    };
    assert!(grad(&a, &b, &array![1.0, 1.0, 1.0, 1.0]).is_ok());
    let error = grad(&far, &b, &array![1.0, 1.0, 1.0, 1.0]).unwrap_err();
    assert_eq!(error.to_string(), "the result at `first`[2] overflows f64");
    let (value, slopes) = grad(&far, &b, &array![1.0, 1.0, 0.0, 1.0]).unwrap();
    assert!(value.is_finite() && slopes.first.iter().chain(&slopes.second).all(|slope| slope.is_finite()));
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

#[test]
fn classes_of_positives_are_the_plain_formula() {
    let z = rows(17, 8, 4);
    let labels = array![0, 1, 0, 2, 1, 0, -7, 2];
    let loss = SupervisedContrastive { temperature: 0.4, ..SupervisedContrastive::default() };
    let sims = cosines(&z, &z) / 0.4;
    let each = loss.each(&z, &labels).unwrap();
    for i in 0..8 {
        let total = log_sum((0..8).filter(|&j| j != i).map(|j| sims[[i, j]]));
        let positives: Vec<usize> = (0..8).filter(|&j| j != i && labels[j] == labels[i]).collect();
        let sum: f64 = positives.iter().map(|&p| total - sims[[i, p]]).sum();
        close(each[i], if positives.is_empty() { 0.0 } else { sum / positives.len() as f64 }, 1e-13, "each");
    }
    let (mean, slopes, temperature) = loss.grad(&z, &labels, Reduction::Mean).unwrap();
    close(mean, each.sum() / 7.0, 1e-14, "mean of those that have a positive");
    let step = 1e-6;
    for (at, &slope) in slopes.indexed_iter() {
        let moved = |by: f64| {
            let mut z = z.clone();
            z[at] += by;
            loss.value(&z, &labels, Reduction::Mean).unwrap()
        };
        close(slope, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, "slope");
    }
    let moved = |by: f64| {
        let temperature = 0.4 + by;
        SupervisedContrastive { temperature, ..loss }.value(&z, &labels, Reduction::Mean).unwrap()
    };
    close(temperature, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, "temperature");
    let alone = loss.value(&z, &Array1::from_iter(0..8), Reduction::Mean).unwrap_err();
    assert_eq!(alone.to_string(), "`labels` holds nothing to average over");
}

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

#[test]
fn a_cold_temperature_keeps_the_digits_of_a_sure_pair() {
    let sims = array![[1.0, 0.9], [-1.0, 1.0]];
    let loss = InfoNce { temperature: 1e-3, ..InfoNce::default() };
    let (sum, slopes, _) = loss.grad_of(&sims, Reduction::Sum).unwrap();
    assert!((sum / (-100.0_f64).exp() - 1.0).abs() < 1e-12, "{sum}"); // that of the other row, e^-2000, is 0
    assert!((slopes[[0, 1]] / (1e3 * (-100.0_f64).exp()) - 1.0).abs() < 1e-12);
    assert!((slopes[[0, 0]] / (-1e3 * (-100.0_f64).exp()) - 1.0).abs() < 1e-12);
}

#[test]
fn equal_similarities_have_equal_logits_at_any_temperature() {
    let sims = Array2::from_elem((3, 5), 0.7_f32);
    for temperature in [0.05, 1e-3, 7.7e-5, 1e-6] {
        let value = InfoNce { temperature, ..InfoNce::default() }.value_of(&sims, Reduction::Mean).unwrap();
        assert!((value - 5.0_f32.ln()).abs() < 1e-6, "{temperature}: {value}");
    }
}

#[test]
fn classes_that_are_sure_of_themselves_keep_the_digits_of_their_slopes() {
    let temperature = 0.02; // logits of 50 and 0
    let loss = SupervisedContrastive { temperature, ..SupervisedContrastive::default() };
    for size in [2, 3, 4] {
        let z = Array2::from_shape_fn((2 * size, 2), |(i, k)| if i / size == k { 1.5 } else { 0.0 });
        let labels = Array1::from_shape_fn(2 * size, |i| i / size);
        let (own, others) = (size as f64 - 1.0, size as f64);
        let (value, _, slope) = loss.grad(&z, &labels, Reduction::Mean).unwrap();
        let share = others * (-50.0_f64).exp() / own;
        close(value, own.ln(), 1e-15, "value");
        assert!((slope * temperature * temperature / share - 1.0).abs() < 1e-12, "{size}: {slope:e}");
        let (_, _, slope) = loss.grad(&z.mapv(|x| x as f32), &labels, Reduction::Mean).unwrap();
        let slope = f64::from(slope) * temperature * temperature;
        assert!((slope / share - 1.0).abs() < 1e-4, "{size}, f32: {slope:e}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (a, b) = (rows(22, 3, 2), rows(23, 3, 2));
    let loss = InfoNce::default();
    let message = |loss: InfoNce, a: &Array2<f64>, b: &Array2<f64>| {
        loss.value(EmbeddingBatch::new(a, b), Reduction::Mean).unwrap_err().to_string()
    };
    let mut bad = b.clone();
    bad[[1, 1]] = f64::NAN;
    assert_eq!(message(loss, &a, &bad), "`second`[1, 1] is NaN, allowed is finite");
    bad.row_mut(1).fill(0.0);
    assert_eq!(message(loss, &a, &bad), "`second`[1] is 0, allowed is a row that is not zero");
    assert!(
        InfoNce { similarity: Similarity::Dot, ..loss }.value(EmbeddingBatch::new(&a, &bad), Reduction::Mean).is_ok()
    );
    assert_eq!(message(loss, &a, &rows(1, 2, 2)), "`second` has shape [2, 2], expected [3, 2]");
    assert_eq!(message(loss, &a, &rows(1, 3, 3)), "`second` has shape [3, 3], expected [3, 2]");
    let cold = InfoNce { temperature: 0.0, ..loss };
    assert_eq!(message(cold, &a, &b), "`temperature` is 0, allowed is finite and >= 1e-30");
    assert_eq!(message(loss, &rows(1, 0, 2), &rows(1, 0, 2)), "`first` holds nothing to average over");
    let lonely = InfoNce { denominator: Denominator::Negatives, ..loss };
    assert_eq!(message(lonely, &rows(1, 1, 2), &rows(2, 1, 2)), "`negatives` is empty, needed is at least one element");
    let biased = InfoNce { denominator: Denominator::Debiased { prior: 1.0 }, ..loss };
    assert_eq!(message(biased, &a, &b), "`prior` is 1, allowed is [0, 1)");
    let large = InfoNce { similarity: Similarity::Dot, ..loss };
    assert_eq!(message(large, &(&a * 1e200), &(&b * 1e200)), "the result at `first`[0] overflows f64");
    let all = InfoNce { directions: Directions::All, ..loss }.value_of(&cosines(&a, &b), Reduction::Mean);
    assert_eq!(all.unwrap_err().to_string(), "InfoNce needs `similarities within a side`");
}
