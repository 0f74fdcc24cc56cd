//! What has been found for all pairs, into the caller's arrays.

use ndarray::Array1;

use crate::error::Error;
use crate::preference::scale::{Mode, Scale};
use crate::preference::{Out, Pairs, Row};
use crate::{Real, Result};

/// A gradient that is complete; `out` is one that takes gradients.
pub(super) fn gradient<T: Real>(from: &Pairs<Array1<T>>, out: Out<'_, T>) -> Result<()> {
    let (mut out, mode) = match out {
        Out::Nothing | Out::Each(_) => return Ok(()),
        Out::Grad(out) => (out, Mode::Set),
        Out::AddGrad(out) => (out, Mode::Add),
    };
    let slices = from.as_ref().map(|side| side.as_slice().unwrap_or_default());
    let mut spare = vec![T::zero(); from.chosen.len()];
    let scale = Scale { weights: None, factor: T::one() };
    if scale.write_both(
        slices,
        Pairs { chosen: out.chosen.view_mut(), rejected: out.rejected.view_mut() },
        mode,
        &mut spare,
    ) {
        return Ok(());
    }
    let names = Row::<&str>::NAMES.policy;
    let overflow = |argument, side: &ndarray::ArrayViewMut1<'_, T>| {
        side.iter().position(|x| !x.is_finite()).map(|i| Error::overflow::<T>(argument, i))
    };
    let error = overflow(names.chosen, &out.chosen).or_else(|| overflow(names.rejected, &out.rejected));
    error.map_or(Ok(()), Err)
}
