//! Objectives over pairs as rows: by one row each, they are in the catalogue and in every test that takes objectives by the
//! list.

use loglik::preference::PairConfig;

use crate::hyper::{Picks, Source};
use crate::{batchwise, margins, sides};

/// An objective over pairs, with hyper-parameters from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// Of its type.
    pub name: &'static str,
    /// Of the entry of the catalogue, which also says which of several rows it is.
    pub entry: &'static str,
    pub config: fn(&mut Source<'_>) -> PairConfig,
}

impl Objective {
    /// With the hyper-parameters of the row.
    pub fn usual(&self) -> PairConfig {
        (self.config)(&mut Source::Row)
    }
}

/// The configuration of a row, as its source says.
macro_rules! config {
    ($variant:ident($type:ident { $($field:ident: $kind:ident($($argument:expr),*)),* $(,)? })) => {
        |_from: &mut $crate::hyper::Source<'_>| {
            loglik::preference::PairConfig::$variant($type {
                $($field: _from.$kind(stringify!($field), $($argument),*),)*
            })
        }
    };
}
pub(crate) use config;

/// From rows, each a name, the variant of [`PairConfig`], the type and the kind and usual value of each hyper-parameter: the
/// objectives themselves, and an entry of the catalogue for each, with these inputs and by this call.
macro_rules! rows {
    ($inputs:ident, $run:ident; $($entry:literal: $variant:ident($type:ident $fields:tt),)*) => {
        /// The rows of this room.
        pub fn objectives() -> Vec<$crate::objectives::Objective> {
            vec![$($crate::objectives::Objective {
                name: stringify!($type),
                entry: $entry,
                config: $crate::objectives::config!($variant($type $fields)),
            }),*]
        }

        /// An entry for each row.
        fn row_entries<T: loglik::Real>() -> Vec<$crate::Entry<T>> {
            vec![$($crate::Entry::new($entry, $inputs, |call, out| {
                let config = $crate::objectives::config!($variant($type $fields));
                $run(call, out, &config(&mut $crate::hyper::Source::of_call(call)));
            })),*]
        }
    };
}
pub(crate) use rows;

/// Every row; an objective may have several, with other hyper-parameters.
pub fn objectives() -> Vec<Objective> {
    [margins::objectives(), sides::objectives(), batchwise::objectives()].concat()
}

/// What peers call an objective where it is not the name of the type.
const NAMES_OF_PEERS: &[(&str, &str)] = &[
    ("alphapo", "AlphaPo"),
    ("discopop", "DiscoPop"),
    ("dpo_norm", "SigmoidNorm"),
    ("orpo_odds_ratio", "Orpo"),
    ("simpo", "SimPo"),
];

/// The first row of the objective of this name, which is that of its type in lower case, or a peer's.
pub fn named(name: &str) -> Option<Objective> {
    let of_peer = NAMES_OF_PEERS.iter().find(|(theirs, _)| *theirs == name);
    objectives().into_iter().find(|row| match of_peer {
        Some((_, ours)) => row.name == *ours,
        None => snake_case(row.name) == name,
    })
}

/// Each objective once, with hyper-parameters that are as in training or anything at all; the weighted sum is left out.
pub fn every(picks: &mut Picks) -> Vec<PairConfig> {
    let mut rows = objectives();
    rows.dedup_by_key(|row| row.name);
    rows.iter().map(|row| (row.config)(&mut Source::Picks(picks))).collect()
}

/// `SimPo` as `sim_po`.
pub fn snake_case(name: &str) -> String {
    let word = |(at, letter): (usize, char)| {
        let space = (at > 0 && letter.is_uppercase()).then_some('_');
        space.into_iter().chain(letter.to_lowercase())
    };
    name.char_indices().flat_map(word).collect()
}
