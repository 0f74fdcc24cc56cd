//! What this room compiles once for each type that hidden states are stored in.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};

use super::cross_entropy::{self, LinearCrossEntropy};
use super::gradient::LinearGradientMut;
use super::head::{Head, LinearHead};
use super::pass::{self, Pass};
use super::plan::LinearPlan;
use super::token_log_probs;
use super::tokens::{self, Tokens};
use crate::compiled::compiled;
use crate::logits::{CrossEntropy, LogitTransform};
use crate::reduction::AnyReduction;
use crate::target::Indices;
use crate::{Element, Result};

/// The type that logits are computed in.
type Wide<E> = <E as Element>::Real;

/// Buffers for gradients in hidden states of any number of axes.
type Out<'a, E> = LinearGradientMut<'a, Wide<E>, ArrayViewMutD<'a, Wide<E>>>;

compiled! {
    pub trait Compiled for stored types {
        fn linear_cross_entropy(
            loss: &LinearCrossEntropy,
            hidden: ArrayViewD<'_, Self>,
            head: LinearHead<'_, Self>,
            targets: Indices<'_>,
            reduction: AnyReduction<'_, Wide<Self>>,
            out: Option<Out<'_, Self>>,
        ) -> Result<Wide<Self>> = cross_entropy::reduced;
        fn linear_cross_entropies(
            loss: &CrossEntropy,
            hidden: ArrayViewD<'_, Self>,
            head: LinearHead<'_, Self>,
            targets: Indices<'_>,
        ) -> Result<(Vec<f64>, f64)> = cross_entropy::losses;

        fn linear_token_log_probs(
            transform: LogitTransform,
            hidden: ArrayViewD<'_, Self>,
            head: LinearHead<'_, Self>,
            targets: Indices<'_>,
            mask: Option<ArrayViewD<'_, bool>>,
        ) -> Result<ArrayD<Wide<Self>>> = token_log_probs::forward;
        fn linear_token_log_probs_backward(
            transform: LogitTransform,
            hidden: ArrayViewD<'_, Self>,
            head: LinearHead<'_, Self>,
            targets: Indices<'_>,
            cotangent: (ArrayViewD<'_, Wide<Self>>, LinearPlan),
            out: Out<'_, Self>,
        ) -> Result<()> = token_log_probs::backward;

        fn linear_head<'h>(head: LinearHead<'h, Self>, width: usize) -> Result<Head<'h, Self>> = Head::checked;
        fn masked_tokens<'a>(
            name: &'static str,
            hidden: ArrayViewD<'a, Self>,
            targets: Indices<'_>,
            mask: ArrayViewD<'_, bool>,
            classes: usize,
        ) -> Result<Tokens<'a, Wide<Self>>> = tokens::masked;
        fn linear_pass<'a, 'h>(
            groups: Vec<Tokens<'a, Wide<Self>>>,
            head: Head<'h, Self>,
            transform: LogitTransform,
        ) -> Result<Pass<'a, 'h, Self>> = pass::swept;
        fn linear_pass_log_probs(pass: &Pass<'_, '_, Self>, group: usize) -> Result<ArrayD<Wide<Self>>> = pass::log_probs;
        fn linear_pass_backward(
            pass: &Pass<'_, '_, Self>,
            cotangents: &[Vec<f64>],
            out: LinearGradientMut<'_, Wide<Self>, Vec<ArrayViewMutD<'_, Wide<Self>>>>,
        ) -> Result<()> = pass::backward_from;
    }
}
