//! The log-marginal of nothing against the normalizer.

use crate::error::Position;
use crate::{Error, Real, Result};

/// Begin term of a marginalization model: the log-marginal of no variable at all against the log-normalizer.
///
/// ```math
/// L = \left( \log p(\varnothing) - \log Z \right)^2
/// ```
///
/// For a model of data `log Z` is 0; for one of an unnormalized density it is its normalizer, known or learned. It fixes the
/// constant that [`SelfConsistency`](crate::energy::SelfConsistency) leaves open.
///
/// # Errors
///
/// [`Error::Value`] where an argument is not finite; [`Error::Overflow`] where the square does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::energy::{begin_consistency, begin_consistency_grad};
/// assert_eq!(begin_consistency(1.5_f64, 1.0)?, 0.25);
/// assert_eq!(begin_consistency_grad(1.5_f64, 1.0)?, (0.25, [1.0, -1.0]));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu, Ramadge and Adams, ICML 2024, [arXiv:2310.12920](https://arxiv.org/abs/2310.12920).
#[doc(alias = "MaM")]
pub fn begin_consistency<T: Real>(log_marginal: T, log_normalizer: T) -> Result<T> {
    Ok(begin_consistency_grad(log_marginal, log_normalizer)?.0)
}

/// [`begin_consistency`] and its derivatives by the log-marginal and by the log-normalizer: `±2 (log p(∅) - log Z)`.
///
/// # Errors
///
/// As [`begin_consistency`].
pub fn begin_consistency_grad<T: Real>(log_marginal: T, log_normalizer: T) -> Result<(T, [T; 2])> {
    for (argument, x) in [("log_marginal", log_marginal), ("log_normalizer", log_normalizer)] {
        if !x.is_finite() {
            return Err(Error::Value { argument, position: Position::default(), value: x.as_f64(), allowed: "finite" });
        }
    }
    let residual = log_marginal - log_normalizer;
    let (square, slope) = (residual * residual, residual + residual + T::zero());
    match square.is_finite() {
        true => Ok((square, [slope, T::zero() - slope])),
        false => Err(Error::overflow::<T>("log_marginal", Position::default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let message = |a: f64, b: f64| begin_consistency(a, b).unwrap_err().to_string();
        assert_eq!(message(f64::NAN, 0.0), "`log_marginal` is NaN, allowed is finite");
        assert_eq!(message(0.0, f64::INFINITY), "`log_normalizer` is inf, allowed is finite");
        assert_eq!(message(1e200, 0.0), "the result at `log_marginal` overflows f64");
    }

    /// The log-normalizer of an Ising model on a torus of 3 x 3, J = 0.1 (each edge twice) and b = 0.2, by its 512 states.
    #[test]
    fn an_enumerated_model_has_no_begin_term() {
        let spin = |state: usize, site: usize| if state >> site & 1 == 1 { 1.0 } else { -1.0 };
        let energy = |state: usize| -> f64 {
            let edges = (0..9).map(|i| {
                let (right, below) = (i / 3 * 3 + (i % 3 + 1) % 3, (i + 3) % 9);
                spin(state, i) * (spin(state, right) + spin(state, below))
            });
            0.2 * edges.sum::<f64>() + 0.2 * (0..9).map(|i| spin(state, i)).sum::<f64>()
        };
        let log_normalizer = (0..512).map(|state| energy(state).exp()).sum::<f64>().ln();
        let (loss, [slope, _]) = begin_consistency_grad(log_normalizer, 7.115_373_365_2).unwrap();
        assert!(loss < 1e-20 && slope.abs() < 2e-10, "{log_normalizer}");
    }
}
