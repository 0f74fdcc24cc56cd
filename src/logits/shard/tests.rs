use ndarray::{Array1, Array2, ArrayRef2, Axis, arr0, array, concatenate, s};

use super::*;
use crate::Real;
use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
use crate::logits::{log_sum_exp, token_log_probs, token_log_probs_backward};

const INF: f64 = f64::INFINITY;

fn at(first_class: usize) -> VocabularyShard {
    VocabularyShard { first_class, ..VocabularyShard::default() }
}

/// The shards between the cuts, each with the place of its first class.
fn shards<'a, T>(x: &'a ArrayRef2<T>, cuts: &[usize]) -> Vec<(VocabularyShard, ndarray::ArrayView2<'a, T>)> {
    let bounds = [&[0], cuts, &[x.ncols()]].concat();
    bounds.windows(2).map(|bounds| (at(bounds[0]), x.slice(s![.., bounds[0]..bounds[1]]))).collect()
}

fn merged<T: Real>(parts: impl IntoIterator<Item = Array1<LogSumExp<T>>>) -> Array1<LogSumExp<T>> {
    parts.into_iter().reduce(|a, b| LogSumExp::merge_rows(&a, &b).unwrap()).unwrap()
}

fn whole<T: Real>(x: &ArrayRef2<T>, targets: &Array1<i64>, cuts: &[usize]) -> Array1<LogSumExp<T>> {
    merged(shards(x, cuts).into_iter().map(|(shard, x)| shard.log_sum_exp(&x, targets).unwrap()))
}

fn gradient<T: Real>(x: &ArrayRef2<T>, targets: &Array1<i64>, c: &Array1<T>, cuts: &[usize]) -> Array2<T> {
    let whole = whole(x, targets, cuts);
    let parts = shards(x, cuts).into_iter().map(|(shard, x)| shard.backward(&x, targets, &whole, c).unwrap());
    let parts: Vec<_> = parts.collect();
    concatenate(Axis(1), &parts.iter().map(|part| part.view()).collect::<Vec<_>>()).unwrap()
}

#[track_caller]
fn assert_relative(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{got} against {expected}");
}

#[test]
fn worked_rows_agree_with_fifty_digits_wherever_they_are_cut() {
    for cut in 0..=4 {
        let whole = whole(&worked(), &array![1, 0], &[cut]);
        assert_close(&whole.mapv(|w| w.log_sum_exp()), &[2.437_228_058_613_903, 1.919_199_658_242_903_8], 4e-16);
        let log_probs = whole.mapv(|w| w.log_prob().unwrap());
        assert_close(&log_probs, &[-3.687_228_058_613_903, -4.919_199_658_242_904], 4e-16);
        assert_relative(whole[0].prob(2.0).unwrap(), 0.645_824_128_858_802_7, 4e-16);
    }
}

#[test]
fn shards_in_any_order_merge_to_the_whole_rows() {
    let (x, targets) = (sample::<f64>(3, 4500), array![0, 2048, 4499]);
    let (lse, log_probs) = (log_sum_exp(&x).unwrap(), token_log_probs(&x, &targets).unwrap());
    for cuts in [[1, 4499], [700, 700], [2047, 2049], [0, 2048], [1500, 3000]] {
        let parts: Vec<_> = shards(&x, &cuts).iter().map(|(s, x)| s.log_sum_exp(x, &targets).unwrap()).collect();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let whole = merged(order.map(|part| parts[part].clone()));
            for row in 0..3 {
                assert_relative(whole[row].log_sum_exp(), lse[row], 1e-15);
                assert_relative(whole[row].log_prob().unwrap(), log_probs[row], 1e-15);
                assert_eq!(whole[row].max(), x.row(row).iter().copied().fold(-INF, f64::max));
            }
        }
    }
}

#[test]
fn gradients_of_shards_are_those_of_the_whole_and_the_difference_quotient() {
    let (x, targets, c) = (sample::<f64>(3, 7), array![2, 0, 6], array![1.5, -0.25, 2.0]);
    let value = |x: &Array2<f64>| (whole(x, &targets, &[3]).mapv(|w| w.log_prob().unwrap()) * &c).sum();
    let quotient = differences(&x, value);
    let expected = token_log_probs_backward(&x, &targets, &c).unwrap();
    for cuts in [[0, 7], [1, 3], [2, 6], [3, 3]] {
        let grad = gradient(&x, &targets, &c, &cuts);
        assert_close(&grad, &quotient, 1e-10);
        assert_close(&grad, &expected, 1e-15);
        assert_close(&grad.sum_axis(Axis(1)), &[0.0; 3], 1e-15);
    }
}

#[test]
fn a_certain_target_keeps_its_digits_in_value_and_gradient() {
    let mut x = array![[0.0_f32, -30., -30., -30., -30., -30., -30., -30., -30., -30., -30.]];
    for _ in 0..2 {
        for cut in [0, 1, 5] {
            assert_relative(whole(&x, &array![0], &[cut])[0].nll().unwrap(), 9.357_622_968_840_175e-13, 1e-6);
            let grad = gradient(&x, &array![0], &array![1.0], &[cut]);
            assert_relative(f64::from(grad[[0, 0]]), 9.357_622_968_836e-13, 1e-6);
        }
        x += 1000.0;
    }
}

#[test]
fn a_shard_of_nothing_finite_is_legal_and_a_whole_of_it_is_not() {
    let (x, targets) = (array![[-INF, -INF, 0.0, 1.0], [-INF, -INF, -INF, -INF]], array![1, 3]);
    let whole = whole(&x, &targets, &[2]);
    assert_eq!((whole[0].log_prob(), whole[1].log_prob(), whole[1].log_sum_exp()), (Some(-INF), None, -INF));
    let grad = |c: Array1<f64>| at(0).backward(&x.slice(s![.., ..2]), &targets, &whole, &c);
    assert_eq!(grad(array![2.0, 0.0]).unwrap(), array![[0.0, 2.0], [0.0, 0.0]]);
    let message = grad(array![2.0, 1.0]).unwrap_err().to_string();
    assert_eq!(message, "`whole`[1] is -inf, allowed is a sum with at least one finite logit");
}

#[test]
fn ignored_rows_are_never_looked_at() {
    let (x, targets) = (array![[f64::NAN, INF], [0.0, 0.0]], array![-100, 1]);
    let sums = at(0).log_sum_exp(&x, &targets).unwrap();
    assert_eq!(sums[0], LogSumExp::empty());
    let grad = at(0).backward(&x, &targets, &sums, &array![1.0, 2.0]).unwrap();
    assert_eq!(grad, array![[0.0, 0.0], [-1.0, 1.0]]);
    let nothing = at(0).backward(&x, &array![1, -7], &sums, &array![0.0, 0.0]).unwrap();
    assert_eq!(nothing, Array2::<f64>::zeros((2, 2)));
}

#[test]
fn a_target_that_no_shard_holds_is_found_out_by_the_whole() {
    let (x, targets) = (sample::<f64>(2, 6), array![5, 6]);
    let whole = whole(&x, &targets, &[4]);
    assert_eq!((whole[0].target(), whole[1].target(), whole[1].log_prob()), (Some(x[[0, 5]]), None, None));
    let error = at(0).backward(&x.slice(s![.., ..4]), &targets, &whole, &array![1.0, 1.0]).unwrap_err();
    assert_eq!(error.to_string(), "`targets`[1] is 6, allowed is a class that some part of the vocabulary holds");
    let error = at(0).log_sum_exp(&x, &array![0, -1]).unwrap_err().to_string();
    assert_eq!(error, "`targets`[1] is -1, allowed is a class, >= 0, or the ignored index");
    assert!(at(0).log_sum_exp(&x, &array![0, usize::MAX]).is_err());
    let strict = VocabularyShard { ignore_index: None, ..at(0) };
    assert!(strict.log_sum_exp(&x, &array![0, -100]).is_err());
    assert_eq!(at(usize::MAX).log_sum_exp(&x, &targets).unwrap()[0].target(), None);
}

#[test]
fn a_vocabulary_that_is_merged_twice_is_refused_by_its_row() {
    let (x, targets) = (array![[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], array![-100, 2]);
    let sums = at(0).log_sum_exp(&x, &targets).unwrap();
    let error = LogSumExp::merge_rows(&sums, &sums).unwrap_err().to_string();
    assert_eq!(error, "`target`[1] is 0, allowed is none in one part where the other holds it");
}

#[test]
fn padding_of_the_vocabulary_is_never_looked_at_and_holds_no_target() {
    // Five classes, padded to eight, on three machines: the second has one real class, the third none.
    let real = sample::<f64>(2, 5);
    let mut x = Array2::from_elem((2, 8), f64::NAN);
    x.slice_mut(s![.., ..5]).assign(&real);
    x[[1, 7]] = INF;
    let (targets, c) = (array![4, 0], array![1.5, -0.5]);
    let shard = |first_class| VocabularyShard { classes: Some(5), ..at(first_class) };
    let parts = [(0, 0..4), (4, 4..6), (6, 6..8)].map(|(first, at)| (shard(first), x.slice(s![.., at])));
    let whole = merged(parts.iter().map(|(shard, x)| shard.log_sum_exp(x, &targets).unwrap()));
    let log_probs = token_log_probs(&real, &targets).unwrap();
    assert_close(&whole.mapv(|whole| whole.log_prob().unwrap()), &log_probs, 1e-15);
    let grads = parts.map(|(shard, x)| shard.backward(&x, &targets, &whole, &c).unwrap());
    let grad = concatenate(Axis(1), &grads.each_ref().map(|grad| grad.view())).unwrap();
    assert_close(grad.slice(s![.., ..5]), &token_log_probs_backward(&real, &targets, &c).unwrap(), 1e-15);
    assert_eq!(grad.slice(s![.., 5..]), Array2::<f64>::zeros((2, 3)));
    for at in [0, 4, 6] {
        let message = shard(at).log_sum_exp(&x, &array![-100, 5]).unwrap_err().to_string();
        assert_eq!(message, "`targets`[1] is 5, allowed are the classes 0 to 4", "at {at}");
        assert_eq!(shard(at).backward(&x, &array![-100, 5], &whole, &c).unwrap_err().to_string(), message);
    }
    let none = VocabularyShard { classes: Some(0), ..at(0) };
    assert_eq!(none.log_sum_exp(&x, &array![-100, -100]).unwrap(), array![LogSumExp::empty(), LogSumExp::empty()]);
}

#[test]
fn wrong_logits_are_named_by_their_place_in_the_shard() {
    let (targets, c) = (array![0, 1, 2], array![1.0, 1.0, 1.0]);
    let mut x = Array2::<f64>::zeros((3, 3000));
    let sums = at(0).log_sum_exp(&x, &targets).unwrap();
    for (wrong, shown) in [(f64::NAN, "NaN"), (INF, "inf")] {
        x[[1, 2999]] = wrong;
        let expected = format!("`logits`[1, 2999] is {shown}, allowed is finite or -inf");
        assert_eq!(at(0).log_sum_exp(&x, &targets).unwrap_err().to_string(), expected);
        assert_eq!(at(0).backward(&x, &targets, &sums, &c).unwrap_err().to_string(), expected);
    }
    x[[1, 2999]] = 0.5;
    let expected = "`logits`[1, 2999] is 0.5, allowed is at most the largest logit of `whole`";
    assert_eq!(at(0).backward(&x, &targets, &sums, &c).unwrap_err().to_string(), expected);
    let nothing = Array2::from_shape_fn((2, 3), |(row, class)| if (row, class) == (1, 1) { f64::NAN } else { -INF });
    let error = at(0).log_sum_exp(&nothing, &array![0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "`logits`[1, 1] is NaN, allowed is finite or -inf");
}

#[test]
fn shapes_are_checked_before_anything_is_written() {
    let (x, targets, c) = (sample::<f32>(2, 3), array![0, 1], array![1.0, 1.0]);
    let sums = at(0).log_sum_exp(&x, &targets).unwrap();
    let mut out = Array2::from_elem((2, 3), 9.0);
    let mut message = |targets: &Array1<i32>, sums: &Array1<_>, c: &Array1<f32>| {
        at(0).backward_into(&x, targets, sums, c, &mut out).unwrap_err().to_string()
    };
    assert_eq!(message(&array![0], &sums, &c), "`targets` has shape [1], expected [2]");
    assert_eq!(message(&targets, &array![sums[0]], &c), "`whole` has shape [1], expected [2]");
    assert_eq!(message(&targets, &sums, &array![1.0]), "`cotangent` has shape [1], expected [2]");
    assert_eq!(message(&targets, &sums, &array![1.0, f32::NAN]), "`cotangent`[1] is NaN, allowed is finite");
    message(&array![0, -1], &sums, &c);
    message(&targets, &array![sums[0], LogSumExp::empty()], &c);
    assert!(out.iter().all(|g| *g == 9.0));
    let mut out = Array2::zeros((2, 4));
    let error = at(0).backward_into(&x, &targets, &sums, &c, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "`out` has shape [2, 4], expected [2, 3]");
    assert_eq!(at(0).log_sum_exp(&arr0(1.0), &arr0(0)), Err(Error::no_axis("logits")));
}

#[test]
fn no_classes_and_no_rows_are_legal() {
    let sums = at(5).log_sum_exp(&Array2::<f64>::zeros((2, 0)), &array![4, 5]).unwrap();
    assert_eq!(sums, array![LogSumExp::empty(), LogSumExp::empty()]);
    let whole = Array1::from_elem(2, LogSumExp::new(0.0, 0.0, Some(0.0)).unwrap());
    let grad = at(5).backward(&Array2::<f64>::zeros((2, 0)), &array![4, 5], &whole, &array![1.0, 1.0]).unwrap();
    assert_eq!(grad.dim(), (2, 0));
    assert_eq!(at(0).log_sum_exp(&Array2::<f32>::zeros((0, 3)), &Array1::<i64>::zeros(0)).unwrap().len(), 0);
    let sum = at(1).log_sum_exp(&array![0.0, 0.0], &arr0(2)).unwrap();
    assert_eq!(sum[()].log_prob(), Some(-std::f64::consts::LN_2));
}

#[test]
fn every_layout_gives_the_same_bits() {
    let (x, targets, c) = (sample::<f32>(3, 4500), array![4600, 101, 2148], array![1.0, -2.0, 0.5]);
    let shard = at(101);
    let sums = shard.log_sum_exp(&x, &targets).unwrap();
    let whole = sums.mapv(|sum| sum.merge(LogSumExp::new(3.0, 0.25, None).unwrap()).unwrap());
    let grad = shard.backward(&x, &targets, &whole, &c).unwrap();
    let (mut turned, reversed) = (whole.clone(), array![2148, 101, 4600]);
    turned.invert_axis(Axis(0));
    let turned = turned.as_standard_layout().into_owned();
    other_layouts(&x, |x| {
        assert_eq!(shard.log_sum_exp(x, &reversed.slice(s![..;-1])).unwrap(), sums);
        assert_eq!(shard.backward(x, &targets, &turned.slice(s![..;-1]), &c).unwrap(), grad);
    });
}

#[cfg(feature = "half")]
#[test]
fn half_precision_is_widened_exactly() {
    let (x, targets, c) =
        (sample::<f32>(3, 2500).mapv(half::bf16::from_f32), array![0, 2499, 7], array![1.0, 1.0, 1.0]);
    let widened = x.mapv(half::bf16::to_f32);
    let sums = at(0).log_sum_exp(&x, &targets).unwrap();
    assert_eq!(sums, at(0).log_sum_exp(&widened, &targets).unwrap());
    let grad = at(0).backward(&x, &targets, &sums, &c).unwrap();
    assert_eq!(grad, at(0).backward(&widened, &targets, &sums, &c).unwrap());
}

#[cfg(feature = "serde")]
#[test]
fn what_a_configuration_leaves_out_is_the_default() {
    let shard: VocabularyShard = serde_json::from_str(r#"{ "first_class": 3 }"#).unwrap();
    assert_eq!(shard, at(3));
    assert!(serde_json::from_str::<VocabularyShard>(r#"{ "first": 3 }"#).is_err());
}
