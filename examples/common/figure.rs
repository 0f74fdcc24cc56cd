//! Curves as data: what one CSV file and one SVG file show.

use std::fmt::Write;

/// A picture of one or more panels that share the meaning of their axes.
#[derive(Debug)]
pub struct Figure {
    /// Name of the files, without extension.
    pub name: &'static str,
    /// What is shown.
    pub title: &'static str,
    /// What the panels tell apart: the name of a CSV column.
    pub panels_by: &'static str,
    /// The horizontal axis.
    pub x: Axis,
    /// Quantity and unit of the vertical axis.
    pub y: &'static str,
    /// Whether panels can be compared by eye.
    pub scale: Scale,
    /// The panels, in reading order.
    pub panels: Vec<Panel>,
}

/// What runs from left to right.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Name of the CSV column.
    pub column: &'static str,
    /// Quantity and unit.
    pub label: &'static str,
}

/// The range of the vertical axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The same for all panels.
    Shared,
    /// What the curves of each panel need.
    Own,
}

/// One pair of axes.
#[derive(Debug)]
pub struct Panel {
    /// What this panel shows.
    pub title: String,
    /// The curves.
    pub lines: Vec<Line>,
}

/// One curve.
#[derive(Debug)]
pub struct Line {
    /// Its name in the legend.
    pub label: String,
    /// Which color of the palette it has.
    pub color: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Abscissa and value.
    pub points: Vec<(f64, f64)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Without gaps.
    Solid,
    /// With gaps.
    Dashed,
}

impl Figure {
    /// One row for each point; numbers have as many digits as tell them apart from all others.
    pub fn csv(&self) -> String {
        let mut text = format!("{},line,{},value\n", self.panels_by, self.x.column);
        for panel in &self.panels {
            for line in &panel.lines {
                for (x, value) in &line.points {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{},{},{x},{value}", panel.title, line.label);
                }
            }
        }
        text
    }
}
