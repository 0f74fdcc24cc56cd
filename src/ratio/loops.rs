//! The loops of losses of log-ratios, as the pass over one side sees them.

use crate::Real;
use crate::pointwise::{Block, Choose, Loops, Pointwise, apply};
use crate::ratio::{RatioLoss, Samples};

/// Loops over the log-ratios of real samples.
#[derive(Clone, Copy, Debug)]
pub struct RealSide;

/// Loops over the log-ratios of generated samples.
#[derive(Clone, Copy, Debug)]
pub struct FakeSide;

struct AtReal<'l, L>(&'l L);

impl<L: RatioLoss> Pointwise<1, 1> for AtReal<'_, L> {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [ratio]: [T; 1]) -> (T, [T; 1]) {
        let (loss, slope) = self.0.real::<T, FMA>(ratio);
        (loss, [slope])
    }
}

struct AtFake<'l, L>(&'l L);

impl<L: RatioLoss> Pointwise<1, 1> for AtFake<'_, L> {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [ratio]: [T; 1]) -> (T, [T; 1]) {
        let (loss, slope) = self.0.fake::<T, FMA>(ratio);
        (loss, [slope])
    }
}

impl<T: Real, L: RatioLoss> Block<T, RealSide> for L {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        apply::<T, _, 1, 1>(&AtReal(self), columns, loss, slopes, is_steep);
    }
}

impl<T: Real, L: RatioLoss> Block<T, FakeSide> for L {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        apply::<T, _, 1, 1>(&AtFake(self), columns, loss, slopes, is_steep);
    }
}

/// The loops of a [`RatioLoss`].
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations)] // addresses of code
pub struct RatioLoops<'a> {
    real: Loops<'a, RealSide>,
    fake: Loops<'a, FakeSide>,
}

impl<'a> RatioLoops<'a> {
    /// The loops of this loss.
    pub fn of<L: RatioLoss>(loss: &'a L) -> Self {
        Self { real: Loops::of(loss), fake: Loops::of(loss) }
    }

    /// Those of one element type, as the pass sees them.
    pub(super) fn get<T: Real + Choose>(self) -> Samples<OneSide<'a, T>> {
        Samples { real: OneSide::Real(self.real.get()), fake: OneSide::Fake(self.fake.get()) }
    }
}

/// The loops of one side.
pub(super) enum OneSide<'a, T> {
    Real(&'a dyn Block<T, RealSide>),
    Fake(&'a dyn Block<T, FakeSide>),
}

impl<T: Real> Block<T> for OneSide<'_, T> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        match self {
            Self::Real(block) => block.run(columns, loss, slopes, is_steep),
            Self::Fake(block) => block.run(columns, loss, slopes, is_steep),
        }
    }
}
