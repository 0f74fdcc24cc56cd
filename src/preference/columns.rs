//! The columns of a batch, as the pass over elements takes them.

use ndarray::ArrayView1;

use crate::Real;
use crate::pointwise::{Column, Domain, Source};
use crate::preference::loops::ROW;
use crate::preference::{Label, LabelUse, Needs, PairBatch, Pairs, Row};

/// What may stand in each column.
const DOMAINS: Row<Domain> = {
    const fn both(domain: Domain) -> Pairs<Domain> {
        Pairs { chosen: domain, rejected: domain }
    }
    Row {
        policy: both(Domain::Log),
        reference: both(Domain::Log),
        lengths: both(Domain::Positive),
        rewards: both(Domain::Finite),
        label: Domain::Finite,
        gold: Domain::Log,
    }
};

/// The columns that an objective looks at; the others are neutral: 1 for lengths, 0 for the rest.
pub(super) fn columns<'a, T: Real>(batch: &'a PairBatch<'_, T>, needs: Needs) -> [Column<'a, T>; ROW] {
    let held = arrays(batch, needs).into_array();
    let label = needs.label.label().map_or(Row::NAMES.label, Label::name);
    let (names, domains) = (Row { label, ..Row::NAMES }.into_array(), DOMAINS.into_array());
    std::array::from_fn(|k| Column {
        name: names[k],
        domain: domains[k],
        source: match held[k] {
            Some(array) => Source::Array(array),
            None if domains[k] == Domain::Positive => Source::Ones,
            None => Source::Zeros,
        },
    })
}

/// Which columns an objective looks at.
fn used(needs: Needs) -> Row<bool> {
    let both = |used| Pairs { chosen: used, rejected: used };
    Row {
        policy: both(true),
        reference: both(needs.reference),
        lengths: both(needs.lengths),
        rewards: both(needs.rewards),
        label: needs.label != LabelUse::Unused,
        gold: needs.gold,
    }
}

/// The arrays that an objective looks at; `None` where the batch has none or the objective does not look at it.
pub(super) fn arrays<'a, T: Real>(batch: &'a PairBatch<'_, T>, needs: Needs) -> Row<Option<ArrayView1<'a, T>>> {
    batch.columns(needs.label).zip(used(needs)).map(|(column, used)| column.filter(|_| used))
}
