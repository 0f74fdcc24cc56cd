//! Where to cut the circle for the first power: where the difference of the distribution functions has its median.

use super::turned::Start;
use crate::reduction::Total;
use crate::transport::line::merge::{Side, Sorted};

/// The difference of the distribution functions between two neighboring points.
struct Arc {
    height: f64,
    length: f64,
    /// How many atoms of both sides lie before it.
    before: [usize; 2],
}

/// The first atoms behind the median arc. Nothing needs to cross it.
pub(super) fn start(x: &Sorted<'_>, y: &Sorted<'_>, period: f64) -> [Start; 2] {
    let before = median(&mut arcs(x, y, period), 0.5 * period);
    let start = |place, side: &Sorted<'_>| Start::new(place, side.last() + 1, 0.0, period);
    [start(before[0], x), start(before[1], y)]
}

/// One behind each atom, in their order; equal atoms of both sides come in pairs, so that what they add and take away is
/// zero at once.
fn arcs(x: &Sorted<'_>, y: &Sorted<'_>, period: f64) -> Vec<Arc> {
    let (n, m) = (x.last() + 1, y.last() + 1);
    let (mut i, mut j, mut height) = (0, 0, Total::default());
    let mut arcs: Vec<Arc> = Vec::with_capacity(n + m);
    let mut first_and_last = None;
    while i < n || j < m {
        let x_is_next = j == m || (i < n && (x.point(i), x.mass(i)) <= (y.point(j), y.mass(j)));
        let at = if x_is_next { x.point(i) } else { y.point(j) };
        let (first, last) = first_and_last.unwrap_or((at, at));
        arcs.last_mut().into_iter().for_each(|arc| arc.length = at - last);
        first_and_last = Some((first, at));
        height.add(if x_is_next { x.mass(i) } else { -y.mass(j) });
        (i, j) = if x_is_next { (i + 1, j) } else { (i, j + 1) };
        arcs.push(Arc { height: height.value(), length: 0.0, before: [i, j] });
    }
    if let (Some(arc), Some((first, last))) = (arcs.last_mut(), first_and_last) {
        arc.length = (first + 0.5 * period) + (0.5 * period - last);
    }
    arcs
}

/// What lies before an arc such that arcs of at most `half` the length are lower, and of at most half higher.
fn median(mut arcs: &mut [Arc], mut half: f64) -> [usize; 2] {
    loop {
        let middle = arcs.len() / 2;
        let (low, arc, high) = arcs.select_nth_unstable_by(middle, |a, b| a.height.total_cmp(&b.height));
        let below: f64 = low.iter().map(|arc| arc.length).sum();
        if half <= below && !low.is_empty() {
            arcs = low;
        } else if half <= below + arc.length || high.is_empty() {
            return arc.before;
        } else {
            half -= below + arc.length;
            arcs = high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_sorted_arcs() {
        let mut random = crate::testing::generator(3);
        for n in [1, 2, 3, 10, 101] {
            let mut arcs: Vec<_> = (0..n)
                .map(|place| Arc {
                    height: (7.0 * random()).floor(),
                    length: (3.0 * random()).floor(),
                    before: [place, 0],
                })
                .collect();
            arcs[0].length = 1.0;
            let heights: Vec<_> = arcs.iter().map(|arc| arc.height).collect();
            let mut sorted: Vec<_> = arcs.iter().map(|arc| (arc.height, arc.length)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let half = 0.5 * sorted.iter().map(|arc| arc.1).sum::<f64>();
            let mut below = 0.0;
            let expected = sorted.iter().find(|arc| {
                below += arc.1;
                below >= half
            });
            assert_eq!(Some(heights[median(&mut arcs, half)[0]]), expected.map(|arc| arc.0));
        }
    }
}
