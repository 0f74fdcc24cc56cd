//! The loops of pair losses as the pass over a batch sees them: of both sides, of the margin, of a link.

use crate::Real;
use crate::pointwise::{Block, Choose, loops};
use crate::preference::margin::Margined;
use crate::preference::{LabeledLoss, Length, PairLoss, Pairs, RatioLink, Row};

pub use crate::pointwise::Loops;

/// Numbers that a pair has: the columns of a batch, in the order of [`Row::into_array`].
pub(crate) const ROW: usize = 10;

loops! {
    /// Loops over whole pairs: loss and slopes of both sides.
    Sides: PairLoss, ROW, 2, |loss, x| {
        let (value, slope) = loss.at::<T, FMA>(Row::from_array(x));
        (value, [slope.chosen, slope.rejected])
    }
}

loops! {
    /// Loops over the margin of plain log-ratios: loss and slopes of both sides.
    Margins: LabeledLoss, ROW, 2, |loss, x| {
        let row = Row::from_array(x);
        let (value, slope) = loss.at::<T, FMA>(row.margin(), row.constants());
        (value, [slope, -slope])
    }
}

loops! {
    /// Loops over log-ratios: a link and its slope.
    Ratios: RatioLink, 1, 1, |link, [ratio]| {
        let (value, slope) = link.at::<T, FMA>(ratio);
        (value, [slope])
    }
}

loops! {
    /// Loops over two log-ratios: the difference of their links and both slopes.
    Differences: RatioLink, 2, 2, |link, [chosen, rejected]| {
        let (difference, slopes) = link.difference::<T, FMA>(Pairs { chosen, rejected });
        (difference, [slopes.chosen, slopes.rejected])
    }
}

/// The loops of a [`RatioLink`].
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations)] // addresses of code
pub struct LinkLoops<'a> {
    pub(super) ratios: Loops<'a, Ratios>,
    pub(super) differences: Loops<'a, Differences>,
}

impl<'a> LinkLoops<'a> {
    /// The loops of this link.
    pub fn of<L: RatioLink>(link: &'a L) -> Self {
        Self { ratios: Loops::of(link), differences: Loops::of(link) }
    }
}

/// The loops of a [`PairLoss`].
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations)] // addresses of code
pub struct PairLoops<'a>(Kind<'a>);

#[derive(Clone, Copy)]
enum Kind<'a> {
    Sides(Loops<'a, Sides>),
    Margin { loss: Loops<'a, Margins>, link: Option<LinkLoops<'a>>, length: Length },
}

impl<'a> PairLoops<'a> {
    /// Of a loss that treats each side by itself.
    #[must_use]
    pub fn of_sides(loops: Loops<'a, Sides>) -> Self {
        Self(Kind::Sides(loops))
    }

    /// Of a loss of the margin, whose log-ratios may go through a link first.
    pub(super) fn of_margin(loss: Loops<'a, Margins>, link: Option<LinkLoops<'a>>, length: Length) -> Self {
        Self(Kind::Margin { loss, link, length })
    }

    /// Calls `f` with the loops in one element type.
    pub(super) fn with<T: Real + Choose, R>(self, f: impl FnOnce(&dyn Block<T>) -> R) -> R {
        match self.0 {
            Kind::Sides(loops) => f(&BothSides(loops.get::<T>())),
            Kind::Margin { loss, link, length } => f(&Margined { loss: loss.get::<T>(), link, length }),
        }
    }
}

/// Loops over whole pairs, as the pass sees them.
struct BothSides<'a, T>(&'a dyn Block<T, Sides>);

impl<T: Real> Block<T> for BothSides<'_, T> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        self.0.run(columns, loss, slopes, is_steep);
    }
}
