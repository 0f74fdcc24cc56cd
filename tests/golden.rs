//! Peers' own numbers: every file of `tests/golden/`, or of `LOGLIK_GOLDEN_DIR`, narrowed by `LOGLIK_GOLDEN_ONLY`.

mod golden_support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use golden_support::{Kind, Report, run, select};

#[test]
fn every_number_agrees_with_the_peers() {
    let directory = env::var_os("LOGLIK_GOLDEN_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"), PathBuf::from);
    let only = env::var("LOGLIK_GOLDEN_ONLY").ok().filter(|names| !names.trim().is_empty());
    let files = select::files(&directory, only.as_deref()).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Vec::new();
    say("");
    for path in files {
        let stem = select::stem(&path);
        let report = read(&path);
        say(&line(&stem, &report));
        failures.extend(report.failures.into_iter().map(|failure| format!("{stem}: {failure}")));
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

fn read(path: &Path) -> Report {
    let kind = if select::stem(path).ends_with(".edges") { Kind::Edges } else { Kind::Usual };
    match fs::read_to_string(path) {
        Ok(text) => run(&text, kind),
        Err(error) => Report { failures: vec![error.to_string()], ..Report::default() },
    }
}

fn line(stem: &str, report: &Report) -> String {
    let Report { cases, wide, narrow, wide_only, failures } = report;
    let mut line = format!("{stem:<24} {cases:>3} cases, compared {wide:>6} numbers in f64, {narrow:>6} in f32");
    if *wide_only > 0 {
        line += &format!(", {wide_only} cases beyond f32");
    }
    if !failures.is_empty() {
        line += &format!(", {} FAILURES", failures.len());
    }
    line
}

/// Prints past the capture of passing tests: how much was compared is worth seeing every time.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The harness itself: whatever is wrong with a file must fail.
mod harness {
    use super::*;

    const FILE: &str = r#"{ "schema": "loglik-golden/1", "objective": "log_sum_exp", "source": "by hand", "cases": [
        { "id": "a", "params": {}, "inputs": { "x": { "shape": [1, 2], "data": [0.0, "-inf"] } },
          "outputs": { "out": { "shape": [1], "data": [0.0] }, "grad.x": { "shape": [1, 2], "data": [1.0, 0.0] } },
          "rtol": 1e-9, "atol": 1e-11 } ] }"#;

    #[track_caller]
    fn fails(from: &str, to: &str, expected: &str) {
        assert!(FILE.contains(from), "{from}");
        let failures = run(&FILE.replace(from, to), Kind::Usual).failures;
        assert!(failures.iter().any(|failure| failure.contains(expected)), "{expected:?} is not in {failures:?}");
    }

    #[test]
    fn a_right_file_passes_and_counts_its_numbers() {
        let report = run(FILE, Kind::Usual);
        assert_eq!(report.failures, Vec::<String>::new());
        assert_eq!((report.cases, report.wide, report.narrow, report.wide_only), (1, 3, 3, 0));
    }

    #[test]
    fn what_nobody_knows_fails() {
        fails("log_sum_exp", "log_sum_exq", "unknown objective \"log_sum_exq\"");
        fails(r#""params": {}"#, r#""params": { "tau": 1 }"#, "unknown parameter `tau`");
        fails(r#""inputs": {"#, r#""inputs": { "y": { "shape": [], "data": [1] }, "#, "unknown input `y`");
        fails(
            r#""outputs": {"#,
            r#""outputs": { "z": { "shape": [], "data": [1] }, "#,
            "output `z` was never compared",
        );
        fails("golden/1", "golden/2", "schema is \"loglik-golden/2\"");
        fails(r#""rtol""#, r#""rtl""#, "unknown field `rtl`");
    }

    #[test]
    fn wrong_numbers_and_shapes_fail() {
        fails("[1.0, 0.0]", "[1.00000001, 0.0]", "f64: output `grad.x` 1 of 2 numbers are wrong");
        fails("[1.0, 0.0]", r#"[1.0, "nan"]"#, "f64: output `grad.x` 1 of 2 numbers are wrong");
        fails("[0.0] }", r#"["inf"] }"#, "f64: output `out` 1 of 1 numbers are wrong");
        fails(r#""shape": [1], "#, r#""shape": [1, 1], "#, "output `out` has shape [1], expected [1, 1]");
        fails("[1.0, 0.0]", "[1.0]", "ShapeError");
        fails("[1.0, 0.0]", r#"[1.0, "zero"]"#, "\"zero\" is not a number");
    }

    #[test]
    fn what_the_objective_refuses_fails() {
        fails(r#""-inf""#, r#""nan""#, "`logits`[0, 1] is NaN");
        fails(r#""x": {"#, r#""logits": {"#, "input `x` is missing");
        fails(r#""cases": ["#, r#""cases": [], "more": ["#, "unknown field `more`");
    }

    #[test]
    fn numbers_beyond_f32_are_compared_in_f64_alone() {
        let text = FILE.replace(r#"[0.0, "-inf"]"#, r#"[1e200, "-inf"]"#).replace("[0.0] }", "[1e200] }");
        let report = run(&text, Kind::Usual);
        assert_eq!(report.failures, Vec::<String>::new());
        assert_eq!((report.wide, report.narrow, report.wide_only), (3, 0, 1));
    }

    #[test]
    fn an_objective_brings_its_edges_and_an_absent_name_fails() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let stems = |only| -> Vec<String> {
            select::files(&directory, Some(only)).unwrap().iter().map(|path| select::stem(path)).collect()
        };
        assert_eq!(stems("dpo"), ["dpo", "dpo.edges"]);
        assert_eq!(stems("dpo.edges, ipo"), ["dpo.edges", "ipo"]);
        let error = |only| select::files(&directory, Some(only)).unwrap_err().to_string();
        assert!(error("dpo,dop").ends_with("is named \"dop\""));
        assert!(error(",").starts_with("no golden file"));
        assert!(select::files(&directory.join("absent"), None).is_err());
    }
}
