//! Kernels over logits.

use loglik::Reduction::{Mean, Sum};
use loglik::logits::{
    CrossEntropy, LogitTransform, SoftCrossEntropy, TokenObjective, entropy, entropy_grad, log_softmax, log_sum_exp,
    log_sum_exp_grad, token_log_probs, token_log_probs_backward, token_log_probs_masked,
};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const ROWS: usize = 3;
const CLASSES: usize = 9;

fn logits() -> impl Strategy<Value = Array2<f64>> {
    // From nearly uniform to peaked rows.
    (matrix(ROWS, CLASSES, -1.0, 1.0), 0.1..60.0_f64).prop_map(|(logits, scale)| logits * scale)
}

fn targets() -> impl Strategy<Value = Array1<usize>> {
    prop::collection::vec(0..CLASSES, ROWS).prop_map(Array1::from_vec)
}

fn one_hot(targets: &Array1<usize>) -> Array2<f64> {
    Array2::from_shape_fn((ROWS, CLASSES), |(i, k)| f64::from(u8::from(targets[i] == k)))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn log_softmax_is_the_logarithm_of_a_distribution(x in logits()) {
        let log_probs = log_softmax(&x).unwrap();
        for row in log_probs.rows() {
            assert_near(row.mapv(f64::exp).sum(), 1.0, 1e-14);
        }
        let lse = log_sum_exp(&x).unwrap().insert_axis(Axis(1));
        assert_all_near(&log_probs, &(&x - &lse), 1e-13);
    }

    #[test]
    fn a_shift_moves_log_sum_exp_and_nothing_else(x in logits(), shift in -100.0..100.0_f64, y in targets()) {
        let moved = &x + shift;
        assert_all_near(&log_sum_exp(&moved).unwrap(), &(log_sum_exp(&x).unwrap() + shift), 1e-13);
        assert_all_near(&log_softmax(&moved).unwrap(), &log_softmax(&x).unwrap(), 1e-13);
        assert_all_near(&entropy(&moved).unwrap(), &entropy(&x).unwrap(), 1e-11);
        let loss = CrossEntropy::default();
        assert_near(loss.value(&moved, &y, Mean).unwrap(), loss.value(&x, &y, Mean).unwrap(), 1e-13);
    }

    #[test]
    fn log_sum_exp_lies_between_the_maximum_and_ln_v_above_it(x in logits()) {
        let (lse, probs) = log_sum_exp_grad(&x).unwrap();
        for (lse, row) in lse.iter().zip(x.rows()) {
            let max = row.fold(f64::NEG_INFINITY, |max, &x| max.max(x));
            prop_assert!((max..=max + (CLASSES as f64).ln() + 1e-14).contains(lse));
        }
        assert_all_near(&probs, &log_softmax(&x).unwrap().mapv(f64::exp), 1e-13);
    }

    #[test]
    fn smoothing_as_megatron_has_it_is_ours_at_a_larger_share(x in logits(), y in targets(), alpha in 0.0..0.5_f64) {
        // There the target keeps 1 - α and each of the others is given α / (V - 1).
        let others = alpha / (CLASSES as f64 - 1.0);
        let asked = one_hot(&y).mapv(|is| if is == 1.0 { 1.0 - alpha } else { others });
        let losses = log_softmax(&x).unwrap() * &asked * -1.0;
        let ours = CrossEntropy { label_smoothing: others * CLASSES as f64, ..CrossEntropy::default() };
        let (value, gradient) = ours.grad(&x, &y, Sum).unwrap();
        assert_near(value, losses.sum(), 1e-13);
        let (_, softmax) = log_sum_exp_grad(&x).unwrap();
        assert_all_near(&gradient, &(softmax - asked), 1e-13);
    }

    #[test]
    fn a_token_log_prob_is_one_entry_of_log_softmax(x in logits(), y in targets()) {
        let log_probs = token_log_probs(&x, &y).unwrap();
        let whole = log_softmax(&x).unwrap();
        let picked: Array1<f64> = y.iter().enumerate().map(|(i, &y)| whole[[i, y]]).collect();
        assert_all_near(&log_probs, &picked, 1e-13);
        assert_near(CrossEntropy::default().value(&x, &y, Sum).unwrap(), -picked.sum(), 1e-13);
    }

    #[test]
    fn targets_of_any_integer_type_are_the_same(x in logits(), y in targets()) {
        let expected = token_log_probs(&x, &y).unwrap();
        prop_assert_eq!(&token_log_probs(&x, &y.mapv(|y| y as i32)).unwrap(), &expected);
        prop_assert_eq!(&token_log_probs(&x, &y.mapv(|y| y as i64)).unwrap(), &expected);
        prop_assert_eq!(&token_log_probs(&x, &y.mapv(|y| y as u32)).unwrap(), &expected);
    }

    #[test]
    fn a_mask_selects_tokens(x in logits(), y in targets(), mask in prop::collection::vec(any::<bool>(), ROWS)) {
        let whole = token_log_probs(&x, &y).unwrap();
        let expected: Array1<f64> = whole.iter().zip(&mask).map(|(&x, &keep)| if keep { x } else { 0.0 }).collect();
        prop_assert_eq!(token_log_probs_masked(&x, &y, &Array1::from_vec(mask)).unwrap(), expected);
    }

    #[test]
    fn gradients_of_what_ignores_a_shift_sum_to_zero(x in logits(), y in targets(), w in numbers(ROWS, -2.0, 2.0)) {
        let gradients = [
            entropy_grad(&x).unwrap().1,
            token_log_probs_backward(&x, &y, &w).unwrap(),
            CrossEntropy { label_smoothing: 0.3, ..CrossEntropy::default() }.grad(&x, &y, Sum).unwrap().1,
            SoftCrossEntropy::default().grad(&x, &one_hot(&y), Sum).unwrap().1,
        ];
        for row in gradients.iter().flat_map(|gradient| gradient.rows()) {
            prop_assert!(row.sum().abs() < 1e-13, "{}", row);
        }
    }

    #[test]
    fn entropy_is_the_expected_surprise(x in logits()) {
        let log_probs = log_softmax(&x).unwrap();
        let expected = -(log_probs.mapv(f64::exp) * log_probs).sum_axis(Axis(1));
        let got = entropy(&x).unwrap();
        assert_all_near(&got, &expected, 1e-13);
        prop_assert!(got.iter().all(|&h| (0.0..=(CLASSES as f64).ln() + 1e-13).contains(&h)));
    }

    #[test]
    fn hard_targets_are_soft_ones_with_all_mass_on_a_class(
        x in logits(), y in targets(), label_smoothing in 0.0..1.0_f64, z_loss in 0.0..0.1_f64, w in numbers(CLASSES, 0.1, 2.0),
    ) {
        for class_weights in [None, Some(w.to_vec())] {
            let soft = SoftCrossEntropy { label_smoothing, z_loss, class_weights: class_weights.clone(), ..SoftCrossEntropy::default() };
            let hard = CrossEntropy { label_smoothing, z_loss, class_weights, ..CrossEntropy::default() };
            let (hard, soft) = (hard.grad(&x, &y, Sum).unwrap(), soft.grad(&x, &one_hot(&y), Sum).unwrap());
            assert_near(hard.0, soft.0, 1e-13);
            assert_all_near(&hard.1, &soft.1, 1e-13);
        }
    }

    #[test]
    fn smoothing_moves_mass_to_every_class_alike(x in logits(), y in targets(), smoothing in 0.0..1.0_f64) {
        let smoothed = one_hot(&y) * (1.0 - smoothing) + smoothing / CLASSES as f64;
        let expected = SoftCrossEntropy::default().grad(&x, &smoothed, Mean).unwrap();
        let loss = CrossEntropy { label_smoothing: smoothing, ..CrossEntropy::default() };
        let got = loss.grad(&x, &y, Mean).unwrap();
        assert_near(got.0, expected.0, 1e-13);
        assert_all_near(&got.1, &expected.1, 1e-13);
    }

    /// `c tanh(x / c) / τ = (c / τ) tanh((x / τ) / (c / τ))`.
    #[test]
    fn a_temperature_is_the_unit_of_logits_and_cap(
        x in logits(), y in targets(), temperature in 0.2..5.0_f64, cap in 0.5..50.0_f64, label_smoothing in 0.0..1.0_f64,
    ) {
        let loss = |temperature, cap| CrossEntropy {
            label_smoothing, z_loss: 0.01, temperature, soft_cap: Some(cap), ..CrossEntropy::default()
        };
        let (value, gradient) = loss(temperature, cap).grad(&x, &y, Mean).unwrap();
        let other = loss(1.0, cap / temperature).grad(&(&x / temperature), &y, Mean).unwrap();
        assert_near(value, other.0, 1e-12);
        assert_all_near(&gradient, &(other.1 / temperature), 1e-12);
    }

    #[test]
    fn a_cap_keeps_the_order_and_bounds_the_spread(x in logits(), cap in 0.5..50.0_f64) {
        let log_probs = LogitTransform { soft_cap: Some(cap), ..LogitTransform::default() }.log_softmax(&x).unwrap();
        for (x, row) in x.rows().into_iter().zip(log_probs.rows()) {
            for (i, k) in (0..CLASSES).flat_map(|i| (0..CLASSES).map(move |k| (i, k))) {
                prop_assert!(x[i] > x[k] || row[i] <= row[k], "{} and {} became {} and {}", x[i], x[k], row[i], row[k]);
                prop_assert!(row[i] - row[k] <= (2.0 * cap).min((x[i] - x[k]).abs()) * (1.0 + 1e-12) + 1e-13);
            }
        }
    }

    #[test]
    fn z_loss_adds_the_squared_log_normalizer(x in logits(), y in targets(), z_loss in 0.0..0.1_f64) {
        let plain = CrossEntropy::default().value(&x, &y, Sum).unwrap();
        let with = CrossEntropy { z_loss, ..CrossEntropy::default() }.value(&x, &y, Sum).unwrap();
        let squares = log_sum_exp(&x).unwrap().mapv(|lse| lse * lse).sum();
        assert_near(with - plain, z_loss * squares, 1e-12);
    }

    #[test]
    fn one_class_weight_for_all_cancels_in_the_mean(x in logits(), y in targets(), weight in 0.1..9.0_f64) {
        let weighted = CrossEntropy { class_weights: Some(vec![weight; CLASSES]), ..CrossEntropy::default() };
        let (got, expected) = (weighted.grad(&x, &y, Mean).unwrap(), CrossEntropy::default().grad(&x, &y, Mean).unwrap());
        assert_near(got.0, expected.0, 1e-13);
        assert_all_near(&got.1, &expected.1, 1e-13);
        let sums = (weighted.value(&x, &y, Sum).unwrap(), CrossEntropy::default().value(&x, &y, Sum).unwrap());
        assert_near(sums.0, weight * sums.1, 1e-13);
    }

    #[test]
    fn an_ignored_row_might_as_well_be_absent(x in logits(), y in targets(), loss in prop_oneof![
        Just(CrossEntropy::default()), Just(CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, ..CrossEntropy::default() }),
    ]) {
        let mut ignoring = y.mapv(|y| y as i64);
        ignoring[1] = -100;
        let (value, gradient) = loss.grad(&x, &ignoring, Mean).unwrap();
        let kept = (x.select(Axis(0), &[0, 2]), y.select(Axis(0), &[0, 2]));
        let (expected, kept_gradient) = loss.grad(&kept.0, &kept.1, Mean).unwrap();
        assert_near(value, expected, 1e-14);
        assert_all_near(&gradient.select(Axis(0), &[0, 2]), &kept_gradient, 1e-14);
        prop_assert!(gradient.row(1).iter().all(|&slope| slope == 0.0));
        prop_assert_eq!(loss.each(&x, &ignoring).unwrap()[1], 0.0);
    }

    #[test]
    fn single_precision_agrees_with_double(x in logits(), y in targets()) {
        let narrow = x.mapv(|x| x as f32);
        let wide = narrow.mapv(f64::from);
        let loss = CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, ..CrossEntropy::default() };
        let (value, gradient) = loss.grad(&narrow, &y, Mean).unwrap();
        let (expected, slopes) = loss.grad(&wide, &y, Mean).unwrap();
        assert_near(f64::from(value), expected, 1e-6);
        assert_all_near(&gradient.mapv(f64::from), &slopes, 1e-6);
        assert_all_near(&entropy(&narrow).unwrap().mapv(f64::from), &entropy(&wide).unwrap(), 1e-6);
    }
}

/// bf16 and f16 are widened, and then all is as in f32.
mod widened {
    use half::{bf16, f16};
    use loglik::diagnostics::{TokenStats, TopK};
    use loglik::{Element, Reduction};
    use ndarray::Array1;

    use super::*;

    fn widens<E: Element<Real = f32>>(x: &Array2<E>, y: &Array1<usize>, ones: &Array1<f32>) {
        let wide = x.mapv(Element::real);
        assert_eq!(log_sum_exp_grad(x), log_sum_exp_grad(&wide));
        assert_eq!(log_softmax(x), log_softmax(&wide));
        assert_eq!(entropy_grad(x), entropy_grad(&wide));
        assert_eq!(token_log_probs(x, y), token_log_probs(&wide, y));
        assert_eq!(token_log_probs_backward(x, y, ones), token_log_probs_backward(&wide, y, ones));
        let loss = CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, ..CrossEntropy::default() };
        assert_eq!(loss.grad(x, y, Reduction::Mean), loss.grad(&wide, y, Reduction::Mean));
        let top = TopK { k: 3, ..TopK::default() };
        assert_eq!(top.each(x), top.each(&wide));
        let stats = TokenStats { top_k: Some(3), ..TokenStats::default() };
        assert_eq!(stats.each(x, y), stats.each(&wide, y));
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn half_precision_gives_the_bits_of_its_widening(x in logits(), y in targets()) {
            let ones = Array1::ones(ROWS);
            widens(&x.mapv(bf16::from_f64), &y, &ones);
            widens(&x.mapv(f16::from_f64), &y, &ones);
        }
    }
}
