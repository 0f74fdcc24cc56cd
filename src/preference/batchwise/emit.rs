//! What has been found for all pairs, into the caller's arrays.

use ndarray::Array1;

use crate::error::Error;
use crate::pointwise::{Mode, Scale};
use crate::preference::{Out, Pairs, Row};
use crate::{Real, Result};

/// A gradient that is complete; `out` is one that takes gradients.
pub(super) fn gradient<T: Real>(from: &Pairs<Array1<T>>, out: Out<'_, T>) -> Result<()> {
    let (mut out, mode) = match out {
        Out::Nothing | Out::Each(_) => return Ok(()),
        Out::Grad(out) => (out, Mode::Set),
        Out::AddGrad(out) => (out, Mode::Add),
    };
    let mut spare = vec![T::zero(); from.chosen.len()];
    let scale = Scale { weights: None, factor: T::one() };
    let mut write = |from: &Array1<T>, to| scale.write(from.as_slice().unwrap_or_default(), to, mode, &mut spare);
    let is_finite = [write(&from.chosen, &mut out.chosen), write(&from.rejected, &mut out.rejected)];
    if is_finite == [true; 2] {
        return Ok(());
    }
    let names = Row::<&str>::NAMES.policy;
    let overflow = |argument, side: &ndarray::ArrayViewMut1<'_, T>| {
        side.iter().position(|x| !x.is_finite()).map(|i| Error::overflow::<T>(argument, i))
    };
    let error = overflow(names.chosen, &out.chosen).or_else(|| overflow(names.rejected, &out.rejected));
    error.map_or(Ok(()), Err)
}
