//! The loops over a block of pairs, compiled for every loss and every instruction set.

use std::ops::Range;

use crate::Real;
use crate::error::Error;
use crate::preference::columns::Columns;
use crate::preference::{PairLoss, Pairs, Row};
use crate::simd::{Kernel, LANES, dispatch};

/// A loss over one block of pairs: what the driver sees of a [`PairLoss`].
pub(crate) trait Block<T>: Sync {
    /// The loss of each pair.
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]);

    /// The loss of each pair and its derivatives.
    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>);

    /// See [`PairLoss::explain`].
    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error>;
}

impl<T: Real, L: PairLoss> Block<T> for L {
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]) {
        dispatch(Losses { of: self, columns, loss });
    }

    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>) {
        dispatch(Slopes { of: self, columns, loss, slope });
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        PairLoss::explain(self, row, position)
    }
}

/// Losses and both derivatives of some pairs.
///
/// They are arrays, not the slices that they end up in: only so does the compiler know that they overlap with no input,
/// and turns the loop over them into vectors.
type Lanes<T> = ([T; LANES], Pairs<[T; LANES]>);

/// The loss of [`LANES`] pairs.
#[inline(always)]
fn lanes<T: Real, L: PairLoss, const FMA: bool>(of: &L, columns: Row<&[T; LANES]>) -> Lanes<T> {
    let mut loss = [T::zero(); LANES];
    let mut slope = Pairs { chosen: loss, rejected: loss };
    for i in 0..LANES {
        let (value, both) = of.pair::<T, FMA>(columns.map(|column| column[i]));
        loss[i] = value;
        slope.chosen[i] = both.chosen;
        slope.rejected[i] = both.rejected;
    }
    (loss, slope)
}

/// Gives the losses of the pairs from `at` on to `f`, [`LANES`] at a time; the last group is filled up with zeros.
#[inline(always)]
fn for_each_group<T: Real, L: PairLoss, const FMA: bool>(
    of: &L,
    columns: Columns<'_, T>,
    n: usize,
    mut f: impl FnMut(Range<usize>, Lanes<T>),
) {
    let columns = columns.map(|column| column[..n].as_chunks::<LANES>());
    for group in 0..n / LANES {
        let at = group * LANES;
        f(at..at + LANES, lanes::<T, L, FMA>(of, columns.map(|(groups, _)| &groups[group])));
    }
    if !n.is_multiple_of(LANES) {
        let rest = columns.map(|(_, rest)| {
            let mut filled = [T::zero(); LANES];
            filled[..rest.len()].copy_from_slice(rest);
            filled
        });
        f(n - n % LANES..n, lanes::<T, L, FMA>(of, rest.as_ref()));
    }
}

struct Losses<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
}

impl<T: Real, L: PairLoss> Kernel for Losses<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, _)| {
            let n = at.len();
            self.loss[at].copy_from_slice(&loss[..n]);
        });
    }
}

struct Slopes<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
    slope: Pairs<&'a mut [T]>,
}

impl<T: Real, L: PairLoss> Kernel for Slopes<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, slope)| {
            let n = at.len();
            self.loss[at.clone()].copy_from_slice(&loss[..n]);
            self.slope.chosen[at.clone()].copy_from_slice(&slope.chosen[..n]);
            self.slope.rejected[at].copy_from_slice(&slope.rejected[..n]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::{Length, Orpo};
    use crate::simd::{available, run_at};

    #[test]
    fn every_level_agrees_with_one_pair() {
        let orpo = Orpo { lambda: 0.5, length: Length::Sum };
        let column = |seed: usize| (0..75).map(|i| -0.1 - ((i * 7 + seed) % 29) as f64).collect::<Vec<_>>();
        let (chosen, rejected, zeros, ones) = (column(1), column(12), vec![0.0; 75], vec![1.0; 75]);
        let both = |column| Pairs { chosen: column, rejected: column };
        let columns = Row {
            policy: Pairs { chosen: &chosen[..], rejected: &rejected },
            reference: both(&zeros[..]),
            lengths: both(&ones[..]),
            rewards: both(&zeros[..]),
            target: &zeros[..],
            gold: &zeros[..],
        };
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-14 * b.abs();
        for level in available() {
            let (mut alone, mut loss) = ([0.0; 75], [0.0; 75]);
            let mut slope = Pairs { chosen: [0.0; 75], rejected: [0.0; 75] };
            run_at(level, Losses { of: &orpo, columns, loss: &mut alone });
            let places = slope.as_mut().map(|side| &mut side[..]);
            run_at(level, Slopes { of: &orpo, columns, loss: &mut loss, slope: places });
            assert_eq!(alone, loss, "{level:?}");
            for i in 0..75 {
                let (expected, slopes) = orpo.pair::<f64, false>(columns.map(|column| column[i]));
                assert!(close(loss[i], expected), "{i} at {level:?}");
                assert!(close(slope.chosen[i], slopes.chosen), "{i} at {level:?}");
                assert!(close(slope.rejected[i], slopes.rejected), "{i} at {level:?}");
            }
        }
    }
}
