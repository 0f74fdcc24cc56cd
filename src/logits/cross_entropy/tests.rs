use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, ShapeBuilder, arr0, array, s};

use super::*;
use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
use crate::logits::{token_log_probs, token_log_probs_backward};
use crate::{Reduction, SumCount};

const INF: f64 = f64::INFINITY;

/// Everything switched on, with the weights of the worked numbers.
fn full() -> CrossEntropy {
    let class_weights = Some(vec![0.5, 2.0, 1.5, 0.0]);
    CrossEntropy { label_smoothing: 0.2, z_loss: 0.01, class_weights, ..CrossEntropy::default() }
}

fn plain() -> CrossEntropy {
    CrossEntropy::default()
}

#[test]
fn worked_rows_agree_with_fifty_digits() {
    let (x, targets) = (worked(), array![2, 0]);
    let each = [1.063_720_491_204_887, 2.294_936_431_586_741];
    assert_close(&full().each(&x, &targets).unwrap(), &each, 4e-16);
    let (sum, grad) = full().grad(&x, &targets, Reduction::Sum).unwrap();
    let expected = [
        0.187_280_322_464_248_03,
        -0.063_111_211_248_455_5,
        -0.323_625_598_964_139_6,
        0.272_573_329_506_764_2,
        -0.420_476_817_954_463_4,
        0.307_163_872_089_232_96,
        0.015_850_539_985_925_35,
        0.116_654_402_461_734_11,
    ];
    assert_close(&grad, &expected, 4e-16);
    assert_close(&[sum], &[each[0] + each[1]], 4e-16);
    let (mean, grad) = full().grad(&x, &targets, Reduction::Mean).unwrap();
    assert_close(&[mean], &[1.679_328_461_395_813_8], 4e-16);
    assert_close(&grad, &expected.map(|g| g / 2.0), 4e-16); // the weights of the targets sum to 2
}

#[test]
fn the_gradient_is_the_difference_quotient_for_every_reduction() {
    let (x, targets, w) = (sample::<f64>(4, 4), array![2, -100, 0, 1], array![0.5, 3.0, 0.0, 2.0]);
    for loss in [plain(), full(), CrossEntropy { label_smoothing: 1.0, ..full() }] {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&w)] {
            let (value, grad) = loss.grad(&x, &targets, reduction).unwrap();
            assert_eq!(value, loss.value(&x, &targets, reduction).unwrap());
            assert_close(&grad, &differences(&x, |x| loss.value(x, &targets, reduction).unwrap()), 1e-9);
        }
    }
}

#[test]
fn a_certain_target_keeps_its_digits_in_f32() {
    let mut x = array![[0.0_f32, -30., -30., -30., -30., -30., -30., -30., -30., -30., -30.]];
    for _ in 0..2 {
        let (loss, grad) = plain().grad(&x, &array![0], Reduction::Mean).unwrap();
        assert!((loss / 9.357_623e-13 - 1.0).abs() < 1e-6);
        assert!((grad[[0, 0]] / -9.357_623e-13 - 1.0).abs() < 1e-6);
        assert!((grad[[0, 1]] / 9.357_623e-14 - 1.0).abs() < 1e-6);
        x += 1000.0;
    }
}

#[test]
fn without_options_it_is_the_negative_log_prob() {
    let (x, targets) = (sample::<f64>(5, 2500), array![0_i32, 2499, 2048, 3, 1000]);
    assert_eq!(plain().each(&x, &targets).unwrap(), -token_log_probs(&x, &targets).unwrap());
    let (_, grad) = plain().grad(&x, &targets, Reduction::Sum).unwrap();
    assert_eq!(grad, token_log_probs_backward(&x, &targets, &Array1::from_elem(5, -1.0)).unwrap());
    assert_close(&grad.sum_axis(Axis(1)), &[0.0; 5], 1e-14);
}

#[test]
fn a_shift_of_the_row_changes_nothing_but_the_z_loss() {
    let (x, targets) = (sample::<f32>(3, 300), array![5, 299, 0]);
    let smooth = CrossEntropy { label_smoothing: 0.3, ..plain() };
    let expected = smooth.grad(&x, &targets, Reduction::Mean).unwrap();
    assert_eq!(smooth.grad(&(&x + 1000.0), &targets, Reduction::Mean).unwrap(), expected);
    let z = CrossEntropy { z_loss: 1e-4, ..smooth };
    assert!(z.value(&(&x + 1000.0), &targets, Reduction::Mean).unwrap() > expected.0 + 99.0);
}

#[test]
fn weights_of_one_change_no_bit() {
    let (x, targets, ones) = (sample::<f32>(3, 50), array![5, 49, 0], array![1.0, 1.0, 1.0]);
    let loss = CrossEntropy { label_smoothing: 0.1, ..plain() };
    let weighted = CrossEntropy { class_weights: Some(vec![1.0; 50]), ..loss.clone() };
    let expected = loss.grad(&x, &targets, Reduction::Mean).unwrap();
    assert_eq!(weighted.grad(&x, &targets, Reduction::Mean).unwrap(), expected);
    let (a, b) = (Reduction::Sum, Reduction::Weighted(&ones));
    assert_eq!(loss.grad(&x, &targets, a).unwrap(), loss.grad(&x, &targets, b).unwrap());
}

#[test]
fn what_takes_no_part_is_never_looked_at() {
    let x = array![[0.0, 0.0, 1.0], [f64::NAN, INF, 0.0], [-INF, -INF, -INF], [1.0, 0.0, 0.0]];
    let kept = (x.slice(s![0..1, ..]).to_owned(), array![1]);
    let expected = plain().grad(&kept.0, &kept.1, Reduction::Sum).unwrap();
    let rows_away = array![1.0, 0.0, 0.0, 0.0];
    let by_class = CrossEntropy { class_weights: Some(vec![0.0, 1.0, 0.0]), ..plain() };
    let ways = [
        plain().grad(&x, &array![1, -100, -100, -100], Reduction::Mean).unwrap(),
        plain().grad(&x, &array![1, 77, -1, 0], Reduction::Weighted(&rows_away)).unwrap(),
        by_class.grad(&x, &array![1, 0, 2, 0], Reduction::Mean).unwrap(),
    ];
    for (loss, grad) in ways {
        assert_eq!(loss, expected.0);
        assert_eq!(grad.row(0), expected.1.row(0));
        assert!(grad.slice(s![1.., ..]).iter().all(|g| *g == 0.0));
    }
}

#[test]
fn the_ignored_index_may_be_a_class_or_absent() {
    let (x, targets) = (worked(), array![0, 1]);
    let zero = CrossEntropy { ignore_index: Some(0), ..plain() };
    assert_eq!(zero.each(&x, &targets).unwrap()[0], 0.0);
    assert_eq!(zero.sum_count(&x, &targets).unwrap().count, 1.0);
    let none = CrossEntropy { ignore_index: None, ..plain() };
    let error = none.value(&x, &array![0, -100], Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "`targets`[1] is -100, allowed are the classes 0 to 3");
}

#[test]
fn parts_of_two_halves_make_the_mean_of_the_whole() {
    let (x, targets) = (sample::<f64>(9, 4), array![0, 1, 2, -100, 2, 1, 0, 1, 3]);
    let half = |rows: std::ops::Range<usize>| {
        full().sum_count(&x.slice(s![rows.clone(), ..]), &targets.slice(s![rows])).unwrap()
    };
    let mean = half(0..4).merge(half(4..9)).mean().unwrap();
    assert_close(&[mean], &[full().value(&x, &targets, Reduction::Mean).unwrap()], 1e-15);
    assert_eq!(half(0..4).count, 4.0); // 0.5 + 2 + 1.5, one ignored
}

#[test]
fn nothing_to_average_is_an_error_and_nothing_to_add_is_zero() {
    let mut x = worked();
    let ignored = array![-100, -100];
    let empty = Err(crate::Error::NothingToAverage { argument: "targets" });
    assert_eq!(plain().grad_in_place(&mut x, &ignored, Reduction::Mean), empty);
    assert_eq!(x, worked());
    assert_eq!(plain().sum_count(&x, &ignored).unwrap(), SumCount::default());
    assert_eq!(plain().grad(&x, &ignored, Reduction::Sum).unwrap(), (0.0, Array2::zeros((2, 4))));
    let none = Array1::<i64>::zeros(0);
    assert_eq!(plain().value(&Array2::<f64>::zeros((0, 4)), &none, Reduction::Mean), empty);
    assert_eq!(plain().value(&Array2::<f64>::zeros((0, 4)), &none, Reduction::Sum), Ok(0.0));
    assert!(plain().sum_count(&Array2::<f64>::zeros((0, 0)), &none).is_err());
}

#[test]
fn a_target_of_no_mass_costs_infinity_with_a_finite_gradient() {
    let (x, targets) = (array![[0.0, -INF, 0.0], [0.0, 0.0, 0.0]], array![1, 0]);
    let (loss, grad) = plain().grad(&x, &targets, Reduction::Mean).unwrap();
    assert_eq!(loss, INF);
    assert_eq!(grad.row(0), array![0.25, -0.5, 0.25]);
    // Smoothing asks for every class, unless its weight is zero.
    let smooth = CrossEntropy { label_smoothing: 0.3, ..plain() };
    let (loss, grad) = smooth.grad(&x, &array![0, 0], Reduction::Sum).unwrap();
    assert_eq!(loss, INF);
    assert_close(grad.row(0), &[0.5 - 0.8, -0.1, 0.5 - 0.1], 1e-15);
    let free = CrossEntropy { class_weights: Some(vec![1.0, 0.0, 1.0]), ..smooth };
    assert_close(&free.each(&x.slice(s![..1, ..]), &array![0]).unwrap(), &[0.9 * std::f64::consts::LN_2], 1e-15);
    let all = CrossEntropy { label_smoothing: 1.0, ..free };
    assert!(all.value(&x, &targets, Reduction::Sum).unwrap().is_finite());
}

#[test]
fn one_class_costs_nothing_and_ties_are_split() {
    let (loss, grad) = plain().grad(&array![[7.0_f32], [-3.0]], &array![0, 0], Reduction::Sum).unwrap();
    assert_eq!((loss, grad), (0.0, array![[0.0], [0.0]]));
    let smooth = CrossEntropy { label_smoothing: 0.5, ..plain() };
    let (loss, grad) = smooth.grad(&array![3.0, 3.0], &arr0(0), Reduction::Mean).unwrap();
    assert_eq!((loss, grad), (std::f64::consts::LN_2, array![-0.25, 0.25]));
}

#[test]
fn all_forms_layouts_and_shapes_agree_bit_by_bit() {
    let (x, targets) = (sample::<f32>(6, 4500), array![4499_u32, 0, 2048, 7, 2047, 1]);
    let loss = CrossEntropy { label_smoothing: 0.1, z_loss: 1e-3, ..plain() };
    let expected = loss.grad(&x, &targets, Reduction::Mean).unwrap();
    let mut in_place = x.clone();
    assert_eq!(loss.grad_in_place(&mut in_place, &targets, Reduction::Mean).unwrap(), expected.0);
    assert_eq!(in_place, expected.1);
    other_layouts(&x, |x| {
        let mut out = Array2::zeros((6, 4500).f());
        assert_eq!(loss.grad_into(x, &targets, Reduction::Mean, &mut out).unwrap(), expected.0);
        assert_eq!(out, expected.1);
        assert_eq!(loss.value(x, &targets, Reduction::Mean).unwrap(), expected.0);
    });
    let deep: ArrayD<f32> = x.into_shape_with_order(IxDyn(&[2, 3, 4500])).unwrap();
    let targets = targets.into_shape_with_order(IxDyn(&[2, 3])).unwrap();
    let (value, grad) = loss.grad(&deep, &targets, Reduction::Mean).unwrap();
    assert_eq!(value, expected.0);
    assert!(grad.iter().eq(&expected.1));
    assert_eq!(loss.each(&deep, &targets).unwrap().shape(), &[2, 3]);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let x = sample::<f32>(600, 2000);
    let targets = Array1::from_shape_fn(600, |i| i * 3);
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| plain().grad(&x, &targets, Reduction::Mean).unwrap())
    };
    assert_eq!(at(1), at(2));
}

#[test]
fn finite_logits_that_lead_out_of_the_type_are_an_error() {
    let message =
        |loss: CrossEntropy, x: Array2<f32>| loss.grad(&x, &array![0, 1], Reduction::Sum).unwrap_err().to_string();
    let far = array![[0.0, 0.0], [f32::MAX, f32::MIN]];
    assert_eq!(message(plain(), far.clone()), "the result at `logits`[1] overflows f32");
    let z = CrossEntropy { z_loss: 10.0, ..plain() };
    assert_eq!(message(z, far / 2.0), "the result at `logits`[1] overflows f32");
    let both = array![[0.0, 3e38], [3e38, 0.0]];
    assert_eq!(message(plain(), both), "the result at `logits`[0] overflows f32");
    let (x, weight) = (array![[0.0, 1e308]], array![100.0]);
    let error = plain().value(&x, &array![0], Reduction::Weighted(&weight)).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[0] overflows f64");
}

#[test]
fn weights_and_sums_beyond_the_type_are_an_error_and_never_nan() {
    let overflow = |error: crate::Error| {
        let message = error.to_string();
        assert!(message.contains("overflows f64"), "{message}");
        message
    };
    let (x, targets) = (Array2::<f64>::zeros((100, 2)), Array1::from_elem(100, 0));
    let heavy = CrossEntropy { class_weights: Some(vec![1e308, 0.0]), ..plain() };
    let counted = "the result at `class_weights` overflows f64";
    assert_eq!(overflow(heavy.value(&x, &targets, Reduction::Mean).unwrap_err()), counted);
    assert_eq!(overflow(heavy.grad(&x, &targets, Reduction::Mean).unwrap_err()), counted);
    overflow(heavy.sum_count(&x, &targets).unwrap_err());
    let far = array![[0.0, -1.7e308], [0.0, -1.7e308]];
    overflow(plain().sum_count(&far, &array![1, 1]).unwrap_err());
    for (z_loss, weight) in [(1.7e308, 1.0), (1e300, 1e10)] {
        let loss = CrossEntropy { z_loss, class_weights: Some(vec![weight]), ..plain() };
        match loss.grad(&array![[0.0]], &array![0], Reduction::Sum) {
            Ok((value, grad)) => assert_eq!((value, grad), (0.0, array![[0.0]])),
            Err(error) => assert_eq!(overflow(error), "the result at `logits`[0] overflows f64"),
        }
    }
}

#[test]
fn the_targets_entry_keeps_its_digits_on_both_sides() {
    // A weight of 0 on an unlikely target: W p alone is left, 0.125 e^-44 / (1 + e^-44).
    let loss = CrossEntropy { label_smoothing: 0.25, class_weights: Some(vec![1.0, 0.0]), ..plain() };
    let (_, grad) = loss.grad(&array![[0.0_f64, -44.0]], &array![1], Reduction::Sum).unwrap();
    assert_close(&[grad[[0, 1]] / 9.726_415_301_417_246e-21], &[1.0], 1e-15);
    // A certain target: the z-loss alone is left, 2 ζ lse.
    let loss = CrossEntropy { z_loss: 1e-10, ..plain() };
    let (_, grad) = loss.grad(&array![[100.0_f64, -900.0]], &array![0], Reduction::Sum).unwrap();
    assert_close(&[grad[[0, 0]] / 2e-8], &[1.0], 1e-15);
}

/// The exponentials that a gradient keeps are added in another order than those that are only added. Where logits are kept
/// instead, as smoothing does, there is one order.
#[test]
fn a_value_is_that_of_the_gradient_to_few_roundings() {
    fn check<T: Element<Real = T> + Real>() {
        let (mut differing, mut most, mut count) = (0, 0.0_f64, 0);
        for classes in [2, 10, 63, 64, 65, 100, 1_000, 2_048, 2_049, 32_000, 128_256] {
            let x = Array2::from_shape_fn((8, classes), |(i, k)| {
                T::from_f64(3.0 * ((i * 7_919 + k * 104_729 + i * k) as f64 * 0.618).sin())
            });
            let targets = Array1::from_shape_fn(8, |i| i * 31 % classes);
            for (row, target) in x.outer_iter().zip(&targets) {
                let (row, target) = (row.insert_axis(Axis(0)), array![*target]);
                let value = plain().value(&row, &target, Reduction::Sum).unwrap();
                let (with, _) = plain().grad(&row, &target, Reduction::Sum).unwrap();
                let apart = (value.as_f64() - with.as_f64()).abs() / value.as_f64();
                (count, most) = (count + 1, most.max(apart));
                differing += usize::from(value != with);
            }
            for smooth in
                [CrossEntropy { label_smoothing: 0.1, ..plain() }, CrossEntropy { soft_cap: Some(5.0), ..plain() }]
            {
                let (with, _) = smooth.grad(&x, &targets, Reduction::Mean).unwrap();
                assert_eq!(smooth.value(&x, &targets, Reduction::Mean).unwrap(), with, "{classes}");
            }
        }
        println!(
            "{}: {differing} of {count} differ, by {:.2} roundings at most",
            T::NAME,
            most / T::epsilon().as_f64()
        );
        assert!(most <= 2.0 * T::epsilon().as_f64(), "{most}");
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn errors_say_what_came_and_what_is_allowed() {
    let (x, targets) = (worked(), array![0, 1]);
    let message = |loss: CrossEntropy| loss.value(&x, &targets, Reduction::Sum).unwrap_err().to_string();
    let smoothing = CrossEntropy { label_smoothing: 1.5, ..plain() };
    assert_eq!(message(smoothing), "`label_smoothing` is 1.5, allowed is [0, 1]");
    let z = CrossEntropy { z_loss: -1.0, ..plain() };
    assert_eq!(message(z), "`z_loss` is -1, allowed is finite and >= 0");
    let short = CrossEntropy { class_weights: Some(vec![1.0]), ..plain() };
    assert_eq!(message(short), "`class_weights` has shape [1], expected [4]");
    let bad = CrossEntropy { class_weights: Some(vec![1.0, -2.0, 1.0, 1.0]), ..plain() };
    assert_eq!(message(bad), "`class_weights`[1] is -2, allowed is finite and >= 0");
    let mut logits = worked();
    let error = plain().grad_in_place(&mut logits, &array![0, 4], Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "`targets`[1] is 4, allowed are the classes 0 to 3");
    assert_eq!(logits, worked());
    logits[[1, 3]] = INF;
    let error = plain().grad_in_place(&mut logits, &targets, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "`logits`[1, 3] is inf, allowed is finite or -inf");
    let weights = array![1.0];
    let error = plain().value(&x, &targets, Reduction::Weighted(&weights)).unwrap_err();
    assert_eq!(error.to_string(), "`weights` has shape [1], expected [2]");
    let error = plain().grad_into(&x, &targets, Reduction::Sum, &mut array![[0.0]]).unwrap_err();
    assert_eq!(error.to_string(), "`out` has shape [1, 1], expected [2, 4]");
}

#[cfg(feature = "half")]
#[test]
fn half_precision_is_widened_exactly() {
    let x = sample::<f32>(3, 2500).mapv(half::f16::from_f32);
    let (targets, widened) = (array![0, 2499, 7], x.mapv(half::f16::to_f32));
    let smooth = CrossEntropy { label_smoothing: 0.1, ..plain() };
    let expected = smooth.grad(&widened, &targets, Reduction::Mean).unwrap();
    assert_eq!(smooth.grad(&x, &targets, Reduction::Mean).unwrap(), expected);
    assert_eq!(smooth.value(&x, &targets, Reduction::Mean).unwrap(), expected.0);
}

#[cfg(feature = "serde")]
#[test]
fn what_a_configuration_leaves_out_is_the_default() {
    let loss: CrossEntropy = serde_json::from_str(r#"{ "label_smoothing": 0.1 }"#).unwrap();
    assert_eq!(loss, CrossEntropy { label_smoothing: 0.1, ..plain() });
    assert!(serde_json::from_str::<CrossEntropy>(r#"{ "smoothing": 0.1 }"#).is_err());
}
