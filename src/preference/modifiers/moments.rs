//! Which margins are usual: their mean and deviation, moving averages of them, and which pairs lie near them.

use ndarray::Array1;

use crate::error::Position;
use crate::preference::batchwise::{Quantity, Which, infinite_at};
use crate::preference::{Length, PairBatch, Row};
use crate::reduction::pairwise;
use crate::{Error, Real, Result, check};

/// Mean and standard deviation of the margins of a batch, or moving averages of both.
///
/// The margin of a pair is `(log π_w - log ρ_w) - (log π_l - log ρ_l)`, in nats, of sums or of means per token. It is what
/// [`BetaDpo`](crate::preference::BetaDpo) (sums) and [`AlphaDpo`](crate::preference::AlphaDpo) (means) call usual.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::MarginMoments;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-2.0_f64, -9.0]), rejected: aview1(&[-5.0, -8.0]) })
///     .reference(Pairs { chosen: aview1(&[-3.0, -8.0]), rejected: aview1(&[-5.0, -8.0]) });
/// let seen = MarginMoments::new(batch, Length::Sum)?; // margins 1 and -1
/// assert_eq!(seen, MarginMoments { mean: 0.0, std: 2.0_f64.sqrt() });
/// let usual = MarginMoments { mean: 1.0, std: 1.0 }.follow(seen, 0.9)?;
/// assert_eq!(usual.mean, 0.9);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "exponential moving average")]
#[doc(alias = "EMA")]
#[doc(alias = "running moments")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct MarginMoments {
    /// Mean, in nats. Default 0.
    pub mean: f64,
    /// Standard deviation, in nats. Default 1.
    pub std: f64,
}

impl Default for MarginMoments {
    fn default() -> Self {
        Self { mean: 0.0, std: 1.0 }
    }
}

impl MarginMoments {
    /// The moments of a batch: the deviation with `n - 1` (as torch's `std`), and 0 for a single pair.
    ///
    /// # Errors
    ///
    /// A batch without pairs, reference or, for [`Length::Mean`], lengths; a margin that is not finite.
    pub fn new<T: Real>(batch: PairBatch<'_, T>, length: Length) -> Result<Self> {
        T::margin_moments(batch, length)
    }

    /// [`MarginMoments::new`], compiled here.
    pub(in crate::preference) fn compute_new<T: Real>(batch: PairBatch<'_, T>, length: Length) -> Result<Self> {
        let which = if length == Length::Sum { Which::Margin } else { Which::MeanMargin };
        let margins = Quantity { of: "MarginMoments", which }.each(&batch)?;
        if let Some(pair) = margins.iter().position(|margin| !margin.is_finite()) {
            let overflow = || Error::overflow::<T>(Row::NAMES.policy.chosen, pair);
            return Err(infinite_at(&batch, pair, "finite").unwrap_or_else(overflow));
        }
        if margins.is_empty() {
            return Err(Error::NothingToAverage { argument: "batch" });
        }
        let n = margins.len() as f64;
        let largest = margins.iter().fold(0.0_f64, |most, x| most.max(x.as_f64().abs()));
        let unit = power_of_two(largest);
        let margins: Vec<f64> = margins.iter().map(|x| x.as_f64() / unit).collect();
        let mean = pairwise(&margins) / n;
        let squares = pairwise(&margins.iter().map(|x| (x - mean) * (x - mean)).collect::<Vec<_>>());
        let (mean, std) = (mean * unit, (squares / (n - 1.0).max(1.0)).sqrt() * unit);
        let fits = mean.is_finite() && std.is_finite();
        if fits { Ok(Self { mean, std }) } else { Err(Error::overflow::<f64>("batch", Position::default())) }
    }

    /// The moving average, once these moments have been seen: `momentum` of what was, the rest of what came.
    ///
    /// The authors of β-DPO and α-DPO start at 0 and take a momentum of 0.9; averages start better at the first batch.
    ///
    /// # Errors
    ///
    /// `momentum` outside `[0, 1]`; moments that are not finite.
    pub fn follow(self, seen: Self, momentum: f64) -> Result<Self> {
        check::parameter("momentum", momentum, "[0, 1]", (0.0..=1.0).contains(&momentum))?;
        let moments = [("mean", self.mean), ("std", self.std), ("seen.mean", seen.mean), ("seen.std", seen.std)];
        moments.into_iter().try_for_each(|(name, moment)| check::finite(name, moment))?;
        let blend = |old: f64, new: f64| momentum * old + (1.0 - momentum) * new;
        Ok(Self { mean: blend(self.mean, seen.mean), std: blend(self.std, seen.std) })
    }
}

/// The power of two that a number is scaled by to lie in `[1, 2)`: neither squares of such numbers nor their sums leave the
/// type, and scaling rounds nothing.
fn power_of_two(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & f64::INFINITY.to_bits()).max(f64::MIN_POSITIVE)
}

/// β-guided data filtering of β-DPO: the choice of the pairs of a batch that count. Pairs with a usual margin are more
/// likely to be chosen.
///
/// A share of the pairs is drawn without replacement, each draw in proportion to `exp(-z²/2)`, `z = (m - μ) / s`. The
/// weights of those that were drawn are 1 over their number, of the others 0:
/// [`Reduction::Weighted`](crate::Reduction::Weighted) of them is the mean over the pairs that were drawn, and
/// [`BetaDpo`](crate::preference::BetaDpo) then takes its mean margin from them too.
///
/// Keys `-z²/2 - ln(-ln u)` are drawn for all pairs and the largest kept, which has the same distribution as drawing one by
/// one, and does not underflow for pairs far from the mean.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::{BetaDpo, MarginFilter, MarginMoments};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-2.0_f64, -900.0, -3.0]), rejected: aview1(&[-5.0, -8.0, -4.0]) })
///     .reference(Pairs { chosen: aview1(&[-3.0, -8.0, -3.0]), rejected: aview1(&[-5.0, -8.0, -4.0]) });
/// let weights = MarginFilter { keep: 0.7 }.weights(batch, MarginMoments::default(), || 0.5)?; // a random number in [0, 1)
/// assert_eq!(weights, aview1(&[0.5, 0.0, 0.5]));
/// let loss = BetaDpo::default().value(batch, Reduction::Weighted(&weights))?;
/// assert!(loss > 0.6);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "β-guided data filtering")]
#[doc(alias = "beta-guided data filtering")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct MarginFilter {
    /// Share of the pairs that is drawn, rounded down but at least one pair, in `(0, 1]`. Default 0.8 (the authors' code).
    pub keep: f64,
}

impl Default for MarginFilter {
    fn default() -> Self {
        Self { keep: 0.8 }
    }
}

impl MarginFilter {
    /// The weight of each pair. `random` gives numbers in `[0, 1)`, one for each pair, from a generator of the caller's.
    ///
    /// # Errors
    ///
    /// `keep` out of range; a deviation that is not above 0; a number that is not in `[0, 1)`; those of
    /// [`MarginMoments::new`].
    pub fn weights<T: Real>(
        &self,
        batch: PairBatch<'_, T>,
        usual: MarginMoments,
        mut random: impl FnMut() -> f64,
    ) -> Result<Array1<T>> {
        check::parameter("keep", self.keep, "(0, 1]", self.keep > 0.0 && self.keep <= 1.0)?;
        check::finite("usual.mean", usual.mean)?;
        check::positive("usual.std", usual.std)?;
        let margins = Quantity { of: "MarginFilter", which: Which::Margin }.each(&batch)?;
        let mut keys = Vec::with_capacity(margins.len());
        for (pair, margin) in margins.iter().enumerate() {
            let z = (margin.as_f64() - usual.mean) / usual.std;
            keys.push((-0.5 * z * z - (-uniform(&mut random)?.ln()).ln(), pair));
        }
        keys.sort_by(|a, b| b.0.total_cmp(&a.0));
        let kept = ((self.keep * keys.len() as f64) as usize).max(1).min(keys.len());
        let mut weights = Array1::zeros(margins.len());
        keys[..kept].iter().for_each(|&(_, pair)| weights[pair] = T::from_f64(1.0 / kept as f64));
        Ok(weights)
    }
}

/// The next random number, checked; 0 is moved to the next number above it, where its logarithm is finite.
fn uniform(random: &mut impl FnMut() -> f64) -> Result<f64> {
    let number = random();
    check::parameter("random", number, "[0, 1)", (0.0..1.0).contains(&number))?;
    Ok(number.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::preference::Pairs;
    use crate::preference::testing::Sample;
    use crate::testing::{close, generator};

    #[test]
    fn moments_are_those_of_the_margins() {
        let sample = Sample::<f64>::of(777);
        let margins =
            (&sample.policy.chosen - &sample.reference.chosen) - (&sample.policy.rejected - &sample.reference.rejected);
        let moments = MarginMoments::new(sample.batch(), Length::Sum).unwrap();
        close(moments.mean, margins.mean().unwrap(), 1e-12);
        close(moments.std, margins.std(1.0), 1e-12);
        let one = Sample::<f32>::of(1);
        assert_eq!(MarginMoments::new(one.batch(), Length::Mean).unwrap().std, 0.0);
    }

    #[test]
    fn moments_of_margins_near_the_ends_of_the_type_are_exact() {
        for unit in [1e-300, 1e300] {
            let (ahead, zeros) = (Array1::from(vec![3.0 * unit, 1.0 * unit, 2.0 * unit]), Array1::zeros(3));
            let both = Pairs { chosen: zeros.view(), rejected: zeros.view() };
            let batch = PairBatch::new(Pairs { chosen: ahead.view(), rejected: zeros.view() }).reference(both);
            let seen = MarginMoments::new(batch, Length::Sum).unwrap();
            assert!((seen.mean / unit - 2.0).abs() < 1e-15 && (seen.std / unit - 1.0).abs() < 1e-15, "{seen:?}");
        }
    }

    #[test]
    fn a_moving_average_forgets() {
        let mut usual = MarginMoments { mean: 10.0, std: 3.0 };
        let seen = MarginMoments { mean: 2.0, std: 1.0 };
        assert_eq!(usual.follow(seen, 1.0), Ok(usual));
        assert_eq!(usual.follow(seen, 0.0), Ok(seen));
        for _ in 0..500 {
            usual = usual.follow(seen, 0.9).unwrap();
        }
        close(usual.mean, 2.0, 1e-14);
        assert_eq!(usual.follow(seen, 1.1).unwrap_err().to_string(), "`momentum` is 1.1, allowed is [0, 1]");
    }

    #[test]
    fn draws_follow_the_weights() {
        // Margins at the mean and z deviations above, one of the two is drawn: the first with probability
        // 1 / (1 + exp(-z²/2)).
        let (usual, z) = (MarginMoments { mean: 0.5, std: 0.25 }, 1.5_f64);
        let (chosen, none) = ([usual.mean, usual.mean + usual.std * z], [0.0, 0.0]);
        let batch = PairBatch::<f64>::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&none) })
            .reference(Pairs { chosen: aview1(&none), rejected: aview1(&none) });
        let mut random = generator(3);
        let filter = MarginFilter { keep: 0.5 };
        let draws = 20_000;
        let first: f64 = (0..draws).map(|_| filter.weights(batch, usual, &mut random).unwrap()[0]).sum();
        let expected = 1.0 / (1.0 + (-0.5 * z * z).exp());
        assert!((first / f64::from(draws) - expected).abs() < 0.01, "{first}");
    }

    #[test]
    fn as_many_are_kept_as_were_asked_for_and_the_seed_decides_which() {
        let sample = Sample::<f64>::of(100);
        let usual = MarginMoments::new(sample.batch(), Length::Sum).unwrap();
        let draw = |seed| MarginFilter::default().weights(sample.batch(), usual, generator(seed)).unwrap();
        assert_eq!(draw(1).iter().filter(|&&w| w == 1.0 / 80.0).count(), 80);
        close(draw(1).sum(), 1.0, 1e-13);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let all = MarginFilter { keep: 1.0 }.weights(sample.batch(), usual, generator(1)).unwrap();
        assert!(all.iter().all(|&w| w == 0.01));
    }

    #[test]
    fn bad_arguments_are_named() {
        let sample = Sample::<f64>::of(3);
        let draw = |keep, std, random: f64| {
            let usual = MarginMoments { mean: 0.0, std };
            MarginFilter { keep }.weights(sample.batch(), usual, || random).map_err(|error| error.to_string())
        };
        assert_eq!(draw(0.0, 1.0, 0.5).unwrap_err(), "`keep` is 0, allowed is (0, 1]");
        assert_eq!(draw(0.5, 0.0, 0.5).unwrap_err(), "`usual.std` is 0, allowed is finite and > 0");
        assert_eq!(draw(0.5, 1.0, 1.0).unwrap_err(), "`random` is 1, allowed is [0, 1)");
        assert!(draw(0.5, 1.0, 0.0).is_ok());
        let lost = [f64::NEG_INFINITY];
        let batch = PairBatch::new(Pairs { chosen: aview1(&lost), rejected: aview1(&[-1.0]) })
            .reference(Pairs { chosen: aview1(&[-1.0]), rejected: aview1(&[-1.0]) });
        let error = MarginMoments::new(batch, Length::Sum).unwrap_err().to_string();
        assert_eq!(error, "`policy.chosen`[0] is -inf, allowed is finite");
    }
}
