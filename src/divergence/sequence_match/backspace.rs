//! A stream of tokens and backspaces, as the states that it goes through.

use ndarray::{Array1, Array2, ArrayRef1, ArrayView1};

use crate::Target;

/// What [`apply_backspaces`] finds, for a stream of `n` actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backspaced<I> {
    /// The tokens that are left in the end.
    pub stack: Array1<I>,
    /// How many tokens are left after each action, `[n]`: the position of the next one.
    pub depth: Array1<usize>,
    /// The action that put the last of them there, `[n]`; `None` where nothing is left. Its token is what the model reads
    /// at this step.
    pub top: Array1<Option<usize>>,
    /// Whether the token of an action (column) is still there after another (row), `[n, n]`: the mask of attention.
    /// Backspaces are never visible, nor is what comes later.
    pub visible: Array2<bool>,
}

/// Plays a stream of actions: each puts a token on a stack, `backspace` takes the last one off.
///
/// On an empty stack a backspace does nothing. A token and a backspace right after it leave the state as it was. The labels
/// of a model that learns to correct itself are the actions themselves: the one at step `i` is asked of the state after
/// step `i - 1`, whose tokens are the visible ones of row `i - 1`. Tokens that were put in as noise are no expert's
/// actions: give them the ignored index in [`SequenceMatch`](super::SequenceMatch), and they are walked over but not
/// rewarded.
///
/// `visible` takes `n²` bytes.
///
/// # Examples
///
/// ```
/// # use loglik::{divergence::apply_backspaces, ndarray::array};
/// let played = apply_backspaces(&array![7, 8, 99, 9], 99); // 8 is taken back
/// assert_eq!(played.stack, array![7, 9]);
/// assert_eq!(played.depth, array![1, 2, 1, 2]);
/// assert_eq!(played.top, array![Some(0), Some(1), Some(0), Some(3)]);
/// assert_eq!(played.visible.row(3), array![true, false, false, true]);
/// ```
///
/// # References
///
/// Cundy and Ermon, SequenceMatch: imitation learning for autoregressive sequence modeling with backtracking, ICLR 2024,
/// [arXiv:2306.05426](https://arxiv.org/abs/2306.05426).
pub fn apply_backspaces<I: Target>(actions: &ArrayRef1<I>, backspace: I) -> Backspaced<I> {
    I::backspaces(actions.view(), backspace)
}

pub(crate) fn backspaces<I: Target>(actions: ArrayView1<'_, I>, backspace: I) -> Backspaced<I> {
    let n = actions.len();
    let mut played = Backspaced {
        stack: Array1::from_vec(Vec::new()),
        depth: Array1::zeros(n),
        top: Array1::from_elem(n, None),
        visible: Array2::from_elem((n, n), false),
    };
    let mut stack: Vec<usize> = Vec::new();
    for (step, action) in actions.iter().enumerate() {
        if action.index() == backspace.index() {
            stack.pop();
        } else {
            stack.push(step);
        }
        (played.depth[step], played.top[step]) = (stack.len(), stack.last().copied());
        stack.iter().for_each(|&token| played.visible[[step, token]] = true);
    }
    played.stack = stack.into_iter().map(|token| actions[token]).collect();
    played
}
