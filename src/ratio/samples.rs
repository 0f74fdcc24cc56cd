//! One bundle for everything that has a real and a generated side.

/// What belongs to samples of the data, and what belongs to samples that a model made.
///
/// `Samples<ArrayView1<T>>` goes in, `Samples<Array1<T>>` comes out. The two sides need not be of one length.
///
/// ```
/// # use loglik::prelude::*;
/// assert_eq!(Samples::both(2).map(|x| x + 1), Samples { real: 3, fake: 3 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Samples<A> {
    /// Of the data.
    pub real: A,
    /// Of a model, usually the reference.
    pub fake: A,
}

impl<A> Samples<A> {
    /// The same on both sides.
    #[must_use]
    pub fn both(value: A) -> Self
    where
        A: Clone,
    {
        Self { real: value.clone(), fake: value }
    }

    /// The two sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { real: self.fake, fake: self.real }
    }

    /// `f` of each side.
    #[must_use]
    pub fn map<B>(self, mut f: impl FnMut(A) -> B) -> Samples<B> {
        Samples { real: f(self.real), fake: f(self.fake) }
    }
}
