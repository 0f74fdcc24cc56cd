//! The linear map from hidden states to logits.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2, s};
use num_traits::{Float, Zero};

use super::BLOCK;
use super::lanes;
use crate::gemm::product;
use crate::{Element, Error, Real, Result, check};

/// The last layer of a model, `logits = hidden · weightᵀ + bias`.
///
/// `weight` is `[V, H]`, as torch's `nn.Linear` has it, of any [`Element`] and any layout; contiguous is quickest. A bias of
/// -inf rules its class out; not all classes can be.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (weight, bias) = (array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], array![0.0, 0.5, -1.0]);
/// let head = LinearHead::new(weight.view()).bias(bias.view());
/// let log_probs = linear_token_log_probs(&array![[2.0_f64, 0.5]], head, &array![0])?;
/// assert_eq!(log_probs, token_log_probs(&array![[2.0, 1.0, 1.5]], &array![0])?);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct LinearHead<'a, E> {
    /// One row for each class, `[V, H]`.
    pub weight: ArrayView2<'a, E>,
    /// What is added to the logit of each class, `[V]`: finite or -inf. Default none.
    pub bias: Option<ArrayView1<'a, E>>,
}

impl<'a, E: Element> LinearHead<'a, E> {
    /// A head without bias.
    pub fn new(weight: ArrayView2<'a, E>) -> Self {
        Self { weight, bias: None }
    }

    /// Adds a bias.
    pub fn bias(mut self, bias: ArrayView1<'a, E>) -> Self {
        self.bias = Some(bias);
        self
    }
}

/// A head whose shapes and bias have been checked.
pub(crate) struct Head<'a, E: Element> {
    pub(super) weight: ArrayView2<'a, E>,
    bias: Option<Vec<E::Real>>,
}

impl<'a, E: Element> Head<'a, E> {
    /// Checks the shapes against hidden states of this width, and the bias.
    pub(crate) fn new(head: LinearHead<'a, E>, width: usize) -> Result<Self> {
        E::linear_head(head, width)
    }

    /// [`Head::new`], which calls it in this crate.
    pub(super) fn checked(head: LinearHead<'a, E>, width: usize) -> Result<Self> {
        let LinearHead { weight, bias } = head;
        check::shape("weight", weight.shape(), &[weight.nrows(), width])?;
        match (weight.nrows(), width) {
            (0, _) => return Err(Error::Empty { argument: "weight" }),
            (_, 0) => return Err(Error::Empty { argument: "hidden" }),
            _ => {}
        }
        if let Some(bias) = &bias {
            check::shape("bias", bias.shape(), &[weight.nrows()])?;
        }
        let bias: Option<Vec<_>> = bias.map(|bias| bias.iter().map(|x| x.real()).collect());
        let wrong = |x: &E::Real| x.is_nan() || *x == E::Real::infinity();
        if let Some((class, x)) = bias.iter().flatten().enumerate().find(|(_, x)| wrong(x)) {
            let (position, value) = (class.into(), x.as_f64());
            return Err(Error::Value { argument: "bias", position, value, allowed: "finite or -inf" });
        }
        Ok(Self { weight, bias })
    }

    /// Number of classes.
    pub(super) fn classes(&self) -> usize {
        self.weight.nrows()
    }

    /// Width of the hidden states.
    pub(super) fn width(&self) -> usize {
        self.weight.ncols()
    }

    /// Whether there is a bias.
    pub(super) fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// Whether the bias rules this class out.
    pub(super) fn rules_out(&self, class: usize) -> bool {
        self.bias.as_ref().is_some_and(|bias| bias[class] == E::Real::neg_infinity())
    }

    /// The classes of a range in blocks of [`BLOCK`].
    pub(super) fn blocks(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let end = range.end;
        range.step_by(BLOCK).map(move |first| first..end.min(first + BLOCK))
    }

    /// Weight and bias of neighboring classes.
    pub(super) fn block(&self, classes: Range<usize>) -> Block<'_, E::Real> {
        Block {
            first: classes.start,
            weight: contiguous(self.weight.slice(s![classes.clone(), ..])),
            bias: self.bias.as_ref().map(|bias| &bias[classes]),
        }
    }
}

/// The part of a head that belongs to neighboring classes.
pub(super) struct Block<'w, T> {
    pub(super) first: usize,
    pub(super) weight: CowArray<'w, T, Ix2>,
    pub(super) bias: Option<&'w [T]>,
}

impl<T: Real> Block<'_, T> {
    /// Writes the products of these hidden states with the weight to a tile: the logits but for the bias.
    pub(super) fn multiply(&self, hidden: ArrayView2<'_, T>, tile: ArrayViewMut2<'_, T>) {
        product(T::one(), hidden, self.weight.t(), T::zero(), tile);
    }

    /// Adds the bias to rows of products, each of which is contiguous, and gives them to `f` with their place and whether
    /// all products are finite.
    pub(super) fn for_each_row(&self, mut tile: ArrayViewMut2<'_, T>, mut f: impl FnMut(usize, bool, &mut [T])) {
        for (i, row) in tile.axis_iter_mut(Axis(0)).enumerate() {
            let row = row.into_slice().unwrap_or_default();
            let finite = lanes::all_finite(row);
            if let Some(bias) = self.bias {
                lanes::add(row, bias);
            }
            f(i, finite, row);
        }
    }
}

/// The array itself where it lies row after row in the type that is computed in, else a copy that does.
pub(super) fn contiguous<E: Element>(array: ArrayView2<'_, E>) -> CowArray<'_, E::Real, Ix2> {
    let dim = array.raw_dim();
    let slice = array.to_slice().and_then(E::as_real);
    match slice.and_then(|slice| ArrayView2::from_shape(dim, slice).ok()) {
        Some(view) => view.into(),
        None => {
            let mut copy = Array2::from_elem(dim, E::Real::zero());
            copy.zip_mut_with(&array, |to, from| *to = from.real());
            copy.into()
        }
    }
}
