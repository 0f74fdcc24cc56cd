//! The number of threads leaves no trace: the same bits from pools of one, two and three.

use loglik_catalogue::call::Results;
use loglik_catalogue::layout::Layout;
use loglik_catalogue::{self as catalogue, Listed, Size};
use rayon::{ThreadPool, ThreadPoolBuilder};

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn any_pool_gives_the_same_bits<T: Listed>() {
    let pools = [pool(1), pool(2), pool(3)];
    for entry in catalogue::all::<T>() {
        let inputs = entry.sample(Size::Large);
        let alone: Results<T> = pools[0].install(|| inputs.packed(entry.call));
        for (name, result) in &alone.0 {
            assert!(result.is_ok(), "{}: {name} is {:?}", entry.name, result.as_ref().err());
        }
        // The strided call takes other paths through memory, to the same numbers.
        for (pool, layout) in [(1, Layout::Packed), (2, Layout::Packed), (1, Layout::Strided)] {
            let threads = pools[pool].current_num_threads();
            let other = pools[pool].install(|| inputs.call(layout, entry.call));
            let names = alone.differing(&other);
            assert!(names.is_empty(), "{} on {threads} threads, {layout:?}: {names:?}", entry.name);
        }
    }
}

#[test]
fn any_pool_gives_the_same_bits_in_f64() {
    any_pool_gives_the_same_bits::<f64>();
}

#[test]
fn any_pool_gives_the_same_bits_in_f32() {
    any_pool_gives_the_same_bits::<f32>();
}
