//! From one number for each example to one number, for everything that has both.

use loglik::Reduction;
use loglik::preference::{Dpo, PairBatch, PairObjective, Pairs};
use ndarray::{ArrayD, Axis, IxDyn, array};

use super::{assert_all_near, assert_near};
use loglik_catalogue::call::Inputs;
use loglik_catalogue::{self as catalogue, Entry, Size};

/// Everything that is reduced and offers parts.
fn reduced() -> Vec<Entry<f64>> {
    let mut entries = catalogue::all::<f64>();
    let is_reduced = |entry: &Entry<f64>| {
        let results = entry.sample(Size::Small).packed(entry.call);
        ["value", "parts: sum"].into_iter().all(|name| results.find(name).is_some())
    };
    entries.retain(is_reduced);
    assert!(entries.len() > 20, "{}", entries.len());
    entries
}

fn scalar(array: &ArrayD<f64>) -> f64 {
    array[IxDyn(&[])]
}

#[test]
fn a_value_is_made_of_its_examples_as_the_reduction_says() {
    for entry in reduced() {
        let inputs = entry.sample(Size::Small);
        let results = inputs.packed(entry.call);
        let (value, each) = (scalar(results.get("value")), results.get("each"));
        let (sum, count) = (scalar(results.get("parts: sum")), scalar(results.get("parts: count")));
        assert_near(sum, each.sum(), 1e-13);
        let weights = inputs.reals.last().unwrap();
        let rules = [
            each.sum(),
            each.sum() / count,
            if weights.shape() == each.shape() { (each * weights).sum() } else { f64::NAN },
        ];
        let rule = match entry.name {
            name if name.contains(", sum") => rules[0],
            name if name.contains(", mean") => rules[1],
            name if name.contains("weighted") => rules[2],
            // The rest say it in words: one of the three it must be.
            _ => rules.into_iter().min_by(|a, b| (a - value).abs().total_cmp(&(b - value).abs())).unwrap(),
        };
        assert!((value - rule).abs() <= 1e-13 * rule.abs().max(1.0), "{}: {value} is not {rule}", entry.name);
    }
}

/// The rows `range` of everything that has one for each example.
fn part(inputs: &Inputs, range: std::ops::Range<usize>) -> Inputs {
    let n = inputs.reals[0].len_of(Axis(0));
    fn cut<A: Clone>(arrays: &[ArrayD<A>], n: usize, range: &std::ops::Range<usize>) -> Vec<ArrayD<A>> {
        let cut = |array: &ArrayD<A>| match array.len_of(Axis(0)) == n {
            true => array.slice_axis(Axis(0), range.clone().into()).to_owned(),
            false => array.clone(),
        };
        arrays.iter().map(cut).collect()
    }
    Inputs {
        reals: cut(&inputs.reals, n, &range),
        classes: cut(&inputs.classes, n, &range),
        masks: cut(&inputs.masks, n, &range),
        knobs: None,
    }
}

#[test]
fn the_parts_of_micro_batches_merge_to_those_of_the_whole() {
    for entry in reduced() {
        let inputs = entry.sample(Size::Small);
        let n = inputs.reals[0].len_of(Axis(0));
        let parts = |inputs: &Inputs| {
            let results = inputs.packed(entry.call);
            array![scalar(results.get("parts: sum")), scalar(results.get("parts: count"))]
        };
        let merged = parts(&part(&inputs, 0..1)) + parts(&part(&inputs, 1..n));
        assert_all_near(&merged, &parts(&inputs), 1e-13);
    }
}

#[test]
fn weights_of_one_over_n_are_the_mean_and_of_one_the_sum() {
    for entry in reduced() {
        let name = entry.name;
        let Some(plain) = name.strip_suffix(", weighted") else { continue };
        for (kind, weight) in [("sum", 1.0), ("mean", f64::NAN)] {
            let other = catalogue::all::<f64>().into_iter().find(|entry| entry.name == format!("{plain}, {kind}"));
            let Some(other) = other else { continue };
            let mut inputs = entry.sample(Size::Small);
            let expected = inputs.packed(other.call);
            let weight = if weight.is_nan() { 1.0 / scalar(expected.get("parts: count")) } else { weight };
            inputs.reals.last_mut().unwrap().fill(weight);
            let got = inputs.packed(entry.call);
            // Class weights are in the mean's denominator, which is what the parts count.
            assert_near(scalar(got.get("value")), scalar(expected.get("value")), 1e-13);
            for input in 0..3 {
                let gradient = format!("grad {input}");
                if got.find(&gradient).is_some() {
                    assert_all_near(got.get(&gradient), expected.get(&gradient), 1e-13);
                }
            }
        }
    }
}

#[test]
fn the_mean_of_unequal_micro_batches_is_not_the_mean_of_means() {
    let (policy, zero) = (array![1.0, 2.0, 30.0], array![0.0, 0.0, 0.0]);
    let batch = |range: std::ops::Range<usize>| {
        let cut = |x: &ndarray::Array1<f64>| x.slice(ndarray::s![range.clone()]).to_owned();
        (cut(&policy), cut(&zero))
    };
    let parts = |(policy, zero): &(ndarray::Array1<f64>, ndarray::Array1<f64>)| {
        let zeros = Pairs { chosen: zero.view(), rejected: zero.view() };
        let batch = PairBatch::new(Pairs { chosen: zero.view(), rejected: policy.view() }).reference(zeros);
        (Dpo::default().sum_count(batch).unwrap(), Dpo::default().value(batch, Reduction::Mean).unwrap())
    };
    let (whole, left, right) = (parts(&batch(0..3)), parts(&batch(0..2)), parts(&batch(2..3)));
    assert_near(left.0.merge(right.0).mean().unwrap(), whole.1, 1e-14);
    assert!((0.5 * (left.1 + right.1) - whole.1).abs() > 0.3);
}
