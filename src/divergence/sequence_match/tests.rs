//! Likelihood as a special case, divergences as suprema, closed forms, gradients, and stacks.

use ndarray::{Array1, Array2, ArrayView1, array, s};

use super::*;
use crate::testing::{close, generator};

const INF: f64 = f64::INFINITY;

const ALL: [Occupancy; 7] = [
    Occupancy::ChiSquareMixture { alpha: 0.3 },
    Occupancy::ChiSquare { alpha: 0.7 },
    Occupancy::ReverseKl,
    Occupancy::SquaredHellinger,
    Occupancy::JensenShannon,
    Occupancy::TotalVariation,
    Occupancy::Linear,
];

fn objective(gamma: f64, occupancy: Occupancy, data_share: f64) -> SequenceMatch {
    SequenceMatch { gamma, occupancy, data_share, ignore_index: Some(-100) }
}

/// Five states of four actions, each worth less than the one before, so that rewards are where every `φ` is finite.
fn sample() -> (Array2<f64>, Array1<i64>) {
    let mut next = generator(5);
    let logits = Array2::from_shape_fn((5, 4), |(i, _)| 0.3 * next() + 1.9 - 1.2 * i as f64);
    (logits, array![2, 0, 3, 3])
}

fn trajectory<'a>(
    logits: &'a Array2<f64>,
    actions: &'a Array1<i64>,
    source: TrajectorySource,
    end: TrajectoryEnd,
) -> Trajectory<'a, f64, i64> {
    Trajectory { logits: logits.view(), actions: actions.view(), source, end }
}

fn value_of(row: ArrayView1<'_, f64>) -> f64 {
    row.iter().map(|x| x.exp()).sum::<f64>().ln()
}

#[test]
fn a_linear_phi_with_all_value_terms_is_the_discounted_likelihood() {
    let (logits, actions) = sample();
    for gamma in [1.0, 0.998, 0.7] {
        let of = trajectory(&logits, &actions, TrajectorySource::Data, TrajectoryEnd::Absorbed);
        let (loss, gradient) = objective(gamma, Occupancy::Linear, 1.0).grad(&of).unwrap();
        let mut expected = 0.0;
        for (i, &a) in actions.iter().enumerate() {
            let (row, discount) = (logits.row(i), gamma.powi(i as i32));
            expected -= discount * (row[a as usize] - value_of(row));
            for (k, &x) in row.iter().enumerate() {
                let slope = discount * ((x - value_of(row)).exp() - f64::from(u8::from(k == a as usize)));
                assert!((gradient[[i, k]] - slope).abs() < 1e-15, "[{i}, {k}]");
            }
        }
        close(loss, expected, 1e-14);
        assert!(gradient.row(4).iter().all(|g| g.abs() < 1e-15)); // the last state is not asked for anything
    }
}

#[test]
fn gradients_are_the_differences_of_the_losses() {
    let (logits, actions) = sample();
    let ignoring = array![2, -100, 3, 3];
    for occupancy in ALL {
        for source in [TrajectorySource::Data, TrajectorySource::Model] {
            for (end, gamma) in
                [(TrajectoryEnd::Absorbed, 0.9), (TrajectoryEnd::Truncated, 0.9), (TrajectoryEnd::Truncated, 1.0)]
            {
                for actions in [&actions, &ignoring] {
                    let objective = objective(gamma, occupancy, 0.4);
                    let (loss, gradient) = objective.grad(&trajectory(&logits, actions, source, end)).unwrap();
                    assert_eq!(objective.value(&trajectory(&logits, actions, source, end)), Ok(loss));
                    for ((i, k), &slope) in gradient.indexed_iter() {
                        let at = |steps: f64| {
                            let mut moved = logits.clone();
                            moved[[i, k]] += steps * 1e-3;
                            objective.value(&trajectory(&moved, actions, source, end)).unwrap()
                        };
                        let difference = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / 12e-3;
                        let what = (occupancy, source, end, gamma);
                        assert!((slope - difference).abs() < 1e-9, "{what:?} [{i}, {k}]: {slope} against {difference}");
                    }
                }
            }
        }
    }
}

/// The parts of the formula, one by one.
#[test]
fn the_loss_is_the_sum_of_its_parts() {
    let (logits, actions) = sample();
    let (gamma, share, n) = (0.9_f64, 0.4, 4);
    let v: Vec<f64> = logits.rows().into_iter().map(value_of).collect();
    let rewards: Vec<f64> = (0..n).map(|i| logits[[i, actions[i] as usize]] - gamma * v[i + 1]).collect();
    let bracket: f64 = (0..n).map(|i| gamma.powi(i as i32) * (v[i] - gamma * v[i + 1])).sum();
    close(bracket + gamma.powi(4) * v[4], v[0], 1e-14); // telescoping
    for occupancy in ALL {
        let phi = |x| occupancy.phi(x).unwrap().0;
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 { (0..n).map(|i| gamma.powi(i as i32) * f(rewards[i])).sum() };
        let psi = |x| occupancy.penalty(x).0;
        let (cut, tail) = (gamma.powi(4) * v[4], (1.0 - gamma) * v[4]);
        let forever = gamma.powi(4) / (1.0 - gamma);
        let loss = |source, end| {
            objective(gamma, occupancy, share).value(&trajectory(&logits, &actions, source, end)).unwrap()
        };
        let (data, model) = (TrajectorySource::Data, TrajectorySource::Model);
        close(loss(data, TrajectoryEnd::Absorbed), -(sum(&phi) + forever * phi(tail) - share * v[0]), 1e-13);
        close(loss(data, TrajectoryEnd::Truncated), -(sum(&phi) - share * (v[0] - cut)), 1e-13);
        close(loss(model, TrajectoryEnd::Absorbed), -(sum(&psi) + forever * psi(tail) - (1.0 - share) * v[0]), 1e-13);
        close(loss(model, TrajectoryEnd::Truncated), -(sum(&psi) - (1.0 - share) * (v[0] - cut)), 1e-13);
    }
    let terms = objective(gamma, Occupancy::Linear, share)
        .terms(&trajectory(&logits, &actions, TrajectorySource::Data, TrajectoryEnd::Truncated))
        .unwrap();
    terms.rewards.iter().zip(&rewards).for_each(|(got, expected)| close(*got, *expected, 1e-13));
    terms.values.iter().zip(&v).for_each(|(got, expected)| close(*got, *expected, 1e-13));
}

/// A state with one action only, walked around for sixty steps, comes to the sum over all of them.
#[test]
fn an_absorbing_state_is_summed_for_ever() {
    let (logits, actions) = sample();
    let mut logits = logits.mapv(|x| 1.0 + 0.3 * x.sin()); // all of a level
    logits.row_mut(4).assign(&array![-INF, -0.6, -INF, -INF]);
    let (gamma, steps) = (0.5, 60);
    let mut long = Array2::zeros((5 + steps, 4));
    long.slice_mut(s![..5, ..]).assign(&logits);
    (5..5 + steps).for_each(|i| long.row_mut(i).assign(&logits.row(4)));
    let mut more = actions.to_vec();
    more.extend(vec![1; steps]);
    let more = Array1::from_vec(more);
    for occupancy in ALL {
        for source in [TrajectorySource::Data, TrajectorySource::Model] {
            let objective = objective(gamma, occupancy, 0.5);
            let short = objective.grad(&trajectory(&logits, &actions, source, TrajectoryEnd::Absorbed)).unwrap();
            let walked = objective.grad(&trajectory(&long, &more, source, TrajectoryEnd::Truncated)).unwrap();
            close(short.0, walked.0, 1e-13);
            let looped = walked.1.slice(s![4.., 1]).sum();
            assert!((short.1[[4, 1]] - looped).abs() < 1e-13, "{occupancy:?}: {} and {looped}", short.1[[4, 1]]);
        }
    }
}

#[test]
fn without_a_discount_the_loop_has_its_limit() {
    let (logits, actions) = sample();
    for occupancy in ALL.into_iter().filter(|&occupancy| occupancy != Occupancy::ReverseKl) {
        for source in [TrajectorySource::Data, TrajectorySource::Model] {
            let of = trajectory(&logits, &actions, source, TrajectoryEnd::Absorbed);
            let (limit, slope) = objective(1.0, occupancy, 0.5).grad(&of).unwrap();
            let (near, near_slope) = objective(1.0 - 1e-9, occupancy, 0.5).grad(&of).unwrap();
            assert!((limit - near).abs() < 1e-6, "{occupancy:?}: {limit} and {near}");
            assert!((slope - near_slope).iter().all(|d| d.abs() < 1e-6));
        }
    }
}

/// The best reward, the supremum and the divergence of two occupancies of six states and actions.
#[test]
fn every_phi_is_the_conjugate_of_its_divergence() {
    let mut next = generator(17);
    let mut occupancy_of = || {
        let weights = Array1::from_shape_fn(6, |_| 0.05 + next());
        &weights / weights.sum()
    };
    let (data, model) = (occupancy_of(), occupancy_of());
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 { data.iter().zip(&model).map(|(&d, &m)| f(d, m)).sum() };
    type Row = (Occupancy, fn(f64, f64) -> f64, fn(f64, f64) -> f64);
    let table: [Row; 6] = [
        (Occupancy::ChiSquare { alpha: 0.7 }, |d, m| 1.4 * (1.0 - m / d), |d, m| 0.7 * d * (1.0 - m / d).powi(2)),
        (
            Occupancy::ChiSquareMixture { alpha: 0.5 },
            |d, m| 2.0 * (d - m) / (d + m),
            |d, m| 2.0 * (d - 0.5 * (d + m)).powi(2) / (0.5 * (d + m)),
        ),
        (Occupancy::ReverseKl, |d, m| -1.0 - (m / d).ln(), |d, m| m * (m / d).ln()),
        (Occupancy::SquaredHellinger, |d, m| (d / m).sqrt() - 1.0, |d, m| (m.sqrt() - d.sqrt()).powi(2)),
        (
            Occupancy::JensenShannon,
            |d, m| (0.5 * (1.0 + d / m)).ln(),
            |d, m| m * (2.0 * m / (d + m)).ln() + d * (2.0 * d / (d + m)).ln(),
        ),
        (Occupancy::TotalVariation, |d, m| if m < d { 0.5 } else { -0.5 }, |d, m| 0.5 * (d - m).abs()),
    ];
    for (occupancy, best, divergence) in table {
        // The penalty under the mixture is half on the data, inside φ, and half on the model.
        let at = |d: f64, m: f64, r: f64| {
            occupancy.phi(r).map_or(-INF, |(phi, _)| d * phi - m * (r - occupancy.penalty(r).0))
        };
        close(sum(&|d, m| at(d, m, best(d, m))), sum(&divergence), 1e-13);
        for (&d, &m) in data.iter().zip(&model) {
            let top = at(d, m, best(d, m));
            for step in [-0.5, -0.1, -1e-3, 1e-3, 0.1, 0.5] {
                assert!(at(d, m, best(d, m) + step) <= top + 1e-15, "{occupancy:?}");
            }
        }
    }
}

#[test]
fn the_mixture_bounds_reward_and_divergence_where_pearson_has_no_bound() {
    // Nearly disjoint: the best reward is just below 4α, and so is the divergence.
    let (alpha, d, m) = (0.5, [1.0 - 1e-12, 1e-12], [1e-12, 1.0 - 1e-12]);
    let mixture = Occupancy::ChiSquareMixture { alpha };
    let gain = |d: f64, m: f64| {
        let best = 4.0 * alpha * (d - m) / (d + m);
        assert!(best.abs() <= 4.0 * alpha);
        d * mixture.phi(best).unwrap().0 + m * mixture.penalty(best).0 - m * best
    };
    close(gain(d[0], m[0]) + gain(d[1], m[1]), 4.0 * alpha, 1e-11);
    let pearson = |d: f64, m: f64| d * Occupancy::ChiSquare { alpha }.phi(2.0 * alpha * (1.0 - m / d)).unwrap().0;
    assert!(pearson(d[1], m[1]) - m[1] * 2.0 * alpha * (1.0 - m[1] / d[1]) > 1e11);
}

#[test]
fn slopes_of_phi_are_its_differences_and_small_rewards_keep_their_digits() {
    for occupancy in ALL {
        for x in [-0.4, -1e-3, 0.2, 0.45, 1.7] {
            let phi = |x: f64| occupancy.phi(x).unwrap().0;
            let difference = (phi(x + 1e-6) - phi(x - 1e-6)) / 2e-6;
            assert!((occupancy.phi(x).unwrap().1 - difference).abs() < 1e-8, "{occupancy:?} at {x}");
        }
        if occupancy != Occupancy::ReverseKl {
            assert_eq!(occupancy.phi(0.0), Some((0.0, 1.0)));
            close(occupancy.phi(1e-30).unwrap().0, 1e-30, 1e-15);
        }
    }
    assert_eq!(Occupancy::SquaredHellinger.phi(-1.0), None);
    assert_eq!(Occupancy::JensenShannon.phi(-std::f64::consts::LN_2), None);
    assert_eq!(Occupancy::TotalVariation.phi(-0.500_001), None);
    assert_eq!(Occupancy::TotalVariation.phi(3.0), Some((0.5, 0.0)));
    assert_eq!(Occupancy::JensenShannon.phi(800.0), Some((std::f64::consts::LN_2, 0.0)));
}

#[test]
fn an_ignored_action_has_no_reward_and_keeps_its_states() {
    let (logits, actions) = sample();
    let mut ignoring = actions.clone();
    ignoring[2] = -100;
    let objective = objective(0.9, Occupancy::ChiSquare { alpha: 0.7 }, 0.5);
    let loss = |actions: &Array1<i64>| {
        objective.terms(&trajectory(&logits, actions, TrajectorySource::Data, TrajectoryEnd::Absorbed)).unwrap()
    };
    let (all, without) = (loss(&actions), loss(&ignoring));
    let share = 0.81 * Occupancy::ChiSquare { alpha: 0.7 }.phi(all.rewards[2]).unwrap().0;
    close(without.loss, all.loss + share, 1e-13);
    assert_eq!((without.rewards[2], without.values), (0.0, all.values));
}

#[test]
fn an_impossible_action_costs_infinity_where_its_slope_is_finite() {
    let (mut logits, actions) = sample();
    logits[[1, 0]] = -INF;
    let of = trajectory(&logits, &actions, TrajectorySource::Data, TrajectoryEnd::Absorbed);
    let (loss, gradient) = objective(0.9, Occupancy::Linear, 0.5).grad(&of).unwrap();
    assert_eq!((loss, gradient[[1, 0]]), (INF, -0.9));
    assert!(gradient.iter().all(|g| g.is_finite()));
    let message = |occupancy| objective(0.9, occupancy, 0.5).value(&of).unwrap_err().to_string();
    assert_eq!(message(Occupancy::ChiSquare { alpha: 1.0 }), "the result at `logits`[1] overflows f64");
    assert_eq!(message(Occupancy::ReverseKl), "the result at `logits`[1] overflows f64");
    assert_eq!(message(Occupancy::SquaredHellinger), "`logits`[1] is -inf, allowed is a reward above -1");
}

#[test]
fn what_is_wrong_is_named() {
    let (logits, actions) = sample();
    fn of<'a>(logits: &'a Array2<f64>, actions: &'a Array1<i64>) -> Trajectory<'a, f64, i64> {
        trajectory(logits, actions, TrajectorySource::Data, TrajectoryEnd::Absorbed)
    }
    let message = |objective: SequenceMatch, logits: &Array2<f64>, actions: &Array1<i64>| {
        let error = objective.value(&of(logits, actions)).unwrap_err().to_string();
        assert_eq!(objective.grad(&of(logits, actions)).unwrap_err().to_string(), error);
        assert_eq!(objective.terms(&of(logits, actions)).unwrap_err().to_string(), error);
        error
    };
    let good = objective(0.9, Occupancy::Linear, 0.5);
    let with = |gamma, occupancy, share| message(objective(gamma, occupancy, share), &logits, &actions);
    assert_eq!(with(0.0, Occupancy::Linear, 0.5), "`gamma` is 0, allowed is (0, 1]");
    assert_eq!(with(0.9, Occupancy::Linear, -0.1), "`data_share` is -0.1, allowed is [0, 1]");
    let flat = Occupancy::ChiSquare { alpha: 0.0 };
    assert_eq!(with(0.9, flat, 0.5), "`alpha` is 0, allowed is finite and > 0");
    let expected = "`gamma` is 1, allowed is (0, 1) with the reverse KL and an absorbed end";
    assert_eq!(with(1.0, Occupancy::ReverseKl, 0.5), expected);
    assert_eq!(message(good, &logits, &array![0, 1]), "`actions` has shape [2], expected [4]");
    assert_eq!(message(good, &logits, &array![0, 4, 0, 0]), "`actions`[1] is 4, allowed are the classes 0 to 3");
    assert_eq!(message(good, &Array2::zeros((0, 4)), &array![]), "`logits` is empty, needed is at least one element");
    let mut nan = logits.clone();
    nan[[3, 1]] = f64::NAN;
    assert_eq!(message(good, &nan, &actions), "`logits`[3, 1] is NaN, allowed is finite or -inf");
    let error = good.grad_into(&of(&logits, &actions), &mut Array2::zeros((4, 4))).unwrap_err();
    assert_eq!(error.to_string(), "`out` has shape [4, 4], expected [5, 4]");
}

#[test]
fn a_state_alone_is_a_trajectory() {
    let (logits, none) = (array![[0.4, -0.3]], array![]);
    let of = trajectory(&logits, &none, TrajectorySource::Data, TrajectoryEnd::Absorbed);
    let (loss, _) = objective(0.9, Occupancy::Linear, 0.5).grad(&of).unwrap();
    close(loss, -0.5 * value_of(logits.row(0)), 1e-14);
}

#[test]
fn layouts_and_types_agree() {
    let logits = Array2::from_shape_fn((9, 3_000), |(i, k)| ((i * 3_000 + k) as f32 * 0.37).sin() - i as f32);
    let actions = Array1::from_shape_fn(8, |i| (i * 371) as u32);
    let objective = objective(0.95, Occupancy::ChiSquareMixture { alpha: 2.0 }, 0.5);
    let (source, end) = (TrajectorySource::Model, TrajectoryEnd::Absorbed);
    let packed = Trajectory { logits: logits.view(), actions: actions.view(), source, end };
    let expected = objective.grad(&packed).unwrap();
    let columns = logits.t().as_standard_layout().to_owned();
    let turned = Trajectory { logits: columns.t(), ..packed };
    let mut out = Array2::zeros((3_000, 9));
    assert_eq!(objective.grad_into(&turned, &mut out.view_mut().reversed_axes()), Ok(expected.0));
    assert_eq!(out.t(), expected.1);
    let wide = logits.mapv(f64::from);
    let exact = objective.grad(&Trajectory { logits: wide.view(), actions: actions.view(), source, end }).unwrap();
    assert!((f64::from(expected.0) / exact.0 - 1.0).abs() < 1e-6);
    assert!(expected.1.iter().zip(&exact.1).all(|(got, exact)| (f64::from(*got) - exact).abs() < 1e-6));
}

#[test]
fn stacks_are_those_of_playing_every_prefix() {
    let mut next = generator(3);
    for n in [0, 1, 2, 40] {
        let actions = Array1::from_shape_fn(n, |_| (next() * 5.0) as i64); // 0 takes back
        let played = apply_backspaces(&actions, 0);
        for step in 0..n {
            let mut stack = Vec::new();
            for (at, &action) in actions.iter().enumerate().take(step + 1) {
                if action == 0 {
                    stack.pop();
                } else {
                    stack.push(at);
                }
            }
            let visible: Vec<usize> = (0..n).filter(|&token| played.visible[[step, token]]).collect();
            assert_eq!(visible, stack);
            assert_eq!((played.depth[step], played.top[step]), (stack.len(), stack.last().copied()));
            if step + 1 == n {
                let tokens: Vec<i64> = stack.iter().map(|&token| actions[token]).collect();
                assert_eq!(played.stack.to_vec(), tokens);
            }
        }
    }
}

#[test]
fn a_token_taken_back_at_once_leaves_no_trace() {
    let (plain, corrected) = (apply_backspaces(&array![3, 5, 7], 9), apply_backspaces(&array![3, 5, 8, 9, 7], 9));
    assert_eq!(plain.stack, corrected.stack);
    assert_eq!(corrected.depth, array![1, 2, 3, 2, 3]);
    assert_eq!(corrected.visible.row(3), corrected.visible.row(1));
    let emptied = apply_backspaces(&array![9, 9, 4], 9); // nothing to take back
    assert_eq!((emptied.stack, emptied.depth), (array![4], array![0, 0, 1]));
}

#[test]
fn nothing_is_infinite_but_the_loss_of_what_cannot_be() {
    let far = array![[1e308, 0.0], [-1e308, -1e308], [0.0, 0.0]];
    let actions = array![0, 1];
    for (source, end) in
        [(TrajectorySource::Data, TrajectoryEnd::Absorbed), (TrajectorySource::Model, TrajectoryEnd::Truncated)]
    {
        let of = trajectory(&far, &actions, source, end);
        let expected = "the result at `logits`[0] overflows f64"; // 1e308 + 1e308
        let objective = objective(1.0, Occupancy::Linear, 0.5);
        assert_eq!(objective.grad(&of).unwrap_err().to_string(), expected);
        assert_eq!(objective.terms(&of).unwrap_err().to_string(), expected);
    }
    let actions = array![0];
    let forbidden = array![[-INF, 0.0], [1.0, 0.0]];
    let of = trajectory(&forbidden, &actions, TrajectorySource::Data, TrajectoryEnd::Truncated);
    let (loss, gradient) = objective(0.5, Occupancy::Linear, 0.5).grad(&of).unwrap();
    assert_eq!(loss, INF);
    assert!(gradient.iter().all(|x| x.is_finite()));
}

#[test]
fn whatever_comes_no_slope_is_nan_or_infinite() {
    let mut random = generator(19);
    let strange = [0.0, -0.0, 5e-324, 1e-300, 1e300, -1e300, 1.7e308, -1.7e308, -1e4, 700.0, -INF, -INF];
    for case in 0..30_000 {
        let mut pick = |n: usize| (n as f64 * random()) as usize;
        let (states, classes, share) = (1 + pick(4), 1 + pick(4), [0, 1, 4][pick(3)]);
        let logits = Array2::from_shape_simple_fn((states, classes), || match pick(4) < share {
            true => strange[pick(strange.len())],
            false => pick(9) as f64 - 4.0,
        });
        let actions = Array1::from_shape_simple_fn(states - 1, || [pick(classes) as i64, -100][pick(5) / 4]);
        let source = [TrajectorySource::Data, TrajectorySource::Model][pick(2)];
        let end = [TrajectoryEnd::Absorbed, TrajectoryEnd::Truncated][pick(2)];
        let alpha = [1e-300, 0.3, 1e300][pick(3)];
        let occupancy = match pick(3) {
            0 => Occupancy::ChiSquareMixture { alpha },
            1 => Occupancy::ChiSquare { alpha },
            _ => ALL[pick(7)],
        };
        let gamma = [1.0, 1.0 - 1e-16, 0.998, 0.5, 1e-300][pick(5)];
        let objective = objective(gamma, occupancy, [0.0, 0.5, 1.0][pick(3)]);
        let of = trajectory(&logits, &actions, source, end);
        let (value, result, terms) = (objective.value(&of), objective.grad(&of), objective.terms(&of));
        let what = || format!("{case}: {objective:?} of {of:?}: {value:?}, {result:?}, {terms:?}");
        let is_forbidden = actions.iter().zip(logits.rows()).any(|(&a, row)| a >= 0 && row[a as usize] == -INF);
        if let Ok(value) = value {
            assert!(value.is_finite() || (is_forbidden && value == INF), "{}", what());
        }
        if let Ok((loss, gradient)) = &result {
            assert!(value.as_ref() == Ok(loss) && gradient.iter().all(|x| x.is_finite()), "{}", what());
        }
        if let Ok(terms) = &terms {
            assert!(value == Ok(terms.loss) && terms.values.iter().all(|x| x.is_finite()), "{}", what());
            assert!(is_forbidden || terms.rewards.iter().all(|x| x.is_finite()), "{}", what());
        }
    }
}
