//! Several objectives of the same pairs as one.

use ndarray::{Array1, ArrayViewMut1};

use crate::error::Position;
use crate::preference::{Out, PairBatch, PairObjective};
use crate::reduction::{finite_total, to_real, total_of};
use crate::{Error, Real, Reduction, Result, SumCount, check};

/// Weighted sum of objectives of the same pairs, `Σ w L`, each with its weight.
///
/// ```math
/// L = \sum_k w_k L_k
/// ```
///
/// All terms are reduced alike: a pair of weight zero is in none of them. `O` is
/// [`PairConfig`](crate::preference::PairConfig), or `Box<dyn PairObjective<f64>>` for your own objectives.
///
/// # Errors
///
/// A weight that is negative or not finite; no terms ([`Error::Empty`]); those of the terms. Its own `parts` need terms
/// that count pairs: beside [`Sft`](crate::preference::Sft), which counts tokens, merge the [`WeightedSum::term_sum_counts`].
///
/// # Examples
///
/// DPO with the likelihood of the chosen response (RPO):
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Nll;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let rpo = WeightedSum {
///     terms: vec![
///         Term { weight: 1.0, objective: PairConfig::Sigmoid(Dpo::default()) },
///         Term { weight: 0.005, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
///     ],
/// };
/// let (loss, gradient) = rpo.grad(batch, Reduction::Mean)?;
/// assert!((loss - (0.632_599_035 + 0.005 * 12.5)).abs() < 1e-9);
/// assert!((gradient.chosen[0] - (-0.046_879_063 - 0.005)).abs() < 1e-9);
/// let values: Vec<f64> = rpo.term_sum_counts(batch)?.iter().map(|parts| parts.sum).collect();
/// assert_eq!(values[1], 12.5);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "MPO")]
#[doc(alias = "mixed preference optimization")]
#[doc(alias = "RPO")]
#[doc(alias = "regularized preference optimization")]
#[doc(alias = "IRPO")]
#[doc(alias = "loss_weights")]
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct WeightedSum<O> {
    /// The terms, at least one.
    pub terms: Vec<Term<O>>,
}

/// One term of a [`WeightedSum`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Term<O> {
    /// What the objective is multiplied by, `>= 0`; a term of weight 0 is left out.
    pub weight: f64,
    /// The objective.
    pub objective: O,
}

impl<O> WeightedSum<O> {
    /// The parts of each term separately, without its weight, to follow them during training.
    ///
    /// # Errors
    ///
    /// Those of the terms.
    pub fn term_sum_counts<T: Real>(&self, batch: PairBatch<'_, T>) -> Result<Vec<SumCount>>
    where
        O: PairObjective<T>,
    {
        self.terms.iter().map(|term| term.objective.sum_count(batch)).collect()
    }
}

/// The terms, whatever their objectives are: weight and objective.
pub(super) type Terms<'a, T> = [(f64, &'a dyn PairObjective<T>)];

impl<O> WeightedSum<O> {
    fn terms<T: Real>(&self) -> Vec<(f64, &dyn PairObjective<T>)>
    where
        O: PairObjective<T>,
    {
        self.terms.iter().map(|term| (term.weight, &term.objective as &dyn PairObjective<T>)).collect()
    }
}

impl<T: Real, O: PairObjective<T>> PairObjective<T> for WeightedSum<O> {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        T::validate_sum(&self.terms(), batch)
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        T::run_sum(&self.terms(), batch, reduction, scale, out)
    }

    fn sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        T::sum_count_of_sum(&self.terms(), batch)
    }
}

/// [`PairObjective::validate`] of a sum.
pub(super) fn validate<T: Real>(terms: &Terms<'_, T>, batch: &PairBatch<'_, T>) -> Result<()> {
    if terms.is_empty() {
        return Err(Error::Empty { argument: "terms" });
    }
    terms.iter().try_for_each(|&(weight, objective)| {
        check::non_negative("weight", weight)?;
        check::parameter("weight", weight, "finite in the element type", T::from_f64(weight).is_finite())?;
        objective.validate(batch)
    })
}

/// [`PairObjective::run`] of a sum.
pub(super) fn run<T: Real>(
    terms: &Terms<'_, T>,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    mut out: Out<'_, T>,
) -> Result<T> {
    validate(terms, batch)?;
    out.check_shapes(batch.len())?;
    let mut values = Vec::with_capacity(terms.len());
    for (index, &(weight, objective)) in terms.iter().enumerate() {
        let scale = finite_total(scale.as_f64() * weight, || true, "loss")?;
        let scale = to_real(scale, "loss", Position::default())?;
        let run = |out: Out<'_, T>| objective.run(batch, reduction, scale, out);
        let value = match &mut out {
            Out::Nothing => run(Out::Nothing),
            Out::Each(each) if index > 0 => add_each(each.view_mut(), run),
            Out::Each(each) => run(Out::Each(each.view_mut())),
            Out::Grad(grad) if index == 0 => run(Out::Grad(grad.view_mut())),
            Out::Grad(grad) | Out::AddGrad(grad) => run(Out::AddGrad(grad.view_mut())),
        };
        values.push(value?.as_f64());
    }
    to_real(total_of(&values, values.iter().sum(), "loss")?, "loss", Position::default())
}

/// [`PairObjective::sum_count`] of a sum.
pub(super) fn sum_count<T: Real>(terms: &Terms<'_, T>, batch: PairBatch<'_, T>) -> Result<SumCount> {
    validate(terms, &batch)?;
    let kept = terms.iter().filter(|(weight, _)| *weight > 0.0);
    let sums = kept.map(|&(weight, objective)| {
        let parts = objective.sum_count(batch)?;
        let what = "parts, since its terms have other counts: merge those of each term";
        match parts.count == batch.len() as f64 {
            true => Ok((weight, parts.sum)),
            false => Err(Error::NotSeparable { objective: "WeightedSum", what }),
        }
    });
    let (weights, sums): (Vec<f64>, Vec<f64>) = sums.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let sum = weights.iter().zip(&sums).map(|(weight, sum)| weight * sum).sum();
    Ok(SumCount { sum: total_of(&sums, sum, "loss")?, count: batch.len() as f64 })
}

/// Adds the losses of another term to those that are there.
fn add_each<T: Real>(to: ArrayViewMut1<'_, T>, run: impl FnOnce(Out<'_, T>) -> Result<T>) -> Result<T> {
    let mut others = Array1::zeros(to.len());
    let value = run(Out::Each(others.view_mut()))?;
    for (index, (to, other)) in to.into_iter().zip(others).enumerate() {
        let finite = to.is_finite() && other.is_finite();
        *to += other;
        if finite && !to.is_finite() {
            return Err(Error::overflow::<T>("out", index));
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences, one};
    use crate::preference::{Dpo, Ipo, JensenShannonLink, Length, Linked, Nll, Orpo, PairConfig, Pairs};

    fn terms(weights: [f64; 3]) -> WeightedSum<PairConfig> {
        let objectives = [
            PairConfig::Sigmoid(Dpo::default()),
            PairConfig::Nll(Nll { length: Length::Mean }),
            PairConfig::Orpo(Orpo::default()),
        ];
        let terms = weights.into_iter().zip(objectives);
        WeightedSum { terms: terms.map(|(weight, objective)| Term { weight, objective }).collect() }
    }

    #[test]
    fn value_losses_gradient_and_parts_are_linear_in_the_terms() {
        let sample = Sample::<f64>::of(3000);
        let batch = sample.full();
        let sum = terms([0.8, 0.2, 1.5]);
        let (loss, grad) = sum.grad(batch, Reduction::Mean).unwrap();
        let (mut value, mut chosen, mut rejected) = (0.0, Array1::zeros(3000), Array1::zeros(3000));
        let mut each = Array1::zeros(3000);
        for Term { weight, objective } in &sum.terms {
            let (part, slope) = objective.grad(batch, Reduction::Mean).unwrap();
            value += weight * part;
            chosen.scaled_add(*weight, &slope.chosen);
            rejected.scaled_add(*weight, &slope.rejected);
            each.scaled_add(*weight, &objective.each(batch).unwrap());
        }
        assert!((loss - value).abs() < 1e-14 * value);
        assert!((chosen - grad.chosen).iter().all(|d| d.abs() < 1e-17));
        assert!((rejected - grad.rejected).iter().all(|d| d.abs() < 1e-17));
        assert!((each - sum.each(batch).unwrap()).iter().all(|d| d.abs() < 1e-14));
        assert_eq!(sum.value(batch, Reduction::Mean), Ok(loss));
        assert!((sum.sum_count(batch).unwrap().mean().unwrap() - loss).abs() < 1e-14 * loss);
        let parts = sum.term_sum_counts(batch).unwrap();
        let mean: f64 = parts.iter().zip([0.8, 0.2, 1.5]).map(|(part, w)| w * part.mean().unwrap()).sum();
        assert!((mean - loss).abs() < 1e-14 * loss);
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&terms([0.8, 0.2, 1.5]));
        agrees_with_differences(&WeightedSum {
            terms: vec![Term { weight: 2.0, objective: PairConfig::WeightedSum(terms([0.1, 0.0, 1.0])) }],
        });
    }

    #[test]
    fn terms_may_be_anyones_objectives() {
        let sample = Sample::<f32>::of(10);
        type Boxed = Box<dyn PairObjective<f32> + Send + Sync>;
        let first: Boxed = Box::new(Linked { loss: Dpo::default(), link: JensenShannonLink });
        let second: Boxed = Box::new(Ipo { beta: 0.1, length: Length::Mean });
        let (a, b) = (first.sum_count(sample.batch()).unwrap(), second.sum_count(sample.batch()).unwrap());
        let expected = a.sum + 0.5 * b.sum;
        let total = |sum: &dyn PairObjective<f32>| f64::from(sum.value(sample.batch(), Reduction::Sum).unwrap());

        let references: Vec<&dyn PairObjective<f32>> = vec![first.as_ref(), second.as_ref()];
        assert!((total(&half_of_the_second(references)) - expected).abs() < 1e-6 * expected);
        let local: Vec<Box<dyn PairObjective<f32>>> = vec![Box::new(first), Box::new(second)];
        assert!((total(&half_of_the_second(local)) - expected).abs() < 1e-6 * expected);
    }

    fn half_of_the_second<O>(objectives: Vec<O>) -> WeightedSum<O> {
        let terms = objectives.into_iter().zip([1.0, 0.5]);
        WeightedSum { terms: terms.map(|(objective, weight)| Term { weight, objective }).collect() }
    }

    #[test]
    fn a_term_of_weight_zero_is_selected_away() {
        let batch = one(&[-1.0, f64::NEG_INFINITY], &[-1.0], &[1.0]); // IPO has no gradient here
        let ipo = PairConfig::Ipo(Ipo { beta: 0.1, length: Length::Sum });
        let sum = |weight| WeightedSum {
            terms: vec![
                Term { weight, objective: ipo.clone() },
                Term { weight: 1.0, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
            ],
        };
        assert!(sum(1.0).value(batch, Reduction::Mean).is_err());
        let (loss, grad) = sum(0.0).grad(batch, Reduction::Mean).unwrap();
        assert_eq!((loss, grad.chosen[0], grad.rejected[0]), (1.0, -1.0, 0.0));
        assert_eq!(sum(0.0).sum_count(batch), Ok(SumCount { sum: 1.0, count: 1.0 }));
    }

    #[test]
    fn no_terms_or_a_negative_weight_are_errors() {
        let sample = Sample::<f64>::of(2);
        let message = |sum: WeightedSum<PairConfig>| sum.value(sample.batch(), Reduction::Sum).unwrap_err().to_string();
        assert_eq!(message(WeightedSum { terms: Vec::new() }), "`terms` is empty, needed is at least one element");
        assert_eq!(message(terms([1.0, -0.5, 1.0])), "`weight` is -0.5, allowed is finite and >= 0");
    }

    #[test]
    fn weights_and_totals_that_do_not_fit_are_named_before_anything_is_written() {
        let nll = PairConfig::Nll(Nll { length: Length::Sum });
        let sum = |weight| WeightedSum {
            terms: vec![Term { weight: 1.0, objective: nll.clone() }, Term { weight, objective: nll.clone() }],
        };
        let (near, mut out) = ([-1.0_f32], Pairs { chosen: array![9.0], rejected: array![9.0] });
        let batch = PairBatch::new(Pairs { chosen: aview1(&near), rejected: aview1(&near) });
        let error = sum(1e300).grad_into(batch, Reduction::Sum, out.view_mut()).unwrap_err();
        assert!(error.to_string().ends_with(", allowed is finite in the element type"), "{error}");
        assert!(error.to_string().starts_with("`weight` is 1"), "{error}");
        assert_eq!(out, Pairs { chosen: array![9.0], rejected: array![9.0] });
        let far = [-1.7e308_f64];
        let batch = PairBatch::new(Pairs { chosen: aview1(&far), rejected: aview1(&far) });
        let message = "the result at `loss` overflows f64";
        assert_eq!(sum(1.0).value(batch, Reduction::Sum).unwrap_err().to_string(), message);
        assert_eq!(sum(1.0).sum_count(batch).unwrap_err().to_string(), message);
    }
}
