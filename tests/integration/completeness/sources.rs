//! Which objectives there are: what implements a trait of objectives, and what has a gradient.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Implementing one of these makes an objective over pairs.
const OF_PAIRS: &[&str] = &["MarginLoss", "LabeledLoss", "PairLoss", "PairObjective", "BatchObjective"];

/// One of these makes another objective.
const OF_OTHERS: &[&str] = &[
    "CategoricalDivergence",
    "ClassDivergence",
    "ClassMargin",
    "Density",
    "EmbeddingObjective",
    "Generator",
    "LabeledPairs",
    "RatioLink",
    "RatioLoss",
    "RatioObjective",
    "SampleLoss",
    "TokenObjective",
];

/// What holds objectives and is none itself, and results that carry their gradient.
const HOLDERS: &[&str] = &["LinkableConfig", "PairConfig", "SinkhornDivergenceSolution", "SinkhornSolution"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pairs,
    Other,
}

/// A public type that is an objective, or a public function that has a gradient.
#[derive(Clone, Debug)]
pub struct Objective {
    pub name: String,
    /// Where it is defined, below the root of the crate.
    pub file: String,
    pub kind: Kind,
}

pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every file below a folder, or the file itself, in the order of their names.
pub fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut below: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    below.sort();
    below.iter().flat_map(|path| files(path)).collect()
}

/// Code without comments, and up to the tests beside it.
pub fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The word at the beginning.
fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// The last word of a path before its arguments: `Density` of `crate::Density<2, 1>`.
fn last(path: &str) -> &str {
    let path = path.split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().trim()
}

/// `impl<..>` without its parameters.
fn without_parameters(header: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in header.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if !header[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if letter == '>' { &header[at + 1..] } else { header };
        }
    }
    header
}

/// What a file makes objectives of: names, and whether by a trait of pairs.
fn made(code: &str) -> Vec<(String, Kind)> {
    let mut made = Vec::new();
    for item in format!("\n{code}").split("\nimpl").skip(1) {
        let Some((header, body)) = item.split_once('{') else { continue };
        let header = without_parameters(header).trim();
        let body = body.split("\n}").next().unwrap_or_default();
        match header.split_once(" for ") {
            Some((implemented, of)) if OF_PAIRS.contains(&last(implemented)) => {
                made.push((word(of).into(), Kind::Pairs));
            }
            Some((implemented, of)) if OF_OTHERS.contains(&last(implemented)) => {
                made.push((word(of).into(), Kind::Other));
            }
            None if ["    pub fn grad(", "    pub fn grad<"].iter().any(|method| body.contains(method)) => {
                made.push((word(header).into(), Kind::Other));
            }
            _ => {}
        }
    }
    for line in code.lines() {
        if let Some((name, of)) = line.split_once("!(").filter(|(name, _)| name.ends_with("_objective")) {
            made.push((word(of).into(), if name == "compile_objective" { Kind::Pairs } else { Kind::Other }));
        }
        if let Some(name) = line.strip_prefix("pub fn ").map(word) {
            let function = ["_grad", "_backward"].iter().find_map(|end| name.strip_suffix(end));
            made.extend(function.map(|function| (function.into(), Kind::Other)));
        }
    }
    made
}

/// The names that a file makes public.
fn public(code: &str) -> impl Iterator<Item = &str> {
    ["pub struct ", "pub enum ", "pub fn "].into_iter().flat_map(|item| code.split(item).skip(1).map(word))
}

/// Every objective of the crate, by name.
pub fn objectives() -> Vec<Objective> {
    let (mut names, mut found) = (BTreeSet::new(), BTreeMap::new());
    for path in files(&root().join("src")) {
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        if file.contains("/tests") || file.ends_with("testing.rs") {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        names.extend(public(&code).map(str::to_owned));
        for (name, kind) in made(&code) {
            // A loss of pairs that also has methods of its own remains one of pairs.
            let objective = found.entry(name.clone()).or_insert(Objective { name, file: file.clone(), kind });
            if kind == Kind::Pairs {
                *objective = Objective { file: file.clone(), kind, ..objective.clone() };
            }
        }
    }
    found.into_values().filter(|of| names.contains(&of.name) && !HOLDERS.contains(&&*of.name)).collect()
}

#[test]
fn the_sources_tell_their_objectives() {
    let found = objectives();
    let of = |name: &str| found.iter().find(|objective| objective.name == name).map(|objective| objective.kind);
    for name in ["Dpo", "Odpo", "Orpo", "Aot", "Sft", "DrDpo", "Linked", "WeightedSum", "ProcessReward"] {
        assert_eq!(of(name), Some(Kind::Pairs), "{name}");
    }
    for name in [
        "KlDivergence",
        "RenyiDivergence",
        "Gaussian",
        "SharedGaussian",
        "Ddo",
        "TaiLr",
        "Emo",
        "emd",
        "entropy",
        "imle",
    ] {
        assert_eq!(of(name), Some(Kind::Other), "{name}");
    }
    for name in ["PairConfig", "Smoothed", "Everything", "L", "sum", "Vectorized"] {
        assert_eq!(of(name), None, "{name}");
    }
    assert!(found.len() > 90, "only {} objectives were found", found.len());
}
