//! Against materialized logits, differences, and the chain by hand.

use ndarray::{Array1, Array2, Array3, Axis, Ix3, array, aview1};

use super::*;
use crate::logits::LogitTransform;
use crate::logits::linear_token_log_probs_backward;
use crate::logits::{LinearPlan, linear_token_log_probs_masked};
use crate::preference::{Dpo, Ipo, Length, LogitPairs, Nll, Orpo, PairConfig, Term, WeightedSum};
use crate::sequence::{Alignment, Responses, TokenMask, sum_tokens, sum_tokens_backward};

const DPO: Dpo = Dpo { beta: 0.5, label_smoothing: 0.1 };
const CLASSES: usize = 7;
const WIDTH: usize = 3;

/// The whole ORPO objective: NLL per token of the chosen response, and the odds-ratio term.
fn orpo() -> WeightedSum<PairConfig> {
    let nll = PairConfig::Nll(Nll { length: Length::Mean });
    let odds = PairConfig::Orpo(Orpo { lambda: 0.1, length: Length::Mean });
    WeightedSum { terms: vec![Term { weight: 1.0, objective: nll }, Term { weight: 1.0, objective: odds }] }
}

/// Two pairs of four and five tokens.
#[derive(Clone)]
struct Case {
    hidden: Pairs<Array3<f64>>,
    weight: Array2<f64>,
    bias: Array1<f64>,
    targets: Pairs<Array2<usize>>,
    mask: Pairs<Array2<bool>>,
    alignment: Alignment,
}

impl Case {
    fn new(alignment: Alignment) -> Self {
        let state = |side: usize| move |(i, t, h)| ((1 + 3 * i + 5 * t + 7 * h + 11 * side) as f64).sin();
        let token = |side: usize| move |(i, t)| (3 * i + 2 * t + side) % CLASSES;
        let (f, t) = (false, true);
        Self {
            hidden: Pairs {
                chosen: Array3::from_shape_fn((2, 4, WIDTH), state(0)),
                rejected: Array3::from_shape_fn((2, 5, WIDTH), state(1)),
            },
            weight: Array2::from_shape_fn((CLASSES, WIDTH), |(v, h)| 1.5 * ((2 + 5 * v + 3 * h) as f64).cos()),
            bias: Array1::from_shape_fn(CLASSES, |v| 0.3 * (v as f64).sin()),
            targets: Pairs {
                chosen: Array2::from_shape_fn((2, 4), token(0)),
                rejected: Array2::from_shape_fn((2, 5), token(1)),
            },
            mask: Pairs {
                chosen: array![[f, t, t, t], [f, f, t, f]],
                rejected: array![[f, t, t, t, t], [f, t, t, f, f]],
            },
            alignment,
        }
    }

    fn head(&self) -> LinearHead<'_, f64> {
        LinearHead::new(self.weight.view()).bias(self.bias.view())
    }

    fn pairs(&self) -> LinearPairs<'_, f64, usize, Ix3> {
        let arrays = self.hidden.view().zip(self.targets.view()).zip(self.mask.view());
        let side = |((hidden, targets), mask)| HiddenResponses {
            hidden,
            targets,
            mask: TokenMask::padded(mask),
            alignment: self.alignment,
        };
        LinearPairs::new(arrays.map(side), self.head()).reference(REFERENCE.map(|side| aview1(side)))
    }
}

const REFERENCE: Pairs<&[f64]> = Pairs { chosen: &[-4.0, -2.0], rejected: &[-6.5, -4.25] };

fn logits(hidden: &Array3<f64>, case: &Case) -> Array3<f64> {
    let (b, t, h) = hidden.dim();
    let flat = hidden.to_shape((b * t, h)).unwrap().dot(&case.weight.t()) + &case.bias;
    flat.into_shape_with_order((b, t, CLASSES)).unwrap()
}

fn flat(x: &Array3<f64>) -> Array2<f64> {
    let (b, t, n) = x.dim();
    x.to_shape((b * t, n)).unwrap().into_owned()
}

#[track_caller]
fn assert_near<'a>(got: impl IntoIterator<Item = &'a f64>, expected: impl IntoIterator<Item = &'a f64>) {
    let (got, expected): (Vec<_>, Vec<_>) = (got.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(got.len(), expected.len());
    got.iter().zip(&expected).for_each(|(g, e)| assert!((**g - **e).abs() < 1e-13, "{g} against {e}"));
}

#[test]
fn dpo_and_orpo_equal_those_of_materialized_logits() {
    let orpo = orpo();
    let capped = LogitTransform { temperature: 0.7, soft_cap: Some(2.5) };
    let both = [(Alignment::Next, LogitTransform::default()), (Alignment::Same, capped)];
    let objectives: [&dyn PairObjective<f64>; 3] = [&DPO, &orpo, &Ipo { beta: 0.5, length: Length::Mean }];
    for (objective, (alignment, transform)) in objectives.into_iter().flat_map(|o| both.map(|case| (o, case))) {
        let case = Case::new(alignment);
        let pairs = case.pairs().transform(transform);
        let (loss, gradient) = pairs.grad(objective, Reduction::Mean).unwrap();
        let x = case.hidden.as_ref().map(|hidden| logits(hidden, &case));
        let arrays = x.view().zip(case.targets.view()).zip(case.mask.view());
        let side = |((logits, targets), mask)| Responses { logits, targets, mask: TokenMask::padded(mask), alignment };
        let whole = LogitPairs::new(arrays.map(side)).reference(REFERENCE.map(|side| aview1(side)));
        let whole = whole.transform(transform);
        let (expected, g) = whole.grad(objective, Reduction::Mean).unwrap();
        assert_near(&[loss, pairs.value(objective, Reduction::Mean).unwrap()], &[expected, expected]);
        let (c, r) = (flat(&g.chosen), flat(&g.rejected));
        assert_near(&gradient.hidden.chosen, &c.dot(&case.weight));
        assert_near(&gradient.hidden.rejected, &r.dot(&case.weight));
        let weight = c.t().dot(&flat(&case.hidden.chosen)) + r.t().dot(&flat(&case.hidden.rejected));
        assert_near(&gradient.weight, &weight);
        assert_near(gradient.bias.as_ref().unwrap(), &(c.sum_axis(Axis(0)) + r.sum_axis(Axis(0))));
        let (ours, theirs) = (pairs.sequences().unwrap(), whole.sequences().unwrap());
        assert_near(
            ours.chosen.sums.iter().chain(&ours.rejected.sums),
            theirs.chosen.sums.iter().chain(&theirs.rejected.sums),
        );
        assert_eq!(ours.map(|side| side.lengths), theirs.map(|side| side.lengths));
    }
}

#[test]
fn gradients_meet_central_differences_end_to_end() {
    let orpo = orpo();
    let objectives: [&dyn PairObjective<f64>; 2] = [&DPO, &orpo];
    for (objective, alignment) in objectives.into_iter().zip([Alignment::Next, Alignment::Same]) {
        let case = Case::new(alignment);
        let (_, gradient) = case.pairs().grad(objective, Reduction::Sum).unwrap();
        let difference = |nudge: &dyn Fn(&mut Case, f64)| {
            let at = |step: f64| {
                let mut moved = case.clone();
                nudge(&mut moved, step);
                moved.pairs().value(objective, Reduction::Sum).unwrap()
            };
            (at(1e-5) - at(-1e-5)) / 2e-5
        };
        for (index, slope) in gradient.hidden.chosen.indexed_iter() {
            let d = difference(&|case, step| case.hidden.chosen[index] += step);
            assert!((d - slope).abs() < 1e-9, "chosen {index:?}: {slope}, differences give {d}");
        }
        for (index, slope) in gradient.hidden.rejected.indexed_iter() {
            let d = difference(&|case, step| case.hidden.rejected[index] += step);
            assert!((d - slope).abs() < 1e-9, "rejected {index:?}: {slope}, differences give {d}");
        }
        for (index, slope) in gradient.weight.indexed_iter() {
            let d = difference(&|case, step| case.weight[index] += step);
            assert!((d - slope).abs() < 1e-8, "weight {index:?}: {slope}, differences give {d}");
        }
        for (class, slope) in gradient.bias.unwrap().indexed_iter() {
            let d = difference(&|case, step| case.bias[class] += step);
            assert!((d - slope).abs() < 1e-8, "bias {class}: {slope}, differences give {d}");
        }
    }
}

/// Each link on its own, for one side: what an objective of single responses does.
#[test]
fn hidden_responses_are_the_links_of_the_chain() {
    for alignment in [Alignment::Next, Alignment::Same] {
        let case = Case::new(alignment);
        let side = case.pairs().responses.chosen;
        let aligned = alignment.align(&side.targets, side.mask).unwrap();
        let tokens = linear_token_log_probs_masked(&side.hidden, case.head(), &aligned.targets, &aligned.mask).unwrap();
        assert_eq!(side.sequences(case.head()).unwrap(), sum_tokens(&tokens, aligned.token_mask()).unwrap());
        let cotangent = aview1(&[0.5, -2.0]);
        let per_token = sum_tokens_backward(aligned.token_mask(), &cotangent).unwrap();
        let plan = LinearPlan::Recompute;
        let expected =
            linear_token_log_probs_backward(&side.hidden, case.head(), &aligned.targets, &per_token, plan).unwrap();
        assert_eq!(side.backward(case.head(), &cotangent).unwrap(), expected);
    }
}

#[test]
fn what_is_masked_is_never_read_and_gets_a_zero_gradient() {
    let mut case = Case::new(Alignment::Next);
    let before = case.pairs().grad(&DPO, Reduction::Mean).unwrap();
    case.hidden.chosen.slice_mut(ndarray::s![.., 3, ..]).fill(f64::NAN); // predicts beyond the end
    case.hidden.rejected.slice_mut(ndarray::s![1, 2.., ..]).fill(f64::NAN); // predicts what is masked
    case.targets.chosen[[1, 0]] = 99; // predicted by nothing
    let after = case.pairs().grad(&DPO, Reduction::Mean).unwrap();
    assert_eq!(after, before);
    assert!(after.1.hidden.rejected.slice(ndarray::s![1, 2.., ..]).iter().all(|&x| x == 0.0));
}

#[test]
fn a_pair_of_weight_0_is_not_looked_at() {
    let mut case = Case::new(Alignment::Next);
    case.hidden.chosen.slice_mut(ndarray::s![1, .., ..]).fill(f64::NAN);
    let weights = array![0.25, 0.0];
    let (loss, gradient) = case.pairs().grad(&DPO, Reduction::Weighted(&weights)).unwrap();
    assert_eq!(case.pairs().value(&DPO, Reduction::Weighted(&weights)).unwrap(), loss);
    assert!(gradient.hidden.rejected.slice(ndarray::s![1, .., ..]).iter().all(|&x| x == 0.0));
    let message = case.pairs().value(&DPO, Reduction::Sum).unwrap_err().to_string();
    assert_eq!(message, "`chosen.hidden`[1, 1, 0] is NaN, allowed is finite");
}

#[test]
fn errors_name_the_side() {
    let message = |spoil: &dyn Fn(&mut Case)| {
        let mut case = Case::new(Alignment::Next);
        spoil(&mut case);
        case.pairs().grad(&DPO, Reduction::Mean).unwrap_err().to_string()
    };
    let narrow = |case: &mut Case| case.hidden.rejected = Array3::zeros((2, 5, 2));
    assert_eq!(message(&narrow), "`rejected.hidden` has shape [2, 5, 2], expected [2, 5, 3]");
    let target = |case: &mut Case| case.targets.rejected[[0, 2]] = 7;
    assert_eq!(message(&target), "`rejected.targets`[0, 2] is 7, allowed are the classes 0 to 6");
    let weight = |case: &mut Case| case.weight[[6, 2]] = f64::INFINITY;
    assert_eq!(message(&weight), "`weight`[6, 2] is inf, allowed is finite");
    let mask = |case: &mut Case| case.mask.chosen = Array2::from_elem((2, 3), true);
    assert_eq!(message(&mask), "`chosen.targets` has shape [2, 4], expected [2, 3]");
    let fewer = |case: &mut Case| {
        case.hidden.rejected = Array3::zeros((1, 5, 3));
        case.targets.rejected = Array2::zeros((1, 5));
        case.mask.rejected = Array2::from_elem((1, 5), true);
    };
    assert_eq!(message(&fewer), "`rejected` has shape [1], expected [2]");
}

#[test]
fn no_pairs_sum_to_zero_and_have_no_mean() {
    let mut case = Case::new(Alignment::Next);
    case.hidden = case.hidden.map(|side| side.slice_move(ndarray::s![..0, .., ..]));
    case.targets = case.targets.map(|side| side.slice_move(ndarray::s![..0, ..]));
    case.mask = case.mask.map(|side| side.slice_move(ndarray::s![..0, ..]));
    let none = aview1(&[]);
    let pairs = case.pairs().reference(Pairs { chosen: none, rejected: none });
    let (loss, gradient) = pairs.grad(&DPO, Reduction::Sum).unwrap();
    assert_eq!((loss, gradient.weight), (0.0, Array2::zeros((CLASSES, WIDTH))));
    assert_eq!(pairs.grad(&DPO, Reduction::Mean).unwrap_err(), crate::Error::NothingToAverage { argument: "batch" });
}
