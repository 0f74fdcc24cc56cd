//! The targets of rows of logits: a class for each row, or a distribution over the classes.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};

use super::cosine_cost::CosineCost;
use crate::Real;
use crate::rowwise::{self, Rows};

/// Classes whose cosines are computed together.
pub(super) const CLASSES: usize = 1024;

/// Why a row cannot be used.
#[derive(Clone, Copy)]
pub(super) enum RowError {
    /// The logits are no distribution.
    Improper,
    /// The gradient does not fit the type.
    Overflow,
    /// The target weight of this class is negative or not finite.
    Target(usize),
    /// The target weights together do not fit the type.
    Mass,
}

/// The targets of all rows.
pub(super) enum RowTargets<'a, T> {
    /// The class of each row; `None` where it is ignored, or has the weight zero.
    Classes(Vec<Option<usize>>),
    /// Probabilities, or any weights `>= 0`, of the classes.
    Distributions(Rows<'a, T>),
}

/// The target of one row.
#[derive(Clone, Copy)]
pub(super) struct RowTarget {
    /// The class, or the one that has most of the mass.
    pub(super) class: usize,
    /// `Σ p`, which is 1 for a class.
    pub(super) mass: f64,
    /// `Σ_j p_j C_jy`, the cost of this very class: 0 where it has all the mass.
    pub(super) own: f64,
}

/// The targets of neighboring rows, and the mean embedding `Σ p_j e_j` of each.
pub(super) struct TargetDirections<T> {
    pub(super) targets: Vec<Result<Option<RowTarget>, RowError>>,
    pub(super) directions: Array2<T>,
}

impl<T: Real> RowTargets<'_, T> {
    /// Whether the loss counts a row.
    pub(super) fn keeps(&self, row: usize) -> bool {
        match self {
            Self::Classes(classes) => classes[row].is_some(),
            Self::Distributions(_) => true,
        }
    }

    /// The row of target probabilities, if there is one.
    pub(super) fn distribution(&self, row: usize) -> Option<ndarray::ArrayView1<'_, T>> {
        match self {
            Self::Classes(_) => None,
            Self::Distributions(rows) => Some(rows.row(row)),
        }
    }

    /// The targets of so many rows from `first` on.
    pub(super) fn directions(&self, cost: &CosineCost<T>, first: usize, rows: usize) -> TargetDirections<T> {
        match self {
            Self::Classes(classes) => of_classes(cost, &classes[first..][..rows]),
            Self::Distributions(all) => of_distributions(cost, all, first, rows),
        }
    }
}

fn of_classes<T: Real>(cost: &CosineCost<T>, classes: &[Option<usize>]) -> TargetDirections<T> {
    let mut directions = Array2::zeros((classes.len(), cost.directions().ncols()));
    for (mut to, class) in directions.rows_mut().into_iter().zip(classes) {
        class.iter().for_each(|&class| to.assign(&cost.direction(class)));
    }
    let target = |class: &Option<usize>| Ok(class.map(|class| RowTarget { class, mass: 1.0, own: 0.0 }));
    TargetDirections { targets: classes.iter().map(target).collect(), directions }
}

/// The largest weight of each row stays out of the products and is put in afterwards: what the others cost its class is
/// then as good as they are small.
fn of_distributions<T: Real>(
    cost: &CosineCost<T>,
    all: &Rows<'_, T>,
    first: usize,
    rows: usize,
) -> TargetDirections<T> {
    let (classes, width) = (cost.classes(), cost.directions().ncols());
    let found: Vec<Result<Weights, RowError>> = (first..first + rows).map(|row| Weights::of(all, row)).collect();
    let mut part = Array2::zeros((rows, CLASSES.min(classes)));
    let (mut product, mut others) = (Array2::<T>::zeros((rows, width)), Array2::<f64>::zeros((rows, width)));
    for start in (0..classes).step_by(CLASSES) {
        let range = start..classes.min(start + CLASSES);
        let mut part = part.slice_mut(s![.., ..range.len()]);
        for (r, (mut to, found)) in part.rows_mut().into_iter().zip(&found).enumerate() {
            let Ok(Weights { top, .. }) = found else { continue };
            let to = to.as_slice_mut().unwrap_or_default();
            rowwise::copy(all.row(first + r).slice_move(s![range.clone()]), to);
            if range.contains(top) {
                to[top - start] = T::zero();
            }
        }
        let directions = cost.directions();
        general_mat_mul(T::one(), &part, &directions.slice(s![range, ..]), T::zero(), &mut product);
        others.zip_mut_with(&product, |sum, &x| *sum += x.as_f64());
    }
    let mut directions = Array2::zeros((rows, width));
    let rows = directions.rows_mut().into_iter().zip(others.rows()).zip(found);
    let targets = rows.map(|((mut to, others), found)| {
        let Weights { top, largest, rest } = found?;
        let direction = cost.direction(top);
        let along: f64 = others.iter().zip(direction).map(|(x, e)| x * e.as_f64()).sum();
        for ((to, &x), e) in to.iter_mut().zip(others).zip(direction) {
            *to = T::from_f64(x + largest * e.as_f64());
        }
        Ok(Some(RowTarget { class: top, mass: largest + rest, own: (rest - along).max(0.0) }))
    });
    TargetDirections { targets: targets.collect(), directions }
}

/// A row of weights: the first largest of them, and what the others sum to.
struct Weights {
    top: usize,
    largest: f64,
    rest: f64,
}

impl Weights {
    fn of<T: Real>(all: &Rows<'_, T>, row: usize) -> Result<Self, RowError> {
        let mut found = Self { top: 0, largest: 0.0, rest: 0.0 };
        for (class, &weight) in all.row(row).iter().enumerate() {
            if !(weight >= T::zero() && weight.is_finite()) {
                return Err(RowError::Target(class));
            }
            let (largest, smaller) = match weight.as_f64() {
                weight if weight > found.largest => (weight, found.largest),
                weight => (found.largest, weight),
            };
            if largest > found.largest {
                found.top = class;
            }
            found.largest = largest;
            found.rest += smaller;
        }
        // Products and differences of what follows are no larger than twice the mass.
        if T::from_f64(4.0 * (found.largest + found.rest)).is_finite() { Ok(found) } else { Err(RowError::Mass) }
    }
}
