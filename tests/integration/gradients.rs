//! Every analytic gradient against differences of its value.

use loglik_catalogue::call::{Inputs, Results};
use loglik_catalogue::{self as catalogue, Detached, Entry, Listed, Reduced, Size};
use ndarray::ArrayD;

/// The number of which the gradients are, at these inputs.
///
/// Detached factors are constants: they keep the values that they had at `base`.
fn objective(entry: &Entry<f64>, inputs: &Inputs, base: &Results<f64>) -> f64 {
    let now = inputs.packed(entry.call);
    let Some(Detached { losses, reduced }) = entry.detached else { return now.objective() };
    let each = losses(&now, base);
    match reduced {
        Reduced::Sum => each.sum(),
        Reduced::Mean => each.sum() / base.get("parts: count").sum(),
        Reduced::Weighted(weights) => (each * &inputs.reals[weights]).sum(),
    }
}

/// The derivative by each element of one input, from four neighboring points.
fn differences(entry: &Entry<f64>, inputs: &Inputs, base: &Results<f64>, input: usize) -> ArrayD<f64> {
    const STEP: f64 = 1e-3;
    let mut slopes = inputs.reals[input].clone();
    let mut moved = inputs.clone();
    for (index, slope) in slopes.indexed_iter_mut() {
        let center = inputs.reals[input][&index];
        let mut at = |steps: f64| {
            moved.reals[input][&index] = center + steps * STEP;
            objective(entry, &moved, base)
        };
        *slope = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP);
        moved.reals[input][&index] = center;
    }
    slopes
}

/// What is wrong with a gradient, if anything is.
fn compare(got: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: f64) -> Result<(), String> {
    if got.shape() != expected.shape() {
        return Err(format!("has shape {:?}, expected {:?}", got.shape(), expected.shape()));
    }
    let largest = expected.iter().fold(1e-3_f64, |max, x| max.max(x.abs()));
    let close = |got: f64, expected: f64| (got - expected).abs() <= tolerance * largest;
    match got.indexed_iter().zip(expected).find(|((_, got), expected)| !close(**got, **expected)) {
        None => Ok(()),
        Some(((index, got), expected)) => Err(format!("{index:?} is {got}, differences give {expected}")),
    }
}

fn check<T: Listed>(tolerance: f64) {
    let (mut checked, mut failures) = (0, Vec::new());
    for (narrow, wide) in catalogue::all::<T>().into_iter().zip(catalogue::all::<f64>()) {
        let mut inputs = wide.sample(Size::Small);
        inputs.reals.iter_mut().for_each(|x| x.mapv_inplace(|x| T::from_f64(x).as_f64()));
        let (results, base) = (inputs.packed(narrow.call), inputs.packed(wide.call));
        for (name, _) in &results.0 {
            let Some((_, input)) = name.rsplit_once("grad ") else { continue };
            let factor = if name.starts_with("added twice") { 2.0 } else { 1.0 };
            let expected = factor * differences(&wide, &inputs, &base, input.parse().unwrap());
            let got = results.get(name).mapv(|x| x.as_f64());
            let outcome = compare(&got, &expected, tolerance);
            failures.extend(outcome.err().map(|what| format!("{}: {name} {what}", wide.name)));
            checked += 1;
        }
    }
    assert!(failures.is_empty(), "{} of {checked} gradients are wrong\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 100, "only {checked} gradients were checked");
}

#[test]
fn gradients_are_the_slopes_of_their_values_in_f64() {
    check::<f64>(1e-8);
}

#[test]
fn gradients_are_the_slopes_of_their_values_in_f32() {
    check::<f32>(2e-5);
}
