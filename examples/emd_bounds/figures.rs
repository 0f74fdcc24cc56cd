//! Curves of what was measured.

use std::time::Duration;

use crate::figure::{Axis, Figure, Line, Panel, Scale, Stroke};
use crate::growth::{GAPS, Reading, Spent};

/// Points on each side.
const POINTS: Axis = Axis { column: "log2_points", label: "points on each side (log2)" };

/// Both ends of the interval around the distance, at each gap.
pub(crate) fn distance(readings: &[Reading]) -> Figure {
    let panel = |gap: f64| {
        let line = |label: &str, color, stroke, value: &dyn Fn(&Reading) -> Option<f64>| Line {
            label: label.into(),
            color,
            stroke,
            points: along(readings, gap, value),
        };
        let lines = vec![
            line("upper", 1, Stroke::Solid, &|r| Some(r.interval.upper)),
            line("lower", 0, Stroke::Solid, &|r| Some(r.interval.lower)),
            line("exact", 6, Stroke::Dashed, &|r| r.exact.map(|exact| exact.0)),
        ];
        Panel { title: named(gap), lines }
    };
    Figure {
        name: "distance",
        title: "The interval in which the earth mover's distance lies",
        panels_by: "gap",
        x: POINTS,
        y: "distance",
        scale: Scale::Shared,
        panels: GAPS.into_iter().map(panel).collect(),
    }
}

/// What the intervals and the exact distance take.
pub(crate) fn time(readings: &[Reading]) -> Figure {
    let size = |time: Duration| (1e3 * time.as_secs_f64()).log10();
    let mut lines: Vec<Line> = (GAPS.into_iter().enumerate())
        .map(|(color, gap)| Line {
            label: named(gap),
            color,
            stroke: Stroke::Solid,
            points: along(readings, gap, &|r| Some(size(r.time))),
        })
        .collect();
    lines.push(Line {
        label: "exact".into(),
        color: 6,
        stroke: Stroke::Dashed,
        points: along(readings, GAPS[0], &|r| r.exact.map(|exact| size(exact.1))),
    });
    Figure {
        name: "time",
        title: "Time to an interval, and to the exact distance",
        panels_by: "ground",
        x: POINTS,
        y: "time (log10 of milliseconds)",
        scale: Scale::Own,
        panels: vec![Panel { title: "Euclidean".into(), lines }],
    }
}

/// How the interval closes as more may be spent.
pub(crate) fn budget(spent: &[Spent], points: usize) -> Figure {
    let known = spent.iter().filter(|spent| spent.width > 0.0);
    let points_of_line = known.map(|spent| ((spent.passes as f64).log2(), spent.width.log10())).collect();
    let line = Line { label: "width".into(), color: 0, stroke: Stroke::Solid, points: points_of_line };
    Figure {
        name: "budget",
        title: "Relative width of the interval against passes over the costs",
        panels_by: "points",
        x: Axis { column: "log2_passes", label: "passes over the costs (log2)" },
        y: "relative width (log10)",
        scale: Scale::Own,
        panels: vec![Panel { title: format!("{points} points"), lines: vec![line] }],
    }
}

/// A number of each reading at this gap, over the size.
fn along(readings: &[Reading], gap: f64, value: &dyn Fn(&Reading) -> Option<f64>) -> Vec<(f64, f64)> {
    let at_gap = readings.iter().filter(|reading| reading.gap == gap);
    at_gap.filter_map(|reading| Some(((reading.points as f64).log2(), value(reading)?))).collect()
}

fn named(gap: f64) -> String {
    if gap == 0.0 { "as near as can be".into() } else { format!("gap {}%", 100.0 * gap) }
}
