//! The differentiable earth mover distance (DEMD) between a model's distribution and its target.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::cosine_cost::CosineCost;
use super::expected_cost::{Pass, Slopes};
use super::logits::Logits;
use crate::target::Indices;
use crate::transport::Compiled;
use crate::{Element, Real, Result, Target};

/// The expected cost of taking the model's class for the target: one number in `[0, 2]` for each row.
///
/// ```math
/// D_n = \sum_i q_{ni}\, C_{i y_n} = 1 - \Bigl\langle e_{y_n}, \sum_i q_{ni}\, e_i \Bigr\rangle, \qquad q_n = \operatorname{softmax}(z_n)
/// ```
///
/// `logits` z are `[N, V]`, `targets` y `[N]`, the cost `C = 1 - cos` is of V classes. It bounds the earth mover distance
/// of `q` and the data's distribution from above; with one class as target there is only one plan, so it *is* that
/// distance. It is 0 where all mass is on classes whose embedding points where the target's does, and `1 - q_y` where
/// embeddings are orthogonal.
///
/// Formed as the sum on the left, without the cancellation of the one on the right where `q_y` is near 1, from one matrix
/// product of each block of rows with the embeddings: `O(N V d)` time and 256 KiB (`f32`) of scratch for each thread,
/// nothing of `[N, V]` or `[V, V]`. A class with a logit of -inf does not count; a target with a logit of -inf costs
/// what the others do.
///
/// It is bounded, and flat where the model is certainly wrong: mix it with the likelihood, as [`super::Emo`] does. It is
/// not a proper scoring rule: with random targets its expectation is least where all mass is on one class.
///
/// # Errors
///
/// - [`Error::Shape`](crate::Error::Shape): not one target for each row, or not one logit for each class of the cost.
/// - [`Error::Target`](crate::Error::Target): a target that is no class.
/// - [`Error::Value`](crate::Error::Value): a logit is NaN or +inf, or all of a row are -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CosineCost, demd};
/// let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]])?;
/// let logits = array![[0.5_f64, 0.3, 0.2]].ln();
/// assert!((demd(&logits, &array![0], &cost)?[0] - 0.26).abs() < 1e-15); // 0.3 · 0.2 + 0.2 · 1
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ren et al., ICLR 2024, [arXiv:2310.04691](https://arxiv.org/abs/2310.04691).
pub fn demd<E: Element, I: Target>(
    logits: &ArrayRef2<E>,
    targets: &ArrayRef1<I>,
    cost: &CosineCost<E::Real>,
) -> Result<Array1<E::Real>> {
    E::Real::demd(E::logits(logits), I::erase(targets.view().into_dyn()), cost)
}

pub(in crate::transport) fn values<T: Real>(
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
) -> Result<Array1<T>> {
    let pass = Pass::new(logits, targets, cost, None, None)?;
    Ok(pass.values()?.iter().map(|stats| T::from_f64(stats.cost)).collect())
}

/// [`demd`] and the gradient of its sum in the logits: `q_k (C_ky - D)`.
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::{CosineCost, demd_grad};
/// let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]])?;
/// let logits = array![[0.5_f64, 0.3, 0.2]].ln();
/// let (_, gradient) = demd_grad(&logits, &array![0], &cost)?;
/// assert!((gradient[[0, 2]] - 0.148).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # Errors
///
/// As [`demd`].
pub fn demd_grad<T: Real, E: Element<Real = T>, I: Target>(
    logits: &ArrayRef2<E>,
    targets: &ArrayRef1<I>,
    cost: &CosineCost<T>,
) -> Result<(Array1<T>, Array2<T>)> {
    T::demd_grad(E::logits(logits), I::erase(targets.view().into_dyn()), cost)
}

pub(in crate::transport) fn gradient<T: Real>(
    logits: Logits<'_, T>,
    targets: Indices<'_>,
    cost: &CosineCost<T>,
) -> Result<(Array1<T>, Array2<T>)> {
    let mut gradient = Array2::zeros(logits.shape);
    let pass = Pass::new(logits, targets, cost, None, None)?;
    let stats = pass.gradient(&mut gradient, &|_, _| Slopes { nll: 0.0, cost: 1.0 })?;
    Ok((stats.iter().map(|stats| T::from_f64(stats.cost)).collect(), gradient))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::transport::embedding::testing::{five, three};

    /// Large enough for several blocks of rows and of classes.
    fn large() -> (Array2<f32>, Array1<u32>, CosineCost<f32>) {
        let embeddings = Array2::from_shape_fn((2_500, 9), |(i, j)| ((i * 9 + j) as f32 * 0.7).sin());
        let logits = Array2::from_shape_fn((150, 2_500), |(n, k)| 3.0 * ((n * 2_500 + k) as f32 * 0.3).sin());
        let targets = Array1::from_shape_fn(150, |n| (n * 37 % 2_500) as u32);
        (logits, targets, CosineCost::new(&embeddings).unwrap())
    }

    #[test]
    fn with_one_class_as_target_it_is_the_earth_mover_distance() {
        let (logits, targets, cost) = five();
        let linear_programme = [0.732_349_493_063_331_6, 0.853_710_642_345_207_3, 0.827_205_787_578_848_8];
        for (got, expected) in demd(&logits, &targets, &cost).unwrap().iter().zip(linear_programme) {
            assert!((got - expected).abs() < 1e-15, "{got} against {expected}");
        }
    }

    #[test]
    fn its_mean_over_the_data_bounds_the_earth_mover_distance_of_the_mean() {
        let logits = array![0.5_f64, 0.3, 0.2].ln().broadcast((3, 3)).unwrap().to_owned();
        let each = demd(&logits, &array![0, 1, 2], &three()).unwrap();
        let soft = each.dot(&array![0.2, 0.2, 0.6]);
        assert!((soft - 0.46).abs() < 1e-15);
        assert!(soft >= 0.26); // the linear programme's
    }

    #[test]
    fn orthogonal_embeddings_give_the_missing_probability() {
        let logits = array![[0.3_f64, -1.0, 2.0, 0.0]];
        let q = logits.mapv(f64::exp) / logits.mapv(f64::exp).sum();
        let cost = CosineCost::new(&Array2::from_diag(&array![3.0, 0.5, 1.0, 7.0])).unwrap();
        for y in 0..4_i32 {
            let (d, gradient) = demd_grad(&logits, &array![y], &cost).unwrap();
            let q_y = q[[0, y as usize]];
            assert!((d[0] - (1.0 - q_y)).abs() < 1e-15);
            for k in 0..4 {
                let expected = if k == y as usize { -q_y * (1.0 - q_y) } else { q[[0, k]] * q_y };
                assert!((gradient[[0, k]] - expected).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn equal_embeddings_cost_nothing() {
        let cost = CosineCost::new(&array![[1.0, 2.0], [1.0, 2.0], [0.5, 1.0]]).unwrap();
        let (d, gradient) = demd_grad(&array![[0.0_f64, 1.0, 2.0]], &array![1], &cost).unwrap();
        assert!(d[0].abs() < 1e-15 && gradient.iter().all(|g: &f64| g.abs() < 1e-15));
    }

    #[test]
    fn the_gradient_is_the_central_difference() {
        let (logits, targets, cost) = five();
        let (_, gradient) = demd_grad(&logits, &targets, &cost).unwrap();
        for ((n, k), &slope) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut logits = logits.clone();
                logits[[n, k]] += step;
                demd(&logits, &targets, &cost).unwrap().sum()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-10, "[{n}, {k}]: {slope} against {difference}");
        }
    }

    #[test]
    fn the_gradient_of_a_row_sums_to_zero_and_the_loss_is_bounded() {
        let (logits, targets, cost) = large();
        let (each, gradient) = demd_grad(&logits, &targets, &cost).unwrap();
        assert!(each.iter().all(|d| (0.0..=2.0).contains(d)));
        assert!(gradient.rows().into_iter().all(|row| row.sum().abs() < 1e-6));
        assert!(gradient.rows().into_iter().all(|row| row.iter().any(|g| g.abs() > 1e-5)));
    }

    #[test]
    fn blocks_change_nothing_but_rounding() {
        let (logits, targets, cost) = large();
        let (each, gradient) = demd_grad(&logits, &targets, &cost).unwrap();
        for n in [0, 63, 64, 149] {
            let y = targets[n] as usize;
            let total: f64 = logits.row(n).iter().map(|&x| f64::from(x).exp()).sum();
            let q = |k: usize| f64::from(logits[[n, k]]).exp() / total;
            let c = |k: usize| f64::from(cost.between(k, y).unwrap());
            let d: f64 = (0..2_500).map(|k| q(k) * c(k)).sum();
            assert!((f64::from(each[n]) - d).abs() < 1e-6);
            for k in [0, 1_023, 1_024, 2_047, 2_499, y] {
                assert!((f64::from(gradient[[n, k]]) - q(k) * (c(k) - d)).abs() < 1e-8, "[{n}, {k}]");
            }
        }
    }

    #[test]
    fn a_certain_model_keeps_its_digits() {
        let (logits, cost) = (array![[40.0, 0.0, 0.0], [f64::NEG_INFINITY, 0.0, f64::NEG_INFINITY]], three());
        let (d, gradient) = demd_grad(&logits, &array![0, 0], &cost).unwrap();
        assert!((d[0] / 5.098_025_106_349_907e-18 - 1.0).abs() < 1e-14);
        assert!((gradient[[0, 0]] / -5.098_025_106_349_907e-18 - 1.0).abs() < 1e-14);
        // Certain of the wrong class: its cost, and flat.
        assert!((d[1] - 0.2).abs() < 1e-15);
        assert!(gradient.row(1).iter().all(|g| g.abs() < 1e-16));
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let (logits, targets, cost) = large();
        let expected = demd_grad(&logits, &targets, &cost).unwrap();
        assert_eq!(expected.0, demd(&logits, &targets, &cost).unwrap());
        let transposed = logits.t().as_standard_layout().to_owned();
        assert_eq!(demd_grad(&transposed.t(), &targets, &cost).unwrap(), expected);
        let mut reversed = logits.clone();
        reversed.invert_axis(ndarray::Axis(0));
        let reversed = reversed.as_standard_layout().to_owned();
        assert_eq!(demd_grad(&reversed.slice(s![..;-1, ..]), &targets, &cost).unwrap(), expected);
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_leave_no_trace() {
        let (logits, targets, cost) = large();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| demd_grad(&logits, &targets, &cost).unwrap())
        };
        assert_eq!(run(1), run(2));
    }

    #[test]
    fn bad_input_is_named() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let message = |logits: Array2<f64>, targets: Array1<i64>| {
            let error = demd(&logits, &targets, &three()).unwrap_err();
            assert_eq!(demd_grad(&logits, &targets, &three()).unwrap_err().to_string(), error.to_string());
            error.to_string()
        };
        assert_eq!(message(array![[0.0, 0.0]], array![0]), "`logits` has shape [1, 2], expected [1, 3]");
        assert_eq!(message(array![[0.0; 3]], array![0, 1]), "`targets` has shape [2], expected [1]");
        assert_eq!(message(array![[0.0; 3]], array![3]), "`targets`[0] is 3, allowed are the classes 0 to 2");
        assert_eq!(message(array![[0.0; 3]], array![-1]), "`targets`[0] is -1, allowed are the classes 0 to 2");
        let two = array![0, 0];
        let expected = "`logits`[1, 2] is NaN, allowed is finite or -inf";
        assert_eq!(message(array![[0.0; 3], [0.0, 1.0, nan]], two.clone()), expected);
        let expected = "`logits`[1, 0] is inf, allowed is finite or -inf";
        assert_eq!(message(array![[0.0; 3], [inf, 1.0, 0.0]], two.clone()), expected);
        let expected = "`logits`[1] is -inf, allowed is a row with at least one finite logit";
        assert_eq!(message(array![[0.0; 3], [-inf; 3]], two), expected);
    }

    #[test]
    fn no_rows_have_no_distances() {
        assert_eq!(demd(&Array2::<f64>::zeros((0, 3)), &Array1::<i64>::zeros(0), &three()).unwrap().len(), 0);
    }
}
