//! Arrays of every shape, with anything in them: an answer or an error, in every layout the same.

use std::collections::BTreeMap;

use loglik_catalogue::layout::Layout;
use loglik_catalogue::oracle;
use loglik_catalogue::random::Random;
use loglik_catalogue::{self as catalogue, Size, strange};
use ndarray::IxDyn;

#[test]
fn whatever_comes_gives_an_answer_or_an_error() {
    // Each fault with the first seed that shows it and its inputs.
    let mut found = BTreeMap::new();
    for seed in 0..800 {
        let mut random = Random(seed);
        let layout = strange::one_of(&mut random, &Layout::ALL);
        for (wide, narrow) in catalogue::all::<f64>().iter().zip(catalogue::all::<f32>()) {
            let inputs = strange::inputs(wide, &mut random, Size::Small);
            for fault in [oracle::faults(wide, &inputs, layout), oracle::faults(&narrow, &inputs, layout)].concat() {
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
                if let (Ok(result), false) = (result, entry.is_ours(name)) {
                    // What was not read leaves no trace.
                    assert_eq!(result, clean.as_ref().unwrap(), "{}: {name} with a NaN in input {at}", entry.name);
                }
            }
        }
    }
}
