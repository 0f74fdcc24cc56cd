//! What the tests of this room share: a batch with everything, and comparison with differences.

use ndarray::{Array1, aview1};

use crate::preference::{Out, PairBatch, PairObjective, Pairs};
use crate::{Real, Reduction};

/// A batch that owns its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sample<T> {
    pub(crate) policy: Pairs<Array1<T>>,
    pub(crate) reference: Pairs<Array1<T>>,
    pub(crate) lengths: Pairs<Array1<T>>,
    pub(crate) rewards: Pairs<Array1<T>>,
    pub(crate) target: Array1<T>,
}

impl<T: Real> Sample<T> {
    /// Pairs that look like those of training, the same at every call: log-probabilities from -0.3 to -60.
    pub(crate) fn of(n: usize) -> Self {
        let column = |seed: usize, low: f64, high: f64| {
            Array1::from_shape_fn(n, |i| {
                let mixed = (i + 1).wrapping_mul(2_654_435_761 + 2 * seed) % 10_007;
                T::of(low + (high - low) * mixed as f64 / 10_007.0)
            })
        };
        let log_probs = |seed| Pairs { chosen: column(seed, -60.0, -0.3), rejected: column(seed + 1, -60.0, -0.3) };
        let lengths = Pairs { chosen: column(10, 1.0, 40.0), rejected: column(11, 1.0, 40.0) };
        Self {
            policy: log_probs(20),
            reference: log_probs(30),
            lengths: lengths.map(|side| side.mapv(|x| x.round())),
            rewards: Pairs { chosen: column(50, 0.5, 4.0), rejected: column(51, -3.0, 0.25) },
            target: column(40, -2.0, 2.0),
        }
    }

    /// Everything but the target.
    pub(crate) fn batch(&self) -> PairBatch<'_, T> {
        PairBatch::new(self.policy.view())
            .reference(self.reference.view())
            .lengths(self.lengths.view())
            .rewards(self.rewards.view())
    }

    /// Everything.
    pub(crate) fn full(&self) -> PairBatch<'_, T> {
        self.batch().target(self.target.view())
    }
}

/// A batch of one pair: log-probabilities and, the same for both sides, their reference and length.
pub(crate) fn one<'a, T: Real>(policy: &'a [T; 2], reference: &'a [T; 1], length: &'a [T; 1]) -> PairBatch<'a, T> {
    let both = |x: &'a [T; 1]| Pairs { chosen: aview1(x), rejected: aview1(x) };
    PairBatch::new(Pairs { chosen: aview1(&policy[..1]), rejected: aview1(&policy[1..]) })
        .reference(both(reference))
        .lengths(both(length))
}

/// The gradient must be that of the value, for each reduction and with the target too.
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
    (loss.wide(), grad.chosen[0].wide(), grad.rejected[0].wide())
}
