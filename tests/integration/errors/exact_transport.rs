//! Bad input of exact transport and its bounds: the call and the message.

use loglik::prelude::*;
use loglik::transport::{
    EmdBounds, GroundCost, axis_bound, c_transform, dual_bound, emd_grad, emd_plan, plan_cost, product_coupling_cost,
    round_plan, total_variation_bound,
};
use ndarray::array;

use super::{INF, NAN, says};

#[test]
fn problems_of_transport_that_are_none_are_named() {
    let (half, cost) = (array![0.5, 0.5], array![[0.0, 1.0], [1.0, 0.0]]);
    let (bad, one, three) = ([array![0.5, NAN], array![0.5, -INF]], array![1.0, 1.0], array![0.5, 0.25, 0.25]);
    let problem = |a| TransportProblem::new(a, half.view(), Cost::matrix(cost.view()));
    for bad in &bad {
        let message = format!("`a`[1] is {}, allowed is finite and >= 0", bad[1]);
        says(emd(problem(bad.view())), &message);
        says(emd_grad(problem(bad.view())), &message);
        says(EmdBounds::default().solve(problem(bad.view())), &message);
        says(product_coupling_cost(problem(bad.view())), &message);
        says(total_variation_bound(problem(bad.view())), &message);
        says(round_plan(problem(bad.view()), &cost), &message);
        says(plan_cost(problem(bad.view()), &cost), &message);
        says(dual_bound(problem(bad.view()), &half, &half), &message);
    }
    let message = "`a` sums to 2 and `b` to 1, allowed is a relative difference of 1.2e-6; \
                   `transport::normalized` divides weights by their sum";
    says(emd_plan(problem(one.view())), message);
    says(EmdBounds::default().solve(problem(one.view())), message);
    says(emd(problem(three.view())), "`cost` has shape [2, 2], expected [3, 2]");
    let one_way = array![[0.0, INF], [1.0, INF]];
    let unpaid = TransportProblem::new(half.view(), half.view(), Cost::matrix(one_way.view()));
    let message =
        "no plan has a finite cost: `b` holds 0.5 at [1], and the places of `a` that `cost` joins to these hold 0";
    says(emd(unpaid), message);
    says(emd_plan(unpaid), message);
    says(emd_grad(unpaid), message);
    let senseless = array![[0.0, 1.0], [-INF, 0.0]];
    let message = "`cost`[1, 0] is -inf, allowed is finite or +inf";
    says(emd(TransportProblem::new(half.view(), half.view(), Cost::matrix(senseless.view()))), message);
    says(c_transform(Cost::matrix(senseless.view()), &half), message);
    says(axis_bound(problem(half.view())), "axis_bound needs `points`");
    let points = Cost::points(cost.view(), three.view().insert_axis(ndarray::Axis(1)), GroundCost::Euclidean);
    says(emd(TransportProblem::new(half.view(), three.view(), points)), "`cost.y` has shape [1], expected [2]");
}
