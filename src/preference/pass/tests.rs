use ndarray::{Array1, Array2, aview1, s};

use crate::preference::testing::{Sample, one};
use crate::preference::{
    Baseline, BetaDpo, Dpo, Ipo, KtoPair, Label, LabelUse, LabeledLoss, Length, Needs, Nll, Orpo, Out, PairBatch,
    PairObjective, Pairs, Row, Term, WeightedSum,
};
use crate::{Error, Real, Reduction, SumCount};

const IPO: Ipo = Ipo { beta: 0.1, length: Length::Mean };

fn sizes() -> [usize; 7] {
    [1, 31, 32, 1023, 1024, 1025, 70_001]
}

/// Every column as every second row of a table, and every column backwards.
fn layouts<T: Real>(sample: &Sample<T>, check: impl Fn(PairBatch<'_, T>)) {
    let spread = |x: &Array1<T>| {
        let mut table = Array2::from_elem((x.len(), 3), T::nan());
        table.column_mut(1).assign(x);
        table
    };
    let backwards = |x: &Array1<T>| x.slice(s![..;-1]).to_owned();
    let [p, r, n, j] = [&sample.policy, &sample.reference, &sample.lengths, &sample.rewards]
        .map(|pairs| (pairs.as_ref().map(spread), pairs.as_ref().map(backwards)));
    let tables = [&p.0, &r.0, &n.0, &j.0];
    let (label, gold) = (spread(&sample.label), spread(&sample.gold));
    let view = |i: usize| Pairs { chosen: tables[i].chosen.column(1), rejected: tables[i].rejected.column(1) };
    check(
        PairBatch::new(view(0))
            .reference(view(1))
            .lengths(view(2))
            .rewards(view(3))
            .offset(label.column(1))
            .gold(gold.column(1)),
    );
    let reversed = [&p.1, &r.1, &n.1, &j.1]
        .map(|side| Pairs { chosen: side.chosen.slice(s![..;-1]), rejected: side.rejected.slice(s![..;-1]) });
    let (label, gold) = (backwards(&sample.label), backwards(&sample.gold));
    let [p, r, n, j] = reversed;
    check(
        PairBatch::new(p).reference(r).lengths(n).rewards(j).offset(label.slice(s![..;-1])).gold(gold.slice(s![..;-1])),
    );
}

/// A loss that looks at every column.
struct Everything;

impl LabeledLoss for Everything {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> crate::Result<Needs> {
        Ok(Needs {
            reference: true,
            lengths: true,
            rewards: true,
            label: LabelUse::Required(Label::Offset),
            gold: true,
        })
    }

    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let gap = margin - pair.lengths.chosen / pair.lengths.rejected - pair.label * pair.rewards.chosen + pair.gold;
        (gap * gap + pair.rewards.rejected, gap + gap)
    }
}

fn layouts_agree<T: Real>(objective: &dyn PairObjective<T>) {
    for n in sizes() {
        let sample = Sample::<T>::of(n);
        let expected = objective.grad(sample.full(), Reduction::Mean).unwrap();
        let each = objective.each(sample.full()).unwrap();
        layouts(&sample, |batch| {
            assert_eq!(objective.grad(batch, Reduction::Mean).unwrap(), expected);
            assert_eq!(objective.value(batch, Reduction::Mean).unwrap(), expected.0);
            assert_eq!(objective.each(batch).unwrap(), each);
            let mut out = Array2::from_elem((n, 4), T::nan());
            let (mut left, mut right) = out.multi_slice_mut((s![.., 1], s![..;-1, 3]));
            let pairs = Pairs { chosen: left.view_mut(), rejected: right.view_mut() };
            assert_eq!(objective.grad_into(batch, Reduction::Mean, pairs).unwrap(), expected.0);
            assert_eq!((left.to_owned(), right.to_owned()), (expected.1.chosen.clone(), expected.1.rejected.clone()));
        });
    }
}

#[test]
fn every_layout_gives_the_same_bits() {
    layouts_agree::<f32>(&IPO);
    layouts_agree::<f64>(&IPO);
    layouts_agree::<f64>(&Everything);
}

#[test]
fn every_column_reaches_the_loss_and_is_checked() {
    crate::preference::testing::agrees_with_differences(&Everything);
    let sample = Sample::<f64>::of(3);
    fn message(batch: PairBatch<'_, f64>) -> String {
        Everything.value(batch, Reduction::Sum).unwrap_err().to_string()
    }
    assert_eq!(message(sample.batch()), "Everything needs `offset`");
    let bare = PairBatch::new(sample.policy.view()).reference(sample.reference.view()).lengths(sample.lengths.view());
    assert_eq!(message(bare), "Everything needs `rewards`");
    let short = Pairs { chosen: sample.rewards.chosen.view(), rejected: sample.rewards.rejected.slice(s![..2]) };
    assert_eq!(message(bare.rewards(short)), "`rewards.rejected` has shape [2], expected [3]");
    for bad in [f64::NAN, f64::NEG_INFINITY] {
        let mut sample = sample.clone();
        sample.rewards.rejected[1] = bad;
        let expected = format!("`rewards.rejected`[1] is {bad}, allowed is finite");
        assert_eq!(message(sample.full()), expected);
        assert!(IPO.value(sample.full(), Reduction::Sum).is_ok()); // never looked at
    }
}

#[cfg(feature = "rayon")]
#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let sample = Sample::<f32>::of(300_000);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Dpo::default().grad(sample.full(), Reduction::Mean).unwrap())
    };
    let expected = run(1);
    assert_eq!(run(2), expected);
    assert_eq!(run(5), expected);
}

#[test]
fn a_mean_is_a_sum_over_n_and_weights_of_one_over_n() {
    for n in sizes() {
        let sample = Sample::<f64>::of(n);
        let weights = Array1::from_elem(n, 1.0 / n as f64);
        let (mean, grad) = Dpo::default().grad(sample.batch(), Reduction::Mean).unwrap();
        let (weighted, other) = Dpo::default().grad(sample.batch(), Reduction::Weighted(&weights)).unwrap();
        let sum = Dpo::default().value(sample.batch(), Reduction::Sum).unwrap();
        assert!((mean - weighted).abs() <= 1e-14 * mean && (mean - sum / n as f64).abs() <= 1e-14 * mean);
        assert_eq!(grad, other);
        let exact: f64 = Dpo::default().each(sample.batch()).unwrap().iter().sum();
        assert!((sum - exact).abs() <= 1e-12 * sum);
        assert_eq!(
            PairObjective::<f64>::sum_count(&Dpo::default(), sample.batch()),
            Ok(SumCount { sum, count: n as f64 })
        );
    }
}

#[test]
fn a_weight_of_zero_selects_the_pair_away() {
    let mut sample = Sample::<f64>::of(1500);
    let mut weights = Array1::ones(1500);
    let clean = Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap();
    let lost = Dpo::default().each(sample.batch()).unwrap();
    for (i, bad) in [(3, f64::NAN), (1024, f64::INFINITY), (1499, f64::NEG_INFINITY)] {
        weights[i] = 0.0;
        sample.policy.chosen[i] = bad;
        sample.policy.rejected[i] = bad;
    }
    assert!(Dpo::default().value(sample.batch(), Reduction::Sum).is_err());
    let (loss, grad) = Dpo::default().grad(sample.batch(), Reduction::Weighted(&weights)).unwrap();
    let expected = clean.0 - lost[3] - lost[1024] - lost[1499];
    assert!((loss - expected).abs() < 1e-12 * loss);
    for i in 0..1500 {
        assert_eq!(grad.chosen[i], if weights[i] == 0.0 { 0.0 } else { clean.1.chosen[i] });
    }
    let mut each = Array1::zeros(1500);
    let out = Out::Each(each.view_mut());
    Dpo::default().run(&sample.batch(), Reduction::Weighted(&weights), 2.0, out).unwrap();
    assert_eq!((each[2], each[3]), (2.0 * lost[2], 0.0));
}

#[test]
fn a_gradient_is_added_to_what_is_there() {
    let sample = Sample::<f64>::of(2000);
    let (loss, grad) = Dpo::default().grad(sample.batch(), Reduction::Sum).unwrap();
    let mut out = Pairs { chosen: Array1::from_elem(2000, 4.0), rejected: Array1::from_elem(2000, -1.0) };
    let scaled = Dpo::default().run(&sample.batch(), Reduction::Sum, 0.5, Out::AddGrad(out.view_mut())).unwrap();
    assert_eq!(scaled, 0.5 * loss);
    assert_eq!(out.chosen, 4.0 + 0.5 * grad.chosen);
    assert_eq!(out.rejected, -1.0 + 0.5 * grad.rejected);
}

#[test]
fn nothing_sums_to_zero_and_has_no_mean() {
    let nothing = Sample::<f64>::of(0);
    for objective in [&Dpo::default() as &dyn PairObjective<f64>, &IPO, &Orpo::default()] {
        assert_eq!(objective.value(nothing.batch(), Reduction::Sum), Ok(0.0));
        assert_eq!(objective.sum_count(nothing.batch()), Ok(SumCount { sum: 0.0, count: 0.0 }));
        assert!(objective.grad(nothing.batch(), Reduction::Sum).unwrap().1.chosen.is_empty());
        assert!(objective.each(nothing.batch()).unwrap().is_empty());
        assert_eq!(
            objective.value(nothing.batch(), Reduction::Mean),
            Err(Error::NothingToAverage { argument: "batch" })
        );
    }
}

#[test]
fn the_first_bad_number_is_named_wherever_it_is() {
    let message = |change: &dyn Fn(&mut Sample<f64>)| {
        let mut sample = Sample::<f64>::of(70_000);
        change(&mut sample);
        IPO.grad(sample.full(), Reduction::Mean).unwrap_err().to_string()
    };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let allowed = "allowed is finite or -inf";
    assert_eq!(message(&|s| s.policy.chosen[17] = nan), format!("`policy.chosen`[17] is NaN, {allowed}"));
    assert_eq!(message(&|s| s.policy.rejected[69_999] = inf), format!("`policy.rejected`[69999] is inf, {allowed}"));
    assert_eq!(message(&|s| s.reference.chosen[2000] = nan), format!("`reference.chosen`[2000] is NaN, {allowed}"));
    assert_eq!(message(&|s| s.reference.rejected[0] = inf), format!("`reference.rejected`[0] is inf, {allowed}"));
    assert_eq!(message(&|s| s.lengths.rejected[5] = 0.0), "`lengths.rejected`[5] is 0, allowed is finite and > 0");
    assert_eq!(message(&|s| s.label[9] = -inf), "`offset`[9] is -inf, allowed is finite");
    let two = |s: &mut Sample<f64>| (s.policy.chosen[66_000], s.policy.rejected[400]) = (nan, nan);
    assert_eq!(message(&|s| two(s)), format!("`policy.rejected`[400] is NaN, {allowed}"));
}

#[test]
fn two_infinities_that_have_no_difference_are_named() {
    let inf = f64::INFINITY;
    let error = Dpo::default().value(one(&[-inf, -inf], &[-1.0], &[1.0]), Reduction::Sum).unwrap_err();
    let allowed = "allowed is finite where another log-probability of its pair is -inf";
    assert_eq!(error.to_string(), format!("`policy.chosen`[0] is -inf, {allowed}"));
}

#[test]
fn shapes_are_checked_before_anything_is_written() {
    let (two, three) = ([-1.0_f64, -2.0], [-1.0_f64, -2.0, -3.0]);
    let both = |chosen, rejected| Pairs { chosen: aview1(chosen), rejected: aview1(rejected) };
    let (even, odd) = (both(&three, &three), both(&three, &two));
    let message = |batch| Dpo::default().value(batch, Reduction::Sum).unwrap_err().to_string();
    let shown = |name: &str| format!("`{name}` has shape [2], expected [3]");
    assert_eq!(message(PairBatch::new(odd)), shown("policy.rejected"));
    assert_eq!(message(PairBatch::new(even).reference(odd)), shown("reference.rejected"));
    assert_eq!(message(PairBatch::new(even).reference(both(&two, &three))), shown("reference.chosen"));
    assert_eq!(message(PairBatch::new(even).lengths(odd)), shown("lengths.rejected"));
    assert_eq!(message(PairBatch::new(even).offset(aview1(&two))), shown("offset"));
    assert_eq!(message(PairBatch::new(even)), "Dpo needs `reference`");

    let batch = PairBatch::new(even).reference(even);
    let mut out = Pairs { chosen: Array1::from_elem(3, 7.0), rejected: Array1::from_elem(2, 7.0) };
    let error = Dpo::default().grad_into(batch, Reduction::Sum, out.view_mut()).unwrap_err();
    assert_eq!(error.to_string(), shown("out.rejected"));
    assert_eq!(out.chosen, Array1::from_elem(3, 7.0));
    let weights = Array1::ones(2);
    let error = Dpo::default().value(batch, Reduction::Weighted(&weights)).unwrap_err();
    assert_eq!(error.to_string(), shown("weights"));
}

/// Whatever stands in pairs of weight zero, nothing changes of the others.
fn masked_pairs_leave_the_bits<T: Real>(objective: &dyn PairObjective<T>) {
    for n in [2, 31, 32, 33, 1023, 1024, 1025, 5000] {
        let sample = Sample::<T>::of(n);
        let weights = Array1::from_shape_fn(n, |i| T::from_f64(if i % 3 == 1 { 0.0 } else { 0.37 + (i % 5) as f64 }));
        let all = |sample: &Sample<T>| {
            let batch = sample.full();
            let mut each = Array1::zeros(n);
            let sum =
                objective.run(&batch, Reduction::Weighted(&weights), T::from_f64(0.7), Out::Each(each.view_mut()));
            let value = objective.value(batch, Reduction::Weighted(&weights));
            (value, sum, each, objective.grad(batch, Reduction::Weighted(&weights)))
        };
        let expected = all(&sample);
        assert!(expected.0.is_ok() && expected.3.is_ok());
        for masked in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e30] {
            let mut sample = sample.clone();
            let Sample { policy, reference, lengths, rewards, label, gold } = &mut sample;
            let sides = [policy, reference, lengths, rewards].map(|side| [&mut side.chosen, &mut side.rejected]);
            for column in sides.into_iter().flatten().chain([label, gold]) {
                column
                    .iter_mut()
                    .zip(&weights)
                    .filter(|(_, w)| **w == T::zero())
                    .for_each(|(x, _)| *x = T::from_f64(masked));
            }
            assert_eq!(all(&sample), expected, "{n} pairs, {masked}");
        }
    }
}

#[test]
fn what_is_masked_leaves_the_bits_of_the_others() {
    masked_pairs_leave_the_bits::<f32>(&Dpo::default());
    masked_pairs_leave_the_bits::<f64>(&Orpo::default());
    masked_pairs_leave_the_bits::<f32>(&IPO);
    masked_pairs_leave_the_bits::<f64>(&Everything);
    masked_pairs_leave_the_bits::<f32>(&BetaDpo { alpha: 1e-3, ..BetaDpo::default() });
    masked_pairs_leave_the_bits::<f64>(&KtoPair { beta: 0.1, baseline: Baseline::Differentiated });
    let likelihood = Box::new(Nll { length: Length::Sum }) as Box<dyn PairObjective<f32>>;
    let kto = Box::new(KtoPair { beta: 0.1, baseline: Baseline::Detached });
    let terms = vec![Term { weight: 0.3, objective: likelihood }, Term { weight: 1.0, objective: kto }];
    masked_pairs_leave_the_bits::<f32>(&WeightedSum { terms });
}

/// Its slope leaves `f32` where its loss does not.
struct Steep;

impl LabeledLoss for Steep {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> crate::Result<Needs> {
        Ok(Needs::default())
    }

    fn at<T: Real, const FMA: bool>(&self, margin: T, _: Row<T>) -> (T, T) {
        (margin, T::from_f64(1e30) * margin)
    }
}

#[test]
fn a_slope_that_overflows_matters_where_it_is_asked_for() {
    let of = |chosen: &[f32], weights: &Array1<f32>| {
        let zeros = Array1::zeros(chosen.len());
        let batch = PairBatch::new(Pairs { chosen: aview1(chosen), rejected: zeros.view() });
        let reduction = Reduction::Weighted(weights);
        (Steep.value(batch, reduction), Steep.grad(batch, reduction).map_err(|error| error.to_string()))
    };
    let (alone, error) = of(&[1e10, 1.0], &ndarray::array![1.0, 0.0]);
    assert_eq!((alone, error), (Ok(1e10), Err("the result at `policy.rejected`[0] overflows f32".to_owned())));
    assert_eq!(
        of(&[1e10, f32::NAN], &ndarray::array![1.0, 0.0]),
        (Ok(1e10), of(&[1e10, 1.0], &ndarray::array![1.0, 0.0]).1)
    );
}

#[test]
fn what_the_type_cannot_hold_is_an_error() {
    let nll = Nll { length: Length::Sum };
    let huge = [-3e38_f32, -3e38];
    let batch = PairBatch::new(Pairs { chosen: aview1(&huge), rejected: aview1(&huge) });
    assert_eq!(nll.value(batch, Reduction::Mean), Ok(3e38));
    assert_eq!(PairObjective::<f32>::sum_count(&nll, batch).unwrap().sum, 2.0 * f64::from(3e38_f32));
    let error = nll.value(batch, Reduction::Sum).unwrap_err();
    assert_eq!(error.to_string(), "the result at `loss` overflows f32");
    let mut each = Array1::zeros(2);
    let error = nll.run(&batch, Reduction::Mean, 4.0, Out::Each(each.view_mut())).unwrap_err();
    assert_eq!(error.to_string(), "the result at `out`[0] overflows f32");
    let mut grad = Pairs { chosen: Array1::from_elem(2, -3e38), rejected: Array1::zeros(2) };
    let error = nll.run(&batch, Reduction::Mean, 2e38, Out::AddGrad(grad.view_mut())).unwrap_err();
    assert_eq!(error.to_string(), "the result at `out.chosen`[0] overflows f32");
    assert!(nll.run(&batch, Reduction::Sum, f32::NAN, Out::Nothing).is_err());
}

#[test]
fn sums_of_finite_losses_beyond_f64_are_an_error_and_never_infinite() {
    let (far, near) = ([-1.7e308, -1.7e308], [-1.0, -1.0]);
    let batch = PairBatch::new(Pairs { chosen: aview1(&far), rejected: aview1(&near) });
    let nll = Nll { length: Length::Sum };
    let message = |result: crate::Result<f64>| result.unwrap_err().to_string();
    assert_eq!(message(nll.value(batch, Reduction::Sum)), "the result at `loss`[1] overflows f64");
    assert_eq!(message(nll.sum_count(batch).map(|parts| parts.sum)), "the result at `loss`[1] overflows f64");
    let weights = ndarray::array![1.0, 2.0];
    let error = nll.grad(batch, Reduction::Weighted(&weights)).map(|(loss, _)| loss);
    assert_eq!(message(error), "the result at `loss`[1] overflows f64");
    let blocks = ndarray::Array1::from_shape_fn(2048, |i| if i % 1024 == 0 { -1.7e308 } else { 0.0 });
    let batch = PairBatch::new(Pairs { chosen: blocks.view(), rejected: blocks.view() });
    assert_eq!(message(nll.value(batch, Reduction::Sum)), "the result at `loss` overflows f64");
}
