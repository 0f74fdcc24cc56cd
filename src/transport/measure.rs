//! Weighted points on a line, and the same sorted.

use ndarray::ArrayView1;

use super::mass;
use crate::{Error, Real, Result, check, reduction};

/// A discrete measure on the line: points, and the mass that each of them holds.
///
/// `points` and `weights` are `[n]`. Points are finite, in any order, and may repeat. Weights are finite and `>= 0`;
/// without them each point holds `1/n`. A point of weight zero takes no part: not even its NaN is seen. The total is
/// whatever the weights sum to; nothing is normalised.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let coin = Measure::uniform(aview1(&[0.0_f64, 1.0]));
/// let loaded = Measure::weighted(aview1(&[0.0, 1.0]), aview1(&[0.2, 0.8]));
/// assert!((wasserstein_1d(coin, loaded, 1.0)? - 0.3).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure<'a, T> {
    /// Where the mass lies, `[n]`.
    pub points: ArrayView1<'a, T>,
    /// How much lies at each point, `[n]`; `None` is `1/n` at each.
    pub weights: Option<ArrayView1<'a, T>>,
}

impl<'a, T> Measure<'a, T> {
    /// The same mass, `1/n`, at each of the `n` points.
    #[must_use]
    pub fn uniform(points: ArrayView1<'a, T>) -> Self {
        Self { points, weights: None }
    }

    /// The given mass at each point.
    #[must_use]
    pub fn weighted(points: ArrayView1<'a, T>, weights: ArrayView1<'a, T>) -> Self {
        Self { points, weights: Some(weights) }
    }
}

/// How the parts of a measure are called in errors.
pub(super) struct Names {
    pub(super) points: &'static str,
    pub(super) weights: &'static str,
}

/// The points that hold mass, in `f64`.
pub(super) enum Atoms {
    /// Each holds `1/n`.
    Equal(Vec<f64>),
    /// Point and mass.
    Weighted(Vec<(f64, f64)>),
}

impl Atoms {
    /// Copies the atoms out of a measure, in the order in which they come.
    pub(super) fn new<T: Real>(measure: Measure<'_, T>, names: Names) -> Result<Self> {
        let finite = |i: usize, point: &T| match point.is_finite() {
            true => Ok(point.wide()),
            false => {
                let (argument, value) = (names.points, point.wide());
                Err(Error::Value { argument, position: i.into(), value, allowed: "finite" })
            }
        };
        let atoms = match measure.weights {
            None => {
                let points = measure.points.iter().enumerate().map(|(i, point)| finite(i, point));
                Self::Equal(points.collect::<Result<_>>()?)
            }
            Some(weights) => {
                check::shape(names.weights, weights.shape(), measure.points.shape())?;
                mass::check(names.weights, weights)?;
                let both = measure.points.iter().zip(weights).enumerate();
                let held = both.filter(|(_, (_, w))| **w > T::zero());
                Self::Weighted(held.map(|(i, (point, w))| Ok((finite(i, point)?, w.wide()))).collect::<Result<_>>()?)
            }
        };
        match (measure.points.is_empty(), atoms.len()) {
            (true, _) => Err(Error::Empty { argument: names.points }),
            (false, 0) => Err(Error::Empty { argument: names.weights }),
            _ => Ok(atoms),
        }
    }

    /// Number of atoms.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Equal(points) => points.len(),
            Self::Weighted(atoms) => atoms.len(),
        }
    }

    /// Sorts by point, then by mass, so that the order in which the atoms came leaves no trace.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Equal(points) => points.sort_unstable_by(f64::total_cmp),
            Self::Weighted(atoms) => atoms.sort_unstable_by_key(|&(point, mass)| order(point, mass)),
        }
    }

    /// Where an atom lies.
    #[inline]
    pub(super) fn point(&self, index: usize) -> f64 {
        match self {
            Self::Equal(points) => points[index],
            Self::Weighted(atoms) => atoms[index].0,
        }
    }

    /// What an atom holds, where those of [`Atoms::Equal`] hold `equal`.
    #[inline]
    pub(super) fn mass(&self, index: usize, equal: f64) -> f64 {
        match self {
            Self::Equal(_) => equal,
            Self::Weighted(atoms) => atoms[index].1,
        }
    }

    /// The mass of all atoms together.
    pub(super) fn total(&self) -> f64 {
        match self {
            Self::Equal(_) => 1.0,
            Self::Weighted(atoms) => reduction::sum(&atoms.iter().map(|atom| atom.1).collect::<Vec<_>>()),
        }
    }
}

/// A number that orders like point, then mass: one comparison without a branch.
fn order(point: f64, mass: f64) -> u128 {
    const SIGN: u64 = 1 << 63;
    let bits = point.to_bits();
    let point = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    u128::from(point) << 64 | u128::from(mass.to_bits())
}
