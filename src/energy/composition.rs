//! Energies and scores of several models as those of one.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::energy::combine;
use crate::pointwise::Domain;
use crate::{Error, Real, Result, check};

/// Energy, or score, of several models together: their weighted sum.
///
/// ```math
/// f = \sum_k w_k f_k \qquad \text{the density of which is proportional to} \qquad \prod_k p_k^{w_k}
/// ```
///
/// All weights 1 make a product of experts (samples that every model considers likely); a weight of -1 is negation;
/// `1 + w` and `-w` are guidance, which [`guided_energy`] forms. Since gradients of energies are scores, the same sum is that
/// of scores. The derivative by `f_k` is `w_k`. Energies are logarithms of densities: large is likely.
///
/// A term of weight 0 is never read. Energies may be infinite: -inf is a state that a model rules out, and the sum is its
/// limit.
///
/// # Errors
///
/// - [`Error::Empty`]: no terms. [`Error::Parameter`]: a weight that is not finite. [`Error::Shape`]: terms of several
///   shapes.
/// - [`Error::Value`]: a term that is NaN, or infinities of both signs. [`Error::Overflow`]: finite terms whose sum
///   does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::composed_energy;
/// let (shape, color, banned) = (array![1.0_f64, -f64::INFINITY], array![0.5, 2.0], array![3.0, 0.0]);
/// let energy = composed_energy(&[(1.0, &*shape), (1.0, &*color), (-1.0, &*banned)])?;
/// assert_eq!(energy, array![-1.5, -f64::INFINITY]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hinton, Training products of experts by minimizing contrastive divergence, Neural Computation 2002; Du, Li and Mordatch,
/// Compositional visual generation with energy based models, NeurIPS 2020,
/// [arXiv:2004.06030](https://arxiv.org/abs/2004.06030).
#[doc(alias = "product of experts")]
#[doc(alias = "negation")]
pub fn composed_energy<T: Real, D: Dimension>(terms: &[(f64, &ArrayRef<T, D>)]) -> Result<Array<T, D>> {
    let arrays: Vec<_> = terms.iter().map(|(_, array)| array.view().into_dyn()).collect();
    let weights: Vec<f64> = terms.iter().map(|(weight, _)| *weight).collect();
    Ok(in_dimension(T::composed(&["terms"], "weight", &arrays, &weights)?))
}

/// Energy, or score, under guidance: away from the unconditional model by the weight `w`.
///
/// ```math
/// f = (1 + w)\, f(y \mid c) - w\, f(y)
/// ```
///
/// With `w = 0` it is the conditional energy, bit for bit, and with `w = -1` the unconditional one: what has the factor 0 is
/// never read. The derivatives are `1 + w` and `-w`. Energies may be infinite as in [`composed_energy`].
///
/// # Errors
///
/// Those of [`composed_energy`], with the names `conditional`, `unconditional` and `weight`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::guided_energy;
/// let (conditional, unconditional) = (array![2.0_f64], array![1.0]);
/// assert_eq!(guided_energy(&conditional, &unconditional, 3.0)?, array![5.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ho and Salimans, Classifier-free diffusion guidance, 2022, [arXiv:2207.12598](https://arxiv.org/abs/2207.12598); for
/// energies: Zhu et al., ICLR 2024, [arXiv:2309.05153](https://arxiv.org/abs/2309.05153).
#[doc(alias = "classifier-free guidance")]
#[doc(alias = "CFG")]
pub fn guided_energy<T: Real, D: Dimension>(
    conditional: &ArrayRef<T, D>,
    unconditional: &ArrayRef<T, D>,
    weight: f64,
) -> Result<Array<T, D>> {
    let arrays = [conditional, unconditional].map(|array| array.view().into_dyn());
    Ok(in_dimension(T::composed(&["conditional", "unconditional"], "weight", &arrays, &[1.0 + weight, -weight])?))
}

/// Score of a behavior model that a policy guides: `∇ ln p + λ ∇ ln π`.
///
/// ```math
/// p_\lambda(\tau) \propto p(\tau) \prod_t \pi(a_t \mid s_t)^\lambda, \qquad
/// \nabla_a \ln p_\lambda = \nabla_a \ln p + \lambda\, \nabla_a \ln \pi(a \mid s)
/// ```
///
/// `λ = 0` is the behavior model, and the policy is then never read; the dynamics stay those of the behavior model for every
/// `λ`. Of two Gaussians the result is the score of the Gaussian whose precision is `1/v + λ/w`. For what `λ` is along a
/// sampler's steps see [`GuidanceSchedule`](crate::energy::GuidanceSchedule).
///
/// # Errors
///
/// Those of [`composed_energy`], with the names `behavior`, `policy` and `lambda`.
///
/// # Examples
///
/// The score of `N(0, 1)` and of `N(2, ½)` at their product's mean:
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::guided_score;
/// let at = 2.8_f64 / 2.4; // λ = 0.7: precision 1 + 1.4, mean 2.8 / 2.4
/// let score = guided_score(&array![-at], &array![(2.0 - at) / 0.5], 0.7)?;
/// assert!(score[0].abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Jackson et al., Policy-guided diffusion, RLC 2024, [arXiv:2404.06356](https://arxiv.org/abs/2404.06356).
#[doc(alias = "policy-guided diffusion")]
pub fn guided_score<T: Real, D: Dimension>(
    behavior: &ArrayRef<T, D>,
    policy: &ArrayRef<T, D>,
    lambda: f64,
) -> Result<Array<T, D>> {
    let arrays = [behavior, policy].map(|array| array.view().into_dyn());
    Ok(in_dimension(T::composed(&["behavior", "policy"], "lambda", &arrays, &[1.0, lambda])?))
}

/// The weighted sum; a single name is that of all terms.
pub(super) fn compute<T: Real>(
    names: &[&'static str],
    parameter: &'static str,
    arrays: &[ArrayViewD<'_, T>],
    weights: &[f64],
) -> Result<ArrayD<T>> {
    weights.iter().try_for_each(|&weight| check::finite(parameter, weight))?;
    let Some(&name) = names.first().filter(|_| !arrays.is_empty()) else {
        return Err(Error::Empty { argument: "terms" });
    };
    let all: Vec<_> = (0..arrays.len()).map(|k| names.get(k).copied().unwrap_or(name)).collect();
    combine::weighted(&all, arrays, weights, Domain::Extended)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn infinities_have_their_limit_and_those_of_both_signs_none() {
        let (a, b) = (array![-INF, 1.0, INF], array![2.0, -INF, 3.0]);
        assert_eq!(composed_energy(&[(1.0, &*a), (2.0, &*b)]), Ok(array![-INF, -INF, INF]));
        let error = composed_energy(&[(1.0, &*a), (-1.0, &*a)]).unwrap_err().to_string();
        assert_eq!(error, "`terms`[0] is -inf, allowed is finite where another term is infinite of the other sign");
        assert_eq!(guided_energy(&array![1.0], &array![f64::NAN], 0.0), Ok(array![1.0]));
        let error = guided_score(&array![[1.0, 1.0]], &array![[0.0, f64::NAN]], 0.5).unwrap_err().to_string();
        assert_eq!(error, "`policy`[0, 1] is NaN, allowed is any number but NaN");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = array![1.0_f32];
        let none: [(f64, &ndarray::ArrayRef1<f32>); 0] = [];
        let message = |error: Error| error.to_string();
        assert_eq!(message(composed_energy(&none).unwrap_err()), "`terms` is empty, needed is at least one element");
        let wide = array![1.0_f32, 2.0];
        assert_eq!(
            message(guided_energy(&one, &wide, 1.0).unwrap_err()),
            "`unconditional` has shape [2], expected [1]"
        );
        assert_eq!(message(guided_energy(&one, &one, INF).unwrap_err()), "`weight` is inf, allowed is finite");
        let huge = array![3e38_f32];
        assert_eq!(
            message(guided_energy(&huge, &one, 1.0).unwrap_err()),
            "the result at `conditional`[0] overflows f32"
        );
    }

    #[test]
    fn many_blocks_in_any_layout_have_the_sums_of_single_elements() {
        let packed = Array2::from_shape_fn((700, 301), |(i, j)| (i * 31 + j * 17) as f64 / 7.0);
        let mut other = Array2::zeros((700, 301).f());
        other.assign(&packed);
        let sum = composed_energy(&[(0.5, &*packed), (-0.25, &*other)]).unwrap();
        assert_eq!(sum, packed.mapv(|x| 0.25 * x));
    }
}
