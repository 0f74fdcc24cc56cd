//! Relativistic average discriminators: each side against the mean of the other.

use ndarray::{Array1, ArrayRef1, ArrayView1, ArrayViewMut1};

use crate::ratio::{RatioLoss, RatioObjective, RatioOut, Samples, pass};
use crate::reduction::pairwise_of;
use crate::{Error, Real, Reduction, Result, SumCount, rowwise};

/// Relativistic average discriminator (RaGAN): any loss of a critic, of how far its output on a sample lies above its mean
/// over the samples of the other side.
///
/// ```math
/// L = \sum_i w_i\, \ell_{\text{real}}\bigl(c_i - \bar c_{\text{fake}}\bigr)
///     + \sum_j v_j\, \ell_{\text{fake}}\bigl(c_j - \bar c_{\text{real}}\bigr), \qquad
/// \bar c_{\text{real}} = \frac{\sum_i w_i c_i}{\sum_i w_i}
/// ```
///
/// `c` are raw outputs; `w` and `v` are the factors of the reductions (1, `1/n`, or weights), and the means take the same
/// weights. Gradients go through the means:
///
/// ```math
/// \frac{\partial L}{\partial c_i} = w_i\, \ell'_{\text{real}}(c_i - \bar c_{\text{fake}})
///     - \frac{w_i}{\sum w} \sum_j v_j\, \ell'_{\text{fake}}(c_j - \bar c_{\text{real}})
/// ```
///
/// With [`Ddo`](crate::ratio::Ddo)`::default()` it is RaSGAN, with [`LeastSquaresGan`](crate::ratio::LeastSquaresGan) and
/// targets -1 and 1 RaLSGAN, with [`HingeGan`](crate::ratio::HingeGan) RaHingeGAN; some code takes half of the sum. **The
/// generator's loss is the same with the sides exchanged**: give it `outputs.swapped()`, and swap the gradient back. A
/// constant added to all outputs changes nothing.
///
/// A relativistic GAN of *pairs* (RpGAN, R3GAN), `softplus(-(c_real - c_fake))`, is
/// [`BradleyTerry`](crate::preference::BradleyTerry) of the outputs. Of one real and one generated sample, this with
/// `Ddo { alpha: 1, beta }` is twice [`Dpo`](crate::preference::Dpo)`{ beta }` of their log-ratios.
///
/// It is a function of the whole batch: micro-batches do not combine, and `sum_count` is
/// [`NotSeparable`](Error::NotSeparable).
///
/// # Errors
///
/// Those of [`RatioObjective`], and [`Error::Value`] for an output that is not finite, [`Error::NothingToAverage`] for a
/// side without samples, or all of whose weights are 0, beside one that has some, [`Error::Overflow`] for a difference
/// beyond the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::ratio::Relativistic;
/// let loss = Relativistic { loss: Ddo::default() };
/// let outputs = Samples { real: aview1(&[2.0_f64]), fake: aview1(&[1.0]) };
/// let (value, slopes) = loss.grad(outputs, Samples::both(Reduction::Mean))?;
/// assert!((value - 0.626_523_375).abs() < 1e-9); // 2 softplus(-1)
/// assert_eq!(slopes.real[0], -slopes.fake[0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Jolicoeur-Martineau, ICLR 2019, [arXiv:1807.00734](https://arxiv.org/abs/1807.00734); pairs: Huang et al. (R3GAN),
/// NeurIPS 2024, [arXiv:2501.05441](https://arxiv.org/abs/2501.05441).
#[doc(alias = "RaGAN")]
#[doc(alias = "RpGAN")]
#[doc(alias = "R3GAN")]
#[doc(alias = "relativistic GAN")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Relativistic<L> {
    /// The loss of the differences.
    pub loss: L,
}

impl<T: Real, L: RatioLoss> RatioObjective<T> for Relativistic<L> {
    fn validate(&self) -> Result<()> {
        self.loss.check()
    }

    fn run(
        &self,
        ratios: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        out: Samples<RatioOut<'_, T>>,
    ) -> Result<Samples<f64>> {
        T::run_relativistic(&self.loss, ratios, reductions, out)
    }

    /// There is none: the loss is a function of the whole batch.
    fn sum_count(&self, _: Samples<ArrayView1<'_, T>>) -> Result<Samples<SumCount>> {
        Err(Error::NotSeparable { objective: "Relativistic", what: "sum and count" })
    }
}

/// [`RatioObjective::run`] of a relativistic loss.
pub(in crate::ratio) fn run<T: Real>(
    loss: &dyn RatioLoss,
    outputs: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
    mut out: Samples<RatioOut<'_, T>>,
) -> Result<Samples<f64>> {
    if outputs.real.is_empty() && outputs.fake.is_empty() {
        return pass::run(loss, outputs, reductions, out);
    }
    reductions.real.check_as("weights.real", outputs.real.shape())?;
    reductions.fake.check_as("weights.fake", outputs.fake.shape())?;
    let shares = Samples {
        real: Shares::new("real", outputs.real, reductions.real)?,
        fake: Shares::new("fake", outputs.fake, reductions.fake)?,
    };
    let above = Samples {
        real: shares.real.above("real", outputs.real, shares.fake.mean)?,
        fake: shares.fake.above("fake", outputs.fake, shares.real.mean)?,
    };
    let ratios = Samples { real: above.real.view(), fake: above.fake.view() };
    let again = Samples { real: reborrow(&mut out.real), fake: reborrow(&mut out.fake) };
    let sides = pass::run(loss, ratios, reductions, again)?;
    if let Samples { real: RatioOut::Grad(real), fake: RatioOut::Grad(fake) } = &mut out {
        let pulls = Samples { real: total(real), fake: total(fake) };
        shares.real.subtract(pulls.fake, real);
        shares.fake.subtract(pulls.real, fake);
    }
    Ok(sides)
}

/// The same place, for a shorter time.
fn reborrow<'s, T>(out: &'s mut RatioOut<'_, T>) -> RatioOut<'s, T> {
    match out {
        RatioOut::Nothing => RatioOut::Nothing,
        RatioOut::Each(each) => RatioOut::Each(each.view_mut()),
        RatioOut::Grad(grad) => RatioOut::Grad(grad.view_mut()),
    }
}

/// The sum of the slopes of a side.
fn total<T: Real>(slopes: &ArrayViewMut1<'_, T>) -> f64 {
    pairwise_of(slopes.iter().map(|slope| slope.as_f64()))
}

/// The share of each output in the mean of its side, and the mean.
struct Shares {
    /// By output; 0 where its weight is.
    shares: Vec<f64>,
    mean: f64,
}

impl Shares {
    fn new<T: Real>(name: &'static str, outputs: ArrayView1<'_, T>, reduction: Reduction<'_, T>) -> Result<Self> {
        let shares = match reduction {
            Reduction::Weighted(weights) => proportions(weights),
            _ => vec![1.0 / outputs.len() as f64; outputs.len()],
        };
        if shares.is_empty() {
            return Err(Error::NothingToAverage { argument: name });
        }
        let part = |(&share, output): (&f64, &T)| if share == 0.0 { 0.0 } else { share * output.as_f64() };
        let mean = pairwise_of(shares.iter().zip(&outputs).map(part));
        let is_wrong = |(share, output): (&f64, &T)| *share != 0.0 && !output.is_finite();
        match if mean.is_finite() { None } else { shares.iter().zip(&outputs).position(is_wrong) } {
            None => Ok(Self { shares, mean }),
            Some(at) => {
                let value = outputs[at].as_f64();
                Err(Error::Value { argument: name, position: at.into(), value, allowed: "finite" })
            }
        }
    }

    /// How far each output lies above a mean of the other side.
    fn above<T: Real>(&self, name: &'static str, outputs: ArrayView1<'_, T>, mean: f64) -> Result<Array1<T>> {
        let mut above = vec![T::zero(); outputs.len()];
        rowwise::copy(outputs, &mut above);
        for (x, &share) in above.iter_mut().zip(&self.shares) {
            *x = if share == 0.0 { T::zero() } else { T::from_f64(x.as_f64() - mean) };
        }
        match above.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::overflow::<T>(name, at)),
            None => Ok(above.into()),
        }
    }

    /// What the mean of this side adds to its slopes, where the slopes of the other side sum to `pull`.
    fn subtract<T: Real>(&self, pull: f64, slopes: &mut ArrayViewMut1<'_, T>) {
        for (slope, share) in slopes.iter_mut().zip(&self.shares) {
            *slope = T::from_f64(slope.as_f64() - share * pull);
        }
    }
}

/// Weights over their sum; nothing where all are 0.
fn proportions<T: Real>(weights: &ArrayRef1<T>) -> Vec<f64> {
    let largest = weights.iter().fold(0.0, |max: f64, weight| max.max(weight.as_f64()));
    if largest == 0.0 {
        return vec![];
    }
    let relative = || weights.iter().map(|weight| weight.as_f64() / largest);
    let total = pairwise_of(relative());
    relative().map(|weight| weight / total).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::ratio::{Ddo, HingeGan, LeastSquaresGan};
    use crate::testing::{all_close, close};

    const LOGISTIC: Relativistic<Ddo> = Relativistic { loss: Ddo { alpha: 1.0, beta: 1.0 } };

    /// scripts/discriminator_reference.py.
    #[test]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        let outputs = Samples { real: aview1(&[1.5, -0.25]), fake: aview1(&[0.5, -2.0, 0.75]) };
        let (loss, slopes) = LOGISTIC.grad(outputs, Samples::both(Reduction::Mean)).unwrap();
        close(loss, 0.913_397_088_925_453_5, 1e-15);
        all_close(slopes.real, [-0.251_948_047_539_116_26, -0.427_924_448_523_271_5], 1e-14);
        all_close(slopes.fake, [0.264_271_408_547_363_8, 0.130_523_430_051_824_62, 0.285_077_657_463_200_35], 1e-14);
        let each = LOGISTIC.each(outputs).unwrap();
        close(each.real.mean().unwrap() + each.fake.mean().unwrap(), loss, 1e-15);
    }

    #[test]
    fn the_gradient_is_the_central_difference_under_every_reduction() {
        let (real, fake) = (array![1.5, -0.25, 4.0, 0.1], array![0.5, -2.0, 0.75]);
        let (w, v) = (array![0.5, 2.0, 0.0, 1.0], array![1.0, 0.25, 3.0]);
        let weighted = Samples { real: Reduction::Weighted(&w), fake: Reduction::Weighted(&v) };
        let least = Relativistic { loss: LeastSquaresGan::default() };
        for reductions in [Samples::both(Reduction::Sum), Samples::both(Reduction::Mean), weighted] {
            for loss in [&LOGISTIC as &dyn RatioObjective<f64>, &least, &Relativistic { loss: HingeGan }] {
                let value = |real: &Array1<f64>, fake: &Array1<f64>| {
                    loss.value(Samples { real: real.view(), fake: fake.view() }, reductions).unwrap()
                };
                let (_, slopes) = loss.grad(Samples { real: real.view(), fake: fake.view() }, reductions).unwrap();
                let moved = |side: &Array1<f64>, i: usize, step: f64| {
                    let mut side = side.clone();
                    side[i] += step;
                    side
                };
                for i in 0..4 {
                    let difference = value(&moved(&real, i, 1e-5), &fake) - value(&moved(&real, i, -1e-5), &fake);
                    assert!((slopes.real[i] - difference / 2e-5).abs() < 1e-8, "real {i}");
                }
                for i in 0..3 {
                    let difference = value(&real, &moved(&fake, i, 1e-5)) - value(&real, &moved(&fake, i, -1e-5));
                    assert!((slopes.fake[i] - difference / 2e-5).abs() < 1e-8, "fake {i}");
                }
            }
        }
    }

    #[test]
    fn an_output_of_weight_zero_is_not_in_the_mean() {
        let weights = array![0.0, 2.0];
        let reductions = Samples { real: Reduction::Weighted(&weights), fake: Reduction::Sum };
        let outputs = Samples { real: aview1(&[f64::NAN, 1.0]), fake: aview1(&[0.5]) };
        let (loss, slopes) = LOGISTIC.grad(outputs, reductions).unwrap();
        let two = array![2.0];
        let rest = Samples { real: aview1(&[1.0]), fake: aview1(&[0.5]) };
        let reductions = Samples { real: Reduction::Weighted(&two), fake: Reduction::Sum };
        let (expected, kept) = LOGISTIC.grad(rest, reductions).unwrap();
        assert_eq!((loss, slopes.real, slopes.fake), (expected, array![0.0, kept.real[0]], kept.fake));
    }

    #[test]
    fn bad_input_is_named() {
        let message = |real: &[f64], fake: &[f64]| {
            let outputs = Samples { real: aview1(real), fake: aview1(fake) };
            let error = LOGISTIC.value(outputs, Samples::both(Reduction::Sum)).unwrap_err().to_string();
            assert_eq!(LOGISTIC.grad(outputs, Samples::both(Reduction::Sum)).unwrap_err().to_string(), error);
            error
        };
        assert_eq!(message(&[0.0], &[0.0, f64::INFINITY]), "`fake`[1] is inf, allowed is finite");
        assert_eq!(message(&[0.0, f64::NAN], &[0.0]), "`real`[1] is NaN, allowed is finite");
        assert_eq!(message(&[], &[0.0]), "`real` holds nothing to average over");
        assert_eq!(message(&[1.7e308], &[-1.7e308]), "the result at `real`[0] overflows f64");
        let none = Samples::both(aview1(&[] as &[f64]));
        assert_eq!(LOGISTIC.value(none, Samples::both(Reduction::Sum)), Ok(0.0));
        let error = LOGISTIC.value(none, Samples::both(Reduction::Mean)).unwrap_err().to_string();
        assert_eq!(error, "`real` holds nothing to average over");
        let error = LOGISTIC.sum_count(none).unwrap_err().to_string();
        assert_eq!(error, "Relativistic is a function of the whole batch: it has no sum and count");
        let zeros = array![0.0];
        let reductions = Samples { real: Reduction::Weighted(&zeros), fake: Reduction::Sum };
        let error = LOGISTIC.value(Samples::both(aview1(&[1.0])), reductions).unwrap_err().to_string();
        assert_eq!(error, "`real` holds nothing to average over");
    }
}
