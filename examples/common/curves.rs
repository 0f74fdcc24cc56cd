//! Which curves are drawn from the runs.

use super::entropy::Entropy;
use super::figure::{Axis, Figure, Line, Panel, Scale, Stroke};
use super::reading::TrainingReading;
use super::tuning::{Reading, Run, Snapshot};

/// All curves are over the steps of the optimizer.
const STEPS: Axis = Axis { column: "step", label: "optimizer steps" };

/// One curve of every objective.
struct Curve {
    label: &'static str,
    color: usize,
    stroke: Stroke,
    read: fn(&Snapshot) -> f64,
}

/// Training and held-out bits per byte of the likelihood training, between the entropies of the text.
pub fn pretraining(readings: &[TrainingReading], entropy: Entropy) -> Figure {
    let line = |label: &str, color, stroke, value: &dyn Fn(&TrainingReading) -> f64| Line {
        label: label.into(),
        color,
        stroke,
        points: readings.iter().map(|reading| (f64::from(reading.step), value(reading))).collect(),
    };
    let lines = vec![
        line("training text", 0, Stroke::Solid, &|r| r.training.bits_per_byte),
        line("held-out text", 1, Stroke::Solid, &|r| r.held_out.bits_per_byte),
        line("order-0 entropy", 6, Stroke::Dashed, &|_| entropy.order_0),
        line("order-1 entropy", 7, Stroke::Dashed, &|_| entropy.order_1),
    ];
    Figure {
        name: "pretraining",
        title: "Likelihood training of the language model",
        panels_by: "objective",
        x: STEPS,
        y: "bits per byte",
        scale: Scale::Own,
        panels: vec![Panel { title: "NLL".into(), lines }],
    }
}

/// The curves of what came after it.
pub fn tuning(runs: &[Run]) -> Vec<Figure> {
    vec![
        loss(runs),
        log_prob(runs),
        by_split("margin", "Margin: log-ratio of chosen less that of rejected", "margin (nats)", runs, |r| {
            r.pairs.margin
        }),
        by_split(
            "accuracy",
            "Pairs whose margin is positive: none at the start, where policy and reference agree",
            "reward accuracy (share)",
            runs,
            |r| r.pairs.accuracy,
        ),
        by_split("bits_per_byte", "Likelihood of text", "bits per byte", runs, |r| r.text.bits_per_byte),
        by_split("top10_entropy", "Entropy among the ten likeliest bytes", "entropy (bits)", runs, |r| r.text.entropy),
        by_split("top10_mass", "Probability of the ten likeliest bytes", "probability", runs, |r| r.text.mass),
    ]
}

fn loss(runs: &[Run]) -> Figure {
    let curves = [
        Curve { label: "training", color: 0, stroke: Stroke::Solid, read: |s| s.training.loss },
        Curve { label: "held-out", color: 1, stroke: Stroke::Solid, read: |s| s.held_out.loss },
    ];
    Figure {
        name: "loss",
        title: "Loss of each objective",
        panels_by: "objective",
        x: STEPS,
        y: "loss (nats; IPO: squared)",
        scale: Scale::Own,
        panels: by_objective(runs, &curves),
    }
}

fn log_prob(runs: &[Run]) -> Figure {
    let curve = |label, color, stroke, read| Curve { label, color, stroke, read };
    let curves = [
        curve("chosen (training)", 0, Stroke::Solid, |s| s.training.pairs.log_prob_chosen),
        curve("rejected (training)", 1, Stroke::Solid, |s| s.training.pairs.log_prob_rejected),
        curve("chosen (held-out)", 0, Stroke::Dashed, |s| s.held_out.pairs.log_prob_chosen),
        curve("rejected (held-out)", 1, Stroke::Dashed, |s| s.held_out.pairs.log_prob_rejected),
    ];
    Figure {
        name: "log_prob",
        title: "Log-probability of chosen and rejected responses",
        panels_by: "objective",
        x: STEPS,
        y: "log-probability (nats per response)",
        scale: Scale::Shared,
        panels: by_objective(runs, &curves),
    }
}

/// One panel for each objective.
fn by_objective(runs: &[Run], curves: &[Curve]) -> Vec<Panel> {
    let panel = |run: &Run| Panel {
        title: run.name.into(),
        lines: curves.iter().map(|curve| line(curve.label, curve.color, curve.stroke, run, curve.read)).collect(),
    };
    runs.iter().map(panel).collect()
}

/// One panel for training data and one for held-out data, with a line for each objective.
fn by_split(
    name: &'static str,
    title: &'static str,
    y: &'static str,
    runs: &[Run],
    read: fn(&Reading) -> f64,
) -> Figure {
    let panel = |title: &str, side: fn(&Snapshot) -> &Reading| Panel {
        title: title.into(),
        lines: runs
            .iter()
            .enumerate()
            .map(|(color, run)| line(run.name, color, Stroke::Solid, run, |snapshot| read(side(snapshot))))
            .collect(),
    };
    let panels = vec![panel("training", |s| &s.training), panel("held-out", |s| &s.held_out)];
    Figure { name, title, panels_by: "split", x: STEPS, y, scale: Scale::Own, panels }
}

fn line(label: &str, color: usize, stroke: Stroke, run: &Run, read: impl Fn(&Snapshot) -> f64) -> Line {
    let points = run.snapshots.iter().map(|snapshot| (f64::from(snapshot.step), read(snapshot))).collect();
    Line { label: label.into(), color, stroke, points }
}
