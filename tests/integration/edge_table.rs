//! The table of edge cases in the book: what the crate returns where others do not, computed anew at each run.
//!
//! `docs/edge-cases.md` must be what these rows make of it, and each row must agree with its exact value. After a change
//! that is meant, `LOGLIK_UPDATE=1 cargo test --test integration edge_table` writes the page again.

mod divergences;
mod entropic;
mod pairs;
mod tokens;
mod transport;

use std::fmt::Write;
use std::path::Path;

use loglik::{Error, Result};

/// An input on which some peer errs.
struct Row {
    /// The objective, with its parameters.
    what: &'static str,
    input: &'static str,
    /// What the peers return, by name.
    elsewhere: &'static str,
    /// What is computed.
    names: &'static [&'static str],
    exact: Exact,
    here: Result<Vec<f64>>,
}

/// What exact arithmetic says.
enum Exact {
    Values(Vec<f64>),
    /// Nothing: there is no such value.
    Undefined,
    /// More than the type holds.
    Overflow,
}

/// Relative error that is allowed, in `f64`.
const TOLERANCE: f64 = 1e-12;

fn number(x: f64) -> String {
    let plain = x == 0.0 || !x.is_finite() || (1e-4..1e6).contains(&x.abs());
    if !plain {
        return format!("{x:.6e}");
    }
    let text = format!("{x:.6}");
    if x.is_finite() { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn list(names: &[&str], values: &[f64]) -> String {
    let each: Vec<_> = names.iter().zip(values).map(|(name, &x)| format!("{name} {}", number(x))).collect();
    each.join(", ")
}

impl Row {
    fn exact(&self) -> String {
        match &self.exact {
            Exact::Values(values) => list(self.names, values),
            Exact::Undefined => "undefined".to_owned(),
            Exact::Overflow => "beyond the type".to_owned(),
        }
    }

    fn here(&self) -> String {
        match &self.here {
            Ok(values) => list(self.names, values),
            Err(error) => format!("error: {}", error.to_string().replace('|', "\\|")),
        }
    }

    /// Why the row is wrong, if it is.
    fn fault(&self) -> Option<String> {
        let agrees = match (&self.exact, &self.here) {
            (Exact::Values(exact), Ok(here)) => {
                let close = |(&x, &y): (&f64, &f64)| x == y || (x - y).abs() <= TOLERANCE * x.abs();
                exact.len() == here.len() && self.names.len() == here.len() && exact.iter().zip(here).all(close)
            }
            (Exact::Undefined, Err(error)) => !matches!(error, Error::Overflow { .. }),
            (Exact::Overflow, Err(Error::Overflow { .. })) => true,
            _ => false,
        };
        (!agrees).then(|| format!("{}, {}: {} instead of {}", self.what, self.input, self.here(), self.exact()))
    }
}

fn page(rows: &[Row]) -> String {
    let mut page = String::from(
        "# Edge cases\n\n\
         Inputs on which widely used implementations return NaN, infinity or a wrong number, measured with the versions of\n\
         November 2026: torch 2.15, TRL 1.16, Liger 0.8.5, optax 0.2.8, candle-nn 0.11.1, oxicuda-rlhf 0.5.5, scirs2-neural\n\
         0.6.5. Theirs are in `f32`; the last two columns are in `f64` unless the row says otherwise. A test computes the last\n\
         column anew and compares it with the exact one (`tests/integration/edge_table.rs`).\n\n\
         | objective | input | elsewhere | exact | here |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { what, input, elsewhere, .. } = row;
        writeln!(page, "| {what} | {input} | {elsewhere} | {} | {} |", row.exact(), row.here()).expect("a string");
    }
    page
}

#[test]
fn the_page_says_what_the_crate_returns() {
    let rows = tokens::rows().into_iter().chain(pairs::rows()).chain(transport::rows()).chain(divergences::rows());
    let rows: Vec<Row> = rows.chain(entropic::rows()).collect();
    let faults: Vec<_> = rows.iter().filter_map(Row::fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/edge-cases.md");
    let page = page(&rows);
    if std::env::var_os("LOGLIK_UPDATE").is_some_and(|update| update == "1") {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/edge-cases.md");
    let differ = page.lines().zip(written.lines()).find(|(now, before)| now != before);
    assert!(page == written, "docs/edge-cases.md differs (LOGLIK_UPDATE=1 writes it): {differ:#?}");
}
