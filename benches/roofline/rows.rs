//! Loops over rows of logits.

use loglik::diagnostics::TopK;
use loglik::logits::{log_softmax_into, token_log_probs_backward_into};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

use super::common::{bell, keep};
use super::probe::Probe;
use super::table::{Loop, Roofline};

pub(crate) fn run(roofline: &mut Roofline) {
    for classes in roofline.sizes.classes {
        let logits = logits::<f32>(roofline.sizes.logits / classes, classes);
        reductions(roofline, &logits);
        transformations(roofline, &logits);
    }
    log_sum_exps(
        roofline,
        &logits::<f64>(roofline.sizes.logits / 2 / roofline.sizes.classes[0], roofline.sizes.classes[0]),
    );
    #[cfg(feature = "half")]
    for classes in roofline.sizes.classes {
        let logits = logits::<f32>(roofline.sizes.logits / classes, classes);
        log_sum_exps(roofline, &logits.mapv(half::bf16::from_f32));
    }
    few_classes(roofline);
}

fn logits<T: Real>(rows: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, classes), |(i, j)| bell(i * classes + j))
}

fn targets(rows: usize, classes: usize) -> Array1<i64> {
    Array1::from_shape_fn(rows, |i| (i * 7919) as i64 % classes as i64)
}

/// A loop over an array, with so many bytes beside those of the array itself.
fn over<'a, E: Element>(name: &'static str, logits: &'a Array2<E>, probe: Probe, bytes: usize) -> Loop<'a, E> {
    let (rows, classes) = logits.dim();
    let input = logits.as_slice().unwrap_or_default();
    let bytes = probe.bytes_per_byte() * size_of_val(input) + bytes;
    Loop { name, dtype: dtype::<E>(), size: format!("{rows}x{classes}"), input, bytes, probe }
}

fn dtype<E: Element>() -> &'static str {
    std::any::type_name::<E>().rsplit("::").next().unwrap_or_default()
}

fn log_sum_exps<E: Element>(roofline: &mut Roofline, logits: &Array2<E>) {
    let results = logits.nrows() * size_of::<E::Real>();
    roofline.measure(over("log_sum_exp", logits, Probe::Read, results), || keep(log_sum_exp(logits)));
}

/// A cross-entropy of logits behind a temperature and a soft cap.
fn capped() -> CrossEntropy {
    CrossEntropy { temperature: 0.8, soft_cap: Some(30.0), ..CrossEntropy::default() }
}

/// Loops that read the logits once: a number for each row.
fn reductions(roofline: &mut Roofline, logits: &Array2<f32>) {
    log_sum_exps(roofline, logits);
    let targets = targets(logits.nrows(), logits.ncols());
    let (results, labels) = (logits.nrows() * size_of::<f32>(), logits.nrows() * size_of::<i64>());
    let loss = CrossEntropy::default();
    let value = || keep(loss.value(logits, &targets, Reduction::Mean));
    roofline.measure(over("cross_entropy_value", logits, Probe::Read, labels), value);
    let capped = capped();
    let value = || keep(capped.value(logits, &targets, Reduction::Mean));
    roofline.measure(over("cross_entropy_capped_value", logits, Probe::Read, labels), value);
    let log_probs = || keep(token_log_probs(logits, &targets));
    roofline.measure(over("token_log_probs", logits, Probe::Read, labels + results), log_probs);
    roofline.measure(over("entropy", logits, Probe::Read, results), || keep(entropy(logits)));
    roofline.measure(over("top_k", logits, Probe::Read, 2 * results), || keep(TopK::default().each(logits)));
    let stats = TokenStats { top_k: Some(10), ..TokenStats::default() };
    let what = over("token_stats", logits, Probe::Read, labels + 5 * results + 2 * logits.nrows());
    roofline.measure(what, || keep(stats.each(logits, &targets)));
}

/// Loops that write an array as large as the logits.
fn transformations(roofline: &mut Roofline, logits: &Array2<f32>) {
    let targets = targets(logits.nrows(), logits.ncols());
    let labels = logits.nrows() * size_of::<i64>();
    let mut out = logits.clone();
    roofline.measure(over("log_softmax_into", logits, Probe::Copy, 0), || keep(log_softmax_into(logits, &mut out)));
    let loss = CrossEntropy::default();
    let into = || keep(loss.grad_into(logits, &targets, Reduction::Mean, &mut out));
    roofline.measure(over("cross_entropy_grad_into", logits, Probe::Copy, labels), into);
    let capped = capped();
    let into = || keep(capped.grad_into(logits, &targets, Reduction::Mean, &mut out));
    roofline.measure(over("cross_entropy_capped_grad_into", logits, Probe::Copy, labels), into);
    let cotangent = Array1::from_elem(logits.nrows(), 1.0);
    let what = over("token_log_probs_backward_into", logits, Probe::Copy, labels + logits.nrows() * size_of::<f32>());
    roofline.measure(what, || keep(token_log_probs_backward_into(logits, &targets, &cotangent, &mut out)));
    let what = over("cross_entropy_grad_in_place", logits, Probe::ReadWrite, labels);
    let grad = |out: &mut Array2<f32>| keep(loss.grad_in_place(out, &targets, Reduction::Mean));
    roofline.measure_prepared(what, &mut out, |out| out.assign(logits), grad);
}

/// Rows that are shorter than a vector.
fn few_classes(roofline: &mut Roofline) {
    const CLASSES: usize = 10;
    let logits = logits::<f32>(roofline.sizes.logits / 4 / CLASSES, CLASSES);
    let targets = targets(logits.nrows(), CLASSES);
    let loss = CrossEntropy::default();
    let labels = logits.nrows() * size_of::<i64>();
    let value = || keep(loss.value(&logits, &targets, Reduction::Mean));
    roofline.measure(over("cross_entropy_value_of_ten", &logits, Probe::Read, labels), value);
    let what = over("cross_entropy_grad_of_ten", &logits, Probe::ReadWrite, labels);
    let grad = |out: &mut Array2<f32>| keep(loss.grad_in_place(out, &targets, Reduction::Mean));
    roofline.measure_prepared(what, &mut logits.clone(), |out| out.assign(&logits), grad);
}
