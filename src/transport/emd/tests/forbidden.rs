//! Ways that are forbidden.

use super::*;

const INF: f64 = f64::INFINITY;

/// The cheapest of all ways to pair rows with columns, infinite where there is none.
fn exact(cost: &Array2<f64>) -> f64 {
    best_assignment(cost, 0, 0)
}

#[test]
fn an_assignment_keeps_to_open_ways_or_says_who_has_none() {
    let mut next = generator(31);
    let mut without = 0;
    for trial in 0..2_000 {
        let n = 1 + trial % 6;
        let share = [0.3, 0.6][trial / 6 % 2];
        let cost = Array2::from_shape_simple_fn((n, n), || {
            let cost = (9.0 * next()).floor() - 2.0;
            if next() < share { INF } else { cost }
        });
        let (ones, expected) = (Array1::ones(n), exact(&cost));
        match emd_plan(problem(&ones, &ones, &cost)) {
            Ok(solution) => {
                assert_eq!((solution.cost, solution.dual, solution.gap), (expected, expected, 0.0));
                assert!(cost.indexed_iter().all(|((i, j), &c)| solution.u[i] + solution.v[j] <= c));
                assert!(solution.plan.flows().iter().all(|flow| cost[[flow.from, flow.to]] < INF));
            }
            Err(Error::NoFinitePlan { argument, places, held, joined, .. }) => {
                without += 1;
                assert_eq!(expected, INF);
                let cost = if argument == "a" { cost } else { cost.reversed_axes() };
                let is_joined = |j: &usize| places.iter().any(|&i| cost[[i, *j]] < INF);
                assert_eq!((held, joined), (places.len() as f64, (0..n).filter(is_joined).count() as f64));
                assert!(held > joined);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((300..1_700).contains(&without), "{without} of 2000");
}

#[test]
fn a_forbidden_way_is_one_that_costs_too_much() {
    let mut next = generator(32);
    for (n, m) in [(5, 8), (30, 20), (60, 60)] {
        let (a, b) = (weights(n, &mut next), weights(m, &mut next));
        let plain = Array2::from_shape_simple_fn((n, m), &mut next);
        let dear = plain.map(|&cost| if next() < 0.3 { 1e4 } else { cost });
        let forbidden = dear.mapv(|cost| if cost == 1e4 { INF } else { cost });
        let value = emd(problem(&a, &b, &dear)).unwrap();
        assert!(value < 1.0, "{value} is no open way");
        close(emd(problem(&a, &b, &forbidden)).unwrap(), value, 1e-14);
        let narrow = forbidden.mapv(|cost| cost as f32);
        let (a, b) = (a.mapv(|a| a as f32), b.mapv(|b| b as f32));
        let narrow = emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(narrow.view()))).unwrap();
        close(f64::from(narrow), value, 1e-5);
    }
}

#[test]
fn parts_that_nothing_joins_are_solved_each_for_itself() {
    // What the parts hold is the same but for the rounding of 0.1 + 0.2.
    let (a, b) = (array![0.1, 0.2, 0.7], array![0.3, 0.7]);
    let cost = array![[1.0, INF], [2.0, INF], [INF, 5.0]];
    for problem in [problem(&a, &b, &cost), problem(&a, &b, &cost).transposed()] {
        let solution = emd_plan(problem).unwrap();
        close(solution.cost, 4.0, 1e-15);
        close(solution.dual, 4.0, 1e-15);
        assert_eq!(solution.plan.flows().len(), 3);
        assert!((0.0..1e-14).contains(&solution.gap));
    }
    // A surplus beyond the tolerance has nowhere to go, however small beside the rest.
    let message = |a: Array1<f64>, b: Array1<f64>| emd(problem(&a, &b, &cost)).unwrap_err().to_string();
    assert_eq!(
        message(array![0.1, 0.2, 0.7], array![0.5, 0.5]),
        "no plan has a finite cost: `a` holds 0.7 at [2], and the places of `b` that `cost` joins to these hold 0.5"
    );
    assert_eq!(
        message(array![0.25, 0.25, 0.5], array![0.5 + 1e-5, 0.5 - 1e-5]),
        "no plan has a finite cost: `a` holds 0.5 at [2], and the places of `b` that `cost` joins to these hold 0.49999"
    );
}

#[test]
fn a_little_mass_without_a_way_is_no_rounding() {
    for little in [0.25, 1e-12, 1e-30, 1e-300] {
        let (a, b, cost) = (array![1.0, little], array![1.0, little], array![[1.0, INF], [2.0, INF]]);
        let error = emd(problem(&a, &b, &cost)).unwrap_err();
        let places = |argument| matches!(&error, Error::NoFinitePlan { argument: at, .. } if *at == argument);
        assert!(places("b"), "{error}");
        let back = emd(problem(&a, &b, &cost).transposed()).unwrap_err();
        assert!(matches!(back, Error::NoFinitePlan { argument: "a", ref places, .. } if places == &[1]), "{back}");
    }
}
