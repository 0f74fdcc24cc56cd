//! One weight for each class, or 1 for all.

use super::labels::Labels;
use crate::error::Position;
use crate::rowwise::BLOCK;
use crate::{Error, Real, Result, check, reduction, simd};

static ONES: [f64; BLOCK] = [1.0; BLOCK];

/// Checked class weights.
#[derive(Clone, Copy)]
pub(super) struct ClassWeights<'a> {
    weights: Option<&'a [f64]>,
    /// Their sum over all classes.
    pub(super) total: f64,
}

impl<'a> ClassWeights<'a> {
    /// Checks that there is one weight for each class, finite and not negative.
    pub(super) fn new(weights: Option<&'a [f64]>, classes: usize) -> Result<Self> {
        let Some(values) = weights else { return Ok(Self { weights, total: classes as f64 }) };
        let argument = "class_weights";
        check::shape(argument, &[values.len()], &[classes])?;
        if let Some(class) = values.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let (position, value) = (class.into(), values[class]);
            return Err(Error::Value { argument, position, value, allowed: "finite and >= 0" });
        }
        let total = reduction::sum(values);
        if total.is_infinite() {
            return Err(Error::overflow::<f64>(argument, Position::default()));
        }
        Ok(Self { weights, total })
    }

    /// Whether every class has the weight 1.
    pub(super) fn are_ones(self) -> bool {
        self.weights.is_none()
    }

    /// `Σ w_y` over the rows that are kept, by which a mean is divided.
    pub(super) fn count(self, labels: &Labels<'_>) -> f64 {
        if self.are_ones() {
            return labels.kept() as f64;
        }
        let of_row = |row| labels.get(row).map_or(0.0, |target| self.of(target));
        reduction::sum(&(0..labels.len()).map(of_row).collect::<Vec<_>>())
    }

    /// The weight of a class.
    #[inline]
    pub(super) fn of(self, class: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[class])
    }

    /// `Σ w (top - x)` over neighboring classes. A class of weight 0 is left out, whatever its logit.
    pub(super) fn drop<T: Real>(self, first: usize, logits: &[T], top: f64) -> f64 {
        match self.weights {
            None => simd::sum_below_max(logits, top),
            Some(weights) => simd::weighted_sum_below_max(logits, &weights[first..][..logits.len()], top),
        }
    }

    /// Takes `scale · w` from the entry of each of neighboring classes.
    pub(super) fn subtract<T: Real>(self, first: usize, entries: &mut [T], scale: f64) {
        match self.weights {
            None => simd::lower(entries, T::from_f64(scale)),
            Some(weights) => simd::subtract_scaled(entries, &weights[first..][..entries.len()], scale),
        }
    }

    /// The weights of at most [`BLOCK`] neighboring classes.
    pub(super) fn block(self, first: usize, len: usize) -> &'a [f64] {
        self.weights.map_or(&ONES[..len], |weights| &weights[first..][..len])
    }
}
