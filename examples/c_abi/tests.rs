//! The functions as another language calls them.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use super::*;

fn message() -> String {
    // SAFETY: never null, ends with a zero, and no call fails before the copy is made.
    unsafe { CStr::from_ptr(loglik_last_error()) }.to_string_lossy().into_owned()
}

/// Rows of a softmax that is known: ln 6, and logits that differ by ln 2 and ln 3.
fn rows() -> [f32; 6] {
    let [two, three] = [2.0_f32.ln(), 3.0_f32.ln()];
    [0.0, two, three, 5.0, 5.0 + two, 5.0 + three]
}

#[test]
fn functions_of_logits_write_what_their_names_say() {
    let (mut logits, targets) = (rows(), [2_i64, -100]);
    let (mut out, mut loss, mut grad) = ([0.0_f32; 2], 0.0_f32, [1.0_f32; 6]);
    let (x, y) = (logits.as_mut_ptr(), targets.as_ptr());
    // SAFETY: arrays of two rows and three classes.
    let statuses = unsafe {
        let sums = loglik_log_sum_exp(x, 2, 3, out.as_mut_ptr());
        assert!((out[0] - 6.0_f32.ln()).abs() < 1e-6 && (out[1] - 5.0 - 6.0_f32.ln()).abs() < 1e-6);
        let value = loglik_cross_entropy(x, y, 2, 3, &raw mut loss);
        assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
        let into = loglik_cross_entropy_grad(x, y, 2, 3, &raw mut loss, grad.as_mut_ptr());
        [sums, value, into, loglik_cross_entropy_grad_in_place(x, y, 2, 3, &raw mut loss)]
    };
    assert_eq!(statuses, [Status::Ok; 4]);
    assert_eq!(logits, grad);
    let expected = [1.0 / 6.0, 1.0 / 3.0, -0.5, 0.0, 0.0, 0.0_f32];
    assert!(grad.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-6), "{grad:?}");
}

#[test]
fn log_probabilities_of_targets_are_those_of_the_log_softmax() {
    let (logits, targets, mut all, mut picked) = (rows(), [1_i64, 0], [0.0_f32; 6], [0.0_f32; 2]);
    // SAFETY: arrays of two rows and three classes.
    let statuses = unsafe {
        let all = loglik_log_softmax(logits.as_ptr(), 2, 3, all.as_mut_ptr());
        [all, loglik_token_log_probs(logits.as_ptr(), targets.as_ptr(), 2, 3, picked.as_mut_ptr())]
    };
    assert_eq!(statuses, [Status::Ok; 2]);
    assert!((all[1] + 3.0_f32.ln()).abs() < 1e-6 && (all[3] + 6.0_f32.ln()).abs() < 1e-6, "{all:?}");
    assert!((picked[0] - all[1]).abs() < 1e-6 && (picked[1] - all[3]).abs() < 1e-6, "{picked:?}");
}

#[test]
fn preference_pairs_have_the_gradient_of_each_side() {
    let (policy, reference) = ([-3.0_f32, -9.0, -5.0, -9.0], [-4.0_f32, -8.0, -4.0, -8.0]);
    let (mut loss, mut grad) = (0.0_f32, [0.0_f32; 4]);
    let results = (&raw mut loss, grad.as_mut_ptr());
    // SAFETY: arrays of two sides and two pairs.
    let status = unsafe { loglik_dpo_grad(policy.as_ptr(), reference.as_ptr(), 2, 0.5, results.0, results.1) };
    assert_eq!(status, Status::Ok);
    assert!((loss - 0.503_204_4).abs() < 1e-6); // the mean of softplus(-1) and ln 2
    assert!((grad[0] + 0.067_235_35).abs() < 1e-6 && (grad[1] + 0.125).abs() < 1e-6); // -β σ(-βm) / 2
    assert_eq!([grad[2], grad[3]], [-grad[0], -grad[1]]);
}

#[test]
fn what_cannot_be_an_array_is_refused_in_words() {
    let (logits, mut out) = (rows(), [0.0_f32; 2]);
    let odd = logits.as_ptr().wrapping_byte_add(1);
    // SAFETY: what is no array is refused before it is looked at; the rest has two rows and three classes.
    unsafe {
        assert_eq!(loglik_log_sum_exp(null(), 2, 3, out.as_mut_ptr()), Status::Pointer);
        assert_eq!(message(), "`logits` is 0x0, allowed is the address of an array, 4-aligned");
        assert_eq!(loglik_log_sum_exp(logits.as_ptr(), 2, 3, null_mut()), Status::Pointer);
        assert_eq!(loglik_log_sum_exp(odd, 2, 3, out.as_mut_ptr()), Status::Pointer);
        assert_eq!(loglik_log_sum_exp(logits.as_ptr(), 0, 3, out.as_mut_ptr()), Status::Size);
        assert_eq!(loglik_log_sum_exp(logits.as_ptr(), 2, usize::MAX, out.as_mut_ptr()), Status::Size);
        assert!(message().starts_with("`logits` has shape [2, "), "{}", message());
    }
}

#[test]
fn an_error_of_the_crate_has_its_own_status_and_message() {
    let (logits, mut loss) = (rows(), 0.0_f32);
    let value = |targets: [i64; 2]| {
        // SAFETY: arrays of two rows and three classes.
        unsafe { loglik_cross_entropy(logits.as_ptr(), targets.as_ptr(), 2, 3, &raw mut loss) }
    };
    assert_eq!([[0, 3], [-100, -100]].map(value), [Status::Target, Status::Empty]);
    assert!(message().contains("nothing to average"), "{}", message());
}

#[test]
fn gradients_of_a_linear_head_reach_hidden_states_and_weight_under_any_budget() {
    let (hidden, weight, targets) = ([1.0_f32], rows(), [2_i64]);
    for budget in [0, usize::MAX] {
        let (mut loss, mut to_hidden, mut to_weight) = (0.0_f32, [0.0_f32], [0.0_f32; 3]);
        let (x, w, y) = (hidden.as_ptr(), weight.as_ptr(), targets.as_ptr());
        let (l, dx, dw) = (&raw mut loss, to_hidden.as_mut_ptr(), to_weight.as_mut_ptr());
        // SAFETY: one token of width one, and three classes, whose weights are the first row.
        let status = unsafe { loglik_linear_cross_entropy_grad(x, w, y, 1, 1, 3, budget, l, dx, dw) };
        assert_eq!(status, Status::Ok);
        assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
        let expected = [1.0 / 6.0, 1.0 / 3.0, -0.5_f32];
        assert!(to_weight.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-6), "{to_weight:?}");
        assert!((to_hidden[0] - (2.0_f32.ln() / 3.0 - 3.0_f32.ln() / 2.0)).abs() < 1e-6, "{to_hidden:?}");
    }
}
