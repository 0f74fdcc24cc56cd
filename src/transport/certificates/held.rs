//! The places of a problem that have mass, and the costs between them.

use crate::transport::any_cost::AnyCost;
use crate::transport::cost_rows::{CostRow, CostRows};
use crate::transport::mass::held;
use crate::transport::problem::Masses;
use crate::transport::twofold::Twofold;

/// The places of both sides that hold something. Nothing of the others is read.
pub(in crate::transport) struct Held<'a> {
    pub(in crate::transport) costs: CostRows<'a>,
    pub(in crate::transport) rows: Vec<usize>,
    pub(in crate::transport) columns: Vec<usize>,
    /// The masses of these places.
    pub(in crate::transport) a: Vec<f64>,
    pub(in crate::transport) b: Vec<f64>,
    /// What `b` is rounded from.
    pub(in crate::transport) wanted: Vec<Twofold>,
}

impl<'a> Held<'a> {
    /// Of a problem that has been checked.
    pub(in crate::transport) fn new(cost: AnyCost<'a>, masses: &Masses) -> Self {
        let (rows, columns) = (held(&masses.a), held(&masses.b));
        Self {
            costs: CostRows::of_columns(cost, &columns),
            a: chosen(&masses.a, &rows),
            b: chosen(&masses.b, &columns),
            wanted: columns.iter().map(|&j| masses.wanted[j]).collect(),
            rows,
            columns,
        }
    }

    /// Whether the masses of the columns have digits beyond those of `f64`, as they have where they were scaled.
    pub(in crate::transport) fn is_scaled(&self) -> bool {
        self.wanted.iter().zip(&self.b).any(|(wanted, &b)| *wanted != Twofold::of(b))
    }

    /// Those digits.
    pub(in crate::transport) fn lost(&self) -> Vec<f64> {
        let lost = |(wanted, b): (&Twofold, &f64)| {
            let mut lost = *wanted;
            lost.add(-b);
            lost.nearest()
        };
        self.wanted.iter().zip(&self.b).map(lost).collect()
    }

    /// How far they may be off, beside the masses.
    pub(in crate::transport) fn blur(&self) -> f64 {
        f64::EPSILON * f64::EPSILON
    }

    /// The costs from the k-th of the rows to all of the columns.
    pub(in crate::transport) fn row<'s>(&'s self, k: usize, scratch: &'s mut Vec<f64>) -> CostRow<'s> {
        self.costs.row(self.rows[k], scratch)
    }
}

/// The values at these places.
pub(in crate::transport) fn chosen(values: &[f64], places: &[usize]) -> Vec<f64> {
    places.iter().map(|&i| values[i]).collect()
}
