//! The flows of a tree in the masses themselves, which whole units stood for.

use crate::transport::twofold::Twofold;

/// What each arc of a spanning tree carries: an arc to a leaf carries all that the leaf holds, and what remains without
/// both is again a tree. What roundings are left, of twice the digits, end at the heaviest place, beside which they are
/// least.
///
/// `arcs` are row and column of each; rows hold `a`, columns want `b`. Whole units are of some 2⁻⁶⁰ of the total: by that
/// much a flow may come out below zero, and is zero then.
pub(super) fn flows(arcs: &[(usize, usize)], a: &[f64], b: &[Twofold]) -> Vec<Twofold> {
    let n = a.len();
    let mut left: Vec<Twofold> = a.iter().map(|&mass| Twofold::of(mass)).chain(b.iter().copied()).collect();
    let heaviest = (0..left.len()).max_by(|&i, &j| left[i].nearest().total_cmp(&left[j].nearest()));
    // Of each node, how many arcs are left and the exclusive or of their numbers: of a leaf, the number of its arc.
    let (mut degree, mut sign) = (vec![0_usize; left.len()], vec![0_usize; left.len()]);
    for (arc, &(i, j)) in arcs.iter().enumerate() {
        for node in [i, n + j] {
            degree[node] += 1;
            sign[node] ^= arc;
        }
    }
    let is_leaf = |node: usize, degree: &[usize]| degree[node] == 1 && Some(node) != heaviest;
    let mut leaves: Vec<usize> = (0..left.len()).filter(|&node| is_leaf(node, &degree)).collect();
    let mut flows = vec![Twofold::default(); arcs.len()];
    while let Some(leaf) = leaves.pop() {
        let arc = sign[leaf];
        let (i, j) = (arcs[arc].0, n + arcs[arc].1);
        let other = if leaf == i { j } else { i };
        let carried = left[leaf];
        flows[arc] = if carried.is_positive() { carried } else { Twofold::default() };
        left[other].add_all(-carried);
        degree[other] -= 1;
        sign[other] ^= arc;
        if is_leaf(other, &degree) {
            leaves.push(other);
        }
    }
    flows
}
