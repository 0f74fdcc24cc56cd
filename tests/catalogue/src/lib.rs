//! Every public function once, as a call that tests can repeat: in every layout, with any number of threads, at
//! neighboring points, with broken arguments.

#![allow(missing_docs, unreachable_pub)] // a tool of the tests of this crate alone

mod batchwise;
pub mod call;
mod chain;
pub mod columns;
mod contrastive;
mod detached;
mod discriminators;
mod divergence;
mod energy;
mod entropic;
mod estimates;
mod exact;
pub mod hyper;
mod knobs;
pub mod layout;
mod lengths;
mod likelihood;
mod linear;
mod logits;
mod margins;
mod metric;
pub mod objectives;
pub mod oracle;
mod pairs;
pub mod random;
mod samples;
pub mod selection;
mod sequence;
mod sequence_match;
mod sides;
pub mod strange;
mod transport;

use loglik::Real;
use ndarray::ArrayD;

use call::{Call, Inputs, Results, dot};
use knobs::knob;
use random::Random;
use selection::{By, Seen, Selection};

/// How much data a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few rows, for differences and layouts.
    Small,
    /// Several megabytes, which go to threads.
    Large,
    /// Anything up to the larger of both, mostly small, by this seed: one, two, a few, around the blocks of kernels.
    Any(u64),
}

impl Size {
    pub fn pick(self, small: usize, large: usize) -> usize {
        match self {
            Self::Small => small,
            Self::Large => large,
            Self::Any(seed) => lengths::any(seed, small, large),
        }
    }

    /// For an axis that is as short as this in all but a search.
    pub fn long(self, usual: usize, longest: usize) -> usize {
        match self {
            Self::Small | Self::Large => usual,
            Self::Any(seed) => lengths::any(seed, usual, longest),
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
    /// Arguments of the function that the call forms from its own: errors point into those.
    pub formed: &'static [&'static str],
    /// What leaves examples out.
    pub selections: Vec<Selection>,
    /// Whether a value may differ by its last bits from the one that comes with a gradient, which is summed in another way.
    pub may_round: bool,
    /// Whether finite arguments may give an infinite number that is exact.
    pub may_be_infinite: bool,
    /// Whether `value` is a product with a cotangent that the catalogue formed itself, in which infinities may meet.
    pub has_cotangent: bool,
    /// What gradients take for constants, where they do.
    pub detached: Option<Detached>,
}

/// The number of which gradients are, where factors of it are constants to them.
#[derive(Clone, Copy, Debug)]
pub struct Detached {
    /// One loss for each example: from the results now, with the constants of those at the base.
    pub losses: fn(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64>,
    pub reduced: Reduced,
}

/// How losses become one number.
#[derive(Clone, Copy, Debug)]
pub enum Reduced {
    Sum,
    /// Over the examples that are counted.
    Mean,
    /// By this real input.
    Weighted(usize),
}

impl<T> Entry<T> {
    pub fn new(
        name: &'static str,
        inputs: fn(&mut Random, Size) -> Inputs,
        call: fn(&Call<T>, &mut Results<T>),
    ) -> Self {
        Self {
            name,
            inputs,
            call,
            formed: &[],
            selections: Vec::new(),
            may_round: false,
            may_be_infinite: false,
            has_cotangent: false,
            detached: None,
        }
    }

    /// One whose `value` the call forms itself, as a product with a cotangent.
    pub fn of_cotangent(
        name: &'static str,
        inputs: fn(&mut Random, Size) -> Inputs,
        call: fn(&Call<T>, &mut Results<T>),
    ) -> Self {
        Self { has_cotangent: true, ..Self::new(name, inputs, call) }
    }

    /// The same, where gradients take something for constant.
    #[must_use]
    pub fn detaching(
        self,
        losses: fn(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64>,
        reduced: Reduced,
    ) -> Self {
        Self { detached: Some(Detached { losses, reduced }), ..self }
    }

    /// Whether a result is one that the catalogue formed, in which infinities may meet.
    pub fn is_ours(&self, name: &str) -> bool {
        self.has_cotangent && name == "value"
    }

    /// The same, where these examples are left out of what is seen.
    #[must_use]
    pub fn without(mut self, by: By, inputs: &'static [usize], seen: Seen) -> Self {
        self.selections.push(Selection { by, inputs, seen });
        self
    }

    /// The same, where the call forms these arguments of the function.
    #[must_use]
    pub fn forming(self, formed: &'static [&'static str]) -> Self {
        Self { formed, ..self }
    }

    /// The same, where a value may differ by its last bits from the one that comes with a gradient.
    #[must_use]
    pub fn rounding(self) -> Self {
        Self { may_round: true, ..self }
    }

    /// The same, where finite arguments may give an infinite number that is exact.
    #[must_use]
    pub fn infinite(self) -> Self {
        Self { may_be_infinite: true, ..self }
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
        energy::entries(),
        exact::entries(),
        estimates::entries(),
        likelihood::entries(),
        contrastive::entries(),
        metric::entries(),
        discriminators::entries(),
    ];
    rooms.into_iter().flatten().collect()
}
