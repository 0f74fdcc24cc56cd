//! The weighted loss of a preconditioned denoiser.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::error::Position;
use crate::likelihood::Domain;
use crate::math::length;
use crate::reduction::to_finite;
use crate::{Result, check};

/// One thing for each argument of [`Edm`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdmArguments<A, P> {
    /// For the denoiser's output `D(x + σn; σ)`.
    pub denoised: A,
    /// For the clean samples x.
    pub clean: A,
    /// For the standard deviation of the noise.
    pub sigma: P,
}
columns!(EdmArguments<2, 1> { denoised, clean; sigma });

/// What a network and its input are multiplied by at one noise level: `D(x) = c_skip x + c_out F(c_in x, c_noise)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdmCoefficients {
    /// `s² / (σ² + s²)`: how much of the noisy input passes.
    pub skip: f64,
    /// `σ s / √(σ² + s²)`: the scale of the network's output.
    pub out: f64,
    /// `1 / √(σ² + s²)`: brings the input to unit variance.
    pub input: f64,
    /// `¼ ln σ`: the input by which the network knows the noise level.
    pub noise: f64,
}

/// Denoising loss of EDM (elucidated diffusion models): squared errors, weighted so that every noise level counts alike.
///
/// ```math
/// L_i = w(\sigma_i)\, |D(x_i + \sigma_i n_i; \sigma_i) - x_i|^2, \qquad
/// w(\sigma) = \frac{\sigma^2 + s^2}{(\sigma s)^2}, \qquad \frac{\partial L_i}{\partial D} = 2 w (D - x)
/// ```
///
/// `s` is the standard deviation of the data. With the coefficients of [`Edm::coefficients`] the loss is the plain squared
/// error of the network `F`, since `w c_out² = 1`, and input and target of the network have unit variance, since
/// `c_in² (σ² + s²) = 1`.
///
/// `denoised` and `clean` are `[B, ..]`, `sigma` `[B]`. Squares are **summed** over the numbers of a sample;
/// implementations that take the mean divide by their number. The error is scaled by `√w` before it is squared, and
/// `√w` is formed as a length: neither `σ²` nor `1/σ²` need fit the type.
///
/// Draw `σ` by [`LogNormalSigma`](super::LogNormalSigma) for training and by [`KarrasGrid`](super::KarrasGrid) for sampling.
///
/// # Errors
///
/// Those of [`SampleLoss`]: `σ` finite and above 0.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{Edm, EdmArguments, SampleLoss};
/// let (denoised, clean, sigma) = (array![[1.0_f64, 0.0]], array![[0.0, 2.0]], array![2.0]);
/// let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
/// let (loss, gradient) = Edm { sigma_data: 1.0 }.grad(arguments, Reduction::Mean)?;
/// assert!((loss - 6.25).abs() < 1e-14); // weight 5/4, squared error 5
/// assert!((gradient[[0, 1]] + 5.0).abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Karras et al., Elucidating the design space of diffusion-based generative models, NeurIPS 2022, table 1 and eq. 8,
/// [arXiv:2206.00364](https://arxiv.org/abs/2206.00364).
#[doc(alias = "elucidated diffusion")]
#[doc(alias = "preconditioning")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Edm {
    /// Standard deviation `s` of the data, finite and `> 0`. Default 0.5, that of images in the paper; policy-guided
    /// diffusion has 1.
    pub sigma_data: f64,
}

impl Default for Edm {
    /// `s = 0.5`, as in the paper.
    fn default() -> Self {
        Self { sigma_data: 0.5 }
    }
}

impl Edm {
    /// The preconditioning at a noise level.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter): `sigma` or `sigma_data` is not finite and above 0.
    pub fn coefficients(&self, sigma: f64) -> Result<EdmCoefficients> {
        check::positive("sigma_data", self.sigma_data)?;
        check::positive("sigma", sigma)?;
        let length = sigma.hypot(self.sigma_data);
        let share = self.sigma_data / length;
        Ok(EdmCoefficients { skip: share * share, out: sigma * share, input: 1.0 / length, noise: 0.25 * sigma.ln() })
    }

    /// The weight `w(σ)` of a noise level.
    ///
    /// # Errors
    ///
    /// As [`Edm::coefficients`]; [`Error::Overflow`](crate::Error::Overflow) for a noise level whose squared inverse
    /// does not fit.
    pub fn weight(&self, sigma: f64) -> Result<f64> {
        check::positive("sigma_data", self.sigma_data)?;
        check::positive("sigma", sigma)?;
        to_finite(self.root_weight(sigma).powi(2), "sigma", Position::default())
    }

    fn root_weight(&self, sigma: f64) -> f64 {
        length([1.0 / sigma, 1.0 / self.sigma_data].into_iter())
    }
}

impl SampleLoss<2, 1, 1, 0> for Edm {
    type Arguments<A, P> = EdmArguments<A, P>;
    type Gradient<A, P> = A;
    const SAMPLES: [&'static str; 2] = ["denoised", "clean"];
    const NUMBERS: [(&'static str, Domain); 1] = [("sigma", Domain::Positive)];

    fn check(&self) -> Result<()> {
        check::positive("sigma_data", self.sigma_data)
    }

    fn form(&self, numbers: &[f64]) -> Result<Form, Fault> {
        Ok(Form::Square { coefficients: [1.0, -1.0], rate: self.root_weight(numbers[0]), gain: 2.0 })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    /// `σ`, loss, slopes, and the coefficients at `s = ½`: scripts/energy_reference.py.
    const CASES: [(f64, f64, [f64; 3], [f64; 4]); 3] = [
        (
            0.002,
            10_085_786.37,
            [-400_006.4, -400_006.4, 3_125_050.0],
            [0.999_984_000_255_995_9, 0.001_999_984_000_191_997_4, 1.999_984_000_191_997_4, -1.553_652_024_605_548],
        ),
        (
            0.6,
            273.4325,
            [-10.844_444_444_444_445, -10.844_444_444_444_445, 84.722_222_222_222_22],
            [0.409_836_065_573_770_5, 0.384_110_639_798_687_9, 1.280_368_799_328_959_7, -0.127_706_405_941_497_67],
        ),
        (
            80.0,
            161.376_303_515_625,
            [-6.400_25, -6.400_25, 50.001_953_125],
            [3.906_097_418_069_607e-5, 0.499_990_234_661_093, 0.012_499_755_866_527_325, 1.095_506_658_668_470_4],
        ),
    ];

    #[test]
    fn a_weight_that_does_not_fit_is_an_error() {
        all_close([Edm::default().weight(1e-150).unwrap()], [1e300], 1e-15);
        let error = Edm::default().weight(1e-155).unwrap_err().to_string();
        assert_eq!(error, "the result at `sigma` overflows f64");
    }

    #[test]
    fn losses_and_coefficients_are_those_of_fifty_digits() {
        let (denoised, clean) = (array![[0.3, -1.2, 2.5]], array![[1.1, -0.4, -3.75]]);
        for (sigma, loss, slopes, [skip, out, input, noise]) in CASES {
            let sigmas = array![sigma];
            let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigmas };
            let (value, gradient) = Edm::default().grad(arguments, Reduction::Mean).unwrap();
            all_close([value], [loss], 2e-15);
            all_close(gradient, slopes, 2e-15);
            let found = Edm::default().coefficients(sigma).unwrap();
            all_close([found.skip, found.out, found.input, found.noise], [skip, out, input, noise], 1e-15);
        }
    }

    #[test]
    fn levels_whose_squares_are_no_numbers_have_their_loss() {
        let edm = Edm { sigma_data: 1e-200 };
        let coefficients = edm.coefficients(1e-200).unwrap();
        all_close([coefficients.skip, coefficients.out], [0.5, 1e-200 * 0.5_f64.sqrt()], 2e-15);
        let (denoised, clean, sigma) = (array![[3e-200]], array![[0.0]], array![1e-200]);
        let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
        all_close([edm.value(arguments, Reduction::Sum).unwrap()], [18.0], 2e-15);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (x, sigma) = (array![[1.0_f32], [1.0]], array![1.0_f32, 0.0]);
        let arguments = EdmArguments { denoised: &*x, clean: &*x, sigma: &*sigma };
        let message = |edm: Edm| edm.value(arguments, Reduction::Sum).unwrap_err().to_string();
        assert_eq!(message(Edm::default()), "`sigma`[1] is 0, allowed is finite and > 0");
        assert_eq!(message(Edm { sigma_data: f64::NAN }), "`sigma_data` is NaN, allowed is finite and > 0");
        assert_eq!(
            Edm::default().coefficients(-1.0).unwrap_err().to_string(),
            "`sigma` is -1, allowed is finite and > 0"
        );
        assert_eq!(Edm::default().weight(2.0).map(|w| (w * 1e12).round()), Ok(4.25e12));
    }
}
