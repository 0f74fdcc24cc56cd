//! A first tree: each row takes the cheapest columns that are left.

use super::tree::{Arc, Child, Tree};
use crate::Real;
use crate::transport::cost_rows::CostRows;

/// A strongly feasible tree. `rows` are the places of the rows among those of the cost; `ways` go to columns that hold
/// `wanted`; `v` says what a column is worth, since what counts is how much a row saves by it.
///
/// Each arc ends a row or a column. A column ends where the row holds as much, so that its arc always carries something;
/// a row may be left with nothing and hang on its last column by an arc without flow, which leads towards the root.
pub(super) fn greedy<T: Real>(
    ways: &CostRows<'_, T>,
    rows: &[usize],
    offered: &[i64],
    mut wanted: Vec<i64>,
    mut v: Vec<f64>,
) -> Tree {
    let mut tree = Tree::new(rows.len(), wanted.len());
    let (mut open, mut scratch) = (wanted.len(), Vec::new());
    for (row, (&i, &offer)) in rows.iter().zip(offered).enumerate() {
        let (costs, mut left) = (ways.row(i, &mut scratch), offer);
        loop {
            let column = costs.place(&v, costs.least(&v));
            let arc = Arc { row, column, cost: costs.at(column) };
            if open == 1 || left < wanted[column] {
                tree.attach(Child::Row, arc, left);
                wanted[column] -= left;
                break;
            }
            tree.attach(Child::Column, arc, wanted[column]);
            left -= wanted[column];
            // No difference from this is the least.
            v[column] = f64::NEG_INFINITY;
            open -= 1;
        }
    }
    tree.settle();
    tree
}
