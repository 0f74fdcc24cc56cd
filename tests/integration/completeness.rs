//! Every objective of the crate is in every place that lists objectives. The sources themselves say which there are, and a
//! failure names what is missing, with the file to edit.

#![allow(unreachable_pub)] // private to the test binary as a whole

mod exceptions;
mod names;
mod places;
mod sources;

use exceptions::{EXCEPTIONS, Exception};
use places::{Place, of_others, of_pairs};
use sources::{Kind, Objective, objectives};

/// What is missing, and the exceptions that are none.
fn faults(objectives: &[Objective], kind: Kind, places: &[Place]) -> Vec<String> {
    let mut faults = Vec::new();
    for objective in objectives.iter().filter(|objective| objective.kind == kind) {
        for Place { file, what, holds } in places {
            let Objective { name, file: source, .. } = objective;
            let exception =
                EXCEPTIONS.iter().find(|exception| exception.file == *file && exception.names.contains(&&**name));
            match (holds(objective), exception) {
                (false, None) => faults.push(format!("`{name}` of {source} is not in {file}: add {what}")),
                (true, Some(Exception { why, .. })) => {
                    faults.push(format!("`{name}` is in {file}: delete its exception, {why:?}"));
                }
                _ => {}
            }
        }
    }
    faults
}

#[track_caller]
fn holds_all(kind: Kind, places: &[Place]) {
    let faults = faults(&objectives(), kind, places);
    assert!(faults.is_empty(), "{} places are missing\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_objective_over_pairs_is_in_every_place() {
    holds_all(Kind::Pairs, &of_pairs());
}

#[test]
fn every_other_objective_is_in_every_place() {
    holds_all(Kind::Other, &of_others());
}

#[test]
fn an_objective_that_nobody_lists_is_missing_everywhere() {
    let forgotten = Objective { name: "Forgotten".into(), file: "src/forgotten.rs".into(), kind: Kind::Pairs };
    for (kind, places) in [(Kind::Pairs, of_pairs()), (Kind::Other, of_others())] {
        let forgotten = [Objective { kind, ..forgotten.clone() }];
        assert_eq!(faults(&forgotten, kind, &places).len(), places.len());
    }
}

#[test]
fn exceptions_are_of_objectives_and_places_that_exist() {
    let (objectives, files) = (objectives(), |places: Vec<Place>| places.into_iter().map(|place| place.file));
    let places: Vec<_> = files(of_pairs()).chain(files(of_others())).collect();
    for Exception { file, why, names } in EXCEPTIONS {
        assert!(places.contains(file), "{file} is no place, but has an exception: {why:?}");
        for name in *names {
            assert!(objectives.iter().any(|objective| objective.name == *name), "there is no objective `{name}`");
        }
    }
}
