//! What the curves show, in words that the numbers choose.

use super::change::{Change, Direction};
use super::result::{Ending, Moved};

/// One sentence or more for each objective. The first ending is the checkpoint's.
pub fn findings(endings: &[Ending]) -> String {
    let Some((checkpoint, rest)) = endings.split_first() else { return String::new() };
    let of = |name: &str| rest.iter().find(|ending| ending.name == name);
    let mut text = String::new();
    for ending in rest.iter().filter(|ending| !["EMO", "MLE"].contains(&ending.name)) {
        text.push_str(&pairs(checkpoint, ending));
    }
    if let (Some(dpo), Some(both)) = (of("DPO"), of("DPO+NLL")) {
        text.push_str(&anchor(dpo, both));
    }
    if let (Some(emo), Some(mle)) = (of("EMO"), of("MLE")) {
        text.push_str(&mover(checkpoint, emo, mle));
    }
    text
}

/// What an objective of pairs did to the likelihood of both sides.
fn pairs(checkpoint: &Ending, ending: &Ending) -> String {
    let Ending { name, training, held_out, text } = ending;
    let (before, after) = (checkpoint.text.bits_per_byte, text.bits_per_byte);
    format!(
        "{name}\n  training pairs: {}\n  held-out pairs: {}\n  held-out text: {after:.3} bits per byte, {before:.3} before\n",
        sides(training, verdict(training)),
        sides(held_out, if overfitted(training, held_out) { OVERFITTED } else { verdict(held_out) }),
    )
}

/// What is said where the likelihood of the chosen responses grew on training pairs alone.
const OVERFITTED: &str = "what the training pairs gained does not carry over";

fn overfitted(training: &Moved, held_out: &Moved) -> bool {
    (training.chosen.direction(), held_out.chosen.direction()) == (Direction::Up, Direction::Down)
}

/// Likelihood displacement: the margin grows although the chosen responses become less likely, as the literature reports
/// of DPO (Razin et al. 2024, [arXiv:2410.08847](https://arxiv.org/abs/2410.08847)).
fn verdict(moved: &Moved) -> &'static str {
    match (moved.margin.direction(), moved.chosen.direction()) {
        (Direction::Up, Direction::Down) => "likelihood displacement, as the literature reports of DPO",
        (Direction::Up, Direction::Up) => "no displacement",
        (Direction::Up, Direction::Unclear) => "displacement cannot be told from chance",
        _ => "the two sides have not been separated",
    }
}

fn sides(Moved { chosen, rejected, margin, .. }: &Moved, verdict: &str) -> String {
    format!(
        "the margin {} ({margin} nats), the real continuation {} ({chosen}), the made-up one {} ({rejected}): {verdict}",
        verb(*margin, ["grew", "shrank", "did not clearly move"]),
        likelihood(*chosen),
        likelihood(*rejected),
    )
}

fn likelihood(change: Change) -> &'static str {
    verb(change, ["became likelier", "became less likely", "did not clearly move"])
}

fn verb(change: Change, [up, down, unclear]: [&'static str; 3]) -> &'static str {
    match change.direction() {
        Direction::Up => up,
        Direction::Down => down,
        Direction::Unclear => unclear,
    }
}

/// What adding the likelihood of the chosen responses to DPO changed.
fn anchor(dpo: &Ending, both: &Ending) -> String {
    let [(alone, alone_margin), (with, with_margin)] =
        [dpo, both].map(|ending| (ending.held_out.chosen.mean, ending.held_out.margin.mean));
    let effect = if with > alone { "held up the real continuations" } else { "did not help the real continuations" };
    format!(
        "The NLL term {effect}: {with:+.2} nats on held-out pairs where DPO alone has {alone:+.2}, \
         for a margin of {with_margin:+.2} against {alone_margin:+.2}.\n"
    )
}

/// EMO against the same number of steps of maximum likelihood.
fn mover(checkpoint: &Ending, emo: &Ending, mle: &Ending) -> String {
    let [before, emo, mle] = [checkpoint, emo, mle].map(|ending| ending.text);
    let cost = if emo.bits_per_byte < mle.bits_per_byte { "fewer" } else { "more" };
    let shape = if emo.entropy < mle.entropy { "sharper" } else { "flatter" };
    format!(
        "EMO against MLE, after as many steps\n  held-out text: EMO needs {cost} bits per byte, {:.3} against {:.3} ({:.3} before)\n  \
         ten likeliest bytes: {shape} under EMO, entropy {:.3} bits against {:.3}, together {:.3} of the probability against {:.3}\n",
        emo.bits_per_byte, mle.bits_per_byte, before.bits_per_byte, emo.entropy, mle.entropy, emo.mass, mle.mass,
    )
}
