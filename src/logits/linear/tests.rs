//! Against materialized logits, and at the limits.

use ndarray::{Array1, Array2, Array3, ArrayViewMut, Axis, Ix2, array, s};

use super::*;
use crate::logits::testing::assert_close;
use crate::logits::{CrossEntropy, TokenObjective};
use crate::{Error, Real, Reduction};

const INF: f64 = f64::INFINITY;
const PLANS: [LinearPlan; 2] = [LinearPlan::Chunked, LinearPlan::Recompute];

/// A call that owns its numbers.
struct Case<T> {
    hidden: Array2<T>,
    weight: Array2<T>,
    bias: Array1<T>,
    targets: Array1<i64>,
}

impl<T: Real> Case<T> {
    /// Numbers with a few digits each; every seventh token is ignored.
    fn new(tokens: usize, width: usize, classes: usize) -> Self {
        let number =
            |i: usize, k: usize| T::from_f64(((i * 7919 + k * 104_729 + i * k * 31) % 257) as f64 / 128.0 - 1.0);
        Self {
            hidden: Array2::from_shape_fn((tokens, width), |(i, k)| number(i + 1, k)),
            weight: Array2::from_shape_fn((classes, width), |(i, k)| number(i, k + 3)),
            bias: Array1::from_shape_fn(classes, |k| number(k, 11)),
            targets: Array1::from_shape_fn(tokens, |i| if i % 7 == 3 { -100 } else { (i * 389 % classes) as i64 }),
        }
    }

    fn head(&self) -> LinearHead<'_, T> {
        LinearHead::new(self.weight.view()).bias(self.bias.view())
    }

    fn logits(&self) -> Array2<T> {
        self.hidden.dot(&self.weight.t()) + &self.bias
    }

    fn grad(&self, loss: &CrossEntropy, plan: LinearPlan) -> crate::Result<(T, LinearGradient<T, Array2<T>>)> {
        let loss = LinearCrossEntropy { loss: loss.clone(), plan };
        loss.grad(&self.hidden, self.head(), &self.targets, Reduction::Sum)
    }
}

fn everything(classes: usize) -> CrossEntropy {
    let class_weights = (0..classes).map(|class| [0.5, 1.5, 0.0, 2.0, 1.0][class % 5]).collect();
    CrossEntropy { label_smoothing: 0.1, z_loss: 0.01, class_weights: Some(class_weights), ..CrossEntropy::default() }
}

/// Sizes around panels, chunks, blocks and stripes: of one, two or more, the last one shorter.
#[test]
fn both_plans_equal_materialized_logits() {
    for (tokens, width, classes) in
        [(1, 1, 1), (9, 5, 700), (70, 3, 512), (300, 4, 513), (530, 9, 1300), (3, 2, 17_000)]
    {
        let case = Case::<f64>::new(tokens, width, classes);
        let transformed = CrossEntropy { temperature: 0.7, soft_cap: Some(2.5), ..everything(classes) };
        for loss in [CrossEntropy::default(), everything(classes), transformed] {
            let (value, g) = loss.grad(&case.logits(), &case.targets, Reduction::Sum).unwrap();
            let expected = [g.dot(&case.weight), g.t().dot(&case.hidden)];
            for plan in PLANS {
                let (got, gradient) = case.grad(&loss, plan).unwrap();
                assert_close(&[got], &[value], 1e-12);
                assert_close(&gradient.hidden, &expected[0], 1e-12);
                assert_close(&gradient.weight, &expected[1], 1e-12);
                assert_close(gradient.bias.as_ref().unwrap(), &g.sum_axis(Axis(0)), 1e-12);
            }
            let linear = LinearCrossEntropy { loss: loss.clone(), ..LinearCrossEntropy::default() };
            let each = linear.each(&case.hidden, case.head(), &case.targets).unwrap();
            assert_close(&each, &loss.each(&case.logits(), &case.targets).unwrap(), 1e-13);
            let parts = linear.sum_count(&case.hidden, case.head(), &case.targets).unwrap();
            let same = loss.sum_count(&case.logits(), &case.targets).unwrap();
            assert_close(&[parts.sum, parts.count], &[same.sum, same.count], 1e-13);
        }
    }
}

#[test]
fn a_certain_target_keeps_its_digits_in_value_and_gradient() {
    // Logits 0, 30, 30, so that the loss is ln(1 + e^-30 …) of one class among many.
    let mut weight = Array2::<f32>::zeros((1000, 1));
    weight[[700, 0]] = 30.0;
    let head = LinearHead::new(weight.view());
    let expected = 999.0 * (-30.0_f64).exp();
    for plan in PLANS {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        let (value, gradient) = loss.grad(&array![[1.0]], head, &array![700], Reduction::Sum).unwrap();
        assert!((f64::from(value) / expected - 1.0).abs() < 1e-6, "{value}");
        assert!((f64::from(gradient.hidden[[0, 0]]) / (-30.0 * expected) - 1.0).abs() < 1e-6);
        assert!((f64::from(gradient.weight[[700, 0]]) / -expected - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_class_that_the_bias_rules_out_is_an_exact_limit() {
    let mut case = Case::<f64>::new(4, 3, 600);
    case.targets.fill(5);
    case.bias[550] = -INF;
    let expected = CrossEntropy::default().value(&case.logits(), &case.targets, Reduction::Sum).unwrap();
    for plan in PLANS {
        let (value, gradient) = case.grad(&CrossEntropy::default(), plan).unwrap();
        assert_close(&[value], &[expected], 1e-14);
        assert_eq!(gradient.weight.row(550), Array1::<f64>::zeros(3));
    }
    case.targets[2] = 550;
    let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    for (plan, loss) in PLANS.into_iter().zip([CrossEntropy::default(), smooth]) {
        let (value, gradient) = case.grad(&loss, plan).unwrap();
        assert_eq!(value, INF);
        assert!(gradient.hidden.iter().chain(&gradient.weight).all(|x| x.is_finite()));
    }
}

#[test]
fn a_class_that_is_ruled_out_stays_so_behind_a_cap() {
    let mut case = Case::<f64>::new(4, 3, 600);
    case.targets.fill(5);
    case.bias[550] = -INF;
    let loss = CrossEntropy { temperature: 2.0, soft_cap: Some(1.5), ..CrossEntropy::default() };
    let expected = loss.value(&case.logits(), &case.targets, Reduction::Sum).unwrap();
    for plan in PLANS {
        let (value, gradient) = case.grad(&loss, plan).unwrap();
        assert_close(&[value], &[expected], 1e-14);
        assert_eq!(gradient.weight.row(550), Array1::<f64>::zeros(3));
    }
    case.targets[2] = 550;
    for plan in PLANS {
        let (value, gradient) = case.grad(&loss, plan).unwrap();
        assert_eq!(value, INF);
        assert!(gradient.hidden.iter().chain(&gradient.weight).all(|x| x.is_finite()));
    }
}

#[test]
fn a_transform_out_of_range_or_out_of_the_type_is_an_error() {
    let case = Case::<f32>::new(4, 3, 600);
    let message = |loss: &CrossEntropy, plan| case.grad(loss, plan).unwrap_err().to_string();
    for plan in PLANS {
        let cold = CrossEntropy { temperature: 1e-39, ..CrossEntropy::default() };
        assert_eq!(message(&cold, plan), "the result at `hidden`[0] overflows f32");
        let cold = CrossEntropy { soft_cap: Some(30.0), ..cold };
        assert_eq!(message(&cold, plan), "the result at `hidden`[0] overflows f32");
        let bad = CrossEntropy { soft_cap: Some(0.0), ..CrossEntropy::default() };
        assert_eq!(message(&bad, plan), "`soft_cap` is 0, allowed is finite and > 0");
    }
    let bad = crate::logits::LogitTransform { temperature: f64::NAN, soft_cap: None };
    let targets = Array1::<i64>::zeros(4);
    let error = bad.linear_token_log_probs(&case.hidden, case.head(), &targets).unwrap_err();
    assert_eq!(error.to_string(), "`temperature` is NaN, allowed is finite and > 0");
}

#[test]
fn tokens_that_take_no_part_are_never_looked_at() {
    let mut case = Case::<f64>::new(40, 3, 600);
    let before = PLANS.map(|plan| case.grad(&everything(600), plan).unwrap());
    let zero_weight = |target: i64| target >= 0 && target % 5 == 2;
    for (i, mut row) in case.hidden.rows_mut().into_iter().enumerate() {
        if case.targets[i] == -100 {
            row.fill(f64::NAN);
        }
    }
    for (plan, before) in PLANS.into_iter().zip(before) {
        assert_eq!(case.grad(&everything(600), plan).unwrap(), before);
        // Without smoothing a class weight of zero leaves nothing of a token either.
        let loss = CrossEntropy { label_smoothing: 0.0, ..everything(600) };
        let before = case.grad(&loss, plan).unwrap();
        let mut spoilt = Case { hidden: case.hidden.clone(), weight: case.weight.clone(), ..Case::new(40, 3, 600) };
        for (i, mut row) in
            spoilt.hidden.rows_mut().into_iter().enumerate().filter(|(i, _)| zero_weight(case.targets[*i]))
        {
            row.fill(INF);
            assert!(before.1.hidden.row(i).iter().all(|&x| x == 0.0));
        }
        assert_eq!(spoilt.grad(&loss, plan).unwrap(), before);
    }
}

#[test]
fn no_token_leaves_a_zero_gradient_and_no_weight_is_read() {
    let mut case = Case::<f64>::new(3, 2, 5);
    case.weight.fill(f64::NAN);
    case.targets.fill(-100);
    for plan in PLANS {
        let (value, gradient) = case.grad(&CrossEntropy::default(), plan).unwrap();
        assert_eq!((value, gradient.hidden), (0.0, Array2::zeros((3, 2))));
        assert_eq!((gradient.weight, gradient.bias), (Array2::zeros((5, 2)), Some(Array1::zeros(5))));
    }
    let loss = LinearCrossEntropy::default();
    let (hidden, targets) = (Array3::<f64>::zeros((2, 0, 2)), Array2::<i64>::zeros((2, 0)));
    assert_eq!(loss.each(&hidden, case.head(), &targets).unwrap().dim(), (2, 0));
    assert_eq!(loss.sum_count(&hidden, case.head(), &targets).unwrap(), crate::SumCount::default());
    let mean = loss.value(&hidden, case.head(), &targets, Reduction::Mean);
    assert_eq!(mean, Err(Error::NothingToAverage { argument: "targets" }));
}

/// What both plans, the value and the log-probabilities say of a spoilt call.
#[track_caller]
fn says(message: &str, spoil: impl Fn(&mut Case<f64>)) {
    let mut case = Case::new(20, 3, 600);
    spoil(&mut case);
    for plan in PLANS {
        assert_eq!(case.grad(&CrossEntropy::default(), plan).unwrap_err().to_string(), message, "{plan:?}");
    }
    let value = LinearCrossEntropy::default().value(&case.hidden, case.head(), &case.targets, Reduction::Mean);
    assert_eq!(value.unwrap_err().to_string(), message);
    let kept = case.targets.mapv(|target| target >= 0);
    let masked = linear_token_log_probs_masked(&case.hidden, case.head(), &case.targets, &kept);
    assert_eq!(masked.unwrap_err().to_string(), message);
    let cotangent = kept.mapv(|kept| if kept { 0.5 } else { 0.0 });
    for plan in PLANS {
        let backward = linear_token_log_probs_backward(&case.hidden, case.head(), &case.targets, &cotangent, plan);
        assert_eq!(backward.unwrap_err().to_string(), message, "{plan:?}");
    }
}

#[test]
fn what_is_no_number_is_named_with_its_place() {
    says("`hidden`[5, 1] is NaN, allowed is finite", |case| case.hidden[[5, 1]] = f64::NAN);
    says("`hidden`[19, 2] is -inf, allowed is finite", |case| case.hidden[[19, 2]] = -INF);
    for bad in [f64::NAN, INF, -INF] {
        let message = format!("`weight`[599, 1] is {bad}, allowed is finite");
        says(&message, |case| case.weight[[599, 1]] = bad);
        says(&message, |case| {
            case.weight[[599, 1]] = bad;
            case.bias[599] = -INF;
        });
    }
    says("`bias`[599] is inf, allowed is finite or -inf", |case| case.bias[599] = INF);
    says("`bias`[0] is NaN, allowed is finite or -inf", |case| case.bias[0] = f64::NAN);
    says("`logits`[0] is -inf, allowed is a row with at least one finite logit", |case| case.bias.fill(-INF));
    says("`targets`[4] is 600, allowed are the classes 0 to 599", |case| case.targets[4] = 600);
}

#[test]
fn numbers_that_lead_out_of_the_type_are_overflows() {
    says("the result at `hidden`[4] overflows f64", |case| {
        case.hidden[[4, 0]] = 1e200;
        case.weight.column_mut(0).fill(-1e200);
    });
    // Finite logits, and a gradient of the weight that adds up beyond the type.
    let (hidden, weight) = (Array2::from_elem((4, 1), f64::MAX), Array2::zeros((2, 1)));
    for (plan, target) in PLANS.into_iter().zip([0, 1]) {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        let (head, targets) = (LinearHead::new(weight.view()), Array1::from_elem(4, target));
        let error = loss.grad(&hidden, head, &targets, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "the result at `weight`[0] overflows f64");
    }
    // The same of the hidden state.
    let weight = array![[1e308_f64], [-1e308], [-1e308]];
    for plan in PLANS {
        let (head, hidden) = (LinearHead::new(weight.view()), array![[0.0]]);
        let cotangent = array![8.0];
        let result = linear_token_log_probs_backward(&hidden, head, &array![0], &cotangent, plan);
        assert_eq!(result.unwrap_err().to_string(), "the result at `hidden`[0] overflows f64");
    }
}

type Out<'a> = LinearGradientMut<'a, f64, ArrayViewMut<'a, f64, Ix2>>;

fn refusal(case: &Case<f64>, head: LinearHead<'_, f64>, out: Out<'_>) -> String {
    let loss = LinearCrossEntropy::default();
    loss.grad_into(&case.hidden, head, &case.targets, Reduction::Sum, out).unwrap_err().to_string()
}

#[test]
fn shapes_and_buffers_that_do_not_fit_are_named() {
    let case = Case::<f64>::new(4, 3, 5);
    let loss = LinearCrossEntropy::default();
    let bare = LinearHead::new(case.weight.view());
    let [mut hidden, mut weight] = [Array2::from_elem((4, 3), 7.0), Array2::from_elem((5, 3), 7.0)];
    let mut bias = Array1::from_elem(5, 7.0);
    let out = LinearGradientMut { hidden: hidden.view_mut(), weight: weight.view_mut(), bias: None };
    assert_eq!(refusal(&case, case.head(), out), "LinearCrossEntropy needs `out.bias`");
    let out = LinearGradientMut { hidden: hidden.view_mut(), weight: weight.view_mut(), bias: Some(bias.view_mut()) };
    assert_eq!(refusal(&case, bare, out), "LinearCrossEntropy needs `bias`");
    let out = LinearGradientMut { hidden: hidden.slice_mut(s![..3, ..]), weight: weight.view_mut(), bias: None };
    assert_eq!(refusal(&case, bare, out), "`out.hidden` has shape [3, 3], expected [4, 3]");
    let out = LinearGradientMut { hidden: hidden.view_mut(), weight: weight.slice_mut(s![..4, ..]), bias: None };
    assert_eq!(refusal(&case, bare, out), "`out.weight` has shape [4, 3], expected [5, 3]");
    let narrow = LinearHead::new(case.weight.slice(s![.., ..2]));
    let out = LinearGradientMut { hidden: hidden.view_mut(), weight: weight.slice_mut(s![.., ..2]), bias: None };
    assert_eq!(refusal(&case, narrow, out), "`weight` has shape [5, 2], expected [5, 3]");
    assert!(hidden.iter().chain(&weight).all(|&x| x == 7.0));
    let empty = Array2::<f64>::zeros((0, 3));
    let error = loss.value(&case.hidden, LinearHead::new(empty.view()), &case.targets, Reduction::Sum).unwrap_err();
    assert_eq!(error, Error::Empty { argument: "weight" });
    let short = array![0.0, 0.0];
    let head = LinearHead::new(case.weight.view()).bias(short.view());
    let error = linear_token_log_probs(&case.hidden, head, &array![0, 0, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "`bias` has shape [2], expected [5]");
}

#[cfg(feature = "half")]
#[test]
fn half_precision_gives_the_bits_of_the_numbers_that_it_holds() {
    let case = Case::<f32>::new(300, 5, 700);
    let (hidden, weight) = (case.hidden.mapv(half::bf16::from_f32), case.weight.mapv(half::bf16::from_f32));
    let bias = case.bias.mapv(half::bf16::from_f32);
    let head = LinearHead::new(weight.view()).bias(bias.view());
    let wide = Case {
        hidden: hidden.mapv(f32::from),
        weight: weight.mapv(f32::from),
        bias: bias.mapv(f32::from),
        targets: case.targets,
    };
    for plan in PLANS {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        let got = loss.grad(&hidden, head, &wide.targets, Reduction::Sum).unwrap();
        assert_eq!(got, wide.grad(&CrossEntropy::default(), plan).unwrap());
    }
}
