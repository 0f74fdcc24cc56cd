//! Ways that are forbidden by a cost of +inf.

use ndarray::{Array2, array};

use super::{problem, sharp};
use crate::Error;
use crate::testing::{all_close, close};
use crate::transport::sinkhorn::Sinkhorn;

const NEVER: f64 = f64::INFINITY;

#[test]
fn one_plan_alone_costs_what_its_entropy_says() {
    let (a, cost) = (array![0.25, 0.75], array![[1.0, NEVER], [NEVER, 3.0]]);
    for regularization in [1e-3, 0.5, 1e4, 1e12] {
        let solution = sharp(regularization).solve(problem(&a, &a, &cost)).unwrap();
        assert!(solution.converged);
        all_close(solution.plan(), [0.25, 0.0, 0.0, 0.75], 1e-14);
        close(solution.transport_cost, 2.5, 1e-15);
        // `ε Σ P ln (P / a b)`, which does not vanish as ε grows.
        let entropy = -0.25 * 0.25_f64.ln() - 0.75 * 0.75_f64.ln();
        close(solution.value, 2.5 + regularization * entropy, 1e-14);
        let gradient = solution.grad().unwrap();
        assert!(gradient.a.iter().chain(&gradient.b).all(|slope| slope.is_finite()));
    }
}

#[test]
fn a_forbidden_way_is_the_limit_of_a_dear_one() {
    let (a, b) = (array![0.25, 0.5, 0.25], array![0.5, 0.25, 0.25]);
    let with = |cost: f64| array![[0.0, 1.0, cost], [2.0, cost, 0.5], [1.0, 1.5, 0.25]];
    for (regularization, penalty) in [(0.1, None), (2.0, None), (0.1, Some(0.7)), (2.0, Some(3.0))] {
        let sinkhorn = Sinkhorn { marginal_penalty: penalty, ..sharp(regularization) };
        let (never, much) = (with(NEVER), with(1e4));
        let forbidden = sinkhorn.solve(problem(&a, &b, &never)).unwrap();
        let dear = sinkhorn.solve(problem(&a, &b, &much)).unwrap();
        assert!(forbidden.converged);
        close(forbidden.value, dear.value, 1e-12);
        close(forbidden.transport_cost, dear.transport_cost, 1e-11);
        all_close(forbidden.plan(), dear.plan(), 1e-11);
        assert_eq!((forbidden.plan()[[0, 2]], forbidden.plan()[[1, 1]]), (0.0, 0.0));
    }
}

#[test]
fn where_no_plan_is_finite_the_error_says_so() {
    let (a, b) = (array![0.75, 0.25], array![0.5, 0.5]);
    for cost in [array![[1.0, NEVER], [1.0, 1.0]], array![[NEVER, NEVER], [NEVER, NEVER]]] {
        let error = sharp(0.1).solve(problem(&a, &b, &cost)).unwrap_err();
        assert!(matches!(error, Error::NoFinitePlan { .. }), "{error}");
    }
}

/// A place that nothing can leave pays `ρ` for each unit that it keeps, and `ε` for each of the product that it has no part
/// of.
#[test]
fn unbalanced_what_cannot_go_stays_at_a_price() {
    let (a, b, cost) = (array![1.0, 2.0], array![3.0], array![[1.0], [NEVER]]);
    for (regularization, penalty) in [(0.3, 0.8), (0.05, 1.0), (100.0, 2.0)] {
        let sinkhorn = Sinkhorn { marginal_penalty: Some(penalty), ..sharp(regularization) };
        let solution = sinkhorn.solve(problem(&a, &b, &cost)).unwrap();
        let ln3 = 3.0_f64.ln();
        let log_mass = ((penalty + regularization) * ln3 - 1.0) / (2.0 * penalty + regularization);
        let mass = log_mass.exp();
        let kl = |log: f64, q: f64| mass * log - mass + q;
        let value = mass
            + penalty * (kl(log_mass, 1.0) + kl(log_mass - ln3, 3.0) + 2.0)
            + regularization * (kl(log_mass - ln3, 3.0) + 6.0);
        close(solution.value, value, 1e-13);
        all_close(solution.plan(), [mass, 0.0], 1e-13);
        assert_eq!(solution.f[1], NEVER);
        let gradient = solution.grad().unwrap();
        close(gradient.a[1], penalty + 3.0 * regularization, 1e-14);
    }
    let none = array![[NEVER], [NEVER]];
    let sinkhorn = Sinkhorn { marginal_penalty: Some(0.5), ..sharp(0.25) };
    let solution = sinkhorn.solve(problem(&a, &b, &none)).unwrap();
    close(solution.value, 0.5 * 6.0 + 0.25 * 9.0, 1e-15);
    assert_eq!((solution.transport_cost, solution.converged), (0.0, true));
    assert_eq!(solution.plan(), Array2::<f64>::zeros((2, 1)));
}
