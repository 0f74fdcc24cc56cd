//! What must hold of every call, whatever it is given.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use loglik::{Error, Real};

use crate::Entry;
use crate::call::{Inputs, Results};
use crate::layout::Layout;

/// A promise that a call breaks, and by which of its results.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub entry: &'static str,
    pub element: &'static str,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.entry, self.element, self.what)
    }
}

/// A sum in `f64` that the catalogue gave the type of the call.
fn is_narrowed<T: Real>(name: &str) -> bool {
    (name == "parts: sum" || name.starts_with("sum of ")) && T::NAME == f32::NAME
}

/// What two calls of the same give, or `None` where they panic.
type Outcome<T> = Option<Results<T>>;

fn call<T: Real>(entry: &Entry<T>, inputs: &Inputs, layout: Layout) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(|| inputs.call(layout, entry.call))).ok()
}

/// Whether everything that goes in is finite in the type of the call.
fn is_finite<T: Real>(inputs: &Inputs) -> bool {
    inputs.reals.iter().flatten().all(|&x| T::from_f64(x).is_finite())
}

/// Everything that is wrong with a call: a panic, NaN or an infinite slope, an infinity from finite numbers, values that differ
/// by the way to them, by the layout, or by what is left out, and errors that point to where their value is not.
pub fn faults<T: Real>(entry: &Entry<T>, inputs: &Inputs, layout: Layout) -> Vec<Fault> {
    let fault = |what: String| Fault { entry: entry.name, element: T::NAME, what };
    let Some(results) = call(entry, inputs, Layout::Packed) else {
        return vec![fault("panics".into())];
    };
    let mut found = Vec::new();
    for (name, result) in results.0.iter().filter(|(name, _)| !entry.is_ours(name)) {
        match result {
            Ok(array) if array.iter().any(|x| x.is_nan()) => found.push(format!("{name} is NaN")),
            Ok(array) if array.iter().any(|x| x.is_infinite()) => {
                if name.contains("grad ") {
                    found.push(format!("{name} is infinite"));
                } else if is_finite::<T>(inputs) && !entry.may_be_infinite && !is_narrowed::<T>(name) {
                    found.push(format!("{name} is infinite and nothing that goes in is"));
                }
            }
            Ok(_) => {}
            Err(error) => {
                if let Some(what) = misplaced(entry, error, inputs) {
                    found.push(what);
                }
            }
        }
    }
    found.extend(ways(entry, &results));
    match call(entry, inputs, layout) {
        None => found.push(format!("panics in the layout {layout:?}")),
        Some(other) => {
            let names = results.differing(&other).into_iter().filter(|name| !entry.is_ours(name));
            found.extend(names.map(|name| format!("{name} differs in the layout {layout:?}")));
        }
    }
    for selection in &entry.selections {
        for filler in [f64::NAN, f64::INFINITY] {
            let Some(overwritten) = selection.overwritten(inputs, filler) else { continue };
            match call(entry, &overwritten, Layout::Packed) {
                None => found.push(format!("panics with {filler} in what {:?} leaves out", selection.by)),
                Some(other) => {
                    let names = selection.unlike(&results, &other).into_iter();
                    let by = selection.by;
                    found.extend(names.map(|name| format!("{name} feels {filler} in what {by:?} leaves out")));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(fault).collect()
}

/// Results that differ between two calls with other numbers of threads.
pub fn faults_of_threads<T: Real>(entry: &Entry<T>, alone: &Results<T>, together: &Results<T>) -> Vec<Fault> {
    let names = alone.differing(together).into_iter().filter(|name| !entry.is_ours(name));
    let fault = |name| Fault { entry: entry.name, element: T::NAME, what: format!("{name} differs by the threads") };
    names.map(fault).collect()
}

/// Values that depend on whether, and where to, a gradient is asked for. A gradient may be an error where the value is none.
fn ways<T: Real>(entry: &Entry<T>, results: &Results<T>) -> Vec<String> {
    let value = |name: &str| ["value", "grad: value", "into: value", "in place: value"].contains(&name);
    let (mut found, mut first) = (Vec::new(), None);
    let names: Vec<&str> = results.0.iter().map(|(name, _)| &**name).collect();
    for (i, (name, other)) in results.0.iter().enumerate() {
        if !value(name) || entry.is_ours(name) {
            continue;
        }
        // A value before the losses of single examples is the first of a way of computing, of which an entry may have two.
        let is_first = first.is_none() || name == "value" && names.get(i + 1) == Some(&"each");
        let first = if is_first { first.insert(other) } else { first.get_or_insert(other) };
        let few = if entry.may_round { 16.0 * T::epsilon().as_f64() } else { 0.0 };
        let same = |(x, y): (&T, &T)| x == y || (x.as_f64() - y.as_f64()).abs() <= few * x.as_f64().abs();
        match (first, other) {
            (Ok(first), Ok(other)) if !first.iter().zip(other).all(same) => {
                found.push(format!("value and {name} differ"));
            }
            (Err(_), Ok(_)) => found.push(format!("value is an error and {name} is not")),
            _ => {}
        }
    }
    found.dedup();
    found
}

/// What is wrong with where an error points to.
fn misplaced<T: Real>(entry: &Entry<T>, error: &Error, inputs: &Inputs) -> Option<String> {
    let (argument, position, value, allowed) = match error {
        Error::Value { argument, position, value, allowed } => (*argument, &position.0, *value, *allowed),
        Error::Target { argument, position, value, .. } => {
            let holds =
                |array: &ndarray::ArrayD<i64>| array.get(position.0.as_slice()).is_some_and(|class| class == value);
            return (!inputs.classes.iter().any(holds))
                .then(|| format!("an error names a class that is not in `{argument}`"));
        }
        _ => return None,
    };
    if entry.formed.contains(&argument) {
        return None;
    }
    let same = |x: f64| x == value || (x.is_nan() && value.is_nan());
    let holds = |array: &ndarray::ArrayD<f64>| {
        array.ndim() == position.len() && array.get(position.as_slice()).is_some_and(|&x| same(T::from_f64(x).as_f64()))
    };
    // What is wrong with a whole row is told by the row, and by a number that stands for it.
    let is_of_row = ["row", "sum", "pivot", "mass"].iter().any(|word| allowed.contains(word));
    let class = |array: &ndarray::ArrayD<i64>| array.get(position.as_slice()).is_some_and(|&class| same(class as f64));
    let holds = inputs.reals.iter().any(holds) || inputs.classes.iter().any(class);
    let is_there = is_of_row || position.is_empty() || holds;
    (!is_there).then(|| format!("an error names a value that is not there: `{argument}`, allowed is {allowed}"))
}
