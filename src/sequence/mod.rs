//! From token log-probabilities to those of sequences.
