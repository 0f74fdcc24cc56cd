//! What leaves examples of a call out, so that nothing of them is read.

use loglik::Real;
use ndarray::{ArrayD, Axis};

use crate::call::{Inputs, Results};

/// By what examples are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Zeros in this real input.
    Weights(usize),
    /// Where this mask is false.
    Mask(usize),
    /// Where the array of classes with this index holds that class.
    Class(usize, i64),
}

/// Which results leave them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All.
    All,
    /// The reduced value and its gradients.
    Reduced,
    /// The one of this name.
    Only(&'static str),
}

/// Examples that are left out of some results, and where their numbers stand.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    pub by: By,
    /// Real inputs whose first axes are those of the selecting array.
    pub inputs: &'static [usize],
    pub seen: Seen,
}

impl Selection {
    /// The same inputs with `filler` wherever an example is left out; nothing where none is, or where shapes do not fit.
    pub fn overwritten(&self, inputs: &Inputs, filler: f64) -> Option<Inputs> {
        let is_out: ArrayD<bool> = match self.by {
            By::Weights(index) => inputs.reals[index].mapv(|weight| weight == 0.0),
            By::Mask(index) => inputs.masks[index].mapv(|keep| !keep),
            By::Class(index, class) => inputs.classes[index].mapv(|given| given == class),
        };
        if !is_out.iter().any(|&is_out| is_out) {
            return None;
        }
        let mut other = inputs.clone();
        for &input in self.inputs {
            let array = &mut other.reals[input];
            if !array.shape().starts_with(is_out.shape()) {
                return None;
            }
            for (example, _) in is_out.indexed_iter().filter(|(_, is_out)| **is_out) {
                let mut part = array.view_mut();
                (0..is_out.ndim()).for_each(|axis| part.collapse_axis(Axis(axis), example[axis]));
                part.fill(filler);
            }
        }
        Some(other)
    }

    /// The results that must not change, of those that differ.
    pub fn unlike<'a, T: Real>(&self, results: &'a Results<T>, other: &Results<T>) -> Vec<&'a str> {
        let plain = |name: &str| name.rsplit_once(": ").map_or(name.to_owned(), |(_, plain)| plain.to_owned());
        let is_seen = |name: &str| match self.seen {
            Seen::All => true,
            Seen::Reduced => plain(name) == "value" || plain(name).starts_with("grad "),
            Seen::Only(only) => name == only,
        };
        results.differing(other).into_iter().filter(|name| is_seen(name)).collect()
    }
}
