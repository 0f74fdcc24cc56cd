//! Up to which weight of the fake samples a perfect reference stays the best model there is.

use std::f64::consts::LN_2;

use crate::ratio::{Ddo, RatioLoss};
use crate::{Result, check};

impl Ddo {
    /// Whether no model has a smaller loss than a perfect reference (`ρ = data`) whose rarest state has this probability:
    /// [`Ddo::largest_alpha`] is not exceeded.
    ///
    /// Over `K` equally likely states `rarest` is `1/K`. With `α <= 1` it holds for any data; with `α > 1` it fails where
    /// some state is rare enough, and so for all continuous data.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter or `rarest` is out of its range.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loglik::prelude::*;
    /// let ddo = Ddo { alpha: 2.5, beta: 1.0 };
    /// assert!(ddo.is_stable()?); // a local minimum
    /// assert!(!ddo.is_global(1.0 / 6.0)?); // and not the least loss over six states
    /// assert!(Ddo { alpha: 2.4, ..ddo }.is_global(1.0 / 6.0)?);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    pub fn is_global(&self, rarest: f64) -> Result<bool> {
        self.check()?;
        Ok(self.alpha <= Self::largest_alpha(self.beta, rarest)?)
    }

    /// The largest `α` at which a perfect reference, whose rarest state has the probability `rarest`, has the least loss of
    /// all models.
    ///
    /// ```math
    /// \frac{\alpha - 1}{\alpha + 1} \le \inf_p \frac{2\, \mathbb{E}_{\rho} \ln\cosh(\beta r/2)}{\beta \operatorname{KL}(\rho \,\|\, p)},
    /// \qquad r = \ln\frac p\rho
    /// ```
    ///
    /// is the condition that no `p` has a smaller loss. Near the reference the quotient is `β/2`, the bound of
    /// [`Ddo::is_stable`]. It is least where `p` moves mass to the rarest state alone, which leaves a search in one variable.
    /// That no other `p` does better is not proved but measured, by minimization over random references of two to six states
    /// and `β` from 0.02 to 8. Good to about 1e-10. Six equally likely states allow 2.4255 at `β = 1` and 1.0889 at
    /// `β = 0.1`; 100 of them 1.3693 and 1.0376; 10,000 of them 1.0446 and 1.0064. It falls to 1 as `rarest` falls to 0, and
    /// is +inf where `β` is so large (above 2, for two equal states) that every `α` is allowed.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter): `beta` is not above 0, or `rarest` not in `(0, 0.5]`.
    pub fn largest_alpha(beta: f64, rarest: f64) -> Result<f64> {
        check::positive("beta", beta)?;
        check::parameter("rarest", rarest, "(0, 0.5]", rarest > 0.0 && rarest <= 0.5)?;
        let share = least(beta, rarest).min(0.5 * beta);
        Ok(if share < 1.0 { (1.0 + share) / (1.0 - share) } else { f64::INFINITY })
    }
}

/// The quotient, where the log-ratio of all states but the rarest is `-fall`.
fn quotient(beta: f64, rarest: f64, fall: f64) -> f64 {
    let others = 1.0 - rarest;
    let moved = -(-fall).exp_m1() * others; // the mass
    // Of two logarithms where the quotient would not fit, as it does not for a state below the normal numbers.
    let rise = if moved < rarest * f64::MAX { (moved / rarest).ln_1p() } else { moved.ln() - rarest.ln() };
    // Each of these is positive: -E r, without the cancellation of its two parts.
    let divergence = others * (fall + (-fall).exp_m1()) + (moved - rarest * rise);
    let cosh = rarest * ln_cosh(0.5 * beta * rise) + others * ln_cosh(0.5 * beta * fall);
    2.0 * (cosh / beta) / divergence
}

/// `ln cosh x` of a number that is not negative.
fn ln_cosh(x: f64) -> f64 {
    if x < 1.0 { 0.5 * (x.sinh() * x.sinh()).ln_1p() } else { x + (-2.0 * x).exp().ln_1p() - LN_2 }
}

/// Places of the first look at the quotient.
const GRID: u32 = 400;

/// The least quotient, away from a fall of 0: a grid in the logarithm of the fall, then golden sections.
fn least(beta: f64, rarest: f64) -> f64 {
    let at = |log_fall: f64| quotient(beta, rarest, log_fall.exp());
    let low = (1e-3 * rarest.sqrt()).ln();
    let step = (1e3_f64.ln() - low) / f64::from(GRID);
    let place = |index: u32| low + f64::from(index) * step;
    let best = (0..=GRID).min_by(|&a, &b| at(place(a)).total_cmp(&at(place(b)))).unwrap_or(0);
    let (mut from, mut to) = (place(best) - step, place(best) + step);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    while to - from > 1e-7 {
        let (left, right) = (to - golden * (to - from), from + golden * (to - from));
        if at(left) < at(right) { to = right } else { from = left }
    }
    at(0.5 * (from + to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `β`, number of equally likely states, largest `α`: scripts/ratio_optimum.py, 40 digits.
    const BOUNDS: [(f64, f64, f64); 18] = [
        (1.0, 3.0, 2.865_922_604_298_504),
        (1.0, 6.0, 2.425_540_568_502_599_4),
        (1.0, 100.0, 1.369_275_444_236_035_3),
        (1.0, 10_000.0, 1.044_559_792_719_352_6),
        (0.1, 3.0, 1.101_818_812_368_067),
        (0.1, 6.0, 1.088_854_492_670_283),
        (0.1, 100.0, 1.037_584_875_366_572),
        (0.1, 10_000.0, 1.006_369_608_252_677_2),
        (0.02, 3.0, 1.019_567_498_807_291_4),
        (0.02, 6.0, 1.017_164_629_025_995_4),
        (0.02, 100.0, 1.007_423_503_201_778_1),
        (0.02, 10_000.0, 1.001_282_099_715_549_7),
        (1.5, 3.0, 6.141_509_737_978_168),
        (1.5, 6.0, 4.093_928_319_861_783),
        (1.5, 100.0, 1.525_229_989_162_218),
        (4.0, 3.0, f64::INFINITY),
        (4.0, 100.0, 2.193_069_758_236_026_5),
        (4.0, 10_000.0, 1.096_298_088_752_242_2),
    ];

    #[test]
    fn bounds_are_those_of_exact_arithmetic() {
        for (beta, states, alpha) in BOUNDS {
            let found = Ddo::largest_alpha(beta, 1.0 / states).unwrap();
            assert!(found == alpha || (found - alpha).abs() < 1e-11 * alpha, "{beta}, {states}: {found}, {alpha}");
        }
    }

    #[test]
    fn two_equal_states_are_lost_where_the_curvature_is() {
        for beta in [0.02, 0.1, 1.0, 1.5] {
            let local = (1.0 + 0.5 * beta) / (1.0 - 0.5 * beta);
            let found = Ddo::largest_alpha(beta, 0.5).unwrap();
            assert!((found - local).abs() < 1e-9 * local, "{beta}: {found}, {local}");
        }
        assert_eq!(Ddo::largest_alpha(2.5, 0.5), Ok(f64::INFINITY));
    }

    #[test]
    fn a_state_of_the_least_probability_leaves_almost_nothing_above_one() {
        // It is about 1 + 2s, where s is of the order of the root of the probability.
        for rarest in [1e-100, 1e-308, 1e-310, f64::from_bits(1)] {
            for beta in [0.02, 1.0, 10.0] {
                let found = Ddo::largest_alpha(beta, rarest).unwrap();
                assert!((found - 1.0).abs() < 1e-15, "{beta}, {rarest}: {found}");
            }
        }
    }

    #[test]
    fn beyond_the_bound_another_model_is_better_and_within_it_none_is() {
        let loss = |alpha: f64, beta: f64, p: &[f64], reference: &[f64]| -> f64 {
            let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            let of = |(p, q): (&f64, &f64)| {
                let r = beta * (p / q).ln();
                q * (softplus(-r) + alpha * softplus(r))
            };
            p.iter().zip(reference).map(of).sum()
        };
        let reference = [0.05, 0.45, 0.3, 0.2];
        for beta in [0.1, 1.0, 1.7] {
            let bound = Ddo::largest_alpha(beta, 0.05).unwrap();
            let least = |alpha: f64| {
                let mut found = f64::INFINITY;
                for step in 0..1 << 12 {
                    // All models whose logits are within eight steps of the reference's, of half a nat each.
                    let place = |i: u32| f64::from((step >> (4 * i)) & 15) * 0.5 - 3.75;
                    let weights = [reference[0] * place(0).exp(), reference[1] * place(1).exp()];
                    let weights = [weights[0], weights[1], reference[2] * place(2).exp(), reference[3]];
                    let total: f64 = weights.iter().sum();
                    found = found.min(loss(alpha, beta, &weights.map(|w| w / total), &reference));
                }
                for place in 1..400 {
                    let q = 0.05 + 0.95 * f64::from(place) / 400.0;
                    let left = (1.0 - q) / 0.95;
                    let model = [q, 0.45 * left, 0.3 * left, 0.2 * left];
                    found = found.min(loss(alpha, beta, &model, &reference));
                }
                found - (1.0 + alpha) * LN_2
            };
            assert!(least(0.999 * bound) > 0.0, "{beta}");
            assert!(least(1.001 * bound) < 0.0, "{beta}");
        }
    }

    #[test]
    fn rare_states_leave_alpha_one_and_parameters_have_ranges() {
        for beta in [5e-324, 1e-3, 1.0, 1e3, 1e308] {
            for rarest in [f64::MIN_POSITIVE, 1e-100, 1e-9, 0.1, 0.3, 0.5] {
                assert!(Ddo::largest_alpha(beta, rarest).unwrap() >= 1.0);
            }
        }
        assert_eq!(Ddo::largest_alpha(1.0, 1e-100), Ok(1.0));
        assert!(Ddo { alpha: 1.0, beta: 0.02 }.is_global(1e-12).unwrap());
        let message = |beta, rarest| Ddo::largest_alpha(beta, rarest).unwrap_err().to_string();
        assert_eq!(message(0.0, 0.5), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(1.0, 0.6), "`rarest` is 0.6, allowed is (0, 0.5]");
        let error = Ddo { alpha: 0.0, beta: 1.0 }.is_global(0.5).unwrap_err().to_string();
        assert_eq!(error, "`alpha` is 0, allowed is finite and > 0");
    }
}
