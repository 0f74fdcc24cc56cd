//! What a training step calls again and again allocates nothing on one thread: a counting allocator, alone in its binary.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use loglik::Real;
use loglik::preference::{Asft, JensenShannonLink, NcaPair, Nll};
use loglik::prelude::*;
use ndarray::Array1;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread inside `f`.
fn allocations(f: impl FnOnce()) -> usize {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1, 2, 3]))), 1);
}

fn gradients_allocate_nothing<T: Real>(pairs: usize) {
    let column =
        |k: usize| Array1::from_shape_fn(pairs, |i| T::from_f64(-0.1 - ((i * 7919 + k * 104_729) % 997) as f64 / 50.0));
    let both = |k| Pairs { chosen: column(k), rejected: column(k + 1) };
    let (policy, reference, tokens) = (both(1), both(3), Array1::from_elem(pairs, T::from_f64(7.0)));
    let batch = PairBatch::new(policy.view())
        .reference(reference.view())
        .lengths(Pairs { chosen: tokens.view(), rejected: tokens.view() });
    let weights = column(5).mapv(|x| -x);
    let mut out = both(7);
    let smooth = Dpo { beta: 0.1, label_smoothing: 0.1 };
    let objectives: &[&dyn PairObjective<T>] = &[
        &Dpo::default(),
        &smooth,
        &Ipo { beta: 0.1, length: Length::Mean },
        &Orpo { lambda: 0.1, length: Length::Mean },
        &Nll { length: Length::Sum },
        &NcaPair::default(),
        &Asft::default(),
        &Linked { loss: smooth, link: JensenShannonLink },
    ];
    assert_eq!(allocations(|| assert!(pair_metrics(batch, 0.1).is_ok())), 0, "metrics of {pairs} pairs");
    for (i, objective) in objectives.iter().enumerate() {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
            let value = allocations(|| assert!(objective.value(batch, reduction).is_ok()));
            let gradient = allocations(|| assert!(objective.grad_into(batch, reduction, out.view_mut()).is_ok()));
            assert_eq!((value, gradient), (0, 0), "objective {i}, {pairs} pairs, {reduction:?}");
        }
    }
}

#[test]
fn a_gradient_of_pairs_allocates_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for pairs in [1, 8, 64, 65, 1024, 200_000] {
            gradients_allocate_nothing::<f32>(pairs);
            gradients_allocate_nothing::<f64>(pairs);
        }
    });
}
