//! What a generator minimizes against a discriminator.

use ndarray::{Array1, ArrayRef1};

use crate::error::Position;
use crate::ratio::{RatioLoss, RatioOut};
use crate::reduction::to_real;
use crate::{Real, Reduction, Result};

/// Loss of the generator of a generative adversarial network (GAN), made of the loss of its discriminator.
///
/// ```math
/// L = \mathbb{E}_{x \sim q}\, \ell_{\text{real}}(c(x)) \quad \text{or} \quad L = -\mathbb{E}_{x \sim q}\, \ell_{\text{fake}}(c(x))
/// ```
///
/// `c` is the discriminator's raw output (a logit, a log-ratio, a critic's value) on generated samples, `[m]`; gradients are
/// in it, and go back through the discriminator into the samples by your model. `ℓ` are the two sides of the
/// discriminator's [`RatioLoss`]: any struct of this room, or your own. [`Pull`] says which form is taken.
///
/// | discriminator | the usual loss of the generator | by |
/// |---|---|---|
/// | [`Ddo`](crate::ratio::Ddo), at `α = β = 1` the logistic one | `softplus(-c)`, non-saturating | [`Ddo::generator`](crate::ratio::Ddo::generator) |
/// | the same | `-softplus(c)`, saturating | [`Pull::Saturating`] |
/// | [`LeastSquaresGan`](crate::ratio::LeastSquaresGan) | `½ (c - t)²` | [`LeastSquaresGan::generator`](crate::ratio::LeastSquaresGan::generator) |
/// | [`HingeGan`](crate::ratio::HingeGan) | `-c` | [`HingeGan::generator`](crate::ratio::HingeGan::generator) |
/// | [`WassersteinGan`](crate::ratio::WassersteinGan) | `-c`, by either form | [`WassersteinGan::generator`](crate::ratio::WassersteinGan::generator) |
/// | [`FGan`](super::FGan) | `-f*(T)` (saturating) or `-T` | [`Pull`] |
/// | [`Relativistic`](crate::ratio::Relativistic) | the same loss with its sides exchanged | [`Samples::swapped`](crate::ratio::Samples::swapped) |
///
/// Against the optimal logistic discriminator `c = ln(data / q)` the saturating form is, up to a constant, the mean of a
/// Jensen-Shannon divergence to be reduced; the form `-c` has the gradient of `KL(q ‖ data)`.
///
/// # Errors
///
/// Of every method: those of a [`RatioObjective`](crate::ratio::RatioObjective), for the argument `fake`, the weights of the
/// reduction and the output `out`. A mean over no samples is [`NothingToAverage`](crate::Error::NothingToAverage), a sum 0.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{GeneratorLoss, Pull};
/// let logits = array![0.0_f64, -30.0];
/// let (loss, slopes) = Ddo::default().generator().grad(&logits, Reduction::Sum)?;
/// assert!((loss - (30.0 + std::f64::consts::LN_2)).abs() < 1e-12);
/// assert!((slopes[1] + 1.0).abs() < 1e-12); // what the discriminator sees through still has a gradient
/// let saturating = GeneratorLoss { discriminator: Ddo::default(), pull: Pull::Saturating };
/// assert!(saturating.grad(&logits, Reduction::Sum)?.1[1].abs() < 1e-12); // and here none
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Goodfellow et al., NeurIPS 2014, section 3, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661).
#[doc(alias = "GAN")]
#[doc(alias = "non-saturating loss")]
#[doc(alias = "minimax loss")]
#[doc(alias = "adversarial loss")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct GeneratorLoss<L> {
    /// The discriminator that the generator is trained against.
    pub discriminator: L,
    /// Which of its two sides the generator takes.
    pub pull: Pull,
}

/// Which side of the discriminator's loss a generator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Pull {
    /// The loss of real samples, taken at generated ones: the discriminator should take them for real. Where the
    /// discriminator rejects a sample with certainty the gradient does not vanish.
    NonSaturating,
    /// Minus the loss of generated samples: generator and discriminator then play one minimax game. Where the
    /// discriminator rejects a sample with certainty the gradient vanishes.
    Saturating,
}

impl<L: RatioLoss> GeneratorLoss<L> {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`GeneratorLoss`].
    pub fn value<T: Real>(&self, fake: &ArrayRef1<T>, reduction: Reduction<'_, T>) -> Result<T> {
        self.run(fake, reduction, RatioOut::Nothing)
    }

    /// The loss of each sample.
    ///
    /// # Errors
    ///
    /// See [`GeneratorLoss`].
    pub fn each<T: Real>(&self, fake: &ArrayRef1<T>) -> Result<Array1<T>> {
        let mut each = Array1::zeros(fake.len());
        self.run(fake, Reduction::Sum, RatioOut::Each(each.view_mut()))?;
        Ok(each)
    }

    /// The reduced loss, and its derivative by the output on each sample.
    ///
    /// # Errors
    ///
    /// See [`GeneratorLoss`].
    pub fn grad<T: Real>(&self, fake: &ArrayRef1<T>, reduction: Reduction<'_, T>) -> Result<(T, Array1<T>)> {
        let mut gradient = Array1::zeros(fake.len());
        let loss = self.grad_into(fake, reduction, &mut gradient)?;
        Ok((loss, gradient))
    }

    /// The reduced loss; its derivatives are written to `out`.
    ///
    /// # Errors
    ///
    /// See [`GeneratorLoss`].
    pub fn grad_into<T: Real>(
        &self,
        fake: &ArrayRef1<T>,
        reduction: Reduction<'_, T>,
        out: &mut ArrayRef1<T>,
    ) -> Result<T> {
        self.run(fake, reduction, RatioOut::Grad(out.view_mut()))
    }

    fn run<T: Real>(&self, fake: &ArrayRef1<T>, reduction: Reduction<'_, T>, out: RatioOut<'_, T>) -> Result<T> {
        let loss = T::run_generator(&self.discriminator, self.pull, fake.view(), reduction, out)?;
        to_real(loss, "fake", Position::default())
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::{array, s};

    use super::*;
    use crate::math::{sigmoid, softplus};
    use crate::ratio::Ddo;
    use crate::testing::{all_close, close};

    const INF: f64 = f64::INFINITY;

    fn saturating(alpha: f64, beta: f64) -> GeneratorLoss<Ddo> {
        GeneratorLoss { discriminator: Ddo { alpha, beta }, pull: Pull::Saturating }
    }

    #[test]
    fn a_generator_takes_the_real_side_or_minus_the_fake_one() {
        let outputs = [-1e3, -40.0, -0.5, 0.0, 2.0, 1e3];
        let fake = Array1::from_iter(outputs);
        let (value, slopes) = Ddo { alpha: 3.0, beta: 0.5 }.generator().grad(&fake, Reduction::Sum).unwrap();
        close(value, outputs.iter().map(|c| softplus::<f64, false>(-0.5 * c)).sum(), 1e-15);
        all_close(slopes, outputs.map(|c| -0.5 * sigmoid::<f64, false>(-0.5 * c)), 1e-15);
        let (value, slopes) = saturating(3.0, 0.5).grad(&fake, Reduction::Sum).unwrap();
        close(value, outputs.iter().map(|c| -3.0 * softplus::<f64, false>(0.5 * c)).sum(), 1e-15);
        all_close(slopes, outputs.map(|c| -1.5 * sigmoid::<f64, false>(0.5 * c)), 1e-15);
        let each = saturating(3.0, 0.5).each(&fake).unwrap();
        all_close(each, outputs.map(|c| -3.0 * softplus::<f64, false>(0.5 * c)), 1e-15);
    }

    #[test]
    fn reductions_and_layouts_are_those_of_the_room() {
        let outputs = Array1::from_shape_fn(70_001, |i| 9.0 * (i as f64).sin());
        let strided = outputs.slice(s![..;-3]);
        let (packed, weights) = (strided.to_owned(), strided.mapv(f64::abs));
        for loss in [Ddo::default().generator(), saturating(1.0, 1.0)] {
            let each = loss.each(&packed).unwrap();
            close(loss.value(&packed, Reduction::Mean).unwrap(), each.mean().unwrap(), 1e-13);
            close(loss.value(&packed, Reduction::Weighted(&weights)).unwrap(), each.dot(&weights), 1e-13);
            assert_eq!(loss.grad(&strided, Reduction::Mean), loss.grad(&packed, Reduction::Mean));
        }
    }

    #[test]
    fn infinite_outputs_have_their_limits() {
        let (value, slopes) = Ddo::default().generator().grad(&array![-INF, INF], Reduction::Sum).unwrap();
        assert_eq!((value, slopes), (INF, array![-1.0, 0.0]));
        let (value, slopes) = saturating(1.0, 1.0).grad(&array![-INF, INF], Reduction::Sum).unwrap();
        assert_eq!((value, slopes), (-INF, array![0.0, -1.0]));
    }

    #[test]
    fn bad_input_is_named() {
        let loss = Ddo::default().generator();
        let message = |fake: &Array1<f64>, reduction| loss.grad(fake, reduction).unwrap_err().to_string();
        assert_eq!(message(&array![0.0, f64::NAN], Reduction::Sum), "`fake`[1] is NaN, allowed is not NaN");
        let weights = array![-1.0];
        assert_eq!(
            message(&array![0.0], Reduction::Weighted(&weights)),
            "`weights`[0] is -1, allowed is finite and >= 0"
        );
        assert_eq!(message(&array![], Reduction::Mean), "`fake` holds nothing to average over");
        assert_eq!(loss.value(&array![] as &Array1<f64>, Reduction::Sum), Ok(0.0));
        let error = loss.grad_into(&array![0.0], Reduction::Sum, &mut array![0.0, 0.0]).unwrap_err().to_string();
        assert_eq!(error, "`out` has shape [2], expected [1]");
        let error = saturating(0.0, 1.0).value(&array![0.0], Reduction::Sum).unwrap_err().to_string();
        assert_eq!(error, "`alpha` is 0, allowed is finite and > 0");
        assert_eq!(loss.value(&array![0.0], Reduction::Sum), Ok(LN_2));
    }
}
