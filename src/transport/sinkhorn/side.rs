//! The two sides of a problem: weights and potentials, and how strictly the plan must keep to the weights.

use crate::reduction;

/// How strictly marginals are kept: `ε/ρ`, zero where they are kept exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softness(pub(super) f64);

impl Softness {
    /// The potential of a side whose soft c-transform this is: `(t + o) / (1 + s) - o`, where a transform beside a large
    /// offset keeps its digits.
    pub(super) fn damped(self, transform: f64, offset: f64) -> f64 {
        if self.0 == 0.0 { transform } else { (transform - self.0 * offset) / (1.0 + self.0) }
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

/// The places of a side that are counted, their weights and their potential in units of ε.
///
/// A place without weight is not counted: it has no entry here before the potentials are [spread](Side::spread).
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// Which places are counted, in order.
    pub(super) places: Vec<usize>,
    /// How many there are, with the others.
    pub(super) count: usize,
    pub(super) weights: Vec<f64>,
    /// `ln w`.
    pub(super) logs: Vec<f64>,
    pub(super) total: f64,
    /// Places that have weight but no way that is open, and what they hold: none where marginals are kept exactly.
    pub(super) stuck: Vec<usize>,
    pub(super) stuck_total: f64,
    /// The potential without its offset, which would cost digits where both sides' are large and opposite.
    pub(super) potential: Vec<f64>,
    /// A half of the least cost, and the translation that the penalties ask for.
    pub(super) offset: f64,
}

impl Side {
    /// Counts every place with weight that `is_open`.
    pub(super) fn new(masses: &[f64], is_open: impl Fn(usize) -> bool) -> Self {
        let (places, stuck): (Vec<usize>, Vec<usize>) =
            (0..masses.len()).filter(|&i| masses[i] > 0.0).partition(|&i| is_open(i));
        let held = |places: &[usize]| places.iter().map(|&i| masses[i]).collect::<Vec<_>>();
        let weights = held(&places);
        Self {
            count: masses.len(),
            logs: weights.iter().map(|w| w.ln()).collect(),
            total: reduction::sum(&weights),
            stuck_total: reduction::sum(&held(&stuck)),
            potential: vec![0.0; weights.len()],
            offset: 0.0,
            weights,
            places,
            stuck,
        }
    }

    /// The places without weight.
    pub(super) fn absent(&self) -> Vec<usize> {
        let mut is_absent = vec![true; self.count];
        self.places.iter().chain(&self.stuck).for_each(|&i| is_absent[i] = false);
        (0..self.count).filter(|&i| is_absent[i]).collect()
    }

    /// The potentials of all places, without offset: those of the absent ones as given, +inf where nothing can leave.
    pub(super) fn spread(&self, absent: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut all = vec![f64::INFINITY; self.count];
        self.places.iter().zip(&self.potential).for_each(|(&i, &p)| all[i] = p);
        self.absent().into_iter().zip(absent).for_each(|(i, p)| all[i] = p);
        all
    }

    /// All that it holds.
    pub(super) fn whole_total(&self) -> f64 {
        self.total + self.stuck_total
    }

    /// Begins with a potential in the unit of the costs.
    pub(super) fn start(&mut self, potential: &[f64], regularization: f64) {
        self.potential = potential.iter().map(|p| p / regularization - self.offset).collect();
    }

    /// The potential with its offset.
    pub(super) fn whole(&self, i: usize) -> f64 {
        self.potential[i] + self.offset
    }

    /// `p_i + ln w_i + more`: what this side adds to the exponents of the other.
    pub(super) fn exponents(&self, more: f64) -> Vec<f64> {
        self.potential.iter().zip(&self.logs).map(|(p, log)| p + (log + more)).collect()
    }

    /// The potential beside a level.
    pub(super) fn beside(&self, level: f64) -> Vec<f64> {
        self.potential.iter().map(|p| p - level).collect()
    }

    /// Weights over their total.
    pub(super) fn shares(&self) -> Vec<f64> {
        self.weights.iter().map(|w| w / self.total).collect()
    }

    /// `Σ w f(i)` over the places that are counted.
    pub(super) fn weighted(&self, f: impl Fn(usize) -> f64) -> f64 {
        reduction::sum(&self.weights.iter().enumerate().map(|(i, w)| w * f(i)).collect::<Vec<_>>())
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

    /// The mean of `|e^log - 1|` over what the marginal should be: its distance in L1, relative to the total. `logs` are
    /// those of what is over what should be. +inf where it does not fit.
    pub(super) fn error(&self, softness: Softness, logs: impl Fn(usize) -> f64) -> f64 {
        let least = (0..self.weights.len()).map(|i| self.whole(i)).fold(f64::INFINITY, f64::min);
        let log_wanted = |i: usize| -softness.0 * (self.whole(i) - least);
        // What should be may vanish where what is does not: the product of one and the other's ratio is then no number.
        let distance = |i: usize| match (log_wanted(i), logs(i)) {
            (wanted, log) if log < 1.0 => wanted.exp() * log.exp_m1().abs(),
            (wanted, log) => (wanted + log).exp() - wanted.exp(),
        };
        let error = self.weighted(distance) / self.weighted(|i| log_wanted(i).exp());
        // Exponents that do not fit either have no difference.
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

/// Moves weight between the potentials to where the dual value is largest, which changes no plan: without it the totals would
/// settle no faster than `(1 + ε/ρ)^-2` in each round.
pub(super) fn translate(a: &mut Side, b: &mut Side, softness: Softness) {
    if softness.0 > 0.0 {
        let by = (a.log_kept(softness) - b.log_kept(softness)) / (2.0 * softness.0);
        a.offset += by;
        b.offset -= by;
    }
}
