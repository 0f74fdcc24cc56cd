//! Hidden states of pairs of responses: their directions and cosines, and the way back into them.

use ndarray::{Array3, ArrayView1, ArrayView3};

use crate::rowwise::{RowJobs, RowLength, RowsMut};
use crate::{Error, Real, Result, check};

/// One thing for each kind of states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoalStates<A> {
    /// For the earlier states of the chosen responses.
    pub source: A,
    /// For the later ones.
    pub goal: A,
    /// For those of the rejected responses.
    pub negative: A,
}

/// How the states are called in errors.
pub(super) const NAMES: GoalStates<&str> =
    GoalStates { source: "states.source", goal: "states.goal", negative: "states.negative" };

/// Elements of each kind of states in row-major order.
pub(super) struct States<T> {
    of: GoalStates<Vec<T>>,
    pairs: usize,
    samples: usize,
    size: usize,
}

impl<T: Real> States<T> {
    pub(super) fn new(states: &GoalStates<ArrayView3<'_, T>>) -> Result<Self> {
        let (pairs, samples, size) = states.source.dim();
        check::shape(NAMES.goal, states.goal.shape(), &[pairs, samples, size])?;
        check::shape(NAMES.negative, states.negative.shape(), &[pairs, samples, size])?;
        if samples * size == 0 {
            return Err(Error::Empty { argument: NAMES.source });
        }
        let elements = |array: &ArrayView3<'_, T>| array.iter().copied().collect();
        let GoalStates { source, goal, negative } = states;
        let of = GoalStates { source: elements(source), goal: elements(goal), negative: elements(negative) };
        Ok(Self { of, pairs, samples, size })
    }

    pub(super) fn jobs(&self) -> RowJobs {
        RowJobs::new(self.pairs, 6 * self.samples * self.size * size_of::<T>())
    }

    /// Gradients, which are contiguous, with a row for each pair.
    pub(super) fn rows<'o>(&self, out: &'o mut GoalStates<Array3<T>>) -> [Option<RowsMut<'o, T>>; 3] {
        let width = self.samples * self.size;
        [&mut out.source, &mut out.goal, &mut out.negative]
            .map(|array| Some(RowsMut::Packed { data: array.as_slice_mut().unwrap_or_default(), width }))
    }

    /// The samples of a pair.
    pub(super) fn pair(&self, pair: usize) -> Result<Vec<Sample>> {
        (0..self.samples).map(|sample| self.sample(pair, sample)).collect()
    }

    fn sample(&self, pair: usize, sample: usize) -> Result<Sample> {
        let source = self.unit(NAMES.source, &self.of.source, pair, sample)?;
        let goal = self.unit(NAMES.goal, &self.of.goal, pair, sample)?;
        let negative = self.unit(NAMES.negative, &self.of.negative, pair, sample)?;
        let cosines = [dot(&source.0, &goal.0), dot(&source.0, &negative.0)];
        Ok(Sample { units: [source.0, goal.0, negative.0], lengths: [source.1, goal.1, negative.1], cosines })
    }

    /// The direction of one state, and its length.
    fn unit(&self, name: &'static str, of: &[T], pair: usize, sample: usize) -> Result<(Vec<f64>, RowLength)> {
        let state = &of[(pair * self.samples + sample) * self.size..][..self.size];
        let length = RowLength::checked(name, &[pair, sample], ArrayView1::from(state))?;
        Ok((state.iter().map(|x| length.divide(x.as_f64())).collect(), length))
    }
}

/// Source, goal and negative of one sample.
pub(super) struct Sample {
    /// Their directions.
    units: [Vec<f64>; 3],
    lengths: [RowLength; 3],
    /// Of the source with the goal and with the negative.
    pub(super) cosines: [f64; 2],
}

impl Sample {
    /// Writes the gradients by the states, where those by the cosines are these, to the places of the sample `at`.
    pub(super) fn pull<T: Real>(&self, [goal, negative]: [f64; 2], at: usize, out: &mut [&mut [T]; 3]) {
        let ([source_unit, goal_unit, negative_unit], [c, opposite]) = (&self.units, self.cosines);
        let size = source_unit.len();
        for k in 0..size {
            let (s, g, n) = (source_unit[k], goal_unit[k], negative_unit[k]);
            let by_source = goal * (g - c * s) + negative * (n - opposite * s);
            let slopes = [by_source, goal * (s - c * g), negative * (s - opposite * n)];
            for ((out, length), slope) in out.iter_mut().zip(self.lengths).zip(slopes) {
                out[at * size + k] = T::from_f64(length.divide(slope));
            }
        }
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
