//! Every objective over pairs of the catalogue, where a batch lacks a column: an error that names both, or no use of it.

use loglik::preference::PairObjective;
use loglik::{Error, Reduction};
use loglik_catalogue::columns::{Columns, OPTIONAL};
use loglik_catalogue::objectives::{Objective, objectives};

/// Columns that some objectives look at where there are any.
const ZERO_OTHERWISE: &[&str] = &["offset", "tie_probability", "rating_gap"];

/// Objectives that hold another one, which is the one to be named.
const HOLDERS: &[&str] = &["DrDpo", "Linked"];

/// Whether the objective can do without what is left out; an error names the objective and one of `left_out`.
#[track_caller]
fn is_enough(row: &Objective, columns: &Columns<f64>, left_out: &[&str]) -> bool {
    let config = row.usual();
    match config.value(columns.batch(|column| !left_out.contains(&column)), Reduction::Mean) {
        Ok(value) => {
            // What may be left out and still changes the value is a number of the pair that is 0 otherwise.
            let is_read = value != config.value(columns.full(), Reduction::Mean).unwrap();
            let is_optional = left_out.iter().any(|column| ZERO_OTHERWISE.contains(column));
            assert!(!is_read || is_optional, "{config:?} without {left_out:?}");
            true
        }
        Err(error) => {
            let Error::Missing { objective, argument } = error else { panic!("{config:?}: {error}") };
            let is_named = objective == row.name || HOLDERS.contains(&row.name);
            assert!(is_named, "{config:?} calls itself {objective}");
            assert!(left_out.contains(&argument), "{config:?} without {left_out:?} needs {argument}");
            assert_eq!(error.to_string(), format!("{objective} needs `{argument}`"));
            false
        }
    }
}

#[test]
fn what_any_objective_misses_is_named() {
    let columns = Columns::new(&[[-1.0, -2.5], [-3.0, -2.0]], &[[-1.5, -2.0], [-2.0, -2.0]]);
    for row in objectives() {
        let needed = OPTIONAL.iter().filter(|&column| !is_enough(&row, &columns, &[column])).count();
        // A batch of log-probabilities alone is enough exactly where nothing else is needed.
        assert_eq!(is_enough(&row, &columns, OPTIONAL), needed == 0, "{}", row.name);
    }
}
