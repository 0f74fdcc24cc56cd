//! The loops of a density, as the pass over its arguments sees them.

use super::Density;
use crate::pointwise::{Block, COLUMNS, Pointwise, SLOPES, apply};
use crate::{Real, Result};

pub use crate::pointwise::Loops;

/// A density, as a function of plain numbers.
struct AtElement<'d, L, const N: usize, const G: usize>(&'d L);

impl<L: Density<N, G>, const N: usize, const G: usize> Pointwise<N, G> for AtElement<'_, L, N, G> {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, x: [T; N]) -> (T, [T; G]) {
        self.0.at::<T, FMA>(x)
    }
}

impl<T: Real, L: Density<N, G>, const N: usize, const G: usize> Block<T> for AtElement<'_, L, N, G> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        apply::<T, _, N, G>(self, columns, loss, slopes, is_steep);
    }
}

/// Gives the loops of a density to `pass`, once its hyper-parameters have been checked.
pub fn with<L: Density<N, G>, const N: usize, const G: usize>(
    density: &L,
    pass: &mut dyn FnMut(Loops<'_, ()>) -> Result<f64>,
) -> Result<f64> {
    const { assert!(N >= 1 && N <= COLUMNS && G >= 1 && G <= N && G <= SLOPES, "too many arguments, or too few") }
    density.check()?;
    pass(Loops::of(&AtElement(density)))
}
