//! Drawing a [`Figure`] as SVG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::failure::{Failure, Outcome};
use super::figure::{Figure, Line, Panel, Scale, Stroke};

/// Colors that remain distinct for most color-blind readers (Okabe and Ito 2008), and black.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(127, 127, 127),
];

/// Size of one panel in pixels.
const PANEL: (u32, u32) = (480, 350);
/// Height of the title and the legend.
const HEAD: u32 = 72;
/// Length of the stroke that stands for a line in the legend,
const KEY: u32 = 34;
/// and space after its label.
const GAP: u32 = 22;
/// Panels side by side.
const COLUMNS: usize = 4;

/// Share of the vertical range that is left free above and below the curves.
const AIR: f64 = 0.06;
/// Lengths of dashes and of the gaps between them in pixels.
const DASH: (u32, u32) = (7, 5);

/// What drawing returns.
type Drawn = Result<(), Box<dyn std::error::Error>>;
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The figure as the text of an SVG file.
pub fn svg(figure: &Figure) -> Outcome<String> {
    let columns = figure.panels.len().clamp(1, COLUMNS);
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let width = (PANEL.0 * columns as u32).max(legend_width(&legend(figure)) + 2 * GAP);
    let size = (width, PANEL.1 * rows as u32 + HEAD);
    let mut text = String::new();
    {
        let canvas = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&canvas, figure, (rows, columns)).map_err(|e| Failure::Run(format!("{}.svg: {e}", figure.name)))?;
    }
    Ok(text)
}

fn draw(canvas: &Canvas, figure: &Figure, grid: (usize, usize)) -> Drawn {
    canvas.fill(&WHITE)?;
    let (head, panels) = canvas.split_vertically(HEAD);
    let middle = (canvas.dim_in_pixel().0 / 2) as i32;
    head.draw(&Text::new(figure.title, (middle, 8), centered(22)))?;
    draw_legend(&head, &legend(figure))?;
    let all = span(figure.panels.iter().flat_map(points).map(|point| point.1), AIR);
    for (area, panel) in panels.split_evenly(grid).iter().zip(&figure.panels) {
        let y_span = match figure.scale {
            Scale::Shared => all.clone(),
            Scale::Own => span(points(panel).map(|point| point.1), AIR),
        };
        draw_panel(area, panel, (figure.x.label, figure.y), y_span)?;
    }
    canvas.present()?;
    Ok(())
}

/// The first line of each label: panels share their lines, so one legend serves all.
fn legend(figure: &Figure) -> Vec<&Line> {
    let mut lines: Vec<&Line> = Vec::new();
    for line in figure.panels.iter().flat_map(|panel| &panel.lines) {
        if lines.iter().all(|known| known.label != line.label) {
            lines.push(line);
        }
    }
    lines
}

/// Draws the legend as one row below the title, where it hides no curve.
fn draw_legend(head: &Canvas, lines: &[&Line]) -> Drawn {
    let mut x = head.dim_in_pixel().0.saturating_sub(legend_width(lines)) as i32 / 2;
    let y = HEAD as i32 - 16;
    for line in lines {
        let ends = [(x, y), (x + KEY as i32, y)];
        match line.stroke {
            Stroke::Solid => head.draw(&PathElement::new(ends, style(line)))?,
            Stroke::Dashed => head.draw(&DashedPathElement::new(ends, DASH.0, DASH.1, style(line)))?,
        }
        head.draw(&Text::new(line.label.as_str(), (ends[1].0 + 8, y - 8), ("sans-serif", 15).into_font()))?;
        x += entry_width(line) as i32;
    }
    Ok(())
}

/// About what the legend takes; an SVG file does not know its fonts.
fn legend_width(lines: &[&Line]) -> u32 {
    lines.iter().map(|line| entry_width(line)).sum()
}

fn entry_width(line: &Line) -> u32 {
    KEY + 8 + 8 * line.label.chars().count() as u32 + GAP
}

fn draw_panel(area: &Canvas, panel: &Panel, (x, y): (&str, &str), y_span: Range<f64>) -> Drawn {
    let steps = span(points(panel).map(|point| point.0), 0.0);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 18))
        .margin(10)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(steps, y_span)?;
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(6)
        .x_label_formatter(&|x| format!("{}", (10.0 * x).round() / 10.0))
        .y_labels(8)
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    for line in &panel.lines {
        let points = line.points.iter().copied();
        match line.stroke {
            Stroke::Solid => chart.draw_series(LineSeries::new(points, style(line))).map(drop)?,
            Stroke::Dashed => {
                chart.draw_series(DashedLineSeries::new(points, DASH.0, DASH.1, style(line))).map(drop)?;
            }
        }
    }
    Ok(())
}

fn points(panel: &Panel) -> impl Iterator<Item = &(f64, f64)> {
    panel.lines.iter().flat_map(|line| &line.points)
}

fn style(line: &Line) -> ShapeStyle {
    PALETTE[line.color % PALETTE.len()].stroke_width(2)
}

fn centered(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().into_text_style(&(1, 1)).pos(Pos::new(HPos::Center, VPos::Top))
}

/// The smallest range that holds all finite values, and a share `air` of it on both sides; never empty.
fn span(values: impl Iterator<Item = f64>, air: f64) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match high - low {
        width if width > 0.0 => low - air * width..high + air * width,
        0.0 => low - 0.5..high + 0.5,
        _ => 0.0..1.0,
    }
}
