//! Places without mass: never read, and yet with potentials where their costs are numbers.

use ndarray::s;

use super::*;

#[test]
fn places_without_mass_take_no_part_but_have_potentials() {
    let mut next = generator(9);
    let (mut a, mut b) = (weights(12, &mut next), weights(9, &mut next));
    (a[0], a[7], b[8]) = (0.0, 0.0, 0.0);
    let b = &b * (a.sum() / b.sum());
    let cost = Array2::from_shape_simple_fn((12, 9), &mut next);
    let solution = proves(problem(&a, &b, &cost));
    let keep = |axis, empty: &[usize], n: usize| {
        cost.select(Axis(axis), &(0..n).filter(|i| !empty.contains(i)).collect::<Vec<_>>())
    };
    let rows = keep(0, &[0, 7], 12);
    let held = |masses: &Array1<f64>| masses.iter().copied().filter(|&mass| mass > 0.0).collect::<Array1<f64>>();
    let small = rows.select(Axis(1), &(0..8).collect::<Vec<_>>());
    close(solution.cost, emd(problem(&held(&a), &held(&b), &small)).unwrap(), 1e-14);
    // The potential of an empty row is the price at which a little mass would be taken from elsewhere to it.
    let (step, poorer) = (1e-6, 3);
    let mut moved = a.clone();
    (moved[0], moved[poorer]) = (step, a[poorer] - step);
    let slope = (emd(problem(&moved, &b, &cost)).unwrap() - solution.cost) / step;
    assert!((slope - (solution.u[0] - solution.u[poorer])).abs() < 1e-8);
}

const NAN: f64 = f64::NAN;

/// What a place without mass may hold without being read.
const ANYTHING: [f64; 5] = [NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -7.0];

fn points<'a>(
    (a, x): (&'a Array1<f64>, &'a Array2<f64>),
    (b, y): (&'a Array1<f64>, &'a Array2<f64>),
    ground: GroundCost,
) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground))
}

#[test]
fn a_padded_cloud_may_hold_anything_beyond_its_points() {
    let (a, b, y) = (array![0.5, 0.5, 0.0], array![1.0], array![[2.0]]);
    for anything in ANYTHING {
        let x = array![[0.0], [1.0], [anything]];
        assert_eq!(emd(points((&a, &x), (&b, &y), GroundCost::Euclidean)), Ok(1.5));
        assert_eq!(emd(points((&a, &x), (&b, &y), GroundCost::Manhattan)), Ok(1.5));
        assert_eq!(emd(points((&a, &x), (&b, &y), GroundCost::SquaredEuclidean)), Ok(2.5));
        assert_eq!(emd(points((&a, &x), (&b, &y), GroundCost::Euclidean).transposed()), Ok(1.5));
    }
}

#[test]
fn what_is_beside_the_places_with_mass_leaves_their_bits() {
    let mut next = generator(21);
    let (mut a, mut b) = (weights(12, &mut next), weights(9, &mut next));
    (a[0], a[7], b[8]) = (0.0, 0.0, 0.0);
    let b = &b * (a.sum() / b.sum());
    let (x, y) = (Array2::from_shape_simple_fn((12, 2), &mut next), Array2::from_shape_simple_fn((9, 2), &mut next));
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let plain = emd_grad(points((&a, &x), (&b, &y), ground)).unwrap();
        let costs = points((&a, &x), (&b, &y), ground).cost.to_matrix().unwrap();
        let plain_matrix = emd_grad(problem(&a, &b, &costs)).unwrap();
        for anything in ANYTHING {
            let (mut x, mut y, mut costs) = (x.clone(), y.clone(), costs.clone());
            (x[[0, 1]], x[[7, 0]], y[[8, 0]]) = (anything, anything, anything);
            costs.row_mut(0).fill(anything);
            costs.slice_mut(s![.., 8]).fill(anything);
            costs[[7, 3]] = anything;
            let pair = [
                (&plain, emd_grad(points((&a, &x), (&b, &y), ground)).unwrap()),
                (&plain_matrix, emd_grad(problem(&a, &b, &costs)).unwrap()),
            ];
            for (expected, got) in pair {
                assert_eq!((got.0, &got.1.cost), (expected.0, &expected.1.cost));
                let held = |masses: &Array1<f64>| (0..masses.len()).filter(|&i| masses[i] > 0.0).collect::<Vec<_>>();
                assert!(held(&a).into_iter().all(|i| got.1.a[i] == expected.1.a[i]));
                assert!(held(&b).into_iter().all(|j| got.1.b[j] == expected.1.b[j]));
                assert!(got.1.a.iter().chain(&got.1.b).all(|slope| !slope.is_nan()));
            }
        }
    }
}

#[test]
fn a_place_without_mass_has_a_slope_where_its_costs_are_numbers() {
    let (a, b) = (array![1.0, 0.0, 0.0, 0.0], array![0.5, 0.5]);
    let cost = array![[1.0, 3.0], [NAN, 0.0], [f64::INFINITY, f64::INFINITY], [f64::INFINITY, 5.0]];
    let solution = emd_plan(problem(&a, &b, &cost)).unwrap();
    // v is 0 and 2, u that of the only row with mass 1; 5 - 2 is what the last would save or pay.
    assert_eq!((solution.cost, solution.dual, solution.gap), (2.0, 2.0, 0.0));
    assert_eq!((solution.u, solution.v), (array![1.0, 0.0, f64::INFINITY, 3.0], array![0.0, 2.0]));
    let (_, gradient) = emd_grad(problem(&a, &b, &cost)).unwrap();
    assert_eq!((gradient.a, gradient.b), (array![0.0, 0.0, f64::INFINITY, 2.0], array![-1.0, 1.0]));
    // In single precision a place so far away that its cost does not fit.
    let (a, b) = (array![1.0_f32, 0.0], array![1.0_f32]);
    let (x, y) = (array![[1.0_f32], [1e30]], array![[0.0_f32]]);
    let far = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean));
    let (value, gradient) = emd_grad(far).unwrap();
    assert_eq!((value, gradient.a), (1.0, array![0.0, 0.0]));
}
