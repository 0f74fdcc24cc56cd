//! What a search makes of usual arguments: other shapes, and numbers that are extreme, equal, or NaN.

use ndarray::{ArrayD, Axis};

use crate::call::Inputs;
use crate::random::Random;
use crate::{Entry, Size};

/// What numbers should not be, and what they may just be.
const STRANGE: [f64; 25] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -1e-9,
    1e-9,
    1e4,
    -1e4,
    88.0,
    -104.0,
    1e-30,
    1e30,
    -1e30,
    3.4e38,
    1e-45,
    1e-300,
    1e300,
    -1e300,
    5e-324,
    f64::MAX,
    f64::MIN,
];

const STRANGE_CLASSES: [i64; 7] = [-100, -1, i64::MIN, i64::MAX, 4, 5, 1 << 40];

pub fn one_of<A: Copy>(random: &mut Random, values: &[A]) -> A {
    values[random.below(values.len())]
}

/// A number of any size and either sign.
fn any_size(random: &mut Random) -> f64 {
    let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
    sign * 10_f64.powf(-320.0 + 640.0 * random.unit())
}

/// A hyper-parameter: mostly the usual one or one near it, now and then any.
pub(crate) fn knob(random: &mut Random, usual: f64) -> f64 {
    match random.below(10) {
        0..4 => usual,
        4..7 => usual * 10_f64.powf(-3.0 + 6.0 * random.unit()),
        7 => random.unit(),
        8 => one_of(random, &STRANGE),
        _ => any_size(random),
    }
}

/// One array of these, or all of them, gets a new shape of the same rank, axes without elements included.
fn reshape(random: &mut Random, inputs: &mut Inputs) {
    let arrays = inputs.reals.len() + inputs.classes.len() + inputs.masks.len();
    let at = random.below(arrays);
    let (reals, classes) = (inputs.reals.len(), inputs.classes.len());
    let rank = match at {
        _ if at < reals => inputs.reals[at].ndim(),
        _ if at < reals + classes => inputs.classes[at - reals].ndim(),
        _ => inputs.masks[at - reals - classes].ndim(),
    };
    let shape: Vec<usize> = (0..rank).map(|_| random.below(4)).collect();
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
            *array = array.slice_axis(Axis(0), (0..to).into()).to_owned();
        }
    }
    inputs.reals.iter_mut().for_each(|array| cut(array, n, to));
    inputs.classes.iter_mut().for_each(|array| cut(array, n, to));
    inputs.masks.iter_mut().for_each(|array| cut(array, n, to));
}

/// Some real numbers become others.
fn spoil(random: &mut Random, array: &mut ArrayD<f64>) {
    if array.is_empty() {
        return;
    }
    let strange = if random.below(3) == 0 { any_size(random) } else { one_of(random, &STRANGE) };
    match random.below(9) {
        0 => array.fill(strange),
        // A few sizes at once, which sums and differences feel.
        1 => {
            let scale = any_size(random);
            array.mapv_inplace(|x| if random.below(2) == 0 { scale * x } else { x });
        }
        // Ties.
        2 => array.mapv_inplace(f64::round),
        // A third is gone.
        3 => array.mapv_inplace(|x| if random.below(3) == 0 { 0.0 } else { x }),
        4 => array.mapv_inplace(|x| if random.below(3) == 0 { f64::NEG_INFINITY } else { x }),
        // One class holds all, in every row.
        5 => {
            let peak = one_of(random, &[15.0, 40.0, 110.0, 800.0, 1e5]);
            let last = Axis(array.ndim() - 1);
            for mut row in array.lanes_mut(last) {
                let place = random.below(row.len());
                row[place] += peak;
            }
        }
        _ => {
            let place = random.below(array.len());
            array.iter_mut().skip(place).take(1).for_each(|x| *x = strange);
        }
    }
}

/// A few elements become strange.
fn spoil_all(random: &mut Random, inputs: &mut Inputs) {
    for _ in 0..=random.below(3) {
        let at = random.below(inputs.reals.len());
        spoil(random, &mut inputs.reals[at]);
    }
    if !inputs.classes.is_empty() && random.below(3) == 0 {
        let strange = one_of(random, &STRANGE_CLASSES);
        let place = random.below(inputs.classes[0].len().max(1));
        inputs.classes[0].iter_mut().skip(place).take(1).for_each(|class| *class = strange);
    }
    if !inputs.masks.is_empty() && random.below(3) == 0 {
        let keep = random.below(2) == 0;
        inputs.masks.iter_mut().for_each(|mask| mask.fill(keep));
    }
}

/// Arguments that are no longer usual, or still are now and then.
pub fn inputs<T>(entry: &Entry<T>, random: &mut Random, size: Size) -> Inputs {
    let mut inputs = (entry.inputs)(random, size);
    match random.below(6) {
        0 => reshape(random, &mut inputs),
        1 => {
            shorten(random, &mut inputs);
            spoil_all(random, &mut inputs);
        }
        2 => {}
        _ => spoil_all(random, &mut inputs),
    }
    inputs
}
