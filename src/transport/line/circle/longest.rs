//! Where to start on the circle if only the longest way counts.

use super::cuts::Cuts;
use super::turned::{Start, Turned};
use crate::transport::line::longest::longest;
use crate::transport::line::merge::{Sorted, walk};

/// The first atoms of a plan whose longest way is as short as any's. Ways of no more than `slack` do not count.
///
/// As the quantiles of y are shifted onwards, no difference `x - y` grows, so that the longest way is shortest where the
/// largest and the smallest difference have one size. Bisection finds that place. The plans that are compared are those
/// that start with two whole atoms, as the best one does.
pub(super) fn start(x: &Sorted<'_>, y: &Sorted<'_>, period: f64, slack: f64) -> [Start; 2] {
    let cuts = Cuts::new(x, y, period);
    let slack = slack.max(if cuts.has_whole_masses() { 0.0 } else { 2.0 * cuts.grain() });
    let mut best = (f64::INFINITY, [Start { atom: 0, lift: 0.0 }; 2]);
    // Whether the largest difference is the longer one.
    let mut is_short_of = |shift: f64| {
        let cut = cuts.at(shift);
        let mut together = cut.together();
        let (mut largest, mut smallest) = (f64::NEG_INFINITY, f64::INFINITY);
        walk(&cuts.x, &cut.y, |step| {
            together.see(&step);
            if step.mass > slack {
                (largest, smallest) = (largest.max(step.distance), smallest.min(step.distance));
            }
        });
        let starts = cut.starts(&together);
        let [from_x, from_y] = starts;
        let way = longest(&Turned::whole(*x, from_x, period), &Turned::whole(*y, from_y, period), slack);
        let length = way.distance.abs();
        if length < best.0 {
            best = (length, starts);
        }
        largest > -smallest
    };
    let (mut low, mut high) = (-cuts.total(), cuts.total());
    is_short_of(low);
    is_short_of(high);
    while high - low >= 2.0 * cuts.grain() {
        let middle = 0.5 * (low + high);
        let middle = if cuts.has_whole_masses() { middle.round() } else { middle };
        *(if is_short_of(middle) { &mut low } else { &mut high }) = middle;
    }
    is_short_of(low);
    is_short_of(high);
    best.1
}
