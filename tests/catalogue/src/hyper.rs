//! Where the hyper-parameters of an objective over pairs come from, of which the catalogue holds one row.

use std::fmt;

use loglik::preference::{Dpo, Hinge, Ipo, Length, Link, LinkableConfig, MarginMoments, SigmoidNorm};

use crate::call::Call;
use crate::random::Random;
use crate::strange;

/// Random hyper-parameters that are as in training, or anything at all.
#[derive(Debug)]
pub struct Picks {
    pub random: Random,
    /// Whether they are taken from the whole range of the type and sometimes from beyond their own.
    pub wild: bool,
}

impl Picks {
    pub fn one_of<A: Copy>(&mut self, choices: &[A]) -> A {
        choices[self.random.below(choices.len())]
    }

    /// Above zero.
    pub fn positive(&mut self) -> f64 {
        if !self.wild {
            return 0.05 + self.random.unit();
        }
        match self.random.below(8) {
            0..=4 => 10_f64.powf(5.0 * self.random.unit() - 3.0),
            5 => 10_f64.powf(600.0 * self.random.unit() - 300.0),
            6 => self.one_of(&[5e-324, 1e-300, 1e-45, f64::MIN_POSITIVE, 3.4e38, 1e300, f64::MAX]),
            _ => self.one_of(&[1.0, 1.0, 1.0, 0.0, -1.0, f64::NAN, f64::INFINITY]),
        }
    }

    /// Zero or above.
    pub fn weight(&mut self) -> f64 {
        if self.random.below(4) == 0 { 0.0 } else { self.positive() }
    }

    /// Of either sign.
    pub fn finite(&mut self) -> f64 {
        let size = self.weight();
        if size == 0.0 || self.random.below(2) == 0 { size } else { -size }
    }

    /// In `[0, 0.5)`.
    pub fn smoothing(&mut self) -> f64 {
        if self.wild && self.random.below(4) == 0 {
            return self.one_of(&[5e-324, 1e-300, 0.499_999_999_999_999_9]);
        }
        if self.random.below(2) == 0 { 0.0 } else { 0.4 * self.random.unit() }
    }

    fn length(&mut self) -> Length {
        self.one_of(&[Length::Sum, Length::Mean])
    }

    fn dpo(&mut self) -> Dpo {
        Dpo { beta: self.positive(), label_smoothing: self.smoothing() }
    }

    fn linkable(&mut self) -> LinkableConfig {
        match self.random.below(4) {
            0 => LinkableConfig::Sigmoid(self.dpo()),
            1 => LinkableConfig::Hinge(Hinge { beta: self.positive() }),
            2 => LinkableConfig::Ipo(Ipo { beta: self.positive(), length: self.length() }),
            _ => LinkableConfig::SigmoidNorm(SigmoidNorm { beta: self.positive(), label_smoothing: self.smoothing() }),
        }
    }

    fn link(&mut self) -> Link {
        match self.random.below(4) {
            0 => Link::ReverseKl,
            1 => Link::ForwardKl,
            2 => Link::JsDivergence,
            _ => Link::AlphaDivergence { f_alpha_divergence_coef: self.finite() },
        }
    }
}

/// One of the places that hyper-parameters come from. The methods are the kinds of them; each is given the name of the field
/// and what is usual.
pub enum Source<'a> {
    /// The row: what is usual.
    Row,
    /// The row, with its numbers turned by a search.
    Turned(Random),
    /// Random ones.
    Picks(&'a mut Picks),
    /// Numbers by the names of their fields, one rule of length, and else the row.
    Named(&'a dyn Fn(&str) -> f64, Length),
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "Row",
            Self::Turned(_) => "Turned",
            Self::Picks(_) => "Picks",
            Self::Named(..) => "Named",
        })
    }
}

impl Source<'_> {
    /// That of a call of the catalogue: the same numbers in every call with the same knobs.
    pub(crate) fn of_call<T>(call: &Call<T>) -> Self {
        call.knobs.map_or(Self::Row, |seed| Self::Turned(Random(seed)))
    }

    /// A choice of the row or at random.
    fn choose<A>(&mut self, usual: A, pick: impl FnOnce(&mut Picks) -> A) -> A {
        match self {
            Self::Picks(picks) => pick(picks),
            Self::Row | Self::Turned(_) | Self::Named(..) => usual,
        }
    }

    pub fn number(&mut self, field: &str, usual: f64, pick: impl FnOnce(&mut Picks) -> f64) -> f64 {
        match self {
            Self::Turned(random) => strange::knob(random, usual),
            Self::Named(number, _) => number(field),
            Self::Row | Self::Picks(_) => self.choose(usual, pick),
        }
    }

    pub fn positive(&mut self, field: &str, usual: f64) -> f64 {
        self.number(field, usual, Picks::positive)
    }

    pub fn weight(&mut self, field: &str, usual: f64) -> f64 {
        self.number(field, usual, Picks::weight)
    }

    pub fn finite(&mut self, field: &str, usual: f64) -> f64 {
        self.number(field, usual, Picks::finite)
    }

    pub fn smoothing(&mut self, field: &str, usual: f64) -> f64 {
        self.number(field, usual, Picks::smoothing)
    }

    /// One of a few words, of which the first is usual.
    pub fn one_of<A: Copy, const N: usize>(&mut self, _: &str, choices: [A; N]) -> A {
        self.choose(choices[0], |picks| picks.one_of(&choices))
    }

    pub fn length(&mut self, _: &str, usual: Length) -> Length {
        match self {
            Self::Named(_, length) => *length,
            _ => self.choose(usual, Picks::length),
        }
    }

    pub fn dpo(&mut self, _: &str, beta: f64, label_smoothing: f64) -> Dpo {
        Dpo { beta: self.positive("beta", beta), label_smoothing: self.smoothing("label_smoothing", label_smoothing) }
    }

    pub fn moments(&mut self, _: &str, usual: MarginMoments) -> MarginMoments {
        self.choose(usual, |picks| MarginMoments { mean: 0.1 * picks.finite(), std: picks.positive() })
    }

    pub fn linkable(&mut self, _: &str, usual: LinkableConfig) -> LinkableConfig {
        self.choose(usual, Picks::linkable)
    }

    pub fn link(&mut self, _: &str, usual: Link) -> Link {
        self.choose(usual, Picks::link)
    }
}
