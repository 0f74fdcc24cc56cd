//! Noisy-label robust Bayesian pointwise optimization (NBPO).

use crate::likelihood::{Density, Domain};
use crate::{Real, math};

/// Noisy-label robust Bayesian pointwise optimization (NBPO): the negative log-likelihood of an observed label of which a
/// positive may have been lost, as in implicit feedback, where an item that nobody clicked may be liked.
///
/// ```math
/// P(\text{positive}) = \sigma(R)\,(1 - \gamma), \qquad P(\text{negative}) = \sigma(-R) + \gamma\, \sigma(R), \qquad \gamma = \sigma(G)
/// ```
///
/// ```math
/// L = \begin{cases} \ell_+ = \operatorname{softplus}(-R) + \operatorname{softplus}(G) & x = 1 \\
/// \ell_- = -\ln(1 - e^{-\ell_+}) & x = 0 \end{cases}, \qquad
/// \frac{\partial \ell_+}{\partial (R, G)} = (-\sigma(-R),\ \gamma), \quad
/// \frac{\partial \ell_-}{\partial (R, G)} = \frac{P(\text{positive})}{P(\text{negative})} (\sigma(-R),\ -\gamma)
/// ```
///
/// `scores` `R` say how much the user likes the item, `flips` `G` are logits of the probability `γ` that a positive is
/// observed as a negative (the paper: products `U·V` and `P·Q` of embeddings; its start has `γ ≈ 0`). `x` is 1 where the item
/// was observed as positive, 0 for a sampled negative, anything between is a mixture. `γ → 0` is BPO, the logistic loss of
/// both labels ([`Bernoulli`](crate::likelihood::Bernoulli), or [`Ddo`](crate::ratio::Ddo) of positives and negatives); at
/// `γ → 1` a negative carries no information and its loss is 0. BPR, which compares a positive with a negative, is
/// [`BradleyTerry`](crate::preference::BradleyTerry) of the scores.
///
/// The loss is good to 8 machine epsilons; where a negative is improbable it is formed by adding exponentials and not by the
/// formula above, and no finite score overflows. The code of the authors trains by another gradient than that of this
/// likelihood. Infinite scores have their limits, but for a negative with `R = ∞` and `G = -∞`, which has no slope.
///
/// # Errors
///
/// Those of a [`Density`]: [`Shape`](crate::Error::Shape), [`Value`](crate::Error::Value) (NaN; a label outside `[0, 1]`),
/// [`NothingToAverage`](crate::Error::NothingToAverage), and [`Overflow`](crate::Error::Overflow).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::{Nbpo, NbpoArguments};
/// let (scores, flips, x) = (array![0.4_f64, 0.4], array![-0.8, -0.8], array![1.0, 0.0]);
/// let arguments = NbpoArguments { scores: &*scores, flips: &*flips, x: &*x };
/// let each = Nbpo.each(arguments)?;
/// assert!((each[0] - 0.884_115_918_347_7).abs() < 1e-12);
/// assert!((each[1] - 0.532_865_404_619_2).abs() < 1e-12);
/// let (_, gradient) = Nbpo.grad(arguments, Reduction::Sum)?;
/// assert!((gradient.scores[1] - 0.282_446_61).abs() < 1e-8);
/// assert!((gradient.flips[1] + 0.218_198_26).abs() < 1e-8);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Yu and Qin, Sampler design for implicit feedback data by noisy-label robust learning, SIGIR 2020,
/// [arXiv:2007.07204](https://arxiv.org/abs/2007.07204).
#[doc(alias = "noisy-label robust BPO")]
#[doc(alias = "BPO")]
#[doc(alias = "implicit feedback")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nbpo;

/// One thing for each argument of [`Nbpo`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NbpoArguments<A> {
    /// The scores `R`.
    pub scores: A,
    /// The logits `G` of the flip probability.
    pub flips: A,
    /// The observed labels, in `[0, 1]`; no gradient.
    pub x: A,
}
crate::bundle!(NbpoArguments { scores, flips, x });

impl Density<3, 2> for Nbpo {
    type Arguments<A> = NbpoArguments<A>;
    type Gradient<A> = NbpoGradient<A>;
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("scores", Domain::Extended), ("flips", Domain::Extended), ("x", Domain::Unit)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [score, flip, x]: [T; 3]) -> (T, [T; 2]) {
        let (zero, one) = (T::zero(), T::one());
        // Of the positive label, and minus the logarithms of σ(-R) and of γ.
        let positive = math::softplus::<T, FMA>(-score) + math::softplus::<T, FMA>(flip);
        let (dislike, keep) = (math::softplus::<T, FMA>(score), math::softplus::<T, FMA>(-flip));
        let rare = -math::log1mexp::<T, FMA>(-positive);
        let usual = -math::log_add_exp::<T, FMA>(-dislike, -keep - math::softplus::<T, FMA>(-score));
        let negative = if positive > T::LN_2() { rare } else { usual };
        let odds = negative - positive; // ln P(positive) - ln P(negative)
        let by_negative = [math::exp::<T, FMA>(odds - dislike), -math::exp::<T, FMA>(odds - keep)];
        let by_positive = [-math::sigmoid::<T, FMA>(-score), math::sigmoid::<T, FMA>(flip)];
        // A share of 0 hides even an infinite loss.
        let share = |share: T, x: T| if share == zero { zero } else { share * x };
        let mixed = |of_positive: T, of_negative: T| share(x, of_positive) + share(one - x, of_negative);
        let slopes = [mixed(by_positive[0], by_negative[0]), mixed(by_positive[1], by_negative[1])];
        (mixed(positive, negative), slopes)
    }
}

/// Derivatives of [`Nbpo`], or the arrays to write them to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NbpoGradient<A> {
    /// By the scores.
    pub scores: A,
    /// By the logits of the flip probability.
    pub flips: A,
}
crate::bundle!(NbpoGradient { scores, flips });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;
    use ndarray::{Array1, array, aview1};

    const INF: f64 = f64::INFINITY;

    fn at(score: f64, flip: f64, x: f64) -> [f64; 3] {
        let (loss, [by_score, by_flip]) = Nbpo.at::<f64, false>([score, flip, x]);
        [loss, by_score, by_flip]
    }

    /// scripts/discriminator_reference.py: score and flip, then loss and slopes of a positive and of a negative.
    #[rustfmt::skip]
    const CASES: [([f64; 2], [f64; 3], [f64; 3]); 8] = [
        ([0.4, -0.8], [0.884_115_918_347_730_4, -0.401_312_339_887_548, 0.310_025_518_872_387_55], [0.532_865_404_619_236_3, 0.282_446_601_887_770_54, -0.218_198_260_059_821_65]),
        ([-3.0, 2.0], [5.175_515_362_616_714, -0.952_574_126_822_433_3, 0.880_797_077_977_882_4], [0.005_669_343_060_428_906, 0.005_415_807_043_500_73, -0.005_007_722_637_523_077]),
        ([5.0, -6.0], [0.009_191_033_626_848_519, -0.006_692_850_924_284_855_4, 0.002_472_623_156_634_774_3], [4.694_118_872_961_597, 0.724_852_198_423_268_6, -0.267_791_162_724_950_07]),
        ([40.0, -30.0], [9.358_047_804_265_265e-14, -4.248_354_255_291_589e-18, 9.357_622_968_839_299e-14], [29.999_954_601_100_878, 4.539_786_870_243_439_5e-5, -0.999_954_602_131_204]),
        ([-40.0, 30.0], [70.000_000_000_000_1, -1.0, 0.999_999_999_999_906_4], [3.975_449_735_908_275e-31, 3.975_449_735_908_275e-31, -3.975_449_735_907_902e-31]),
        ([700.0, -700.0], [1.971_935_308_751_954e-304, -9.859_676_543_759_77e-305, 9.859_676_543_759_77e-305], [699.306_852_819_44, 0.5, -0.5]),
        ([-700.0, 3.0], [703.048_587_351_573_7, -1.0, 0.952_574_126_822_433_3], [4.676_037_693_361_808_3e-306, 4.676_037_693_361_808_3e-306, -4.454_272_522_742_909_4e-306]),
        ([9.0, 9.0], [9.000_246_804_379_447, -0.000_123_394_575_986_231_72, 0.999_876_605_424_013_8], [0.000_123_386_961_622_926_94, 1.522_622_115_095_549e-8, -0.000_123_379_347_886_015_8]),
    ];

    #[test]
    fn loss_and_slopes_are_those_of_exact_arithmetic() {
        for ([score, flip], positive, negative) in CASES {
            all_close(at(score, flip, 1.0), positive, 1e-14);
            // An exponent of 700 has an error of 1e-13.
            all_close(at(score, flip, 0.0), negative, 1e-15 * (8.0 + score.abs() + flip.abs()));
        }
    }

    #[test]
    fn the_two_labels_are_all_that_can_be_seen() {
        for score in [-30.0, -2.0, 0.0, 0.7, 12.0] {
            for flip in [-20.0, -1.0, 0.5, 8.0] {
                let total = (-at(score, flip, 1.0)[0]).exp() + (-at(score, flip, 0.0)[0]).exp();
                assert!((total - 1.0).abs() < 1e-14, "{score}, {flip}: {total}");
            }
        }
    }

    #[test]
    fn without_flips_it_is_the_logistic_loss_and_with_certain_flips_a_negative_says_nothing() {
        for score in [-1e4, -3.0, 0.0, 2.5, 1e4] {
            let (softplus, sigmoid) = (math::softplus::<f64, false>, math::sigmoid::<f64, false>);
            all_close(at(score, -INF, 1.0), [softplus(-score), -sigmoid(-score), 0.0], 1e-15);
            all_close(at(score, -INF, 0.0), [softplus(score), sigmoid(score), 0.0], 1e-11);
            assert_eq!(at(score, INF, 0.0)[0], 0.0);
        }
        assert_eq!(at(INF, 0.0, 1.0), [std::f64::consts::LN_2, -0.0, 0.5]);
        assert_eq!(at(-INF, 0.0, 0.0), [0.0, 0.0, 0.0]);
        assert_eq!(at(-INF, 0.0, 1.0), [INF, -1.0, 0.5]);
    }

    #[test]
    fn the_gradient_is_the_central_difference_for_soft_labels_too() {
        let (scores, flips, x) = (array![0.4, -1.5, 3.0], array![-0.8, 0.5, -2.0], array![0.25, 0.0, 1.0]);
        let value = |scores: &Array1<f64>, flips: &Array1<f64>| {
            Nbpo.value(NbpoArguments { scores, flips, x: &x }, Reduction::Mean).unwrap()
        };
        let arguments = NbpoArguments { scores: &*scores, flips: &*flips, x: &*x };
        let (_, gradient) = Nbpo.grad(arguments, Reduction::Mean).unwrap();
        for i in 0..3 {
            let moved = |array: &Array1<f64>, step: f64| {
                let mut array = array.clone();
                array[i] += step;
                array
            };
            let by_score = value(&moved(&scores, 1e-5), &flips) - value(&moved(&scores, -1e-5), &flips);
            let by_flip = value(&scores, &moved(&flips, 1e-5)) - value(&scores, &moved(&flips, -1e-5));
            assert!((gradient.scores[i] - by_score / 2e-5).abs() < 1e-10);
            assert!((gradient.flips[i] - by_flip / 2e-5).abs() < 1e-10);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let message = |score: f64, flip: f64, x: f64| {
            let (scores, flips, x) = ([score], [flip], [x]);
            let arguments = NbpoArguments { scores: &*aview1(&scores), flips: &*aview1(&flips), x: &*aview1(&x) };
            Nbpo.grad(arguments, Reduction::Sum).unwrap_err().to_string()
        };
        assert_eq!(message(f64::NAN, 0.0, 1.0), "`scores`[0] is NaN, allowed is any number but NaN");
        assert_eq!(message(0.0, 0.0, 1.5), "`x`[0] is 1.5, allowed is [0, 1]");
    }
}
