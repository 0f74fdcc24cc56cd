//! The places that list objectives, and how each is searched.

use std::collections::BTreeSet;
use std::fs;

use loglik_catalogue::objectives::{named, objectives};

use super::sources::{Objective, code, files, root};

/// A place in which an objective must be.
pub struct Place {
    /// The file to edit, or the folder of a file to add.
    pub file: &'static str,
    /// What is to be added there.
    pub what: &'static str,
    pub holds: Box<dyn Fn(&Objective) -> bool>,
}

impl Place {
    fn new(file: &'static str, what: &'static str, holds: impl Fn(&Objective) -> bool + 'static) -> Self {
        Self { file, what, holds: Box::new(holds) }
    }

    /// One whose code uses the name.
    fn code(file: &'static str, what: &'static str) -> Self {
        let words = words(&text(file));
        Self::new(file, what, move |objective| words.contains(&objective.name))
    }
}

/// Everything that stands in a file or in the files of a folder; of sources, the code alone.
pub fn text(file: &str) -> String {
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.extension().is_some_and(|end| end == "rs") { code(&text) } else { text }
    };
    files(&root().join(file)).iter().map(read).collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> BTreeSet<String> {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !is_letter(letter)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The objectives, as rows of the catalogue, of which peers' numbers are in `tests/golden/`.
fn golden() -> BTreeSet<String> {
    let stem = |file: &std::path::PathBuf| file.file_stem()?.to_str()?.split('.').next().map(str::to_owned);
    let names = files(&root().join("tests/golden")).iter().filter_map(stem).collect::<Vec<_>>();
    names.iter().filter_map(|name| named(name)).map(|row| row.name.to_owned()).collect()
}

/// Where an objective over pairs must be beside its own file.
pub fn of_pairs() -> Vec<Place> {
    let config = text("src/preference/config.rs");
    let rows: BTreeSet<_> = objectives().into_iter().map(|row| row.name).collect();
    let table = text("docs/objectives.md");
    let golden = golden();
    vec![
        Place::new("src/preference/config.rs", "a variant of `PairConfig`", move |objective| {
            [')', '<'].iter().any(|end| config.contains(&format!("({}{end}", objective.name)))
        }),
        Place::new("tests/catalogue/src", "a row to margins.rs, sides.rs or batchwise.rs", move |objective| {
            rows.contains(&*objective.name)
        }),
        Place::code("tests/integration/laws", "a law that a wrong formula would break"),
        Place::new("docs/objectives.md", "a row that begins with its name and its `loss_type`", move |objective| {
            table.contains(&format!("\n| `{}`; `", objective.name))
        }),
        Place::new(
            "tests/golden",
            "a file of a peer's numbers, or an exception that says where its numbers are from",
            move |objective| golden.contains(&objective.name),
        ),
    ]
}

/// Where any other objective must be. By its entry in the catalogue it is called with strange input of every kind
/// (`errors/arrays.rs`), and its gradient, layouts and threads are tried.
pub fn of_others() -> Vec<Place> {
    let page = words(&text("docs/objectives.md"));
    vec![
        Place::code("tests/catalogue/src", "an entry"),
        Place::code("tests/integration/laws", "a law that a wrong formula would break"),
        Place::new("docs/objectives.md", "what it is, and what it does to the likelihood", move |objective| {
            page.contains(&objective.name)
        }),
        Place::code(
            "tests/golden_support/objectives",
            "an adapter of a peer's numbers, or an exception that says whose",
        ),
        Place::code("benches", "a line, or an exception that says of what its time is"),
    ]
}
