//! Cross-entropy of whole distributions over the classes.

use ndarray::ArrayViewD;

use super::class_weights::ClassWeights;
use super::logit_rows::{LogitArrays, LogitRows};
use super::scales::Scales;
use super::soft_target::SoftTargets;
use super::token_objective::{ClassProbabilities, TokenObjective};
use super::transform::LogitTransform;
use crate::reduction::AnyReduction;
use crate::rowwise::Rows;
use crate::{Element, Real, Result, check};

/// Cross-entropy between target probabilities and the softmax of the logits, in nats.
///
/// ```math
/// L_i = \sum_v b_{iv} (\operatorname{lse}_i - x_{iv}) + \zeta \Bigl(\sum_v w_v q_{iv}\Bigr) \operatorname{lse}_i^2,
/// \qquad b_{iv} = w_v \Bigl((1 - \varepsilon)\, q_{iv} + \frac{\varepsilon}{V}\Bigr)
/// ```
///
/// ```math
/// \frac{\partial L_i}{\partial x_{iv}} =
///     \Bigl(\sum_u b_{iu} + 2 \zeta \sum_u w_u q_{iu} \operatorname{lse}_i\Bigr) p_{iv} - b_{iv}
/// ```
///
/// `ε` is `label_smoothing`, `w` are the `class_weights` (1 without), `ζ` is `z_loss`. With `temperature` and `soft_cap`
/// all of this is of `cap(x) / τ` in place of `x`, and the gradient is multiplied by its slope: see [`LogitTransform`]; the
/// `τ²` of distillation is left to the caller. Logits have any shape `[.., V]`, the targets `q` have the same; they are `>=
/// 0` and usually sum to 1 in each row, which is not checked: a row with half the mass has half the loss. The `Mean`
/// divides by the number of rows, whatever the class weights are, as torch does.
///
/// Its methods are those of [`TokenObjective`].
///
/// A target row of a single 1 gives the loss of [`CrossEntropy`](super::CrossEntropy). With `q` from another model the
/// loss exceeds that model's entropy by their Kullback-Leibler divergence. It is exactly +inf, with a finite gradient,
/// where a class of positive target has a logit of -inf; a class of target 0 may have one. Each loss is rounded once from
/// `f64`; where one class has almost all the mass, its entry of the gradient keeps its digits.
///
/// # Errors
///
/// Those of [`CrossEntropy`](super::CrossEntropy), and [`Value`](crate::Error::Value) for a target that is negative or
/// not finite; a mean is [`NothingToAverage`](crate::Error::NothingToAverage) only without any row.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let logits = array![[1.0_f64, 2.0, 3.0]];
/// let targets = array![[0.2, 0.3, 0.5]];
/// let (loss, grad) = SoftCrossEntropy::default().grad(&logits, &targets, Reduction::Mean)?;
/// assert!((loss - 1.107_605_964_444_38).abs() < 1e-14);
/// assert!((grad[[0, 2]] - 0.165_240_955_774_821_9).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Conventions:
/// [`torch.nn.functional.cross_entropy`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
/// with class probabilities. As a distillation loss: Hinton, Vinyals, Dean 2015,
/// [arXiv:1503.02531](https://arxiv.org/abs/1503.02531).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SoftCrossEntropy {
    /// Share of each target row that is spread evenly over all classes, in `[0, 1]`. Default 0.
    pub label_smoothing: f64,
    /// Weight of the squared log-normalizer, `>= 0`. Default 0.
    pub z_loss: f64,
    /// One weight for each class, finite and `>= 0`. Default none: 1 for all.
    pub class_weights: Option<Vec<f64>>,
    /// What logits are divided by, after the cap; finite and `> 0`. Default 1. Targets are taken as they come.
    pub temperature: f64,
    /// Bound that logits approach and never pass, finite and `> 0`. Default none.
    pub soft_cap: Option<f64>,
}

impl Default for SoftCrossEntropy {
    fn default() -> Self {
        let LogitTransform { temperature, soft_cap } = LogitTransform::default();
        Self { label_smoothing: 0.0, z_loss: 0.0, class_weights: None, temperature, soft_cap }
    }
}

impl TokenObjective for SoftCrossEntropy {
    type Targets = ClassProbabilities;

    fn reduced<E: Element>(
        &self,
        logits: LogitArrays<'_, E>,
        targets: ArrayViewD<'_, E::Real>,
        reduction: AnyReduction<'_, E::Real>,
    ) -> Result<E::Real> {
        E::soft_cross_entropy(self, logits, targets, reduction)
    }

    fn losses<E: Element>(
        &self,
        logits: LogitArrays<'_, E>,
        targets: ArrayViewD<'_, E::Real>,
    ) -> Result<(Vec<f64>, f64)> {
        E::soft_cross_entropies(self, logits, targets)
    }
}

/// The reduced loss, and the gradient where it has a place.
pub(super) fn reduced<E: Element>(
    loss: &SoftCrossEntropy,
    mut logits: LogitArrays<'_, E>,
    targets: ArrayViewD<'_, E::Real>,
    reduction: AnyReduction<'_, E::Real>,
) -> Result<E::Real> {
    let rows = LogitRows::new(&mut logits)?.transformed(loss.transform())?;
    let leading = rows.leading().to_vec();
    let scales = Scales::new(&reduction, &leading)?.over(&reduction, || rows.rows() as f64)?;
    let weights = loss.check(rows.shape(), targets.shape())?;
    let targets = Rows::new("targets", &targets)?;
    let totals = rows.totals(&loss.rows(&targets, weights, &scales), &|row, losses| scales.total(row, losses))?;
    scales.reduce(&totals, &leading)
}

/// The loss of each row, and the number of rows.
pub(super) fn losses<E: Element>(
    loss: &SoftCrossEntropy,
    mut logits: LogitArrays<'_, E>,
    targets: ArrayViewD<'_, E::Real>,
) -> Result<(Vec<f64>, f64)> {
    let rows = LogitRows::new(&mut logits)?.transformed(loss.transform())?;
    let weights = loss.check(rows.shape(), targets.shape())?;
    let targets = Rows::new("targets", &targets)?;
    let losses = rows.losses(&loss.rows(&targets, weights, &Scales::<E::Real>::ones()))?;
    let count = losses.len() as f64;
    Ok((losses, count))
}

impl SoftCrossEntropy {
    fn check(&self, logits: &[usize], targets: &[usize]) -> Result<ClassWeights<'_>> {
        let smoothing = self.label_smoothing;
        check::parameter("label_smoothing", smoothing, "[0, 1]", (0.0..=1.0).contains(&smoothing))?;
        check::non_negative("z_loss", self.z_loss)?;
        let weights = ClassWeights::new(self.class_weights.as_deref(), logits.last().copied().unwrap_or(0))?;
        check::shape("targets", targets, logits)?;
        Ok(weights)
    }

    fn transform(&self) -> LogitTransform {
        LogitTransform { temperature: self.temperature, soft_cap: self.soft_cap }
    }

    fn rows<'a, T: Real>(
        &self,
        targets: &'a Rows<'a, T>,
        weights: ClassWeights<'a>,
        scales: &'a Scales<T>,
    ) -> SoftTargets<'a, T> {
        let smoothing = self.label_smoothing;
        let spread = smoothing / targets.width() as f64;
        SoftTargets { targets, weights, scales, kept: 1.0 - smoothing, spread, z_loss: self.z_loss }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Axis, ShapeBuilder, array};

    use super::*;
    use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
    use crate::logits::{CrossEntropy, TokenObjective, entropy, log_sum_exp_grad};
    use crate::{Error, Reduction, SumCount};

    const INF: f64 = f64::INFINITY;

    /// Everything switched on, with the weights of the worked numbers.
    fn full() -> SoftCrossEntropy {
        let class_weights = Some(vec![0.5, 2.0, 1.5, 0.0]);
        SoftCrossEntropy { label_smoothing: 0.2, z_loss: 0.01, class_weights, ..SoftCrossEntropy::default() }
    }

    fn plain() -> SoftCrossEntropy {
        SoftCrossEntropy::default()
    }

    fn worked_targets() -> Array2<f64> {
        array![[0.1, 0.2, 0.4, 0.3], [0.0, 0.5, 0.25, 0.25]]
    }

    /// One-hot rows.
    fn hot<T: Real>(targets: &Array1<usize>, classes: usize) -> Array2<T> {
        Array2::from_shape_fn((targets.len(), classes), |(i, v)| T::from_f64(f64::from(u8::from(targets[i] == v))))
    }

    #[test]
    fn worked_rows_agree_with_fifty_digits() {
        let (x, q) = (worked(), worked_targets());
        let each = [1.979_588_027_360_255, 1.270_605_306_478_520_6];
        assert_close(&full().each(&x, &q).unwrap(), &each, 4e-16);
        let (_, grad) = full().grad(&x, &q, Reduction::Sum).unwrap();
        let expected = [
            0.092_242_396_202_972_71,
            -0.392_675_368_734_212_1,
            0.149_711_528_456_630_4,
            0.201_903_233_305_500_97,
            -0.015_117_990_619_292_407,
            -0.010_449_864_063_856_33,
            -0.176_514_535_708_510_74,
            0.254_860_380_993_339_33,
        ];
        assert_close(&grad, &expected, 4e-16);
        let (mean, grad) = full().grad(&x, &q, Reduction::Mean).unwrap();
        assert_close(&[mean], &[1.625_096_666_919_387_8], 4e-16);
        assert_close(&grad, &expected.map(|g| g / 2.0), 4e-16); // two rows
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_for_every_reduction() {
        let (x, w) = (sample::<f64>(3, 4), array![0.5, 0.0, 2.0]);
        let q = log_sum_exp_grad(&(sample::<f64>(3, 4) * -0.3)).unwrap().1;
        for loss in [plain(), full(), SoftCrossEntropy { label_smoothing: 1.0, ..full() }] {
            for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&w)] {
                let (value, grad) = loss.grad(&x, &q, reduction).unwrap();
                assert_eq!(value, loss.value(&x, &q, reduction).unwrap());
                assert_close(&grad, &differences(&x, |x| loss.value(x, &q, reduction).unwrap()), 1e-9);
            }
        }
    }

    #[test]
    fn a_row_of_a_single_one_is_the_hard_target() {
        let (x, targets) = (sample::<f64>(4, 2500), array![0, 2499, 2048, 100]);
        let q = hot(&targets, 2500);
        let class_weights = Some((0..2500).map(|v| 0.5 + f64::from(v % 3)).collect::<Vec<_>>());
        let hard = CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, class_weights, ..CrossEntropy::default() };
        let soft = SoftCrossEntropy {
            label_smoothing: 0.1,
            z_loss: 0.01,
            class_weights: hard.class_weights.clone(),
            ..plain()
        };
        let (expected, slope) = hard.grad(&x, &targets, Reduction::Sum).unwrap();
        let (value, grad) = soft.grad(&x, &q, Reduction::Sum).unwrap();
        assert_close(&[value], &[expected], 1e-14);
        assert_close(&grad, &slope, 1e-14);
    }

    #[test]
    fn a_certain_class_keeps_its_digits_in_f32() {
        let x = array![[0.0_f32, -30., -30., -30., -30., -30., -30., -30., -30., -30., -30.]];
        let (loss, grad) = plain().grad(&x, &hot(&array![0], 11), Reduction::Mean).unwrap();
        assert!((loss / 9.357_623e-13 - 1.0).abs() < 1e-6);
        assert!((grad[[0, 0]] / -9.357_623e-13 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_loss_of_its_own_softmax_is_the_entropy_and_has_no_slope() {
        let x = sample::<f64>(3, 40);
        let (_, p) = log_sum_exp_grad(&x).unwrap();
        assert_close(&plain().each(&x, &p).unwrap(), &entropy(&x).unwrap(), 1e-14);
        let (_, grad) = plain().grad(&x, &p, Reduction::Sum).unwrap();
        assert_close(&grad, &Array2::zeros((3, 40)), 1e-15);
        let (_, grad) = plain().grad(&x, &(p * 0.5), Reduction::Sum).unwrap();
        assert_close(&grad.sum_axis(Axis(1)), &[0.0; 3], 1e-15); // half the mass, half the pull
    }

    #[test]
    fn smoothing_is_a_mixture_of_the_targets_with_the_uniform() {
        let (x, q) = (worked(), worked_targets());
        let smooth = SoftCrossEntropy { label_smoothing: 0.2, ..plain() };
        let mixed = q.mapv(|q| 0.8 * q + 0.05);
        let (a, b) = (smooth.each(&x, &q).unwrap(), plain().each(&x, &mixed).unwrap());
        assert_close(&a, &b, 1e-15);
    }

    #[test]
    fn a_class_of_no_mass_costs_infinity_only_where_it_is_asked_for() {
        let x = array![[0.0, -INF, 0.0]];
        let (loss, grad) = plain().grad(&x, &array![[0.5, 0.0, 0.5]], Reduction::Sum).unwrap();
        assert_eq!((loss, grad), (std::f64::consts::LN_2, array![[0.0, 0.0, 0.0]]));
        let (loss, grad) = plain().grad(&x, &array![[0.5, 0.5, 0.0]], Reduction::Sum).unwrap();
        assert_eq!((loss, grad), (INF, array![[0.0, -0.5, 0.5]]));
    }

    #[test]
    fn a_row_of_weight_zero_is_never_looked_at() {
        let x = array![[0.0, 0.0], [f64::NAN, INF]];
        let q = array![[1.0, 0.0], [f64::NAN, -3.0]];
        let (loss, grad) = plain().grad(&x, &q, Reduction::Weighted(&array![2.0, 0.0])).unwrap();
        assert_eq!((loss, grad), (2.0 * std::f64::consts::LN_2, array![[-1.0, 1.0], [0.0, 0.0]]));
    }

    #[test]
    fn all_forms_and_layouts_agree_bit_by_bit() {
        let x = sample::<f32>(3, 4500);
        let (_, q) = log_sum_exp_grad(&(&x * -0.5)).unwrap();
        let loss = SoftCrossEntropy { label_smoothing: 0.1, ..plain() };
        let expected = loss.grad(&x, &q, Reduction::Mean).unwrap();
        let mut in_place = x.clone();
        assert_eq!(loss.grad_in_place(&mut in_place, &q, Reduction::Mean).unwrap(), expected.0);
        assert_eq!(in_place, expected.1);
        let mut columns = Array2::zeros((3, 4500).f());
        columns.assign(&q);
        other_layouts(&x, |x| {
            let mut out = Array2::zeros((3, 4500).f());
            assert_eq!(loss.grad_into(x, &columns, Reduction::Mean, &mut out).unwrap(), expected.0);
            assert_eq!(out, expected.1);
            assert_eq!(loss.value(x, &q, Reduction::Mean).unwrap(), expected.0);
        });
    }

    #[test]
    fn parts_count_rows_and_a_mean_over_none_is_an_error() {
        let parts = plain().sum_count(&worked(), &worked_targets()).unwrap();
        assert_eq!(parts.count, 2.0);
        assert_close(
            &[parts.mean().unwrap()],
            &[plain().value(&worked(), &worked_targets(), Reduction::Mean).unwrap()],
            1e-15,
        );
        let none = Array2::<f64>::zeros((0, 4));
        assert_eq!(plain().sum_count(&none, &none).unwrap(), SumCount::default());
        assert_eq!(plain().value(&none, &none, Reduction::Mean), Err(Error::NothingToAverage { argument: "targets" }));
    }

    #[test]
    fn errors_say_what_came_and_what_is_allowed() {
        let x = worked();
        let message = |q: Array2<f64>| plain().value(&x, &q, Reduction::Sum).unwrap_err().to_string();
        let mut q = worked_targets();
        q[[1, 2]] = -0.25;
        assert_eq!(message(q.clone()), "`targets`[1, 2] is -0.25, allowed is finite and >= 0");
        q[[0, 3]] = f64::NAN;
        assert_eq!(message(q), "`targets`[0, 3] is NaN, allowed is finite and >= 0");
        assert_eq!(message(array![[1.0]]), "`targets` has shape [1, 1], expected [2, 4]");
        let mut nan = worked();
        nan[[0, 1]] = f64::NAN;
        let error = plain().value(&nan, &worked_targets(), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[0, 1] is NaN, allowed is finite or -inf");
        let far = array![[f32::MAX, f32::MIN]];
        assert_eq!(plain().value(&far, &array![[0.5, 0.5]], Reduction::Sum), Ok(f32::MAX));
        let error = plain().value(&far, &array![[0.0, 1.0]], Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    }

    #[test]
    fn targets_beyond_the_type_are_an_error_and_never_nan() {
        let far = array![[0.0, -1e30, -1e30]];
        let message = |error: crate::Error| error.to_string();
        let expected = "the result at `logits`[0] overflows f64";
        let huge = Array2::from_elem((1, 3), 1e308);
        assert_eq!(message(plain().value(&far, &huge, Reduction::Sum).unwrap_err()), expected);
        assert_eq!(message(plain().grad(&far, &huge, Reduction::Sum).unwrap_err()), expected);
        let z = SoftCrossEntropy { z_loss: 1e300, class_weights: Some(vec![1e10]), ..plain() };
        assert_eq!(message(z.grad(&array![[0.0]], &array![[1.0]], Reduction::Sum).unwrap_err()), expected);
        let two = array![[0.0, -1.7e308], [0.0, -1.7e308]];
        let parts = plain().sum_count(&two, &array![[0.0, 1.0], [0.0, 1.0]]);
        assert_eq!(message(parts.unwrap_err()), expected);
    }
}
