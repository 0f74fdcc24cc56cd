//! Divergences by their definitions, in plain loops.

use super::rows::total;

/// What a divergence is by definition: a sum over classes, or a function of one.
#[derive(Clone, Copy, Debug)]
pub enum Definition {
    Kl,
    ReverseKl,
    /// `w KL(p ‖ m) + (1 - w) KL(q ‖ m)` with this share of `p` in the mixture `m`, and this weight `w`.
    Mixture {
        share: f64,
        weight: f64,
    },
    /// `(Σ p^α q^(1-α) - 1) / (α (α - 1))`; twice it is a χ²-divergence at 2 and -1.
    Amari(f64),
    Renyi(f64),
    MixtureChiSquare,
    Hellinger,
    TotalVariation,
}

/// A side of a row: the divergence, the side's probabilities and the gradient in its logits.
pub struct Side {
    pub value: f64,
    gradient: Vec<f64>,
    probs: Vec<f64>,
    /// What rounding may take of each entry here: of a logarithm of a ratio, and of a difference of two numbers.
    lost: Vec<f64>,
}

impl Side {
    /// The gradient `A_v - p_v ΣA` of slopes `A_v = p_v ∂D/∂p_v`.
    pub fn new(value: f64, slopes: &[f64], probs: Vec<f64>) -> Self {
        let center = total(slopes.iter().copied());
        let gradient = slopes.iter().zip(&probs).map(|(slope, p)| slope - p * center).collect();
        let size = |slope: f64, p: f64| slope.abs() + p * (1.0 + center.abs());
        let lost = slopes.iter().zip(&probs).map(|(slope, p)| 8.0 * f64::EPSILON * size(*slope, *p));
        Self { value, gradient, lost: lost.collect(), probs }
    }

    /// The same beside numbers of a type with this rounding: probabilities that were given, or summed, in it.
    pub fn rounded(mut self, epsilon: f64) -> Self {
        self.lost.iter_mut().for_each(|lost| *lost *= epsilon / f64::EPSILON);
        self
    }

    /// The same where an entry holds this part of a difference of numbers near 1.
    pub fn beside(mut self, class: usize, part: f64) -> Self {
        self.lost[class] += 8.0 * f64::EPSILON * part;
        self
    }

    pub fn is_finite(&self) -> bool {
        self.gradient.iter().all(|x| x.is_finite())
    }
}

impl Definition {
    pub fn mixture(share: f64, weight: f64) -> Self {
        Self::Mixture { share, weight }
    }

    /// What the definition is multiplied by to be the divergence of this name.
    pub fn factor(self, name: &str) -> f64 {
        if matches!(name, "Pearson" | "Neyman") { 2.0 } else { 1.0 }
    }

    /// The term at a class and `p ∂/∂p` and `q ∂/∂q` of it.
    pub fn term(self, log_p: f64, log_q: f64) -> [f64; 3] {
        let (p, q) = (log_p.exp(), log_q.exp());
        match self {
            Self::Kl => {
                let term = if p > 0.0 { p * (log_p - log_q) } else { 0.0 };
                [term, term + p, -p]
            }
            Self::ReverseKl => {
                let [term, of_q, of_p] = Self::Kl.term(log_q, log_p);
                [term, of_p, of_q]
            }
            Self::Mixture { share, weight } => {
                let (mixture, weight_q) = (share * p + (1.0 - share) * q, 1.0 - weight);
                let log = |x: f64| if x > 0.0 { x * (x / mixture).ln() } else { 0.0 };
                let (from_p, from_q) = (weight * log(p), weight_q * log(q));
                let pull = if mixture > 0.0 { (weight * p + weight_q * q) / mixture } else { 0.0 };
                let of_p = from_p + weight * p - share * p * pull;
                let of_q = from_q + weight_q * q - (1.0 - share) * q * pull;
                [from_p + from_q, of_p, of_q]
            }
            Self::Amari(alpha) | Self::Renyi(alpha) => {
                let part = |power: f64, log: f64| if log.is_infinite() && power > 0.0 { log } else { power * log };
                let is_none = (p == 0.0 && alpha > 0.0) || (q == 0.0 && alpha < 1.0);
                let product = if is_none { 0.0 } else { (part(alpha, log_p) + part(1.0 - alpha, log_q)).exp() };
                [product / (alpha * (alpha - 1.0)), product / (alpha - 1.0), -product / alpha]
            }
            Self::MixtureChiSquare => {
                let (sum, difference) = (p + q, p - q);
                if sum == 0.0 {
                    return [0.0; 3];
                }
                let slope = |own: f64, other: f64| 0.5 * own * (own - other) * (own + 3.0 * other) / (sum * sum);
                [0.5 * difference * difference / sum, slope(p, q), slope(q, p)]
            }
            Self::Hellinger => {
                let (product, difference) = (0.5 * (0.5 * (log_p + log_q)).exp(), p.sqrt() - q.sqrt());
                [0.5 * difference * difference, -product, -product]
            }
            Self::TotalVariation => {
                let sign = if p > q { 0.5 } else { -0.5 };
                [sign * (p - q), p * sign, -q * sign]
            }
        }
    }

    /// Both sides of a row by the logarithms of their probabilities.
    pub fn of(self, logs: &[Vec<f64>; 2]) -> [Side; 2] {
        let terms: Vec<[f64; 3]> = logs[0].iter().zip(&logs[1]).map(|(&p, &q)| self.term(p, q)).collect();
        let sum = total(terms.iter().map(|term| term[0]));
        // Rényi's divergence is a logarithm of the sum `S` of products, and so its slopes are divided by `S`.
        let (value, by) = match self {
            Self::Amari(alpha) => (sum - 1.0 / (alpha * (alpha - 1.0)), 1.0),
            Self::Renyi(alpha) => {
                let product = alpha * (alpha - 1.0) * sum;
                (product.ln() / (alpha - 1.0), alpha / product)
            }
            _ => (sum, 1.0),
        };
        [(&logs[0], 1), (&logs[1], 2)].map(|(logs, k)| {
            let slopes: Vec<f64> = terms.iter().map(|term| by * term[k]).collect();
            Side::new(value, &slopes, logs.iter().map(|log| log.exp()).collect())
        })
    }
}

/// The worst entry of a gradient, if it is off by more than the tolerance allows: an entry `p_v Σ_j p_j (r_v - r_j)` has the
/// digits of its parts, and that of a class with most of the mass four times the others' precision.
pub fn compare(got: &[f64], expected: &Side, factor: f64, tolerance: f64) -> Option<String> {
    let size: f64 = expected.gradient.iter().map(|x| x.abs()).sum();
    let off = |class: usize| {
        let (p, exact) = (expected.probs[class], factor * expected.gradient[class]);
        let error = (got[class] - exact).abs() - factor * expected.lost[class];
        let scale = exact.abs() + factor * p * size;
        if error <= 0.0 { 0.0 } else { error / scale * if p > 0.5 { 4.0 } else { 1.0 } }
    };
    let worst = (0..got.len()).max_by(|&a, &b| off(a).total_cmp(&off(b)))?;
    let is_close = off(worst) <= tolerance;
    let [here, exact] = [got[worst], factor * expected.gradient[worst]];
    (!is_close).then(|| format!("class {worst} has {here:e} for {exact:e}, off by {:.1e}", off(worst)))
}
