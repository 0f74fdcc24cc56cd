//! The number that a pair may bear, by its meaning.

use ndarray::ArrayView1;

/// What the number of a pair means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Label {
    /// An offset of the margin, in nats and before `beta`.
    Offset,
    /// A probability that the chosen response is the better one.
    SoftLabel,
    /// A probability that neither is.
    TieProbability,
    /// How much better a judge rates the chosen response.
    RatingGap,
}

impl Label {
    /// The name of the column in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Offset => "offset",
            Self::SoftLabel => "soft_label",
            Self::TieProbability => "tie_probability",
            Self::RatingGap => "rating_gap",
        }
    }
}

/// What an objective does with the number of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelUse {
    /// None is looked at.
    #[default]
    Unused,
    /// This one is used where there is one, and is 0 otherwise.
    Optional(Label),
    /// There must be this one.
    Required(Label),
}

impl LabelUse {
    /// The one that is looked at.
    pub(super) fn label(self) -> Option<Label> {
        match self {
            Self::Unused => None,
            Self::Optional(label) | Self::Required(label) => Some(label),
        }
    }

    /// The one that must be there.
    pub(super) fn required(self) -> Option<Label> {
        if let Self::Required(label) = self { Some(label) } else { None }
    }
}

/// The numbers that a batch holds, one column for each meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels<'a, T> {
    columns: [(Label, Option<ArrayView1<'a, T>>); 4],
}

impl<'a, T> Labels<'a, T> {
    /// None of them.
    pub(super) fn none() -> Self {
        let absent = |label| (label, None);
        Self { columns: [Label::Offset, Label::SoftLabel, Label::TieProbability, Label::RatingGap].map(absent) }
    }

    /// With this one.
    pub(super) fn with(mut self, label: Label, numbers: ArrayView1<'a, T>) -> Self {
        self.columns.iter_mut().filter(|(kind, _)| *kind == label).for_each(|(_, column)| *column = Some(numbers));
        self
    }

    /// Those that are there.
    pub(super) fn held(&self) -> impl Iterator<Item = (Label, ArrayView1<'_, T>)> {
        self.columns.iter().filter_map(|(label, column)| Some((*label, column.as_ref()?.view())))
    }

    /// The one of this meaning.
    pub(super) fn get(&self, label: Label) -> Option<ArrayView1<'_, T>> {
        self.held().find_map(|(kind, numbers)| (kind == label).then_some(numbers))
    }
}
