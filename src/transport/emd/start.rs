//! A first tree: each row takes the cheapest columns that are left.

use super::tree::{Arc, Child, Tree};
use crate::transport::cost_rows::CostRows;

/// A strongly feasible tree. `rows` are the places of the rows among those of the cost; `costs` are those of ways to
/// columns that hold `wanted`; `v` are potentials of the columns, so that a row takes what it saves most by.
///
/// Each arc ends a row or a column. A column ends where the row holds as much, so that its arc always carries something;
/// a row may be left with nothing and hang on its last column by an arc without flow, which leads towards the root.
pub(super) fn greedy(
    costs: &CostRows<'_>,
    rows: &[usize],
    offered: &[i64],
    mut wanted: Vec<i64>,
    mut v: Vec<f64>,
) -> Tree {
    let mut tree = Tree::new(rows.len(), wanted.len());
    let (mut open, mut scratch) = (wanted.len(), Vec::new());
    // Where all costs are infinite the first column that is open does as well as any.
    let mut first = 0;
    for (row, (&i, &offer)) in rows.iter().zip(offered).enumerate() {
        let (costs, mut left) = (costs.row(i, &mut scratch), offer);
        loop {
            let least = costs.least(&v);
            let column = if least < f64::INFINITY { costs.place(&v, least) } else { first };
            let arc = |flow: i64| Arc { row, column, cost: costs.at(column), flow };
            if open == 1 || left < wanted[column] {
                tree.attach(Child::Row, arc(left));
                wanted[column] -= left;
                break;
            }
            tree.attach(Child::Column, arc(wanted[column]));
            left -= wanted[column];
            // No difference from this is the least.
            v[column] = f64::NEG_INFINITY;
            open -= 1;
            first += v[first..].iter().position(|&v| v > f64::NEG_INFINITY).unwrap_or(0);
        }
    }
    tree.settle();
    tree
}
