//! The log-likelihood ratio of a whole sample.

use ndarray::ArrayView1;

use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::{Error, Real, Result, check};

/// Log-likelihood ratio of two simple hypotheses, from the log-densities of independent observations under each.
///
/// ```math
/// \Lambda = \sum_i \ln p(x_i) - \ln q(x_i)
/// ```
///
/// No test of `q` against `p` has more power at its false-positive rate than one that rejects `q` for large `Λ` (Neyman and
/// Pearson). Its slopes are 1 in each `ln p` and -1 in each `ln q`. Where a density is 0, one of them is: `Λ` is -inf where
/// `p` rules an observation out, +inf where `q` does. Over no observations it is 0.
///
/// # Errors
///
/// [`Error::Shape`] for arrays of two lengths; [`Error::Value`] for NaN or +inf, for an observation that both rule out, and
/// for one that `q` rules out where `p` rules out another; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::ndarray::array;
/// # use loglik::ratio::decision::log_likelihood_ratio;
/// assert_eq!(log_likelihood_ratio(array![-1.0_f64, -2.0].view(), array![-1.5, -4.0].view())?, 2.5);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Neyman and Pearson, On the problem of the most efficient tests of statistical hypotheses, 1933.
pub fn log_likelihood_ratio<T: Real>(log_p: ArrayView1<'_, T>, log_q: ArrayView1<'_, T>) -> Result<T> {
    T::log_likelihood_ratio(log_p, log_q)
}

pub(in crate::ratio) fn statistic<T: Real>(log_p: ArrayView1<'_, T>, log_q: ArrayView1<'_, T>) -> Result<T> {
    check::shape("log_q", log_q.shape(), log_p.shape())?;
    let ratios = log_p.iter().zip(log_q).enumerate().map(|(i, (&p, &q))| ratio(i, p, q)).collect::<Result<Vec<_>>>()?;
    let first = |infinity: f64| ratios.iter().position(|&ratio| ratio == infinity);
    if let (Some(i), Some(_)) = (first(f64::INFINITY), first(f64::NEG_INFINITY)) {
        let (value, allowed) = (f64::NEG_INFINITY, "above -inf where `log_p` is -inf at another observation");
        return Err(Error::Value { argument: "log_q", position: i.into(), value, allowed });
    }
    to_real(reduction::total_of(&ratios, reduction::sum(&ratios), "log_p")?, "log_p", Position::default())
}

/// Of one observation.
fn ratio<T: Real>(i: usize, p: T, q: T) -> Result<f64> {
    let wrong = |argument, value: T, allowed| {
        Err(Error::Value { argument, position: i.into(), value: value.as_f64(), allowed })
    };
    let is_log = |x: T| x < T::infinity();
    match p.as_f64() - q.as_f64() {
        _ if !is_log(p) => wrong("log_p", p, "finite or -inf"),
        _ if !is_log(q) => wrong("log_q", q, "finite or -inf"),
        ratio if ratio.is_infinite() && p.is_finite() && q.is_finite() => Err(Error::overflow::<f64>("log_p", i)),
        ratio if ratio.is_nan() => wrong("log_q", q, "above -inf where `log_p` is -inf"),
        ratio => Ok(ratio),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_density_of_zero_decides() {
        let of = |p: [f64; 2], q: [f64; 2]| log_likelihood_ratio(aview1(&p), aview1(&q));
        assert_eq!(of([-INF, -1.0], [-1.0, -2.0]), Ok(-INF));
        assert_eq!(of([-1.0, -1.0], [-1.0, -INF]), Ok(INF));
        assert_eq!(log_likelihood_ratio::<f64>(aview1(&[]), aview1(&[])), Ok(0.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |p: &[f64], q: &[f64]| log_likelihood_ratio(aview1(p), aview1(q)).unwrap_err().to_string();
        assert_eq!(of(&[1.0], &[1.0, 2.0]), "`log_q` has shape [2], expected [1]");
        assert_eq!(of(&[0.0, f64::NAN], &[0.0, 0.0]), "`log_p`[1] is NaN, allowed is finite or -inf");
        assert_eq!(of(&[0.0], &[INF]), "`log_q`[0] is inf, allowed is finite or -inf");
        assert_eq!(of(&[-INF], &[-INF]), "`log_q`[0] is -inf, allowed is above -inf where `log_p` is -inf");
        let both = of(&[-INF, 0.0], &[0.0, -INF]);
        assert_eq!(both, "`log_q`[1] is -inf, allowed is above -inf where `log_p` is -inf at another observation");
        let wide = array![f64::MAX, f64::MAX];
        let error = log_likelihood_ratio(wide.view(), (-&wide).view()).unwrap_err().to_string();
        assert_eq!(error, "the result at `log_p`[0] overflows f64");
    }
}
