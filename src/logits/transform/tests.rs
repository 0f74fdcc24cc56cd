mod search;

use ndarray::{Array1, Array2, ShapeBuilder, array};
use num_traits::Float;

use super::*;
use crate::logits::testing::{assert_close, differences, other_layouts, sample, worked};
use crate::logits::{
    CrossEntropy, SoftCrossEntropy, TokenObjective, log_softmax, log_sum_exp_grad, token_log_probs,
    token_log_probs_backward,
};
use crate::{Element, Error, Reduction};

const INF: f64 = f64::INFINITY;

fn of(temperature: f64, soft_cap: impl Into<Option<f64>>) -> LogitTransform {
    LogitTransform { temperature, soft_cap: soft_cap.into() }
}

/// Those of the reference values.
const BOTH: LogitTransform = LogitTransform { temperature: 0.7, soft_cap: Some(2.5) };

fn loss(transform: LogitTransform) -> CrossEntropy {
    let LogitTransform { temperature, soft_cap } = transform;
    CrossEntropy { temperature, soft_cap, ..CrossEntropy::default() }
}

/// Smoothing, z-loss and class weights behind a transform.
fn full(transform: LogitTransform) -> CrossEntropy {
    let class_weights = Some(vec![0.5, 2.0, 1.5, 0.0]);
    CrossEntropy { label_smoothing: 0.2, z_loss: 0.01, class_weights, ..loss(transform) }
}

fn soft(hard: &CrossEntropy) -> SoftCrossEntropy {
    let CrossEntropy { label_smoothing, z_loss, class_weights, temperature, soft_cap, .. } = hard.clone();
    SoftCrossEntropy { label_smoothing, z_loss, class_weights, temperature, soft_cap }
}

fn worked_targets() -> Array2<f64> {
    array![[0.1, 0.2, 0.4, 0.3], [0.0, 0.5, 0.25, 0.25]]
}

/// Logits as they are after the transform, by the plain formula.
fn images(x: &Array2<f64>, transform: LogitTransform) -> Array2<f64> {
    let LogitTransform { temperature, soft_cap } = transform;
    x.mapv(|x| soft_cap.filter(|_| x.is_finite()).map_or(x, |cap| cap * (x / cap).tanh()) / temperature)
}

#[test]
fn functions_agree_with_sixty_digits() {
    let (x, targets) = (worked(), array![2, 0]);
    let (lse, grad) = BOTH.log_sum_exp_grad(&x).unwrap();
    assert_close(&lse, &[2.757_480_483_850_064, 2.228_511_911_826_785_3], 4e-16);
    assert_close(&BOTH.log_sum_exp(&x).unwrap(), &[2.757_480_483_850_064, 2.228_511_911_826_785_3], 4e-16);
    let expected = [
        0.176_289_133_896_272_43,
        0.013_685_026_875_667_514,
        0.542_942_006_512_680_1,
        0.234_785_043_385_807_33,
        0.002_389_782_806_135_028,
        0.745_221_809_834_631_8,
        0.153_840_801_479_805_8,
        0.217_433_282_666_460_06,
    ];
    assert_close(&grad, &expected, 4e-16);
    let nll = [0.385_920_590_036_317_85, 5.205_849_794_013_054];
    assert_close(&BOTH.token_log_probs(&x, &targets).unwrap(), &nll.map(|nll| -nll), 4e-16);
    let backward = BOTH.token_log_probs_backward(&x, &targets, &array![-1.0, -1.0]).unwrap();
    let (mut at_targets, at) = (expected, |v: usize| -> f64 { [-0.255_708_233_104_811_4, -0.433_353_068_918_735][v] });
    (at_targets[2], at_targets[4]) = (at(0), at(1));
    assert_close(&backward, &at_targets, 4e-16);
    let (entropy, grad) = BOTH.entropy_grad(&x).unwrap();
    assert_close(&entropy, &[0.887_979_381_516_959_9, 0.784_014_948_679_395], 4e-16);
    assert_close(&BOTH.entropy(&x).unwrap(), &entropy, 0.0);
    let expected = [
        0.205_304_429_237_901_85,
        0.048_170_193_246_698_24,
        -0.272_588_807_633_831_03,
        0.194_660_024_730_808_07,
        0.010_567_224_884_947_12,
        -0.352_890_252_712_605_16,
        0.222_222_570_545_740_07,
        0.236_684_790_612_843_84,
    ];
    assert_close(&grad, &expected, 4e-16);
    let log_probs = BOTH.log_softmax(&x).unwrap();
    assert_close(&[log_probs[[0, 2]], log_probs[[1, 0]]], &nll.map(|nll| -nll), 4e-16);
}

#[test]
fn losses_agree_with_sixty_digits() {
    let (x, hard) = (worked(), full(BOTH));
    let each = [1.098_208_337_489_695_8, 2.435_503_656_945_992_5];
    assert_close(&hard.each(&x, &array![2, 0]).unwrap(), &each, 4e-16);
    let expected = [
        0.227_065_239_164_434_14,
        -0.092_058_552_676_136_62,
        -0.213_245_686_789_916_23,
        0.348_121_515_991_217_9,
        -0.183_703_585_704_887_2,
        0.362_086_476_618_586,
        -0.011_410_015_668_746_403,
        0.135_305_496_204_374_1,
    ];
    assert_close(&hard.grad(&x, &array![2, 0], Reduction::Sum).unwrap().1, &expected, 4e-16);
    let (soft, q) = (soft(&hard), worked_targets());
    let each = [2.278_759_262_758_503_4, 1.313_554_329_805_230_1];
    assert_close(&soft.each(&x, &q).unwrap(), &each, 4e-16);
    let expected = [
        0.104_309_384_461_893_76,
        -0.456_843_751_743_719_33,
        0.152_848_995_508_722_8,
        0.257_772_163_797_000_96,
        -0.007_640_398_010_267_068,
        0.099_572_889_234_684_31,
        -0.326_293_252_178_413_2,
        0.295_988_465_628_767_74,
    ];
    assert_close(&soft.grad(&x, &q, Reduction::Sum).unwrap().1, &expected, 4e-16);
}

/// `1 - tanh²` is 0 at both ends.
#[test]
fn the_flat_ends_of_the_cap_keep_the_digits_of_their_slope() {
    let x = array![[-180.0_f64, 0.0, 100.0]];
    let (_, grad) = loss(of(1.0, 5.0)).grad(&x, &array![0], Reduction::Sum).unwrap();
    let exact = [-2.151_977_418_273_831_5e-31, 0.006_692_549_116_589_288, 1.687_892_144_124_561_7e-17];
    grad.iter().zip(exact).for_each(|(g, exact)| assert!((g / exact - 1.0).abs() < 2e-15, "{g} against {exact}"));
    let (_, grad) = loss(of(1.0, 5.0)).grad(&x.mapv(|x| x as f32), &array![0], Reduction::Sum).unwrap();
    grad.iter().zip(exact).for_each(|(g, exact)| assert!((f64::from(*g) / exact - 1.0).abs() < 1e-6, "{g}, {exact}"));
}

#[test]
fn gradients_are_the_difference_quotients_of_every_combination() {
    let (x, w) = (sample::<f64>(4, 4), array![0.5, 3.0, 0.0, 2.0]);
    let (targets, q) = (array![2, -100, 0, 1], log_sum_exp_grad(&(&x * -0.3)).unwrap().1);
    for transform in [BOTH, of(1.0, 2.0), of(2.5, None), of(0.4, 30.0)] {
        for hard in [loss(transform), full(transform), CrossEntropy { label_smoothing: 1.0, ..full(transform) }] {
            for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&w)] {
                let (value, grad) = hard.grad(&x, &targets, reduction).unwrap();
                assert_eq!(value, hard.value(&x, &targets, reduction).unwrap());
                assert_close(&grad, &differences(&x, |x| hard.value(x, &targets, reduction).unwrap()), 1e-8);
                let soft = soft(&hard);
                let (value, grad) = soft.grad(&x, &q, reduction).unwrap();
                assert_eq!(value, soft.value(&x, &q, reduction).unwrap());
                assert_close(&grad, &differences(&x, |x| soft.value(x, &q, reduction).unwrap()), 1e-8);
            }
        }
        let (_, grad) = transform.entropy_grad(&x).unwrap();
        assert_close(&grad, &differences(&x, |x| transform.entropy(x).unwrap().sum()), 1e-8);
    }
}

#[test]
fn the_identity_has_the_bits_of_no_transform_at_all() {
    let (x, targets) = (sample::<f32>(3, 4500), array![4499, 0, 2048]);
    let one = of(1.0, 1e300); // a cap that f32 does not reach
    for hard in
        [CrossEntropy::default(), CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, ..CrossEntropy::default() }]
    {
        let same = CrossEntropy { soft_cap: one.soft_cap, ..hard.clone() };
        let expected = hard.grad(&x, &targets, Reduction::Mean).unwrap();
        assert_eq!(same.grad(&x, &targets, Reduction::Mean).unwrap(), expected);
    }
    assert_eq!(one.log_softmax(&x).unwrap(), log_softmax(&x).unwrap());
    assert_eq!(one.token_log_probs(&x, &targets).unwrap(), token_log_probs(&x, &targets).unwrap());
}

#[test]
fn a_temperature_is_a_division_before_and_after() {
    let (x, targets, c) = (sample::<f64>(3, 4500), array![4499, 0, 2048], array![1.0, -2.0, 0.5]);
    for temperature in [0.3, 7.0] {
        let (divided, tempered) = (x.mapv(|x| x / temperature), of(temperature, None));
        assert_eq!(tempered.log_softmax(&x).unwrap(), log_softmax(&divided).unwrap());
        let grad = token_log_probs_backward(&divided, &targets, &c).unwrap().mapv(|g| g / temperature);
        assert_eq!(tempered.token_log_probs_backward(&x, &targets, &c).unwrap(), grad);
        for hard in [loss(of(1.0, None)), CrossEntropy { label_smoothing: 0.1, ..loss(of(1.0, None)) }] {
            let (value, grad) = hard.grad(&divided, &targets, Reduction::Mean).unwrap();
            let same = CrossEntropy { temperature, ..hard };
            assert_eq!(same.grad(&x, &targets, Reduction::Mean).unwrap(), (value, grad.mapv(|g| g / temperature)));
        }
    }
}

#[test]
fn a_cap_far_above_all_logits_is_none_to_rounding() {
    let (x, targets) = (sample::<f64>(3, 300), array![299, 0, 20]);
    let (value, grad) = loss(of(1.0, None)).grad(&x, &targets, Reduction::Mean).unwrap();
    for cap in [1e10, 1e30, 1e300] {
        let (capped, slope) = loss(of(1.0, cap)).grad(&x, &targets, Reduction::Mean).unwrap();
        assert_close(&[capped], &[value], 1e-15);
        assert_close(&slope, &grad, 1e-15);
    }
}

/// Short rows, blocks and segments, each the last one shorter, against transformed logits that are held.
#[test]
fn rows_of_every_length_are_those_of_their_images() {
    for (rows, classes) in [(20, 1), (20, 10), (20, 63), (9, 64), (5, 2048), (3, 2049), (2, 65_537), (1, 200_001)] {
        let x = sample::<f64>(rows, classes);
        let targets = Array1::from_shape_fn(rows, |i| if i % 5 == 3 { -100 } else { (i * 31 % classes) as i64 });
        let z = images(&x, BOTH);
        let slope = x.mapv(|x| (x / 2.5).cosh().powi(-2) / 0.7);
        for hard in [loss(BOTH), CrossEntropy { label_smoothing: 0.1, z_loss: 0.1, ..loss(BOTH) }] {
            let plain = CrossEntropy { temperature: 1.0, soft_cap: None, ..hard.clone() };
            let (value, grad) = plain.grad(&z, &targets, Reduction::Mean).unwrap();
            let (got, got_grad) = hard.grad(&x, &targets, Reduction::Mean).unwrap();
            assert_close(&[got], &[value], 1e-13);
            assert_close(&got_grad, &(grad * &slope), 1e-13);
            assert_close(&hard.each(&x, &targets).unwrap(), &plain.each(&z, &targets).unwrap(), 1e-13);
        }
    }
}

#[test]
fn all_forms_and_layouts_agree_bit_by_bit() {
    let (x, targets) = (sample::<f32>(3, 4500), array![4499, 0, 2048]);
    for hard in [loss(BOTH), CrossEntropy { label_smoothing: 0.1, ..loss(BOTH) }, loss(of(0.3, None))] {
        let expected = hard.grad(&x, &targets, Reduction::Mean).unwrap();
        let mut in_place = x.clone();
        assert_eq!(hard.grad_in_place(&mut in_place, &targets, Reduction::Mean).unwrap(), expected.0);
        assert_eq!(in_place, expected.1);
        other_layouts(&x, |x| {
            let mut out = Array2::zeros((3, 4500).f());
            assert_eq!(hard.grad_into(x, &targets, Reduction::Mean, &mut out).unwrap(), expected.0);
            assert_eq!(out, expected.1);
            assert_eq!(hard.value(x, &targets, Reduction::Mean).unwrap(), expected.0);
            assert_eq!(BOTH.entropy_grad(x).unwrap().0, BOTH.entropy(x).unwrap());
        });
    }
    let (expected, mut in_place) = (BOTH.log_softmax(&x).unwrap(), x.clone());
    BOTH.log_softmax_in_place(&mut in_place).unwrap();
    assert_eq!(in_place, expected);
}

#[test]
fn few_long_rows_give_the_same_bits_to_any_number_of_threads_and_when_streamed() {
    let x = sample::<f32>(2, 200_001);
    let by = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| loss(BOTH).grad(&x, &array![7_i64, 150_000], Reduction::Sum).unwrap())
    };
    let one = by(1);
    assert_eq!(by(2), one);
    assert_eq!(by(5), one);
    let x = sample::<f32>(450, 20_000); // more than 32 MiB
    let targets = Array1::from_shape_fn(450, |i| if i % 9 == 4 { -100 } else { (i * 97 % 20_000) as i64 });
    let (mut streamed, mut replaced) = (Array2::zeros(x.dim()), x.clone());
    let value = loss(BOTH).grad_into(&x, &targets, Reduction::Mean, &mut streamed).unwrap();
    assert_eq!(loss(BOTH).grad_in_place(&mut replaced, &targets, Reduction::Mean).unwrap(), value);
    assert_eq!(streamed, replaced);
}

#[test]
fn a_class_that_is_ruled_out_stays_so() {
    let x = array![[0.0_f64, -INF, 0.0, 50.0]];
    for transform in [BOTH, of(2.0, None)] {
        let z = images(&x, transform);
        assert_eq!(transform.log_softmax(&x).unwrap()[[0, 1]], -INF);
        assert_close(&transform.log_sum_exp(&x).unwrap(), &crate::logits::log_sum_exp(&z).unwrap(), 1e-15);
        let (value, grad) = loss(transform).grad(&x, &array![0], Reduction::Sum).unwrap();
        assert!(value.is_finite() && grad[[0, 1]] == 0.0, "{value}, {grad}");
        let (value, grad) = loss(transform).grad(&x, &array![1], Reduction::Sum).unwrap();
        let slope = if transform.soft_cap.is_some() { 0.0 } else { -0.5 };
        assert_eq!((value, grad[[0, 1]]), (INF, slope));
        assert!(grad.iter().all(|g| g.is_finite()));
        assert_eq!(transform.token_log_probs(&x, &array![1]).unwrap(), array![-INF]);
        let smooth = soft(&CrossEntropy { label_smoothing: 0.1, ..loss(transform) });
        let (value, grad) = smooth.grad(&x, &array![[1.0, 0.0, 0.0, 0.0]], Reduction::Sum).unwrap();
        assert!(value == INF && grad.iter().all(|g| g.is_finite()), "{value}, {grad}");
    }
}

#[test]
fn the_far_ends_of_the_type_are_capped_and_flat() {
    for targets in [array![0], array![1], array![2]] {
        let x = array![[1e30_f64, -1e30, 1.0]];
        let (value, grad) = full_of_three().grad(&x, &targets, Reduction::Sum).unwrap();
        assert!(value.is_finite(), "{value}");
        assert_eq!((grad[[0, 0]], grad[[0, 1]]), (0.0, 0.0));
        let narrow = array![[f32::MAX, f32::MIN, 1.0]];
        let (value, grad) = full_of_three().grad(&narrow, &targets, Reduction::Sum).unwrap();
        assert!(value.is_finite() && grad[[0, 2]] != 0.0, "{value}, {grad}");
        assert_eq!((grad[[0, 0]], grad[[0, 1]]), (0.0, 0.0));
    }
    // A cap below the type is as flat as one can be, and has a slope at zero alone.
    let (value, grad) = loss(of(1.0, 1e-300)).grad(&array![[1.0_f32, 0.0]], &array![0], Reduction::Sum).unwrap();
    assert_eq!((value, grad), (std::f32::consts::LN_2, array![[0.0, 0.5]]));
}

fn full_of_three() -> CrossEntropy {
    CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, ..loss(of(0.5, 30.0)) }
}

#[test]
fn what_is_wrong_with_the_logits_is_told_of_the_logits() {
    let targets = array![0, 1];
    for (transform, classes) in [BOTH, of(0.5, None), of(1.0, 30.0)].into_iter().flat_map(|t| [3, 5000].map(|n| (t, n)))
    {
        for (bad, what) in [(f64::NAN, "NaN"), (INF, "inf")] {
            let mut x = sample::<f64>(2, classes);
            x[[1, classes - 1]] = bad;
            let expected = format!("`logits`[1, {}] is {what}, allowed is finite or -inf", classes - 1);
            let hard = CrossEntropy { label_smoothing: 0.1, ..loss(transform) };
            for error in [
                loss(transform).value(&x, &targets, Reduction::Sum).unwrap_err(),
                hard.grad(&x, &targets, Reduction::Sum).unwrap_err(),
                loss(transform).grad_in_place(&mut x.clone(), &targets, Reduction::Sum).unwrap_err(),
                hard.grad_in_place(&mut x.clone(), &targets, Reduction::Sum).unwrap_err(),
                soft(&hard).value(&x, &Array2::zeros(x.dim()), Reduction::Sum).unwrap_err(),
                transform.log_softmax_in_place(&mut x.clone()).unwrap_err(),
                transform.entropy(&x).unwrap_err(),
            ] {
                assert_eq!(error.to_string(), expected);
            }
        }
        let mut x = sample::<f64>(2, classes);
        x.row_mut(1).fill(-INF);
        let error = loss(transform).grad_in_place(&mut x, &targets, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`logits`[1] is -inf, allowed is a row with at least one finite logit");
    }
}

#[test]
fn a_row_that_takes_no_part_is_never_looked_at() {
    let x = array![[0.0, 0.0], [f64::NAN, INF]];
    let (value, grad) = loss(of(2.0, 3.0)).grad(&x, &array![0, -100], Reduction::Mean).unwrap();
    assert_eq!((value, grad), (std::f64::consts::LN_2, array![[-0.25, 0.25], [0.0, 0.0]]));
    let masked = BOTH.token_log_probs_masked(&x, &array![0, 7], &array![true, false]).unwrap();
    assert_eq!(masked, array![-std::f64::consts::LN_2, 0.0]);
}

#[test]
fn a_temperature_that_leads_out_of_the_type_is_an_overflow_and_never_nan() {
    let expected = "the result at `logits`[1] overflows f32";
    for (temperature, cap) in [(1e-38, None), (1e-300, None), (1e-39, Some(30.0)), (1e-300, Some(30.0))] {
        let hard = loss(of(temperature, cap));
        for far in [20.0_f32, -20.0] {
            let (x, targets) = (array![[-INF as f32, 0.0], [0.0, far]], array![-100, 0]);
            let errors = [
                hard.value(&x, &targets, Reduction::Sum).unwrap_err(),
                hard.grad(&x, &targets, Reduction::Sum).unwrap_err(),
                hard.grad_in_place(&mut x.clone(), &targets, Reduction::Sum).unwrap_err(),
                soft(&hard)
                    .value(&x, &array![[0.0, 0.0], [0.0, 1.0]], Reduction::Weighted(&array![0.0, 1.0]))
                    .unwrap_err(),
            ];
            errors.iter().for_each(|error| assert_eq!(error.to_string(), expected, "{temperature}, {cap:?}, {far}"));
        }
    }
    // The images are numbers; the gradient is none.
    let weight = array![1e10_f32];
    let hard = loss(of(1e-30, None));
    assert_eq!(hard.value(&array![[0.0_f32, 0.0]], &array![0], Reduction::Weighted(&weight)).unwrap(), 6.931_472e9);
    let error = hard.grad(&array![[0.0_f32, 0.0]], &array![0], Reduction::Weighted(&weight)).unwrap_err();
    assert_eq!(error, Error::overflow::<f32>("logits", 0));
    // Of a class that the cap has made flat, nothing is left to overflow.
    let hard = loss(of(1e-30, 1e-29));
    let (_, grad) = hard.grad(&array![[1.0_f32, -1.0]], &array![0], Reduction::Weighted(&weight)).unwrap();
    assert_eq!(grad, array![[0.0, 0.0]]);
    // Images as far apart as the type reaches have a loss beyond it.
    let error = loss(of(1e-38, None)).value(&array![[3.0_f32, -3.0]], &array![1], Reduction::Sum).unwrap_err();
    assert_eq!(error, Error::overflow::<f32>("logits", 0));
}

/// Cap, temperature or quotient that a type does not hold, or holds with few digits, where the answers are ordinary numbers.
/// Exact: by 60 digits.
#[test]
fn ends_of_the_type_leave_finite_answers_their_digits() {
    let single = |x: [f32; 3], transform, target: i64| -> (f32, Vec<f32>) {
        let x: Array2<f32> = array![x];
        let (value, grad) = loss(transform).grad(&x, &array![target], Reduction::Sum).unwrap();
        assert_eq!(loss(transform).value(&x, &array![target], Reduction::Sum).unwrap(), value);
        (value, grad.into_raw_vec_and_offset().0)
    };
    let near = |got: f64, exact: f64, ulps: f64, epsilon: f64, least: f64| {
        assert!((got - exact).abs() <= ulps * epsilon * exact.abs() + least, "{got}, {exact}");
    };
    for (x, transform, target, exact, slopes) in [
        // z = 10 x, though 3e38 / 0.1 is beyond f32.
        (
            [1.0, 1.25, -0.5],
            of(0.1, 3e38),
            0,
            2.578_889_757_497_742_5,
            [-9.241_418_217_390_6, 9.241_417_985_338_673, 2.320_519_275_906_268e-7],
        ),
        // A cap a little beyond the type, which its largest numbers feel.
        (
            [2e38, -1e38, 0.0],
            of(1e38, 3.5e38),
            1,
            2.984_871_592_432_877,
            [5.981_196_402e-39, -8.759_784_55e-39, 1.338_249_862e-39],
        ),
    ] {
        let (value, grad) = single(x, transform, target);
        near(value.into(), exact, 4.0, f32::EPSILON.into(), 0.0);
        // The last are subnormal.
        grad.iter().zip(slopes).for_each(|(g, exact)| near((*g).into(), exact, 16.0, f32::EPSILON.into(), 2e-45));
    }
    // Subnormal caps and temperatures: tanh(x / c) is that of the ratio.
    let x: Array2<f32> = array![[1.5e-40, 0.0, -3e-41]];
    let value: f32 = loss(of(1e-40, 1e-40)).value(&x, &array![1], Reduction::Sum).unwrap();
    near(value.into(), 1.439_735_686_142_493, 4.0, f32::EPSILON.into(), 0.0);
    let hard = loss(of(1e-320, 1e-320));
    let x = array![[1e-320_f64, 0.0]];
    near(hard.value(&x, &array![0], Reduction::Sum).unwrap(), 0.383_165_978_793_715_06, 4.0, f64::EPSILON, 0.0);
    let error = hard.grad(&x, &array![0], Reduction::Sum).unwrap_err(); // 3e319
    assert_eq!(error, Error::overflow::<f64>("logits", 0));
    for (x, transform, target, exact, slopes) in [
        (
            [1e300, -5e299, 0.0],
            of(1e300, 1.5e308),
            1,
            1.964_368_784_107_945,
            [6.285_317_192_117_624e-301, -8.597_556_168_339_115e-301, 2.312_238_976_221_490_6e-301],
        ),
        (
            [1e-300, 3e-300, 0.0],
            of(1e-300, 1.0),
            0,
            2.169_846_019_556_285_8,
            [-8.858_048_006_154_055e299, 8.437_947_344_813_395e299, 4.201_006_613_406_604e298],
        ),
    ] {
        let x: Array2<f64> = array![x];
        let (value, grad) = loss(transform).grad(&x, &array![target], Reduction::Sum).unwrap();
        near(value, exact, 4.0, f64::EPSILON, 0.0);
        grad.iter().zip(slopes).for_each(|(g, exact)| near(*g, exact, 16.0, f64::EPSILON, 0.0));
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let (x, targets) = (worked(), array![0, 1]);
    for bad in [0.0, -1.0, INF, f64::NAN] {
        for (name, transform) in [("temperature", of(bad, None)), ("soft_cap", of(1.0, bad))] {
            let (hard, q) = (loss(transform), worked_targets());
            let expected = format!("`{name}` is {bad}, allowed is finite and > 0");
            for error in [
                hard.value(&x, &targets, Reduction::Sum).unwrap_err(),
                hard.each(&x, &targets).unwrap_err(),
                soft(&hard).value(&x, &q, Reduction::Sum).unwrap_err(),
                soft(&hard).each(&x, &q).unwrap_err(),
                transform.token_log_probs(&x, &targets).unwrap_err(),
                transform.log_softmax(&x).unwrap_err(),
            ] {
                assert_eq!(error.to_string(), expected);
            }
        }
    }
}

#[cfg(feature = "half")]
#[test]
fn half_precision_is_widened_exactly() {
    let x = sample::<f32>(3, 2500).mapv(half::bf16::from_f32);
    let (targets, widened) = (array![0, 2499, 7], x.mapv(half::bf16::to_f32));
    for hard in [loss(BOTH), CrossEntropy { label_smoothing: 0.1, ..loss(BOTH) }] {
        let expected = hard.grad(&widened, &targets, Reduction::Mean).unwrap();
        assert_eq!(hard.grad(&x, &targets, Reduction::Mean).unwrap(), expected);
        assert_eq!(hard.value(&x, &targets, Reduction::Mean).unwrap(), expected.0);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_configuration_names_both_side_by_side_with_the_rest() {
    let read: CrossEntropy = serde_json::from_str(r#"{ "temperature": 0.7, "soft_cap": 2.5 }"#).unwrap();
    assert_eq!(read, loss(BOTH));
    let read: SoftCrossEntropy = serde_json::from_str(r#"{ "soft_cap": 2.5 }"#).unwrap();
    assert_eq!(read, soft(&loss(of(1.0, 2.5))));
    let read: LogitTransform = serde_json::from_str(r#"{ "soft_cap": 2.5 }"#).unwrap();
    assert_eq!(read, of(1.0, 2.5));
    assert!(serde_json::from_str::<LogitTransform>(r#"{ "cap": 2.5 }"#).is_err());
}
