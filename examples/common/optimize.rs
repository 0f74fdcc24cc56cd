//! The training loop: gradient, step, and a look at the model now and then.

use indicatif::ProgressBar;

use super::adam::{Adam, schedule};
use super::failure::Outcome;
use super::model::Model;

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Steps of the optimizer.
    pub steps: u32,
    /// The largest step size of Adam.
    pub rate: f32,
    /// Looks at the model, the first before the first step and the last after the last.
    pub looks: u32,
}

/// Runs Adam from `model` on.
///
/// `gradient` gives the gradient of one batch; `look` sees the number of steps done and the model.
pub fn optimize(
    mut model: Model,
    pace: Pace,
    bar: &ProgressBar,
    mut gradient: impl FnMut(&Model) -> Outcome<Model>,
    mut look: impl FnMut(u32, &Model) -> Outcome<()>,
) -> Outcome<Model> {
    let every = pace.steps.div_ceil(pace.looks.saturating_sub(1).max(1)).max(1);
    let mut adam = Adam::new(&model);
    for step in 0..pace.steps {
        if step % every == 0 {
            look(step, &model)?;
        }
        let slope = gradient(&model)?;
        adam.step(&mut model, &slope, schedule(pace.rate, step as f32 / pace.steps as f32));
        bar.inc(1);
    }
    look(pace.steps, &model)?;
    Ok(model)
}
