//! How much harder the rejected response is pushed than the chosen one, as probabilities.

use ndarray::Array1;

use crate::preference::PairsView;
use crate::{Error, Real, Result, check};

/// Logarithm of the ratio of the two gradients of each pair with respect to the **probabilities** of its responses.
///
/// ```math
/// r_i = \ln\left|\frac{\partial L/\partial\pi_i^l}{\partial L/\partial\pi_i^w}\right|
///     = \ln\frac{|g_i^l|}{|g_i^w|} + \log\pi_i^w - \log\pi_i^l
/// ```
///
/// `g` is the gradient with respect to the log-probabilities, as any pair objective returns it, and `∂L/∂π = g/π`. Of DPO
/// the first term is 0, so that `r` is the log-odds of the responses: the further the rejected one falls, the harder it is
/// pushed and the less the chosen one counts. This is the imbalance behind the drastic drop of rejected, and the degradation
/// of chosen likelihoods; different `β` of both sides (Flex-DPO) shift it by `ln(β_l/β_w)`.
///
/// In logarithms, since probabilities of responses underflow. A gradient of 0 on the rejected side is -inf, on the chosen
/// side +inf; 0 on both sides, with nothing to compare, is an error.
///
/// # Errors
///
/// Arrays of different lengths; a log-probability or gradient that is not finite; a pair without any gradient; a ratio that
/// does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::log_gradient_ratio;
/// let policy = Pairs { chosen: array![0.3_f64.ln()], rejected: array![0.01_f64.ln()] };
/// let reference = Pairs { chosen: array![0.2_f64.ln()], rejected: array![0.2_f64.ln()] };
/// let batch = PairBatch::new(policy.view()).reference(reference.view());
/// let (_, gradient) = Dpo::default().grad(batch, Reduction::Mean)?;
/// let ratio = log_gradient_ratio(policy.view(), gradient.view())?;
/// assert!((ratio[0] - 30.0_f64.ln()).abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Yan et al., 3D-properties: identifying challenges in DPO and charting a path forward, ICLR 2025,
/// [arXiv:2406.07327](https://arxiv.org/abs/2406.07327).
pub fn log_gradient_ratio<T: Real>(policy: PairsView<'_, T>, gradient: PairsView<'_, T>) -> Result<Array1<T>> {
    T::log_gradient_ratio(policy, gradient)
}

pub(super) fn of_pairs<T: Real>(policy: PairsView<'_, T>, gradient: PairsView<'_, T>) -> Result<Array1<T>> {
    let n = policy.chosen.shape();
    let arrays = [
        ("policy.chosen", policy.chosen),
        ("policy.rejected", policy.rejected),
        ("gradient.chosen", gradient.chosen),
        ("gradient.rejected", gradient.rejected),
    ];
    for (argument, array) in arrays {
        check::shape(argument, array.shape(), n)?;
        if let Some((index, x)) = array.indexed_iter().find(|(_, x)| !x.is_finite()) {
            return Err(Error::Value { argument, position: index.into(), value: x.as_f64(), allowed: "finite" });
        }
    }
    let at = |i: usize| [policy.chosen[i], policy.rejected[i], gradient.chosen[i], gradient.rejected[i]].map(T::as_f64);
    (0..policy.chosen.len()).map(|i| of_pair(i, at(i))).collect()
}

/// The ratio of one pair, of the log-probabilities and the gradients of both sides.
fn of_pair<T: Real>(pair: usize, [chosen, rejected, by_chosen, by_rejected]: [f64; 4]) -> Result<T> {
    match (by_chosen == 0.0, by_rejected == 0.0) {
        (true, true) => {
            let (argument, allowed) = ("gradient.chosen", "not 0 where that of the rejected response is 0 too");
            Err(Error::Value { argument, position: pair.into(), value: 0.0, allowed })
        }
        (true, false) => Ok(T::infinity()),
        (false, true) => Ok(T::neg_infinity()),
        (false, false) => {
            let ratio = (by_rejected.abs().ln() - by_chosen.abs().ln()) + (chosen - rejected);
            let ratio = T::from_f64(ratio);
            if ratio.is_finite() { Ok(ratio) } else { Err(Error::overflow::<T>("policy.chosen", pair)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::Reduction;
    use crate::preference::{Dpo, Length, Nll, PairBatch, PairObjective, Pairs};

    #[test]
    fn of_dpo_it_is_the_log_odds_even_where_probabilities_underflow() {
        let policy = Pairs { chosen: array![-3.0, -900.0, -1e4], rejected: array![-2.0, -2000.0, -1.0] };
        let reference = Pairs { chosen: array![-3.0, -905.0, -1e4], rejected: array![-3.0, -2003.0, -2.0] };
        let batch = PairBatch::<f64>::new(policy.view()).reference(reference.view());
        let (_, gradient) = Dpo::default().grad(batch, Reduction::Mean).unwrap();
        let ratio = log_gradient_ratio(policy.view(), gradient.view()).unwrap();
        assert_eq!(ratio, &policy.chosen - &policy.rejected);
    }

    #[test]
    fn a_side_without_gradient_is_a_limit_and_a_pair_without_one_an_error() {
        let policy = Pairs { chosen: array![-3.0_f64], rejected: array![-2.0] };
        let (_, gradient) = Nll { length: Length::Sum }.grad(PairBatch::new(policy.view()), Reduction::Mean).unwrap();
        assert_eq!(log_gradient_ratio(policy.view(), gradient.view()), Ok(array![f64::NEG_INFINITY]));
        let flipped = Pairs { chosen: gradient.rejected.view(), rejected: gradient.chosen.view() };
        assert_eq!(log_gradient_ratio(policy.view(), flipped), Ok(array![f64::INFINITY]));
        let none = Pairs { chosen: aview1(&[0.0]), rejected: aview1(&[0.0]) };
        let error = log_gradient_ratio(policy.view(), none).unwrap_err().to_string();
        assert!(error.starts_with("`gradient.chosen`[0] is 0, allowed is not 0"), "{error}");
        let short = Pairs { chosen: aview1(&[1.0, 2.0]), rejected: aview1(&[0.0]) };
        assert!(log_gradient_ratio(policy.view(), short).is_err());
    }

    #[test]
    fn log_probs_too_far_apart_are_an_overflow_and_no_infinity() {
        let slopes = [aview1(&[1.0]), aview1(&[0.0])];
        let far = Pairs { chosen: aview1(&[f64::MAX]), rejected: aview1(&[f64::MIN]) };
        let error = log_gradient_ratio(far, Pairs { chosen: slopes[0], rejected: slopes[0] }).unwrap_err();
        assert_eq!(error.to_string(), "the result at `policy.chosen`[0] overflows f64");
        let ratio = log_gradient_ratio(far, Pairs { chosen: slopes[0], rejected: slopes[1] });
        assert_eq!(ratio, Ok(array![f64::NEG_INFINITY])); // the limit, whatever the log-probabilities
    }
}
