//! Runs golden files: parses them, calls the objective in `f64` and in `f32`, compares every number.

#![allow(unreachable_pub)] // private to the test binary as a whole

mod case;
mod compare;
mod objectives;
mod schema;
pub mod select;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use loglik::Real;
use ndarray::ArrayD;

use case::Case;
use compare::{Tolerance, compare};
use schema::{Numbers, Record};

/// Anything that can go wrong in a case.
pub type Failure = Box<dyn std::error::Error>;

/// What came of one file.
#[derive(Debug, Default)]
pub struct Report {
    pub cases: usize,
    /// Numbers compared in `f64`.
    pub wide: usize,
    /// Numbers compared in `f32`.
    pub narrow: usize,
    /// Cases whose numbers do not fit `f32`.
    pub wide_only: usize,
    pub failures: Vec<String>,
}

/// Whether the expected numbers are a peer's, or exact where floating-point code breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Usual,
    Edges,
}

/// Runs every case of a file; an unreadable file is its only failure.
pub fn run(text: &str, kind: Kind) -> Report {
    let mut report = Report::default();
    match schema::parse(text) {
        Err(error) => report.failures.push(error.to_string()),
        Ok(file) => {
            for record in &file.cases {
                report.cases += 1;
                if let Err(failures) = case(&file.objective, record, kind, &mut report) {
                    report.failures.extend(failures.into_iter().map(|failure| format!("{}: {failure}", record.id)));
                }
            }
        }
    }
    report
}

fn case(objective: &str, record: &Record, kind: Kind, report: &mut Report) -> Result<(), Vec<String>> {
    report.wide += check::<f64>(objective, record, &record.outputs)?;
    if !fits_f32(record) {
        report.wide_only += 1;
        return Ok(());
    }
    // The exact answer of an edge is that of its exact inputs. Where rounding them to f32 moves them, the answer that
    // counts is that of the rounded inputs, by the f64 path that has just been proven on the exact ones.
    let rounded = round(record);
    let expected = match kind {
        Kind::Edges if !same(&rounded.inputs, &record.inputs) => at(objective, &rounded)?,
        _ => record.outputs.clone(),
    };
    report.narrow += check::<f32>(objective, record, &expected)?;
    Ok(())
}

/// Calls the objective in one element type and compares; the number of numbers that were.
fn check<T: Real>(
    objective: &str,
    record: &Record,
    expected: &BTreeMap<String, Numbers>,
) -> Result<usize, Vec<String>> {
    let (results, mut failures) = call::<T>(objective, record).map_err(|failure| vec![failure])?;
    let tolerance = Tolerance::new::<T>(record.rtol, record.atol);
    let mut compared = 0;
    for (name, Numbers(expected)) in expected {
        let results: Vec<_> = results.iter().filter(|(given, _)| given == name).collect();
        if results.is_empty() {
            failures.push(format!("output `{name}` was never compared"));
            continue;
        }
        compared += expected.len();
        for (_, got) in results {
            if let Err(difference) = compare(got, expected, tolerance) {
                failures.push(format!("{}: output `{name}` {difference}", T::NAME));
            }
        }
    }
    if failures.is_empty() { Ok(compared) } else { Err(failures) }
}

type Results = Vec<(String, ArrayD<f64>)>;

/// Calls the objective; its results, and the names in the record that it never asked for. A panic is a failure like any other.
fn call<T: Real>(objective: &str, record: &Record) -> Result<(Results, Vec<String>), String> {
    let case = Case::<T>::new(record);
    match catch_unwind(AssertUnwindSafe(|| objectives::run(objective, &case))) {
        Ok(Ok(())) => {
            let unused = case.unused().into_iter().map(|name| format!("unknown {name}")).collect();
            Ok((case.results(), unused))
        }
        Ok(Err(error)) => Err(format!("{}: {error}", T::NAME)),
        Err(_) => Err(format!("{}: panicked", T::NAME)),
    }
}

/// What the `f64` path gives for a record, under the names of its outputs.
fn at(objective: &str, record: &Record) -> Result<BTreeMap<String, Numbers>, Vec<String>> {
    let (results, _) = call::<f64>(objective, record).map_err(|failure| vec![failure])?;
    let asked = results.into_iter().filter(|(name, _)| record.outputs.contains_key(name));
    Ok(asked.map(|(name, array)| (name, Numbers(array))).collect())
}

fn round(record: &Record) -> Record {
    let narrow =
        |(name, Numbers(array)): (&String, &Numbers)| (name.clone(), Numbers(array.mapv(|x| f64::from(x as f32))));
    Record {
        id: record.id.clone(),
        params: record.params.clone(),
        inputs: record.inputs.iter().map(narrow).collect(),
        outputs: record.outputs.clone(),
        ..*record
    }
}

fn same(left: &BTreeMap<String, Numbers>, right: &BTreeMap<String, Numbers>) -> bool {
    left.values().zip(right.values()).all(|(left, right)| left.0 == right.0)
}

fn fits_f32(record: &Record) -> bool {
    let fits = |Numbers(array): &Numbers| array.iter().all(|&x| !x.is_finite() || (x as f32).is_finite());
    record.inputs.values().chain(record.outputs.values()).all(fits)
}
