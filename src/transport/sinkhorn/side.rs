//! The two sides of a problem: weights and potentials, and how strictly the plan must keep to the weights.

use crate::reduction;

/// How strictly marginals are kept: `ε/ρ`, zero where they are kept exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softness(pub(super) f64);

impl Softness {
    /// The potential of a side whose soft c-transform this is.
    pub(super) fn damped(self, transform: f64, offset: f64) -> f64 {
        if self.0 == 0.0 { transform } else { (transform + offset) / (1.0 + self.0) - offset }
    }

    /// What a unit of weight adds to the dual value: `ρ (1 - e^(-f/ρ))`, in units of ε.
    pub(super) fn gain(self, potential: f64) -> f64 {
        if self.0 == 0.0 { potential } else { -(-self.0 * potential).exp_m1() / self.0 }
    }

    /// By what the plan's marginal differs from the weight: `e^(-f/ρ)`.
    pub(super) fn kept(self, potential: f64) -> f64 {
        (-self.0 * potential).exp()
    }
}

/// Weights of a side and its potential, in units of ε.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) weights: Vec<f64>,
    /// `ln w`, -inf where there is none.
    pub(super) logs: Vec<f64>,
    pub(super) total: f64,
    /// The potential without its offset, which would cost digits where both sides' are large and opposite.
    pub(super) potential: Vec<f64>,
    /// A half of the least cost, and the translation that the penalties ask for.
    pub(super) offset: f64,
}

impl Side {
    pub(super) fn new(weights: Vec<f64>, offset: f64) -> Self {
        let total = reduction::sum(&weights);
        let logs = weights.iter().map(|w| w.ln()).collect();
        let potential = vec![0.0; weights.len()];
        Self { weights, logs, total, potential, offset }
    }

    /// The potential with its offset.
    pub(super) fn whole(&self, i: usize) -> f64 {
        self.potential[i] + self.offset
    }

    /// `p_i + ln w_i + more`: what this side adds to the exponents of the other.
    pub(super) fn exponents(&self, more: f64) -> Vec<f64> {
        self.potential.iter().zip(&self.logs).map(|(p, log)| p + (log + more)).collect()
    }

    /// `Σ w f(i)` over what has weight.
    pub(super) fn weighted(&self, f: impl Fn(usize) -> f64) -> f64 {
        let terms = self.weights.iter().enumerate().map(|(i, &w)| if w == 0.0 { 0.0 } else { w * f(i) });
        reduction::sum(&terms.collect::<Vec<_>>())
    }

    /// `ln Σ w e^(-s p)`.
    pub(super) fn log_kept(&self, softness: Softness) -> f64 {
        let exponents = self.logs.iter().enumerate().map(|(i, log)| log - softness.0 * self.whole(i));
        let exponents: Vec<f64> = exponents.collect();
        let top = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + reduction::sum(&exponents.into_iter().map(|x| (x - top).exp()).collect::<Vec<_>>()).ln()
    }

    /// What the same potential is in other units.
    pub(super) fn rescale(&mut self, factor: f64) {
        self.potential.iter_mut().for_each(|p| *p *= factor);
        self.offset *= factor;
    }

    /// The mean of `|e^log - 1|` over what the marginal should be: its distance in L1, relative to the total. `logs` are those
    /// of what is over what should be.
    pub(super) fn error(&self, softness: Softness, logs: impl Fn(usize) -> f64) -> f64 {
        let least = (0..self.weights.len()).map(|i| self.whole(i)).fold(f64::INFINITY, f64::min);
        let wanted = |i: usize| softness.kept(self.whole(i) - least);
        self.weighted(|i| wanted(i) * logs(i).exp_m1().abs()) / self.weighted(wanted)
    }
}
