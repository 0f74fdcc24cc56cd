//! Memory layout leaves no trace: every public function gives the same bits for the same numbers, however they lie.

use loglik_catalogue::call::{Call, Results};
use loglik_catalogue::layout::Layout;
use loglik_catalogue::{self as catalogue, Listed, Size};
use ndarray::{ArrayD, Axis};

fn every_layout_gives_the_same_bits<T: Listed>() {
    for entry in catalogue::all::<T>() {
        let inputs = entry.sample(Size::Small);
        let packed = inputs.packed(entry.call);
        for (name, result) in &packed.0 {
            assert!(result.is_ok(), "{}: {name} is {result:?}", entry.name);
        }
        for layout in Layout::ALL {
            let other = inputs.call(layout, entry.call);
            assert!(packed.same_bits(&other), "{} {layout:?}\n{}", entry.name, packed.difference(&other));
        }
    }
}

#[test]
fn every_layout_gives_the_same_bits_in_f64() {
    every_layout_gives_the_same_bits::<f64>();
}

#[test]
fn every_layout_gives_the_same_bits_in_f32() {
    every_layout_gives_the_same_bits::<f32>();
}

/// Views whose first axis has the stride zero, against owned copies of them.
fn broadcast_gives_the_same_bits<T: Listed>() {
    for entry in catalogue::all::<T>() {
        let inputs = entry.sample(Size::Small);
        let reals: Vec<ArrayD<T>> = inputs.reals.iter().map(|x| first(x).mapv(T::from_f64)).collect();
        let classes: Vec<_> = inputs.classes.iter().map(first).collect();
        let masks: Vec<_> = inputs.masks.iter().map(first).collect();
        let extents = |shape: &[usize]| shape.to_vec();
        let stretched = Call {
            reals: reals.iter().zip(&inputs.reals).map(|(x, all)| x.broadcast(extents(all.shape())).unwrap()).collect(),
            classes: classes
                .iter()
                .zip(&inputs.classes)
                .map(|(x, all)| x.broadcast(extents(all.shape())).unwrap())
                .collect(),
            masks: masks.iter().zip(&inputs.masks).map(|(x, all)| x.broadcast(extents(all.shape())).unwrap()).collect(),
            layout: Layout::Packed,
            knobs: None,
        };
        let (reals, classes, masks) = (own(&stretched.reals), own(&stretched.classes), own(&stretched.masks));
        let owned = Call {
            reals: reals.iter().map(|x| x.view()).collect(),
            classes: classes.iter().map(|x| x.view()).collect(),
            masks: masks.iter().map(|x| x.view()).collect(),
            layout: Layout::Packed,
            knobs: None,
        };
        let (stretched, owned): (Results<T>, Results<T>) = (stretched.run(entry.call), owned.run(entry.call));
        assert!(owned.same_bits(&stretched), "{}\n{}", entry.name, owned.difference(&stretched));
    }
}

/// The first element of the first axis, kept as an axis of length one.
fn first<A: Clone>(array: &ArrayD<A>) -> ArrayD<A> {
    array.view().split_at(Axis(0), 1).0.to_owned()
}

fn own<A: Clone>(views: &[ndarray::ArrayViewD<'_, A>]) -> Vec<ArrayD<A>> {
    views.iter().map(|view| view.as_standard_layout().into_owned()).collect()
}

#[test]
fn a_stretched_axis_gives_the_same_bits() {
    broadcast_gives_the_same_bits::<f64>();
    broadcast_gives_the_same_bits::<f32>();
}

/// Every route to a number leads to the same number.
#[test]
fn value_gradient_and_buffers_agree() {
    for entry in catalogue::all::<f64>() {
        let results = entry.sample(Size::Small).packed(entry.call);
        for (name, _) in &results.0 {
            let Some((route, plain)) = name.split_once(": ") else { continue };
            if !["grad", "into", "in place"].contains(&route) {
                continue;
            }
            let (left, right) = (results.get(name), results.get(plain));
            let close = left.iter().zip(right).all(|(l, r)| (l - r).abs() <= 1e-14 * r.abs().max(1.0));
            assert!(left.shape() == right.shape() && close, "{}: {name} is {left}, {plain} is {right}", entry.name);
        }
    }
}
