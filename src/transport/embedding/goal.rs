//! What the rows of a model are compared with: a class each, or a distribution over the classes each.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};

use super::CosineCost;
use super::expected_cost::{CLASSES, Fault};
use crate::Real;
use crate::rows::{self, Rows};

/// The targets of all rows.
pub(super) enum Goals<'a, T> {
    /// The class of each row; `None` where it takes no part.
    Classes(Vec<Option<usize>>),
    /// Probabilities, or any weights `>= 0`, of the classes.
    Distributions(Rows<'a, T>),
}

/// What one row is compared with.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    /// The class, or the one that has most of the mass.
    pub(super) class: usize,
    /// `Σ p`, which is 1 for a class.
    pub(super) mass: f64,
    /// `Σ_j p_j C_jy`, the cost of this very class: 0 where it has all the mass.
    pub(super) own: f64,
}

/// The goals of neighboring rows, and where their distributions lie in the embedding: `Σ p_j e_j` of each.
pub(super) struct Aims<T> {
    pub(super) goals: Vec<Result<Option<Goal>, Fault>>,
    pub(super) directions: Array2<T>,
}

impl<T: Real> Goals<'_, T> {
    /// Whether a row takes part.
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

    /// What so many rows from `first` on are compared with.
    pub(super) fn aims(&self, cost: &CosineCost<T>, first: usize, rows: usize) -> Aims<T> {
        match self {
            Self::Classes(classes) => of_classes(cost, &classes[first..][..rows]),
            Self::Distributions(all) => of_distributions(cost, all, first, rows),
        }
    }
}

fn of_classes<T: Real>(cost: &CosineCost<T>, classes: &[Option<usize>]) -> Aims<T> {
    let mut directions = Array2::zeros((classes.len(), cost.directions().ncols()));
    for (mut to, class) in directions.rows_mut().into_iter().zip(classes) {
        class.iter().for_each(|&class| to.assign(&cost.direction(class)));
    }
    let goal = |class: &Option<usize>| Ok(class.map(|class| Goal { class, mass: 1.0, own: 0.0 }));
    Aims { goals: classes.iter().map(goal).collect(), directions }
}

/// The largest weight of each row stays out of the products and is put in afterwards: what the others cost its class is
/// then as good as they are small.
fn of_distributions<T: Real>(cost: &CosineCost<T>, all: &Rows<'_, T>, first: usize, rows: usize) -> Aims<T> {
    let (classes, width) = (cost.classes(), cost.directions().ncols());
    let found: Vec<Result<Weights, Fault>> = (first..first + rows).map(|row| Weights::of(all, row)).collect();
    let mut part = Array2::zeros((rows, CLASSES.min(classes)));
    let (mut product, mut others) = (Array2::<T>::zeros((rows, width)), Array2::<f64>::zeros((rows, width)));
    for start in (0..classes).step_by(CLASSES) {
        let range = start..classes.min(start + CLASSES);
        let mut part = part.slice_mut(s![.., ..range.len()]);
        for (r, (mut to, found)) in part.rows_mut().into_iter().zip(&found).enumerate() {
            let Ok(Weights { top, .. }) = found else { continue };
            let to = to.as_slice_mut().unwrap_or_default();
            rows::copy(all.row(first + r).slice_move(s![range.clone()]), to);
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
    let goals = rows.map(|((mut to, others), found)| {
        let Weights { top, largest, rest } = found?;
        let direction = cost.direction(top);
        let along: f64 = others.iter().zip(direction).map(|(x, e)| x * e.as_f64()).sum();
        for ((to, &x), e) in to.iter_mut().zip(others).zip(direction) {
            *to = T::from_f64(x + largest * e.as_f64());
        }
        Ok(Some(Goal { class: top, mass: largest + rest, own: (rest - along).max(0.0) }))
    });
    Aims { goals: goals.collect(), directions }
}

/// A row of weights: the first largest of them, and what the others sum to.
struct Weights {
    top: usize,
    largest: f64,
    rest: f64,
}

impl Weights {
    fn of<T: Real>(all: &Rows<'_, T>, row: usize) -> Result<Self, Fault> {
        let mut found = Self { top: 0, largest: 0.0, rest: 0.0 };
        for (class, &weight) in all.row(row).iter().enumerate() {
            if !(weight >= T::zero() && weight.is_finite()) {
                return Err(Fault::Target(class));
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
        if T::from_f64(4.0 * (found.largest + found.rest)).is_finite() { Ok(found) } else { Err(Fault::Mass) }
    }
}
