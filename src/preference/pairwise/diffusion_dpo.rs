//! Diffusion-DPO: DPO for models that have denoising errors instead of log-probabilities.

use crate::preference::logistic::{logistic, scaled};
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Diffusion direct preference optimization (Diffusion-DPO): the logistic loss of how much more the policy's denoising
/// errors fell on the preferred sample than on the other one.
///
/// ```math
/// L_i = \operatorname{softplus}\Big(\frac{\beta}{2}\big[(e_i^w - \tilde e_i^w) - (e_i^l - \tilde e_i^l)\big]\Big)
/// ```
///
/// In place of log-probabilities the batch holds squared denoising errors, of the policy (`e`) and of the reference
/// (`ẽ`), each the mean over all latent dimensions, at one time step and one noise for the pair. The gradient
/// `±β/2 σ(..)` is with respect to the policy's errors, and positive on the preferred side. With errors summed over `D`
/// dimensions, `β` is smaller by `D`. [`Dpo`](crate::preference::Dpo) of `-e/2` is the same; of two samples it bounds the DPO
/// loss of the whole chain from above.
///
/// `L = ln 2` where both models agree.
///
/// **The sign.** This objective takes errors as they are, positive;
/// [`FlexDpo::pso_offline`](crate::preference::FlexDpo::pso_offline), the other objective for diffusion models, takes
/// **minus** weighted errors, as log-probabilities. Metrics come from
/// [`diffusion_metrics`](crate::preference::diffusion_metrics), not from
/// [`pair_metrics`](crate::preference::pair_metrics). An error is no log-ratio, so no divergence applies to it, and a
/// [`Linked`](crate::preference::Linked) does not take it:
///
/// ```compile_fail
/// # use loglik::{prelude::*, preference::PairLoss};
/// # use loglik::preference::{DiffusionDpo, JensenShannonLink};
/// Linked { loss: DiffusionDpo::default(), link: JensenShannonLink }.needs();
/// ```
///
/// # Errors
///
/// `beta` out of range; a batch without reference; an error of +inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::DiffusionDpo;
/// let errors = PairBatch::new(Pairs { chosen: aview1(&[0.0998_f64]), rejected: aview1(&[0.1101]) })
///     .reference(Pairs { chosen: aview1(&[0.10]), rejected: aview1(&[0.11]) });
/// let (loss, gradient) = DiffusionDpo { beta: 5000.0 }.grad(errors, Reduction::Mean)?;
/// assert!((loss - 0.386_871_006).abs() < 1e-9);
/// assert!((gradient.chosen[0] - 802.0531).abs() < 1e-3);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wallace et al., CVPR 2024, eq. 14, [arXiv:2311.12908](https://arxiv.org/abs/2311.12908).
#[doc(alias = "Diffusion-DPO")]
#[doc(alias = "diffusion direct preference optimization")]
#[doc(alias = "denoising error")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DiffusionDpo {
    /// Strength of the pull towards the reference, `> 0`, for errors that are means. Default 5000 (the authors' code; the
    /// paper explores 2000 to 5000).
    pub beta: f64,
}

impl Default for DiffusionDpo {
    fn default() -> Self {
        Self { beta: 5000.0 }
    }
}

impl PairLoss for DiffusionDpo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let scale = T::from_f64(-0.5 * self.beta);
        let changes = row.log_ratios();
        let (loss, slope) = scaled(scale, logistic::<T, FMA>(scale * (changes.chosen - changes.rejected)));
        (loss, Pairs { chosen: slope, rejected: -slope })
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &DiffusionDpo { beta: 2048.0 },
            &[
                (ratios(0.0, 0.0), [LN_2, 512.0, -512.0]),
                (ratios(9.765_625e-4, 0.0), [1.313_261_687_518_222_8, 748.603_984_517_125, -748.603_984_517_125]),
                (ratios(0.0, 9.765_625e-4), [0.313_261_687_518_222_8, 275.396_015_482_875, -275.396_015_482_875]),
                (ratios(0.5, 0.0), [512.0, 1024.0, -1024.0]),
                (
                    ratios(0.0, 0.0625),
                    [1.603_810_890_548_638e-28, 1.642_302_351_921_805_2e-25, -1.642_302_351_921_805_2e-25],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [ratios(0.5, 2.0), ratios(2.0, 0.25), ratios(1.0, 1.0)];
        slopes_agree_with_differences(&DiffusionDpo { beta: 2.0 }, &rows);
    }

    #[test]
    fn agreement_costs_ln_two_and_swapping_adds_the_margin() {
        let diffusion = DiffusionDpo { beta: 64.0 };
        assert_eq!(at::<f64>(&diffusion, ratios(0.0, 0.0)), Ok([LN_2, 16.0, -16.0]));
        let [loss, ..] = at::<f64>(&diffusion, ratios(0.25, 0.125)).unwrap();
        let [swapped, ..] = at::<f64>(&diffusion, ratios(0.125, 0.25)).unwrap();
        assert!((loss - swapped - 4.0).abs() < 1e-14); // β/2 · 0.125
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        assert_eq!(refusal(&DiffusionDpo { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
        let message = refusal(&DiffusionDpo::default(), ratios(f64::INFINITY, 0.1));
        assert_eq!(message, "`policy.chosen`[0] is inf, allowed is finite or -inf");
    }
}
