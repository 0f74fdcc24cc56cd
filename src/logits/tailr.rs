//! TaiLr: a likelihood that counts less where the model finds its target unlikely.

use super::detached::{Factor, detached_objective};
use crate::{Result, check};

/// Negative log-likelihood weighed by a detached factor of the target's probability, from the total variation distance.
///
/// ```math
/// L_i = \operatorname{sg}(w_i)\, (-\ln q_{i y_i}), \qquad
/// w_i = \operatorname{clip}\Bigl(\frac{q_{i y_i}}{\gamma + (1 - \gamma)\, q_{i y_i}},\; w_{\min},\; 1\Bigr), \qquad
/// \frac{\partial L_i}{\partial x_{iv}} = w_i\, (q_{iv} - [v = y_i])
/// ```
///
/// `logits` x have any shape `[.., V]` with q their softmax; targets, row weights and per-row losses have the shape
/// without the last axis. `sg` stops the gradient: [`TaiLr::terms`] returns the factor. The `Mean` divides by the number of
/// targets that are not ignored. Rows that are, and rows of weight 0, are never looked at; their loss, factor and gradient
/// are 0.
///
/// Its methods are [`terms`](Self::terms) and those of [`TokenObjective`](super::TokenObjective).
///
/// `γ = 0` is maximum likelihood. `γ = 1` (with `w_min = 0`) has the gradient of `-q_y`, that is of the total variation
/// distance to the one-hot target; it hardly learns from scratch, which is what a small γ or a `w_min` is for. The factor
/// is monotone in `q_y`, and 1 where the target is certain. Where the target's logit is -inf it is `w_min` (1 with
/// `γ = 0`): the loss is +inf if that is above 0, else its limit 0.
///
/// Implementations differ. The code published with EMO swaps γ and `1 - γ` and mixes the result with the plain likelihood
/// once more; this is the paper's form, and that of its authors' code without label smoothing.
///
/// # Errors
///
/// Those of [`CrossEntropy`](super::CrossEntropy); [`Parameter`](crate::Error::Parameter) where `gamma` or `min_weight` is
/// not in `[0, 1]`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::logits::TaiLr;
/// let logits = array![[0.5_f64, 0.3, 0.2]].ln();
/// let tailr = TaiLr { gamma: 0.5, min_weight: 0.0, ignore_index: Some(-100) };
/// let (loss, gradient) = tailr.grad(&logits, &array![2], Reduction::Mean)?;
/// let weight = 0.2 / (0.5 + 0.5 * 0.2); // 1/3
/// assert!((loss + weight * 0.2_f64.ln()).abs() < 1e-15);
/// assert!((gradient[[0, 2]] + weight * 0.8).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ji et al., Tailoring language generation models under total variation distance, ICLR 2023, section 3.3,
/// [arXiv:2302.13344](https://arxiv.org/abs/2302.13344).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct TaiLr {
    /// How much an unlikely target is held back, in `[0, 1]`. No default: the authors take 1e-7 (synthetic text), 0.1
    /// (translation) and 0.8 (summaries).
    pub gamma: f64,
    /// The least factor, in `[0, 1]`. No default: the authors take 0.2 and 0.3, their code falls back to 0.
    pub min_weight: f64,
    /// Target of the rows that take no part; -100 in PyTorch.
    pub ignore_index: Option<i64>,
}

impl Factor for TaiLr {
    fn check(&self) -> Result<()> {
        check::parameter("gamma", self.gamma, "[0, 1]", (0.0..=1.0).contains(&self.gamma))?;
        check::parameter("min_weight", self.min_weight, "[0, 1]", (0.0..=1.0).contains(&self.min_weight))
    }

    fn of(&self, prob: f64) -> f64 {
        if self.gamma == 0.0 {
            return 1.0; // at a probability of 0, too
        }
        (prob / (self.gamma + (1.0 - self.gamma) * prob)).clamp(self.min_weight, 1.0)
    }
}

detached_objective!(TaiLr);

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::Reduction;
    use crate::logits::TokenObjective;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
    use crate::logits::{CrossEntropy, MixCe};
    use crate::testing::cases;

    const INF: f64 = f64::INFINITY;

    fn tailr(gamma: f64, min_weight: f64) -> TaiLr {
        TaiLr { gamma, min_weight, ignore_index: Some(-100) }
    }

    #[test]
    fn three_classes_have_their_worked_numbers() {
        let x = array![[0.5_f64, 0.3, 0.2], [0.5, 0.3, 0.2]].ln();
        let terms = tailr(0.8, 0.25).terms(&x, &array![0, 2]).unwrap();
        // 0.5 / (0.8 + 0.2 · 0.5) and 0.2 / (0.8 + 0.2 · 0.2), which the least weight lifts.
        assert_close(&terms.weight, &[5.0 / 9.0, 0.25], 1e-15);
        assert_close(&terms.nll, &[std::f64::consts::LN_2, 5.0_f64.ln()], 1e-15);
        assert_close(&terms.loss, &[5.0 / 9.0 * std::f64::consts::LN_2, 0.25 * 5.0_f64.ln()], 1e-15);
        let (value, grad) = tailr(0.8, 0.25).grad(&x, &array![0, 2], Reduction::Sum).unwrap();
        assert_close(&[value], &[terms.loss.sum()], 1e-15);
        let w = 5.0 / 9.0;
        assert_close(&grad, &[-0.5 * w, 0.3 * w, 0.2 * w, 0.125, 0.075, -0.2], 1e-15);
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_with_the_factor_frozen() {
        for classes in [5, 70] {
            let (x, y, w) = (sample::<f64>(3, classes), array![4, -100, 1], array![0.5, 3.0, 2.0]);
            for loss in [tailr(0.1, 0.0), tailr(0.8, 0.3), tailr(1.0, 0.0)] {
                let weight = loss.terms(&x, &y).unwrap().weight;
                let nll = |x: &Array2<f64>| loss.terms(x, &y).unwrap().nll * &weight;
                let (_, mean) = loss.grad(&x, &y, Reduction::Mean).unwrap();
                assert_close(&mean, &differences(&x, |x| nll(x).sum() / 2.0), 1e-10);
                let (_, weighted) = loss.grad(&x, &y, Reduction::Weighted(&w)).unwrap();
                assert_close(&weighted, &differences(&x, |x| nll(x).dot(&w)), 1e-10);
            }
        }
    }

    #[test]
    fn without_gamma_it_is_the_likelihood_and_with_all_of_it_that_of_total_variation() {
        for classes in [5, 70, cases(2_100)] {
            let (x, y) = (sample::<f64>(3, classes), array![4, 0, 1]);
            let (value, grad) = CrossEntropy::default().grad(&x, &y, Reduction::Mean).unwrap();
            let (same, slope) = tailr(0.0, 0.3).grad(&x, &y, Reduction::Mean).unwrap();
            assert_close(&[same], &[value], 1e-15);
            assert_close(&slope, &grad, 1e-15);
            let prob = |x: &Array2<f64>| CrossEntropy::default().each(x, &y).unwrap().mapv(|nll| -(-nll).exp()).sum();
            let (_, slope) = tailr(1.0, 0.0).grad(&x, &y, Reduction::Sum).unwrap();
            assert_close(&slope, &differences(&x, prob), 1e-10);
            let reverse = MixCe { eta: 0.0, ignore_index: None };
            assert_eq!(tailr(1.0, 0.0).grad(&x, &y, Reduction::Sum), reverse.grad(&x, &y, Reduction::Sum));
        }
    }

    #[test]
    fn an_impossible_target_has_its_limit() {
        for classes in [3, 70] {
            let mut x = Array2::zeros((1, classes));
            x[[0, 0]] = -INF;
            let others = 1.0 / (classes as f64 - 1.0);
            assert_eq!(tailr(0.5, 0.0).each(&x, &array![0]).unwrap()[0], 0.0);
            let (value, grad) = tailr(0.5, 0.0).grad(&x, &array![0], Reduction::Sum).unwrap();
            assert!(value == 0.0 && grad.iter().all(|g| *g == 0.0));
            for (loss, weight) in [(tailr(0.5, 0.2), 0.2), (tailr(0.0, 0.0), 1.0)] {
                let (value, grad) = loss.grad(&x, &array![0], Reduction::Sum).unwrap();
                assert_eq!((value, loss.terms(&x, &array![0]).unwrap().weight[0]), (INF, weight));
                assert_close(&[grad[[0, 0]], grad[[0, 1]]], &[-weight, weight * others], 1e-15);
            }
        }
    }

    #[test]
    fn far_targets_neither_overflow_nor_vanish() {
        let x = array![[0.0_f64, -1e4, 0.0], [0.0, -700.0, 0.0], [0.0, 40.0, 0.0]];
        let terms = tailr(1e-7, 0.0).terms(&x, &array![1, 1, 1]).unwrap();
        assert_eq!((terms.weight[0], terms.loss[0], terms.nll[0]), (0.0, 0.0, 1e4 + 2.0_f64.ln()));
        let q = (-700.0_f64).exp() / 2.0;
        assert!((terms.weight[1] / (q * 1e7) - 1.0).abs() < 1e-12);
        assert_eq!(terms.weight[2], 1.0);
        assert!((terms.loss[2] / (2.0 * (-40.0_f64).exp()) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn all_forms_and_layouts_agree_bit_by_bit() {
        for classes in [6, 4_500] {
            let (x, y) = (sample::<f32>(3, classes), array![1, -100, 5]);
            let loss = tailr(0.1, 0.2);
            let expected = loss.grad(&x, &y, Reduction::Mean).unwrap();
            let mut in_place = x.clone();
            assert_eq!(loss.grad_in_place(&mut in_place, &y, Reduction::Mean).unwrap(), expected.0);
            assert_eq!(in_place, expected.1);
            assert!(expected.1.row(1).iter().all(|g| *g == 0.0));
            other_layouts(&x, |x| assert_eq!(loss.grad(x, &y, Reduction::Mean).unwrap(), expected));
            let parts = loss.sum_count(&x, &y).unwrap();
            assert_eq!(parts.count, 2.0);
            assert!((parts.mean().unwrap() / f64::from(expected.0) - 1.0).abs() < 1e-6);
        }
    }

    #[cfg(feature = "half")]
    #[test]
    fn half_precision_has_the_same_bits_in_every_layout() {
        use ndarray::{Array3, ShapeBuilder};
        let shape = (17, 2, 6_145);
        let packed = sample::<f32>(34, 6_145).mapv(half::bf16::from_f32).into_shape_with_order(shape).unwrap();
        let mut other = Array3::from_elem(shape.f(), half::bf16::ZERO);
        other.assign(&packed);
        let targets = Array2::from_shape_fn((17, 2), |(i, j)| (i * 331 + j * 6_000) % 6_145);
        assert_eq!(tailr(0.3, 0.1).each(&packed, &targets), tailr(0.3, 0.1).each(&other, &targets));
        let mixed = MixCe { eta: 0.3, ignore_index: None };
        assert_eq!(mixed.each(&packed, &targets), mixed.each(&other, &targets));
        assert_eq!(CrossEntropy::default().each(&packed, &targets), CrossEntropy::default().each(&other, &targets));
        let sum = Reduction::Sum;
        assert_eq!(tailr(0.3, 0.1).grad(&packed, &targets, sum), tailr(0.3, 0.1).grad(&other, &targets, sum));
        assert_eq!(mixed.grad(&packed, &targets, sum), mixed.grad(&other, &targets, sum));
        assert_eq!(mixed.value(&packed, &targets, sum), mixed.value(&other, &targets, sum));
    }

    #[test]
    fn errors_say_what_came_and_what_is_allowed() {
        let message = |loss: TaiLr| loss.value(&worked(), &array![0, 1], Reduction::Sum).unwrap_err().to_string();
        assert_eq!(message(tailr(-0.1, 0.0)), "`gamma` is -0.1, allowed is [0, 1]");
        assert_eq!(message(tailr(f64::NAN, 0.0)), "`gamma` is NaN, allowed is [0, 1]");
        assert_eq!(message(tailr(0.5, 1.5)), "`min_weight` is 1.5, allowed is [0, 1]");
        let far = array![[f32::MAX, f32::MIN, 0.0]];
        let error = tailr(0.5, 0.2).value(&far, &array![1], Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    }
}
