//! What there is of each side of a divergence.

/// One thing for each of the two distributions of `D(p ‖ q)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides<A> {
    /// Of the first.
    pub p: A,
    /// Of the second.
    pub q: A,
}

impl<A> Sides<A> {
    /// The same function of both.
    pub fn map<B>(self, mut f: impl FnMut(A) -> B) -> Sides<B> {
        Sides { p: f(self.p), q: f(self.q) }
    }
}
