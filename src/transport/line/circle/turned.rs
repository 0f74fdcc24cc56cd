//! A side of a circle that has been cut open: its atoms in order, from any of them on.

use crate::transport::line::merge::{Side, Sorted, Sum, walk};
use crate::transport::line::power::Power;

/// From which atom on a side is read, and how far around that one lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) atom: usize,
    pub(super) lift: f64,
}

impl Start {
    /// The atom that is so many places behind the first one; `n` atoms make a turn.
    pub(super) fn new(place: usize, n: usize, lift: f64, period: f64) -> Self {
        Self { atom: place % n, lift: lift + (place / n) as f64 * period }
    }
}

/// A sorted side, read around the circle once. The atom that is read first may be split: the rest of it comes last.
pub(super) struct Turned<'a> {
    pub(super) side: Sorted<'a>,
    pub(super) start: Start,
    pub(super) begin: f64,
    pub(super) end: Option<f64>,
    pub(super) period: f64,
}

impl<'a> Turned<'a> {
    /// No atom is split.
    pub(super) fn whole(side: Sorted<'a>, start: Start, period: f64) -> Self {
        Self { side, start, begin: side.mass(start.atom), end: None, period }
    }

    pub(super) fn atoms(&self) -> usize {
        self.side.last() + 1
    }
}

impl Side for Turned<'_> {
    #[inline]
    fn last(&self) -> usize {
        self.side.last() + usize::from(self.end.is_some())
    }

    #[inline]
    fn point(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        self.side.point(if place < self.atoms() { place } else { place - self.atoms() })
    }

    #[inline]
    fn mass(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        match index {
            0 => self.begin,
            _ if index == self.atoms() => self.end.unwrap_or(0.0),
            _ => self.side.mass(if place < self.atoms() { place } else { place - self.atoms() }),
        }
    }

    #[inline]
    fn lift(&self, index: usize) -> f64 {
        let turned = self.start.atom + index >= self.atoms();
        self.start.lift + if turned { self.period } else { 0.0 }
    }
}

/// `Σ mass · |distance|^p` over the plan between two sides that are read from their first atoms on.
pub(super) fn cost(x: &Turned<'_>, y: &Turned<'_>, power: Power) -> f64 {
    let mut sum = Sum::default();
    walk(x, y, |step| sum.add(step.mass * power.of(step.distance)));
    sum.total()
}
