//! How much memory takes what never forms its largest matrix, by the high-water mark of the process: alone in its binary for
//! that reason, and one test, for the mark does not fall.

use std::fs;

use loglik::contrastive::{EmbeddingBatch, InfoNce};
use loglik::logits::{LinearGradientMut, LinearPlan};
use loglik::prelude::*;
use ndarray::{Array1, Array2};

const TOKENS: usize = 2048;
const WIDTH: usize = 256;
const CLASSES: usize = 32_000;

/// Bytes of resident memory at most so far, where the system tells.
fn high_water() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok().map(|kib| kib << 10)
}

/// What `f` takes beyond all that has been taken before.
fn taken<R>(f: impl FnOnce() -> R) -> Option<(usize, R)> {
    let before = high_water()?;
    let result = f();
    Some((high_water()? - before, result))
}

#[test]
fn gradients_take_blocks_and_values_next_to_nothing() {
    info_nce_takes_a_block_of_anchors();
    linear_cross_entropy_takes_a_block_of_classes();
}

/// At most a twentieth of the similarities.
fn info_nce_takes_a_block_of_anchors() {
    const PAIRS: usize = 8192;
    let number = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * k * 31) % 257) as f32 / 128.0 - 1.0;
    let sides = [0, 5].map(|shift| Array2::from_shape_fn((PAIRS, 32), |(i, k)| number(i, k + shift)));
    let mut out = sides.clone();
    let [first, second] = &mut out;
    let batch = EmbeddingBatch::new(&sides[0], &sides[1]);
    let gradient = taken(|| InfoNce::default().grad_into(batch, Reduction::Mean, first, second).unwrap());
    let Some((bytes, _)) = gradient else { return };
    let similarities = PAIRS * PAIRS * size_of::<f32>();
    println!("InfoNCE: {:.2} % of the similarities", 100.0 * bytes as f64 / similarities as f64);
    assert!(bytes <= similarities / 20, "a gradient took {bytes} bytes");
}

fn linear_cross_entropy_takes_a_block_of_classes() {
    let number = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * k * 31) % 257) as f32 / 1280.0 - 0.1;
    let hidden = Array2::from_shape_fn((TOKENS, WIDTH), |(i, k)| number(i, k));
    let weight = Array2::from_shape_fn((CLASSES, WIDTH), |(i, k)| number(i, k + 5));
    let targets = Array1::from_shape_fn(TOKENS, |i| i * 389 % CLASSES);
    // Filled with what is no zero, so that every page is there before the measurement.
    let mut out = [Array2::from_elem((TOKENS, WIDTH), 7.0_f32), Array2::from_elem((CLASSES, WIDTH), 7.0)];
    let head = LinearHead::new(weight.view());
    let loss = LinearCrossEntropy { plan: LinearPlan::Recompute, ..LinearCrossEntropy::default() };

    let value = taken(|| loss.value(&hidden, head, &targets, Reduction::Mean).unwrap());
    let Some((for_value, value)) = value else {
        println!("skipped: no /proc/self/status to read the high-water mark from");
        return;
    };
    let [to_hidden, to_weight] = &mut out;
    let to = LinearGradientMut { hidden: to_hidden.view_mut(), weight: to_weight.view_mut(), bias: None };
    let gradient = taken(|| loss.grad_into(&hidden, head, &targets, Reduction::Mean, to).unwrap());
    let (for_gradient, same) = gradient.expect("it was there a moment ago");

    let (mib, logits) = ((1 << 20) as f64, TOKENS * CLASSES * size_of::<f32>());
    let limit = TOKENS * 512 * size_of::<f32>() + (12 << 20);
    let share = |bytes: usize| {
        format!("{:.1} MiB, {:.1} % of the logits", bytes as f64 / mib, 100.0 * bytes as f64 / logits as f64)
    };
    println!("value: {}", share(for_value));
    println!("gradient: {}; allowed {}", share(for_value + for_gradient), share(limit));
    assert!((value - same).abs() < 1e-5, "{value} against {same}");
    assert!(for_value <= 12 << 20, "a value took {}", share(for_value));
    assert!(for_value + for_gradient <= limit, "a gradient took {}", share(for_value + for_gradient));
}
