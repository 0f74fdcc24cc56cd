//! Adam: steps scaled by running moments of the gradient.

use loglik::ndarray::Zip;

use super::model::Model;

const FIRST_DECAY: f32 = 0.9;
const SECOND_DECAY: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The optimizer's memory. Decays 0.9 and 0.999 (Kingma and Ba, ICLR 2015,
/// [arXiv:1412.6980](https://arxiv.org/abs/1412.6980)).
#[derive(Debug)]
pub struct Adam {
    first: Model,
    second: Model,
    steps: i32,
}

impl Adam {
    /// No memory yet.
    pub fn new(model: &Model) -> Self {
        Self { first: model.zeros_like(), second: model.zeros_like(), steps: 0 }
    }

    /// Moves the model against the gradient.
    pub fn step(&mut self, model: &mut Model, gradient: &Model, rate: f32) {
        self.steps = self.steps.saturating_add(1);
        let first_scale = rate / (1.0 - FIRST_DECAY.powi(self.steps));
        let second_scale = 1.0 / (1.0 - SECOND_DECAY.powi(self.steps));
        let moments = self.first.parameters_mut().into_iter().zip(self.second.parameters_mut());
        for ((parameter, slope), (first, second)) in
            model.parameters_mut().into_iter().zip(gradient.parameters()).zip(moments)
        {
            Zip::from(parameter).and(slope).and(first).and(second).for_each(|x, &g, m, v| {
                *m += (1.0 - FIRST_DECAY) * (g - *m);
                *v += (1.0 - SECOND_DECAY) * (g * g - *v);
                *x -= first_scale * *m / ((second_scale * *v).sqrt() + EPSILON);
            });
        }
    }
}

/// The step size after a share `done` of all steps: a short rise, then a straight fall to a tenth.
pub fn schedule(peak: f32, done: f32) -> f32 {
    const RISE: f32 = 0.05;
    peak * if done < RISE { 0.1 + 0.9 * done / RISE } else { 1.0 - 0.9 * (done - RISE) / (1.0 - RISE) }
}
