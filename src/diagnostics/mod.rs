//! What one watches while training.
