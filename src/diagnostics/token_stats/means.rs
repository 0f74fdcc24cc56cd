//! Means over the tokens of a batch, mergeable with those of another.

use ndarray::{ArrayViewD, Dimension};

use super::TokenColumns;
use crate::error::Position;
use crate::{Error, Real, Result, reduction};

/// Means over the tokens that are kept, in `f64` for every element type.
///
/// The default is that of no tokens, which changes nothing by a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct TokenMeans {
    /// Mean negative log-likelihood, in nats; +inf where a target has no mass.
    pub nll: f64,
    /// Mean of the largest logits.
    pub max: f64,
    /// Mean of `ln Σ e^x`, whose drift a z-loss holds back.
    pub log_sum_exp: f64,
    /// Mean entropy, in nats.
    pub entropy: f64,
    /// Share of the tokens whose target is the argmax.
    pub accuracy: f64,
    /// Mean probability of the likeliest classes together, where it was asked for.
    pub top_k_mass: Option<f64>,
    /// Number of tokens.
    pub count: f64,
}

impl TokenMeans {
    /// `e^nll`: of so many equally likely classes a guess would be as good.
    pub fn perplexity(&self) -> f64 {
        self.nll.exp()
    }

    /// The means over the tokens of both: each counts by its number of tokens.
    ///
    /// The mass is lost where one side has tokens and none. Perplexities do not average; that of the merged means is the
    /// perplexity of all tokens.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0.0 || other.count == 0.0 {
            return if self.count == 0.0 { other } else { self };
        }
        let count = self.count + other.count;
        let mean = reduction::joint_mean(self.count, other.count);
        Self {
            nll: mean(self.nll, other.nll),
            max: mean(self.max, other.max),
            log_sum_exp: mean(self.log_sum_exp, other.log_sum_exp),
            entropy: mean(self.entropy, other.entropy),
            accuracy: mean(self.accuracy, other.accuracy),
            top_k_mass: self.top_k_mass.zip(other.top_k_mass).map(|(a, b)| mean(a, b)),
            count,
        }
    }
}

impl<T: Real, D: Dimension> TokenColumns<T, D> {
    /// The means over the tokens that are kept.
    ///
    /// # Errors
    ///
    /// [`NothingToAverage`](Error::NothingToAverage) where none is; [`Overflow`](Error::Overflow) where the logits of `f64`
    /// are so large that their sum is not finite.
    pub fn means(&self) -> Result<TokenMeans> {
        let columns =
            [&self.log_prob, &self.max, &self.log_sum_exp, &self.entropy].map(|column| column.view().into_dyn());
        let mass = self.top_k_mass.as_ref().map(|mass| mass.view().into_dyn());
        T::token_means(columns, mass, self.correct.view().into_dyn(), self.kept.view().into_dyn())
    }
}

pub(crate) fn token_means<T: Real>(
    [log_prob, max, log_sum_exp, entropy]: [ArrayViewD<'_, T>; 4],
    mass: Option<ArrayViewD<'_, T>>,
    correct: ArrayViewD<'_, bool>,
    kept: ArrayViewD<'_, bool>,
) -> Result<TokenMeans> {
    let count = count_of(kept);
    if count == 0.0 {
        return Err(Error::NothingToAverage { argument: "targets" });
    }
    let mean = |column: &ArrayViewD<'_, T>| {
        let column: Vec<f64> = column.iter().map(|x| x.as_f64()).collect(); // logits may be as large as their type
        reduction::sum(&column) / count
    };
    let means = TokenMeans {
        nll: 0.0 - mean(&log_prob),
        max: mean(&max),
        log_sum_exp: mean(&log_sum_exp),
        entropy: mean(&entropy),
        accuracy: count_of(correct) / count,
        top_k_mass: mass.as_ref().map(mean),
        count,
    };
    let is_exact = means.nll.is_finite() || log_prob.iter().any(|&log_prob| log_prob == T::neg_infinity());
    if !is_exact || !means.max.is_finite() || !means.log_sum_exp.is_finite() {
        return Err(Error::overflow::<f64>("logits", Position::default()));
    }
    Ok(means)
}

/// How many are true.
fn count_of(column: ArrayViewD<'_, bool>) -> f64 {
    column.iter().filter(|&&is| is).count() as f64
}
