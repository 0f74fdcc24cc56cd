//! A mean over examples with its standard error: what a claim about a difference rests on.

use loglik::ndarray::ArrayRef1;

/// Mean of a change, and how far chance may have moved it.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The mean.
    pub mean: f64,
    /// Its standard error, `sd / √n`.
    pub error: f64,
}

/// What may be said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More than two standard errors above zero.
    Up,
    /// More than two standard errors below zero.
    Down,
    /// Neither.
    Unclear,
}

impl Change {
    /// Of one value for each example.
    pub fn of(values: &ArrayRef1<f32>) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let squares: f64 = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
        Self { mean, error: (squares / (n - 1.0)).sqrt() / n.sqrt() }
    }

    /// Up or down, where two standard errors tell.
    pub fn direction(self) -> Direction {
        if self.mean > 2.0 * self.error {
            Direction::Up
        } else if self.mean < -2.0 * self.error {
            Direction::Down
        } else {
            Direction::Unclear
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:+.2} ± {:.2}", self.mean, self.error)
    }
}
