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
