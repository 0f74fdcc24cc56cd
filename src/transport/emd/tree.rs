//! The spanning tree of the network simplex: flows, potentials, and the exchange of an arc.

/// Where there is no node.
const NONE: u32 = u32::MAX;

/// What one rounding adds at most, relative to its result.
const ROUNDING: f64 = 0.501 * f64::EPSILON;

/// Potentials up to here leave room for sums of two and a cost.
const LARGEST: f64 = f64::MAX / 16.0;

/// A place, and the arc to its parent. Rows come first, then columns; arcs lead from rows to columns.
#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    first_child: u32,
    /// The other children of its parent.
    next: u32,
    previous: u32,
    depth: u32,
    flow: i64,
    cost: f64,
    potential: f64,
    /// How far the potential may be from the exact one of the tree.
    error: f64,
}

/// Between a row and a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arc {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) cost: f64,
    /// What it carries, in units.
    pub(super) flow: i64,
}

/// Which end of an arc of the tree hangs on the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Child {
    Row,
    Column,
}

/// A spanning tree that is strongly feasible: from every node some flow can be sent to the root, so that an arc without
/// flow leads towards it. With the choice that [`Tree::exchange`] makes it remains so, and no tree comes back.
///
/// Potentials are those of the tree, each formed from its parent's: nothing drifts, and what rounding adds is bounded.
pub(super) struct Tree {
    nodes: Vec<Node>,
    rows: usize,
    certain: [Vec<f64>; 2],
    stack: Vec<u32>,
}

impl Tree {
    /// Nodes without arcs.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let node = Node {
            parent: NONE,
            first_child: NONE,
            next: NONE,
            previous: NONE,
            depth: 0,
            flow: 0,
            cost: 0.0,
            potential: 0.0,
            error: 0.0,
        };
        let certain = [vec![0.0; rows], vec![0.0; columns]];
        Self { nodes: vec![node; rows + columns], rows, certain, stack: Vec::new() }
    }

    /// Hangs one end of an arc, which has no parent yet, on the other.
    pub(super) fn attach(&mut self, child: Child, arc: Arc) {
        let (row, column) = self.ends(arc);
        let (child, parent) = if child == Child::Row { (row, column) } else { (column, row) };
        self.hang(child, parent, arc.cost, arc.flow);
    }

    /// Forms all depths and potentials, once one node alone has no parent.
    pub(super) fn settle(&mut self) {
        self.form_below(self.root());
    }

    /// The node without parent.
    pub(super) fn root(&self) -> u32 {
        self.nodes.iter().position(|node| node.parent == NONE).unwrap_or(0) as u32
    }

    /// Numbers of rows and of columns.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.rows, self.nodes.len() - self.rows]
    }

    /// The row or else the column that a node is.
    pub(super) fn place(&self, node: u32) -> Result<usize, usize> {
        let node = node as usize;
        node.checked_sub(self.rows).map_or(Ok(node), Err)
    }

    /// Gives a node and all below it to `visit`, parents first, with the parent and the cost of the arc to it.
    pub(super) fn walk_below(&self, top: u32, mut visit: impl FnMut(u32, Option<(u32, f64)>)) {
        let mut stack = vec![top];
        while let Some(at) = stack.pop() {
            let Node { parent, cost, mut first_child, .. } = self.nodes[at as usize];
            visit(at, (parent != NONE).then_some((parent, cost)));
            while first_child != NONE {
                stack.push(first_child);
                first_child = self.nodes[first_child as usize].next;
            }
        }
    }

    /// Potentials of the rows, less what their errors can hide. An arc whose cost less both of its certain potentials
    /// comes out below zero costs less than the exact potentials of its ends.
    pub(super) fn certain_rows(&self) -> &[f64] {
        &self.certain[0]
    }

    /// The same of the columns.
    pub(super) fn certain_columns(&self) -> &[f64] {
        &self.certain[1]
    }

    /// Potentials of the rows.
    pub(super) fn row_potentials(&self) -> impl Iterator<Item = f64> {
        self.nodes[..self.rows].iter().map(|node| node.potential)
    }

    /// Potentials of the columns.
    pub(super) fn column_potentials(&self) -> impl Iterator<Item = f64> {
        self.nodes[self.rows..].iter().map(|node| node.potential)
    }

    /// Whether all potentials fit the type, with room for their sums.
    pub(super) fn fits(&self) -> bool {
        self.nodes.iter().all(|node| node.potential.abs() <= LARGEST)
    }

    /// The arcs of the tree.
    pub(super) fn arcs(&self) -> impl Iterator<Item = Arc> {
        (0..self.nodes.len()).filter_map(|child| self.arc_above(child))
    }

    /// Gives every arc another cost.
    pub(super) fn price(&mut self, cost: impl Fn(Arc) -> f64) {
        for child in 0..self.nodes.len() {
            if let Some(arc) = self.arc_above(child) {
                self.nodes[child].cost = cost(arc);
            }
        }
        self.settle();
    }

    /// The arc to the parent, which the root has not.
    fn arc_above(&self, child: usize) -> Option<Arc> {
        let Node { parent, cost, flow, .. } = self.nodes[child];
        let parent = (parent != NONE).then_some(parent as usize)?;
        Some(Arc { row: child.min(parent), column: child.max(parent) - self.rows, cost, flow })
    }

    /// Takes an arc into the tree, sends along it what the cycle that it closes can carry, and drops an arc that carries
    /// nothing then: the last one of the cycle in the direction of the arc, from the node that is nearest to the root.
    /// Returns the node below which potentials are others now.
    pub(super) fn exchange(&mut self, arc: Arc) -> u32 {
        let (row, column) = self.ends(arc);
        let (top, leaving, flow) = self.blocking(row, column);
        if flow > 0 {
            self.send(row, top, -flow);
            self.send(column, top, flow);
        }
        let Leaving { node, below_row } = leaving;
        let (start, parent) = if below_row { (row, column) } else { (column, row) };
        self.turn(start, node, parent, arc.cost, flow);
        self.form_below(start);
        start
    }

    /// The common ancestor of both ends, which arc of the cycle blocks, and at which flow.
    fn blocking(&self, row: u32, column: u32) -> (u32, Leaving, i64) {
        let (mut x, mut y) = (row, column);
        let (mut on_row_side, mut on_column_side) = ((i64::MAX, NONE), (i64::MAX, NONE));
        while x != y {
            // What is sent along the arc comes back to its row: down on this side, against the arcs of rows, of which
            // the last that it meets is the lowest; and up on the other, against those of columns.
            if self.nodes[x as usize].depth >= self.nodes[y as usize].depth {
                let node = &self.nodes[x as usize];
                if self.is_row(x) && node.flow < on_row_side.0 {
                    on_row_side = (node.flow, x);
                }
                x = node.parent;
            } else {
                let node = &self.nodes[y as usize];
                if !self.is_row(y) && node.flow <= on_column_side.0 {
                    on_column_side = (node.flow, y);
                }
                y = node.parent;
            }
        }
        if on_column_side.0 <= on_row_side.0 {
            (x, Leaving { node: on_column_side.1, below_row: false }, on_column_side.0)
        } else {
            (x, Leaving { node: on_row_side.1, below_row: true }, on_row_side.0)
        }
    }

    /// Adds `flow` to the arcs of rows on the way up to `top`, and takes it from those of columns.
    fn send(&mut self, mut from: u32, top: u32, flow: i64) {
        while from != top {
            let flow = if self.is_row(from) { flow } else { -flow };
            let node = &mut self.nodes[from as usize];
            node.flow += flow;
            from = node.parent;
        }
    }

    /// Turns round the way from `start` up to `end`, whose arc leaves, and hangs `start` on a new parent.
    fn turn(&mut self, start: u32, end: u32, mut parent: u32, mut cost: f64, mut flow: i64) {
        let mut child = start;
        loop {
            let Node { parent: old_parent, cost: old_cost, flow: old_flow, .. } = self.nodes[child as usize];
            self.take_off(child);
            self.hang(child, parent, cost, flow);
            if child == end {
                return;
            }
            (parent, child, cost, flow) = (child, old_parent, old_cost, old_flow);
        }
    }

    fn hang(&mut self, child: u32, parent: u32, cost: f64, flow: i64) {
        let next = std::mem::replace(&mut self.nodes[parent as usize].first_child, child);
        if next != NONE {
            self.nodes[next as usize].previous = child;
        }
        let node = &mut self.nodes[child as usize];
        (node.parent, node.next, node.previous, node.cost, node.flow) = (parent, next, NONE, cost, flow);
    }

    fn take_off(&mut self, child: u32) {
        let Node { parent, next, previous, .. } = self.nodes[child as usize];
        if previous == NONE {
            self.nodes[parent as usize].first_child = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
    }

    /// Forms depth and potential of a node and of all below it, from what its parent has: `u + v = C` on arcs of the tree.
    fn form_below(&mut self, top: u32) {
        self.stack.push(top);
        while let Some(at) = self.stack.pop() {
            let node = self.nodes[at as usize];
            let (depth, potential, error) = match node.parent {
                NONE => (0, 0.0, 0.0),
                parent => {
                    let parent = &self.nodes[parent as usize];
                    let potential = node.cost - parent.potential;
                    (parent.depth + 1, potential, parent.error + ROUNDING * potential.abs())
                }
            };
            let node = &mut self.nodes[at as usize];
            (node.depth, node.potential, node.error) = (depth, potential, error);
            let mut child = node.first_child;
            // Forming the certain potential, and later the reduced cost from it, rounds twice more.
            let certain = potential - (error + f64::EPSILON * potential.abs());
            let at = at as usize;
            match at.checked_sub(self.rows) {
                None => self.certain[0][at] = certain,
                Some(column) => self.certain[1][column] = certain,
            }
            while child != NONE {
                self.stack.push(child);
                child = self.nodes[child as usize].next;
            }
        }
    }

    fn ends(&self, arc: Arc) -> (u32, u32) {
        (arc.row as u32, (self.rows + arc.column) as u32)
    }

    fn is_row(&self, node: u32) -> bool {
        (node as usize) < self.rows
    }
}

/// The lower end of the arc that leaves, and whether it lies above the row of the arc that enters, or above its column.
struct Leaving {
    node: u32,
    below_row: bool,
}
