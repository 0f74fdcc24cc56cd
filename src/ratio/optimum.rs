//! The optimum of direct discriminative optimization: its distribution, and the weight at which it is one.

use ndarray::{Array1, ArrayRef1};

use crate::error::Position;
use crate::math::log_sum;
use crate::reduction::to_finite;
use crate::{Error, Real, Result, check};

/// Optimal `α` of direct discriminative optimization (DDO): the weight of the fake samples at which the pointwise
/// optimum of [`Ddo`](crate::ratio::Ddo) is a distribution.
///
/// ```math
/// \alpha^\star = \Big(\sum_x \rho_x^{1 - 1/\beta}\, d_x^{1/\beta}\Big)^{\beta} = e^{(1 - \beta) D_{1/\beta}(d \,\|\, \rho)}
/// ```
///
/// `d` is the data and `ρ` the reference, as probabilities of the same states; each is divided by its sum. `D` is the Rényi
/// divergence. The result is 1 for `d = ρ` and for `β = 1`, at least 1 for `β < 1` and at most 1 for `β > 1`. It is formed
/// from logarithms, so that powers neither overflow nor vanish.
///
/// # Errors
///
/// - [`Error::Parameter`]: `beta` is not finite and above 0.
/// - [`Error::Shape`]: references of another number of states; [`Error::NoMass`]: probabilities that are all 0;
///   [`Error::Empty`]: none.
/// - [`Error::Value`]: a probability that is negative or not finite; for `β < 1` a state that the data has and the reference
///   lacks; for `β > 1` references that lack all of the data's states.
/// - [`Error::Overflow`]: the result does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::optimal_alpha;
/// let (data, reference) = (array![0.5_f64, 0.3, 0.2], array![0.2, 0.3, 0.5]);
/// let alpha = optimal_alpha(&data, &reference, 0.5)?;
/// assert!((alpha - 1.276_714_533_480_4).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zheng et al., ICML 2025, [arXiv:2503.01103](https://arxiv.org/abs/2503.01103), of which it is the stationary point.
#[doc(alias = "Rényi divergence")]
#[doc(alias = "direct discriminative optimization")]
pub fn optimal_alpha<T: Real>(data: &ArrayRef1<T>, reference: &ArrayRef1<T>, beta: f64) -> Result<f64> {
    T::optimal_alpha(data, reference, beta)
}

/// [`optimal_alpha`], compiled here.
pub(in crate::ratio) fn compute_optimal_alpha<T: Real>(
    data: &ArrayRef1<T>,
    reference: &ArrayRef1<T>,
    beta: f64,
) -> Result<f64> {
    let alpha = Powers::of(data, reference, beta)?.log_alpha(beta).exp();
    to_finite(alpha, "data", Position::default())
}

/// Optimal distribution of direct discriminative optimization (DDO): the one at which [`Ddo`](crate::ratio::Ddo) with
/// `α` = [`optimal_alpha`] is least.
///
/// ```math
/// p_x \propto \rho_x^{1 - 1/\beta}\, d_x^{1/\beta}
/// ```
///
/// For `β = 1` it is the data; for `β < 1` it is sharper: it over-corrects where the reference errs. Arguments are those of
/// [`optimal_alpha`].
///
/// # Errors
///
/// Those of [`optimal_alpha`], but for the overflow.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::optimal_distribution;
/// let (data, reference) = (array![0.5_f64, 0.3, 0.2], array![0.2, 0.3, 0.5]);
/// let best = optimal_distribution(&data, &reference, 0.5)?;
/// assert!((best[0] - 0.766_871_17).abs() < 1e-8); // 125 / 163
/// assert_eq!(optimal_distribution(&data, &reference, 1.0)?.mapv(|p| (p * 1e12).round()), data * 1e12);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "direct discriminative optimization")]
pub fn optimal_distribution<T: Real>(data: &ArrayRef1<T>, reference: &ArrayRef1<T>, beta: f64) -> Result<Array1<T>> {
    T::optimal_distribution(data, reference, beta)
}

/// [`optimal_distribution`], compiled here.
pub(in crate::ratio) fn compute_optimal_distribution<T: Real>(
    data: &ArrayRef1<T>,
    reference: &ArrayRef1<T>,
    beta: f64,
) -> Result<Array1<T>> {
    let powers = Powers::of(data, reference, beta)?;
    let probs: Vec<f64> = powers.relative().map(f64::exp).collect();
    let total: f64 = probs.iter().sum();
    Ok(probs.into_iter().map(|prob| T::from_f64(prob / total)).collect())
}

/// The powers `ρ^(1 - 1/β) d^(1/β)` of each state, by logarithms that are at most their own size: small `β` make large ones.
struct Powers {
    /// `s` times each logarithm, -inf of a state that is not there.
    logs: Vec<f64>,
    /// `s = min(β, 1)`.
    scale: f64,
    /// `Σ ρ [(d / ρ)^(1/β) - 1]`: their sum less 1, without the cancellation where `β` is large.
    excess: f64,
}

const NONE: f64 = f64::NEG_INFINITY;

impl Powers {
    /// Once all is checked.
    fn of<T: Real>(data: &ArrayRef1<T>, reference: &ArrayRef1<T>, beta: f64) -> Result<Self> {
        check::positive("beta", beta)?;
        check::shape("reference", reference.shape(), data.shape())?;
        let (data, reference) = (logs("data", data)?, logs("reference", reference)?);
        let states = || data.iter().zip(&reference).map(|(&d, &r)| (d, r));
        let scale = beta.min(1.0);
        let power = |(d, r): (f64, f64)| match (d == NONE, r == NONE) {
            (true, _) => NONE,
            (false, true) => {
                if beta == 1.0 {
                    d
                } else {
                    NONE
                }
            }
            (false, false) => scale * r + (d - r) * (scale / beta),
        };
        let logs: Vec<f64> = states().map(power).collect();
        let alone = states().position(|(d, r)| d > NONE && r == NONE);
        match alone {
            Some(state) if beta < 1.0 || logs.iter().all(|&log| log == NONE) => Err(Error::Value {
                argument: "reference",
                position: state.into(),
                value: 0.0,
                allowed: "> 0 where the data's is",
            }),
            _ => {
                let shared = states().filter(|(_, r)| *r > NONE);
                Ok(Self { logs, scale, excess: shared.map(|(d, r)| r.exp() * ((d - r) / beta).exp_m1()).sum() })
            }
        }
    }

    /// The largest of the scaled logarithms.
    fn top(&self) -> f64 {
        self.logs.iter().copied().fold(NONE, f64::max)
    }

    /// The logarithms, less the largest.
    fn relative(&self) -> impl Iterator<Item = f64> {
        let top = self.top();
        self.logs.iter().map(move |log| (log - top) / self.scale)
    }

    /// `β` times the logarithm of their sum.
    fn log_alpha(&self, beta: f64) -> f64 {
        if beta == 1.0 {
            return 0.0; // the powers are the data
        }
        if self.excess.abs() < 0.5 {
            return beta * self.excess.ln_1p();
        }
        let sum: f64 = self.relative().map(f64::exp).sum();
        beta / self.scale * (self.top() + self.scale * sum.ln())
    }
}

/// Logarithms of probabilities, once they are divided by their sum.
fn logs<T: Real>(argument: &'static str, probs: &ArrayRef1<T>) -> Result<Vec<f64>> {
    if let Some(state) = probs.iter().position(|p| !(p.is_finite() && *p >= T::zero())) {
        let (position, value) = (Position::from(state), probs[state].as_f64());
        return Err(Error::Value { argument, position, value, allowed: "finite and >= 0" });
    }
    let logs: Vec<f64> = probs.iter().map(|p| p.as_f64().ln()).collect();
    let total = log_sum(logs.iter().copied());
    if total == f64::NEG_INFINITY {
        return Err(if logs.is_empty() { Error::Empty { argument } } else { Error::NoMass { argument } });
    }
    Ok(logs.into_iter().map(|log| log - total).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::testing::close;

    /// `β`, `α*` and the distribution of data (0.5, 0.3, 0.2) and reference (0.2, 0.3, 0.5): scripts/ratio_optimum.py.
    const CASES: [(f64, f64, [f64; 3]); 7] = [
        (0.02, 2.420_809_464_314_074_5, [1.0, 1.901_475_900_342_351e-20, 4.017_345_110_647_505e-40]),
        (
            0.1,
            2.128_383_285_830_232_9,
            [0.999_842_710_855_976_1, 1.572_616_605_567_775_7e-4, 2.748_346_716_333_062_6e-8],
        ),
        (0.5, 1.276_714_533_480_370_4, [0.766_871_165_644_171_8, 0.184_049_079_754_601_23, 0.049_079_754_601_227]),
        (
            0.937_5,
            1.018_404_692_014_356_8,
            [0.521_255_824_259_265_1, 0.294_220_437_596_614_05, 0.184_523_738_144_120_9],
        ),
        (1.5, 0.911_138_276_712_546_8, [0.391_982_916_912_154_37, 0.319_201_600_521_182_8, 0.288_815_482_566_662_83]),
        (8.0, 0.784_781_041_636_759_4, [0.231_168_648_453_206_77, 0.309_227_202_738_103_5, 0.459_604_148_808_689_7]),
        (1e10, 0.759_657_792_951_826_8, [0.200_000_000_023_823_57, 0.300_000_000_008_246_6, 0.499_999_999_967_929_7]),
    ];

    #[test]
    fn weights_and_distributions_are_those_of_exact_arithmetic() {
        let (data, reference) = (array![0.5, 0.3, 0.2], array![0.2, 0.3, 0.5]);
        for (beta, alpha, distribution) in CASES {
            close(optimal_alpha(&data, &reference, beta).unwrap(), alpha, 2e-15 * (1.0 + beta.recip()));
            let found = optimal_distribution(&data, &reference, beta).unwrap();
            for (found, expected) in found.iter().zip(distribution) {
                close(*found, expected, 4e-15 * (1.0 + beta.recip()));
            }
        }
    }

    #[test]
    fn probabilities_need_not_add_up() {
        let (data, reference) = (array![0.5_f32, 0.3, 0.2], array![0.2_f32, 0.3, 0.5]);
        let alpha = optimal_alpha(&data, &reference, 0.5).unwrap();
        close(optimal_alpha(&(&data * 8.0), &(&reference * 0.25), 0.5).unwrap(), alpha, 1e-14);
        close(alpha, 1.276_714_533_480_4, 1e-6);
    }

    #[test]
    fn the_data_itself_needs_no_weight_but_one() {
        let data = array![0.1, 0.6, 0.3, 0.0];
        for beta in [1e-300, 0.02, 0.5, 1.0, 3.0, 1e300] {
            assert_eq!(optimal_alpha(&data, &data, beta), Ok(1.0), "{beta}");
            let found = optimal_distribution(&data, &data, beta).unwrap();
            assert!((found - &data).iter().all(|gap: &f64| gap.abs() < 1e-15), "{beta}");
        }
        let elsewhere = array![0.0, 0.5, 0.2, 0.3];
        assert_eq!(optimal_alpha(&data, &elsewhere, 1.0), Ok(1.0));
    }

    #[test]
    fn a_soft_discriminator_goes_for_the_state_that_the_reference_lacks_most() {
        let (data, reference) = (array![0.5, 0.3, 0.2], array![0.2, 0.4, 0.4]);
        assert_eq!(optimal_distribution(&data, &reference, 1e-300), Ok(array![1.0, 0.0, 0.0]));
        close(optimal_alpha(&data, &reference, 1e-300).unwrap(), 2.5, 4e-15); // the largest ratio
        // As β grows it tends to exp(-KL(ρ, d)).
        let kl = 0.2 * (0.2_f64 / 0.5).ln() + 0.4 * (0.4_f64 / 0.3).ln() + 0.4 * (0.4_f64 / 0.2).ln();
        close(optimal_alpha(&data, &reference, 1e300).unwrap(), (-kl).exp(), 1e-14);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |data: &[f64], reference: &[f64], beta: f64| {
            let error = optimal_alpha(&aview1(data), &aview1(reference), beta).unwrap_err().to_string();
            let distribution = optimal_distribution(&aview1(data), &aview1(reference), beta);
            assert_eq!(distribution.unwrap_err().to_string(), error);
            error
        };
        assert_eq!(of(&[1.0], &[1.0], 0.0), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(of(&[1.0], &[0.5, 0.5], 1.0), "`reference` has shape [2], expected [1]");
        assert_eq!(of(&[0.5, -0.5], &[0.5, 0.5], 1.0), "`data`[1] is -0.5, allowed is finite and >= 0");
        assert_eq!(of(&[0.5, 0.5], &[0.5, f64::NAN], 1.0), "`reference`[1] is NaN, allowed is finite and >= 0");
        assert_eq!(
            of(&[0.0, 0.0], &[0.5, 0.5], 1.0),
            "`data` holds no mass: every weight is 0, needed is at least one above 0"
        );
        assert_eq!(of(&[0.5, 0.5], &[1.0, 0.0], 0.5), "`reference`[1] is 0, allowed is > 0 where the data's is");
        assert_eq!(of(&[0.0, 1.0], &[1.0, 0.0], 2.0), "`reference`[1] is 0, allowed is > 0 where the data's is");
    }
}
