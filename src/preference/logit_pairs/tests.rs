use ndarray::{Array2, Array3, Ix2, Ix3, ShapeBuilder, array, aview1, s};

use super::*;
use crate::Error;
use crate::logits::LogitTransform;
use crate::preference::{Dpo, Ipo, Length, Nll, Orpo, PairConfig, Term, WeightedSum};
use crate::sequence::{Alignment, TokenMask};

/// The pairs of `scripts/logit_pairs.py`: two, of four and five tokens over five classes.
struct Case {
    logits: Pairs<Array3<f64>>,
    targets: Pairs<Array2<usize>>,
    mask: Pairs<Array2<bool>>,
    alignment: Alignment,
}

impl Case {
    fn new(alignment: Alignment) -> Self {
        let logit = |side: usize| move |(i, t, v)| 2.0 * ((1 + 3 * i + 5 * t + 7 * v + 11 * side) as f64).sin();
        let token = |side: usize| move |(i, t)| (3 * i + 2 * t + side) % 5;
        let (f, t) = (false, true);
        Self {
            logits: Pairs {
                chosen: Array3::from_shape_fn((2, 4, 5), logit(0)),
                rejected: Array3::from_shape_fn((2, 5, 5), logit(1)),
            },
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

    fn pairs(&self) -> LogitPairs<'_, f64, usize, Ix3> {
        let side = |((logits, targets), mask): ((_, _), _)| responses(logits, targets, mask, self.alignment);
        let arrays = self.logits.view().zip(self.targets.view()).zip(self.mask.view());
        let reference = Pairs { chosen: aview1(&[-4.0, -2.0]), rejected: aview1(&[-6.5, -4.25]) };
        LogitPairs::new(arrays.map(side)).reference(reference)
    }
}

fn responses<'a>(
    logits: ndarray::ArrayView3<'a, f64>,
    targets: ndarray::ArrayView2<'a, usize>,
    mask: ndarray::ArrayView2<'a, bool>,
    alignment: Alignment,
) -> Responses<'a, f64, usize, Ix3> {
    Responses { logits, targets, mask: TokenMask::padded(mask), alignment }
}

const DPO: Dpo = Dpo { beta: 0.5, label_smoothing: 0.0 };
const IPO: Ipo = Ipo { beta: 0.5, length: Length::Mean };

/// The whole ORPO objective: NLL per token of the chosen response, and the odds-ratio term.
fn orpo() -> WeightedSum<PairConfig> {
    let nll = PairConfig::Nll(Nll { length: Length::Mean });
    let odds = PairConfig::Orpo(Orpo { lambda: 0.1, length: Length::Mean });
    WeightedSum { terms: vec![Term { weight: 1.0, objective: nll }, Term { weight: 1.0, objective: odds }] }
}

#[test]
fn losses_and_gradients_equal_those_of_autograd() {
    let orpo = orpo();
    let objectives: [&dyn PairObjective<f64>; 3] = [&DPO, &IPO, &orpo];
    let expected = [
        (
            Alignment::Next,
            [
                (0.538_026_939_122_648, 0.020_696_922_527_928_32, 0.130_440_912_319_230_9),
                (1.620_652_889_057_551, 0.080_448_543_366_366_66, 0.787_438_966_448_313_1),
                (2.759_473_866_942_292, 0.057_321_842_852_041_81, 0.016_732_689_610_595_82),
            ],
        ),
        (
            Alignment::Same,
            [
                (0.884_023_495_117_427_4, -0.045_695_274_662_981_5, -0.008_288_828_661_195_817),
                (2.687_783_082_620_57, -0.114_962_071_492_899_6, -0.048_974_256_314_166_45),
                (1.855_040_636_463_21, -0.115_680_125_092_918_8, -0.001_372_055_604_585_604),
            ],
        ),
    ];
    for (alignment, numbers) in expected {
        let case = Case::new(alignment);
        for (k, (loss, chosen, rejected)) in numbers.into_iter().enumerate() {
            let (value, gradient) = case.pairs().grad(objectives[k], Reduction::Mean).unwrap();
            for (got, want) in
                [(value, loss), (gradient.chosen[[0, 1, 2]], chosen), (gradient.rejected[[1, 1, 3]], rejected)]
            {
                assert!((got - want).abs() < 1e-13 * want.abs().max(0.1), "{alignment:?}, {k}: {got}, not {want}");
            }
            assert_eq!(case.pairs().value(objectives[k], Reduction::Mean).unwrap(), value);
        }
    }
}

#[test]
fn gradients_meet_central_differences_end_to_end() {
    let orpo = orpo();
    let objectives: [&dyn PairObjective<f64>; 2] = [&DPO, &orpo];
    let capped = LogitTransform { temperature: 0.7, soft_cap: Some(2.5) };
    let both = [(Alignment::Next, LogitTransform::default()), (Alignment::Same, capped)];
    for (objective, (alignment, transform)) in objectives.into_iter().zip(both) {
        let mut case = Case::new(alignment);
        let (_, gradient) = case.pairs().transform(transform).grad(objective, Reduction::Sum).unwrap();
        type Side = fn(&mut Case) -> &mut Array3<f64>;
        let sides: [(_, Side); 2] =
            [(gradient.chosen, |case| &mut case.logits.chosen), (gradient.rejected, |case| &mut case.logits.rejected)];
        for (gradient, side) in sides {
            for ((i, t, v), &slope) in gradient.indexed_iter() {
                let mut moved = |step: f64| {
                    let before = side(&mut case)[[i, t, v]];
                    side(&mut case)[[i, t, v]] = before + step;
                    let loss = case.pairs().transform(transform).value(objective, Reduction::Sum).unwrap();
                    side(&mut case)[[i, t, v]] = before;
                    loss
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((difference - slope).abs() < 1e-9, "[{i}, {t}, {v}]");
            }
        }
    }
}

#[test]
fn a_policy_that_is_its_reference_loses_ln_2() {
    for alignment in [Alignment::Next, Alignment::Same] {
        let case = Case::new(alignment);
        let reference = case.pairs().sequences().unwrap();
        let sums = Pairs { chosen: reference.chosen.sums.view(), rejected: reference.rejected.sums.view() };
        let loss = case.pairs().reference(sums).value(&DPO, Reduction::Mean).unwrap();
        assert_eq!(loss, std::f64::consts::LN_2);
    }
}

#[test]
fn masked_logits_are_never_read_and_get_a_zero_gradient() {
    let mut case = Case::new(Alignment::Next);
    let (loss, gradient) = case.pairs().grad(&DPO, Reduction::Mean).unwrap();
    case.logits.chosen.slice_mut(s![.., 3, ..]).fill(f64::NAN); // predicts beyond the end
    case.logits.rejected.slice_mut(s![1, 2.., ..]).fill(f64::NAN); // predicts what is masked
    case.targets.chosen[[1, 0]] = 99; // predicted by nothing
    let (again, same) = case.pairs().grad(&DPO, Reduction::Mean).unwrap();
    assert_eq!((again, &same), (loss, &gradient));
    assert!(same.rejected.slice(s![1, 2.., ..]).iter().all(|&x| x == 0.0));
}

#[test]
fn a_pair_of_weight_0_is_not_looked_at() {
    let mut case = Case::new(Alignment::Next);
    case.logits.chosen.slice_mut(s![1, .., ..]).fill(f64::NAN);
    let weights = array![0.25, 0.0];
    let (loss, gradient) = case.pairs().grad(&IPO, Reduction::Weighted(&weights)).unwrap();
    assert!(loss > 0.0 && gradient.chosen.iter().all(|x| x.is_finite()));
    assert!(gradient.rejected.slice(s![1, .., ..]).iter().all(|&x| x == 0.0));
    assert_eq!(case.pairs().value(&IPO, Reduction::Weighted(&weights)).unwrap(), loss);
    let message = case.pairs().value(&IPO, Reduction::Sum).unwrap_err().to_string();
    assert!(message.starts_with("`chosen.logits`[1, 1, 0] is NaN, allowed is "), "{message}");
}

#[test]
fn packed_pairs_equal_padded_ones() {
    let case = Case::new(Alignment::Next);
    let padded = case.pairs().responses.chosen;
    let logits = case.logits.chosen.to_shape((8, 5)).unwrap();
    let (targets, mask) = (case.targets.chosen.flatten(), case.mask.chosen.flatten());
    let mask = TokenMask::packed(mask.view(), &[0, 4, 8]).unwrap();
    let packed: Responses<_, _, Ix2> =
        Responses { logits: logits.view(), targets: targets.view(), mask, alignment: Alignment::Next };
    let reference = Pairs { chosen: aview1(&[-7.0, -9.0]), rejected: aview1(&[-8.0, -2.0]) };
    let padded = LogitPairs::new(Pairs { chosen: padded, rejected: padded }).reference(reference);
    let packed = LogitPairs::new(Pairs { chosen: packed, rejected: packed }).reference(reference);
    let (loss, gradient) = padded.grad(&DPO, Reduction::Mean).unwrap();
    let (again, same) = packed.grad(&DPO, Reduction::Mean).unwrap();
    assert_eq!(again, loss);
    assert_eq!(same.chosen, gradient.chosen.to_shape((8, 5)).unwrap());
    assert_eq!(same.rejected, gradient.rejected.to_shape((8, 5)).unwrap());
}

#[test]
fn every_layout_gives_the_same_bits() {
    let case = Case::new(Alignment::Next);
    let (loss, gradient) = case.pairs().grad(&DPO, Reduction::Mean).unwrap();
    let fortran = |x: &Array3<f64>| {
        let mut other = Array3::zeros(x.raw_dim().f());
        other.assign(x);
        other
    };
    let strided = Case {
        logits: Pairs { chosen: fortran(&case.logits.chosen), rejected: fortran(&case.logits.rejected) },
        ..Case::new(Alignment::Next)
    };
    let mut out = Pairs { chosen: Array3::from_elem((2, 4, 5).f(), f64::NAN), rejected: Array3::zeros((2, 5, 10)) };
    out.rejected.fill(f64::NAN);
    let views = Pairs { chosen: out.chosen.view_mut(), rejected: out.rejected.slice_mut(s![.., .., ..;-2]) };
    assert_eq!(strided.pairs().grad_into(&DPO, Reduction::Mean, views).unwrap(), loss);
    assert_eq!(out.chosen, gradient.chosen);
    assert_eq!(out.rejected.slice(s![.., .., ..;-2]), gradient.rejected);
}

#[test]
fn the_batch_serves_what_else_is_asked_of_one_forward_pass() {
    let case = Case::new(Alignment::Same);
    let offset = array![1.5, -0.5];
    let pairs = case.pairs().offset(offset.view());
    let sequences = pairs.sequences().unwrap();
    assert_eq!(sequences.chosen.lengths, array![3.0, 1.0]);
    let loss = pairs.value(&DPO, Reduction::Mean).unwrap();
    assert_eq!(DPO.each(pairs.batch(&sequences)).unwrap().mean().unwrap(), loss);
    assert!((loss - case.pairs().value(&DPO, Reduction::Mean).unwrap()).abs() > 0.01);
}

#[test]
fn a_token_ruled_out_is_an_exact_limit() {
    let mut case = Case::new(Alignment::Same);
    let token = case.targets.chosen[[0, 1]];
    case.logits.chosen[[0, 1, token]] = f64::NEG_INFINITY;
    let (loss, gradient) = case.pairs().grad(&DPO, Reduction::Sum).unwrap();
    assert_eq!(loss, f64::INFINITY);
    assert!((gradient.chosen[[0, 1, token]] + 0.5).abs() < 1e-15); // -β (1 - p)
    assert!(gradient.chosen.iter().chain(&gradient.rejected).all(|x| x.is_finite()));
}

#[test]
fn nothing_to_score_is_agreement_or_an_error_that_names_the_pair() {
    let mut case = Case::new(Alignment::Next);
    case.mask.chosen.row_mut(1).fill(false);
    assert!(case.pairs().value(&DPO, Reduction::Mean).unwrap().is_finite());
    let message = case.pairs().value(&IPO, Reduction::Mean).unwrap_err().to_string();
    assert_eq!(message, "`lengths.chosen`[1] is 0, allowed is finite and > 0");
    let zero = aview1(&[0.0, 0.0]);
    for width in [0, 1] {
        let logits = Array3::from_elem((2, width, 5), f64::NAN);
        let (targets, mask) = (Array2::zeros((2, width)), Array2::from_elem((2, width), true));
        let side = responses(logits.view(), targets.view(), mask.view(), Alignment::Next);
        let pairs = LogitPairs::new(Pairs { chosen: side, rejected: side });
        let pairs = pairs.reference(Pairs { chosen: zero, rejected: zero });
        let (loss, gradient) = pairs.grad(&DPO, Reduction::Mean).unwrap();
        assert_eq!((loss, gradient.chosen), (std::f64::consts::LN_2, Array3::zeros((2, width, 5))), "T = {width}");
    }
}

#[test]
fn no_pairs_sum_to_zero_and_have_no_mean() {
    let (logits, targets, mask) = (Array3::zeros((0, 3, 5)), Array2::zeros((0, 3)), Array2::from_elem((0, 3), true));
    let side = responses(logits.view(), targets.view(), mask.view(), Alignment::Next);
    let pairs = LogitPairs::new(Pairs { chosen: side, rejected: side });
    let none = aview1(&[]);
    let pairs = pairs.reference(Pairs { chosen: none, rejected: none });
    assert_eq!(pairs.grad(&DPO, Reduction::Sum).unwrap().0, 0.0);
    assert_eq!(pairs.grad(&DPO, Reduction::Mean).unwrap_err(), Error::NothingToAverage { argument: "batch" });
}

#[test]
fn errors_name_the_side() {
    let case = Case::new(Alignment::Next);
    let message = |case: &Case, objective: &dyn PairObjective<f64>| {
        case.pairs().grad(objective, Reduction::Mean).unwrap_err().to_string()
    };
    let mut bad = Case::new(Alignment::Next);
    bad.targets.rejected[[1, 2]] = 7;
    assert_eq!(message(&bad, &DPO), "`rejected.targets`[1, 2] is 7, allowed are the classes 0 to 4");
    bad.targets.chosen = Array2::zeros((2, 3));
    assert_eq!(message(&bad, &DPO), "`chosen.targets` has shape [2, 3], expected [2, 4]");
    bad.logits.chosen = Array3::from_elem((3, 4, 5), f64::NAN);
    bad.targets.chosen = Array2::zeros((3, 4));
    bad.mask.chosen = Array2::from_elem((3, 4), true);
    assert_eq!(message(&bad, &DPO), "`rejected` has shape [2], expected [3]");
    assert_eq!(message(&case, &Dpo { beta: 0.0, ..DPO }), "`beta` is 0, allowed is finite and > 0");
    let Pairs { chosen, rejected } = case.pairs().responses;
    let message = LogitPairs::new(Pairs { chosen, rejected }).value(&DPO, Reduction::Mean).unwrap_err().to_string();
    assert_eq!(message, "Dpo needs `reference`");
}

#[test]
fn what_is_missing_is_found_before_anything_is_read_or_written() {
    let mut case = Case::new(Alignment::Next);
    case.logits.chosen.fill(f64::NAN);
    let mut out = Pairs { chosen: Array3::from_elem((2, 4, 5), 7.0), rejected: Array3::from_elem((2, 5, 4), 7.0) };
    let error = case.pairs().grad_into(&DPO, Reduction::Mean, out.view_mut()).unwrap_err();
    assert_eq!(error.to_string(), "`out.rejected` has shape [2, 5, 4], expected [2, 5, 5]");
    let error = case.pairs().value(&Dpo { beta: -1.0, ..DPO }, Reduction::Mean).unwrap_err();
    assert_eq!(error.to_string(), "`beta` is -1, allowed is finite and > 0");
    let frozen = LogitTransform { temperature: 0.0, soft_cap: None };
    let error = case.pairs().transform(frozen).value(&DPO, Reduction::Mean).unwrap_err();
    assert_eq!(error.to_string(), "`temperature` is 0, allowed is finite and > 0");
    let error = case.pairs().value(&DPO, Reduction::Weighted(&array![1.0])).unwrap_err();
    assert_eq!(error.to_string(), "`weights` has shape [1], expected [2]");
    assert!(out.chosen.iter().all(|&x| x == 7.0));
}
