//! Distributionally robust DPO (Dr.DPO).

use ndarray::Array1;

use super::quantity::{counts, infinite_at, total_weight};
use crate::error::{Error, Position};
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::pass::{self, validate};
use crate::preference::{Dpo, Out, PairBatch, PairLoss, PairObjective, Row};
use crate::reduction::{finite_total, pairwise, to_real};
use crate::{Real, Reduction, Result, SumCount, check};

/// Distributionally robust direct preference optimization (Dr.DPO): a soft minimum of the losses of the batch, in which
/// pairs of high loss, which probably have wrong labels, count for less.
///
/// ```math
/// L = -\beta' \ln \frac1n \sum_i e^{-\ell_i / \beta'}, \qquad
/// \frac{\partial L}{\partial \ell_i} = p_i = \frac{e^{-\ell_i/\beta'}}{\sum_j e^{-\ell_j/\beta'}}
/// ```
///
/// `ℓ` is the inner loss of each pair: [`Dpo`] in the paper, here any loss of one pair. It is the smallest mean of the losses
/// that another weighting `p` of the pairs reaches, `min_p Σ p ℓ + β' KL(p ‖ 1/n)`. As `β' → ∞` it becomes the mean, as
/// `β' → 0` the smallest loss; it lies between them, and equals each where all losses are equal. Formed from the smallest
/// loss, so that nothing overflows and a large `β'` loses no digits.
///
/// **The whole batch.** [`Reduction::Mean`] is the paper's. For weights `w` with total `W`, [`Reduction::Weighted`] is
/// `-W β' ln(Σ w e^{-ℓ/β'} / W)`, of which weights of `1/n` are the mean and weights of 1 [`Reduction::Sum`], `n` times
/// the mean. Pairs have no shares of it, and micro-batches do not combine: `each` and `parts` are
/// [`Error::NotSeparable`]. [`DrDpo::weights_of`] gives `p`.
///
/// A pair whose loss is +inf has weight 0 and no gradient. A pair whose own weight is zero is not in the batch.
///
/// # Errors
///
/// `beta_prime` out of range; those of the inner loss; a batch in which no loss is finite, or one is -inf, by the first
/// infinite log-probability of such a pair.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::DrDpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64, -30.25]), rejected: aview1(&[-14.25, -28.5]) })
///     .reference(Pairs { chosen: aview1(&[-13.0, -29.0]), rejected: aview1(&[-13.5, -29.75]) });
/// let loss = DrDpo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.724_603_924).abs() < 1e-9); // below the mean of 0.6326 and 0.8259
/// assert!(DrDpo::default().weights_of(batch)?[0] > 0.5);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wu et al., Towards robust alignment of language models: distributionally robustifying direct preference optimization,
/// ICLR 2025, [arXiv:2407.07880](https://arxiv.org/abs/2407.07880).
#[doc(alias = "Dr.DPO")]
#[doc(alias = "Dr. DPO")]
#[doc(alias = "distributionally robust DPO")]
#[doc(alias = "distributionally robust direct preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "L: serde::Serialize", deserialize = "L: serde::Deserialize<'de>, DrDpo<L>: Default"))
)]
pub struct DrDpo<L> {
    /// The loss of each pair.
    pub loss: L,
    /// The paper's `β'`: how large a difference of losses, in nats, is to be forgiven, `> 0`. Default 1 (the authors' code).
    pub beta_prime: f64,
}

impl Default for DrDpo<Dpo> {
    fn default() -> Self {
        Self { loss: Dpo::default(), beta_prime: 1.0 }
    }
}

/// What the losses of a batch come to.
struct Soft<T> {
    /// The soft minimum.
    value: f64,
    /// The share of each pair in the gradient: not negative, with a sum of 1.
    shares: Array1<T>,
}

/// The objective over any loss.
struct SoftMinimum<'a> {
    loss: &'a dyn PairLoss,
    beta_prime: f64,
}

impl<L: PairLoss> DrDpo<L> {
    fn soft_minimum(&self) -> SoftMinimum<'_> {
        SoftMinimum { loss: &self.loss, beta_prime: self.beta_prime }
    }

    /// The weight of each pair, `p`: not negative, with a sum of 1.
    ///
    /// # Errors
    ///
    /// Those of the objective.
    pub fn weights_of<T: Real>(&self, batch: PairBatch<'_, T>) -> Result<Array1<T>> {
        T::dr_dpo_weights(&self.loss, self.beta_prime, batch)
    }
}

/// [`DrDpo::weights_of`].
pub(in crate::preference) fn weights<T: Real>(
    loss: &dyn PairLoss,
    beta_prime: f64,
    batch: PairBatch<'_, T>,
) -> Result<Array1<T>> {
    Ok(SoftMinimum { loss, beta_prime }.soft(&batch, Reduction::Mean, 1.0)?.shares)
}

impl SoftMinimum<'_> {
    /// The soft minimum, and each share times `factor`.
    fn soft<T: Real>(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, factor: f64) -> Result<Soft<T>> {
        self.validate_batch(batch)?;
        let weights = match reduction {
            Reduction::Sum | Reduction::Mean => Array1::ones(batch.len()),
            Reduction::Weighted(weights) => weights.to_owned(),
        };
        let kept = Array1::from_shape_fn(batch.len(), |i| if counts(reduction, i) { T::one() } else { T::zero() });
        let mut losses = Array1::zeros(batch.len());
        pass::run(self.loss, batch, Reduction::Weighted(&kept), T::one(), Out::Each(losses.view_mut()))?;
        let pairs = || weights.iter().zip(&losses).filter(|(w, _)| **w > T::zero());
        let least = pairs().map(|(_, loss)| loss.as_f64()).fold(f64::INFINITY, f64::min);
        if !least.is_finite() {
            let first = losses.iter().enumerate().position(|(i, x)| counts(reduction, i) && x.as_f64() == least);
            return Err(first.map_or(Error::NothingToAverage { argument: "batch" }, |pair| endless(batch, pair)));
        }
        // Relative to the smallest loss: the weight of a pair, and what it lacks of 1.
        let exponent = |loss: T| -(loss.as_f64() - least) / self.beta_prime;
        let sum = |part: &dyn Fn(T) -> f64| pairwise(&pairs().map(|(w, &x)| w.as_f64() * part(x)).collect::<Vec<_>>());
        let total = sum(&|_| 1.0);
        let (mass, lacking) = (sum(&|loss| exponent(loss).exp()), sum(&|loss| exponent(loss).exp_m1()) / total);
        // Where most of the weight is lacking, what is left is the sum without cancellation.
        let log_mean = if lacking > -0.5 { lacking.ln_1p() } else { mass.ln() - total.ln() };
        let share = |(&w, &loss): (&T, &T)| match w > T::zero() {
            true => T::from_f64(factor * (w.as_f64() * exponent(loss).exp() / mass)),
            false => T::zero(),
        };
        let shares = weights.iter().zip(&losses).map(share).collect();
        Ok(Soft { value: least - self.beta_prime * log_mean, shares })
    }
}

/// The error of the pair by which the smallest loss is infinite.
fn endless<T: Real>(batch: &PairBatch<'_, T>, pair: usize) -> Error {
    infinite_at(batch, pair, "finite, so that the smallest loss of the batch is")
        .unwrap_or_else(|| Error::overflow::<T>(Row::NAMES.policy.chosen, pair))
}

compile_objective!(SoftMinimum<'_>);

impl<T: Real> BatchObjective<T> for SoftMinimum<'_> {
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        check::positive("beta_prime", self.beta_prime)?;
        validate(self.loss, batch)
    }

    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.validate_batch(batch)?;
        check::finite("scale", scale.as_f64())?;
        out.check_shapes(batch.len())?;
        let weight = match (total_weight(batch, reduction)?, reduction) {
            (0.0, Reduction::Mean) => return Err(Error::NothingToAverage { argument: "batch" }),
            (_, Reduction::Mean) => 1.0,
            (total, _) => total,
        };
        if let Out::Each(_) = out {
            return Err(Error::NotSeparable { objective: "DrDpo", what: "loss of each pair" });
        }
        if scale == T::zero() || weight == 0.0 {
            return Ok(out.nothing());
        }
        let soft = self.soft(batch, reduction, weight)?;
        if !matches!(out, Out::Nothing) {
            if let Some(pair) = soft.shares.iter().position(|share| share.is_infinite()) {
                return Err(Error::overflow::<T>("weights", pair)); // a share of all weights, which may be beyond the type
            }
            pass::run(self.loss, batch, Reduction::Weighted(&soft.shares), scale, out)?;
        }
        let value = finite_total(scale.as_f64() * weight * soft.value, || true, "loss")?;
        to_real(value, "loss", Position::default())
    }

    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.validate_batch(&batch)?;
        Err(Error::NotSeparable { objective: "DrDpo", what: "parts" })
    }
}

impl<T: Real, L: PairLoss> PairObjective<T> for DrDpo<L> {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        PairObjective::<T>::validate(&self.soft_minimum(), batch)
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.soft_minimum().run(batch, reduction, scale, out)
    }

    fn sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.soft_minimum().sum_count(batch)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences, one};
    use crate::preference::{Ipo, Length, Pairs};
    use crate::testing::close;

    const DR: DrDpo<Dpo> = DrDpo { loss: Dpo { beta: 0.1, label_smoothing: 0.0 }, beta_prime: 1.0 };

    /// Losses of the three pairs of the peers' tables, and their soft minimum by mpmath.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        let policy = Pairs { chosen: array![-12.5, -30.25, -8.0], rejected: array![-14.25, -28.5, -20.0] };
        let reference = Pairs { chosen: array![-13.0, -29.0, -9.5], rejected: array![-13.5, -29.75, -16.0] };
        let batch = PairBatch::<f64>::new(policy.view()).reference(reference.view());
        for (beta_prime, expected) in EXACT {
            close(DrDpo { beta_prime, ..DR }.value(batch, Reduction::Mean).unwrap(), expected, 1e-14);
        }
    }

    #[test]
    fn weights_whose_total_is_beyond_the_type_are_an_overflow() {
        let (chosen, rejected) = (array![-3.0_f32, -2.0, -4.0], array![-2.0_f32, -3.0, -1.0]);
        let policy = Pairs { chosen: chosen.view(), rejected: rejected.view() };
        let zeros = ndarray::Array1::zeros(3);
        let batch = PairBatch::new(policy).reference(Pairs { chosen: zeros.view(), rejected: zeros.view() });
        let weights = ndarray::Array1::from_elem(3, f32::MAX);
        let loss = DrDpo { loss: Dpo { beta: 0.1, label_smoothing: 0.0 }, beta_prime: 0.01 };
        let error = loss.grad(batch, Reduction::Weighted(&weights)).unwrap_err().to_string();
        assert_eq!(error, "the result at `weights`[1] overflows f32"); // the smallest loss has nearly all of the weight
    }

    const EXACT: [(f64, f64); 4] = [
        (1.0, 0.626_630_327_924_510_2),
        (0.01, 0.466_478_604_146_614_45),
        (10.0, 0.636_866_331_110_771_6),
        (1e9, 0.638_010_312_208_340_1),
    ];

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&DR);
        agrees_with_differences(&DrDpo { loss: Ipo { beta: 0.1, length: Length::Mean }, beta_prime: 20.0 });
    }

    #[test]
    fn weights_of_one_and_of_one_over_n_are_sum_and_mean() {
        let sample = Sample::<f64>::of(400);
        for (weight, reduction) in [(1.0, Reduction::Sum), (1.0 / 400.0, Reduction::Mean)] {
            let weights = Array1::from_elem(400, weight);
            let (weighted, by_weights) = DR.grad(sample.batch(), Reduction::Weighted(&weights)).unwrap();
            let (value, grad) = DR.grad(sample.batch(), reduction).unwrap();
            close(weighted, value, 1e-13);
            assert!((grad.chosen - by_weights.chosen).iter().all(|d| d.abs() < 1e-15));
        }
    }

    #[test]
    fn a_large_temperature_is_the_mean_and_a_small_one_the_smallest() {
        let sample = Sample::<f64>::of(500);
        let mean = DR.loss.value(sample.batch(), Reduction::Mean).unwrap();
        close(DrDpo { beta_prime: 1e12, ..DR }.value(sample.batch(), Reduction::Mean).unwrap(), mean, 1e-11);
        let least = DR.loss.each(sample.batch()).unwrap().iter().copied().fold(f64::INFINITY, f64::min);
        let cold = DrDpo { beta_prime: 1e-6, ..DR }.value(sample.batch(), Reduction::Mean).unwrap();
        assert!((cold - least).abs() < 1e-6 * 500.0_f64.ln() + 1e-12);
        let weights = DR.weights_of(sample.batch()).unwrap();
        close(weights.sum(), 1.0, 1e-13);
    }

    #[test]
    fn a_pair_without_hope_has_no_weight() {
        let inf = f64::INFINITY;
        let (policy, zero) = (Pairs { chosen: array![-1.0, -inf], rejected: array![-2.0, -1.0] }, array![-1.0, -1.0]);
        let batch = PairBatch::new(policy.view()).reference(Pairs { chosen: zero.view(), rejected: zero.view() });
        let (loss, grad) = DR.grad(batch, Reduction::Mean).unwrap();
        close(loss, DR.loss.each(batch).unwrap()[0] + 2.0_f64.ln(), 1e-14);
        assert_eq!((grad.chosen[1], grad.rejected[1]), (0.0, 0.0));
        let policy = [-inf, -1.0];
        let lost = one(&policy, &[-1.0], &[1.0]);
        let error = DR.value(lost, Reduction::Mean).unwrap_err().to_string();
        assert_eq!(error, "`policy.chosen`[0] is -inf, allowed is finite, so that the smallest loss of the batch is");
    }

    #[test]
    fn what_pairs_do_not_have_is_refused() {
        let sample = Sample::<f64>::of(2);
        let message = |error: Error| error.to_string();
        let prefix = "DrDpo is a function of the whole batch: it has no ";
        assert_eq!(message(DR.each(sample.batch()).unwrap_err()), format!("{prefix}loss of each pair"));
        assert_eq!(message(DR.sum_count(sample.batch()).unwrap_err()), format!("{prefix}parts"));
        let wild = DrDpo { beta_prime: 0.0, ..DR }.value(sample.batch(), Reduction::Mean);
        assert_eq!(message(wild.unwrap_err()), "`beta_prime` is 0, allowed is finite and > 0");
        let weights = array![0.0, 0.0];
        assert_eq!(DR.value(sample.batch(), Reduction::Weighted(&weights)), Ok(0.0));
    }
}
