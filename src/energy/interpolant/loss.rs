//! The quadratic loss of a field of a stochastic interpolant.

use ndarray::{Array, ArrayD, ArrayRef, ArrayRef1, ArrayView1, ArrayViewD, Dimension};

use super::{Field, Gamma};
use crate::compiled::in_dimension;
use crate::energy::SampleLoss;
use crate::energy::combine::Terms;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;
use crate::{Error, Real, Result, check};

/// One thing for each argument of [`Interpolant`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterpolantArguments<A, P> {
    /// For the model's field at `x_t`.
    pub prediction: A,
    /// For the samples at `t = 0`.
    pub x0: A,
    /// For the samples at `t = 1`.
    pub x1: A,
    /// For the standard normal noise `z`.
    pub noise: A,
    /// For the times, in `[0, 1]`.
    pub t: P,
}
columns!(InterpolantArguments<4, 1> { prediction, x0, x1, noise; t });

/// The end points of the paths of some samples, and their noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterpolantPath<A> {
    /// The samples at `t = 0`.
    pub x0: A,
    /// The samples at `t = 1`.
    pub x1: A,
    /// The standard normal noise `z`.
    pub noise: A,
}

/// Quadratic loss of a field of a linear stochastic interpolant.
///
/// ```math
/// x_t = (1 - t)\, x_0 + t\, x_1 + \gamma(t)\, z, \qquad
/// L_i = \tfrac12 |\hat f_i|^2 - \hat f_i \cdot \tau_i, \qquad \frac{\partial L_i}{\partial \hat f_i} = \hat f_i - \tau_i
/// ```
///
/// `f̂` is the model's field at `x_t` and `τ` the target that [`Field`] names, of whose conditional expectation the minimum
/// is. It is half the squared error less `½ |τ|²`, which no model changes: the gradients are equal, the value is below
/// 0 where the model is better than no field at all, and it stays finite where the variance of the target does not. The
/// least value is `-½ E |f|²`.
///
/// Arrays are `[B, ..]`, products are summed over the numbers of a sample; times `t` are `[B]`. A target that is infinite,
/// such as that of a score at the ends, is an error that names the time; near the ends take
/// [`AntitheticInterpolant`](super::AntitheticInterpolant), or [`Field::Denoiser`].
///
/// With [`Gamma::Zero`] and [`Field::Velocity`] it is flow matching.
///
/// # Errors
///
/// Those of [`SampleLoss`]: times in `[0, 1]`, and inside where the target is infinite at the ends.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{Field, Gamma, Interpolant, InterpolantArguments, InterpolantPath, SampleLoss};
/// let interpolant = Interpolant { gamma: Gamma::Product, field: Field::Velocity };
/// let (x0, x1, noise, t) = (array![[0.0_f64]], array![[2.0]], array![[4.0]], array![0.25]);
/// let path = InterpolantPath { x0: &*x0, x1: &*x1, noise: &*noise };
/// assert_eq!(interpolant.point(path, &t)?, array![[1.25]]); // 1/2 + 4 · 3/16
///
/// let prediction = array![[1.0]];
/// let arguments = InterpolantArguments { prediction: &*prediction, x0: &*x0, x1: &*x1, noise: &*noise, t: &*t };
/// let (loss, gradient) = interpolant.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient), (-3.5, array![[-3.0]])); // the target is 2 + 4/2
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Albergo, Boffi and Vanden-Eijnden, 2023, eq. 2.13 to 2.19, [arXiv:2303.08797](https://arxiv.org/abs/2303.08797).
#[doc(alias = "flow matching")]
#[doc(alias = "rectified flow")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Interpolant {
    /// Amplitude of the noise. Default [`Gamma::Product`], which is smooth up to the ends.
    pub gamma: Gamma,
    /// What the model predicts. Default [`Field::Velocity`].
    pub field: Field,
}

impl SampleLoss<4, 1, 1, 0> for Interpolant {
    type Arguments<A, P> = InterpolantArguments<A, P>;
    type Gradient<A, P> = A;
    const SAMPLES: [&'static str; 4] = ["prediction", "x0", "x1", "noise"];
    const NUMBERS: [(&'static str, Domain); 1] = [("t", Domain::Unit)];

    fn check(&self) -> Result<()> {
        self.gamma.check()
    }

    fn form(&self, numbers: &[f64]) -> Result<Form, Fault> {
        let target = self.field.target(self.gamma, numbers[0])?;
        Ok(Form::Regression { coefficients: [-target.path, target.path, target.noise] })
    }
}

impl Interpolant {
    /// The point `x_t` of each sample, at which the model is to predict. At `t = 0` it is `x0` and at `t = 1` `x1`,
    /// exactly; what has the coefficient 0 is never read.
    ///
    /// # Errors
    ///
    /// As for the loss; no time in `[0, 1]` is refused.
    pub fn point<T: Real, D: Dimension>(
        &self,
        path: InterpolantPath<&ArrayRef<T, D>>,
        t: &ArrayRef1<T>,
    ) -> Result<Array<T, D>> {
        let arrays = [path.x0, path.x1, path.noise].map(|array| array.view().into_dyn());
        Ok(in_dimension(T::interpolant_point(self, &arrays, t.view())?))
    }

    /// [`Interpolant::point`], compiled here.
    pub(in crate::energy) fn compute_point<T: Real>(
        &self,
        arrays: &[ArrayViewD<'_, T>; 3],
        t: ArrayView1<'_, T>,
    ) -> Result<ArrayD<T>> {
        self.gamma.check()?;
        let Some(&samples) = arrays[0].shape().first() else { return Err(Error::no_axis("x0")) };
        check::shape("t", t.shape(), &[samples])?;
        let coefficients = |sample: usize, to: &mut [f64]| {
            let t = t[sample].as_f64();
            if !(0.0..=1.0).contains(&t) {
                let allowed = Domain::Unit.words();
                return Err(Error::Value { argument: "t", position: sample.into(), value: t, allowed });
            }
            to.copy_from_slice(&[1.0 - t, t, self.gamma.amplitude(t)]);
            Ok(())
        };
        let terms = Terms { names: &["x0", "x1", "noise"], arrays, domain: Domain::Finite };
        terms.sum(samples, &coefficients)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    fn path() -> [Array2<f64>; 4] {
        [array![[0.3, -1.2]], array![[1.1, -0.4]], array![[2.0, 0.5]], array![[-1.5, 0.25]]]
    }

    fn run(gamma: Gamma, field: Field, t: f64) -> Result<(f64, Array2<f64>)> {
        let ([prediction, x0, x1, noise], t) = (path(), array![t]);
        let arguments = InterpolantArguments { prediction: &*prediction, x0: &*x0, x1: &*x1, noise: &*noise, t: &*t };
        Interpolant { gamma, field }.grad(arguments, Reduction::Mean)
    }

    #[test]
    fn losses_and_slopes_are_those_of_fifty_digits() {
        let cases = [
            (Field::Velocity, 3.815_874_123_556_167, [3.881_748_247_112_334, -2.846_958_041_185_389]),
            (Field::Score, -0.380_898_033_750_315_46, [-1.991_796_067_500_631, -0.818_033_988_749_894_8]),
            (Field::Denoiser, 1.515, [1.8, -1.45]),
            (Field::PathVelocity, 1.575, [-0.6, -2.1]),
        ];
        for (field, loss, slopes) in cases {
            let (value, gradient) = run(Gamma::SineSquared, field, 0.3).unwrap();
            all_close([value], [loss], 5e-15);
            all_close(gradient, slopes, 5e-15);
        }
        let [_, x0, x1, noise] = path();
        let interpolant = Interpolant { gamma: Gamma::SineSquared, field: Field::Velocity };
        let point =
            |t: f64| interpolant.point(InterpolantPath { x0: &*x0, x1: &*x1, noise: &*noise }, &array![t]).unwrap();
        all_close(point(0.3), [0.388_237_254_218_789_4, 0.033_627_124_296_868_43], 5e-15);
        assert_eq!((point(0.0), point(1.0)), (x0.clone(), x1.clone()));
    }

    #[test]
    fn ends_are_limits_where_there_are_any() {
        for t in [0.0, 1.0] {
            let scores = [Gamma::Zero, Gamma::Root { a: 1.0 }, Gamma::Product, Gamma::SineSquared];
            for gamma in scores {
                let error = run(gamma, Field::Score, t).unwrap_err().to_string();
                assert_eq!(error, format!("`t`[0] is {t}, allowed is a time at which there is noise"));
                assert!(run(gamma, Field::Denoiser, t).is_ok() && run(gamma, Field::PathVelocity, t).is_ok());
            }
            let error = run(Gamma::Root { a: 1.0 }, Field::Velocity, t).unwrap_err().to_string();
            assert_eq!(error, format!("`t`[0] is {t}, allowed is (0, 1)"));
            assert!(run(Gamma::Product, Field::Velocity, t).is_ok());
        }
        let still = run(Gamma::Zero, Field::Velocity, 0.5).unwrap();
        assert_eq!(still, run(Gamma::Product, Field::PathVelocity, 0.5).unwrap());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |gamma, t| run(gamma, Field::Velocity, t).unwrap_err().to_string();
        assert_eq!(message(Gamma::Product, -0.5), "`t`[0] is -0.5, allowed is [0, 1]");
        assert_eq!(message(Gamma::Root { a: -1.0 }, 0.5), "`a` is -1, allowed is finite and > 0");
        let [_, x0, x1, noise] = path();
        let point = |t: Array1<f64>| {
            let path = InterpolantPath { x0: &*x0, x1: &*x1, noise: &*noise };
            Interpolant::default().point(path, &t).unwrap_err().to_string()
        };
        assert_eq!(point(array![]), "`t` has shape [0], expected [1]");
        assert_eq!(point(array![f64::NAN]), "`t`[0] is NaN, allowed is [0, 1]");
    }
}
