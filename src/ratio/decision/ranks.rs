//! Scores of one side, and ranks of many with their ties in the middle.

use ndarray::ArrayView1;

use crate::{Error, Real, Result, parallel};

/// The scores in `f64`: at least one, and none of them NaN.
pub(super) fn scores<T: Real>(argument: &'static str, side: ArrayView1<'_, T>) -> Result<Vec<f64>> {
    if side.is_empty() {
        return Err(Error::Empty { argument });
    }
    match side.iter().position(|score| score.is_nan()) {
        None => Ok(side.iter().map(|score| score.as_f64()).collect()),
        Some(at) => Err(Error::Value { argument, position: at.into(), value: f64::NAN, allowed: "not NaN" }),
    }
}

/// The rank of each score, from 1; equal scores share the mean of theirs.
pub(super) fn midranks(scores: &[f64]) -> Vec<f64> {
    let order = parallel::ascending(scores);
    let mut ranks = vec![0.0; scores.len()];
    let mut below = 0.0;
    for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let count = ties.len() as f64;
        ties.iter().for_each(|&place| ranks[place] = below + 0.5 * (count + 1.0));
        below += count;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        assert_eq!(midranks(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]), [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
        assert_eq!(midranks(&[]), [0.0; 0]);
    }
}
