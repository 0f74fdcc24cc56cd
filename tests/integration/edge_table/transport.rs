//! Transport.

use loglik::transport::{Cost, GroundCost, Measure, TransportProblem, emd, wasserstein_1d, wasserstein_1d_distance};
use ndarray::{Array1, Array2, array, aview1};

use super::{Exact, Row};

/// Costs between places that hold 1 each.
fn even(cost: &Array2<f64>) -> loglik::Result<Vec<f64>> {
    let (a, b) = (Array1::ones(cost.nrows()), Array1::ones(cost.ncols()));
    Ok(vec![emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?])
}

/// Forty points of a lattice on each side, and a far pair whose own way costs 10.
fn near_and_far(far: f64) -> loglik::Result<Vec<f64>> {
    let x = Array2::from_shape_fn((41, 2), |(i, k)| match i {
        40 => far,
        _ => [37 * i % 101, 53 * i % 97][k] as f64,
    });
    let y = Array2::from_shape_fn((41, 2), |(i, k)| match i {
        40 => far + [3.0, -1.0][k],
        _ => [(61 * i + 5) % 101, (29 * i + 11) % 97][k] as f64,
    });
    let (ones, cost) = (Array1::ones(41), Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean));
    Ok(vec![emd(TransportProblem::new(ones.view(), ones.view(), cost))?])
}

fn padded() -> loglik::Result<Vec<f64>> {
    let x = Measure::weighted(aview1(&[0.0, 1.0, f64::NAN]), aview1(&[0.5, 0.5, 0.0]));
    Ok(vec![wasserstein_1d(x, Measure::uniform(aview1(&[3.0])), 1.0)?])
}

fn large_power() -> loglik::Result<Vec<f64>> {
    let (x, y) = ([0.0, 10.0], [3.0, 114.0]);
    Ok(vec![wasserstein_1d_distance(Measure::uniform(aview1(&x)), Measure::uniform(aview1(&y)), 200.0)?])
}

pub(crate) fn rows() -> Vec<Row> {
    let inf = f64::INFINITY;
    let row = |what, input, elsewhere, exact, here| Row { what, input, elsewhere, names: &["cost"], exact, here };
    let three = |far: f64| array![[3.0, 2.0, far], [5.0, 6.0, far], [far, far, 6.0]];
    vec![
        row(
            "exact transport",
            "costs (3, 2, 1e18), (5, 6, 1e18), (1e18, 1e18, 6), every weight 1",
            "POT 0.9.7: 15",
            Exact::Values(vec![13.0]),
            even(&three(1e18)),
        ),
        row(
            "exact transport",
            "the same with inf for 1e18",
            "POT 0.9.7: 0",
            Exact::Values(vec![13.0]),
            even(&three(inf)),
        ),
        row(
            "exact transport",
            "costs (1, inf), (2, inf), every weight 1",
            "POT 0.9.7: 0",
            Exact::Undefined,
            even(&array![[1.0, inf], [2.0, inf]]),
        ),
        // Of scipy.optimize.linear_sum_assignment.
        row(
            "exact transport, squared Euclidean",
            "41 points, 40 of them near and one pair at 1e12",
            "POT 0.9.7: 72053",
            Exact::Values(vec![8_573.0]),
            near_and_far(1e12),
        ),
        row(
            "transport on a line, p = 1",
            "points 0, 1, NaN of weights ½, ½, 0 to a point 3",
            "SciPy 1.17: NaN",
            Exact::Values(vec![2.5]),
            padded(),
        ),
        row(
            "transport on a line, the root of the cost, p = 200",
            "points 0, 10 to points 3, 114",
            "POT 0.9.7: NaN",
            Exact::Values(vec![103.640_187_334_098_25]),
            large_power(),
        ),
    ]
}
