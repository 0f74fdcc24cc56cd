//! Loss and slope of a token, from the sums over its logits.

use num_traits::Float;

use super::head::Head;
use super::slope::Slope;
use super::state::State;
use crate::logits::CrossEntropy;
use crate::logits::class_weights::ClassWeights;
use crate::logits::transform::{LogitTransform, Map};
use crate::{Element, Real, Result};

/// A cross-entropy whose hyper-parameters have been checked.
#[derive(Clone, Copy)]
pub(super) struct Objective<'a> {
    /// `ε`.
    smoothing: f64,
    /// `ζ`.
    z_loss: f64,
    pub(super) weights: ClassWeights<'a>,
    /// What becomes of logits first.
    transform: LogitTransform,
    /// Number of classes.
    classes: usize,
}

impl<'a> Objective<'a> {
    /// Checks the hyper-parameters.
    pub(super) fn new(loss: &'a CrossEntropy, classes: usize) -> Result<Self> {
        let weights = loss.check(classes)?;
        let transform = loss.transform();
        transform.check()?;
        Ok(Self { smoothing: loss.label_smoothing, z_loss: loss.z_loss, weights, transform, classes })
    }

    /// The negative log-probability of the target and nothing else.
    pub(super) fn nll(classes: usize, transform: LogitTransform) -> Result<Self> {
        transform.check()?;
        Ok(Self { smoothing: 0.0, z_loss: 0.0, weights: ClassWeights::new(None, classes)?, transform, classes })
    }

    /// What becomes of logits first.
    pub(super) fn map<T: Real>(&self) -> Option<Map<T>> {
        self.transform.map()
    }

    /// The class weights where a share of the target is spread over all classes by them.
    pub(super) fn spread_by(&self) -> Option<ClassWeights<'a>> {
        (self.smoothing > 0.0).then_some(self.weights)
    }

    /// `ε / V`.
    fn spread(&self) -> f64 {
        self.smoothing / self.classes as f64
    }

    /// `(1 - ε) w` of the target.
    fn kept(&self, target: usize) -> f64 {
        (1.0 - self.smoothing) * self.weights.of(target)
    }

    /// `ζ w` of the target.
    fn z(&self, target: usize) -> f64 {
        self.z_loss * self.weights.of(target)
    }

    /// All that a token with this target asks for. Where it is 0 the token is not counted.
    pub(super) fn mass(&self, target: usize) -> f64 {
        self.kept(target) + self.spread() * self.weights.total
    }

    /// The loss; nothing where finite logits lead out of the range of the type.
    pub(super) fn loss<E: Element>(&self, target: usize, state: &State<E::Real>, head: &Head<'_, E>) -> Option<f64> {
        let (sum, kept, z) = (&state.sum, self.kept(target), self.z(target));
        let mut loss = if kept == 0.0 { 0.0 } else { kept * sum.nll(state.logit) };
        if self.smoothing > 0.0 {
            loss += self.spread() * (state.drop + self.weights.total * sum.others.ln_1p());
        }
        if z > 0.0 {
            loss += z * sum.log_sum_exp().powi(2);
        }
        // A weight of the z-loss that overflows may meet a zero, as inf · 0.
        let lost = loss.is_nan() || (E::Real::from_f64(loss).is_infinite() && !self.is_infinite(target, head));
        (!lost).then_some(loss)
    }

    /// Whether a class that is asked for is ruled out.
    fn is_infinite<E: Element>(&self, target: usize, head: &Head<'_, E>) -> bool {
        let spread = self.spread();
        let asked = |class| spread * self.weights.of(class) > 0.0;
        (self.kept(target) > 0.0 && head.rules_out(target))
            || (spread > 0.0 && (0..self.classes).any(|class| asked(class) && head.rules_out(class)))
    }

    /// `scale` times the gradient; nothing where that does not fit the type. The target's entry is made from `1 - p`
    /// where the target has most of the mass, and from `p` elsewhere: each keeps its digits where the other cancels.
    pub(super) fn slope<T: Real>(&self, target: usize, state: &State<T>, scale: f64) -> Option<Slope<T>> {
        let (sum, spread, mass) = (&state.sum, self.spread(), self.mass(target));
        let z_pull = 2.0 * (self.z(target) * sum.log_sum_exp());
        let bound = scale * ((mass + z_pull).abs() + spread * self.weights.total);
        let steepest = self.map::<T>().map_or(1.0, |map| map.steepest().as_f64());
        if !T::from_f64(bound * steepest).is_finite() {
            return None;
        }
        let (prob, weight) = (sum.prob(state.logit), self.weights.of(target));
        let pulled = if prob > 0.5 || spread == 0.0 {
            spread * (self.weights.total - weight) - mass * sum.complement(state.logit)
        } else {
            mass * prob - (self.kept(target) + spread * weight)
        };
        Some(Slope {
            max: sum.max,
            factor: T::from_f64(scale * (mass + z_pull) / (1.0 + sum.others)),
            spread: scale * spread,
            target,
            at_target: T::from_f64(scale * (pulled + z_pull * prob)),
        })
    }
}
