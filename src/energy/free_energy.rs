//! The energy of an input under a classifier, which is large for inputs unlike the training data.

use ndarray::{Array, ArrayD, ArrayRef, ArrayRef1, ArrayView1, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::logits::{log_sum_exp, log_sum_exp_grad};
use crate::{Error, Real, Result, check, parallel};

/// Free energy of a row of logits: a score of how unlike the training data an input is.
///
/// ```math
/// E_i = -\tau \ln \sum_v e^{x_{iv} / \tau}, \qquad \frac{\partial E_i}{\partial x_{iv}} = -\operatorname{softmax}(x_i / \tau)_v
/// ```
///
/// **Large** energies are out of distribution: the sign is opposite to that of the other energies of this module, and
/// `-E` is the logarithm of an unnormalized density of the input. `logits` are `[.., V]`, the result is without the last
/// axis. It lies between `-max - τ ln V` and `-max`, and falls by `c` where `c` is added to a row, unlike the largest
/// probability, which does not depend on the level of the logits. As `τ` falls it tends to `-max`. The sums are those of
/// [`log_sum_exp`](crate::logits::log_sum_exp).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::FreeEnergy;
/// let energy = FreeEnergy::default().each(&array![[9.0_f64, 1.0], [0.5, 0.5]])?;
/// assert!((energy[0] + 9.000_335_406_4).abs() < 1e-10 && (energy[1] + 1.193_147_180_6).abs() < 1e-10);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al., Energy-based out-of-distribution detection, NeurIPS 2020, eq. 4 and 6,
/// [arXiv:2010.03759](https://arxiv.org/abs/2010.03759).
#[doc(alias = "out-of-distribution detection")]
#[doc(alias = "OOD")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct FreeEnergy {
    /// Temperature `τ`, finite and `> 0`. Default 1, the paper's.
    pub temperature: f64,
}

impl Default for FreeEnergy {
    /// `τ = 1`, as in the paper.
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl FreeEnergy {
    /// The energy of each row.
    ///
    /// # Errors
    ///
    /// Those of [`log_sum_exp`](crate::logits::log_sum_exp); [`Error::Parameter`]; [`Error::Overflow`] where a logit over the
    /// temperature, or an energy, does not fit the type.
    pub fn each<T: Real, D: Dimension>(&self, logits: &ArrayRef<T, D>) -> Result<Array<T, D::Smaller>> {
        Ok(in_dimension(T::free_energy(self, logits.view().into_dyn())?))
    }

    /// The energy of each row, and the gradient of their sum.
    ///
    /// # Errors
    ///
    /// Those of [`FreeEnergy::each`].
    #[allow(clippy::type_complexity)] // values and their gradient
    pub fn grad<T: Real, D: Dimension>(&self, logits: &ArrayRef<T, D>) -> Result<(Array<T, D::Smaller>, Array<T, D>)> {
        let (each, gradient) = T::free_energy_grad(self, logits.view().into_dyn())?;
        Ok((in_dimension(each), in_dimension(gradient)))
    }

    /// [`FreeEnergy::each`], compiled here.
    pub(super) fn compute_each<T: Real>(&self, logits: ArrayViewD<'_, T>) -> Result<ArrayD<T>> {
        self.energies(log_sum_exp(&self.divided(&logits)?)?)
    }

    /// [`FreeEnergy::grad`], compiled here.
    pub(super) fn compute_grad<T: Real>(&self, logits: ArrayViewD<'_, T>) -> Result<(ArrayD<T>, ArrayD<T>)> {
        let (sums, mut softmax) = log_sum_exp_grad(&self.divided(&logits)?)?;
        softmax.mapv_inplace(|p| T::zero() - p);
        Ok((self.energies(sums)?, softmax))
    }

    /// The logits over the temperature, by itself: the softmax of these is the gradient, for every temperature.
    fn divided<T: Real>(&self, logits: &ArrayViewD<'_, T>) -> Result<ArrayD<T>> {
        check::positive("temperature", self.temperature)?;
        let divided = logits.mapv(|x| T::from_f64(x.as_f64() / self.temperature));
        match divided.iter().zip(logits).position(|(z, x)| z.is_infinite() && x.is_finite()) {
            Some(at) => Err(Error::overflow::<T>("logits", Position::unravel(at, logits.shape()))),
            None => Ok(divided),
        }
    }

    /// Times `-τ`; never -0.
    fn energies<T: Real>(&self, mut sums: ArrayD<T>) -> Result<ArrayD<T>> {
        sums.mapv_inplace(|x| T::from_f64(-self.temperature * x.as_f64()) + T::zero());
        match sums.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::overflow::<T>("logits", Position::unravel(at, sums.shape()))),
            None => Ok(sums),
        }
    }
}

/// Threshold on energies that keeps a share of in-distribution inputs: the least of the energies that at least this share of
/// them does not exceed.
///
/// An input is taken for out of distribution where its [`FreeEnergy`] is **above** the threshold. It is the `⌈share · n⌉`-th
/// smallest energy, without interpolation; a share of 1 gives the largest.
///
/// # Errors
///
/// - [`Error::Parameter`]: `share` is not in `(0, 1]`. [`Error::Empty`]: no energies. [`Error::Value`]: an energy that
///   is NaN.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::energy_threshold;
/// assert_eq!(energy_threshold(&array![-3.0, -1.0, -7.0, -5.0], 0.5)?, -5.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al., NeurIPS 2020, who take a share of 0.95, [arXiv:2010.03759](https://arxiv.org/abs/2010.03759).
#[doc(alias = "FPR95")]
pub fn energy_threshold<T: Real>(energies: &ArrayRef1<T>, share: f64) -> Result<T> {
    T::energy_threshold(energies.view(), share)
}

/// [`energy_threshold`], compiled here.
pub(super) fn compute_threshold<T: Real>(energies: ArrayView1<'_, T>, share: f64) -> Result<T> {
    check::parameter("share", share, "(0, 1]", share > 0.0 && share <= 1.0)?;
    let values = energies.to_vec();
    if values.is_empty() {
        return Err(Error::Empty { argument: "energies" });
    }
    if let Some(at) = values.iter().position(|x| x.is_nan()) {
        return Err(Error::Value { argument: "energies", position: at.into(), value: f64::NAN, allowed: "not NaN" });
    }
    Ok(values[parallel::ascending(&values)[rank(share, values.len()) - 1]])
}

/// The least number of values out of `count` that is this share of them, where a share that is `k / count` rounded is `k`.
fn rank(share: f64, count: usize) -> usize {
    let rank = ((share * count as f64).ceil() as usize).clamp(1, count);
    let is_enough = |rank: usize| rank as f64 / count as f64 >= share;
    if rank > 1 && is_enough(rank - 1) { rank - 1 } else { rank }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::testing::all_close;

    #[test]
    fn energies_and_slopes_are_those_of_fifty_digits() {
        let cases = [
            (0.001, -2.5, [0.0, 0.0, -1.0]),
            (
                0.7,
                -2.532_967_259_975_374,
                [-0.041_173_796_652_770_8, -0.004_830_475_488_237_324, -0.953_995_727_858_991_9],
            ),
            (
                1e4,
                -10_986.656_335_460_2,
                [-0.333_325_551_798_193_1, -0.333_275_556_715_148_3, -0.333_398_891_486_658_6],
            ),
        ];
        for (temperature, expected, slopes) in cases {
            let (energy, gradient) = FreeEnergy { temperature }.grad(&array![0.3, -1.2, 2.5]).unwrap();
            all_close(energy, [expected], 1e-15);
            all_close(gradient, slopes, 2e-14);
        }
    }

    #[test]
    fn a_temperature_beyond_the_type_still_has_its_softmax() {
        let free = FreeEnergy { temperature: 1e42 }; // 1/τ is no number of f32, nor is the energy
        assert_eq!(free.each(&array![1.0_f32, 1.0]).unwrap_err().to_string(), "the result at `logits` overflows f32");
        let one = FreeEnergy { temperature: 1e42 }.grad(&array![5.0_f32]).unwrap();
        assert_eq!(one.1, array![-1.0]);
        let cold = FreeEnergy { temperature: 1e-300 }.each(&array![[0.0, 1e10]]).unwrap_err();
        assert_eq!(cold.to_string(), "the result at `logits`[0, 1] overflows f64");
        let error = FreeEnergy { temperature: 0.0 }.each(&array![1.0]).unwrap_err().to_string();
        assert_eq!(error, "`temperature` is 0, allowed is finite and > 0");
        let rows: Array2<f64> = array![[0.0, f64::NEG_INFINITY], [1.0, f64::NAN]];
        assert_eq!(
            FreeEnergy::default().each(&rows).unwrap_err().to_string(),
            "`logits`[1, 1] is NaN, allowed is finite or -inf"
        );
    }

    #[test]
    fn a_threshold_keeps_its_share_and_no_less() {
        let energies = Array1::from_shape_fn(200, |i| ((i * 73) % 200) as f64);
        for (share, expected) in
            [(0.95, 189.0), (1.0, 199.0), (1e-300, 0.0), (0.501, 100.0), (0.07, 13.0), (0.28, 55.0)]
        {
            assert_eq!(energy_threshold(&energies, share), Ok(expected), "{share}");
        }
        let message = |energies: Array1<f64>, share| energy_threshold(&energies, share).unwrap_err().to_string();
        assert_eq!(message(array![], 0.5), "`energies` is empty, needed is at least one element");
        assert_eq!(message(array![1.0], 0.0), "`share` is 0, allowed is (0, 1]");
        assert_eq!(message(array![1.0, f64::NAN], 0.5), "`energies`[1] is NaN, allowed is not NaN");
    }
}
