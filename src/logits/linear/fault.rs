//! Which input is to blame for logits that are NaN, infinite or ruled out altogether; only looked for after such a result.

use num_traits::Float;

use super::head::Head;
use super::state::State;
use super::tokens::Tokens;
use crate::error::Position;
use crate::{Element, Error, Real, Result};

/// The error of the first token whose logits have no softmax, if there is one.
pub(super) fn check<E: Element>(
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    states: &[State<E::Real>],
) -> Result<()> {
    check_from(0, tokens, head, states)
}

/// [`check`] for the tokens from the `first` on.
pub(super) fn check_from<E: Element>(
    first: usize,
    tokens: &Tokens<'_, E::Real>,
    head: &Head<'_, E>,
    states: &[State<E::Real>],
) -> Result<()> {
    match states.iter().position(|state| !(state.finite && state.sum.is_proper())) {
        None => Ok(()),
        Some(token) => Err(explain(tokens, head, first + token, states[token].sum.max)),
    }
}

/// A hidden state or a weight that is no number, a row without a class, or else an overflow of numbers.
fn explain<E: Element>(tokens: &Tokens<'_, E::Real>, head: &Head<'_, E>, token: usize, max: E::Real) -> Error {
    let number = |x: &E| x.real().is_finite();
    if let Some(error) = tokens.fault(token) {
        return error;
    }
    if let Some(((class, element), x)) = head.weight.indexed_iter().find(|(_, x)| !number(x)) {
        let (position, value) = (Position(vec![class, element]), x.real().as_f64());
        return Error::Value { argument: "weight", position, value, allowed: "finite" };
    }
    if max == E::Real::neg_infinity() && (0..head.classes()).all(|class| head.rules_out(class)) {
        let (position, value) = (tokens.position(token, None), f64::NEG_INFINITY);
        return Error::Value { argument: "logits", position, value, allowed: "a row with at least one finite logit" };
    }
    tokens.overflow(token)
}
