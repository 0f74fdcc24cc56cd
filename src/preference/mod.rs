//! Preference objectives.
