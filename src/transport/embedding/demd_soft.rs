//! The expected cost of a model's class against that of a whole distribution.

use ndarray::{Array1, Array2, ArrayRef2};

use super::cosine_cost::CosineCost;
use super::expected_cost::{Pass, Slopes};
use super::logits::Logits;
use crate::transport::Compiled;
use crate::{Element, Real, Result};

/// The expected cost between a class of the model and one of the target distribution, drawn apart: one number for each row.
///
/// ```math
/// D_n = q_n^\top C\, p_n = \sum_{ij} q_{ni}\, C_{ij}\, p_{nj}
///     = \sum_j p_{nj} - \Bigl\langle \sum_i q_{ni}\, e_i, \sum_j p_{nj}\, e_j \Bigr\rangle,
/// \qquad q_n = \operatorname{softmax}(z_n)
/// ```
///
/// `logits` z and `targets` p are `[N, V]`, the cost `C = 1 - cos` is of V classes. Targets are `>= 0` and usually sum to 1
/// in each row, which is not checked: the cost is linear in them. It is the cost of the plan `q pᵀ`, which has the right
/// margins, so it bounds the earth mover distance of q and p from above; with all mass on one class it is
/// [`demd`](super::demd()), bit by bit.
///
/// **No divergence.** At `q = p` it is `1 - |Σ p_j e_j|²`, which is more than 0 unless all embeddings with mass point one
/// way, and it is least where q has all its mass on the class with the least `(C p)_k`: it seeks a mode, and forgets how
/// likely it was.
///
/// Time is `O(N V d)`, from two matrix products of each block of rows with the embeddings; scratch is a block of rows for
/// each thread and nothing of `[V, V]`. What the likeliest class of p costs is formed from the others alone, so that a
/// nearly certain target keeps its digits there; other costs are good to a few units of the last place of `Σ p`.
///
/// # Errors
///
/// - [`Error::Shape`](crate::Error::Shape): targets of another shape, or not one logit for each class of the cost.
/// - [`Error::Value`](crate::Error::Value): a target is negative or not finite; a logit is NaN or +inf, or all of a row are
///   -inf.
/// - [`Error::Overflow`](crate::Error::Overflow): targets whose sum, or a gradient that, does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CosineCost, demd_soft};
/// let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]])?;
/// let (logits, targets) = (array![[0.5_f64, 0.3, 0.2]].ln(), array![[0.2, 0.2, 0.6]]);
/// assert!((demd_soft(&logits, &targets, &cost)?[0] - 0.46).abs() < 1e-15); // the earth mover distance is 0.26
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ren et al., ICLR 2024, [arXiv:2310.04691](https://arxiv.org/abs/2310.04691).
pub fn demd_soft<E: Element>(
    logits: &ArrayRef2<E>,
    targets: &ArrayRef2<E::Real>,
    cost: &CosineCost<E::Real>,
) -> Result<Array1<E::Real>> {
    E::Real::demd_soft(E::logits(logits), targets, cost)
}

pub(in crate::transport) fn values<T: Real>(
    logits: Logits<'_, T>,
    targets: &ArrayRef2<T>,
    cost: &CosineCost<T>,
) -> Result<Array1<T>> {
    let stats = Pass::soft(logits, targets, cost)?.values()?;
    Ok(stats.iter().map(|stats| T::from_f64(stats.cost)).collect())
}

/// [`demd_soft`] and the gradient of its sum in the logits: `q_k ((C p)_k - D)`.
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CosineCost, demd_soft_grad};
/// let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]])?;
/// let (logits, targets) = (array![[0.5_f64, 0.3, 0.2]].ln(), array![[0.2, 0.2, 0.6]]);
/// let (_, gradient) = demd_soft_grad(&logits, &targets, &cost)?;
/// assert!((gradient[[0, 0]] - 0.5 * (0.64 - 0.46)).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # Errors
///
/// As [`demd_soft`].
pub fn demd_soft_grad<T: Real, E: Element<Real = T>>(
    logits: &ArrayRef2<E>,
    targets: &ArrayRef2<T>,
    cost: &CosineCost<T>,
) -> Result<(Array1<T>, Array2<T>)> {
    T::demd_soft_grad(E::logits(logits), targets, cost)
}

pub(in crate::transport) fn gradient<T: Real>(
    logits: Logits<'_, T>,
    targets: &ArrayRef2<T>,
    cost: &CosineCost<T>,
) -> Result<(Array1<T>, Array2<T>)> {
    let mut gradient = Array2::zeros(logits.shape);
    let pass = Pass::soft(logits, targets, cost)?;
    let stats = pass.gradient(&mut gradient, &|_, _| Slopes { nll: 0.0, cost: 1.0 })?;
    Ok((stats.iter().map(|stats| T::from_f64(stats.cost)).collect(), gradient))
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::*;
    use crate::testing::cases;
    use crate::transport::embedding::testing::three;
    use crate::transport::{demd, demd_grad};

    /// Several blocks of rows and of classes; rows of mass 1 but for the first, which has 1.5.
    fn large() -> (Array2<f64>, Array2<f64>, CosineCost<f64>) {
        let embeddings = Array2::from_shape_fn((1_500, 9), |(i, j)| ((i * 9 + j) as f64 * 0.7).sin());
        let logits = Array2::from_shape_fn((70, 1_500), |(n, k)| 3.0 * ((n * 1_500 + k) as f64 * 0.3).sin());
        let mut targets =
            Array2::from_shape_fn((70, 1_500), |(n, k)| (2.0 * ((n * 31 + k * 17) as f64 * 0.9).sin()).exp());
        targets.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        targets.row_mut(0).mapv_inplace(|p| 1.5 * p);
        (logits, targets, CosineCost::new(&embeddings).unwrap())
    }

    #[test]
    fn three_classes_have_their_worked_numbers() {
        let (logits, targets) = (array![[0.5_f64, 0.3, 0.2]].ln(), array![[0.2, 0.2, 0.6]]);
        let (d, gradient) = demd_soft_grad(&logits, &targets, &three()).unwrap();
        assert!((d[0] - 0.46).abs() < 1e-15);
        for (got, expected) in gradient.iter().zip([0.09, 0.3 * (0.28 - 0.46), 0.2 * (0.28 - 0.46)]) {
            assert!((got - expected).abs() < 1e-15, "{got} against {expected}");
        }
    }

    #[test]
    fn one_class_with_all_the_mass_is_a_hard_target_bit_by_bit() {
        let (logits, _, cost) = large();
        let targets = Array1::from_shape_fn(70, |n| n * 37 % 1_500);
        let hot = Array2::from_shape_fn((70, 1_500), |(n, k)| f64::from(u8::from(targets[n] == k)));
        assert_eq!(demd_soft_grad(&logits, &hot, &cost), demd_grad(&logits, &targets, &cost));
        assert_eq!(demd_soft(&logits, &hot, &cost), demd(&logits, &targets, &cost));
    }

    #[test]
    fn blocks_change_nothing_but_rounding() {
        let (logits, targets, cost) = large();
        let (each, gradient) = demd_soft_grad(&logits, &targets, &cost).unwrap();
        assert_eq!(each, demd_soft(&logits, &targets, &cost).unwrap());
        for n in [69, 64, 63, 1, 0].into_iter().take(cases(5)) {
            let total: f64 = logits.row(n).iter().map(|x| x.exp()).sum();
            let q = |k: usize| logits[[n, k]].exp() / total;
            let c = |k: usize| -> f64 { (0..1_500).map(|j| targets[[n, j]] * cost.between(k, j).unwrap()).sum() };
            let costs: Vec<f64> = (0..1_500).map(c).collect();
            let d: f64 = costs.iter().enumerate().map(|(k, c)| q(k) * c).sum();
            assert!((each[n] - d).abs() < 1e-13, "{n}: {} against {d}", each[n]);
            for (k, c) in costs.iter().enumerate() {
                assert!((gradient[[n, k]] - q(k) * (c - d)).abs() < 1e-15, "[{n}, {k}]");
            }
        }
    }

    #[test]
    fn the_gradient_is_the_central_difference() {
        let logits = array![[0.3, -1.0, 0.8], [2.0, 0.0, -0.5]];
        let targets = array![[0.1, 0.7, 0.2], [0.5, 0.0, 0.9]];
        let (_, gradient) = demd_soft_grad(&logits, &targets, &three()).unwrap();
        for ((n, k), &slope) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut logits = logits.clone();
                logits[[n, k]] += step;
                demd_soft(&logits, &targets, &three()).unwrap().sum()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-10, "[{n}, {k}]: {slope} against {difference}");
        }
    }

    #[test]
    fn at_home_it_is_what_the_mean_embedding_lacks() {
        let p = array![[0.2_f64, 0.5, 0.3]];
        let mean = array![0.2_f64 + 0.5 * 0.8, 0.5 * 0.6 + 0.3];
        let d: f64 = demd_soft(&p.ln(), &p, &three()).unwrap()[0];
        assert!(d > 0.0 && (d - (1.0 - mean.dot(&mean))).abs() < 1e-15);
    }

    #[test]
    fn a_nearly_certain_model_and_target_keep_their_digits() {
        // q = (1, e, e) and p = (1 - 3t, t, 2t), both without the rest: D = e (0.2 + 1) + t 0.2 + 2t, to first order.
        let t = 1e-19;
        let logits = array![[40.0, 0.0, 0.0]];
        let (d, gradient) = demd_soft_grad(&logits, &array![[1.0, t, 2.0 * t]], &three()).unwrap();
        let e = (-40.0_f64).exp();
        assert!((d[0] / (1.2 * e + 2.2 * t) - 1.0).abs() < 1e-14, "{}", d[0]);
        // q_0 (C_0 - D) = -(Σ of the others): 0.2 e + e, up to second order.
        assert!((gradient[[0, 0]] / (-1.2 * e) - 1.0).abs() < 1e-14, "{}", gradient[[0, 0]]);
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let (logits, targets, cost) = large();
        let expected = demd_soft_grad(&logits, &targets, &cost).unwrap();
        let columns = targets.t().as_standard_layout().to_owned();
        assert_eq!(demd_soft_grad(&logits, &columns.t(), &cost).unwrap(), expected);
        let mut reversed = targets.clone();
        reversed.invert_axis(ndarray::Axis(1));
        let reversed = reversed.as_standard_layout().to_owned();
        assert_eq!(demd_soft_grad(&logits, &reversed.slice(s![.., ..;-1]), &cost).unwrap(), expected);
    }

    #[test]
    fn bad_input_is_named() {
        let message = |logits: &Array2<f64>, targets: &Array2<f64>| {
            let error = demd_soft(logits, targets, &three()).unwrap_err();
            assert_eq!(demd_soft_grad(logits, targets, &three()).unwrap_err().to_string(), error.to_string());
            error.to_string()
        };
        let (x, p) = (array![[0.0; 3], [0.0; 3]], array![[0.2, 0.2, 0.6], [1.0, 0.0, 0.0]]);
        assert_eq!(message(&x, &p.slice(s![..1, ..]).to_owned()), "`targets` has shape [1, 3], expected [2, 3]");
        let wide = Array2::zeros((2, 4));
        assert_eq!(message(&wide, &wide), "`logits` has shape [2, 4], expected [2, 3]");
        let with = |value| {
            let mut p = p.clone();
            p[[1, 2]] = value;
            p
        };
        assert_eq!(message(&x, &with(-0.1)), "`targets`[1, 2] is -0.1, allowed is finite and >= 0");
        assert_eq!(message(&x, &with(f64::NAN)), "`targets`[1, 2] is NaN, allowed is finite and >= 0");
        assert_eq!(message(&x, &with(1.5e308)), "the result at `targets`[1] overflows f64");
        let nan = array![[0.0; 3], [0.0, f64::NAN, 0.0]];
        assert_eq!(message(&nan, &p), "`logits`[1, 1] is NaN, allowed is finite or -inf");
    }

    #[test]
    fn a_target_without_mass_costs_nothing() {
        let (d, gradient) = demd_soft_grad(&array![[1.0, 0.0, 2.0]], &array![[0.0; 3]], &three()).unwrap();
        assert_eq!((d, gradient), (array![0.0], array![[0.0; 3]]));
        assert_eq!(demd_soft(&Array2::<f64>::zeros((0, 3)), &Array2::zeros((0, 3)), &three()).unwrap().len(), 0);
    }
}
