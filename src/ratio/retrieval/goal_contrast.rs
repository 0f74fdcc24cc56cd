//! The contrastive term of goal-conditioned reward models.

use ndarray::{Array1, Array3, ArrayView3};

use super::goal_states::{GoalStates, NAMES, Sample, States};
use crate::error::Position;
use crate::math::{sigmoid, softplus};
use crate::reduction::{pairwise, to_finite};
use crate::{Error, Real, Reduction, Result, check};

/// Contrastive term of a goal-conditioned reward model: a hidden state should have a high cosine with
/// later states of its own good trajectory, and a low one with states of a bad trajectory.
///
/// ```math
/// \text{before the log: } L_b = -\lambda \ln \frac1S \sum_s \sigma(c_{bs}) - \lambda \ln \frac1S \sum_s \sigma(-c^-_{bs}),
/// \qquad
/// \text{per sample: } L_b = \frac{\lambda}{S} \sum_s \bigl( \operatorname{softplus}(-c_{bs}) + \operatorname{softplus}(c^-_{bs}) \bigr)
/// ```
///
/// `c = cos(source, goal)` and `c⁻ = cos(source, negative)` of hidden states `[B, S, d]`: for each of `B` pairs of responses
/// `S` times an earlier state of the chosen response, a later one, and a state of the rejected response. Draw the places
/// yourself, the earlier before the later. `weight` is `λ`. [`Averaging`] says which form: the authors' code takes the mean
/// before the logarithm, their paper the mean of logarithms, which is never smaller. The whole loss of the paper adds
/// [`BradleyTerry`](crate::preference::BradleyTerry) of the rewards.
///
/// Since cosines are bounded the term lies in `λ [0.6265, 2.6265]`, and is `λ 2 ln 2` for orthogonal states. Lengths of
/// states change nothing. Sums are taken in `f64`. Reductions are over the `B` pairs. The value of a state at test time
/// is its cosine with the mean of good goals.
///
/// # Errors
///
/// [`Error::Parameter`]: `weight` out of range; [`Error::Shape`]; [`Error::Empty`]: no samples or no elements;
/// [`Error::Value`]: an element that is not finite, or **a state of zeros, which has no direction**;
/// [`Error::NothingToAverage`]; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{GoalContrast, GoalStates};
/// let (source, goal, negative) = (array![[[2.0_f64, 0.0]]], array![[[0.0, 1.0]]], array![[[0.0, -3.0]]]);
/// let states = GoalStates { source: source.view(), goal: goal.view(), negative: negative.view() };
/// let (loss, gradient) = GoalContrast::default().grad(&states, Reduction::Mean)?;
/// assert!((loss - std::f64::consts::LN_2).abs() < 1e-15); // orthogonal, at the weight ½
/// assert_eq!(gradient.goal, array![[[-0.25, 0.0]]]);
/// assert_eq!(gradient.source, array![[[0.0, -0.25]]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nath et al., Learning goal-conditioned representations for language reward models, NeurIPS 2024,
/// [arXiv:2407.13887](https://arxiv.org/abs/2407.13887).
#[doc(alias = "goal-conditioned")]
#[doc(alias = "Q-value")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GoalContrast {
    /// What the term is multiplied by, finite and `>= 0`. Default 0.5 (the authors).
    pub weight: f64,
    /// Where the mean over samples is taken. Default [`Averaging::BeforeLog`] (the authors' code).
    pub averaging: Averaging,
}

/// Where a mean over samples is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Averaging {
    /// Of probabilities, before the logarithm.
    BeforeLog,
    /// Of the losses of single samples.
    PerSample,
}

impl Default for GoalContrast {
    fn default() -> Self {
        Self { weight: 0.5, averaging: Averaging::BeforeLog }
    }
}

impl GoalContrast {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`GoalContrast`].
    pub fn value<T: Real>(&self, states: &GoalStates<ArrayView3<'_, T>>, reduction: Reduction<'_, T>) -> Result<T> {
        T::run_goals(self, states, reduction, None)
    }

    /// The loss of each pair.
    ///
    /// # Errors
    ///
    /// See [`GoalContrast`].
    pub fn each<T: Real>(&self, states: &GoalStates<ArrayView3<'_, T>>) -> Result<Array1<T>> {
        T::goal_losses(self, states)
    }

    /// The reduced loss and its derivatives by the states.
    ///
    /// # Errors
    ///
    /// See [`GoalContrast`].
    pub fn grad<T: Real>(
        &self,
        states: &GoalStates<ArrayView3<'_, T>>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, GoalStates<Array3<T>>)> {
        let zeros = || Array3::zeros(states.source.raw_dim());
        let mut gradient = GoalStates { source: zeros(), goal: zeros(), negative: zeros() };
        let loss = T::run_goals(self, states, reduction, Some(&mut gradient))?;
        Ok((loss, gradient))
    }

    /// The loss of one pair, and its slopes by the cosines, which take their places.
    fn at(&self, goal: &mut [f64], negative: &mut [f64]) -> f64 {
        negative.iter_mut().for_each(|c| *c = -*c);
        let loss = self.side(goal) + self.side(negative);
        negative.iter_mut().for_each(|slope| *slope = -*slope);
        loss
    }

    /// The loss of cosines that should be large.
    fn side(&self, cosines: &mut [f64]) -> f64 {
        let n = cosines.len() as f64;
        let sum = |f: fn(f64) -> f64| pairwise(&cosines.iter().map(|&c| f(c)).collect::<Vec<_>>());
        match self.averaging {
            Averaging::PerSample => {
                let loss = self.weight * sum(|c| softplus::<f64, false>(-c)) / n;
                cosines.iter_mut().for_each(|c| *c = -self.weight * sigmoid::<f64, false>(-*c) / n);
                loss
            }
            Averaging::BeforeLog => {
                let total = sum(sigmoid::<f64, false>);
                let slope = |c: f64| sigmoid::<f64, false>(c) * sigmoid::<f64, false>(-c) / total;
                cosines.iter_mut().for_each(|c| *c = -self.weight * slope(*c));
                -self.weight * (total / n).ln()
            }
        }
    }
}

/// The reduced loss, and the gradient where it has a place.
pub(in crate::ratio) fn run<T: Real>(
    contrast: &GoalContrast,
    views: &GoalStates<ArrayView3<'_, T>>,
    reduction: Reduction<'_, T>,
    out: Option<&mut GoalStates<Array3<T>>>,
) -> Result<T> {
    check::non_negative("weight", contrast.weight)?;
    let states = States::new(views)?;
    let pairs = views.source.dim().0;
    reduction.check(&[pairs])?;
    let weights = reduction.weights();
    let factor = match reduction {
        Reduction::Mean if pairs == 0 => return Err(Error::NothingToAverage { argument: NAMES.source }),
        Reduction::Mean => 1.0 / pairs as f64,
        _ => 1.0,
    };
    let weight = |pair: usize| weights.as_ref().map_or(factor, |weights| weights[pair].as_f64());
    let mut losses = vec![0.0; pairs];
    let one = |pair: usize, loss: &mut f64, out: Option<[&mut [T]; 3]>| {
        if weight(pair) != 0.0 {
            *loss = weight(pair) * pair_loss(contrast, &states.pair(pair)?, pair, weight(pair), out)?;
        }
        Ok(())
    };
    match out {
        None => states.jobs().each_value(&mut losses, |pair, loss| one(pair, loss, None))?,
        Some(out) => states.jobs().each_row(
            &mut losses,
            states.rows(out),
            || (),
            |(), pair, loss, outs| match outs {
                [Some(source), Some(goal), Some(negative)] => one(pair, loss, Some([source, goal, negative])),
                _ => Ok(()),
            },
        )?,
    }
    to_finite(pairwise(&losses), NAMES.source, Position::default())
}

/// The loss of a pair; its gradient, times a factor, is written where there is a place.
fn pair_loss<T: Real>(
    contrast: &GoalContrast,
    samples: &[Sample],
    pair: usize,
    factor: f64,
    out: Option<[&mut [T]; 3]>,
) -> Result<f64> {
    let mut goal: Vec<f64> = samples.iter().map(|sample| sample.cosines[0]).collect();
    let mut negative: Vec<f64> = samples.iter().map(|sample| sample.cosines[1]).collect();
    let loss = contrast.at(&mut goal, &mut negative);
    let Some(mut out) = out else { return Ok(loss) };
    for (at, sample) in samples.iter().enumerate() {
        sample.pull([factor * goal[at], factor * negative[at]], at, &mut out);
    }
    let names = [NAMES.source, NAMES.goal, NAMES.negative];
    match names.into_iter().zip(&out).find(|(_, slopes)| slopes.iter().any(|x| !x.is_finite())) {
        Some((name, _)) => Err(Error::overflow::<T>(name, pair)),
        None => Ok(loss),
    }
}

/// The loss of each pair.
pub(in crate::ratio) fn each<T: Real>(
    contrast: &GoalContrast,
    views: &GoalStates<ArrayView3<'_, T>>,
) -> Result<Array1<T>> {
    check::non_negative("weight", contrast.weight)?;
    let states = States::new(views)?;
    let mut losses = vec![T::zero(); views.source.dim().0];
    states.jobs().each_value(&mut losses, |pair, loss| {
        *loss = to_finite(pair_loss::<T>(contrast, &states.pair(pair)?, pair, 1.0, None)?, NAMES.source, pair)?;
        Ok(())
    })?;
    Ok(losses.into())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array, s};

    use super::*;
    use crate::testing::{all_close, close};

    const PER_SAMPLE: GoalContrast = GoalContrast { weight: 0.5, averaging: Averaging::PerSample };

    fn exact() -> [Array3<f64>; 3] {
        [array![[[1.0, 2.0], [-0.5, 1.5]]], array![[[2.0, 0.5], [-1.0, 1.0]]], array![[[0.25, -0.75], [3.0, -1.0]]]]
    }

    fn views(states: &[Array3<f64>; 3]) -> GoalStates<ArrayView3<'_, f64>> {
        let [source, goal, negative] = states;
        GoalStates { source: source.view(), goal: goal.view(), negative: negative.view() }
    }

    /// scripts/discriminator_reference.py.
    #[test]
    #[rustfmt::skip]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        let cases = [
            (GoalContrast::default(), 0.399_763_742_773_944_1, [
                [-0.001_247_067_304_678_006_5, 0.000_623_533_652_339_003_2, 0.061_958_311_105_923_16, 0.020_652_770_368_641_053],
                [0.007_360_697_047_869_5, -0.029_442_788_191_478, -0.016_846_897_044_132_832, -0.016_846_897_044_132_832],
                [0.071_337_907_974_234_88, 0.023_779_302_658_078_295, 0.006_957_005_775_493_961, 0.020_871_017_326_481_882],
            ]),
            (PER_SAMPLE, 0.400_218_335_469_009_9, [
                [-0.002_676_783_828_828_029, 0.001_338_391_914_414_014_5, 0.061_988_253_591_802_3, 0.020_662_751_197_267_435],
                [0.007_655_343_710_821_775, -0.030_621_374_843_287_1, -0.016_222_508_615_748_13, -0.016_222_508_615_748_13],
                [0.070_054_154_363_898_02, 0.023_351_384_787_966_008, 0.007_086_873_875_484_091, 0.021_260_621_626_452_272],
            ]),
        ];
        for (contrast, expected, [source, goal, negative]) in cases {
            let (loss, gradient) = contrast.grad(&views(&exact()), Reduction::Mean).unwrap();
            close(loss, expected, 1e-15);
            all_close(gradient.source, source, 1e-12);
            all_close(gradient.goal, goal, 1e-13);
            all_close(gradient.negative, negative, 1e-13);
            assert_eq!(contrast.value(&views(&exact()), Reduction::Mean), Ok(loss));
            assert_eq!(contrast.each(&views(&exact())), Ok(array![loss]));
        }
    }

    #[test]
    fn the_mean_of_the_logarithms_is_never_smaller_and_both_stay_in_their_range() {
        let states = [1, 2, 3]
            .map(|seed| Array3::from_shape_fn((5, 4, 3), |(b, s, k)| ((seed * 31 + b * 12 + s * 3 + k) as f64).sin()));
        let each = |contrast: GoalContrast| contrast.each(&views(&states)).unwrap();
        let (before, per_sample) = (each(GoalContrast::default()), each(PER_SAMPLE));
        assert!(before.iter().zip(&per_sample).all(|(before, after)| before <= after));
        assert!(before.iter().chain(&per_sample).all(|loss| (0.3132..1.3134).contains(loss)));
    }

    #[test]
    fn reductions_layouts_and_lengths_are_as_everywhere() {
        let states = [1, 2, 3]
            .map(|seed| Array3::from_shape_fn((6, 4, 6), |(b, s, k)| ((seed * 31 + b * 12 + s * 3 + k) as f64).sin()));
        let strided = GoalStates {
            source: states[0].slice(s![..;-2, .., ..;2]),
            goal: states[1].slice(s![..;-2, .., ..;2]),
            negative: states[2].slice(s![..;-2, .., ..;2]),
        };
        let packed = [strided.source.to_owned(), strided.goal.to_owned(), strided.negative.to_owned()];
        let contrast = GoalContrast::default();
        let mean = contrast.grad(&views(&packed), Reduction::Mean).unwrap();
        assert_eq!(contrast.grad(&strided, Reduction::Mean).unwrap(), mean);
        let each = contrast.each(&views(&packed)).unwrap();
        close(mean.0, each.mean().unwrap(), 1e-15);
        let scaled = packed.clone().map(|states| 1e-200 * states);
        close(contrast.value(&views(&scaled), Reduction::Sum).unwrap(), each.sum(), 1e-14);
        let mut spoilt = packed.clone();
        spoilt[0].slice_mut(s![1, .., ..]).fill(f64::NAN);
        let weights = array![1.0, 0.0, 2.0];
        let loss = contrast.value(&views(&spoilt), Reduction::Weighted(&weights)).unwrap();
        close(loss, each[0] + 2.0 * each[2], 1e-15);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |contrast: GoalContrast, states: &[Array3<f64>; 3]| {
            let error = contrast.value(&views(states), Reduction::Mean).unwrap_err().to_string();
            assert_eq!(contrast.grad(&views(states), Reduction::Mean).unwrap_err().to_string(), error);
            error
        };
        let contrast = GoalContrast::default();
        let mut bad = exact();
        bad[1].slice_mut(s![0, 1, ..]).fill(0.0);
        assert_eq!(message(contrast, &bad), "`states.goal`[0, 1] is 0, allowed is a row that is not zero");
        bad[0][[0, 0, 1]] = f64::INFINITY;
        assert_eq!(message(contrast, &bad), "`states.source`[0, 0, 1] is inf, allowed is finite");
        let wrong = GoalContrast { weight: -1.0, ..contrast };
        assert_eq!(message(wrong, &exact()), "`weight` is -1, allowed is finite and >= 0");
        let mut short = exact();
        short[2] = Array3::zeros((1, 2, 3));
        assert_eq!(message(contrast, &short), "`states.negative` has shape [1, 2, 3], expected [1, 2, 2]");
        let none = exact().map(|_| Array3::zeros((0, 2, 2)));
        assert_eq!(contrast.value(&views(&none), Reduction::Sum), Ok(0.0));
        assert_eq!(message(contrast, &none), "`states.source` holds nothing to average over");
    }
}
