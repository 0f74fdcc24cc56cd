//! What a thread works in, and the terms of a loss there, block by block.

use std::convert::Infallible;
use std::ops::Range;

use super::form::{COEFFICIENTS, Form};
use crate::Real;
use crate::reduction::{self, BLOCK};
use crate::simd::{self, LANES};

/// The most arrays of samples that a loss has.
const SAMPLES: usize = 5;

/// The most arrays that a loss has slopes in.
pub(super) const SLOPES: usize = 2;

/// What a thread works in.
pub(super) struct Scratch<T> {
    /// The numbers of a sample.
    pub(super) numbers: Vec<f64>,
    /// Those of each element's sample.
    pub(super) coefficients: [Vec<T>; COEFFICIENTS],
    /// The terms of the last block.
    loss: Vec<T>,
    slopes: [Vec<T>; SLOPES],
}

impl<T: Real> Scratch<T> {
    /// For so many elements at a time.
    pub(super) fn new(len: usize) -> Self {
        let column = || vec![T::zero(); len];
        let (coefficients, slopes) = ([(); COEFFICIENTS].map(|()| column()), [(); SLOPES].map(|()| column()));
        Self { numbers: vec![], coefficients, loss: column(), slopes }
    }

    /// The terms of some elements and their sum; slopes are written as they are.
    pub(super) fn terms(
        &mut self,
        form: &Form,
        rows: &[&[T]],
        at: Range<usize>,
        slopes: &mut [Option<&mut [T]>; SLOPES],
    ) -> f64 {
        let (count, is_steep) = (rows.len() + COEFFICIENTS, slopes.iter().any(Option::is_some));
        let Ok(sum) = reduction::pairwise_by(0..at.len().div_ceil(BLOCK), &mut |block| {
            let part = block * BLOCK..at.len().min((block + 1) * BLOCK);
            let samples = rows.iter().map(|rows| &rows[at.clone()][part.clone()]);
            let coefficients = self.coefficients.iter().map(|column| &column[..part.len()]);
            let mut columns: [&[T]; SAMPLES + COEFFICIENTS] = [&[]; SAMPLES + COEFFICIENTS];
            columns.iter_mut().zip(samples.chain(coefficients)).for_each(|(to, column)| *to = column);
            let loss = &mut self.loss[..part.len()];
            let mut parts = self.slopes.each_mut().map(|slope| &mut slope[..part.len()]);
            form.terms(&columns[..count], loss, &mut parts, is_steep);
            for (to, from) in slopes.iter_mut().zip(&parts) {
                to.iter_mut().for_each(|to| to[part.clone()].copy_from_slice(from));
            }
            Ok::<_, Infallible>(simd::sum(loss).as_f64())
        });
        sum
    }

    /// The sum of some terms of the last block. So few that they would not fill half of the lanes are added in order.
    pub(super) fn sum(&self, at: Range<usize>) -> f64 {
        let terms = &self.loss[at];
        if terms.len() < LANES / 2 { terms.iter().map(|x| x.as_f64()).sum() } else { simd::sum(terms).as_f64() }
    }
}
