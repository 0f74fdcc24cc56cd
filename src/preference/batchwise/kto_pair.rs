//! KTO on pairs, with a baseline from the batch.

use ndarray::Array1;

use super::emit;
use super::quantity::{Quantity, Which, total_weight};
use crate::error::Error;
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::{Needs, Out, PairBatch, PairLoss, PairObjective, Pairs, Row};
use crate::reduction::pairwise;
use crate::{Real, Reduction, Result, SumCount, check, math};

/// Kahneman-Tversky optimization (KTO) of pairs: the losses of both responses of a pair, each against the mean
/// log-ratio of the other side.
///
/// ```math
/// L_i = \tfrac12\bigl[1 - \sigma(\beta(a_i - K_l))\bigr] + \tfrac12\bigl[1 - \sigma(\beta(K_w - b_i))\bigr], \qquad
/// K_w = \max(0, \bar a), \quad K_l = \max(0, \bar b)
/// ```
///
/// `a = log π_w - log ρ_w` and `b = log π_l - log ρ_l`, of sums; the bars are means over the batch, weighted where the
/// reduction has weights: a pair of weight zero is in no baseline, and has no share of their gradient. The mean over
/// pairs is the peers' mean over all `2n` responses. `L` lies between 0 and 1 and is ½ where the models agree.
///
/// The baselines are constants in the gradient ([`Baseline::Detached`]: TRL, LLaMA-Factory) or not
/// ([`Baseline::Differentiated`]: early HALOs, OpenRLHF), which adds the same number to the slope of every pair of a side
/// whose mean is above 0. [`KtoPair::baselines_of`] returns them.
///
/// **The whole batch.** The baselines depend on all pairs, so micro-batches do not combine, and `parts` is
/// [`Error::NotSeparable`].
///
/// # Errors
///
/// `beta` out of range; a batch without reference; log-ratios of which one is +inf and another -inf on one side.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Baseline;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64, -8.0]), rejected: aview1(&[-14.25, -20.0]) })
///     .reference(Pairs { chosen: aview1(&[-13.0, -9.5]), rejected: aview1(&[-13.5, -16.0]) });
/// let objective = KtoPair { beta: 0.1, baseline: Baseline::Detached };
/// assert_eq!(objective.baselines_of(batch, Reduction::Mean)?, Pairs { chosen: 1.0, rejected: 0.0 });
/// assert!((objective.value(batch, Reduction::Mean)? - 0.445_993_685).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ethayarajh et al., KTO: model alignment as prospect theoretic optimization, ICML 2024, in the paired form of its first
/// version, [arXiv:2402.01306](https://arxiv.org/abs/2402.01306).
#[doc(alias = "KTO")]
#[doc(alias = "kto_pair")]
#[doc(alias = "Kahneman-Tversky optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct KtoPair {
    /// Strength of the pull towards the reference, `> 0`. Peers take 0.1.
    pub beta: f64,
    /// Whether the gradient goes through the baselines. There is no default, as peers disagree.
    pub baseline: Baseline,
}

/// What the baselines are to the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Baseline {
    /// Constants.
    Detached,
    /// Functions of the log-probabilities; at a mean of exactly 0, where they have a kink, constants.
    Differentiated,
}

/// The loss of one pair, of given baselines.
struct Given {
    beta: f64,
    baselines: Pairs<f64>,
}

impl PairLoss for Given {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        Ok(Needs { reference: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (beta, half) = (T::from_f64(self.beta), T::from_f64(0.5));
        let baselines = self.baselines.map(T::from_f64);
        // How far each response is on its own side: its loss is σ of the opposite.
        let ratios = row.log_ratios();
        let (good, bad) = (beta * (ratios.chosen - baselines.rejected), beta * (baselines.chosen - ratios.rejected));
        let (left, right) = (math::sigmoid::<T, FMA>(-good), math::sigmoid::<T, FMA>(-bad));
        let slope = |short: T, z: T| half * beta * short * math::sigmoid::<T, FMA>(z);
        (half * (left + right), Pairs { chosen: -slope(left, good), rejected: slope(right, bad) })
    }

    fn name(&self) -> &'static str {
        "KtoPair"
    }
}

impl KtoPair {
    const CHOSEN: Quantity = Quantity { of: "KtoPair", which: Which::ChosenRatio };
    const REJECTED: Quantity = Quantity { of: "KtoPair", which: Which::RejectedRatio };

    /// The baselines, `K_w` and `K_l`, in nats.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    pub fn baselines_of<T: Real>(&self, batch: PairBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<Pairs<f64>> {
        T::baselines_of(self, batch, reduction)
    }

    /// [`KtoPair::baselines_of`], compiled here.
    pub(in crate::preference) fn compute_baselines_of<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<Pairs<f64>> {
        PairObjective::<T>::validate(self, &batch)?;
        let chosen = Self::CHOSEN.mean(&batch, reduction)?.max(0.0);
        Ok(Pairs { chosen, rejected: Self::REJECTED.mean(&batch, reduction)?.max(0.0) })
    }

    /// The gradient through the baselines, added to that of the pairs.
    fn through<T: Real>(
        batch: &PairBatch<'_, T>,
        reduction: Reduction<'_, T>,
        baselines: Pairs<f64>,
        grad: &mut Pairs<Array1<T>>,
    ) -> Result<()> {
        let sums = grad.as_ref().map(|side| pairwise(&side.iter().map(|x| x.as_f64()).collect::<Vec<_>>()));
        let total = total_weight(batch, reduction)?;
        // A baseline enters with the opposite sign of the other side's log-ratios.
        let slope = |baseline: f64, sum: f64| if baseline > 0.0 { -sum / total } else { 0.0 };
        let slopes =
            Pairs { chosen: slope(baselines.chosen, sums.rejected), rejected: slope(baselines.rejected, sums.chosen) };
        let Pairs { chosen, rejected } = grad.as_mut().zip(slopes);
        for (side, slope) in [chosen, rejected] {
            match reduction {
                Reduction::Sum | Reduction::Mean => *side += T::from_f64(slope),
                Reduction::Weighted(weights) => side.scaled_add(T::from_f64(slope), weights),
            }
        }
        Ok(())
    }
}

compile_objective!(KtoPair);

impl<T: Real> BatchObjective<T> for KtoPair {
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        check::positive("beta", self.beta)?;
        Self::CHOSEN.validate(batch)
    }

    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.validate_batch(batch)?;
        out.check_shapes(batch.len())?;
        if scale == T::zero() {
            return Ok(out.nothing());
        }
        let baselines = self.baselines_of(*batch, reduction)?;
        let given = Given { beta: self.beta, baselines };
        if self.baseline == Baseline::Detached || matches!(out, Out::Nothing | Out::Each(_)) {
            return given.run(batch, reduction, scale, out);
        }
        let zeros = || Array1::zeros(batch.len());
        let mut grad = Pairs { chosen: zeros(), rejected: zeros() };
        let value = given.run(batch, reduction, scale, Out::Grad(grad.view_mut()))?;
        Self::through(batch, reduction, baselines, &mut grad)?;
        emit::gradient(&grad, out)?;
        Ok(value)
    }

    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.validate_batch(&batch)?;
        Err(Error::NotSeparable { objective: "KtoPair", what: "parts" })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences};
    use crate::testing::close;

    const DETACHED: KtoPair = KtoPair { beta: 0.1, baseline: Baseline::Detached };
    const WHOLE: KtoPair = KtoPair { beta: 0.1, baseline: Baseline::Differentiated };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        let policy = Pairs { chosen: array![-12.5, -8.0], rejected: array![-14.25, -12.0] };
        let reference = Pairs { chosen: array![-13.0, -9.5], rejected: array![-13.5, -16.0] };
        let batch = PairBatch::<f64>::new(policy.view()).reference(reference.view());
        let (value, grad) = DETACHED.grad(batch, Reduction::Mean).unwrap(); // means 1 and 1.625
        close(value, EXACT[0], 1e-14);
        close(grad.chosen[0], EXACT[1], 1e-14);
        close(grad.rejected[1], EXACT[2], 1e-14);
        let (value, grad) = WHOLE.grad(batch, Reduction::Mean).unwrap();
        close(value, EXACT[0], 1e-14);
        close(grad.chosen[0], EXACT[3], 1e-14);
        close(grad.rejected[1], EXACT[4], 1e-14);
    }

    /// Value, and slopes of the first chosen and the second rejected response, detached and whole: mpmath.
    const EXACT: [f64; 5] = [
        0.515_506_040_823_374_7,
        -0.006_230_266_248_421_314,
        0.006_111_457_792_268_646,
        -0.012_387_190_956_758_442,
        0.012_351_468_849_345_648,
    ];

    #[test]
    fn the_whole_gradient_is_that_of_the_value() {
        agrees_with_differences(&WHOLE);
        // The sample's means are of either sign; here both are above 0.
        let mut sample = Sample::<f64>::of(7);
        sample.reference = sample.reference.map(|side| side - 40.0);
        let kept = WHOLE.baselines_of(sample.batch(), Reduction::Mean).unwrap();
        assert!(kept.chosen > 0.0 && kept.rejected > 0.0);
        let (_, grad) = WHOLE.grad(sample.batch(), Reduction::Mean).unwrap();
        for i in 0..7 {
            for chosen in [true, false] {
                let at = |step: f64| {
                    let mut moved = sample.clone();
                    let side = if chosen { &mut moved.policy.chosen } else { &mut moved.policy.rejected };
                    side[i] += step;
                    WHOLE.value(moved.batch(), Reduction::Mean).unwrap()
                };
                let difference = (8.0 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3;
                let exact = if chosen { grad.chosen[i] } else { grad.rejected[i] };
                assert!((difference - exact).abs() < 1e-10, "{i}: {difference}, {exact}");
            }
        }
    }

    #[test]
    fn the_detached_gradient_is_that_of_frozen_baselines() {
        let mut sample = Sample::<f64>::of(50);
        sample.reference.chosen -= 30.0;
        let weights = Array1::from_shape_fn(50, |i| (i % 3) as f64);
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
            let baselines = DETACHED.baselines_of(sample.batch(), reduction).unwrap();
            let frozen = Given { beta: 0.1, baselines };
            assert_eq!(DETACHED.grad(sample.batch(), reduction), frozen.grad(sample.batch(), reduction));
            assert_eq!(WHOLE.value(sample.batch(), reduction), DETACHED.value(sample.batch(), reduction));
        }
        agrees_with_differences(&Given { beta: 0.3, baselines: Pairs { chosen: 2.5, rejected: 0.5 } });
    }

    #[test]
    fn agreement_costs_a_half() {
        let sample = Sample::<f32>::of(100);
        let batch = PairBatch::new(sample.policy.view()).reference(sample.policy.view());
        assert_eq!(WHOLE.value(batch, Reduction::Mean), Ok(0.5));
        assert_eq!(WHOLE.grad(batch, Reduction::Sum), DETACHED.grad(batch, Reduction::Sum)); // both means are 0
    }

    #[test]
    fn extremes_stay_between_zero_and_one() {
        let inf = f64::INFINITY;
        for chosen in [0.0, -1e-8, -1e4, -inf] {
            for rejected in [0.0, -1e-8, -1e4, -inf] {
                let (policy, zero) = (Pairs { chosen: array![chosen], rejected: array![rejected] }, array![-1.0]);
                let batch =
                    PairBatch::new(policy.view()).reference(Pairs { chosen: zero.view(), rejected: zero.view() });
                for objective in [DETACHED, WHOLE] {
                    let (loss, grad) = objective.grad(batch, Reduction::Mean).unwrap();
                    assert!((0.0..=1.0).contains(&loss) && grad.chosen[0].is_finite() && grad.rejected[0].is_finite());
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let sample = Sample::<f64>::of(2);
        let error = DETACHED.sum_count(sample.batch()).unwrap_err().to_string();
        assert_eq!(error, "KtoPair is a function of the whole batch: it has no parts");
        let bare = PairBatch::new(sample.policy.view());
        assert_eq!(DETACHED.value(bare, Reduction::Mean).unwrap_err().to_string(), "KtoPair needs `reference`");
        let error = KtoPair { beta: -1.0, ..WHOLE }.value(sample.batch(), Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "`beta` is -1, allowed is finite and > 0");
        let inf = f64::INFINITY;
        let (policy, reference, fine) = (array![-inf, -1.0], array![-1.0, -inf], array![-1.0, -1.0]);
        let batch = PairBatch::new(Pairs { chosen: policy.view(), rejected: fine.view() })
            .reference(Pairs { chosen: reference.view(), rejected: fine.view() });
        let error = DETACHED.value(batch, Reduction::Mean).unwrap_err().to_string();
        assert!(error.starts_with("`policy.chosen`[0] is -inf, allowed is finite where"), "{error}");
    }
}
