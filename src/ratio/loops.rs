//! The loops of losses of log-ratios, as the pass over one side sees them.

use crate::Real;
use crate::pointwise::{Block, Choose, Loops, loops};
use crate::ratio::{RatioLoss, Samples};

loops! {
    /// Loops over the log-ratios of real samples.
    RealSide: RatioLoss, 1, 1, |loss, [ratio]| {
        let (value, slope) = loss.real::<T, FMA>(ratio);
        (value, [slope])
    }
}

loops! {
    /// Loops over the log-ratios of generated samples.
    FakeSide: RatioLoss, 1, 1, |loss, [ratio]| {
        let (value, slope) = loss.fake::<T, FMA>(ratio);
        (value, [slope])
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
