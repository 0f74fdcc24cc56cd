//! The author's side: what a new pair loss must define.

use crate::error::Error;
use crate::preference::link::{ReverseKlLink, linked_pair};
use crate::preference::loops::{Loops, Margins, PairLoops};
use crate::preference::{Label, LabelUse, Pairs, Row};
use crate::{Real, Result};

/// A loss of one number: the margin by which the policy prefers the chosen response.
///
/// ```math
/// m = \Big(\frac{\log\pi^w - \log\rho^w}{n_w} - \frac{\log\pi^l - \log\rho^l}{n_l}\Big) - t
/// ```
///
/// Without a reference (`ρ`) or lengths (`n`) in [`MarginLoss::margin`] those are 0 and 1; `t` is the batch's offset, 0
/// where it has none. Implement it for a struct of hyper-parameters, and that struct is a
/// [`PairObjective`](crate::preference::PairObjective): batching, reduction, weights, threads and vector instructions
/// are there already. A loss of the margin that also looks at labels, rewards or lengths is a [`LabeledLoss`], one that
/// treats the two sides differently a [`PairLoss`].
///
/// # Examples
///
/// ```
/// use loglik::{ndarray::aview1, prelude::*, preference::MarginLoss, math};
/// use loglik::Result;
///
/// /// The exponential loss of AdaBoost, `e^-m`.
/// struct Exponential;
///
/// impl MarginLoss for Exponential {
///     loglik::compile_loops!(MarginLoss);
///
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///     fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
///         let loss = math::exp::<T, FMA>(-margin);
///         (loss, -loss)
///     }
/// }
///
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64]), rejected: aview1(&[-5.0]) })
///     .reference(Pairs { chosen: aview1(&[-4.0]), rejected: aview1(&[-5.0]) });
/// let (loss, gradient) = Exponential.grad(batch, Reduction::Mean)?;
/// assert!((loss - 0.367_879_441).abs() < 1e-9);
/// assert_eq!((gradient.chosen[0], gradient.rejected[0]), (-loss, loss));
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait MarginLoss: Sync {
    /// Checks the hyper-parameters; called before anything else.
    fn check(&self) -> Result<()>;

    /// How the margin is formed: against the reference and of sums, unless said otherwise.
    fn margin(&self) -> Margin {
        Margin::default()
    }

    #[doc(hidden)]
    fn margin_loops(&self) -> Loops<'_, Margins>;

    /// Loss and slope at one margin, in `T`.
    ///
    /// Keep it free of branches, so that the loop over it vectorizes, and exact at ±inf: an infinite loss with a finite
    /// slope is a value, a NaN or an infinite slope becomes an error that names the pair.
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T)
    where
        Self: Sized;
}

/// A loss of the margin and of what else the batch says of the pair: a label, rewards, lengths.
///
/// The margin is that of a [`MarginLoss`] without the offset: the label is the one that [`Needs`] asks for. A
/// [`Linked`](crate::preference::Linked) takes every such loss.
///
/// # Examples
///
/// ```
/// use loglik::{ndarray::aview1, prelude::*, preference::{LabeledLoss, Needs, Row}};
/// use loglik::Result;
///
/// /// The squared distance of the margin from the gap of the two rewards.
/// struct Regression;
///
/// impl LabeledLoss for Regression {
///     loglik::compile_loops!(LabeledLoss);
///
///     fn needs(&self) -> Result<Needs> {
///         Ok(Needs { reference: true, rewards: true, ..Needs::default() })
///     }
///     fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
///         let gap = margin - (pair.rewards.chosen - pair.rewards.rejected);
///         (gap * gap, gap + gap)
///     }
/// }
///
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64]), rejected: aview1(&[-5.0]) })
///     .reference(Pairs { chosen: aview1(&[-4.0]), rejected: aview1(&[-5.0]) })
///     .rewards(Pairs { chosen: aview1(&[4.5]), rejected: aview1(&[2.0]) });
/// assert_eq!(Regression.value(batch, Reduction::Mean)?, 2.25);
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait LabeledLoss: Sync {
    /// Checks the hyper-parameters and says what the batch must hold.
    fn needs(&self) -> Result<Needs>;

    /// Whether each side is divided by its length before the margin is formed: not, unless said otherwise.
    fn length(&self) -> Length {
        Length::Sum
    }

    #[doc(hidden)]
    fn labeled_loops(&self) -> Loops<'_, Margins>;

    /// Loss and slope at the margin of this pair, of which the rest is constant: the margin stands for its log-probabilities,
    /// which are 0 in `pair`. See [`MarginLoss::at`].
    ///
    /// A label out of range has the loss NaN, which [`LabeledLoss::explain`] then puts into words.
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T)
    where
        Self: Sized;

    /// See [`PairLoss::explain`].
    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        let _ = (row, position);
        None
    }

    /// The name in messages: that of the type, unless said otherwise.
    fn name(&self) -> &'static str {
        name_of::<Self>()
    }
}

impl<L: MarginLoss> LabeledLoss for L {
    fn needs(&self) -> Result<Needs> {
        self.check()?;
        Ok(self.margin().needs())
    }

    fn length(&self) -> Length {
        self.margin().length
    }

    fn labeled_loops(&self) -> Loops<'_, Margins> {
        self.margin_loops()
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        MarginLoss::at::<T, FMA>(self, margin - pair.label)
    }
}

/// A loss of one pair: the general form, in which the two sides need not form a margin.
pub trait PairLoss: Sync {
    /// Checks the hyper-parameters and says what the batch must hold.
    fn needs(&self) -> Result<Needs>;

    #[doc(hidden)]
    fn pair_loops(&self) -> PairLoops<'_>;

    /// Loss and its two derivatives with respect to the policy's log-probabilities.
    ///
    /// What [`PairLoss::needs`] does not ask for is neutral in `row`: 1 for lengths, 0 for the rest.
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>)
    where
        Self: Sized;

    /// The error for a pair that has no finite gradient or no loss, where this objective knows better than "not finite":
    /// a log-probability above 0, say. Called for such pairs alone; `position` is the pair's place in the batch.
    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        let _ = (row, position);
        None
    }

    /// The name in messages: that of the type, unless said otherwise.
    fn name(&self) -> &'static str {
        name_of::<Self>()
    }
}

/// The name of a type, without its path and its arguments.
fn name_of<L: ?Sized>() -> &'static str {
    let path = std::any::type_name::<L>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

impl<L: LabeledLoss> PairLoss for L {
    fn needs(&self) -> Result<Needs> {
        LabeledLoss::needs(self)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        linked_pair::<T, L, ReverseKlLink, FMA>(self, &ReverseKlLink, row)
    }

    fn pair_loops(&self) -> PairLoops<'_> {
        PairLoops::of_margin(self.labeled_loops(), None, self.length())
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        LabeledLoss::explain(self, row, position)
    }

    fn name(&self) -> &'static str {
        LabeledLoss::name(self)
    }
}

/// How a margin is formed from the log-probabilities of a pair. By default against the reference and of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// What the policy's log-probabilities are compared with.
    pub against: Against,
    /// Whether each side is divided by its length.
    pub length: Length,
}

impl Default for Margin {
    fn default() -> Self {
        Self { against: Against::Reference, length: Length::Sum }
    }
}

impl Margin {
    /// Without a reference, of sums or of means.
    #[must_use]
    pub fn without_reference(length: Length) -> Self {
        Self { against: Against::Nothing, length }
    }

    /// What a batch must hold, so that this margin can be formed. The offset is optional.
    #[must_use]
    pub fn needs(self) -> Needs {
        Needs {
            reference: self.against == Against::Reference,
            lengths: self.length == Length::Mean,
            rewards: false,
            label: LabelUse::Optional(Label::Offset),
            gold: false,
        }
    }
}

/// What the policy's log-probabilities are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The reference model: the margin is a difference of log-ratios.
    Reference,
    /// Nothing: the margin is a difference of log-probabilities.
    Nothing,
}

/// Whether a log-probability is the sum over the tokens of a response or their mean.
///
/// It has no `Default`, nor has an objective in which peers disagree about it: the choice must be visible.
#[doc(alias = "length normalization")]
#[doc(alias = "average_log_prob")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Length {
    /// The log-probabilities as they are given: sums over tokens.
    Sum,
    /// Divided by the lengths in the batch: nats per token. Gradients are still with respect to the sums.
    Mean,
}

/// What a batch must hold beside the policy's log-probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The reference's log-probabilities.
    pub reference: bool,
    /// The lengths of the responses.
    pub lengths: bool,
    /// What a judge gives the responses.
    pub rewards: bool,
    /// The number of each pair.
    pub label: LabelUse,
    /// The log-probability of a third response.
    pub gold: bool,
}
