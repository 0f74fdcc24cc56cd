use ndarray::{Array1, Array2, Array3, ArrayD, Axis, IxDyn, ShapeBuilder, arr0, array, s};

use super::*;
use crate::diagnostics::TopK;
use crate::logits::{entropy, log_sum_exp, token_log_probs};

const INF: f64 = f64::INFINITY;

/// Logits in no order, without two that are equal within a row of so many.
fn sample<T: Real>(rows: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, classes), |(i, v)| T::from_f64(((i * 977 + v * 7919) % 65_521) as f64 / 8192.0))
}

fn every_five(rows: usize, classes: usize) -> Array1<i64> {
    Array1::from_shape_fn(rows, |i| if i % 5 == 2 { -100 } else { (i * 31 % classes) as i64 })
}

fn stats(top_k: usize) -> TokenStats {
    TokenStats { top_k: Some(top_k), ..TokenStats::default() }
}

#[test]
fn a_row_has_the_numbers_of_mpmath() {
    let logits = array![[0.5, -1.25, 2.0, 0.75], [-3.0, 1.5, 0.0, 0.25]];
    let each = stats(2).each(&logits, &array![1, 1]).unwrap();
    let near = |got: &Array1<f64>, expected: [f64; 2]| {
        got.iter().zip(expected).for_each(|(got, exact)| assert!((got - exact).abs() <= 4e-16 * exact.abs(), "{got}"));
    };
    near(&each.log_prob, [-3.687_228_058_613_902_3, -0.419_199_658_242_903_84]);
    near(&each.log_sum_exp, [2.437_228_058_613_902_3, 1.919_199_658_242_903_8]);
    near(&each.entropy, [0.966_056_245_855_619_5, 0.907_655_797_744_551_1]);
    near(each.top_k_mass.as_ref().unwrap(), [0.830_855_839_704_903_2, 0.845_970_680_244_789_8]);
    assert_eq!((each.max, each.correct, each.kept), (array![2.0, 1.5], array![false, true], array![true, true]));
}

#[test]
fn each_number_is_that_of_its_own_function() {
    fn check<T: Real>(classes: usize) {
        let (x, y) = (sample::<T>(6, classes), Array1::from_shape_fn(6, |i| i * 4099 % classes));
        let each = stats(classes.min(7)).each(&x, &y).unwrap();
        let near = |got: &Array1<T>, expected: &Array1<T>| {
            let tolerance = T::from_f64(4.0) * T::epsilon();
            for (&a, &b) in got.iter().zip(expected) {
                assert!((a - b).abs() <= tolerance * b.abs(), "{a} against {b} of {classes}");
            }
        };
        near(&each.log_prob, &token_log_probs(&x, &y).unwrap());
        near(&each.log_sum_exp, &log_sum_exp(&x).unwrap());
        assert_eq!(each.entropy, entropy(&x).unwrap());
        let top = TopK { k: classes.min(7), ..TopK::default() }.each(&x).unwrap();
        near(&each.top_k_mass.unwrap(), &top.mass);
        assert_eq!(each.max, x.map_axis(Axis(1), |row| row.fold(T::neg_infinity(), |a, &b| a.max(b))));
    }
    for classes in [1, 2, 10, 2048, 5003] {
        check::<f32>(classes);
        check::<f64>(classes);
    }
}

#[test]
fn the_first_of_equal_largest_classes_is_the_argmax_wherever_they_stand() {
    let classes = 7000;
    for places in [[0, 1], [0, 6999], [5, 2047], [2047, 2048], [2100, 2101], [3000, 6999], [6000, 6001]] {
        let mut x = sample::<f32>(1, classes);
        places.iter().for_each(|&v| x[[0, v]] = 9.0);
        let is_correct = |v: usize| TokenStats::default().each(&x, &array![v]).unwrap().correct[0];
        assert_eq!(places.map(is_correct), [true, false], "{places:?}");
        assert!((0..classes).step_by(97).filter(|v| !places.contains(v)).all(|v| !is_correct(v)));
    }
    // A block of nothing but -inf goes before.
    let mut x = Array1::from_elem(2100, f64::NEG_INFINITY);
    x[2060] = -1e300;
    assert!(TokenStats::default().each(&x, &arr0(2060)).unwrap().correct[()]);
}

#[test]
fn what_is_ignored_is_never_looked_at_and_counts_for_nothing() {
    let logits = array![[f64::NAN, INF, 0.0], [1.0, 2.0, 3.0], [-INF, -INF, -INF]];
    let each = stats(2).each(&logits, &array![-100, 2, -100]).unwrap();
    assert_eq!(each.kept, array![false, true, false]);
    let zeros = |column: &Array1<f64>| column[0] == 0.0 && column[2] == 0.0 && column[1] != 0.0;
    assert!([&each.log_prob, &each.max, &each.log_sum_exp, &each.entropy].into_iter().all(zeros));
    assert!(zeros(each.top_k_mass.as_ref().unwrap()));
    assert_eq!(each.correct, array![false, true, false]);
    assert_eq!(each.means(), stats(2).each(&logits.slice(s![1..2, ..]), &array![2]).unwrap().means());
    let first = TokenStats { ignore_index: Some(0), ..TokenStats::default() };
    assert_eq!(first.each(&logits, &array![0, 1, 0]).unwrap().kept, array![false, true, false]);
}

#[test]
fn classes_of_no_mass_are_exact_limits() {
    let x = array![[-INF, 0.0, -INF, 0.0], [-INF, -INF, 5.0, -INF]];
    let each = stats(1).each(&x, &array![0, 2]).unwrap();
    assert_eq!(each.log_prob, array![-INF, 0.0]);
    assert_eq!(each.entropy, array![std::f64::consts::LN_2, 0.0]);
    assert_eq!(each.top_k_mass, Some(array![0.5, 1.0]));
    let means = each.means().unwrap();
    assert_eq!((means.nll, means.perplexity(), means.accuracy, means.max), (INF, INF, 0.5, 2.5));
    // Fewer classes have mass than are asked for.
    assert_eq!(stats(4).each(&x, &array![1, 2]).unwrap().top_k_mass, Some(array![1.0, 1.0]));
}

#[test]
fn a_certain_token_keeps_its_digits() {
    let x = array![[1000.0_f32, 970.0, 970.0, 970.0, 970.0, 970.0, 970.0, 970.0, 970.0, 970.0, 970.0]];
    let each = stats(1).each(&x, &array![0]).unwrap();
    assert!((f64::from(each.log_prob[0]) / -9.357_622_968_835_796e-13 - 1.0).abs() < 1e-6);
    assert!((f64::from(each.entropy[0]) / 2.900_863_120_337_783e-11 - 1.0).abs() < 1e-6);
    assert!(each.means().unwrap().nll > 9.3e-13);
}

#[test]
fn any_rank_has_the_shape_of_its_targets() {
    let x = sample::<f64>(6, 9);
    let y = array![0, 1, 2, 3, 4, -100];
    let flat = stats(3).each(&x, &y).unwrap();
    let deep: ArrayD<f64> = x.clone().into_shape_with_order(IxDyn(&[3, 2, 9])).unwrap();
    let each = stats(3).each(&deep, &y.clone().into_shape_with_order(IxDyn(&[3, 2])).unwrap()).unwrap();
    assert_eq!(each.log_prob.shape(), [3, 2]);
    assert!(each.log_prob.iter().eq(&flat.log_prob) && each.kept.iter().eq(&flat.kept));
    assert_eq!(each.means(), flat.means());
    let one = TokenStats::default().each(&x.row(0), &arr0(0_u32)).unwrap();
    assert_eq!((one.log_prob[()], one.top_k_mass), (flat.log_prob[0], None));
    let none = stats(4).each(&Array2::<f32>::zeros((0, 4)), &Array1::<i64>::zeros(0)).unwrap();
    assert_eq!((none.log_prob.len(), none.means()), (0, Err(Error::NothingToAverage { argument: "targets" })));
}

#[test]
fn every_layout_and_number_of_threads_gives_the_same_bits() {
    let x = sample::<f32>(35, 9001).into_shape_with_order((5, 7, 9001)).unwrap();
    let y = every_five(35, 9001).into_shape_with_order((5, 7)).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| stats(10).each(&x, &y)).unwrap()
    };
    let expected = with(1);
    assert_eq!(with(2), expected);
    assert_eq!(with(5), expected);
    let mut transposed = Array3::zeros(x.raw_dim().f());
    transposed.assign(&x);
    assert_eq!(stats(10).each(&transposed, &y).unwrap(), expected);
    let mut reversed = Array3::zeros(x.raw_dim());
    reversed.invert_axis(Axis(2));
    reversed.assign(&x);
    assert_eq!(stats(10).each(&reversed, &y).unwrap(), expected);
    let columns = y.t().as_standard_layout().to_owned();
    assert_eq!(stats(10).each(&x, &columns.t()).unwrap(), expected);
}

#[test]
fn means_are_over_what_is_kept_and_merge_by_count() {
    let (x, y) = (sample::<f64>(23, 300), every_five(23, 300));
    let all = stats(9).each(&x, &y).unwrap();
    let means = all.means().unwrap();
    let kept: Vec<usize> = (0..23).filter(|&i| y[i] >= 0).collect();
    assert_eq!(means.count, kept.len() as f64);
    let mean = |column: &Array1<f64>| kept.iter().map(|&i| column[i]).sum::<f64>() / means.count;
    let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-14 * b.abs(), "{a} against {b}");
    near(means.nll, -mean(&all.log_prob));
    near(means.max, mean(&all.max));
    near(means.log_sum_exp, mean(&all.log_sum_exp));
    near(means.entropy, mean(&all.entropy));
    near(means.top_k_mass.unwrap(), mean(all.top_k_mass.as_ref().unwrap()));
    near(means.perplexity(), (-mean(&all.log_prob)).exp());
    assert!(means.accuracy < 1.0 && means.top_k_mass < Some(1.0));

    let part =
        |from: usize, to: usize| stats(9).each(&x.slice(s![from..to, ..]), &y.slice(s![from..to])).unwrap().means();
    let (left, right) = (part(0, 6).unwrap(), part(6, 23).unwrap());
    for merged in [left.merge(right), right.merge(left)] {
        near(merged.nll, means.nll);
        near(merged.max, means.max);
        near(merged.log_sum_exp, means.log_sum_exp);
        near(merged.entropy, means.entropy);
        near(merged.accuracy, means.accuracy);
        near(merged.top_k_mass.unwrap(), means.top_k_mass.unwrap());
        assert_eq!(merged.count, means.count);
    }
    assert_eq!(TokenMeans::default().merge(means), means);
    assert_eq!(means.merge(TokenMeans::default()), means);
    let bare = TokenStats::default().each(&x, &y).unwrap().means().unwrap();
    assert_eq!((bare.merge(means).top_k_mass, bare.merge(means).count), (None, 2.0 * means.count));
}

#[test]
fn logits_as_large_as_their_type_have_means_or_are_refused() {
    let x = Array2::from_elem((5000, 2), f32::MAX);
    let means = stats(1).each(&x, &Array1::from_elem(5000, 1)).unwrap().means().unwrap();
    assert!((means.max / f64::from(f32::MAX) - 1.0).abs() < 1e-15 && means.accuracy == 0.0);
    let wide = Array2::from_elem((2, 2), f64::MAX);
    let error = stats(1).each(&wide, &array![0, 0]).unwrap().means().unwrap_err();
    assert_eq!(error, Error::overflow::<f64>("logits", Position::default()));
    let far = Array2::from_shape_fn((2, 2), |(_, v)| if v == 0 { 1.7e308 } else { -7e307 });
    let error = TokenStats::default().each(&far, &array![1, 1]).unwrap_err();
    assert_eq!(error, Error::overflow::<f64>("logits", 0));
}

#[test]
fn bad_input_is_named() {
    let says = |stats: TokenStats, x: &Array2<f64>, y: Array1<i64>, message: &str| {
        assert_eq!(stats.each(x, &y).unwrap_err().to_string(), message);
    };
    let x = array![[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]];
    let y = array![0, 0];
    says(stats(0), &x, y.clone(), "`top_k` is 0, allowed is 1 to the number of classes");
    says(stats(4), &x, y.clone(), "`top_k` is 4, allowed is 1 to the number of classes");
    says(stats(1), &x, array![0], "`targets` has shape [1], expected [2]");
    says(stats(1), &x, array![0, 3], "`targets`[1] is 3, allowed are the classes 0 to 2");
    says(stats(1), &x, array![-1, 0], "`targets`[0] is -1, allowed are the classes 0 to 2");
    says(stats(1), &Array2::zeros((2, 0)), y.clone(), "`logits` is empty, needed is at least one element");
    let row = |bad: [f64; 3]| {
        let mut x = x.clone();
        x.row_mut(1).assign(&ndarray::aview1(&bad));
        x
    };
    says(stats(1), &row([0.0, f64::NAN, INF]), y.clone(), "`logits`[1, 1] is NaN, allowed is finite or -inf");
    says(stats(1), &row([-INF, 0.0, INF]), y.clone(), "`logits`[1, 2] is inf, allowed is finite or -inf");
    let message = "`logits`[1] is -inf, allowed is a row with at least one finite logit";
    says(stats(1), &row([-INF; 3]), y, message);
    let error = TokenStats::default().each(&array![[f32::MAX, f32::MIN]], &array![1]).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[0] overflows f32");
    let error = TokenStats::default().each(&arr0(1.0_f32).into_dyn(), &arr0(0).into_dyn()).unwrap_err();
    assert_eq!(error, Error::no_axis("logits"));
}
