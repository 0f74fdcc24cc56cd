//! The counted tokens: their hidden states in one piece, their targets, and where they stand among all.

use ndarray::{Array2, ArrayRef, ArrayView2, ArrayViewD, CowArray, Dimension, Ix2};
use num_traits::Zero;

use super::head::{Head, contiguous};
use crate::error::Position;
use crate::logits::labels::Labels;
use crate::target::Indices;
use crate::{Element, Error, Real, Result, Target, check, rowwise};

/// Hidden states that an objective looks at. What is left out costs nothing from here on, and is never read.
pub(crate) struct Tokens<'a, T> {
    /// What the caller calls the hidden states.
    name: &'static str,
    /// Their shape without the last axis.
    leading: Vec<usize>,
    /// The place of each token among all, in row-major order; `None` where all are counted.
    places: Option<Vec<usize>>,
    pub(super) targets: Vec<usize>,
    pub(super) hidden: CowArray<'a, T, Ix2>,
}

impl<'a, T: Real> Tokens<'a, T> {
    /// The tokens to which `target` gives a class, by their place in row-major order.
    pub(crate) fn new<E: Element<Real = T>, D: Dimension>(
        name: &'static str,
        hidden: &'a ArrayRef<E, D>,
        target: impl Fn(usize) -> Option<usize>,
    ) -> Result<Self> {
        Self::of(name, hidden.view().into_dyn(), &target)
    }

    /// [`Tokens::new`] of any number of axes.
    fn of<E: Element<Real = T>>(
        name: &'static str,
        hidden: ArrayViewD<'a, E>,
        target: &dyn Fn(usize) -> Option<usize>,
    ) -> Result<Self> {
        let Some((&width, leading)) = hidden.shape().split_last() else {
            return Err(Error::no_axis(name));
        };
        let all: usize = leading.iter().product();
        let leading = leading.to_vec();
        let (places, targets): (Vec<_>, Vec<_>) = (0..all).filter_map(|i| Some((i, target(i)?))).unzip();
        let places = (places.len() < all).then_some(places);
        let whole = hidden.to_slice().filter(|_| places.is_none());
        let whole = whole.and_then(|slice| ArrayView2::from_shape((all, width), slice).ok());
        let hidden = match whole {
            Some(view) => contiguous(view),
            None => gather(hidden, places.as_deref(), (targets.len(), width)).into(),
        };
        Ok(Self { name, leading, places, targets, hidden })
    }

    /// The tokens that a mask keeps, all of whose targets must be classes.
    pub(crate) fn masked<E: Element<Real = T>, I: Target, D: Dimension>(
        name: &'static str,
        hidden: &'a ArrayRef<E, D>,
        targets: &ArrayRef<I, D::Smaller>,
        mask: &ArrayRef<bool, D::Smaller>,
        head: &Head<'_, E>,
    ) -> Result<Self> {
        let (targets, mask) = (I::erase(targets.view().into_dyn()), mask.view().into_dyn());
        E::masked_tokens(name, hidden.view().into_dyn(), targets, mask, head.classes())
    }

    /// Number of counted tokens.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Number of all tokens.
    pub(super) fn all(&self) -> usize {
        self.leading.iter().product()
    }

    /// The shape of the hidden states without their last axis.
    pub(super) fn leading(&self) -> &[usize] {
        &self.leading
    }

    /// The place of a token among all.
    pub(crate) fn place(&self, token: usize) -> usize {
        self.places.as_ref().map_or(token, |places| places[token])
    }

    /// One number for each of all tokens, 0 for those that take no part.
    pub(super) fn among_all(&self, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut all = vec![0.0; self.all()];
        values.into_iter().enumerate().for_each(|(token, value)| all[self.place(token)] = value);
        all
    }

    /// Moves the rows of the tokens, which stand at the front, to their places, and writes zeros to all others.
    pub(super) fn spread(&self, rows: &mut [T], width: usize) {
        let Some(places) = &self.places else { return };
        let mut end = self.all();
        for (token, &place) in places.iter().enumerate().rev() {
            rows.copy_within(token * width..(token + 1) * width, place * width);
            rows[(place + 1) * width..end * width].fill(T::zero());
            end = place;
        }
        rows[..end * width].fill(T::zero());
    }

    /// Finite hidden states of a token lead out of the range of the type.
    pub(super) fn overflow(&self, token: usize) -> Error {
        Error::overflow::<T>(self.name, self.position(token, None))
    }

    /// The place of a token, or of one of the elements of its hidden state, in the caller's array.
    pub(super) fn position(&self, token: usize, element: Option<usize>) -> Position {
        let mut position = Position::unravel(self.place(token), &self.leading);
        position.0.extend(element);
        position
    }

    /// The first element of a token's hidden state that is no number.
    pub(super) fn fault(&self, token: usize) -> Option<Error> {
        let row = self.hidden.row(token);
        let (element, value) = row.iter().enumerate().find(|(_, x)| !x.is_finite())?;
        let (position, value) = (self.position(token, Some(element)), value.as_f64());
        Some(Error::Value { argument: self.name, position, value, allowed: "finite" })
    }
}

/// [`Tokens::masked`] of any number of axes and indices of any type.
pub(super) fn masked<'a, E: Element>(
    name: &'static str,
    hidden: ArrayViewD<'a, E>,
    targets: Indices<'_>,
    mask: ArrayViewD<'_, bool>,
    classes: usize,
) -> Result<Tokens<'a, E::Real>> {
    let Some((_, leading)) = hidden.shape().split_last() else {
        return Err(Error::no_axis(name));
    };
    check::shape("mask", mask.shape(), leading)?;
    let mask: Vec<bool> = mask.iter().copied().collect();
    let labels = Labels::erased(targets, leading, classes, None, &|row| !mask[row])?;
    Tokens::of(name, hidden, &|row| labels.get(row).filter(|_| mask[row]))
}

/// The rows of these places, one after the other.
fn gather<E: Element>(hidden: ArrayViewD<'_, E>, places: Option<&[usize]>, dim: (usize, usize)) -> Array2<E::Real> {
    let mut copy = Array2::from_elem(dim, E::Real::zero());
    let wanted = |place: &usize| places.is_none_or(|places| places.binary_search(place).is_ok());
    let rows = hidden.rows().into_iter().enumerate().filter(|(place, _)| wanted(place));
    for ((_, from), to) in rows.zip(copy.rows_mut()) {
        rowwise::copy(from, to.into_slice().unwrap_or_default());
    }
    copy
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, ShapeBuilder, array};

    use super::*;

    #[test]
    fn tokens_go_out_and_come_back_to_their_places() {
        let hidden = Array3::from_shape_fn((2, 3, 2), |(i, j, k)| (100 * i + 10 * j + k) as f64);
        let kept = [1, 2, 5];
        let tokens = Tokens::new("hidden", &hidden, |i| kept.contains(&i).then_some(10 * i)).unwrap();
        assert_eq!(tokens.targets, [10, 20, 50]);
        assert_eq!(tokens.hidden, array![[10.0, 11.0], [20.0, 21.0], [120.0, 121.0]]);
        let mut rows: Vec<f64> = tokens.hidden.iter().copied().chain([7.0; 6]).collect();
        tokens.spread(&mut rows, 2);
        assert_eq!(rows, [0.0, 0.0, 10.0, 11.0, 20.0, 21.0, 0.0, 0.0, 0.0, 0.0, 120.0, 121.0]);
        assert_eq!(tokens.overflow(2), Error::overflow::<f64>("hidden", Position(vec![1, 2])));
    }

    #[test]
    fn nothing_is_copied_where_all_take_part_in_one_piece() {
        let hidden = Array2::<f32>::ones((4, 3));
        assert!(Tokens::new("hidden", &hidden, Some).unwrap().hidden.is_view());
        assert!(!Tokens::new("hidden", &hidden, |i| (i > 0).then_some(i)).unwrap().hidden.is_view());
        let mut other = Array2::<f32>::zeros((4, 3).f());
        other.assign(&hidden);
        let tokens = Tokens::new("hidden", &other, Some).unwrap();
        assert_eq!(tokens.hidden, hidden);
        assert!(tokens.hidden.is_standard_layout());
    }

    #[test]
    fn no_token_leaves_zeros_everywhere() {
        let hidden = Array2::from_elem((4, 3), f64::NAN);
        let tokens = Tokens::new("hidden", &hidden, |_| None).unwrap();
        let mut rows = vec![7.0; 12];
        tokens.spread(&mut rows, 3);
        assert_eq!((tokens.len(), rows), (0, vec![0.0; 12]));
    }
}
