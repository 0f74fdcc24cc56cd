//! Noise-contrastive alignment of a pair (NCA).

use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// Noise-contrastive alignment (NCA) of a pair: it contrasts both responses with the reference. The chosen response
/// counts as data; both responses count as noise.
///
/// ```math
/// L_i = \operatorname{softplus}(-u_i) + \tfrac12 \operatorname{softplus}(u_i) + \tfrac12 \operatorname{softplus}(v_i),
/// \qquad u = \beta (\log\pi^w - \log\rho^w), \quad v = \beta (\log\pi^l - \log\rho^l)
/// ```
///
/// `π` is the policy, `ρ` the reference, `w` the chosen and `l` the rejected response; log-probabilities are sums. The
/// slope in `u` is `3/2 σ(u) - 1`, that in `v` `1/2 σ(v)`.
///
/// It looks at both log-ratios and not at the margin alone: the chosen one has its optimum at `u = ln 2`, where its
/// likelihood is above that of the reference, so that it does not fall with the rejected one. The loss is at least
/// `ln(3 √3 / 2)`, there and at `v = -inf`, and `2 ln 2` where policy and reference agree.
///
/// InfoNCA of a pair is [`Dpo`](crate::preference::Dpo); without the halves it is
/// [`BcoPair`](crate::preference::BcoPair) with `delta` 0. Peers agree.
///
/// Each log-probability of -inf is the exact limit: of the chosen response +inf with gradient `-β`, of the rejected one a
/// finite loss with gradient 0.
///
/// # Errors
///
/// `beta` out of range; a batch without reference.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::NcaPair;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let (loss, gradient) = NcaPair::default().grad(batch, Reduction::Mean)?;
/// assert!((loss - 1.355_864_542).abs() < 1e-9);
/// assert!((gradient.chosen[0] + 0.023_125_391).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chen et al., NeurIPS 2024, [arXiv:2402.05369](https://arxiv.org/abs/2402.05369).
#[doc(alias = "NCA")]
#[doc(alias = "nca_pair")]
#[doc(alias = "noise-contrastive alignment")]
#[doc(alias = "noise contrastive alignment")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct NcaPair {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger; the authors' code 0.01).
    pub beta: f64,
}

impl Default for NcaPair {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for NcaPair {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, half) = (T::from_f64(self.beta), T::from_f64(0.5));
        let Pairs { chosen: u, rejected: v } = row.log_ratios().map(|ratio| beta * ratio);
        let noise = math::softplus::<T, FMA>(u) + math::softplus::<T, FMA>(v);
        let slope = Pairs {
            chosen: beta * (half * math::sigmoid::<T, FMA>(u) - math::sigmoid::<T, FMA>(-u)),
            rejected: beta * (half * math::sigmoid::<T, FMA>(v)),
        };
        (math::softplus::<T, FMA>(-u) + half * noise, slope)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};
    use crate::testing::close;

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &NcaPair::default(),
            &[
                (ratios(2.5, 1.75), [1.381_144_345_149_788_7, -0.015_673_524_867_130_285, 0.027_181_934_361_853_944]),
                (ratios(-3.0, 4.0), [1.588_040_492_902_767, -0.036_166_377_521_748_85, 0.029_934_383_005_622_6]),
                (ratios(300.0, -300.0), [15.000_000_000_000_188, 0.049_999_999_999_985_965, 4.678_811_484_419_642e-15]),
                (ratios(-1000.0, 1000.0), [150.0, -0.1, 0.05]),
                (ratios(1e-8, -1e-8), [1.386_294_360_619_890_5, -0.024_999_999_962_500_002, 0.024_999_999_987_5]),
                (ratios(30.0, -70.0), [1.573_336_760_587_500_4, 0.042_886_119_023_364_984, 4.555_255_972_003_225e-05]),
            ],
        );
        is_exact(
            &NcaPair::default(),
            &three([
                [1.355_864_542_433_327, -0.023_125_390_527_368_447, 0.024_062_939_206_073_237],
                [1.452_698_070_634_338_2, -0.029_681_406_006_063_44, 0.026_560_468_668_687_814],
                [1.262_943_197_884_274_4, -0.019_385_523_198_437_567, 0.020_065_616_994_377_4],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&NcaPair { beta: 0.3 });
    }

    #[test]
    fn the_chosen_response_has_a_finite_optimum() {
        let nca = NcaPair { beta: 0.25 };
        let [loss, by_chosen, _] = at::<f64>(&nca, ratios(LN_2 / 0.25, -1e4)).unwrap();
        close(loss, (1.5 * 3.0_f64.sqrt()).ln(), 1e-15);
        assert!(by_chosen.abs() < 1e-16);
    }

    #[test]
    fn agreement_costs_two_ln_two() {
        assert_eq!(at::<f64>(&NcaPair { beta: 0.5 }, ratios(0.0, 0.0)), Ok([2.0 * LN_2, -0.125, 0.125]));
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let (nca, inf) = (NcaPair { beta: 0.5 }, f64::INFINITY);
        assert_eq!(at::<f64>(&nca, ratios(-inf, 0.0)), Ok([inf, -0.5, 0.125]));
        assert_eq!(at::<f64>(&nca, ratios(0.0, -inf)), Ok([1.5 * LN_2, -0.125, 0.0]));
        assert_eq!(at::<f64>(&nca, ratios(-inf, -inf)), Ok([inf, -0.5, 0.0]));
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(refusal(&NcaPair { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
        let message = "`policy.rejected`[0] is NaN, allowed is finite or -inf";
        assert_eq!(refusal(&NcaPair::default(), ratios(0.0, f64::NAN)), message);
    }
}
