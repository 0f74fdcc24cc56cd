//! Entropic transport.

use loglik::Result;
use loglik::transport::{Cost, GroundCost, Sinkhorn, TransportProblem};
use ndarray::{Array1, Array2, array};

use super::{Exact, Row};

pub(crate) fn rows() -> Vec<Row> {
    let (a, b, cost) = (array![0.25, 0.75], array![0.625, 0.375], array![[0.0, 1.0], [2.0, 0.5]]);
    let value = |a: &Array1<f64>, b: &Array1<f64>, cost: &Array2<f64>, regularization: f64| -> Result<Vec<f64>> {
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        Ok(vec![Sinkhorn { regularization, ..Sinkhorn::default() }.value(problem)?])
    };
    let (padded, x, one, y) = (array![0.5, 0.5, 0.0], array![[0.0], [1.0], [f64::NAN]], array![1.0], array![[2.0]]);
    let points = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
    let (even, forbidden) = (array![0.5, 0.5], array![[1.0, f64::INFINITY], [f64::INFINITY, 3.0]]);
    vec![
        Row {
            what: "entropic transport, ε 1e17",
            input: "weights 1/4, 3/4 and 5/8, 3/8, costs 0, 1 and 2, 1/2",
            elsewhere: "POT 0.9.7: -384.63, and in `f32` at ε 1e13 745059",
            names: &["value"],
            exact: Exact::Values(vec![1.171_875]),
            here: value(&a, &b, &cost, 1e17),
        },
        Row {
            what: "entropic transport, ε 1/20",
            input: "weights 1/2, 1/2, 0, points 0, 1, NaN, all to 2",
            elsewhere: "",
            names: &["value"],
            exact: Exact::Values(vec![1.5]),
            here: Sinkhorn::default()
                .value(TransportProblem::new(padded.view(), one.view(), points))
                .map(|value| vec![value]),
        },
        Row {
            what: "entropic transport, ε 1",
            input: "weights 1/2, 1/2 on both sides, costs 1, +inf and +inf, 3",
            elsewhere: "",
            names: &["value"],
            exact: Exact::Values(vec![2.0 + std::f64::consts::LN_2]),
            here: value(&even, &even, &forbidden, 1.0),
        },
    ]
}
