//! All pairs of several modalities.

use ndarray::{Array2, ArrayView2};

use super::InfoNce;
use crate::contrastive::batch::EmbeddingBatch;
use crate::{Error, Real, Reduction, Result};

impl InfoNce {
    /// The sum of the losses of every pair of several modalities, `[N, d]` each, of which row `i` belongs together: three
    /// modalities with [`Directions::Symmetric`](super::Directions::Symmetric) are the trimodal CLIP loss (half of it where
    /// both directions are added, as AstroM³ has it).
    ///
    /// # Errors
    ///
    /// See [`InfoNce`]. Errors in the embeddings name `modalities`, with the number of the modality before the position.
    pub fn value_of_modalities<T: Real>(
        &self,
        modalities: &[ArrayView2<'_, T>],
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        let mut total = T::zero();
        for [i, j] in pairs(modalities.len()) {
            let batch = EmbeddingBatch::new(&modalities[i], &modalities[j]);
            total += self.value(batch, reduction).map_err(|error| named(error, [i, j]))?;
        }
        Ok(total)
    }

    /// The same, its slopes in each modality, and that in the temperature.
    ///
    /// # Errors
    ///
    /// Those of [`InfoNce::value_of_modalities`].
    pub fn grad_of_modalities<T: Real>(
        &self,
        modalities: &[ArrayView2<'_, T>],
        reduction: Reduction<'_, T>,
    ) -> Result<(T, Vec<Array2<T>>, T)> {
        let mut slopes: Vec<_> = modalities.iter().map(|x| Array2::zeros(x.dim())).collect();
        let (mut total, mut temperature) = (T::zero(), T::zero());
        for [i, j] in pairs(modalities.len()) {
            let batch = EmbeddingBatch::new(&modalities[i], &modalities[j]);
            let (value, found) = self.grad(batch, reduction).map_err(|error| named(error, [i, j]))?;
            total += value;
            temperature += found.temperature;
            slopes[i] += &found.first;
            slopes[j] += &found.second;
        }
        Ok((total, slopes, temperature))
    }
}

fn pairs(count: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..count).flat_map(move |i| (i + 1..count).map(move |j| [i, j]))
}

/// The same error under the name that the argument has here.
fn named(mut error: Error, [i, j]: [usize; 2]) -> Error {
    if let Error::Value { argument, position, .. } | Error::Overflow { argument, position, .. } = &mut error {
        position.0.insert(0, if *argument == "second" { j } else { i });
    }
    error.rename(|name| if name == "first" || name == "second" { "modalities" } else { name })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::contrastive::{Directions, InfoNce};

    #[test]
    fn alike_modalities_cost_a_logarithm_for_each_pair_and_errors_name_the_modality() {
        let x = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]];
        let loss = InfoNce { directions: Directions::Symmetric, ..InfoNce::default() };
        let all = [x.view(), x.view(), x.view()];
        let (value, slopes, temperature) = loss.grad_of_modalities(&all, Reduction::Mean).unwrap();
        assert!((value - 3.0 * 4.0_f64.ln()).abs() < 1e-12);
        assert_eq!(loss.value_of_modalities(&all, Reduction::Mean), Ok(value));
        assert!(slopes.iter().flatten().chain([&temperature]).all(|slope| slope.abs() < 1e-12));
        let mut bad = x.clone();
        bad[[2, 1]] = f64::INFINITY;
        let error = loss.value_of_modalities(&[x.view(), x.view(), bad.view()], Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "`modalities`[2, 2, 1] is inf, allowed is finite");
    }

    #[test]
    fn slopes_are_those_of_the_pairs() {
        let all = [array![[1.0, 0.2], [0.3, 1.0]], array![[0.5, 0.1], [-0.3, 0.4]], array![[1.0, -1.0], [0.2, 0.7]]];
        let views = all.each_ref().map(|x| x.view());
        let loss = InfoNce { temperature: 0.5, ..InfoNce::default() };
        let (_, slopes, _) = loss.grad_of_modalities(&views, Reduction::Mean).unwrap();
        let pair = |i: usize, j: usize| loss.grad(EmbeddingBatch::new(&all[i], &all[j]), Reduction::Mean).unwrap().1;
        assert_eq!(slopes[1], pair(0, 1).second + pair(1, 2).first);
    }
}
