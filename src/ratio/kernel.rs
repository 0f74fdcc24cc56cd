//! The loops over a block of log-ratios, compiled for every loss and every instruction set.

use super::driver::Side;
use crate::Real;
use crate::ratio::RatioLoss;
use crate::simd::{Kernel, dispatch};

/// A loss over one block of one side: what the driver, compiled once for each element type, sees of a [`RatioLoss`].
pub(super) trait Block<T>: Sync {
    fn losses(&self, side: Side, ratios: &[T], loss: &mut [T]);
    fn slopes(&self, side: Side, ratios: &[T], loss: &mut [T], slope: &mut [T]);
}

impl<T: Real, L: RatioLoss> Block<T> for L {
    fn losses(&self, side: Side, ratios: &[T], loss: &mut [T]) {
        dispatch(Losses { of: self, side, ratios, loss });
    }

    fn slopes(&self, side: Side, ratios: &[T], loss: &mut [T], slope: &mut [T]) {
        dispatch(Slopes { of: self, side, ratios, loss, slope });
    }
}

struct Losses<'a, T, L> {
    of: &'a L,
    side: Side,
    ratios: &'a [T],
    loss: &'a mut [T],
}

impl<T: Real, L: RatioLoss> Kernel for Losses<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Plain loops: the body of a closure would not take on the features of the instruction set.
        match self.side {
            Side::Real => {
                for (loss, &ratio) in self.loss.iter_mut().zip(self.ratios) {
                    *loss = self.of.real::<T, FMA>(ratio).0;
                }
            }
            Side::Fake => {
                for (loss, &ratio) in self.loss.iter_mut().zip(self.ratios) {
                    *loss = self.of.fake::<T, FMA>(ratio).0;
                }
            }
        }
    }
}

struct Slopes<'a, T, L> {
    of: &'a L,
    side: Side,
    ratios: &'a [T],
    loss: &'a mut [T],
    slope: &'a mut [T],
}

impl<T: Real, L: RatioLoss> Kernel for Slopes<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.loss.len();
        let (ratios, slope) = (&self.ratios[..n], &mut self.slope[..n]);
        match self.side {
            Side::Real => {
                for i in 0..n {
                    (self.loss[i], slope[i]) = self.of.real::<T, FMA>(ratios[i]);
                }
            }
            Side::Fake => {
                for i in 0..n {
                    (self.loss[i], slope[i]) = self.of.fake::<T, FMA>(ratios[i]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratio::Ddo;
    use crate::simd::{available, run_at};

    #[test]
    fn every_level_agrees_with_one_sample() {
        let ddo = Ddo { alpha: 4.0, beta: 0.5 };
        let ratios: Vec<f64> = (0..75).map(|i| 0.75 * f64::from(i) - 30.0).collect();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-14 * b.abs();
        for (level, side) in available().into_iter().flat_map(|level| [(level, Side::Real), (level, Side::Fake)]) {
            let (mut alone, mut loss, mut slope) = ([0.0; 75], [0.0; 75], [0.0; 75]);
            run_at(level, Losses { of: &ddo, side, ratios: &ratios, loss: &mut alone });
            run_at(level, Slopes { of: &ddo, side, ratios: &ratios, loss: &mut loss, slope: &mut slope });
            assert_eq!(alone, loss, "{side:?} at {level:?}");
            for (i, &ratio) in ratios.iter().enumerate() {
                let expected = match side {
                    Side::Real => ddo.real::<f64, false>(ratio),
                    Side::Fake => ddo.fake::<f64, false>(ratio),
                };
                assert!(close(loss[i], expected.0) && close(slope[i], expected.1), "{ratio}, {side:?} at {level:?}");
            }
        }
    }
}
