//! Every public function once, as a call that tests can repeat: in every layout, with any number of threads, at
//! neighbouring points, with broken arguments.

#![allow(missing_docs, unreachable_pub)] // a tool of the tests of this crate alone

mod batchwise;
pub mod call;
mod chain;
mod detached;
mod divergence;
mod entropic;
mod exact;
pub mod layout;
mod likelihood;
mod linear;
mod logits;
mod margins;
mod pairs;
pub mod random;
mod samples;
mod sequence;
mod sequence_match;
mod sides;
mod transport;

use loglik::Real;

use call::{Call, Inputs, Results, dot};
use random::Random;

/// How much data a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few rows, for differences and layouts.
    Small,
    /// Several megabytes, which go to threads.
    Large,
}

impl Size {
    pub fn pick(self, small: usize, large: usize) -> usize {
        match self {
            Self::Small => small,
            Self::Large => large,
        }
    }
}

/// A public function, or an objective with its hyper-parameters and a reduction.
#[derive(Debug)]
pub struct Entry<T> {
    pub name: &'static str,
    /// Well-scaled arguments.
    pub inputs: fn(&mut Random, Size) -> Inputs,
    /// Every route to its results.
    pub call: fn(&Call<T>, &mut Results<T>),
}

impl<T> Entry<T> {
    pub fn new(
        name: &'static str,
        inputs: fn(&mut Random, Size) -> Inputs,
        call: fn(&Call<T>, &mut Results<T>),
    ) -> Self {
        Self { name, inputs, call }
    }

    /// The same arguments every time, different ones for different names.
    pub fn sample(&self, size: Size) -> Inputs {
        let seed = self.name.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        (self.inputs)(&mut Random(seed), size)
    }
}

/// The element types of the catalogue. Their calls are compiled here, once for all binaries that use them.
pub trait Listed: Real {
    /// Every entry.
    fn entries() -> Vec<Entry<Self>>;
}

impl Listed for f32 {
    fn entries() -> Vec<Entry<Self>> {
        list()
    }
}

impl Listed for f64 {
    fn entries() -> Vec<Entry<Self>> {
        list()
    }
}

/// Every entry in the element type `T`.
pub fn all<T: Listed>() -> Vec<Entry<T>> {
    T::entries()
}

fn list<T: Real>() -> Vec<Entry<T>> {
    let rooms = [
        logits::entries(),
        linear::entries(),
        sequence::entries(),
        pairs::entries(),
        sides::entries(),
        margins::entries(),
        batchwise::entries(),
        chain::entries(),
        transport::entries(),
        entropic::entries(),
        detached::entries(),
        samples::entries(),
        sequence_match::entries(),
        divergence::entries(),
        exact::entries(),
        likelihood::entries(),
    ];
    rooms.into_iter().flatten().collect()
}
