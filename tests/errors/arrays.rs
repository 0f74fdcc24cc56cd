//! Arrays of every shape, with anything in them: an answer or an error, in every layout the same.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use loglik::Real;
use ndarray::{ArrayD, IxDyn};

use loglik_catalogue::call::Inputs;
use loglik_catalogue::layout::Layout;
use loglik_catalogue::random::Random;
use loglik_catalogue::{self as catalogue, Entry, Size};

/// What numbers should not be, and what they may just be.
const STRANGE: [f64; 14] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-300,
    -1e-9,
    1e4,
    -1e4,
    1e30,
    f64::MAX,
    f64::MIN,
];

const STRANGE_CLASSES: [i64; 7] = [-100, -1, i64::MIN, i64::MAX, 4, 5, 1 << 40];

/// One array of these, or all of them, gets a new shape of the same rank, axes without elements included.
fn reshape(random: &mut Random, inputs: &mut Inputs) {
    let arrays = inputs.reals.len() + inputs.classes.len() + inputs.masks.len();
    let at = random.below(arrays);
    let rank = |inputs: &Inputs| {
        let (reals, classes) = (inputs.reals.len(), inputs.classes.len());
        match at {
            _ if at < reals => inputs.reals[at].ndim(),
            _ if at < reals + classes => inputs.classes[at - reals].ndim(),
            _ => inputs.masks[at - reals - classes].ndim(),
        }
    };
    let shape: Vec<usize> = (0..rank(inputs)).map(|_| random.below(4)).collect();
    let (reals, classes) = (inputs.reals.len(), inputs.classes.len());
    match at {
        _ if at < reals => inputs.reals[at] = random.uniform(&shape, -3.0, 3.0),
        _ if at < reals + classes => inputs.classes[at - reals] = random.classes(&shape, 5),
        _ => inputs.masks[at - reals - classes] = random.mask(&shape),
    }
}

/// Every first axis of the usual length becomes shorter, down to nothing, so that shapes still fit.
fn shorten(random: &mut Random, inputs: &mut Inputs) {
    let n = inputs.reals[0].shape()[0];
    let to = random.below(n + 1);
    fn cut<A: Clone>(array: &mut ArrayD<A>, n: usize, to: usize) {
        if array.shape()[0] == n {
            *array = array.slice_axis(ndarray::Axis(0), (0..to).into()).to_owned();
        }
    }
    inputs.reals.iter_mut().for_each(|array| cut(array, n, to));
    inputs.classes.iter_mut().for_each(|array| cut(array, n, to));
    inputs.masks.iter_mut().for_each(|array| cut(array, n, to));
}

fn one_of<A: Copy>(random: &mut Random, values: &[A]) -> A {
    values[random.below(values.len())]
}

/// A few elements become strange.
fn spoil(random: &mut Random, inputs: &mut Inputs) {
    for _ in 0..=random.below(3) {
        let at = random.below(inputs.reals.len());
        let strange = one_of(random, &STRANGE);
        let (array, place) = (&mut inputs.reals[at], random.below(9));
        // All of them now and then.
        match random.below(5) {
            0 => array.fill(strange),
            _ => array.iter_mut().skip(place).take(1).for_each(|x| *x = strange),
        }
    }
    if !inputs.classes.is_empty() && random.below(3) == 0 {
        let strange = one_of(random, &STRANGE_CLASSES);
        let place = random.below(4);
        inputs.classes[0].iter_mut().skip(place).take(1).for_each(|class| *class = strange);
    }
    if !inputs.masks.is_empty() && random.below(3) == 0 {
        let keep = random.below(2) == 0;
        inputs.masks.iter_mut().for_each(|mask| mask.fill(keep));
    }
}

fn strange_inputs<T>(entry: &Entry<T>, random: &mut Random) -> Inputs {
    let mut inputs = (entry.inputs)(random, Size::Small);
    match random.below(4) {
        0 => reshape(random, &mut inputs),
        1 => {
            shorten(random, &mut inputs);
            spoil(random, &mut inputs);
        }
        _ => spoil(random, &mut inputs),
    }
    inputs
}

/// Numbers that the test formed itself, where infinities may meet.
fn is_ours(entry: &str, name: &str) -> bool {
    name == "value" && ["backward", "Responses"].iter().any(|word| entry.contains(word))
}

/// What is wrong with a call, by a name under which it is reported once.
fn faults<T: Real>(entry: &Entry<T>, inputs: &Inputs, layout: Layout) -> Vec<String> {
    let describe = |name: &str, what: &str| format!("{}, {}: {name} {what}", entry.name, T::NAME);
    let call = |layout| catch_unwind(AssertUnwindSafe(|| inputs.call(layout, entry.call)));
    let (Ok(results), Ok(other)) = (call(Layout::Packed), call(layout)) else {
        return vec![describe("it", "panics")];
    };
    let mut faults = Vec::new();
    for (name, result) in results.0.iter().filter(|(name, _)| !is_ours(entry.name, name)) {
        let slope = name.contains("grad ");
        match result {
            Ok(array) if array.iter().any(|x| x.is_nan()) => faults.push(describe(name, "is NaN")),
            Ok(array) if slope && array.iter().any(|x| x.is_infinite()) => faults.push(describe(name, "is infinite")),
            _ => {}
        }
    }
    let differing = results.differing(&other).into_iter().filter(|name| !is_ours(entry.name, name));
    faults.extend(differing.map(|name| describe(name, &format!("differs in the layout {layout:?}"))));
    faults
}

#[test]
fn whatever_comes_gives_an_answer_or_an_error() {
    // Each fault with the first seed that shows it and its inputs.
    let mut found = BTreeMap::new();
    for seed in 0..800 {
        let mut random = Random(seed);
        let layout = one_of(&mut random, &Layout::ALL);
        for (wide, narrow) in catalogue::all::<f64>().iter().zip(catalogue::all::<f32>()) {
            let inputs = strange_inputs(wide, &mut random);
            for fault in [faults(wide, &inputs, layout), faults(&narrow, &inputs, layout)].concat() {
                found.entry(fault).or_insert_with(|| (seed, format!("{inputs:?}")));
            }
        }
    }
    let list: Vec<_> = found.iter().map(|(fault, (seed, _))| format!("{fault} (seed {seed})")).collect();
    let first = found.values().next().map_or("", |(_, inputs)| inputs);
    assert!(list.is_empty(), "{} faults\n{}\nthe first at {first}", list.len(), list.join("\n"));
}

#[test]
fn a_nan_anywhere_in_a_real_input_is_an_error_or_never_read() {
    for entry in catalogue::all::<f64>() {
        let inputs = entry.sample(Size::Small);
        let clean = inputs.packed(entry.call);
        for at in 0..inputs.reals.len() {
            let mut spoilt = inputs.clone();
            let shape = spoilt.reals[at].shape().to_vec();
            let last = IxDyn(&shape.iter().map(|n| n - 1).collect::<Vec<_>>());
            spoilt.reals[at][last] = f64::NAN;
            let results = spoilt.packed(entry.call);
            for ((name, result), (_, clean)) in results.0.iter().zip(&clean.0) {
                if let (Ok(result), false) = (result, is_ours(entry.name, name)) {
                    // What was not read leaves no trace.
                    assert_eq!(result, clean.as_ref().unwrap(), "{}: {name} with a NaN in input {at}", entry.name);
                }
            }
        }
    }
}
