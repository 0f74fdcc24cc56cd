//! Pairwise sample optimization (PSO), online: DPO with clipped ratios.

use crate::preference::logistic::{clipped, logistic};
use crate::preference::{Length, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Pairwise sample optimization (PSO), online: the logistic loss of the margin of clipped ratios of the policy to the
/// model that generated the samples.
///
/// ```math
/// L_i = \operatorname{softplus}\big(-\beta\,[c(\lambda_i^w) - c(\lambda_i^l)]\big), \qquad
/// c(\lambda) = \ln\operatorname{clip}(e^\lambda,\ 1-\epsilon,\ 1+\epsilon), \quad
/// \lambda_i = \frac{\log\pi_i - \log\rho_i}{n_i}
/// ```
///
/// Made for the transitions of a few-step diffusion sampler, whose log-densities are averaged over dimensions: `n` is
/// the number of dimensions ([`Length::Mean`]), or 1 where the averages are given ([`Length::Sum`]). The reference is
/// the model that the samples are from. The gradient `∓β σ(-z) / n` of a side is 0 outside its clip, whose bounds count
/// as inside. This holds at both ends: unlike in PPO, a ratio that is already on the wrong side has no gradient. The
/// loss lies between the values at `±β ln((1+ε)/(1-ε))`. A pair of equal rewards has the weight 0 (the authors: `ln 2`,
/// no gradient).
///
/// A log-probability of -inf is clipped. The offline form is [`FlexDpo::pso_offline`](crate::preference::FlexDpo).
///
/// # Errors
///
/// `beta` or `epsilon` out of range; a batch without reference, or without lengths for [`Length::Mean`]; policy and
/// reference both at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Pso;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-0.98_f64]), rejected: aview1(&[-1.03]) })
///     .reference(Pairs { chosen: aview1(&[-1.0]), rejected: aview1(&[-1.0]) });
/// let loss = Pso { beta: 50.0, epsilon: 0.1, length: Length::Sum }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.078_889_734).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Miao et al., ICLR 2025, [arXiv:2410.03190](https://arxiv.org/abs/2410.03190).
#[doc(alias = "pairwise sample optimization")]
#[doc(alias = "clipped ratio")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Pso {
    /// Scale of the clipped log-ratios, `> 0`. The authors take 50.
    pub beta: f64,
    /// How far a ratio may be from 1, in `(0, 1)`. The authors take 0.1.
    pub epsilon: f64,
    /// Whether log-ratios are used as given, or divided by the lengths.
    pub length: Length,
}

impl PairLoss for Pso {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::parameter("epsilon", self.epsilon, "(0, 1)", self.epsilon > 0.0 && self.epsilon < 1.0)?;
        Ok(Needs { reference: true, lengths: self.length == Length::Mean, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let beta = T::from_f64(self.beta);
        let low = T::from_f64(math::ln_1p::<f64, FMA>(-self.epsilon));
        let high = T::from_f64(math::ln_1p::<f64, FMA>(self.epsilon));
        // The ratio within its bounds, and its slope in the log-probability.
        let clip = |policy: T, reference: T, length: T| {
            let (ratio, slope) = match self.length {
                Length::Sum => (policy - reference, T::one()),
                Length::Mean => ((policy - reference) / length, length.recip()),
            };
            let within = clipped(ratio, low, high);
            (within, if within == ratio { slope } else { T::zero() })
        };
        let (w, by_chosen) = clip(row.policy.chosen, row.reference.chosen, row.lengths.chosen);
        let (l, by_rejected) = clip(row.policy.rejected, row.reference.rejected, row.lengths.rejected);
        let (loss, slope) = logistic::<T, FMA>(beta * (w - l));
        let slope = beta * slope;
        (loss, Pairs { chosen: slope * by_chosen, rejected: -(slope * by_rejected) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};
    use crate::testing::close;

    const PSO: Pso = Pso { beta: 50.0, epsilon: 0.1, length: Length::Sum };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &Pso { beta: 16.0, epsilon: 0.25, length: Length::Sum },
            &[
                (ratios(0.125, -0.0625), [0.048_587_351_573_742_06, -0.758_813_970_841_068_5, 0.758_813_970_841_068_5]),
                (ratios(-0.25, 0.125), [6.002_475_685_137_73, -15.960_438_029_493_844, 15.960_438_029_493_844]),
                (ratios(0.25, 0.125), [0.188_952_390_259_730_93, 0.0, 2.754_785_306_664_046]),
                (ratios(0.125, -0.5), [0.001_355_491_741_464_854_7, -0.021_673_175_639_694_01, 0.0]),
                (ratios(1.0, -1.0), [2.820_712_049_225_53e-4, 0.0, 0.0]),
                (ratios(-1000.0, 0.0), [4.612_885_861_868_659, 0.0, 15.841_229_757_833_675]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let mut long = ratios(-0.5, 2.0);
        long.lengths = Pairs { chosen: 8.0, rejected: 64.0 };
        let pso = Pso { beta: 2.0, epsilon: 0.5, length: Length::Mean };
        slopes_agree_with_differences(&pso, &[ratios(0.25, -0.125), ratios(3.0, 0.125), ratios(-2.0, 4.0), long]);
    }

    #[test]
    fn the_loss_is_bounded_and_flat_beyond_either_end() {
        let worst = at::<f64>(&PSO, ratios(-1e3, 1e3)).unwrap();
        close(worst[0], 10.033_578_674_842_25, 1e-13);
        assert_eq!((worst[1], worst[2]), (0.0, 0.0));
        let best = at::<f64>(&PSO, ratios(1e3, f64::NEG_INFINITY)).unwrap();
        close(best[0], 4.390_173_469_131_84e-5, 1e-11);
        // One side clipped: the other still counts.
        let [_, chosen, rejected] = at::<f64>(&PSO, ratios(0.02, -3.0)).unwrap();
        assert!(chosen < 0.0 && rejected == 0.0);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |pso: Pso| refusal(&pso, ratios(0.0, 0.0));
        assert_eq!(message(Pso { beta: 0.0, ..PSO }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(Pso { epsilon: 1.0, ..PSO }), "`epsilon` is 1, allowed is (0, 1)");
        let mut row = ratios(f64::NEG_INFINITY, 0.0);
        row.reference.chosen = f64::NEG_INFINITY;
        assert!(refusal(&PSO, row).starts_with("`policy.chosen`[0] is -inf"));
    }
}
