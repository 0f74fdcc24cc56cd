//! Every objective over pairs of the catalogue, where log-probabilities end: an answer, or an error that says why not.

use loglik::preference::PairObjective;
use loglik::{Error, Real, Reduction, Result};
use loglik_catalogue::columns::Columns;
use loglik_catalogue::objectives::objectives;

use super::INF;

/// From certainty to impossibility.
const ENDS: &[f64] = &[0.0, -1e-8, -1.0, -1e3, -1e4, -INF];

/// Loss and slopes of the first of two pairs.
fn first<T: Real>(objective: &dyn PairObjective<T>, columns: &Columns<T>) -> Result<[f64; 3]> {
    let result = objective.grad(columns.full(), Reduction::Sum);
    match objective.value(columns.full(), Reduction::Sum) {
        Ok(value) => assert!(result.is_err() || value == result.as_ref().unwrap().0),
        Err(error) => assert_eq!(result.as_ref().unwrap_err(), &error),
    }
    result.map(|(loss, slopes)| [loss, slopes.chosen[0], slopes.rejected[0]].map(|x| x.as_f64()))
}

/// What is wrong with an answer, if anything is. Only an end that stands in the batch may be one that an objective refuses.
fn fault(result: &Result<[f64; 3]>, ends: [f64; 2]) -> Option<String> {
    match result {
        Ok([loss, slopes @ ..]) => {
            let is_fine = if ends.contains(&-INF) { !loss.is_nan() } else { loss.is_finite() };
            (!is_fine || !slopes.iter().all(|slope| slope.is_finite())).then(|| format!("{loss}, {slopes:?}"))
        }
        Err(Error::Overflow { .. }) => None,
        Err(Error::Value { position, value, .. }) if position.0 == [0] && ends.contains(value) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn log_probs_of_every_size_give_an_answer_or_an_error_of_the_input() {
    for row in objectives() {
        let config = row.usual();
        for ends in ENDS.iter().flat_map(|&chosen| ENDS.iter().map(move |&rejected| [chosen, rejected])) {
            for reference in [[0.0, 0.0], [-1e3, 0.0], [0.0, -1e3], [-1e4, -1.0]] {
                let what = format!("{config:?} of {ends:?} against {reference:?}");
                let (policy, reference) = ([ends, [-2.0, -3.0]], [reference, [-3.0, -2.0]]);
                let wide = first::<f64>(&config, &Columns::new(&policy, &reference));
                let narrow = first::<f32>(&config, &Columns::new(&policy, &reference));
                for result in [&wide, &narrow] {
                    assert_eq!(
                        fault(result, ends.map(|x| f64::from(x as f32))).or(fault(result, ends)),
                        None,
                        "{what}"
                    );
                }
                for (wide, narrow) in wide.iter().flatten().zip(narrow.iter().flatten()) {
                    let error = (narrow - wide).abs();
                    assert!(wide == narrow || error <= 2e-3 * wide.abs() + 2e-3, "{what}: {narrow:e} in f32, {wide:e}");
                }
            }
        }
    }
}
