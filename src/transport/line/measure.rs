//! Weighted points, and those of a line in order.

use ndarray::{ArrayView, ArrayView1, Dimension, Ix1};

use crate::transport::mass;
use crate::{Error, Real, Result, check, parallel, reduction};

/// A discrete measure: points, and the mass that each of them holds.
///
/// `points` are `[n]` on a line and `[n, d]` in `d` dimensions, `weights` are `[n]`. Points are finite, in any order, and
/// may repeat. Weights are finite and `>= 0`; without them each point holds `1/n`. A point of weight zero is
/// never read, and may be NaN. The total is whatever the weights sum to; nothing is normalized.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::transport::{Measure, wasserstein_1d};
/// let coin = Measure::uniform(aview1(&[0.0_f64, 1.0]));
/// let loaded = Measure::weighted(aview1(&[0.0, 1.0]), aview1(&[0.2, 0.8]));
/// assert!((wasserstein_1d(coin, loaded, 1.0)? - 0.3).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure<'a, T, D: Dimension = Ix1> {
    /// Where the mass lies, `[n]` or `[n, d]`.
    pub points: ArrayView<'a, T, D>,
    /// How much lies at each point, `[n]`; `None` is `1/n` at each.
    pub weights: Option<ArrayView1<'a, T>>,
}

impl<'a, T, D: Dimension> Measure<'a, T, D> {
    /// The same mass, `1/n`, at each of the `n` points.
    #[must_use]
    pub fn uniform(points: ArrayView<'a, T, D>) -> Self {
        Self { points, weights: None }
    }

    /// The given mass at each point.
    #[must_use]
    pub fn weighted(points: ArrayView<'a, T, D>, weights: ArrayView1<'a, T>) -> Self {
        Self { points, weights: Some(weights) }
    }
}

impl<T: Real, D: Dimension> Measure<'_, T, D> {
    /// One weight for each of the `n` points, none of them bad, some above zero; or at least one point.
    pub(super) fn check_masses(&self, names: &Names) -> Result<()> {
        let n = self.points.shape()[0];
        if let Some(weights) = self.weights {
            check::shape(names.weights, weights.shape(), &[n])?;
            mass::check(names.weights, weights)?;
        }
        match self.weights {
            _ if n == 0 => Err(Error::Empty { argument: names.points }),
            Some(weights) => mass::some(names.weights, weights),
            None => Ok(()),
        }
    }

    /// The places of the points that hold mass; `None` is all of them.
    pub(super) fn places(&self) -> Option<Vec<usize>> {
        let held = self.weights?.into_iter().enumerate().filter(|(_, w)| **w > T::zero());
        Some(held.map(|(place, _)| place).collect())
    }
}

/// How the parts of a measure are called in errors.
pub(super) struct Names {
    pub(super) points: &'static str,
    pub(super) weights: &'static str,
}

impl Names {
    pub(super) const X: Self = Self { points: "x.points", weights: "x.weights" };
    pub(super) const Y: Self = Self { points: "y.points", weights: "y.weights" };
}

/// The points that hold mass, in `f64`.
pub(super) enum Atoms {
    /// Each holds `1/n`.
    Equal(Vec<f64>),
    /// Point and mass.
    Weighted(Vec<(f64, f64)>),
}

impl Atoms {
    /// Copies the atoms out of a measure, in the order in which they come. One zero stands for both.
    pub(super) fn new<T: Real>(measure: Measure<'_, T>, names: &Names) -> Result<Self> {
        measure.check_masses(names)?;
        let finite = |i: usize, point: &T| match point.is_finite() {
            true => Ok(point.as_f64() + 0.0),
            false => {
                let (argument, value) = (names.points, point.as_f64());
                Err(Error::Value { argument, position: i.into(), value, allowed: "finite" })
            }
        };
        match measure.weights {
            None => {
                let points = measure.points.iter().enumerate().map(|(i, point)| finite(i, point));
                Ok(Self::Equal(points.collect::<Result<_>>()?))
            }
            Some(weights) => {
                let both = measure.points.iter().zip(weights).enumerate();
                let held = both.filter(|(_, (_, w))| **w > T::zero());
                Ok(Self::Weighted(
                    held.map(|(i, (point, w))| Ok((finite(i, point)?, w.as_f64()))).collect::<Result<_>>()?,
                ))
            }
        }
    }

    /// Both measures, which must hold the same mass.
    pub(super) fn both<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>) -> Result<[Self; 2]> {
        let (x, y) = (Self::new(x, &Names::X)?, Self::new(y, &Names::Y)?);
        let names = mass::Names { left: Names::X.weights, right: Names::Y.weights };
        mass::balanced(names, x.total(), y.total(), x.len() + y.len())?;
        Ok([x, y])
    }

    /// Both measures, moved and sorted, and where each atom stood.
    pub(super) fn both_sorted<T: Real>(
        x: Measure<'_, T>,
        y: Measure<'_, T>,
        to: impl Fn(f64) -> f64 + Sync + Send,
    ) -> Result<([Self; 2], [Vec<usize>; 2])> {
        let mut sides = Self::both(x, y)?.map(|atoms| (atoms, Vec::new()));
        let bytes = 32 * (sides[0].0.len() + sides[1].0.len());
        parallel::for_each(sides.iter_mut().collect(), bytes, |(atoms, places)| {
            atoms.move_points(&to);
            *places = atoms.sort_with_places();
        });
        let [(left, left_places), (right, right_places)] = sides;
        Ok(([left, right], [left_places, right_places]))
    }

    /// Number of atoms.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Equal(points) => points.len(),
            Self::Weighted(atoms) => atoms.len(),
        }
    }

    /// Moves each atom.
    pub(super) fn move_points(&mut self, to: impl Fn(f64) -> f64) {
        match self {
            Self::Equal(points) => points.iter_mut().for_each(|point| *point = to(*point)),
            Self::Weighted(atoms) => atoms.iter_mut().for_each(|(point, _)| *point = to(*point)),
        }
    }

    /// Changes the mass of each atom of [`Atoms::Weighted`].
    pub(super) fn move_masses(&mut self, to: impl Fn(f64) -> f64) {
        if let Self::Weighted(atoms) = self {
            atoms.iter_mut().for_each(|(_, mass)| *mass = to(*mass));
        }
    }

    /// Sorts by point, then by mass, so that the order in which the atoms came leaves no trace.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Equal(points) => points.sort_unstable_by(f64::total_cmp),
            Self::Weighted(atoms) => atoms.sort_unstable_by_key(|&(point, mass)| order(point, mass)),
        }
    }

    /// The same, and where each atom stood; of equal ones that which came first is first.
    pub(super) fn sort_with_places(&mut self) -> Vec<usize> {
        match self {
            Self::Equal(points) => {
                let places = parallel::ascending(points);
                *points = places.iter().map(|&place| points[place]).collect();
                places
            }
            Self::Weighted(atoms) => {
                let points: Vec<f64> = atoms.iter().map(|atom| atom.0).collect();
                let mut places = parallel::ascending(&points);
                for ties in places.chunk_by_mut(|&i, &j| points[i] == points[j]).filter(|ties| ties.len() > 1) {
                    ties.sort_by(|&i, &j| atoms[i].1.total_cmp(&atoms[j].1));
                }
                *atoms = places.iter().map(|&place| atoms[place]).collect();
                places
            }
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

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;

    #[test]
    fn both_sorts_give_the_same_atoms_and_places_say_where_they_stood() {
        let points = [2.0, -0.0, 0.0, -3.5, 2.0, 0.0, 2.0];
        let masses = [0.3, 0.2, 0.1, 0.5, 0.1, 0.2, 0.2];
        let atoms = || Atoms::new(Measure::weighted(aview1(&points), aview1(&masses)), &Names::X).unwrap();
        let (mut plain, mut placed) = (atoms(), atoms());
        plain.sort();
        assert_eq!(placed.sort_with_places(), [3, 2, 1, 5, 4, 6, 0]);
        let listed = |atoms: &Atoms| (0..7).map(|i| (atoms.point(i), atoms.mass(i, 0.0))).collect::<Vec<_>>();
        assert_eq!(listed(&plain), listed(&placed));
        let mut equal = Atoms::new(Measure::uniform(aview1(&points)), &Names::X).unwrap();
        assert_eq!(equal.sort_with_places(), [3, 1, 2, 5, 0, 4, 6]);
        assert_eq!((equal.point(0), equal.point(6)), (-3.5, 2.0));
    }

    #[test]
    fn points_without_mass_have_no_place() {
        let (points, masses) = ([f64::NAN, 1.0, 2.0], [0.0, 0.5, 0.5]);
        assert_eq!(Measure::weighted(aview1(&points), aview1(&masses)).places(), Some(vec![1, 2]));
        assert_eq!(Measure::uniform(aview1(&points)).places(), None);
    }
}
