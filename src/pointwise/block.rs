//! The loops over a block of elements, compiled for every loss and every instruction set.

use crate::Real;
use crate::simd::{Kernel, LANES, dispatch};

/// What the author of an elementwise function writes: a loss of `N` numbers, and its derivatives in `G` of them.
///
/// Mark [`Pointwise::at`] `#[inline(always)]` and keep it free of branches, so that the loop over it becomes vectors;
/// `mul_add` is for where `FMA` is true, and [`crate::math`] has the special functions. What is wrong comes out as a loss of
/// NaN or as a slope that is not finite.
pub(crate) trait Pointwise<const N: usize, const G: usize>: Sync {
    /// The loss at one element, and its derivatives.
    fn at<T: Real, const FMA: bool>(&self, x: [T; N]) -> (T, [T; G]);
}

/// A loss over one block: all that the driver, which is compiled once for each element type, sees of it.
///
/// `Of` tells apart the several loops that one struct may have: the two sides of a discriminator, say.
pub trait Block<T, Of = ()>: Sync {
    /// Writes the loss of each element and, where `is_steep`, its slopes; otherwise `slopes` is memory to work in.
    ///
    /// Slices have one length, a multiple of [`LANES`].
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool);
}

/// [`Block::run`] of a function of single elements.
#[inline(always)]
pub(crate) fn apply<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize>(
    function: &F,
    columns: &[&[T]],
    loss: &mut [T],
    slopes: &mut [&mut [T]],
    is_steep: bool,
) {
    let (Some(columns), Some(slopes)) = (columns.first_chunk::<N>(), slopes.first_chunk_mut::<G>()) else { return };
    if is_steep {
        dispatch(Slopes { function, columns, loss, slopes });
    } else {
        dispatch(Losses::<T, F, N, G> { function, columns, loss });
    }
}

/// One group of every column.
type Group<'a, T, const N: usize> = [&'a [T; LANES]; N];

/// The group of that number. A loop with a counter: closures and iterators here would be compiled anew for every loss.
#[inline(always)]
fn group<'a, T: Real, const N: usize>(columns: &[&'a [T]; N], number: usize) -> Group<'a, T, N> {
    let mut group = [&columns[0].as_chunks::<LANES>().0[number]; N];
    let mut k = 1;
    while k < N {
        group[k] = &columns[k].as_chunks::<LANES>().0[number];
        k += 1;
    }
    group
}

/// Element `i` of every column of a group.
#[inline(always)]
fn element<T: Real, const N: usize>(group: &Group<'_, T, N>, i: usize) -> [T; N] {
    let mut x = [T::zero(); N];
    let mut k = 0;
    while k < N {
        x[k] = group[k][i];
        k += 1;
    }
    x
}

/// Losses and slopes of one group.
///
/// They are arrays, not the slices that they end up in: only so does the compiler know that they overlap with no input, and
/// turns the loop over them into vectors.
#[inline(always)]
fn lanes<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize, const FMA: bool>(
    function: &F,
    group: &Group<'_, T, N>,
) -> ([T; LANES], [[T; LANES]; G]) {
    let (mut loss, mut slopes) = ([T::zero(); LANES], [[T::zero(); LANES]; G]);
    for i in 0..LANES {
        let (value, slope) = function.at::<T, FMA>(element(group, i));
        loss[i] = value;
        let mut k = 0;
        while k < G {
            slopes[k][i] = slope[k];
            k += 1;
        }
    }
    (loss, slopes)
}

struct Losses<'a, T, F, const N: usize, const G: usize> {
    function: &'a F,
    columns: &'a [&'a [T]; N],
    loss: &'a mut [T],
}

impl<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize> Kernel for Losses<'_, T, F, N, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (number, to) in self.loss.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            *to = lanes::<T, F, N, G, FMA>(self.function, &group(self.columns, number)).0;
        }
    }
}

struct Slopes<'a, 's, T, F, const N: usize, const G: usize> {
    function: &'a F,
    columns: &'a [&'a [T]; N],
    loss: &'a mut [T],
    slopes: &'a mut [&'s mut [T]; G],
}

impl<T: Real, F: Pointwise<N, G>, const N: usize, const G: usize> Kernel for Slopes<'_, '_, T, F, N, G> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (number, to) in self.loss.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let (loss, slopes) = lanes::<T, F, N, G, FMA>(self.function, &group(self.columns, number));
            *to = loss;
            let mut k = 0;
            while k < G {
                self.slopes[k].as_chunks_mut::<LANES>().0[number] = slopes[k];
                k += 1;
            }
        }
    }
}
