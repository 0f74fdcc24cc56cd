//! Losses of the margin in stages over a block: the margin is formed, the loss taken, its slope handed back to both sides.
//!
//! The first and the last stage are compiled once for all losses; a link of the log-ratios comes between, so that no pair
//! of a loss and a link is compiled together.

use crate::Real;
use crate::math::mul_or_zero;
use crate::pointwise::{Block, Choose};
use crate::preference::Length;
use crate::preference::loops::{LinkLoops, Margins, ROW};
use crate::simd::{Kernel, dispatch};

/// Elements that a link is worked on at a time: six columns of them stay in the first-level cache.
const PART: usize = 256;

/// A loss of the margin as a function of both sides.
pub(super) struct Margined<'a, T> {
    pub(super) loss: &'a dyn Block<T, Margins>,
    pub(super) link: Option<LinkLoops<'a>>,
    pub(super) length: Length,
}

impl<T: Real + Choose> Block<T> for Margined<'_, T> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        let [chosen, rejected, ..] = slopes else { return };
        match self.link {
            None => self.plain(columns, loss, [chosen, rejected], is_steep),
            Some(link) => {
                for start in (0..loss.len()).step_by(PART) {
                    let at = start..loss.len().min(start + PART);
                    let mut part: [&[T]; ROW] = [&[]; ROW];
                    part.iter_mut().zip(columns).for_each(|(part, column)| *part = &column[at.clone()]);
                    let sides = [&mut chosen[at.clone()], &mut rejected[at.clone()]];
                    self.linked(link, &part, &mut loss[at], sides, is_steep);
                }
            }
        }
    }
}

impl<T: Real + Choose> Margined<'_, T> {
    /// The loss of these margins beside the columns of the batch.
    fn loss_of(&self, columns: &[&[T]], margin: &[T], loss: &mut [T], slope: &mut [T], is_steep: bool) {
        let mut all: [&[T]; ROW + 1] = [margin; ROW + 1];
        all.iter_mut().zip(&columns[..ROW]).for_each(|(to, column)| *to = column);
        self.loss.run(&all, loss, &mut [slope], is_steep);
    }

    /// Log-ratios as they are. The memory for the slopes takes the margin and its slope first.
    fn plain(&self, columns: &[&[T]], loss: &mut [T], [chosen, rejected]: [&mut [T]; 2], is_steep: bool) {
        let Some(row) = Columns::of(columns) else { return };
        dispatch(Form { row, length: self.length, margin: chosen });
        self.loss_of(columns, chosen, loss, rejected, is_steep);
        if is_steep {
            dispatch(HandBack { row, length: self.length, links: None, chosen, slope_to_rejected: rejected });
        }
    }

    /// Log-ratios through a link first.
    fn linked(
        &self,
        link: LinkLoops<'_>,
        columns: &[&[T]],
        loss: &mut [T],
        [chosen, rejected]: [&mut [T]; 2],
        is_steep: bool,
    ) {
        let Some(row) = Columns::of(columns) else { return };
        let n = loss.len();
        let mut memory = [[T::zero(); PART]; 5];
        let [ratio_w, ratio_l, margin, link_w, link_l] = memory.each_mut().map(|column| &mut column[..n]);
        dispatch(Ratios { row, chosen: ratio_w, rejected: ratio_l });
        match self.length {
            Length::Sum => {
                link.differences.get::<T>().run(&[ratio_w, ratio_l], margin, &mut [link_w, link_l], is_steep);
            }
            Length::Mean => {
                let (ratios, [values_w, values_l]) = (link.ratios.get::<T>(), [&mut *chosen, &mut *rejected]);
                ratios.run(&[ratio_w], values_w, &mut [&mut *link_w], is_steep);
                ratios.run(&[ratio_l], values_l, &mut [&mut *link_l], is_steep);
                dispatch(Means { row, values: [values_w, values_l], margin });
            }
        }
        self.loss_of(columns, margin, loss, rejected, is_steep);
        if is_steep {
            let links = Some([&*link_w, &*link_l]);
            dispatch(HandBack { row, length: self.length, links, chosen, slope_to_rejected: rejected });
        }
    }
}

/// The columns that a margin is made of.
#[derive(Clone, Copy)]
struct Columns<'a, T> {
    policy: [&'a [T]; 2],
    reference: [&'a [T]; 2],
    lengths: [&'a [T]; 2],
}

impl<'a, T> Columns<'a, T> {
    /// The first columns of a batch.
    fn of(columns: &[&'a [T]]) -> Option<Self> {
        let [a, b, c, d, e, f, ..] = *columns else { return None };
        Some(Self { policy: [a, b], reference: [c, d], lengths: [e, f] })
    }

    /// All of them cut to one length, so that the compiler checks it once.
    #[inline(always)]
    fn cut(self, n: usize) -> Self {
        let cut = |[a, b]: [&'a [T]; 2]| [&a[..n], &b[..n]];
        Self { policy: cut(self.policy), reference: cut(self.reference), lengths: cut(self.lengths) }
    }
}

/// The margin of plain log-ratios.
struct Form<'a, T> {
    row: Columns<'a, T>,
    length: Length,
    margin: &'a mut [T],
}

impl<T: Real> Kernel for Form<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { policy: [w, l], reference: [r, q], lengths: [n, k] } = self.row.cut(self.margin.len());
        match self.length {
            Length::Sum => {
                for (i, margin) in self.margin.iter_mut().enumerate() {
                    *margin = (w[i] - r[i]) - (l[i] - q[i]);
                }
            }
            Length::Mean => {
                for (i, margin) in self.margin.iter_mut().enumerate() {
                    *margin = (w[i] - r[i]) / n[i] - (l[i] - q[i]) / k[i];
                }
            }
        }
    }
}

/// The log-ratios of both sides.
struct Ratios<'a, T> {
    row: Columns<'a, T>,
    chosen: &'a mut [T],
    rejected: &'a mut [T],
}

impl<T: Real> Kernel for Ratios<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Columns { policy: [w, l], reference: [r, q], .. } = self.row.cut(self.chosen.len());
        for (i, (chosen, rejected)) in self.chosen.iter_mut().zip(self.rejected).enumerate() {
            *chosen = w[i] - r[i];
            *rejected = l[i] - q[i];
        }
    }
}

/// The margin of values that are divided by the lengths.
struct Means<'a, T> {
    row: Columns<'a, T>,
    values: [&'a [T]; 2],
    margin: &'a mut [T],
}

impl<T: Real> Kernel for Means<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let count = self.margin.len();
        let ([n, k], [w, l]) = (self.row.cut(count).lengths, self.values.map(|side| &side[..count]));
        for (i, margin) in self.margin.iter_mut().enumerate() {
            *margin = w[i] / n[i] - l[i] / k[i];
        }
    }
}

/// From the slope in the margin to those in both sides.
struct HandBack<'a, T> {
    row: Columns<'a, T>,
    length: Length,
    /// The slopes of the link, 1 without one.
    links: Option<[&'a [T]; 2]>,
    chosen: &'a mut [T],
    /// Holds the slope in the margin and then that of the rejected side.
    slope_to_rejected: &'a mut [T],
}

impl<T: Real> Kernel for HandBack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let count = self.chosen.len();
        let [n, k] = self.row.cut(count).lengths;
        let sides = self.chosen.iter_mut().zip(self.slope_to_rejected.iter_mut());
        match (self.links.map(|[w, l]| [&w[..count], &l[..count]]), self.length) {
            (None, Length::Sum) => {
                for (chosen, rejected) in sides {
                    let slope = mul_or_zero(*rejected, T::one());
                    (*chosen, *rejected) = (slope, -slope);
                }
            }
            (None, Length::Mean) => {
                for (i, (chosen, rejected)) in sides.enumerate() {
                    let slope = mul_or_zero(*rejected, T::one());
                    (*chosen, *rejected) = (slope / n[i], -(slope / k[i]));
                }
            }
            (Some([w, l]), Length::Sum) => {
                for (i, (chosen, rejected)) in sides.enumerate() {
                    let slope = *rejected;
                    (*chosen, *rejected) = (mul_or_zero(slope, w[i]), -mul_or_zero(slope, l[i]));
                }
            }
            (Some([w, l]), Length::Mean) => {
                for (i, (chosen, rejected)) in sides.enumerate() {
                    let slope = *rejected;
                    (*chosen, *rejected) = (mul_or_zero(slope, w[i]) / n[i], -(mul_or_zero(slope, l[i]) / k[i]));
                }
            }
        }
    }
}
