//! What the tests of this room share: a batch with everything, and comparison with differences.

use ndarray::{Array1, aview1};

use crate::preference::{Out, PairBatch, PairObjective, Pairs, Row};
use crate::{Real, Reduction, Result};

/// A batch that owns its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sample<T> {
    pub(crate) policy: Pairs<Array1<T>>,
    pub(crate) reference: Pairs<Array1<T>>,
    pub(crate) lengths: Pairs<Array1<T>>,
    pub(crate) rewards: Pairs<Array1<T>>,
    /// For every label: those of any one meaning are used by an objective.
    pub(crate) label: Array1<T>,
    pub(crate) gold: Array1<T>,
}

impl<T: Real> Sample<T> {
    /// Pairs that look like those of training, the same at every call: log-probabilities from -0.3 to -60.
    pub(crate) fn of(n: usize) -> Self {
        let column = |seed: usize, low: f64, high: f64| {
            Array1::from_shape_fn(n, |i| {
                let mixed = (i + 1).wrapping_mul(2_654_435_761 + 2 * seed) % 10_007;
                T::from_f64(low + (high - low) * mixed as f64 / 10_007.0)
            })
        };
        let log_probs = |seed| Pairs { chosen: column(seed, -60.0, -0.3), rejected: column(seed + 1, -60.0, -0.3) };
        let lengths = Pairs { chosen: column(10, 1.0, 40.0), rejected: column(11, 1.0, 40.0) };
        Self {
            policy: log_probs(20),
            reference: log_probs(30),
            lengths: lengths.map(|side| side.mapv(|x| x.round())),
            rewards: Pairs { chosen: column(50, 0.5, 4.0), rejected: column(51, -3.0, 0.25) },
            label: column(40, -2.0, 2.0),
            gold: column(60, -60.0, -0.3),
        }
    }

    /// Everything but labels.
    pub(crate) fn batch(&self) -> PairBatch<'_, T> {
        PairBatch::new(self.policy.view())
            .reference(self.reference.view())
            .lengths(self.lengths.view())
            .rewards(self.rewards.view())
    }

    /// Everything.
    pub(crate) fn full(&self) -> PairBatch<'_, T> {
        self.batch().offset(self.label.view()).gold(self.gold.view())
    }
}

/// A batch of one pair: log-probabilities and, the same for both sides, their reference and length.
pub(crate) fn one<'a, T: Real>(policy: &'a [T; 2], reference: &'a [T; 1], length: &'a [T; 1]) -> PairBatch<'a, T> {
    let both = |x: &'a [T; 1]| Pairs { chosen: aview1(x), rejected: aview1(x) };
    PairBatch::new(Pairs { chosen: aview1(&policy[..1]), rejected: aview1(&policy[1..]) })
        .reference(both(reference))
        .lengths(both(length))
}

/// The gradient must be that of the value, for each reduction and with the offset too.
pub(crate) fn agrees_with_differences(objective: &dyn PairObjective<f64>) {
    let sample = Sample::<f64>::of(7);
    let weights = Array1::from_iter((0..7).map(|i| 0.25 * f64::from(i)));
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Weighted(&weights)] {
        let (loss, grad) = objective.grad(sample.full(), reduction).unwrap();
        assert_eq!(loss, objective.value(sample.full(), reduction).unwrap());
        for i in 0..7 {
            for side in [chosen, rejected] {
                let at = |step: f64| {
                    let mut moved = sample.clone();
                    side(&mut moved.policy)[i] += step;
                    objective.value(moved.full(), reduction).unwrap()
                };
                let h = 1e-4;
                let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                let exact = side(&mut grad.clone())[i];
                assert!(
                    (difference - exact).abs() < 1e-8 * (1.0 + loss.abs()),
                    "{reduction:?} {i}: {difference}, {exact}"
                );
            }
        }
    }
}

fn chosen<A>(pairs: &mut Pairs<A>) -> &mut A {
    &mut pairs.chosen
}

fn rejected<A>(pairs: &mut Pairs<A>) -> &mut A {
    &mut pairs.rejected
}

/// Loss and gradient of one pair, in `f64`.
pub(crate) fn pair<T: Real>(objective: &dyn PairObjective<T>, batch: PairBatch<'_, T>) -> (f64, f64, f64) {
    let mut grad = Pairs { chosen: Array1::zeros(1), rejected: Array1::zeros(1) };
    let loss = objective.run(&batch, Reduction::Sum, T::one(), Out::Grad(grad.view_mut())).unwrap();
    (loss.as_f64(), grad.chosen[0].as_f64(), grad.rejected[0].as_f64())
}

/// Exact numbers of one pair: what it holds, and loss, slope of the chosen and slope of the rejected side.
pub(crate) type Exact = (Row<f64>, [f64; 3]);

/// A pair of these log-ratios: the reference is at 0, and nothing else is there.
pub(crate) fn ratios(chosen: f64, rejected: f64) -> Row<f64> {
    let lengths = Pairs { chosen: 1.0, rejected: 1.0 };
    Row { policy: Pairs { chosen, rejected }, lengths, ..Row::default() }
}

/// Loss and slopes of one pair by every method; an error where there is one.
pub(crate) fn at<T: Real>(objective: &dyn PairObjective<T>, row: Row<f64>) -> Result<[f64; 3]> {
    let columns = row.map(|x| [T::from_f64(x)]);
    let views = columns.as_ref().map(|column| aview1(&column[..]));
    let batch = PairBatch::new(views.policy)
        .reference(views.reference)
        .lengths(views.lengths)
        .rewards(views.rewards)
        .offset(views.label)
        .soft_label(views.label)
        .tie_probability(views.label)
        .rating_gap(views.label)
        .gold(views.gold);
    let (loss, grad) = objective.grad(batch, Reduction::Sum)?;
    assert_eq!(objective.value(batch, Reduction::Sum)?, loss);
    Ok([loss.as_f64(), grad.chosen[0].as_f64(), grad.rejected[0].as_f64()])
}

/// The message of the error that the pair is.
pub(crate) fn refusal(objective: &dyn PairObjective<f64>, row: Row<f64>) -> String {
    at(objective, row).unwrap_err().to_string()
}

/// Every row must be what exact arithmetic gives: to 1e-12 in `f64`, and in `f32` to what rounding the inputs costs.
pub(crate) fn is_exact(objective: &(impl PairObjective<f64> + PairObjective<f32>), rows: &[Exact]) {
    assert!(!rows.is_empty());
    for &(row, expected) in rows {
        let (wide, narrow) = (at::<f64>(objective, row).unwrap(), at::<f32>(objective, row).unwrap());
        let largest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let floor = (1e-5 * largest).max(f64::from(f32::from_bits(1)));
        for ((wide, narrow), expected) in wide.into_iter().zip(narrow).zip(expected) {
            let close = |got: f64, share: f64, floor: f64| (got - expected).abs() <= share * expected.abs() + floor;
            assert!(wide == expected || close(wide, 1e-12, 1e-307), "{row:?}: {wide:e}, exactly {expected:e}");
            assert!(narrow == expected || close(narrow, 3e-5, floor), "{row:?}: {narrow:e}, {expected:e}");
        }
    }
}

/// Three pairs of which the values of many objectives are published; rewards and labels are zero.
pub(crate) fn three_pairs() -> [Row<f64>; 3] {
    let both = |chosen: [f64; 3], rejected: [f64; 3]| Pairs { chosen, rejected };
    let policy = both([-12.5, -30.25, -8.0], [-14.25, -28.5, -20.0]);
    let reference = both([-13.0, -29.0, -9.5], [-13.5, -29.75, -16.0]);
    let lengths = both([10.0, 24.0, 6.0], [12.0, 20.0, 16.0]);
    std::array::from_fn(|i| Row {
        policy: policy.map(|side| side[i]),
        reference: reference.map(|side| side[i]),
        lengths: lengths.map(|side| side[i]),
        ..Row::default()
    })
}

/// The three pairs with these exact results.
pub(crate) fn three(expected: [[f64; 3]; 3]) -> [Exact; 3] {
    let rows = three_pairs();
    std::array::from_fn(|i| (rows[i], expected[i]))
}

/// The gradient must be that of the value at these pairs.
pub(crate) fn slopes_agree_with_differences(objective: &dyn PairObjective<f64>, rows: &[Row<f64>]) {
    for &row in rows {
        let [loss, by_chosen, by_rejected] = at(objective, row).unwrap();
        for (side, exact) in [(chosen as fn(&mut Pairs<f64>) -> &mut f64, by_chosen), (rejected, by_rejected)] {
            let moved = |step: f64| {
                let mut row = row;
                *side(&mut row.policy) += step;
                at(objective, row).unwrap()[0]
            };
            let h = 1e-4;
            let difference = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
            assert!((difference - exact).abs() < 1e-8 * (1.0 + loss.abs()), "{row:?}: {difference}, {exact}");
        }
    }
}
