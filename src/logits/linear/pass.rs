//! One pass over tokens: the forward sweep, what follows from it, and the way back.

use ndarray::{Array, ArrayD, ArrayViewMut, ArrayViewMutD, Dimension};

use super::backward::{Group, backward};
use super::chunked;
use super::forward;
use super::gradient::LinearGradientMut;
use super::head::Head;
use super::objective::Objective;
use super::plan::LinearPlan;
use super::sink::{HeadSink, HiddenSink};
use super::slope::Slope;
use super::state::State;
use super::tokens::Tokens;
use crate::compiled::in_dimension;
use crate::logits::LogitTransform;
use crate::logits::logit_rows::by_row;
use crate::{Element, Error, Real, Result};

/// Groups of tokens under one head, after the forward sweep; the log-probability of each target is what is asked for.
pub(crate) struct Pass<'a, 'h, E: Element> {
    groups: Vec<Tokens<'a, E::Real>>,
    head: Head<'h, E>,
    objective: Objective<'static>,
    states: Vec<Vec<State<E::Real>>>,
}

impl<'a, 'h, E: Element> Pass<'a, 'h, E> {
    /// The forward sweep.
    pub(crate) fn new(groups: Vec<Tokens<'a, E::Real>>, head: Head<'h, E>) -> Result<Self> {
        Self::transformed(groups, head, LogitTransform::default())
    }

    /// The forward sweep over logits that go through a transform.
    pub(crate) fn transformed(
        groups: Vec<Tokens<'a, E::Real>>,
        head: Head<'h, E>,
        transform: LogitTransform,
    ) -> Result<Self> {
        E::linear_pass(groups, head, transform)
    }

    /// Log-probability of the target of each of all tokens of a group, 0 where a token is not counted.
    pub(crate) fn log_probs<S: Dimension>(&self, group: usize) -> Result<Array<E::Real, S>> {
        Ok(in_dimension(E::linear_pass_log_probs(self, group)?))
    }

    /// The gradients of `Σ cotangent · log_probs`; `cotangents` has one number for each of all tokens of each group.
    pub(crate) fn backward<D: Dimension>(
        &self,
        cotangents: &[Vec<f64>],
        out: LinearGradientMut<'_, E::Real, Vec<ArrayViewMut<'_, E::Real, D>>>,
    ) -> Result<()> {
        let LinearGradientMut { hidden, weight, bias } = out;
        let hidden = hidden.into_iter().map(ArrayViewMut::into_dyn).collect();
        E::linear_pass_backward(self, cotangents, LinearGradientMut { hidden, weight, bias })
    }
}

/// [`Pass::transformed`].
pub(super) fn swept<'a, 'h, E: Element>(
    groups: Vec<Tokens<'a, E::Real>>,
    head: Head<'h, E>,
    transform: LogitTransform,
) -> Result<Pass<'a, 'h, E>> {
    let objective = Objective::nll(head.classes(), transform)?;
    let states = groups.iter().map(|tokens| forward::states(tokens, &head, &objective));
    Ok(Pass { states: states.collect::<Result<_>>()?, groups, head, objective })
}

/// [`Pass::log_probs`].
pub(super) fn log_probs<E: Element>(pass: &Pass<'_, '_, E>, group: usize) -> Result<ArrayD<E::Real>> {
    let (tokens, states) = (&pass.groups[group], &pass.states[group]);
    let losses = losses(0, tokens, &pass.head, &pass.objective, states)?;
    Ok(by_row(&tokens.among_all(losses.into_iter().map(|loss| 0.0 - loss)), tokens.leading()))
}

/// [`Pass::backward`].
pub(super) fn backward_from<E: Element>(
    pass: &Pass<'_, '_, E>,
    cotangents: &[Vec<f64>],
    out: LinearGradientMut<'_, E::Real, Vec<ArrayViewMutD<'_, E::Real>>>,
) -> Result<()> {
    let inputs = pass.groups.iter().zip(&pass.states).zip(cotangents);
    let slopes = inputs
        .map(|((tokens, states), cotangent)| slopes(0, tokens, &pass.objective, states, &|place| -cotangent[place]));
    let slopes = slopes.collect::<Result<Vec<_>>>()?;
    let mut hidden: Vec<_> = out.hidden.into_iter().map(HiddenSink::new).collect();
    let groups = pass.groups.iter().zip(&slopes).zip(&mut hidden);
    let groups = groups.map(|((tokens, slopes), hidden)| Group { tokens, slopes, rows: hidden.rows() }).collect();
    backward(groups, &pass.head, &pass.objective, &mut HeadSink::new(out.weight, out.bias))?;
    let width = pass.head.width();
    hidden.into_iter().zip(&pass.groups).try_for_each(|(hidden, tokens)| hidden.finish(tokens, width))
}

/// The loss of each of all tokens, and the gradients of `Σ scale · loss` in one pass.
pub(super) fn gradient<E: Element>(
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    (scale, plan): (&dyn Fn(usize) -> f64, LinearPlan),
    out: LinearGradientMut<'_, E::Real, ArrayViewMutD<'_, E::Real>>,
) -> Result<Vec<f64>> {
    let (mut hidden, mut sink) = (HiddenSink::new(out.hidden), HeadSink::new(out.weight, out.bias));
    let mut values = Vec::new();
    let mut found = |first: usize, states: &[State<E::Real>]| {
        values.extend(losses(first, tokens, head, objective, states)?);
        slopes(first, tokens, objective, states, scale)
    };
    if plan.is_chunked(tokens.len(), head.classes(), size_of::<E::Real>()) {
        chunked::gradient(tokens, head, objective, &mut found, (hidden.rows(), &mut sink))?;
    } else {
        let slopes = found(0, &forward::states(tokens, head, objective)?)?;
        let group = Group { tokens, slopes: &slopes, rows: hidden.rows() };
        backward(vec![group], head, objective, &mut sink)?;
    }
    hidden.finish(tokens, head.width())?;
    Ok(tokens.among_all(values))
}

/// The losses of the tokens from the `first` on.
pub(super) fn losses<E: Element>(
    first: usize,
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    objective: &Objective<'_>,
    states: &[State<E::Real>],
) -> Result<Vec<f64>> {
    let loss = |(token, state): (usize, &State<E::Real>)| {
        objective.loss(tokens.targets[token], state, head).ok_or_else(|| tokens.overflow(token))
    };
    (first..).zip(states).map(loss).collect()
}

/// The slopes of the tokens from the `first` on, each multiplied by the scale of its place.
fn slopes<T: Real>(
    first: usize,
    tokens: &Tokens<'_, T>,
    objective: &Objective<'_>,
    states: &[State<T>],
    scale: &dyn Fn(usize) -> f64,
) -> Result<Vec<Slope<T>>> {
    let slope = |(token, state): (usize, &State<T>)| -> Result<Slope<T>, Error> {
        let slope = objective.slope(tokens.targets[token], state, scale(tokens.place(token)));
        slope.ok_or_else(|| tokens.overflow(token))
    };
    (first..).zip(states).map(slope).collect()
}
