//! What one logs of each token while training, from one pass over its logits.

mod means;
#[cfg(test)]
mod tests;

use ndarray::{Array, ArrayD, ArrayRef, Dimension, IxDyn};

pub use means::TokenMeans;
pub(super) use means::token_means;

use super::compiled::Compiled;
use super::largest::{Largest, mass};
use crate::compiled::in_dimension;
use crate::error::Position;
use crate::logits::Labels;
use crate::rowwise::{RowReader, improper_row};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result, Target, check};

/// Log-probability, largest logit, log-sum-exp, entropy, hit or miss, and mass of the likeliest classes of each token.
///
/// ```math
/// \log p_i = x_{i y_i} - \operatorname{lse}_i, \qquad m_i = \max_v x_{iv}, \qquad
/// \operatorname{lse}_i = \ln \sum_v e^{x_{iv}}, \qquad H_i = -\sum_v p_{iv} \ln p_{iv}, \qquad
/// c_i = [\operatorname{argmax}_v x_{iv} = y_i], \qquad M_i = \sum_{j=1}^{k} p_{i(j)}
/// ```
///
/// `logits` have any shape `[.., V]`; `targets` and every array of the result have the shape without the last axis. The
/// logits are read once: their blocks stay in the first-level cache while all of this is taken from them. Numbers are in
/// nats, keep their relative precision near 0, and are rounded once from `f64`. Where several classes have the largest
/// logit, the first of them is the argmax.
///
/// A logit of -inf is a class of probability zero and adds nothing; a target there has the log-probability -inf. A row
/// whose target is `ignore_index` is never looked at, and costs nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let logits = array![[1.0_f64, 2.0, 3.0], [0.0, 0.0, f64::NEG_INFINITY], [f64::NAN, 0.0, 0.0]];
/// let each = TokenStats { top_k: Some(2), ..TokenStats::default() }.each(&logits, &array![1, 0, -100])?;
/// assert!((each.log_prob[0] + 1.407_605_964_444_38).abs() < 1e-14);
/// assert_eq!(each.correct, array![false, true, false]); // the first of two equal ones counts
/// assert_eq!(each.entropy[1], std::f64::consts::LN_2);
///
/// let means = each.means()?; // over the two tokens that are not ignored
/// assert_eq!((means.accuracy, means.count), (0.5, 2.0));
/// assert!((means.perplexity() - 2.858_727_433_5).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct TokenStats {
    /// How many classes the mass is taken of, from 1 to the number of classes. Default none: no mass.
    pub top_k: Option<usize>,
    /// Target of the rows that are not counted. Default -100 (torch); it wins even where it is a class.
    pub ignore_index: Option<i64>,
}

impl Default for TokenStats {
    fn default() -> Self {
        Self { top_k: None, ignore_index: Some(-100) }
    }
}

/// What [`TokenStats::each`] finds, one number for each token; zeros where it is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenColumns<T, D: Dimension> {
    /// Log-probability of the target, `<= 0`.
    pub log_prob: Array<T, D>,
    /// Largest logit.
    pub max: Array<T, D>,
    /// `ln Σ e^x`.
    pub log_sum_exp: Array<T, D>,
    /// Entropy of the softmax, from 0 to `ln V`.
    pub entropy: Array<T, D>,
    /// Whether the target is the first class that has the largest logit.
    pub correct: Array<bool, D>,
    /// Probability of the `top_k` likeliest classes together, never above 1; none where it was not asked for.
    pub top_k_mass: Option<Array<T, D>>,
    /// Whether the token is counted.
    pub kept: Array<bool, D>,
}

impl TokenStats {
    /// The numbers of each token.
    ///
    /// # Errors
    ///
    /// [`Parameter`](Error::Parameter) unless `1 <= top_k <= V`; [`Target`](Error::Target) for a target that is neither a
    /// class nor ignored; [`Shape`](Error::Shape); [`Empty`](Error::Empty) without classes. Of the rows that are kept,
    /// [`Value`](Error::Value) at the first logit that is NaN or +inf, or at a row of nothing but -inf;
    /// [`Overflow`](Error::Overflow) where a finite target logit lies further below the largest than the type reaches.
    pub fn each<E: Element, I: Target, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<TokenColumns<E::Real, D::Smaller>> {
        let view = logits.view().into_dyn();
        let rows = E::reader("logits", &view)?;
        let (width, leading) = (rows.width(), &logits.shape()[..logits.ndim() - 1]);
        if let Some(k) = self.top_k {
            check::parameter("top_k", k as f64, "1 to the number of classes", (1..=width).contains(&k))?;
        }
        let labels = Labels::new(targets, leading, width, self.ignore_index, |_| false)?;
        let found: TokenColumns<E::Real, IxDyn> =
            Compiled::token_columns(&*rows, leading, &|row| labels.get(row), self.top_k)?;
        Ok(TokenColumns {
            log_prob: in_dimension(found.log_prob),
            max: in_dimension(found.max),
            log_sum_exp: in_dimension(found.log_sum_exp),
            entropy: in_dimension(found.entropy),
            correct: in_dimension(found.correct),
            top_k_mass: found.top_k_mass.map(in_dimension),
            kept: in_dimension(found.kept),
        })
    }
}

/// The numbers of each token whose target is asked for.
pub(super) fn token_columns<T: Real>(
    rows: &dyn RowReader<T>,
    leading: &[usize],
    target: &(dyn Fn(usize) -> Option<usize> + Sync),
    top_k: Option<usize>,
) -> Result<TokenColumns<T, IxDyn>> {
    let (mut tokens, largest) = (vec![None; rows.len()], || top_k.map(Largest::new));
    rows.jobs(1).each_value_with(&mut tokens, largest, |largest, index, to| {
        let Some(target) = target(index) else { return Ok(()) };
        let token = Token::of((rows, index), target, largest.as_mut());
        if !token.sum.is_proper() {
            return Err(improper_row("logits", leading, index, rows));
        }
        if token.overflows() {
            return Err(Error::overflow::<T>("logits", Position::unravel(index, leading)));
        }
        *to = Some(token);
        Ok(())
    })?;
    Ok(columns(&tokens, top_k.is_some(), leading))
}

/// All that one pass over a row leaves.
#[derive(Clone, Copy)]
struct Token<T> {
    sum: RowSum<T>,
    /// The logit of the target.
    logit: T,
    is_first: bool,
    mass: f64,
}

impl<T: Real> Token<T> {
    fn of((rows, row): (&dyn RowReader<T>, usize), target: usize, mut largest: Option<&mut Largest<T>>) -> Self {
        let (mut sum, mut first, mut seen) = (RowSum::new(), 0, 0);
        rows.for_each_block(row, &mut |block| {
            let before = sum.max;
            sum.push_with_moment(block);
            if sum.max > before {
                first = seen + T::place(block, sum.max); // a maximum seldom rises, and the block is in the cache
            }
            largest.iter_mut().for_each(|largest| largest.push(block));
            seen += block.len();
        });
        let mass = largest.map_or(0.0, |largest| mass(&sum, &largest.sum()));
        Self { sum, logit: rows.at(row, target), is_first: first == target, mass }
    }

    fn log_prob(&self) -> f64 {
        0.0 - self.sum.nll(self.logit) // never -0
    }

    /// Whether a finite logit has no log-probability of the type.
    fn overflows(&self) -> bool {
        T::from_f64(self.log_prob()).is_infinite() && self.logit.is_finite()
    }
}

fn columns<T: Real>(tokens: &[Option<Token<T>>], has_mass: bool, leading: &[usize]) -> TokenColumns<T, IxDyn> {
    let dim = IxDyn(leading);
    let numbers = |of: &dyn Fn(&Token<T>) -> T| column(tokens, T::zero(), dim.clone(), of);
    TokenColumns {
        log_prob: numbers(&|token| T::from_f64(token.log_prob())),
        max: numbers(&|token| token.sum.max),
        log_sum_exp: numbers(&|token| T::from_f64(token.sum.log_sum_exp())),
        entropy: numbers(&|token| T::from_f64(token.sum.entropy())),
        correct: column(tokens, false, dim.clone(), &|token| token.is_first),
        top_k_mass: has_mass.then(|| numbers(&|token| T::from_f64(token.mass))),
        kept: column(tokens, false, dim.clone(), &|_| true),
    }
}

/// One entry for each token; `absent` where it is not counted.
fn column<T: Real, A: Clone>(
    tokens: &[Option<Token<T>>],
    absent: A,
    dim: IxDyn,
    of: &dyn Fn(&Token<T>) -> A,
) -> ArrayD<A> {
    let mut column = Array::from_elem(dim, absent);
    let kept = column.iter_mut().zip(tokens).filter_map(|(to, token)| Some((to, token.as_ref()?)));
    kept.for_each(|(to, token)| *to = of(token));
    column
}
