//! Values, gradient, fixed points and limits of EMO.

use ndarray::{array, s};

use super::*;
use crate::testing::all_close as close;
use crate::transport::embedding::testing::{five, three};

const ONE: Emo = Emo { mode: EmoMode::ScaleDemd, cost: EmoCost::Plain, ignore_index: Some(-100) };
const TWO: Emo = Emo { mode: EmoMode::ScaleMle, cost: EmoCost::Plain, ignore_index: Some(-100) };
const ONE_SHIFTED: Emo = Emo { cost: EmoCost::Shifted, ..ONE };
const TWO_SHIFTED: Emo = Emo { cost: EmoCost::Shifted, ..TWO };

#[test]
fn values_are_those_of_forty_digits() {
    let (logits, targets, cost) = five();
    let terms = ONE.terms(&logits, &targets, &cost).unwrap();
    close(terms.mle, [1.312_339_441_871_824_2, 1.947_721_738_151_313_8, 1.622_370_956_316_578_5], 1e-15);
    close(terms.demd, [0.732_349_493_063_331_6, 0.853_710_642_345_207_3, 0.827_205_787_578_848_8], 1e-15);
    close(terms.loss, [1.312_339_441_782_226_3, 1.947_721_738_037_24, 1.622_370_956_218_515_2], 1e-15);
    close(terms.weight, [1.791_957_875_471_815, 2.281_477_635_762_661, 1.961_266_447_214_996_5], 2e-15);
    let terms = TWO.terms(&logits, &targets, &cost).unwrap();
    close(terms.loss, [1.464_698_986_070_858_3, 1.707_421_284_646_583_3, 1.654_411_575_106_71], 1e-15);
    close(terms.weight, [0.558_048_832_215_968, 0.438_312_427_067_573_9, 0.509_874_627_813_816_7], 2e-15);
}

#[test]
fn gradients_are_those_of_forty_digits() {
    let (logits, targets, cost) = five();
    let (_, gradient) = ONE.grad(&logits, &targets, &cost, Reduction::Sum).unwrap();
    let expected = [
        [
            -0.026_446_152_658_359,
            0.310_522_160_408_916,
            -0.022_294_636_168_635,
            0.280_257_887_768_877,
            -0.542_039_259_350_798,
        ],
        [
            -0.567_571_886_411_48,
            0.404_118_257_604_717,
            -0.117_945_615_016_011,
            0.358_403_863_754_104,
            -0.077_004_619_931_328,
        ],
        [
            -0.038_604_361_473_953,
            0.214_981_920_796_204,
            -0.561_437_363_157_986,
            0.464_236_436_434_062,
            -0.079_176_632_598_327,
        ],
    ];
    close(gradient, expected.concat(), 1e-13);
    let (_, gradient) = TWO.grad(&logits, &targets, &cost, Reduction::Sum).unwrap();
    let expected = [
        [
            -0.029_516_489_247_07,
            0.346_573_058_037_674,
            -0.024_882_991_380_466,
            0.312_795_174_023_646,
            -0.604_968_751_433_784,
        ],
        [
            -0.497_547_622_157_185,
            0.354_260_108_669_238,
            -0.103_394_057_595_481,
            0.314_185_734_823_019,
            -0.067_504_163_739_591,
        ],
        [
            -0.039_366_768_896_097,
            0.219_227_653_733_202,
            -0.572_525_333_191_707,
            0.473_404_760_549_049,
            -0.080_740_312_194_447,
        ],
    ];
    close(gradient, expected.concat(), 1e-13);
}

#[test]
fn the_gradient_is_the_central_difference_with_the_factor_frozen() {
    let (logits, targets, cost) = five();
    for emo in [ONE, TWO, ONE_SHIFTED, TWO_SHIFTED] {
        let weight = emo.terms(&logits, &targets, &cost).unwrap().weight;
        let frozen = |logits: &Array2<f64>| -> f64 {
            let terms = emo.terms(logits, &targets, &cost).unwrap();
            match emo.mode {
                EmoMode::ScaleDemd => 0.5 * (terms.mle.sum() + weight.dot(&terms.demd)),
                EmoMode::ScaleMle => weight.dot(&terms.mle) + terms.demd.sum(),
            }
        };
        let (_, gradient) = emo.grad(&logits, &targets, &cost, Reduction::Sum).unwrap();
        for ((n, k), &slope) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut logits = logits.clone();
                logits[[n, k]] += step;
                frozen(&logits)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-10, "{emo:?} [{n}, {k}]: {slope} against {difference}");
        }
    }
}

#[test]
fn descent_comes_to_rest_away_from_the_data() {
    let logits_of = |z: &Array1<f64>| z.broadcast((3, 3)).unwrap().to_owned();
    let (cost, data) = (three(), array![0.5, 0.3, 0.2]);
    let table = [
        (ONE, [0.4725, 0.4602, 0.0673]),
        (TWO, [0.7960, 0.0986, 0.1054]),
        (ONE_SHIFTED, [0.4636, 0.3780, 0.1584]),
        // Here the factor grows as the gradient falls, until one class is left.
        (TWO_SHIFTED, [1.0, 0.0, 0.0]),
    ];
    for (emo, expected) in table {
        let mut z = Array1::zeros(3);
        for _ in 0..2_000 {
            let logits = logits_of(&z);
            let (_, gradient) = emo.grad(&logits, &array![0, 1, 2], &cost, Reduction::Weighted(&data)).unwrap();
            z = z - 2.0 * gradient.sum_axis(ndarray::Axis(0));
        }
        let q = z.mapv(f64::exp) / z.mapv(f64::exp).sum();
        for (q, expected) in q.iter().zip(expected) {
            assert!((q - expected).abs() < 6e-5, "{emo:?}: {q} against {expected}");
        }
    }
}

#[test]
fn a_certain_model_keeps_its_digits() {
    let (targets, cost) = (array![0], three());
    type Case = (f64, f64, f64, f64, f64, [f64; 3], [f64; 3]);
    let cases: [Case; 3] = [
        (
            20.0,
            1.601_901_114_241_751,
            0.585_789_758_599_030_7,
            4.042_212_180_668_32e-9,
            4.888_189_697_600_535e-9,
            [-4.042_212_168_253_433e-9, 1.360_753_229_967_345e-9, 2.681_458_938_286_089e-9],
            [-4.888_189_682_427_2e-9, 1.619_633_395_636_86e-9, 3.268_556_286_790_34e-9],
        ),
        (
            40.0,
            8.496_708_077_418_867e-8,
            5.098_024_673_185_61e-8,
            4.248_354_471_873_745e-18,
            5.098_025_539_514_203e-18,
            [-4.248_354_471_873_745e-18, 2.124_177_163_742_82e-18, 2.124_177_308_130_924e-18],
            [-5.098_025_539_514_203e-18, 8.496_710_676_404_66e-19, 4.248_354_471_873_737e-18],
        ),
        (
            300.0,
            1.029_640_044_482_403e-120,
            6.177_840_266_894_417e-121,
            5.148_200_222_412_014e-131,
            6.177_840_266_894_417e-131,
            [-5.148_200_222_412_014e-131, 2.574_100_111_206_007e-131, 2.574_100_111_206_007e-131],
            [-6.177_840_266_894_417e-131, 1.029_640_044_482_403e-131, 5.148_200_222_412_014e-131],
        ),
    ];
    for (logit, weight_one, weight_two, loss_one, loss_two, slope_one, slope_two) in cases {
        let logits = array![[logit, 0.0, 0.0]];
        for (emo, weight, loss, slope) in
            [(ONE, weight_one, loss_one, slope_one), (TWO, weight_two, loss_two, slope_two)]
        {
            close(emo.terms(&logits, &targets, &cost).unwrap().weight, [weight], 1e-14);
            let (value, gradient) = emo.grad(&logits, &targets, &cost, Reduction::Sum).unwrap();
            close([value], [loss], 1e-14);
            close(gradient, slope, 1e-13);
        }
    }
}

/// Eight classes, of which the others all have the cosine 1 - 1.2729 with the target.
#[test]
fn a_shifted_cost_takes_the_factor_to_zero_where_the_target_is_certain() {
    let cosine = 1.0 - 1.272_9_f64;
    let row = |i: usize, j: usize| match (i, j) {
        (0, 0) => 1.0,
        (0, _) => 0.0,
        (_, 0) => cosine,
        (_, j) => {
            if i == j {
                (1.0 - cosine * cosine).sqrt()
            } else {
                0.0
            }
        }
    };
    let cost = CosineCost::new(&Array2::from_shape_fn((8, 8), |(i, j)| row(i, j))).unwrap();
    let weights = |logit: f64| {
        let mut logits = Array2::zeros((1, 8));
        logits[[0, 0]] = logit;
        [ONE, ONE_SHIFTED].map(|emo| emo.terms(&logits, &array![0], &cost).unwrap().weight[0])
    };
    let [plain, shifted] = weights(5.0);
    assert!((plain - 0.804).abs() < 5e-4 && (shifted - 0.046).abs() < 5e-4, "{plain} and {shifted}");
    let [plain, shifted] = weights(20.0);
    // 1 / 1.2729, but for ε; 7 e^-20.
    assert!((plain - 0.7814).abs() < 1e-4 && (shifted / 1.4428e-8 - 1.0).abs() < 1e-4, "{plain} and {shifted:e}");
}

#[test]
fn a_shift_changes_values_and_factors_and_no_slope() {
    let (logits, targets, cost) = five();
    let (plain, shifted) =
        (ONE.terms(&logits, &targets, &cost).unwrap(), ONE_SHIFTED.terms(&logits, &targets, &cost).unwrap());
    assert_eq!((plain.demd.clone(), plain.mle.clone()), (shifted.demd, shifted.mle.clone()));
    assert_eq!(plain.cost, plain.demd);
    let q = plain.mle.mapv(|m: f64| (-m).exp());
    close(shifted.cost.clone(), &plain.demd + &q, 1e-15);
    close(shifted.weight, &shifted.mle / (&shifted.cost + Emo::EPSILON), 1e-15);
    let two = TWO_SHIFTED.terms(&logits, &targets, &cost).unwrap();
    close(two.loss, &shifted.cost * 2.0, 1e-9);
    close(two.weight, &shifted.cost / (&shifted.mle + Emo::EPSILON), 1e-15);
}

#[test]
fn a_shifted_cost_has_its_limits() {
    // Certain of the target: all that is left of L2 is the shift itself.
    let (loss, gradient) = TWO_SHIFTED.grad(&array![[1e4, 0.0, 0.0]], &array![0], &three(), Reduction::Sum).unwrap();
    assert_eq!((loss, gradient), (1.0, Array2::zeros((1, 3))));
    let (loss, gradient) = ONE_SHIFTED.grad(&array![[1e4, 0.0, 0.0]], &array![0], &three(), Reduction::Sum).unwrap();
    assert_eq!((loss, gradient), (0.0, Array2::zeros((1, 3))));
    // Certain that it is not the target: no shift.
    let impossible = array![[f64::NEG_INFINITY, 0.0, 0.0]];
    assert_eq!(
        TWO_SHIFTED.grad(&impossible, &array![0], &three(), Reduction::Sum),
        TWO.grad(&impossible, &array![0], &three(), Reduction::Sum)
    );
    assert!(ONE_SHIFTED.value(&impossible, &array![0], &three(), Reduction::Sum).is_err());
}

#[test]
fn nothing_is_left_where_the_target_is_certain() {
    let logits = array![[1e4, 0.0, 0.0], [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]];
    for emo in [ONE, TWO] {
        let (loss, gradient) = emo.grad(&logits, &array![0, 0], &three(), Reduction::Sum).unwrap();
        assert_eq!((loss, gradient), (0.0, Array2::zeros((2, 3))));
        assert_eq!(emo.terms(&logits, &array![0, 0], &three()).unwrap().weight, array![0.0, 0.0]);
    }
}

#[test]
fn without_distances_half_the_likelihood_is_left() {
    let cost = CosineCost::new(&array![[1.0, 0.0], [2.0, 0.0], [0.5, 0.0]]).unwrap(); // exactly one direction
    let logits = array![[1.0_f64, 0.0, -1.0]];
    let q = logits.mapv(f64::exp) / logits.mapv(f64::exp).sum();
    let (loss, gradient) = ONE.grad(&logits, &array![1], &cost, Reduction::Sum).unwrap();
    close([loss], [-0.5 * q[[0, 1]].ln()], 1e-15);
    close(gradient, [0.5 * q[[0, 0]], 0.5 * (q[[0, 1]] - 1.0), 0.5 * q[[0, 2]]], 1e-15);
    let (loss, gradient) = TWO.grad(&logits, &array![1], &cost, Reduction::Sum).unwrap();
    assert_eq!(loss, 0.0);
    assert!(gradient.iter().all(|g| *g == 0.0));
}

#[test]
fn an_impossible_target_has_a_limit_in_one_mode_only() {
    let logits = array![[f64::NEG_INFINITY, 0.0, 0.0]];
    let (loss, gradient) = TWO.grad(&logits, &array![0], &three(), Reduction::Mean).unwrap();
    close([loss], [1.2], 1e-15); // D = (0.2 + 1) / 2
    close(gradient, [0.0, -0.2, 0.2], 1e-15);
    let terms = TWO.terms(&logits, &array![0], &three()).unwrap();
    assert_eq!((terms.mle[0], terms.weight[0]), (f64::INFINITY, 0.0));
    let error = ONE.grad(&logits, &array![0], &three(), Reduction::Mean).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[0] overflows f64");
    assert_eq!(ONE.value(&logits, &array![0], &three(), Reduction::Mean), Err(error));
}

#[test]
fn extreme_logits_stay_finite() {
    let logits = array![[-1e4_f64, 0.0, 1e4], [1e4, -1e4, 0.0], [3e38, -3e38, 0.0]];
    for emo in [ONE, TWO] {
        let (loss, gradient) = emo.grad(&logits, &array![0, 1, 1], &three(), Reduction::Sum).unwrap();
        assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()));
    }
    let (logits, cost) =
        (logits.mapv(|x| x as f32), CosineCost::new(&array![[1_f32, 0.], [0., 1.], [1., 1.]]).unwrap());
    let error = ONE.value(&logits, &array![0, 1, 1], &cost, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits`[2] overflows f32");
}

#[test]
fn reductions_agree_and_ignored_rows_are_never_looked_at() {
    let (mut logits, mut targets, cost) = five();
    let each = ONE.each(&logits, &targets, &cost).unwrap();
    let (_, whole) = ONE.grad(&logits, &targets, &cost, Reduction::Sum).unwrap();
    targets[1] = -100;
    logits.row_mut(1).fill(f64::NAN);
    let (mean, gradient) = ONE.grad(&logits, &targets, &cost, Reduction::Mean).unwrap();
    close([mean], [(each[0] + each[2]) / 2.0], 1e-15);
    assert_eq!(gradient.row(1), Array1::<f64>::zeros(5));
    close(gradient.row(2).to_owned(), whole.row(2).mapv(|g| g / 2.0), 1e-14);
    let parts = ONE.sum_count(&logits, &targets, &cost).unwrap();
    assert_eq!(parts.count, 2.0);
    close([parts.mean().unwrap()], [mean], 1e-15);
    assert_eq!(ONE.each(&logits, &targets, &cost).unwrap(), array![each[0], 0.0, each[2]]);
    // A weight of zero selects away too, target and all.
    targets[1] = 77;
    let weights = array![2.0, 0.0, 0.5];
    let (weighted, gradient) = ONE.grad(&logits, &targets, &cost, Reduction::Weighted(&weights)).unwrap();
    close([weighted], [2.0 * each[0] + 0.5 * each[2]], 1e-15);
    close(gradient.row(0).to_owned(), whole.row(0).mapv(|g| 2.0 * g), 1e-14);
    assert_eq!(ONE.value(&logits, &targets, &cost, Reduction::Weighted(&weights)), Ok(weighted));
}

#[test]
fn nothing_to_average_is_an_error_and_nothing_to_add_is_zero() {
    let (logits, cost) = (array![[f64::NAN, 0.0, 0.0]], three());
    let (loss, gradient) = ONE.grad(&logits, &array![-100], &cost, Reduction::Sum).unwrap();
    assert_eq!((loss, gradient), (0.0, Array2::zeros((1, 3))));
    assert_eq!(ONE.sum_count(&logits, &array![-100], &cost), Ok(SumCount::default()));
    let error = ONE.value(&logits, &array![-100], &cost, Reduction::Mean).unwrap_err();
    assert_eq!(error.to_string(), "`targets` holds nothing to average over");
    assert_eq!(ONE.value(&Array2::<f64>::zeros((0, 3)), &Array1::<i32>::zeros(0), &cost, Reduction::Sum), Ok(0.0));
}

#[test]
fn buffers_of_any_layout_get_the_same_bits() {
    let (logits, targets, cost) = five();
    let (loss, gradient) = TWO.grad(&logits, &targets, &cost, Reduction::Mean).unwrap();
    let mut wide = Array2::from_elem((6, 10), f64::NAN);
    let (mut transposed, mut packed) = (wide.t().to_owned(), Array2::from_elem((3, 5), f64::NAN));
    let views =
        [packed.view_mut(), wide.slice_mut(s![..;2, ..5]), transposed.slice_mut(s![..5, ..;-2]).reversed_axes()];
    for mut out in views {
        assert_eq!(TWO.grad_into(&logits, &targets, &cost, Reduction::Mean, &mut out), Ok(loss));
        assert_eq!(out, gradient);
    }
    let mut short = Array2::zeros((3, 4));
    let error = TWO.grad_into(&logits, &targets, &cost, Reduction::Mean, &mut short).unwrap_err();
    assert_eq!(error.to_string(), "`out` has shape [3, 4], expected [3, 5]");
}

#[cfg(feature = "half")]
#[test]
fn half_precision_is_computed_in_f32() {
    let logits = array![[0.5_f32, -1.25, 3.0], [0.0, 0.75, -2.0]];
    let cost = CosineCost::new(&array![[1.0_f32, 0.0], [0.8, 0.6], [0.0, 1.0]]).unwrap();
    let expected = ONE.grad(&logits, &array![1, 2], &cost, Reduction::Mean);
    assert_eq!(ONE.grad(&logits.mapv(half::bf16::from_f32), &array![1, 2], &cost, Reduction::Mean), expected);
}

#[test]
fn sums_of_finite_losses_beyond_f64_are_an_error_and_never_infinite() {
    let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.0, 1.0]]).unwrap();
    let (logits, weights) = (array![[0.0, 0.0], [0.0, 0.0]], array![1.7e308, 1.7e308]);
    let error = Emo { mode: EmoMode::ScaleMle, ..Emo::default() }
        .value(&logits, &array![0, 1], &cost, Reduction::Weighted(&weights))
        .unwrap_err();
    assert_eq!(error.to_string(), "the result at `logits` overflows f64");
}
